"""Published figures, recomputed: checked where they stand and collected into one page of the book."""

import html
from dataclasses import dataclass

import numpy as np

from kexue_core.notebook.formats import format_number

__all__ = ["Claim", "reproduce"]

MIME = "application/vnd.kexue.claim+json"


@dataclass(frozen=True)
class Claim:
    """What was published, by whom, and what this book computes; shown as a table with one row for each figure."""

    what: str
    source: str
    tolerance: str
    rows: tuple  # of (label, published, ours, deviation), all of them text

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"what": self.what, "source": self.source, "tolerance": self.tolerance, "rows": [*map(list, self.rows)]}
        return {"text/plain": str(self), "text/html": self._html(), MIME: data}

    def __str__(self):
        head = ("", "published", "ours", "deviation")
        widths = [max(len(row[i]) for row in (head, *self.rows)) for i in range(4)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in (head, *self.rows)]
        return "\n".join([f"{self.what} ({self.source}; agrees {self.tolerance})", *lines])

    def _html(self):
        cell = html.escape
        body = "".join(
            f"<tr><th scope=row>{cell(label)}</th>" + "".join(f"<td>{cell(value)}</td>" for value in values) + "</tr>"
            for label, *values in self.rows
        )
        return (
            f'<table class="kx-claim"><caption>{cell(self.what)} <span>{cell(self.source)}; '
            f"agrees {cell(self.tolerance)}</span></caption><thead><tr><td></td><th scope=col>published</th>"
            f"<th scope=col>ours</th><th scope=col>deviation</th></tr></thead><tbody>{body}</tbody></table>"
        )


def reproduce(what, ours, published, source, *, digits=None, rtol=None, atol=None, labels=None):
    """Check that recomputed figures agree with published ones, and show them side by side.

    Parameters
    ----------
    what : str
        What the figures are.
    ours : float or (n,) array_like
        The figures that this book computes.
    published : float or (n,) array_like
        The figures as printed.
    source : str
        Where they were published.
    digits : int, optional
        Agreement to the printed digits: ``ours`` rounded to that many significant digits equals ``published``.
    rtol, atol : float, optional
        Agreement within a relative or an absolute tolerance. Exactly one of the three is given.
    labels : sequence of str, optional
        What each of several figures belongs to.

    Returns
    -------
    Claim
        Displays as a table and carries its data for the page "Reproduced results".

    Raises
    ------
    AssertionError
        If a figure does not agree; the message names it.
    ValueError
        If the lengths differ, a figure is not finite, or not exactly one tolerance is given.

    Examples
    --------
    >>> print(reproduce("zero of the cosine integral", 0.61650549, 0.6165, "DLMF 6.13", digits=4))
    zero of the cosine integral (DLMF 6.13; agrees to 4 digits)
      published  ours    deviation
      0.6165     0.6165  0.00089 %
    """
    ours, published = np.atleast_1d(np.asarray(ours, float)), np.atleast_1d(np.asarray(published, float))
    labels = ("",) * len(ours) if labels is None else tuple(str(label) for label in labels)
    if not ours.shape == published.shape == (len(labels),):
        raise ValueError(
            f"ours, published and labels must have one length, got {ours.shape}, {published.shape}, {len(labels)}"
        )
    if not (np.isfinite(ours).all() and np.isfinite(published).all()):
        raise ValueError(f"ours and published must be finite, got {ours} and {published}")
    given = {name: value for name, value in [("digits", digits), ("rtol", rtol), ("atol", atol)] if value is not None}
    if len(given) != 1:
        raise ValueError(f"exactly one of digits, rtol and atol must be given, got {sorted(given)}")
    difference = np.abs(ours - published)
    size = np.where(published == 0, 1, np.abs(published))
    if digits is not None:
        rounded = np.array([float(f"{value:.{digits - 1}e}") for value in ours])
        agree, tolerance = (
            np.isclose(rounded, published, rtol=1e-12, atol=0),
            f"to {digits} digit{'s' if digits > 1 else ''}",
        )
    elif rtol is not None:
        agree, tolerance = difference <= rtol * size, f"within {format_number(100.0 * rtol, 2)} %"
    else:
        agree, tolerance = difference <= atol, f"within ±{format_number(float(atol), 2)}"
    rows = tuple(
        (label, format_number(p, 10), format_number(o, max(4, _printed_digits(p))), _percent(d))
        for label, p, o, d in zip(labels, published, ours, difference / size)
    )
    claim = Claim(what, source, tolerance, rows)
    if not agree.all():
        wrong = [row for row, good in zip(rows, agree) if not good]
        raise AssertionError(f"{what}: {len(wrong)} of {len(rows)} figures do not agree {tolerance}: {wrong}")
    return claim


def _percent(deviation):
    # below 1e-9 a deviation is rounding, which differs from machine to machine
    return f"{format_number(100 * deviation, 2)} %" if deviation > 1e-9 else "0"


def _printed_digits(value):
    """Return how many significant digits a published figure has, ten at the most."""
    mantissa = f"{value:.9e}".split("e")[0].lstrip("-").replace(".", "")
    return len(mantissa.rstrip("0"))

"""What others published, computed anew: figures that agree or not, and errors; collected into two pages of the book."""

import html
import re
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation

import numpy as np

from kexue_core.notebook.checks import CheckError, strict, truth
from kexue_core.notebook.formats import format_number

__all__ = ["KINDS", "Claim", "Erratum", "erratum", "reproduce"]

MIME = "application/vnd.kexue.claim+json"
ERRATUM_MIME = "application/vnd.kexue.erratum+json"
KINDS = {"printed": "printed", "program": "output of a program", "theorem": "exact value"}
_HEAD = {"printed": "printed", "program": "program", "theorem": "exact"}
_FLOAT_DIGITS = 15  # that a float keeps
_LONG = 24  # rows: a longer table is folded


@dataclass(frozen=True)
class Claim:
    """What was published, by whom, and what this book computes; shown as a table with one row for each figure."""

    what: str
    source: str
    kind: str
    tolerance: str
    rows: tuple  # of (label, published, ours, deviation, why it differs), all of them text; "" where it agrees

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {
            "text/plain": str(self),
            "text/html": self.html(),
            MIME: {**asdict(self), "rows": [*map(list, self.rows)]},
        }

    @property
    def differing(self):
        """The number of rows that do not agree."""
        return sum(bool(row[4]) for row in self.rows)

    @property
    def _head(self):
        return "", _HEAD[self.kind], "ours", "deviation"

    @property
    def _agrees(self):
        if self.differing == len(self.rows):
            return f"would agree {self.tolerance}, does not"
        return f"agrees {self.tolerance}{', except where said' * bool(self.differing)}"

    def __str__(self):
        table = (self._head, *(row[:4] for row in self.rows))
        widths = [max(len(row[i]) for row in table) for i in range(4)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in table]
        for place in reversed(range(len(self.rows))):
            if self.rows[place][4]:
                lines.insert(place + 2, f"  ≠ {self.rows[place][4]}")
        return "\n".join([f"{self.what} ({self.source}; {KINDS[self.kind]}; {self._agrees})", *lines])

    __repr__ = __str__

    def html(self):
        """Return the table, for the chapter and for the page "Reproduced results"."""
        cell = html.escape
        body = ""
        for label, *values, why in self.rows:
            shown = (cell(_spaced(value)) for value in values)
            cells = f'<th scope="row">{cell(label)}</th>' + "".join(f"<td>{value}</td>" for value in shown)
            body += f'<tr class="kx-differs">{cells}</tr>' if why else f"<tr>{cells}</tr>"
            body += f'<tr class="kx-why"><td colspan="4">≠ {cell(why)}</td></tr>' if why else ""
        head = "".join(f'<th scope="col">{name}</th>' for name in self._head[1:])
        table = (
            f'<table class="kx-claim"><caption>{cell(self.what)} <span>{cell(self.source)}; {KINDS[self.kind]}; '
            f"{cell(self._agrees)}</span></caption><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
        if len(self.rows) <= _LONG:
            return table
        agreeing = f"{len(self.rows) - self.differing} of {len(self.rows)} agree"
        return f"<details><summary>{cell(self.what)}: {agreeing}</summary>{table}</details>"


def reproduce(
    what, ours, published, source, *, kind, digits=None, rtol=None, atol=None, labels=None, differs=None
):  # fmt: skip
    """Compare recomputed figures with published ones, and show them side by side.

    Figures that are given as printed (``"0.50"``, ``"4.3e3"``) agree if ours lie within half a unit of their last
    digit, as any printer that rounds leaves them. For numbers, or where less is meant, a tolerance says how closely.

    Parameters
    ----------
    what : str
        What the figures are.
    ours : float or (n,) array_like
        The figures that this book computes; an `Estimate` counts with its mean.
    published : float, str or (n,) list of them
        The figures, at best as printed.
    source : str
        Where they stand: table, equation or section; or the program with its version.
    kind : {"printed", "program", "theorem"}
        Whether an article or a paper printed them, another program put them out, or they are exact known values.
    digits : int, optional
        Agreement to that many significant digits, within half a unit of the last one: at least two, and no more than
        were printed or than a float holds (15); it must be given for figures that are printed with more than these.
    rtol, atol : float, optional
        Agreement within a relative tolerance of 0.1 at the most, or within an absolute one of at most a tenth of the
        smallest published figure that is not 0 (1e-6 if all are). At most one of the three is given.
    labels : sequence of str, optional
        What each of several figures belongs to.
    differs : dict, optional
        Why a figure does not agree, by its label or its index; a figure that does agree must not stand here.

    Returns
    -------
    Claim
        Displays as a table and carries its data for the page "Reproduced results".

    Raises
    ------
    CheckError
        In a strict run: if a figure does not agree and ``differs`` does not say so, or the other way round. Elsewhere
        the table says so.
    TypeError, ValueError
        If an argument breaks one of these rules.

    Examples
    --------
    >>> reproduce("zero of the cosine integral", 0.61650549, "0.6165", "DLMF 6.13", kind="printed")
    zero of the cosine integral (DLMF 6.13; printed; agrees to the printed digits)
      printed  ours    deviation
      0.6165   0.6165  0.00089 %
    """
    for name, text in (("what", what), ("source", source)):
        _text(name, text)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    single = isinstance(published, str) or np.ndim(published) == 0
    printed = [published] if single else [*published]
    figures = np.array([_figure(value) for value in printed])
    ours = np.atleast_1d(np.asarray(ours))
    if ours.dtype.kind in "cUS" or any(isinstance(value, str | complex) for value in ours.flat):
        raise TypeError(f"ours must hold real numbers, got {ours}")
    ours = ours.astype(float)
    labels = ("",) * len(printed) if labels is None else tuple(str(label) for label in labels)
    if not printed:
        raise ValueError("published must hold at least one figure, got none")
    if len(labels) != len(printed) or (strict() and ours.shape != figures.shape):
        shapes = f"{ours.shape}, {figures.shape}, {len(labels)}"
        raise ValueError(f"ours, published and labels must have one length, got {shapes}")
    if ours.shape != figures.shape:  # a reader changed something: the table says that there is nothing to compare
        ours = np.full(figures.shape, np.nan)
    if not np.isfinite(figures).all() or (strict() and not np.isfinite(ours).all()):
        raise ValueError(f"ours and published must be finite, got {ours} and {figures}")
    allowed, tolerance = _allowed(printed, figures, digits, rtol, atol)
    reasons = _reasons(differs, labels)
    difference = np.abs(ours - figures)
    if digits is rtol is atol is None:  # 999 is printed as 1.0e3, 990 as 9.9e2: below a power of ten digits are finer
        finer = np.array([_power_of_ten(value) for value in printed]) & (np.abs(ours) < np.abs(figures))
        allowed = np.where(finer, 0.1 * allowed, allowed)
    # a few units of rounding decide nothing: 0.125 was printed as 0.13
    agree = difference <= allowed + 4 * np.spacing(np.maximum(np.abs(figures), np.abs(np.nan_to_num(ours))))
    rows, wrong = [], []
    for place, (label, value, figure, mine, gap) in enumerate(zip(labels, printed, figures, ours, difference)):
        why = reasons.get(place, "")
        if agree[place] == bool(why):
            complaint = "said to differ, but agrees" if why else "does not agree"
            wrong.append(f"{label or what}: {complaint}: {value} and ours {mine:.10g}")
            why = f"{complaint} here"
        rows.append((label, _written(value), _ours(mine, value), _deviation(gap, figure), why))
    if wrong and strict():
        raise CheckError(f"{what}: {len(wrong)} of {len(rows)} figures, {tolerance}: {'; '.join(wrong)}")
    return Claim(what, source, kind, tolerance, tuple(rows))


def _text(name, text):
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a string, got {text!r}")
    if not text.strip():
        raise ValueError(f"{name} must not be empty, got {text!r}")


def _decimal(value):
    """Return a figure that was given as printed."""
    try:
        return Decimal(value.replace("−", "-").replace("\u202f", "").replace(" ", ""))
    except InvalidOperation:
        raise ValueError(f"published must hold numbers as they are printed, got {value!r}") from None


def _power_of_ten(value):
    """Tell whether a figure is a power of ten in scientific notation."""
    mantissa = "".join(map(str, _decimal(value).as_tuple().digits))
    return "e" in value.lower() and mantissa.rstrip("0") == "1"


def _figure(value):
    return float(_decimal(value)) if isinstance(value, str) else float(value)


def _allowed(printed, figures, digits, rtol, atol):
    """Return how far ours may lie from each figure, and that in words."""
    given = {name: value for name, value in [("digits", digits), ("rtol", rtol), ("atol", atol)] if value is not None}
    as_printed = all(isinstance(value, str) for value in printed)
    if len(given) > 1 or not (given or as_printed):
        rule = "exactly one of digits, rtol and atol must be given, or all figures as printed"
        raise ValueError(f"{rule}, got {sorted(given)}")
    sizes = np.abs(figures)
    if not given:
        longest = max(printed, key=lambda value: len(_decimal(value).as_tuple().digits))
        if len(_decimal(longest).as_tuple().digits) > _FLOAT_DIGITS:
            raise ValueError(f"digits must be given for more than {_FLOAT_DIGITS} printed digits, got {longest!r}")
        last = [_decimal(value).as_tuple().exponent for value in printed]
        return 0.5 * 10.0 ** np.array(last), "to the printed digits"
    if digits is not None:
        most = min(
            (len(_decimal(value).as_tuple().digits) for value in printed if isinstance(value, str)),
            default=_FLOAT_DIGITS,
        )
        most = min(most, _FLOAT_DIGITS)
        least = 1 if most == 1 else 2
        if isinstance(digits, bool) or not isinstance(digits, int | np.integer) or not least <= digits <= most:
            raise ValueError(f"digits must be a whole number from {least} to the printed {most}, got {digits!r}")
        if not figures.all():
            raise ValueError("digits must not be given for a figure of 0: give it as printed ('0.00'), got 0")
        exponents = np.array([int(f"{size:.16e}".split("e")[1]) for size in sizes])
        return 0.5 * 10.0 ** (exponents - digits + 1), f"to {digits} digit{'s' if digits > 1 else ''}"
    if rtol is not None:
        if not 0 < rtol <= 0.1:
            raise ValueError(f"rtol must be positive and at most 0.1, got {rtol}")
        if not figures.all():
            raise ValueError("rtol must not be given for a figure of 0: use atol, got 0")
        return rtol * sizes, f"within {format_number(100.0 * rtol, 2)} %"
    most = 0.1 * sizes[sizes > 0].min() if figures.any() else 1e-6
    if not 0 < atol <= most:
        raise ValueError(f"atol must be positive and at most {most:.2g} for these figures, got {atol}")
    return np.full(len(figures), float(atol)), f"within ±{format_number(float(atol), 2)}"


def _reasons(differs, labels):
    """Return the reasons by index."""
    reasons = {}
    for key, why in (differs or {}).items():
        _text("the reason of differs", why)
        places = [key] if key in range(len(labels)) else [i for i, label in enumerate(labels) if label and label == key]
        if len(places) != 1 or places[0] in reasons:
            raise ValueError(f"differs must name each figure once, by its label or its index, got {key!r}")
        reasons[places[0]] = why
    return reasons


def _written(value):
    return value.replace("-", "−") if isinstance(value, str) else format_number(float(value), 10)


def _spaced(text):
    """Set the thousands of a whole number apart, as `format_number` does; the data keep the source's digits."""
    return format_number(int(text)) if re.fullmatch(r"[0-9]{5,}", text) else text


def _ours(value, printed):
    if not np.isfinite(value):
        return "–"
    if isinstance(printed, str) and re.fullmatch(r"[0-9]+", printed) and value.is_integer():
        return format_number(int(value))  # a count beside a count, however long
    digits = len(_decimal(printed).as_tuple().digits) if isinstance(printed, str) else _significant(printed)
    return format_number(float(value), max(4, min(digits, 10)))


def _significant(value):
    """Return how many significant digits a number has, ten at the most."""
    return len(f"{value:.9e}".split("e")[0].lstrip("-").replace(".", "").rstrip("0"))


def _deviation(gap, figure):
    if not np.isfinite(gap):
        return "–"
    if figure == 0:
        return f"±{format_number(float(gap), 2)}" if gap else "0"
    # below 1e-9 a deviation is rounding, which differs from machine to machine
    return f"{format_number(100 * float(gap / abs(figure)), 2)} %" if gap > 1e-9 * abs(figure) else "0"


@dataclass(frozen=True)
class Erratum:
    """An error of a source: what is printed, the counterexample, and the reading that holds; shown as a box."""

    what: str
    printed: str
    where: str
    shown: str
    reading: str
    wrong_here: str = ""  # only where a reader changed something

    def _repr_mimebundle_(self, include=None, exclude=None):
        quoted = "\n>\n".join(f"> {line}" for line in self._lines("**"))
        return {"text/plain": str(self), "text/markdown": quoted, ERRATUM_MIME: asdict(self)}

    def __str__(self):
        return "\n".join(self._lines(""))

    __repr__ = __str__

    def _lines(self, strong):
        named = {
            "Erratum.": self.what,
            f"Printed in {self.where}:": self.printed,
            "But": self.shown,
            "It holds": self.reading,
        }
        lines = [f"{strong}{name}{strong} {text}" for name, text in named.items()]
        return [*lines, f"✗ {self.wrong_here}"] if self.wrong_here else lines


def erratum(what, printed, where, *, shown, refuted, reading, holds):
    r"""Show an error of a source, with a counterexample and the reading under which it holds, both of them computed.

    Parameters
    ----------
    what : str
        What is concerned, in a few words. All texts are Markdown with ``$…$``.
    printed : str
        What the source prints.
    where : str
        The source, with section or equation.
    shown : str
        The counterexample with its numbers; reads on after "But".
    refuted : bool or Comparison
        Whether the printed statement is false at the counterexample.
    reading : str
        What is true instead; reads on after "It holds".
    holds : bool or Comparison
        Whether this reading is true at the counterexample.

    Returns
    -------
    Erratum
        Displays as a box and carries its data for the page "Errata of the articles".

    Raises
    ------
    CheckError
        In a strict run: if the counterexample does not refute what is printed, or the reading does not hold.
    TypeError, ValueError
        If a text is empty, or a truth value is none.

    Examples
    --------
    >>> n = 41
    >>> erratum(
    ...     "A formula for primes",
    ...     "$n^2 - n + 41$ is prime for every $n$",
    ...     "section 1",
    ...     shown=f"for $n = {n}$ it is {n**2 - n + 41}, the square of 41.",
    ...     refuted=(n**2 - n + 41) % 41 == 0,
    ...     reading="for $n = 1, \\dots, 40$.",
    ...     holds=all((m**2 - m + 41) % p for m in range(1, 41) for p in range(2, 41)),
    ... )
    Erratum. A formula for primes
    Printed in section 1: $n^2 - n + 41$ is prime for every $n$
    But for $n = 41$ it is 1681, the square of 41.
    It holds for $n = 1, \dots, 40$.
    """
    texts = {"what": what, "printed": printed, "where": where, "shown": shown, "reading": reading}
    for name, text in texts.items():
        _text(name, text)
    wrong = ""
    if not truth("refuted", refuted)[0]:
        wrong = f"the counterexample does not refute the printed statement here: {what}"
    elif not truth("holds", holds)[0]:
        wrong = f"the reading does not hold here: {what}"
    if wrong and strict():
        raise CheckError(wrong)
    return Erratum(**texts, wrong_here=wrong)

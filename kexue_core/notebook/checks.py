"""Statements that are checked where they stand, and means that carry their error."""

import math
import os
import reprlib
from dataclasses import dataclass

import numpy as np
from IPython.display import display
from sympy.logic.boolalg import BooleanAtom

from kexue_core.notebook.formats import format_estimate, format_number

__all__ = ["Check", "CheckError", "Comparison", "Estimate", "check", "estimate", "strict"]

MIME = "application/vnd.kexue.check+json"


def strict():
    """Tell whether a statement that fails stops the run: in a build and in tests, never for readers.

    Returns
    -------
    bool
        True where the environment has ``KEXUE_STRICT=1``.

    Examples
    --------
    >>> strict()
    True
    """
    return os.environ.get("KEXUE_STRICT") == "1"


class CheckError(AssertionError):
    """A statement of a chapter does not hold; shown as one line, without a traceback."""

    def _render_traceback_(self):
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Check:
    """A statement with its mark; shown as one line."""

    statement: str
    holds: bool
    got: str = ""

    def __str__(self):
        if self.holds:
            return f"✓ {self.statement}"
        return f"✗ does not hold here: {self.statement}{self.got and ', got '}{self.got}"

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"statement": self.statement, "holds": self.holds}
        return {"text/plain": str(self), "text/markdown": str(self), MIME: data}


def check(holds, statement, /, **values):
    """Show a statement that holds; raise where it must hold, and note the difference where a reader may change it.

    Parameters
    ----------
    holds : bool, numpy.bool, sympy.true or sympy.false, or Comparison
        Whether the statement holds: one truth value. Of an array, say which is meant: ``.all()`` or ``.any()``.
    statement : str
        What holds, over everything that was looked at; Markdown with ``$…$``.
    **values : number, str, Estimate, list or array
        What was found; shown only where the statement does not hold.

    Raises
    ------
    CheckError
        If the statement does not hold in a strict run, see `strict`. Elsewhere the line says so, and the run goes on.
    TypeError
        If ``holds`` is no truth value, or ``statement`` no string.
    ValueError
        If ``statement`` is empty.

    Examples
    --------
    >>> gaps = np.array([1e-16, 3e-16])
    >>> check((gaps < 1e-12).all(), "both agree to 1e-12", largest=gaps.max())
    ✓ both agree to 1e-12
    """
    true, because = truth("holds", holds)
    if not isinstance(statement, str):
        raise TypeError(f"statement must be a string, got {statement!r}")
    if not statement.strip():
        raise ValueError(f"statement must say what holds, got {statement!r}")
    found = [f"{name.replace('_', ' ')} = {_brief(value)}" for name, value in values.items()]
    shown = Check(statement, true, "; ".join([*because, *found]))
    if not true and strict():
        raise CheckError(f"does not hold: {statement}{shown.got and ', got '}{shown.got}")
    display(shown)


def truth(name, holds):
    """Return the truth value of an argument and, of a comparison, what it says; "undecided" is not true."""
    if isinstance(holds, Comparison):
        return holds.answer == "yes", [str(holds)]
    if not isinstance(holds, bool | np.bool_ | BooleanAtom):
        rule = ": say .all() or .any()" if np.ndim(holds) else ""
        raise TypeError(f"{name} must be one truth value{rule}, got {reprlib.repr(holds)}")
    return bool(holds), []


def _brief(value):
    """Write a value in one short line; what cannot be written must not hide what failed."""
    try:
        text = format_number(value)
    except (TypeError, ValueError, OverflowError):
        if isinstance(value, np.ndarray):
            text = np.array2string(value, precision=4, threshold=20, edgeitems=4, separator=", ")
        else:
            text = str(_plain(value))
    text = " ".join(text.splitlines())
    return text if len(text) <= 300 else f"{text[:299]}…"


def _plain(value):
    """Return a container with numpy's scalars as Python's."""
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(map(_plain, value)) if type(value) in (list, tuple, set) else value
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True)
class Comparison:
    """Whether one mean lies below or above another: "yes", "no" or "undecided", at three standard errors.

    It has no truth value unless it is decided, so that "undecided" passes for neither; ``&`` joins several.
    """

    answer: str
    because: str

    def __bool__(self):
        if self.answer == "undecided":
            raise ValueError(f"a comparison must be decided to be true or false, got {self}")
        return self.answer == "yes"

    def __and__(self, other):
        if not isinstance(other, Comparison):
            return NotImplemented
        answers = {self.answer, other.answer}
        answer = next(one for one in ("no", "undecided", "yes") if one in answers)
        return Comparison(answer, f"{self.because}; {other.because}")

    def __str__(self):
        return f"{self.answer}: {self.because}"

    __repr__ = __str__


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and the number of samples that it was taken over; `float` gives the mean."""

    mean: float
    error: float
    n: int

    __array_ufunc__ = None  # numpy's scalars leave comparisons to this class

    def __lt__(self, other):
        return self._compare(other, -1)

    def __gt__(self, other):
        return self._compare(other, 1)

    def __float__(self):
        return self.mean

    def __str__(self):
        return f"{format_estimate(self.mean, self.error)} (n = {format_number(self.n)})"

    __repr__ = __str__

    def _compare(self, other, sign):
        if isinstance(other, Estimate):
            mean, error = other.mean, math.hypot(self.error, other.error)
        elif isinstance(other, bool | np.bool_ | str | bytes):
            return NotImplemented
        else:
            try:
                mean, error = float(other), self.error
            except (TypeError, ValueError):
                return NotImplemented
            if not math.isfinite(mean):
                raise ValueError(f"a mean must be compared with a finite number, got {mean}")
        difference = self.mean - mean
        decided = error > 0 and abs(difference) >= 3 * error
        answer = ("yes" if difference * sign > 0 else "no") if decided else "undecided"
        return Comparison(answer, f"the difference is {format_estimate(difference, error)}")


def estimate(samples):
    """Return the mean of independent samples with its standard error ``s / √n``.

    ``a < b`` and ``a > b`` answer "yes" or "no" if the means lie at least three standard errors apart, and else
    "undecided"; the two must come from independent samples. Two quantities measured on the same draws are compared
    through their differences: ``estimate(x - y) < 0``. Samples without any spread decide nothing.

    Parameters
    ----------
    samples : (n,) array_like
        Independent draws of one quantity, ``n >= 2``; truth values count as 0 and 1.

    Returns
    -------
    Estimate
        Shown as ``0.2062 ± 0.0007 (n = 10 000)``, with the digits that the error leaves.

    Raises
    ------
    ValueError
        If there are fewer than two samples, they are no vector, or one is not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before, gain = rng.normal(size=400), rng.normal(0.1, 0.2, size=400)
    >>> estimate(before) < estimate(before + gain)
    undecided: the difference is −0.10 ± 0.07
    >>> estimate(gain) > 0
    yes: the difference is 0.097 ± 0.010
    """
    if np.iscomplexobj(samples) or np.ma.isMaskedArray(samples):
        raise TypeError(f"samples must be real numbers without a mask, got {samples!r}")
    samples = np.asarray(samples, dtype=float)
    if samples.ndim != 1 or len(samples) < 2:
        raise ValueError(f"samples must be a vector of at least two numbers, got shape {samples.shape}")
    if not np.isfinite(samples).all():
        raise ValueError(f"samples must be finite, got {samples[~np.isfinite(samples)][0]}")
    centre = samples.mean()
    error = math.sqrt(((samples - centre) ** 2).sum() / (len(samples) - 1) / len(samples))
    # equal samples have no spread, whatever rounding leaves of their mean
    return Estimate(float(centre), 0.0 if (samples == samples[0]).all() else error, len(samples))

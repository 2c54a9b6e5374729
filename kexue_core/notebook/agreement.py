"""The agreement of a derived formula with a numpy function, at every point of a grid."""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real

import mpmath
import numpy as np
import sympy as sp

from kexue_core.notebook.checks import strict
from kexue_core.notebook.formats import format_number

__all__ = ["Agreement", "agreement"]

_DIGITS = 30
_FACTS = ("integer", "even", "odd", "real", "nonnegative", "nonpositive")


@dataclass(frozen=True)
class Agreement:
    """Whether a formula and a function agree on a grid, with the point where they differ most."""

    points: int
    worst: dict
    deviation: float
    within: str
    differs: str = ""

    def __repr__(self):
        # the deviation itself is rounding and differs from machine to machine, so it is not printed
        if self.differs:
            return f"✗ formula and function differ, {self.differs}"
        return f"formula and function agree at {self.points} points, within {self.within}"


def agreement(expression, function, grid, *, rtol=1e-12, atol=0.0):
    """Check that a numpy function computes what a SymPy expression says, at every point of a grid.

    The expression is evaluated to 30 digits, so the difference is the function's own error.

    Parameters
    ----------
    expression : Expr or Matrix
        The derived formula.
    function : callable
        Called once for each point with one number for each symbol, in the order of ``grid``. It returns a number, or
        an array of the shape of the matrix; a row or a column may be one-dimensional.
    grid : dict of Symbol to sequence of numbers
        All combinations are tried. Every symbol must matter to one side, no value may be repeated, and values keep
        the assumptions on their symbol; 0 may stand for a positive one, as the end of what it may be.
    rtol : float
        The difference in an entry may be at most ``rtol`` times the entry; below 0.01.
    atol : float
        Added to that: an absolute allowance, for entries that vanish or lose digits by cancellation.

    Returns
    -------
    Agreement
        With the worst point and the deviation there, as a share of what is allowed.

    Raises
    ------
    AssertionError
        If they differ anywhere or a value is not finite, in a strict run (``KEXUE_STRICT=1``); the message names the
        worst point and both values. Otherwise the difference is what is returned and shown.
    ValueError
        If the grid is empty, has a repeated value, one that its symbol cannot have, or a pole of the formula, lacks
        a symbol of it, gives one that neither side uses, or compares with zero alone; if shapes differ or a
        tolerance is out of range.

    Examples
    --------
    >>> x = sp.symbols("x")
    >>> agreement(sp.exp(x) / 2, lambda x: np.exp(x) / 2, {x: [0, 1, 2]})
    formula and function agree at 3 points, within 1e-12
    """
    expression = sp.sympify(expression)
    rtol, atol = _tolerance("rtol", rtol, 0, 1e-2), _tolerance("atol", atol, -1, math.inf)
    points = _points(expression, grid)
    shape = tuple(map(int, expression.shape)) if isinstance(expression, sp.MatrixBase) else ()
    formula = sp.lambdify(list(grid), list(expression) if shape else [expression], "mpmath")
    worst, computed_at, zero = (-1.0, None, None, None), [], True
    with mpmath.workdps(_DIGITS):
        for point in points:
            exact = _values(formula, point, grid)
            computed = np.asarray(function(*point))
            _same_shape(shape, computed)
            computed_at.append(computed)
            zero = zero and not any(exact)
            found = _excess(computed, exact, rtol, atol)
            if worst[0] < found:
                worst = (found, point, computed, exact)
    if zero:
        raise ValueError(f"grid must hold a point where the formula is not zero, got {dict(zip(grid, points[0]))}")
    _all_used(expression, grid, points, computed_at)
    excess, point, computed, exact = worst
    where = dict(zip(map(str, grid), point))
    within = f"{format_number(rtol, 2)}" + (f" + {format_number(atol, 2)} absolute" if atol else "")
    differs = ""
    if not excess <= 1:
        shown = [mpmath.nstr(value, 17) for value in exact]
        differs = f"worst point {where}: function gives {computed.tolist()}, formula gives {shown}"
        if strict():
            raise AssertionError(differs)
    return Agreement(len(points), where, excess, within + (" of each entry" if len(exact) > 1 else ""), differs)


def _values(formula, point, grid):
    """Return the entries of a formula at a point, where all of them must be finite."""
    try:
        exact = [mpmath.mpmathify(value) for value in formula(*map(_exact, point))]
    except (ZeroDivisionError, ValueError):  # mpmath raises this at a pole of the gamma function
        exact = [mpmath.nan]
    if not all(map(mpmath.isfinite, exact)):
        raise ValueError(f"grid must hold points where the formula is finite, got {dict(zip(grid, point))}")
    return exact


def _excess(computed, exact, rtol, atol):
    """Return the largest gap as a share of what is allowed; infinite as soon as anything is not finite."""
    found = 0.0
    for ours, value in zip(computed.ravel().tolist(), exact):
        ours = mpmath.mpmathify(ours)
        gap = abs(ours - value)
        if not (mpmath.isfinite(ours) and mpmath.isfinite(value) and mpmath.isfinite(gap)):
            return math.inf
        allowed = atol + rtol * abs(value)
        if gap:
            found = max(found, float(gap / allowed) if allowed else math.inf)
    return found


def _tolerance(name, value, low, high):
    if isinstance(value, bool | str) or not low < value < high:
        rule = "lie strictly between 0 and 0.01" if name == "rtol" else "be finite and not negative"
        raise ValueError(f"{name} must {rule}, got {value!r}")
    if value < 0:
        raise ValueError(f"{name} must be finite and not negative, got {value!r}")
    return float(value)


def _points(expression, grid):
    missing = expression.free_symbols - set(grid)
    if missing:
        raise ValueError(f"grid must give every symbol of the expression, got none for {sorted(map(str, missing))}")
    for symbol, values in grid.items():
        values = list(values)
        if len(set(values)) < len(values):
            raise ValueError(f"grid must not repeat a value, got {values} for {symbol}")
        for fact in _FACTS:
            broken = [value for value in values if symbol.assumptions0.get(fact) and not _has(value, fact)]
            if broken:
                raise ValueError(f"grid must keep what is assumed, {symbol} is {fact}, got {broken[0]}")
    points = list(itertools.product(*grid.values()))
    if not points or (not grid and expression.free_symbols):
        raise ValueError("grid must hold at least one point, got none")
    return points


def _has(value, fact):
    """Tell whether a number has a property of SymPy's; a float is the fraction that it is."""
    exact = sp.sympify(Fraction(value) if isinstance(value, Real) and abs(value) < math.inf else value)
    return getattr(exact, f"is_{fact}")


def _same_shape(shape, computed):
    if computed.dtype.kind not in "biufcO" or any(isinstance(value, str) for value in computed.ravel().tolist()):
        raise ValueError(f"function must return numbers, got {computed.tolist()!r}")
    flat = len(shape) == 2 and 1 in shape and computed.shape == (max(shape),)
    if computed.shape != shape and not flat and not (shape == () and computed.size == 1):
        raise ValueError(f"function must return {shape or 'one number'}, got shape {computed.shape}")


def _all_used(expression, grid, points, computed):
    """Refuse a symbol of the grid on which neither the formula nor the function depends."""
    for place, symbol in enumerate(grid):
        seen = {}
        for point, values in zip(points, computed):
            seen.setdefault(point[:place] + point[place + 1 :], []).append(values)
        moved = any(not np.array_equal(values[0], other) for values in seen.values() for other in values[1:])
        if symbol not in expression.free_symbols and not moved:
            raise ValueError(f"grid must give only symbols that one side uses, got {symbol}, which changes nothing")


def _exact(number):
    return mpmath.mpf(number) if isinstance(number, float) else mpmath.mpmathify(number)

"""How expressions behave towards an end: what diverges there, and whether two lines come together.

Numbers far out, or near to a point, tell it: SymPy tries long what diverges, and its limits and series are wrong beside
branch cuts, for one.
"""

import contextlib
import functools
import itertools

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook.conditions import ENDLESS
from kexue_core.notebook.zero import FAILURES, TimeLimit, time_limit

__all__ = ["differing_near", "diverges_at", "pole_inside", "staying_finite"]

_SCALES = (40, 60, 80)  # powers of two: how far out, or how near to an end, an expression is looked at
_PLACES = 6  # neighbours that are looked at there, among which a wave changes
_DIGITS = 120  # where summands cancel
_TIE = 1e-8
_DRAWN = 4  # values of the other symbols
_LOOK_SECONDS = 0.5
_OPEN = (sp.Integral, sp.Sum, sp.Product, sp.Derivative, sp.Subs)
_MISSING = (TimeLimit, ArithmeticError, NameError, MemoryError, *FAILURES)
_LOOSE = 1e-3  # values that still move by less than that share have come to rest
_FIRST = 60  # terms of a sum that are looked at for poles
_CELLS = 97  # of a range, in which a denominator may change its sign
_VANISHING = {sp.tan: sp.cos, sp.sec: sp.cos, sp.cot: sp.sin, sp.csc: sp.sin, sp.coth: sp.sinh, sp.csch: sp.sinh}


def diverges_at(part, point):
    """Return an end of a single sum, product or integral at which it is seen to diverge at a point, or None."""
    for end, heights in _towards_ends(part, point, _SCALES):
        if _too_high(heights, not isinstance(part, sp.Integral)) and not _is_slow_power(part, point, end, heights):
            return end
    return None


def _is_slow_power(part, point, end, heights):
    """Tell whether values that do not fall faster than 1/x where one looks do so farther out, as log(x) / x^1.01."""
    share = _share_of_power(heights)
    if not share > _TIE:
        return False
    far = dict(_towards_ends(part, point, [10 * scale for scale in _SCALES])).get(end)
    return far is not None and abs(_share_of_power(far) - share) < share / 10


def _share_of_power(heights):
    """Return c where the first values of rows, times x, go as (log x)^a x^-c; rows are equally far apart in log x."""
    spans, levels = [], []
    for x, value in (row[0] for row in heights):
        spans, levels = [*spans, mpmath.log(x)], [*levels, mpmath.log(x * abs(value))]
    first, second = (mpmath.log(after / before) for before, after in itertools.pairwise(spans))
    steps = [after - before for before, after in itertools.pairwise(levels)]
    slope = (steps[0] - steps[1]) / (first - second)
    return (slope * first - steps[0]) / (spans[1] - spans[0])


def _towards_ends(part, point, scales):
    """Return pairs: an end, and rows of (distance, value) of a summand or an integrand towards it, one for each scale.

    Towards a finite end they are those of the integrand in the reciprocal distance.
    """
    var, *ends = part.limits[0]
    body, is_sum, found = part.function.subs(point), not isinstance(part, sp.Integral), []
    body = body - 1 if isinstance(part, sp.Product) else body  # a product converges if the logarithms' sum does
    with contextlib.suppress(*_MISSING), time_limit(_LOOK_SECONDS), mpmath.workdps(_DIGITS):
        height = sp.lambdify(var, body, "mpmath")
        far = [mpmath.mpf(2) ** scale for scale in scales]
        far = [[x + k if is_sum else x * (1 + mpmath.mpf(k) / 7) for k in range(_PLACES)] for x in far]
        for end, turn in zip((end.subs(point) for end in ends), (1, -1)):
            if end.is_finite is False:
                if not _is_tower(body, var):
                    found.append((end, [[(x, height(-turn * x)) for x in row] for row in far]))
            elif not is_sum and not body.is_polynomial(var):
                start = mpmath.mpmathify(sp.N(end, _DIGITS)._to_mpmath(4 * _DIGITS))
                found.append((end, [[(x, height(start + turn / x) / x**2) for x in row] for row in far]))
    return [(end, [[(x, mpmath.mpmathify(value)) for x, value in row] for row in rows]) for end, rows in found]


def pole_inside(part, point):
    """Return a place inside the range of a single sum, product or integral where it is seen to have a pole, or None.

    That is a whole number at which a term has no value, or a zero of a denominator around which an integral diverges.
    """
    var, *ends = part.limits[0]
    ends = [end.subs(point) for end in ends]
    return _pole(part.function.subs(point), var, *ends, is_sum=not isinstance(part, sp.Integral))


@functools.lru_cache(maxsize=1024)
def _pole(body, var, *ends, is_sum):
    bases = [base for base in _denominators(body) if var in base.free_symbols and not base.atoms(AppliedUndef)]
    bases = [base for base in bases if not base.is_nonzero]
    if not bases or not all(end.is_extended_real for end in ends):
        return None
    with contextlib.suppress(*_MISSING), time_limit(_LOOK_SECONDS), mpmath.workdps(_DIGITS):
        low, high = (mpmath.mpmathify(sp.N(end, _DIGITS)._to_mpmath(4 * _DIGITS)) for end in ends)
        for base in bases:
            zero = sp.lambdify(var, base, "mpmath")
            if is_sum:
                near = [place for place in _whole_numbers(low, high) if abs(zero(place)) < _TIE]
                found = [place for place in near if body.subs(var, place).has(*ENDLESS)]
            else:
                height = sp.lambdify(var, body, "mpmath")
                found = [place for place in _sign_changes(zero, low, high) if _too_steep(height, place)]
            if found:
                return mpmath.nstr(mpmath.chop(mpmath.mpf(found[0]), _TIE), 6)
    return None


def _denominators(body):
    """Return what must not vanish for an expression to have a value, in factors."""
    parts = {power.base for power in body.atoms(sp.Pow) if power.exp.is_negative}
    parts |= {_VANISHING[call.func](*call.args) for call in body.atoms(*_VANISHING)}
    parts = {part for part in parts if not part.is_number}
    factors = {factor.as_base_exp()[0] for part in parts for factor in sp.Mul.make_args(sp.factor(part))}
    return sorted(factors, key=sp.default_sort_key)


def _whole_numbers(low, high):
    """Return the first whole numbers of a range, from its finite end or around zero."""
    if mpmath.isfinite(low):
        return range(int(low), int(min(high, low + _FIRST)) + 1)
    return range(int(max(-_FIRST, high - _FIRST)) if mpmath.isfinite(high) else -_FIRST, int(min(high, _FIRST)) + 1)


def _sign_changes(function, low, high):
    """Yield places strictly inside a range where a real function changes its sign."""
    shares = [mpmath.mpf(cell) / _CELLS for cell in range(1, _CELLS)]
    if mpmath.isfinite(low) and mpmath.isfinite(high):
        places = [low + (high - low) * share for share in shares]
    elif mpmath.isfinite(low) or mpmath.isfinite(high):
        places = [low + s / (1 - s) if mpmath.isfinite(low) else high - s / (1 - s) for s in shares]
    else:
        places = [(2 * s - 1) / (s * (1 - s)) for s in shares]
    with mpmath.workdps(15):
        values = [function(place) for place in places]
    for (left, before), (right, after) in itertools.pairwise(zip(places, values)):
        if mpmath.im(before) == mpmath.im(after) == 0 and before * after <= 0 and before != 0:
            yield right if after == 0 else mpmath.findroot(function, (left, right), solver="anderson", maxsteps=60)


def _too_steep(height, place):
    """Tell whether an integrand is not integrable beside a place, by its values in the reciprocal distance from it."""
    far = [mpmath.mpf(2) ** scale for scale in _SCALES]
    rows = [[x * (1 + mpmath.mpf(k) / 7) for k in range(_PLACES)] for x in far]
    return _too_high([[(x, mpmath.mpmathify(height(place + 1 / x)) / x**2) for x in row] for row in rows], False)


def _is_tower(body, var):
    """Tell whether a function of an exponential is in a body: far out that has no value in any memory."""
    steep = [e for e in body.atoms(sp.exp, sp.Pow, sp.sinh, sp.cosh, sp.gamma, sp.factorial) if _is_steep(e, var)]
    hosts = [
        e for e in body.atoms(sp.Function, sp.Pow) if not isinstance(e, sp.log) and (e.is_Function or _is_steep(e, var))
    ]
    return any(host != e and host.has(e) for host in hosts for e in steep)


def _is_steep(expression, var):
    inner = expression.exp if isinstance(expression, sp.Pow) else expression
    return var in inner.free_symbols


def _too_high(heights, is_sum):
    """Tell whether values, weighted so that their sum converges if it does, do not fall faster than 1/x."""
    if any(not mpmath.isfinite(value) or value == 0 for row in heights for _, value in row):
        return False
    if is_sum and all(_grows([abs(row[k][1]) for row in heights]) for k in range(_PLACES)):
        return True
    values = [value / heights[0][0][1] for row in heights for _, value in row]
    if any(abs(mpmath.im(value)) > _TIE * abs(value) or mpmath.re(value) < 0 for value in values):
        return False
    rows = [[(row[k][0], row[k][0] * abs(row[k][1])) for row in heights] for k in range(_PLACES)]
    return all(_grows([value for _, value in row]) for row in rows) or all(map(_falls_as_a_logarithm, rows))


def _falls_as_a_logarithm(row):
    """Tell whether values at growing places fall no faster than 1/log x; a power falls by the same share each time."""
    one, two, three = (value for _, value in row)
    slower = mpmath.log(two / three) < 0.9 * mpmath.log(one / two)
    return slower and _grows([value * mpmath.log(x) for x, value in row])


def _grows(values):
    return all(after >= before * (1 - _TIE) for before, after in itertools.pairwise(values))


def differing_near(gap, var, to, side, conditions, order=0):
    """Say where two lines, whose difference is given, have not one limit, or no common expansion up to an order."""
    if gap.atoms(AppliedUndef) or gap.has(*_OPEN, *ENDLESS):
        return ""
    for point in itertools.islice(conditions.points(gap.free_symbols | to.free_symbols - {var}), _DRAWN):
        point.pop(var, None)
        near, nearer = _values_near(gap.subs(point), var, to.subs(point), side, order) or (0, 0)
        at = ", at " + ", ".join(f"{symbol} = {number}" for symbol, number in point.items()) + "," if point else ""
        if not order and abs(nearer) > _LOOSE and abs(nearer - near) < _LOOSE * abs(nearer):
            return f"near {to}{at} the line before minus the new one is {mpmath.nstr(nearer, 5)}"
        if order and abs(nearer) > abs(near) * mpmath.mpf(2) ** ((_SCALES[0] - _SCALES[1]) * (order - mpmath.mpf(0.5))):
            return f"near {to}{at} the lines differ by more than order {order}"
    return ""


def staying_finite(expression, var, to, side, conditions):
    """Say where an expression that is to tend to infinity is seen to have come to rest, or return the empty string."""
    if expression.atoms(AppliedUndef) or expression.has(*_OPEN, *ENDLESS):
        return ""
    points = itertools.islice(conditions.points(expression.free_symbols | to.free_symbols - {var}), _DRAWN)
    for point, turn in itertools.product(points, range(_PLACES)):
        point.pop(var, None)
        values = _values_near(expression.subs(point), var, to.subs(point), side, 0, turn)
        if values and abs(values[1] - values[0]) <= _LOOSE * abs(values[1]):
            return f"near {to} the line before is {mpmath.nstr(values[1], 5)}"
    return ""


def _values_near(body, var, to, side, order, turn=0):
    """Return the values of an expression at two small distances from a point, or far out; empty if there are none.

    A turn moves both to a neighbour, among which a remainder changes.
    """
    if to in (sp.oo, -sp.oo) and _is_tower(body, var):
        return ()
    values = ()
    with contextlib.suppress(*_MISSING), time_limit(_LOOK_SECONDS), mpmath.workdps(_DIGITS + 20 * order):
        height, places = sp.lambdify(var, body, "mpmath"), [mpmath.mpf(2) ** s + turn for s in _SCALES[:2]]
        if to in (sp.oo, -sp.oo):
            places = [x if to == sp.oo else -x for x in places]
        else:
            start = mpmath.mpmathify(sp.N(to, mpmath.mp.dps)._to_mpmath(4 * mpmath.mp.dps))
            places = [start + (1 if side == "+" else -1) / x for x in places]
        values = [mpmath.mpmathify(height(place)) for place in places]
    return values if all(map(mpmath.isfinite, values)) else ()

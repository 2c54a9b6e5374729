"""A second opinion on integrals, sums, limits and series: what SymPy says of them, against numbers.

SymPy gives wrong values for some integrands with a parameter, integrates across poles, gives closed forms of sums that
are wrong where there are few terms, and limits that are wrong beside branch cuts; and it tries long what diverges.
"""

import contextlib
import functools
import itertools

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook.conditions import ENDLESS
from kexue_core.notebook.sums import endless
from kexue_core.notebook.zero import FAILURES, TimeLimit, evaluate, time_limit

__all__ = ["contradicted", "differing_near", "disagreement", "diverges_at"]

_POINTS = 2  # at which an integral is compared
_SCALES = (40, 60, 80)  # powers of two: how far out, or how near to an end, an expression is looked at
_PLACES = 6  # neighbours that are looked at there, among which a wave changes
_DIGITS = 120  # where summands cancel
_TIE = 1e-8
_DRAWN = 4  # values of the other symbols
_LOOK_SECONDS = 0.5
_OPEN = (sp.Integral, sp.Sum, sp.Product, sp.Derivative, sp.Subs)
_MISSING = (TimeLimit, ArithmeticError, NameError, MemoryError, *FAILURES)
_SECONDS = 2  # for SymPy to find it: what takes longer is not compared, and is most often not found
_LOOSE = 1e-3  # a kink inside costs digits; a wrong value is far off
_SINGULAR = 0.25  # where two quadratures differ: near an end that is hardly integrable, and across a pole, far worse


def contradicted(line, conditions):
    """Say which integral or sum of a line has another value than SymPy finds for it, or return the empty string.

    Only single integrals and finite sums without unknown functions are compared, at points where their ends are finite.
    """
    for total in sorted(line.atoms(sp.Sum, sp.Product), key=sp.default_sort_key):
        free = total.free_symbols
        if free and free <= line.free_symbols and not total.atoms(AppliedUndef, sp.MatrixSymbol) and not endless(total):
            found = _found(total)
            reason = _miscounted(total, found, conditions) if found is not None else ""
            if reason:
                return reason
    for integral in sorted(line.atoms(sp.Integral), key=sp.default_sort_key):
        if len(integral.limits) == 1 and len(integral.limits[0]) == 3 and not integral.atoms(AppliedUndef):
            found = _found(integral)
            reason = disagreement(integral, found, conditions) if found is not None else ""
            if reason:
                return reason
    return ""


def disagreement(integral, found, conditions):
    """Say where the quadrature of a single integral is not what was found for it, or return the empty string."""
    compared = 0
    for point in conditions.points(integral.free_symbols):
        values = _values(integral, found, point)
        if values is None:
            continue
        known, coarse, fine = values
        allowed = _LOOSE if abs(fine - coarse) <= _LOOSE * abs(fine) else _SINGULAR
        if all(abs(known - measured) > allowed * (abs(measured) + _LOOSE) for measured in (coarse, fine)):
            said, seen = mpmath.nstr(known, 5), mpmath.nstr(fine, 5)
            where = f" at {point}" if point else ""
            return f"SymPy says {said} for {integral}{where}, its quadrature {seen}: does it converge there?"
        compared += 1
        if compared == _POINTS:
            break
    return ""


def _miscounted(total, found, conditions):
    """Say where a finite sum or product, added up term by term, is not what was found for it, or return ""."""
    for point in conditions.points(total.free_symbols):
        added, said = evaluate(total, point, 15), evaluate(found, point, 15)
        if added is None:
            continue
        if said is None or abs(said - added) > _LOOSE * (abs(added) + _LOOSE):
            shown = "no value" if said is None else mpmath.nstr(said, 5)
            return f"SymPy says {shown} for {total} at {point}, and it adds up to {mpmath.nstr(added, 5)}"
    return ""


@functools.lru_cache(maxsize=256)
def _found(part):
    try:
        with time_limit(_SECONDS if isinstance(part, sp.Integral) else 3 * _SECONDS):
            found = part.doit()
    except (TimeLimit, *FAILURES):
        return None
    return None if found.has(sp.Integral, sp.Sum, sp.Product) else found


def _values(integral, found, point):
    """Return what SymPy finds and what two quadratures give at a point, or None if one of them is not known."""
    var, low, high = integral.limits[0]
    if not (low.subs(point).is_finite and high.subs(point).is_finite):
        return None
    try:
        ends = [mpmath.mpf(sp.Float(end.subs(point), 20)._to_mpmath(60)) for end in (low, high)]
        said = evaluate(found, point, 15)
        height = sp.lambdify(var, integral.function.subs(point), "mpmath")
        measured = [mpmath.quad(height, mpmath.linspace(*ends, pieces)) for pieces in (9, 34)]
    except (*FAILURES, ArithmeticError, NameError):
        return None
    if said is None or not all(map(mpmath.isfinite, measured)):
        return None
    return said, *measured


def diverges_at(part, point):
    """Return an end of a single sum, product or integral at which it is seen to diverge at a point, or None."""
    for end, heights in _towards_ends(part, point):
        if _too_high(heights, not isinstance(part, sp.Integral)):
            return end
    return None


def _towards_ends(part, point):
    """Return pairs: an end, and rows of (distance, value) of a summand or an integrand towards it, one for each scale.

    Towards a finite end they are those of the integrand in the reciprocal distance.
    """
    var, *ends = part.limits[0]
    body, is_sum, found = part.function.subs(point), not isinstance(part, sp.Integral), []
    body = body - 1 if isinstance(part, sp.Product) else body  # a product converges if the logarithms' sum does
    with contextlib.suppress(*_MISSING), time_limit(_LOOK_SECONDS), mpmath.workdps(_DIGITS):
        height = sp.lambdify(var, body, "mpmath")
        far = [mpmath.mpf(2) ** scale for scale in _SCALES]
        far = [[x + k if is_sum else x * (1 + mpmath.mpf(k) / 7) for k in range(_PLACES)] for x in far]
        for end, turn in zip((end.subs(point) for end in ends), (1, -1)):
            if end.is_finite is False:
                if not _is_tower(body, var):
                    found.append((end, [[(x, height(-turn * x)) for x in row] for row in far]))
            elif not is_sum and not body.is_polynomial(var):
                start = mpmath.mpmathify(sp.N(end, _DIGITS)._to_mpmath(4 * _DIGITS))
                found.append((end, [[(x, height(start + turn / x) / x**2) for x in row] for row in far]))
    return [(end, [[(x, mpmath.mpmathify(value)) for x, value in row] for row in rows]) for end, rows in found]


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
    weights = (lambda x: x, lambda x: x * mpmath.log(x))
    return any(
        all(_grows([weight(row[k][0]) * abs(row[k][1]) for row in heights]) for k in range(_PLACES))
        for weight in weights
    )


def _grows(values):
    return all(after >= before * (1 - _TIE) for before, after in itertools.pairwise(values))


def differing_near(gap, var, to, side, conditions, order=0):
    """Say where two lines, whose difference is given, have not one limit, or not one expansion up to an order, or "".

    SymPy's limits and series are wrong beside branch cuts, for one.
    """
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


def _values_near(body, var, to, side, order):
    """Return the values of an expression at two small distances from a point, or far out; empty if there are none."""
    if to in (sp.oo, -sp.oo) and _is_tower(body, var):
        return ()
    values = ()
    with contextlib.suppress(*_MISSING), time_limit(_LOOK_SECONDS), mpmath.workdps(_DIGITS + 20 * order):
        height, places = sp.lambdify(var, body, "mpmath"), [mpmath.mpf(2) ** scale for scale in _SCALES[:2]]
        if to in (sp.oo, -sp.oo):
            places = [x if to == sp.oo else -x for x in places]
        else:
            start = mpmath.mpmathify(sp.N(to, mpmath.mp.dps)._to_mpmath(4 * mpmath.mp.dps))
            places = [start + (1 if side == "+" else -1) / x for x in places]
        values = [mpmath.mpmathify(height(place)) for place in places]
    return values if all(map(mpmath.isfinite, values)) else ()

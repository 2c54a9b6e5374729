"""A second opinion on integrals and finite sums: what SymPy says of them, against their quadrature and their terms.

SymPy gives wrong values for some integrands with a parameter, integrates across poles, and gives closed forms of sums
that are wrong where there are few terms.
"""

import functools

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook.sums import endless
from kexue_core.notebook.zero import FAILURES, TimeLimit, evaluate, time_limit

__all__ = ["contradicted", "disagreement", "evaluated"]

_POINTS = 2  # at which an integral is compared
_SECONDS = 2  # for SymPy to find it: what takes longer is not compared, and is most often not found
_LOOSE = 1e-3  # a kink inside costs digits; a wrong value is far off
_SINGULAR = 0.25  # where two quadratures differ: near an end that is hardly integrable, and across a pole, far worse


def contradicted(line, conditions):
    """Say which integral or sum of a line has another value than SymPy finds for it, or return the empty string.

    Only single integrals and finite sums without unknown functions are compared, at points where their ends are finite.
    """
    for total in sorted(line.atoms(sp.Sum, sp.Product), key=sp.default_sort_key):
        if _compared(total) and total.free_symbols <= line.free_symbols:
            found = _found(total)
            reason = _miscounted(total, found, conditions) if found is not None else ""
            if reason:
                return reason
    for integral in sorted(line.atoms(sp.Integral), key=sp.default_sort_key):
        if _compared(integral):
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


def evaluated(line):
    """Return a line, evaluated; the integrals and sums that are compared above are not evaluated once more."""
    parts = line.atoms(sp.Integral, sp.Sum, sp.Product)
    found = {part: _found(part) for part in parts if _compared(part)}
    return line.xreplace({part: value for part, value in found.items() if value is not None}).doit()


def _compared(part):
    """Tell whether an integral or sum is one whose value is compared with another opinion."""
    if isinstance(part, sp.Integral):
        return len(part.limits) == 1 and len(part.limits[0]) == 3 and not part.atoms(AppliedUndef)
    return bool(part.free_symbols) and not part.atoms(AppliedUndef, sp.MatrixSymbol) and not endless(part)


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

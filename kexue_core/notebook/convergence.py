"""Sums and integrals that need not exist: what a step may do with them.

A line is taken to mean something, so each of its sums and integrals exists; one that is seen to diverge is refused. Of
a new line's sums and integrals of unknown functions it must follow that they exist too: so they may be joined, but not
split, and not swapped unless the summands are nonnegative.
"""

import itertools

import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook.asymptotics import diverges_at, pole_inside
from kexue_core.notebook.conditions import Contradiction, assume
from kexue_core.notebook.sums import endless
from kexue_core.notebook.zero import FAILURES, smooth_beside_unknown

__all__ = ["divergent", "doubtful"]

_OPEN = (sp.Integral, sp.Sum)
_CORNERED = (sp.Abs, sp.sign, sp.Max, sp.Min, sp.Heaviside, sp.floor, sp.ceiling, sp.Piecewise)
_POINTS = 4  # at which a sum or integral is looked at
_MOST = 4  # sums over the same range of which all joins are looked at


def divergent(line, conditions):
    """Say which single sum or integral of a line is seen to diverge for allowed values of its symbols, or return "".

    It is if it has a pole inside its range, or if the integrand is at least of the order of 1/x, or 1/(x log x), far
    out or near an end, with one sign; a sum also if its terms do not tend to zero. A product converges, to something
    else than zero, as its factors less 1 do.
    """
    for part in sorted(line.atoms(*_OPEN, sp.Product), key=sp.default_sort_key):
        if len(part.limits) != 1 or len(part.limits[0]) != 3 or not part.free_symbols <= line.free_symbols:
            continue
        if part.atoms(sp.MatrixSymbol) or (part.atoms(AppliedUndef) and isinstance(part, sp.Integral)):
            continue
        for point in itertools.islice(conditions.points(part.free_symbols), _POINTS):
            at = f", at {point}" if point else ""
            for place in (point, *_far(point, conditions)):
                if (pole := pole_inside(part, place)) is not None:
                    return f"{part} has a pole at {pole}{at and f', at {place}'}"
            if not part.atoms(AppliedUndef) and (end := diverges_at(part, point)) is not None:
                return f"{part} diverges at {end}{at}"
    return ""


def _far(point, conditions):
    """Yield a point at which whole numbers are larger, where a long sum meets a pole, if the conditions allow it."""
    far = {s: 15 * v if s.is_integer and s.is_prime is s.is_composite is None else v for s, v in point.items()}
    if far != point and all(condition.subs(far) is not sp.false for condition in conditions.where):
        yield far


def doubtful(old, new, conditions):
    """Say which sum, integral or derivative of a new line need not exist or need not be equal, or return "".

    Parameters
    ----------
    old, new : sequence of Expr
        What exists, and what is claimed.
    conditions : Conditions
        On the symbols.
    """
    differentiated = [{d for line in lines for d in line.atoms(sp.Derivative)} for lines in (old, new)]
    for derivative in sorted(differentiated[0] ^ differentiated[1], key=sp.default_sort_key):
        if corner := _corner(derivative, conditions):
            return f"{derivative} does not exist at the corner or jump of {corner}"
        if _term_by_term(derivative, conditions):
            return f"{derivative} is taken term by term, and nothing is known of the convergence of the derivatives"
    known, wanted = (_by_range(lines) for lines in (old, new))
    moved = 0
    for where, bodies in wanted.items():
        there = known.get(where, [])
        for _, body, part in bodies:
            if _is_combination(body, there, where):
                continue
            if len(where) > 1:
                if not body.is_nonnegative:
                    return f"{part} is swapped, and it is not known to converge absolutely"
                continue
            moved += 1
            if moved > 1:
                return f"{part} need not converge by itself, where the sum or integral of the line before does"
    return ""


def _by_range(lines):
    """Return the doubtful parts of lines: ranges to triples (coefficient, body in standard variables, part)."""
    found = {}
    for line in lines:
        letters = {part: sp.Dummy() for part in _outermost(line)}
        plain = sp.expand(line.xreplace(letters))  # SymPy would also split the sums and integrals
        for part, letter in letters.items():
            if _may_diverge(part):
                where, body = _standard(part)
                found.setdefault(where, []).append((plain.coeff(letter), body, part))
    return found


def _outermost(expression):
    """Return the sums and integrals with an unknown function that stand in no other one."""
    if isinstance(expression, _OPEN):
        return [expression] if expression.atoms(AppliedUndef) and _ranged(expression) else []
    return [part for arg in expression.args for part in _outermost(arg)]


def _ranged(part):
    return all(len(limit) == 3 for limit in part.limits)


def _levels(part):
    """Return the limits of a sum or integral and of what is nested in it, from the inside out, and the innermost body.

    Each limit is a tuple of kind, variable and both ends.
    """
    body, outer = part.function, [(part.func, *limit) for limit in part.limits]
    coefficient, rest = body.as_independent(*_OPEN, as_Add=False)
    if isinstance(rest, _OPEN) and _ranged(rest):
        inner, innermost = _levels(rest)
        return [*inner, *outer], coefficient * innermost
    return outer, body


def _standard(part):
    """Return ranges and body of a sum or integral in standard variables; a single sum starts at zero."""
    levels, body = _levels(part)
    if len(levels) == 1 and levels[0][0] is sp.Sum and levels[0][2].is_finite is not False:
        kind, var, low, high = levels[0]
        levels, body = [(kind, var, sp.S.Zero, sp.expand(high - low))], body.subs(var, var + low)
    names = {limit[1]: sp.Symbol(f"_{place}", real=True) for place, limit in enumerate(levels)}
    where = tuple((kind.__name__, *(end.xreplace(names) for end in ends)) for kind, _, *ends in levels)
    return where, body.xreplace(names)


def _may_diverge(part):
    levels, body = _levels(part)
    if any(end.is_finite is False for _, _, *ends in levels for end in ends):
        return True
    integrals = [(var, low, high) for kind, var, low, high in levels if kind is sp.Integral]
    return bool(integrals) and not _bounded(body, integrals)


def _bounded(body, limits):
    """Tell whether a body is seen to be continuous on closed ranges, its unknown functions being so."""
    corners = body.atoms(sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside)
    body = body.xreplace({corner: sp.Dummy(real=True) for corner in corners})
    inside = tuple(c for var, low, high in limits for c in (var >= low, var <= high) if c not in (sp.true, sp.false))
    try:
        return all(smooth_beside_unknown(body, var, assume(inside)) for var, *_ in limits)
    except (Contradiction, *FAILURES):
        return False


def _is_combination(body, there, where):
    """Tell whether a body is a multiple of one that exists over the same ranges, or of a sum of several."""
    variables = [sp.Symbol(f"_{place}", real=True) for place in range(len(where))]
    sizes = range(1, min(len(there), _MOST) + 1)
    for joined in itertools.chain.from_iterable(itertools.combinations(there, size) for size in sizes):
        total = joined[0][1] if len(joined) == 1 else sum(coefficient * other for coefficient, other, _ in joined)
        if total == 0:
            continue
        ratio = sp.simplify(body / total)
        if not ratio.free_symbols & set(variables) and not ratio.atoms(AppliedUndef):
            return True
    return False


def _corner(derivative, conditions):
    """Return a function in a derivative that has a corner or a jump where the conditions let it be, or None."""
    for corner in sorted(derivative.expr.atoms(*_CORNERED), key=sp.default_sort_key):
        if not corner.free_symbols & set(derivative.variables):
            continue
        if isinstance(corner, sp.Max | sp.Min):
            gaps = [one - other for one, other in itertools.combinations(corner.args, 2)]
        elif isinstance(corner, sp.Piecewise):
            gaps = [
                r.lhs - r.rhs for _, condition in corner.args for r in condition.atoms(sp.core.relational.Relational)
            ]
        else:
            gaps = [sp.S.Zero if isinstance(corner, sp.floor | sp.ceiling) else corner.args[0]]
        if not all(conditions.differs_from_zero(gap) for gap in gaps) and not _smoothed(derivative, corner):
            return corner
    return None


def _smoothed(derivative, corner):
    """Tell whether the factor of a modulus vanishes where the modulus does, so that both have a slope there."""
    if not isinstance(corner, sp.Abs) or len(derivative.variables) > 1:
        return False
    letter, inner = sp.Dummy(), corner.args[0]
    plain = sp.expand(derivative.expr.xreplace({corner: letter}))
    if not plain.is_polynomial(letter) or sp.degree(plain, letter) != 1 or not inner.is_extended_real:
        return False
    ratio = sp.cancel(plain.coeff(letter) / inner)
    return ratio.is_polynomial(derivative.variables[0]) and inner.is_polynomial(derivative.variables[0])


def _term_by_term(derivative, conditions):
    """Tell whether a derivative is left of an endless sum or integral that has no closed form."""
    for part in derivative.expr.atoms(*_OPEN):
        if not endless(part) or not part.free_symbols & set(derivative.variables):
            continue
        try:
            closed = conditions.settle(part.doit())
        except FAILURES:
            return True
        if closed.has(*_OPEN):
            return True
    return False

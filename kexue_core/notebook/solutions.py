"""Solving an equation: the solution must be the only one that the assumptions and the conditions leave."""

import mpmath
import sympy as sp

from kexue_core.notebook.equations import difference, is_zero
from kexue_core.notebook.premises import contradicts, insert
from kexue_core.notebook.refusal import short
from kexue_core.notebook.zero import connected, evaluate, proves_zero, refutation, smooth

__all__ = ["solved"]


def solved(old, new, options, conditions):
    """Return ``(whether, note, reason)``: whether ``unknown = solution`` is the only solution of an equation."""
    unknown, given = options["solve_for"], options["given"]
    if not unknown.is_Symbol or not isinstance(unknown, sp.Expr) or not unknown.is_commutative:
        return False, "", f"the unknown must be a symbol for a number, got {unknown}"
    if new.lhs != unknown or new.rhs.has(unknown):
        return False, "", f"the new line must be {unknown} = …, got {new}"
    if unknown in options.get("for_all", ()):
        return False, "", f"the equation holds for all {unknown}"
    equation, solution = difference(old, given), insert(new.rhs, given)
    if unknown not in equation.free_symbols:
        return False, "", f"the line before does not contain the unknown {unknown}"
    reason = _outside(unknown, solution, conditions)
    if reason:
        return False, "", reason
    residual = equation.subs(unknown, solution).doit()
    wrong, _ = refutation(residual, conditions)
    if wrong:
        return False, "", f"residual {short(residual)} (it is {mpmath.nstr(wrong[1], 5)})"
    if not proves_zero(residual, conditions):
        return False, "", f"SymPy cannot prove that {solution} solves {old}"
    note = _only(equation, unknown, solution, conditions)
    if note is None:
        return False, "", f"SymPy cannot prove that {old} has no other solution for {unknown}"
    return True, note, ""


def _outside(unknown, solution, conditions):
    """Say why a solution contradicts the assumptions on the unknown."""
    reason = contradicts(unknown, solution, conditions.where)
    if reason:
        return reason
    values = [evaluate(solution, point) for point in conditions.points(solution.free_symbols)]
    values = [value for value in values if value is not None]
    real = [value for value in values if isinstance(value, mpmath.mpf)]
    if values and unknown.is_extended_real and not real:
        return f"{solution} is not real"
    if unknown.is_positive and real and all(value <= 0 for value in real):
        return f"{solution} is not positive"
    if unknown.is_negative and real and all(value >= 0 for value in real):
        return f"{solution} is not negative"
    return ""


def _only(equation, unknown, solution, conditions):
    """Return a note on why there is no other solution, or None if that is not proved."""
    top = sp.fraction(sp.together(equation))[0]
    if top.is_polynomial(unknown):
        poly = sp.Poly(top, unknown)
        if poly.degree() == 1:
            return "" if conditions.differs_from_zero(poly.LC()) else None
        if conditions.differs_from_zero(poly.LC()):
            note = _other_roots_excluded(poly, unknown, solution, conditions)
            if note is not None:
                return note
    for function in (top, equation, *_isolated(equation, unknown)):
        function = sp.expand(function) if function.is_polynomial(unknown) else function
        if connected(unknown, conditions) and smooth(function, unknown, conditions):
            slope = sp.diff(function, unknown)
            monotone = conditions.positive(slope) or conditions.positive(-slope)
            if monotone and _inside(unknown, solution, conditions):
                sign = "positive " if unknown.is_positive else "real "
                return f"the only {sign}solution" if not top.is_polynomial(unknown) or poly.degree() > 1 else ""
    return _by_solveset(equation, unknown, solution, conditions)


def _inside(unknown, solution, conditions):
    """Tell whether a solution is proved to obey the assumptions on the unknown."""
    if unknown.is_positive or unknown.is_negative:
        return conditions.positive(solution if unknown.is_positive else -solution)
    if unknown.is_nonnegative:
        return conditions.nonnegative(solution)
    return bool(solution.is_extended_real)


def _isolated(equation, unknown):
    """Yield the equation freed from one logarithm: ``c log A + r = 0`` is ``A - exp(-r/c) = 0``."""
    logs = [part for part in equation.atoms(sp.log) if unknown in part.free_symbols]
    if len(logs) == 1:
        letter = sp.Dummy("L")
        plain = equation.xreplace({logs[0]: letter})
        slope = sp.diff(plain, letter)
        rest = sp.expand(plain - slope * letter)
        if slope != 0 and not {unknown, letter} & (slope.free_symbols | rest.free_symbols):
            yield sp.fraction(sp.together(logs[0].args[0] - sp.exp(-rest / slope)))[0]


def _other_roots_excluded(poly, unknown, solution, conditions):
    """Return a note if every other root violates the assumptions on the unknown, else None."""
    roots = sp.roots(poly)
    if sum(roots.values()) != poly.degree():
        return None
    others = []
    for root in roots:
        if is_zero(root - solution, conditions):
            continue
        if unknown.is_positive and conditions.nonnegative(-root):
            others.append("positive")
        elif unknown.is_nonnegative and conditions.positive(-root):
            others.append("nonnegative")
        elif unknown.is_negative and conditions.nonnegative(root):
            others.append("negative")
        elif unknown.is_extended_real and root.is_extended_real is False:
            others.append("real")
        else:
            return None
    return f"the {others[0]} root" if others else ""


def _by_solveset(equation, unknown, solution, conditions):
    domain = sp.S.Complexes
    if unknown.is_extended_real:
        domain = sp.S.Reals
        if unknown.is_positive:
            domain = sp.Interval.open(0, sp.oo)
        elif unknown.is_negative:
            domain = sp.Interval.open(-sp.oo, 0)
    plain = sp.Dummy(unknown.name, real=True) if unknown.is_extended_real else sp.Dummy(unknown.name)
    found = sp.solveset(equation.subs(unknown, plain), plain, domain)
    if equation.free_symbols - {unknown}:
        return None  # parameters: solveset does not say for which of them its answer holds
    if isinstance(found, sp.FiniteSet) and all(is_zero(root - solution, conditions) for root in found):
        return "the only real solution" if unknown.is_extended_real else ""
    return None

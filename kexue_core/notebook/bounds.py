"""Named arguments for an inequality: a tangent line and Jensen's inequality."""

import contextlib
from dataclasses import dataclass

import mpmath
import sympy as sp

from kexue_core.notebook.conditions import ENDLESS, Contradiction, NoExample, assume, orders
from kexue_core.notebook.zero import connected, evaluate, proves_zero, smooth

__all__ = ["Jensen", "Tangent", "objection"]


@dataclass(frozen=True)
class Tangent:
    """The gap between both sides is least at ``at`` and not negative there.

    That is proved by its slope, which is zero there, and its second derivative, which is not negative (or by the turn
    of the slope): so a convex function lies above its tangent.

    Parameters
    ----------
    var : Symbol
        A real symbol; the bound is claimed on the whole interval that its assumptions leave.
    at : Expr
        The point in that interval where the slopes of both sides are equal.

    Examples
    --------
    >>> from kexue_core.notebook import Derivation
    >>> t = sp.symbols("t", positive=True)
    >>> Derivation(sp.log(t)).bound(t - 1, "tangent line at 1", by=Tangent(t, at=1)).result
    t - 1
    """

    var: sp.Symbol
    at: sp.Expr

    def __post_init__(self):
        object.__setattr__(self, "at", sp.sympify(self.at))


@dataclass(frozen=True)
class Jensen:
    r"""Jensen's inequality: ``f(sum p_i x_i) <= sum p_i f(x_i)`` for convex ``f`` and weights with sum 1.

    Parameters
    ----------
    function : FunctionClass or Lambda
        Its second derivative must be provably of one sign; for a concave function the bound turns round.
    weights : dict of Expr to Expr
        The points ``x_i`` and their nonnegative weights ``p_i``.

    Examples
    --------
    >>> from kexue_core.notebook import Derivation
    >>> x, y = sp.symbols("x y", real=True)
    >>> halves = Jensen(sp.exp, {x: sp.Rational(1, 2), y: sp.Rational(1, 2)})
    >>> Derivation(sp.exp((x + y) / 2)).bound((sp.exp(x) + sp.exp(y)) / 2, "convex", by=halves).result
    exp(x)/2 + exp(y)/2
    """

    function: object
    weights: dict

    def __post_init__(self):
        x = sp.Dummy("x", real=True)
        function = self.function if isinstance(self.function, sp.Lambda) else sp.Lambda(x, self.function(x))
        pairs = tuple((sp.sympify(point), sp.sympify(weight)) for point, weight in dict(self.weights).items())
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "weights", pairs)


def objection(gap, old, new, relation, by, conditions):
    """Return ``(reason, note)``: why a gap is not proved to be nonnegative, or what the proof rests on."""
    for point in conditions.points(gap.free_symbols):
        value = evaluate(gap, point)
        if isinstance(value, mpmath.mpc) or (value is not None and value < -(mpmath.mpf(10) ** -20)):
            return f"the gap {gap} is {mpmath.nstr(value, 5)} at {point}", ""
    if isinstance(by, Tangent):
        return _tangent(gap, by.var, by.at, conditions)
    if isinstance(by, Jensen):
        return _jensen(old, new, relation, by, conditions)
    if by is not None:
        return f"by must be a Tangent or a Jensen, got {by!r}", ""
    forms = [gap, *_forms(gap, conditions)]
    for form in forms:
        if proves_nonnegative(form, conditions):
            return "", ""
    for form in forms:
        for var in sorted(form.free_symbols, key=lambda symbol: symbol.name):
            for at in _touching(form, var):
                reason, note = _tangent(form, var, at, conditions)
                if not reason:
                    return "", note
    for form in forms:
        for var in sorted(form.free_symbols, key=lambda symbol: symbol.name):
            plain = var.is_even is var.is_prime is var.is_composite is None
            if var.is_integer and var.is_nonnegative and plain and _by_induction(form, var, conditions):
                return "", f"by induction on ${sp.latex(var)}$"
    return f"SymPy cannot prove {gap} >= 0 from the assumptions on its symbols; name the argument with by=…", ""


def _by_induction(gap, var, conditions, depth=0):
    """Prove a gap nonnegative for whole numbers: it is at the least one, and it never falls."""
    if any(var in condition.free_symbols for condition in conditions.where) or depth > 2:
        return False
    least = gap.subs(var, 1 if var.is_positive else 0)
    rise = sp.expand(sp.powsimp(sp.expand(gap.subs(var, var + 1) - gap)))
    if least.has(*ENDLESS) or not conditions.nonnegative(least):
        return False
    return conditions.nonnegative(rise) or _by_induction(rise, var, conditions, depth + 1)


def _forms(gap, conditions):
    """Yield expressions that are nonnegative exactly where a gap is: its numerator, and a logarithm exponentiated."""
    top, bottom = sp.fraction(sp.together(gap))
    if not bottom.is_number and conditions.positive(bottom):
        yield sp.expand(top)
    logs = gap.atoms(sp.log)
    if len(logs) == 1:
        (log,) = logs
        slope = sp.expand(gap).coeff(log)
        rest = sp.expand(gap - slope * log)
        if slope.is_positive and not rest.has(log) and conditions.positive(log.args[0]):
            yield sp.expand(sp.powsimp(sp.expand(sp.exp(rest / slope) * log.args[0])) - 1)


def proves_nonnegative(gap, conditions, depth=0):
    """Return whether signs prove an expression nonnegative, for every order of the arguments of Max, Min, Abs."""
    if conditions.nonnegative(gap) or _square(gap, conditions):
        return True
    if depth > 3 or not gap.has(sp.Max, sp.Min, sp.Abs):
        return False
    cases = list(orders(gap))
    for expression, where in cases:
        try:
            inner = assume(conditions.where + where)
        except NoExample:
            return False
        except Contradiction:
            continue
        if not proves_nonnegative(expression, inner, depth + 1):
            return False
    return bool(cases)


def _square(gap, conditions):
    """Complete the square: ``a x² + b x + c`` with ``a > 0`` and ``4 a c ≥ b²``, in a symbol or its root."""
    top, bottom = sp.fraction(sp.together(gap))
    if not conditions.positive(bottom):
        if not conditions.positive(-bottom):
            return False
        top = -top
    top = sp.expand(top)
    for var in sorted(top.free_symbols, key=lambda symbol: symbol.name):
        if not var.is_extended_real:
            continue
        root = sp.Dummy("r", nonnegative=True)
        for form, x in ((top, var), (top.subs(var, root**2), root) if var.is_nonnegative else (top, var)):
            if not form.is_polynomial(x):
                continue
            poly = sp.Poly(form, x)
            if poly.degree() == 2:
                a, b, c = poly.all_coeffs()
                if conditions.positive(a) and conditions.nonnegative(sp.expand(4 * a * c - b**2)):
                    return True
    return False


def _touching(gap, var):
    """Yield points where the slope of a gap in a symbol vanishes."""
    if not connected(var, assume()) or gap.is_polynomial(var):
        return
    slope = sp.diff(gap, var)
    if not smooth(slope, var, assume()):
        return
    candidates = [] if var.is_nonnegative else [sp.S.Zero]
    candidates += [sp.S.One]
    with contextlib.suppress(NotImplementedError, TypeError, ValueError):
        candidates += [root for root in sp.solve(slope, var) if root not in candidates]
    for at in candidates:
        if var not in at.free_symbols and sp.simplify(slope.subs(var, at)) == 0:
            yield at
    if var.is_positive:
        yield sp.S.Zero


def _tangent(gap, var, at, conditions):
    """Prove a gap nonnegative: convex in a symbol, zero with slope zero at a point (or nonnegative at the end 0)."""
    if not (connected(var, conditions) and smooth(gap, var, conditions)):
        return f"the gap {gap} is not seen to be smooth in {var}", ""
    slope, bend = sp.diff(gap, var), sp.diff(gap, var, 2)
    end = at.is_zero and var.is_positive
    wanted = {1: var.is_nonnegative, -1: var.is_nonpositive}
    if not end and any(bounded and not conditions.nonnegative(sign * at) for sign, bounded in wanted.items()):
        return f"{at} lies outside the range of {var}", ""
    others = assume(tuple(condition for condition in conditions.where if var not in condition.free_symbols))
    for condition in conditions.where:
        if var in condition.free_symbols and (end or not others.truth(condition.subs(var, at))):
            return f"{at} is not seen to keep the condition {condition}", ""
    value_at, slope_at = gap.subs(var, at), slope.subs(var, at)
    if end:
        if value_at.has(*ENDLESS) or slope_at.has(*ENDLESS):
            return f"the gap has no value at {at}", ""
        if conditions.nonnegative(value_at) and conditions.nonnegative(slope):
            return "", f"nonnegative at ${sp.latex(var)}=0$ and growing"
        touches = conditions.nonnegative(value_at) and conditions.nonnegative(slope_at)
    else:
        touches = conditions.nonnegative(value_at) and proves_zero(slope_at, conditions)
    if not touches:
        return f"the gap {gap} does not touch zero with slope zero at {var} = {at}", ""
    if conditions.nonnegative(bend):
        return "", f"convex in ${sp.latex(var)}$, least at ${sp.latex(at)}$"
    if conditions.nonnegative(slope * (var - at)):
        return "", f"falling, then rising in ${sp.latex(var)}$, least at ${sp.latex(at)}$"
    return f"neither the second derivative {bend} nor the turn of the slope is proved", ""


def _jensen(old, new, relation, by, conditions):
    total = sum(weight for _, weight in by.weights)
    if not proves_zero(total - 1, conditions):
        return f"the weights sum to {total}, not to 1", ""
    if not all(conditions.nonnegative(weight) for _, weight in by.weights):
        return "the weights are not all proved nonnegative", ""
    if not all(point.is_extended_real for point, _ in by.weights):
        return "the points are not all real", ""
    inside = by.function(sum(point * weight for point, weight in by.weights))
    outside = sum(weight * by.function(point) for point, weight in by.weights)
    positive = all(point.is_positive for point, _ in by.weights)
    x = sp.Dummy("x", positive=True) if positive else sp.Dummy("x", real=True)
    value = by.function(x)
    if not smooth(value, x, conditions):
        return f"{value} is not seen to be smooth", ""
    bend = sp.diff(value, x, 2)
    if conditions.nonnegative(bend):
        low, high, kind = inside, outside, "convex"
    elif conditions.nonnegative(-bend):
        low, high, kind = outside, inside, "concave"
    else:
        return f"the second derivative {bend} has no proved sign", ""
    pair = (old, new) if relation == "<=" else (new, old)
    if not (proves_zero(pair[0] - low, conditions) and proves_zero(pair[1] - high, conditions)):
        return f"Jensen's inequality says {low} <= {high}, which is not this line", ""
    return "", f"Jensen's inequality for a {kind} function"

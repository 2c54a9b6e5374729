"""What a line must be before it is proved: finite, exact, with one symbol for each name and ranges that make sense."""

import itertools

import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook.conditions import ENDLESS, assume
from kexue_core.notebook.refusal import StepError

__all__ = ["bound_variables", "well_formed"]

_BAD = (sp.nan, sp.zoo)
_OF_EXPRESSIONS = {
    "mean": (sp.Expr, sp.MatrixBase),
    "limit": (sp.Expr, sp.MatrixBase),
    "series": sp.Expr,
    "bound": sp.Expr,
}


def well_formed(old, step):
    """Raise `StepError` if a line or a premise of a step is not well formed."""
    if isinstance(old, sp.Eq) != isinstance(step.new, sp.Eq):
        raise StepError(f"step {step.because!r} mixes an equation and an expression: {old} and {step.new}")
    if step.kind in _OF_EXPRESSIONS and not all(
        isinstance(line, _OF_EXPRESSIONS[step.kind]) for line in (old, step.new)
    ):
        raise StepError(f"step {step.because!r}: a {step.kind} is taken of expressions only, got {old} and {step.new}")
    if any(line.has(sp.Order) for line in (old, step.new)):
        raise StepError(f"step {step.because!r}: series(..., order=…) says up to which order a line holds, got an O(…)")
    _one_symbol_for_each_name(old, step)
    _no_capture(old, step)
    for text in _texts(step):
        if step.kind != "numeric" and text.has(sp.Float):
            raise StepError(f"step {step.because!r}: a proof uses no floating-point numbers, got {text}")
    for line in (old, step.new):
        if line.has(*_BAD) or (line.has(sp.oo, -sp.oo) and not _only_in_limits(line, step)):
            raise StepError(f"step {step.because!r}: a line must be finite, got {line}")
        if step.kind != "numeric" and line.has(sp.Float):
            raise StepError(f"step {step.because!r}: a proved line holds no floating-point numbers, got {line}")
        for pieces in line.atoms(sp.Piecewise):
            left = assume(step.options["where"]).settle(pieces)
            if isinstance(left, sp.Piecewise) and sp.Or(*(condition for _, condition in left.args)) != sp.true:
                raise StepError(f"step {step.because!r}: no piece says what {pieces} is elsewhere")
        for part in line.atoms(sp.Integral, sp.Sum, sp.Product, sp.Derivative, sp.Limit):
            reason = bound_variables(part)
            if reason:
                raise StepError(f"step {step.because!r}: {reason} in {part}")
        for var, low, high, outer in _ranges(line):
            if not _in_order(low, high, outer, step):
                reason = f"the range of {var} from {low} to {high} may be turned round, where a sum or product is empty"
                raise StepError(f"step {step.because!r}: {reason}; a condition must exclude that")


def _texts(step):
    """Return everything that a step names beside its lines."""
    options = step.options
    texts = [*options.get("given", ()), *options["where"]]
    texts += [value for key, value in options.items() if isinstance(value, sp.Basic) and key != "solve_for"]
    for pairs in (options.get("substitute", ()), options.get("integrate", ())):
        texts += [part for pair in pairs for part in (pair if isinstance(pair, tuple) else (pair,))]
    for law in options.get("over", ()):
        texts += law.parameters
    return texts


def _one_symbol_for_each_name(old, step):
    """Refuse two symbols, functions or constants of one name, which look alike and are not the same."""
    texts = [old, step.new, *_texts(step)]
    names = {}
    for thing in set().union(*(text.atoms(sp.Symbol, sp.MatrixSymbol, sp.NumberSymbol, sp.I.func) for text in texts)):
        if names.setdefault(str(thing).lstrip("_") if thing.is_Dummy else str(thing), thing) != thing:
            raise StepError(f"step {step.because!r}: two symbols of different assumptions are called {thing}")
    unknown = {f.func for text in texts for f in text.atoms(AppliedUndef)}
    known = {f.func for text in texts for f in text.atoms(sp.Function)} - unknown
    for function in unknown:
        others = [other for other in unknown | known if other.__name__ == function.__name__ and other != function]
        if others or (function.__name__ in names):
            raise StepError(f"step {step.because!r}: a function and something else are called {function.__name__}")


def _no_capture(old, step):
    """Refuse what is to be put in the place of a symbol if it holds a variable over which the line sums."""
    options = step.options
    put = [value for _, value in options.get("substitute", ())] + [
        options[key] for key in ("to", "about") if key in options
    ]
    put += [*options.get("integrate", ())[1:], *(value for law in options.get("over", ()) for value in law.parameters)]
    bound = {v for part in old.atoms(sp.Sum, sp.Product, sp.Integral) for v in part.variables}
    if caught := bound & {symbol for value in put for symbol in value.free_symbols}:
        names = ", ".join(sorted(map(str, caught)))
        raise StepError(f"step {step.because!r}: {names} is the variable of a sum, a product or an integral of {old}")


def _only_in_limits(line, step):
    """Tell whether infinity stands only where it means something: as an end of a range or as a limit."""
    if line in (sp.oo, -sp.oo):
        return step.kind == "limit" and line == step.new
    return (
        not sp.sympify(line)
        .replace(lambda e: isinstance(e, sp.Integral | sp.Sum | sp.Product | sp.Limit), lambda e: sp.Dummy())
        .has(sp.oo, -sp.oo)
    )


def bound_variables(part):
    """Say how the assumptions on a variable contradict the range over which it runs."""
    if isinstance(part, sp.Limit):
        return ""
    if isinstance(part, sp.Derivative):
        return next((f"{v} is an integer" for v in part.variables if getattr(v, "is_integer", False)), "")
    for var, *ends in part.limits:
        if isinstance(part, sp.Integral) and var.is_integer:
            return f"{var} is an integer, but an integral runs over all real numbers"
        if not isinstance(part, sp.Integral) and (var.is_even is not None or var.is_prime or var.is_composite):
            return f"{var} is not any integer"
        if not isinstance(part, sp.Integral) and len(ends) == 2 and not _whole(*ends):
            return f"the ends {ends[0]} and {ends[1]} are not known to be whole numbers apart"
        if len(ends) == 2:
            reason = _outside_range(var, ends[0], ends[1], isinstance(part, sp.Integral))
            if reason:
                return reason
    return ""


def _ranges(expression, outer=()):
    """Yield variable, ends and the limits outside of every range of a sum or product."""
    if isinstance(expression, sp.Sum | sp.Product):
        for limit in reversed(expression.limits):
            if len(limit) == 3:
                yield *limit, outer
                outer = (*outer, tuple(limit))
    for arg in expression.args:
        yield from _ranges(arg, outer)


def _in_order(low, high, outer, step):
    """Tell whether a range is proved not to end more than one below its start: SymPy then counts terms as negative."""
    if low == -sp.oo or high == sp.oo:
        return True
    gaps = [high - low + 1]
    for var, *ends in reversed(outer):
        more = sp.Dummy(integer=True, nonnegative=True)
        inside = [end + turn * more for end, turn in zip(ends, (1, -1)) if end.is_finite is not False]
        gaps = [gap.subs(var, value) for gap, value in itertools.product(gaps, inside)] if inside else gaps
    if step.kind == "limit" and step.options["to"] == sp.oo:
        gaps = [gap.subs(step.options["var"], sp.Dummy(integer=True, nonnegative=True) + 10**6) for gap in gaps]
    if any(sp.expand(gap).is_nonnegative for gap in gaps):
        return True
    conditions = assume(step.options["where"])
    places = step.options.get("at", ({},))
    return any(all(conditions.nonnegative(gap.subs(place)) for place in places) for gap in gaps)


def _whole(low, high):
    return any(end in ENDLESS for end in (low, high)) or (high - low).is_integer


def _outside_range(var, low, high, closed):
    if var.is_extended_real is False:
        return f"{var} is not real"
    for end, negative in ((low, False), (high, True)):
        value = -end if negative else end
        if (var.is_nonpositive if negative else var.is_nonnegative) and not value.is_nonnegative:
            return f"the assumptions on {var} contradict its range"
        if not closed and (var.is_negative if negative else var.is_positive) and not value.is_positive:
            return f"the assumptions on {var} contradict its range"
    return ""

"""How an equation follows from another: rearranged, or by a named operation on both sides."""

import contextlib
import functools

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook.conditions import ENDLESS
from kexue_core.notebook.matrices import with_plain_traces
from kexue_core.notebook.premises import insert
from kexue_core.notebook.refusal import short
from kexue_core.notebook.wellformed import bound_variables
from kexue_core.notebook.zero import evaluate, proves_zero, refutation

__all__ = ["carried_out", "difference", "follows", "is_zero", "operated"]

APPLICABLE = {
    "log": (sp.log, "positive"),
    "sqrt": (sp.sqrt, "nonnegative"),
    "square": (lambda side: side**2, "nonnegative"),
    "reciprocal": (lambda side: 1 / side, "not zero"),
    "exp": (sp.exp, "real"),
    "sinh": (sp.sinh, "real"),
    "asinh": (sp.asinh, "real"),
    "tanh": (sp.tanh, "real"),
    "atan": (sp.atan, "real"),
}


def difference(equation, given=()):
    """Return left minus right with the identities inserted."""
    left, right = (insert(side, given) for side in equation.args)
    return insert(left - right, given)


def is_zero(expression, conditions):
    """Return whether an expression or every entry of a matrix is proved to be zero."""
    entries = list(expression) if isinstance(expression, sp.MatrixBase) else [expression]
    for entry in entries:
        if entry == 0:
            continue
        if not getattr(entry, "is_Matrix", False) and refutation(entry, conditions)[0]:
            return False
        if not proves_zero(entry, conditions):
            return False
    return True


def follows(before, after, conditions, exactly=False):
    """Return ``(whether, note, reason)``: whether ``after = 0`` is ``before = 0`` times a factor that is not zero.

    With ``exactly`` the factor must be 1 or -1.
    """
    if any(line.has(*ENDLESS) for line in (before, after)):
        return False, "", "a side is not finite"
    if isinstance(before, sp.MatrixBase) or getattr(before, "is_Matrix", False):
        good = any(is_zero(after - sign * before, conditions) for sign in (1, -1))
        return good, "", f"residual {after - before}"
    before, after = map(with_plain_traces, (before, after))
    kind, solutions = _nature(before, conditions)
    if kind == "identity":
        if is_zero(after, conditions):
            return True, "", ""
        return False, "", f"the line before is an identity, from which nothing follows; residual {short(after)}"
    if kind == "contradiction":
        return False, "", "the equation before has no solution"
    if after == 0:
        return False, "", "residual: the new equation says nothing"
    for point in solutions:
        value = evaluate(after, dict(point))
        if value is not None and abs(value) > 1e-12:
            place = ", ".join(f"{symbol} = {mpmath.nstr(_real(number), 6)}" for symbol, number in point)
            return False, "", f"residual {short(after)} (it is {mpmath.nstr(value, 5)} at the solution {place})"
    signs = [sign for sign in (1, -1) if is_zero(after - sign * before, conditions)]
    if signs:
        return True, "", ""
    if exactly:
        return False, "", f"residual {short(after - before)}"
    ratios = _ratios(before, after, conditions)
    constant = ratios and all(abs(ratio - ratios[0]) < 1e-18 * abs(ratios[0]) for ratio in ratios)
    if constant and len(ratios) > 1:
        factor = sp.nsimplify(_sympy(ratios[0]), rational=True, tolerance=1e-25)
        if factor != 0 and is_zero(after - factor * before, conditions):
            return True, "", ""
    factor = sp.factor(sp.cancel(sp.together(after / before)))
    if factor.is_number and (factor.is_zero is not False or factor.is_finite is not True):
        return False, "", f"residual {short(after - before)}"
    if not factor.is_number and not conditions.differs_from_zero(factor):
        return False, "", f"residual {short(after - before)}; the factor between both is not proved to be nonzero"
    return True, "" if factor.is_number else f"times ${sp.latex(factor)}\\ne0$", ""


@functools.lru_cache(maxsize=256)
def _nature(before, conditions):
    """Return whether ``before = 0`` is an identity, a contradiction or a condition, and some of its solutions."""
    if is_zero(before, conditions):
        return "identity", ()
    if conditions.differs_from_zero(before):
        return "contradiction", ()
    return "condition", tuple(_solutions(before, conditions))


def _solutions(before, conditions):
    """Yield up to two points where an expression is zero, to 40 digits, found from sampled points."""
    symbols = sorted(before.free_symbols, key=lambda symbol: symbol.name)
    if before.atoms(AppliedUndef) or before.has(sp.Integral, sp.Sum, sp.Derivative) or not symbols:
        return
    function = sp.lambdify(symbols, before, "mpmath")
    found = 0
    for point in conditions.points(symbols):
        for symbol in symbols:
            if symbol.is_integer or not symbol.is_extended_real:
                continue
            values = [_real(point[s]) for s in symbols]
            place = symbols.index(symbol)

            def along(x, values=values, place=place):
                return function(*values[:place], x, *values[place + 1 :])

            with mpmath.workdps(40), contextlib.suppress(Exception):
                root = mpmath.findroot(along, (values[place], values[place] * mpmath.mpf("1.1")), tol=1e-60)
                if isinstance(root, mpmath.mpf) and _allowed(symbol, root):
                    solution = {**point, symbol: sp.Float(root, 40)}
                    if _kept(solution, conditions):
                        yield tuple(solution.items())
                        found += 1
                        break
        if found == 2:
            return


def _real(number):
    return mpmath.mpf(number.p) / number.q if number.is_Rational else mpmath.mpmathify(number._to_mpmath(140))


def _allowed(symbol, root):
    return (
        abs(root) < 10**6
        and not (symbol.is_nonnegative and root < 1e-9)
        and not (symbol.is_nonpositive and root > -1e-9)
        and not (symbol.is_zero is False and abs(root) < 1e-9)
    )


def _kept(point, conditions):
    """Tell whether a point keeps the conditions that name its symbols."""
    return all(condition.subs(point) is not sp.false for condition in conditions.where)


def _ratios(before, after, conditions):
    found = []
    for point in conditions.points(before.free_symbols | after.free_symbols):
        low, high = evaluate(before, point), evaluate(after, point)
        if low and high is not None:
            found.append(high / low)
    return found


def _sympy(number):
    if isinstance(number, mpmath.mpc):
        return sp.Float(number.real, 30) + sp.I * sp.Float(number.imag, 30)
    return sp.Float(number, 30)


def operated(old, new, options, conditions):
    """Return ``(whether, note, reason)`` for a named operation on both sides of an equation."""
    given = options["given"]
    sides = [insert(side, given) for side in old.args]
    wanted = [insert(side, given) for side in new.args]
    if "add" in options:
        term = options["add"]
        if term.is_finite is False or not conditions.has_no_pole(term):
            return False, "", f"{term} is not proved to be finite"
        return _matched([side + insert(term, given) for side in sides], wanted, conditions)
    if "multiply" in options or "divide" in options:
        term = insert(options.get("multiply", options.get("divide")), given)
        if not conditions.differs_from_zero(term):
            return False, "", f"{term} is not proved to be finite and not zero"
        term = term if "multiply" in options else 1 / term
        return follows(term * (sides[0] - sides[1]), wanted[0] - wanted[1], conditions, exactly=True)
    if "apply" in options:
        return _applied(options["apply"], sides, wanted, conditions)
    return _of_identity(sides, wanted, options, conditions)


def _matched(sides, wanted, conditions):
    for pair in (wanted, wanted[::-1]):
        if all(is_zero(insert(side - want, ()), conditions) for side, want in zip(sides, pair)):
            return True, "", ""
    return False, "", f"residual {short(insert(sides[0] - wanted[0], ()))}, {short(insert(sides[1] - wanted[1], ()))}"


def _applied(name, sides, wanted, conditions):
    if name not in APPLICABLE:
        return False, "", f"apply must name one of {', '.join(APPLICABLE)}, got {name}"
    function, domain = APPLICABLE[name]
    holds = {
        "positive": conditions.positive,
        "nonnegative": conditions.nonnegative,
        "not zero": conditions.differs_from_zero,
        "real": lambda side: side.is_extended_real and side.is_finite is not False,
    }[domain]
    # one side may be known through the other: in L = R both have the sign of either, but reality must be seen
    needed = all if name == "square" else any
    if not needed(holds(side) for side in sides):
        sides_are = "a side is not" if needed is all else "no side is"
        return False, "", f"{sides_are} proved to be {domain}, where {name} is injective"
    if not all(side.is_extended_real for side in sides):
        return False, "", f"both sides must be real for {name} to be injective"
    return _matched([function(side) for side in sides], wanted, conditions)


def _of_identity(sides, wanted, options, conditions):
    key = next(name for name in ("differentiate", "integrate", "substitute") if name in options)
    value = options[key]
    symbols = [value] if key == "differentiate" else [value[0]] if key == "integrate" else [old for old, _ in value]
    declared = set(symbols) <= set(options.get("for_all", ()))
    if not declared and not is_zero(insert(sides[0] - sides[1], ()), conditions):
        names = ", ".join(map(str, symbols))
        return False, "", f"the equation is not known to be an identity in {names}: prove it, or declare for_all"
    if any(symbol.is_integer for symbol in symbols) and key != "substitute":
        return False, "", f"{symbols[0]} is an integer"
    if key == "substitute":
        for symbol, replacement in value:
            reason = _unfit(symbol, replacement, conditions)
            if reason:
                return False, "", reason
    if key == "integrate":
        reason = _beyond(value, conditions)
        if reason:
            return False, "", reason
    done = [carried_out(side, options) for side in sides]
    matched = _matched(done, wanted, conditions)
    if not matched[0]:
        return follows(insert(done[0] - done[1], ()), insert(wanted[0] - wanted[1], ()), conditions, True)
    return matched


def carried_out(side, options):
    """Return a side of an equation that is to be differentiated, integrated or substituted into; else the side."""
    if "differentiate" in options:
        return sp.Derivative(side, options["differentiate"], evaluate=False)
    if "integrate" in options:
        return sp.Integral(side, options["integrate"])
    return side.subs(options.get("substitute", ()), simultaneous=True)


def _beyond(limits, conditions):
    """Say why a range is not proved to lie where an identity holds: in the assumptions and in the conditions."""
    symbol = limits[0]
    reason = bound_variables(sp.Integral(symbol, limits))
    for condition in conditions.where if not reason else ():
        if symbol in condition.free_symbols:
            ordered = isinstance(condition, sp.Ge | sp.Gt | sp.Le | sp.Lt)
            gap = condition.gts - condition.lts if ordered else sp.S.Zero
            linear = ordered and sp.diff(gap, symbol, 2) == 0
            if not linear or not all(conditions.nonnegative(gap.subs(symbol, end)) for end in limits[1:]):
                return f"the range from {limits[1]} to {limits[2]} is not known to keep the condition {condition}"
    return reason


def _unfit(symbol, value, conditions):
    """Say why a value is not proved to obey the assumptions and the conditions on a symbol."""
    signs = {"positive": conditions.positive, "nonnegative": conditions.nonnegative}
    signs |= {"negative": lambda e: conditions.positive(-e), "nonpositive": lambda e: conditions.nonnegative(-e)}
    signs["nonzero"] = conditions.differs_from_zero
    kinds = ("integer", "extended_real", "even", "odd", "rational", "irrational", "prime", "composite", "imaginary")
    for fact in (*signs, *kinds):
        known = getattr(value, f"is_{fact}", None) or (fact in signs and signs[fact](value))
        if getattr(symbol, f"is_{fact}") and not known:
            return f"{symbol} is {fact}, which {value} is not known to be"
    for condition in conditions.where:
        if symbol in condition.free_symbols and not conditions.truth(condition.subs(symbol, value)):
            return f"{value} is not known to keep the condition {condition}"
    return ""

"""How an equation follows from another: rearranged, by a named operation on both sides, or solved."""

import contextlib
import functools

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook.conditions import ENDLESS
from kexue_core.notebook.premises import contradicts, insert
from kexue_core.notebook.zero import connected, evaluate, proves_zero, refutation, smooth

__all__ = ["follows", "operated", "solved"]

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
        if term.is_finite is False:
            return False, "", f"{term} is not finite"
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
    done = {
        "differentiate": lambda side: sp.Derivative(side, value, evaluate=False),
        "integrate": lambda side: sp.Integral(side, value),
        "substitute": lambda side: side.subs(value, simultaneous=True),
    }[key]
    matched = _matched([done(side) for side in sides], wanted, conditions)
    if not matched[0]:
        return follows(insert(done(sides[0]) - done(sides[1]), ()), insert(wanted[0] - wanted[1], ()), conditions, True)
    return matched


def _unfit(symbol, value, conditions):
    """Say why a value is not proved to obey the assumptions and the conditions on a symbol."""
    signs = {"positive": conditions.positive, "nonnegative": conditions.nonnegative}
    signs |= {"negative": lambda e: conditions.positive(-e), "nonpositive": lambda e: conditions.nonnegative(-e)}
    for fact in ("positive", "nonnegative", "negative", "nonpositive", "integer", "extended_real", "even", "odd"):
        known = getattr(value, f"is_{fact}", None) or (fact in signs and signs[fact](value))
        if getattr(symbol, f"is_{fact}") and not known:
            return f"{symbol} is {fact}, which {value} is not known to be"
    for condition in conditions.where:
        if symbol in condition.free_symbols and not conditions.truth(condition.subs(symbol, value)):
            return f"{value} is not known to keep the condition {condition}"
    return ""


def solved(old, new, options, conditions):
    """Return ``(whether, note, reason)``: whether ``unknown = solution`` is the only solution of an equation."""
    unknown, given = options["solve_for"], options["given"]
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


def short(expression):
    """Return an expression as text, cheaply simplified if it is small, cut if it is long."""
    if isinstance(expression, sp.Expr) and sp.count_ops(expression) < 30:
        expanded = sp.expand(expression)
        expression = expanded if sp.count_ops(expanded) <= sp.count_ops(expression) else expression
    text = sp.sstr(expression)
    return text if len(text) <= 160 else text[:157] + "…"

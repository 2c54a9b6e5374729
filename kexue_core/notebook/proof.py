"""How a step is verified: one function for each kind, under one time limit."""

import contextlib
import functools

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook import bounds, equations, laws
from kexue_core.notebook.conditions import ENDLESS, Contradiction, assume
from kexue_core.notebook.premises import contradicts, insert, objection
from kexue_core.notebook.zero import FAILURES, TimeLimit, evaluate, proves_zero, refutation, time_limit

__all__ = ["RELATIONS", "StepError", "declare", "sides_of", "verify"]

RELATIONS = {"<=": 1, ">=": -1}
SECONDS = 20  # of processor time for one step
SPECIAL_SECONDS = 0.5  # for a look at a special value of a parameter
_BAD = (sp.nan, sp.zoo)


class StepError(AssertionError):
    """A step of a derivation that does not follow from the line before."""


def verify(old, step):
    """Raise `StepError` unless ``step`` follows from the line ``old``; return what the proof found, to be shown.

    Parameters
    ----------
    old : Expr, Matrix, MatrixExpr or Eq
        The line before.
    step : Step
        The line to be proved.

    Returns
    -------
    tuple of str
        Such as "the positive root".
    """
    try:
        with time_limit(SECONDS):
            _well_formed(old, step)
            return tuple(note for note in _KINDS[step.kind](old, step) if note)
    except TimeLimit:
        raise StepError(f"step {step.because!r}: gave up after {SECONDS} s of processor time") from None
    except (StepError, MemoryError):
        raise
    except (Contradiction, laws.LawError) as error:
        raise StepError(f"step {step.because!r}: {error}") from None
    except Exception as error:  # SymPy raises whatever it likes
        raise StepError(f"step {step.because!r}: SymPy fails with {type(error).__name__}: {error}") from error


def declare(equation, symbols):
    """Raise `StepError` if an equation cannot hold identically in symbols."""
    if not isinstance(equation, sp.Eq):
        raise StepError(f"only an equation can hold for all {symbols}, got {equation}")
    gap = insert(equation.lhs - equation.rhs, ())
    if gap.atoms(AppliedUndef):
        return  # an equation for an unknown function
    for form in (gap, *(sp.diff(gap, symbol) for symbol in symbols if not symbol.is_integer)):
        if form.free_symbols <= set(symbols) and refutation(form, assume())[0]:
            raise StepError(f"{equation} cannot hold for all {', '.join(map(str, symbols))}")


def refuse(step, reason):
    """Raise the refusal of a step."""
    raise StepError(f"step {step.because!r} does not follow: {reason}")


def _well_formed(old, step):
    if isinstance(old, sp.Eq) != isinstance(step.new, sp.Eq):
        raise StepError(f"step {step.because!r} mixes an equation and an expression: {old} and {step.new}")
    _one_symbol_for_each_name(old, step)
    for text in _texts(step):
        if step.kind != "numeric" and text.has(sp.Float):
            raise StepError(f"step {step.because!r}: a proof uses no floating-point numbers, got {text}")
    for line in (old, step.new):
        if line.has(*_BAD) or (line.has(sp.oo, -sp.oo) and not _only_in_limits(line, step)):
            raise StepError(f"step {step.because!r}: a line must be finite, got {line}")
        if step.kind != "numeric" and line.has(sp.Float):
            raise StepError(f"step {step.because!r}: a proved line holds no floating-point numbers, got {line}")
        for part in line.atoms(sp.Integral, sp.Sum, sp.Product, sp.Derivative, sp.Limit):
            reason = _bound_variables(part)
            if reason:
                raise StepError(f"step {step.because!r}: {reason} in {part}")


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
    """Refuse two symbols of one name, which look alike and are not the same."""
    texts = [old, step.new, *_texts(step)]
    names = {}
    for symbol in set().union(*(text.atoms(sp.Symbol, sp.MatrixSymbol) for text in texts)):
        if not isinstance(symbol, sp.Dummy) and names.setdefault(str(symbol), symbol) != symbol:
            raise StepError(f"step {step.because!r}: two symbols of different assumptions are called {symbol}")


def _only_in_limits(line, step):
    """Tell whether infinity stands only where it means something: as an end of a range or as a limit."""
    if line in (sp.oo, -sp.oo):
        return step.kind == "limit" and line == step.new
    return (
        not sp.sympify(line)
        .replace(lambda e: isinstance(e, sp.Integral | sp.Sum | sp.Product | sp.Limit), lambda e: sp.Dummy())
        .has(sp.oo, -sp.oo)
    )


def _bound_variables(part):
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


def _require_zero(residual, step, conditions):
    entries = list(residual) if isinstance(residual, sp.MatrixBase) else [residual]
    for entry in entries:
        if entry == 0:
            continue
        if getattr(entry, "is_Matrix", False):
            if not proves_zero(entry, conditions):
                refuse(step, f"residual {entry}")
            continue
        wrong, tried = refutation(entry, conditions)
        if wrong:
            point, value = wrong
            shown = equations.short(entry)
            place = ", ".join(f"{symbol} = {sp.sstr(number)}" for symbol, number in point.items())
            at = f" (it is {mpmath.nstr(value, 5)}{' at ' + place if place else ''})" if len(shown) > 12 else ""
            refuse(step, f"residual {shown}{at}")
        if not proves_zero(entry, conditions):
            raise StepError(
                f"step {step.because!r}: the residual {equations.short(entry)} is zero at {tried} points, "
                "but SymPy cannot prove it; use smaller steps, or numeric(...)"
            )


def _difference(old, new):
    old, new = (line.as_explicit() if _mixed(line, other) else line for line, other in ((old, new), (new, old)))
    if isinstance(old, sp.MatrixBase) and old.shape != new.shape:
        raise StepError(f"matrices of different shape: {old.shape} and {new.shape}")
    return old - new


def _mixed(line, other):
    """Tell whether a matrix expression stands beside an explicit matrix."""
    return isinstance(other, sp.MatrixBase) and not isinstance(line, sp.MatrixBase) and hasattr(line, "as_explicit")


def _step(old, step):
    new, options = step.new, step.options
    conditions = assume(options["where"])
    given = options["given"]
    operations = [key for key in options if key not in ("given", "where", "for_all")]
    if isinstance(new, sp.Eq):
        lines = [old.lhs, old.rhs, new.lhs, new.rhs]
        lines += [options[key] for key in operations if key in ("add", "multiply", "divide")]
    else:
        if operations:
            refuse(step, f"{operations[0]} acts on the two sides of an equation, and this line has none")
        lines = [old, new]
    reason = objection(given, lines, options["where"]) if given else ""
    if reason:
        raise StepError(f"step {step.because!r}: {reason}")
    if not isinstance(new, sp.Eq):
        gap = _difference(old, new)
        if not (gap.has(sp.Product) and proves_zero(gap, conditions)):
            _require_zero(insert(_difference(insert(old, given), insert(new, given)), given), step, conditions)
        return ()
    if "solve_for" in options:
        good, note, reason = equations.solved(old, new, options, conditions)
    elif operations:
        good, note, reason = equations.operated(old, new, options, conditions)
    else:
        before, after = (equations.difference(equation, given) for equation in (old, new))
        good, note, reason = equations.follows(conditions.settle(before), conditions.settle(after), conditions)
    if not good:
        refuse(step, reason)
    return (note,)


@functools.lru_cache(maxsize=256)
def _expectation(old, over, conditions):
    return laws.expectation(old, over, conditions)


def _mean(old, step):
    conditions = assume(step.options["where"])
    random = laws.symbols(step.options["over"])
    for condition in step.options["where"]:
        if random & condition.free_symbols:
            refuse(step, f"the condition {condition} does not hold for all values of a random symbol")
    if random & step.new.free_symbols:
        refuse(step, f"the mean over {', '.join(map(str, random & step.new.free_symbols))} still contains it")
    if not random & old.free_symbols:
        refuse(step, "the line before contains none of the random symbols")
    found = _expectation(old, step.options["over"], conditions)
    _require_zero(_difference(found, step.new), step, conditions)
    return ()


def sides_of(var, to, direction):
    """Return the sides, ``"+"``, ``"-"`` or ``"+-"``, from which a variable tends to a point.

    Raises
    ------
    Contradiction
        If the assumptions on the variable do not allow them.
    """
    forbidden = (to.is_negative and var.is_nonnegative) or (to.is_positive and var.is_nonpositive)
    if to in (sp.oo, -sp.oo):
        side = "-" if to == sp.oo else "+"
        if direction not in (None, side, "+-"):
            raise Contradiction(f"{to} is reached from one side only, got direction {direction!r}")
        forbidden = var.is_nonpositive if to == sp.oo else var.is_nonnegative
    elif to.is_finite is False or to.has(*ENDLESS):
        raise Contradiction(f"{var} cannot tend to {to}")
    elif var.is_integer:
        raise Contradiction(f"{var} is an integer, which does not tend to {to}")
    else:
        side = "+-"
        if to.is_zero:
            side = "+" if var.is_nonnegative else "-" if var.is_nonpositive else side
    if forbidden:
        raise Contradiction(f"the assumptions on {var} do not allow {to}")
    if direction is None or to in (sp.oo, -sp.oo):
        return side
    if not set(direction) <= set(side):
        raise Contradiction(f"the assumptions on {var} leave only the side {side}, got {direction!r}")
    return direction


_UNEVEN = (sp.Abs, sp.sign, sp.conjugate, sp.re, sp.im, sp.arg, sp.floor, sp.ceiling, sp.Piecewise)


_DISTANCE = sp.Dummy("h", positive=True)


def _approach(expression, var, point, side):
    """Return an expression in a positive distance from a point."""
    return expression.subs(var, point + _DISTANCE if side == "+" else point - _DISTANCE), _DISTANCE


def _conditions_near(var, to, chosen, where):
    """Return the conditions on the other symbols, after a look at those on the variable itself.

    Raises
    ------
    Contradiction
        If they do not hold near the point, on every side from which it is approached.
    """
    for condition in where:
        if var in condition.free_symbols and not isinstance(condition, sp.Ne):
            for side in chosen:
                if to in (sp.oo, -sp.oo):
                    gap = sp.limit(condition.gts - condition.lts, var, to)
                else:
                    gap, distance = _approach(condition.gts - condition.lts, var, to, side)
                    gap = sp.limit(gap / distance, distance, 0, "+")
                if gap.is_extended_nonpositive is not False:
                    raise Contradiction(f"the condition {condition} is not seen to hold on the side {side} of {to}")
    return assume(tuple(condition for condition in where if var not in condition.free_symbols))


def _limit(old, step):
    options = step.options
    var, to = options["var"], options["to"]
    chosen = sides_of(var, to, options["direction"])
    conditions = _conditions_near(var, to, chosen, options["where"])
    if var not in old.free_symbols:
        refuse(step, f"the line before does not contain {var}")
    if var in step.new.free_symbols or var in to.free_symbols:
        refuse(step, f"the limit still contains {var}")
    if var.is_extended_real is None and old.has(*_UNEVEN):
        refuse(step, f"{var} may be complex, where the limit depends on the direction")
    olds = list(old.doit()) if isinstance(old, sp.MatrixBase) else [old.doit()]
    news = list(step.new) if isinstance(step.new, sp.MatrixBase) else [step.new]
    if getattr(old, "shape", ()) != getattr(step.new, "shape", ()):
        refuse(step, "the lines have different shapes")
    for expression, new in zip(olds, news):
        for side in chosen:
            for case in conditions.cases:
                found = _limit_of(conditions.of(expression, case), var, conditions.of(to, case), side)
                wanted = conditions.of(new, case)
                if found in (sp.oo, -sp.oo) or new in (sp.oo, -sp.oo):
                    if found != new:
                        refuse(step, f"from the side {side} the limit is {found}")
                else:
                    _require_zero(found - wanted, step, assume() if case else conditions)
        _at_special_values(expression, new, to, step, lambda e, place: _limit_of(e, var, place, chosen[0]))
    return ()


def _at_special_values(old, new, to, step, found):
    """Refuse a formula that is wrong for a special value of a parameter, as far as SymPy tells in a short time."""
    for values in _special_values([old, to], step.options["var"], step.options["where"]):
        line, wanted, place = (e.subs(values) for e in (old, new, to))
        if line.has(*ENDLESS):
            continue
        with contextlib.suppress(TimeLimit, Contradiction, *FAILURES), time_limit(SPECIAL_SECONDS):
            value = found(line, place)
            if value is None or value.has(*ENDLESS):
                continue
            if wanted.has(*ENDLESS) or refutation(value - wanted, assume())[0]:
                at = ", ".join(f"{symbol} = {number}" for symbol, number in values.items())
                raise StepError(f"step {step.because!r}: at {at} the line before gives {value}, not {wanted}")


def _special_values(lines, var, where):
    """Return substitutions: for each parameter the values where something vanishes.

    There a general formula need not hold, and SymPy does not say so.
    """
    found = []
    powers = set().union(*(line.atoms(sp.Pow) for line in lines))
    parts = {power.base for power in powers if power.exp.is_negative} | {power.exp for power in powers}
    sums = sorted((part for part in parts if var not in part.free_symbols), key=sp.default_sort_key)
    parameters = set().union(*(line.free_symbols for line in lines)) - {var}
    for parameter in sorted(parameters, key=str):
        values = {sp.S.Zero}
        for part in sums:
            slope = sp.diff(part, parameter)
            if parameter not in slope.free_symbols and slope != 0:
                values.add(sp.expand(parameter - part / slope))
        for value in sorted(values, key=sp.default_sort_key):
            if not contradicts(parameter, value, where) and len(found) < 8:
                found.append({parameter: value})
    return found


@functools.lru_cache(maxsize=256)
def _limit_of(expression, var, to, side):
    if to in (sp.oo, -sp.oo):
        turns = {p for p in expression.atoms(sp.Pow) if p.base == -1 and var in p.free_symbols and p.exp.is_integer}
        if turns:  # a sequence has a limit if both its halves have it
            halves = [_limit_of(expression.xreplace(dict.fromkeys(turns, s)), var, to, side) for s in (1, -1)]
            if sp.simplify(halves[0] - halves[1]) != 0:
                raise Contradiction(f"{expression} has no limit")
            return halves[0]
        found = sp.limit(expression, var, to)
    else:
        moved, distance = _approach(expression, var, to, side)
        found = sp.limit(moved, distance, 0, "+")
    if found.has(sp.Limit, sp.AccumBounds, sp.nan, sp.zoo, sp.Order):
        raise Contradiction(f"SymPy finds no limit of {expression} (it says {found})")
    if found.has(*ENDLESS) and found not in (sp.oo, -sp.oo):
        raise Contradiction(f"SymPy leaves the limit of {expression} open (it says {found})")
    return found


def _series(old, step):
    options = step.options
    var, about, order = options["var"], options["about"], options["order"]
    chosen = sides_of(var, about, options["direction"])
    conditions = _conditions_near(var, about, chosen, options["where"])
    if about.is_finite is False or order < 1:
        refuse(step, "a series needs a finite point and an order of at least 1")
    if var.is_extended_real is None and old.has(*_UNEVEN):
        refuse(step, f"{var} may be complex, where the function is no power series")
    # one side suffices for a quotient of power series: it has the same expansion on both
    whole = all(_meromorphic(line, var, about) for line in (old, step.new))
    for side in chosen[:1] if whole else chosen:
        terms = [_terms(line, var, about, side, order) for line in (old, step.new)]
        if None in terms:
            terms = [_terms(old - step.new, var, about, side, order), sp.S.Zero]
        if None in terms:
            refuse(step, f"SymPy does not expand {old - step.new} up to order {order}")
        _require_zero(terms[0] - terms[1], step, conditions)
    wanted = _terms(step.new, var, about, chosen[0], order)
    if wanted is not None:
        _at_special_values(old, wanted, about, step, lambda e, place: _terms(e, var, place, chosen[0], order))
    return ()


def _meromorphic(expression, var, place):
    """Tell whether an expression is seen to be a quotient of convergent power series around a point."""
    if var not in expression.free_symbols or expression == var:
        return True
    if isinstance(expression, sp.Pow) and not expression.exp.is_Integer:
        base, power = expression.args
        at = base.subs(var, place)
        return var not in power.free_symbols and bool(at.is_positive) and base.is_polynomial(var)
    if isinstance(expression, sp.log):
        return bool(expression.args[0].subs(var, place).is_positive) and expression.args[0].is_polynomial(var)
    if isinstance(expression, sp.exp | sp.sin | sp.cos | sp.sinh | sp.cosh):
        return expression.args[0].is_polynomial(var)
    if isinstance(expression, sp.Add | sp.Mul | sp.Pow):
        return all(_meromorphic(arg, var, place) for arg in expression.args)
    return False


@functools.lru_cache(maxsize=256)
def _terms(expression, var, about, side, order):
    """Return the terms below an order of the expansion at a point, in the distance from it; None if there is none."""
    expression, distance = _approach(expression.doit(), var, about, side)
    for more in (0, 2, 5, 9):
        found = sp.series(expression, distance, 0, order + more)
        rest = found.getO()
        if rest is None or rest.getn() >= order:
            break
    else:
        return None
    kept = sp.S.Zero
    for term in sp.Add.make_args(sp.expand(found.removeO())):
        coefficient, power = term.as_coeff_exponent(distance)
        if not (power.is_number and power >= order and not coefficient.has(distance)):
            kept += term
    return kept


def _bound(old, step):
    options = step.options
    conditions = assume(options["where"])
    for line in (old, step.new):
        if not line.is_extended_real and not all(symbol.is_extended_real for symbol in line.free_symbols):
            refuse(step, f"{line} is not known to be real")
    gap = (RELATIONS[options["relation"]] * (step.new - old)).doit()
    reason, note = bounds.objection(gap, old, step.new, options["relation"], options["by"], conditions)
    if reason:
        refuse(step, reason)
    return (note,)


def _numeric(old, step):
    for point in step.options["at"]:
        point = {symbol: sp.sympify(value) for symbol, value in point.items()}
        reason = _point_allowed(point, step.options["where"]) or _numerically(
            old, step.new, point, step.options["atol"]
        )
        if reason:
            raise StepError(f"step {step.because!r} fails at {point}: {reason}")
    return ()


def _point_allowed(point, where):
    for symbol, value in point.items():
        if value.free_symbols or value.is_finite is not True:
            return f"{symbol} must be a finite number, got {value}"
        for fact, truth in symbol.assumptions0.items():
            if getattr(value, f"is_{fact}", None) is (not truth) and fact not in ("commutative", "zero"):
                return f"{symbol} is {fact if truth else 'not ' + fact}, got {value}"
    for condition in where:
        if condition.subs(point) is sp.false:
            return f"the condition {condition} does not hold"
    return ""


def _numerically(old, new, point, atol):
    pairs = [(old, new)]
    if isinstance(old, sp.Eq):
        pairs = [old.args, new.args]
    elif isinstance(old, sp.MatrixBase):
        if old.shape != new.shape:
            return f"shapes {old.shape} and {new.shape} differ"
        pairs = list(zip(old, new))
    for pair in pairs:
        values = []
        for side in pair:
            if side.atoms(AppliedUndef):
                return f"{side} has no value, its function is not known"
            if any(s.is_convergent() is not sp.true for s in side.subs(point).atoms(sp.Sum) if _endless(s)):
                return f"SymPy cannot prove that {side} converges"
            first, second = (evaluate(side, point, digits) for digits in (40, 55))
            if first is None or second is None:
                return f"{side} has no finite value"
            if abs(first - second) > mpmath.mpf(10) ** -28 * max(abs(second), mpmath.mpf(10) ** -60):
                return f"SymPy does not reach 25 digits of {side}"
            values.append(second)
        with mpmath.workdps(60):
            gap = abs(values[0] - values[1])
            allowed = mpmath.mpf(str(atol)) if atol is not None else mpmath.mpf(10) ** -25 * max(map(abs, values))
            if not gap <= allowed:
                return f"residual {mpmath.nstr(gap, 5)}"
    return ""


def _endless(part):
    return any(end.is_finite is False for limit in part.limits for end in limit[1:])


_KINDS = {"step": _step, "mean": _mean, "limit": _limit, "series": _series, "bound": _bound, "numeric": _numeric}

"""Limits and series: from which sides, under which conditions, and for which values of the parameters."""

import contextlib
import functools

import sympy as sp
from sympy.core.function import AppliedUndef, PoleError

from kexue_core.notebook.asymptotics import differing_near, staying_finite
from kexue_core.notebook.conditions import ENDLESS, Contradiction, assume
from kexue_core.notebook.premises import contradicts
from kexue_core.notebook.refusal import StepError, refuse, require_zero
from kexue_core.notebook.zero import FAILURES, TimeLimit, evaluate, refutation, time_limit

__all__ = ["limit", "series", "sides_of"]


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
    elif var.is_extended_real and not to.is_extended_real:
        raise Contradiction(f"{var} is real, and {to} is not known to be")
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


SPECIAL_SECONDS = 0.5  # for a look at a special value of a parameter


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


def _one_for_all_directions(old, step, to):
    """Refuse a variable that is not known to be real, unless the line is a quotient of power series at the point."""
    var = step.options["var"]
    if var.is_extended_real:
        return
    entries, place = list(old.doit()) if isinstance(old, sp.MatrixBase) else [old.doit()], to
    if to in (sp.oo, -sp.oo):
        entries, place = [entry.subs(var, 1 / var) for entry in entries], sp.S.Zero
    if step.options["direction"] in ("+", "-") or not all(_meromorphic(entry, var, place) for entry in entries):
        refuse(
            step,
            f"{var} may be complex, and on each direction of approach another expression may hold: declare it real",
        )


def limit(old, step):
    """Verify a step that takes a limit."""
    options = step.options
    var, to = options["var"], options["to"]
    chosen = sides_of(var, to, options["direction"])
    conditions = _conditions_near(var, to, chosen, options["where"])
    if var not in old.free_symbols:
        refuse(step, f"the line before does not contain {var}")
    if var in step.new.free_symbols or var in to.free_symbols:
        refuse(step, f"the limit still contains {var}")
    _one_for_all_directions(old, step, to)
    if not var.is_extended_real and step.new in (sp.oo, -sp.oo):
        refuse(step, f"{var} may be complex, where nothing tends to {step.new} in all directions")
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
                    require_zero(found - wanted, step, assume() if case else conditions)
            look = (staying_finite, expression) if new in (sp.oo, -sp.oo) else (differing_near, expression - new)
            if reason := look[0](look[1], var, to, side, conditions):
                refuse(step, reason)
        for side in chosen:
            _at_special_values(expression, new, to, step, lambda e, place, side=side: _limit_of(e, var, place, side))
    return ()


def _at_special_values(old, new, to, step, found):
    """Refuse a formula that is wrong for a special value of a parameter, as far as SymPy tells in a short time."""
    for values in _special_values([old, to], step.options["var"], to, step.options["where"]):
        line, wanted, place = (_without_hidden_zeros(e.subs(values)) for e in (old, new, to))
        if line.has(*ENDLESS):
            continue
        with contextlib.suppress(TimeLimit, Contradiction, *FAILURES), time_limit(SPECIAL_SECONDS):
            value = found(line, place)
            if value is None or (value.has(*ENDLESS) and (value not in (sp.oo, -sp.oo) or wanted.has(*ENDLESS))):
                continue
            if value.has(*ENDLESS) or wanted.has(*ENDLESS) or refutation(value - wanted, assume())[0]:
                at = ", ".join(f"{symbol} = {number}" for symbol, number in values.items())
                raise StepError(f"step {step.because!r}: at {at} the line before gives {value}, not {wanted}")


def _without_hidden_zeros(expression):
    """Return an expression in which sums of numbers that are zero are written so."""
    numbers = (part for part in expression.atoms(sp.Add) if part.is_number and not part.is_Rational)
    return expression.subs({part: 0 for part in numbers if sp.simplify(part) == 0})


def _special_values(lines, var, to, where):
    """Return substitutions: for each parameter the values where something vanishes.

    There a general formula need not hold, and SymPy does not say so.
    """
    found = []
    powers = set().union(*(line.atoms(sp.Pow, sp.exp) for line in lines))
    parts = {power.base for power in powers if not power.exp.is_nonnegative} | {power.exp for power in powers}
    calls = set().union(*(line.atoms(sp.Function) for line in lines))
    parts |= {arg for call in calls for arg in call.args if isinstance(arg, sp.Expr)}
    parts = set().union(*(_coefficients(part, var, to) for part in parts))
    parameters = set().union(*(line.free_symbols for line in lines)) - {var}
    for parameter in sorted(parameters, key=str):
        values = {sp.S.Zero}.union(*(_roots(part, parameter) for part in parts))
        for value in sorted(values, key=sp.default_sort_key):
            if not contradicts(parameter, value, where) and len(found) < 12:
                found.append({parameter: value})
    return found


def _coefficients(part, var, to):
    """Return what is free of a variable in a part of a line: coefficients, or its value where the variable goes."""
    if var not in part.free_symbols:
        return {part}
    coefficients = sp.Poly(part, var).coeffs() if part.is_polynomial(var) else []
    values = [*coefficients, *([part.subs(var, to)] if to.is_finite else [])]
    return {value for value in values if var not in value.free_symbols and not value.has(*ENDLESS)}


def _roots(part, parameter):
    """Return zeros of an expression in a parameter that may be real: all of a polynomial, of waves those near zero."""
    found = set()
    for factor in sp.Mul.make_args(sp.factor(sp.fraction(sp.together(part))[0])):
        factor = factor.as_base_exp()[0]
        if parameter in factor.free_symbols:
            roots = sp.roots(factor, parameter) if factor.is_polynomial(parameter) else _zeros(factor, parameter)
            found |= {sp.expand(root) for root in roots if not (parameter.is_extended_real and _is_complex(root))}
    return found


def _is_complex(number):
    """Tell whether a number is not real, by its digits if SymPy does not know."""
    value = evaluate(number, {}) if number.is_real is None else None
    return number.is_real is False or (value is not None and abs(value.imag) > 1e-10)


@functools.lru_cache(maxsize=256)
def _zeros(factor, parameter):
    """Return zeros of a transcendental expression as far as SymPy finds them in a short time, and a period beside."""
    plain = sp.Dummy(parameter.name, real=parameter.is_extended_real)
    with contextlib.suppress(TimeLimit, *FAILURES), time_limit(SPECIAL_SECONDS):
        roots = sp.solve(factor.subs(parameter, plain), plain)
        period = sp.periodicity(factor, parameter) if factor.has(sp.sin, sp.cos, sp.tan, sp.cot) else None
        turns = (0, period, -period) if period and not period.free_symbols else (0,)
        return tuple(root + turn for turn in turns for root in roots if plain not in root.free_symbols)
    return ()


@functools.lru_cache(maxsize=256)
def _limit_of(expression, var, to, side):
    if to in (sp.oo, -sp.oo):
        turns = {p for p in expression.atoms(sp.Pow) if p.base == -1 and var in p.free_symbols and p.exp.is_integer}
        if turns:  # a sequence has a limit if both its halves have it
            halves = [
                _limit_of(expression.xreplace(dict.fromkeys(turns, s)), var, to, side) for s in map(sp.Integer, (1, -1))
            ]
            if sp.simplify(halves[0] - halves[1]) != 0:
                raise Contradiction(f"{expression} has no limit")
            return halves[0]
        found = _sought(expression, var, to)
    else:
        found = _sought(*_approach(expression, var, to, side), 0)
    if found.has(sp.Limit, sp.AccumBounds, sp.nan, sp.zoo, sp.Order):
        raise Contradiction(f"SymPy finds no limit of {expression} (it says {found})")
    if found.has(*ENDLESS) and found not in (sp.oo, -sp.oo):
        raise Contradiction(f"SymPy leaves the limit of {expression} open (it says {found})")
    return found


def _sought(expression, var, to):
    """Return the limit that SymPy finds, from above at a finite point."""
    try:
        return sp.sympify(sp.limit(expression, var, to))
    except (PoleError, NotImplementedError, TypeError, AttributeError) as error:
        if "sign of" in str(error):
            raise
        raise Contradiction(f"SymPy finds no limit of {expression}") from None


def series(old, step):
    """Verify a step that expands."""
    options = step.options
    var, about, order = options["var"], options["about"], options["order"]
    chosen = sides_of(var, about, options["direction"])
    conditions = _conditions_near(var, about, chosen, options["where"])
    if about.is_finite is False or order < 1:
        refuse(step, "a series needs a finite point and an order of at least 1")
    for line in (old, step.new):
        _one_for_all_directions(line, step, about)
    # one side suffices for a quotient of power series: it has the same expansion on both
    whole = all(_meromorphic(line, var, about) for line in (old, step.new))
    for side in chosen[:1] if whole else chosen:
        terms = [_terms(line, var, about, side, order) for line in (old, step.new)]
        if None in terms:
            terms = [_terms(old - step.new, var, about, side, order), sp.S.Zero]
        if None in terms:
            refuse(step, f"SymPy does not expand {old - step.new} up to order {order}")
        require_zero(terms[0] - terms[1], step, conditions)
    for side in chosen:
        if reason := differing_near(old - step.new, var, about, side, conditions, order):
            refuse(step, reason)
    for side in chosen[:1] if whole else chosen:
        wanted = _terms(step.new, var, about, side, order)
        if wanted is not None:
            _at_special_values(old, wanted, about, step, lambda e, place, side=side: _terms(e, var, place, side, order))
    return ()


def _meromorphic(expression, var, place):
    """Tell whether an expression is seen to be a quotient of convergent power series around a point."""
    if var not in expression.free_symbols or expression == var:
        return True
    if isinstance(expression, sp.Add | sp.Mul) or (isinstance(expression, sp.Pow) and expression.exp.is_Integer):
        return all(_meromorphic(arg, var, place) for arg in expression.args)
    inner = expression.args[0]
    if isinstance(expression, sp.Pow) and var in expression.exp.free_symbols:
        return bool(inner.is_positive) and var not in inner.free_symbols and _holomorphic(expression.exp, var, place)
    if isinstance(expression, _ENTIRE):
        return _holomorphic(inner, var, place)
    if isinstance(expression, sp.Pow | sp.log):
        at = inner.subs(var, place)
        off_the_cut = at.is_positive or sp.re(at).is_positive or sp.im(at).is_nonzero
        return bool(off_the_cut) and _holomorphic(inner, var, place)
    return False


_ENTIRE = (sp.exp, sp.sin, sp.cos, sp.tan, sp.sinh, sp.cosh, sp.tanh, sp.erf, sp.erfc, sp.gamma)  # but for poles


def _holomorphic(expression, var, place):
    """Tell whether an expression is seen to be a convergent power series around a point."""
    return _meromorphic(expression, var, place) and not expression.subs(var, place).has(*ENDLESS)


@functools.lru_cache(maxsize=256)
def _terms(expression, var, about, side, order):
    """Return the terms below an order of the expansion at a point, in the distance from it; None if there is none."""
    expression, distance = _approach(expression.doit(), var, about, side)
    inner = {arg for unknown in expression.atoms(AppliedUndef) for arg in unknown.args}
    if not all(_holomorphic(arg, distance, sp.S.Zero) for arg in inner):
        return None  # SymPy takes f(sqrt(x)) for a series in x
    powers = {
        part for part in expression.atoms(sp.log, sp.Pow) if part.is_Function or distance in part.exp.free_symbols
    }
    plain = all(_meromorphic(part, distance, sp.S.Zero) for part in powers)
    least = order if plain else order + sp.Rational(1, 100)  # SymPy takes x log x for O(x)
    for more in (0, 2, 5, 9):
        try:
            found = sp.series(expression, distance, 0, order + more)
        except (PoleError, NotImplementedError):
            return None
        rest = found.getO()
        if rest is None or rest.getn() >= least:
            break
    else:
        return None
    kept, log = sp.S.Zero, sp.Dummy()
    for term in sp.Add.make_args(sp.expand(found.removeO())):
        coefficient, power = term.xreplace({sp.log(distance): log}).as_coeff_exponent(distance)
        beyond = power.is_number and (power > order or (power == order and log not in coefficient.free_symbols))
        if not beyond or coefficient.has(distance):
            kept += term
    return kept

"""Limits and series: from which sides, under which conditions, and for which values of the parameters."""

import contextlib
import functools

import sympy as sp

from kexue_core.notebook.conditions import ENDLESS, Contradiction, assume
from kexue_core.notebook.premises import contradicts
from kexue_core.notebook.refusal import StepError, refuse, require_zero
from kexue_core.notebook.zero import FAILURES, TimeLimit, refutation, time_limit

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
                    require_zero(found - wanted, step, assume() if case else conditions)
        _at_special_values(expression, new, to, step, lambda e, place: _limit_of(e, var, place, chosen[0]))
    return ()


def _at_special_values(old, new, to, step, found):
    """Refuse a formula that is wrong for a special value of a parameter, as far as SymPy tells in a short time."""
    for values in _special_values([old, to], step.options["var"], to, step.options["where"]):
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


def _special_values(lines, var, to, where):
    """Return substitutions: for each parameter the values where something vanishes.

    There a general formula need not hold, and SymPy does not say so.
    """
    found = []
    powers = set().union(*(line.atoms(sp.Pow, sp.exp) for line in lines))
    parts = {power.base for power in powers if not power.exp.is_nonnegative} | {power.exp for power in powers}
    parts = set().union(*(_coefficients(part, var, to) for part in parts))
    parameters = set().union(*(line.free_symbols for line in lines)) - {var}
    for parameter in sorted(parameters, key=str):
        values = {sp.S.Zero}.union(*(_roots(part, parameter) for part in parts))
        for value in sorted(values, key=sp.default_sort_key):
            if not contradicts(parameter, value, where) and len(found) < 8:
                found.append({parameter: value})
    return found


def _coefficients(part, var, to):
    """Return what is free of a variable in a part of a line: coefficients, or its value where the variable goes."""
    if var not in part.free_symbols:
        return {part}
    if part.is_polynomial(var):
        return {c for c in sp.Poly(part, var).coeffs() if var not in c.free_symbols}
    value = part.subs(var, to) if to.is_finite else sp.nan
    return set() if value.has(*ENDLESS) or var in value.free_symbols else {value}


def _roots(part, parameter):
    """Return the zeros of a polynomial in a parameter, or in its logarithm or exponential, that may be real."""
    found = set()
    for factor in sp.Mul.make_args(sp.factor(sp.fraction(sp.together(part))[0])):
        factor = factor.as_base_exp()[0]
        inner = [e for e in factor.atoms(sp.log, sp.exp) if parameter in e.free_symbols]
        letter = sp.Dummy()
        plain = factor.xreplace({inner[0]: letter}) if len(inner) == 1 else factor
        unknown = parameter if plain == factor else letter
        if not plain.is_polynomial(unknown) or (unknown == letter and parameter in plain.free_symbols):
            continue
        roots = sp.roots(plain, unknown) if unknown in plain.free_symbols else {}
        if unknown == letter:
            backs = [sp.exp(root) if isinstance(inner[0], sp.log) else sp.log(root) for root in roots if root != 0]
            backs += [sp.S.One] if isinstance(inner[0], sp.log) and sp.S.Zero in roots else []
            slope = sp.diff(inner[0].args[0], parameter)
            if slope == 0 or parameter in slope.free_symbols:
                continue
            roots = [parameter + sp.expand(back - inner[0].args[0]) / slope for back in backs]
        found |= {sp.expand(root) for root in roots if root.is_real is not False}
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


def series(old, step):
    """Verify a step that expands."""
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
        require_zero(terms[0] - terms[1], step, conditions)
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

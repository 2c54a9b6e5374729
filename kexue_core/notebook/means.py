"""Means over declared laws: by moments where an expression is a polynomial, else by the density."""

import contextlib
import itertools

import sympy as sp

from kexue_core.notebook.conditions import ENDLESS
from kexue_core.notebook.convergence import divergent
from kexue_core.notebook.laws import LawError, Normal, Uncorrelated, symbols
from kexue_core.notebook.quadrature import disagreement

__all__ = ["expectation"]


def expectation(expression, over, conditions):
    """Return the mean of an expression or of the entries of a matrix over independent laws.

    Parameters
    ----------
    expression : Expr or Matrix
        What is averaged.
    over : sequence of law
        Independent of each other.
    conditions : Conditions
        On the other symbols.
    """
    symbols(over)
    for law in over:
        for one in law if isinstance(law, Uncorrelated) else (law,):
            for value, strict in one.nonnegative():
                if conditions.positive(-value) or (strict and conditions.nonnegative(-value)):
                    raise LawError(f"the conditions do not allow {one}")
    if isinstance(expression, sp.MatrixBase):
        return expression.applyfunc(lambda entry: expectation(entry, over, conditions))
    expression = expression.doit()
    for place, law in enumerate(over):
        if isinstance(law, Uncorrelated):
            expression = _uncorrelated(expression, law, over[place + 1 :], conditions)
        else:
            expression = _over_one(expression, law, over[place + 1 :], conditions)
    return expression


def _product(mean, factor, others, conditions):
    """Return a mean times a factor, which must have a mean over the other laws even where it is multiplied by 0."""
    left = [law for law in others if not factor.is_polynomial(*symbols((law,)))] if mean == 0 else []
    if left and factor.free_symbols & symbols(tuple(left)):
        expectation(factor, others, conditions)
    return mean * factor


def _sum(means, others, conditions):
    """Add means over one law; what cancels must have a mean over the other laws too, or the order of means matters."""
    parts = [part for mean in means for part in sp.Add.make_args(sp.expand(mean))]
    total = sp.Add(*parts)
    left = {part.as_coeff_Mul()[1] for part in sp.Add.make_args(total)}
    for part in {part.as_coeff_Mul()[1] for part in parts} - left:
        _product(sp.S.Zero, part, others, conditions)
    return sp.Add(*means)


def _uncorrelated(expression, group, others, conditions):
    if not expression.is_polynomial(*group.symbol):
        raise LawError("only polynomials have a mean over symbols that are no more than uncorrelated")
    means = []
    for powers, coefficient in sp.Poly(expression, *group.symbol).terms():
        used = [(law, power) for law, power in zip(group, powers) if power]
        if len(used) > 2 or (len(used) == 2 and any(power > 1 for _, power in used)):
            raise LawError("nothing is declared of the mean of a product of more than two uncorrelated factors")
        mean = sp.Mul(*(law.moment(power) for law, power in used))
        means.append(_product(mean, coefficient, others, conditions))
    return _sum(means, others, conditions)


def _over_one(expression, law, others, conditions):
    x = law.symbol
    if x not in expression.free_symbols:
        return expression
    if expression.is_polynomial(x):
        terms = sp.Poly(expression, x).terms()
        means = [_product(law.moment(power), c, others, conditions) for (power,), c in terms]
        return _sum(means, others, conditions)
    if hasattr(law, "values"):
        return _sum([weight * expression.subs(x, value) for value, weight in law.values()], others, conditions)
    if isinstance(law, Normal) and (law.mean, law.std) != (0, 1):
        z = sp.Dummy("z", real=True)
        return _over_one(expression.subs(x, law.mean + law.std * z), Normal(z), others, conditions)
    if law.density() is None:
        raise LawError(f"only a polynomial in {x} has a mean known from its moments")
    if expression.has(sp.Max, sp.Min, sp.Abs, sp.sign, sp.Heaviside, sp.Piecewise):
        return _in_pieces(expression, law, conditions)
    means = []
    for term in sp.Add.make_args(sp.expand(expression, power_exp=False)):
        constant, rest = term.as_independent(x, as_Add=False)
        means.append(_product(_of_term(rest, law, conditions), constant, others, conditions))
    return _sum(means, others, conditions)


def _of_term(term, law, conditions):
    """Return the mean of one term: by moments, by one step of E[z g(z)] = E[g'(z)], or by the density."""
    x = law.symbol
    if term.is_polynomial(x):
        return sum(c * law.moment(power) for (power,), c in sp.Poly(term, x).terms())
    standard = isinstance(law, Normal) and law.mean == 0 and law.std == 1
    if standard and term.has(sp.erf, sp.erfc) and term.subs(x, 0) == 0 and not sp.fraction(term / x)[1].has(x):
        parts = sp.Add.make_args(sp.expand(sp.diff(term / x, x)))
        return sum(_integral(part, law, conditions) for part in parts)
    return _integral(term, law, conditions)


def _integral(expression, law, conditions, low=None, high=None):
    x = law.symbol
    density, start, stop = law.density()
    low, high = start if low is None else low, stop if high is None else high
    integrand = sp.powsimp(expression * density)
    ends = [low, *_singular(expression, x, low, high), high]
    for a, b in itertools.pairwise(ends):
        if reason := divergent(sp.Integral(integrand, (x, a, b)), conditions):
            raise LawError(f"{expression} has no mean: {reason}")
    pieces = [sp.integrate(integrand, (x, a, b)) for a, b in itertools.pairwise(ends)]
    found = conditions.settle(sp.Add(*pieces))
    if found.has(sp.Integral, *ENDLESS):
        raise LawError(f"SymPy does not find the mean of {expression} over {x}")
    if reason := disagreement(sp.Integral(integrand, (x, low, high)), found, conditions):
        raise LawError(reason)
    return found


def _singular(expression, x, low, high):
    """Return the points inside an interval where an expression is singular, in order."""
    if expression.is_polynomial(x) or not expression.has(sp.Pow, sp.log, sp.tan, sp.gamma):
        return []
    try:
        found = sp.singularities(expression, x, sp.Interval(low, high))
    except (NotImplementedError, ValueError, TypeError):
        return []
    if not isinstance(found, sp.FiniteSet):
        if found.is_empty:
            return []
        raise LawError(f"{expression} has singularities {found}")
    outside = lambda gap: gap.is_extended_nonpositive  # noqa: E731
    inside = [point for point in found if not (outside(point - low) or outside(high - point))]
    return sorted(inside)


def _in_pieces(expression, law, conditions):
    """Integrate over the pieces of the support on which the expression is one formula."""
    _, start, stop = law.density()
    folded = sp.piecewise_fold(expression.rewrite(sp.Piecewise))
    folded = folded if isinstance(folded, sp.Piecewise) else sp.Piecewise((folded, True))
    support = sp.Interval(start, stop)
    with contextlib.suppress(NotImplementedError, TypeError, ValueError):
        pieces = folded.as_expr_set_pairs(support)
        total = sp.S.Zero
        for value, region in pieces:
            for part in region.args if isinstance(region, sp.Union) else (region,):
                if isinstance(part, sp.FiniteSet | sp.sets.sets.EmptySet):
                    continue
                if not isinstance(part, sp.Interval):
                    raise NotImplementedError  # its ends depend on a sign: integrated as a whole
                terms = sp.Add.make_args(sp.expand(value, power_exp=False))
                total += sum(_integral(term, law, conditions, part.start, part.end) for term in terms)
        return total
    return _integral(folded, law, conditions)

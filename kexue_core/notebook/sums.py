"""Sums and integrals that SymPy leaves open: over one range they are one; ranges are shifted, reversed and swapped.

Every function returns an expression that is equal to its argument; `zero.proves_zero` looks whether it has become zero.
"""

import itertools

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.solvers.simplex import InfeasibleLPError, UnboundedLPError, lpmin

__all__ = ["antiderivatives", "binomial_sums", "endless", "integrals_without_inner_functions", "unite"]


def endless(part):
    """Tell whether a sum or an integral has an end that is not finite."""
    return any(end.is_finite is False for limit in part.limits for end in limit[1:])


def unite(expression, vanishes):
    """Return an expression in which sums (integrals) over the same range are one.

    Parameters
    ----------
    expression : Expr
        A combination of sums and integrals.
    vanishes : callable
        Tells whether a summand or an integrand is proved to be zero.
    """
    rest, groups = sp.S.Zero, []
    for term in sp.Add.make_args(sp.expand(expression)):
        coefficient, part = _one_part(term)
        if part is None:
            rest += term
            continue
        body, limits = _from_zero(part)
        body = coefficient * body
        for group in groups:
            if group[0] is part.func:
                joined = _joined(group, body, limits, vanishes)
                if joined is not None:
                    group[1], group[2], extra = joined
                    rest += extra
                    break
        else:
            groups.append([part.func, body, limits])
    for kind, body, limits in groups:
        if vanishes(body) or (len(limits) == 1 and _odd(kind, body, limits[0], vanishes)):
            continue
        rest += kind(body, *limits)
    return rest


def _one_part(term):
    """Split a term into coefficient and the one sum or integral in it."""
    parts = [factor for factor in sp.Mul.make_args(term) if isinstance(factor, sp.Sum | sp.Integral)]
    if len(parts) != 1 or any(len(limit) != 3 for limit in parts[0].limits):
        return term, None
    coefficient = term / parts[0]
    if coefficient.free_symbols & set(parts[0].variables) or coefficient.has(sp.Sum, sp.Integral):
        fresh = {v: sp.Dummy(v.name, **v.assumptions0) for v in parts[0].variables}
        return coefficient, parts[0].func(
            parts[0].function.subs(fresh), *((fresh[v], *[e.subs(fresh) for e in ends]) for v, *ends in parts[0].limits)
        )
    return coefficient, parts[0]


def _from_zero(part):
    """Return body and limits; a single sum starts at zero."""
    body, limits = part.function, [tuple(limit) for limit in part.limits]
    if len(limits) == 1 and isinstance(part, sp.Sum) and limits[0][1].is_finite is not False:
        var, low, high = limits[0]
        place = sp.Dummy(var.name, integer=True, nonnegative=True)
        return body.subs(var, place + low), [(place, sp.S.Zero, sp.expand(high - low))]
    return body, limits


def _joined(group, body, limits, vanishes):
    """Return the sum of two bodies over a common range, with what stands outside it, or None."""
    kind, known, range_ = group
    if len(range_) != len(limits):
        return None
    if len(limits) == 1:
        (var, low, high), (other, other_low, other_high) = range_[0], limits[0]
        body = body.subs(other, var)
        if _same(low, other_low) and _same(high, other_high):
            return known + body, range_, sp.S.Zero
        more = sp.expand(other_high - high)
        if kind is sp.Sum and more.is_Integer and abs(more) <= 3:
            if more > 0:
                return known + body, range_, sum(body.subs(var, high + i) for i in range(1, int(more) + 1))
            extra = sum(known.subs(var, other_high + i) for i in range(1, int(-more) + 1))
            return known + body, [(var, low, other_high)], extra
        return None
    names, others = [limit[0] for limit in range_], [limit[0] for limit in limits]
    finite = all(end.is_finite is not False for limit in range_ + limits for end in limit[1:])
    swappable = finite or bool(body.is_nonnegative)
    orders = [others, *([] if set(names) == set(others) else map(list, itertools.permutations(others)))]
    orders = [names] if set(names) == set(others) else orders
    fitting = None
    for order in orders:
        renamed = dict(zip(order, names))
        moved = [tuple(e.subs(renamed, simultaneous=True) for e in map(sp.sympify, limit)) for limit in limits]
        if not swappable and [limit[0] for limit in moved] != names:
            continue
        if _inside(range_, moved) and _inside(moved, range_):
            total = known + body.subs(renamed, simultaneous=True)
            fitting = fitting or (total, range_, sp.S.Zero)
            if vanishes(total):
                return total, range_, sp.S.Zero
    return fitting


def _same(one, other):
    return one == other or sp.simplify(one - other) == 0


def _inside(region, other):
    """Tell whether a polyhedron lies in another one: every inequality of the other holds all over the first."""
    if [limit[1:] for limit in sorted(region, key=str)] == [limit[1:] for limit in sorted(other, key=str)] and all(
        not end.free_symbols & {limit[0] for limit in region} for limit in region for end in limit[1:]
    ):
        return {limit[0]: limit[1:] for limit in region} == {limit[0]: limit[1:] for limit in other}
    constraints = _inequalities(region)
    symbols = set().union(*(c.free_symbols for c in constraints)) - {limit[0] for limit in region}
    constraints += [s >= (1 if s.is_integer and s.is_positive else 0) for s in symbols if s.is_nonnegative]
    for wanted in _inequalities(other):
        try:
            if not lpmin(wanted.gts - wanted.lts, constraints)[0] >= 0:
                return False
        except InfeasibleLPError:
            return False
        except (UnboundedLPError, TypeError, ValueError, NotImplementedError):
            return False
    return True


def _inequalities(limits):
    found = []
    for var, low, high in limits:
        found += [var >= low] if low.is_finite is not False else []
        found += [var <= high] if high.is_finite is not False else []
    return [condition for condition in found if condition is not sp.true]


def _odd(kind, body, limit, vanishes):
    """Tell whether a summand and its mirror image cancel."""
    var, low, high = limit
    if low.is_finite is False or high.is_finite is False:
        return False
    return vanishes(body + body.subs(var, low + high - var))


def binomial_sums(expression):
    """Return an expression in which sums over binomial coefficients times powers are powers of sums."""

    def closed(body, *limits):
        left = sp.Sum(body, *limits)
        if len(limits) != 1:
            return left
        k, low, n = limits[0]
        coefficient = sp.binomial(n, k)
        if low != 0 or not (n.is_integer and n.is_nonnegative) or not body.has(coefficient):
            return left
        term = body / coefficient
        ratio = sp.simplify(term.subs(k, k + 1) / term)
        if k in ratio.free_symbols or not ratio.is_finite:
            ratio = sp.powsimp(sp.expand_power_exp(ratio))
        if term.has(coefficient) or k in ratio.free_symbols:
            return left
        return term.subs(k, 0) * (1 + ratio) ** n

    return expression.replace(sp.Sum, closed)


def integrals_without_inner_functions(expression, continuous, vanishes):
    """Yield expressions in which one integral over ``f(g(x)) g'(x)``, ``f`` unknown, has ``g(x)`` as its variable.

    ``continuous(g, x, low, high)`` tells whether a function has no pole and no jump inside a range.
    """
    for part in sorted(expression.atoms(sp.Integral), key=sp.default_sort_key):
        if len(part.limits) != 1 or len(part.limits[0]) != 3:
            continue
        var, low, high = part.limits[0]
        inner = {arg for f in part.function.atoms(AppliedUndef) for arg in f.args if var in arg.free_symbols}
        for g in sorted(inner - {var}, key=sp.default_sort_key):
            if not continuous(g, var, low, high):
                continue
            ends = [sp.limit(g, var, end, side) for end, side in zip((low, high), "+-")]
            real = sp.Dummy("u", real=True, **({"nonnegative": True} if all(e.is_nonnegative for e in ends) else {}))
            plain = sp.Dummy("u")
            try:
                moved = part.transform(g, plain)
                turn = 1 if moved.limits[0][1] == ends[0] else -1  # SymPy exchanges the ends of a falling g
                if not vanishes(turn * moved.function.subs(plain, g) * sp.diff(g, var) - part.function):
                    continue
                yield expression.xreplace({part: moved.subs(plain, real).xreplace({plain: real})})
            except (ValueError, NotImplementedError, TypeError, AttributeError):
                continue


def antiderivatives(expression, smooth):
    """Return an expression in which integrals over total derivatives of an unknown function are differences.

    ``smooth(expression, symbol)`` tells whether an expression is smooth for all values of a real symbol.
    """

    def closed(body, *limits):
        left = sp.Integral(body, *limits)
        if len(limits) != 1 or len(limits[0]) != 3:
            return left
        var, low, high = limits[0]
        if low.is_finite is False or high.is_finite is False:
            return left
        for unknown in sorted(body.atoms(AppliedUndef), key=sp.default_sort_key):
            if unknown.args == (var,):
                found = _total(sp.expand(body), unknown, var)
                place = sp.Dummy("x", positive=True) if low.is_nonnegative else sp.Dummy("x", real=True)
                letter = sp.Function("f")
                if found is not None and smooth(found.subs(unknown, letter(var)).doit().subs(var, place), place):
                    return found.subs(var, high).doit() - found.subs(var, low).doit()
        return left

    return expression.replace(sp.Integral, closed)


def _total(body, unknown, var):
    """Return G with G' = body if body is linear in an unknown function and its derivatives and exact, else None."""
    derivatives = [unknown]
    while body.has(sp.Derivative(unknown, (var, len(derivatives)))) and len(derivatives) < 4:
        derivatives.append(sp.Derivative(unknown, (var, len(derivatives))))
    letters = [sp.Dummy() for _ in derivatives]
    plain = body
    for derivative, letter in zip(reversed(derivatives), reversed(letters)):
        plain = plain.subs(derivative, letter)
    if any(f.func == unknown.func for f in plain.atoms(AppliedUndef)):
        return None
    try:
        poly = sp.Poly(plain, *letters)
    except sp.PolynomialError:
        return None
    if poly.total_degree() > 1:
        return None
    weights = [poly.coeff_monomial(letter) for letter in letters]
    rest = poly.coeff_monomial(1)
    total = sp.S.Zero
    for place in range(len(letters) - 1, 0, -1):
        total += weights[place] * derivatives[place - 1]
        weights[place - 1] -= sp.diff(weights[place], var)
    if sp.simplify(weights[0]) != 0:
        return None
    if rest != 0:
        inner = sp.integrate(rest, var)
        if inner.has(sp.Integral):
            return None
        total += inner
    return total

"""Whether an expression is zero: refuted by numbers, proved by the ways in which SymPy recognizes zero."""

import contextlib
import itertools
import signal
import threading
import time

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook import matrices, sums
from kexue_core.notebook.conditions import Contradiction, NoExample, assume, orders

__all__ = [
    "FAILURES",
    "TimeLimit",
    "connected",
    "evaluate",
    "proves_zero",
    "refutation",
    "smooth",
    "smooth_beside_unknown",
    "time_limit",
]

_DIGITS = 30
_MOST_NESTED, _MOST_TERMS = 3, 60
FAILURES = (
    NotImplementedError,
    TypeError,
    ValueError,
    AttributeError,
    KeyError,
    IndexError,
    ZeroDivisionError,
    RecursionError,
    sp.PolynomialError,
)


class TimeLimit(BaseException):
    """Raised by the timer; no ``except Exception`` in SymPy catches it."""


@contextlib.contextmanager
def time_limit(seconds):
    """Raise `TimeLimit` when the block has used so much processor time (in the main thread of a Unix process).

    Blocks may be nested; the outer limit holds inside too.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number, frame):
        raise TimeLimit

    before = signal.signal(signal.SIGPROF, stop)
    left, start = signal.getitimer(signal.ITIMER_PROF)[0], time.process_time()
    again = 0.5  # the timer strikes again where a bare except or a callback has swallowed the exception
    signal.setitimer(signal.ITIMER_PROF, min(seconds, left) if left else seconds, again)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        if left:
            signal.setitimer(signal.ITIMER_PROF, max(left - (time.process_time() - start), 0.001), again)


def evaluate(expression, point, digits=_DIGITS):
    """Return the finite value at a point, or None where it has none (a pole, a free symbol, no digit known).

    A sum or integral of an unknown function over an endless range has none: nobody knows whether it converges.
    """
    if any(part.atoms(AppliedUndef) for part in expression.atoms(sp.Sum, sp.Integral) if sums.endless(part)):
        return None
    try:
        if expression.atoms(AppliedUndef):
            expression = _with_known_functions(expression, point)
        value = _added_up(expression.subs(point)).doit().evalf(digits, maxn=200)
        real, imaginary = value.as_real_imag()
        parts = [_mpf(part, digits) for part in (real, imaginary)]
    except FAILURES:
        return None
    if None in parts:
        return None
    with mpmath.workdps(2 * digits):  # mpc rounds to the working precision
        return parts[0] if not parts[1] else mpmath.mpc(*parts)


def _added_up(expression):
    """Return an expression in which sums and products over few known numbers are written term by term."""
    for _ in range(_MOST_NESTED if expression.has(sp.Sum, sp.Product) else 0):
        expression = expression.replace(lambda e: isinstance(e, sp.Sum | sp.Product) and _is_short(e), _terms)
    return expression


def _is_short(part):
    low, high = part.limits[-1][1:] if len(part.limits[-1]) == 3 else (None, None)
    return getattr(low, "is_Integer", False) and high.is_Integer and high - low < _MOST_TERMS


def _terms(part):
    *inner, (var, low, high) = part.limits
    body = part.func(part.function, *inner) if inner else part.function
    terms = [body.subs(var, place) for place in range(int(low), int(high) + 1)]
    return sp.Add(*terms) if isinstance(part, sp.Sum) else sp.Mul(*terms)


def _mpf(part, digits):
    """Return a SymPy number as an mpmath number, or None if it is not finite or has no digit."""
    if not (part.is_Float or part.is_Rational or part.is_comparable) or part.is_finite is False:
        return None
    number = part if part.is_Float else sp.Float(part, digits)
    if number._prec < 10 and number != 0:  # SymPy knows no digit, only how large the number is at most
        return mpmath.mpf(0) if abs(number) < sp.Float(f"1e-{digits}") else None
    return mpmath.mpmathify(number._to_mpmath(digits * 4))


def _with_known_functions(expression, point):
    """Return an expression at a point with every unknown function replaced by a definite smooth one."""
    if not expression.has(sp.Derivative, sp.Subs):
        expression = _added_up(expression.subs(point))
    unknown = sorted({f.func for f in expression.atoms(AppliedUndef)}, key=str)
    for place, function in enumerate(unknown):

        def wave(*args, place=place):
            angle = sum((sp.Rational(7 + 4 * i + 2 * place, 9) * arg for i, arg in enumerate(args)), sp.S.One / 3)
            return sp.sin(angle) + sp.Rational(5 + place, 2)

        expression = expression.replace(function, wave)
    return expression.doit(integrals=False)


def refutation(expression, conditions):
    """Return ``(point, value)`` where an expression is not zero, and the number of points at which it was tried."""
    tried = 0
    for point in itertools.chain(conditions.points(expression.free_symbols), _beside(expression, conditions)):
        value = evaluate(expression, point)
        if value is None:
            continue
        tried += 1
        if abs(value) > mpmath.mpf(10) ** (10 - _DIGITS):
            return (point, value), tried
    return None, tried


def _beside(expression, conditions):
    """Yield a point beside the real line, for symbols that may be complex where conjugates or their like stand."""
    bound = set().union(*(condition.free_symbols for condition in conditions.where))
    free = [s for s in expression.free_symbols - bound if s.is_extended_real is s.is_imaginary is s.is_integer is None]
    if free and expression.has(sp.conjugate, sp.re, sp.im, sp.Abs, sp.arg, sp.sign):
        point = next(conditions.points(expression.free_symbols), None)
        turned = {s: point[s] * (1 + sp.I * sp.Rational(2 + place, 3)) for place, s in enumerate(sorted(free, key=str))}
        yield point | turned


def smooth(expression, var, conditions):
    """Tell whether an expression is seen to be smooth in a symbol all over the interval that it ranges over."""
    if var not in expression.free_symbols:
        return True
    if expression == var:
        return True
    if isinstance(expression, sp.Pow):
        base, power = expression.args
        if var in power.free_symbols:
            return conditions.positive(base) and all(smooth(arg, var, conditions) for arg in expression.args)
        whole = power.is_Integer and power.is_nonnegative
        apart = conditions.positive(base) if not power.is_Integer else conditions.differs_from_zero(base)
        return (whole or apart) and smooth(base, var, conditions)
    if isinstance(expression, sp.tan):
        inside = all(conditions.positive(sp.pi / 2 + turn * expression.args[0]) for turn in (1, -1))
        return inside and smooth(expression.args[0], var, conditions)
    if isinstance(expression, sp.log):
        return conditions.positive(expression.args[0]) and smooth(expression.args[0], var, conditions)
    if isinstance(expression, _ENTIRE) or (isinstance(expression, _ON_THE_LINE) and expression.args[0].is_real):
        return all(smooth(arg, var, conditions) for arg in expression.args)
    return False


_ENTIRE = (sp.Add, sp.Mul, sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.erf, sp.erfc)
_ON_THE_LINE = (sp.tanh, sp.atan, sp.asinh)


def connected(var, conditions):
    """Tell whether a real symbol ranges over an interval, so that a derivative tells about all of it."""
    whole = var.is_extended_real and not var.is_integer and var.is_rational is None
    one_sign = var.is_positive or var.is_negative or var.is_zero is not False
    holes = conditions.nonzero + [gap for gap, _ in conditions.rest]
    return bool(whole and one_sign) and not any(var in gap.free_symbols for gap in holes)


def proves_zero(expression, conditions, depth=0):
    """Try the ways in which SymPy recognizes zero, cheap ones first."""
    if getattr(expression, "is_Matrix", False) and not isinstance(expression, sp.MatrixBase):
        return matrices.is_zero_matrix(expression)
    expression = conditions.settle(expression)
    undecided = any(piece.has(sp.Sum, sp.Integral) for piece in expression.atoms(sp.Piecewise))
    if _looks_zero(_lettered(expression), _WAYS[:4] if undecided else _WAYS):
        return True
    if conditions.where and len(conditions.cases) >= 1 and conditions.cases != [()]:
        plain = assume()
        return all(proves_zero(conditions.of(expression, case), plain, depth) for case in conditions.cases)
    return _structural(expression, conditions, depth)


_WAYS = (
    lambda e: sp.ratsimp(e) if e.is_rational_function() and not e.is_polynomial() else e,
    sp.expand,
    lambda e: sp.expand(sp.together(e)),
    lambda e: sp.cancel(sp.together(e)) if sp.count_ops(e) < 2000 else e,
    lambda e: sp.expand(sp.expand_trig(e)),
    lambda e: sp.expand(sp.expand_log(sp.powsimp(sp.expand(e)), force=False)),
    sp.factor,
    sp.radsimp,
    sp.simplify,
    sp.trigsimp,
    sp.gammasimp,
    lambda e: sp.expand(sp.expand_func(e)),
    lambda e: e if e.free_symbols else sp.expand(e, complex=True),
    lambda e: sp.simplify(e.rewrite(sp.exp)),
    lambda e: sp.simplify(sp.expand_func(e)),
    lambda e: sp.simplify(e.rewrite(sp.asin)) if e.has(sp.acos) else e,
    lambda e: sp.simplify(e.rewrite(sp.gamma)) if e.has(sp.binomial, sp.factorial) else e,
    lambda e: sp.simplify(sp.piecewise_fold(e)),
    lambda e: sp.simplify(sp.sqrtdenest(sp.simplify(e))),
    lambda e: sp.expand(_factored_roots(e)),
    lambda e: sp.expand(_without_complex_moduli(e)),
    lambda e: sp.expand(_without_signs(e)),
)


def _without_signs(expression):
    """Return an expression in which a real number times its sign is its modulus."""
    for part in sorted(expression.atoms(sp.sign), key=sp.default_sort_key):
        inner, letter = part.args[0], sp.Dummy()
        plain = sp.expand(expression.xreplace({part: letter}))
        slope = sp.cancel(plain.coeff(letter) / inner)
        if inner.is_extended_real and sp.degree(plain, letter) == 1 and sp.fraction(slope)[1].is_number:
            expression = plain.coeff(letter, 0) + slope * sp.Abs(inner)
    return expression


def _factored_roots(expression):
    """Return an expression with the number under every root factored: a square of a positive number leaves it."""
    return expression.replace(
        lambda e: e.is_Pow and e.exp.is_Rational and e.exp.q > 1 and e.base.is_Add, _factored_root
    )


def _factored_root(root):
    return sp.factor(root.base) ** root.exp


def _without_complex_moduli(expression):
    """Return an expression with even powers of moduli and real parts of complex numbers written by conjugates."""
    z = sp.Wild("z")
    if not any(modulus.args[0].is_extended_real is None for modulus in expression.atoms(sp.Abs)):
        return expression
    expression = expression.replace(sp.re(z), (z + sp.conjugate(z)) / 2)
    return expression.replace(
        lambda e: e.is_Pow and isinstance(e.base, sp.Abs) and e.exp.is_even,
        lambda e: (e.base.args[0] * sp.conjugate(e.base.args[0])) ** (e.exp / 2),
    )


def _looks_zero(expression, ways=_WAYS):
    if expression == 0:
        return True
    for way in ways if expression.is_commutative else (sp.expand,):  # SymPy's other ways take letters to commute
        with contextlib.suppress(*FAILURES):
            if way(expression) == 0:
                return True
    return False


def _lettered(expression):
    """Return an expression with letters for its integrals of unknown functions: SymPy tries long, in vain."""
    letters = {part: sp.Dummy() for part in {part.as_dummy() for part in _unknown(expression)}}
    return expression.xreplace({part: letters[part.as_dummy()] for part in _unknown(expression)})


def _unknown(expression):
    """Return the outermost integrals of unknown functions, or what is summed or derived from them."""
    if isinstance(expression, sp.Integral | sp.Sum | sp.Product | sp.Derivative | sp.Subs):
        return [expression] if expression.has(sp.Integral) and expression.atoms(AppliedUndef) else []
    return [part for arg in expression.args for part in _unknown(arg)]


def _structural(expression, conditions, depth):
    """Try what SymPy does not do by itself: traces, sums and integrals, orders of arguments, constants."""
    if depth > 3:
        return False
    candidates = []
    with contextlib.suppress(*FAILURES):
        if expression.has(sp.Trace):
            candidates.append(matrices.with_plain_traces(expression))
        if expression.has(sp.Trace) and expression.has(sp.matrices.expressions.matexpr.MatrixElement):
            summed = matrices.with_summed_traces(expression)
            candidates += [summed, sums.unite(summed, lambda e: _looks_zero(e, _WAYS[:9]))]
        if expression.has(sp.Sum, sp.Integral):
            light = lambda e: _looks_zero(sp.expand_log(e), _WAYS[:9])  # noqa: E731
            if expression.has(sp.binomial):
                candidates.append(sums.binomial_sums(expression))
            united = sums.unite(expression, light)
            candidates.append(united)
            candidates.append(sums.antiderivatives(united, smooth_beside_unknown))
            for moved in sums.integrals_without_inner_functions(expression, _continuous, light):
                candidates.append(sums.unite(moved, light))
    for candidate in candidates:
        if candidate != expression and _looks_zero(_lettered(candidate).doit()):
            return True
    if expression.has(sp.Max, sp.Min, sp.Abs):
        with contextlib.suppress(*FAILURES):
            split = list(orders(expression))
            if split and all(_under(e, where, conditions, depth) for e, where in split):
                return True
    for pieces in sorted(expression.atoms(sp.Piecewise), key=sp.default_sort_key):
        split = list(_pieces(pieces))
        if split and all(_under(expression.xreplace({pieces: e}), where, conditions, depth) for e, where in split):
            return True
    if not expression.has(*_SLOW):
        return False
    with contextlib.suppress(*FAILURES):
        factors = sp.Mul.make_args(sp.factor(sp.simplify(expression)))
        return any(_is_constant_zero(factor, conditions) for factor in (expression, *factors))
    return False


_SLOW = (sp.atan, sp.log, sp.asinh, sp.erf, sp.exp, sp.tanh)


def _continuous(expression, var, low, high):
    """Tell whether an expression is seen to be smooth in a variable inside a range."""
    place = sp.Dummy(var.name, real=True)
    inside = tuple(c for c in (place > low, place < high) if c not in (sp.true, sp.false))
    try:
        return smooth(expression.subs(var, place), place, assume(inside))
    except Contradiction:
        return False


def smooth_beside_unknown(expression, var, conditions=None):
    """Tell whether an expression is smooth where its unknown functions are."""
    unknown = [*expression.atoms(sp.Derivative), *expression.atoms(AppliedUndef)]
    plain = expression.subs([(part, sp.Dummy(real=True)) for part in unknown])
    return smooth(plain, var, conditions or assume())


def _pieces(pieces):
    """Yield ``(value, conditions)`` for every piece whose condition is an inequality, if all are."""
    before = ()
    ordered = (sp.StrictLessThan, sp.StrictGreaterThan, sp.LessThan, sp.GreaterThan)
    if all(condition == sp.true or isinstance(condition, ordered) for _, condition in pieces.args):
        for value, condition in pieces.args:
            here = () if condition == sp.true else (condition,)
            yield value, before + here
            before += tuple(c.negated for c in here)


def _under(expression, where, conditions, depth):
    try:
        return proves_zero(expression, assume(conditions.where + where), depth + 1)
    except NoExample:
        return False
    except Contradiction:
        return True


def _is_constant_zero(expression, conditions):
    """Prove zero by a derivative that vanishes and one value."""
    if not expression.has(*_SLOW):
        return False
    for var in sorted(expression.free_symbols, key=lambda symbol: symbol.name):
        if (
            not connected(var, conditions)
            or not smooth(expression, var, conditions)
            or not _looks_zero(sp.diff(expression, var), _WAYS[:9])
        ):
            continue
        for value in (1, 0, 2) if not var.is_negative else (-1,):
            if var.is_positive and value == 0:
                continue
            with contextlib.suppress(*FAILURES):
                if _looks_zero(expression.subs(var, value)):
                    return True
    return False

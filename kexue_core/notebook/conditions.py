"""What a proof may assume: conditions on symbols, used through a free parametrization, and signs that follow from them.

``0 < p < 1`` becomes ``p = 1/(1 + u)`` with a positive ``u``: then SymPy's own assumptions decide signs.
"""

import functools
import itertools
import random

import sympy as sp

from kexue_core.notebook.signs import shown, waves_free

__all__ = ["ENDLESS", "Conditions", "Contradiction", "NoExample", "assume", "orders"]

_POINTS = 4  # random points at which a claim is tried before it is proved
_LEAST = 3  # points at which whole numbers are as small as they may be
_OF_WHOLES = ("is_zero", "is_even", "is_odd", "is_prime", "is_composite")
ENDLESS = (sp.oo, -sp.oo, sp.zoo, sp.nan)
_ORDERED = (sp.StrictLessThan, sp.StrictGreaterThan, sp.LessThan, sp.GreaterThan)


class Contradiction(ValueError):
    """Conditions that no values of the symbols satisfy."""


class NoExample(Contradiction):
    """Conditions for which no values were found: they may hold for others."""


@functools.lru_cache(maxsize=512)
def assume(where=()):
    """Return the `Conditions` for a tuple of relationals."""
    return Conditions(where)


class Conditions:
    """Conditions as cases: in each, symbols are replaced by expressions in free symbols that range over all of it.

    Parameters
    ----------
    where : tuple of relational
        Inequalities and ``Ne``.

    Raises
    ------
    Contradiction
        If it is proved that no values satisfy them.
    NoExample
        If none of the values that were tried does.
    """

    def __init__(self, where=()):
        self.where = where
        self.nonzero = []
        self.rest = []
        self.cases = [()]
        gaps = []
        for condition in where:
            if isinstance(condition, sp.Ne):
                self.nonzero.append(condition.lhs - condition.rhs)
            elif isinstance(condition, _ORDERED):
                gaps.append((condition.gts - condition.lts, isinstance(condition, _ORDERED[:2])))
            else:
                raise Contradiction(f"a condition must be an inequality or Ne, got {condition}")
        self._parametrize(gaps)
        if where and next(self.points(set().union(*(c.free_symbols for c in where))), None) is None:
            refuted = any(
                Conditions().positive(-gap) or (strict and Conditions().nonnegative(-gap)) for gap, strict in gaps
            )
            kind, found = (
                (Contradiction, "no values satisfy") if refuted else (NoExample, "found no values that satisfy")
            )
            raise kind(f"{found} {', '.join(map(str, where))}")

    def _parametrize(self, gaps):
        gaps = [pair for gap in gaps for pair in _without_modulus(*gap)]
        for _ in range(12):
            if not gaps:
                return
            var = _variable(gaps)
            if var is None:
                break
            mine = [(gap, strict) for gap, strict in gaps if _slope(gap, var) is not None]
            gaps = [pair for pair in gaps if pair not in mine]
            ends = {1: [], -1: []}
            for gap, strict in mine:
                slope = _slope(gap, var)
                ends[1 if slope.is_positive else -1].append((sp.expand(var - gap / slope), strict))
            if var.is_nonnegative:
                ends[1].append((sp.S.Zero, bool(var.is_positive)))
            if var.is_nonpositive:
                ends[-1].append((sp.S.Zero, bool(var.is_negative)))
            low, high = _tightest(ends[1], 1), _tightest(ends[-1], -1)
            if var.is_integer:
                low, high = _whole(low, 1), _whole(high, -1)
            if low is False or high is False or (var.is_integer and low and high):
                self.rest += mine
                continue
            if low and high:
                span = sp.expand(high[0] - low[0])
                if span.is_negative or (span.is_zero and (low[1] or high[1])):
                    raise Contradiction(f"no value of {var} satisfies {', '.join(map(str, self.where))}")
                if not span.is_positive:
                    gaps.append((span, low[1] or high[1]))
            values = _values(var, low, high)
            self.cases = [(*case, (var, value)) for case in self.cases for value in values]
        self.rest += gaps

    def of(self, expression, case):
        """Return an expression with the symbols of a case replaced."""
        for var, value in case:
            expression = expression.subs(var, value)
        return expression

    def points(self, symbols):
        """Yield values for symbols that satisfy their assumptions and the conditions; always the same ones.

        The last ones give whole numbers the least values that they may have, where a sum is empty or has one term.
        """
        drawn = None
        for drawn in self._drawn(symbols):
            yield drawn
        wholes = {symbol: _wholes(symbol) for symbol in symbols if symbol.is_integer and not symbol.is_nonpositive}
        for step in range(_LEAST if drawn and wholes else 0):
            point = drawn | {symbol: allowed[min(step, len(allowed) - 1)] for symbol, allowed in wholes.items()}
            if all(condition.subs(point) is not sp.false for condition in self.where):
                yield point

    def _drawn(self, symbols):
        symbols = set(symbols)
        turns = range(_POINTS if symbols else 1)
        for case in self.cases:
            names = symbols | {var for var, _ in case}
            found = 0
            for turn in range(60 if self.rest or self.nonzero else len(turns)):
                values = {symbol: symbol for symbol in names}
                values = {symbol: self.of(symbol, case) for symbol in values}
                free = set().union(*(value.free_symbols for value in values.values())) if values else set()
                drawn = _draw(free, turn)
                point = {symbol: value.xreplace(drawn) for symbol, value in values.items()}
                everything = {**drawn, **point}
                if all(self._holds(gap, strict, everything) for gap, strict in self.rest) and all(
                    gap.subs(everything) != 0 for gap in self.nonzero
                ):
                    found += 1
                    yield {symbol: point[symbol] for symbol in sorted(symbols, key=lambda s: s.name)}
                if found == len(turns):
                    break

    def _holds(self, gap, strict, point):
        value = gap.subs(point)
        return bool(value.is_positive or (not strict and value.is_zero)) or not value.is_number

    def positive(self, expression):
        """Return whether an expression is proved positive in every case."""
        return self._everywhere(expression, lambda e: e.is_positive) or self._given(expression, strict=True)

    def nonnegative(self, expression):
        """Return whether an expression is proved nonnegative in every case."""
        holds = lambda e: e.is_nonnegative  # noqa: E731
        if self._everywhere(expression, holds) or self._everywhere(waves_free(expression), holds):
            return True
        return self._given(expression)

    def _given(self, expression, strict=False):
        """Return whether an expression is a positive multiple of one that is conditioned to be positive."""
        gaps = [gap for gap, positive in self.rest if positive or not strict]
        return any((expression / gap).cancel().is_positive for gap in gaps if gap != 0)

    def differs_from_zero(self, expression):
        """Return whether an expression is proved finite and not zero in every case."""
        if expression.has(*ENDLESS) or not self.has_no_pole(expression, inside=True):
            return False
        if self._everywhere(expression, lambda e: e.is_nonzero or (e.is_zero is False and e.is_finite)):
            return True
        factors = sp.Mul.make_args(sp.factor(sp.together(expression)))
        return all(
            self._everywhere(base, lambda e: e.is_nonzero or (e.is_zero is False and e.is_finite))
            or any(self._same(base, gap) for gap in self.nonzero + [gap for gap, strict in self.rest if strict])
            for base in (factor.as_base_exp()[0] for factor in factors)
        )

    def has_no_pole(self, expression, inside=False):
        """Return whether no denominator in an expression, and nothing under a logarithm, is seen to vanish.

        With ``inside`` only those in the arguments of its functions are looked at: SymPy takes ``exp(1/x)`` for finite.
        """
        places = expression.atoms(sp.Function) if inside else (expression,)
        vanishing = {p.base for place in places for p in place.atoms(sp.Pow) if p.exp.is_negative}
        vanishing |= set() if inside else {log.args[0] for log in expression.atoms(sp.log)}
        return all(self.differs_from_zero(part) for part in vanishing)

    def _same(self, base, gap):
        """Tell whether an expression divides one that is known not to be zero."""
        ratio = sp.cancel(sp.together(gap / base))
        return sp.fraction(ratio)[1].is_number and ratio != 0

    def _everywhere(self, expression, holds):
        return all(shown(self.of(expression, case), holds) for case in self.cases)

    def truth(self, condition):
        """Return whether a condition is proved (True), refuted (False) or open (None)."""
        if condition in (sp.true, sp.false):
            return bool(condition)
        if isinstance(condition, sp.And | sp.Or):
            parts = [self.truth(part) for part in condition.args]
            wanted = isinstance(condition, sp.Or)
            if wanted in parts:
                return wanted
            return None if None in parts else not wanted
        if isinstance(condition, sp.Not):
            inner = self.truth(condition.args[0])
            return None if inner is None else not inner
        if isinstance(condition, sp.Eq | sp.Ne):
            gap = condition.lhs - condition.rhs
            if isinstance(gap, sp.Expr) and self.differs_from_zero(gap):
                return isinstance(condition, sp.Ne)
            return isinstance(condition, sp.Eq) if gap == 0 else None
        if isinstance(condition, _ORDERED):
            gap = condition.gts - condition.lts
            strict = isinstance(condition, _ORDERED[:2])
            if gap.has(*ENDLESS):
                return None
            if self.positive(gap) if strict else self.nonnegative(gap):
                return True
            if self.nonnegative(-gap) if strict else self.positive(-gap):
                return False
        return None

    def settle(self, expression):
        """Return an expression in which every piecewise part whose condition is decided has been chosen."""
        if not expression.has(sp.Piecewise):
            return expression

        def choose(*pieces):
            kept = []
            for value, condition in pieces:
                truth = self.truth(condition)
                if truth is False:
                    continue
                kept.append((value, True if truth else condition))
                if truth:
                    break
            if kept and kept[0][1] is True:
                return kept[0][0]
            return sp.Piecewise(*kept) if kept else sp.nan

        return expression.replace(sp.Piecewise, choose)


def _without_modulus(gap, strict):
    """Return ``|x| < c`` as two conditions."""
    moduli = [part for part in gap.atoms(sp.Abs) if part.args[0].is_real]
    if len(moduli) == 1 and gap.coeff(moduli[0]).is_negative:
        inner = moduli[0].args[0]
        return [(gap.xreplace({moduli[0]: inner}), strict), (gap.xreplace({moduli[0]: -inner}), strict)]
    return [(gap, strict)]


def _slope(gap, var):
    """Return the factor of a symbol in a linear gap if its sign is known, else None."""
    slope = sp.expand(gap).coeff(var, 1)
    if slope.is_zero or var in slope.free_symbols or var in sp.expand(gap - slope * var).free_symbols:
        return None
    return slope if slope.is_positive or slope.is_negative else None


def _falls(gap, var):
    """Tell whether a gap bounds a symbol from above."""
    slope = _slope(gap, var)
    return slope is not None and bool(slope.is_negative)


def _variable(gaps):
    """Return the symbol that most conditions bound, of whole numbers one that is not bounded on both sides."""
    symbols = set().union(*(gap.free_symbols for gap, _ in gaps))
    count = {s: sum(_slope(gap, s) is not None for gap, _ in gaps) for s in symbols if s.is_extended_real}
    between = {s: bool(s.is_integer and s.is_nonnegative and any(_falls(gap, s) for gap, _ in gaps)) for s in count}
    best = sorted((s for s in count if count[s]), key=lambda s: (between[s], -count[s], s.name))
    return best[0] if best else None


def _tightest(ends, side):
    """Return the end that implies all others, None if there is none, False if none is known to."""
    for end, strict in ends:
        gaps = [(side * (end - other), strict or not other_strict) for other, other_strict in ends]
        if all(gap.is_positive or (gap.is_nonnegative and covers) for gap, covers in gaps):
            return end, strict
    return False if ends else None


def _whole(end, side):
    """Return the end of an integer: a whole number, or False if it is not known to be one."""
    if not end or end[0].is_integer:
        return end
    return (side * sp.ceiling(side * end[0]), False) if end[0].is_number else False


def _values(var, low, high):
    """Return expressions that together range over the interval between two ends."""
    kind = {"integer": True} if var.is_integer else {}

    def free(strict):
        name = f"u_{var.name}"
        if kind:
            return sp.Dummy(name, nonnegative=True, **kind) + (1 if strict else 0)
        return sp.Dummy(name, positive=True) if strict else sp.Dummy(name, nonnegative=True)

    if low and high:
        if low[0].is_negative and high[0].is_positive:
            below = high and _values(var, (sp.S.Zero, True), (-low[0], low[1]))
            return [-value for value in below] + [sp.S.Zero] + _values(var, (sp.S.Zero, True), high)
        inside = [low[0] + (high[0] - low[0]) / (1 + free(high[1]))]
        return inside if low[1] else [*inside, low[0]]
    if low:
        return [low[0] + free(low[1])]
    return [high[0] - free(high[1])]


def _wholes(symbol):
    """Return the least whole numbers that the assumptions on a symbol allow, whatever its sign."""

    def allowed(number):
        return all(getattr(symbol, kind) in (None, getattr(number, kind)) for kind in _OF_WHOLES)

    return [number for number in map(sp.Integer, range(20)) if allowed(number)]


def _draw(symbols, turn):
    """Return values for symbols that respect their assumptions; always the same ones for a turn."""
    point = {}
    rng = random.Random(10145 + 7 * turn)
    for place, symbol in enumerate(sorted(symbols, key=lambda symbol: symbol.name)):
        far = 1 if turn < 8 else rng.choice((1, 4, 16, 64))  # conditions that are hard to meet
        number = sp.Rational(rng.randint(11, 997), 401) * far
        if symbol.is_integer:
            number = sp.Integer(rng.randint(2, 6) * (2 if symbol.is_even else 1) + (1 if symbol.is_odd else 0)) * far
            number += int(bool(symbol.is_odd and number.is_even))
        if symbol.is_prime or symbol.is_composite:
            number = rng.choice(_wholes(symbol)[:_POINTS])
        negative = symbol.is_nonpositive or (not symbol.is_nonnegative and turn >> place % 2 & 1)
        point[symbol] = -number if negative else number
    return point


def orders(expression):
    """Yield ``(expression without Max, Min, Abs, conditions)`` for every order of their arguments."""
    corners = sorted(expression.atoms(sp.Max, sp.Min, sp.Abs), key=sp.default_sort_key)
    corners = [c for c in corners if all(a.is_extended_real for a in c.args)]
    inner = [c for c in corners if not any(a.has(sp.Max, sp.Min, sp.Abs) for a in c.args)]
    if not inner or len(inner) > 4:
        return
    choices = []
    for corner in inner:
        if isinstance(corner, sp.Abs):
            x = corner.args[0]
            inside = any(log.has(corner) for log in expression.atoms(sp.log))  # where it is not zero
            choices.append([(corner, x, (x > 0 if inside else x >= 0,)), (corner, -x, (x < 0 if inside else x <= 0,))])
        else:
            turn = 1 if isinstance(corner, sp.Max) else -1
            choices.append(
                [
                    (corner, best, tuple(turn * best >= turn * other for other in corner.args if other != best))
                    for best in corner.args
                ]
            )
    for choice in itertools.product(*choices):
        conditions = tuple(c for _, _, conditions in choice for c in conditions if c is not sp.true)
        if sp.false not in conditions:
            yield expression.xreplace({corner: value for corner, value, _ in choice}), conditions

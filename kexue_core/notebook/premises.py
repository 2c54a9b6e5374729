"""Premises: identities that a step may use, and what makes them unfit to be used."""

import functools

import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook.conditions import assume
from kexue_core.notebook.quadrature import evaluated
from kexue_core.notebook.zero import evaluate, refutation

__all__ = ["against", "contradictory", "contradicts", "everywhere", "fault", "insert", "objection"]

_OPEN = (sp.Derivative, sp.Integral, sp.Sum)


@functools.lru_cache(maxsize=1024)
def insert(expression, given):
    """Return an expression, evaluated, in which each left-hand side is replaced by its right-hand side, all at once.

    That is repeated until nothing changes, so the order of the identities does not matter.
    """
    pairs = [(identity.lhs, identity.rhs) for identity in given]
    early = [(old, new) for old, new in pairs if old.has(*_OPEN)]
    if early:
        expression = expression.subs(early, simultaneous=True)
    expression = evaluated(expression)
    for _ in range(len(pairs) + 1):
        changed = expression.subs(pairs, simultaneous=True) if pairs else expression
        if changed == expression:
            break
        expression = evaluated(changed)
    return expression


def objection(given, old, lines, where=()):
    """Return why identities may not be used for a step from an old line between lines, or an empty string.

    One that names a new symbol defines that symbol, which may depend on whatever the line sums or differentiates.
    """
    found = fault(given)
    if found:
        return found
    pairs = [(identity.lhs, identity.rhs) for identity in given]
    for condition in where:
        if condition.subs(pairs, simultaneous=True) is sp.false:
            return f"the identities contradict the condition {condition}"
    parts = {part for line in lines for part in line.atoms(*_OPEN)}
    for identity in given:
        holders = [part for part in parts if identity.lhs in part.free_symbols]
        bound = {v for part in holders for v in part.variables} & identity.rhs.free_symbols
        if bound and identity.rhs.free_symbols <= bound | old.free_symbols:
            return f"{identity} makes {identity.lhs} depend on a variable of a sum, an integral or a derivative"
        others = tuple(other for other in given if other is not identity)
        texts = [insert(line, others) for line in lines] + [other.rhs for other in others]
        if all(insert(text, (identity,)) == text.doit() for text in texts):
            return f"the identity {identity} is not used"
    return ""


def everywhere(given, lines):
    """Return the symbols for all values of which an identity must hold: lines sum, integrate, differentiate over them.

    Such an identity is a value of an unknown function: ``f(x) = 1`` may be meant at one x.
    """
    bound = {v for line in lines for part in line.atoms(*_OPEN, sp.Subs) for v in part.variables}
    found = set()
    for identity in given:
        if isinstance(identity.lhs, AppliedUndef):
            found |= {
                v
                for v in bound & set(identity.lhs.args)
                if any(identity.lhs in line.atoms(AppliedUndef) for line in lines)
            }
    return tuple(sorted(found, key=str))


def against(given, lines):
    """Say which equation contradicts an identity that must hold for all values of a symbol, or return ""."""
    for identity in given:
        symbols = everywhere((identity,), lines)
        value = sp.Lambda(identity.lhs.args, identity.rhs) if symbols else None
        if not symbols or identity.rhs.has(identity.lhs.func) or not all(arg.is_Symbol for arg in identity.lhs.args):
            continue
        for other in (*given, *(line for line in lines if isinstance(line, sp.Eq))):
            gap = (other.lhs - other.rhs).replace(identity.lhs.func, value).doit()
            everywhere_too = other in given and other.has(identity.lhs.func) and gap.free_symbols <= set(symbols)
            if (gap.is_number and gap.is_zero is False) or (everywhere_too and refutation(gap, assume())[0]):
                return f"{identity} for all {', '.join(map(str, symbols))} contradicts {other}"
    return ""


@functools.lru_cache(maxsize=512)
def fault(given):
    """Say why identities are false, or contradict the assumptions or each other, or return an empty string."""
    for identity in given:
        if identity.lhs.is_number and not identity.lhs.atoms(AppliedUndef):
            return f"the left-hand side of {identity} is a number"
        wrong = _false(identity)
        if wrong:
            return wrong
        others = tuple(other for other in given if other is not identity)
        settled = insert(identity.rhs, others)
        for fact, truth in _facts(identity.lhs) if identity.lhs.is_Symbol else ():
            if getattr(settled, f"is_{fact}", None) is (not truth):
                return f"{identity.lhs} is {'' if truth else 'not '}{fact}, and the identities make it {settled}"
        together = sp.Eq(insert(identity.lhs, others), settled, evaluate=False)
        if together != identity and together.lhs.free_symbols ^ settled.free_symbols and _false(together):
            return f"the identities make {identity} to {together}, which the assumptions do not allow"
    if len(given) > 1 and contradictory(given):
        return f"the identities {', '.join(map(str, given))} contradict each other"
    return ""


def _false(identity):
    """Say why an identity is no definition and no constraint that the assumptions allow, or return an empty string."""
    left, right = identity.args
    if identity.has(AppliedUndef) or identity.atoms(sp.MatrixSymbol) or getattr(left, "is_Matrix", False):
        return ""
    lone = left.free_symbols ^ right.free_symbols
    if not lone:
        for point in assume().points(identity.free_symbols):
            value = evaluate(left - right, point)
            if value is not None and abs(value) > 1e-20:
                return f"the identity {identity} is false at {point}"
        return ""
    easiest_first = sorted(lone, key=lambda symbol: (symbol != left, str(symbol)))  # that need not be solved for
    if all(_impossible(identity, symbol) for symbol in easiest_first):
        return f"the assumptions on its symbols do not allow {identity}"
    return ""


def contradicts(symbol, value, where=()):
    """Say which assumption on a symbol, or which condition, a value violates, or return an empty string."""
    for fact, truth in _facts(symbol):
        if getattr(value, f"is_{fact}", None) is (not truth):
            return f"{symbol} is {'' if truth else 'not '}{fact}, and {value} is not" if truth else f"{value} is {fact}"
    for condition in where:
        if condition.subs(symbol, value) is sp.false:
            return f"{value} contradicts the condition {condition}"
    return ""


def _impossible(identity, symbol):
    """Tell whether no value that its assumptions allow gives a symbol a place in the identity, wherever it is tried."""
    try:
        found = [] if identity.lhs == symbol else sp.solve(identity.lhs - identity.rhs, symbol, dict=True)
        roots = [identity.rhs] if identity.lhs == symbol else [solution[symbol] for solution in found]
    except NotImplementedError:
        return False
    names = identity.free_symbols - {symbol}
    draws = [{}]
    if names:
        draws = [
            {name: value * scale if not name.is_integer else value for name, value in point.items()}
            for point in assume().points(names)
            for scale in (1, sp.Rational(1, 7), sp.Rational(1, 60))
        ]
    for draw in draws:
        for root in roots:
            value = root.subs(draw)
            if all(getattr(value, f"is_{fact}", None) is not (not truth) for fact, truth in _facts(symbol)):
                return False
    return True


def _facts(symbol):
    """Return the assumptions on a symbol by which values are judged."""
    wanted = "positive", "negative", "nonnegative", "nonpositive", "real", "integer", "zero"
    return [(fact, truth) for fact, truth in symbol.assumptions0.items() if fact in wanted]


def contradictory(given):
    """Tell whether polynomial equations have no common solution, in which no symbol vanishes that may not."""
    gaps = [sp.fraction(sp.together(identity.lhs - identity.rhs))[0] for identity in given]
    angles = {wave.args[0] for gap in gaps for wave in gap.atoms(sp.sin, sp.cos)}
    waves = {function(angle): sp.Dummy() for angle in angles for function in (sp.sin, sp.cos)}
    gaps = [gap.xreplace(waves) for gap in gaps]
    gaps += [waves[sp.sin(angle)] ** 2 + waves[sp.cos(angle)] ** 2 - 1 for angle in angles]
    symbols = sorted(set().union(*(gap.free_symbols for gap in gaps)), key=str)
    if not symbols or len(gaps) > 6 or len(symbols) > 12 or not all(gap.is_polynomial(*symbols) for gap in gaps):
        return False
    apart = [symbol for symbol in symbols if symbol.is_zero is False]
    if apart and len(symbols) <= 6:  # more would take long
        letter = sp.Dummy()
        gaps, symbols = [*gaps, letter * sp.Mul(*apart) - 1], [*symbols, letter]
    return sp.groebner(gaps, *symbols, order="grevlex").exprs == [1]

"""How a step is verified: one function for each kind, under one time limit."""

import contextlib
import functools
import re

import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook import bounds, equations, laws, limits, means, points, solutions
from kexue_core.notebook.conditions import Contradiction, assume
from kexue_core.notebook.convergence import divergent, doubtful
from kexue_core.notebook.premises import against, contradictory, everywhere, fault, insert, objection
from kexue_core.notebook.quadrature import contradicted
from kexue_core.notebook.refusal import StepError, refuse, refuse_at, require_zero
from kexue_core.notebook.sums import endless, unite
from kexue_core.notebook.wellformed import well_formed
from kexue_core.notebook.zero import FAILURES, TimeLimit, proves_zero, refutation, time_limit

__all__ = ["RELATIONS", "agree", "declare", "verify"]

RELATIONS = {"<=": 1, ">=": -1}
SECONDS = 20  # of processor time for one step


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
            well_formed(old, step)
            if reason := _doubt(old, step):
                refuse(step, reason)
            conditions = assume(step.options.get("where", ()))
            for wrong in (divergent, contradicted):
                for line in (old, step.new):
                    if reason := wrong(line, conditions):
                        refuse(step, reason)
            return tuple(note for note in _KINDS[step.kind](old, step) if note)
    except TimeLimit:
        raise StepError(f"step {step.because!r}: gave up after {SECONDS} s of processor time") from None
    except (StepError, MemoryError):
        raise
    except (Contradiction, laws.LawError) as error:
        raise StepError(f"step {step.because!r}: {error}") from None
    except Exception as error:  # SymPy raises whatever it likes
        if sign := re.fullmatch(r"(?:Result depends on the|Not sure of) sign of (.*)", str(error)):
            raise StepError(
                f"step {step.because!r}: it depends on the sign of {sign[1]}, which the assumptions leave open"
            ) from None
        raise StepError(f"step {step.because!r}: SymPy fails with {type(error).__name__}: {error}") from error


def agree(premises, lines, because):
    """Raise `StepError` if the identities of a chain of lines are seen to contradict each other."""
    try:
        with time_limit(SECONDS):
            reason = fault(premises) or against(premises, lines)
    except (TimeLimit, *FAILURES):
        return
    if reason:
        raise StepError(f"step {because!r}: with the identities of the steps before, {reason}")


def _doubt(old, step):
    """Say why a new line need not exist, or return an empty string: `doubtful` for the lines and the premises."""
    options = step.options
    conditions = assume(options.get("where", ()))
    before, after = (list(line.args) if isinstance(line, sp.Eq) else [line] for line in (old, step.new))
    before, after = ([e for line in lines for e in _entries(line)] for lines in (before, after))
    if (
        not any(line.has(sp.Sum, sp.Integral, sp.Derivative) for line in before + after)
        and "differentiate" not in options
    ):
        return ""
    if isinstance(old, sp.Eq):
        before = [equations.carried_out(side, options) for side in before]
    pairs = [identity.args for identity in options.get("given", ())]
    before += [side for pair in pairs for side in pair] + [
        line.subs(pairs, simultaneous=True) for line in before if pairs
    ]
    return doubtful(before, after, conditions)


def _entries(line):
    """Return the entries of an explicit matrix, or a line as it is."""
    return list(line) if isinstance(line, sp.MatrixBase) else [line]


def declare(equation, symbols):
    """Raise `StepError` if an equation cannot hold identically in symbols."""
    if not isinstance(equation, sp.Eq):
        raise StepError(f"only an equation can hold for all {symbols}, got {equation}")
    gap = insert(equation.lhs - equation.rhs, ())
    drawn = [sp.Eq(gap.subs(point), 0, evaluate=False) for point in assume().points(symbols)]
    if not gap.atoms(AppliedUndef) and contradictory(drawn):
        raise StepError(f"{equation} cannot hold for all {', '.join(map(str, symbols))}")
    plain = [s for s in symbols if s.is_even is s.is_prime is s.is_composite is None]
    changes = [gap.subs(s, s + 1) - gap if s.is_integer else sp.diff(gap, s) for s in plain]
    for form in (gap, *changes):
        if form.atoms(AppliedUndef):
            continue  # an equation for an unknown function
        if form.free_symbols <= set(symbols) and refutation(form, assume())[0]:
            raise StepError(f"{equation} cannot hold for all {', '.join(map(str, symbols))}")


def _difference(old, new):
    old, new = (line.as_explicit() if _mixed(line, other) else line for line, other in ((old, new), (new, old)))
    if isinstance(old, sp.MatrixBase) and old.shape != new.shape:
        raise StepError(f"matrices of different shape: {old.shape} and {new.shape}")
    if len({getattr(line, "is_Matrix", False) for line in (old, new)}) > 1:
        raise StepError(f"only one of both lines is known to be a matrix: {old} and {new}")
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
    used = [old, new]
    if isinstance(old, sp.Eq) and operations:
        used += [equations.carried_out(side, options) for side in old.args]
    reason = objection(given, old, lines, options["where"]) or against(given, used) if given else ""
    if reason:
        raise StepError(f"step {step.because!r}: {reason}")
    identical = [f"for all ${sp.latex(symbol)}$" for symbol in everywhere(given, used)]
    if not isinstance(new, sp.Eq):
        gap = _difference(old, new)
        plain = not given and isinstance(gap, sp.Expr) and not gap.atoms(AppliedUndef, sp.MatrixSymbol)
        sums = gap.atoms(sp.Sum, sp.Product) if plain else ()
        if sums and not any(map(endless, sums)) and (wrong := refutation(gap, conditions)[0]):
            refuse_at(gap, wrong, step)  # term by term, before SymPy says what the sums are
        joined = any(map(endless, sums)) and _cancels(gap)  # their values may take SymPy long
        if not (joined or (gap.has(sp.Product) and proves_zero(gap, conditions))):
            require_zero(insert(_difference(insert(old, given), insert(new, given)), given), step, conditions)
        return tuple(identical)
    if "solve_for" in options:
        good, note, reason = solutions.solved(old, new, options, conditions)
    elif operations:
        good, note, reason = equations.operated(old, new, options, conditions)
    else:
        before, after = (equations.difference(equation, given) for equation in (old, new))
        good, note, reason = equations.follows(conditions.settle(before), conditions.settle(after), conditions)
    if not good:
        refuse(step, reason)
    return (*identical, note)


def _cancels(gap):
    """Tell whether nothing is left of a difference once its sums over the same range are one, and expanded."""
    with contextlib.suppress(*FAILURES):
        return unite(gap, lambda e: sp.expand(e) == 0) == 0
    return False


@functools.lru_cache(maxsize=256)
def _expectation(old, over, conditions):
    return means.expectation(old, over, conditions)


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
    require_zero(_difference(found, step.new), step, conditions)
    return ()


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


_KINDS = {
    "step": _step,
    "mean": _mean,
    "limit": limits.limit,
    "series": limits.series,
    "bound": _bound,
    "numeric": points.numeric,
}

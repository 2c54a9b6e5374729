"""Lines that agree at points, to 25 digits: no proof, but no accident either."""

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook.refusal import StepError, refuse
from kexue_core.notebook.sums import endless
from kexue_core.notebook.zero import evaluate

__all__ = ["numeric"]

_NOTHING = 1e-39  # a value without a digit is known to be smaller than that


def numeric(old, step):
    """Verify a step that is checked at points."""
    symbols = old.free_symbols | step.new.free_symbols
    if isinstance(old, sp.Eq) and old.free_symbols:
        more = step.new.free_symbols - old.free_symbols
        if more or not step.new.free_symbols:
            about = ", ".join(sorted(map(str, more))) or "no symbol"
            refuse(step, f"the new equation is about {about}, of which the line before says nothing")
    told = [tuple((symbol, sp.sympify(point.get(symbol))) for symbol in symbols) for point in step.options["at"]]
    if len(set(told)) < len(told):
        refuse(step, "a point is given twice")
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
            if any(s.is_convergent() is not sp.true for s in side.subs(point).atoms(sp.Sum) if endless(s)):
                return f"SymPy cannot prove that {side} converges"
            first, second = (evaluate(side, point, digits) for digits in (40, 55))
            if first is None or second is None:
                return f"{side} has no finite value"
            if not second and not (atol and atol > _NOTHING) and not side.subs(point).doit().is_zero:
                return f"SymPy knows no digit of {side}, which may be small or zero; name atol"
            if abs(first - second) > mpmath.mpf(10) ** -28 * max(abs(second), mpmath.mpf(10) ** -60):
                return f"SymPy does not reach 25 digits of {side}"
            values.append(second)
        with mpmath.workdps(60):
            gap = abs(values[0] - values[1])
            allowed = mpmath.mpf(str(atol)) if atol is not None else mpmath.mpf(10) ** -25 * max(map(abs, values))
            if not gap <= allowed:
                return f"residual {mpmath.nstr(gap, 5)}"
    return ""

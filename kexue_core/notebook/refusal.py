"""The refusal of a step, and what it says."""

import mpmath
import sympy as sp

from kexue_core.notebook.zero import proves_zero, refutation

__all__ = ["StepError", "refuse", "refuse_at", "require_zero", "short"]


class StepError(AssertionError):
    """A step of a derivation that does not follow from the line before."""


def refuse(step, reason):
    """Raise the refusal of a step."""
    raise StepError(f"step {step.because!r} does not follow: {reason}")


def refuse_at(residual, wrong, step):
    """Refuse a step by a point and the value of a residual there."""
    point, value = wrong
    shown = short(residual)
    place = ", ".join(f"{symbol} = {sp.sstr(number)}" for symbol, number in point.items())
    at = f" (it is {mpmath.nstr(value, 5)}{' at ' + place if place else ''})" if len(shown) > 12 else ""
    refuse(step, f"residual {shown}{at}")


def require_zero(residual, step, conditions):
    """Refuse a step unless a residual, or every entry of it, is zero."""
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
            refuse_at(entry, wrong, step)
        if not proves_zero(entry, conditions):
            raise StepError(
                f"step {step.because!r}: the residual {short(entry)} is zero at {tried} points, "
                "but SymPy cannot prove it; use smaller steps, or numeric(...)"
            )


def short(expression):
    """Return an expression as text, cheaply simplified if it is small, cut if it is long."""
    if isinstance(expression, sp.Expr) and _cheap(expression) and sp.count_ops(expression) < 30:
        expanded = sp.expand(expression)
        if _cheap(expanded) and sp.count_ops(expanded) <= sp.count_ops(expression):
            expression = expanded
    text = sp.sstr(expression)
    return text if len(text) <= 160 else text[:157] + "…"


def _cheap(expression):
    """Tell whether an expression holds no number of a hundred digits, seconds of work for SymPy, and no high power."""
    sizes = (max(abs(number.p), number.q).bit_length() for number in expression.atoms(sp.Rational))
    powers = (power.exp for power in expression.atoms(sp.Pow) if power.exp.is_Integer)
    return max(sizes, default=0) < 330 and all(power <= 8 for power in powers)

"""Signs that SymPy sees in an expression or in one of its plain forms."""

import sympy as sp

__all__ = ["shown", "waves_free"]


def shown(expression, holds):
    """Tell whether SymPy sees a sign, of the expression or of one of its plain forms."""
    if holds(expression):
        return True
    forms = (sp.expand, lambda e: sp.factor(sp.together(e)), _quotient, _conjugate, sp.simplify)
    for form in forms[: 5 if sp.count_ops(expression) < 60 else 4]:
        try:
            if holds(form(expression)):
                return True
        except (NotImplementedError, TypeError, ValueError, AttributeError, sp.PolynomialError):
            continue
    return False


def _quotient(expression):
    """Return an expression as numerator over denominator, both multiplied out."""
    top, bottom = sp.fraction(sp.together(expression))
    return sp.expand(top) / sp.expand(bottom)


def waves_free(expression):
    """Return an expression with every sine, cosine and tanh replaced by a free number in (-1, 1]."""
    waves = sorted(expression.atoms(sp.sin, sp.cos, sp.tanh), key=sp.default_sort_key)
    waves = [wave for wave in waves if wave.args[0].is_extended_real]
    free = {wave: 2 / (1 + sp.Dummy("w", nonnegative=True)) - 1 for wave in waves}
    return sp.factor(sp.together(expression.xreplace(free))) if free else expression


def _conjugate(expression):
    """Return ``a + b`` with a root in ``b`` as ``(a² - b²) / (a - b)``, in every factor."""

    def turned(factor):
        roots = [term for term in sp.Add.make_args(factor) if any(p.exp == sp.S.Half for p in term.atoms(sp.Pow))]
        if not isinstance(factor, sp.Add) or len(roots) != 1:
            return factor
        rest = factor - roots[0]
        return sp.factor(sp.expand(rest**2 - roots[0] ** 2)) / (rest - roots[0])

    return sp.Mul(*(turned(factor) for factor in sp.Mul.make_args(expression)))

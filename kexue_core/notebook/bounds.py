"""Named arguments for an inequality: a tangent line and Jensen's inequality."""

from dataclasses import dataclass

import sympy as sp

__all__ = ["Jensen", "Tangent"]


@dataclass(frozen=True)
class Tangent:
    """The gap between both sides is convex in ``var`` and touches zero at ``at``: its second derivative is positive.

    Parameters
    ----------
    var : Symbol
        A real symbol; the bound is claimed on the whole interval that its assumptions leave.
    at : Expr
        The point in that interval where both sides and their slopes are equal.

    Examples
    --------
    >>> from kexue_core.notebook import Derivation
    >>> t = sp.symbols("t", positive=True)
    >>> Derivation(sp.log(t)).bound(t - 1, "tangent line at 1", by=Tangent(t, at=1)).result
    t - 1
    """

    var: sp.Symbol
    at: sp.Expr


@dataclass(frozen=True)
class Jensen:
    r"""Jensen's inequality: :math:`f(\sum_i p_ix_i)\le\sum_i p_if(x_i)` for convex :math:`f` and weights with sum 1.

    Parameters
    ----------
    function : FunctionClass or Lambda
        Its second derivative must be provably of one sign; for a concave function the bound turns round.
    weights : dict of Expr to Expr
        The points :math:`x_i` and their nonnegative weights :math:`p_i`.

    Examples
    --------
    >>> from kexue_core.notebook import Derivation
    >>> x, y = sp.symbols("x y", real=True)
    >>> halves = Jensen(sp.exp, {x: sp.Rational(1, 2), y: sp.Rational(1, 2)})
    >>> Derivation(sp.exp((x + y) / 2)).bound((sp.exp(x) + sp.exp(y)) / 2, "convex", by=halves).result
    exp(x)/2 + exp(y)/2
    """

    function: object
    weights: dict

r"""Declared laws of random symbols, and the mean of an expression over them.

Laws that are listed together are independent. A law says what a symbol is distributed as; it is not a random number
generator. The mean is taken by moments where the expression is a polynomial in the symbol, else by the density.
"""

from dataclasses import dataclass

import sympy as sp

__all__ = ["Bernoulli", "Exponential", "Moments", "Normal", "Rademacher", "Uncorrelated", "Uniform"]


@dataclass(frozen=True)
class Normal:
    r"""The normal law :math:`N(\mu,\sigma^2)` of a real symbol, given by mean and standard deviation."""

    symbol: sp.Symbol
    mean: object = 0
    std: object = 1


@dataclass(frozen=True)
class Uniform:
    """The uniform law of a real symbol on the interval from ``low`` to ``high``."""

    symbol: sp.Symbol
    low: object = 0
    high: object = 1


@dataclass(frozen=True)
class Rademacher:
    """Plus or minus one, each with probability one half."""

    symbol: sp.Symbol


@dataclass(frozen=True)
class Bernoulli:
    """One with probability ``p``, else zero."""

    symbol: sp.Symbol
    p: object = sp.Rational(1, 2)


@dataclass(frozen=True)
class Exponential:
    """The exponential law of a nonnegative symbol, with mean ``1 / rate``."""

    symbol: sp.Symbol
    rate: object = 1


@dataclass(frozen=True)
class Moments:
    """Any law of a real symbol with these moments: ``Moments(x, {1: 0, 2: V})``; others must not be needed."""

    symbol: sp.Symbol
    moments: dict


class Uncorrelated(tuple):
    """Laws whose symbols are pairwise uncorrelated, not independent: ``Uncorrelated(law, law, …)``.

    The mean of a product of two symbols is the product of their means; nothing is known of products of more factors,
    or of higher powers.
    """

    def __new__(cls, *laws):
        return super().__new__(cls, laws)

r"""How much of a random relu layer a fraction of its experts carries, without sampling.

Result and assumptions are those of `kept_share`; which experts to keep is `geometry`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.special import normal_cdf, normal_quantile

__all__ = ["kept_share"]


def kept_share(q: ArrayLike, c: int, router: str = "norm") -> NDArray[np.float64]:
    r"""Return the share of the mean squared output that a fraction of random relu experts carries.

    Weights are centred Gaussian, the layer wide, the input long: an expert of ``c`` hidden units has a squared length
    proportional to ``sum_j relu(h_j)^2``, ``h_j ~ N(0, 1)``, and different experts are orthogonal. The ``"norm"``
    router keeps the fraction ``q`` with the largest of these lengths; their law is chi-square with a binomial number
    of degrees. The ``"linear"`` router keeps those with the largest ``sum_j h_j``.

    Parameters
    ----------
    q : (...) array_like
        Fraction of experts, in (0, 1).
    c : int
        Hidden units of an expert, from 1 to a million: time and memory grow with it.
    router : {"norm", "linear"}
        What is known about an expert.

    Returns
    -------
    share : (...) ndarray or float
        Between ``q`` and 1 for "norm", which tends to ``q`` as ``c`` grows; never above that for "linear".

    Raises
    ------
    ValueError
        If ``q`` or ``c`` lies outside, or the router is unknown.

    References
    ----------
    .. [1] After kexue.fm/archives/10699; the formulas are those of the chapter `moe_geometry`.

    Examples
    --------
    >>> [kept_share(1 / 8, c).round(4) for c in (1, 4, 64)]
    [np.float64(0.7236), np.float64(0.4168), np.float64(0.1876)]
    """
    q, c = _checks.array("q", q, low=0, high=1, open="both"), _checks.integer("c", c, low=1, high=1_000_000)
    _checks.choice("router", router, ("norm", "linear"))
    return (_norm_share(q, c) if router == "norm" else _linear_share(q, c))[()]


def _norm_share(q, c):
    m = np.arange(c + 1)
    log_factorials = np.array([math.lgamma(j / 2 + 1) for j in range(2 * c + 1)])  # of j/2
    whole = log_factorials[::2]
    weight = np.exp(whole[c] - whole - whole[::-1] - c * math.log(2))
    low, high = np.zeros(q.shape), np.full(q.shape, 4.0 * c + 1600.0)
    for _ in range(80):
        middle = (low + high) / 2
        above = _chi_square_tails(middle, log_factorials[: c + 1])[..., :-2] @ weight > q
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    # at q above P(some h_j > 0) all experts that are not zero are kept
    return np.minimum(2 / c * (_chi_square_tails(high, log_factorials[: c + 1])[..., 2:] @ (weight * m)), 1.0)


def _chi_square_tails(x, log_factorials):
    """Return ``P(chi-square with m degrees > x)`` for m = 0 ... c + 2 along a new last axis."""
    half = np.asarray(x / 2)[..., None]
    steps = np.exp(np.arange(len(log_factorials)) / 2 * np.log(half) - half - log_factorials)
    tails = np.empty((*steps.shape[:-1], len(log_factorials) + 2))
    tails[..., 0], tails[..., 1] = 0.0, 2 * normal_cdf(-np.sqrt(x))
    tails[..., 2::2] = np.cumsum(steps[..., ::2], axis=-1)
    tails[..., 3::2] = tails[..., 1:2] + np.cumsum(steps[..., 1::2], axis=-1)
    return tails


def _linear_share(q, c):
    nodes, weights = np.polynomial.legendre.leggauss(120)
    t = -normal_quantile(q)[..., None]
    total = np.zeros(q.shape)
    for low, high in ((np.minimum(t, 0.0), np.zeros_like(t)), (np.maximum(t, 0.0), np.maximum(t, 0.0) + 12.0)):
        u = (low + high) / 2 + (high - low) / 2 * nodes  # S / sqrt(c)
        mu, v = u / c**0.5, 1 - 1 / c
        if c == 1:
            square = np.maximum(mu, 0.0) ** 2
        else:
            z = mu / v**0.5
            density = np.exp(-(z**2) / 2) / (2 * math.pi) ** 0.5
            square = (mu**2 + v) * normal_cdf(z) + mu * v**0.5 * density
        normal = np.exp(-(u**2) / 2) / (2 * math.pi) ** 0.5
        total += ((high - low) / 2 * square * normal * weights).sum(axis=-1)
    return 2 * total

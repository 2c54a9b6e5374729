"""Maps that are the law of a noisy argmax: ``p_i = P[argmax_j (x_j + noise_j) = i]``, noise independent and identical.

Gumbel noise gives softmax, exponential noise the permute-and-flip mechanism of differential privacy, normal noise a map
without closed form. No sample is drawn: each probability is a one-dimensional integral. Signature as in `simplex`.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention._common import axis_back, shifted_logits
from kexue_core.special import log_normal_cdf, log_normal_density

__all__ = ["perturb_max", "permute_and_flip"]


_NEVER = -1e3  # a logit so far below the maximum has probability 0


def perturb_max(
    x: ArrayLike, noise: str = "normal", *, nodes: int = 400, axis: int = -1, tau: float = 1.0
) -> NDArray[np.float64]:
    """Return ``p_i = P[x_i / tau + e_i is the largest]`` for independent noise ``e_i``.

    At ``tau = 1`` it is the integral of ``f(s - x_i) prod_{j != i} F(s - x_j)`` over ``s``, with density ``f`` and
    distribution function ``F`` of the noise. All ``i`` share the points ``s``, so that the cost is ``n nodes``, not
    ``n^2 nodes`` as with one grid of noise values for each ``i``.

    Parameters
    ----------
    x : (..., n) array_like
        Logits; ``-inf`` is allowed, but not in a whole slice.
    noise : str
        ``"gumbel"`` (the map is softmax), ``"normal"`` (variance 1) or ``"exponential"`` (mean 1).
    nodes : int
        Number of quadrature points; exponential noise takes no more than ``n / 2``, which are exact.
    axis : int
        The axis of length ``n``.
    tau : float
        Temperature, the reciprocal of the scale of the noise relative to that of ``x``.

    Returns
    -------
    p : (..., n) ndarray
        Nonnegative, sums to 1 along ``axis``, in the order of ``x``, unchanged by a constant added to ``x``. With 400
        nodes the absolute error is below 1e-13 for ``n <= 1000``.

    Raises
    ------
    ValueError
        If ``x`` is empty, holds NaN or ``inf``, or a slice is all ``-inf``; if ``noise`` is unknown, ``nodes < 1`` or
        so few that none meets the integrand, or ``tau <= 0``.

    References
    ----------
    .. [1] kexue.fm/archives/10145, result 8 (there: noise values on a uniform grid of the quantile, for each i).

    Examples
    --------
    >>> from kexue_core.special import normal_cdf
    >>> perturb_max([1, 0]).round(3), normal_cdf(1 / 2**0.5).round(3)
    (array([0.76, 0.24]), np.float64(0.76))
    >>> perturb_max([-2, 0, 0.5], "gumbel").round(3)
    array([0.049, 0.359, 0.592])
    """
    rule, log_density, log_cdf = _NOISE[_checks.choice("noise", noise, tuple(_NOISE))]
    u = np.maximum(shifted_logits(x, axis, tau)[0], _NEVER)
    p = np.zeros_like(u)
    points, weights = rule(_checks.integer("nodes", nodes, low=1), u.shape[-1])
    block = max(1, 2**14 // max(1, u.size))  # so many nodes at once
    place = (..., *u.ndim * [None])
    for i in range(0, len(points), block):
        s = points[i : i + block][place] - u
        below = log_cdf(s)
        # in logarithms: the product over all n, divided by the own factor, would be 0 / 0 far to the left
        terms = np.exp(log_density(s) + below.sum(axis=-1, keepdims=True) - below)
        p += (weights[i : i + block][place] * terms).sum(axis=0)
    total = p.sum(axis=-1, keepdims=True)
    if (total == 0).any():
        raise ValueError(f"nodes must be enough for {u.shape[-1]} logits, got {nodes}, of which none sees a density")
    return axis_back(p / total, axis)


def permute_and_flip(x: ArrayLike, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.float64]:
    """Return the law of: visit the items in random order, accept item i with probability ``exp((x_i - max x) / tau)``.

    Rounds are repeated until one is accepted, which the maximum always is. With ``a_i`` for that probability,
    ``p_i`` is the integral of ``a_i prod_{j != i} (1 - a_j v)`` over ``0 < v < 1`` (``v`` is the time of the visit).

    Parameters
    ----------
    x, axis, tau
        As in `perturb_max`.

    Returns
    -------
    p : (..., n) ndarray
        Nonnegative, sums to 1 along ``axis``, in the order of ``x``; equal to `perturb_max` with exponential noise. The
        quadrature is exact for ``n <= 256``; beyond, its error stays at rounding (measured to ``n = 10000``).

    Raises
    ------
    ValueError
        If ``x`` is empty, holds NaN or ``inf``, or a slice is all ``-inf``; if ``tau <= 0``.

    References
    ----------
    .. [1] kexue.fm/archives/10145, result 8; McKenna and Sheldon, arXiv:2010.12603; Ding et al., arXiv:2105.07260.

    Examples
    --------
    >>> permute_and_flip([1, 0]).round(3), round(1 - np.exp(-1) / 2, 3)
    (array([0.816, 0.184]), np.float64(0.816))
    """
    a = np.exp(shifted_logits(x, axis, tau)[0])
    p = np.zeros_like(a)
    n = a.shape[-1]
    # exact from n / 2 nodes on; for large n the integrand has width >= 1 / n, which needs of the order sqrt(n) nodes
    for v, weight in zip(*_unit_legendre(min((n + 1) // 2, 128 + 3 * math.isqrt(n)))):
        reject = 1 - a * v
        p += weight * a * (reject.prod(axis=-1, keepdims=True) / reject)
    return axis_back(p / p.sum(axis=-1, keepdims=True), axis)


def _log_gumbel_cdf(s):
    return -np.exp(-s)


def _log_exponential_cdf(s):
    return np.log1p(-np.exp(-s))


def _interval(low, high):
    """Return the rule of equal weights: it converges faster than any power of the step if both ends are negligible."""

    def rule(nodes, n):
        end = high + np.log(n)
        return low + (end - low) * (np.arange(nodes) + 0.5) / nodes, np.full(nodes, 1.0)

    return rule


@functools.cache  # the nodes are eigenvalues: O(nodes^3)
def _unit_legendre(nodes):
    v, weight = np.polynomial.legendre.leggauss(nodes)
    return (1 + v) / 2, weight / 2


def _exponential_rule(nodes, n):
    """Return Gauss-Legendre in ``v = exp(-s)``, in which the integrand is a polynomial of degree ``n - 1``."""
    v, weight = _unit_legendre(min(nodes, (n + 1) // 2))
    return -np.log(v), weight / v


# name: quadrature rule for the integral over s when max x = 0, log density, log distribution function
_NOISE = {
    "gumbel": (_interval(-4, 40), lambda s: -s - np.exp(-s), _log_gumbel_cdf),
    "normal": (_interval(-20, 10), log_normal_density, log_normal_cdf),
    "exponential": (_exponential_rule, np.negative, _log_exponential_cdf),
}

"""Rectified flow, ``x_t = (1 - t) x_0 + t x_1``, from data at ``t = 0`` to standard normal noise at ``t = 1``, exactly.

`flow_denoise` brings the denoisers of `denoisers` into its time. The velocity ``E[x_1 - x_0 | x_t = x]`` is ``(x - D) /
t`` there too, so that all of `samplers` serves, with times from 1 down to 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Denoiser, denoised, line, line_mixture, shares
from kexue_core.special import log_normal_cdf, log_normal_density

__all__ = ["flow_denoise", "flow_velocity_variance", "consistency_mixture"]

_SMALLEST = 2.0**-52


def flow_denoise(denoise: Denoiser, x: ArrayLike, t: ArrayLike) -> NDArray[np.float64]:
    """Return the denoiser of rectified flow, ``E[x_0 | (1 - t) x_0 + t x_1 = x] = D(x / (1 - t), t / (1 - t))``.

    Bind the data by ``partial(flow_denoise, partial(denoise_mixture, ...))``: the result is a denoiser ``(x, t)`` for
    `velocity`, `solve_diffusion_ode` and `solve_reference` with times in ``(0, 1]``.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns ``D``, of the shape of ``x``, of which it gets a copy; ``t`` is the noise level.
    x : (..., D) array_like
        Noisy points.
    t : (...) array_like
        Times in ``(0, 1]``: a number, or one for each point. At 1 the noise level is taken as ``2^52``.

    Returns
    -------
    denoised : (..., D) ndarray
        The mean of the data at ``t = 1``, whatever ``x``, up to rounding.

    Raises
    ------
    ValueError
        If a time is not in ``(0, 1]``, or ``denoise`` returns another shape or a value that is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10633, the loss on ``x_0``; Liu et al., arXiv:2209.03003.

    Examples
    --------
    >>> from kexue_core.diffusion.denoisers import denoise_gaussian
    >>> flow_denoise(denoise_gaussian, [[2.0], [2.0]], [0.5, 1.0]).round(3)
    array([[2.],
           [0.]])
    """
    x, t = _checks.array("x", x, core=1), _checks.array("t", t, low=0, high=1, open="low")
    _checks.broadcast(("x", x, 1), ("t", t, 0))
    rest = np.maximum(1 - t, _SMALLEST)
    with np.errstate(over="ignore"):
        scaled = _checks.result(x / rest[..., None], "x")
    return denoised(denoise, np.asarray(scaled), (t / rest)[()], scaled.shape)


def flow_velocity_variance(
    x: ArrayLike, t: ArrayLike, *, means: ArrayLike, stds: ArrayLike, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return ``Var(x_1 - x_0 | x_t = x)``: how much the straight lines through a point differ in direction.

    For each component ``x_1 - x_0`` given ``x_t`` is normal with variance ``stds^2 / V``, ``V = (1 - t)^2 stds^2 +
    t^2``; the spread of their means adds to it. Training costs ``h^2 / 2`` times this times ``f''`` in each step.

    Parameters
    ----------
    x : (..., 1) array_like
        Points on a line.
    t : (...) array_like
        Times in ``[0, 1]``: a number, or one for each point.
    means : (K, 1) array_like
        Centres of the components.
    stds : float or (K,) array_like
        Their standard deviations, positive.
    weights : (K,) array_like, optional
        Their probabilities, positive with sum 1. Equal by default.

    Returns
    -------
    variance : (..., 1) ndarray
        Positive; 1 at ``t = 0``, the variance of the data at ``t = 1``.

    Raises
    ------
    ValueError
        If a time is not in ``[0, 1]``, ``stds <= 0``, weights are not probabilities, or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10633, stepwise training.

    Examples
    --------
    >>> flow_velocity_variance([[0.0], [0.0]], [0.0, 0.5], means=[[-1.0], [1.0]], stds=0.5).round(3)
    array([[1.  ],
           [3.36]])
    """
    means, stds, weights = line_mixture(means, stds, weights)
    x, t = line("x", x), _checks.array("t", t, low=0, high=1)
    _checks.broadcast(("x", x, 1), ("t", t, 0))
    t = t[..., None]
    with np.errstate(over="ignore", invalid="ignore"):
        scale, off, p = shares(x, t, means, stds, weights)
        slope = t / scale - (1 - t) * stds / scale * stds
        middle = slope * off - means
        mean = (p * middle).sum(axis=-1, keepdims=True)
        variance = (p * ((stds / scale) ** 2 + (middle - mean) ** 2)).sum(axis=-1, keepdims=True)
    return _checks.result(variance, "x", "means", "stds")


def consistency_mixture(
    x: ArrayLike, t: ArrayLike, *, means: ArrayLike, stds: ArrayLike, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return where the flow carries a point of the line from time ``t`` to 0: the exact consistency function.

    Paths on a line do not cross, so that they keep the quantile: ``f(x, t) = Q_0(F_t(x))`` with ``F_t`` the
    distribution function of ``x_t`` and ``Q_0`` the quantiles of the data. Solved on the side of the smaller tail, in
    logarithms, by Newton's method kept in a bracket by bisection.

    Parameters
    ----------
    x : (..., 1) array_like
        Points on a line.
    t : (...) array_like
        Times in ``[0, 1]``: a number, or one for each point.
    means : (K, 1) array_like
        Centres of the components.
    stds : float or (K,) array_like
        Their standard deviations, positive.
    weights : (K,) array_like, optional
        Their probabilities, positive with sum 1. Equal by default.

    Returns
    -------
    f : (..., 1) ndarray
        Increasing in ``x``, and ``x`` itself at ``t = 0``. Its error is that of a quantile, about ``1e-16`` over the
        density of the data at ``f``: none is known in a gap where that is below 1e-16.

    Raises
    ------
    ValueError
        If a time is not in ``[0, 1]``, ``stds <= 0``, weights are not probabilities, or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10633; Song et al., arXiv:2303.01469, Definition 1.

    Examples
    --------
    >>> consistency_mixture([[0.5], [2.0]], 1.0, means=[[-1.0], [1.0]], stds=0.1).round(3)
    array([[0.97 ],
           [1.169]])
    """
    means, stds, weights = line_mixture(means, stds, weights)
    x, t = line("x", x), _checks.array("t", t, low=0, high=1)
    shape = (*_checks.broadcast(("x", x, 1), ("t", t, 0)), 1)
    if not np.prod(shape):
        return np.empty(shape)
    t, log_w = t[..., None], np.log(weights)
    with np.errstate(all="ignore"):
        z = _checks.result((x - (1 - t) * means) / np.hypot((1 - t) * stds, t), "x", "means")
        below, above = (_log_sum(log_w + log_normal_cdf(side * z)) for side in (1, -1))
        side = np.where(below < above, 1.0, -1.0)  # of the smaller tail
        goal = np.minimum(below, above)
        # All quantiles of the components at that probability lie between these, so that of the mixture does.
        low = (means + stds * z.min(axis=-1, keepdims=True)).min(axis=-1, keepdims=True)
        high = (means + stds * z.max(axis=-1, keepdims=True)).max(axis=-1, keepdims=True)
        low, high = _checks.result(low, "x", "means"), _checks.result(high, "x", "means")
        y = np.clip(np.broadcast_to(x, shape), low, high)
        found = y.reshape(-1, 1)
        side, goal, low, high = (np.broadcast_to(part, shape).reshape(-1, 1) for part in (side, goal, low, high))
        open_at, y, smallest = np.arange(len(found)), found.copy(), 4e-16 * stds.min()
        for _ in range(200):
            u = side * (y - means) / stds
            tail = _log_sum(log_w + log_normal_cdf(u))
            miss = tail - goal
            left = miss * side < 0  # y lies left of the solution
            low, high = np.where(left, y, low), np.where(left, high, y)
            slope = side * np.exp(_log_sum(log_w + log_normal_density(u) - np.log(stds)) - tail)
            newton = y - miss / slope
            inside = (newton > low) & (newton < high)
            new = np.where(miss == 0, y, np.where(inside, newton, low + (high - low) / 2))
            found[open_at] = new
            going = ~(np.abs(new - y) <= np.maximum(4e-16 * np.abs(new), smallest))[:, 0]
            if not going.any():
                break
            open_at, y = open_at[going], new[going]
            side, goal, low, high = (part[going] for part in (side, goal, low, high))
    exact = np.broadcast_to(t == 0, shape)
    return _checks.result(np.where(exact, x, found.reshape(shape)), "x", "means")


def _log_sum(logs):
    top = logs.max(axis=-1, keepdims=True)
    return top + np.log(np.exp(logs - top).sum(axis=-1, keepdims=True))

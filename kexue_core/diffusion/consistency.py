"""Consistency models whose training is solved exactly: the map from noise to data, its training, its sampler.

Rectified flow, ``x_t = (1 - t) x_0 + t x_1`` with data ``x_0`` at ``t = 0`` and standard normal noise ``x_1`` at
``t = 1``. A consistency function ``f(x, t)`` sends a noisy point to data in one evaluation, and is called like a
denoiser of `denoisers`. `flow_denoise` brings those into the time of the flow; ``x - f`` over ``t`` is a velocity there
too, so that all of `samplers` serves: consistency distillation without error *is*
``solve_diffusion_ode(partial(flow_denoise, denoise), x, times)``, Euler's method.

Where a network would be trained, `train_consistency` returns the exact minimiser of each stage, for data on a line that
are a mixture of Gaussians. Times decrease, as in `samplers`: from 1, or less, down to 0.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Array, Callback, Denoiser, decreasing_times, denoised, not_negative
from kexue_core.special import log_normal_cdf, log_normal_density

__all__ = [
    "ConsistencyTable",
    "consistency_mixture",
    "consistency_sample",
    "consistency_step",
    "flow_denoise",
    "flow_velocity_variance",
    "gaussian_consistency_gain",
    "train_consistency",
]

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
    means, stds, weights = _mixture(means, stds, weights)
    x, t = _line("x", x), _checks.array("t", t, low=0, high=1)
    _checks.broadcast(("x", x, 1), ("t", t, 0))
    t = t[..., None]
    with np.errstate(over="ignore", invalid="ignore"):
        V = ((1 - t) * stds) ** 2 + t * t
        off = x - (1 - t) * means
        p = _softmax(np.log(weights) - np.log(V) / 2 - off / V * off / 2, "x")
        slope = (t - (1 - t) * stds**2) / V
        middle = slope * off - means
        mean = (p * middle).sum(axis=-1, keepdims=True)
        variance = (p * (stds**2 / V + (middle - mean) ** 2)).sum(axis=-1, keepdims=True)
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
    means, stds, weights = _mixture(means, stds, weights)
    x, t = _line("x", x), _checks.array("t", t, low=0, high=1)
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
            if (np.abs(new - y) <= 4e-16 * np.maximum(np.abs(new), stds.min())).all():
                break
            y = new
    exact = np.broadcast_to(t == 0, shape)
    return _checks.result(np.where(exact, x, new), "x", "means")


def consistency_step(
    consistency: Denoiser,
    x: ArrayLike,
    t: float,
    s: float,
    *,
    means: ArrayLike,
    stds: ArrayLike,
    weights: ArrayLike | None = None,
    nodes: int = 20,
) -> NDArray[np.float64]:
    """Return ``E[f(x_s, s) | x_t = x]``, one stage of training: the best answer at ``t`` to targets made at ``s < t``.

    That is the minimiser of ``E|g(x_t) - f(x_s, s)|^2`` over all functions ``g``; ``x_s`` and ``x_t`` belong to the
    same pair of data and noise. Given ``x_t``, component ``k`` makes ``x_s`` normal, with mean ``(1 - s) means_k +
    (C / V) (x - (1 - t) means_k)`` and standard deviation ``stds_k (t - s) / V^(1/2)``, ``C`` the covariance of ``x_s``
    and ``x_t``, ``V`` the variance of ``x_t``; ``f`` is averaged over it by Gauss-Hermite quadrature.

    Parameters
    ----------
    consistency : callable
        ``consistency(x, s)`` returns ``f``, of the shape of ``x``, of which it gets a copy.
    x : (..., 1) array_like
        Points on a line.
    t, s : float
        Times, ``0 <= s < t <= 1``.
    means : (K, 1) array_like
        Centres of the components.
    stds : float or (K,) array_like
        Their standard deviations, positive.
    weights : (K,) array_like, optional
        Their probabilities, positive with sum 1. Equal by default.
    nodes : int
        Of the quadrature, between 1 and 100.

    Returns
    -------
    g : (..., 1) ndarray
        Between the smallest and the largest value of ``f``; for ``f(x, s) = x`` at ``s = 0`` the denoiser.

    Raises
    ------
    ValueError
        If not ``0 <= s < t <= 1``, ``stds <= 0``, weights are not probabilities, or ``consistency`` returns another
        shape or a value that is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10633, stepwise training.

    Examples
    --------
    >>> consistency_step(lambda x, t: x, [[2.0]], 0.5, 0.0, means=[[0.0]], stds=1.0).round(6)
    array([[2.]])
    """
    means, stds, weights = _mixture(means, stds, weights)
    x, t = _line("x", x), _checks.number("t", t, low=0, high=1, open="low")
    s = _checks.number("s", s, low=0)
    if s >= t:
        raise ValueError(f"s must be below t = {t}, got {s}")
    return _step(consistency, x, t, s, means, stds, weights, *_quadrature(nodes))


class ConsistencyTable(NamedTuple):
    """A consistency function on a grid, as `train_consistency` returns it; call it like a denoiser, ``f(x, t)``.

    ``values[k]`` holds ``f(grid, times[k])``. Between the points of the grid it is the cubic through the four nearest
    ones; outside the grid it is constant.
    """

    times: NDArray[np.float64]
    grid: NDArray[np.float64]
    values: NDArray[np.float64]

    def __call__(self, x: ArrayLike, t: float) -> NDArray[np.float64]:
        """Return ``f(x, t)`` at points ``(..., 1)`` for one of ``times``."""
        x, t = _line("x", x), _checks.number("t", t)
        at = int(np.abs(self.times - t).argmin())
        if abs(self.times[at] - t) > 1e-12:
            raise ValueError(f"t must be one of the {len(self.times)} times of training, got {t}")
        return _interpolate(self.grid, self.values[at], x)


def train_consistency(
    times: ArrayLike,
    grid: ArrayLike,
    *,
    means: ArrayLike,
    stds: ArrayLike,
    weights: ArrayLike | None = None,
    nodes: int = 20,
) -> ConsistencyTable:
    """Train a consistency model exactly: ``f_t(x) = E[f_s(x_s) | x_t = x]`` for each time ``t`` and the next one ``s``.

    Each stage is a `consistency_step` with the one before, held fixed, known on a grid. Cost: ``nodes`` interpolations
    for each time, component and point of the grid.

    Parameters
    ----------
    times : (N,) array_like
        Strictly decreasing, from at most 1 to 0, at least 2.
    grid : (G,) array_like
        Equally spaced, increasing, at least 4. It should reach some way beyond what noise and data reach.
    means : (K, 1) array_like
        Centres of the components.
    stds : float or (K,) array_like
        Their standard deviations, positive.
    weights : (K,) array_like, optional
        Their probabilities, positive with sum 1. Equal by default.
    nodes : int
        Of the quadrature, between 1 and 100.

    Returns
    -------
    trained : ConsistencyTable
        ``times``, ``grid`` and ``values`` of shape (N, G), of which the last row is ``grid``. The error of
        interpolation grows with the fourth power of the spacing over the width of the stairs.

    Raises
    ------
    ValueError
        If times do not decrease from at most 1 to 0, the grid is not equally spaced, ``stds <= 0``, weights are not
        probabilities, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10633, stepwise training; Song et al., arXiv:2303.01469, Algorithm 3.

    Examples
    --------
    >>> trained = train_consistency([1.0, 0.5, 0.0], np.linspace(-8, 8, 801), means=[[0.0]], stds=1.0)
    >>> trained([[1.0]], 1.0).round(6), trained([[1.0]], 0.5).round(6)
    (array([[0.5]]), array([[1.]]))
    """
    means, stds, weights = _mixture(means, stds, weights)
    times = _training_times(times)
    grid = _checks.array("grid", grid, ndim=1)
    if len(grid) < 4:
        raise ValueError(f"grid must hold at least 4 points, got {len(grid)}")
    steps = np.diff(grid)
    spacing = (grid[-1] - grid[0]) / (len(grid) - 1)
    if not (spacing > 0 and np.abs(steps / spacing - 1).max() < 1e-6):
        raise ValueError(f"grid must be increasing and equally spaced, got steps from {steps.min()} to {steps.max()}")
    rule, rows = _quadrature(nodes), [grid]
    for t, s in reversed(list(pairwise(times))):

        def known(x, _, values=rows[-1]):
            return _interpolate(grid, values, x)

        step = _step(known, grid[:, None], t, s, means, stds, weights, *rule)
        rows.append(step[:, 0])
    return ConsistencyTable(np.array(times), grid.copy(), _checks.result(np.array(rows[::-1]), "grid", "means"))


def consistency_sample(
    consistency: Denoiser,
    x: ArrayLike,
    times: ArrayLike,
    *,
    rng: np.random.Generator | None = None,
    callback: Callback | None = None,
) -> NDArray[np.float64]:
    """Sample with one evaluation per time: ``x_0 = f(x, times[0])``, then noise again and once more, down the times.

    At each further time ``x_t = (1 - t) x_0 + t z`` with new standard normal ``z``, and ``x_0 = f(x_t, t)``.

    Parameters
    ----------
    consistency : callable
        ``consistency(x, t)`` returns ``f``, of the shape of ``x``, of which it gets a copy.
    x : (..., D) array_like
        Start at ``times[0]``; at time 1 standard normal noise.
    times : (N,) array_like
        In ``(0, 1]``, strictly decreasing, at least one.
    rng : numpy.random.Generator, optional
        Draws noise of the shape of ``x`` for each time but the first; needed unless there is only one.
    callback : callable, optional
        ``callback(t, x)`` sees a copy of the state at each of ``times``, and of the sample at 0.

    Returns
    -------
    x : (..., D) ndarray
        Samples. With the exact consistency function their law is that of the data, for any ``times`` that begin at 1.

    Raises
    ------
    ValueError
        If times are not decreasing in ``(0, 1]``, or a value becomes infinite or NaN.
    TypeError
        If ``rng`` is missing.

    References
    ----------
    .. [1] kexue.fm/archives/10633, sampling; Song et al., arXiv:2303.01469, Algorithm 1.

    Examples
    --------
    >>> from functools import partial
    >>> exact = partial(consistency_mixture, means=[[-1.0], [1.0]], stds=0.1)
    >>> consistency_sample(exact, [[-0.5], [0.5]], [1.0]).round(3)
    array([[-0.97],
           [ 0.97]])
    """
    x, times = _checks.array("x", x, core=1), _checks.array("times", times, ndim=1, low=0, high=1, open="low")
    if not len(times) or (np.diff(times) >= 0).any():
        raise ValueError(f"times must be strictly decreasing, at least one, got {times}")
    if len(times) > 1:
        rng = _checks.generator("rng", rng)
    for i, t in enumerate(times.tolist()):
        if i:
            x = (1 - t) * x + t * rng.standard_normal(x.shape)
        if callback is not None:
            callback(t, x.copy())
        x = denoised(consistency, x, t, x.shape)
    if callback is not None:
        callback(0.0, x.copy())
    return x.copy()


def gaussian_consistency_gain(times: ArrayLike, std: ArrayLike) -> NDArray[np.float64]:
    """Return the gain ``c`` of exact training on data ``N(0, std^2)``, for which ``f(x, t) = c_t x`` at every stage.

    ``c_t = c_s Cov(x_s, x_t) / V_t``. Consistency distillation by Euler steps gives the same, because ``Cov(x_s, x_t)
    = V_t - (t - s) V_t' / 2``.

    Parameters
    ----------
    times : (N,) array_like
        Strictly decreasing, from at most 1 to 0, at least 2.
    std : (...) array_like
        Standard deviation of the data, not negative.

    Returns
    -------
    gain : (..., N) ndarray
        At each of ``times``: 1 at the last. The exact map has ``std / V_t^(1/2)``, which is approached as ``1 / N``.

    Raises
    ------
    ValueError
        If times do not decrease from at most 1 to 0, or ``std`` is negative or not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10633, stepwise training and distillation.

    Examples
    --------
    >>> gaussian_consistency_gain(np.linspace(1, 0, 5), 1.0).round(4)
    array([0.72, 0.96, 1.2 , 1.2 , 1.  ])
    """
    times, std = np.array(_training_times(times)), not_negative("std", std)[..., None]
    t, s = times[:-1], times[1:]
    with np.errstate(over="ignore", invalid="ignore"):
        # Both hypotenuses in place of variances: the square of a tiny or huge std would be lost.
        scale = np.hypot((1 - t) * std, t)
        ratios = (1 - s) * std / scale * ((1 - t) * std / scale) + s / scale * (t / scale)
        gain = np.cumprod(ratios[..., ::-1], axis=-1)[..., ::-1]
    return _checks.result(np.concatenate([gain, np.ones((*std.shape[:-1], 1))], axis=-1), "std")


def _step(f, x, t, s, means, stds, weights, at, p):
    """Return ``E[f(x_s, s) | x_t = x]``; ``at``, ``p`` are nodes and weights of a rule for the standard normal law."""
    with np.errstate(over="ignore", invalid="ignore"):
        V = ((1 - t) * stds) ** 2 + t * t
        C = (1 - s) * (1 - t) * stds**2 + s * t
        off = x - (1 - t) * means
        share = _softmax(np.log(weights) - np.log(V) / 2 - off / V * off / 2, "x")
        middle = (1 - s) * means + C / V * off
        width = stds * (t - s) / np.sqrt(V)
        landed = _checks.result(middle[..., None] + width[:, None] * at, "x", "means", "stds")[..., None]
    values = denoised(f, landed, s, landed.shape)[..., 0]
    return ((values @ p) * share).sum(axis=-1, keepdims=True)


def _quadrature(nodes):
    at, p = np.polynomial.hermite_e.hermegauss(_checks.integer("nodes", nodes, low=1, high=100))
    return at, p / p.sum()


def _interpolate(grid, values, x):
    """Return the cubic through the four values of a uniform grid around ``x``; constant outside the grid."""
    place = (np.clip(x, grid[0], grid[-1]) - grid[0]) * ((len(grid) - 1) / (grid[-1] - grid[0]))
    first = np.clip(place.astype(np.int64), 1, len(grid) - 3)
    u = place - first
    a, b, c, d = (values[first + i] for i in (-1, 0, 1, 2))
    third = (d - a) / 6 + (b - c) / 2
    second = (a + c) / 2 - b
    return b + u * (c - a / 3 - b / 2 - d / 6 + u * (second + u * third))


def _training_times(times):
    times = decreasing_times(times, zero=True)
    if times[0] > 1 or times[-1] != 0:
        raise ValueError(f"times must go from at most 1 to 0, got {times[0]} and {times[-1]}")
    return times


def _line(name: str, value: Any) -> Array:
    return _checks.array(name, value, core=1, last=1)


def _mixture(means, stds, weights) -> tuple[Array, Array, Array]:
    means = _checks.array("means", means, ndim=2, core=2, last=1)[:, 0]
    stds = _checks.array("stds", stds, low=0, open="low")
    if stds.shape not in ((), means.shape):
        raise ValueError(f"stds must be a number or have shape ({len(means)},), got shape {stds.shape}")
    weights = np.full(len(means), 1 / len(means)) if weights is None else weights
    return (
        means,
        np.broadcast_to(stds, means.shape),
        _checks.distribution("weights", weights, positive=True, shape=means.shape),
    )


def _softmax(logits, name):
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return _checks.result(p / p.sum(axis=-1, keepdims=True), name, "means", "stds")


def _log_sum(logs):
    top = logs.max(axis=-1, keepdims=True)
    return top + np.log(np.exp(logs - top).sum(axis=-1, keepdims=True))

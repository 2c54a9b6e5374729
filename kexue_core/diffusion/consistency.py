"""Consistency models whose training is solved exactly: stages, their table, the sampler.

A consistency function ``f(x, t)`` sends a noisy point to data in one evaluation, and is called like a denoiser of
`denoisers`; data and noise are joined as in `flow`, which holds the exact one. Consistency distillation without error
*is* ``solve_diffusion_ode(partial(flow_denoise, denoise), x, times)``, Euler's method.

Where a network would be trained, `train_consistency` returns the exact minimizer of each stage, for data on a line that
are a mixture of Gaussians. Times decrease, as in `samplers`: from 1, or less, down to 0.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import (
    Callback,
    Denoiser,
    decreasing_times,
    denoised,
    line,
    line_mixture,
    not_negative,
    report,
    shares,
)

__all__ = [
    "consistency_step",
    "ConsistencyTable",
    "train_consistency",
    "consistency_sample",
    "gaussian_consistency_gain",
]


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

    That is the minimizer of ``E|g(x_t) - f(x_s, s)|^2`` over all functions ``g``; ``x_s`` and ``x_t`` belong to the
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
    means, stds, weights = line_mixture(means, stds, weights)
    x, t = line("x", x), _checks.number("t", t, low=0, high=1, open="low")
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
        x, t = line("x", x), _checks.number("t", t)
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
    means, stds, weights = line_mixture(means, stds, weights)
    times = _training_times(times)
    grid = _checks.array("grid", grid, ndim=1)
    if len(grid) < 4:
        raise ValueError(f"grid must hold at least 4 points, got {len(grid)}")
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(grid)
        spacing = (grid[-1] - grid[0]) / (len(grid) - 1)
    if not np.isfinite(spacing):
        raise ValueError(f"grid must have a finite length, got from {grid[0]} to {grid[-1]}")
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
    >>> from kexue_core.diffusion.flow import consistency_mixture
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
        report(callback, t, x)
        x = denoised(consistency, x, t, x.shape, "consistency")
    report(callback, 0.0, x)
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
        scale, off, share = shares(x, t, means, stds, weights)
        drag = (1 - s) * stds * ((1 - t) * stds / scale) + s * (t / scale)
        middle = (1 - s) * means + drag * off
        width = stds / scale * (t - s)
        landed = _checks.result(middle[..., None] + width[:, None] * at, "x", "means", "stds")[..., None]
    values = denoised(f, landed, s, landed.shape, "consistency")[..., 0]
    return ((values @ p) * share).sum(axis=-1, keepdims=True)


def _quadrature(nodes):
    at, p = np.polynomial.hermite_e.hermegauss(_checks.integer("nodes", nodes, low=1, high=100))
    return at, p / p.sum()


def _interpolate(grid, values, x):
    """Return the cubic through the four values of a uniform grid around ``x``; constant outside the grid."""
    a, b, c, d = values[:-3], values[1:-2], values[2:-1], values[3:]
    cubic = (d - a) / 6 + (b - c) / 2, (a + c) / 2 - b, c - a / 3 - b / 2 - d / 6, b  # of each cell, the cube first
    u = np.clip(x, grid[0], grid[-1]) - grid[0]
    u *= (len(grid) - 1) / (grid[-1] - grid[0])
    cell = np.clip(u.astype(np.int64) - 1, 0, len(grid) - 4)
    u -= cell + 1
    y = cubic[0][cell]
    for coefficient in cubic[1:]:
        y *= u
        y += coefficient[cell]
    return y


def _training_times(times):
    times = decreasing_times(times, zero=True)
    if times[0] > 1 or times[-1] != 0:
        raise ValueError(f"times must go from at most 1 to 0, got {times[0]} and {times[-1]}")
    return times

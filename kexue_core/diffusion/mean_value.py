"""The mean-value theorem for diffusion ODEs: the one time at which a single velocity makes a whole step exact.

For a scalar ODE such a time exists in every step; for vectors it need not, unless the velocity moves on a line. Here
are the time itself where it has a formula (`gaussian_mean_time`), the best time for given data (`fit_mean_direction`),
and the measurement that tells how nearly trajectories are plane curves (`trajectory_pca`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Denoiser, decreasing_times, denoised, not_negative
from kexue_core.diffusion.samplers import METHODS

__all__ = ["gaussian_mean_time", "fit_mean_direction", "TrajectoryPCA", "trajectory_pca"]


def gaussian_mean_time(t: ArrayLike, u: ArrayLike, std: ArrayLike) -> NDArray[np.float64]:
    """Return the time ``s`` at which one ``"amed"`` step from ``t`` to ``u`` is exact for data ``N(mean, std^2 I)``.

    With ``T = sqrt(t^2 + std^2)`` and ``U = sqrt(u^2 + std^2)`` the condition is ``a s^2 + s = b``, ``b = T (t + u) /
    (T + U)``, ``a = (t^2 - u^2) / ((T + U) (t U + u T))``: one positive root, ``s = 2 b / (1 + sqrt(1 + 4 a b))``, free
    of cancellation. The exponent of that step is ``r = log(t / s) / log(t / u)``.

    Parameters
    ----------
    t, u : (...) array_like
        Start and end of the step, ``0 < u < t``.
    std : (...) array_like
        Standard deviation of the data, not negative. For 0 every ``s`` is exact and the limit is returned.

    Returns
    -------
    s : (...) ndarray or float
        Between ``u`` and ``t``; grows with ``std``, up to ``(t + u) / 2`` for ``std -> inf``.

    Raises
    ------
    ValueError
        If ``u <= 0``, ``u >= t``, ``std < 0`` or a value is not finite.

    References
    ----------
    .. [1] The mean-value property of kexue.fm/archives/9881 in the one case where it can be solved; arXiv:2312.00094.

    Examples
    --------
    >>> gaussian_mean_time(80.0, 0.002, [0.05, 1.0]).round(3)
    array([2.015, 8.461])
    """
    t, u, std = _checks.array("t", t), _checks.array("u", u, low=0, open="low"), not_negative("std", std)
    _checks.broadcast(("t", t, 0), ("u", u, 0), ("std", std, 0))
    if (gap := u - t).max(initial=-1) >= 0:
        raise ValueError(f"u must be smaller than t, got u - t = {gap.max()}")
    with np.errstate(over="ignore", invalid="ignore"):
        return _checks.result(_mean_time(t, u, std), "t", "u", "std")


def _mean_time(t, u, std):
    T, U = np.hypot(t, std), np.hypot(u, std)
    b = (t + u) / (1 + U / T)
    # The plain condition, a quadratic with T - U and t U - u T in it, cancels for large std and short steps; here both
    # differences are multiplied out. Ratios of lengths only, and their roots: products of lengths leave the range.
    ratio = (t - u) / T * ((t + u) / T) / (1 + U / T)
    root = np.hypot(1, 2 * np.sqrt(ratio) * (np.sqrt(b) / np.sqrt(t / T * U + u)))
    return np.clip(2 * b / (1 + root), u, t)


def fit_mean_direction(
    denoise: Denoiser,
    x: ArrayLike,
    times: ArrayLike,
    targets: ArrayLike,
    *,
    grid: ArrayLike | None = None,
    analytic_first: bool = False,
) -> NDArray[np.float64]:
    """Return the exponents ``r`` with which ``"amed"`` lands nearest to ``targets``, found step by step.

    ``r_i = argmin_r |x_i + (u - t) v(x_s, s) - targets[i + 1]|^2`` summed over the batch, ``s = u^r t^(1 - r)``, each
    step starting from where the one before landed. One number per step stands in for the small network of the paper.
    Greedy: the end point need not be the best that any ``r`` can reach.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns ``D``, of the shape of ``x``, of which it gets a copy.
    x : (..., D) array_like
        Training noise at ``times[0]``; all leading axes are averaged.
    times : (N,) array_like
        Positive, strictly decreasing, at least 2.
    targets : (N, ..., D) array_like
        Accurate solution at ``times``, from `solve_reference` by way of `trajectory`.
    grid : (G,) array_like, optional
        Exponents to try, in ``[0, 1]``; ``0, 0.01, ..., 1`` by default. Costs ``G + 1`` calls of ``denoise`` for each
        step.
    analytic_first : bool
        As in `solve_diffusion_ode`.

    Returns
    -------
    r : (N - 1,) ndarray
        Values of ``grid``; a later one must lower the squared error by a billionth, or rounding would choose where the
        direction hardly depends on ``r``.

    Raises
    ------
    ValueError
        If times are too few, unsorted or not positive, ``targets`` has another shape, ``grid`` leaves ``[0, 1]``, or a
        value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9881; Zhou et al., arXiv:2312.00094.

    Examples
    --------
    >>> from kexue_core.diffusion.denoisers import denoise_gaussian
    >>> from kexue_core.diffusion.samplers import solve_reference, trajectory
    >>> x, times = [[1.0], [-2.0]], [80.0, 0.002]
    >>> fit_mean_direction(denoise_gaussian, x, times, trajectory(solve_reference, denoise_gaussian, x, times))
    array([0.21])
    """
    x, times = _checks.array("x", x, core=1), decreasing_times(times)
    targets = _checks.array("targets", targets, shape=(len(times), *x.shape))
    grid = np.arange(101) / 100 if grid is None else _checks.array("grid", grid, ndim=1, core=1, low=0, high=1)

    def v(x, t):
        return (x - denoised(denoise, x, t, x.shape)) / t

    fitted = []
    with np.errstate(over="ignore", invalid="ignore"):
        for i, (t, u) in enumerate(pairwise(times)):
            # The first direction of a step does not depend on r.
            d = x / np.hypot(1, t) if analytic_first and i == 0 else v(x, t)
            best, unit = np.inf, _checks.binary_exponent(x, targets[i + 1])
            for r in grid.tolist():
                landed = x + (u - t) * METHODS["amed"].direction(v, x, t, u, d, r)
                error = np.sum(np.ldexp(landed - targets[i + 1], -unit) ** 2)
                if error < (1 - 1e-9) * best or len(fitted) == i:
                    fitted, best, end = [*fitted[:i], r], error, landed
            x = _checks.result(end, "denoise")
            _checks.result(np.array([best]), "x", "targets")
    return np.array(fitted)


class TrajectoryPCA(NamedTuple):
    """Principal components of trajectories, as `trajectory_pca` returns them."""

    explained: NDArray[np.float64]
    coordinates: NDArray[np.float64]
    residuals: NDArray[np.float64]


def trajectory_pca(trajectory: ArrayLike, n_components: int = 3) -> TrajectoryPCA:
    """Return how nearly each trajectory stays on a line, in a plane, in a space, by PCA over its own times.

    Singular value decomposition of ``trajectory - mean over time``, separately for each starting point.

    Parameters
    ----------
    trajectory : (N, ..., D) array_like
        Points at ``N >= 2`` times, not all equal.
    n_components : int
        Between 1 and ``min(N, D)``.

    Returns
    -------
    explained : (n_components, ...) ndarray
        Share of the variance on each component; decreasing, sum at most 1.
    coordinates : (n_components, N, ...) ndarray
        The trajectory in the components; the sign makes the first point's coordinate not negative.
    residuals : (n_components + 1, N, ...) ndarray
        ``residuals[k]``: Euclidean distance to the best ``k``-dimensional affine subspace; for ``k = 0`` to the mean.

    Raises
    ------
    ValueError
        If ``N < 2``, ``n_components`` is out of range, a trajectory does not move, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9881 (why the mean-value property nearly holds); Zhou et al., arXiv:2312.00094.

    Examples
    --------
    >>> parabola = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 4.0]])
    >>> explained, coordinates, residuals = trajectory_pca(parabola, 2)
    >>> explained.round(3), residuals.max(axis=1).round(3)
    (array([0.988, 0.012]), array([2.539, 0.283, 0.   ]))
    """
    trajectory = _checks.array("trajectory", trajectory, core=1)
    if trajectory.ndim < 2 or len(trajectory) < 2:
        raise ValueError(f"trajectory must have shape (N, ..., D) with N at least 2, got shape {trajectory.shape}")
    n = _checks.integer("n_components", n_components, low=1, high=min(len(trajectory), trajectory.shape[-1]))
    if (trajectory == trajectory[0]).all(axis=(0, -1)).any():
        raise ValueError("trajectory must move, got one that is constant in time")
    with np.errstate(over="ignore", invalid="ignore"):
        centred = _checks.result(np.moveaxis(trajectory - trajectory.mean(axis=0), 0, -2), "trajectory")
    unit = _checks.binary_exponent(centred, axis=(-2, -1))
    left, singular, _ = np.linalg.svd(np.ldexp(centred, -unit), full_matrices=False)
    coordinates = left * (singular * np.where(left[..., 0, :] < 0, -1, 1))[..., None, :]
    # Tails of the sum of squares, smallest first: subtracting heads from the total would leave only rounding.
    tails = np.sqrt(np.cumsum(coordinates[..., ::-1] ** 2, axis=-1))[..., ::-1]
    residuals = np.concatenate([tails, np.zeros_like(tails[..., :1])], axis=-1)
    explained = singular**2 / np.sum(singular**2, axis=-1, keepdims=True)
    return TrajectoryPCA(
        np.moveaxis(explained[..., :n], -1, 0),
        np.moveaxis(np.ldexp(coordinates[..., :n], unit), (-1, -2), (0, 1)),
        np.moveaxis(np.ldexp(residuals[..., : n + 1], unit), (-1, -2), (0, 1)),
    )

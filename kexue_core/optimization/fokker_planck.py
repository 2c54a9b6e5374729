"""The Fokker-Planck equation ``dq/dt = (q V')' + q''`` on a grid, and the Langevin equation that it describes.

The grid keeps three properties of the equation exactly: mass, positivity, and the stationary density ``e^-V``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["fokker_planck_matrix", "markov_semigroup", "langevin_path"]

Array = NDArray[np.float64]


def fokker_planck_matrix(x: ArrayLike, potential: ArrayLike) -> Array:
    """Return the rates A of ``dq/dt = A q`` on a grid, by finite volumes with exponential fitting and closed ends.

    From cell i the rate to the next is ``B(d) / h^2``, back ``B(-d) / h^2``, with ``d`` the step of the potential and
    ``B(z) = z / (e^z - 1)`` (Scharfetter and Gummel, Chang and Cooper).

    Parameters
    ----------
    x : (n,) array_like
        At least 2 points at equal distances ``h``.
    potential : (n,) array_like
        ``V`` at the points.

    Returns
    -------
    A : (n, n) ndarray
        Tridiagonal. Columns sum to 0 (mass is kept), off the diagonal nothing is negative (so are densities), and
        ``A e^-V = 0``, however steep ``V``. The error falls with the square of ``h``.

    Raises
    ------
    ValueError
        If the distances are not equal and positive, the shapes differ, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9660, result 9, the equation.

    Examples
    --------
    >>> fokker_planck_matrix([0.0, 1.0, 2.0], [0.0, 0.0, 0.0]).tolist()
    [[-1.0, 1.0, 0.0], [1.0, -2.0, 1.0], [0.0, 1.0, -1.0]]
    """
    x = _checks.array("x", x, ndim=1, core=1)
    if len(x) < 2:
        raise ValueError(f"x must have at least 2 points, got {len(x)}")
    potential = _checks.array("potential", potential, shape=x.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        h = (x[-1] - x[0]) / (len(x) - 1)
        if not h > 0 or (np.abs(np.diff(x) - h) > 1e-6 * h).any():
            raise ValueError(f"x must increase by equal distances, got {x.tolist()!s:.60}")
        drop = _checks.result(np.diff(potential), "potential")
        up, down = (_bernoulli(z) / h / h for z in (drop, -drop))
    rates = _checks.result(np.diag(up, -1) + np.diag(down, 1), "x", "potential")
    with np.errstate(over="ignore"):
        return _checks.result(rates - np.diag(rates.sum(axis=0)), "x", "potential")


def markov_semigroup(rates: ArrayLike, time: float) -> Array:
    """Return ``e^(A t)``, which carries a density over the time ``t``, without subtracting anything.

    With ``A = c (P - I)`` the entries of P are not negative, and neither are the terms of ``e^-ct sum (ct)^k P^k / k!``
    (uniformisation), nor the squarings that lead from a small time to ``t``.

    Parameters
    ----------
    rates : (n, n) array_like
        Columns sum to 0, off the diagonal nothing is negative.
    time : float
        Not negative.

    Returns
    -------
    (n, n) ndarray
        Columns sum to 1 and nothing is negative. The relative error is of the order of ``c t`` roundings.

    Raises
    ------
    ValueError
        If ``rates`` is not a square matrix of that kind, ``time`` is negative, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9660, result 9, whose solution it is on a grid.

    Examples
    --------
    >>> markov_semigroup([[-1.0, 1.0], [1.0, -1.0]], np.log(2)).tolist()
    [[0.625, 0.375], [0.375, 0.625]]
    """
    rates = _checks.array("rates", rates, ndim=2, core=2)
    n = len(rates)
    if rates.shape != (n, n):
        raise ValueError(f"rates must be a square matrix, got shape {rates.shape}")
    time = _checks.number("time", time, low=0)
    c = -rates.diagonal().min()
    jumps = rates * ~np.eye(n, dtype=bool)
    if (jumps < 0).any():
        raise ValueError(f"rates must not be negative off the diagonal, got {jumps.min()}")
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.abs(_checks.result(rates.sum(axis=0), "rates")).max()
        if sums > 1e-9 * max(c, 0) or (c <= 0 and sums > 0):
            raise ValueError(f"rates must have columns with the sum 0, got {sums:.3g}")
        if not c > 0 or not time > 0:
            return np.eye(n)
        total = _checks.result(np.float64(c * time), "rates", "time")
    squarings = max(0, int(np.ceil(np.log2(total) + 3))) if total > 0 else 0
    small = np.ldexp(total, -squarings)  # at most 1/8: twelve terms leave 1e-20
    moved = jumps / c + np.diag(1 - jumps.sum(axis=0) / c).clip(0)
    result = np.eye(n)
    for k in range(12, 0, -1):
        result = np.eye(n) + small / k * moved @ result
    for _ in range(squarings):
        result /= result.sum(axis=0)
        result = result @ result
    return result / result.sum(axis=0)


def langevin_path(
    score: Callable[[Array], ArrayLike], x0: ArrayLike, step: float, n_steps: int, rng: np.random.Generator
) -> Array:
    """Return the path of ``x <- x + h score(x) + sqrt(2 h) noise``, the Langevin equation in steps of time h.

    Parameters
    ----------
    score : callable
        The gradient of the logarithm of the target density, from ``(..., d)`` to that shape.
    x0 : (..., d) array_like
        Start; leading axes hold independent chains.
    step : float
        Time ``h`` of a step, positive.
    n_steps : int
        Not negative.
    rng : numpy.random.Generator
        Draws the noise.

    Returns
    -------
    path : (n_steps + 1, ..., d) ndarray
        The start and the point after each step. For the target ``N(0, 1)`` and ``h < 2`` the chain settles at the
        variance ``1 / (1 - h / 2)``, not 1.

    Raises
    ------
    ValueError
        If ``step`` is not positive, ``score`` returns another shape, or a value is not finite.
    TypeError
        If ``score`` is not callable or ``rng`` is no generator.

    References
    ----------
    .. [1] kexue.fm/archives/9660, result 10.

    Examples
    --------
    >>> path = langevin_path(lambda x: -x, np.zeros(4000), 0.5, 60, np.random.default_rng(0))
    >>> bool(abs(path[-1].var() - 4 / 3) < 0.1)
    True
    """
    score, x = _checks.function("score", score), _checks.array("x0", x0, core=1)
    step = _checks.number("step", step, low=0, open="low")
    n_steps, rng = _checks.integer("n_steps", n_steps, low=0), _checks.generator("rng", rng)
    path = np.empty((n_steps + 1, *x.shape))
    path[0] = x
    for t in range(n_steps):
        drift = _checks.array("score(x)", score(path[t].copy()), shape=x.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            new = path[t] + step * drift + np.sqrt(2 * step) * rng.standard_normal(x.shape)
        path[t + 1] = _checks.result(new, "x0", "step")
    return path


def _bernoulli(z):
    """Return ``z / (e^z - 1)``, 1 at 0."""
    near = np.abs(z) < 1e-5
    safe = np.where(near, 1, z)
    return np.where(near, 1 - z / 2 + z * z / 12, safe / np.expm1(safe))

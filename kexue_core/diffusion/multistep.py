"""Multistep solvers of the diffusion ODE: one call of the denoiser per step, and what earlier calls returned is reused.

They stand beside the single-step methods of `samplers`, with which published tables compare them, and are called alike.
The AMED-Plugin on such a solver is the same solver on more times: `insert_times` places one inside each step,
`fit_inserted_times` finds where.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Array, Callback, Denoiser, decreasing_times, denoised, report

__all__ = ["MULTISTEP", "solve_multistep", "insert_times", "fit_inserted_times"]

_ADAMS = {1: [1], 2: [3 / 2, -1 / 2], 3: [23 / 12, -16 / 12, 5 / 12], 4: [55 / 24, -59 / 24, 37 / 24, -9 / 24]}

MULTISTEP = {"ipndm": 4, "dpm_solver_pp": 3, "unipc": 3}


class _Past(NamedTuple):
    """What is known at the start of a step, the newest last: times, and what the method extrapolates, D or v."""

    times: list[float]
    points: list[Array]


def solve_multistep(
    denoise: Denoiser,
    x: ArrayLike,
    times: ArrayLike,
    *,
    method: str = "ipndm",
    order: int | None = None,
    analytic_first: bool = False,
    rng: np.random.Generator | None = None,
    callback: Callback | None = None,
) -> NDArray[np.float64]:
    """Solve ``dx/dt = (x - D(x, t)) / t`` from ``times[0]`` to ``times[-1]`` with one call of ``D`` per step.

    - ``"ipndm"``: Adams-Bashforth on the velocity, with the coefficients of equal steps whatever the times are.
    - ``"dpm_solver_pp"``: DPM-Solver++(3M), which extrapolates ``D`` in ``log t``.
    - ``"unipc"``: the same with a corrector, which uses the call of the next step (variant ``bh2``).

    The first steps have lower order, as there is no past yet; the last ones too for the two latter methods. No
    thresholding of ``D``.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns ``D``, of the shape of ``x``, of which it gets a copy.
    x : (..., D) array_like
        Start, usually ``times[0]`` times standard normal noise.
    times : (N,) array_like
        Positive, strictly decreasing, at least 2.
    method : str
        A key of `MULTISTEP`.
    order : int, optional
        The highest order used, from 1 (all are DDIM then) to ``MULTISTEP[method]``, the default.
    analytic_first : bool
        Take ``x / sqrt(1 + t^2)`` as the first velocity, which saves a call.
    rng : numpy.random.Generator, optional
        Not used, as nothing is drawn.
    callback : callable, optional
        ``callback(t, x)`` sees a copy of the state at each of ``times``.

    Returns
    -------
    x : (..., D) ndarray
        The sample.

    Raises
    ------
    ValueError
        If times are too few, unsorted or not positive, the method is unknown, the order out of range, or a value
        becomes infinite or NaN.

    References
    ----------
    .. [1] zju-pi/diff-sampler, ``solvers.py``; Zhang and Chen, arXiv:2204.13902 (iPNDM); Lu et al., arXiv:2211.01095;
       Zhao et al., arXiv:2302.04867. Compared in Zhou et al., arXiv:2312.00094, Table 2.

    Examples
    --------
    >>> from kexue_core.diffusion.denoisers import denoise_gaussian
    >>> times = np.geomspace(8, 0.002, 65)
    >>> ends = [solve_multistep(denoise_gaussian, [8.0], times, method=method) for method in MULTISTEP]
    >>> np.round(ends, 3).ravel()  # 8 / sqrt(65)
    array([0.993, 0.993, 0.992])
    """
    x, times = _checks.array("x", x, core=1), decreasing_times(times)
    highest = MULTISTEP[_checks.choice("method", method, MULTISTEP)]
    order = highest if order is None else _checks.integer("order", order, low=1, high=highest)
    past, steps = _Past([], []), len(times) - 1
    start = x
    for i, u in enumerate(times[1:]):
        t = times[i]
        report(callback, t, x)
        past.times.append(t)
        past.points.append(_known(denoise, x, t, velocity=method == "ipndm", free=analytic_first and i == 0))
        now = min(i + 1, order) if method == "ipndm" else min(i + 1, order, steps - i)
        if method == "unipc" and i > 0:  # the corrector of the step that has just ended
            x = _exponential(start, past, t, min(i, order, steps - i + 1), correct=True)
        start = x
        with np.errstate(over="ignore", invalid="ignore"):
            if method == "ipndm":
                x = _combined([1, *((u - t) * c for c in _ADAMS[now])], [x, *past.points[::-1]])
            elif method == "dpm_solver_pp":
                x = _dpm_solver_pp(x, past, u, now)
            else:
                x = _exponential(x, past, u, now)
    x = _checks.result(x, "denoise")
    report(callback, times[-1], x)
    return x


def insert_times(times: ArrayLike, r: ArrayLike) -> NDArray[np.float64]:
    """Return ``times`` with ``s = u^r t^(1 - r)`` between each two neighbours ``t > u``.

    Parameters
    ----------
    times : (N,) array_like
        Positive, strictly decreasing, at least 2.
    r : float or (N - 1,) array_like
        Exponents inside ``(0, 1)``.

    Returns
    -------
    refined : (2 N - 1,) ndarray
        Strictly decreasing.

    Raises
    ------
    ValueError
        If times are too few, unsorted or not positive, or an exponent is not inside ``(0, 1)`` or leads to a time that
        rounds to a neighbour.

    References
    ----------
    .. [1] The AMED-Plugin of Zhou et al., arXiv:2312.00094, without its factors.

    Examples
    --------
    >>> insert_times([16.0, 1.0], 0.25)
    array([16.,  8.,  1.])
    """
    times = np.array(decreasing_times(times))
    r = _checks.array("r", r, low=0, high=1)
    if ((r == 0) | (r == 1)).any():
        raise ValueError(f"r must be inside (0, 1), got {r}")
    if r.shape not in ((), (len(times) - 1,)):
        raise ValueError(f"r must be a number or one for each of {len(times) - 1} steps, got shape {r.shape}")
    refined = np.repeat(times, 2)[:-1]
    refined[1::2] = times[1:] ** r * times[:-1] ** (1 - r)
    if (np.diff(refined) >= 0).any():
        raise ValueError(f"r must be so far from 0 and 1 that the new times differ from the old, got {r}")
    return refined


def fit_inserted_times(
    denoise: Denoiser,
    x: ArrayLike,
    times: ArrayLike,
    targets: ArrayLike,
    *,
    method: str = "ipndm",
    grid: ArrayLike | None = None,
    analytic_first: bool = False,
) -> NDArray[np.float64]:
    """Return the exponents of `insert_times` with which a multistep solver lands nearest to ``targets``, step by step.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns ``D``, of the shape of ``x``.
    x : (..., D) array_like
        Training noise at ``times[0]``.
    times : (N,) array_like
        Positive, strictly decreasing, at least 2.
    targets : (N, ..., D) array_like
        Accurate solution at ``times``.
    method : str
        A key of `MULTISTEP`.
    grid : (G,) array_like, optional
        Exponents to try, inside ``(0, 1)``; ``0.02, 0.04, ..., 0.98`` by default.
    analytic_first : bool
        As in `solve_multistep`.

    Returns
    -------
    r : (N - 1,) ndarray
        Values of ``grid``, the first of those whose squared error is within a billionth of the least.

    Raises
    ------
    ValueError
        If times are too few, unsorted or not positive, ``targets`` has another shape, ``grid`` leaves ``(0, 1)``, or no
        squared error is finite.

    References
    ----------
    .. [1] The AMED-Plugin of Zhou et al., arXiv:2312.00094, one number per step in place of its network.

    Examples
    --------
    >>> from kexue_core.diffusion.denoisers import denoise_gaussian
    >>> from kexue_core.diffusion.samplers import solve_reference, trajectory
    >>> x, times = [[1.0], [-2.0]], [80.0, 1.0, 0.002]
    >>> targets = trajectory(solve_reference, denoise_gaussian, x, times)
    >>> fit_inserted_times(denoise_gaussian, x, times, targets)
    array([0.8, 0.2])
    """
    x, times = _checks.array("x", x, core=1), np.array(decreasing_times(times))
    targets = _checks.array("targets", targets, shape=(len(times), *x.shape))
    grid = np.arange(1, 50) / 50 if grid is None else _checks.array("grid", grid, ndim=1, core=1)
    fitted: list[float] = []
    seen: dict[float, tuple[Array, Array]] = {}
    for i in range(1, len(times)):

        def known(x, t, i=i):  # up to the start of the step most calls are the same for all exponents
            if t < times[i - 1]:
                return denoise(x, t)
            if t not in seen or not np.array_equal(seen[t][0], x):
                seen[t] = x.copy(), denoised(denoise, x, t, x.shape)
            return seen[t][1]

        def error(r, i=i, known=known):
            refined = insert_times(times[: i + 1], [*fitted, r])
            end = solve_multistep(known, x, refined, method=method, analytic_first=analytic_first)
            with np.errstate(over="ignore"):
                return np.sum(np.ldexp(end - targets[i], -_checks.binary_exponent(x, targets[i])) ** 2)

        errors = np.array([error(r) for r in grid.tolist()])
        _checks.result(errors.min(keepdims=True), "x", "targets")
        fitted.append(float(grid[(errors <= (1 + 1e-9) * errors.min()).argmax()]))
    return np.array(fitted)


def _known(denoise, x, t, velocity, free):
    """Return the velocity or the denoised point at ``x``; if ``free``, without a call."""
    if free:
        d = x / np.hypot(1, t)
        return d if velocity else x - t * d
    point = denoised(denoise, x, t, x.shape)
    return (x - point) / t if velocity else point


def _combined(weights, arrays):
    """Return the sum of arrays with weights, a new array."""
    total = weights[0] * arrays[0]
    for weight, array in zip(weights[1:], arrays[1:]):
        total += weight * array
    return total


def _dpm_solver_pp(x, past, u, order):
    """One step of DPM-Solver++ from the newest time: ``D`` and its differences in ``lambda = -log t``."""
    log_snr, newest = -np.log(past.times[-3:]), past.points[: -order - 1 : -1]
    h = -np.log(u) - log_snr[-1]
    phi = np.expm1(-h)
    first, second = 0, 0  # weights of the first differences, newest first
    if order > 1:
        r0 = (log_snr[-1] - log_snr[-2]) / h
        first = -phi / 2 / r0
    if order > 2:
        r1 = (log_snr[-2] - log_snr[-3]) / h
        phi_2 = phi / h + 1
        bend = (phi_2 * r0 - (phi_2 / h - 1 / 2)) / (r0 + r1)
        first, second = (phi_2 + bend) / r0, -bend / r1
    return _combined([u / past.times[-1], first - phi, second - first, -second], [x, *newest])


def _exponential(x, past, u, order, *, correct=False):
    """One step of UniPC to ``u``; the corrector also knows the denoised point at ``u``, the newest one."""
    log_snr, points = -np.log(past.times), past.points
    old = -2 if correct else -1
    h = -np.log(u) - log_snr[old]
    nodes = [(log_snr[old - k] - log_snr[old]) / h for k in range(1, order)] + [1.0] * correct
    others = [points[old - k] for k in range(1, order)] + points[-1:] * correct
    phi = np.expm1(-h)
    power, b = phi / -h - 1, []
    for k in range(1, len(nodes) + 1):
        b.append(power * math.factorial(k) / phi)
        power = power / -h - 1 / math.factorial(k + 1)
    if len(nodes) == 1:  # as in its authors' code
        b = [1 / 2]
    # Weights of the slopes (D_k - D) / node_k of all other points
    slopes = np.linalg.solve(np.vander(nodes, increasing=True).T, b) / nodes if nodes else np.zeros(0)
    return _combined([u / past.times[old], phi * (slopes.sum() - 1), *(-phi * slopes)], [x, points[old], *others])

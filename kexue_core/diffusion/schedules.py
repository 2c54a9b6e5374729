"""Noise schedules: the times of EDM, and the steps of DDPM in the notation of kexue.fm.

A DDPM step is the demolition ``x_t = alpha_t x_{t-1} + beta_t eps_t``. Always ``alpha_t^2 + beta_t^2 = 1``; with
``bar_alpha_t = alpha_1 ... alpha_t`` one draw does the work of ``t``: ``x_t = bar_alpha_t x_0 + bar_beta_t eps``. The
paper (arXiv:2006.11239) writes ``sqrt(alpha_t)``, ``sqrt(beta_t)`` and ``sqrt(bar alpha_t)`` for what is ``alpha_t``,
``beta_t`` and ``bar_alpha_t`` here. Steps are numbered ``t = 1, ..., T`` and ``x_0`` is the data, so entry ``t - 1`` of
an array belongs to step ``t``. The way back is `ancestral`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion.snr import shift_levels

__all__ = ["edm_time_steps", "Schedule", "ddpm_schedule", "schedule_from_betas", "respace", "shift_schedule"]


def edm_time_steps(n: int, *, t_min: float = 0.002, t_max: float = 80.0, rho: float = 7.0) -> NDArray[np.float64]:
    """Return ``n`` decreasing times whose ``1/rho``-th powers are equally spaced.

    ``t_i = (t_max^(1/rho) + i / (n - 1) (t_min^(1/rho) - t_max^(1/rho)))^rho`` for ``i = 0, ..., n - 1``. The article
    numbers the same nodes upwards, ``t_1 = t_min`` to ``t_N = t_max``.

    Parameters
    ----------
    n : int
        Number of times, at least 2; a solver takes ``n - 1`` steps.
    t_min, t_max : float
        Last and first time, ``0 < t_min < t_max``.
    rho : float
        Positive; 1 spaces the times equally, ``rho -> inf`` spaces their logarithms equally.

    Returns
    -------
    times : (n,) ndarray
        Strictly decreasing, ``times[0] == t_max`` and ``times[-1] == t_min`` exactly. EDM itself appends a 0, which
        `solve_diffusion_ode` takes as a last step to ``D``.

    Raises
    ------
    ValueError
        If ``n < 2``, a number is not positive, ``t_min >= t_max``, or two times round to the same number.

    References
    ----------
    .. [1] kexue.fm/archives/9881; Karras et al., arXiv:2206.00364, eq. (5).

    Examples
    --------
    >>> edm_time_steps(4).round(3)
    array([8.000e+01, 9.723e+00, 4.700e-01, 2.000e-03])
    """
    n = _checks.integer("n", n, low=2)
    named = (("t_min", t_min), ("t_max", t_max), ("rho", rho))
    t_min, t_max, rho = (_checks.number(*pair, low=0, open="low") for pair in named)
    if t_min >= t_max:
        raise ValueError(f"t_min must be smaller than t_max = {t_max}, got {t_min}")
    # expm1 and log1p keep all digits for large rho, where the 1/rho-th powers of both ends round to nearly the same
    # number.
    w = np.arange(1, n - 1) / (n - 1)
    far = t_min / t_max < np.finfo(float).tiny  # the ratio may vanish, the logarithms do not
    span = np.log(t_min) - np.log(t_max) if far else np.log(t_min / t_max)
    powers = rho * np.log1p(w * np.expm1(span / rho))
    inner = np.exp(np.log(t_max) + powers) if far else t_max * np.exp(powers)
    times = np.concatenate([[t_max], inner, [t_min]])
    if not (np.diff(times) < 0).all():
        raise ValueError(f"n and rho must keep neighbouring times apart, got n = {n} and rho = {rho}")
    return times


class Schedule(NamedTuple):
    """Arrays ``(T,)``, entry ``t - 1`` for step ``t``; ``bar_alpha_prev`` and ``bar_beta_prev`` start with 1 and 0."""

    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]
    bar_alpha: NDArray[np.float64]
    bar_beta: NDArray[np.float64]
    bar_alpha_prev: NDArray[np.float64]
    bar_beta_prev: NDArray[np.float64]


def ddpm_schedule(T: int, *, kind: str = "article") -> Schedule:
    """Return the noise schedule of ``T`` steps.

    - ``"article"``: ``alpha_t = sqrt(1 - 0.02 t / T)``.
    - ``"linear"``: ``beta_t^2`` equally spaced from 1e-4 to 0.02; the schedule of the paper.
    - ``"cosine"``: ``bar_alpha_t = c(t) / c(0)``, ``c(t) = cos(pi/2 (t / T + 0.008) / 1.008)``, but
      ``beta_t^2 <= 0.999``.

    The first two are made for ``T`` near 1000: fewer of the same small steps do not reach noise (``bar_alpha_T`` is
    0.946 after 10 article steps). For a short schedule thin out a long one by `respace`.

    Parameters
    ----------
    T : int
        Number of steps, at least 1.
    kind : str
        ``"article"``, ``"linear"`` or ``"cosine"``.

    Returns
    -------
    schedule : Schedule
        Read-only arrays of length ``T``: ``alpha, beta, bar_alpha, bar_beta, bar_alpha_prev, bar_beta_prev``, all in
        ``(0, 1)`` but for ``bar_alpha_prev[0] = 1`` and ``bar_beta_prev[0] = 0``; ``bar_beta`` rounds to 1 where
        ``bar_alpha`` is below 1e-8, for ``T`` above 3000.

    Raises
    ------
    ValueError
        If ``T < 1``, the kind is unknown, or ``bar_alpha_T`` is below the smallest double, from ``T`` near 140000 on.

    References
    ----------
    .. [1] kexue.fm/archives/9119; Ho et al., arXiv:2006.11239, Section 4; Nichol and Dhariwal, arXiv:2102.09672,
       eq. (17).

    Examples
    --------
    >>> schedule = ddpm_schedule(1000)
    >>> schedule.bar_alpha[[0, 499, 999]].round(3)
    array([1.   , 0.285, 0.006])
    """
    T = _checks.integer("T", T, low=1)
    _checks.choice("kind", kind, ("article", "linear", "cosine"))
    if kind == "article":
        return _reaching("T", _schedule(np.log1p(-0.02 * np.arange(1, T + 1) / T)))
    if kind == "linear":
        return _reaching("T", _schedule(np.log1p(-np.linspace(1e-4, 0.02, T))))
    angle = np.pi / 2 * (np.arange(T + 1) / T + 0.008) / 1.008
    # 1 - cos^2(b) / cos^2(a) without the cancellation that costs 4 digits where steps are small.
    ratio = np.sin(np.diff(angle)) * np.sin(angle[1:] + angle[:-1]) / np.cos(angle[:-1]) ** 2
    return _schedule(np.log1p(-np.minimum(ratio, 0.999)))


def schedule_from_betas(betas: ArrayLike) -> Schedule:
    """Return the schedule of the variances that code and papers call ``betas``: ``beta_t = sqrt(betas[t - 1])`` here.

    Parameters
    ----------
    betas : (T,) array_like
        In (0, 1). A last one of 1 ("zero terminal SNR") would leave ``bar_alpha_T = 0``, which no sampler here divides
        by.

    Returns
    -------
    schedule : Schedule
        Read-only arrays of length ``T``.

    Raises
    ------
    ValueError
        If there is no variance, one is not in (0, 1), or ``bar_alpha_T`` is below the smallest double.

    References
    ----------
    .. [1] Ho et al., arXiv:2006.11239, Section 2; Rombach et al., arXiv:2112.10752, whose code has the "scaled linear"
       variances of the example.

    Examples
    --------
    >>> schedule = schedule_from_betas(np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)
    >>> (schedule.bar_beta[-1] / schedule.bar_alpha[-1]).round(3)
    np.float64(14.615)
    """
    betas = _checks.array("betas", betas, ndim=1, core=1, low=0, high=1, open="both")
    return _reaching("betas", _schedule(np.log1p(-betas)))


def respace(schedule: Schedule, n: int) -> Schedule:
    """Return ``n`` long steps for ``T`` short ones: ``bar_alpha`` at ``t = round(T i / n)``, ``i = 1, ..., n``.

    Parameters
    ----------
    schedule : Schedule
        Of `ddpm_schedule` or `schedule_from_betas`, ``T`` steps.
    n : int
        Number of steps kept, ``1 <= n <= T``.

    Returns
    -------
    schedule : Schedule
        ``alpha_i`` is a ratio of neighbouring ``bar_alpha``, the product of the short ``alpha`` between them; the last
        ``bar_alpha`` is that of the long schedule.

    Raises
    ------
    ValueError
        If ``n`` is not between 1 and ``T``.
    TypeError
        If ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/9119; Nichol and Dhariwal, arXiv:2102.09672, eq. (19).

    Examples
    --------
    >>> respace(ddpm_schedule(1000), 2).alpha.round(3)
    array([0.285, 0.023])
    """
    T = len(_checks.instance("schedule", schedule, Schedule).alpha)
    n = _checks.integer("n", n, low=1, high=T)
    last = (2 * T * np.arange(1, n + 1) + n) // (2 * n) - 1  # round(T i / n) in integers
    return _from_levels(schedule.bar_alpha[last], schedule.bar_beta[last])


def shift_schedule(schedule: Schedule, s: float) -> Schedule:
    """Return the schedule for pictures with ``s`` times as many pixels a side.

    At every step the ratio ``bar_alpha^2 / bar_beta^2`` is divided by ``s^2``, by `shift_levels`; the number of steps
    stays.

    Parameters
    ----------
    schedule : Schedule
        Of `ddpm_schedule`, `schedule_from_betas` or `respace`.
    s : float
        Positive.

    Returns
    -------
    schedule : Schedule
        Read-only arrays of the same length; for `ancestral_sample` and the others like any schedule.

    Raises
    ------
    ValueError
        If ``s`` is not positive, or so large that ``bar_alpha_T`` falls below the smallest double.
    TypeError
        If ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/10047; Hoogeboom et al., arXiv:2301.11093, Section 3.1.

    Examples
    --------
    >>> small = ddpm_schedule(1000)
    >>> small.bar_alpha[499].round(3), shift_schedule(small, 8).bar_alpha[499].round(3)
    (np.float64(0.285), np.float64(0.037))
    """
    _checks.instance("schedule", schedule, Schedule)
    a, b = shift_levels(schedule.bar_alpha, schedule.bar_beta, _checks.number("s", s, low=0, open="low"))
    if a[-1] < np.finfo(float).tiny:
        raise ValueError(f"s must leave bar_alpha_T above 2e-308, got {s}")
    return _from_levels(a, b)


def _reaching(name, schedule):
    """Return a schedule whose last ``bar_alpha`` can be divided by."""
    if not schedule.bar_alpha[-1] >= np.finfo(float).tiny:
        raise ValueError(f"{name} must leave bar_alpha_T above 2e-308, got {schedule.bar_alpha[-1]}")
    return schedule


def _from_levels(a, b):
    # Of a^2 + b^2 = 1 the smaller one has all digits of log(a^2).
    log_bar = np.where(b < a, np.log1p(-(np.minimum(b, 0.9) ** 2)), 2 * np.log(a))
    return _schedule(np.diff(log_bar, prepend=0.0))


def _schedule(log_alpha_squared):
    # expm1: beta and the first bar_beta are small, and 1 - bar_alpha^2 would keep half of their digits only.
    log_bar = np.cumsum(log_alpha_squared)
    bar_alpha, bar_beta = np.exp(log_bar / 2), np.sqrt(-np.expm1(log_bar))
    previous = np.concatenate([[1.0], bar_alpha[:-1]]), np.concatenate([[0.0], bar_beta[:-1]])
    alpha, beta = np.exp(log_alpha_squared / 2), np.sqrt(-np.expm1(log_alpha_squared))
    arrays = alpha, beta, bar_alpha, bar_beta, *previous
    for array in arrays:
        array.setflags(write=False)
    return Schedule(*arrays)

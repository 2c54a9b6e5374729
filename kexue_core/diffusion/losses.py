"""Losses of denoising diffusion in the notation of kexue.fm: one demolition of many steps, weights, variances.

Notation and steps as in `schedules`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import not_negative
from kexue_core.diffusion.schedules import Schedule

__all__ = ["diffuse", "loss_weights", "gradient_variances", "terminal_kl_bits"]


def diffuse(x0: ArrayLike, noise: ArrayLike, t: ArrayLike, schedule: Schedule) -> NDArray[np.float64]:
    """Return ``x_t = bar_alpha_t x_0 + bar_beta_t noise``, ``t`` demolition steps at once.

    Parameters
    ----------
    x0, noise : (..., D) array_like
        Data and standard normal noise.
    t : (...) array_like of int
        Steps between 1 and ``T``: a number, or one for each point; ``t[:, None, None]`` for images (N, C, H, W).
    schedule : Schedule
        Of `ddpm_schedule`.

    Returns
    -------
    x : (..., D) ndarray
        Of unit variance if the data are.

    Raises
    ------
    ValueError
        If a step is not in ``1, ..., T``, a value is not finite or the shapes do not broadcast.
    TypeError
        If ``t`` is not whole or ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/9119; Ho et al., arXiv:2006.11239, eq. (4).

    Examples
    --------
    >>> from kexue_core.diffusion.schedules import ddpm_schedule
    >>> diffuse([[2.0], [2.0]], [[1.0], [1.0]], [1, 1000], ddpm_schedule(1000)).round(3)
    array([[2.004],
           [1.013]])
    """
    x0, noise = _checks.array("x0", x0, core=1), _checks.array("noise", noise, core=1)
    T = len(_checks.instance("schedule", schedule, Schedule).alpha)
    t = _checks.array("t", t, kind="integer", low=1, high=T)
    _checks.broadcast(("x0", x0, 0), ("noise", noise, 0))
    _checks.broadcast(("x0", x0, 1), ("noise", noise, 1), ("t", t, 0))
    with np.errstate(over="ignore", invalid="ignore"):
        x = schedule.bar_alpha[t - 1, None] * x0 + schedule.bar_beta[t - 1, None] * noise
    return _checks.result(x, "x0", "noise")


def loss_weights(schedule: Schedule, *, sigma: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the weights ``w_t`` of ``|eps - eps_net(x_t, t)|^2`` in the variational bound, in nats.

    ``w_t = beta_t^4 / (2 sigma_t^2 alpha_t^2 bar_beta_t^2)``, which is ``1 / (2 sigma_t^2)`` times the weight in the
    article's first loss ``|x_{t-1} - mu(x_t)|^2`` (so ``sigma = sqrt(1/2)`` gives that one). DDPM trains with all
    weights 1.

    Parameters
    ----------
    schedule : Schedule
        Of `ddpm_schedule`, ``T`` steps.
    sigma : float or (T,) array_like, optional
        Positive standard deviation of the modelled step; ``beta`` by default.

    Returns
    -------
    weights : (T,) ndarray
        Positive. With the default the first one is about 1/2 and the weights of small noise are by far the largest:
        all weights 1 turn the attention to larger noise.

    Raises
    ------
    ValueError
        If ``sigma`` is not positive, not finite or of another shape.
    TypeError
        If ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/9119; Ho et al., arXiv:2006.11239, eq. (12).

    Examples
    --------
    >>> from kexue_core.diffusion.schedules import ddpm_schedule
    >>> loss_weights(ddpm_schedule(1000))[[0, 99, 999]].round(3)
    array([0.5 , 0.01, 0.01])
    """
    _checks.instance("schedule", schedule, Schedule)
    sigma = schedule.beta if sigma is None else _checks.array("sigma", sigma, low=0, open="low")
    if sigma.shape not in ((), schedule.beta.shape):
        raise ValueError(f"sigma must be a number or have shape {schedule.beta.shape}, got shape {sigma.shape}")
    with np.errstate(over="ignore", divide="ignore"):
        weights = (schedule.beta**2 / (sigma * schedule.alpha * schedule.bar_beta)) ** 2 / 2
    return _checks.result(weights, "sigma")


def gradient_variances(
    schedule: Schedule, slope: ArrayLike, *, variance: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variance of the loss gradient of a linear model, with four random draws and with three.

    Data ``N(0, variance)`` in one dimension, model ``eps_theta(x) = slope x``. Drawn separately, ``x_0``, ``eps_t`` and
    the noise of the earlier steps give ``d/dslope (eps_t - slope x_t)^2``; merged noise ``eps`` gives
    ``d/dslope (beta_t^2 / bar_beta_t^2) (eps - (bar_beta_t / beta_t) slope x_t)^2`` with the same mean and less
    variance. (One more draw in both is ``t``, fixed here.)

    Parameters
    ----------
    schedule : Schedule
        Of `ddpm_schedule`, ``T`` steps.
    slope : float or (..., T) array_like
        The parameter: 0 for an untrained model, ``beta_t / V_t`` at the optimum, with
        ``V_t = bar_alpha_t^2 variance + bar_beta_t^2``.
    variance : float
        Of the data, positive.

    Returns
    -------
    separate, merged : (..., T) ndarray
        ``separate - merged = 4 V_t alpha_t^2 bar_beta_{t-1}^2 / bar_beta_t^2``, whatever the slope; 0 at ``t = 1``.

    Raises
    ------
    ValueError
        If a value is not finite, the variance is not positive or the shape of ``slope`` does not fit.
    TypeError
        If ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/9119, the reduction of variance.

    Examples
    --------
    >>> from kexue_core.diffusion.schedules import ddpm_schedule
    >>> separate, merged = gradient_variances(ddpm_schedule(1000), 0.0)
    >>> (separate / merged)[[0, 99, 999]].round(3)
    array([ 1.   , 43.937, 25.499])
    """
    T = len(_checks.instance("schedule", schedule, Schedule).alpha)
    slope, variance = _checks.array("slope", slope), _checks.number("variance", variance, low=0, open="low")
    if slope.ndim and slope.shape[-1] != T:
        raise ValueError(f"slope must be a number or have {T} entries on its last axis, got shape {slope.shape}")
    V = schedule.bar_alpha**2 * variance + schedule.bar_beta**2
    # Var(x e - s x^2) = V + beta^2 - 4 s V beta + 2 s^2 V^2 for jointly normal x, e with E[x^2] = V, E[e^2] = 1,
    # E[x e] = beta (Isserlis). Merging replaces the first term by (beta / bar_beta)^2 V.
    with np.errstate(over="ignore", invalid="ignore"):
        merged = (schedule.beta / schedule.bar_beta) ** 2 * V + schedule.beta**2
        merged = merged + 2 * V * slope * (V * slope - 2 * schedule.beta)
        gap = (schedule.alpha * schedule.bar_beta_prev / schedule.bar_beta) ** 2 * V
        separate = _checks.result(4 * (merged + gap), "slope", "variance")
    return separate, 4 * merged


def terminal_kl_bits(bar_alpha: ArrayLike, second_moment: ArrayLike) -> NDArray[np.float64]:
    """Return ``KL(q(x_T | x_0) || N(0, I))`` in bits per dimension: what the chain leaves of the data.

    ``(a m - a - log(1 - a)) / (2 log 2)`` with ``a = bar_alpha_T^2`` and ``m`` the mean of ``x_0^2``.

    Parameters
    ----------
    bar_alpha : (...) array_like
        Product of all ``alpha``, in ``[0, 1)``.
    second_moment : (...) array_like
        Mean square of the data, not negative; 1/3 for values uniform in ``[-1, 1]``.

    Returns
    -------
    bits : (...) ndarray or float
        Not negative; about ``bar_alpha^2 second_moment / (2 log 2)``.

    Raises
    ------
    ValueError
        If ``bar_alpha`` is not in ``[0, 1)``, a moment is negative, a value is not finite or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/9119; Ho et al., arXiv:2006.11239, Section 4: about 1e-5 bits per dimension.

    Examples
    --------
    >>> print(f"{terminal_kl_bits(0.0063528181, 1 / 3):.2e}")
    9.70e-06
    """
    bar_alpha = _checks.array("bar_alpha", bar_alpha, low=0, high=1, open="high")
    second_moment = not_negative("second_moment", second_moment)
    _checks.broadcast(("bar_alpha", bar_alpha, 0), ("second_moment", second_moment, 0))
    a = bar_alpha**2
    # -a - log(1 - a) = a^2/2 + a^3/3 + ...: below 1e-4 the series, whose first term left out is 4e-17 of the sum.
    rest = np.where(a < 1e-4, a**2 * (1 / 2 + a * (1 / 3 + a * (1 / 4 + a / 5))), -a - np.log1p(-a))
    with np.errstate(over="ignore"):
        return _checks.result((a * second_moment + rest) / (2 * np.log(2)), "second_moment")

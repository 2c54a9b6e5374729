"""Construction after demolition: ancestral sampling of a DDPM whose denoiser is known in closed form.

Notation and schedules of `schedules`. Where a network would be trained, `ancestral_sample` takes a denoiser of
`denoisers`, bound to its data; in its time a DDPM state is ``x_t / bar_alpha_t`` at noise level
``bar_beta_t / bar_alpha_t``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Callback, Denoiser, descend, not_negative
from kexue_core.diffusion.schedules import Schedule

__all__ = ["posterior_coefficients", "reverse_noise", "ancestral_sample", "gaussian_chain_variance"]


def posterior_coefficients(schedule: Schedule) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``u, v`` of the posterior mean ``E[x_{t-1} | x_t, x_0] = u_t x_0 + v_t x_t`` of all steps.

    ``u_t = bar_alpha_{t-1} beta_t^2 / bar_beta_t^2`` and ``v_t = alpha_t bar_beta_{t-1}^2 / bar_beta_t^2``; the spread
    around it is ``reverse_noise(schedule, 0)``. Put ``x_0 = (x_t - bar_beta_t eps) / bar_alpha_t`` and the mean becomes
    the article's ``(x_t - beta_t eps_theta) / alpha_t`` with ``eps_theta = (beta_t / bar_beta_t) eps``.

    Parameters
    ----------
    schedule : Schedule
        Of `ddpm_schedule` or `schedule_from_betas`, ``T`` steps.

    Returns
    -------
    u, v : (T,) ndarray
        Not negative, with ``u + v bar_alpha_t = bar_alpha_{t-1}``; the first step has ``u = 1``, ``v = 0``.

    Raises
    ------
    TypeError
        If ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/9119; Ho et al., arXiv:2006.11239, eq. (7).

    Examples
    --------
    >>> from kexue_core.diffusion.schedules import ddpm_schedule
    >>> u, v = posterior_coefficients(ddpm_schedule(3))
    >>> u.round(3), v.round(3)
    (array([1.   , 0.667, 0.501]), array([0.   , 0.333, 0.499]))
    """
    _checks.instance("schedule", schedule, Schedule)
    u = schedule.bar_alpha_prev * (schedule.beta / schedule.bar_beta) ** 2
    return u, schedule.alpha * (schedule.bar_beta_prev / schedule.bar_beta) ** 2


def reverse_noise(schedule: Schedule, variance: ArrayLike) -> NDArray[np.float64]:
    """Return the noise ``sigma_t = beta_t sqrt(V_{t-1} / V_t)`` that undoes each step exactly for Gaussian data.

    ``V_t = bar_alpha_t^2 variance + bar_beta_t^2`` is the variance of ``x_t``. The two usual choices are two cases:
    variance 1 gives ``beta_t``, the article's, and variance 0 (one data point) gives
    ``beta_t bar_beta_{t-1} / bar_beta_t``, the standard deviation of ``x_{t-1}`` given ``x_t`` and ``x_0``.

    Parameters
    ----------
    schedule : Schedule
        Of `ddpm_schedule` or `schedule_from_betas`, ``T`` steps.
    variance : (...) array_like
        Of the data, not negative.

    Returns
    -------
    sigma : (..., T) ndarray
        Increases with the variance, from the second choice to ``beta_t / alpha_t``.

    Raises
    ------
    ValueError
        If a variance is negative or not finite.
    TypeError
        If ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/9119; Ho et al., arXiv:2006.11239, Section 3.2; Bao et al., arXiv:2201.06503.

    Examples
    --------
    >>> from kexue_core.diffusion.schedules import ddpm_schedule, respace
    >>> reverse_noise(respace(ddpm_schedule(1000), 3), [0.0, 1.0]).round(3)
    array([[0.   , 0.81 , 0.992],
           [0.82 , 0.982, 0.998]])
    """
    before, after = _marginal_variances(schedule, variance)
    return schedule.beta * np.sqrt(before / after)


def ancestral_sample(
    denoise: Denoiser,
    x: ArrayLike,
    schedule: Schedule,
    *,
    sigma: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    callback: Callback | None = None,
) -> NDArray[np.float64]:
    """Build samples from noise: ``x_{t-1} = (x_t - beta_t eps_theta(x_t, t)) / alpha_t + sigma_t z``, ``t = T .. 1``.

    ``eps_theta = (beta_t / bar_beta_t^2) (x_t - bar_alpha_t D)`` with ``D = E[x_0 | x_t]`` by ``denoise``, evaluated as
    ``u_t D + v_t x_t`` of `posterior_coefficients`, which does not cancel. The last step adds ``sigma_1 z`` too.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns ``E[x_0 | x_0 + t z = x]``, of the shape of ``x``; it gets ``x_t / bar_alpha_t`` and
        the noise level ``bar_beta_t / bar_alpha_t``.
    x : (..., D) array_like
        Start ``x_T``, usually standard normal noise.
    schedule : Schedule
        Of `ddpm_schedule` or `schedule_from_betas`, ``T`` steps.
    sigma : (..., T) array_like, optional
        Noise of each step, not negative; leading axes broadcast against ``x``, and may be more. By default ``beta``,
        the article's choice; ``0 * schedule.beta`` decodes greedily; `reverse_noise` makes others.
    rng : numpy.random.Generator, optional
        Draws noise of the shape of the start ``x`` once a step, so the same one along axes that only ``sigma`` has;
        needed unless ``sigma`` is 0.
    callback : callable, optional
        ``callback(t, x)`` sees a copy of ``x_t`` for ``t = T, ..., 0``.

    Returns
    -------
    x : (..., D) ndarray
        Samples. Their law is that of the data up to ``bar_alpha_T`` for Gaussian data with their own `reverse_noise`,
        and tends to it with shorter steps for all data unless ``sigma`` is far from ``beta``.

    Raises
    ------
    ValueError
        If ``sigma`` is negative or of another shape, or a value becomes infinite or NaN.
    TypeError
        If ``rng`` is missing or ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/9119; Ho et al., arXiv:2006.11239, Algorithm 2.

    Examples
    --------
    >>> from kexue_core.diffusion.schedules import ddpm_schedule
    >>> from kexue_core.diffusion.denoisers import denoise_gaussian
    >>> schedule = ddpm_schedule(1000)
    >>> ancestral_sample(denoise_gaussian, [1.0], schedule, sigma=0 * schedule.beta).round(3)
    array([0.006])
    """
    x = _checks.array("x", x, core=1)
    sigma, shape = _noise(sigma, schedule, x.shape), x.shape
    x = x + np.zeros(np.broadcast_shapes(sigma.shape[:-1], shape))
    noisy = sigma.any()
    if noisy:
        rng = _checks.generator("rng", rng)

    def noise(t, x, guess):
        return sigma[..., t - 1] * rng.standard_normal(shape) if noisy else None

    return descend(denoise, x, schedule, posterior_coefficients(schedule), noise, callback)


def gaussian_chain_variance(
    schedule: Schedule, variance: ArrayLike, *, sigma: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return the variance of `ancestral_sample` from standard noise for Gaussian data, without sampling.

    With ``V_t`` as in `reverse_noise` the optimal step multiplies ``x_t`` by ``alpha_t V_{t-1} / V_t``; so
    ``v <- (alpha_t V_{t-1} / V_t)^2 v + sigma_t^2`` from ``v = 1``.

    Parameters
    ----------
    schedule : Schedule
        Of `ddpm_schedule` or `schedule_from_betas`, ``T`` steps.
    variance : (...) array_like
        Of the data, not negative.
    sigma : (..., T) array_like, optional
        Noise of each step, not negative; ``beta`` by default. Leading axes broadcast against ``variance``.

    Returns
    -------
    v : (...) ndarray or float
        Without noise ``(bar_alpha_T variance / V_T)^2``. With ``reverse_noise(schedule, variance)`` the variance of the
        data plus ``(bar_alpha_T variance / V_T)^2 (1 - V_T)``: the start has variance 1 instead of ``V_T``.

    Raises
    ------
    ValueError
        If a variance or ``sigma`` is negative, not finite or of another shape.
    TypeError
        If ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/9119; Bao et al., arXiv:2201.06503.

    Examples
    --------
    >>> from kexue_core.diffusion.schedules import ddpm_schedule, respace
    >>> gaussian_chain_variance(respace(ddpm_schedule(1000), 20), [0.25, 1.0, 4.0]).round(3)
    array([0.296, 1.   , 3.564])
    """
    before, after = _marginal_variances(schedule, variance)
    sigma = _noise(sigma, schedule, before.shape[:-1])
    gain = (schedule.alpha * before / after) ** 2
    v = np.ones(before.shape[:-1])
    with np.errstate(over="ignore"):
        for i in range(len(schedule.beta) - 1, -1, -1):
            v = gain[..., i] * v + sigma[..., i] ** 2
    return _checks.result(v, "sigma")


def _marginal_variances(schedule, variance):
    _checks.instance("schedule", schedule, Schedule)
    variance = not_negative("variance", variance)[..., None]
    before = schedule.bar_alpha_prev**2 * variance + schedule.bar_beta_prev**2
    return before, schedule.bar_alpha**2 * variance + schedule.bar_beta**2


def _noise(sigma, schedule, shape):
    beta = _checks.instance("schedule", schedule, Schedule).beta
    sigma, T = beta if sigma is None else not_negative("sigma", sigma), len(beta)
    try:
        whole = np.broadcast_shapes(sigma.shape[:-1], shape)
        fits = sigma.shape[-1:] == (T,) and whole[len(whole) - len(shape) :] == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"sigma must have shape (..., {T}) with leading axes that fit {shape}, got shape {sigma.shape}"
        )
    return sigma

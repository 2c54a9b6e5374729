"""Denoising diffusion in the notation of kexue.fm: demolition ``x_t = alpha_t x_{t-1} + beta_t eps_t`` and its loss.

Always ``alpha_t^2 + beta_t^2 = 1``; with ``bar_alpha_t = alpha_1 ... alpha_t`` one draw does the work of ``t``:
``x_t = bar_alpha_t x_0 + bar_beta_t eps``. The paper (arXiv:2006.11239) writes ``sqrt(alpha_t)``, ``sqrt(beta_t)`` and
``sqrt(bar alpha_t)`` for what is ``alpha_t``, ``beta_t`` and ``bar_alpha_t`` here. Steps are numbered ``t = 1, ..., T``
and ``x_0`` is the data, so entry ``t - 1`` of an array belongs to step ``t``. The way back is `ancestral`.
"""

from typing import NamedTuple

import numpy as np

from kexue_core import _checks

__all__ = ["ddpm_schedule", "respace", "diffuse", "loss_weights", "gradient_variances", "terminal_kl_bits"]


class Schedule(NamedTuple):
    """Arrays ``(T,)``, entry ``t - 1`` for step ``t``; ``bar_alpha_prev`` and ``bar_beta_prev`` start with 1 and 0."""

    alpha: np.ndarray
    beta: np.ndarray
    bar_alpha: np.ndarray
    bar_beta: np.ndarray
    bar_alpha_prev: np.ndarray
    bar_beta_prev: np.ndarray


def ddpm_schedule(T, *, kind="article"):
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
        Arrays of length ``T``: ``alpha, beta, bar_alpha, bar_beta, bar_alpha_prev, bar_beta_prev``, all in ``(0, 1)``
        but for ``bar_alpha_prev[0] = 1`` and ``bar_beta_prev[0] = 0``.

    Raises
    ------
    ValueError
        If ``T < 1`` or the kind is unknown.

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
    T = _checks.integer("T", T, minimum=1)
    _checks.choice("kind", kind, ("article", "linear", "cosine"))
    if kind == "article":
        return _schedule(np.log1p(-0.02 * np.arange(1, T + 1) / T))
    if kind == "linear":
        return _schedule(np.log1p(-np.linspace(1e-4, 0.02, T)))
    angle = np.pi / 2 * (np.arange(T + 1) / T + 0.008) / 1.008
    # 1 - cos^2(b) / cos^2(a) without the cancellation that costs 4 digits where steps are small.
    ratio = np.sin(np.diff(angle)) * np.sin(angle[1:] + angle[:-1]) / np.cos(angle[:-1]) ** 2
    return _schedule(np.log1p(-np.minimum(ratio, 0.999)))


def respace(schedule, n):
    """Return ``n`` long steps for ``T`` short ones: ``bar_alpha`` at ``t = round(T i / n)``, ``i = 1, ..., n``.

    Parameters
    ----------
    schedule : Schedule
        Of `ddpm_schedule`, ``T`` steps.
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
    T, n = _check_length(schedule), _checks.integer("n", n, minimum=1)
    if n > T:
        raise ValueError(f"n must be at most the {T} steps of the schedule, got {n}")
    last = (2 * T * np.arange(1, n + 1) + n) // (2 * n) - 1  # round(T i / n) in integers
    a, b = schedule.bar_alpha[last], schedule.bar_beta[last]
    # Of a^2 + b^2 = 1 the smaller one has all digits of log(a^2).
    log_bar = np.where(b < a, np.log1p(-(np.minimum(b, 0.9) ** 2)), 2 * np.log(a))
    return _schedule(np.diff(log_bar, prepend=0.0))


def diffuse(x0, noise, t, schedule):
    """Return ``x_t = bar_alpha_t x_0 + bar_beta_t noise``, ``t`` demolition steps at once.

    Parameters
    ----------
    x0, noise : (..., D) array_like
        Data and standard normal noise.
    t : (...) array_like of int
        Steps between 1 and ``T``: a number, or one for each point.
    schedule : Schedule
        Of `ddpm_schedule`.

    Returns
    -------
    x : (..., D) ndarray
        Of unit variance if the data are.

    Raises
    ------
    ValueError
        If a step is not in ``1, ..., T``, a value is not finite or the shapes do not fit.
    TypeError
        If ``t`` is not whole or ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/9119; Ho et al., arXiv:2006.11239, eq. (4).

    Examples
    --------
    >>> diffuse([[2.0], [2.0]], [[1.0], [1.0]], [1, 1000], ddpm_schedule(1000)).round(3)
    array([[2.004],
           [1.013]])
    """
    x0, noise = _checks.finite_array("x0", x0), _checks.finite_array("noise", noise)
    T, t = _check_length(schedule), np.asarray(t)
    if t.dtype.kind not in "iu":
        raise TypeError(f"t must be an array of integers, got {t!r}")
    if t.size == 0 or t.min() < 1 or t.max() > T:
        raise ValueError(f"t must hold steps between 1 and {T}, got {t}")
    index = t[..., None] - 1 if t.ndim else int(t) - 1
    try:
        return schedule.bar_alpha[index] * x0 + schedule.bar_beta[index] * noise
    except ValueError:
        shapes = f"{x0.shape}, {noise.shape} and {t.shape}"
        raise ValueError(f"x0, noise and t must have shapes (..., D), (..., D) and (...), got {shapes}") from None


def loss_weights(schedule, *, sigma=None):
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
    >>> loss_weights(ddpm_schedule(1000))[[0, 99, 999]].round(3)
    array([0.5 , 0.01, 0.01])
    """
    _check_length(schedule)
    sigma = schedule.beta if sigma is None else _checks.finite_array("sigma", sigma)
    if sigma.shape not in ((), schedule.beta.shape):
        raise ValueError(f"sigma must be a number or have shape {schedule.beta.shape}, got shape {sigma.shape}")
    if sigma.min() <= 0:
        raise ValueError(f"sigma must be positive, got {sigma.min()}")
    return (schedule.beta**2 / (sigma * schedule.alpha * schedule.bar_beta)) ** 2 / 2


def gradient_variances(schedule, slope, *, variance=1.0):
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
    >>> separate, merged = gradient_variances(ddpm_schedule(1000), 0.0)
    >>> (separate / merged)[[0, 99, 999]].round(3)
    array([ 1.   , 43.937, 25.499])
    """
    T = _check_length(schedule)
    slope, variance = _checks.finite_array("slope", slope), _checks.positive("variance", variance)
    if slope.ndim and slope.shape[-1] != T:
        raise ValueError(f"slope must be a number or have {T} entries on its last axis, got shape {slope.shape}")
    V = schedule.bar_alpha**2 * variance + schedule.bar_beta**2
    # Var(x e - s x^2) = V + beta^2 - 4 s V beta + 2 s^2 V^2 for jointly normal x, e with E[x^2] = V, E[e^2] = 1,
    # E[x e] = beta (Isserlis). Merging replaces the first term by (beta / bar_beta)^2 V.
    merged = (schedule.beta / schedule.bar_beta) ** 2 * V + schedule.beta**2
    merged = merged + 2 * V * slope * (V * slope - 2 * schedule.beta)
    gap = (schedule.alpha * schedule.bar_beta_prev / schedule.bar_beta) ** 2 * V
    return 4 * (merged + gap), 4 * merged


def terminal_kl_bits(bar_alpha, second_moment):
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
    bar_alpha = _checks.finite_array("bar_alpha", bar_alpha)
    second_moment = _checks.finite_array("second_moment", second_moment)
    if bar_alpha.min() < 0 or bar_alpha.max() >= 1:
        raise ValueError(f"bar_alpha must lie in [0, 1), got {bar_alpha[(bar_alpha < 0) | (bar_alpha >= 1)][0]}")
    if second_moment.min() < 0:
        raise ValueError(f"second_moment must not be negative, got {second_moment.min()}")
    a = bar_alpha**2
    # -a - log(1 - a) = a^2/2 + a^3/3 + ...: below 1e-4 the series, whose first term left out is 4e-17 of the sum.
    rest = np.where(a < 1e-4, a**2 * (1 / 2 + a * (1 / 3 + a * (1 / 4 + a / 5))), -a - np.log1p(-a))
    try:
        return ((a * second_moment + rest) / (2 * np.log(2)))[()]
    except ValueError:
        shapes = f"{second_moment.shape} and {bar_alpha.shape}"
        raise ValueError(f"second_moment must broadcast against bar_alpha, got shapes {shapes}") from None


def _schedule(log_alpha_squared):
    # expm1: beta and the first bar_beta are small, and 1 - bar_alpha^2 would keep half of their digits only.
    log_bar = np.cumsum(log_alpha_squared)
    bar_alpha, bar_beta = np.exp(log_bar / 2), np.sqrt(-np.expm1(log_bar))
    previous = np.concatenate([[1.0], bar_alpha[:-1]]), np.concatenate([[0.0], bar_beta[:-1]])
    alpha, beta = np.exp(log_alpha_squared / 2), np.sqrt(-np.expm1(log_alpha_squared))
    return Schedule(alpha, beta, bar_alpha, bar_beta, *previous)


def _check_length(schedule):
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule must be a Schedule of ddpm_schedule, got {schedule!r}")
    return len(schedule.alpha)

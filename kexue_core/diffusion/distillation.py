"""Score identity distillation where the best critic is a formula: losses of one value, gradients that differ.

Noise is added as ``x = bar_alpha x_0 + bar_beta eps``, ``bar_beta^2 = 1 - bar_alpha^2``. ``T(x)`` is what the teacher
takes for the noise, ``C(x)`` what a critic takes for it that was trained on the student's samples. At the best critic
three losses of the student have one value:

    L1 = E|T - C|^2,   L2 = E<T - C, T - eps>,   L3 = E[|T|^2 - 2 <T, eps> + <C, eps>].

A trainer holds ``C`` fixed while it differentiates (stop-gradient), and then they differ. A triple of weights stands
for a combination of the three: ``(-lam, 1, 0)`` is the loss of SiD, and ``(-1, 2, 0)``, twice that with ``lam = 1/2``,
has the gradient of the common value itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import line_mixture
from kexue_core.diffusion._noise import bells_noise, mixture_noise

__all__ = [
    "gaussian_distillation_losses",
    "gaussian_distillation_gradient",
    "gaussian_distillation_path",
    "particle_distillation_gradient",
]


def gaussian_distillation_losses(
    mu: ArrayLike,
    tau: ArrayLike,
    *,
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
    bar_alpha: ArrayLike,
    critic_mean: ArrayLike | None = None,
    critic_std: ArrayLike | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return ``L1, L2, L3`` of a student ``N(mu, tau^2)`` for a teacher ``N(mean, std^2)`` and a Gaussian critic.

    ``T(x) = bar_beta (x - bar_alpha mean) / U`` with ``U = bar_alpha^2 std^2 + bar_beta^2``; the critic is the same
    with ``critic_mean`` and ``critic_std``, that is, the best one for ``N(critic_mean, critic_std^2)``.

    Parameters
    ----------
    mu, mean : (...) array_like
        Means of student and teacher.
    tau, std : (...) array_like
        Their standard deviations, positive.
    bar_alpha : (...) array_like
        Level of the signal, in ``(0, 1)``.
    critic_mean, critic_std : (...) array_like, optional
        What the critic was trained on; by default the student, which makes it the best critic.

    Returns
    -------
    first, second, third : (...) ndarray
        All equal to ``bar_beta^2 (V (1/U - 1/V)^2 + bar_alpha^2 (mu - mean)^2 / U^2)`` at the best critic, ``V =
        bar_alpha^2 tau^2 + bar_beta^2``.

    Raises
    ------
    ValueError
        If ``bar_alpha`` is not in ``(0, 1)``, a standard deviation is not positive, a value is not finite or the shapes
        do not broadcast.

    References
    ----------
    .. [1] kexue.fm/archives/10085; Zhou et al., arXiv:2404.04057.

    Examples
    --------
    >>> losses = gaussian_distillation_losses(2.0, 0.5, bar_alpha=0.6)
    >>> [round(float(loss), 6) for loss in losses]
    [0.985512, 0.985512, 0.985512]
    """
    mu, tau, mean, std, a, b2, named = _gaussian(mu, tau, mean, std, bar_alpha)
    other = mu if critic_mean is None else _checks.array("critic_mean", critic_mean)
    width = tau if critic_std is None else _checks.array("critic_std", critic_std, low=0, open="low")
    zero = np.zeros(_checks.broadcast(*named, ("critic_mean", other, 0), ("critic_std", width, 0)))
    with np.errstate(all="ignore"):
        u, v, w = (np.hypot(a * spread, np.sqrt(b2)) for spread in (std, tau, width))  # the roots of U, V, W

        def gap(one, two):  # of the variances, over U: a difference would lose its digits where both agree
            return (a * (one - two) / u) * (a * (one + two) / u)

        # T / bar_beta and C / bar_beta have the means t and c and the slopes 1/U and 1/W; E[T eps] = bar_beta^2 / U.
        t, c, slope = a * (mu - mean) / u / u, a * (mu - other) / w / w, gap(width, std) / w / w  # 1/U - 1/W
        first = b2 * ((t - c) ** 2 + (v * slope) ** 2)
        second = b2 * (t * (t - c) + slope * gap(tau, std))
        third = b2 * (t * t + gap(tau, width) / u / u + (w * slope) ** 2)
    first, second, third = (_checks.result(zero + loss, "mu", "tau", "std") for loss in (first, second, third))
    return first, second, third


def gaussian_distillation_gradient(
    mu: ArrayLike,
    tau: ArrayLike,
    *,
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
    bar_alpha: ArrayLike,
    weights: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the gradient in ``(mu, tau)`` of a combination of losses, the best critic held fixed.

    With ``U, V`` of `gaussian_distillation_losses`, ``d = mu - mean``, ``k = 1 - V/U`` and ``c = 2 bar_alpha^2
    bar_beta^2``: ``L1`` has ``c (-d k / (U V), tau k^2 / V^2)``, ``L2`` has ``c (d (1/2 - k) / (U V), -tau k / (U V))``
    and ``L3`` has ``c (d, tau) / U^2``.

    Parameters
    ----------
    mu, mean : (...) array_like
        Means of student and teacher.
    tau, std : (...) array_like
        Their standard deviations, positive.
    bar_alpha : (...) array_like
        Level of the signal, in ``(0, 1)``.
    weights : (..., 3) array_like
        Of ``L1, L2, L3``.

    Returns
    -------
    d_mu, d_tau : (...) ndarray
        For ``(-lam, 1, 0)`` a small step against it moves both parameters towards the teacher while ``2 (1 - lam) k <
        1``; that is so for all standard deviations and all noise if and only if ``1/2 <= lam <= 1``.

    Raises
    ------
    ValueError
        If ``bar_alpha`` is not in ``(0, 1)``, a standard deviation is not positive, a value is not finite or the shapes
        do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10085; Zhou et al., arXiv:2404.04057.

    Examples
    --------
    >>> d_mu, d_tau = gaussian_distillation_gradient(2.0, 0.5, bar_alpha=0.6, weights=[[1, 0, 0], [-0.5, 1, 0]])
    >>> d_mu.round(4), d_tau.round(4)
    (array([-0.3409,  0.4608]), array([ 0.0315, -0.101 ]))
    """
    mu, tau, mean, std, a, b2, named = _gaussian(mu, tau, mean, std, bar_alpha)
    weights = _checks.array("weights", weights, core=1, last=3)
    zero = np.zeros(_checks.broadcast(*named, ("weights", weights, 1)))
    with np.errstate(all="ignore"):
        d_mu, d_tau = _slopes(mu, tau, mean, std, a, b2, np.moveaxis(weights, -1, 0))
    return _checks.result(zero + d_mu, "mu", "tau", "weights"), _checks.result(zero + d_tau, "mu", "tau", "weights")


def gaussian_distillation_path(
    mu: ArrayLike,
    tau: ArrayLike,
    *,
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
    bar_alpha: ArrayLike,
    weights: ArrayLike,
    length: float = 0.05,
    steps: int = 200,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the way of a student that follows `gaussian_distillation_gradient` downhill, in steps of equal length.

    Length is measured in ``(mu / std, log tau)``, so that speed does not matter and no step jumps over ``tau = 0``; the
    step is that of the midpoint rule. The way ends where it comes closer to the teacher than ``length``.

    Parameters
    ----------
    mu, mean : (...) array_like
        Means of student and teacher.
    tau, std : (...) array_like
        Their standard deviations, positive.
    bar_alpha : (...) array_like
        Level of the signal, in ``(0, 1)``.
    weights : (..., 3) array_like
        Of ``L1, L2, L3``.
    length : float
        Positive.
    steps : int
        Not negative.

    Returns
    -------
    means, stds : (steps + 1, ...) ndarray
        Constant from where the way ends, or where the gradient vanishes.

    Raises
    ------
    ValueError
        If ``bar_alpha`` is not in ``(0, 1)``, a standard deviation or ``length`` is not positive, a value is not finite
        or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10085.

    Examples
    --------
    >>> means, stds = gaussian_distillation_path(2.0, 0.5, bar_alpha=0.9, weights=[[1, 0, 0], [-1, 2, 0]])
    >>> means[-1].round(1) + 0, stds[-1].round(1)
    (array([9.8, 0. ]), array([0., 1.]))
    """
    mu, tau, mean, std, a, b2, named = _gaussian(mu, tau, mean, std, bar_alpha)
    weights = _checks.array("weights", weights, core=1, last=3)
    length = _checks.number("length", length, low=0, open="low")
    steps = _checks.integer("steps", steps, low=0, high=100_000)
    shape = _checks.broadcast(*named, ("weights", weights, 1))
    place, log_tau = np.broadcast_to(mu / std, shape), np.broadcast_to(np.log(tau), shape)
    target, log_std = mean / std, np.log(std)
    weights = np.moveaxis(weights, -1, 0)

    def direction(place, log_tau):
        width = np.exp(log_tau)
        d_mu, d_tau = _slopes(place * std, width, mean, std, a, b2, weights)
        d_place, d_log = d_mu / std, d_tau / width
        size = np.hypot(d_place, d_log)
        size = np.where(size > 0, size, 1)
        return -d_place / size, -d_log / size

    ways = np.empty((2, steps + 1, *shape))
    ways[:, 0] = place, log_tau
    with np.errstate(all="ignore"):
        for step in range(steps):
            first = direction(place, log_tau)
            half = direction(place + length / 2 * first[0], log_tau + length / 2 * first[1])
            goes = np.hypot(place - target, log_tau - log_std) >= length
            place = np.where(goes, place + length * half[0], place)
            log_tau = np.where(goes, log_tau + length * half[1], log_tau)
            ways[:, step + 1] = place, log_tau
        ways = ways[0] * std, np.exp(ways[1])
    return _checks.result(ways[0], "mu", "std", "length"), _checks.result(ways[1], "tau", "length")


def particle_distillation_gradient(
    particles: ArrayLike,
    *,
    bandwidth: float,
    bar_alpha: float,
    loss_weights: ArrayLike,
    means: ArrayLike,
    stds: ArrayLike,
    weights: ArrayLike | None = None,
    nodes: int = 24,
) -> NDArray[np.float64]:
    """Return the gradient of a combination of losses in the particles of a student on a line, times their number.

    The student is ``y_i + bandwidth xi``, ``i`` drawn evenly and ``xi`` standard normal, so that its noisy density is a
    mixture of Gaussians and the best critic a formula, as is the teacher. Averages over ``x`` are trapezoidal sums
    around each particle (the denoisers have poles near the real line, for which Gauss-Hermite sums converge slowly);
    cost ``nodes N (N + K)`` exponentials for ``N`` particles and ``K`` components.

    Parameters
    ----------
    particles : (..., N) array_like
        Centres ``y_i``.
    bandwidth : float
        Positive.
    bar_alpha : float
        Level of the signal, in ``(0, 1)``.
    loss_weights : (..., 3) array_like
        Of ``L1, L2, L3``.
    means : (K, 1) array_like
        Centres of the components of the teacher.
    stds : float or (K,) array_like
        Their standard deviations, positive.
    weights : (K,) array_like, optional
        Their probabilities, positive with sum 1. Equal by default.
    nodes : int
        Of each sum, between 2 and 1000; the error falls like ``exp(-c nodes^(2/3))``.

    Returns
    -------
    gradient : (..., N) ndarray
        ``N`` times the derivative in each ``y_i``, the critic held fixed. For ``loss_weights = (-1, 2, 0)`` the
        derivative of the value itself, critic and all.

    Raises
    ------
    ValueError
        If ``bandwidth`` or ``stds`` is not positive, ``bar_alpha`` is not in ``(0, 1)``, weights are not probabilities,
        a value is not finite or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10085; Zhou et al., arXiv:2404.04057.

    Examples
    --------
    >>> teacher = {"means": [[-1.0], [1.0]], "stds": 0.3}
    >>> options = {"bandwidth": 0.2, "bar_alpha": 0.6, "loss_weights": [-0.5, 1, 0]}
    >>> particle_distillation_gradient([-0.5, 0.5], **options, **teacher).round(4)
    array([ 0.1234, -0.1234])
    """
    y = _checks.array("particles", particles, core=1)
    h = _checks.number("bandwidth", bandwidth, low=0, open="low")
    a = _checks.number("bar_alpha", bar_alpha, low=0, high=1, open="both")
    combination = _checks.array("loss_weights", loss_weights, core=1, last=3)
    _checks.broadcast(("particles", y, 1), ("loss_weights", combination, 1))
    means, stds, weights = line_mixture(means, stds, weights)
    one, two, three = np.moveaxis(combination[..., None, :], -1, 0)
    nodes = _checks.integer("nodes", nodes, low=2, high=1000)
    # As wide as makes the tail exp(-reach^2 / 2) as small as the error exp(-2 pi / spacing) of a pole at distance 1.
    reach = (2 * np.pi * (nodes - 1)) ** (1 / 3)
    u = np.linspace(-reach, reach, nodes)
    p = np.exp(-(u**2) / 2)
    b = ((1 - a) * (1 + a)) ** 0.5
    width = np.hypot(a * h, b)
    with np.errstate(over="ignore", invalid="ignore"):
        x = a * y[..., None] + width * u
        T, T_slope = mixture_noise(x, b, a * means, np.hypot(a * stds, b), weights)
        C, C_slope = bells_noise(a * y / width, u, width, b)
        eps = b / width * u  # the mean of eps given x and the particle
        gap, gap_slope, error = T - C, T_slope - C_slope, T - eps
        slope = one * (2 * gap * gap_slope @ p) + two * ((gap_slope * error + gap * T_slope) @ p)
        slope += three * (2 * T_slope * error @ p + C_slope @ (eps * p))
    return _checks.result(a * slope / p.sum(), "particles", "means", "loss_weights")


def _slopes(mu, tau, mean, std, a, b2, weights):
    """Return the gradient of `gaussian_distillation_gradient`, unchecked; the three weights come first."""
    one, two, three = weights
    U, V = (a * std) ** 2 + b2, (a * tau) ** 2 + b2
    # As a difference of squares: 1 - V / U would lose its digits where both agree.
    k, d, c = (a * (std - tau)) * (a * (std + tau)) / U, mu - mean, 2 * a * a * b2
    d_mu = c * d / U * ((two / 2 - (one + two) * k) / V + three / U)
    return d_mu, c * tau * (one * (k / V) ** 2 - two * k / V / U + three / U / U)


def _gaussian(mu, tau, mean, std, bar_alpha):
    """Return student, teacher, level and ``bar_beta^2``, checked, and what `_checks.broadcast` takes of them."""
    mu, tau = _checks.array("mu", mu), _checks.array("tau", tau, low=0, open="low")
    mean, std = _checks.array("mean", mean), _checks.array("std", std, low=0, open="low")
    a = _checks.array("bar_alpha", bar_alpha, low=0, high=1, open="both")
    named = ("mu", mu, 0), ("tau", tau, 0), ("mean", mean, 0), ("std", std, 0), ("bar_alpha", a, 0)
    return mu, tau, mean, std, a, (1 - a) * (1 + a), named

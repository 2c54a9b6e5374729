"""Diffusion in the time of EDM: schedules and denoisers whose score is known exactly.

Noise is added as ``x_t = x_0 + t z`` with ``z ~ N(0, I)``, so time *is* the noise level. Where a network would be
trained, the functions here return the exact posterior mean ``D(x, t) = E[x_0 | x_t = x]`` of data that have a formula:
a Gaussian, a mixture of Gaussians, a finite data set. The score follows as ``(D(x, t) - x) / t^2`` and the velocity of
the sampling ODE as ``(x - D(x, t)) / t``.

All denoisers share ``denoise(x, t, ...)``; bind the data with ``functools.partial(denoise_points, points=images)`` and
hand the result to any function of `samplers`. A process ``x_t = a x_0 + b z`` (DDPM, rectified flow) is
served by the same functions: ``E[x_0 | x_t = x] = D(x / a, b / a)``.
"""

import numpy as np

from kexue_core import _checks

__all__ = ["edm_time_steps", "denoise_gaussian", "denoise_mixture", "denoise_points", "velocity", "disk_images"]


def edm_time_steps(n, *, t_min=0.002, t_max=80.0, rho=7.0):
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
        Strictly decreasing, ``times[0] == t_max`` and ``times[-1] == t_min`` exactly.

    Raises
    ------
    ValueError
        If ``n < 2``, a number is not positive, or ``t_min >= t_max``.

    References
    ----------
    .. [1] kexue.fm/archives/9881; Karras et al., arXiv:2206.00364, eq. (5).

    Examples
    --------
    >>> edm_time_steps(4).round(3)
    array([8.000e+01, 9.723e+00, 4.700e-01, 2.000e-03])
    """
    n = _checks.integer("n", n, minimum=2)
    t_min, t_max, rho = (_checks.positive(*pair) for pair in (("t_min", t_min), ("t_max", t_max), ("rho", rho)))
    if t_min >= t_max:
        raise ValueError(f"t_min must be smaller than t_max = {t_max}, got {t_min}")
    # expm1 and log1p keep all digits for large rho, where the 1/rho-th powers of both ends round to nearly the same
    # number.
    w = np.arange(1, n - 1) / (n - 1)
    inner = t_max * np.exp(rho * np.log1p(w * np.expm1(np.log(t_min / t_max) / rho)))
    return np.concatenate([[t_max], inner, [t_min]])


def denoise_gaussian(x, t, *, mean=0.0, std=1.0):
    """Return the posterior mean ``D(x, t) = mean + std^2 / (std^2 + t^2) (x - mean)`` of data ``N(mean, diag(std^2))``.

    Parameters
    ----------
    x : (..., D) array_like
        Noisy points.
    t : (...) array_like
        Positive noise level: a number, or one for each point.
    mean : float or (D,) array_like
        Mean of the data.
    std : float or (D,) array_like
        Standard deviation per coordinate, not negative. A full covariance is this case in its eigenbasis.

    Returns
    -------
    denoised : (..., D) ndarray
        Between ``x`` and ``mean`` in each coordinate.

    Raises
    ------
    ValueError
        If ``t <= 0``, ``std < 0``, a value is not finite or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/9881; Karras et al., arXiv:2206.00364, Appendix B.3.

    Examples
    --------
    >>> denoise_gaussian([3.0, 3.0], 1.0, std=[1.0, 0.5])
    array([1.5, 0.6])
    """
    x, t = _points_and_times(x, t)
    mean, std = _per_entry("mean", mean, x.shape[-1]), _per_entry("std", std, x.shape[-1])
    _not_negative("std", std)
    # hypot: the square of a tiny t would underflow to 0 and leave 0/0 where std is 0.
    return mean + (std / np.hypot(std, t[..., None])) ** 2 * (x - mean)


def denoise_mixture(x, t, *, means, stds, weights=None):
    """Return the posterior mean of a mixture of isotropic Gaussians, ``sum_k p_k(x, t) D_k(x, t)``.

    ``D_k = (stds_k^2 x + t^2 means_k) / V_k`` with ``V_k = stds_k^2 + t^2`` is the denoiser of component ``k``, and
    ``p_k ~ weights_k V_k^(-D/2) exp(-|x - means_k|^2 / (2 V_k))``, normalised over ``k``, its responsibility for ``x``.
    Cost: two matrix products of ``K D`` per point. Logits carry an error of about ``1e-16 (r / t)^2``, ``r`` the
    largest distance from the centre.

    Parameters
    ----------
    x : (..., D) array_like
        Noisy points.
    t : (...) array_like
        Positive noise level: a number, or one for each point.
    means : (K, D) array_like
        Centres of the components.
    stds : float or (K,) array_like
        Their standard deviations, not negative.
    weights : (K,) array_like, optional
        Their probabilities, positive with sum 1. Equal by default.

    Returns
    -------
    denoised : (..., D) ndarray
        ``x + t^2`` times the score of the noisy density, ``grad log p_t(x)``.

    Raises
    ------
    ValueError
        If ``t <= 0``, ``stds < 0``, weights are not probabilities, a value is not finite or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/9881; Karras et al., arXiv:2206.00364, Appendix B.3.

    Examples
    --------
    >>> denoise_mixture([[0.0], [0.5]], 1.0, means=[[-1.0], [1.0]], stds=0.5).round(3)
    array([[0.  ],
           [0.404]])
    """
    means = _checks.finite_array("means", means, ndim=2)
    stds = _per_entry("stds", stds, len(means))
    _not_negative("stds", stds)
    weights = np.full(len(means), 1 / len(means)) if weights is None else weights
    weights = _checks.finite_array("weights", weights, ndim=1)
    if len(weights) != len(means):
        raise ValueError(f"weights must have one entry for each of the {len(means)} means, got shape {weights.shape}")
    if weights.min() <= 0 or abs(weights.sum() - 1) > 1e-9:
        raise ValueError(f"weights must be positive with sum 1, got minimum {weights.min()} and sum {weights.sum()}")
    return _mixture_mean(x, t, means, stds, weights)


def denoise_points(x, t, *, points):
    """Return the posterior mean ``sum_k p_k points_k`` of ``points``, ``p = softmax(-|x - points_k|^2 / (2 t^2))``.

    This is what a network trained without error on exactly these points would compute: softmax attention over the data.
    Error of the logits as in `denoise_mixture`, of which this is the case ``stds = 0``.

    Parameters
    ----------
    x : (..., D) array_like
        Noisy points.
    t : (...) array_like
        Positive noise level: a number, or one for each point.
    points : (K, D) array_like
        The data, all with probability ``1 / K``.

    Returns
    -------
    denoised : (..., D) ndarray
        In the convex hull of ``points``: their mean for ``t -> inf``, the nearest point for ``t -> 0``.

    Raises
    ------
    ValueError
        If ``t <= 0``, a value is not finite or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/9881; Karras et al., arXiv:2206.00364, Appendix B.3.

    Examples
    --------
    >>> denoise_points([[0.2], [3.0]], 0.5, points=[[-1.0], [1.0]]).round(3)
    array([[0.664],
           [1.   ]])
    """
    points = _checks.finite_array("points", points, ndim=2)
    return _mixture_mean(x, t, points, np.zeros(len(points)), np.full(len(points), 1 / len(points)))


def velocity(denoise, x, t):
    """Return the velocity ``v(x, t) = (x - D(x, t)) / t`` of the diffusion ODE ``dx/dt = v``.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns an array of the shape of ``x``.
    x : (..., D) array_like
        Noisy points.
    t : (...) array_like
        Positive noise level: a number, or one for each point.

    Returns
    -------
    v : (..., D) ndarray
        ``-t`` times the score. Rounding of ``x - D`` leaves an absolute error of about ``1e-16 |x| / t``.

    Raises
    ------
    ValueError
        If ``t <= 0``, or ``denoise`` returns another shape or a value that is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9881; Karras et al., arXiv:2206.00364, eq. (3).

    Examples
    --------
    >>> velocity(denoise_gaussian, [[2.0, -4.0]], 1.0)
    array([[ 1., -2.]])
    """
    x, t = _points_and_times(x, t)
    denoised = _checks.finite_array("denoise(x, t)", denoise(x, t if t.ndim else float(t)))
    shape = np.broadcast_shapes(x.shape, (*t.shape, 1))
    if denoised.shape != shape:
        raise ValueError(f"denoise(x, t) must have the shape {shape} of x, got {denoised.shape}")
    return (x - denoised) / t[..., None]


def disk_images(n, size, rng):
    """Return ``n`` grey images of one soft-edged disk each, a data set that is drawn instead of downloaded.

    ``tanh(8 (radius - |pixel - centre|))`` on the unit square: about 1 inside the disk and -1 far outside. Pixel
    centres are ``(i + 1/2) / size``, disk centres uniform in ``[0.25, 0.75]^2``, radii uniform in ``[0.12, 0.35]``.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Pixels per side.
    rng : numpy.random.Generator
        Draws all horizontal centres, then all vertical centres, then all radii.

    Returns
    -------
    images : (n, size * size) ndarray
        Rows of the images one after the other, every value in ``(-1, 1)``.

    Raises
    ------
    ValueError
        If ``n`` or ``size`` is smaller than 1.
    TypeError
        If ``rng`` is not a generator.

    References
    ----------
    .. [1] Stands in for the image sets of kexue.fm/archives/9881 and arXiv:2312.00094, Table 2.

    Examples
    --------
    >>> disk_images(1, 3, np.random.default_rng(0)).reshape(3, 3).round(2)
    array([[-0.99, -0.66, -0.94],
           [-0.98, -0.04, -0.86],
           [-1.  , -0.99, -1.  ]])
    """
    n, size = _checks.integer("n", n, minimum=1), _checks.integer("size", size, minimum=1)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, got {rng!r}")
    centre_x, centre_y = rng.uniform(0.25, 0.75, (2, n, 1, 1))
    radius = rng.uniform(0.12, 0.35, (n, 1, 1))
    pixel = (np.arange(size) + 0.5) / size
    distance = np.hypot(pixel[None, None, :] - centre_x, pixel[None, :, None] - centre_y)
    return np.tanh(8 * (radius - distance)).reshape(n, -1)


def _mixture_mean(x, t, means, stds, weights):
    x, t = _points_and_times(x, t)
    if x.shape[-1] != means.shape[1]:
        raise ValueError(f"x must have {means.shape[1]} entries on its last axis like the data, got shape {x.shape}")
    centre = means.mean(axis=0)
    x, means = x - centre, means - centre
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        total = stds**2 + t[..., None] ** 2
        # |x|^2 / V_max is common to all logits and left out: it would swamp their differences (exactly all of it for
        # equal stds).
        excess = (stds.max() ** 2 - stds**2) / (stds.max() ** 2 + t[..., None] ** 2)
        square_x, square_means = (x**2).sum(axis=-1, keepdims=True), (means**2).sum(axis=-1)
        logits = (x @ means.T - square_means / 2 - excess * square_x / 2) / total
        logits = logits + np.log(weights) - means.shape[1] / 2 * np.log(total)
    if not np.isfinite(logits).all():
        raise ValueError(f"t must be above 1e-150 times the distances of x and the data, got {t.min()}")
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    keep = p * (stds**2 / total)
    return centre + keep.sum(axis=-1, keepdims=True) * x + (p - keep) @ means


def _points_and_times(x, t):
    x, t = _checks.finite_array("x", x), _checks.finite_array("t", t)
    if x.ndim == 0:
        raise ValueError(f"x must have shape (..., D), got the number {x}")
    if t.min() <= 0:
        raise ValueError(f"t must be positive, got {t.min()}")
    try:
        np.broadcast_shapes(x.shape[:-1], t.shape)
    except ValueError:
        raise ValueError(f"t must fit the leading axes {x.shape[:-1]} of x, got shape {t.shape}") from None
    return x, t


def _per_entry(name, value, n):
    value = _checks.finite_array(name, value)
    if value.shape not in ((), (n,)):
        raise ValueError(f"{name} must be a number or have shape ({n},), got shape {value.shape}")
    return np.broadcast_to(value, (n,))


def _not_negative(name, value):
    if value.min() < 0:
        raise ValueError(f"{name} must not be negative, got {value.min()}")

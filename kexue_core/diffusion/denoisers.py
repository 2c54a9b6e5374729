"""Diffusion in the time of EDM: denoisers whose score is known exactly.

Noise is added as ``x_t = x_0 + t z`` with ``z ~ N(0, I)``, so time *is* the noise level. Where a network would be
trained, the functions here return the exact posterior mean ``D(x, t) = E[x_0 | x_t = x]`` of data that have a formula:
a Gaussian, a mixture of Gaussians, a finite data set. The score follows as ``(D(x, t) - x) / t^2`` and the velocity of
the sampling ODE as ``(x - D(x, t)) / t``.

All denoisers share ``denoise(x, t, ...)``; bind the data with ``functools.partial(denoise_points, points=images)`` and
hand the result to any function of `samplers`. A process ``x_t = a x_0 + b z`` (DDPM, rectified flow) is
served by the same functions: ``E[x_0 | x_t = x] = D(x / a, b / a)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Array, Denoiser, denoised

__all__ = ["denoise_gaussian", "denoise_mixture", "denoise_points", "velocity", "disk_images"]


def denoise_gaussian(x: ArrayLike, t: ArrayLike, *, mean: ArrayLike = 0.0, std: ArrayLike = 1.0) -> NDArray[np.float64]:
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
    mean, std = _per_entry("mean", mean, x.shape[-1]), _per_entry("std", std, x.shape[-1], low=0)
    with np.errstate(over="ignore"):
        # hypot: the square of a tiny t would underflow to 0 and leave 0/0 where std is 0.
        return _checks.result(mean + (std / np.hypot(std, t[..., None])) ** 2 * (x - mean), "x", "mean")


def denoise_mixture(
    x: ArrayLike, t: ArrayLike, *, means: ArrayLike, stds: ArrayLike, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return the posterior mean of a mixture of isotropic Gaussians, ``sum_k p_k(x, t) D_k(x, t)``.

    ``D_k = (stds_k^2 x + t^2 means_k) / V_k`` with ``V_k = stds_k^2 + t^2`` is the denoiser of component ``k``, and
    ``p_k ~ weights_k V_k^(-D/2) exp(-|x - means_k|^2 / (2 V_k))``, normalized over ``k``, its responsibility for ``x``.
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
        Their probabilities, positive with sum 1 within the rounding of their own type. Equal by default.

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
    means = _checks.array("means", means, ndim=2, core=2)
    stds = _per_entry("stds", stds, len(means), low=0)
    if weights is not None:
        weights = _checks.distribution("weights", weights, positive=True, shape=(len(means),))
    x, t, centre, means = _centred(x, t, means)
    t = t[..., None]
    with np.errstate(all="ignore"):
        # |x|^2 / V_max is common to all logits and left out: it would swamp their differences (exactly all of it for
        # equal stds). No variance is formed: the square of a tiny or huge t would underflow or overflow.
        widest, scale = np.hypot(stds.max(), t), np.hypot(stds, t)
        excess = (stds.max() - stds) / widest * ((stds.max() + stds) / widest)
        logits = _closeness(x, means, scale)
        if excess.any():
            largest = np.abs(x).max(axis=-1, keepdims=True)
            if x.shape[-1] > 1:
                largest = largest * np.sqrt(((x / np.where(largest > 0, largest, 1)) ** 2).sum(axis=-1, keepdims=True))
            wide = np.divide(largest, scale, out=np.empty_like(logits))  # the length of x
            wide *= wide
            wide *= excess
            logits -= np.divide(wide, 2, out=wide)
        if weights is not None:
            logits += np.log(weights)
        logits -= means.shape[1] * np.log(scale)
        p = _probabilities(logits, t)
        keep = p * (stds / scale) ** 2
        kept = keep.sum(axis=-1, keepdims=True) * x
        p -= keep
        return _checks.result(centre + kept + _average(p, means), "x", "means")


def denoise_points(x: ArrayLike, t: ArrayLike, *, points: ArrayLike) -> NDArray[np.float64]:
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
    x, t, centre, points = _centred(x, t, _checks.array("points", points, ndim=2, core=2))
    with np.errstate(all="ignore"):
        t = t[..., None]
        guess = _average(_probabilities(_closeness(x, points, t), t), points)
        guess += centre
        return _checks.result(guess, "points")


def velocity(denoise: Denoiser, x: ArrayLike, t: ArrayLike) -> NDArray[np.float64]:
    """Return the velocity ``v(x, t) = (x - D(x, t)) / t`` of the diffusion ODE ``dx/dt = v``.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns an array of the shape of ``x``, of which it gets a copy.
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
    shape = np.broadcast_shapes(x.shape, (*t.shape, 1))
    with np.errstate(over="ignore"):
        value = (x - denoised(denoise, x, t if t.ndim else float(t), shape)) / t[..., None]
    return _checks.result(value, "x", "denoise", "t")


def disk_images(n: int, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
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
    n, size, rng = _checks.integer("n", n, low=1), _checks.integer("size", size, low=1), _checks.generator("rng", rng)
    centre_x, centre_y = rng.uniform(0.25, 0.75, (2, n, 1, 1))
    radius = rng.uniform(0.12, 0.35, (n, 1, 1))
    pixel = (np.arange(size) + 0.5) / size
    distance = np.hypot(pixel[None, None, :] - centre_x, pixel[None, :, None] - centre_y)
    return np.tanh(8 * (radius - distance)).reshape(n, -1)


def _centred(x, t, data):
    """Return ``x, t``, the centre of the data, and ``x`` and the data moved there."""
    x, t = _points_and_times(x, t)
    if x.shape[-1] != data.shape[1]:
        raise ValueError(f"x must have {data.shape[1]} entries on its last axis like the data, got shape {x.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        centre = data.mean(axis=0)
        return x - centre, t, centre, data - centre


def _closeness(x, means, scale):
    """Return ``(x.m - |m|^2 / 2) / scale^2`` for all means: up to a common term ``-|x - m|^2 / (2 scale^2)``."""
    unit = _checks.binary_exponent(means)
    x, means, scale = (np.ldexp(part, -unit) for part in (x, means, scale))
    # Components on the first axis in memory: all loops, and the sums over components, then run along the points.
    product = np.multiply if x.shape[-1] == 1 else np.matmul
    products = product(means, x.reshape(-1, x.shape[-1]).T).T.reshape(*x.shape[:-1], len(means))
    products -= (means**2).sum(axis=-1) / 2
    products = _checks.result(products, "the distances of x and the data")
    products = np.divide(products, scale, out=products if scale.ndim == 1 else None)
    products /= scale
    return products


def _probabilities(logits, t):
    top = logits.max(axis=-1, keepdims=True)
    if not np.isfinite(logits).all():
        raise ValueError(f"t must be above 1e-150 times the distances of x and the data, got {t.min()}")
    logits -= top
    np.copyto(logits, -np.inf, where=logits < -700)  # subnormal numbers would only be slow, in exp and in products
    p = np.exp(logits, out=logits)
    p /= p.sum(axis=-1, keepdims=True)
    return p


def _average(p, means):
    """Return ``p @ means`` as one product of matrices, whatever the axes of ``p``."""
    return (p.reshape(-1, len(means)) @ means).reshape(*p.shape[:-1], means.shape[1])


def _points_and_times(x, t) -> tuple[Array, Array]:
    x, t = _checks.array("x", x, core=1), _checks.array("t", t, low=0, open="low")
    _checks.broadcast(("x", x, 1), ("t", t, 0))
    return x, t


def _per_entry(name, value, n, **bounds: Any) -> Array:
    value = _checks.array(name, value, **bounds)
    if value.shape not in ((), (n,)):
        raise ValueError(f"{name} must be a number or have shape ({n},), got shape {value.shape}")
    return np.broadcast_to(value, (n,))

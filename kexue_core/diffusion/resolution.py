"""Pictures at several resolutions: average pooling, its response to frequencies, and power-law spectra.

Frequencies ``k`` count waves across the picture, ``-n/2 <= k < n/2``. A spectrum is the variance of the orthonormal
Fourier coefficients (`numpy.fft.fft2` with ``norm="ortho"``), so white noise of variance 1 has the spectrum 1.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = [
    "average_pool",
    "pooling_response",
    "multiscale_losses",
    "power_law_spectrum",
    "matched_shift",
    "remaining_uncertainty",
]


def average_pool(x: ArrayLike, s: int) -> NDArray[np.float64]:
    """Return the means of the ``s x s`` blocks of pictures.

    Parameters
    ----------
    x : (..., H, W) array_like
        Pictures; ``s`` divides both sides.
    s : int
        Side of a block, at least 1.

    Returns
    -------
    pooled : (..., H / s, W / s) ndarray
        Independent noise of variance 1 becomes independent noise of variance ``1 / s^2``.

    Raises
    ------
    ValueError
        If ``s < 1``, it does not divide a side, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10047.

    Examples
    --------
    >>> average_pool([[1.0, 3.0, 0.0, 0.0], [5.0, 7.0, 0.0, 4.0]], 2)
    array([[4., 1.]])
    """
    return _pooled("x", _checks.array("x", x, core=2), "s", _checks.integer("s", s, low=1))


def pooling_response(omega: ArrayLike, s: int) -> NDArray[np.float64]:
    """Return the share of the power of a wave that survives the averaging of ``s`` neighbours, in one direction.

    ``(sin(s omega / 2) / (s sin(omega / 2)))^2``; in two directions the product.

    Parameters
    ----------
    omega : (...) array_like
        Radians per pixel; ``2 pi k / n`` for ``k`` waves across ``n`` pixels.
    s : int
        Length of the average, at least 1.

    Returns
    -------
    response : (...) ndarray
        In [0, 1], 1 at 0; its mean over a period is ``1 / s``.

    Raises
    ------
    ValueError
        If ``s < 1`` or a frequency is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10047 (the pooling).

    Examples
    --------
    >>> pooling_response([0, np.pi / 2, np.pi], 2).round(3)
    array([1. , 0.5, 0. ])
    """
    omega, s = _checks.array("omega", omega), _checks.integer("s", s, low=1)
    half = np.remainder(omega, 2 * np.pi) / 2
    j = np.arange(s) - (s - 1) / 2
    return (np.cos(2 * half[..., None] * j).mean(axis=-1) ** 2)[()]


def multiscale_losses(residual: ArrayLike, scales: Iterable[int]) -> NDArray[np.float64]:
    """Return the mean square of a residual after pooling it ``s x s``, for each ``s``.

    Parameters
    ----------
    residual : (..., H, W) array_like
        Noise minus its prediction. Pooling is linear, so this is the loss between pooled noise and pooled prediction.
    scales : iterable of int
        Sides of the blocks, which divide both sides of the picture.

    Returns
    -------
    losses : (..., S) ndarray
        Of a white residual the mean falls as ``1 / s^2``; of a constant one it stays.

    Raises
    ------
    ValueError
        If there is no scale, one does not divide a side, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10047; Hoogeboom et al., arXiv:2301.11093, Section 3.2.

    Examples
    --------
    >>> multiscale_losses([[1.0, -1.0], [1.0, -1.0]], [1, 2])
    array([1., 0.])
    """
    residual = _checks.array("residual", residual, core=2)
    if isinstance(scales, Iterable) and not isinstance(scales, np.ndarray):
        scales = list(scales)
    scales = _checks.array("scales", scales, kind="integer", ndim=1, low=1).tolist()
    if not scales:
        raise ValueError("scales must hold at least one value, got none")
    with np.errstate(over="ignore"):
        losses = [(_pooled("residual", residual, "scales", s) ** 2).mean(axis=(-2, -1)) for s in scales]
    return _checks.result(np.stack(losses, axis=-1), "residual")


def power_law_spectrum(n: int, exponent: float) -> NDArray[np.float64]:
    """Return the spectrum ``|k|^(-2 exponent)`` of pictures with mean 0 and pixel variance 1.

    Parameters
    ----------
    n : int
        Pixels a side, at least 2.
    exponent : float
        0 for white noise; near 1 for photographs.

    Returns
    -------
    spectrum : (n, n) ndarray
        In the order of `numpy.fft.fftfreq`, 0 at frequency 0, with mean 1: the pixel variance.

    Raises
    ------
    ValueError
        If ``n < 2``, or the exponent is not finite or too large for float64.

    References
    ----------
    .. [1] Field, J. Opt. Soc. Am. A 4 (1987) 2379.

    Examples
    --------
    >>> power_law_spectrum(2, 1.0).round(3)
    array([[0. , 1.6],
           [1.6, 0.8]])
    """
    n, exponent = _checks.integer("n", n, low=2), _checks.number("exponent", exponent)
    power = np.zeros((n, n))
    square = _square_frequencies(n)
    with np.errstate(over="ignore", invalid="ignore"):
        power[square > 0] = square[square > 0] ** -exponent
        power *= n**2 / power.sum()
    return _checks.result(power, "exponent")


def matched_shift(n: int, base: int, exponent: float) -> float:
    """Return by which ``s`` to shift a schedule from ``base`` to ``n`` pixels if both are scaled to pixel variance 1.

    The root of the ratio of the two power-law spectra at one frequency, which is the same at all frequencies that both
    have.

    Parameters
    ----------
    n, base : int
        Pixels a side, at least 2.
    exponent : float
        Of `power_law_spectrum`.

    Returns
    -------
    s : float
        ``n / base`` for steep spectra, 1 (nearly) for white ones.

    Raises
    ------
    ValueError
        If a side is below 2, or the exponent is not finite or too large.

    References
    ----------
    .. [1] kexue.fm/archives/10047 (the shift by ``n / base``).

    Examples
    --------
    >>> [round(matched_shift(512, 64, exponent), 2) for exponent in (0.0, 1.0, 3.0)]
    [1.0, 6.49, 8.0]
    """
    n, base = _checks.integer("n", n, low=2), _checks.integer("base", base, low=2)
    return float(np.sqrt(power_law_spectrum(n, exponent)[0, 1] / power_law_spectrum(base, exponent)[0, 1]))


def remaining_uncertainty(snr: ArrayLike, n: int, *, exponent: float = 1.0, k_max: float = 16) -> NDArray[np.float64]:
    """Return the share of the variance of coarse frequencies that noisy Gaussian pictures leave open.

    Sum of ``P / (1 + snr P)`` over ``0 < |k| <= k_max``, divided by the sum of ``P``: posterior over prior variance of
    the best denoiser, which for Gaussian pictures is Wiener's filter.

    Parameters
    ----------
    snr : (...) array_like
        ``bar_alpha^2 / bar_beta^2``, not negative.
    n : int
        Pixels a side, at least 2.
    exponent : float
        Of `power_law_spectrum` ``P``.
    k_max : float
        Largest frequency that counts, at least 1.

    Returns
    -------
    share : (...) ndarray
        In [0, 1]: 1 at ``snr = 0``, falling.

    Raises
    ------
    ValueError
        If a ratio is negative, ``n < 2``, ``k_max < 1`` or the exponent is not finite or too large.

    References
    ----------
    .. [1] kexue.fm/archives/10047 (how much a noise level destroys at a resolution).

    Examples
    --------
    >>> remaining_uncertainty([0.0, 1.0], 64).round(3)
    array([1.   , 0.147])
    """
    snr, n = _checks.array("snr", snr, low=0), _checks.integer("n", n, low=2)
    power = power_law_spectrum(n, exponent)
    square = _square_frequencies(n)
    kept = (square > 0) & (square <= min(_checks.number("k_max", k_max, low=1), n) ** 2)
    values, counts = np.unique(power[kept], return_counts=True)
    with np.errstate(over="ignore"):
        open_part = counts * values / (1 + snr[..., None] * values)
    return (open_part.sum(axis=-1) / (counts * values).sum())[()]


def _pooled(of, x, by, s):
    if x.shape[-2] % s or x.shape[-1] % s:
        raise ValueError(f"{by} must divide both sides of {of}, got {by} = {s} and shape {x.shape}")
    blocks = x.reshape(*x.shape[:-2], x.shape[-2] // s, s, x.shape[-1] // s, s)
    with np.errstate(over="ignore", invalid="ignore"):
        pooled = blocks.mean(axis=(-3, -1))
    return _checks.result(pooled, of)


def _square_frequencies(n):
    k = np.fft.fftfreq(n, 1 / n).round()
    return k[:, None] ** 2 + k**2

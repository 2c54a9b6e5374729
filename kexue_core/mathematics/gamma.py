"""The gamma function by the article's road: a Fourier integral along a line, by the trapezoidal rule.

``f(z + 1) = z f(z)`` becomes a differential equation under a Fourier transform along the imaginary axis, with the
solution ``exp(-e^omega)``; transforming back gives ``Gamma(z) = int exp(z omega - e^omega) domega``. `gamma_integrand`
and `gamma_fourier` are this integral and no more; `log_gamma` and `gamma` shift and reflect ``z`` to where it is easy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["gamma_integrand", "gamma_fourier", "log_gamma", "gamma", "gamma_fourier_line", "gamma_residues"]


def gamma_integrand(
    z: ArrayLike, *, angle: float | None = None, points: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Return the road to ``Gamma(z)``: nodes ``omega`` and ``exp(z (omega + i angle) - exp(omega + i angle))`` on them.

    Gamma is the integral of this function over the real line for every angle between -pi/2 and pi/2 (Cauchy). At angle
    0 it is the article's ``exp(-e^omega) e^(omega z)``, and ``|Im z|`` costs ``e^(pi |Im z| / 2)`` in cancellation; the
    default angle is ``sign(Im z) (pi/2 - d)`` with ``d = max(3 / |Im z|, arctan(Re z / |Im z|))``, at most ``pi/2``:
    that of the saddle ``log z`` unless this is too near to ``pi/2``, where the strip of analyticity ends.

    Parameters
    ----------
    z : (...) array_like
        Complex, with positive real part.
    angle : float, optional
        Height of the line of integration, between ``-pi/2`` and ``pi/2``.
    points : int, optional
        Number of nodes, at least 2. By default as many as the hardest ``z`` needs for 14 digits.

    Returns
    -------
    omega : (..., points) ndarray
        Equally spaced. At both ends the integrand is below ``e^-42`` of its peak.
    values : (..., points) complex ndarray
        ``values.sum(-1)`` times the spacing is ``Gamma(z)``.

    Raises
    ------
    ValueError
        If ``Re z <= 0``, the angle is out of range, a million nodes do not suffice or the values overflow.

    References
    ----------
    .. [1] kexue.fm/archives/3108, the inverse transform of ``exp(-e^omega)``.
    .. [2] L. N. Trefethen, J. A. C. Weideman, The exponentially convergent trapezoidal rule, SIAM Review 56 (2014).

    Examples
    --------
    >>> omega, values = gamma_integrand(0.5, points=80)
    >>> (values.sum() * (omega[1] - omega[0])).real.round(3)  # sqrt(pi)
    np.float64(1.772)
    """
    z = _right_half_plane(z)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        peak, ends, points, angle = _plan(z, angle, points)
        v, exponent = _road(z, peak, ends, points, angle)
        return peak[..., None] + v, _exp(exponent + (z * np.log(z) - z)[..., None])


def gamma_fourier(z: ArrayLike, *, angle: float | None = None, points: int | None = None) -> NDArray[np.complex128]:
    """Return ``Gamma(z)`` for ``Re z > 0`` by the trapezoidal rule on `gamma_integrand`, nothing else.

    Along the imaginary axis this is a Fourier transform, ``Gamma(s + i x) = int e^(s omega) exp(-e^omega) e^(i omega x)
    domega``. With the default angle and points the relative error is below ``1e-15 (10 + |z log z| + 40 |z| / Re z)``
    for ``Re z >= 1/2``; nearer to the imaginary axis, where a long tail of the integrand oscillates, below
    ``1e-15 (10 + |z log z| + 100 (|z| / Re z)^(3/2))``. Small ``Re z`` with large ``Im z`` is expensive, about
    ``100 |Im z| / Re z`` nodes: `gamma` shifts it away.

    Parameters
    ----------
    z, angle, points
        As in `gamma_integrand`.

    Returns
    -------
    value : (...) complex ndarray or complex
        Conjugate at the conjugate of ``z``.

    Raises
    ------
    ValueError
        As in `gamma_integrand`.

    References
    ----------
    .. [1] kexue.fm/archives/3108, Euler's integral.

    Examples
    --------
    >>> gamma_fourier([1, 5, 1 + 1j]).round(3)
    array([ 1.   +0.j   , 24.   +0.j   ,  0.498-0.155j])
    """
    return _exp(_log_fourier(_right_half_plane(z), angle, points))[()]


def log_gamma(z: ArrayLike) -> NDArray[np.complex128]:
    """Return ``log Gamma(z)`` on the whole complex plane, the branch that is real for ``z > 0``.

    ``log Gamma(z + m) - sum_k log(z + k)`` with ``Re(z + m) >= 8``, where the quadrature of `gamma_fourier` is short;
    for ``Re z < 1/2`` before it the reflection ``Gamma(z) Gamma(1 - z) = pi / sin(pi z)``. The error is below
    ``3e-15 (10 + (1 + |z|) |log z|)``. The quadrature takes a number of nodes in proportion to ``|Im z|``, about 5 ms
    of work for each value at ``|Im z| = 1e4``: the article's road, not the shortest one.

    Parameters
    ----------
    z : (...) array_like
        Complex, no pole ``0, -1, -2, ...``; ``|Im z|`` up to about 1e5.

    Returns
    -------
    value : (...) complex ndarray or complex
        Analytic but for a cut along the negative axis, where it is the limit from above (from below if the imaginary
        part is ``-0.0``). Conjugate at the conjugate of ``z``.

    Raises
    ------
    ValueError
        If ``z`` is a pole or not finite, or needs more than a million nodes.

    References
    ----------
    .. [1] kexue.fm/archives/3108; NIST Digital Library of Mathematical Functions, 5.5.1 and 5.5.3.

    Examples
    --------
    >>> log_gamma([0.5, 100, 1 + 40j]).round(3)
    array([  0.572  +0.j   , 359.134  +0.j   , -60.068+108.338j])
    """
    z = _checks.array("z", z, kind="complex").astype(complex)
    pole = (z.imag == 0) & (z.real <= 0) & (z.real == np.round(z.real))
    if pole.any():
        raise ValueError(f"z must not be one of the poles 0, -1, -2, ..., got {z[pole][0].real:g}")
    below, positive_real = np.signbit(z.imag), (z.imag == 0) & (z.real > 0)
    z = np.where(below, z.conj(), z)  # the branches below hold for Im z >= 0
    left = z.real < 0.5
    w = np.where(left, 1 - z.conj(), z)
    value = np.zeros(z.shape, dtype=complex)
    for _ in range(8):
        low = w.real < 8
        value = value - np.where(low, np.log(w), 0)
        w = np.where(low, w + 1, w)
    value = value + _log_fourier(w, None, None)
    value = np.where(left, np.log(np.pi) - _log_sine(np.where(left, z, 0.5)) - value.conj(), value)
    value = np.where(positive_real, value.real, value)
    return _checks.result(np.where(below, value.conj(), value), "z")


def gamma(z: ArrayLike) -> NDArray[Any]:
    """Return ``Gamma(z)`` on the whole complex plane, the exponential of `log_gamma`.

    Parameters
    ----------
    z : (...) array_like
        Real or complex, no pole ``0, -1, -2, ...``; ``|Im z|`` up to about 1e5.

    Returns
    -------
    value : (...) ndarray or number
        Real for a real array, complex for a complex one, with ``gamma(z + 1) = z gamma(z)``. The relative error is
        below ``3e-15 (10 + (1 + |z|) |log z|)`` as long as the value is a normal double (above 2.3e-308); integers are
        not exact. Next to a pole the error of ``z`` comes on top.

    Raises
    ------
    ValueError
        If ``z`` is a pole or not finite, or any value is beyond the largest double: one such entry refuses the array.

    References
    ----------
    .. [1] kexue.fm/archives/3108.

    Examples
    --------
    >>> gamma([-0.5, 0.5, 5.0]).round(3)
    array([-3.545,  1.772, 24.   ])
    """
    real = _checks.array("z", z, kind="complex").dtype == float
    value = _exp(np.asarray(log_gamma(z)))
    return (value.real if real else value)[()]


def gamma_fourier_line(
    sigma: float, *, n: int = 4096, length: float = 80.0
) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Return ``x`` and ``Gamma(sigma + i x)`` on a whole vertical line by one fast Fourier transform.

    Samples ``e^(sigma omega) exp(-e^omega)`` on a window that ends at ``log(5 sigma + 60)``. If ``n``
    is at least ``(8 + sigma / 2) length``, the absolute error is below ``1e-15 (1 + sigma) Gamma(sigma)``; if not, it
    is that of ``Gamma`` at the ends of the line, where it has not faded. So digits are lost like ``e^(pi |x| / 2)``: 5
    of 16 at ``|x| = 10``.

    Parameters
    ----------
    sigma : float
        Real part, positive.
    n : int
        Number of samples, at least 2.
    length : float
        Length of the window, at least ``37 / sigma + log(5 sigma + 60)``.

    Returns
    -------
    x : (n,) ndarray
        Increasing from ``-pi n / length`` in steps of ``2 pi / length``, with 0 at index ``n // 2``.
    values : (n,) complex ndarray
        ``sum |values|^2 (2 pi / length) = 2 pi 4^-sigma Gamma(2 sigma)`` (Plancherel).

    Raises
    ------
    ValueError
        If ``sigma`` is not positive or above 170, ``n < 2``, or the window is too short.

    References
    ----------
    .. [1] kexue.fm/archives/3108: as a function of the imaginary part Gamma has a Fourier transform.

    Examples
    --------
    >>> x, values = gamma_fourier_line(1.0)
    >>> (np.sum(np.abs(values) ** 2) * (x[1] - x[0])).round(3)
    np.float64(1.571)
    """
    sigma = _checks.number("sigma", sigma, low=0, high=170, open="low")  # beyond, Gamma overflows
    n, length = _checks.integer("n", n, low=2), _checks.number("length", length, low=0, open="low")
    right = np.log(5 * sigma + 60)
    if length < 37 / sigma + right:
        raise ValueError(f"length must be at least {37 / sigma + right:.4g} for sigma = {sigma}, got {length}")
    h = length / n
    omega = right - h * np.arange(n, 0, -1)  # from the right, where the samples count and are steep
    x = 2 * np.pi / length * (np.arange(n) - n // 2)
    transform = np.fft.fftshift(np.fft.ifft(np.exp(sigma * omega - np.exp(omega)), norm="forward"))
    return x, h * np.exp(1j * right * x) * transform  # of the window's length whole turns are left


def gamma_residues(k_max: int, *, points: int = 64) -> NDArray[np.float64]:
    """Return the Fourier coefficients ``c_k`` of ``exp(-e^(i omega))``, ``k = 0 .. k_max``: the residues of Gamma.

    ``c_k = 1/(2 pi) int_0^(2 pi) exp(-e^(i omega)) e^(-i k omega) domega = (-1)^k / k!`` is the residue at ``-k``: the
    road that failed, a Fourier transform along the real axis, leads to the poles. Computed by one fast Fourier
    transform; the absolute error is about 1e-16 plus the alias ``1 / (k + points)!``.

    Parameters
    ----------
    k_max : int
        Last coefficient, not negative.
    points : int
        Samples of the circle, more than ``k_max``.

    Returns
    -------
    c : (k_max + 1,) ndarray
        With ``c[k + 1] = -c[k] / (k + 1)``, the functional equation of Gamma at its poles.

    Raises
    ------
    ValueError
        If ``k_max < 0`` or ``points <= k_max``.

    References
    ----------
    .. [1] kexue.fm/archives/3108, the attempt on the real line.

    Examples
    --------
    >>> gamma_residues(4).round(3)
    array([ 1.   , -1.   ,  0.5  , -0.167,  0.042])
    """
    k_max = _checks.integer("k_max", k_max, low=0)
    points = _checks.integer("points", points, low=k_max + 1)
    circle = np.exp(2j * np.pi * np.arange(points) / points)
    return np.fft.fft(np.exp(-circle), norm="forward")[: k_max + 1].real


def _right_half_plane(z):
    z = _checks.array("z", z, kind="complex").astype(complex)
    if (z.real <= 0).any():
        raise ValueError(f"z must have a positive real part (gamma takes the others), got {z[z.real <= 0].flat[0]:g}")
    return z


def _plan(z, angle, points):
    """Return where ``|integrand|`` peaks on the line, the ends of the nodes around it, their number, the angle."""
    sigma, y = z.real, np.abs(z.imag)
    if angle is None:
        with np.errstate(divide="ignore", over="ignore"):
            strip = np.minimum(np.pi / 2, np.maximum(3 / y, np.arctan2(sigma, y)))
        angle = np.copysign(np.pi / 2 - strip, z.imag)
    else:
        angle = _checks.number("angle", angle)
        if not abs(angle) < np.pi / 2:
            raise ValueError(f"angle must lie between -pi/2 and pi/2, got {angle}")
        angle = np.broadcast_to(angle, z.shape)
        strip = np.pi / 2 - np.abs(angle)
    # On the line |integrand| is exp(-sigma (e^v - v - 1)) of its peak at omega = log(sigma / cos angle) + v. Both ends
    # lie where this is e^-42 or less, as e^-v + v - 1 >= v^2 / (2 + v) and e^v - v - 1 >= v^2 / 2 for v > 0.
    with np.errstate(over="ignore"):
        c = 42 / sigma
        left, right = (c + c * np.sqrt(1 + 8 / c)) / 2, np.minimum(np.sqrt(2 * c), np.log(2 * c + 3))
    # The rule errs by the alias Gamma(z + i w) e^(w angle) with w = 2 pi / h. Far out this falls like
    # exp(sigma log(1 + w / |z|) - w strip), and like exp(-sigma (w / |z|)^2 / 2) where the peak is narrow and chirps.
    size, w = np.maximum(np.abs(z), 1), 38 / strip
    for _ in range(3):
        w = (38 + sigma * np.log1p(w / size)) / strip
    h = 2 * np.pi / np.maximum(w, 14 * size / np.sqrt(np.maximum(sigma, 1)))
    if points is None:
        needed = np.ceil(((left + right) / h).max(initial=1)) + 1
        if not needed <= 1e6:
            raise ValueError(f"z must not need more than a million nodes, got {needed:.3g} of them")
        points = int(needed)
    elif not np.isfinite(left).all():
        raise ValueError(f"z must not have so small a real part, got {sigma.min()}")
    points = _checks.integer("points", points, low=2)
    return np.log(sigma / np.cos(angle)), (-left, right), points, angle


def _road(z, peak, ends, points, angle):
    """Return nodes relative to the peak, and the exponent of the integrand relative to ``z log z - z``."""
    v = np.linspace(*ends, points, axis=-1)
    # z u - z e^u + z with u = omega + i angle - log z: at the saddle both large terms cancel before they are formed.
    u = v + (peak - np.log(np.abs(z)) + 1j * (angle - np.angle(z)))[..., None]
    return v, z[..., None] * (u - np.expm1(u))


def _log_fourier(z, angle, points):
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _log_sums(z, *_plan(z, angle, points))


def _log_sums(z, peak, ends, points, angle):
    flat = [np.ravel(part) for part in (z, peak, *ends, angle)]
    block = max(1, 2**17 // points)  # a few MB at a time
    total = [np.zeros(0, dtype=complex)]
    for i in range(0, z.size, block):
        w, top, left, right, tilt = (part[i : i + block] for part in flat)
        _, exponent = _road(w, top, (left, right), points, tilt)
        shift = exponent.real.max(axis=-1)
        mean = np.exp(exponent - shift[:, None]).sum(axis=-1) * (right - left) / (points - 1)
        total.append(w * np.log(w) - w + shift + np.log(mean))
    return np.concatenate(total).reshape(z.shape)


def _log_sine(z):
    """Continue ``log sin(pi z)`` from (0, 1) over ``Im z >= 0``: ``sin(pi z) = i/2 e^(-i pi z) (1 - e^(2 i pi z))``."""
    turn = -np.expm1(2j * np.pi * (z - np.round(z.real)))
    return -1j * np.pi * (z - 0.5) - np.log(2) + np.log(turn)


def _exp(exponent):
    with np.errstate(over="ignore", invalid="ignore"):
        value = np.exp(exponent)
    if not np.isfinite(value).all():
        raise ValueError(f"z must keep the values below 1.8e308, got exp({exponent.real.max():.4g})")
    return value

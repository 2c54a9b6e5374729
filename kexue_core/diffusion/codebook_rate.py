"""What a code of codewords costs in bytes, and the error that it leaves, predicted without encoding anything.

The numbers that `codebook_encode` finds become bytes by `pack_codes`. `codebook_errors` follows two averages through
all steps of the encoder instead of vectors, with what the largest of K normal numbers is on average.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Array
from kexue_core.diffusion.ancestral import posterior_coefficients, reverse_noise
from kexue_core.diffusion.schedules import Schedule
from kexue_core.special import log_normal_cdf

__all__ = ["pack_codes", "unpack_codes", "max_normal_moments", "codebook_errors"]


def pack_codes(codes: ArrayLike, size: int) -> bytes:
    """Return the bytes of a list of numbers below ``size``: one large integer with these digits, the first in front.

    Parameters
    ----------
    codes : (n,) array_like of int
        From 0 to ``size - 1``.
    size : int
        From 1 to ``2^63``; any number, not only powers of two.

    Returns
    -------
    data : bytes
        As many as ``size^n`` different lists need, ``n log2(size)`` bits rounded up to bytes.

    Raises
    ------
    ValueError
        If a code is out of its range or ``codes`` is no list.

    References
    ----------
    .. [1] kexue.fm/archives/10711; Ohayon et al., arXiv:2502.01189, Section 4, on the bits of a code.

    Examples
    --------
    >>> pack_codes([1, 0, 2], 3).hex()  # 1 * 9 + 0 * 3 + 2 = 11
    '0b'
    """
    size = _checks.integer("size", size, low=1, high=2**63)
    codes = _checks.array("codes", codes, kind="integer", ndim=1, low=0, high=size - 1)
    digits, base = codes.tolist() or [0], size
    while len(digits) > 1:  # digits of a base are half as many of its square: long products, few of them
        digits = [0] * (len(digits) % 2) + digits
        digits = [high * base + low for high, low in zip(digits[::2], digits[1::2])]
        base *= base
    return digits[0].to_bytes(_length(size, len(codes)), "big")


def unpack_codes(data: bytes, size: int, n: int) -> NDArray[np.int64]:
    """Return the ``n`` numbers below ``size`` that `pack_codes` made these bytes of.

    Parameters
    ----------
    data : bytes
    size : int
        At least 1.
    n : int
        Not negative.

    Returns
    -------
    codes : (n,) ndarray of int
        ``pack_codes(codes, size)`` is ``data``.

    Raises
    ------
    ValueError
        If ``data`` has another length, or is no number below ``size^n``.
    TypeError
        If ``data`` is not of type bytes.

    References
    ----------
    .. [1] kexue.fm/archives/10711.

    Examples
    --------
    >>> unpack_codes(bytes.fromhex("0b"), 3, 3)
    array([1, 0, 2])
    """
    data = _checks.instance("data", data, bytes)
    size, n = _checks.integer("size", size, low=1, high=2**63), _checks.integer("n", n, low=0)
    if len(data) != _length(size, n):
        raise ValueError(f"data must be {_length(size, n)} bytes long for {n} codes below {size}, got {len(data)}")
    digits, bases = [int.from_bytes(data, "big")], [size]
    if digits[0] >= size**n:
        raise ValueError(f"data must stand for a number below {size}^{n}, got 0x{data.hex()[:16]}...")
    while 2 ** len(bases) < n:
        bases.append(bases[-1] ** 2)
    for base in reversed(bases):
        digits = [part for digit in digits for part in divmod(digit, base)]
    return np.array(digits[len(digits) - n :], dtype=np.int64)


def max_normal_moments(size: ArrayLike) -> tuple[Array | float, Array | float]:
    """Return the mean and the mean square of the largest of ``size`` independent standard normal numbers.

    The integrals of ``m`` and ``m^2`` over ``d F(m)^size``, by the trapezoidal rule from -9 to 14.

    Parameters
    ----------
    size : (...) array_like
        At least 1, at most 1e12; not necessarily whole.

    Returns
    -------
    first, second : (...) ndarray or float
        0 and 1 for one number. ``first`` increases in ``size``; ``second`` does from 2 on, where it is 1 again, and is
        less between, at least 0.907. Error below 1e-12, of ``second`` below 2e-12.

    Raises
    ------
    ValueError
        If a size is out of its range.

    References
    ----------
    .. [1] kexue.fm/archives/10711 (what a book of K vectors adds in a step); H. A. David and H. N. Nagaraja, Order
       Statistics, 3rd ed., Wiley 2003, Section 3.2.

    Examples
    --------
    >>> first, _ = max_normal_moments([1, 2, 64])
    >>> first.round(4) + 0.0
    array([0.    , 0.5642, 2.3437])
    """
    size = _checks.array("size", size, low=1, high=1e12)
    m = np.linspace(-9, 14, 2301)
    density = size[..., None] * np.exp((size[..., None] - 1) * log_normal_cdf(m) - m * m / 2) / np.sqrt(2 * np.pi)
    step = m[1] - m[0]
    return (density * m).sum(axis=-1)[()] * step, (density * m * m).sum(axis=-1)[()] * step


def codebook_errors(
    schedule: Schedule,
    size: ArrayLike,
    variances: ArrayLike,
    *,
    copies: ArrayLike = (1,),
    power: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
) -> Array:
    """Predict the squared errors that `codebook_encode` leaves in each component, by a recursion without vectors.

    For Gaussian data, ``D = w_t x_t`` in each component. With ``a = x x_0``, ``q = x^2``, the residual
    ``r = x_0 - w x`` and ``m, m2`` of `max_normal_moments` the chosen codeword has the mean ``m r / |r|`` and, along
    ``r``, the mean square ``m2``; so on average, with ``g = u w + v``,

        a <- g a + sigma m (r x_0) / |r|,
        q <- g^2 q + 2 g sigma m (r x) / |r| + sigma^2 (1 + (m2 - 1) r^2 / |r|^2),

    from ``a = 0``, ``q = 1``. Every square is replaced by its mean, which is right for many components.

    Parameters
    ----------
    schedule : Schedule
        ``T`` steps.
    size : (...) array_like
        Codewords in a book, at least 1; not necessarily whole. Leading axes are broadcast.
    variances : (..., d) array_like
        Of the data, which the denoiser knows; not negative.
    copies : (..., d) array_like
        How many components have each variance, 1 by default: white data of length n are ``[1.0]``, ``copies=[n]``.
    power : (..., d) array_like, optional
        Squares of the components of what is encoded; ``variances`` by default, which is the mean over the data.
    sigma : (..., T) array_like, optional
        As in `codebook_sample`; leading axes are broadcast.

    Returns
    -------
    errors : (..., d) ndarray
        Mean squared error of a component of each kind.

    Raises
    ------
    ValueError
        If an argument is out of its range or shapes do not fit.
    TypeError
        If ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/10711, whose rule this follows; the recursion is of this book.

    Examples
    --------
    >>> from kexue_core.diffusion.codebook_noise import exact_schedule
    >>> codebook_errors(exact_schedule(1000, 100), [1, 64, 1024], [1.0], copies=[1024]).ravel().round(3)
    array([1.922, 0.859, 0.589])
    """
    _checks.instance("schedule", schedule, Schedule)
    T = len(schedule.beta)
    sizes = _checks.array("size", size, low=1)
    lam = _checks.array("variances", variances, core=1, low=0)
    copies = _checks.array("copies", copies, core=1, low=0, open="low")
    power = lam if power is None else _checks.array("power", power, core=1, low=0)
    sigma = reverse_noise(schedule, 0) if sigma is None else _checks.array("sigma", sigma, core=1, last=T, low=0)
    shape = _checks.broadcast(
        ("size", sizes, 0), ("variances", lam, 1), ("copies", copies, 1), ("power", power, 1), ("sigma", sigma, 1)
    )
    components = np.broadcast_shapes(lam.shape[-1:], copies.shape[-1:], power.shape[-1:])
    m, m2 = (np.asarray(moment)[..., None] for moment in max_normal_moments(sizes))
    u, v = posterior_coefficients(schedule)
    a, q = np.zeros((*shape, *components)), np.ones((*shape, *components))
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(T - 1, 0, -1):
            w, s = _gain(schedule, i, lam), sigma[..., i, None]
            g = u[i] * w + v[i]
            squares = power - 2 * w * a + w * w * q
            total = (copies * squares).sum(axis=-1, keepdims=True)
            inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
            lead = s * m * np.sqrt(inverse)
            a, q = (
                g * a + lead * (power - w * a),
                g * g * q + 2 * g * lead * (a - w * q) + s * s * (1 + (m2 - 1) * squares * inverse),
            )
        w = _gain(schedule, 0, lam)  # the last step goes to the guess and adds nothing
        errors = np.asarray(power - 2 * w * a + w * w * q)
    return _checks.result(errors, "variances", "copies", "power", "sigma")


def _gain(schedule, i, variance):
    """Return ``w`` of the guess ``w x_t`` for Gaussian data, at entry ``i`` of the schedule."""
    return schedule.bar_alpha[i] * variance / (schedule.bar_alpha[i] ** 2 * variance + schedule.bar_beta[i] ** 2)


def _length(size, n):
    """Return how many bytes hold a number below ``size^n``."""
    return ((size**n - 1).bit_length() + 7) // 8

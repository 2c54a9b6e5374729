"""Special functions that the chapters need and numpy does not have."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["cosine_integral", "normal_cdf", "normal_quantile", "log_normal_cdf", "log_normal_density"]

_NODES = ((np.arange(13) + 0.5) / 2) ** 2
_RULE = list(zip(_NODES.tolist(), (np.exp(-_NODES) / (2 * np.pi)).tolist()))


def cosine_integral(x: ArrayLike) -> NDArray[np.float64]:
    """Return the cosine integral ``Ci(x) = -int_x^inf cos(t)/t dt`` of every element.

    Up to 4 the power series ``gamma + ln x + sum_k (-1)^k x^(2k) / (2k (2k)!)``, beyond it the continued fraction of
    ``E1(ix)``, of which ``-Ci(x)`` is the real part. The error is below ``2e-15 + 3e-16 |Ci(x)|`` for every x.

    Parameters
    ----------
    x : (...) array_like
        Positive and finite.

    Returns
    -------
    (...) ndarray or float
        ``|Ci(x)| <= 1/x``, and negative before the first zero 0.6165...

    Raises
    ------
    ValueError
        If an element is not positive or not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10122, the estimate for d to infinity.
    .. [2] NIST Digital Library of Mathematical Functions, 6.6.6 and 6.9.1.

    Examples
    --------
    >>> cosine_integral([0.5, 1.0, 10.0]).round(3)
    array([-0.178,  0.337, -0.045])
    """
    x = _checks.array("x", x, low=0, open="low")
    small = x <= 4
    return np.where(small, _series(np.where(small, x, 1.0)), _fraction(np.where(small, 4.0, x)))[()]


def normal_cdf(s: ArrayLike) -> NDArray[np.float64]:
    """Return the probability that a standard normal number is below ``s``.

    Parameters
    ----------
    s : (...) array_like
        Real numbers, infinities included.

    Returns
    -------
    t : (...) ndarray or float
        In [0, 1], increasing; relative error below 1e-12 as long as ``t`` is a normal double (``s > -37.5``).

    Raises
    ------
    ValueError
        If ``s`` holds NaN.

    References
    ----------
    .. [1] Hunter and Regan, "A note on the evaluation of the complementary error function", Math. Comp. 26 (1972).

    Examples
    --------
    >>> normal_cdf([-1, 0, 1]).round(3)
    array([0.159, 0.5  , 0.841])
    """
    return _by_parts(_cdf, _checks.array("s", s, finite=False))


def normal_quantile(t: ArrayLike) -> NDArray[np.float64]:
    """Return the number below which a standard normal number is with probability ``t``.

    Parameters
    ----------
    t : (...) array_like
        Strictly between 0 and 1.

    Returns
    -------
    s : (...) ndarray or float
        Inverse of `normal_cdf`, odd about ``t = 0.5``; relative error below 1e-13 (close to 0.5: absolute, 1e-15).

    Raises
    ------
    ValueError
        If ``t`` is not strictly between 0 and 1.

    References
    ----------
    .. [1] kexue.fm/archives/10145, result 8 (noise on a uniform grid of ``t``).

    Examples
    --------
    >>> normal_quantile([0.025, 0.5, 0.841]).round(3) + 0.0
    array([-1.96 ,  0.   ,  0.999])
    """
    t = _checks.array("t", t, low=0, high=1, open="both")
    return _by_parts(_quantile, t)


def log_normal_cdf(s: ArrayLike) -> NDArray[np.float64]:
    """Return the logarithm of `normal_cdf`, which has digits where that is below the smallest double.

    The midpoint rule on ``erfc(y) = (2 y / pi) exp(-y^2) int_0^oo exp(-r^2) / (y^2 + r^2) dr``. The rule of step 1/2
    misses the pole at ``r = i y``, whose residue is known; what remains is ``exp(-4 pi^2)``.

    Parameters
    ----------
    s : (...) array_like
        Real numbers, infinities included.

    Returns
    -------
    value : (...) ndarray or float
        Negative, increasing, concave; ``-inf`` at ``-inf`` and where ``s^2 / 2`` is beyond the largest double.

    Raises
    ------
    ValueError
        If ``s`` holds NaN.

    References
    ----------
    .. [1] Hunter and Regan, as in `normal_cdf`.

    Examples
    --------
    >>> log_normal_cdf([-40.0, -1.0]).round(3).tolist()
    [-804.608, -1.841]
    """
    return _by_parts(_log_cdf, _checks.array("s", s, finite=False))


def log_normal_density(s: ArrayLike) -> NDArray[np.float64]:
    """Return ``-s^2 / 2 - log(2 pi) / 2``, the logarithm of the standard normal density.

    Parameters
    ----------
    s : (...) array_like
        Real numbers, infinities included.

    Returns
    -------
    value : (...) ndarray or float
        At most -0.9189, even; ``-inf`` where ``s^2 / 2`` is beyond the largest double.

    Raises
    ------
    ValueError
        If ``s`` holds NaN.

    References
    ----------
    .. [1] NIST Digital Library of Mathematical Functions, 7.20.1.

    Examples
    --------
    >>> log_normal_density(0.0).round(4)
    np.float64(-0.9189)
    """
    s = _checks.array("s", s, finite=False)
    with np.errstate(over="ignore"):
        return -s * s / 2 - np.log(2 * np.pi) / 2


def _by_parts(f, x):
    """Return ``f`` of every element, computed for some thousands at a time: what lies between stays in the cache."""
    flat, value = x.ravel(), np.empty(x.size)
    for part in range(0, x.size, 8192):
        value[part : part + 8192] = f(flat[part : part + 8192])
    return value.reshape(x.shape)[()]


def _quantile(t):
    lower = np.log(np.minimum(t, 1 - t))
    # F(s) <= exp(-s^2 / 2) / 2 for s <= 0 puts the start left of the root; log F is concave, so Newton rises to it.
    s = -np.sqrt(np.maximum(-2 * (np.log(2) + lower), 0))
    for _ in range(8):
        below = _log_cdf(s)
        step = (lower - below) / np.exp(log_normal_density(s) - below)
        s = np.minimum(s + step, 0)
        if (np.abs(step) <= 1e-9 * np.abs(s)).all():  # the next step would be below rounding
            break
    return np.where(t > 0.5, -s, s)


def _cdf(s):
    scaled, square, y = _scaled_tail(s)
    tail = scaled * np.exp(-square) + _residue(y)
    return np.where(s < 0, tail, 1 - tail)


def _log_cdf(s):
    scaled, square, y = _scaled_tail(s)
    log_tail = np.log(scaled + _residue(y) * np.exp(np.minimum(square, 40))) - square
    return np.where(s < 0, log_tail, np.log1p(-np.exp(log_tail)))


def _scaled_tail(s):
    """Return the midpoint rule for the tail over ``exp(-s^2 / 2)``, ``s^2 / 2``, and ``y = |s| / 2^(1/2)``."""
    with np.errstate(over="ignore"):
        square = s * s / 2
    y = np.minimum(np.abs(s), 1e8) / np.sqrt(2)
    low, total, part = y * y, np.zeros_like(y), np.empty_like(y)
    for node, weight in _RULE:
        np.add(low, node, out=part)
        total += np.divide(weight, part, out=part)
    return y * total, square, y


def _residue(y):
    """Return what the pole adds to the tail; beyond ``2 pi`` the rule does not miss it."""
    return np.where(y < 2 * np.pi, 1 / (1 + np.exp(4 * np.pi * np.minimum(y, 8))), 0)


def _series(x):
    """Sum the power series; for x <= 4 no term exceeds 4, so cancellation costs one digit."""
    term, total = np.ones_like(x), np.euler_gamma + np.log(x)
    for k in range(2, 36, 2):  # 4^36 / (36 * 36!) is below 1e-20
        term = -term * x * x / (k * (k - 1))
        total = total + term / k
    return total


def _fraction(x):
    """Evaluate ``-Re E1(ix)`` from the tail of its continued fraction; 60 levels reach 1e-17 at x = 4."""
    z = 1j * x
    tail = z + 121.0
    for k in range(60, 0, -1):
        tail = z + (2 * k - 1) - k * k / tail
    return -(np.exp(-z) / tail).real

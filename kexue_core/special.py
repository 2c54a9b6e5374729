"""Special functions that the chapters need and numpy does not have."""

import numpy as np

from kexue_core._checks import finite_array

__all__ = ["cosine_integral"]


def cosine_integral(x):
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
    x = finite_array("x", x)
    if (x <= 0).any():
        raise ValueError(f"x must be positive, got {x[x <= 0].flat[0]}")
    small = x <= 4
    return np.where(small, _series(np.where(small, x, 1.0)), _fraction(np.where(small, 4.0, x)))[()]


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

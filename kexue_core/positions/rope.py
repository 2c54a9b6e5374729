"""Rotary position embedding (RoPE): frequencies, rotation, and how alike two similar tokens look over a distance.

The coherence of the frequencies theta at distance m is ``f(m) = sum_i cos(m theta_i)``: half the lead, in units of the
variance, that a similar token keeps over a random one.
"""

import math

import numpy as np

from kexue_core._checks import finite_array, integer, positive

__all__ = ["rope_frequencies", "rotate", "rope_coherence", "rope_coherence_range", "max_context"]


def rope_frequencies(d, base=10000.0):
    """Return the rotation frequencies ``theta_i = base^(-2i/d)``, ``i = 0 ... d/2-1``.

    Parameters
    ----------
    d : int
        Size of a head; even.
    base : float

    Returns
    -------
    (d/2,) ndarray
        Geometric, from 1 on.

    Raises
    ------
    ValueError
        If ``d`` is odd or below 2, or ``base`` is not positive and finite.

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 1; arXiv:2104.09864.

    Examples
    --------
    >>> rope_frequencies(8).round(3)
    array([1.   , 0.1  , 0.01 , 0.001])
    """
    return positive("base", base) ** -_exponents(d)


def rotate(x, positions, theta):
    """Rotate every pair ``(x[2i], x[2i+1])`` by ``positions * theta[i]``: multiply by the block-diagonal R_n.

    Neighbours form a pair, as in the article; code that pairs ``i`` with ``i + d/2`` is the same up to a permutation.

    Parameters
    ----------
    x : (..., d) array_like
    positions : (...) array_like
        Real; broadcast against ``x.shape[:-1]``.
    theta : (d/2,) array_like

    Returns
    -------
    (..., d) ndarray
        ``|R_n x| = |x|``, and ``(R_m q) . (R_n k)`` depends on ``n - m`` only.

    Raises
    ------
    ValueError
        If the last axis of ``x`` is not twice as long as ``theta``, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 1; arXiv:2104.09864.

    Examples
    --------
    >>> rotate([1.0, 0.0, 1.0, 0.0], 1, [np.pi / 2, np.pi / 6]).round(3)
    array([0.   , 1.   , 0.866, 0.5  ])
    """
    x, theta = finite_array("x", x), finite_array("theta", theta, ndim=1)
    if x.shape[-1:] != (2 * theta.size,):
        raise ValueError(f"x must have a last axis of length {2 * theta.size}, two per theta, got shape {x.shape}")
    angle = finite_array("positions", positions)[..., None] * theta
    even, odd, cos, sin = x[..., 0::2], x[..., 1::2], np.cos(angle), np.sin(angle)
    y = np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
    return y.reshape(*y.shape[:-2], x.shape[-1])


def rope_coherence(m, theta):
    """Return ``f(m) = sum_i cos(m theta_i)``, the mean lead of a similar token over a random one at distance m.

    Parameters
    ----------
    m : (...) array_like
        Real distances.
    theta : (k,) array_like

    Returns
    -------
    (...) ndarray or float
        In units of ``2 sigma^2`` (variance of a component of the query); ``|f| <= f(0) = k``.

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 3; arXiv:2405.14591.

    Examples
    --------
    >>> rope_coherence([0, 1, 1707], rope_frequencies(128)).round(3)
    array([64.   , 62.094, -0.499])
    """
    m, theta = finite_array("m", m), finite_array("theta", theta, ndim=1)
    return np.cos(m[..., None] * theta).sum(axis=-1)


def rope_coherence_range(start, stop, theta):
    """Return ``f(m) = sum_i cos(m theta_i)`` for ``m = start ... stop-1`` by one matrix product.

    With ``m = h + j`` the sum is over ``cos(h theta_i) cos(j theta_i) - sin(h theta_i) sin(j theta_i)``, so n distances
    need ``2 sqrt(n)`` rows of cosines. `rope_coherence` differs by less than ``1e-15 (stop sum_i |theta_i| + k^2)``.

    Parameters
    ----------
    start, stop : int
        ``0 <= start < stop``.
    theta : (k,) array_like

    Returns
    -------
    (stop - start,) ndarray

    Examples
    --------
    >>> rope_coherence_range(1705, 1708, rope_frequencies(128)).round(3)
    array([ 1.847,  0.069, -0.499])
    """
    start = integer("start", start, minimum=0)
    stop = integer("stop", stop, minimum=start + 1)
    return _range_sums(start, stop, finite_array("theta", theta, ndim=1))


def max_context(theta, *, cap=2**24):
    """Return the first ``m < cap`` with ``sum_i cos(m theta_i) < 0``, the largest admissible length, or None.

    It takes frequencies, not a base, so that interpolated, rescaled and partial ones can be asked too.

    Parameters
    ----------
    theta : (k,) array_like
    cap : int

    Returns
    -------
    int or None

    References
    ----------
    .. [1] kexue.fm/archives/10122, results 5, 8 and 9; arXiv:2405.14591.

    Examples
    --------
    >>> max_context(rope_frequencies(128, 1e4)), max_context(rope_frequencies(128, 5e5))
    (1707, 18438)
    """
    theta, cap = finite_array("theta", theta, ndim=1), integer("cap", cap, minimum=1)
    for start in range(0, cap, 65536):
        m, _ = _negative(start, min(start + 65536, cap), theta)
        if m.size:
            return int(m[0])
    return None


def _exponents(d):
    """Return ``2i/d``: the exponents of the frequencies."""
    if integer("d", d, minimum=2) % 2:
        raise ValueError(f"d must be even, got {d}")
    return np.arange(0, d, 2) / d


def _range_sums(start, stop, theta, weight=None):
    """Return ``sum_i cos(m theta_i)`` for a range of m, or with a weight ``sum_i weight_i sin(m theta_i)``."""
    block = math.isqrt(stop - start - 1) + 1
    head, tail = np.outer(np.arange(start, stop, block), theta), np.outer(np.arange(block), theta)
    cos, sin = np.cos(head), np.sin(head)
    left = np.hstack([cos, -sin] if weight is None else [weight * sin, weight * cos])
    return (left @ np.hstack([np.cos(tail), np.sin(tail)]).T).ravel()[: stop - start]


def _negative(start, stop, theta):
    """Return the m in a range with f(m) < 0, and f there; the fast sums only preselect, direct ones decide."""
    error = 1e-10 + 1e-15 * stop * np.abs(theta).sum()
    m = start + np.flatnonzero(_range_sums(start, stop, theta) < error)
    f = np.cos(m[:, None] * theta).sum(axis=-1)
    return m[f < 0], f[f < 0]

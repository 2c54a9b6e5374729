"""Rotary position embedding (RoPE): frequencies, rotation, and how alike two similar tokens look over a distance.

The coherence of the frequencies theta at distance m is ``f(m) = sum_i cos(m theta_i)``: half the lead, in units of the
variance, that a similar token keeps over a random one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.positions._common import exponents, negative, range_sums

__all__ = ["rope_frequencies", "rotate", "rope_coherence", "rope_coherence_range", "max_context"]


def rope_frequencies(d: int, base: float = 10000.0) -> NDArray[np.float64]:
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
        If ``d`` is odd or below 2, ``base`` is not positive and finite, or a frequency is beyond the largest double.

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 1; arXiv:2104.09864.

    Examples
    --------
    >>> rope_frequencies(8).round(3)
    array([1.   , 0.1  , 0.01 , 0.001])
    """
    base = _checks.number("base", base, low=0, open="low")
    with np.errstate(over="ignore"):
        return _checks.result(base ** -exponents(d), "base")


def rotate(x: ArrayLike, positions: ArrayLike, theta: ArrayLike) -> NDArray[np.float64]:
    """Rotate every pair ``(x[2i], x[2i+1])`` by ``positions * theta[i]``: multiply by the block-diagonal R_n.

    Neighbours form a pair, as in the article; code that pairs ``i`` with ``i + d/2`` is the same up to a permutation.

    Parameters
    ----------
    x : (..., d) array_like
    positions : (...) array_like
        Real; ``positions`` and the leading axes of ``x`` are broadcast.
    theta : (d/2,) array_like

    Returns
    -------
    (..., d) ndarray
        ``|R_n x| = |x|``, and ``(R_m q) . (R_n k)`` depends on ``n - m`` only.

    Raises
    ------
    ValueError
        If the last axis of ``x`` is not twice as long as ``theta``, the shapes do not broadcast, or a value or an angle
        is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 1; arXiv:2104.09864.

    Examples
    --------
    >>> rotate([1.0, 0.0, 1.0, 0.0], 1, [np.pi / 2, np.pi / 6]).round(3)
    array([0.   , 1.   , 0.866, 0.5  ])
    """
    theta, positions = _checks.array("theta", theta, ndim=1, core=1), _checks.array("positions", positions, finite=None)
    x = _checks.array("x", x, finite=None, last=2 * theta.size)
    _checks.broadcast(("x", x, 1), ("positions", positions, 0))
    with np.errstate(over="ignore", invalid="ignore"):
        angle = _checks.result(positions[..., None] * theta, positions=positions, theta=theta)
        turn = np.empty(angle.shape, dtype=complex)
        np.cos(angle, out=turn.real)
        np.sin(angle, out=turn.imag)
        y = (np.ascontiguousarray(x).view(complex) * turn).view(float)  # a pair is a complex number
    return _checks.result(y, x=x)


def rope_coherence(m: ArrayLike, theta: ArrayLike) -> NDArray[np.float64]:
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

    Raises
    ------
    ValueError
        If ``theta`` is empty, or a value or a product ``m theta`` is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 3; arXiv:2405.14591.

    Examples
    --------
    >>> rope_coherence([0, 1, 1707], rope_frequencies(128)).round(3)
    array([64.   , 62.094, -0.499])
    """
    m, theta = _checks.array("m", m), _checks.array("theta", theta, ndim=1, core=1)
    with np.errstate(over="ignore"):
        angle = _checks.result(m[..., None] * theta, "m", "theta")
    return np.cos(angle, out=angle).sum(axis=-1)


def rope_coherence_range(start: int, stop: int, theta: ArrayLike) -> NDArray[np.float64]:
    """Return ``f(m) = sum_i cos(m theta_i)`` for ``m = start ... stop-1`` by one matrix product.

    With ``m = h + j`` the sum is over ``cos(h theta_i) cos(j theta_i) - sin(h theta_i) sin(j theta_i)``, so n distances
    need ``2 sqrt(n)`` rows of cosines. `rope_coherence` differs by less than ``1e-15 (stop sum_i |theta_i| + k^2)``.

    Parameters
    ----------
    start, stop : int
        ``0 <= start < stop <= 2**53``.
    theta : (k,) array_like

    Returns
    -------
    (stop - start,) ndarray
        At most ``k`` in absolute value.

    Raises
    ------
    ValueError
        If ``start`` or ``stop`` is out of its range, ``theta`` is empty, or a value or an angle is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 3.

    Examples
    --------
    >>> rope_coherence_range(1705, 1708, rope_frequencies(128)).round(3)
    array([ 1.847,  0.069, -0.499])
    """
    start = _checks.integer("start", start, low=0)
    stop = _checks.integer("stop", stop, low=start + 1, high=2**53)
    return range_sums(start, stop, _bounded(theta, stop))


def max_context(theta: ArrayLike, *, cap: int = 2**24) -> int | None:
    """Return the first ``m < cap`` with ``sum_i cos(m theta_i) < 0``, the largest admissible length, or None.

    It takes frequencies, not a base, so that interpolated, rescaled and partial ones can be asked too.

    Parameters
    ----------
    theta : (k,) array_like
    cap : int

    Returns
    -------
    int or None

    Raises
    ------
    ValueError
        If ``cap`` is not from 1 to ``2**53``, ``theta`` is empty, or a value or an angle is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10122, results 5, 8 and 9; arXiv:2405.14591.

    Examples
    --------
    >>> max_context(rope_frequencies(128, 1e4)), max_context(rope_frequencies(128, 5e5))
    (1707, 18438)
    """
    cap = _checks.integer("cap", cap, low=1, high=2**53)
    theta = _bounded(theta, cap)
    for start in range(0, cap, 65536):
        m, _ = negative(start, min(start + 65536, cap), theta)
        if m.size:
            return int(m[0])
    return None


def _bounded(theta, stop):
    """Return frequencies whose angles at all distances below ``stop`` are finite."""
    theta = _checks.array("theta", theta, ndim=1, core=1)
    with np.errstate(over="ignore"):
        _checks.result(stop * theta, "theta")
    return theta

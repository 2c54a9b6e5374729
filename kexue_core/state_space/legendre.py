"""A history on [0, T] in n numbers: its coefficients in Legendre polynomials, and how much of it they lose.

The history is stretched to s in [-1, 1], where ``g_i(s) = sqrt((2i+1)/2) p_i(s)`` is orthonormal, and kept as
``c_i = int u g_i ds``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.state_space._common import legendre, norms, signal, size

__all__ = ["legendre_table", "project_piecewise_constant", "reconstruct", "legs_resolution"]


def legendre_table(x: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return the Legendre polynomials ``p_0 ... p_(n-1)`` by ``(i+1) p_(i+1) = (2i+1) x p_i - i p_(i-1)``.

    Parameters
    ----------
    x : (...) array_like
        In [-1, 1], where the recurrence is stable.
    n : int

    Returns
    -------
    (n, ...) ndarray
        ``|p_i| <= 1``, ``p_i(1) = 1``, ``p_i(-1) = (-1)^i``.

    Raises
    ------
    ValueError
        If ``x`` leaves [-1, 1] or ``n < 1``.

    References
    ----------
    .. [1] kexue.fm/archives/10114, result 5.

    Examples
    --------
    >>> legendre_table([-1.0, 0.0, 0.5, 1.0], 3)
    array([[ 1.   ,  1.   ,  1.   ,  1.   ],
           [-1.   ,  0.   ,  0.5  ,  1.   ],
           [ 1.   , -0.5  , -0.125,  1.   ]])
    """
    return np.stack(list(legendre(_checks.array("x", x, low=-1, high=1), size(n))))


def project_piecewise_constant(u: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return the Legendre coefficients ``c_i = int_(-1)^1 u g_i ds`` of a staircase of L equal steps.

    Exact: with ``int p_i = (p_(i+1) - p_(i-1)) / (2i+1)`` and summation by parts, only the jumps of u enter, so nothing
    cancels between neighbours. No differential equation: the reference of `legs_scan`.

    Parameters
    ----------
    u : (..., L) array_like
        Heights, oldest first.
    n : int

    Returns
    -------
    (..., n) ndarray
        ``sum_i c_i^2 <= 2 mean(u^2)``.

    Raises
    ------
    ValueError
        If ``u`` is empty or not finite, or ``n < 1``.

    References
    ----------
    .. [1] kexue.fm/archives/10114, results 4 and 8.

    Examples
    --------
    >>> project_piecewise_constant([0.0, 1.0], 3).round(3)
    array([0.707, 0.612, 0.   ])
    """
    u, n = signal(u), size(n)
    L = u.shape[-1]
    p = list(legendre(2 * np.arange(1, L) / L - 1, n + 1))
    with np.errstate(over="ignore", invalid="ignore"):
        jumps = np.diff(u, axis=-1)
        c = [2 * u.mean(axis=-1)] + [-jumps @ (p[i + 1] - p[i - 1]) / (2 * i + 1) for i in range(1, n)]
        return _checks.result(np.stack(c, axis=-1) * norms(n), "u")


def reconstruct(c: ArrayLike, s: ArrayLike) -> NDArray[np.float64]:
    """Return the signal ``sum_i c_i g_i(s)`` that the coefficients remember.

    Parameters
    ----------
    c : (..., n) array_like
        In the orthonormal scaling; of a LegS state or, over its window, of a LegT state.
    s : (m,) array_like
        In [-1, 1]; -1 is the oldest moment and 1 is now.

    Returns
    -------
    (..., m) ndarray
        Of all polynomials of degree below n the closest to the history in the mean square.

    Raises
    ------
    ValueError
        If ``s`` leaves [-1, 1] or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10114, result 4.

    Examples
    --------
    >>> reconstruct([2**0.5, 0.0, 0.0], [-1.0, 0.0, 1.0]).round(3)
    array([1., 1., 1.])
    """
    c, s = _checks.array("c", c, core=1), _checks.array("s", s, ndim=1, low=-1, high=1)
    n = c.shape[-1]
    with np.errstate(over="ignore", invalid="ignore"):
        return _checks.result((c * norms(n)) @ legendre_table(s, n), "c")


def legs_resolution(n: int, a: ArrayLike) -> NDArray[np.float64]:
    """Return the share of ``e^(ias)`` on [-1, 1] that n Legendre coefficients miss: ``1 - sum_(i<n) (2i+1) j_i(a)^2``.

    With ``a = pi * periods`` it is the mean over the phase of the lost energy of a sine. Up to ``|a| = 2 n + 32`` it is
    summed as the tail ``sum_(i>=n)`` by downward recursion of the spherical Bessel functions, so small values keep
    their digits; beyond, where most is lost, as it stands by upward recursion.

    Parameters
    ----------
    n : int
    a : (...) array_like
        Real. The work is at most about ``2 n`` sweeps over ``a``, however large it is.

    Returns
    -------
    (...) ndarray or float
        In [0, 1], even in ``a``, falling with ``n``; it rises steeply at ``|a| = n``. Relative error below 1e-11 where
        it is not below 1e-280.

    Raises
    ------
    ValueError
        If ``n < 1`` or ``a`` is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10114, result 10; NIST Digital Library of Mathematical Functions, 10.60.7 and 10.60.12.

    Examples
    --------
    >>> legs_resolution(32, np.pi * np.array([8, 10, 12, 16])).round(3)
    array([0.   , 0.054, 0.555, 0.778])
    """
    n, a = size(n), np.abs(_checks.array("a", a))
    far = a > 2 * n + 32
    share = _tail(n, np.where(far, 0.0, a))
    if far.any():
        share = np.where(far, _complement(n, np.where(far, a, 2.0 * n + 33)), share)
    return share[()]


def _complement(n, a):
    """Sum the part that is kept, upwards: stable below the turning point k = a."""
    below, f, kept = np.cos(a) / a, np.sin(a) / a, np.zeros_like(a)
    for k in range(n):
        kept = kept + (2 * k + 1) * f * f
        below, f = f, (2 * k + 1) / a * f - below
    return 1 - kept


def _tail(n, a):
    """Sum the part that is lost, downwards."""
    turn = max(n, math.ceil(a.max(initial=0)))
    f, above, total, tail = np.ones_like(a), np.zeros_like(a), np.zeros_like(a), np.zeros_like(a)
    # upward recursion explodes beyond the turning point k = a; downward the wanted solution is the one that grows
    for k in range(turn + math.ceil(16 * turn ** (1 / 3)) + 20, -1, -1):
        total = total + (2 * k + 1) * f * f
        if k == n:
            tail = total
        # the pair is rescaled by a, not divided by it: a = 0 needs no case of its own
        f, above = (2 * k + 1) * f - a * above, a * f
        scale = np.maximum(np.abs(f), np.abs(above))
        f, above = f / scale, above / scale
        if k > 0:
            shrink = (a / scale) ** 2
            total, tail = total * shrink, tail * shrink
    return tail / total

"""Maps from logits to the probability simplex: softmax, and its relatives by series and by selection.

All maps here, in `entmax` and in `perturb` share ``f(x, ..., *, axis=-1, tau=1.0)``, so that a
chapter can loop over them. ``-inf`` is a legal logit (its probability is 0) except for `taylor_softmax`; all maps but
that one are unchanged by a constant added to ``x``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention._common import (
    axis_back,
    axis_last,
    finite_top,
    log_sum_exp,
    positive,
    select_top_k,
    shifted_logits,
)

__all__ = ["softmax", "logsumexp", "taylor_softmax", "sparse_softmax"]


def softmax(x: ArrayLike, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.float64]:
    """Return the probabilities ``p_i = exp(x_i / tau) / sum_j exp(x_j / tau)``.

    Parameters
    ----------
    x : (..., n) array_like
        Logits; ``-inf`` is allowed, but not in a whole slice.
    axis : int
        The axis of length ``n``.
    tau : float
        Temperature: ``tau -> 0`` gives the one-hot of the maximum, ``tau -> inf`` the uniform distribution.

    Returns
    -------
    p : (..., n) ndarray
        Nonnegative, sums to 1 along ``axis``, in the order of ``x``.

    Raises
    ------
    ValueError
        If ``x`` is empty, holds NaN or ``inf``, or a slice is all ``-inf``; if ``tau <= 0``.

    References
    ----------
    .. [1] kexue.fm/archives/10145, results 1 and 4.

    Examples
    --------
    >>> softmax([-2, 0, 0.5]).round(3)
    array([0.049, 0.359, 0.592])
    """
    u, _, _ = shifted_logits(x, axis, tau)
    p = np.exp(u, out=u)
    p /= p.sum(axis=-1, keepdims=True)
    return axis_back(p, axis)


def logsumexp(x: ArrayLike, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.float64]:
    """Return the smooth maximum ``tau log sum_i exp(x_i / tau)``, whose gradient is the softmax.

    Parameters
    ----------
    x, axis, tau
        As in `softmax`.

    Returns
    -------
    value : (...) ndarray or float
        Between ``max(x)`` and ``max(x) + tau log(n)``.

    Raises
    ------
    ValueError
        As in `softmax`, and if the value is beyond the largest double.

    References
    ----------
    .. [1] kexue.fm/archives/10145, result 1.

    Examples
    --------
    >>> logsumexp([1000.0, 1000.0]).round(3)
    np.float64(1000.693)
    """
    u, top, tau = shifted_logits(x, axis, tau)
    with np.errstate(over="ignore"):
        return _checks.result(top[..., 0] + tau * log_sum_exp(u), "x", "tau")


def taylor_softmax(x: ArrayLike, order: int = 2, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.float64]:
    """Return the probabilities ``p_i = f(x_i / tau) / sum_j f(x_j / tau)``, ``f(v) = sum_{m <= order} v**m / m!``.

    ``f`` is positive because ``order! f(v)`` is the integral of ``exp(-s) (v + s)**order`` over ``s > 0``. It is summed
    in that form (Gauss-Laguerre is exact for it): in powers of ``v`` the signs cancel, and order 80 keeps no digit.

    Parameters
    ----------
    x : (..., n) array_like
        Finite logits (``f(-inf)`` is infinite).
    order : int
        Even, from 2 to 100.
    axis, tau
        As in `softmax`.

    Returns
    -------
    p : (..., n) ndarray
        Positive, sums to 1 along ``axis``; relative error below 1e-12. Neither shift invariant nor in the order of
        ``x``: left of the only root of ``f'`` (-1 for order 2, -1.596 for order 4) it grows as ``x`` falls.

    Raises
    ------
    ValueError
        If ``order`` is odd or out of range, ``x`` is empty or not finite, ``tau <= 0``.

    References
    ----------
    .. [1] kexue.fm/archives/10145, result 6; de Brebisson and Vincent, arXiv:1511.05042.

    Examples
    --------
    >>> taylor_softmax([1, 0, -4]).round(3)
    array([0.294, 0.118, 0.588])
    """
    order = _checks.integer("order", order, low=2, high=100)
    if order % 2:
        raise ValueError(f"order must be even, got {order}")
    x, tau = axis_last(_checks.array("x", x), axis), positive("tau", tau)
    # Powers of (x + tau s) / scale stay in range where those of x / tau overflow.
    scale = np.maximum(np.abs(x).max(axis=-1, keepdims=True), tau)
    f = np.zeros_like(x)
    for s, weight in zip(*np.polynomial.laguerre.laggauss(order // 2 + 1)):
        f += weight * (x / scale + s * (tau / scale)) ** order
    return axis_back(f / f.sum(axis=-1, keepdims=True), axis)


def sparse_softmax(x: ArrayLike, k: int, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.float64]:
    """Return the softmax of the ``k`` largest logits, and 0 for the others.

    Parameters
    ----------
    x, axis, tau
        As in `softmax`.
    k : int
        Number of logits kept, from 1 to ``n``. Of equal logits the first ones are kept.

    Returns
    -------
    p : (..., n) ndarray
        Nonnegative, sums to 1 along ``axis``, at most ``k`` entries are not 0.

    Raises
    ------
    ValueError
        As in `softmax`, and if ``k`` is out of range.

    References
    ----------
    .. [1] kexue.fm/archives/10145, result 7; Sun et al., arXiv:2112.12433.

    Examples
    --------
    >>> sparse_softmax([-2, 0, 0.5], 2).round(3)
    array([0.   , 0.378, 0.622])
    """
    last, tau = axis_last(_checks.array("x", x, finite=False), axis), positive("tau", tau)
    mask = select_top_k(last, _checks.integer("k", k, low=1, high=last.shape[-1]))
    kept = last[mask].reshape(*last.shape[:-1], k)
    top = finite_top(last, kept.max(axis=-1, keepdims=True))
    with np.errstate(over="ignore"):
        q = np.exp((kept - top) / tau)
    p = np.zeros(last.shape)
    p[mask] = (q / q.sum(axis=-1, keepdims=True)).ravel()
    return axis_back(p, axis)

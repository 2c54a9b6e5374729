"""Schatten norms, their gradients where they have one and what stands for it where they have none, the top triple.

The Schatten norm of order p of a real matrix ``A = sum_i s_i u_i v_i'``, ``s_1 >= s_2 >= ... >= 0``, is the p-norm of
its singular values: p = 1 is the nuclear norm, p = 2 that of Frobenius, p = inf the spectral norm ``s_1``. Singular
values count as equal, or as zero, within ``rtol`` times the largest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = [
    "schatten_norm",
    "schatten_gradient",
    "spectral_derivative",
    "TopSingular",
    "power_iteration",
    "clip_singular_values",
]


def schatten_norm(a: ArrayLike, p: float) -> NDArray[np.float64]:
    """Return ``(sum_i s_i^p)^(1/p)``, and the largest singular value for p = inf.

    Parameters
    ----------
    a : (..., m, n) array_like
        Real matrices.
    p : float
        From 1 to inf.

    Returns
    -------
    norm : (...) ndarray or float
        It never grows with p.

    Raises
    ------
    ValueError
        If ``a`` is empty or not finite, ``p`` is below 1, or the norm overflows.

    References
    ----------
    .. [1] kexue.fm/archives/10648, result 1.

    Examples
    --------
    >>> [float(schatten_norm([[3.0, 0.0], [0.0, 4.0]], p).round(12)) for p in (1, 2, np.inf)]
    [7.0, 5.0, 4.0]
    """
    a, scale = _scaled("a", a)
    s = np.linalg.svd(a, compute_uv=False)
    with np.errstate(over="ignore"):
        return _checks.result(_p_norm(s, _order(p))[..., 0] * scale[..., 0, 0], "a")


def schatten_gradient(a: ArrayLike, p: float, rtol: float = 1e-10) -> NDArray[np.float64]:
    """Return the subgradient of least length of the Schatten norm: the gradient wherever there is one.

    It is ``sum_i w_i u_i v_i'`` with ``w_i = (s_i / norm)^(p-1)`` for p between 1 and inf, 1 for each ``s_i > 0`` at
    p = 1, and 1/k for each of the k largest, if they are equal, at p = inf.

    Parameters
    ----------
    a : (..., m, n) array_like
        Real matrices.
    p : float
        From 1 to inf.
    rtol : float, optional
        From 0 to below 1. Singular values within it of the largest, relative to it, are equal to it; those up to
        ``rtol`` times the largest are zero.

    Returns
    -------
    gradient : (..., m, n) ndarray
        Its inner product with ``a`` is the norm. Zero where ``a`` is zero.

    Raises
    ------
    ValueError
        If ``a`` is empty or not finite, ``p`` is below 1 or ``rtol`` is not in [0, 1).

    References
    ----------
    .. [1] kexue.fm/archives/10648, results 2 and 3; Watson, Linear Algebra Appl. 170 (1992), 33-45.

    Examples
    --------
    >>> schatten_gradient(np.diag([3.0, 1.0]), np.inf) + 0
    array([[1., 0.],
           [0., 0.]])
    >>> schatten_gradient(np.diag([3.0, 3.0]), np.inf) + 0
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    a, _ = _scaled("a", a)
    p, rtol = _order(p), _checks.number("rtol", rtol, low=0, high=1, open="high")
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    if p == 1:
        weights = np.where(s > rtol * s[..., :1], 1.0, 0.0)
    elif p == np.inf:
        weights = _tied(s, rtol) / _tied(s, rtol).sum(axis=-1, keepdims=True)
    else:
        s = np.where(s > max(a.shape[-2:]) * np.finfo(float).eps * s[..., :1], s, 0)  # rounding is no direction
        s = s / np.where(s[..., :1] > 0, s[..., :1], 1)
        raised = s ** (p - 1)
        total = (raised * s).sum(axis=-1, keepdims=True)  # the p-th power of the norm
        weights = raised / np.where(total > 0, total, 1) ** ((p - 1) / p)
    weights = np.where(s[..., :1] > 0, weights, 0)
    return (u * weights[..., None, :]) @ vt


def spectral_derivative(a: ArrayLike, direction: ArrayLike, rtol: float = 1e-10) -> NDArray[np.float64]:
    """Return the one-sided derivative of the largest singular value along a direction, tied or not.

    With the singular vectors U, V of the k largest, equal values it is the largest eigenvalue of the symmetric part of
    ``U' D V``; at zero it is the spectral norm of D.

    Parameters
    ----------
    a : (..., m, n) array_like
        Real matrices.
    direction : (..., m, n) array_like
        D; the leading axes broadcast.
    rtol : float, optional
        Within which singular values tie.

    Returns
    -------
    slope : (...) ndarray or float
        The limit of ``(s_1(a + t D) - s_1(a)) / t`` for t falling to 0. It is linear in D only where nothing ties.

    Raises
    ------
    ValueError
        If an array is empty or not finite, the shapes do not fit, or ``rtol`` is not in [0, 1).

    References
    ----------
    .. [1] kexue.fm/archives/10648, result 3; Watson, Linear Algebra Appl. 170 (1992), 33-45.

    Examples
    --------
    >>> tie, push = np.eye(2), np.diag([1.0, -1.0])
    >>> [float(spectral_derivative(tie, sign * push).round(12)) for sign in (1, -1)]
    [1.0, 1.0]
    """
    a, _ = _scaled("a", a)
    direction, scale = _scaled("direction", direction)
    rtol = _checks.number("rtol", rtol, low=0, high=1, open="high")
    if direction.shape[-2:] != a.shape[-2:]:
        raise ValueError(f"direction must have the last axes {a.shape[-2:]}, got shape {direction.shape}")
    _checks.broadcast(("a", a, 2), ("direction", direction, 2))
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    block = np.swapaxes(u, -1, -2) @ direction @ np.swapaxes(vt, -1, -2)
    block, tied = (block + np.swapaxes(block, -1, -2)) / 2, _tied(s, rtol)
    # what does not tie gets an eigenvalue below all others
    below = -1 - np.abs(block).sum(axis=(-2, -1), keepdims=True)
    pair = tied[..., :, None] & tied[..., None, :]
    block = np.where(pair, block, np.eye(s.shape[-1]) * below)
    slope = np.linalg.eigvalsh(block)[..., -1]
    slope = np.where(s[..., 0] > 0, slope, np.linalg.svd(direction, compute_uv=False)[..., 0])
    with np.errstate(over="ignore"):
        return _checks.result(slope * scale[..., 0, 0], "direction")


class TopSingular(NamedTuple):
    """The largest singular value and its vectors, as far as they are found: ``a v = sigma u``."""

    sigma: NDArray[np.float64]
    u: NDArray[np.float64]
    v: NDArray[np.float64]


def power_iteration(a: ArrayLike, start: ArrayLike | None = None, iterations: int = 10) -> TopSingular:
    """Return the top singular value and vectors by ``v <- a'(a v) / |a'(a v)|``, two products with a vector each.

    Parameters
    ----------
    a : (..., m, n) array_like
        Real matrices.
    start : (..., n) array_like, optional
        First vectors, of any length but 0; the leading axes broadcast. By default the unit vector that ``a`` stretches
        most among those of the axes.
    iterations : int, optional
        How often ``v`` is replaced; at 0 the value of the start is measured.

    Returns
    -------
    TopSingular
        ``sigma`` (...) never exceeds the largest singular value, within rounding, and never falls with ``iterations``.
        If the start has a part along v_1 and ``s_2 < s_1``, the angle of ``v`` falls like ``(s_2/s_1)^(2 iterations)``
        and the error of ``sigma`` like its square. ``u`` and ``sigma`` are zero where ``a`` is zero.

    Raises
    ------
    ValueError
        If an array is empty or not finite, shapes do not fit, a start is zero or a matrix that is not zero maps it to
        zero, or ``iterations`` is negative.

    References
    ----------
    .. [1] kexue.fm/archives/10648, results 5 and 6.

    Examples
    --------
    >>> top = power_iteration([[2.0, 1.0], [1.0, 2.0]], [1.0, 0.0], iterations=20)
    >>> float(top.sigma.round(12)), top.v.round(6)
    (3.0, array([0.707107, 0.707107]))
    """
    a, scale = _scaled("a", a)
    iterations = _checks.integer("iterations", iterations, low=0)
    v = _largest_column(a) if start is None else _unit_vectors("start", start, a)
    for _ in range(iterations):
        moved = _apply(np.swapaxes(a, -1, -2), _unit(_apply(a, v)))
        v = np.where((moved != 0).any(axis=-1, keepdims=True), _unit(moved), v)
    u = _apply(a, v)
    sigma = _length(u)
    if ((sigma[..., 0] == 0) & (a != 0).any(axis=(-2, -1))).any():
        raise ValueError("start must not be mapped to zero by a matrix that is not zero, got one that is")
    with np.errstate(over="ignore"):
        return TopSingular(_checks.result(sigma[..., 0] * scale[..., 0, 0], "a"), _unit(u), v)


def clip_singular_values(a: ArrayLike, tau: float) -> NDArray[np.float64]:
    """Return ``U min(S, tau) V'``: the matrix closest to ``a`` among those of spectral norm at most ``tau``.

    Parameters
    ----------
    a : (..., m, n) array_like
        Real matrices.
    tau : float
        Not negative.

    Returns
    -------
    clipped : (..., m, n) ndarray
        Of spectral norm ``min(s_1, tau)``; ``a`` itself, where that is within ``tau``.

    Raises
    ------
    ValueError
        If ``a`` is empty or not finite, or ``tau`` is negative or not finite.

    References
    ----------
    .. [1] kexue.fm/archives/11729.

    Examples
    --------
    >>> clip_singular_values(np.diag([3.0, 1.0]), 2.0) + 0
    array([[2., 0.],
           [0., 1.]])
    """
    given = _checks.array("a", a, core=2)
    a, scale = _scaled("a", given)
    tau = _checks.number("tau", tau, low=0)
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    with np.errstate(over="ignore"):
        bound = tau / scale[..., 0]
    clipped = (u * np.minimum(s, bound)[..., None, :]) @ vt * scale
    return _checks.result(np.where((s <= bound).all(axis=-1)[..., None, None], given, clipped), "a", "tau")


def _order(p: Any) -> float:
    return _checks.number("p", p, low=1, finite=False)


def _scaled(name, a):
    """Return matrices with a largest entry of 1, and what they were divided by: no square overflows."""
    a = _checks.array(name, a, core=2)
    scale = np.abs(a).max(axis=(-2, -1), keepdims=True)
    scale = np.where(scale > 0, scale, 1)
    return a / scale, scale


def _p_norm(s, p):
    """Return the p-norms of sorted values along the last axis, which is kept."""
    if p == np.inf:
        return s[..., :1]
    top = np.where(s[..., :1] > 0, s[..., :1], 1)
    return top * ((s / top) ** p).sum(axis=-1, keepdims=True) ** (1 / p) * (s[..., :1] > 0)


def _tied(s, rtol):
    """Return which singular values are equal to the largest."""
    return s >= (1 - rtol) * s[..., :1]


def _apply(a, v):
    return (a @ v[..., None])[..., 0]


def _length(v):
    return np.linalg.norm(v, axis=-1, keepdims=True)


def _unit(v):
    """Return vectors of length 1, and 0 for 0."""
    top = np.abs(v).max(axis=-1, keepdims=True)
    v = v / np.where(top > 0, top, 1)
    return v / np.where(top > 0, _length(v), 1)


def _largest_column(a):
    """Return the unit vector that picks the longest column."""
    return np.eye(a.shape[-1])[np.argmax((a**2).sum(axis=-2), axis=-1)]


def _unit_vectors(name, v, a):
    """Return the vectors that fit matrices, each of length 1."""
    v = _checks.array(name, v, core=1, last=a.shape[-1])
    _checks.broadcast(("a", a, 2), (name, v, 1))
    if (v == 0).all(axis=-1).any():
        raise ValueError(f"{name} must not be zero, got a vector of zeros")
    return _unit(v)

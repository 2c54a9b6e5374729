"""CUR: a matrix from some of its own columns and rows, ``A ~ C U R``, with two kinds of middle, errors and a bound.

``C = A[:, cols]``, ``R = A[rows]``. The optimal middle projects A onto both; the middle from the intersection needs
the chosen entries only and keeps them as they are. Nothing here goes through a pseudo-inverse: its cutoff drops what
counts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["CUR", "CURBound", "cur_factors", "cur_approximation", "cur_bound", "interpolation_weights", "cauchy_error"]

_MIDDLES = ("optimal", "intersection")


class CUR(NamedTuple):
    """The columns, the middle and the rows."""

    C: NDArray[np.float64]
    U: NDArray[np.float64]
    R: NDArray[np.float64]


class CURBound(NamedTuple):
    """The amplifications of rows and columns, the next singular value, and the bound that they make."""

    eta_rows: float
    eta_cols: float
    sigma: float
    bound: float


def cur_factors(a: ArrayLike, rows: ArrayLike, cols: ArrayLike, middle: str = "optimal") -> CUR:
    """Return the factors of ``A ~ C U R``; only one of the middles looks at the whole matrix.

    Optimal, that is closest in the Frobenius norm: ``U = C^+ A R^+``. Intersection: ``U = A[rows, cols]^(-1)``.

    Parameters
    ----------
    a : (m, n) array_like
        Real.
    rows, cols : (k,), (l,) array_like of int
        Different indices; as many of both for the intersection.
    middle : {"optimal", "intersection"}

    Returns
    -------
    CUR
        ``C`` (m, l), ``U`` (l, k), ``R`` (k, n). The entries of U may be large; `cur_approximation` avoids it.

    Raises
    ------
    ValueError
        If an index is out of range or repeated, a value or the middle is not finite, or the intersection not square.
    numpy.linalg.LinAlgError
        If the chosen columns or rows are dependent within rounding, or the intersection is singular in floating point.
        An intersection that is singular only within rounding passes, with very large entries of U.

    References
    ----------
    .. [1] kexue.fm/archives/10662, results 2 and 3; arXiv:1407.5516.

    Examples
    --------
    >>> cur_factors([[2.0, 4.0], [1.0, 3.0]], [0], [1]).U.round(3)
    array([[0.244]])
    """
    a, rows, cols = _chosen(a, rows, cols, middle)
    c, r = a[:, cols], a[rows]
    with np.errstate(all="ignore"):
        if middle == "intersection":
            u = np.linalg.inv(a[np.ix_(rows, cols)])
        else:
            (qc, tc), (qr, tr) = _independent("cols", c), _independent("rows", r.T)
            u = np.linalg.solve(tr, np.linalg.solve(tc, qc.T @ a @ qr).T).T
    return CUR(c, _checks.result(u, "a"), r)


def cur_approximation(a: ArrayLike, rows: ArrayLike, cols: ArrayLike, middle: str = "optimal") -> NDArray[np.float64]:
    """Return the matrix ``C U R`` without forming the middle.

    Optimal: ``Q_c Q_c' A Q_r Q_r'``, with orthonormal bases of the columns and of the rows. Intersection: ``C`` times
    the solution of one small system. So rounding stays small where the middle itself is large. The columns, and the
    rows, are to be independent: the basis of dependent ones has directions more than they, made of rounding, and the
    error may be smaller than that of any ``C U R``.

    Parameters
    ----------
    a : (m, n) array_like
        Real.
    rows, cols : (k,), (l,) array_like of int
        Different indices; as many of both for the intersection.
    middle : {"optimal", "intersection"}

    Returns
    -------
    (m, n) ndarray
        With the intersection, equal to ``a`` in the chosen rows and columns.

    Raises
    ------
    ValueError
        If an index is out of range or repeated, a value or the result is not finite, or the intersection not square.
    numpy.linalg.LinAlgError
        If the intersection is singular.

    References
    ----------
    .. [1] kexue.fm/archives/10662, results 2 and 3.

    Examples
    --------
    >>> cur_approximation([[2.0, 4.0], [1.0, 3.0]], [0], [0], "intersection")
    array([[2., 4.],
           [1., 2.]])
    """
    a, rows, cols = _chosen(a, rows, cols, middle)
    with np.errstate(all="ignore"):
        if middle == "intersection":
            found = a[:, cols] @ np.linalg.solve(a[np.ix_(rows, cols)], a[rows])
            found[:, cols], found[rows] = a[:, cols], a[rows]
        else:
            qc, qr = np.linalg.qr(a[:, cols])[0], np.linalg.qr(a[rows].T)[0]
            found = qc @ (qc.T @ a @ qr) @ qr.T
    return _checks.result(found, "a")


def cur_bound(a: ArrayLike, rows: ArrayLike, cols: ArrayLike) -> CURBound:
    """Return the bound ``(eta_rows + eta_cols) sigma_(r+1)`` on the spectral error with the optimal middle.

    ``eta_rows = |U_r[rows]^(-1)|_2`` and ``eta_cols = |V_r[cols]^(-1)|_2`` with the first r singular vectors: how much
    interpolation at the chosen indices amplifies what it does not see. At least 1 each.

    Parameters
    ----------
    a : (m, n) array_like
        Real.
    rows, cols : (r,) array_like of int
        Different indices, as many of both.

    Returns
    -------
    CURBound
        Of any choice, whatever rule made it.

    Raises
    ------
    ValueError
        If an index is out of range or repeated, ``rows`` and ``cols`` differ in length, or the bound is not finite: the
        chosen rows of the singular vectors are singular.

    References
    ----------
    .. [1] arXiv:1407.5516, section 1 and the main theorem.

    Examples
    --------
    >>> cur_bound([[4.0, 0.0], [0.0, 1.0]], [0], [0])
    CURBound(eta_rows=1.0, eta_cols=1.0, sigma=1.0, bound=2.0)
    """
    a, rows, cols = _chosen(a, rows, cols, "intersection")
    r = len(rows)
    with np.errstate(all="ignore"):
        u, s, vt = np.linalg.svd(a, full_matrices=False)
        least = [np.linalg.svd(part, compute_uv=False)[-1] for part in (u[rows, :r], vt[:r, cols])]
        eta_rows, eta_cols = (float(_checks.result(1 / x, "rows", "cols")) for x in least)
        sigma = float(_checks.result(np.append(s, 0)[r], "a"))
        bound = float(_checks.result(np.float64(eta_rows + eta_cols) * sigma, "a", "rows", "cols"))
    return CURBound(eta_rows, eta_cols, sigma, bound)


def interpolation_weights(a: ArrayLike, cols: ArrayLike) -> NDArray[np.float64]:
    """Return the Z with ``A ~ A[:, cols] Z`` closest in the Frobenius norm: the interpolative decomposition (ID).

    Parameters
    ----------
    a : (m, n) array_like
        Real.
    cols : (l,) array_like of int
        Different indices of independent columns, ``l <= m``.

    Returns
    -------
    (l, n) ndarray
        ``Z[:, cols]`` is the identity.

    Raises
    ------
    ValueError
        If an index is out of range or repeated, there are more columns than rows, or a value is not finite.
    numpy.linalg.LinAlgError
        If the chosen columns are dependent within rounding.

    References
    ----------
    .. [1] kexue.fm/archives/10662, result 1; kexue.fm/archives/10501.

    Examples
    --------
    >>> interpolation_weights([[1.0, 2.0, 1.0], [1.0, 2.0, 0.0]], [0, 2]).round(9) + 0
    array([[1., 2., 0.],
           [0., 0., 1.]])
    """
    a = _checks.array("a", a, ndim=2, core=2)
    cols = _indices("cols", cols, a.shape[1])
    if len(cols) > len(a):
        raise ValueError(f"cols must not be more than the {len(a)} rows of a, got {len(cols)}")
    with np.errstate(all="ignore"):
        q, t = _independent("cols", a[:, cols])
        z = np.linalg.solve(t, q.T @ a)
    z[:, cols] = np.eye(len(cols))
    return _checks.result(z, "a")


def cauchy_error(x: ArrayLike, y: ArrayLike, rows: ArrayLike, cols: ArrayLike) -> NDArray[np.float64]:
    """Return the error of the cross approximation of ``1/(x + y)`` in closed form, from its own zeros.

    ``E = 1/(x + y) prod_i (x - x_i)/(x + y_i) prod_i (y - y_i)/(y + x_i)``, where the x_i are kept rows and the y_i
    kept columns, joined by the inverse of their intersection.

    Parameters
    ----------
    x, y : (m,), (n,) array_like
        Positive.
    rows, cols : (r,) array_like
        The points x_i and y_i, positive; as many of both.

    Returns
    -------
    (m, n) ndarray
        Zero in the rows ``x = x_i`` and the columns ``y = y_i``. Without points it is ``1/(x + y)``.

    Raises
    ------
    ValueError
        If a value is not positive or not finite, or the numbers of points differ.

    References
    ----------
    .. [1] A ratio of determinants of Cauchy; the chapter ``cur`` proves it.

    Examples
    --------
    >>> cauchy_error([1.0, 2.0], [1.0, 3.0], [1.0], [1.0]).round(4)
    array([[0.    , 0.    ],
           [0.    , 0.0333]])
    """
    x, y, rows, cols = (
        _checks.array(name, value, ndim=1, low=0, open="low")
        for name, value in (("x", x), ("y", y), ("rows", rows), ("cols", cols))
    )
    if len(rows) != len(cols):
        raise ValueError(f"rows and cols must have the same length, got {len(rows)} and {len(cols)}")
    with np.errstate(all="ignore"):
        left, up = _product((x[:, None] - rows) / (x[:, None] + cols))
        right, high = _product((y[:, None] - cols) / (y[:, None] + rows))
        found = np.ldexp(np.outer(left, right) / np.add.outer(x, y), np.add.outer(up, high))
        return _checks.result(found, "x", "y", "rows", "cols")


def _product(factors: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the products along the last axis as ``m 2^e``, as the number itself may be out of range."""
    m, e = np.frexp(factors)
    return m.prod(axis=-1), e.sum(axis=-1)


def _chosen(a: ArrayLike, rows: ArrayLike, cols: ArrayLike, middle: str) -> tuple[NDArray[Any], ...]:
    a = _checks.array("a", a, ndim=2, core=2)
    _checks.choice("middle", middle, _MIDDLES)
    rows, cols = _indices("rows", rows, a.shape[0]), _indices("cols", cols, a.shape[1])
    if middle == "intersection" and len(rows) != len(cols):
        raise ValueError(f"rows and cols must have the same length, got {len(rows)} and {len(cols)}")
    return a, rows, cols


def _indices(name: str, value: ArrayLike, n: int) -> NDArray[np.int64]:
    value = _checks.array(name, value, kind="integer", ndim=1, core=1, low=0, high=n - 1)
    if len(np.unique(value)) < len(value):
        raise ValueError(f"{name} must hold different indices, got {value.tolist()}")
    return value


def _independent(name: str, columns: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the factors Q and T of columns of which none depends on those before it, within rounding."""
    if columns.shape[1] > columns.shape[0]:
        raise np.linalg.LinAlgError(f"{name} must not be more than {columns.shape[0]}, got {columns.shape[1]}")
    q, t = np.linalg.qr(columns)
    size = np.abs(columns).max(axis=0)
    length = size * np.linalg.norm(columns / size, axis=0)
    if not (np.abs(t.diagonal()) > len(q) * np.finfo(float).eps * length).all():
        raise np.linalg.LinAlgError(f"{name} must be independent within rounding, got a dependent one")
    return q, t

"""Monarch matrices ``M = P' L P R``: two block-diagonal factors, a transposition between them, an exact projection.

For a divisor b of n write a row as (i, j), i < n/b, j < b, and a column as (k, l) likewise. Then
``M_ijkl = L_jik R_kjl``: each slice ``M[:, j, k, :]`` is an outer product, so the closest Monarch matrix is found by n
small rank-one problems. The block size is ``block`` = b throughout.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = [
    "block_permutation",
    "monarch_dense",
    "monarch_matvec",
    "monarch_solve",
    "Monarch",
    "monarch_project",
    "monarch_cost",
    "monarch_dim",
    "low_rank_error",
]


def block_permutation(n: int, block: int) -> NDArray[np.int64]:
    """Return P_(n/b, b) as an index vector: ``x[P]`` is ``x.reshape(n/b, b).T.ravel()``.

    Parameters
    ----------
    n, block : int
        ``block`` = b divides ``n``.

    Returns
    -------
    (n,) ndarray of int
        Its inverse is ``block_permutation(n, n // block)``; so for ``n = b^2`` it is its own.

    Raises
    ------
    ValueError
        If ``block`` does not divide ``n``.

    References
    ----------
    .. [1] kexue.fm/archives/10249, results 2 and 7; arXiv:2204.00595.

    Examples
    --------
    >>> block_permutation(6, 2)
    array([0, 2, 4, 1, 3, 5])
    """
    n, b = _size_and_block(n, block)
    return np.arange(n).reshape(n // b, b).T.ravel()


def monarch_dense(L: ArrayLike, R: ArrayLike) -> NDArray[Any]:
    """Return the matrix ``M_ijkl = L_jik R_kjl`` in full.

    Parameters
    ----------
    L : (..., b, n/b, n/b) array_like
        The b blocks of the left factor; real or complex.
    R : (..., n/b, b, b) array_like
        The n/b blocks of the right factor.

    Returns
    -------
    (..., n, n) ndarray
        Equal to ``P_(b, n/b) diag(L) P_(n/b, b) diag(R)``.

    Raises
    ------
    ValueError
        If the blocks do not fit each other, their leading axes do not broadcast, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10249, results 4 and 7.

    Examples
    --------
    >>> monarch_dense(np.eye(2)[None] + [[[0]], [[1]]], np.ones((2, 2, 2)))
    array([[1., 1., 0., 0.],
           [2., 2., 1., 1.],
           [0., 0., 1., 1.],
           [1., 1., 2., 2.]])
    """
    L, R, n = _factors(L, R)
    with np.errstate(over="ignore", invalid="ignore"):
        M = np.swapaxes(L, -3, -2)[..., None] * np.swapaxes(R, -3, -2)[..., None, :, :, :]
    return _checks.result(M.reshape(*M.shape[:-4], n, n), "L", "R")


def monarch_matvec(L: ArrayLike, R: ArrayLike, x: ArrayLike) -> NDArray[Any]:
    """Return ``M x`` in ``n^2/b + n b`` multiplications (`monarch_cost`), without forming M.

    Two batched matrix products, in which one pair of factors takes 64 vectors of a batch at a time as its columns.

    Parameters
    ----------
    L : (..., b, n/b, n/b) array_like
    R : (..., n/b, b, b) array_like
    x : (..., n) array_like
        Its leading axes and those of the factors are broadcast.

    Returns
    -------
    (..., n) ndarray
        Equal to ``monarch_dense(L, R) @ x`` up to rounding.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10249, results 3 and 7.

    Examples
    --------
    >>> monarch_matvec(np.ones((2, 2, 2)), np.ones((2, 2, 2)), [1.0, 2.0, 3.0, 4.0])
    array([10., 10., 10., 10.])
    """
    L, R, n = _factors(L, R)
    x = _checks.array("x", x, kind="complex", last=n, finite=None)
    _checks.broadcast(("L", L, 3), ("R", R, 3), ("x", x, 1))
    with np.errstate(over="ignore", invalid="ignore"):
        if L.ndim == R.ndim == 3 and x.ndim > 1:
            rows = x.reshape(-1, n)
            y = np.empty(rows.shape, dtype=np.result_type(L, R, x))
            for i in range(0, len(rows), 64):
                y[i : i + 64] = _product(L, R, rows[i : i + 64].T).T
            y = y.reshape(x.shape)
        else:
            y = _product(L, R, x[..., None])[..., 0]
    return _checks.result(y, x=x, L=L, R=R)


def monarch_solve(L: ArrayLike, R: ArrayLike, y: ArrayLike) -> NDArray[Any]:
    """Return the x with ``M x = y``: ``x = R^(-1) P' L^(-1) P y``, block by block.

    Parameters
    ----------
    L : (..., b, n/b, n/b) array_like
    R : (..., n/b, b, b) array_like
    y : (..., n) array_like
        Its leading axes and those of the factors are broadcast.

    Returns
    -------
    (..., n) ndarray
        The blocks are factored once for all vectors of a batch, in ``n^3/b^2 + n b^2`` operations, up to a constant;
        ``2 n^2`` for ``n = b^2``. Each vector then costs as much as a product.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a value or the solution is not finite.
    numpy.linalg.LinAlgError
        If a block is singular; then M is.

    References
    ----------
    .. [1] kexue.fm/archives/10249, result 3.

    Examples
    --------
    >>> monarch_solve(2 * np.ones((2, 1, 1)), [[[1.0, 1.0], [0.0, 1.0]]], [6.0, 2.0])
    array([2., 1.])
    """
    L, R, n = _factors(L, R)
    y = _checks.array("y", y, kind="complex", last=n)
    _checks.broadcast(("L", L, 3), ("R", R, 3), ("y", y, 1))
    with np.errstate(all="ignore"):
        if L.ndim == R.ndim == 3 and y.ndim > 1:
            x = _solution(L, R, y.reshape(-1, n).T).T.reshape(y.shape)
        else:
            x = _solution(L, R, y[..., None])[..., 0]
    return _checks.result(x, y=y, L=L, R=R)


class Monarch(NamedTuple):
    """The factors of the closest Monarch matrix and its squared Frobenius distance."""

    L: NDArray[Any]
    R: NDArray[Any]
    error: NDArray[np.float64]


def monarch_project(a: ArrayLike, block: int | None = None) -> Monarch:
    """Return the Monarch matrix closest to ``a`` in the Frobenius norm, by one SVD for each slice ``a[:, j, k, :]``.

    Exact: the slices share no parameter, and for each the best outer product is ``sigma_1 u v`` (Eckart-Young). The
    singular value is split evenly. It takes n SVDs of size n/b by b: ``O(n^2.5)`` for ``n = b^2``.

    Parameters
    ----------
    a : (..., n, n) array_like
        Real or complex.
    block : int, optional
        The divisor b of n; ``sqrt(n)`` if that is an integer.

    Returns
    -------
    Monarch
        ``L`` (..., b, n/b, n/b), ``R`` (..., n/b, b, b), and ``error`` (...), which is ``|a - M|_F^2``, the sum of
        all squared singular values but the first of each slice. M is unique unless these tie; ``L, R`` never are.

    Raises
    ------
    ValueError
        If ``a`` is not square or not finite, ``block`` does not divide n, or is left out and n is not a square.

    References
    ----------
    .. [1] kexue.fm/archives/10249, results 5 and 7; arXiv:2204.00595, section 3.3.

    Examples
    --------
    The discrete Fourier transform is Monarch after one permutation of its columns.

    >>> F = np.exp(-2j * np.pi / 16 * np.outer(np.arange(16), np.arange(16))) / 4
    >>> float(monarch_project(F).error.round(3)), bool(monarch_project(F[:, block_permutation(16, 4)]).error < 1e-24)
    (12.0, True)
    """
    a = _square(a)
    n = a.shape[-1]
    if block is None:
        b = math.isqrt(n)
        if b * b != n:
            divisors = [d for d in range(1, n + 1) if n % d == 0]
            raise ValueError(f"block must be given, one of {divisors}, when n is not a square, got n = {n}")
    else:
        n, b = _size_and_block(n, block)
    slices = np.moveaxis(a.reshape(*a.shape[:-2], n // b, b, n // b, b), -4, -2)
    with np.errstate(over="ignore", invalid="ignore"):
        u, s, vh = np.linalg.svd(slices, full_matrices=False)
        error = _checks.result((s[..., 1:] ** 2).sum(axis=(-3, -2, -1)), "a")
        root = np.sqrt(s[..., :1])
        L = _checks.result(np.moveaxis(u[..., 0] * root, -1, -2), "a")
    return Monarch(L, np.swapaxes(vh[..., 0, :] * root, -3, -2), error)


def monarch_cost(n: int, block: int) -> int:
    """Return ``n^2/b + n b``, the parameters of a Monarch matrix and the multiplications of its product with a vector.

    Parameters
    ----------
    n, block : int
        ``block`` = b divides ``n``.

    Returns
    -------
    int
        Smallest at ``b = sqrt(n)``: ``2 n^1.5``, as for a factored matrix of rank ``sqrt(n)``.

    Raises
    ------
    ValueError
        If ``block`` does not divide ``n``.

    References
    ----------
    .. [1] kexue.fm/archives/10249, results 3 and 7.

    Examples
    --------
    >>> monarch_cost(4096, 64), 4096**2
    (524288, 16777216)
    """
    n, b = _size_and_block(n, block)
    return n * (n // b + b)


def monarch_dim(n: int, block: int) -> int:
    """Return ``n (n/b + b - 1)``, the dimension of the set of Monarch matrices.

    It is `monarch_cost` less the n scalings ``L_jik t_jk, R_kjl / t_jk`` that do not change the product.

    Parameters
    ----------
    n, block : int
        ``block`` = b divides ``n``.

    Returns
    -------
    int
        For ``n = b^2`` it is ``2 n b - b^2``, the dimension of the matrices of rank b: equal budgets.

    Raises
    ------
    ValueError
        If ``block`` does not divide ``n``.

    References
    ----------
    .. [1] kexue.fm/archives/10249, results 6 and 7.

    Examples
    --------
    >>> monarch_dim(16, 4), 2 * 16 * 4 - 4**2
    (112, 112)
    """
    n, b = _size_and_block(n, block)
    return n * (n // b + b - 1)


def low_rank_error(a: ArrayLike, rank: int) -> NDArray[np.float64]:
    """Return the squared Frobenius distance of ``a`` to the closest matrix of a rank: ``sum_(i > rank) sigma_i^2``.

    Parameters
    ----------
    a : (..., n, n) array_like
        Real or complex.
    rank : int
        From 0 on.

    Returns
    -------
    (...) ndarray or float
        ``|a|_F^2`` for rank 0, zero from rank n on.

    Raises
    ------
    ValueError
        If ``a`` is not square or not finite, or ``rank < 0``.

    References
    ----------
    .. [1] kexue.fm/archives/10249, results 1 and 6.

    Examples
    --------
    >>> float(low_rank_error(np.diag([3.0, 2.0, 1.0]), 1).round(3))
    5.0
    """
    a, rank = _square(a), _checks.integer("rank", rank, low=0)
    more = np.count_nonzero(a.any(axis=-1), axis=-1) > rank  # the others, of so few rows, have that rank
    error = np.zeros(a.shape[:-2])
    with np.errstate(over="ignore", invalid="ignore"):
        error[more] = _tail_of_squares(a[more], rank)
    return _checks.result(error, "a")


def _tail_of_squares(a, rank):
    """Return ``sum_(i > rank) sigma_i^2``: the eigenvalues of ``a* a`` take half the time of singular values.

    Rounding spoils them by some 1e-15 of their sum, so a tail that is small against it is found by singular values.
    """
    gram = a.conj().mT @ a
    whole = np.isfinite(gram).all(axis=(-2, -1))
    squares = np.linalg.eigvalsh(np.where(whole[..., None, None], gram, 0.0))
    tail = squares[..., : max(squares.shape[-1] - rank, 0)].sum(axis=-1)
    small = ~(whole & (tail > 1e-3 * squares.sum(axis=-1)))
    tail[small] = (np.linalg.svd(a[small], compute_uv=False)[..., rank:] ** 2).sum(axis=-1)
    return tail


def _size_and_block(n, block):
    n, b = _checks.integer("n", n, low=1), _checks.integer("block", block, low=1)
    if n % b:
        raise ValueError(f"block must divide n = {n}, got {b}")
    return n, b


def _square(a):
    a = _checks.array("a", a, kind="complex", core=2)
    if a.shape[-1] != a.shape[-2]:
        raise ValueError(f"a must be square in its last two axes, got shape {a.shape}")
    return a


def _factors(L, R):
    """Return both factors as arrays, and n."""
    L, R = _checks.array("L", L, kind="complex", core=3), _checks.array("R", R, kind="complex", core=3)
    if L.shape[-1] != L.shape[-2]:
        raise ValueError(f"L must have shape (..., b, n/b, n/b), got shape {L.shape}")
    b, p = L.shape[-3:-1]
    if R.shape[-3:] != (p, b, b):
        raise ValueError(f"R must have shape (..., {p}, {b}, {b}) to fit L, got shape {R.shape}")
    _checks.broadcast(("L", L, 3), ("R", R, 3))
    return L, R, b * p


def _product(L, R, columns):
    """Return M times columns (..., n, m)."""
    blocks = _split(columns, R.shape[-3])
    inner = np.swapaxes(np.matmul(R, blocks), -3, -2)
    return _merge(np.swapaxes(np.matmul(L, inner), -3, -2))


def _solution(L, R, columns):
    """Return the inverse of M times columns (..., n, m)."""
    blocks = _split(columns, R.shape[-3])
    inner = np.swapaxes(np.linalg.solve(L, np.swapaxes(blocks, -3, -2)), -3, -2)
    return _merge(np.linalg.solve(R, inner))


def _split(columns, p):
    return np.ascontiguousarray(columns).reshape(*columns.shape[:-2], p, columns.shape[-2] // p, columns.shape[-1])


def _merge(blocks):
    return blocks.reshape(*blocks.shape[:-3], blocks.shape[-3] * blocks.shape[-2], blocks.shape[-1])

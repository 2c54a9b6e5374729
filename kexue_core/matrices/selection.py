"""Which columns of a matrix to keep: by norms, by leverage, greedily (pivoted QR, DEIM), by volume.

For rows, pass the transpose. Ties, which symmetric data bring, go to the lowest index: what agrees to nine digits
counts as equal, so that no choice depends on rounding. Where singular values tie, the singular vectors are not unique,
and neither are the choices that are made from them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["deim_indices", "maximal_volume", "pivoted_columns", "leverage_scores", "select_columns"]

_RULES = ("deim", "volume", "pivoted-qr", "leverage", "norm", "leverage-sample", "norm-sample", "uniform")


def deim_indices(basis: ArrayLike) -> NDArray[np.int64]:
    """Return r rows of a basis by greedy interpolation (DEIM): the pivot rows of Gaussian elimination.

    ``s_1 = argmax |v_1|``; then ``s_(k+1)`` is where the residual of the next column, interpolated at the rows so far
    by the columns so far, is largest in modulus. It is zero at those rows, so that no row is taken twice.

    Parameters
    ----------
    basis : (n, r) array_like
        Real, ``r <= n``, in the order of importance: singular vectors, as a rule.

    Returns
    -------
    (r,) ndarray of int
        In the order of the steps. Scaling a column, by -1 say, changes nothing.

    Raises
    ------
    ValueError
        If there are more columns than rows, a value is not finite, or a column depends on those before it.

    References
    ----------
    .. [1] kexue.fm/archives/10662, result 7; arXiv:1407.5516, algorithm 1.

    Examples
    --------
    >>> deim_indices([[1.0, 0.0], [2.0, 1.0], [1.0, 3.0]])
    array([1, 2])
    """
    work = _basis(basis).copy()
    n, r = work.shape
    picks = np.empty(r, dtype=np.int64)
    for k in range(r):
        size = abs(work[:, k])
        picks[k] = i = _first_largest(size)
        if size[i] <= n * np.finfo(float).eps:
            raise ValueError(f"basis must have independent columns, got a residual of {size[i]:.1e} in step {k + 1}")
        work[:, k + 1 :] -= np.outer(work[:, k] / work[i, k], work[i, k + 1 :])
        work[i, k + 1 :] = 0
    return picks


def maximal_volume(basis: ArrayLike, *, slack: float = 0.01) -> NDArray[np.int64]:
    """Return r rows whose square submatrix has a volume ``|det|`` that no exchange of one row raises, up to a slack.

    From the rows of `deim_indices` on, a row outside takes the place of one inside as long as that multiplies the
    volume by more than ``1 + slack``. The factor is an entry of ``basis @ inv(basis[rows])``: all of them are at most
    ``1 + slack`` in the end. The rows of the *largest* volume have this property, but not only they.

    Parameters
    ----------
    basis : (n, r) array_like
        Real, ``r <= n``.
    slack : float, optional
        Positive; below 1e-9 it counts as that, so that rounding does not exchange rows for ever.

    Returns
    -------
    (r,) ndarray of int
        For an orthonormal basis, ``|inv(basis[rows])|_2 <= sqrt(1 + r (n - r) (1 + slack)^2)``.

    Raises
    ------
    ValueError
        As for `deim_indices`, or if ``slack`` is not positive.

    References
    ----------
    .. [1] kexue.fm/archives/10662, result 6.

    Examples
    --------
    >>> maximal_volume([[1.0, 0.0], [0.9, 1.0], [-0.8, 1.0]])
    array([2, 1])
    """
    slack = max(_checks.number("slack", slack, low=0, open="low"), 1e-9)
    basis = _basis(basis)
    picks = deim_indices(basis)
    factors = np.linalg.solve(basis[picks].T, basis.T).T
    while True:
        i, j = np.unravel_index(_first_largest(abs(factors).ravel()), factors.shape)
        if abs(factors[i, j]) <= 1 + slack:
            return picks
        picks[j] = i
        factors = np.linalg.solve(basis[picks].T, basis.T).T


def pivoted_columns(a: ArrayLike, rank: int) -> NDArray[np.int64]:
    """Return the first pivots of a QR factorization with column pivoting: each farthest from the span of those before.

    Parameters
    ----------
    a : (m, n) array_like
        Real.
    rank : int
        From 1 to the smaller size.

    Returns
    -------
    (rank,) ndarray of int
        In the order of the steps.

    Raises
    ------
    ValueError
        If ``a`` is zero or not finite, or its rank is smaller.

    References
    ----------
    .. [1] kexue.fm/archives/10662, result 4.

    Examples
    --------
    >>> pivoted_columns([[3.0, 3.0, 0.0], [0.0, 0.1, 1.0]], 2)
    array([1, 2])
    """
    a, rank = _matrix(a, rank)
    work = a.copy()
    picks = np.empty(rank, dtype=np.int64)
    least = max(a.shape) * np.finfo(float).eps * np.linalg.norm(a, axis=0).max()
    for k in range(rank):
        length = np.linalg.norm(work, axis=0)
        picks[k] = j = _first_largest(length)
        if length[j] <= least:
            raise ValueError(f"rank must not exceed the rank of a, {k} in floating point, got {rank}")
        q = work[:, j] / length[j]
        work -= np.outer(q, q @ work)
        work[:, j] = 0
    return picks


def leverage_scores(a: ArrayLike, rank: int) -> NDArray[np.float64]:
    """Return the leverage ``sum_(k <= rank) V_jk^2`` of each column: the diagonal of the hat matrix, cut off at a rank.

    Parameters
    ----------
    a : (..., m, n) array_like
        Real; ``a = U S V'``.
    rank : int
        From 1 to the smaller size. Beyond the numerical rank of ``a`` the scores are noise.

    Returns
    -------
    (..., n) ndarray
        In [0, 1], with sum ``rank``. All are 1 if ``rank = n``: then they tell nothing.

    Raises
    ------
    ValueError
        If ``a`` is zero or not finite, or ``rank`` is out of range.

    References
    ----------
    .. [1] kexue.fm/archives/10662, result 5; arXiv:1511.07263 for the ridge version.

    Examples
    --------
    >>> leverage_scores([[2.0, 0.0, 0.0], [0.0, 3.0, 4.0]], 1).round(2)
    array([0.  , 0.36, 0.64])
    """
    a, rank = _matrix(a, rank, batch=True)
    return (np.linalg.svd(a, full_matrices=False)[2][..., :rank, :] ** 2).sum(axis=-2)


def select_columns(
    a: ArrayLike, rank: int, rule: str = "deim", *, rng: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Return the indices of ``rank`` different columns of a matrix, chosen by a rule.

    Parameters
    ----------
    a : (m, n) array_like
        Real. For rows, pass ``a.T``.
    rank : int
        From 1 to the smaller size.
    rule : str, optional
        On the first ``rank`` right singular vectors: ``"deim"`` (`deim_indices`), ``"volume"`` (`maximal_volume`),
        ``"leverage"`` (the largest `leverage_scores`). On the columns: ``"pivoted-qr"`` (`pivoted_columns`), ``"norm"``
        (the longest). At random, without replacement: ``"leverage-sample"``, ``"norm-sample"`` (with the scores or the
        squared lengths as weights), ``"uniform"``.
    rng : numpy.random.Generator, optional
        For the last three rules.

    Returns
    -------
    (rank,) ndarray of int
        In the order of the rule: greedy steps, scores from the largest on, or draws.

    Raises
    ------
    ValueError
        If ``a`` is zero or not finite, ``rule`` is unknown, or ``rank`` is out of range, or greater than what the rule
        can choose: the rank of ``a`` for ``"pivoted-qr"``, or the number of columns whose weight is not zero. The other
        rules do not look at the rank: beyond it singular vectors are noise, and chosen columns may be dependent.
    TypeError
        If a rule draws and ``rng`` is left out.

    References
    ----------
    .. [1] kexue.fm/archives/10662, results 4 to 7.

    Examples
    --------
    >>> a = [[1.0, 1.0, 0.0], [1.0, 1.1, 0.5]]
    >>> select_columns(a, 2, "norm"), select_columns(a, 2, "pivoted-qr")
    (array([1, 0]), array([1, 2]))
    """
    a, rank = _matrix(a, rank)
    rule = _checks.choice("rule", rule, _RULES)
    n = a.shape[1]
    if rule == "pivoted-qr":
        return pivoted_columns(a, rank)
    if rule in ("deim", "volume"):
        basis = np.linalg.svd(a, full_matrices=False)[2][:rank].T
        return deim_indices(basis) if rule == "deim" else maximal_volume(basis)
    if rule == "uniform":
        return _checks.generator("rng", rng).choice(n, rank, replace=False)
    weights = leverage_scores(a, rank) if rule.startswith("leverage") else (a**2).sum(axis=0)
    if (some := np.count_nonzero(weights)) < rank:
        raise ValueError(f"rank must not exceed the number of columns with a weight, {some}, got {rank}")
    if not rule.endswith("sample"):
        return np.argsort(-np.round(weights / weights.max(), 9), kind="stable")[:rank]
    rng = _checks.generator("rng", rng)
    return rng.choice(n, rank, replace=False, p=weights / weights.sum())


def _first_largest(sizes: NDArray[Any]) -> int:
    """Return the first index of what is largest to nine digits."""
    return int(np.argmax(sizes >= sizes.max() * (1 - 1e-9)))


def _basis(basis: ArrayLike) -> NDArray[Any]:
    """Return a basis with columns of largest entry 1, which changes no pivot."""
    basis = _checks.array("basis", basis, ndim=2, core=2)
    if basis.shape[1] > basis.shape[0]:
        raise ValueError(f"basis must not have more columns than rows, got shape {basis.shape}")
    largest = abs(basis).max(axis=0)
    if not largest.all():
        raise ValueError(f"basis must have independent columns, got a zero column, {int(largest.argmin())}")
    return basis / largest


def _matrix(a: ArrayLike, rank: int, batch: bool = False) -> tuple[NDArray[Any], int]:
    """Return a matrix with largest entry 1, and a rank that fits it."""
    a = _checks.array("a", a, core=2, ndim=None if batch else 2)
    rank = _checks.integer("rank", rank, low=1, high=min(a.shape[-2:]))
    largest = abs(a).max(axis=(-2, -1), keepdims=True)
    if not largest.all():
        raise ValueError("a must not be zero, got 0.0 everywhere")
    return a / largest, rank

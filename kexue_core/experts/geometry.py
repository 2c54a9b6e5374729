r"""A layer as a sum of vectors, and which of them to compute: the longest, the best, and what a router can know.

``vectors`` are ``(..., n, d)``: the outputs ``v_i`` of ``n`` experts, whose sum is the dense layer. Keeping a subset of
them leaves the error ``|sum of the dropped v_i|^2``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention import activate, top_k_mask

__all__ = [
    "ffn_experts",
    "dropped_error",
    "longest_subset",
    "best_subset",
    "sampling_probabilities",
    "sampling_variance",
    "geometric_moe",
]

_MOST = 32  # vectors: 2^16 sums of each half
_BLOCK = 2048  # rows of a product of two halves
_CANDIDATES = 65_536  # pairs that are added up anew at once
_ROUNDING = 2e-14  # of a squared length, where the lengths sum to 1


def ffn_experts(x: ArrayLike, wa: ArrayLike, wb: ArrayLike, n: int, kind: str = "relu") -> NDArray[np.float64]:
    """Return the layer ``f(x wa) wb`` as ``n`` vectors ``v_i = f(x wa_i) wb_i`` whose sum it is.

    Parameters
    ----------
    x : (..., d) array_like
        Inputs.
    wa : (d, D) array_like
        First matrix; expert ``i`` has the columns ``i D/n`` to ``(i + 1) D/n``.
    wb : (D, e) array_like
        Second matrix; expert ``i`` has the same rows.
    n : int
        Number of experts, a divisor of ``D``.
    kind : str
        Name of ``f``, as in `kexue_core.attention.activate`.

    Returns
    -------
    vectors : (..., n, e) ndarray
        Their sum over ``n`` is the layer, up to rounding.

    Raises
    ------
    ValueError
        If the shapes do not fit, ``n`` does not divide ``D``, or ``f`` is unknown.

    References
    ----------
    .. [1] kexue.fm/archives/10699, the layer as a sum of experts.

    Examples
    --------
    >>> ffn_experts([1.0, -1.0], [[1.0, 0.0], [0.0, -2.0]], [[1.0, 1.0], [0.0, 1.0]], 2)
    array([[1., 1.],
           [0., 2.]])
    """
    x, wa, wb = _checks.array("x", x, core=1), _checks.array("wa", wa, ndim=2), _checks.array("wb", wb, ndim=2)
    if wa.shape[0] != x.shape[-1]:
        raise ValueError(f"wa must have {x.shape[-1]} rows, one for each entry of x, got shape {wa.shape}")
    if wb.shape[0] != wa.shape[1]:
        raise ValueError(f"wb must have {wa.shape[1]} rows, one for each column of wa, got shape {wb.shape}")
    n = _checks.integer("n", n, low=1)
    if wa.shape[1] == 0 or wa.shape[1] % n:
        raise ValueError(f"n must divide the {wa.shape[1]} columns of wa, got {n}")
    with np.errstate(over="ignore", invalid="ignore"):
        hidden = activate(_checks.result(np.asarray(x @ wa), "x", "wa"), kind)
        hidden = hidden.reshape(*x.shape[:-1], n, wa.shape[1] // n)
        return _checks.result(np.einsum("...ic,ice->...ie", hidden, wb.reshape(n, -1, wb.shape[1])), "x", "wa", "wb")


def dropped_error(vectors: ArrayLike, keep: ArrayLike) -> NDArray[np.float64]:
    """Return ``|sum of the dropped vectors|^2``, the squared error of a subset of experts.

    Parameters
    ----------
    vectors : (..., n, d) array_like
        Outputs of the experts.
    keep : (..., n) array_like of bool
        Which of them are kept; leading axes broadcast.

    Returns
    -------
    error : (...) ndarray or float
        0 where all are kept; the squared length of the layer's output where none is.

    Raises
    ------
    ValueError
        If the shapes do not fit or the result is not finite.
    TypeError
        If ``keep`` is not boolean.

    References
    ----------
    .. [1] kexue.fm/archives/10699, the selection problem.

    Examples
    --------
    >>> dropped_error([[10.0, 0.0], [-10.0, 0.0], [0.0, 1.0]], [True, False, False])
    np.float64(101.0)
    """
    vectors = _checks.array("vectors", vectors, core=2)
    keep = _checks.array("keep", keep, kind="boolean", last=vectors.shape[-2])
    _checks.broadcast(("vectors", vectors, 2), ("keep", keep, 1))
    with np.errstate(over="ignore", invalid="ignore"):
        missing = np.einsum("...i,...id->...d", (~keep).astype(float), vectors)
        return _checks.result((missing**2).sum(axis=-1), "vectors")


def longest_subset(vectors: ArrayLike, k: int) -> NDArray[np.bool_]:
    """Return which ``k`` vectors are the longest; of equal ones those that come first.

    It minimizes `dropped_error` if the vectors are orthogonal, and for ``k = n - 1``; and its mean if their directions
    are independent with mean 0. In general it can be wrong by any factor.

    Parameters
    ----------
    vectors : (..., n, d) array_like
        Outputs of the experts.
    k : int
        Between 0 and ``n``.

    Returns
    -------
    keep : (..., n) ndarray of bool
        ``k`` True in each row.

    Raises
    ------
    ValueError
        If ``k`` lies outside.

    References
    ----------
    .. [1] kexue.fm/archives/10699.

    Examples
    --------
    >>> longest_subset([[3.0, 0.0], [0.0, 1.0], [2.0, 2.0]], 2)
    array([ True, False,  True])
    """
    vectors, k = _vectors(vectors, k)
    lengths = _lengths(_in_units(vectors))
    return top_k_mask(lengths, k) if k else np.zeros(lengths.shape, bool)


def best_subset(vectors: ArrayLike, k: int) -> NDArray[np.bool_]:
    """Return the ``k`` vectors that leave the smallest `dropped_error`, exactly, among all ``C(n, k)`` subsets.

    The vectors are cut into two halves; a dropped subset is one of the ``2^(n/2)`` sums of the first and one of the
    second. A matrix product compares many pairs at once. Since ``|a + b| >= ||a| - |b||``, sums whose lengths differ by
    more than the best error so far need no comparison. The problem is NP-hard (for ``d = 1`` it contains subset sum).

    Parameters
    ----------
    vectors : (..., n, d) array_like
        Outputs of the experts, ``n`` at most 32.
    k : int
        Between 0 and ``n``.

    Returns
    -------
    keep : (..., n) ndarray of bool
        ``k`` True in each row; one of the best if the lengths of several errors agree to ``1e-14 sum |v_i|``.

    Raises
    ------
    ValueError
        If there are more than 32 vectors, ``k`` lies outside or the error is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10699; the halves are those of Horowitz and Sahni, J. ACM 21 (1974), for subset sum.

    Examples
    --------
    >>> best_subset([[10.0, 0.0], [-10.0, 0.0], [0.0, 1.0]], 1)
    array([False, False,  True])
    """
    vectors, k = _vectors(vectors, k)
    n = vectors.shape[-2]
    if n > _MOST:
        raise ValueError(f"vectors must hold at most {_MOST} vectors, got {n}")
    vectors = _in_units(vectors)
    scale = _lengths(vectors).sum(axis=-1)
    flat = (vectors / np.where(scale > 0, scale, 1.0)[..., None, None]).reshape(-1, n, vectors.shape[-1])
    keep = [_best_subset(v, n - k) for v in flat]
    return np.array(keep, dtype=bool).reshape(vectors.shape[:-1])


def sampling_probabilities(vectors: ArrayLike) -> NDArray[np.float64]:
    """Return ``p_i = |v_i| / sum_j |v_j|``, with which one random ``v_i / p_i`` estimates the sum with least variance.

    Parameters
    ----------
    vectors : (..., n, d) array_like
        Outputs of the experts, not all zero.

    Returns
    -------
    p : (..., n) ndarray
        A distribution; `sampling_variance` is then ``(sum |v_i|)^2 - |sum v_i|^2``, its minimum.

    Raises
    ------
    ValueError
        If all vectors are zero.

    References
    ----------
    .. [1] kexue.fm/archives/10427; Drineas, Kannan and Mahoney, SIAM J. Comput. 36 (2006).

    Examples
    --------
    >>> sampling_probabilities([[3.0, 0.0], [0.0, 1.0]])
    array([0.75, 0.25])
    """
    lengths = _lengths(_in_units(_checks.array("vectors", vectors, core=2)))
    total = lengths.sum(axis=-1, keepdims=True)
    if not total.all():
        raise ValueError("vectors must not all be zero, got zeros")
    return lengths / total


def sampling_variance(vectors: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    """Return ``sum_i |v_i|^2 / p_i - |sum_i v_i|^2``, the mean squared error of the estimate ``v_i / p_i``, ``i ~ p``.

    Parameters
    ----------
    vectors : (..., n, d) array_like
        Outputs of the experts.
    p : (..., n) array_like
        Distribution, positive where a vector is not zero; leading axes broadcast.

    Returns
    -------
    variance : (...) ndarray or float
        Not negative; the mean of ``r`` independent samples has ``1/r`` of it.

    Raises
    ------
    ValueError
        If ``p`` is not a distribution, is 0 where a vector is not, or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10427.

    Examples
    --------
    >>> sampling_variance([[3.0, 0.0], [0.0, 1.0]], [0.75, 0.25])
    np.float64(6.0)
    """
    vectors = _checks.array("vectors", vectors, core=2)
    p = _checks.distribution("p", p, last=vectors.shape[-2])
    _checks.broadcast(("vectors", vectors, 2), ("p", p, 1))
    lengths = _lengths(vectors)
    if ((p == 0) & (lengths > 0)).any():
        raise ValueError("p must be positive where a vector is not zero, got 0")
    with np.errstate(over="ignore", invalid="ignore"):
        terms = lengths / np.where(p > 0, p, 1.0) * lengths
        total = (vectors.sum(axis=-2) ** 2).sum(axis=-1)
        return _checks.result(np.maximum(np.asarray(terms.sum(axis=-1) - total), 0.0), "vectors", "p")


def geometric_moe(rho: ArrayLike, vectors: ArrayLike, k: int) -> NDArray[np.float64]:
    """Return ``sum over the top k of rho_i e_i``, with ``e_i = v_i / |v_i|``: the router gives the length.

    Parameters
    ----------
    rho : (..., n) array_like
        What the router predicts for each expert, not negative.
    vectors : (..., n, d) array_like
        Outputs of the experts; only their directions count, and a zero vector stays zero. Leading axes broadcast.
    k : int
        Between 0 and ``n``.

    Returns
    -------
    y : (..., d) ndarray
        ``sum v_i`` over the longest, if ``rho`` holds the true lengths.

    Raises
    ------
    ValueError
        If ``rho`` is negative, ``k`` lies outside or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10699, the router as a predictor of the norm.

    Examples
    --------
    >>> geometric_moe([2.0, 1.0], [[3.0, 4.0], [0.0, 7.0]], 1)
    array([1.2, 1.6])
    """
    vectors, k = _vectors(vectors, k)
    rho = _checks.array("rho", rho, low=0, last=vectors.shape[-2])
    _checks.broadcast(("rho", rho, 1), ("vectors", vectors, 2))
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    scaled = vectors / np.where(largest > 0, largest, 1.0)
    lengths = _lengths(scaled)[..., None]
    directions = scaled / np.where(lengths > 0, lengths, 1.0)
    kept = np.where(top_k_mask(rho, k), rho, 0.0) if k else np.zeros(rho.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        return _checks.result(np.einsum("...i,...id->...d", kept, directions), "rho")


def _vectors(vectors, k):
    vectors = _checks.array("vectors", vectors, core=2)
    return vectors, _checks.integer("k", k, low=0, high=vectors.shape[-2])


def _in_units(vectors):
    return np.ldexp(vectors, -_checks.binary_exponent(vectors, axis=(-2, -1)))


def _lengths(vectors):
    unit = _checks.binary_exponent(vectors, axis=(-1,))  # of each: a short one beside a long one keeps its length
    with np.errstate(over="ignore"):
        lengths = np.ldexp(np.sqrt((np.ldexp(vectors, -unit) ** 2).sum(axis=-1)), unit[..., 0])
        return _checks.result(np.asarray(lengths), "vectors")


def _best_subset(v, m):
    """Return which vectors to keep if ``m`` of them are dropped; the lengths sum to 1."""
    n, half = len(v), (len(v) + 1) // 2
    if v.shape[1] > n:  # lengths of sums live in the span
        v = np.linalg.qr(v.T, mode="r").T
    masks = [(np.arange(2**s)[:, None] >> np.arange(s)) & 1 == 1 for s in (half, n - half)]
    sums = [masks[0] @ v[:half], masks[1] @ v[half:]]
    sizes, best, found = [mask.sum(axis=1) for mask in masks], np.inf, None
    for i in range(max(0, m - (n - half)), min(half, m) + 1):
        one, two = np.flatnonzero(sizes[0] == i), np.flatnonzero(sizes[1] == m - i)
        one, a = _by_length(one, sums[0])
        two, b = _by_length(two, sums[1])
        for start in range(0, len(one), _BLOCK):
            rows, reach = slice(start, start + _BLOCK), np.sqrt(best) + 1e-15
            lo, hi = np.searchsorted(b, [a[rows][0] - reach, a[rows][-1] + reach])
            if lo == hi:
                continue
            left, right = sums[0][one[rows]], sums[1][two[lo:hi]]
            cross = left @ right.T
            cross *= 2
            cross += (a[rows] ** 2)[:, None]
            cross += b[lo:hi] ** 2
            # rounding of the product must not decide: the nearest candidates are added up anew
            r, s = np.nonzero(cross <= min(cross.min(), best) + _ROUNDING)
            for some in range(0, len(r), _CANDIDATES):
                i_left, i_right = r[some : some + _CANDIDATES], s[some : some + _CANDIDATES]
                exact = ((left[i_left] + right[i_right]) ** 2).sum(axis=1)
                least = exact.argmin()
                if exact[least] < best:
                    best, found = exact[least], (one[start + i_left[least]], two[lo + i_right[least]])
    return ~np.concatenate([masks[0][found[0]], masks[1][found[1]]])


def _by_length(index, sums):
    lengths = np.sqrt((sums[index] ** 2).sum(axis=1))
    order = np.argsort(lengths)
    return index[order], lengths[order]

"""Attention as a matrix: masks, determinants in logarithms, condition numbers, ranks, and the collapse of tokens."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention.simplex import softmax

__all__ = [
    "attention_mask",
    "attention_matrix",
    "linear_attention_matrix",
    "triangular_logdet",
    "triangular_condition",
    "effective_rank",
    "stable_rank",
    "numerical_rank",
    "collapse_trace",
]

_MASKS = ("full", "causal", "anticausal", "prefix")


def attention_mask(n: int, kind: str = "full", *, prefix: int = 0) -> NDArray[np.bool_]:
    r"""Return which token ``j`` (column) token ``i`` (row) may look at: all, ``j <= i``, ``j >= i``, or a mixture.

    Parameters
    ----------
    n : int
        Number of tokens, at least 1.
    kind : {"full", "causal", "anticausal", "prefix"}
        ``prefix`` allows ``j <= i`` and, to every token, the first ``prefix`` ones.
    prefix : int
        From 0 to ``n``; only for ``kind="prefix"``.

    Returns
    -------
    mask : (n, n) ndarray of bool
        The diagonal is True, so that no row is empty.

    Raises
    ------
    ValueError
        If ``n < 1``, the kind is unknown, ``prefix`` is out of range, or is given for another kind.

    References
    ----------
    .. [1] kexue.fm/archives/9529, the four pictures of masks.

    Examples
    --------
    >>> attention_mask(3, "prefix", prefix=2).astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [1, 1, 1]])
    """
    n, kind = _checks.integer("n", n, low=1), _checks.choice("kind", kind, _MASKS)
    prefix = _checks.integer("prefix", prefix, low=0, high=n)
    if prefix and kind != "prefix":
        raise ValueError(f"prefix must be 0 unless the mask is 'prefix', got {prefix}")
    if kind == "full":
        return np.ones((n, n), dtype=bool)
    mask = np.tri(n, dtype=bool)
    mask[:, :prefix] = True
    return mask.T.copy() if kind == "anticausal" else mask


def attention_matrix(
    queries: ArrayLike, keys: ArrayLike, *, mask: str = "full", prefix: int = 0
) -> NDArray[np.float64]:
    r"""Return softmax attention: row ``i`` is the softmax of ``q_i . k_j / sqrt(d)`` over the allowed ``j``.

    Parameters
    ----------
    queries, keys : (..., n, d) array_like
        One row for each token.
    mask, prefix
        As ``kind`` and ``prefix`` in `attention_mask`.

    Returns
    -------
    a : (..., n, n) ndarray
        Rows sum to 1, masked entries are exactly 0. With a causal mask the determinant is positive unless an entry of
        the diagonal underflows.

    Raises
    ------
    ValueError
        If the shapes do not fit, an entry is not finite, a product overflows, or the mask is not allowed.

    References
    ----------
    .. [1] kexue.fm/archives/9529.

    Examples
    --------
    >>> attention_matrix([[0.0], [1.0]], [[0.0], [np.log(3)]], mask="causal").round(3)
    array([[1.  , 0.  ],
           [0.25, 0.75]])
    """
    queries, keys = _token_pair(queries, keys)
    allowed = attention_mask(queries.shape[-2], _checks.choice("mask", mask, _MASKS), prefix=prefix)
    with np.errstate(over="ignore", invalid="ignore"):
        logits = _checks.result(queries @ keys.swapaxes(-1, -2) / queries.shape[-1] ** 0.5, "queries", "keys")
    return softmax(np.where(allowed, logits, -np.inf)) if logits.size else logits


def linear_attention_matrix(
    queries: ArrayLike, keys: ArrayLike, *, mask: str = "full", prefix: int = 0
) -> NDArray[np.float64]:
    r"""Return linear attention, ``a_ij = q_i . k_j / sum_j q_i . k_j`` over the allowed ``j``, of nonnegative features.

    Parameters
    ----------
    queries, keys : (..., n, d) array_like
        Nonnegative features of the tokens, for instance `activate` with ``"softplus"``.
    mask, prefix
        As ``kind`` and ``prefix`` in `attention_mask`.

    Returns
    -------
    a : (..., n, n) ndarray
        Rows sum to 1, masked entries are exactly 0. Without a mask the rank is at most ``d``.

    Raises
    ------
    ValueError
        If the shapes do not fit, a feature is negative or not finite, the mask is not allowed, or a row has the sum 0.

    References
    ----------
    .. [1] kexue.fm/archives/9529, section on linear attention.

    Examples
    --------
    >>> linear_attention_matrix([[1, 1], [1, 0]], [[1, 0], [3, 4]])
    array([[0.125, 0.875],
           [0.25 , 0.75 ]])
    """
    queries, keys = _token_pair(queries, keys, low=0)
    allowed = attention_mask(queries.shape[-2], _checks.choice("mask", mask, _MASKS), prefix=prefix)
    with np.errstate(over="ignore", invalid="ignore"):
        weights = np.where(allowed, queries @ keys.swapaxes(-1, -2), 0.0)
        sums = _checks.result(np.asarray(weights.sum(axis=-1, keepdims=True)), "queries", "keys")
    if (sums == 0).any():
        raise ValueError("queries and keys must have a positive product in each row, got the sum 0")
    return weights / sums


def triangular_logdet(a: ArrayLike) -> NDArray[np.float64]:
    r"""Return ``log det a = sum_i log a_ii`` of a triangular matrix with a positive diagonal.

    The determinant itself underflows soon: that of uniform causal attention, ``1 / n!``, at ``n = 178``.

    Parameters
    ----------
    a : (..., n, n) array_like
        Lower or upper triangular.

    Returns
    -------
    value : (...) ndarray or float
        Each term has a relative error of a rounding; no factorization is involved, whose pivots may have a wrong sign.

    Raises
    ------
    ValueError
        If ``a`` is not square, not triangular, not finite, or its diagonal is not positive.

    References
    ----------
    .. [1] kexue.fm/archives/9529: a causal attention matrix has full rank.

    Examples
    --------
    >>> float(triangular_logdet([[1, 0], [0.75, 0.25]])) == float(np.log(0.25))
    True
    """
    return np.log(_positive_diagonal(_lower(a))).sum(axis=-1)[()]


def triangular_condition(a: ArrayLike) -> NDArray[np.float64]:
    r"""Return the condition number ``||a|| ||a^-1||`` of a triangular matrix, in the spectral norm.

    The inverse ``x`` is found by forward substitution, row by row. The relative error is below ``2 n`` roundings times
    ``|| |x| |a| |x| || / ||x||``: however large the condition number is, beyond ``1e16``, where the smallest singular
    value of `numpy.linalg.svd` is rounding, it does not count. Only where large terms cancel in the largest entries of
    ``x`` digits are lost.

    Parameters
    ----------
    a : (..., n, n) array_like
        Lower or upper triangular, with a diagonal without zeros.

    Returns
    -------
    kappa : (...) ndarray or float
        At least 1 up to rounding.

    Raises
    ------
    ValueError
        If ``a`` is not square, not triangular, not finite, a diagonal entry is 0, or the result exceeds the largest
        double.

    References
    ----------
    .. [1] Viswanath and Trefethen, SIAM J. Matrix Anal. Appl. 19 (1998): exponential growth for random entries.

    Examples
    --------
    >>> triangular_condition(np.diag([1.0, 1e-20])).round(-18)
    np.float64(1e+20)
    """
    a = _lower(a)
    diagonal = np.diagonal(a, axis1=-2, axis2=-1)
    if (diagonal == 0).any():
        raise ValueError("a must have a diagonal without zeros, got 0.0")
    scale = np.maximum(-np.frexp(np.abs(a).max(axis=(-2, -1), keepdims=True))[1], 0)  # 1 over a small number overflows
    a, diagonal = np.ldexp(a, scale), np.ldexp(diagonal, scale[..., 0])
    inverse = np.zeros_like(a)
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(a.shape[-1]):
            row = -(a[..., i, None, :i] @ inverse[..., :i, :])[..., 0, :]
            row[..., i] += 1
            inverse[..., i, :] = row / diagonal[..., i, None]
        norms = np.asarray(_checks.result(inverse, "a"))
        return _checks.result(np.asarray(_norm(a) * _norm(norms)), "a")


def effective_rank(a: ArrayLike) -> NDArray[np.float64]:
    r"""Return ``exp(-sum_i p_i log p_i)``, the entropy of the singular values ``p_i = s_i / sum_j s_j`` as a number.

    Parameters
    ----------
    a : (..., m, n) array_like
        Not zero.

    Returns
    -------
    rank : (...) ndarray or float
        From 1 (rank one) to ``min(m, n)`` (all singular values equal), at most the rank; continuous in ``a``.

    Raises
    ------
    ValueError
        If ``a`` is empty, zero or not finite.

    References
    ----------
    .. [1] Roy and Vetterli, The effective rank: a measure of effective dimensionality, EUSIPCO 2007.

    Examples
    --------
    >>> effective_rank(np.diag([1.0, 1.0, 0.0])).round(12)
    np.float64(2.0)
    """
    p = _singular_values(a)
    p = p / p.sum(axis=-1, keepdims=True)
    return np.exp(-(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1))[()]


def stable_rank(a: ArrayLike) -> NDArray[np.float64]:
    r"""Return ``sum_i s_i**2 / s_1**2``, the squares of the singular values over the largest.

    Parameters
    ----------
    a : (..., m, n) array_like
        Not zero.

    Returns
    -------
    rank : (...) ndarray or float
        From 1 to the rank.

    Raises
    ------
    ValueError
        If ``a`` is empty, zero or not finite.

    References
    ----------
    .. [1] Rudelson and Vershynin, arXiv:math/0503442.

    Examples
    --------
    >>> stable_rank(np.diag([2.0, 1.0])).round(12)
    np.float64(1.25)
    """
    s = _singular_values(a)
    return ((s / s[..., :1]) ** 2).sum(axis=-1)[()]


def numerical_rank(a: ArrayLike, rtol: float = 1e-10) -> NDArray[np.int64]:
    r"""Return how many singular values exceed ``rtol`` times the largest.

    Parameters
    ----------
    a : (..., m, n) array_like
        Not zero.
    rtol : float
        From 0 to below 1; below about 1e-15 rounding is counted.

    Returns
    -------
    rank : (...) ndarray of int or int
        From 1 to ``min(m, n)``; it never grows with ``rtol``.

    Raises
    ------
    ValueError
        If ``a`` is empty, zero or not finite, or ``rtol`` is out of range.

    References
    ----------
    .. [1] kexue.fm/archives/9529, where the exact rank is meant.

    Examples
    --------
    >>> int(numerical_rank(np.diag([1.0, 1e-8, 1e-12])))
    2
    """
    s, rtol = _singular_values(a), _checks.number("rtol", rtol, low=0, high=1, open="high")
    return (s > rtol * s[..., :1]).sum(axis=-1)[()]


def collapse_trace(
    x: ArrayLike, score: ArrayLike, value: ArrayLike, *, mask: str = "full", skip: bool = False
) -> NDArray[np.float64]:
    r"""Return how far the tokens are from being equal after each layer ``x <- A x V`` of attention alone.

    ``A`` is the softmax of ``x B x^T``. The mean ``m`` and the residual ``R = x - m`` are kept apart. Without a mask
    the softmax of ``m B R^T`` is common to all rows, and what is left of ``A`` comes from `numpy.expm1`: so residuals
    keep their digits down to 1e-300, where ``x`` itself would show nothing below 1e-16.

    Parameters
    ----------
    x : (..., n, d) array_like
        Tokens before the first layer.
    score, value : (layers, d, d) array_like
        ``B``, the product of the query and key weights with the scale, and ``V``, for each layer.
    mask : {"full", "causal", "anticausal"}
        As in `attention_mask`.
    skip : bool
        Whether each layer adds to its input, ``x <- x + A x V``.

    Returns
    -------
    residual : (..., layers + 1) ndarray
        The Frobenius norms of ``R``: the distance to the nearest matrix with equal rows.

    Raises
    ------
    ValueError
        If the shapes do not fit, an entry is not finite, or the tokens grow beyond the largest double.

    References
    ----------
    .. [1] Dong, Cordonnier and Loukas, arXiv:2103.03404: without a mask the exponent triples with each layer.

    Examples
    --------
    >>> x, one = np.array([[-0.01], [0.01]]), np.ones((2, 1, 1))
    >>> [f"{r:.2g}" for r in collapse_trace(x, one, one)]
    ['0.014', '1.4e-06', '1.4e-18']
    """
    x = _checks.array("x", x, core=2)
    d = x.shape[-1]
    score = _checks.array("score", score, ndim=3)
    value = _checks.array("value", value, shape=score.shape)
    if score.shape[1:] != (d, d):
        raise ValueError(f"score must have shape (layers, {d}, {d}), got shape {score.shape}")
    allowed = attention_mask(x.shape[-2], _checks.choice("mask", mask, _MASKS[:3]))
    if not isinstance(skip, bool | np.bool_):
        raise TypeError(f"skip must be True or False, got {skip!r}")
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        mean, rest = _centre(x)
        trace = [_frobenius(_checks.result(rest, "x"))]
        for b, v in zip(score, value):
            shift, mixed = _attend(mean, rest, b, allowed)
            new_mean, new_rest = (mean + shift) @ v, mixed @ v
            centre, rest = _centre(new_rest + rest if skip else new_rest)
            mean = new_mean + centre + (mean if skip else 0)
            _checks.result(np.asarray(mean), "x", "score", "value")
            trace.append(_frobenius(_checks.result(rest, "x", "score", "value")))
    return _checks.result(np.stack(trace, axis=-1), "x", "score", "value")


def _attend(mean, rest, b, allowed):
    """Return a common row and the rows that ``A rest`` is made of: their sum is ``A rest``."""
    common = mean @ b @ rest.swapaxes(-1, -2)
    own = rest @ b @ rest.swapaxes(-1, -2)
    _checks.result(np.asarray(common), "x", "score", "value")
    if not own.size:
        return 0 * mean, rest
    plain = softmax(np.where(allowed, common + own, -np.inf)) @ rest
    if not allowed.all():
        return 0 * mean, plain
    small = np.abs(own).max(axis=(-2, -1), keepdims=True) <= 0.5
    a, change = softmax(common), np.expm1(np.where(small, own, 0))
    total = (a * change).sum(axis=-1, keepdims=True)
    return np.where(small, a @ rest, 0), np.where(small, (a * (change - total) / (1 + total)) @ rest, plain)


def _centre(x):
    mean = x.mean(axis=-2, keepdims=True)
    return mean, x - mean


def _token_pair(queries, keys, **options):
    queries = _checks.array("queries", queries, core=2, **options)
    keys = _checks.array("keys", keys, core=2, **options)
    if queries.shape[-2:] != keys.shape[-2:]:
        shapes = f"{queries.shape} and {keys.shape}"
        raise ValueError(f"queries and keys must have the same last two axes, got shapes {shapes}")
    _checks.broadcast(("queries", queries, 2), ("keys", keys, 2))
    return queries, keys


def _lower(a):
    """Return triangular matrices, those transposed that are upper ones."""
    a = _checks.array("a", a, core=2)
    if a.shape[-1] != a.shape[-2]:
        raise ValueError(f"a must be square in its last two axes, got shape {a.shape}")
    upper = np.triu(a, 1).any(axis=(-2, -1), keepdims=True)
    a = np.where(upper, a.swapaxes(-1, -2), a)
    if (above := np.triu(a, 1)).any():
        raise ValueError(f"a must be triangular, got {above[above != 0].flat[0]} on the other side")
    return a


def _positive_diagonal(a):
    diagonal = np.diagonal(a, axis1=-2, axis2=-1)
    if (diagonal <= 0).any():
        raise ValueError(f"a must have a positive diagonal, got {diagonal[diagonal <= 0].flat[0]}")
    return diagonal


def _frobenius(x):
    """Return the Frobenius norm, of matrices whose squares may underflow."""
    top = np.abs(x).max(axis=(-2, -1), keepdims=True)
    return np.sqrt(((x / np.where(top > 0, top, 1)) ** 2).sum(axis=(-2, -1))) * top[..., 0, 0]


def _norm(a):
    """Return the largest singular value, of matrices whose squares may overflow."""
    top = np.abs(a).max(axis=(-2, -1), keepdims=True)
    return np.linalg.svd(a / top, compute_uv=False)[..., 0] * top[..., 0, 0]


def _singular_values(a):
    a = _checks.array("a", a, core=2)
    top = np.abs(a).max(axis=(-2, -1), keepdims=True)
    if (top == 0).any():
        raise ValueError("a must not be zero, got a matrix of zeros")
    return np.linalg.svd(a / top, compute_uv=False)

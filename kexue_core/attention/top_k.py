"""The choice of the k largest: the mask, its smooth approximations with sum k, and their Jacobians.

All but `top_k_mask` share ``f(x, k, ..., *, axis=-1, tau=1.0)`` with the maps to the simplex, and are unchanged by a
constant added to ``x``. ``-inf`` leaves an entry out, except for `iterated_top_k`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention._common import axis_back, axis_last, positive, select_top_k
from kexue_core.attention._levels import LINKS, level, link_values

__all__ = [
    "top_k_mask",
    "iterated_top_k",
    "grad_top_k",
    "log_subset_sum",
    "threshold_top_k",
    "top_k_threshold",
    "top_k_jacobian",
]


def top_k_mask(scores: ArrayLike, k: int) -> NDArray[np.bool_]:
    """Return which entries are the ``k`` largest: ``mask_i = [i in argtop_k scores]``, exactly ``k`` of them.

    Parameters
    ----------
    scores : (..., n) array_like
        ``-inf`` marks what may not be chosen; at least ``k`` entries of each row are finite.
    k : int
        Between 1 and ``n``.

    Returns
    -------
    mask : (..., n) ndarray of bool
        Sums to ``k`` along the last axis; of equal scores the first ones win. Takes ``O(n)`` per row.

    Raises
    ------
    ValueError
        If ``k`` is not between 1 and ``n``, a score is NaN or ``inf``, or a row has fewer than ``k`` finite ones.

    References
    ----------
    .. [1] kexue.fm/archives/10735; Shazeer et al., arXiv:1701.06538.

    Examples
    --------
    >>> top_k_mask([0.2, 0.5, 0.5, 0.1], 1).astype(int)
    array([0, 1, 0, 0])
    """
    return select_top_k(*_checks.top_k("scores", scores, k))


def iterated_top_k(
    x: ArrayLike, k: int, rule: str = "scores", *, axis: int = -1, tau: float = 1.0
) -> NDArray[np.float64]:
    """Return the sum of ``k`` softmaxes, each with what was chosen before taken off: two tempting wrong constructions.

    With ``p = 0`` at first, ``k`` times: rule "scores" adds the softmax of ``(1 - p) (x - min x) / tau``, rule
    "weights" adds ``w_i exp(x_i / tau) / sum_j w_j exp(x_j / tau)`` with ``w = 1 - p``.

    Parameters
    ----------
    x : (..., n) array_like
        Finite scores.
    k : int
        From 1 to ``n``.
    rule : {"scores", "weights"}
        Where ``1 - p`` enters.
    axis, tau
        As in `softmax`.

    Returns
    -------
    p : (..., n) ndarray
        Sums to ``k`` along ``axis``. Entries may exceed 1, and under "weights" be negative from ``k = 3`` on. As
        ``tau -> 0``, "weights" tends to ``(k - 1/2, 1/2, 0, ...)`` for distinct scores in descending order.

    Raises
    ------
    ValueError
        If ``x`` is empty or not finite, ``k`` is out of range, ``tau <= 0``, or the weights cancel to a sum of 0.

    References
    ----------
    .. [1] kexue.fm/archives/10373, the two iterations at its beginning.

    Examples
    --------
    >>> iterated_top_k([5, 4, 0], 2).round(3)
    array([0.893, 1.06 , 0.047])
    >>> iterated_top_k([5, 4, 0], 2, "weights", tau=0.01).round(3)
    array([1.5, 0.5, 0. ])
    """
    _checks.array("x", x)
    u, k, _, _ = _centred(x, k, axis, tau, whole=True)
    rule = _checks.choice("rule", rule, ("scores", "weights"))
    if rule == "scores":
        u = u - u.min(axis=-1, keepdims=True)
        p = np.zeros_like(u)
        for _ in range(k):
            logits = (1 - p) * u
            q = np.exp(logits - logits.max(axis=-1, keepdims=True))
            p += q / q.sum(axis=-1, keepdims=True)
        return axis_back(p, axis)
    u = u - u.max(axis=-1, keepdims=True)
    p = np.exp(u)
    total = p.sum(axis=-1, keepdims=True)
    p /= total
    # log(1 - p) of the first round from the sum of the others: 1 - p itself is 0 where the leader is far ahead
    sign, log_rest = 1.0, _log_sum_of_others(u) - np.log(total)
    rest = np.exp(log_rest)
    for _ in range(k - 1):
        logits = log_rest + u
        q = sign * np.exp(logits - logits.max(axis=-1, keepdims=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            q /= q.sum(axis=-1, keepdims=True)
            p, rest = p + q, rest - q
            sign, log_rest = np.sign(rest), np.log(np.abs(rest))
    return axis_back(_checks.result(p, "x"), axis)


def grad_top_k(x: ArrayLike, k: int, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.float64]:
    """Return how often each entry occurs in subsets of size ``k`` that have the weight ``exp(sum of x / tau)``.

    ``p_i = Z_(k,i) / Z_k``, where ``Z_k`` is the sum of the weights of all subsets and ``Z_(k,i)`` of those that hold
    ``i``: the gradient of `log_subset_sum`. Subsets of the entries before ``i`` and of those after it are joined, all
    in logarithms and without a subtraction. Takes ``O(n k)`` time and memory.

    Parameters
    ----------
    x : (..., n) array_like
        Scores; ``-inf`` leaves an entry out, at least ``k`` in each slice are finite.
    k : int
        From 0 to ``n``.
    axis, tau
        As in `softmax`, which this is for ``k = 1``.

    Returns
    -------
    p : (..., n) ndarray
        In [0, 1], in the order of ``x``; relative error below 1e-15 times ``n - log p_i`` plus the sum of the ``k``
        largest ``|x - x_(k)| / tau``. Within that, sums to ``k`` along ``axis``.

    Raises
    ------
    ValueError
        If ``x`` is empty, holds NaN or ``inf``, or too few finite scores; if ``k`` is out of range, ``tau <= 0``, or
        a difference of scores over ``tau`` is beyond the largest double.

    References
    ----------
    .. [1] kexue.fm/archives/10373, GradTopK; Ahmed et al., arXiv:2210.01941.

    Examples
    --------
    >>> grad_top_k([3, 2, 1, 0], 2).round(4)
    array([0.8808, 0.6944, 0.3056, 0.1192])
    """
    u, k, _, _ = _centred(x, k, axis, tau, whole=True)
    return axis_back(_subset_marginals(u, k), axis)


def log_subset_sum(x: ArrayLike, k: int, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.float64]:
    """Return ``tau log Z_k``, a smooth sum of the ``k`` largest; ``Z_k`` sums ``exp(sum x / tau)`` over ``k``-subsets.

    Parameters
    ----------
    x, k, axis, tau
        As in `grad_top_k`, which is its gradient in ``x``.

    Returns
    -------
    value : (...) ndarray or float
        Between the sum ``s`` of the ``k`` largest scores and ``s + tau log binomial(n, k)``; convex in ``x``.

    Raises
    ------
    ValueError
        As in `grad_top_k`.

    References
    ----------
    .. [1] kexue.fm/archives/10373; Berrada, Zisserman and Kumar, arXiv:1802.07595.

    Examples
    --------
    >>> log_subset_sum([3, 2, 1, 0], 2).round(4)
    np.float64(5.5345)
    """
    u, k, centre, tau = _centred(x, k, axis, tau, whole=True)
    with np.errstate(over="ignore"):
        return _checks.result(k * centre[..., 0] + tau * _log_symmetric(u, k)[-1][..., k], "x", "tau")


def threshold_top_k(
    x: ArrayLike, k: float, link: str = "sigmoid", *, axis: int = -1, tau: float = 1.0
) -> NDArray[np.float64]:
    """Return ``p_i = f(x_i / tau - lambda)`` with the one level ``lambda`` that makes the sum ``k``.

    Parameters
    ----------
    x : (..., n) array_like
        Scores; ``-inf`` leaves an entry out, at least ``k`` in each slice are finite.
    k : float
        From 0 to ``n``, whole or not.
    link : {"sigmoid", "laplace", "minexp", "clip"}
        ``f(v)``: the logistic function; the distribution function of Laplace's law, ``1 - exp(-v) / 2`` for
        ``v >= 0`` and else ``exp(v) / 2``; ``min(1, exp(v))``; ``v`` cut to [0, 1].
    axis, tau
        As in `softmax`, which "minexp" is for ``k = 1``.

    Returns
    -------
    p : (..., n) ndarray
        In [0, 1], sums to ``k`` along ``axis``, in the order of ``x``.

    Raises
    ------
    ValueError
        As in `grad_top_k`, and if ``link`` is none of these.

    References
    ----------
    .. [1] kexue.fm/archives/10373, ThreTopK; Amos, Koltun and Kolter, arXiv:1906.08707, for the sigmoid; Struski et
       al., arXiv:2503.06242, for Laplace's law.

    Examples
    --------
    >>> threshold_top_k([3, 2, 1, 0], 2, "laplace").round(4)
    array([0.8884, 0.6967, 0.3033, 0.1116])
    """
    u, k, _, _ = _centred(x, k, axis, tau)
    return axis_back(_threshold_values(u, k, _checks.choice("link", link, LINKS))[0], axis)


def top_k_threshold(
    x: ArrayLike, k: float, link: str = "sigmoid", *, axis: int = -1, tau: float = 1.0
) -> NDArray[np.float64]:
    """Return the level ``lambda`` for which ``sum_i f((x_i - lambda) / tau) = k``.

    For "laplace", "minexp" and "clip" the sum is one elementary formula between two neighbouring breakpoints: they are
    sorted, bisection finds the pair with ``log2 n`` sums, and the formula is solved. For "sigmoid" a bracketed Newton
    iteration solves ``log (sum below) = log (sum of what is missing above)``, which has no cancellation.

    Parameters
    ----------
    x, k, link, axis, tau
        As in `threshold_top_k`, but ``k`` lies strictly between 0 and the number of finite scores of each slice.

    Returns
    -------
    lam : (...) ndarray or float
        In the units of ``x``; error below ``1e-12 tau`` beside the rounding of ``x``. "clip" may leave an interval
        of levels: then its middle.

    Raises
    ------
    ValueError
        As in `threshold_top_k`, and if ``k`` leaves no finite level.

    References
    ----------
    .. [1] kexue.fm/archives/10373; its formula for Laplace's law lacks the case that all scores are above the level.

    Examples
    --------
    >>> top_k_threshold([1, 0, 0], 2, "laplace").round(4)
    np.float64(-0.1688)
    """
    u, k, centre, tau = _centred(x, k, axis, tau)
    link = _checks.choice("link", link, LINKS)
    few = int(np.isfinite(u).sum(axis=-1).min(initial=u.shape[-1]))
    if not 0 < k < few:
        raise ValueError(f"k must lie in (0, {few}), got {k:g}")
    return _checks.result(centre[..., 0] + tau * level(u, k, link)[..., 0], "x", "tau")


def top_k_jacobian(
    x: ArrayLike, k: float, link: str = "subsets", *, axis: int = -1, tau: float = 1.0
) -> NDArray[np.float64]:
    """Return ``dp_i/dx_j`` of `grad_top_k`, or of `threshold_top_k` with one of its links.

    Thresholds give ``(s_i [i = j] - s_i s_j / sum(s)) / tau`` with ``s = f'``. Subsets give the covariance
    ``(P_ij - p_i p_j) / tau``, where ``P_ij = p_i P(j | i)`` and the last is `grad_top_k` of the others with ``k - 1``:
    ``O(n**2 k)``.

    Parameters
    ----------
    x, k, axis, tau
        As in `grad_top_k` or `threshold_top_k`.
    link : {"subsets", "sigmoid", "laplace", "minexp", "clip"}
        Which of them.

    Returns
    -------
    J : (..., n, n) ndarray
        Symmetric, not positive off the diagonal, rows sum to 0; ``axis`` is replaced by two axes at the end. At a kink
        of ``f`` one side counts.

    Raises
    ------
    ValueError
        As in `grad_top_k` or `threshold_top_k`.

    References
    ----------
    .. [1] kexue.fm/archives/10373, the gradient of ThreTopK by implicit differentiation.

    Examples
    --------
    >>> top_k_jacobian([1, 0, -1], 2, "sigmoid").round(3)
    array([[ 0.096, -0.045, -0.052],
           [-0.045,  0.135, -0.091],
           [-0.052, -0.091,  0.142]])
    """
    link = _checks.choice("link", link, ("subsets", *LINKS))
    u, k, _, tau = _centred(x, k, axis, tau, whole=link == "subsets")
    if link == "subsets":
        J = _subset_covariance(u, k)
    else:
        s = _threshold_values(u, k, link)[1]
        total = s.sum(axis=-1)[..., None, None]  # 0 where all entries are cut: then the level is an interval
        J = -(s[..., :, None] * s[..., None, :]) / np.where(total > 0, total, 1)
    # the diagonal s - s**2 / sum(s) cancels where one entry has nearly all the slope; minus the rest of its row, never
    i = np.arange(u.shape[-1])
    J[..., i, i] = 0
    J[..., i, i] = -J.sum(axis=-1)
    with np.errstate(over="ignore"):
        return _checks.result(J / tau, "tau")


def _centred(x, k, axis, tau, whole=False):
    """Return ``(x - c) / tau`` with ``axis`` at the end, ``k``, the ``k``-th largest ``c`` of each, and ``tau``."""
    last, tau = axis_last(_checks.array("x", x, finite=False), axis), positive("tau", tau)
    n = last.shape[-1]
    k = _checks.integer("k", k, low=0, high=n) if whole else _checks.number("k", k, low=0, high=n)
    if (last == np.inf).any():
        raise ValueError("x must not hold inf, got inf")
    finite = np.isfinite(last)
    few = int(finite.sum(axis=-1).min(initial=n))
    if few < max(k, 1):
        raise ValueError(f"x must have at least k = {k:g} finite entries in each slice, and one, got {few}")
    place = n - max(int(np.ceil(k)), 1)
    centre = np.partition(last, place, axis=-1)[..., place, None]
    with np.errstate(over="ignore"):
        u = (last - centre) / tau
    _checks.result(u[finite], "x", "tau")
    return u, k, centre, tau


def _log_symmetric(u, k):
    """Return ``log e_j`` of the first ``i`` weights for ``i = 0..n``, ``j = 0..k``, with the axis ``i`` in front."""
    logs = np.full((u.shape[-1] + 1, *u.shape[:-1], k + 1), -np.inf)
    logs[..., 0] = 0
    for i in range(u.shape[-1]):
        np.logaddexp(logs[i, ..., 1:], logs[i, ..., :-1] + u[..., i, None], out=logs[i + 1, ..., 1:])
    return logs


def _subset_marginals(u, k):
    if k == 0:
        return np.zeros_like(u)
    before = _log_symmetric(u, k)
    after = _log_symmetric(u[..., ::-1], k - 1)[::-1]
    # k - 1 entries beside i: j of those before it and k - 1 - j of those after it
    pairs = before[:-1, ..., :k] + after[1:, ..., ::-1]
    pairs += np.moveaxis(u, -1, 0)[..., None]
    pairs -= before[-1][..., k, None]
    return np.minimum(np.moveaxis(np.exp(pairs, out=pairs).sum(axis=-1), 0, -1), 1)


def _subset_covariance(u, k):
    n = u.shape[-1]
    J = np.zeros((*u.shape, n))
    if 0 < k < n:
        p = _subset_marginals(u, k)
        for i in range(n):
            others = np.delete(np.arange(n), i)
            rest = u[..., others]
            enough = np.isfinite(rest).sum(axis=-1) >= k - 1
            given = _subset_marginals(np.where(enough[..., None], rest, 0), k - 1)
            J[..., i, others] = p[..., i, None] * np.minimum(given - p[..., others], 0)
        J = np.minimum((J + np.swapaxes(J, -1, -2)) / 2, 0)
    return J


def _threshold_values(u, k, link):
    """Return ``f(u - lambda)`` and ``f'(u - lambda)``; where ``k`` takes all or nothing, that and 0."""
    finite = np.isfinite(u)
    whole = (finite.sum(axis=-1, keepdims=True) <= k) | (k == 0)
    inner = np.where(whole, 0.0, u)
    v = inner - level(inner, k, link) if 0 < k < u.shape[-1] else inner
    p, slope = link_values(v, link)
    taken = finite * float(k > 0)
    return np.where(whole, taken, p), np.where(whole, 0.0, slope)


def _log_sum_of_others(u):
    """Return for each entry the log of the sum of exp of all others."""
    before, after = np.full_like(u, -np.inf), np.full_like(u, -np.inf)
    before[..., 1:] = np.logaddexp.accumulate(u[..., :-1], axis=-1)
    after[..., :-1] = np.logaddexp.accumulate(u[..., :0:-1], axis=-1)[..., ::-1]
    return np.logaddexp(before, after)

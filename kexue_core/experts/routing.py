"""Mixtures of experts: routing each token to its top k experts, and how uneven the load is that comes of it.

Scores are ``(..., T, n)``: ``T`` tokens, ``n`` experts. ``F_i`` is the load, the share of the ``k T`` choices that fell
on expert ``i``, and ``Q`` the load that we want. How to get there is `kexue_core.moe_balance`.
"""

import numpy as np

from kexue_core import _checks

__all__ = ["top_k_mask", "route", "expert_load", "max_violation"]


def top_k_mask(scores, k):
    """Return which experts each token takes: ``mask_i = [i in argtop_k scores]``, exactly ``k`` of them.

    Parameters
    ----------
    scores : (..., n) array_like
        Finite.
    k : int
        Between 1 and ``n``.

    Returns
    -------
    mask : (..., n) ndarray of bool
        Sums to ``k`` along the last axis; of equal scores the first ones win. Takes ``O(n)`` per token.

    Raises
    ------
    ValueError
        If ``k`` is not between 1 and ``n``, or a score is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10735; Shazeer et al., arXiv:1701.06538.

    Examples
    --------
    >>> top_k_mask([0.2, 0.5, 0.5, 0.1], 1).astype(int)
    array([0, 1, 0, 0])
    """
    scores = _scores("scores", scores, 1)
    return _top_k_mask(scores, _top_k(k, scores.shape[-1]))


def route(scores, k, *, bias=None):
    """Return the choice ``argtop_k (scores + bias)`` and the gates, which are the scores themselves where chosen.

    Parameters
    ----------
    scores : (..., n) array_like
        Gate values ``rho``, of any sign and sum.
    k : int
        Between 1 and ``n``.
    bias : (n,) array_like, optional
        Moves the choice only, so that it needs no gradient. A constant added to it changes nothing.

    Returns
    -------
    mask : (..., n) ndarray of bool
        As `top_k_mask`.
    gates : (..., n) ndarray
        ``scores`` where chosen, otherwise 0.

    Raises
    ------
    ValueError
        If ``k`` is not between 1 and ``n``, a value is not finite or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10735, and /10757 for the bias; Wang et al., arXiv:2408.15664.

    Examples
    --------
    >>> route([0.2, 0.5, 0.4], 1, bias=[0.0, 0.0, 0.2])[1]
    array([0. , 0. , 0.4])
    """
    scores = _scores("scores", scores, 1)
    k = _top_k(k, scores.shape[-1])
    mask = _top_k_mask(scores if bias is None else scores + _vector("bias", bias, scores.shape[-1]), k)
    return mask, np.where(mask, scores, 0.0)


def expert_load(mask):
    """Return the load ``F_i = (choices of expert i) / (k T)``.

    Parameters
    ----------
    mask : (..., T, n) array_like of bool
        Choices of `top_k_mask`.

    Returns
    -------
    load : (..., n) ndarray
        Sums to 1. Counted in integers: no token is lost to rounding.

    Raises
    ------
    ValueError
        If the mask is empty or chooses nothing.
    TypeError
        If it is not boolean.

    References
    ----------
    .. [1] kexue.fm/archives/10735; Fedus et al., arXiv:2101.03961, eq. (5).

    Examples
    --------
    >>> expert_load([[True, False], [True, False], [False, True], [True, False]])
    array([0.75, 0.25])
    """
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"mask must be an array of booleans, got dtype {mask.dtype}")
    if mask.ndim < 2 or mask.size == 0:
        raise ValueError(f"mask must have shape (..., T, n) and not be empty, got shape {mask.shape}")
    counts = np.count_nonzero(mask, axis=-2)
    total = counts.sum(axis=-1, keepdims=True)
    if not total.all():
        raise ValueError("mask must choose at least one expert, got none")
    return counts / total


def max_violation(load, *, target=None):
    """Return ``MaxVio = max_i F_i / Q_i - 1``, by how much the fullest expert exceeds its share.

    Experts of capacity ``c Q_i`` drop no token if and only if ``MaxVio <= c - 1``.

    Parameters
    ----------
    load : (..., n) array_like
        Not negative, sums to 1.
    target : (n,) array_like, optional
        ``Q``, positive with sum 1; uniform by default.

    Returns
    -------
    violation : (...) ndarray or float
        0 at balance, ``n - 1`` where one expert takes all of a uniform target.

    Raises
    ------
    ValueError
        If the load or the target is not a distribution or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10735; Wang et al., arXiv:2408.15664, Section 4.1.

    Examples
    --------
    >>> max_violation([0.75, 0.25])
    np.float64(0.5)
    """
    load = _distribution("load", load)
    return (load / _target(target, load.shape[-1])).max(axis=-1) - 1


def _top_k_mask(scores, k):
    n = scores.shape[-1]
    least = np.partition(scores, n - k, axis=-1)[..., n - k, None]
    above, tied = scores > least, scores == least
    return above | (tied & (np.cumsum(tied, axis=-1) <= k - above.sum(axis=-1, keepdims=True)))


def _scores(name, value, axes):
    value = _checks.finite_array(name, value)
    if value.ndim < axes:
        raise ValueError(f"{name} must have at least {axes} axes, got shape {value.shape}")
    return value


def _top_k(k, n):
    k = _checks.integer("k", k, minimum=1)
    if k > n:
        raise ValueError(f"k must be at most the number {n} of experts, got {k}")
    return k


def _vector(name, value, n):
    value = _checks.finite_array(name, value, ndim=1)
    if value.shape != (n,):
        raise ValueError(f"{name} must have one entry for each of {n} experts, got shape {value.shape}")
    return value


def _distribution(name, value):
    value = _scores(name, value, 1)
    if value.min() < 0 or np.abs(value.sum(axis=-1) - 1).max() > 1e-9:
        sums = value.sum(axis=-1)
        worst = sums.flat[np.abs(sums - 1).argmax()] if sums.ndim else sums
        raise ValueError(f"{name} must not be negative and sum to 1, got minimum {value.min()} and sum {worst}")
    return value


def _target(target, n):
    if target is None:
        return np.full(n, 1 / n)
    target = _distribution("target", _vector("target", target, n))
    if target.min() <= 0:
        raise ValueError(f"target must be positive, got {target.min()}")
    return target

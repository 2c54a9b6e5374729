"""Mixtures of experts: routing each token to its top k experts, and how uneven the load is that comes of it.

Scores are ``(..., T, n)``: ``T`` tokens, ``n`` experts. ``F_i`` is the load, the share of the ``k T`` choices that fell
on expert ``i``, and ``Q`` the load that we want. How to get there is `balance`. A score of ``-inf`` masks an expert.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention import top_k_mask
from kexue_core.experts._common import target_load

__all__ = ["top_k_mask", "route", "expert_load", "max_violation"]


def route(scores: ArrayLike, k: int, *, bias: ArrayLike | None = None) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return the choice ``argtop_k (scores + bias)`` and the gates, which are the scores themselves where chosen.

    Parameters
    ----------
    scores : (..., n) array_like
        Gate values ``rho``, of any sign and sum; ``-inf`` masks an expert.
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
        As `top_k_mask`, or if the bias does not have ``n`` finite entries or carries a score out of range.

    References
    ----------
    .. [1] kexue.fm/archives/10735, and /10757 for the bias; Wang et al., arXiv:2408.15664.

    Examples
    --------
    >>> route([0.2, 0.5, 0.4], 1, bias=[0.0, 0.0, 0.2])[1]
    array([0. , 0. , 0.4])
    """
    scores, k = _checks.top_k("scores", scores, k)
    if bias is None:
        mask = top_k_mask(scores, k)
    else:
        bias = _checks.array("bias", bias, shape=scores.shape[-1:])
        with np.errstate(over="ignore"):
            mask = top_k_mask(scores + bias, k)
    return mask, np.where(mask, scores, 0.0)


def expert_load(mask: ArrayLike) -> NDArray[np.float64]:
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
        If a mask has no token or no expert, or chooses nothing.
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
    mask = _checks.array("mask", mask, kind="boolean", core=2)
    counts = np.einsum("...ti->...i", mask, dtype=np.int64)
    total = counts.sum(axis=-1, keepdims=True)
    if not total.all():
        raise ValueError("mask must choose at least one expert, got none")
    return counts / total


def max_violation(load: ArrayLike, *, target: ArrayLike | None = None) -> NDArray[np.float64]:
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
    load = _checks.distribution("load", load)
    with np.errstate(over="ignore"):
        return _checks.result((load / target_load(target, load.shape[-1])).max(axis=-1) - 1, "target")

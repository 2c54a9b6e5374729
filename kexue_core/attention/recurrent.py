r"""Attention as a recurrence: states of a query that merge, and attention in blocks of tokens.

The state of a query over a set of tokens is ``(m, z, y)``: the largest logit, the sum of ``exp(logit - m)`` and the sum
of ``exp(logit - m) value``. States of disjoint sets merge, in any order and grouping; ``y / z`` is the attention.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention._common import merge
from kexue_core.attention.matrix import attention_mask

__all__ = [
    "AttentionState",
    "attention_state",
    "merge_states",
    "state_output",
    "streaming_attention",
]

_MASKS = ("full", "causal")


class AttentionState(NamedTuple):
    """What a query keeps of the tokens that it has read.

    Attributes
    ----------
    top : (...) ndarray or float
        ``m``, the largest logit; ``-inf`` if nothing was read, and then the other two are 0.
    weight : (...) ndarray or float
        ``z``, the sum of ``exp(logit - m)``.
    total : (..., dv) ndarray
        ``y``, the sum of ``exp(logit - m) value``.
    """

    top: NDArray[np.float64]
    weight: NDArray[np.float64]
    total: NDArray[np.float64]


def attention_state(logits: ArrayLike, values: ArrayLike) -> AttentionState:
    r"""Return the state ``(m, z, y)`` of a query over a block of tokens, ``m = max_j s_j``.

    ``z = sum_j exp(s_j - m)`` and ``y = sum_j exp(s_j - m) v_j``: no exponential overflows.

    Parameters
    ----------
    logits : (..., n) array_like
        ``-inf`` leaves a token out. A block without any other logit gives ``(-inf, 0, 0)``, which changes nothing in
        a merge.
    values : (..., n, dv) array_like
        One row for each token.

    Returns
    -------
    state : AttentionState
        ``1 <= z <= n`` unless all logits are ``-inf``; ``m + log z`` is their `logsumexp`.

    Raises
    ------
    ValueError
        If the shapes do not fit, a logit is NaN or ``inf``, a value is not finite, or ``y`` overflows.

    References
    ----------
    .. [1] kexue.fm/archives/10017, without ``m``; Milakov and Gimelshein, arXiv:1805.02867, without ``y``.

    Examples
    --------
    >>> attention_state([1000.0, 1000.0], [[1.0], [3.0]])
    AttentionState(top=np.float64(1000.0), weight=np.float64(2.0), total=array([4.]))
    """
    logits = _checks.array("logits", logits, core=1, finite=False)
    values = _checks.array("values", values, core=2)
    if (logits == np.inf).any():
        raise ValueError("logits must not hold inf, got inf")
    if values.shape[-2] != logits.shape[-1]:
        raise ValueError(
            f"logits and values must have the same number of tokens, got shapes {logits.shape} and {values.shape}"
        )
    batch = _checks.broadcast(("logits", logits, 1), ("values", values, 2))
    top, weight, total = _state(logits, values)
    _checks.result(total, "values")
    return AttentionState(np.broadcast_to(top, batch).copy()[()], np.broadcast_to(weight, batch).copy()[()], total)


def merge_states(a: AttentionState, b: AttentionState) -> AttentionState:
    r"""Return the state over two disjoint sets of tokens from the states over each.

    ``(m, z, y) + (m', z', y') = (M, z e^(m-M) + z' e^(m'-M), y e^(m-M) + y' e^(m'-M))`` with ``M = max(m, m')``.

    Parameters
    ----------
    a, b : AttentionState
        Of one shape, or of shapes that broadcast.

    Returns
    -------
    state : AttentionState
        The operation is commutative, and associative up to rounding; ``(-inf, 0, 0)`` is neutral.

    Raises
    ------
    TypeError
        If an argument is no `AttentionState`.
    ValueError
        If the shapes do not fit, an entry is NaN or ``inf``, or the sum overflows.

    References
    ----------
    .. [1] Milakov and Gimelshein, arXiv:1805.02867, for ``(m, z)``; Rabe and Staats, arXiv:2112.05682, with ``y``.

    Examples
    --------
    >>> one, two = attention_state([0.0], [[1.0]]), attention_state([0.0], [[3.0]])
    >>> merge_states(one, two)
    AttentionState(top=np.float64(0.0), weight=np.float64(2.0), total=array([4.]))
    """
    a, b = _checked("a", a), _checked("b", b)
    _checks.broadcast(("a", a.top, 0), ("b", b.top, 0))
    if a.total.shape[-1] != b.total.shape[-1]:
        raise ValueError(f"a and b must have values of one length, got {a.total.shape[-1]} and {b.total.shape[-1]}")
    top, weight, total = merge(a, b)
    return AttentionState(top[()], weight[()], _checks.result(total, "a", "b"))


def state_output(state: AttentionState) -> NDArray[np.float64]:
    """Return ``y / z``, the softmax average of the values over the tokens that were read.

    Parameters
    ----------
    state : AttentionState
        Of at least one token.

    Returns
    -------
    output : (..., dv) ndarray
        Up to rounding between the smallest and the largest value in each component.

    Raises
    ------
    TypeError
        If ``state`` is no `AttentionState`.
    ValueError
        If a state is empty, or an entry is NaN or ``inf``.

    References
    ----------
    .. [1] kexue.fm/archives/10017.

    Examples
    --------
    >>> state_output(attention_state([0.0, np.log(3)], [[0.0], [4.0]])).round(12)
    array([3.])
    """
    state = _checked("state", state)
    if (state.weight == 0).any():
        raise ValueError("state must hold at least one token, got the weight 0")
    return state.total / state.weight[..., None]


def streaming_attention(
    queries: ArrayLike, keys: ArrayLike, values: ArrayLike, *, mask: str = "full", block: int = 256
) -> NDArray[np.float64]:
    r"""Return softmax attention, ``softmax(q_i . k_j / sqrt(d))`` times the values, without a matrix of all logits.

    Queries are taken in blocks. Each block reads the keys in blocks too, from the last to the first, and merges what it
    finds into its states; with a causal mask blocks of keys behind the queries are not touched.

    Parameters
    ----------
    queries : (..., n, d) array_like
        One row for each token.
    keys : (..., t, d) array_like
        With a causal mask ``t = n``.
    values : (..., t, dv) array_like
        One row for each key.
    mask : {"full", "causal"}
        As in `attention_mask`.
    block : int
        Tokens in a block, from 1. Beside the results there is room for one tile of ``block x block`` logits for each
        member of the batch.

    Returns
    -------
    output : (..., n, dv) ndarray
        Equal to ``attention_matrix(queries, keys, mask=mask) @ values`` up to rounding.

    Raises
    ------
    ValueError
        If the shapes do not fit, an entry is not finite, a logit or a sum overflows, or the mask is not allowed.

    References
    ----------
    .. [1] Rabe and Staats, arXiv:2112.05682; Dao et al., arXiv:2205.14135.

    Examples
    --------
    >>> streaming_attention([[0.0], [1.0]], [[0.0], [np.log(3)]], [[0.0], [4.0]], mask="causal").round(12)
    array([[0.],
           [3.]])
    """
    queries = _checks.array("queries", queries, core=2)
    keys = _checks.array("keys", keys, core=2, last=queries.shape[-1])
    values = _checks.array("values", values, core=2)
    mask = _checks.choice("mask", mask, _MASKS)
    block = _checks.integer("block", block, low=1)
    n, t = queries.shape[-2], keys.shape[-2]
    if values.shape[-2] != t:
        raise ValueError(
            f"keys and values must have one row for each token, got shapes {keys.shape} and {values.shape}"
        )
    if mask == "causal" and n != t:
        raise ValueError(f"queries and keys must be as many under a causal mask, got {n} and {t}")
    batch = _checks.broadcast(("queries", queries, 2), ("keys", keys, 2), ("values", values, 2))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        queries = queries / queries.shape[-1] ** 0.5
        largest = [np.abs(part).max(initial=0) for part in (queries, keys)]
        guarded = not np.isfinite(largest[0] * largest[1] * queries.shape[-1])
        keys = keys.swapaxes(-1, -2)
        values = np.concatenate([values, np.ones((*values.shape[:-1], 1))], axis=-1)  # the last sum is z
        output = np.empty((*batch, n, values.shape[-1] - 1))
        hidden = ~attention_mask(min(block, n), "causal") if mask == "causal" else None
        for first in range(0, n, block):
            rows = queries[..., first : first + block, :]
            sums = _read_backwards(rows, keys, values, first if mask == "causal" else None, block, hidden, guarded)
            np.divide(sums[..., :-1], sums[..., -1:], out=output[..., first : first + block, :])
    return _checks.result(output, "values")


def _state(logits, values):
    top = logits.max(axis=-1)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        e = np.exp(logits - np.where(top > -np.inf, top, 0)[..., None])
        return top, e.sum(axis=-1), (e[..., None, :] @ values)[..., 0, :]


def _checked(name, state):
    state = _checks.instance(name, state, AttentionState)
    top = _checks.array(name, state.top, finite=False)
    weight = _checks.array(name, state.weight, shape=top.shape, low=0)
    total = _checks.array(name, state.total, core=1)
    if (top == np.inf).any():
        raise ValueError(f"{name} must not hold inf, got inf")
    if total.shape[:-1] != top.shape:
        raise ValueError(f"{name} must have parts of one shape, got shapes {top.shape} and {total.shape}")
    return AttentionState(top, weight, total)


def _read_backwards(rows, keys, values, first, block, hidden, guarded):
    """Return the sums ``(y, z)`` of a block of queries; ``first`` is its position, or None without a mask."""
    start = (keys.shape[-1] - 1) // block * block if first is None else first
    top = sums = None
    for at in range(start, -1, -block):
        logits = rows @ keys[..., at : at + block]
        if guarded:
            _checks.result(logits, "queries", "keys")
        if at == first:
            size = logits.shape[-1]
            np.copyto(logits, -np.inf, where=hidden[:size, :size])
        new = logits.max(axis=-1, keepdims=True)
        if top is not None:
            np.maximum(new, top, out=new)
        logits -= new
        np.exp(logits, out=logits)
        read = logits @ values[..., at : at + block, :]
        sums = read if top is None else sums * np.exp(top - new) + read
        top = new
    return sums

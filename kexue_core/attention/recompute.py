r"""The price of a cache that is not kept: hidden states computed again and again, counted and run."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention._common import merge

__all__ = ["RecomputeCost", "Replay", "recompute_cost", "replay_layers"]


class RecomputeCost(NamedTuple):
    """What it takes to generate tokens when some layers are computed again and again.

    Attributes
    ----------
    reads : int
        How often a token or a kept hidden state is read.
    products : int
        How many products of a query with a key are taken.
    kept : int
        How many hidden states are kept, the tokens themselves not counted.
    """

    reads: int
    products: int
    kept: int


class Replay(NamedTuple):
    """The outputs of layers that were computed again and again, and the work as it was counted.

    Attributes
    ----------
    outputs : (n, d) ndarray
        The hidden states after the last layer.
    cost : RecomputeCost
        The counts of the run.
    live : int
        The largest number of accumulators at one time.
    """

    outputs: NDArray[np.float64]
    cost: RecomputeCost
    live: int


def recompute_cost(n: int, layers: int, segment: int = 1) -> RecomputeCost:
    r"""Return what generating ``n`` tokens costs if hidden states are kept after every ``segment``-th layer only.

    Each of the ``layers / segment`` segments reads what it stands on ``C(n + segment, segment + 1)`` times and takes
    ``sum_(m=1)^segment C(n + m, m + 1)`` products. Kept are the states between segments.

    Parameters
    ----------
    n : int
        Number of tokens, at least 0.
    layers : int
        Number of causal attention layers, at least 1.
    segment : int
        A divisor of ``layers``: 1 keeps the states after each layer, ``layers`` keeps none.

    Returns
    -------
    cost : RecomputeCost
        Exact integers of Python, of any size.

    Raises
    ------
    ValueError
        If ``n`` is negative, ``layers < 1``, or ``segment`` does not divide ``layers``.

    References
    ----------
    .. [1] kexue.fm/archives/10017, which says that no state need be kept, without the count.

    Examples
    --------
    >>> recompute_cost(1000, 4), recompute_cost(1000, 4, 4).reads
    (RecomputeCost(reads=2002000, products=2002000, kept=3000), 8416958750200)
    """
    n, layers = _checks.integer("n", n, low=0), _checks.integer("layers", layers, low=1)
    segment = _segment(segment, layers)
    parts = layers // segment
    products = sum(math.comb(n + m, m + 1) for m in range(1, segment + 1))
    return RecomputeCost(parts * math.comb(n + segment, segment + 1), parts * products, (parts - 1) * n)


def replay_layers(x: ArrayLike, weights: ArrayLike, segment: int = 1) -> Replay:
    r"""Return the outputs of causal attention layers ``h + A h V``, recomputed token by token, with counts of the work.

    At each position the last layer of a segment asks the layer below for one position after the other, from its own
    back to the first, and that layer does the same: only accumulators are held. The first answer gives the query.

    Parameters
    ----------
    x : (n, d) array_like
        Tokens before the first layer.
    weights : (layers, 3, d, d) array_like
        The matrices of queries, keys and values of each layer; logits are divided by ``sqrt(d)``.
    segment : int
        A divisor of the number of layers, as in `recompute_cost`.

    Returns
    -------
    replay : Replay
        Outputs equal to those of the ordinary layers up to rounding; counts equal to `recompute_cost`; ``live`` equal
        to ``segment``. Time grows with the reads.

    Raises
    ------
    ValueError
        If the shapes do not fit, an entry is not finite, a state overflows, or ``segment`` does not divide the number
        of layers.

    References
    ----------
    .. [1] kexue.fm/archives/10017: any depth in a working memory that does not grow with ``n``.

    Examples
    --------
    >>> x, weights = np.eye(3), np.zeros((2, 3, 3, 3))
    >>> replay_layers(x, weights, 2).cost == recompute_cost(3, 2, 2)
    True
    """
    x = _checks.array("x", x, ndim=2, core=2)
    d = x.shape[1]
    weights = _checks.array("weights", weights, ndim=4)
    if weights.shape[1:] != (3, d, d) or not len(weights):
        raise ValueError(f"weights must have shape (layers, 3, {d}, {d}), got shape {weights.shape}")
    segment = _segment(segment, len(weights))
    counter, below, kept = _Counter(), x, 0
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for first in range(0, len(weights), segment):
            kept += len(x) if first else 0
            part = weights[first : first + segment]
            below = np.stack([_replay(below, part, i, counter) for i in range(len(x))])
            _checks.result(below, "x", "weights")
    return Replay(below, RecomputeCost(counter.reads, counter.products, kept), counter.most)


class _Counter:
    reads = products = live = most = 0


def _replay(source, weights, i, counter):
    """Return the hidden state above some layers at position ``i``; ``source`` holds the states below them."""
    if not len(weights):
        counter.reads += 1
        return source[i]
    to_query, to_key, to_value = weights[-1]
    counter.live += 1
    counter.most = max(counter.most, counter.live)
    for j in range(i, -1, -1):
        h = _replay(source, weights[:-1], j, counter)
        if j == i:
            own, query, state = h, h @ to_query / len(h) ** 0.5, (-np.inf, 0.0, np.zeros_like(h))
        logit = _checks.result(query @ (h @ to_key), "x", "weights")
        state = merge(state, (logit, 1.0, h @ to_value))
        counter.products += 1
    counter.live -= 1
    return own + state[2] / state[1]


def _segment(segment, layers):
    segment = _checks.integer("segment", segment, low=1, high=layers)
    if layers % segment:
        raise ValueError(f"segment must divide layers = {layers}, got {segment}")
    return segment

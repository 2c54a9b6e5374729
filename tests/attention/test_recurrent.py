import math
import tracemalloc
from itertools import permutations

import numpy as np
import pytest
from oracles import oracles

from kexue_core.attention import (
    AttentionState,
    attention_mask,
    attention_matrix,
    attention_state,
    logsumexp,
    merge_states,
    recompute_cost,
    replay_layers,
    softmax,
    state_output,
    streaming_attention,
)

mpmath, special = oracles("mpmath", "scipy.special")

EMPTY = attention_state([-np.inf], [[0.0, 0.0]])


def row(n=40, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=n), rng.normal(size=(n, 2))


def close(a, b, rtol=1e-13):
    for found, expected in zip(a, b, strict=True):
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-13)


# --- states ---


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3, 1e6, 1e300])
def test_a_state_is_softmax_and_logsumexp(scale):
    logits, values = row(scale=scale)
    state = attention_state(logits, values)
    np.testing.assert_allclose(state_output(state), softmax(logits) @ values, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(state.top + np.log(state.weight), special.logsumexp(logits), rtol=1e-13)
    np.testing.assert_allclose(state.top + np.log(state.weight), logsumexp(logits), rtol=1e-13)
    assert 1 <= state.weight <= 40


def test_a_state_has_the_digits_of_exact_arithmetic():
    logits, values = row(12, 200.0)
    with mpmath.workdps(50):
        e = [mpmath.exp(mpmath.mpf(s)) for s in logits]
        exact = [sum(p * mpmath.mpf(v) for p, v in zip(e, column)) / sum(e) for column in values.T]
        np.testing.assert_allclose(state_output(attention_state(logits, values)), [float(v) for v in exact], rtol=1e-13)


def test_every_order_of_four_tokens_gives_one_state():
    logits, values = row(4, 3.0)
    tokens = [attention_state(logits[j, None], values[j, None]) for j in range(4)]
    whole = attention_state(logits, values)
    for order in permutations(range(4)):
        state = EMPTY
        for j in order:
            state = merge_states(state, tokens[j])
        close(state, whole)


@pytest.mark.parametrize("seed", range(20))
def test_random_trees_give_one_state(seed):
    rng = np.random.default_rng(seed)
    logits, values = row(40, 10.0 ** rng.uniform(0, 6), seed)
    states = [attention_state(logits[j, None], values[j, None]) for j in range(40)]
    while len(states) > 1:
        a, b = (states.pop(rng.integers(len(states))) for _ in range(2))
        states.append(merge_states(a, b))
    np.testing.assert_allclose(state_output(states[0]), softmax(logits) @ values, atol=1e-14, rtol=0)


def test_merging_is_commutative_and_the_empty_state_neutral():
    a, b = (attention_state(*row(5, seed=seed)) for seed in (1, 2))
    for found, expected in zip(merge_states(a, b), merge_states(b, a)):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(merge_states(a, EMPTY), a):
        np.testing.assert_array_equal(found, expected)
    assert merge_states(EMPTY, EMPTY)[:2] == (-np.inf, 0)
    with pytest.raises(ValueError, match=r"^state must hold at least one token, got the weight 0"):
        state_output(merge_states(EMPTY, EMPTY))


def test_masked_tokens_are_left_out():
    logits, values = row(6)
    masked = np.where([1, 0, 1, 1, 0, 1], logits, -np.inf)
    kept = masked > -np.inf
    close(attention_state(masked, values), attention_state(logits[kept], values[kept]))


def test_a_batch_of_states_is_a_loop():
    rng = np.random.default_rng(3)
    logits, values = rng.normal(size=(2, 3, 5)), rng.normal(size=(3, 5, 4))
    state = merge_states(attention_state(logits, values), attention_state(logits[0, 0], values[0]))
    for i in range(2):
        for j in range(3):
            own = merge_states(attention_state(logits[i, j], values[j]), attention_state(logits[0, 0], values[0]))
            close((part[i, j] for part in state), own)


# --- attention in blocks ---


@pytest.mark.parametrize("block", [1, 2, 5, 16, 37, 1000])
@pytest.mark.parametrize("mask", ["full", "causal"])
def test_attention_in_blocks_is_the_dense_product(mask, block):
    q, k, v = np.random.default_rng(4).normal(size=(3, 2, 37, 6))
    dense = attention_matrix(3 * q, 3 * k, mask=mask) @ v
    np.testing.assert_allclose(streaming_attention(3 * q, 3 * k, v, mask=mask, block=block), dense, atol=1e-13, rtol=0)


def test_keys_may_be_more_than_queries():
    rng = np.random.default_rng(5)
    q, k, v = rng.normal(size=(3, 4)), rng.normal(size=(50, 4)), rng.normal(size=(50, 2))
    np.testing.assert_allclose(streaming_attention(q, k, v, block=8), softmax(q @ k.T / 2) @ v, atol=1e-14, rtol=0)


@pytest.mark.parametrize("mask", ["full", "causal"])
def test_a_batch_broadcasts_like_a_loop(mask):
    rng = np.random.default_rng(6)
    q, k, v = rng.normal(size=(4, 1, 9, 3)), rng.normal(size=(2, 9, 3)), rng.normal(size=(9, 5))
    out = streaming_attention(q, k, v, mask=mask, block=4)
    assert out.shape == (4, 2, 9, 5)
    for i in range(4):
        for j in range(2):
            np.testing.assert_allclose(
                out[i, j], streaming_attention(q[i, 0], k[j], v, mask=mask, block=4), atol=1e-14, rtol=0
            )


def test_huge_logits_do_no_harm():
    q, k, v = np.random.default_rng(7).normal(size=(3, 20, 4))
    for scale in (1e3, 1e100, 1e150):
        dense = attention_matrix(scale * q, k * scale) @ v
        np.testing.assert_allclose(streaming_attention(scale * q, k * scale, v, block=6), dense, atol=1e-13, rtol=0)
    with pytest.raises(ValueError, match=r"^queries and keys must keep the result finite, got"):
        streaming_attention(1e200 * q, 1e200 * k, v)


@pytest.mark.parametrize("mask", ["full", "causal"])
def test_the_memory_does_not_grow_with_the_square(mask):
    """Beyond output, scaled queries and extended values there is room for a few tiles only."""
    for n in (1024, 4096):
        q, k, v = np.random.default_rng(8).normal(size=(3, n, 8))
        tracemalloc.start()
        streaming_attention(q, k, v, mask=mask, block=128)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * (6 * n * 8 + 6 * 128**2)


# --- the price of recomputing ---


def counted(n, layers, segment):
    """Count reads and products by the recursion itself."""

    def reads(depth, i):
        return 1 if depth == 0 else sum(reads(depth - 1, j) for j in range(1, i + 1))

    def products(depth, i):
        return 0 if depth == 0 else i + sum(products(depth - 1, j) for j in range(1, i + 1))

    parts = layers // segment
    each = [sum(f(segment, i) for i in range(1, n + 1)) for f in (reads, products)]
    return parts * each[0], parts * each[1], (parts - 1) * n


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 6])
def test_costs_are_those_of_the_recursion(layers):
    for segment in range(1, layers + 1):
        if layers % segment == 0:
            for n in range(7):
                assert recompute_cost(n, layers, segment) == counted(n, layers, segment)


def test_costs_are_exact_integers_of_any_size():
    cost = recompute_cost(10**6, 80, 80)
    assert cost.reads == math.comb(10**6 + 80, 81) > 10**300
    # sum over m of C(n + m, m + 1), m = 0 and -1 included, is C(n + 81, 81)
    assert cost.products == math.comb(10**6 + 81, 81) - 10**6 - 1


@pytest.mark.parametrize(("layers", "n", "segment"), [(1, 9, 1), (2, 9, 1), (2, 9, 2), (3, 7, 3), (4, 6, 2), (4, 5, 4)])
def test_replayed_layers_are_the_ordinary_ones_at_the_counted_price(layers, n, segment):
    rng = np.random.default_rng(layers)
    x, weights = rng.normal(size=(n, 4)), rng.normal(size=(layers, 3, 4, 4)) / 2
    replay, h = replay_layers(x, weights, segment), x
    for to_query, to_key, to_value in weights:
        h = h + attention_matrix(h @ to_query, h @ to_key, mask="causal") @ h @ to_value
    np.testing.assert_allclose(replay.outputs, h, rtol=1e-12, atol=1e-12)
    assert replay.cost == recompute_cost(n, layers, segment)
    assert replay.live == segment


# --- refusals ---


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: attention_state([1.0, np.inf], np.zeros((2, 1))), ValueError, "logits must not hold inf"),
        (lambda: attention_state([1.0], np.zeros((2, 1))), ValueError, "logits and values must have the same number"),
        (lambda: merge_states((0.0, 1.0, [1.0]), EMPTY), TypeError, "a must be an AttentionState"),
        (lambda: merge_states(EMPTY, attention_state([1.0], [[0.0]])), ValueError, "a and b must have values of one"),
        (lambda: state_output(AttentionState(np.nan, 1.0, [1.0])), ValueError, "state must not contain NaN"),
        (lambda: state_output(AttentionState(0.0, -1.0, [1.0])), ValueError, "state must not be negative"),
        (lambda: state_output(AttentionState([0.0], [1.0], [1.0])), ValueError, "state must have parts of one shape"),
        (
            lambda: streaming_attention([[0.0]], [[0.0], [1.0]], [[1.0]]),
            ValueError,
            "keys and values must have one row",
        ),
        (
            lambda: streaming_attention([[0.0]], [[0.0], [1.0]], [[1.0], [2.0]], mask="causal"),
            ValueError,
            "queries and keys must be as many",
        ),
        (lambda: streaming_attention([[0.0]], [[0.0]], [[1.0]], mask="prefix"), ValueError, "mask must be one of"),
        (lambda: streaming_attention([[0.0]], [[0.0]], [[1.0]], block=0), ValueError, "block must be at least 1"),
        (lambda: recompute_cost(-1, 2), ValueError, "n must be at least 0"),
        (lambda: recompute_cost(1, 0), ValueError, "layers must be at least 1"),
        (lambda: recompute_cost(1, 4, 3), ValueError, "segment must divide layers = 4"),
        (lambda: recompute_cost(1, 4, 5), ValueError, "segment must be at most 4"),
        (lambda: replay_layers(np.eye(2), np.zeros((1, 2, 2, 2))), ValueError, "weights must have shape"),
        (lambda: replay_layers(np.eye(2), np.full((1, 3, 2, 2), 1e200)), ValueError, "x and weights must keep"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=f"^{message}.*got "):
        call()


def test_masks_agree_with_those_of_the_shelf():
    q, k, v = np.random.default_rng(9).normal(size=(3, 8, 2))
    for mask in ("full", "causal"):
        logits = np.where(attention_mask(8, mask), q @ k.T / 2**0.5, -np.inf)
        np.testing.assert_allclose(
            state_output(attention_state(logits, np.broadcast_to(v, (8, 8, 2)))),
            streaming_attention(q, k, v, mask=mask, block=3),
            atol=1e-14,
            rtol=0,
        )

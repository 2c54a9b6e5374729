import numpy as np
import pytest
from oracles import oracles

from kexue_core.attention import (
    attention_mask,
    attention_matrix,
    collapse_trace,
    effective_rank,
    linear_attention_matrix,
    numerical_rank,
    softmax,
    stable_rank,
    triangular_condition,
    triangular_logdet,
)

(mpmath,) = oracles("mpmath")

MASKS = (("full", 0), ("causal", 0), ("anticausal", 0), ("prefix", 3))
every_mask = pytest.mark.parametrize(("mask", "prefix"), MASKS)


def heads(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *shape))


def uniform(n):
    return attention_matrix(np.zeros((n, 1)), np.zeros((n, 1)), mask="causal")


# --- masks and matrices ---


def test_masks_are_the_pictures_of_the_article():
    np.testing.assert_array_equal(attention_mask(4), np.ones((4, 4), dtype=bool))
    np.testing.assert_array_equal(attention_mask(4, "causal"), np.tri(4, dtype=bool))
    np.testing.assert_array_equal(attention_mask(4, "anticausal"), np.tri(4, dtype=bool).T)
    for prefix in range(5):
        expected = [[j <= i or j < prefix for j in range(4)] for i in range(4)]
        np.testing.assert_array_equal(attention_mask(4, "prefix", prefix=prefix), expected)


@every_mask
def test_softmax_attention_is_a_loop_over_rows(mask, prefix):
    queries, keys = heads(7, 3)
    allowed = attention_mask(7, mask, prefix=prefix)
    a = attention_matrix(queries, keys, mask=mask, prefix=prefix)
    for i in range(7):
        inside = np.flatnonzero(allowed[i])
        np.testing.assert_allclose(a[i, inside], softmax(keys[inside] @ queries[i] / 3**0.5), rtol=1e-12)
    assert (a[~allowed] == 0).all()


@every_mask
def test_linear_attention_is_a_loop_over_rows(mask, prefix):
    queries, keys = np.abs(heads(7, 3))
    allowed = attention_mask(7, mask, prefix=prefix)
    a = linear_attention_matrix(queries, keys, mask=mask, prefix=prefix)
    for i in range(7):
        weights = (keys @ queries[i]) * allowed[i]
        np.testing.assert_allclose(a[i], weights / weights.sum(), rtol=1e-12)


def test_linear_attention_has_rank_d_and_full_rank_under_the_mask():
    for d in (1, 2, 5):
        queries, keys = np.exp(heads(24, d, seed=d))
        assert numerical_rank(linear_attention_matrix(queries, keys)) == d
        assert triangular_logdet(linear_attention_matrix(queries, keys, mask="causal")) > -np.inf


def test_softmax_of_one_dimension_is_a_vandermonde_matrix():
    m = 6
    a = attention_matrix(np.log(np.arange(1, m + 1))[:, None], np.arange(m)[:, None])
    sums = [sum(float(i) ** j for j in range(m)) for i in range(1, m + 1)]
    assert np.linalg.det(a) * np.prod(sums) == pytest.approx(34560, rel=1e-9)


# --- determinants and condition numbers ---


def test_log_determinant_beyond_the_range_of_doubles():
    for n in (8, 128, 400):
        expected = -float(mpmath.log(mpmath.factorial(n)))
        assert triangular_logdet(uniform(n)) == pytest.approx(expected, rel=1e-13)
        assert triangular_logdet(uniform(n).T) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("n", "spread"), [(12, 1.0), (40, 1.0), (40, 2.0)])
def test_condition_number_against_sixty_digits(n, spread):
    queries, keys = heads(n, 16, seed=n)
    a = attention_matrix(spread * queries, keys, mask="causal")
    with mpmath.workdps(60):
        inverse = mpmath.matrix(a.tolist()) ** -1
        entries = np.array([[float(inverse[i, j]) for j in range(n)] for i in range(n)])
    expected = np.linalg.norm(a, 2) * np.linalg.norm(entries, 2)
    assert triangular_condition(a) == pytest.approx(expected, rel=1e-8)
    assert triangular_condition(a.T) == pytest.approx(expected, rel=1e-8)


def test_the_condition_number_has_the_error_that_the_docstring_states():
    tiny = 1e-20
    cancels = [np.array([[tiny, 0, 0], [1, 1, 0], [1.1, 1.1 + gap, tiny]]) for gap in (1e-15, 1e-12, 1e-9, 1e-3)]
    rng = np.random.default_rng(0)
    scaled = [np.tril(rng.standard_normal((6, 6))) * 10.0 ** rng.integers(-9, 9, (6, 1)) for _ in range(9)]
    queries, keys = heads(30, 16)
    shares = []
    for a in (*cancels, *scaled, attention_matrix(3 * queries, keys, mask="causal")):
        with mpmath.workdps(80):
            exact = mpmath.matrix(a.tolist())
            x = exact**-1
            norm = mpmath.svd_r(x, compute_uv=False)[0]
            kappa = mpmath.svd_r(exact, compute_uv=False)[0] * norm
            spread = x.apply(abs) * exact.apply(abs) * x.apply(abs)
            factor = float(mpmath.svd_r(spread, compute_uv=False)[0] / norm)
            error = abs(float(triangular_condition(a) / kappa) - 1)
        shares.append(error / (2 * len(a) * np.finfo(float).eps / 2 * factor))
    assert max(shares) < 1


def test_condition_number_agrees_with_the_svd_where_that_can_see():
    queries, keys = heads(16, 4)
    a = attention_matrix(queries, keys, mask="causal")
    assert triangular_condition(a) == pytest.approx(np.linalg.cond(a), rel=1e-8)
    assert triangular_condition(np.eye(5)) == 1
    assert triangular_condition([[1e-200, 0.0], [0.0, 1e-50]]) == pytest.approx(1e150, rel=1e-12)
    assert triangular_condition([[1e-310]]) == 1


def test_inverse_of_uniform_attention_is_bidiagonal():
    n = 30
    inverse = np.diag(np.arange(1.0, n + 1)) - np.diag(np.arange(1.0, n), -1)
    expected = np.linalg.norm(uniform(n), 2) * np.linalg.norm(inverse, 2)
    assert triangular_condition(uniform(n)) == pytest.approx(expected, rel=1e-12)


# --- ranks ---


def test_ranks_of_known_singular_values():
    rng = np.random.default_rng(3)
    u, v = (np.linalg.qr(rng.normal(size=(6, 6)))[0] for _ in range(2))
    s = np.array([4.0, 2.0, 1.0, 1.0, 1e-6, 1e-12])
    a = u @ np.diag(s) @ v
    p = s / s.sum()
    assert effective_rank(a) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-9)
    assert stable_rank(a) == pytest.approx(22 / 16, rel=1e-9)
    assert [int(numerical_rank(a, t)) for t in (0.4, 1e-3, 1e-10)] == [2, 4, 5]
    for rank in (effective_rank, stable_rank, numerical_rank):
        assert rank(a * 1e200) == pytest.approx(rank(a), rel=1e-9)
        assert rank(a.T) == pytest.approx(rank(a), rel=1e-9)
        assert rank(np.ones((4, 3))) == pytest.approx(1, abs=1e-12)
        assert rank(np.eye(5)) == pytest.approx(5, rel=1e-12)


# --- collapse ---


def plain_trace(x, score, value, mask, skip):
    found = [np.linalg.norm(x - x.mean(axis=0))]
    for b, v in zip(score, value):
        logits = np.where(attention_mask(len(x), mask), x @ b @ x.T, -np.inf)
        mixed = softmax(logits) @ x @ v
        x = x + mixed if skip else mixed
        found.append(np.linalg.norm(x - x.mean(axis=0)))
    return found


@pytest.mark.parametrize("mask", ["full", "causal", "anticausal"])
@pytest.mark.parametrize("skip", [False, True])
def test_collapse_is_plain_iteration_while_that_has_digits(mask, skip):
    rng = np.random.default_rng(1)
    x, weights = rng.normal(size=(8, 4)), rng.normal(size=(2, 3, 4, 4)) / 2
    found = collapse_trace(x, *weights, mask=mask, skip=skip)
    np.testing.assert_allclose(found, plain_trace(x, *weights, mask, skip), rtol=1e-6)


def test_collapse_in_four_hundred_digits():
    rng = np.random.default_rng(2)
    x, weights = rng.normal(size=(4, 2)), rng.normal(size=(2, 5, 2, 2)) / 2
    found = collapse_trace(x, *weights)
    with mpmath.workdps(400):
        tokens = mpmath.matrix(x.tolist())
        for b, v, expected in zip(*weights, found[1:]):
            logits = tokens * mpmath.matrix(b.tolist()) * tokens.T
            rows = [[mpmath.exp(logits[i, j]) for j in range(4)] for i in range(4)]
            a = mpmath.matrix([[e / sum(row) for e in row] for row in rows])
            tokens = a * tokens * mpmath.matrix(v.tolist())
            means = [sum(tokens[:, k]) / 4 for k in range(2)]
            rest = mpmath.sqrt(sum((tokens[i, k] - means[k]) ** 2 for i in range(4) for k in range(2)))
            assert expected == pytest.approx(float(rest), rel=1e-9)
    assert found[-1] < 1e-30


def test_two_tokens_are_cubed():
    found = collapse_trace([[0.29], [0.31]], np.full((4, 1, 1), 2.0), np.ones((4, 1, 1))) / 2**0.5
    np.testing.assert_allclose(found[2:], 2 * found[1:-1] ** 3, rtol=1e-9)


def test_no_layers_and_equal_tokens():
    empty = np.zeros((0, 2, 2))
    np.testing.assert_allclose(collapse_trace([[0.0, 3.0], [0.0, -3.0]], empty, empty), [18**0.5])
    weights = np.ones((2, 1, 1))
    np.testing.assert_array_equal(collapse_trace(np.ones((3, 1)), weights, weights), 0)


# --- batches and bad input ---


def test_a_batch_is_a_loop():
    queries, keys = heads(2, 3, 6, 2)
    features = np.abs(queries), np.abs(keys)
    a = attention_matrix(queries, keys, mask="causal")
    weights = heads(2, 2, 2, seed=5)
    for f, given in (
        (lambda q, k: attention_matrix(q, k, mask="prefix", prefix=2), (queries, keys)),
        (lambda q, k: linear_attention_matrix(q, k, mask="causal"), features),
        (triangular_logdet, (a,)),
        (triangular_condition, (a,)),
        (effective_rank, (a,)),
        (stable_rank, (a,)),
        (numerical_rank, (a,)),
        (lambda x: collapse_trace(x, *weights, mask="causal"), (queries,)),
    ):
        whole = f(*given)
        for index in np.ndindex(2, 3):
            np.testing.assert_allclose(whole[index], f(*(g[index] for g in given)), rtol=1e-9)


def test_a_batch_decides_for_each_of_its_members():
    one, lower = np.ones((2, 1, 1)), np.tril(np.arange(1.0, 5).reshape(2, 2))
    near_and_far = np.array([[[-1e-4], [1e-4]], [[-10.0], [10.0]]])
    alone = [collapse_trace(x, one, one) for x in near_and_far]
    np.testing.assert_array_equal(collapse_trace(near_and_far, one, one), alone)
    assert alone[0][-1] == pytest.approx(2**0.5 * 1e-36, rel=1e-7)
    for f in (triangular_logdet, triangular_condition):
        np.testing.assert_array_equal(f(np.stack([lower, lower.T])), [f(lower), f(lower.T)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: attention_mask(0), "n must be at least 1, got 0"),
        (lambda: attention_mask(3, "left"), "kind must be one of .*, got 'left'"),
        (lambda: attention_mask(3, "prefix", prefix=4), "prefix must be at most 3, got 4"),
        (lambda: attention_mask(3, "causal", prefix=1), "prefix must be 0 unless the mask is 'prefix', got 1"),
        (lambda: attention_matrix(np.ones((3, 2)), np.ones((2, 2))), "queries and keys must have the same .*, got"),
        (lambda: attention_matrix([[np.nan]], [[1.0]]), "queries must not contain NaN, got"),
        (lambda: attention_matrix([[1.0]], [[1.0]], mask="none"), "mask must be one of .*, got 'none'"),
        (lambda: linear_attention_matrix([[-1.0]], [[1.0]]), "queries must not be negative, got -1"),
        (lambda: linear_attention_matrix([[0.0]], [[1.0]]), "queries and keys must have a positive product .*, got"),
        (lambda: triangular_logdet(np.ones((2, 3))), r"a must be square .*, got shape \(2, 3\)"),
        (lambda: triangular_logdet(np.ones((2, 2))), "a must be triangular, got 1.0"),
        (lambda: triangular_logdet(np.diag([1.0, -2.0])), "a must have a positive diagonal, got -2.0"),
        (lambda: triangular_condition(np.diag([1.0, 0.0])), "a must have a diagonal without zeros, got 0.0"),
        (lambda: triangular_condition(np.diag([1e200, 1e-200])), "a must keep the result finite, got inf"),
        (lambda: effective_rank(np.zeros((2, 2))), "a must not be zero, got"),
        (lambda: numerical_rank(np.eye(2), 1), r"rtol must lie in \[0, 1\), got 1"),
        (
            lambda: collapse_trace(np.ones((3, 2)), np.ones((1, 3, 3)), np.ones((1, 3, 3))),
            "score must have shape .*got",
        ),
        (
            lambda: collapse_trace(np.ones((3, 1)), np.ones((1, 1, 1)), np.ones((2, 1, 1))),
            "value must have shape .*got",
        ),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_skip_is_a_truth_value():
    with pytest.raises(TypeError, match="skip must be True or False, got 1"):
        collapse_trace(np.ones((3, 1)), np.ones((1, 1, 1)), np.ones((1, 1, 1)), skip=1)

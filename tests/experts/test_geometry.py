import itertools
import tracemalloc

import numpy as np
import pytest

from kexue_core.attention import activate
from kexue_core.experts.geometry import (
    best_subset,
    dropped_error,
    ffn_experts,
    geometric_moe,
    longest_subset,
    sampling_probabilities,
    sampling_variance,
)


def draw(seed, *shape, spread=0.5):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) * np.exp(spread * rng.standard_normal((*shape[:-1], 1)))


@pytest.mark.parametrize("kind", ["relu", "silu", "gelu"])
@pytest.mark.parametrize("n", [1, 3, 12])
def test_the_experts_sum_to_the_layer(kind, n):
    rng = np.random.default_rng(0)
    x, wa, wb = rng.standard_normal((2, 3, 5)), rng.standard_normal((5, 12)), rng.standard_normal((12, 4))
    vectors = ffn_experts(x, wa, wb, n, kind)
    assert vectors.shape == (2, 3, n, 4)
    np.testing.assert_allclose(vectors.sum(axis=-2), activate(x @ wa, kind) @ wb, atol=1e-12)
    c = 12 // n
    np.testing.assert_allclose(vectors[..., -1, :], activate(x @ wa[:, -c:], kind) @ wb[-c:], atol=1e-13)


@pytest.mark.parametrize("d", [1, 2, 5, 40])
@pytest.mark.parametrize("n", [1, 2, 7, 10])
def test_the_best_subset_is_that_of_all_combinations(n, d):
    vectors = draw(n + d, n, d)
    for k in range(n + 1):
        keep = best_subset(vectors, k)
        assert keep.sum() == k
        drops = itertools.combinations(range(n), n - k)
        least = min((vectors[list(drop)].sum(axis=0) ** 2).sum() for drop in drops)
        assert dropped_error(vectors, keep) == pytest.approx(least, rel=1e-12, abs=1e-25)


def test_the_best_subset_of_numbers_is_that_of_an_integer_program():
    optimize = pytest.importorskip("scipy.optimize")
    numbers = np.random.default_rng(3).integers(-(10**6), 10**6, 22)
    n, k = len(numbers), 9
    # minimize t with -t <= sum of the dropped <= t
    rows = np.array([[*numbers, -1.0], [*-numbers, -1.0]])
    count = np.array([[1.0] * n + [0.0]])
    found = optimize.milp(
        np.r_[np.zeros(n), 1.0],
        constraints=[optimize.LinearConstraint(rows, ub=0), optimize.LinearConstraint(count, n - k, n - k)],
        integrality=np.r_[np.ones(n), 0.0],
        bounds=optimize.Bounds(np.zeros(n + 1), np.r_[np.ones(n), np.inf]),
        options={"time_limit": 5},
    )
    ours = dropped_error(numbers[:, None], best_subset(numbers[:, None], k)) ** 0.5
    assert ours <= found.fun + 1e-3
    assert ours >= found.mip_dual_bound - 1e-3


def test_the_best_subset_finds_what_was_planted_among_thirty():
    vectors = draw(4, 30, 6)
    drop = np.arange(30) % 3 == 0
    vectors[0] -= vectors[drop].sum(axis=0)
    keep = best_subset(vectors, 20)
    assert dropped_error(vectors, keep) < 1e-24 * (vectors**2).sum()


@pytest.mark.parametrize("seed", range(20))
def test_a_sum_of_zero_is_found_beside_a_sum_of_one_of_numbers_of_twelve_digits(seed):
    rng = np.random.default_rng(seed)
    numbers = rng.integers(-(10**11), 10**11, 20)
    order = rng.permutation(20)
    one, two = order[:10], np.r_[order[10:17], order[:3]]
    numbers[one[9]] -= numbers[one].sum()
    numbers[two[6]] -= numbers[two].sum() - 1  # its square is lost in the rounding of a product
    assert numbers[~best_subset(numbers[:, None], 10)].sum() == 0


def test_the_longest_of_the_shortest_vectors_is_found():
    for scale in (1e-300, 1e-200, 1e200):
        vectors = np.array([[[scale], [2 * scale]], [[2.0], [1.0]]])
        np.testing.assert_array_equal(longest_subset(vectors, 1), [[False, True], [True, False]])
    assert longest_subset(np.zeros((0, 2, 1)), 1).shape == (0, 2)


def test_a_short_vector_beside_a_long_one_is_not_taken_for_zero():
    vectors = [[1.0, 0.0], [0.0, 0.0], [3e-200, 4e-200]]
    assert longest_subset(vectors, 2).tolist() == [True, False, True]
    assert sampling_probabilities(vectors)[2] == pytest.approx(5e-200, rel=1e-14, abs=0)


def test_many_equally_good_subsets_take_little_memory():
    tracemalloc.start()
    assert best_subset(np.ones((24, 24)), 12).sum() == 12
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e8


def test_scale_rotation_and_order_do_not_matter_and_a_batch_is_a_loop():
    vectors = draw(5, 3, 2, 9, 4)
    rotation = np.linalg.qr(np.random.default_rng(6).standard_normal((4, 4)))[0]
    order = np.random.default_rng(7).permutation(9)
    for choose in (best_subset, longest_subset):
        keep = choose(vectors, 4)
        np.testing.assert_array_equal(choose(1e100 * vectors @ rotation, 4), keep)
        np.testing.assert_array_equal(choose(vectors[:, :, order], 4), keep[:, :, order])
        for i in np.ndindex(3, 2):
            np.testing.assert_array_equal(choose(vectors[i], 4), keep[i])
            assert dropped_error(vectors, keep)[i] == pytest.approx(dropped_error(vectors[i], keep[i]), rel=1e-12)
    assert best_subset(np.zeros((0, 9, 4)), 2).shape == (0, 9)


def test_the_longest_are_best_if_orthogonal_and_if_one_is_dropped():
    lengths = np.array([3.0, 0.5, 2.0, 1.0, 0.25])
    orthogonal = lengths[:, None] * np.linalg.qr(np.random.default_rng(8).standard_normal((7, 7)))[0][:5]
    for k in range(6):
        np.testing.assert_array_equal(longest_subset(orthogonal, k), best_subset(orthogonal, k))
        dropped = np.sort(lengths)[: 5 - k]
        assert dropped_error(orthogonal, longest_subset(orthogonal, k)) == pytest.approx((dropped**2).sum())
    for seed in range(20):
        np.testing.assert_array_equal(longest_subset(draw(seed, 6, 2), 5), best_subset(draw(seed, 6, 2), 5))


def test_the_mean_error_over_signs_is_the_sum_of_the_dropped_squares():
    vectors = draw(9, 6, 3)
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=6)))[:, :, None]
    squares = (vectors**2).sum(axis=-1)
    for k in range(7):
        for kept in itertools.combinations(range(6), k):
            keep = np.isin(np.arange(6), kept)
            assert dropped_error(signs * vectors, keep).mean() == pytest.approx(squares[~keep].sum(), abs=1e-12)


def test_the_sampling_variance_is_the_mean_over_outcomes_and_least_at_the_lengths():
    vectors, rng = draw(10, 7, 3), np.random.default_rng(11)
    best = sampling_probabilities(vectors)
    for p in [best, *rng.dirichlet(np.ones(7), 20)]:
        estimates = vectors / p[:, None]
        np.testing.assert_allclose(p @ estimates, vectors.sum(axis=0), atol=1e-12)
        spread = p @ ((estimates - vectors.sum(axis=0)) ** 2).sum(axis=-1)
        assert sampling_variance(vectors, p) == pytest.approx(spread, rel=1e-10)
        assert sampling_variance(vectors, p) >= sampling_variance(vectors, best) - 1e-12
    lengths = np.linalg.norm(vectors, axis=-1)
    least = lengths.sum() ** 2 - (vectors.sum(axis=0) ** 2).sum()
    assert sampling_variance(vectors, best) == pytest.approx(least, rel=1e-12)
    some = np.vstack([vectors, np.zeros(3)])  # a zero vector needs no probability
    assert sampling_variance(some, np.r_[best, 0]) == pytest.approx(least, rel=1e-12)
    with pytest.raises(ValueError, match=r"^p must be positive where .*, got 0$"):
        sampling_variance(vectors, np.eye(7)[0])
    with pytest.raises(ValueError, match=r"^vectors must not all be zero"):
        sampling_probabilities(np.zeros((2, 3)))


def test_true_lengths_give_the_sum_of_the_longest_and_any_scale_of_the_experts_the_same():
    vectors = draw(12, 4, 8, 3)
    lengths = np.linalg.norm(vectors, axis=-1)
    scale = np.exp(np.random.default_rng(13).standard_normal((4, 8, 1)))
    for k in range(9):
        expected = np.where(longest_subset(vectors, k)[..., None], vectors, 0).sum(axis=-2)
        np.testing.assert_allclose(geometric_moe(lengths, vectors, k), expected, atol=1e-12)
        np.testing.assert_allclose(geometric_moe(lengths, 1e-200 * scale * vectors, k), expected, atol=1e-12)
    np.testing.assert_array_equal(geometric_moe([1.0, 2.0], [[1.0, 0.0], [0.0, 0.0]], 2), [1.0, 0.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ffn_experts([1.0], [[1.0, 2.0]], [[1.0], [2.0]], 3), "n must divide the 2 columns of wa, got 3"),
        (lambda: ffn_experts([1.0, 2.0], [[1.0]], [[1.0]], 1), "wa must have 2 rows"),
        (lambda: ffn_experts([1.0], [[1.0]], [[1.0]] * 2, 1), "wb must have 1 rows"),
        (lambda: best_subset(np.ones((33, 1)), 3), "vectors must hold at most 32 vectors, got 33"),
        (lambda: best_subset(np.ones((3, 1)), 4), "k must be at most 3, got 4"),
        (lambda: longest_subset(np.ones((3, 1)), -1), "k must be at least 0, got -1"),
        (lambda: geometric_moe([-1.0, 1.0], np.eye(2), 1), "rho must not be negative, got -1.0"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()

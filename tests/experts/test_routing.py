import numpy as np
import pytest

from kexue_core.experts.routing import expert_load, max_violation, route, top_k_mask


@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_the_mask_is_that_of_a_stable_sort_also_with_ties(k):
    rng = np.random.default_rng(0)
    for scores in (rng.standard_normal((3, 50, 8)), rng.integers(0, 3, (3, 50, 8))):
        order = np.argsort(-scores, axis=-1, kind="stable")[..., :k]
        expected = np.zeros(scores.shape, dtype=bool)
        np.put_along_axis(expected, order, True, axis=-1)
        np.testing.assert_array_equal(top_k_mask(scores, k), expected)


def test_all_experts_equal_gives_the_first_ones_and_k_equal_n_gives_all():
    np.testing.assert_array_equal(top_k_mask(np.zeros(4), 2), [True, True, False, False])
    assert top_k_mask([3.0, 1.0], 2).all()
    np.testing.assert_array_equal(top_k_mask([0.0, -0.0], 1), [True, False])


def test_the_bias_moves_the_choice_but_not_the_gates():
    scores = np.random.default_rng(0).random((2, 30, 6))
    bias = np.linspace(0, 1, 6)
    before = scores.copy(), bias.copy()
    mask, gates = route(scores, 2, bias=bias)
    np.testing.assert_array_equal(mask, top_k_mask(scores + bias, 2))
    np.testing.assert_array_equal(gates[mask], scores[mask])
    assert (gates[~mask] == 0).all()
    np.testing.assert_array_equal(route(scores, 2, bias=bias + 0.5)[0], mask)
    np.testing.assert_array_equal(route(scores, 2)[0], top_k_mask(scores, 2))
    for array, copy in zip((scores, bias), before):
        np.testing.assert_array_equal(array, copy)


def test_the_load_counts_choices_and_a_batch_equals_the_loop():
    mask = top_k_mask(np.random.default_rng(0).standard_normal((4, 100, 5)), 3)
    load = expert_load(mask)
    np.testing.assert_allclose(load.sum(axis=-1), 1, rtol=1e-15)
    for i in range(4):
        counts = np.bincount(np.nonzero(mask[i])[1], minlength=5)
        np.testing.assert_array_equal(load[i], counts / 300)
        assert max_violation(load)[i] == max_violation(load[i])


def test_the_violation_is_zero_at_the_target_and_n_minus_one_on_one_expert():
    assert max_violation(np.eye(5)[2]) == pytest.approx(4)
    assert max_violation(np.full(5, 0.2)) == pytest.approx(0, abs=1e-15)
    target = np.array([4, 2, 2, 2, 2, 2, 1, 1]) / 16
    assert max_violation(target, target=target) == 0
    assert max_violation(target) == pytest.approx(1)


def test_a_capacity_drops_tokens_exactly_beyond_the_violation():
    load = expert_load(top_k_mask(np.random.default_rng(0).standard_normal((64, 4)) + [0.3, 0, 0, 0], 1))
    for capacity, drops in ((1 + max_violation(load) + 1e-12, False), (1 + max_violation(load) - 1e-3, True)):
        assert (np.maximum(0, load - capacity / 4).sum() > 0) == drops


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: top_k_mask([1.0, 2.0], 3), "k must be at most 2, got 3"),
        (lambda: top_k_mask([1.0, 2.0], 0), "k must be at least 1, got 0"),
        (lambda: top_k_mask([1.0, np.nan], 1), "scores must not contain NaN, got 1 of them"),
        (lambda: top_k_mask([1.0, np.inf], 1), "scores must not hold inf, got inf"),
        (lambda: top_k_mask(1.0, 1), r"scores must have at least 1 axis, got shape \(\)"),
        (lambda: top_k_mask(np.zeros((3, 0)), 1), r"scores must not be empty, got shape \(3, 0\)"),
        (lambda: route([1.0, 2.0], 1, bias=[1.0]), r"bias must have shape \(2,\), got shape \(1,\)"),
        (lambda: route([1.0, 2.0], 1, bias=[1.0, np.nan]), "bias must not contain NaN, got 1 of them"),
        (
            lambda: expert_load([True, False]),
            r"mask must have at least 2 axes, got shape \(2,\)",
        ),
        (lambda: expert_load([[False, False]]), "mask must choose at least one expert, got none"),
        (lambda: max_violation([0.5, 0.6]), "load must have the sum 1, got 1.1"),
        (lambda: max_violation([1.5, -0.5]), "load must not be negative, got -0.5"),
        (lambda: max_violation([0.5, 0.5], target=[1.0, 0.0]), "target must be positive, got 0.0"),
        (
            lambda: max_violation([0.5, 0.5], target=[1.0]),
            r"target must have shape \(2,\), got shape",
        ),
    ],
)
def test_bad_values_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_mask_of_numbers_is_refused():
    with pytest.raises(TypeError, match="mask must be an array of booleans, got dtype int64"):
        expert_load([[1, 0]])

import numpy as np
import pytest

from kexue_core.attention.simplex import softmax
from kexue_core.experts.balance import auxiliary_loss, balance_by_bias, balance_gradient, bias_update, train_router
from kexue_core.experts.routing import expert_load, max_violation, route, top_k_mask

OBJECTIVES = ["auxiliary", "squared", "entropy", "probability"]
TARGET = np.array([4, 2, 2, 2, 2, 2, 1, 1]) / 16


def _surrogate(logits, load, frozen, objective, target, floor):
    """The loss in ``P + stop_gradient(F - P)``; ``frozen`` is the constant ``F - P``."""
    P = softmax(logits).mean(axis=-2)
    if objective == "auxiliary":
        return load @ P
    if objective == "probability":
        return ((P - target) ** 2).sum() / 2
    value = P + frozen
    if objective == "squared":
        return ((value - target) ** 2).sum() / 2
    # a dead expert: the logarithm is held at the floor, its slope stays that of log(floor)
    return (value * np.log(np.maximum(load, floor) / target) + load * (value - load) / np.maximum(load, floor)).sum()


@pytest.fixture(scope="module")
def tokens():
    """Tokens and start of the toy router."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4096, 16))
    x[:, 0] += 3
    return x, 0.5 * rng.standard_normal((16, 8))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("k", [1, 3])
def test_the_gradient_is_the_finite_difference_with_the_load_held_by_stop_gradient(objective, k):
    logits = np.random.default_rng(0).standard_normal((5, 8))
    target = None if objective == "auxiliary" else TARGET
    load = expert_load(top_k_mask(logits, k))
    if objective == "entropy":  # without dead experts: the slope of F log F is log F + 1
        logits = np.vstack([logits, 2 * np.eye(8)])
        load = expert_load(top_k_mask(logits, k))
    frozen = load - softmax(logits).mean(axis=0)
    ours, numeric, h = balance_gradient(logits, k, objective=objective, target=target), np.zeros(logits.shape), 1e-5
    for i in np.ndindex(*logits.shape):
        step = np.zeros(logits.shape)
        step[i] = h
        losses = [_surrogate(logits + s * step, load, frozen, objective, TARGET, 1e-6) for s in (1, -1)]
        numeric[i] = (losses[0] - losses[1]) / (2 * h)
    np.testing.assert_allclose(ours, numeric, atol=1e-9)
    np.testing.assert_allclose(ours.sum(axis=-1), 0, atol=1e-15)


def test_auxiliary_and_squared_have_one_gradient_for_a_uniform_target_only():
    logits = np.random.default_rng(1).standard_normal((2, 20, 8))
    auxiliary = balance_gradient(logits, 2, objective="auxiliary")
    np.testing.assert_allclose(balance_gradient(logits, 2), auxiliary, atol=1e-16)
    assert np.abs(balance_gradient(logits, 2, target=TARGET) - auxiliary).max() > 1e-3


def test_a_dead_expert_is_taken_at_the_floor():
    logits = np.array([[1.0, 0.0, -1.0]])
    p = softmax(logits)[0]
    for floor in (1e-6, 1e-2):
        slope = np.log(3 * np.array([1.0, floor, floor]))
        expected = p * (slope - p @ slope)
        np.testing.assert_allclose(
            balance_gradient(logits, 1, objective="entropy", floor=floor)[0], expected, rtol=1e-12
        )


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_batch_of_gradients_equals_the_loop_and_leaves_the_logits_alone(objective):
    logits = np.random.default_rng(2).standard_normal((3, 2, 10, 4))
    before = logits.copy()
    batch = balance_gradient(logits, 2, objective=objective)
    for i in np.ndindex(3, 2):
        np.testing.assert_allclose(batch[i], balance_gradient(logits[i], 2, objective=objective), atol=1e-17)
    np.testing.assert_array_equal(logits, before)


def test_the_gradient_vanishes_at_balance_and_for_a_saturated_router():
    logits = np.eye(4)
    np.testing.assert_allclose(balance_gradient(logits, 1), 0, atol=1e-16)
    assert np.abs(balance_gradient(np.array([[1000.0, 0.0]] * 3), 1)).max() == 0


def test_the_ten_token_example_is_below_balance_at_nine_to_one():
    p = np.array([[0.51, 0.49]] * 9 + [[0.0, 1.0]])
    mask = top_k_mask(p, 1)
    np.testing.assert_allclose(expert_load(mask), [0.9, 0.1])
    np.testing.assert_allclose(p.mean(axis=0), [0.459, 0.541])
    assert auxiliary_loss(p, mask) == pytest.approx(0.4672, abs=1e-15)


@pytest.mark.parametrize(("n", "share", "value"), [(2, 0.75, 0.875), (8, 0.5625, 0.78125)])
def test_the_family_reaches_the_stated_minimum(n, share, value):
    T = 16 * (n - 1)
    nearly = np.full(n, 1 / n) + 1e-12 * (np.arange(n) == 0)
    won = round(share * T)
    p = np.vstack([np.tile(nearly / nearly.sum(), (won, 1)), np.eye(n)[1 + np.arange(T - won) % (n - 1)]])
    assert n * auxiliary_loss(p, top_k_mask(p, 1)) == pytest.approx(value, abs=1e-9)


def test_the_auxiliary_loss_is_one_over_n_if_the_load_or_the_probability_is_uniform():
    p = softmax(np.random.default_rng(0).standard_normal((3, 6, 4)))
    uniform = np.full((3, 6, 4), 0.25)
    np.testing.assert_allclose(auxiliary_loss(uniform, top_k_mask(p, 2)), 0.25, rtol=1e-14)
    balanced = np.tile(np.eye(4, dtype=bool), (3, 1, 1))
    np.testing.assert_allclose(auxiliary_loss(p[:, :4], balanced), 0.25, rtol=1e-14)
    loss = auxiliary_loss(p, top_k_mask(p, 2))
    for i in range(3):
        assert loss[i] == auxiliary_loss(p[i], top_k_mask(p[i], 2))


def test_training_is_gradient_descent_written_out(tokens):
    x, weights = tokens[0][:50], tokens[1]
    before = x.copy(), weights.copy()
    ours = train_router(x, weights, 2, steps=3, objective="entropy", target=TARGET, rate=0.5)
    w = weights
    for i in range(3):
        logits = x @ w
        np.testing.assert_allclose(ours.load[i], expert_load(top_k_mask(logits, 2)))
        np.testing.assert_allclose(ours.probability[i], softmax(logits).mean(axis=0))
        w = w - 0.5 * x.T @ balance_gradient(logits, 2, objective="entropy", target=TARGET)
    np.testing.assert_allclose(ours.weights, w, rtol=1e-13)
    np.testing.assert_allclose(ours.load[3], expert_load(top_k_mask(x @ w, 2)))
    np.testing.assert_array_equal((x, weights)[0], before[0])
    np.testing.assert_array_equal((x, weights)[1], before[1])


def test_a_stack_of_trainings_equals_the_loop():
    rng = np.random.default_rng(3)
    x, weights = rng.standard_normal((4, 30, 5)), rng.standard_normal((4, 5, 3))
    stack, shared = train_router(x, weights, 1, steps=5), train_router(x[0], weights, 1, steps=5)
    assert stack.load.shape == stack.probability.shape == (6, 4, 3)
    for i in range(4):
        for ours, alone in ((stack, x[i]), (shared, x[0])):
            one = train_router(alone, weights[i], 1, steps=5)
            np.testing.assert_array_equal(ours.load[:, i], one.load)
            np.testing.assert_allclose(ours.weights[i], one.weights, rtol=1e-13)


TRAP = np.array([[1, 1]] * 3 + [[1, -1]] * 3 + [[-2, 2]] * 2 + [[-2, -2]] * 2)


@pytest.mark.parametrize("objective", ["auxiliary", "squared", "entropy"])
def test_without_a_constant_feature_training_may_rest_at_an_unbalanced_load(objective):
    half = np.array([[0.5, 1, 0.3], [0.05, 0.3, -0.1]]).T[:, :, None] / 2
    training = train_router(TRAP, np.concatenate([half, -half], axis=2), 1, steps=1000, objective=objective)
    at = 2 * np.arccosh((np.sqrt(3) + np.sqrt(21)) / 6)
    difference = training.weights[..., 0] - training.weights[..., 1]
    np.testing.assert_allclose(difference, np.tile([at, 0.0], (3, 1)), atol=1e-12)
    np.testing.assert_allclose(training.load[-1], np.tile([0.6, 0.4], (3, 1)))


def test_a_bias_in_the_logits_has_no_gradient_only_at_balance():
    rng = np.random.default_rng(4)
    for _ in range(50):
        logits = 2 * rng.standard_normal((40, 4)) + rng.standard_normal(4)
        load, p = expert_load(top_k_mask(logits, 1)), softmax(logits)
        push = balance_gradient(logits, 1).sum(axis=0)
        mean = (p * load).sum(axis=1, keepdims=True)
        variance = (p * (load - mean) ** 2).sum(axis=1).mean()
        assert push @ load == pytest.approx(variance, abs=1e-15)
        assert variance > 0 or max_violation(load) == 0


def test_no_steps_give_the_start_alone(tokens):
    training = train_router(*tokens, 2, steps=0)
    assert training.load.shape == training.probability.shape == (1, 8)
    np.testing.assert_array_equal(training.weights, tokens[1])


def test_straight_through_objectives_balance_the_load_and_probability_does_not(tokens):
    end = {name: train_router(*tokens, 2, steps=400, objective=name) for name in OBJECTIVES}
    assert max_violation(end["squared"].load[0]) == pytest.approx(2.105, abs=5e-4)
    for name in ("auxiliary", "squared", "entropy"):
        assert max_violation(end[name].load[-1]) < 0.003
    assert max_violation(end["probability"].load[-1]) == pytest.approx(0.149, rel=0.2)
    np.testing.assert_allclose(end["auxiliary"].weights, end["squared"].weights, atol=1e-12)
    entropy = 8 * (end["entropy"].load * end["entropy"].probability).sum(axis=1)
    assert 0.999 < entropy.min() < 1


def test_a_target_that_is_not_uniform_is_reached(tokens):
    training = train_router(*tokens, 2, steps=800, target=TARGET)
    np.testing.assert_allclose(training.load[-1], TARGET, atol=1e-4)


@pytest.mark.parametrize("rule", ["sign", "rms", "plain"])
def test_the_bias_moves_against_the_excess_load(rule):
    load, bias = np.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5]]), np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    before = load.copy(), bias.copy()
    excess = load - 1 / 3
    step = {"sign": np.sign(excess), "plain": excess, "rms": excess / np.sqrt((excess**2).mean(axis=1, keepdims=True))}
    ours = bias_update(bias, load, rate=0.1, rule=rule)
    np.testing.assert_allclose(ours, bias - 0.1 * step[rule], rtol=1e-14)
    np.testing.assert_array_equal(ours[1], bias_update(bias[1], load[1], rate=0.1, rule=rule))
    for array, copy in zip((load, bias), before):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("rule", ["sign", "rms", "plain"])
def test_the_bias_rests_at_the_target(rule):
    for n in (3, 7, 49):
        load = np.full(n, 1 / n) * (1 + 1e-15)
        np.testing.assert_array_equal(bias_update(np.zeros(n), load, rule=rule), np.zeros(n))
    np.testing.assert_array_equal(bias_update(np.zeros(8), TARGET, target=TARGET, rule=rule), np.zeros(8))


def test_balancing_by_bias_is_the_loop_of_route_and_update():
    batches = np.random.default_rng(0).random((5, 40, 4)) + [0.5, 0, 0, 0.2]
    load, bias = balance_by_bias(iter(batches), 2, rate=0.05, rule="rms", target=[0.4, 0.2, 0.2, 0.2])
    b = np.zeros(4)
    for i in range(5):
        np.testing.assert_array_equal(load[i], expert_load(route(batches[i], 2, bias=b)[0]))
        b = bias_update(b, load[i], rate=0.05, rule="rms", target=[0.4, 0.2, 0.2, 0.2])
    np.testing.assert_array_equal(bias, b)


def test_a_stack_of_batches_equals_the_loop():
    batches = np.random.default_rng(1).random((5, 3, 40, 4)) + [0.5, 0, 0, 0.2]
    load, bias = balance_by_bias(batches, 2, rate=0.05, bias=np.full((3, 4), 0.1))
    for i in range(3):
        one = balance_by_bias(batches[:, i], 2, rate=0.05, bias=np.full(4, 0.1))
        np.testing.assert_array_equal(load[:, i], one[0])
        np.testing.assert_array_equal(bias[i], one[1])


@pytest.mark.parametrize("rule", ["sign", "rms"])
def test_the_bias_balances_fresh_batches_down_to_the_noise_of_the_counts(rule):
    rng = np.random.default_rng(0)
    fixed = rng.standard_normal(16)
    batches = (1 / (1 + np.exp(-rng.standard_normal((2048, 16)) - fixed)) for _ in range(600))
    load, _ = balance_by_bias(batches, 2, rule=rule)
    violation = max_violation(load)
    assert violation[0] > 2
    assert violation[-100:].mean() < 0.15


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: balance_gradient(np.ones((2, 2)), 3), "k must be at most 2, got 3"),
        (lambda: balance_gradient(np.ones(2), 1), r"logits must have at least 2 axes, got shape \(2,\)"),
        (lambda: balance_gradient([[np.nan, 1.0]], 1), "logits must not contain NaN, got 1 of them"),
        (
            lambda: balance_gradient(np.ones((2, 2)), 1, objective="kl"),
            "objective must be one of 'auxiliary', .* got 'kl'",
        ),
        (
            lambda: balance_gradient(np.ones((2, 2)), 1, objective="auxiliary", target=[0.5, 0.5]),
            r"target must be None for objective 'auxiliary', got \[0.5, 0.5\]",
        ),
        (
            lambda: balance_gradient(np.ones((2, 2)), 1, target=[0.5, 0.6]),
            "target must have the sum 1, got",
        ),
        (lambda: balance_gradient(np.ones((2, 2)), 1, floor=0), "floor must be positive, got 0"),
        (lambda: auxiliary_loss([[0.5, 0.6]], [[True, False]]), "p must have the sum 1, got 1.1"),
        (
            lambda: auxiliary_loss([[0.5, 0.5]], [[True], [True]]),
            r"mask must have shape \(1, 2\), got shape \(2, 1\)",
        ),
        (lambda: train_router(np.ones((3, 2)), np.ones((4, 2)), 1, steps=1), r"weights must have 2 rows, .* got shape"),
        (lambda: train_router(np.ones((3, 2)), np.ones((2, 2)), 1, steps=-1), "steps must be at least 0, got -1"),
        (lambda: train_router(np.ones((3, 2)), np.ones((2, 2)), 1, steps=1, rate=0), "rate must be positive, got 0"),
        (lambda: bias_update([0.0], [0.5, 0.5]), r"bias must have shape \(2,\), got shape \(1,\)"),
        (
            lambda: bias_update([0.0, 0.0], [0.5, 0.5], rule="adam"),
            "rule must be one of 'sign', 'rms', 'plain', got 'adam'",
        ),
        (lambda: bias_update([0.0, 0.0], [0.5, 0.4]), "load must have the sum 1, got"),
        (lambda: balance_by_bias([], 1), "batches must hold at least one batch, got none"),
        (lambda: balance_by_bias([[1.0, 2.0]], 1), r"batches must have at least 2 axes, got shape \(2,\)"),
        (
            lambda: train_router(np.ones((2, 3, 2)), np.ones((3, 2, 2)), 1, steps=1),
            "x and weights must broadcast in their leading axes",
        ),
    ],
)
def test_bad_values_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_batches_are_an_iterable():
    with pytest.raises(TypeError, match=r"^batches must be an iterable of arrays of scores, got 3"):
        balance_by_bias(3, 1)

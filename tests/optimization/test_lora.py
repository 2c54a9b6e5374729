"""LoRA+: gradients against differences, balances against exact expectations, training against a plain Adam."""

import math

import numpy as np
import pytest
from oracles import oracles

from kexue_core.optimization import (
    aligned_lr_ratio,
    balanced_lr_ratio,
    lora_gradients,
    lr_ratio_theory,
    output_changes,
    train_lora,
)

(gammaln,) = oracles("scipy.special.gammaln")


def layer(rng, n=5, m=4, r=2, batch=3, runs=()):
    return (
        rng.standard_normal((*runs, batch, n)),
        rng.standard_normal((*runs, n, r)) / n**0.5,
        rng.standard_normal((*runs, r, m)) / r**0.5,
    )


def test_gradients_are_differences_of_the_loss():
    rng = np.random.default_rng(0)
    x, a, b = layer(rng)
    c = rng.standard_normal((3, 4))

    def loss(a, b):
        return (c * np.sin(x @ a @ b)).sum()

    grads = lora_gradients(x, a, b, c * np.cos(x @ a @ b))
    for factor, grad, place in ((a, grads.a, 0), (b, grads.b, 1)):
        for index in np.ndindex(factor.shape):
            moved = [a.copy(), b.copy()], [a.copy(), b.copy()]
            moved[0][place][index] += 1e-6
            moved[1][place][index] -= 1e-6
            assert grad[index] == pytest.approx((loss(*moved[0]) - loss(*moved[1])) / 2e-6, abs=1e-8)


def test_the_three_changes_add_up_to_the_change_of_the_output():
    rng = np.random.default_rng(1)
    x, a, b = layer(rng, runs=(6,))
    da, db = rng.standard_normal(a.shape), rng.standard_normal(b.shape)
    parts = output_changes(x, a, b, da, db)
    np.testing.assert_allclose(sum(parts), x @ ((a + da) @ (b + db) - a @ b), atol=1e-13)


def test_sign_steps_at_the_balanced_ratio_lower_the_loss_in_equal_shares():
    rng = np.random.default_rng(2)
    x, a, b = layer(rng, runs=(20,))
    target = rng.standard_normal((20, 3, 4))
    grads = lora_gradients(x, a, b, x @ a @ b - target)
    ratio = balanced_lr_ratio(*grads)

    def loss(a, b):
        return ((x @ a @ b - target) ** 2).sum(axis=(-2, -1)) / 2

    lr = 1e-7
    by_a = loss(a, b) - loss(a - lr * np.sign(grads.a), b)
    by_b = loss(a, b) - loss(a, b - lr * ratio[:, None, None] * np.sign(grads.b))
    np.testing.assert_allclose(by_a, by_b, rtol=2e-4)


def test_a_factor_that_is_zero_gives_zero_or_infinity_and_both_are_refused():
    rng = np.random.default_rng(3)
    x, a, b = layer(rng)
    g = rng.standard_normal((3, 4))
    assert balanced_lr_ratio(*lora_gradients(x, a, 0 * b, g)) == 0
    assert balanced_lr_ratio(*lora_gradients(x, 0 * a, b, g)) == math.inf
    with pytest.raises(ValueError, match=r"^grad_b must not be zero where grad_a is zero"):
        balanced_lr_ratio(np.zeros((2, 1)), np.zeros((1, 2)))
    assert balanced_lr_ratio([[3e-300]], [[1e-300]]) == pytest.approx(3)


def mean_length(k):
    """Return the mean length of a standard Gaussian vector."""
    return math.sqrt(2) * np.exp(gammaln((k + 1) / 2) - gammaln(k / 2))


@pytest.mark.parametrize(("n", "m", "r"), [(4, 64, 2), (64, 4, 1), (48, 48, 8), (200, 50, 4)])
def test_for_a_batch_of_one_the_ratio_of_expectations_is_the_independent_theory(n, m, r):
    """Exactly ``n^(3/2) / (m sqrt r) kappa_m / kappa_n``; the theory leaves out what tends to 1."""
    rng = np.random.default_rng(n)
    x, a, b = layer(rng, n, m, r, 1, (6000,))
    grads = lora_gradients(x, a, b, rng.standard_normal((6000, 1, m)))
    norms = [np.abs(g).sum(axis=(-2, -1)) for g in grads]
    found = norms[0].mean() / norms[1].mean()
    spread = math.hypot(*(norm.std() / norm.mean() / math.sqrt(6000) for norm in norms))
    exact = n**1.5 / (m * math.sqrt(r)) * mean_length(m) / mean_length(n)
    assert abs(found / exact - 1) < 4 * spread < 0.1
    theory = lr_ratio_theory(n, m, r)
    assert abs(theory / exact - 1) <= 0.27 * (1 / n + 1 / m)
    assert theory == pytest.approx(exact, rel=1e-12) or n != m


@pytest.mark.parametrize(("n", "m", "r"), [(64, 64, 1), (64, 64, 2), (64, 64, 4), (256, 1024, 8), (256, 64, 16)])
def test_the_aligned_ratio_is_that_of_a_partly_aligned_error_up_to_the_stated_share(n, m, r):
    rng = np.random.default_rng(m)
    draws = 8000 // r
    x, a, b = layer(rng, n, m, r, 1, (draws,))
    z = x @ a
    aligned = math.sqrt(r) * (z @ b) / np.linalg.norm(z, axis=-1, keepdims=True)
    noise = rng.standard_normal((draws, 1, m))
    for phi in np.linspace(0, np.pi / 2, 6):
        grads = lora_gradients(x, a, b, np.cos(phi) * noise + np.sin(phi) * aligned)
        norms = [np.abs(g).sum(axis=(-2, -1)).mean() for g in grads]
        above = norms[0] / norms[1] / aligned_lr_ratio(n, m, r, phi) - 1
        assert -0.04 < above < 1 / (3 * r) + r / (2 * m) + 0.04  # 0.04: more than two standard errors


def test_the_ends_of_the_aligned_ratio_and_its_knee():
    n, m, r = np.array([64.0, 4096.0]), np.array([256.0, 4096.0]), np.array([4.0, 8.0])
    np.testing.assert_allclose(aligned_lr_ratio(n, m, r, 0), lr_ratio_theory(n, m, r))
    np.testing.assert_allclose(aligned_lr_ratio(n, m, r, np.pi / 2), lr_ratio_theory(n, m, r, "output"))
    knee = np.arctan(np.sqrt(r / m))
    both = np.cos(knee) * lr_ratio_theory(n, m, r), np.sin(knee) * lr_ratio_theory(n, m, r, "output")
    np.testing.assert_allclose(both[0], both[1])
    for name in ("article", "aligned"):
        assert lr_ratio_theory(512, 512, 2, name) == lr_ratio_theory(512, 512, 2) == 16


def test_training_is_plain_adam():
    """The same random numbers, drawn in the same order, through a loop of one run with matrices of n x m."""
    n, m, r, steps, rates = 6, 5, 2, 7, (0.03, 0.2)
    run = train_lora(n, m, r, np.random.default_rng(5), lr_a=rates[0], lr_b=rates[1], steps=steps, start="a", batch=4)
    rng = np.random.default_rng(5)
    u, v, _, b = (rng.standard_normal(s) / s[0] ** 0.5 for s in ((n, r), (r, m), (n, r), (r, m)))
    parameters, moments = [np.zeros((n, r)), b], [[0.0, 0.0], [0.0, 0.0]]
    for step in range(steps):
        a, b = parameters
        gap = a @ b - u @ v
        assert run.error[0, step] == pytest.approx((gap**2).sum() / ((u @ v) ** 2).sum(), rel=1e-9, abs=1e-12)
        x = rng.standard_normal((1, 4, n))[0]
        inner = x.T @ (x @ gap) / (4 * m)
        for k, grad in enumerate((inner @ b.T, a.T @ inner)):
            assert (run.norm_a, run.norm_b)[k][0, step] == pytest.approx(np.abs(grad).sum())
            moments[k] = [0.9 * moments[k][0] + 0.1 * grad, 0.999 * moments[k][1] + 0.001 * grad**2]
            mean, square = moments[k][0] / (1 - 0.9 ** (step + 1)), moments[k][1] / (1 - 0.999 ** (step + 1))
            parameters[k] = parameters[k] - rates[k] * mean / (np.sqrt(square) + 1e-12)
    assert run.std_b[0, -1] == pytest.approx(np.sqrt((parameters[1] ** 2).mean()))


def test_training_begins_with_one_dead_factor_and_gets_there():
    for start, dead in (("b", "norm_a"), ("a", "norm_b")):
        rng = np.random.default_rng(6)
        run = train_lora(32, 32, 2, rng, lr_a=0.02, lr_b=0.02, steps=150, start=start, runs=20)
        assert (getattr(run, dead)[:, 0] == 0).all()
        np.testing.assert_allclose(run.error[:, 0], 1)
        assert (run.error[:, -1] < 0.05).all()
        assert (run.error >= 0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"r": 9}, "^r must .*, got 9"),
        ({"lr_a": -0.1}, r"^lr_a must .*, got -0\.1"),
        ({"lr_b": [0.1, 0.2]}, r"^lr_b must have shape \(3,\), got shape \(2,\)"),
        ({"start": "both"}, "^start must be one of 'a', 'b', got 'both'"),
        ({"lr_a": 1e200}, "^lr_a and lr_b must keep the result finite, got"),
    ],
)
def test_bad_input_is_refused(changes, message):
    given = {"n": 8, "m": 8, "r": 2, "lr_a": 0.1, "lr_b": 0.1, "steps": 3, "runs": 3, **changes}
    with pytest.raises(ValueError, match=message):
        train_lora(rng=np.random.default_rng(0), **given)


def test_shapes_that_do_not_fit_are_told():
    x, a, b = layer(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"^a must have as many rows as x has columns, 5, got shape \(4, 2\)"):
        lora_gradients(x, a[:4], b, np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"^b must have as many rows as a has columns, 2, got shape \(1, 4\)"):
        lora_gradients(x, a, b[:1], np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"^grad_y must have as many rows as x, 3, got shape \(2, 4\)"):
        lora_gradients(x, a, b, np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"^grad_b must have as many rows as grad_a columns"):
        balanced_lr_ratio(np.ones((3, 2)), np.ones((1, 4)))

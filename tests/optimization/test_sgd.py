import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from oracles import oracles

from kexue_core.optimization.sgd import (
    average_regret_bound,
    coin_flip_regret,
    last_iterate_bound,
    learning_rates,
    project_ball,
    project_box,
    project_simplex,
    projected_sgd,
    refined_rates,
)

mpmath, minimize = oracles("mpmath", "scipy.optimize.minimize")


def rng(seed=0):
    return np.random.default_rng(seed)


# --- projections ---

SETS = {
    "ball": lambda x: project_ball(x, 0.5, 0.75),
    "box": lambda x: project_box(x, -0.25, [0.5, 1.0, 2.0, 0.0]),
    "simplex": project_simplex,
}


@pytest.mark.parametrize("name", SETS)
def test_a_projection_satisfies_the_lemma_and_keeps_what_is_inside(name):
    project = SETS[name]
    x = 3 * rng(1).standard_normal((500, 4))
    y = project(x)
    inside = project(rng(2).standard_normal((500, 4)) * [0.1, 1, 5, 20])
    inner = ((y - inside) * (x - y)).sum(axis=-1)
    assert inner.min() > -1e-13
    np.testing.assert_array_equal(project(inside * 1.0)[: len(inside)], project(inside))
    np.testing.assert_allclose(project(y), y, rtol=0, atol=1e-15)
    distance = np.linalg.norm(project(x[:250]) - project(x[250:]), axis=-1)
    assert (distance <= np.linalg.norm(x[:250] - x[250:], axis=-1) * (1 + 1e-14)).all()
    np.testing.assert_array_equal(y, [project(row) for row in x])


def test_what_is_inside_stays_bit_for_bit():
    p = rng(3).dirichlet(np.ones(7), size=300)
    np.testing.assert_array_equal(project_simplex(p), p)
    ball = rng(4).uniform(-0.5, 0.5, (300, 3))
    np.testing.assert_array_equal(project_ball(ball, 0.0, 1.0), ball)
    np.testing.assert_array_equal(project_box(ball, -1, 1), ball)


def test_the_simplex_by_a_quadratic_program_and_by_its_conditions():
    for x in rng(5).standard_normal((5, 4)):
        found = minimize(
            lambda p, x=x: ((p - x) ** 2).sum(),
            np.full(4, 0.25),
            jac=lambda p, x=x: 2 * (p - x),
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1, "jac": lambda p: np.ones(4)},
            options={"ftol": 1e-15},
        ).x
        np.testing.assert_allclose(project_simplex(x), found, atol=1e-7)
    x = 4 * rng(6).standard_normal((40, 30))
    nearest = project_simplex(x)
    np.testing.assert_allclose(nearest.sum(axis=-1), 1, atol=1e-14)
    for row, p in zip(x, nearest):  # what is taken off is one number where p > 0, and no less where p = 0
        taken = (row - p)[p > 0]
        assert np.ptp(taken) < 1e-14
        assert (p >= 0).all()
        assert (row[p == 0] <= taken.max() + 1e-14).all()
    assert project_simplex([1e308, -1e308]).tolist() == [1, 0]


def test_a_ball_of_any_size():
    assert project_ball([3e200, 4e200]) == pytest.approx([0.6, 0.8], rel=1e-15)
    assert project_ball([2.0, 2.0], [1.0, 2.0], 0).tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"^center must broadcast to shape \(2,\), got shape \(3,\)"):
        project_ball([1.0, 2.0], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"^radius must not be negative, got -1"):
        project_ball([1.0], 0.0, -1)
    with pytest.raises(ValueError, match=r"^low must not exceed high, got 1\.0 and 0\.0"):
        project_box([1.0], 1, 0)


# --- the path and its bound ---


def test_a_path_by_hand_and_in_a_batch():
    x = rng(7).standard_normal((60, 1))
    lrs = learning_rates(60, "anytime", 0.5)
    starts = rng(8).standard_normal((5, 2))
    grad = lambda t, theta: np.sign(theta - x[t])  # noqa: E731
    box = lambda theta: project_box(theta, -1, 1)  # noqa: E731
    paths = projected_sgd(grad, starts, lrs, box)
    for start, path in zip(starts, np.moveaxis(paths, 1, 0), strict=True):
        theta = start
        for t in range(60):
            np.testing.assert_array_equal(path[t], theta)
            theta = np.clip(theta - lrs[t] * np.sign(theta - x[t]), -1, 1)
        np.testing.assert_array_equal(path[60], theta)
        np.testing.assert_array_equal(path, projected_sgd(grad, start, lrs, box))


def test_what_a_function_must_return():
    with pytest.raises(ValueError, match=r"^grad\(t, theta\) must have shape \(1,\), got shape \(2,\)"):
        projected_sgd(lambda t, theta: [1.0, 2.0], [1.0], [0.5])
    with pytest.raises(ValueError, match=r"^project\(theta\) must have shape \(1,\), got "):
        projected_sgd(lambda t, theta: theta, [1.0], [0.5], lambda theta: 1.0)
    with pytest.raises(ValueError, match=r"^lrs must not be negative, got -0\.5"):
        projected_sgd(lambda t, theta: theta, [1.0], [-0.5])

    def spoil(t, theta):
        theta[:] = 7
        return theta

    assert projected_sgd(spoil, [1.0], [0.5])[0] == 1


@pytest.mark.parametrize("kind", ["constant", "anytime", "linear"])
def test_no_run_on_convex_losses_exceeds_the_bound_against_any_point(kind):
    for seed in range(20):
        r = rng(seed)
        T, d = int(r.integers(1, 60)), 3
        lrs = learning_rates(T, kind, r.uniform(0.1, 4))
        a, c = r.standard_normal((T, d)), r.standard_normal(T)
        a /= np.linalg.norm(a, axis=1, keepdims=True)
        project = lambda x: project_ball(x, 0.0, 0.5)  # noqa: E731
        path = projected_sgd(lambda t, x: np.sign(a[t] @ x - c[t]) * a[t], project(r.standard_normal(d)), lrs, project)  # noqa: B023
        own = np.abs((a * path[:-1]).sum(axis=1) - c).mean()
        rivals = project(r.standard_normal((200, d)))
        others = np.abs(rivals @ a.T - c).mean(axis=1)
        assert own - others.min() <= average_regret_bound(lrs) * (1 + 1e-12)


def test_constant_rates_attain_the_bound_in_fractions():
    for N in range(1, 9):
        for T in range(N, 40):
            eta, theta, total = Fraction(1, N), Fraction(1), Fraction(0)
            for _ in range(T):
                total += abs(theta)
                theta -= eta * (1 if theta > 0 else -1)
            bound = 1 / (2 * eta) + T * eta / 2
            assert total == bound - (Fraction(1, 2 * N) if (T - N) % 2 else 0)
            assert T * average_regret_bound([1 / N] * T) == pytest.approx(float(bound), rel=1e-14)


def test_the_bound_is_least_for_the_tuned_constant():
    for T in (1, 7, 100):
        best = average_regret_bound(learning_rates(T, scale=3 / 2), 3, 2)
        assert best == pytest.approx(6 / math.sqrt(T), rel=1e-14)
        for k in np.linspace(-3, 3, 13):
            found = average_regret_bound(learning_rates(T, scale=2**k), 1, 1)
            assert found == pytest.approx((2**k + 2**-k) / 2 / math.sqrt(T), rel=1e-14)
        for seed in range(50):
            lrs = np.sort(rng(seed).exponential(size=T))[::-1]
            assert average_regret_bound(lrs, 3, 2) >= best * (1 - 1e-14)


def test_rates_that_are_refused_or_tiny():
    tiny = average_regret_bound([3e-12, 2e-12, 1e-12])
    assert tiny == pytest.approx(1e12 / 6, rel=1e-14)
    for bad, message in (
        ([1e-12, 1.0000001e-12], "lrs must not increase, got 1.0000001e-12 after 1e-12"),
        ([0.5, 0.0], "lrs must be positive, got 0.0"),
        ([], "lrs must not be empty"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            average_regret_bound(bad)
    with pytest.raises(ValueError, match=r"^lrs, radius and grad_bound must broadcast in their leading axes"):
        average_regret_bound(np.ones((2, 3)), np.ones(3))
    with pytest.raises(ValueError, match=r"^radius must not be negative, got -1"):
        average_regret_bound([1.0], -1)


# --- schedules ---


def test_schedules_and_their_sums():
    for T in (1, 2, 9, 1000):
        constant, anytime, linear = (learning_rates(T, kind, 2.0) for kind in ("constant", "anytime", "linear"))
        assert constant.sum() == pytest.approx(2 * math.sqrt(T), rel=1e-14)
        assert linear.sum() == pytest.approx(math.sqrt(T), rel=1e-13)
        assert anytime.sum() <= 2 * (2 * math.sqrt(T) - 1) * (1 + 1e-14)
        np.testing.assert_array_equal(anytime[: T // 2], learning_rates(max(T // 2, 1), "anytime", 2.0)[: T // 2])
    with mpmath.workdps(30):
        exact = mpmath.nsum(lambda t: 1 / mpmath.sqrt(t), [1, 1000])
    assert learning_rates(1000, "anytime").sum() == pytest.approx(float(exact), rel=1e-14)
    with pytest.raises(ValueError, match=r"^kind must be one of 'constant', 'anytime', 'linear', got 'cosine'"):
        learning_rates(3, "cosine")


def test_refined_rates_by_their_formula():
    G = rng(9).exponential(size=(4, 12)) + 0.1
    found = refined_rates(G, 1.5)
    for row, norms in zip(found, G, strict=True):
        Q = [sum(g**-2 for g in norms[: t + 1]) for t in range(12)]
        expected = [1.5 * g**-2 / math.sqrt(Q[-1]) * (1 - q / Q[-1]) for g, q in zip(norms, Q, strict=True)]
        np.testing.assert_allclose(row, expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(row, refined_rates(norms, 1.5))
    assert (found[:, -1] == 0).all()
    np.testing.assert_allclose(refined_rates(1e200 * G, 1.5), 1e-200 * found, rtol=1e-12)
    flat = refined_rates(np.full(8, 2.0), 3.0)
    np.testing.assert_allclose(flat, 1.5 / math.sqrt(8) * (1 - np.arange(1, 9) / 8), rtol=1e-14, atol=1e-16)
    with pytest.raises(ValueError, match=r"^grad_norms must be positive, got 0"):
        refined_rates([1.0, 0.0])


# --- the last point ---


def test_the_last_bound_by_its_double_sum():
    for T in (1, 2, 7):
        lrs, G = rng(T).uniform(0.1, 1, (2, T))
        total = (4 + (lrs**2 * G**2).sum()) / (2 * lrs.sum())
        for k in range(T - 1):
            share = 1 / lrs[k + 1 :].sum() - 1 / lrs[k:].sum()
            total += share * (lrs[k:] ** 2 * G[k:] ** 2).sum() / 2
        assert last_iterate_bound(lrs, 2.0, G) == pytest.approx(total, rel=1e-13)
    H = sum(1 / k for k in range(1, 1000))
    assert last_iterate_bound(learning_rates(1000)) * math.sqrt(1000) == pytest.approx(1 + H / 2, rel=1e-12)
    assert last_iterate_bound(learning_rates(1000, "linear")) * math.sqrt(1000) == pytest.approx(2.0060, abs=5e-5)
    batch = rng(1).uniform(0.1, 1, (3, 5))
    np.testing.assert_array_equal(last_iterate_bound(batch), [last_iterate_bound(row) for row in batch])
    with pytest.raises(ValueError, match=r"^grad_norms must broadcast to shape \(2,\), got shape \(3,\)"):
        last_iterate_bound([1.0, 1.0], 1.0, [1.0, 1.0, 1.0])


def test_no_last_loss_exceeds_its_bound():
    for seed in range(40):
        r = rng(seed)
        T = int(r.integers(1, 40))
        lrs, A = r.uniform(0.01, 0.5, T), r.standard_normal((5, 3))
        A /= np.linalg.norm(A, axis=1, keepdims=True)
        start = r.standard_normal(3)
        start /= np.linalg.norm(start)
        path = projected_sgd(lambda t, x: A[(A @ x).argmax()] * ((A @ x).max() > 0), start, lrs)  # noqa: B023
        assert max((A @ path[T - 1]).max(), 0) <= last_iterate_bound(lrs) * (1 + 1e-12)


# --- coins ---


def test_coins_by_enumeration_and_in_thirty_digits():
    for T in range(1, 13):
        mean = np.mean([abs(sum(x)) for x in itertools.product((-1, 1), repeat=T)])
        assert coin_flip_regret(T, 2) == pytest.approx(mean / T, rel=1e-14)
    with mpmath.workdps(30):
        for T in (1, 126, 127, 128, 129, 1000, 10**6, 10**15):
            k = T // 2
            exact = mpmath.gammaprod([2 * k + 1], [k + 1, k + 1]) / mpmath.mpf(4) ** k / 2 if k < 10**6 else None
            if exact is None:
                exact = (1 - mpmath.mpf(1) / (8 * k)) / mpmath.sqrt(mpmath.pi * k) / 2
            assert abs(float(coin_flip_regret(T) / exact) - 1) < 4e-15
    assert coin_flip_regret(2**62) == pytest.approx(2.0**-31 / np.sqrt(2 * np.pi), rel=1e-14)
    np.testing.assert_array_equal(coin_flip_regret([[3, 200]]), [[coin_flip_regret(3), coin_flip_regret(200)]])
    with pytest.raises(ValueError, match=r"^T must be at least 1, got 0"):
        coin_flip_regret(0)


def test_what_is_no_function_is_refused_by_name():
    with pytest.raises(TypeError, match=r"^project must be a function, got 3$"):
        projected_sgd(lambda t, x: x, [1.0], [1.0], 3)
    with pytest.raises(TypeError, match=r"^grad must be a function, got 3$"):
        projected_sgd(3, [1.0], [1.0])


def test_a_distance_that_overflows_is_refused():
    with pytest.raises(ValueError, match=r"^theta and center must keep the result finite, got inf"):
        project_ball([1.7e308, 1.7e308])

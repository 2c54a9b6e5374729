import importlib
import itertools
from functools import partial

import numpy as np
import pytest
from oracles import oracles

mpmath, scipy = oracles("mpmath", "scipy")

# the shelf's functions hide modules of the same name
entmax = importlib.import_module("kexue_core.attention.entmax")
simplex = importlib.import_module("kexue_core.attention.simplex")

MAPS = {
    "softmax": simplex.softmax,
    "taylor_softmax": partial(simplex.taylor_softmax, order=4),
    "sparse_softmax": partial(simplex.sparse_softmax, k=3),
    "sparsemax": entmax.sparsemax,
    "entmax_1": partial(entmax.entmax, alpha=1),
    "entmax_1.2": partial(entmax.entmax, alpha=1.2),
    "entmax_1.5": entmax.entmax,
    "entmax_3": partial(entmax.entmax, alpha=3),
}
REDUCED = {
    "logsumexp": simplex.logsumexp,
    "loss": lambda x, **kwargs: entmax.entmax_loss(x, 1, **kwargs),
    "support_size": entmax.support_size,
}
ALPHAS = (1.0, 1 + 1e-9, 1.05, 1.33, 1.5, 1.8, 2.0, 2.4, 4.0)
every_map = pytest.mark.parametrize("f", MAPS.values(), ids=MAPS.keys())
shift_invariant_map = pytest.mark.parametrize(
    "f", [f for name, f in MAPS.items() if name != "taylor_softmax"], ids=[n for n in MAPS if n != "taylor_softmax"]
)
every_alpha = pytest.mark.parametrize("alpha", ALPHAS)


def logits(*shape, spread=1.5, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * spread


def entmax_by_mpmath(x, alpha):
    """Bisection for lambda with 90 digits: at alpha 30 a probability of 0.05 is a gap of 1e-37 to lambda."""
    with mpmath.workdps(90):
        beta = mpmath.mpf(alpha) - 1
        z = [beta * mpmath.mpf(float(v)) for v in x]

        def p(lam):
            return [max(v - lam, mpmath.mpf(0)) ** (1 / beta) for v in z]

        low, high = max(z) - 1, max(z)
        for _ in range(290):
            middle = (low + high) / 2
            low, high = (middle, high) if sum(p(middle)) > 1 else (low, middle)
        return np.array([float(v) for v in p(low)])


def sparsemax_by_supports(x):
    """Try every support and keep the nearest feasible point."""
    best, distance = None, np.inf
    for size in range(1, len(x) + 1):
        for support in itertools.combinations(range(len(x)), size):
            p = np.zeros(len(x))
            kept = list(support)
            p[kept] = x[kept] - (x[kept].sum() - 1) / size
            if p.min() >= 0 and ((p - x) ** 2).sum() < distance:
                best, distance = p, ((p - x) ** 2).sum()
    return best


def central_difference(f, x, step=1e-6):
    """Return df/dx with the axis of x last."""
    return np.stack([(f(x + e) - f(x - e)) / (2 * step) for e in step * np.eye(len(x))], axis=-1)


# --- values ---


@pytest.mark.parametrize("axis", [0, 1, -2, -1])
@pytest.mark.parametrize("tau", [0.3, 1.0, 7.0])
def test_softmax_and_logsumexp_agree_with_scipy(axis, tau):
    x = logits(4, 5, 6, spread=20)
    np.testing.assert_allclose(simplex.softmax(x, axis=axis, tau=tau), scipy.special.softmax(x / tau, axis), rtol=1e-12)
    expected = tau * scipy.special.logsumexp(x / tau, axis)
    np.testing.assert_allclose(simplex.logsumexp(x, axis=axis, tau=tau), expected, rtol=1e-14)


def test_logsumexp_keeps_a_sum_just_above_one():
    assert simplex.logsumexp([0.0, -40.0]) == pytest.approx(np.exp(-40.0), rel=1e-14, abs=0)


@pytest.mark.parametrize("order", [2, 4, 10, 30, 60, 100])
def test_taylor_softmax_is_the_quotient_of_exact_taylor_sums(order):
    x = np.array([-45.0, -12.3, -1.0, 0.0, 0.5, 8.0, 8.5])
    with mpmath.workdps(80):
        f = [sum(mpmath.mpf(float(v)) ** m / mpmath.factorial(m) for m in range(order + 1)) for v in x]
        expected = [float(v / sum(f)) for v in f]
    np.testing.assert_allclose(simplex.taylor_softmax(x, order), expected, rtol=1e-12)


def test_taylor_softmax_can_give_the_worst_logit_the_most_mass():
    np.testing.assert_allclose(simplex.taylor_softmax([1, 0, -4]), np.array([2.5, 1, 5]) / 8.5, rtol=1e-14)


def test_taylor_softmax_does_not_overflow():
    p = simplex.taylor_softmax([1e200, -1e200, 0.0], 10)
    np.testing.assert_allclose(p, [0.5, 0.5, 0], atol=1e-15)
    np.testing.assert_allclose(simplex.taylor_softmax([2.0, 1.0], tau=1e-300), [0.8, 0.2], atol=1e-15)


def test_sparse_softmax_is_the_softmax_of_the_logits_above_the_rest():
    x = logits(50, 8)
    expected = scipy.special.softmax(np.where(x >= np.sort(x, -1)[:, [-3]], x, -np.inf), -1)
    np.testing.assert_allclose(simplex.sparse_softmax(x, 3), expected, rtol=1e-14)


def test_sparse_softmax_of_all_logits_is_softmax_and_of_one_is_the_first_maximum():
    x = logits(20, 6)
    np.testing.assert_allclose(simplex.sparse_softmax(x, 6), simplex.softmax(x), rtol=1e-14)
    np.testing.assert_array_equal(simplex.sparse_softmax([1, 3, 3, 0], 1), [0, 1, 0, 0])


def test_sparsemax_is_the_best_of_all_supports():
    for spread in (0.1, 0.7, 3):
        for x in logits(10, 6, spread=spread):
            np.testing.assert_allclose(entmax.sparsemax(x), sparsemax_by_supports(x), atol=1e-14)


def test_sparsemax_is_the_projection_found_by_a_quadratic_programme():
    for x in logits(5, 6):
        found = scipy.optimize.minimize(
            lambda p, x=x: ((p - x) ** 2).sum(),
            np.full(6, 1 / 6),
            method="SLSQP",
            bounds=[(0, 1)] * 6,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(entmax.sparsemax(x), found.x, atol=1e-6)


@pytest.mark.parametrize("alpha", [1.001, 1.05, 1.33, 1.5, 1.9, 2.0, 2.4, 4.0, 30.0])
@pytest.mark.parametrize("spread", [0.01, 0.5, 5])
def test_entmax_agrees_with_bisection_in_ninety_digits(alpha, spread):
    for x in logits(3, 7, spread=spread):
        np.testing.assert_allclose(entmax.entmax(x, alpha), entmax_by_mpmath(x, alpha), rtol=1e-10, atol=2e-14)


def test_entmax_reproduces_the_published_readme_values():
    np.testing.assert_allclose(entmax.entmax([-2, 0, 0.5]), [0, 0.32600736, 0.67399264], atol=5e-9)
    np.testing.assert_allclose(entmax.entmax([-1, 0, 0.5], 1.33), [0.0460, 0.3276, 0.6264], atol=5e-5)
    np.testing.assert_allclose(entmax.sparsemax([-2, 0, 0.5]), [0, 0.25, 0.75], atol=1e-15)


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2, 3])
def test_entmax_maximises_the_regularised_score_over_the_simplex(alpha):
    x = logits(6)
    score = lambda p: p @ x + (p - p**alpha).sum(-1) / (alpha * (alpha - 1))  # noqa: E731
    others = np.random.default_rng(1).dirichlet(np.full(6, 0.5), size=1000)
    p = entmax.entmax(x, alpha)
    assert score(p) > score(others).max()
    assert (score(p) >= score(p + 1e-3 * (others - p))).all()


def test_the_newton_solution_joins_the_closed_forms():
    x = logits(200, 30, spread=0.4)
    for alpha, side in itertools.product((1.5, 2.0), (-1, 1)):
        np.testing.assert_allclose(entmax.entmax(x, alpha + side * 1e-13), entmax.entmax(x, alpha), atol=1e-12)


@pytest.mark.parametrize("beta", [1e-3, 1e-6, 1e-9, 1e-12, 2.3e-16])
def test_entmax_tends_to_softmax_linearly_in_beta(beta):
    x = logits(50, 20)
    assert np.abs(entmax.entmax(x, 1 + beta) - simplex.softmax(x)).max() < 2 * beta + 1e-15


@pytest.mark.parametrize("alpha", [1.5, 1.7, 2.0, 3.0])
def test_entmax_becomes_one_hot_exactly_at_the_gap_rule(alpha):
    gap = 1 / (alpha - 1)
    assert entmax.support_size([gap * 1.0001, 0.0, -1.0], alpha) == 1
    assert entmax.support_size([gap * 0.9999, 0.0, -1.0], alpha) == 2
    np.testing.assert_allclose(entmax.entmax([gap, 0.0], alpha), [1, 0], atol=1e-12)


def test_support_size_counts_the_positive_probabilities():
    for alpha, spread in itertools.product((1.2, 1.5, 2, 3, 9), (0.1, 1, 10)):
        x = logits(500, 11, spread=spread, seed=2)
        np.testing.assert_array_equal(entmax.support_size(x, alpha), (entmax.entmax(x, alpha) > 0).sum(-1))


def test_support_size_is_the_two_sided_rule_of_the_article():
    for spread in (0.1, 1, 10):
        for x in logits(100, 9, spread=spread, seed=3):
            z = np.append(np.sort(x / 2)[::-1], -np.inf)
            k = np.arange(1, 10)
            mean = np.cumsum(z[:-1]) / k
            variance = np.array([z[:i].var() for i in k])
            lam = mean - np.sqrt(np.maximum(1 / k - variance, 0))
            np.testing.assert_array_equal(k[(z[:-1] >= lam) & (lam >= z[1:])], [entmax.support_size(x)])


# --- derivatives and losses ---


@every_alpha
@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_jacobian_is_the_finite_difference_of_entmax(alpha, tau):
    for x in logits(5, 6, seed=4):
        expected = central_difference(partial(entmax.entmax, alpha=alpha, tau=tau), x)
        np.testing.assert_allclose(entmax.entmax_jacobian(x, alpha, tau=tau), expected, atol=2e-8)


@every_alpha
def test_jacobian_is_symmetric_with_rows_that_sum_to_zero(alpha):
    J = entmax.entmax_jacobian(logits(30, 7), alpha)
    np.testing.assert_allclose(J, np.swapaxes(J, -1, -2), rtol=1e-13)
    np.testing.assert_allclose(J.sum(-1), 0, atol=1e-14)
    assert np.linalg.eigvalsh(J).min() > -1e-12


def test_half_the_absolute_jacobian_is_gini_for_softmax_and_support_less_one_for_sparsemax():
    x = logits(40, 8)
    half = lambda alpha: np.abs(entmax.entmax_jacobian(x, alpha)).sum((-1, -2)) / 2  # noqa: E731
    np.testing.assert_allclose(half(1), 1 - (simplex.softmax(x) ** 2).sum(-1), rtol=1e-12)
    np.testing.assert_allclose(half(2), entmax.support_size(x, 2) - 1, atol=1e-12)


def test_jacobian_of_a_saturated_softmax_does_not_cancel():
    assert entmax.entmax_jacobian([50.0, 0.0], 1)[0, 0] == pytest.approx(np.exp(-50.0), rel=1e-12, abs=0)


def test_jacobian_near_the_largest_double_is_right_or_refused():
    assert entmax.entmax_jacobian([0.0, 0.0], 1000.0)[0, 0] == pytest.approx(2.0**997, rel=1e-12)
    np.testing.assert_array_equal(entmax.entmax_jacobian([1.0, 0.0], 5000.0), 0)
    with pytest.raises(ValueError, match=r"^x and alpha must keep the result finite, got alpha 5000"):
        entmax.entmax_jacobian([0.0, 0.0], 5000.0)


def test_jacobian_moves_the_axis_to_the_end():
    x = logits(5, 3)
    np.testing.assert_array_equal(entmax.entmax_jacobian(x, axis=0), entmax.entmax_jacobian(x.T))


@every_alpha
@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_gradient_of_the_loss_is_probability_minus_onehot(alpha, tau):
    for t, x in enumerate(logits(5, 6, seed=5)):
        gradient = central_difference(lambda x, t=t: entmax.entmax_loss(x, t, alpha, tau=tau), x)
        np.testing.assert_allclose(gradient, entmax.entmax(x, alpha, tau=tau) - np.eye(6)[t], atol=2e-8)


def test_loss_of_alpha_one_is_cross_entropy_with_relative_accuracy():
    x = logits(20, 5)
    t = np.arange(20) % 5
    np.testing.assert_allclose(entmax.entmax_loss(x, t, 1), -scipy.special.log_softmax(x, -1)[np.arange(20), t])
    assert entmax.entmax_loss([45.0, 0.0], 0, 1) == pytest.approx(np.exp(-45.0), rel=1e-12, abs=0)


def test_loss_of_alpha_two_is_the_sparsemax_loss_of_the_article():
    for t, x in enumerate(logits(6, 6)):
        p = entmax.sparsemax(x)
        kept = p > 0
        lam = (x[kept].sum() - 1) / kept.sum()
        expected = 0.5 - x[t] + (x[kept] ** 2 - lam**2).sum() / 2
        assert entmax.entmax_loss(x, t, 2) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2, 3])
def test_loss_is_convex_nonnegative_and_zero_exactly_from_the_margin_on(alpha):
    x, y = logits(2, 300, 5)
    both = (entmax.entmax_loss(x, 2, alpha) + entmax.entmax_loss(y, 2, alpha)) / 2
    assert (entmax.entmax_loss((x + y) / 2, 2, alpha) <= both + 1e-14).all()
    assert entmax.entmax_loss(x, 2, alpha).min() >= 0
    margin = 1 / (alpha - 1)
    assert entmax.entmax_loss([margin * 1.001, 0, -1], 0, alpha) == 0
    assert entmax.entmax_loss([margin * 0.99, 0, -1], 0, alpha) > 0


def test_loss_is_continuous_at_alpha_one():
    x = logits(30, 6)
    np.testing.assert_allclose(entmax.entmax_loss(x, 3, 1 + 1e-12), entmax.entmax_loss(x, 3, 1), atol=1e-11)


def test_loss_of_an_impossible_target_is_infinite_only_for_that_target():
    for alpha in (1, 1.5, 2, 3):
        np.testing.assert_array_equal(
            np.isinf(entmax.entmax_loss([[0, -np.inf, 1]] * 3, [0, 1, 2], alpha)), [False, True, False]
        )


# --- properties of the whole family ---


@every_map
@pytest.mark.parametrize("tau", [0.2, 1.0, 5.0])
def test_every_map_gives_probabilities_and_scales_by_tau(f, tau):
    x = logits(100, 9)
    p = f(x, tau=tau)
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-14)
    assert p.min() >= 0
    np.testing.assert_allclose(p, f(x / tau), rtol=1e-10, atol=1e-14)


@shift_invariant_map
def test_every_other_map_keeps_the_order_and_ignores_a_shift(f):
    x = np.sort(logits(100, 9), axis=-1)
    p = f(x)
    assert (np.diff(p, axis=-1) >= 0).all()
    np.testing.assert_allclose(f(np.round(x, 6) + 2**20), f(np.round(x, 6)), atol=1e-8)
    np.testing.assert_allclose(f(np.round(x) + 2.0**50), f(np.round(x)), rtol=1e-14)


@shift_invariant_map
def test_every_other_map_tends_to_argmax_for_low_and_to_uniform_for_high_temperature(f):
    x = logits(20, 3)
    np.testing.assert_allclose(f(x, tau=1e-4), np.eye(3)[x.argmax(-1)], atol=1e-15)
    np.testing.assert_allclose(f(x, tau=1e-320 * 1e20), np.eye(3)[x.argmax(-1)], atol=1e-15)
    np.testing.assert_allclose(f(x, tau=1e9), 1 / 3, atol=1e-8)


@shift_invariant_map
def test_minus_infinity_gets_no_probability_and_changes_nothing_else(f):
    p = f([[0.3, -np.inf, 0.1, -np.inf, -0.5]])[0]
    np.testing.assert_array_equal(p[[1, 3]], 0)
    np.testing.assert_allclose(p[[0, 2, 4]], f([0.3, 0.1, -0.5]), rtol=1e-14)
    np.testing.assert_array_equal(f([-np.inf, -1e308, 1e308, 0]), [0, 0, 1, 0])


@every_map
def test_equal_logits_and_a_single_logit_are_no_special_case(f):
    if f is not MAPS["sparse_softmax"]:
        np.testing.assert_allclose(f(np.full((2, 7), 0.4)), 1 / 7, rtol=1e-14)
        np.testing.assert_array_equal(f([[4.0], [-4.0]]), [[1], [1]])


@pytest.mark.parametrize("f", [*MAPS.values(), *REDUCED.values()], ids=[*MAPS, *REDUCED])
@pytest.mark.parametrize("axis", [0, 1, -2, 2])
def test_a_batch_equals_a_loop_over_every_axis(f, axis):
    x = logits(4, 5, 6)
    looped = np.apply_along_axis(f, axis, x)
    np.testing.assert_allclose(f(x, axis=axis), looped, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("f", [*MAPS.values(), *REDUCED.values()], ids=[*MAPS, *REDUCED])
def test_inputs_are_left_alone_and_integers_and_lists_are_taken(f):
    x = logits(3, 4)
    kept = x.copy()
    f(x)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(f([[3, 1, 2, 2]]), f(np.array([[3.0, 1.0, 2.0, 2.0]])))


def test_targets_are_broadcast_along_any_axis():
    x = logits(4, 3)
    t = np.array([0, 3, 1])
    expected = [entmax.entmax_loss(x[:, j], t[j]) for j in range(3)]
    np.testing.assert_allclose(entmax.entmax_loss(x, t, axis=0), expected, rtol=1e-14)
    np.testing.assert_array_equal(entmax.entmax_loss(x, 2, axis=0), entmax.entmax_loss(x, [2, 2, 2], axis=0))


@pytest.mark.parametrize("alpha", [1 + 1e-12, 1.1, 1.75, 1.9999999, 2.0000001, 3, 20, 500])
def test_entmax_stays_exact_next_to_every_border_of_support(alpha):
    gap = 1 / (alpha - 1)
    for second in (gap, gap * (1 - 1e-15), gap * (1 + 1e-15), 1e-300, 0.0):
        p = entmax.entmax([0.0, -second, -2 * gap - 1], alpha)
        J = entmax.entmax_jacobian([0.0, -second, -2 * gap - 1], alpha)
        assert p.sum() == pytest.approx(1, abs=1e-14)
        assert np.isfinite(J).all()


# --- bad input ---


@pytest.mark.parametrize("f", [*MAPS.values(), *REDUCED.values(), entmax.entmax_jacobian])
@pytest.mark.parametrize(
    ("x", "options", "error", "match"),
    [
        ([0.0, np.nan, 1.0], {}, ValueError, r"^x must not contain NaN, got 1"),
        ([0.0, np.inf, 1.0], {}, ValueError, r"^x must .*finite.*, got inf"),
        ([[0.0] * 3, [-np.inf] * 3], {}, ValueError, r"^x must .*finite.*, got -inf"),
        (np.zeros((3, 0)), {}, ValueError, r"^x must not be empty along the axis -1, got length 0"),
        (1.0, {}, ValueError, r"^x must have at least 1 axis, got shape"),
        (["a"], {}, TypeError, r"^x must be an array of real numbers, got"),
        ([1.0, 2, 3], {"tau": 0}, ValueError, r"^tau must be positive, got 0"),
        ([1.0, 2, 3], {"tau": -1.0}, ValueError, r"^tau must be positive, got -1"),
        ([1.0, 2, 3], {"tau": np.nan}, ValueError, r"^tau must be finite, got nan"),
        ([1.0, 2, 3], {"axis": 1}, ValueError, r"^axis must be at most 0, got 1"),
        ([1.0, 2, 3], {"axis": -2}, ValueError, r"^axis must be at least -1, got -2"),
    ],
)
def test_bad_logits_temperature_and_axis_are_named(f, x, options, error, match):
    with pytest.raises(error, match=match):
        f(x, **options)


@pytest.mark.parametrize("f", [entmax.entmax, entmax.entmax_jacobian, entmax.support_size])
def test_alpha_below_one_or_not_finite_is_named(f):
    for alpha in (0.99, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"^alpha must be (finite|at least 1), got "):
            f([1.0, 2.0], alpha)
    with pytest.raises(TypeError, match=r"^alpha must be a real number, got '2'"):
        f([1.0, 2.0], "2")


@pytest.mark.parametrize(("order", "error"), [(3, ValueError), (0, ValueError), (102, ValueError), (2.0, TypeError)])
def test_a_bad_taylor_order_is_named(order, error):
    with pytest.raises(error, match=rf"^order must be .*, got {order}"):
        simplex.taylor_softmax([1.0, 2.0], order)


@pytest.mark.parametrize(("k", "error"), [(0, ValueError), (3, ValueError), (1.0, TypeError), (True, TypeError)])
def test_a_bad_k_is_named(k, error):
    with pytest.raises(error, match=rf"^k must be .*, got {k}"):
        simplex.sparse_softmax([1.0, 2.0], k)


@pytest.mark.parametrize(
    ("t", "error", "match"),
    [
        (2, ValueError, r"^t must lie in \[0, 1\], got 2"),
        (-1, ValueError, r"^t must lie in \[0, 1\], got -1"),
        (0.0, TypeError, r"^t must be an array of integers, got 0.0"),
        ([0, 1, 0], ValueError, r"^t must broadcast to shape \(2,\), got shape \(3,\)"),
    ],
)
def test_a_bad_target_is_named(t, error, match):
    with pytest.raises(error, match=match):
        entmax.entmax_loss(np.zeros((2, 2)), t)

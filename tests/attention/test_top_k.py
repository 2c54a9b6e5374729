import importlib
import itertools
from functools import partial

import numpy as np
import pytest
from oracles import oracles

from kexue_core.attention import softmax

mpmath, scipy = oracles("mpmath", "scipy")
top_k = importlib.import_module("kexue_core.attention.top_k")

LINKS = ("sigmoid", "laplace", "minexp", "clip")
every_link = pytest.mark.parametrize("link", LINKS)
MAPS = {"subsets": top_k.grad_top_k, **{link: partial(top_k.threshold_top_k, link=link) for link in LINKS}}
every_map = pytest.mark.parametrize("f", MAPS.values(), ids=MAPS.keys())


def scores(*shape, spread=2.0, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * spread


def by_enumeration(x, k):
    """Return inclusion probabilities and log Z of one vector over all subsets, with 50 digits."""
    with mpmath.workdps(50):
        w = [mpmath.exp(mpmath.mpf(float(v))) for v in x]
        total, inside = mpmath.mpf(0), [mpmath.mpf(0)] * len(x)
        for subset in itertools.combinations(range(len(x)), k):
            weight = mpmath.fprod(w[i] for i in subset)
            total += weight
            for i in subset:
                inside[i] += weight
        return np.array([float(v / total) for v in inside]), float(mpmath.log(total))


def level_by_halving(x, k, link):
    """Return the level of one vector with 300 digits."""
    with mpmath.workdps(300):
        e, one = mpmath.exp, mpmath.mpf(1)
        f = {
            "sigmoid": lambda v: 1 / (1 + e(-v)),
            "laplace": lambda v: 1 - e(-v) / 2 if v >= 0 else e(v) / 2,
            "minexp": lambda v: min(one, e(v)),
            "clip": lambda v: min(max(v, 0 * one), one),
        }[link]
        x = [mpmath.mpf(float(v)) for v in x]
        low, high = min(x) - 50, max(x) + 50
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if sum(f(v - middle) for v in x) > k else (low, middle)
        return float(low), np.array([float(f(v - low)) for v in x])


# --- values ---


@pytest.mark.parametrize("spread", [0.1, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("k", [0, 1, 2, 5, 8, 9])
def test_subsets_are_those_of_an_enumeration(k, spread):
    x = scores(9, spread=spread, seed=k)
    p, log_z = by_enumeration(x, k)
    np.testing.assert_allclose(top_k.grad_top_k(x, k), p, rtol=1e-12, atol=0)
    assert top_k.log_subset_sum(x, k) == pytest.approx(log_z, rel=1e-13, abs=1e-12)


def test_the_relative_error_is_below_what_the_docstring_says():
    worst = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 10))
        k = int(rng.integers(1, n + 1))
        x = scores(n, spread=10.0 ** rng.uniform(-2, 3), seed=seed)
        p, _ = by_enumeration(x, k)
        largest = np.sort(x)[::-1][:k]
        seen = p > 1e-290
        bound = 1e-15 * (n - np.log(p[seen]) + (largest - largest[-1]).sum())
        worst = max(worst, (np.abs(top_k.grad_top_k(x, k)[seen] / p[seen] - 1) / bound).max())
    assert 0.01 < worst < 1


def test_subsets_are_conditional_poisson_sampling():
    x, rng = scores(6, spread=1.0, seed=3), np.random.default_rng(4)
    draws = rng.random((200_000, 6)) < scipy.special.expit(x)
    kept = draws[draws.sum(axis=1) == 3]
    error = np.sqrt(0.25 / len(kept))
    assert np.abs(kept.mean(axis=0) - top_k.grad_top_k(x, 3)).max() < 4 * error


@every_link
@pytest.mark.parametrize("spread", [0.01, 1.0, 10.0, 150.0])
def test_levels_are_right_to_twelve_digits(link, spread):
    for n, k in [(2, 1), (2, 0.3), (5, 1), (5, 3), (5, 4.75), (9, 4), (9, 8), (9, 2.5)]:
        x = scores(n, spread=spread, seed=n)
        lam, p = level_by_halving(x, k, link)
        if link != "clip" or k != int(k):  # else there may be an interval of levels
            assert abs(top_k.top_k_threshold(x, k, link) - lam) < 1e-12 * max(1, np.abs(x).max())
        np.testing.assert_allclose(top_k.threshold_top_k(x, k, link), p, rtol=0, atol=1e-12)


def test_levels_agree_with_a_root_finder_of_scipy():
    x = scores(40, seed=1)
    for k in (1, 7, 20.5, 39):
        root = scipy.optimize.brentq(lambda lam, k=k: scipy.special.expit(x - lam).sum() - k, -30, 30, xtol=1e-14)
        assert abs(top_k.top_k_threshold(x, k) - root) < 1e-12


def test_examples_of_the_article_and_of_entmax():
    np.testing.assert_array_equal(top_k.threshold_top_k([3, 2, 1, 4], 2, "clip", tau=0.1), [1, 0, 0, 1])
    np.testing.assert_allclose(top_k.threshold_top_k([-2, 0, 0.5], 2, "clip"), [0, 1, 1])
    np.testing.assert_allclose(
        top_k.threshold_top_k([1.2, 1, 0.9, 0.3, 0.1], 3, "clip"), [1, 0.925, 0.825, 0.225, 0.025], atol=1e-14
    )


def test_clip_leaves_the_middle_of_the_interval_of_levels():
    assert top_k.top_k_threshold([3.0, 0.0], 1, "clip") == 1.0


def test_laplace_needs_the_case_in_which_all_are_above_the_level():
    x = np.array([1.0, 0.0, 0.0])
    lam = np.log(1 * 2 / np.exp(-x).sum())
    assert lam < 0
    assert top_k.top_k_threshold(x, 2, "laplace") == pytest.approx(lam, abs=1e-15)


@pytest.mark.parametrize("x", [[2.0, 1, 1, 0], [0.0, 0, 0, 0], [5.0, 5, 5, -40]])
@every_map
def test_equal_scores_get_equal_shares(f, x):
    p = f(np.array(x), 2)
    assert p.sum() == pytest.approx(2, abs=1e-14)
    assert all(p[i] == pytest.approx(p[j], abs=1e-14) for i in range(4) for j in range(4) if x[i] == x[j])


# --- iterations ---


def test_iterations_start_with_softmax_and_sum_to_k():
    x = scores(30, 6)
    for rule in ("scores", "weights"):
        np.testing.assert_allclose(top_k.iterated_top_k(x, 1, rule), softmax(x), rtol=1e-14)
        np.testing.assert_allclose(top_k.iterated_top_k(x, 2, rule).sum(-1), 2, rtol=1e-13)


def test_iteration_by_weights_agrees_with_many_digits_and_tends_to_one_and_a_half():
    x = np.array([3, 2.5, 2, 1, 0, -1])
    for k in (2, 3, 4):
        for tau in (1.0, 0.1, 0.02):
            with mpmath.workdps(80):
                e = [mpmath.exp(mpmath.mpf(float(v)) / mpmath.mpf(tau)) for v in x]
                p = [mpmath.mpf(0)] * 6
                for _ in range(k):
                    q = [(1 - a) * b for a, b in zip(p, e, strict=True)]
                    p = [a + b / sum(q) for a, b in zip(p, q, strict=True)]
            found = top_k.iterated_top_k(x, k, "weights", tau=tau)
            np.testing.assert_allclose(found, [float(v) for v in p], rtol=1e-9, atol=1e-12)
        limit = np.r_[k - 0.5, 0.5, np.zeros(4)]
        np.testing.assert_allclose(top_k.iterated_top_k(x, k, "weights", tau=2e-4), limit, atol=1e-12)


def test_iteration_by_scores_breaks_its_bounds_and_its_order():
    p = top_k.iterated_top_k([5, 4, 0], 2)
    np.testing.assert_allclose(p, [0.89283, 1.05994, 0.04723], atol=1e-5)
    np.testing.assert_allclose(top_k.iterated_top_k([2, 1, 0], 3, tau=1e-3), [4 / 3, 4 / 3, 1 / 3], atol=1e-12)


# --- invariants and limits ---


@every_map
@pytest.mark.parametrize("spread", [0.3, 3.0, 1e4])
def test_a_smooth_choice_sums_to_k_lies_in_the_unit_interval_and_keeps_the_order(f, spread):
    for n, k in [(2, 1), (7, 3), (40, 39), (200, 20)]:
        x = scores(20, n, spread=spread, seed=n)
        p = f(x, k)
        np.testing.assert_allclose(p.sum(-1), k, rtol=1e-12 if spread < 10 else 1e-9)
        assert p.min() >= 0
        assert p.max() <= 1
        assert (np.diff(np.take_along_axis(p, x.argsort(-1), -1)) >= -1e-9).all()
        np.testing.assert_allclose(f(x + 7, k), p, atol=1e-9)


@every_map
def test_cold_scores_give_the_mask_and_the_ends_all_or_nothing(f):
    x = scores(30, 8)
    np.testing.assert_allclose(f(x, 3, tau=1e-6), top_k.top_k_mask(x, 3), atol=1e-12)
    np.testing.assert_array_equal(f(x, 0), 0)
    np.testing.assert_allclose(f(x, 8), 1, rtol=1e-14)


def test_one_of_n_is_softmax_for_subsets_and_minexp_and_for_laplace_below_one_half():
    x = scores(500, 6, spread=1.0)
    p = softmax(x)
    np.testing.assert_allclose(top_k.grad_top_k(x, 1), p, rtol=1e-13)
    np.testing.assert_allclose(top_k.threshold_top_k(x, 1, "minexp"), p, rtol=1e-13)
    same = np.abs(top_k.threshold_top_k(x, 1, "laplace") - p).max(-1) < 1e-12
    np.testing.assert_array_equal(same, p.max(-1) <= 0.5)


@pytest.mark.parametrize("name", ["subsets", "sigmoid", "laplace"])
def test_choosing_k_of_x_is_leaving_n_minus_k_of_minus_x(name):
    x = scores(20, 9)
    np.testing.assert_allclose(MAPS[name](x, 3), 1 - MAPS[name](-x, 6), atol=1e-13)


@every_map
def test_an_entry_at_minus_infinity_is_left_out(f):
    x = np.array([1.0, -np.inf, 0.5, -1.0, -np.inf])
    np.testing.assert_allclose(f(x, 2), np.insert(f(x[[0, 2, 3]], 2), [1, 3], 0), atol=1e-15)
    np.testing.assert_array_equal(f(np.array([[1.0, -np.inf, 0.5], [0.0, 0, 0]]), 2)[0], [1, 0, 1])


# --- gradients ---


@pytest.mark.parametrize("link", MAPS)
@pytest.mark.parametrize(("n", "k", "tau"), [(2, 1, 1.0), (7, 3, 1.0), (7, 6, 0.5), (12, 1, 2.0)])
def test_the_jacobian_is_that_of_finite_differences(link, n, k, tau):
    x, h = scores(n, spread=1.0, seed=n + k), 1e-6
    moves = h * np.eye(n)
    expected = (MAPS[link](x + moves, k, tau=tau) - MAPS[link](x - moves, k, tau=tau)).T / (2 * h)
    J = top_k.top_k_jacobian(x, k, link, tau=tau)
    np.testing.assert_allclose(J, expected, atol=1e-8)
    np.testing.assert_array_equal(J, J.T)
    np.testing.assert_allclose(J.sum(-1), 0, atol=1e-15)


def test_marginals_are_the_gradient_of_the_log_sum_of_subsets():
    x, h = scores(8), 1e-6
    moves = h * np.eye(8)
    slope = (top_k.log_subset_sum(x + moves, 3, tau=0.5) - top_k.log_subset_sum(x - moves, 3, tau=0.5)) / (2 * h)
    np.testing.assert_allclose(slope, top_k.grad_top_k(x, 3, tau=0.5), atol=1e-8)


# --- batches and doors ---


@pytest.mark.parametrize("link", MAPS)
def test_a_batch_is_a_loop_along_any_axis(link):
    x = scores(3, 5, 4)
    f = MAPS[link]
    np.testing.assert_allclose(f(x, 2), [[f(row, 2) for row in page] for page in x], atol=1e-14)
    np.testing.assert_array_equal(f(np.moveaxis(x, -1, 0), 2, axis=0), np.moveaxis(f(x, 2), -1, 0))
    J = top_k.top_k_jacobian(x, 2, link)
    np.testing.assert_allclose(J[1, 2], top_k.top_k_jacobian(x[1, 2], 2, link), atol=1e-14)


def test_a_sigmoid_level_is_found_however_far_the_scores_lie_apart():
    for lead, tau in ((1.0, 1e-80), (1e100, 1.0), (1e308, 1.0)):
        np.testing.assert_allclose(top_k.threshold_top_k([lead, 0.0, 0.0], 1.5, tau=tau), [1, 0.25, 0.25], rtol=1e-14)


def test_what_cannot_be_chosen_is_refused():
    x = [1.0, 2.0, 3.0]
    for f in (top_k.grad_top_k, top_k.log_subset_sum, top_k.threshold_top_k, top_k.top_k_jacobian):
        with pytest.raises(ValueError, match=r"^k must .*, got 4"):
            f(x, 4)
        with pytest.raises(ValueError, match=r"^k must .*, got -1"):
            f(x, -1)
        with pytest.raises(ValueError, match="finite entries in each slice, and one, got 1"):
            f([1.0, -np.inf], 2)
        with pytest.raises(ValueError, match=r"^tau must be positive, got 0"):
            f(x, 1, tau=0)
    with pytest.raises(TypeError, match=r"^k must be an integer, got 1\.5"):
        top_k.grad_top_k(x, 1.5)
    with pytest.raises(ValueError, match=r"^link must be one of"):
        top_k.threshold_top_k(x, 1, "tanh")
    with pytest.raises(ValueError, match=r"^rule must be one of"):
        top_k.iterated_top_k(x, 1, "both")
    for k in (0, 3):
        with pytest.raises(ValueError, match=r"^k must lie in \(0, 3\), got"):
            top_k.top_k_threshold(x, k)

import itertools
from functools import partial

import numpy as np
import pytest
from oracles import Oracle, oracles

from kexue_core.attention.perturb import permute_and_flip, perturb_max
from kexue_core.special import normal_cdf, normal_quantile

(scipy,) = oracles("scipy")

NOISES = {
    name: Oracle(f"scipy.stats.{law}")
    for name, law in [("gumbel", "gumbel_r"), ("normal", "norm"), ("exponential", "expon")]
}
MAPS = {**{name: partial(perturb_max, noise=name) for name in NOISES}, "permute_and_flip": permute_and_flip}
every_map = pytest.mark.parametrize("f", MAPS.values(), ids=MAPS.keys())


def logits(*shape, spread=1.5, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * spread


def permute_and_flip_by_orders(x):
    """Average over all orders of the probability that item i is the first accepted."""
    accept = np.exp(x - x.max())
    p = np.zeros(len(x))
    orders = list(itertools.permutations(range(len(x))))
    for order in orders:
        left = 1.0
        for i in order:
            p[i] += left * accept[i]
            left *= 1 - accept[i]
    return p / len(orders)


# --- values ---


@pytest.mark.parametrize("noise", NOISES)
def test_perturb_max_is_the_adaptive_quadrature_with_scipy_distributions(noise):
    law = NOISES[noise]
    for x in logits(2, 4):
        for i, p in enumerate(perturb_max(x, noise)):
            others = np.delete(x, i)
            integrand = lambda s, i=i, x=x, o=others: law.pdf(s - x[i]) * np.prod(law.cdf(s - o))  # noqa: E731
            expected, _ = scipy.integrate.quad(integrand, -12, 45, points=x, epsabs=1e-12, limit=400)
            assert p == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("noise", NOISES)
def test_perturb_max_is_the_frequency_of_the_noisy_argmax(noise):
    x = np.array([1.0, 0.4, 0.0, -1.5])
    samples = 200_000
    draws = x + NOISES[noise].rvs(size=(samples, 4), random_state=np.random.default_rng(6))
    frequency = np.bincount(draws.argmax(-1), minlength=4) / samples
    np.testing.assert_allclose(perturb_max(x, noise), frequency, atol=4 * np.sqrt(0.25 / samples))


def test_gumbel_noise_is_softmax():
    for n, spread in itertools.product((1, 2, 10, 1000), (0.1, 1, 8)):
        x = logits(3, n, spread=spread)
        np.testing.assert_allclose(perturb_max(x, "gumbel"), scipy.special.softmax(x, -1), rtol=1e-12, atol=1e-300)


def test_two_logits_have_the_closed_forms():
    gap = np.linspace(0, 12, 25)
    x = np.stack([gap, np.zeros_like(gap)], -1)
    tail = scipy.stats.norm.sf(gap / np.sqrt(2))
    np.testing.assert_allclose(perturb_max(x, "normal"), np.stack([1 - tail, tail], -1), rtol=1e-12)
    tail = np.exp(-gap) / 2
    for f in (MAPS["exponential"], permute_and_flip):
        np.testing.assert_allclose(f(x), np.stack([1 - tail, tail], -1), rtol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_permute_and_flip_and_exponential_noise_are_the_average_over_all_orders(n):
    for spread in (0, 0.3, 3):
        x = logits(n, spread=spread, seed=n)
        expected = permute_and_flip_by_orders(x)
        np.testing.assert_allclose(permute_and_flip(x), expected, rtol=1e-13)
        np.testing.assert_allclose(perturb_max(x, "exponential"), expected, rtol=1e-12)


@pytest.mark.parametrize(("n", "spread"), [(256, 0.01), (257, 0.01), (1000, 0.1), (3000, 0.01), (3000, 2)])
def test_permute_and_flip_keeps_its_digits_where_it_has_fewer_nodes_than_exactness_needs(n, spread):
    x = logits(n, spread=spread)
    full = perturb_max(x, "exponential", nodes=500)
    np.testing.assert_allclose(permute_and_flip(x), full, rtol=1e-11)


def test_permute_and_flip_never_gives_the_maximum_less_than_softmax():
    x = logits(200, 7)
    assert (permute_and_flip(x).max(-1) >= scipy.special.softmax(x, -1).max(-1)).all()


def test_more_nodes_change_perturb_max_until_it_has_converged():
    x = logits(10)
    exact = perturb_max(x, "normal", nodes=4000)
    error = [np.abs(perturb_max(x, "normal", nodes=nodes) - exact).max() for nodes in (10, 30, 60, 400)]
    assert error[0] > 1e-4
    assert np.all(np.diff(error) < 0)
    assert error[-1] < 1e-14


def test_the_default_nodes_suffice_for_a_thousand_logits():
    for noise, spread in itertools.product(("gumbel", "normal"), (0, 0.1, 1, 4)):
        x = logits(1000, spread=spread)
        assert np.abs(perturb_max(x, noise) - perturb_max(x, noise, nodes=1500)).max() < 1e-13


# --- properties of the family ---


@every_map
@pytest.mark.parametrize("tau", [0.2, 1.0, 5.0])
def test_every_map_gives_ordered_probabilities_that_ignore_a_shift(f, tau):
    x = np.sort(np.round(logits(50, 8), 3), axis=-1)
    p = f(x, tau=tau)
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-13)
    assert p.min() > 0
    assert np.diff(p, axis=-1).min() > -1e-15
    np.testing.assert_allclose(f(x + 1000, tau=tau), p, atol=1e-11)
    np.testing.assert_allclose(f(x / tau), p, rtol=1e-10, atol=1e-14)


@every_map
def test_every_map_tends_to_argmax_for_low_and_to_uniform_for_high_temperature(f):
    x = logits(20, 5)
    np.testing.assert_allclose(f(x, tau=1e-4), np.eye(5)[x.argmax(-1)], atol=1e-15)
    np.testing.assert_allclose(f(x, tau=1e-300), np.eye(5)[x.argmax(-1)], atol=1e-15)
    np.testing.assert_allclose(f(x, tau=1e9), 0.2, atol=1e-8)


@every_map
def test_minus_infinity_gets_no_probability_and_changes_nothing_else(f):
    p = f([0.3, -np.inf, 0.1, -0.5])
    assert p[1] == 0
    np.testing.assert_allclose(p[[0, 2, 3]], f([0.3, 0.1, -0.5]), rtol=1e-12)
    np.testing.assert_allclose(f([7.0]), [1])


@every_map
@pytest.mark.parametrize("axis", [0, 1, -2, 2])
def test_a_batch_equals_a_loop_over_every_axis(f, axis):
    x = logits(3, 4, 2)
    np.testing.assert_allclose(f(x, axis=axis), np.apply_along_axis(f, axis, x), rtol=1e-12)


@every_map
def test_inputs_are_left_alone(f):
    x = logits(3, 4)
    kept = x.copy()
    f(x)
    np.testing.assert_array_equal(x, kept)


# --- normal distribution ---


def test_a_uniform_grid_of_quantiles_is_the_article_s_slow_version_of_perturb_max():
    x = np.array([0.8, 0.0, -0.4])
    noise = normal_quantile((np.arange(2000) + 0.5) / 2000)
    slow = [np.prod([normal_cdf(x[i] - x[j] + noise) for j in range(3) if j != i], axis=0).mean() for i in range(3)]
    np.testing.assert_allclose(perturb_max(x, "normal"), slow, atol=1e-5)


# --- bad input ---


@every_map
@pytest.mark.parametrize(
    ("x", "options", "error", "match"),
    [
        ([0.0, np.nan], {}, ValueError, r"^x must not contain NaN, got 1"),
        ([0.0, np.inf], {}, ValueError, r"^x must have a finite maximum in each slice, got inf"),
        ([[0.0] * 2, [-np.inf] * 2], {}, ValueError, r"^x must have a finite maximum in each slice, got -inf"),
        ([], {}, ValueError, r"^x must not be empty along the axis"),
        (1.0, {}, ValueError, r"^x must have at least 1 axis, got shape"),
        ([1.0, 2.0], {"tau": 0}, ValueError, r"^tau must be positive, got 0"),
        ([1.0, 2.0], {"axis": 1}, ValueError, r"^axis must be at most 0, got 1"),
        ([1.0, 2.0], {"axis": 0.0}, TypeError, r"^axis must be an integer, got 0.0"),
    ],
)
def test_bad_logits_temperature_and_axis_are_named(f, x, options, error, match):
    with pytest.raises(error, match=match):
        f(x, **options)


def test_an_unknown_noise_is_answered_with_the_list():
    with pytest.raises(ValueError, match=r"^noise must be one of 'gumbel', 'normal', 'exponential', got 'cauchy'"):
        perturb_max([1.0, 2.0], "cauchy")


def test_too_few_nodes_are_named():
    with pytest.raises(ValueError, match=r"^nodes must be at least 1, got 0"):
        perturb_max([1.0, 2.0], nodes=0)
    with pytest.raises(ValueError, match=r"^nodes must be enough for 1000 logits, got 1, of which"):
        perturb_max(np.zeros(1000), nodes=1)

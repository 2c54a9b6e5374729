from functools import partial

import numpy as np
import pytest

from kexue_core.diffusion.ancestral import ancestral_sample, gaussian_chain_variance, reverse_noise
from kexue_core.diffusion.denoisers import denoise_gaussian, denoise_mixture
from kexue_core.diffusion.samplers import solve_diffusion_ode
from kexue_core.diffusion.schedules import edm_time_steps, schedule_from_betas
from kexue_core.diffusion.skip import best_skip, sample_tuned, skip_gain, skip_weights, tune_skip

METHODS = ("euler", "heun", "ancestral")
MIXTURE = partial(denoise_mixture, means=[[-1.0, 0.5], [1.0, -0.5]], stds=[0.3, 0.2])
X = np.random.default_rng(0).normal(0, 2, (5, 3, 2))


def to_zero(n):
    return np.r_[edm_time_steps(n), 0]


def chain(times):
    """Return the DDPM schedule whose noise levels are the times, the first of which is the last 0."""
    t = np.array(times)[::-1]
    return schedule_from_betas((t[1:] ** 2 - t[:-1] ** 2) / (1 + t[1:] ** 2))


# --- the rule ---


def test_the_factors_lead_in_equal_steps_from_the_deepest_skip_to_the_outermost():
    rho = skip_weights(5, 0.75, 1.25)
    assert (rho[0], rho[-1], len(rho)) == (0.75, 1.25, 6)
    np.testing.assert_allclose(np.diff(rho), 0.1, rtol=1e-14)
    np.testing.assert_array_equal(skip_weights(0, 0.5), [0.5])
    np.testing.assert_array_equal(skip_weights(3, 1.0), np.ones(4))


# --- tuned denoisers ---


def test_a_tuned_denoiser_is_its_linear_part_and_the_rest_each_with_its_factor():
    t, std, mean = 0.7, np.array([1.2, 0.4]), np.array([0.3, -0.1])
    options = {"denoise": MIXTURE, "std": std, "mean": mean}
    c_skip = std**2 / (std**2 + t**2)
    rest = MIXTURE(X, t) - mean - c_skip * (X - mean)
    for rho, backbone in ((1.0, 1.0), (0.5, 1.0), (1.0, 0.0), (1.3, 0.7)):
        expected = mean + rho * c_skip * (X - mean) + backbone * rest
        np.testing.assert_allclose(tune_skip(X, t, rho=rho, backbone=backbone, **options), expected, atol=1e-14)


def test_on_gaussian_data_nothing_is_left_beside_the_skip():
    exact = denoise_gaussian(X, 0.5, std=0.8)
    gaussian = partial(denoise_gaussian, std=0.8)
    for backbone in (0.0, 1.0, 5.0):
        tuned = tune_skip(X, 0.5, denoise=gaussian, std=0.8, rho=0.9, backbone=backbone)
        np.testing.assert_allclose(tuned, 0.9 * exact, rtol=1e-14)


def test_many_factors_at_once_are_the_loop_over_them():
    rho, backbone = np.array([0.9, 1.0, 1.1]), np.array([[0.5]] * 5)
    together = tune_skip(X, 0.5, denoise=MIXTURE, std=1.0, rho=rho, backbone=backbone)
    for i, r in enumerate(rho):
        alone = tune_skip(X[:, i], 0.5, denoise=MIXTURE, std=1.0, rho=r, backbone=0.5)
        np.testing.assert_allclose(together[:, i], alone, rtol=1e-14)


def test_single_precision_is_welcome_and_inputs_stay_as_they_are():
    x = X.astype(np.float32)
    kept = x.copy()
    tuned = tune_skip(x, np.float32(0.5), denoise=MIXTURE, std=np.float32(1), rho=np.float32(0.5))
    np.testing.assert_array_equal(tuned, tune_skip(x.astype(float), 0.5, denoise=MIXTURE, std=1.0, rho=0.5))
    assert tuned.dtype == float
    np.testing.assert_array_equal(x, kept)


# --- samplers ---


def test_ancestral_samples_are_those_of_the_ddpm_chain_on_the_same_levels():
    times, schedule = to_zero(7), chain(to_zero(7))
    start = 80 * np.random.default_rng(3).standard_normal((6, 2))
    tuned = partial(tune_skip, denoise=MIXTURE, std=1.1, rho=0.95)
    expected = ancestral_sample(
        tuned,
        start * schedule.bar_alpha[-1],
        schedule,
        sigma=reverse_noise(schedule, 0.0),
        rng=np.random.default_rng(4),
    )
    states = []
    ends = sample_tuned(
        MIXTURE,
        start,
        times,
        std=1.1,
        rho=0.95,
        method="ancestral",
        rng=np.random.default_rng(4),
        callback=lambda t, x: states.append((t, x)),
    )
    np.testing.assert_allclose(ends, expected, atol=1e-9)
    assert [t for t, _ in states] == list(times)
    np.testing.assert_array_equal(states[0][1], start)
    np.testing.assert_array_equal(states[-1][1], ends)


@pytest.mark.parametrize("method", ["euler", "heun", "midpoint_arithmetic", "ancestral"])
def test_many_factors_share_the_starts_and_the_draws(method):
    start, rho = 8 * X[0], np.array([[0.9], [1.0], [1.1]])
    times = edm_time_steps(5, t_max=8.0)
    options = {"std": 1.0, "method": method}
    ends = sample_tuned(MIXTURE, start, times, rho=rho, rng=np.random.default_rng(5), **options)
    for row, r in zip(ends, rho[:, 0]):
        alone = sample_tuned(MIXTURE, start, times, rho=r, rng=np.random.default_rng(5), **options)
        np.testing.assert_allclose(row, alone, atol=1e-12)
        if method != "ancestral":
            tuned = partial(tune_skip, denoise=MIXTURE, std=1.0, rho=r)
            np.testing.assert_allclose(row, solve_diffusion_ode(tuned, start, times, method=method), atol=1e-12)


# --- gains ---


@pytest.mark.parametrize("method", ["euler", "heun"])
@pytest.mark.parametrize("times", [to_zero(10), edm_time_steps(6), [3.0, 2.0, 0.25]])
def test_the_gain_is_what_the_sampler_makes_of_one_point(method, times):
    std, rho = np.array([2.0, 0.5, 0.05]), np.array([[0.5], [1.0], [1.2]])
    gain = skip_gain(times, std, rho, method=method)
    for i, r in enumerate(rho[:, 0]):
        tuned = partial(tune_skip, denoise=partial(denoise_gaussian, std=std), std=std, rho=r)
        end = solve_diffusion_ode(tuned, [times[0]] * 3, times, method=method)
        np.testing.assert_allclose(gain[i], np.abs(end) / std, rtol=1e-11)


def test_the_ancestral_gain_is_that_of_the_chain_with_the_smaller_noise():
    # From t = 1e6 the start of the chain, variance 1, is the start here up to 1e-12.
    times, std = [1e6, 1e3, 30.0, 2.0, 0.4, 0.1, 0.0], np.array([0.05, 0.5, 3.0])
    schedule = chain(times)
    variance = gaussian_chain_variance(schedule, std**2, sigma=reverse_noise(schedule, 0.0))
    np.testing.assert_allclose(skip_gain(times, std, method="ancestral"), np.sqrt(variance) / std, rtol=1e-8)


@pytest.mark.parametrize("rho", [0.9, 1.15])
def test_ancestral_samples_of_a_tuned_denoiser_have_the_predicted_spread(rho):
    times, rng, n = to_zero(8), np.random.default_rng(1), 40000
    schedule = chain(times)
    tuned = partial(tune_skip, denoise=partial(denoise_gaussian, std=0.5), std=0.5, rho=rho)
    x = times[0] * schedule.bar_alpha[-1] * rng.standard_normal((n, 1))
    ends = ancestral_sample(tuned, x, schedule, sigma=reverse_noise(schedule, 0.0), rng=rng)
    expected = 0.5 * skip_gain(times, 0.5, rho, method="ancestral")
    assert abs(ends.std() / expected - 1) < 4 / np.sqrt(2 * n)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("ancestral", 1), ("heun", 2)])
def test_gain_and_best_skip_converge_with_the_order_of_the_method(method, order):
    std, first, last = np.array([0.3, 1.0, 2.0]), 8.0, 0.1
    steps = (200, 400, 800)
    gains = np.array([skip_gain(np.geomspace(first, last, n + 1), std, method=method) for n in steps])
    a, b = std**2 + first**2, std**2 + last**2
    exact = first / std * np.sqrt(b / a)
    if method == "ancestral":  # its noise forgets the start faster
        exact = np.sqrt(b - std**2 * (b / a) ** 2) / std
    errors = np.abs(gains - exact)
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), order, atol=0.03)
    # down to 0 the start and the last step set a floor, far below these
    turns = np.array([np.abs(1 - best_skip(to_zero(n), 0.5, method=method)) for n in (20, 40, 80)])
    np.testing.assert_allclose(np.log2(turns[:-1] / turns[1:]), order, atol=0.4)


def test_the_sign_of_the_error_belongs_to_the_method():
    rng = np.random.default_rng(2)
    for _ in range(200):
        u, h, std = np.exp(rng.uniform(-2, 2, 3))
        t = u + h
        exact = np.hypot(u, std) / np.hypot(t, std)
        start = t / std  # the gain divides by std and starts from t: scale it to the true spread
        euler, heun = (skip_gain([t, u], std, method=method) / start for method in ("euler", "heun"))
        assert euler < exact < heun
    for n in (2, 5, 10, 40, 200):
        for std in (0.01, 0.1, 1.0, 5.0):
            assert skip_gain(to_zero(n), std, method="euler") < 1
            assert skip_gain(to_zero(n), std, method="ancestral") < 1


def test_gains_of_one_and_of_many_are_the_same_and_a_number_stays_one():
    std, rho = np.array([0.1, 1.0]), np.array([[0.9], [1.0], [1.1]])
    for method in METHODS:
        gains = skip_gain([3.0, 1.0, 0.1], std, rho, method=method)
        loop = [[skip_gain([3.0, 1.0, 0.1], s, r, method=method) for s in std] for r in rho[:, 0]]
        np.testing.assert_allclose(gains, loop, rtol=1e-15)
        assert isinstance(skip_gain([3.0, 1.0], 1.0, method=method), float)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("heun", [0.982, 0.973, 0.9645, 0.950, 0.915]),
        ("euler", [1.092, 1.1245, 1.156, 1.208, 1.2715]),
        ("ancestral", [1.1385, 1.1895, 1.225, 1.316, 1.371]),
    ],
)
def test_the_best_factor_restores_the_spread(method, expected):
    std = np.array([0.5, 0.2, 0.1, 0.05, 0.02])
    rho = best_skip(to_zero(10), std, method=method)
    np.testing.assert_allclose(rho, expected, atol=1e-3)
    np.testing.assert_allclose(skip_gain(to_zero(10), std, rho, method=method), 1, atol=1e-12)
    np.testing.assert_allclose(rho, [best_skip(to_zero(10), s, method=method) for s in std], rtol=1e-15)


def test_no_factor_up_to_four_may_suffice():
    with pytest.raises(ValueError, match=r"times must let a factor from 0 to 4 give std its spread, got 0\.5"):
        best_skip([0.01, 0.009], 0.5)


# --- bad input ---


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: skip_weights(-1, 0.5), ValueError, "k must be at least 0, got -1"),
        (lambda: skip_weights(2, -0.5), ValueError, "rho_bottom must not be negative, got -0.5"),
        (lambda: skip_weights(2, 0.5, np.inf), ValueError, "rho_top must be finite, got inf"),
        (lambda: tune_skip(X, 0.0, denoise=MIXTURE, std=1.0), ValueError, "t must be positive, got 0.0"),
        (lambda: tune_skip(X, 1.0, denoise=MIXTURE, std=-1.0), ValueError, "std must not be negative, got -1.0"),
        (lambda: tune_skip(X, 1.0, denoise=MIXTURE, std=1.0, rho=-1), ValueError, "rho must not be negative, got -1"),
        (
            lambda: tune_skip(X, 1.0, denoise=MIXTURE, std=1.0, backbone=np.nan),
            ValueError,
            "backbone must not contain NaN, got 1 of them",
        ),
        (
            lambda: tune_skip(X, 1.0, denoise=MIXTURE, std=1.0, rho=[1.0, 2.0]),
            ValueError,
            r"x, t, rho and backbone must broadcast in their leading axes, got shapes \(5, 3, 2\), .* \(2,\) and \(\)",
        ),
        (
            lambda: tune_skip(X, 1.0, denoise=lambda x, t: x[0], std=1.0),
            ValueError,
            r"denoise\(x, t\) must have the shape \(5, 3, 2\) of x, got \(3, 2\)",
        ),
        (
            lambda: sample_tuned(MIXTURE, X, [2.0, 1.0], std=1.0, method="amed"),
            ValueError,
            "method must be one of 'ancestral', 'euler', .* 'midpoint_geometric', got 'amed'",
        ),
        (
            lambda: sample_tuned(MIXTURE, X, [2.0, 1.0], std=1.0, method="ancestral"),
            TypeError,
            "rng must be a numpy.random.Generator, got None",
        ),
        (
            lambda: sample_tuned(MIXTURE, X, [2.0, 1.0], std=1.0, rho=[1.0, 2.0]),
            ValueError,
            r"x, rho and backbone must broadcast in their leading axes, got shapes \(5, 3, 2\), \(2,\) and \(\)",
        ),
        (lambda: skip_gain([1.0, 2.0], 1.0), ValueError, "times must be strictly decreasing, got"),
        (lambda: skip_gain([2.0, 1.0], 0.0), ValueError, "std must be positive, got 0.0"),
        (lambda: skip_gain([2.0, 1.0], 1.0, -0.1), ValueError, "rho must not be negative, got -0.1"),
        (
            lambda: skip_gain([2.0, 1.0], 1.0, method="midpoint"),
            ValueError,
            "method must be one of 'euler', 'heun', 'ancestral', got 'midpoint'",
        ),
        (lambda: best_skip([2.0, 1.0], -1.0), ValueError, "std must be positive, got -1.0"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()

from functools import partial

import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.ancestral import (
    ancestral_sample,
    gaussian_chain_variance,
    posterior_coefficients,
    reverse_noise,
)
from kexue_core.diffusion.denoisers import denoise_gaussian, denoise_mixture, denoise_points
from kexue_core.diffusion.schedules import ddpm_schedule, respace

(norm,) = oracles("scipy.stats.norm")

ARTICLE = ddpm_schedule(1000)
SHORT = respace(ARTICLE, 20)
MEANS, STDS, WEIGHTS = np.array([-1.5, 0.5, 2.0]), np.array([0.2, 0.15, 0.25]), np.array([0.3, 0.5, 0.2])
MIXTURE = partial(denoise_mixture, means=MEANS[:, None], stds=STDS, weights=WEIGHTS)


def _w1(samples):
    """Wasserstein-1 distance to the mixture: the mean distance of sorted samples and exact quantiles."""
    grid = np.linspace(-5, 5, 20001)
    cdf = (WEIGHTS * norm.cdf((grid[:, None] - MEANS) / STDS)).sum(axis=1)
    quantiles = np.interp((np.arange(samples.size) + 0.5) / samples.size, cdf, grid)
    return np.abs(np.sort(samples.ravel()) - quantiles).mean()


def _slow_chain(denoise, x, schedule, sigma, rng):
    """The article's form of the step, through eps_theta."""
    for i in range(len(schedule.alpha) - 1, -1, -1):
        a, b, ab, bb = (schedule[j][i] for j in range(4))
        eps = (x - ab * denoise(x / ab, bb / ab)) / bb
        x = (x - b * (b / bb) * eps) / a + sigma[i] * rng.standard_normal(x.shape)
    return x


@pytest.mark.parametrize("kind", ["article", "linear", "cosine"])
def test_posterior_coefficients_and_noise_are_gaussian_conditioning(kind):
    schedule = ddpm_schedule(30, kind=kind)
    u, v = posterior_coefficients(schedule)
    np.testing.assert_allclose(u + v * schedule.bar_alpha, schedule.bar_alpha_prev, rtol=1e-12)
    for i in range(30):
        # given x_0: x_{t-1} = p x_0 + q e, x_t = a x_{t-1} + b f; regress x_{t-1} on x_t
        p, q, a, b = (
            array[i] for array in (schedule.bar_alpha_prev, schedule.bar_beta_prev, schedule.alpha, schedule.beta)
        )
        gain = a * q * q / (a * a * q * q + b * b)
        assert v[i] == pytest.approx(gain, rel=1e-12)
        assert u[i] == pytest.approx(p - gain * a * p, rel=1e-9, abs=1e-12)
        assert reverse_noise(schedule, 0.0)[i] ** 2 == pytest.approx(q * q - gain * a * q * q, rel=1e-9, abs=1e-12)


def test_posterior_numbers_of_the_linear_schedule_agree_with_guided_diffusion():
    linear = ddpm_schedule(1000, kind="linear")
    u, v = posterior_coefficients(linear)
    i = 499
    assert linear.bar_alpha[i] ** 2 == pytest.approx(0.0785872429, abs=1e-10)
    assert reverse_noise(linear, 0.0)[i] ** 2 == pytest.approx(0.0100313554, abs=1e-10)
    assert (u[i], v[i]) == pytest.approx((0.0030700711, 0.9941066702), abs=1e-10)


def test_reverse_noise_is_beta_for_unit_variance_and_grows_with_the_variance():
    np.testing.assert_allclose(reverse_noise(ARTICLE, 1.0), ARTICLE.beta, rtol=1e-14)
    sigma = reverse_noise(ARTICLE, [0.0, 0.3, 1.0, 5.0, 1e9])
    assert (np.diff(sigma, axis=0) > 0).all()
    assert (sigma[-1] < ARTICLE.beta / ARTICLE.alpha).all()
    np.testing.assert_array_equal(sigma[1], reverse_noise(ARTICLE, 0.3))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ancestral_samples_agree_with_the_articles_form_of_the_step(eta):
    x, sigma = np.random.default_rng(0).standard_normal((6, 1)), eta * SHORT.beta
    ours = ancestral_sample(MIXTURE, x, SHORT, sigma=sigma, rng=np.random.default_rng(1))
    np.testing.assert_allclose(ours, _slow_chain(MIXTURE, x, SHORT, sigma, np.random.default_rng(1)), atol=1e-11)


@pytest.mark.parametrize("variance", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("noise", ["none", "posterior", "beta"])
def test_samples_have_the_variance_that_the_recursion_foretells(variance, noise):
    sigma = {"none": 0 * SHORT.beta, "posterior": reverse_noise(SHORT, 0.0), "beta": None}[noise]
    rng = np.random.default_rng(0)
    denoise = partial(denoise_gaussian, std=np.sqrt(variance))
    x = ancestral_sample(denoise, rng.standard_normal((40000, 1)), SHORT, sigma=sigma, rng=rng)
    # the relative standard deviation of a variance of 40000 samples is sqrt(2 / 40000) = 0.7 %
    assert x.var() == pytest.approx(gaussian_chain_variance(SHORT, variance, sigma=sigma), rel=0.03)


def test_the_output_variances_are_reproduced():
    variances = [1.0, 0.25, 4.0]
    posterior = gaussian_chain_variance(ARTICLE, variances, sigma=reverse_noise(ARTICLE, 0.0))
    np.testing.assert_allclose(posterior, [0.991162, 0.246226, 3.974841], atol=1e-6)
    np.testing.assert_allclose(gaussian_chain_variance(ARTICLE, variances), [1, 0.250853, 3.990652], atol=1e-6)
    greedy = gaussian_chain_variance(ARTICLE, variances, sigma=0 * ARTICLE.beta)
    np.testing.assert_allclose(greedy, [4.2017e-5, 2.63e-6, 6.721e-4], rtol=2e-3)
    posterior = gaussian_chain_variance(SHORT, variances, sigma=reverse_noise(SHORT, 0.0))
    np.testing.assert_allclose(posterior, [0.710869, 0.153644, 3.030177], atol=1e-6)
    np.testing.assert_allclose(gaussian_chain_variance(SHORT, variances), [1, 0.296077, 3.563679], atol=1e-6)
    assert gaussian_chain_variance(ARTICLE, 0.0) == pytest.approx(2e-5, rel=1e-12)


@pytest.mark.parametrize("schedule", [ARTICLE, SHORT, respace(ARTICLE, 1)])
def test_the_noise_of_the_data_returns_their_variance_but_for_the_start(schedule):
    variances = np.array([0.0, 0.25, 1.0, 4.0])
    V = schedule.bar_alpha[-1] ** 2 * variances + schedule.bar_beta[-1] ** 2
    shift = (schedule.bar_alpha[-1] * variances / V) ** 2 * (1 - V)
    result = gaussian_chain_variance(schedule, variances, sigma=reverse_noise(schedule, variances))
    np.testing.assert_allclose(result, variances + shift, rtol=1e-12, atol=1e-15)
    assert np.abs(shift).max() < 1e-6


def test_greedy_decoding_of_gaussian_data_returns_the_posterior_mean_of_the_data():
    x, std = np.array([[2.0], [-0.5]]), 1.5
    ours = ancestral_sample(partial(denoise_gaussian, std=std), x, ARTICLE, sigma=0 * ARTICLE.beta)
    V = ARTICLE.bar_alpha[-1] ** 2 * std**2 + ARTICLE.bar_beta[-1] ** 2
    np.testing.assert_allclose(ours, ARTICLE.bar_alpha[-1] * std**2 / V * x, rtol=1e-11)


def test_noise_gives_the_mixture_and_greedy_decoding_one_mode():
    rng = np.random.default_rng(0)
    start = rng.standard_normal((4000, 1))
    greedy = ancestral_sample(MIXTURE, start, SHORT, sigma=0 * SHORT.beta)
    noisy = ancestral_sample(MIXTURE, start, ARTICLE, rng=rng)
    assert np.abs(greedy - 0.496).max() < 0.01
    assert _w1(greedy) == pytest.approx(0.959, abs=0.01)
    assert _w1(noisy) < 0.05
    assert _w1(ancestral_sample(MIXTURE, start, SHORT, rng=rng)) == pytest.approx(0.074, abs=0.03)


def test_one_data_point_is_hit_exactly_with_its_own_noise_and_up_to_beta_one_with_the_articles():
    denoise = partial(denoise_points, points=[[1.0, -2.0]])
    x = np.random.default_rng(0).standard_normal((500, 2))
    exact = ancestral_sample(denoise, x, SHORT, sigma=reverse_noise(SHORT, 0.0), rng=np.random.default_rng(1))
    np.testing.assert_allclose(exact, np.broadcast_to([1.0, -2.0], x.shape), atol=1e-12)
    usual = ancestral_sample(denoise, x, SHORT, rng=np.random.default_rng(1))
    assert (usual - [1.0, -2.0]).std() == pytest.approx(SHORT.beta[0], rel=0.1)


def test_a_schedule_of_one_step_and_the_callback():
    seen = []
    schedule = respace(ARTICLE, 1)
    x = np.array([[0.3]])
    end = ancestral_sample(MIXTURE, x, schedule, sigma=[0.0], callback=lambda t, x: seen.append((t, x)))
    assert [t for t, _ in seen] == [1, 0]
    np.testing.assert_array_equal(seen[0][1], x)
    np.testing.assert_array_equal(seen[1][1], end)


def test_a_callback_that_writes_on_what_it_sees_changes_nothing():
    def spoil(t, x):
        x[:] = 0

    x = np.array([[0.3], [1.0]])
    spoiled = ancestral_sample(MIXTURE, x, SHORT, sigma=0 * SHORT.beta, callback=spoil)
    np.testing.assert_array_equal(spoiled, ancestral_sample(MIXTURE, x, SHORT, sigma=0 * SHORT.beta))
    np.testing.assert_array_equal(x, [[0.3], [1.0]])


def test_chains_of_several_noises_from_one_start_share_their_draws():
    x, scales = np.random.default_rng(0).standard_normal((6, 1)), np.array([0.0, 0.5, 1.0, 1.25])
    together = ancestral_sample(
        MIXTURE, x, SHORT, sigma=scales[:, None, None, None] * SHORT.beta, rng=np.random.default_rng(1)
    )
    assert together.shape == (4, 6, 1)
    for scale, chains in zip(scales, together):
        alone = ancestral_sample(MIXTURE, x, SHORT, sigma=scale * SHORT.beta, rng=np.random.default_rng(1))
        np.testing.assert_allclose(chains, alone, rtol=1e-13, atol=1e-13)


def test_a_batch_equals_the_loop_with_noise_per_point_and_coordinate():
    x, sigma = np.random.default_rng(0).standard_normal((3, 2)), np.zeros((3, 1, 20))
    batch = ancestral_sample(denoise_gaussian, x, SHORT, sigma=sigma)
    for i in range(3):
        np.testing.assert_allclose(
            batch[i], ancestral_sample(denoise_gaussian, x[i], SHORT, sigma=sigma[i]), rtol=1e-13
        )
    variances = np.array([[0.5, 1.0], [2.0, 0.0]])
    chain = gaussian_chain_variance(SHORT, variances, sigma=reverse_noise(SHORT, variances))
    for i in np.ndindex(2, 2):
        assert chain[i] == gaussian_chain_variance(SHORT, variances[i], sigma=reverse_noise(SHORT, variances[i]))


def test_noise_per_coordinate_returns_each_variance():
    std, rng = np.array([0.2, 3.0]), np.random.default_rng(0)
    sigma = reverse_noise(SHORT, std**2)
    x = ancestral_sample(
        partial(denoise_gaussian, std=std), rng.standard_normal((20000, 2)), SHORT, sigma=sigma, rng=rng
    )
    np.testing.assert_allclose(x.std(axis=0), std, rtol=0.03)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, TypeError, "rng must be a numpy.random.Generator, got None"),
        ({"sigma": [0.1]}, ValueError, r"sigma must have shape \(\.\.\., 20\) with .* got shape \(1,\)"),
        ({"sigma": np.zeros((5, 1, 20))}, ValueError, r"leading axes that fit \(2, 1\), got shape \(5, 1, 20\)"),
        ({"sigma": -SHORT.beta}, ValueError, "sigma must not be negative, got -"),
        ({"sigma": np.nan * SHORT.beta}, ValueError, "sigma must not contain NaN, got 20 of them"),
    ],
)
def test_the_sampler_refuses_options_that_do_not_fit(options, error, message):
    with pytest.raises(error, match=message):
        ancestral_sample(MIXTURE, np.zeros((2, 1)), SHORT, **options)


def test_a_bad_start_schedule_denoiser_or_variance_is_refused():
    quiet = {"sigma": 0 * SHORT.beta}
    with pytest.raises(ValueError, match="x must not contain NaN, got 1 of them"):
        ancestral_sample(MIXTURE, [np.nan], SHORT, **quiet)
    with pytest.raises(ValueError, match=r"x must have at least 1 axis, got shape \(\)"):
        ancestral_sample(MIXTURE, 1.0, SHORT, **quiet)
    with pytest.raises(ValueError, match=r"denoise\(x, t\) must not contain NaN, got 1 of them"):
        ancestral_sample(lambda y, s: y * np.nan, [1.0], SHORT, **quiet)
    with pytest.raises(ValueError, match=r"denoise\(x, t\) must have the shape \(1,\) of x, got \(2,\)"):
        ancestral_sample(lambda y, s: np.zeros(2), [1.0], SHORT, **quiet)
    with pytest.raises(ValueError, match=r"variance must not be negative, got -1\.0"):
        reverse_noise(SHORT, -1.0)
    with pytest.raises(ValueError, match="variance must be finite, got inf"):
        gaussian_chain_variance(SHORT, np.inf)
    for call in (posterior_coefficients, lambda s: reverse_noise(s, 1.0), lambda s: gaussian_chain_variance(s, 1.0)):
        with pytest.raises(TypeError, match="schedule must be a Schedule, got 'linear'"):
            call("linear")

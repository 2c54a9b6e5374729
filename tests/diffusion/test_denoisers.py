from functools import partial

import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.denoisers import (
    denoise_gaussian,
    denoise_mixture,
    denoise_points,
    disk_images,
    velocity,
)

logsumexp, softmax = oracles("scipy.special.logsumexp", "scipy.special.softmax")

MEANS = np.array([[-1.0, 0.2], [1.0, 0.5], [0.3, -2.0]])
STDS = np.array([0.3, 0.6, 0.1])
WEIGHTS = np.array([0.5, 0.3, 0.2])
DENOISERS = {
    "gaussian": partial(denoise_gaussian, mean=[1.0, -2.0], std=[0.5, 2.0]),
    "mixture": partial(denoise_mixture, means=MEANS, stds=STDS, weights=WEIGHTS),
    "points": partial(denoise_points, points=MEANS),
}


def _log_density(x, t, means, stds, weights):
    """Log density of ``x_0 + t z`` at one point, component by component."""
    terms = []
    for mean, std, weight in zip(means, stds, weights):
        variance = std**2 + t**2
        square = sum((x_i - mean_i) ** 2 for x_i, mean_i in zip(x, mean))
        terms.append(np.log(weight) - len(x) / 2 * np.log(2 * np.pi * variance) - square / (2 * variance))
    return logsumexp(terms)


def _tweedie(x, t, means, stds, weights, h=1e-5):
    """Posterior mean ``x + t^2 grad log p`` with the gradient by central differences."""
    gradient = [
        (_log_density(x + e, t, means, stds, weights) - _log_density(x - e, t, means, stds, weights)) / (2 * h)
        for e in h * np.eye(len(x))
    ]
    return x + t**2 * np.array(gradient)


@pytest.mark.parametrize("t", [0.05, 0.5, 3.0, 80.0])
def test_the_mixture_denoiser_is_tweedies_formula_with_a_finite_difference_score(t):
    for x in np.random.default_rng(0).normal(0, 1 + t, (20, 2)):
        expected = _tweedie(x, t, MEANS, STDS, WEIGHTS, h=1e-4 * t)
        np.testing.assert_allclose(DENOISERS["mixture"](x, t), expected, atol=1e-6 * (1 + t))


def test_the_gaussian_denoiser_is_the_conditional_mean_of_the_joint_normal():
    mean, std, t, x = np.array([1.0, -2.0]), np.array([0.5, 2.0]), 0.7, np.array([0.3, 4.0])
    covariance = np.diag(std**2)
    expected = mean + covariance @ np.linalg.solve(covariance + t**2 * np.eye(2), x - mean)
    np.testing.assert_allclose(denoise_gaussian(x, t, mean=mean, std=std), expected, rtol=1e-14)


def test_the_denoiser_minimises_the_squared_error_against_the_clean_sample():
    rng = np.random.default_rng(0)
    component = rng.choice(3, 40_000, p=WEIGHTS)
    clean = MEANS[component] + STDS[component, None] * rng.standard_normal((40_000, 2))
    noisy = clean + 0.5 * rng.standard_normal(clean.shape)
    error = DENOISERS["mixture"](noisy, 0.5) - clean
    # The error of a conditional mean is orthogonal to every function of x: four standard errors with 40000 draws.
    for feature in (np.ones_like(noisy), noisy, np.sin(3 * noisy)):
        product = error * feature
        assert (np.abs(product.mean(axis=0)) < 4 * product.std(axis=0) / 200).all()


def test_the_mixture_with_one_component_is_the_gaussian():
    x = np.random.default_rng(0).standard_normal((5, 3))
    mixture = denoise_mixture(x, 0.4, means=[[1.0, 2.0, 3.0]], stds=0.7)
    np.testing.assert_allclose(mixture, denoise_gaussian(x, 0.4, mean=[1.0, 2.0, 3.0], std=0.7), rtol=1e-13)


def test_points_are_the_mixture_of_zero_width_and_a_softmax_of_distances():
    rng = np.random.default_rng(0)
    points, x = rng.standard_normal((6, 4)), rng.standard_normal((5, 4))
    slow = [softmax([-((a - b) @ (a - b)) / (2 * 0.3**2) for b in points]) @ points for a in x]
    np.testing.assert_allclose(denoise_points(x, 0.3, points=points), slow, rtol=1e-12)
    np.testing.assert_allclose(denoise_mixture(x, 0.3, means=points, stds=0.0), slow, rtol=1e-12)


def test_weights_change_the_mixture_as_repeated_points_do():
    repeated = denoise_points([[0.1]], 1.0, points=[[-1.0], [-1.0], [-1.0], [1.0]])
    weighted = denoise_mixture([[0.1]], 1.0, means=[[-1.0], [1.0]], stds=0.0, weights=[0.75, 0.25])
    np.testing.assert_allclose(weighted, repeated, rtol=1e-14)


def test_points_give_the_nearest_point_at_small_noise_and_the_mean_at_large_noise():
    np.testing.assert_allclose(denoise_points([[0.9, 0.4]], 1e-3, points=MEANS), MEANS[[1]], rtol=1e-15)
    np.testing.assert_allclose(denoise_points([[0.9, 0.4]], 1e7, points=MEANS), [MEANS.mean(axis=0)], atol=1e-12)


def test_a_far_offset_of_the_data_moves_the_denoised_points_and_nothing_else():
    x = np.random.default_rng(0).standard_normal((8, 2))
    shifted = denoise_points(x + 1e6, 0.1, points=MEANS + 1e6) - 1e6
    np.testing.assert_allclose(shifted, denoise_points(x, 0.1, points=MEANS), atol=1e-7)


def test_far_points_and_tiny_noise_stay_finite():
    x = np.array([[1e6, -1e6], [0.0, 0.0], [1.0, 0.5]])
    for denoise in DENOISERS.values():
        for t in (1e-30, 1e-3, 1e30):
            assert np.isfinite(denoise(x, t)).all()


def test_a_scaled_process_is_served_by_scaling_x_and_t():
    a, b, x = 0.6, 0.8, np.array([0.3])
    expected = 1.5 + a * 0.4**2 / (a**2 * 0.4**2 + b**2) * (x - a * 1.5)  # conditional mean given a x_0 + b z = x
    np.testing.assert_allclose(denoise_gaussian(x / a, b / a, mean=1.5, std=0.4), expected, rtol=1e-14)


@pytest.mark.parametrize("name", DENOISERS)
def test_a_batch_of_points_and_times_equals_the_loop(name):
    rng, denoise = np.random.default_rng(0), DENOISERS[name]
    x, t = rng.standard_normal((3, 4, 2)), rng.uniform(0.1, 2, (3, 4))
    batch, speeds = denoise(x, t), velocity(denoise, x, t)
    for i in np.ndindex(3, 4):
        np.testing.assert_allclose(batch[i], denoise(x[i], t[i]), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(speeds[i], (x[i] - batch[i]) / t[i], rtol=1e-14)
    np.testing.assert_allclose(denoise(x[0, 0], t), [[denoise(x[0, 0], s) for s in row] for row in t], rtol=1e-12)


def test_denoisers_and_velocity_leave_their_inputs_unchanged():
    x, t, means, stds, weights = np.ones((3, 2)), np.full(3, 0.5), MEANS.copy(), STDS.copy(), WEIGHTS.copy()
    denoise = partial(denoise_mixture, means=means, stds=stds, weights=weights)
    for result in (
        velocity(denoise, x, t),
        denoise_points(x, t, points=means),
        denoise_gaussian(x, t, mean=means[0], std=stds[:2]),
    ):
        result += 1  # a result that were a view of an input would change it here
    np.testing.assert_array_equal(x, np.ones((3, 2)))
    np.testing.assert_array_equal(t, np.full(3, 0.5))
    for array, original in ((means, MEANS), (stds, STDS), (weights, WEIGHTS)):
        np.testing.assert_array_equal(array, original)


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize(
    ("x", "t", "message"),
    [
        ([[0.0, 0.0]], 0.0, "t must be positive, got 0.0"),
        ([[0.0, 0.0]], -1.0, "t must be positive, got -1.0"),
        ([[0.0, 0.0]], np.nan, "t must not contain NaN, got 1 of them"),
        ([[0.0, np.inf]], 1.0, "x must be finite, got inf"),
        ([[0.0, np.nan]], 1.0, "x must not contain NaN, got 1 of them"),
        ([[0.0, 0.0]] * 3, [1.0, 2.0], r"x and t must broadcast in their leading axes, got shapes \(3, 2\) and \(2,\)"),
        (0.5, 1.0, r"x must have at least 1 axis, got shape \(\)"),
        ([[0.0, 0.0, 0.0]], 1.0, r"got shape \((1, 3|2,)\)"),
    ],
)
def test_denoisers_refuse_bad_points_and_times(name, x, t, message):
    with pytest.raises(ValueError, match=message):
        DENOISERS[name](x, t)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stds": -0.1}, "stds must not be negative, got -0.1"),
        ({"stds": [0.1, 0.2]}, r"stds must be a number or have shape \(3,\), got shape \(2,\)"),
        ({"stds": 0.1, "weights": [0.5, 0.5]}, r"weights must have shape \(3,\), got shape"),
        ({"stds": 0.1, "weights": [0.5, 0.5, 0.5]}, "weights must have the sum 1, got 1.5"),
        ({"stds": 0.1, "weights": [1.0, 0.0, 0.0]}, "weights must be positive, got 0.0"),
    ],
)
def test_the_mixture_refuses_bad_components(options, message):
    with pytest.raises(ValueError, match=message):
        denoise_mixture([[0.0, 0.0]], 1.0, means=MEANS, **options)


def test_the_gaussian_of_zero_width_gives_its_mean_even_where_the_square_of_t_vanishes():
    np.testing.assert_array_equal(denoise_gaussian([3.0, 3.0], 1e-200, mean=1.0, std=[0.0, 1.0]), [1.0, 3.0])


def test_the_gaussian_refuses_a_negative_std():
    with pytest.raises(ValueError, match=r"std must not be negative, got -1\.0"):
        denoise_gaussian([0.0], 1.0, std=-1.0)


def test_noise_so_small_that_its_square_vanishes_is_refused_instead_of_giving_nan():
    with pytest.raises(ValueError, match="t must be above 1e-150 times the distances of x and the data, got 1e-200"):
        denoise_points([[0.5]], 1e-200, points=[[-1.0], [1.0]])


def test_velocity_is_minus_t_times_the_score():
    x, t = np.array([0.4, -0.7]), 0.8
    score = (_tweedie(x, t, MEANS, STDS, WEIGHTS) - x) / t**2
    np.testing.assert_allclose(velocity(DENOISERS["mixture"], x, t), -t * score, atol=1e-9)


def test_velocity_passes_a_plain_float_for_one_time():
    seen = []
    velocity(lambda x, t: seen.append(t) or x, [1.0], np.array(0.5))
    assert type(seen[0]) is float


def test_velocity_refuses_what_a_denoiser_should_not_return():
    with pytest.raises(ValueError, match=r"denoise\(x, t\) must not contain NaN, got 2 of them"):
        velocity(lambda x, t: np.nan * x, [1.0, 2.0], 1.0)
    with pytest.raises(ValueError, match=r"denoise\(x, t\) must have the shape \(2,\) of x, got \(1,\)"):
        velocity(lambda x, t: x[:1], [1.0, 2.0], 1.0)


def test_disk_images_are_the_formula_pixel_by_pixel_in_the_stated_draw_order():
    rng = np.random.default_rng(3)
    xs = [rng.uniform(0.25, 0.75) for _ in range(4)]
    ys = [rng.uniform(0.25, 0.75) for _ in range(4)]
    radii = [rng.uniform(0.12, 0.35) for _ in range(4)]
    images = disk_images(4, 5, np.random.default_rng(3)).reshape(4, 5, 5)
    for k, row, column in np.ndindex(4, 5, 5):
        distance = np.sqrt(((column + 0.5) / 5 - xs[k]) ** 2 + ((row + 0.5) / 5 - ys[k]) ** 2)
        assert images[k, row, column] == pytest.approx(np.tanh(8 * (radii[k] - distance)), abs=1e-14)


def test_disk_images_lie_in_the_open_unit_interval_and_depend_on_the_generator():
    first, second = (disk_images(10, 8, np.random.default_rng(seed)) for seed in (0, 1))
    assert first.shape == (10, 64)
    assert np.abs(first).max() < 1
    assert np.abs(first - second).max() > 0.1


def test_disk_images_refuse_bad_input():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        disk_images(0, 8, rng)
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        disk_images(1, 0, rng)
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator, got 0"):
        disk_images(1, 8, 0)


@pytest.mark.parametrize("t", [1e100, 1e150, 1e160, 1e300])
def test_the_denoisers_tend_to_the_mean_however_large_the_noise(t):
    points, x = np.array([[-1.0, 0.0], [1.0, 0.5]]), t * np.array([0.4, 0.1])
    np.testing.assert_allclose(denoise_points(x, t, points=points), [0, 0.25], atol=1e-15)
    np.testing.assert_allclose(denoise_mixture(x, t, means=points, stds=[0.0, 0.0]), [0, 0.25], atol=1e-15)
    np.testing.assert_allclose(denoise_mixture(x, t, means=points, stds=[0.5, 1.0]), [0, 0.25], atol=1e-15)


def test_a_mixture_of_positive_widths_returns_the_point_however_small_the_noise():
    x = np.array([0.4, 0.1])
    for t in (1e-100, 1e-160, 1e-300):
        np.testing.assert_allclose(denoise_mixture(x, t, means=[[-1.0, 0.0], [1.0, 0.5]], stds=[0.5, 1.0]), x)


def test_what_is_no_function_has_no_velocity():
    with pytest.raises(TypeError, match=r"^denoise must be a function, got 3$"):
        velocity(3, [1.0], 1.0)


def test_the_time_is_blamed_where_it_vanishes_beside_the_data_and_the_data_where_their_mean_overflows():
    with pytest.raises(ValueError, match=r"^t must be above 1e-150 times the distances of x and the data, got 1\.0"):
        denoise_points([1.0], 1.0, points=[[-1e200], [1e200]])
    assert denoise_points([1e200], 1e199, points=[[-1e200], [1e200]]) == pytest.approx(1e200)
    with pytest.raises(ValueError, match="the distances of x and the data must keep the result finite"):
        denoise_points([1.0], 1e308, points=[[1.7e308], [1.6e308]])


def test_weights_of_a_mixture_may_carry_the_rounding_of_float32():
    weights = np.array([0.2, 0.3, 0.5], dtype=np.float32)
    assert weights.astype(float).sum() != 1
    found = denoise_mixture([0.3], 1.0, means=[[-1.0], [0.0], [2.0]], stds=0.5, weights=weights)
    exact = denoise_mixture([0.3], 1.0, means=[[-1.0], [0.0], [2.0]], stds=0.5, weights=[0.2, 0.3, 0.5])
    np.testing.assert_allclose(found, exact, rtol=1e-6)

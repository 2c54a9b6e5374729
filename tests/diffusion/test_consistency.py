from functools import partial

import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.consistency import (
    consistency_sample,
    consistency_step,
    gaussian_consistency_gain,
    train_consistency,
)
from kexue_core.diffusion.denoisers import denoise_gaussian, denoise_mixture, denoise_points, velocity
from kexue_core.diffusion.flow import consistency_mixture, flow_denoise, flow_velocity_variance
from kexue_core.diffusion.samplers import solve_diffusion_ode
from kexue_core.special import normal_quantile

scipy_integrate, scipy_stats = oracles("scipy.integrate", "scipy.stats")

TWO = {"means": [[-1.0], [1.0]], "stds": 0.1}
THREE = {"means": [[-1.5], [0.5], [2.0]], "stds": [0.2, 0.15, 0.25], "weights": [0.3, 0.5, 0.2]}
GRID = np.linspace(-8, 8, 801)
NOISE = normal_quantile((np.arange(2000) + 0.5) / 2000)[:, None]
LINE = np.linspace(-3, 3, 41)[:, None]


def _flow(mixture):
    return partial(flow_denoise, partial(denoise_mixture, **mixture))


def _joint(mixture, x, t):
    """Return direction and weights of a fine rule over all data points whose line passes x at time t."""
    x0 = np.linspace(-5, 5, 200_001)
    means, stds = np.ravel(mixture["means"]), np.broadcast_to(mixture["stds"], len(mixture["means"]))
    weights = mixture.get("weights", np.full(len(means), 1 / len(means)))
    density = sum(w * np.exp(-(((x0 - m) / s) ** 2) / 2) / s for m, s, w in zip(means, stds, weights))
    x1 = (x - (1 - t) * x0) / t
    share = density * np.exp(-(x1**2) / 2)
    return x1 - x0, share / share.sum()


@pytest.mark.parametrize("mixture", [TWO, THREE])
@pytest.mark.parametrize("t", [0.2, 0.6, 1.0])
def test_the_flow_denoiser_and_the_variance_are_means_over_the_lines_through_a_point(mixture, t):
    for x in (-1.3, 0.05, 0.7):
        direction, share = _joint(mixture, x, t)
        mean = share @ direction
        assert velocity(_flow(mixture), [[x]], t)[0, 0] == pytest.approx(mean, abs=1e-9)
        expected = share @ (direction - mean) ** 2
        assert flow_velocity_variance([[x]], t, **mixture)[0, 0] == pytest.approx(expected, rel=1e-8)


def test_the_flow_denoiser_at_noise_is_the_mean_of_the_data():
    for denoise in (partial(denoise_mixture, **THREE), partial(denoise_points, points=[[-1.5], [0.5], [2.0]])):
        found = flow_denoise(denoise, LINE, 1.0)
        assert np.ptp(found) < 1e-14
    assert flow_denoise(partial(denoise_mixture, **THREE), LINE, 1.0)[0, 0] == pytest.approx(0.2, abs=1e-14)


def test_the_variance_of_the_velocity_is_one_at_data_and_that_of_the_data_at_noise():
    assert flow_velocity_variance(LINE, 0.0, **THREE) == pytest.approx(1, abs=1e-12)
    total = 0.3 * (0.04 + 2.25) + 0.5 * (0.0225 + 0.25) + 0.2 * (0.0625 + 4) - 0.2**2
    assert flow_velocity_variance(LINE, 1.0, **THREE) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("mixture", [TWO, THREE])
@pytest.mark.parametrize("t", [0.3, 1.0])
def test_the_quantile_map_is_the_end_of_the_ode(mixture, t):
    flow, x = _flow(mixture), np.linspace(-3, 3, 40)
    options = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-12}
    ode = scipy_integrate.solve_ivp(lambda s, y: velocity(flow, y[:, None], s)[:, 0], (t, 1e-9), x, **options)
    assert consistency_mixture(x[:, None], t, **mixture)[:, 0] == pytest.approx(ode.y[:, -1], abs=1e-8)


def test_the_quantile_map_of_one_gaussian_is_linear_far_into_both_tails():
    x = np.array([[-38.0], [-9.0], [0.0], [9.0], [38.0]])
    for t in (0.25, 1.0):
        V = ((1 - t) * 2) ** 2 + t**2
        expected = 3 + 2 / V**0.5 * (x - (1 - t) * 3)
        assert consistency_mixture(x, t, means=[[3.0]], stds=2.0) == pytest.approx(expected, rel=1e-13)


def test_the_quantile_map_is_the_identity_at_data_increases_and_keeps_the_rank():
    assert (consistency_mixture(LINE, 0.0, **THREE) == LINE).all()
    y = consistency_mixture(NOISE, 1.0, **THREE)
    assert (np.diff(y[:, 0]) > 0).all()
    rank = sum(w * scipy_stats.norm.cdf((y - m) / s) for (m,), s, w in zip(*THREE.values()))
    assert rank[:, 0] == pytest.approx((np.arange(2000) + 0.5) / 2000, abs=1e-13)


def test_a_stage_is_the_conditional_mean_and_from_data_the_denoiser():
    found = consistency_step(lambda x, t: x, LINE, 0.4, 0.0, **THREE)
    assert found == pytest.approx(flow_denoise(partial(denoise_mixture, **THREE), LINE, 0.4), abs=1e-13)
    for x in (-1.3, 0.05, 0.7):
        direction, share = _joint(THREE, x, 0.6)
        expected = share @ np.sin(2 * (x - 0.25 * direction))
        found = consistency_step(lambda x, t: np.sin(2 * x), [[x]], 0.6, 0.35, **THREE)
        assert found[0, 0] == pytest.approx(expected, abs=1e-9)


def test_stages_and_variances_of_tiny_and_huge_data_are_right_where_their_squares_are_not():
    identity, t = (lambda x, t: x), 0.5
    huge = consistency_step(identity, [[1e200]], t, 0.0, means=[[0.0]], stds=1e200)
    assert huge == pytest.approx(np.array([[2e200]]), rel=1e-14)  # t is nothing beside the data
    tiny = consistency_step(identity, [[3e-200]], 1e-200, 0.0, means=[[0.0]], stds=1e-200)
    assert tiny == pytest.approx(np.array([[1.5e-200]]), rel=1e-14, abs=0)
    variance = flow_velocity_variance([[0.0]], [t], means=[[0.0]], stds=1e200)
    assert variance == pytest.approx(np.array([[4.0]]), rel=1e-14)


def test_a_stage_is_an_euler_step_plus_diffusion():
    wide = {"means": [[-1.0], [1.0]], "stds": 0.5}
    f, x, t, h = partial(consistency_mixture, **wide), np.linspace(-1, 1, 401)[:, None], 0.6, 1 / 320
    step = consistency_step(f, x, t, t - h, **wide) - f(x - h * velocity(_flow(wide), x, t), t - h)
    bend = np.gradient(np.gradient(f(x, t)[:, 0], x[:, 0]), x[:, 0])
    law = h**2 / 2 * flow_velocity_variance(x, t, **wide)[:, 0] * bend
    assert np.abs(step[:, 0] - law).max() < 0.02 * np.abs(law).max()


def test_training_is_the_recursion_of_stages():
    times = np.array([1.0, 0.7, 0.3, 0.0])
    trained = train_consistency(times, np.linspace(-9, 9, 3601), **THREE)

    def nested(x, t):
        at = np.flatnonzero(times == t)[0]
        return x if t == 0 else consistency_step(nested, x, t, times[at + 1], **THREE)

    assert trained(LINE, 0.7) == pytest.approx(nested(LINE, 0.7), abs=1e-8)
    assert trained(LINE[::10], 1.0) == pytest.approx(nested(LINE[::10], 1.0), abs=1e-8)
    assert (trained.values[-1] == trained.grid).all()


@pytest.mark.parametrize("std", [0.3, 1.0, 3.0])
def test_on_gaussian_data_training_distillation_and_the_product_of_cosines_agree(std):
    n = 16
    times = np.linspace(1, 0, n + 1)
    gain = gaussian_consistency_gain(times, std)
    angle = np.arctan2(times, (1 - times) * std)
    scale = std / np.hypot((1 - times) * std, times)
    cosines = np.cumprod(np.r_[1, np.cos(np.diff(angle[::-1]))])[::-1]
    assert gain == pytest.approx(scale * cosines, rel=1e-13)
    assert trained_gain(times, std) == pytest.approx(gain, abs=1e-8)
    for k in range(n):
        flow = partial(flow_denoise, partial(denoise_gaussian, std=std))
        assert solve_diffusion_ode(flow, [1.0], times[k:])[0] == pytest.approx(gain[k], rel=1e-12)


def trained_gain(times, std):
    trained = train_consistency(times, 4 * GRID, means=[[0.0]], stds=std)
    return np.array([trained([[1.0]], t)[0, 0] for t in times])


def test_known_gains_and_their_limit():
    found = [gaussian_consistency_gain(np.linspace(1, 0, n + 1), 1.0)[0] for n in (1, 2, 4, 8, 64)]
    assert found == pytest.approx([0, 0.5, 0.72, 0.85082176, 0.98011433], abs=1e-8)
    n, std = 2**14, np.array([0.5, 1.0, 2.0])
    short = n * (1 - gaussian_consistency_gain(np.linspace(1, 0, n + 1), std)[:, 0] / std)
    assert short == pytest.approx(0.5 + np.pi / 8 * (std + 1 / std), rel=1e-3)
    for extreme in (1e-200, 1e200):
        assert np.isfinite(gaussian_consistency_gain([1.0, 0.5, 0.0], extreme)).all()


@pytest.mark.parametrize(
    ("std", "low", "high"), [(0.02, 0.49, 0.52), (0.1, 0.52, 0.56), (0.3, 0.63, 0.67), (0.6, 0.86, 0.95)]
)
def test_the_order_of_training_is_one_half_on_narrow_modes_and_goes_to_one(std, low, high):
    mixture = {"means": [[-1.0], [1.0]], "stds": std}
    exact, errors = consistency_mixture(NOISE, 1.0, **mixture), []
    for n in (16, 32, 64, 128):
        trained = train_consistency(np.linspace(1, 0, n + 1), np.linspace(-8, 8, 1601), nodes=10, **mixture)
        errors.append(np.abs(trained(NOISE, 1.0) - exact).mean())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert low < orders.min() <= orders.max() < high


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_the_order_of_distillation_is_that_of_its_solver(method, order):
    mixture = {"means": [[-1.0], [1.0]], "stds": 0.6}
    exact = consistency_mixture(NOISE, 1.0, **mixture)
    errors = [
        np.abs(solve_diffusion_ode(_flow(mixture), NOISE, np.linspace(1, 0, n + 1), method=method) - exact).mean()
        for n in (128, 256)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.05)


def test_known_errors_of_training_and_distillation():
    for mixture, n, ct, cd in ((TWO, 16, 0.2213, 0.0158), (THREE, 16, 0.2485, 0.0662), (THREE, 64, 0.119, 0.0167)):
        exact, times = consistency_mixture(NOISE, 1.0, **mixture), np.linspace(1, 0, n + 1)
        trained = train_consistency(times, GRID, **mixture)(NOISE, 1.0)
        assert np.abs(trained - exact).mean() == pytest.approx(ct, rel=0.01)
        assert (np.diff(trained[:, 0]) > 0).all()
        assert np.abs(solve_diffusion_ode(_flow(mixture), NOISE, times) - exact).mean() == pytest.approx(cd, rel=0.01)


def test_the_exact_map_samples_the_data_for_any_times():
    exact, n = partial(consistency_mixture, **THREE), 4000
    for times in ([1.0], [1.0, 0.5], [1.0, 0.6, 0.2]):
        rng = np.random.default_rng(3)
        x = consistency_sample(exact, rng.standard_normal((n, 1)), times, rng=rng)[:, 0]
        for middle, weight in zip((-1.5, 0.5, 2.0), THREE["weights"]):
            share = (np.abs(x - middle) < 0.9).mean()
            assert abs(share - weight) < 4 * (weight * (1 - weight) / n) ** 0.5


def test_several_steps_noise_the_answer_again():
    seen, rng = [], np.random.default_rng(0)
    z = np.random.default_rng(0).standard_normal((2, 3, 1))
    x = np.ones((3, 1))
    found = consistency_sample(
        lambda x, t: t * x, x, [1.0, 0.5, 0.25], rng=rng, callback=lambda t, x: seen.append((t, x))
    )
    second = 0.5 * x + 0.5 * z[0]
    third = 0.75 * (0.5 * second) + 0.25 * z[1]
    assert [t for t, _ in seen] == [1.0, 0.5, 0.25, 0.0]
    for (_, state), expected in zip(seen, (x, second, third, 0.25 * third)):
        np.testing.assert_allclose(state, expected, rtol=1e-15)
    np.testing.assert_allclose(found, 0.25 * third, rtol=1e-15)


def test_a_batch_is_a_loop_and_inputs_stay_as_they_are():
    x, t = np.random.default_rng(1).normal(size=(2, 3, 1)), np.array([[0.2], [0.9]])
    flow = _flow(THREE)
    for call in (flow, partial(flow_velocity_variance, **THREE), partial(consistency_mixture, **THREE)):
        kept, whole = x.copy(), call(x, np.broadcast_to(t, (2, 3)))
        for i, j in np.ndindex(2, 3):
            np.testing.assert_allclose(whole[i, j], call(x[i, j], t[i, 0]), rtol=1e-11)
        assert (x == kept).all()
    trained = train_consistency([1.0, 0.5, 0.0], GRID, **THREE)
    np.testing.assert_array_equal(trained(x, 0.5)[1, 2], trained(x[1, 2], 0.5))
    single = consistency_mixture(x.astype(np.float32), 0.5, **THREE)
    assert single.dtype == float
    assert single == pytest.approx(consistency_mixture(x, 0.5, **THREE), abs=1e-4)


def test_the_table_is_a_cubic_inside_its_grid_and_constant_outside():
    trained = train_consistency([0.5, 0.0], GRID, means=[[0.0]], stds=1.0)
    x = np.linspace(-7.9, 7.9, 333)[:, None]
    cubic = trained._replace(values=np.stack([GRID**3 - GRID**2, GRID]))
    assert cubic(x, 0.5) == pytest.approx(x**3 - x**2, abs=1e-10)
    assert (cubic([[-100.0], [100.0]], 0.0) == [[-8.0], [8.0]]).all()
    with pytest.raises(ValueError, match=r"^t must be one of the 2 times of training, got 0\.4$"):
        trained(x, 0.4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: flow_denoise(denoise_gaussian, [1.0], 0.0), "t must lie in"),
        (lambda: consistency_mixture([1.0], 1.5, **TWO), "t must lie in"),
        (lambda: consistency_mixture([1.0], 0.5, means=[[0.0]], stds=-1.0), "stds must be positive, got -1.0"),
        (lambda: consistency_mixture([1.0, 2.0], 0.5, **TWO), "x must have a last axis of length 1"),
        (lambda: consistency_mixture([1.0], 0.5, means=[[0.0, 1.0]], stds=1.0), "means must have a last axis"),
        (lambda: consistency_mixture([1.0], 0.5, means=[[0.0]], stds=[1.0, 2.0]), "stds must be a number or have"),
        (lambda: flow_velocity_variance([np.nan], 0.5, **TWO), "x must not contain NaN"),
        (lambda: consistency_step(lambda x, t: x, [1.0], 0.5, 0.5, **TWO), "s must be below t = 0.5, got 0.5"),
        (
            lambda: consistency_step(lambda x, t: x[0], [1.0], 0.5, 0.2, **TWO),
            r"consistency\(x, t\) must have the shape",
        ),
        (lambda: train_consistency([1.0, 0.5], GRID, **TWO), "times must go from at most 1 to 0, got 1.0 and 0.5"),
        (lambda: train_consistency([2.0, 0.0], GRID, **TWO), "times must go from at most 1 to 0, got 2.0 and 0.0"),
        (lambda: train_consistency([0.0, 1.0], GRID, **TWO), "times must be strictly decreasing"),
        (lambda: train_consistency([1.0, 0.0], GRID[::-1], **TWO), "grid must be increasing and equally spaced"),
        (lambda: train_consistency([1.0, 0.0], GRID**3, **TWO), "grid must be increasing and equally spaced"),
        (lambda: train_consistency([1.0, 0.0], GRID[:3], **TWO), "grid must hold at least 4 points, got 3"),
        (lambda: train_consistency([1.0, 0.0], GRID, nodes=0, **TWO), "nodes must be at least 1, got 0"),
        (lambda: consistency_sample(lambda x, t: x, [1.0], []), "times must be strictly decreasing, at least one"),
        (lambda: consistency_sample(lambda x, t: x, [1.0], [0.5, 0.0]), "times must lie in"),
        (lambda: gaussian_consistency_gain([1.0, 0.0], -1.0), "std must not be negative, got -1.0"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()


def test_several_steps_need_a_generator():
    with pytest.raises(TypeError, match=r"^rng must be a numpy\.random\.Generator, got None$"):
        consistency_sample(lambda x, t: x, [1.0], [1.0, 0.5])

import inspect
from functools import partial

import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.ancestral import ancestral_sample
from kexue_core.diffusion.denoisers import (
    denoise_gaussian,
    denoise_mixture,
    denoise_points,
    disk_images,
    velocity,
)
from kexue_core.diffusion.samplers import METHODS, solve_diffusion_ode, solve_reference, steps_at_nfe, trajectory
from kexue_core.diffusion.schedules import ddpm_schedule, edm_time_steps

(solve_ivp,) = oracles("scipy.integrate.solve_ivp")

MIXTURE = partial(denoise_mixture, means=[[-1.0, 0.0], [1.0, 0.5]], stds=[0.3, 0.5], weights=[0.3, 0.7])
START = np.array([[2.1, 0.9], [-1.0, 0.5]])


reference = partial(trajectory, solve_reference)


def _path(denoise, x, times, **options):
    """Return the trajectory and the number of calls of the denoiser, counted."""
    calls = []
    path = trajectory(solve_diffusion_ode, lambda x, t: calls.append(t) or denoise(x, t), x, times, **options)
    return path, len(calls)


def _solve(denoise, x, times, method, **options):
    return _path(denoise, x, times, method=method, r=0.3 if method == "amed" else None, **options)


def _gaussian_path(x, times, std):
    """Exact solution for data ``N(0, std^2 I)``: ``x`` stays proportional to ``sqrt(t^2 + std^2)``."""
    size = np.sqrt(np.asarray(times) ** 2 + np.square(std))
    return x * (size / size[0]).reshape(-1, *[1] * np.ndim(x))


def _lsoda(denoise, x, times):
    """End points by scipy, one starting point at a time, integrated in t."""
    ends = []
    for point in x:

        def field(t, y):
            return (y - denoise(y, t)) / t

        solution = solve_ivp(field, (times[0], times[-1]), point, method="LSODA", rtol=1e-11, atol=1e-12)
        ends.append(solution.y[:, -1])
    return np.array(ends)


def _slow_solver(denoise, x, times, method, r=None, scale=None, analytic_first=False):
    """All methods written out once more, one coordinate vector and one step at a time."""
    x, path, calls = np.array(x, dtype=float), [], 0

    def v(y, t):
        return (y - denoise(y, t)) / t

    path.append(x)
    for i in range(len(times) - 1):
        t, u = times[i], times[i + 1]
        if analytic_first and i == 0:
            d = x / np.sqrt(1 + t * t)
        else:
            d, calls = v(x, t), calls + 1
        if method == "euler":
            x = x + (u - t) * d
        elif method == "heun":
            predicted = x + (u - t) * d
            x, calls = x + (u - t) * (d / 2 + v(predicted, u) / 2), calls + 1
        else:
            exponent = r[i] if method == "amed" else 0.5
            s = np.exp(exponent * np.log(u) + (1 - exponent) * np.log(t))
            if method == "midpoint_arithmetic":
                s = (t + u) / 2
            factor = 1 if scale is None else scale[i]
            x, calls = x + factor * (u - t) * v(x + (s - t) * d, s), calls + 1
        path.append(x)
    return np.array(path), calls


def _order(denoise, method, start, exact_end, t_max=2.0, t_min=0.1):
    steps = np.array([16, 32, 64, 128])
    errors = []
    for n in steps:
        path, _ = _solve(denoise, start, edm_time_steps(n + 1, t_min=t_min, t_max=t_max), method)
        errors.append(np.abs(path[-1] - exact_end).max())
    return -np.polyfit(np.log(steps), np.log(errors), 1)[0]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_the_order_in_its_table_on_a_mixture(method):
    order = _order(MIXTURE, method, START, _lsoda(MIXTURE, START, [2.0, 0.1]))
    assert order == pytest.approx(METHODS[method].order, abs=0.05)


@pytest.mark.parametrize(
    ("method", "order"),
    [("euler", 1), ("heun", 2), ("midpoint_geometric", 2), ("midpoint_arithmetic", 3), ("amed", 1)],
)
def test_on_gaussian_data_the_arithmetic_midpoint_alone_gains_an_order(method, order):
    exact = _gaussian_path(START, [2.0, 0.1], 0.5)[-1]
    assert _order(partial(denoise_gaussian, std=0.5), method, START, exact) == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("analytic_first", [False, True])
def test_every_method_agrees_with_the_slow_solver_in_path_and_calls(method, analytic_first):
    x, times = 80 * np.random.default_rng(0).standard_normal((3, 2)), edm_time_steps(6)
    options = {"r": [0.0, 0.5, 0.3, 1.0, 0.05], "scale": [1, 0.99, 1.01, 1, 1]} if method == "amed" else {}
    path, nfe = _path(MIXTURE, x, times, method=method, analytic_first=analytic_first, **options)
    expected, calls = _slow_solver(MIXTURE, x, times, method, analytic_first=analytic_first, **options)
    np.testing.assert_allclose(path, expected, rtol=1e-9, atol=1e-9)
    assert nfe == calls == METHODS[method].calls * 5 - analytic_first


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_equals_the_loop_over_its_points(method):
    x, times = np.random.default_rng(0).standard_normal((2, 3, 2)), edm_time_steps(5, t_max=2.0)
    batch, nfe = _solve(MIXTURE, x, times, method)
    assert batch.shape == (5, 2, 3, 2)
    for i in np.ndindex(2, 3):
        single, calls = _solve(MIXTURE, x[i], times, method)
        np.testing.assert_allclose(batch[(slice(None), *i)], single, rtol=1e-12, atol=1e-12)
        assert calls == nfe


@pytest.mark.parametrize("method", METHODS)
def test_two_times_make_one_step_and_the_first_point_is_the_start(method):
    path, nfe = _solve(MIXTURE, START, [2.0, 0.1], method)
    assert path.shape == (2, 2, 2)
    assert nfe == METHODS[method].calls
    np.testing.assert_array_equal(path[0], START)


@pytest.mark.parametrize("method", METHODS)
def test_inputs_are_unchanged_and_the_trajectory_shares_no_memory_with_them(method):
    x, times = START.copy(), np.array([2.0, 1.0, 0.1])
    path, _ = _solve(MIXTURE, x, times, method)
    path += 1
    reference(MIXTURE, x, times, substeps=2)
    np.testing.assert_array_equal(x, START)
    np.testing.assert_array_equal(times, [2.0, 1.0, 0.1])


@pytest.mark.parametrize("method", METHODS)
def test_a_single_data_point_is_reached_exactly_along_a_straight_line(method):
    denoise = partial(denoise_points, points=[[1.0, -2.0]])
    times = edm_time_steps(4)
    path, _ = _solve(denoise, 80 * START, times, method)
    line = np.array([1.0, -2.0]) + (80 * START - [1.0, -2.0]) * (times / 80)[:, None, None]
    np.testing.assert_allclose(path, line, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("t", [1e-200, 1.6e308])
def test_a_step_does_not_depend_on_the_unit_of_time(method, t):
    options = {"method": method, "r": 0.5 if method == "amed" else None}
    x = solve_diffusion_ode(lambda x, t: np.zeros_like(x), [t / 2], [t, 0.75 * t], **options)
    assert x == pytest.approx([0.75 * t / 2], rel=1e-14)


def test_amed_at_one_half_is_the_geometric_midpoint_and_at_zero_with_euler_nodes_is_euler():
    times = edm_time_steps(5, t_max=2.0)
    geometric, _ = _path(MIXTURE, START, times, method="midpoint_geometric")
    half, _ = _path(MIXTURE, START, times, method="amed", r=0.5)
    np.testing.assert_allclose(half, geometric, rtol=1e-13)
    euler, _ = _path(MIXTURE, START, times, method="euler")
    zero, _ = _path(MIXTURE, START, times, method="amed", r=np.zeros(4))
    np.testing.assert_allclose(zero, euler, rtol=1e-13)


def test_scale_multiplies_the_mean_direction_of_its_own_step_only():
    plain, _ = _path(MIXTURE, START, [2.0, 1.0, 0.5], method="amed", r=0.4)
    scaled, _ = _path(MIXTURE, START, [2.0, 1.0, 0.5], method="amed", r=0.4, scale=[1.0, 0.9])
    np.testing.assert_array_equal(scaled[1], plain[1])
    np.testing.assert_allclose(scaled[2] - scaled[1], 0.9 * (plain[2] - plain[1]), rtol=1e-13)


@pytest.mark.parametrize("std", [0.1, 1.0, 3.0])
def test_the_analytic_first_direction_is_off_by_the_stated_relative_amount(std):
    x, t = np.array([80.0, -30.0]), 80.0
    path, nfe = _path(None, x, [t, 10.0], analytic_first=True)
    exact = velocity(partial(denoise_gaussian, std=std), x, t)
    deviation = (path[1] - x) / (10.0 - t) / exact - 1
    np.testing.assert_allclose(deviation, (std**2 - 0.5) / t**2, rtol=0.01)
    assert nfe == 0


def test_the_pattern_of_the_papers_table_2_holds_on_disk_images():
    images = disk_images(32, 8, np.random.default_rng(0))
    denoise = partial(denoise_points, points=images)
    x = 80 * np.random.default_rng(1).standard_normal((256, 64))
    end = reference(denoise, x, [80, 0.002])[-1]
    rmse = {}
    for method in ("euler", "heun", "midpoint_geometric"):
        for nfe in (3, 5, 7, 9):
            times = edm_time_steps(steps_at_nfe(method, nfe, analytic_first=True) + 1)
            path, calls = _path(denoise, x, times, method=method, analytic_first=True)
            assert calls == nfe
            rmse[method, nfe] = np.sqrt(np.mean((path[-1] - end) ** 2))
    assert rmse["heun", 3] > 50 * rmse["euler", 3]
    assert rmse["midpoint_geometric", 3] > 10 * rmse["euler", 3]
    assert rmse["heun", 5] > rmse["midpoint_geometric", 5] > rmse["euler", 5]
    assert rmse["midpoint_geometric", 9] < rmse["euler", 9]
    assert rmse["euler", 3] == pytest.approx(0.31, abs=0.03)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1.0], "times must hold at least 2 values, got 1"),
        ([1.0, 2.0], r"times must be strictly decreasing, got \[1. 2.\]"),
        ([2.0, 1.0, 1.0], "times must be strictly decreasing, got"),
        ([1.0, -1.0], "times must be positive.*, got -1.0"),
        ([np.nan, 1.0], "times must not contain NaN, got 1 of them"),
        ([[2.0, 1.0]], r"times must have 1 axis, got shape \(1, 2\)"),
    ],
)
def test_solvers_refuse_bad_times(times, message):
    with pytest.raises(ValueError, match=message):
        _path(MIXTURE, START, times)
    with pytest.raises(ValueError, match=message):
        reference(MIXTURE, START, times)


def test_the_reference_refuses_a_last_time_of_zero():
    with pytest.raises(ValueError, match=r"times must be positive, got 0\.0"):
        solve_reference(MIXTURE, START, [1.0, 0.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "rk45"}, "method must be one of 'euler', 'heun', 'midpoint_arithmetic', .*, 'amed', got 'rk45'"),
        ({"method": "amed"}, "r must be given for method 'amed', got None"),
        ({"method": "amed", "r": [0.5]}, r"r must be a number or one for each of 2 steps, got shape \(1,\)"),
        ({"method": "amed", "r": [0.5, 1.2]}, r"r must lie in \[0, 1\], got 1.2"),
        ({"method": "amed", "r": -0.1}, r"r must lie in \[0, 1\], got -0.1"),
        ({"method": "amed", "r": np.nan}, "r must not contain NaN, got 1 of them"),
        ({"method": "amed", "r": 0.5, "scale": 0.0}, "scale must be positive, got 0.0"),
        ({"method": "amed", "r": 0.5, "scale": [1.0] * 3}, r"scale must be a number or one for each of 2 steps, got"),
        ({"method": "heun", "r": 0.5}, "r must be None unless method is 'amed', got 0.5 for 'heun'"),
        ({"scale": 1.0}, "scale must be None unless method is 'amed', got 1.0 for 'euler'"),
    ],
)
def test_the_solver_refuses_options_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        _path(MIXTURE, START, [2.0, 1.0, 0.1], **options)


def test_a_nan_of_the_start_or_of_the_denoiser_never_passes():
    with pytest.raises(ValueError, match="x must not contain NaN, got 1 of them"):
        _path(MIXTURE, [[np.nan, 1.0]], [2.0, 1.0])
    with pytest.raises(ValueError, match=r"denoise\(x, t\) must not contain NaN, got 4 of them"):
        reference(lambda x, t: x * np.nan, START, [2.0, 1.0])


def test_steps_at_nfe_is_the_inverse_of_the_reported_calls():
    for method in METHODS:
        for analytic_first in (False, True):
            for steps in (1, 2, 5):
                _, nfe = _solve(MIXTURE, START, edm_time_steps(steps + 1), method, analytic_first=analytic_first)
                if nfe:
                    assert steps_at_nfe(method, nfe, analytic_first=analytic_first) == steps


def test_steps_at_nfe_refuses_half_steps_and_unknown_methods():
    with pytest.raises(ValueError, match="nfe must be even for 'heun' with analytic_first=False, got 5"):
        steps_at_nfe("heun", 5)
    with pytest.raises(ValueError, match="nfe must be odd for 'amed' with analytic_first=True, got 4"):
        steps_at_nfe("amed", 4, analytic_first=True)
    with pytest.raises(ValueError, match=r"method must be one of 'euler', .* got 'ddim'"):
        steps_at_nfe("ddim", 3)
    with pytest.raises(ValueError, match="nfe must be at least 1, got 0"):
        steps_at_nfe("euler", 0)


def test_the_reference_agrees_with_scipy_on_mixture_and_disks():
    start = 80 * np.random.default_rng(2).standard_normal((4, 2))
    ours = reference(MIXTURE, start, [80, 0.002])[-1]
    np.testing.assert_allclose(ours, _lsoda(MIXTURE, start, [80, 0.002]), atol=1e-7)
    denoise = partial(denoise_points, points=disk_images(32, 8, np.random.default_rng(0)))
    start = 80 * np.random.default_rng(2).standard_normal((2, 64))
    ours = reference(denoise, start, [80, 0.002])[-1]
    np.testing.assert_allclose(ours, _lsoda(denoise, start, [80, 0.002]), atol=1e-7)


def test_the_reference_follows_the_gaussian_path_at_all_times():
    times = edm_time_steps(9)
    ours = reference(partial(denoise_gaussian, std=0.5), 80 * START, times)
    np.testing.assert_allclose(ours, _gaussian_path(80 * START, times, 0.5), rtol=1e-6)


def test_the_reference_is_of_fourth_order():
    exact = _lsoda(MIXTURE, START, [2.0, 0.1])
    counts = np.array([8, 16, 32, 64])
    ends = [reference(MIXTURE, START, [2.0, 0.1], substeps=int(n))[-1] for n in counts]
    errors = [np.abs(end - exact).max() for end in ends]
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(4, abs=0.2)


def test_the_reference_refuses_no_substeps():
    with pytest.raises(ValueError, match="substeps must be at least 1, got 0"):
        reference(MIXTURE, START, [2.0, 1.0], substeps=0)


def test_the_reference_shares_its_substeps_out_by_the_logarithm_of_time():
    seen = []
    reference(lambda x, t: seen.append(t) or 0 * x, START, [16.0, 4.0, 2.0, 1.0], substeps=8)
    assert len(seen) == 4 * 8
    assert [sum(low < t < high for t in seen) for low, high in ((4, 16), (2, 4), (1, 2))] == [4 * 4 - 2, 4 * 2 - 2, 6]


@pytest.mark.parametrize("method", METHODS)
def test_a_last_step_to_zero_lands_on_the_denoiser_with_one_call(method):
    times = [*edm_time_steps(4, t_max=2.0), 0.0]
    path, calls = _solve(MIXTURE, START, times, method)
    np.testing.assert_allclose(path[-1], MIXTURE(path[-2], 0.002), rtol=1e-12)
    assert calls == 3 * METHODS[method].calls + 1


def test_eighteen_steps_of_edm_and_the_one_to_zero_take_the_35_calls_that_edm_reports():
    _, calls = _solve(MIXTURE, START, [*edm_time_steps(18), 0.0], "heun")
    assert calls == 35


SAMPLERS = {
    "ode": (partial(solve_diffusion_ode, method="heun"), [2.0, 1.0, 0.5]),
    "reference": (partial(solve_reference, substeps=3), [2.0, 1.0, 0.5]),
    "ancestral": (ancestral_sample, ddpm_schedule(2)),
}
every_sampler = pytest.mark.parametrize(("sampler", "times"), SAMPLERS.values(), ids=SAMPLERS)


@pytest.mark.parametrize("sampler", [solve_diffusion_ode, solve_reference, ancestral_sample])
def test_all_samplers_have_one_signature(sampler):
    parameters = list(inspect.signature(sampler).parameters.values())
    assert [p.name for p in parameters[:2]] == ["denoise", "x"]
    assert parameters[2].name in ("times", "schedule")
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[3:])
    assert [(p.name, p.default) for p in parameters[-2:]] == [("rng", None), ("callback", None)]


@every_sampler
def test_the_trajectory_begins_at_the_start_and_ends_at_the_sample(sampler, times):
    rng = [np.random.default_rng(0) for _ in range(2)]
    path = trajectory(sampler, MIXTURE, START, times, rng=rng[0])
    assert path.shape == (3, 2, 2)
    np.testing.assert_array_equal(path[0], START)
    np.testing.assert_array_equal(path[-1], sampler(MIXTURE, START, times, rng=rng[1]))


@every_sampler
def test_a_callback_or_a_denoiser_that_writes_into_its_argument_changes_nothing(sampler, times):
    def in_place(x, t):
        return np.multiply(x, 1 / (1 + t * t), out=x)

    def spoil(t, x):
        x[:] = np.nan

    kept, expected = START.copy(), sampler(denoise_gaussian, START, times, rng=np.random.default_rng(0))
    found = sampler(in_place, START, times, rng=np.random.default_rng(0), callback=spoil)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    np.testing.assert_array_equal(START, kept)


@every_sampler
def test_an_empty_batch_gives_an_empty_sample(sampler, times):
    assert sampler(MIXTURE, np.zeros((0, 2)), times, rng=np.random.default_rng(0)).shape == (0, 2)


@every_sampler
def test_what_is_no_function_is_refused_by_name(sampler, times):
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match=r"^denoise must be a function, got 3$"):
        sampler(3, START, times, rng=rng)
    with pytest.raises(TypeError, match=r"^callback must be a function, got 'show'$"):
        sampler(MIXTURE, START, times, rng=rng, callback="show")
    with pytest.raises(TypeError, match=r"^sampler must be a function, got None$"):
        trajectory(None, MIXTURE, START, times)


def test_times_whose_ratio_overflows_are_refused():
    with pytest.raises(ValueError, match=r"times must have a finite ratio .*, got 1e\+200 and 1e-200"):
        solve_reference(lambda x, t: 0 * x, [1e200], [1e200, 1.0, 1e-200])

import itertools
from functools import partial

import numpy as np
import pytest

from kexue_core.diffusion.denoisers import denoise_gaussian, denoise_mixture, denoise_points
from kexue_core.diffusion.multistep import MULTISTEP, fit_inserted_times, insert_times, solve_multistep
from kexue_core.diffusion.samplers import solve_diffusion_ode, solve_reference, trajectory
from kexue_core.diffusion.schedules import edm_time_steps

MIXTURE = partial(denoise_mixture, means=[[-1.0, 0.0], [1.0, 0.5]], stds=[0.3, 0.5], weights=[0.3, 0.7])
START = np.array([[2.1, 0.9], [-1.0, 0.5]])


def _adams_bashforth(denoise, x, times):
    """iPNDM once more, written out as in zju-pi/diff-sampler."""
    past = []
    for t, u in itertools.pairwise(times):
        d = (x - denoise(x, t)) / t
        mean = [
            lambda d: d,
            lambda d: (3 * d - past[-1]) / 2,
            lambda d: (23 * d - 16 * past[-1] + 5 * past[-2]) / 12,
            lambda d: (55 * d - 59 * past[-1] + 37 * past[-2] - 9 * past[-3]) / 24,
        ][min(len(past), 3)](d)
        x = x + (u - t) * mean
        past.append(d)
    return x


def _second_order_pp(denoise, x, times):
    """DPM-Solver++(2M) of the paper, first and last step of order 1."""
    before = None
    for i, (t, u) in enumerate(itertools.pairwise(times)):
        guess, h = denoise(x, t), np.log(t / u)
        point = guess
        if before is not None and i < len(times) - 2:
            r = np.log(times[i - 1] / t) / h
            point = (1 + 1 / (2 * r)) * guess - before / (2 * r)
        x = u / t * x + (1 - u / t) * point
        before = guess
    return x


def _unipc_bh2(denoise, x, times):
    """UniPC of order 3 with ``B(h) = e^(-h) - 1``, as its authors write the update: with a matrix and a vector."""
    logs, n = -np.log(times), len(times) - 1
    models, corrected = [denoise(x, times[0])], x

    def update(x, i, order, fresh=None):
        h = logs[i + 1] - logs[i]
        ratios = [(logs[i - j] - logs[i]) / h for j in range(1, order)] + [1.0]
        slopes = [(models[i - j] - models[i]) / ratios[j - 1] for j in range(1, order)]
        big_b = h_phi_1 = np.expm1(-h)
        h_phi_k, factorial, rows, b = h_phi_1 / -h - 1, 1, [], []
        for k in range(1, order + 1):
            rows.append([ratio ** (k - 1) for ratio in ratios])
            b.append(h_phi_k * factorial / big_b)
            factorial *= k + 1
            h_phi_k = h_phi_k / -h - 1 / factorial
        rows, b = np.array(rows), np.array(b)
        base = times[i + 1] / times[i] * x - h_phi_1 * models[i]
        if fresh is None:
            rho = [] if order == 1 else [0.5] if order == 2 else np.linalg.solve(rows[:-1, :-1], b[:-1])
            return base - big_b * sum((r * s for r, s in zip(rho, slopes)), np.zeros_like(x))
        rho = [0.5] if order == 1 else np.linalg.solve(rows, b)
        return base - big_b * sum(r * s for r, s in zip(rho, [*slopes, fresh - models[i]]))

    for i in range(n):
        order = min(i + 1, 3, n - i)
        predicted = update(corrected, i, order)
        if i == n - 1:
            return predicted
        models.append(denoise(predicted, times[i + 1]))
        corrected = update(corrected, i, order, fresh=models[-1])


@pytest.mark.parametrize("n", [2, 3, 4, 9])
def test_unipc_equals_a_second_writing(n):
    times = edm_time_steps(n, t_max=10.0, t_min=0.1)
    found = solve_multistep(MIXTURE, START, times, method="unipc")
    np.testing.assert_allclose(found, _unipc_bh2(MIXTURE, START, times), rtol=1e-12)


def test_ipndm_and_dpm_solver_pp_equal_a_second_writing():
    times = edm_time_steps(8, t_max=10.0, t_min=0.1)
    np.testing.assert_allclose(solve_multistep(MIXTURE, START, times), _adams_bashforth(MIXTURE, START, times))
    found = solve_multistep(MIXTURE, START, times, method="dpm_solver_pp", order=2)
    np.testing.assert_allclose(found, _second_order_pp(MIXTURE, START, times))


@pytest.mark.parametrize("method", MULTISTEP)
def test_one_call_a_step_and_the_free_first_one(method):
    for free in (False, True):
        calls = []
        solve_multistep(
            lambda x, t: calls.append(t) or MIXTURE(x, t),  # noqa: B023
            START,
            edm_time_steps(6),
            method=method,
            analytic_first=free,
        )
        assert calls == list(edm_time_steps(6)[free:-1])


@pytest.mark.parametrize("method", ["ipndm", "dpm_solver_pp"])
def test_order_one_is_ddim(method):
    times = edm_time_steps(7)
    expected = solve_diffusion_ode(MIXTURE, START, times)
    np.testing.assert_allclose(solve_multistep(MIXTURE, START, times, method=method, order=1), expected)


@pytest.mark.parametrize("method", MULTISTEP)
def test_a_single_data_point_is_reached_exactly(method):
    point = np.array([0.3, -0.7])
    end = solve_multistep(partial(denoise_points, points=[point]), START, edm_time_steps(6), method=method)
    np.testing.assert_allclose(end, point + 0.002 / 80 * (START - point), atol=1e-9)


@pytest.mark.parametrize("method", MULTISTEP)
def test_they_converge_with_order_two(method):
    half, start, goal = partial(denoise_gaussian, std=0.5), [np.hypot(2, 0.5)], np.hypot(0.1, 0.5)
    errors = [
        abs(solve_multistep(half, start, np.geomspace(2, 0.1, n + 1), method=method)[0] - goal) for n in (400, 800)
    ]
    assert 1.9 < np.log2(errors[0] / errors[1]) < 2.1


def test_the_callback_sees_all_states():
    times = edm_time_steps(5)
    path = trajectory(solve_multistep, MIXTURE, START, times, method="ipndm")
    assert path.shape == (5, 2, 2)
    np.testing.assert_array_equal(path[-1], solve_multistep(MIXTURE, START, times))


def test_inserted_times_and_their_fit():
    times = [80.0, 1.0, 0.002]
    np.testing.assert_allclose(insert_times(times, 0.5), [80, 80**0.5, 1, 0.002**0.5, 0.002])
    targets = trajectory(solve_reference, MIXTURE, START, times)
    grid = np.arange(1, 20) / 20
    r = fit_inserted_times(MIXTURE, START, times, targets, grid=grid)

    def error(first):
        end = solve_multistep(MIXTURE, START, insert_times(times[:2], first))
        return ((end - targets[1]) ** 2).sum()

    assert r[0] == min(grid, key=error)
    assert r.shape == (2,)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"method": "euler"}, "method must be"),
        ({"order": 5}, "order must be"),
        ({"times": [1.0, 2.0]}, "times must be strictly decreasing"),
        ({"times": [1.0, 0.0]}, "times must be positive"),
    ],
)
def test_bad_input_is_named(options, match):
    arguments = {"times": [2.0, 1.0], **options}
    with pytest.raises(ValueError, match=match):
        solve_multistep(MIXTURE, START, **arguments)


def test_bad_exponents_are_named():
    with pytest.raises(ValueError, match=r"r must be inside \(0, 1\), got"):
        insert_times([2.0, 1.0], 0.0)
    with pytest.raises(ValueError, match=r"r must be so far from 0 and 1 that .*, got 1e-17"):
        insert_times([2.0, 1.0], 1e-17)
    with pytest.raises(ValueError, match="one for each of 1 steps, got"):
        insert_times([2.0, 1.0], [0.3, 0.5])
    with pytest.raises(ValueError, match="r must"):
        fit_inserted_times(MIXTURE, START, [2.0, 1.0], np.zeros((2, 2, 2)), grid=[0.0])


def test_a_fit_whose_errors_all_overflow_is_refused():
    targets = np.full((2, 2, 2), -1.5e308)
    with pytest.raises(ValueError, match="x and targets must keep the result finite, got inf"):
        fit_inserted_times(lambda x, t: x, targets[0] * -1, [2.0, 1.0], targets, grid=[0.25, 0.5])


@pytest.mark.parametrize("unit", [1e-200, 1e-100, 1e150])
def test_the_fit_does_not_depend_on_the_unit(unit):
    def denoise(x, t):
        return x / (1 + (t / unit) ** 2)

    x, times = unit * np.array([[1.0], [-2.0]]), unit * np.array([80.0, 1.0, 0.002])
    targets = trajectory(solve_reference, denoise, x, times)
    assert fit_inserted_times(denoise, x, times, targets).tolist() == [0.8, 0.2]

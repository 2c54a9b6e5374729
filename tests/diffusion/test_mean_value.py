from functools import partial

import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.denoisers import denoise_gaussian, denoise_points, disk_images
from kexue_core.diffusion.mean_value import fit_mean_direction, gaussian_mean_time, trajectory_pca
from kexue_core.diffusion.multistep import fit_inserted_times
from kexue_core.diffusion.samplers import solve_diffusion_ode, solve_reference, steps_at_nfe, trajectory
from kexue_core.diffusion.schedules import edm_time_steps

mpmath, sp = oracles("mpmath", "sympy")

reference = partial(trajectory, solve_reference)

DISKS = partial(denoise_points, points=disk_images(32, 8, np.random.default_rng(0)))


def _exact_root(t, u, c):
    """Root of the plain quadratic condition in 60 digits."""
    with mpmath.workdps(60):
        t, u, c = mpmath.mpf(t), mpmath.mpf(u), mpmath.mpf(c)
        A = t**2 + c**2 - mpmath.sqrt((u**2 + c**2) * (t**2 + c**2))
        a, b = (t - u) * t - A, (t - u) * c**2
        return float((-b + mpmath.sqrt(b**2 + 4 * a * c**2 * A)) / (2 * a))


def test_the_condition_for_an_exact_step_is_the_stated_quadratic():
    t, u, c, s = sp.symbols("t u c s", positive=True)
    T, U = sp.sqrt(t**2 + c**2), sp.sqrt(u**2 + c**2)
    predicted = 1 + (s - t) * t / T**2
    landing = 1 + (u - t) * s / (s**2 + c**2) * predicted
    a, b = (t**2 - u**2) / ((T + U) * (t * U + u * T)), T * (t + u) / (T + U)
    # Both vanish together: their quotient is a factor without zeros for u < s < t.
    quotient = (landing - U / T) / (a * s**2 + s - b)
    expected = -(t - u) * c**2 / (T**2 * (s**2 + c**2))
    values = {t: sp.Rational(7, 2), u: sp.Rational(2, 5), c: sp.Rational(3, 4)}
    assert sp.simplify((quotient - expected).subs(values)) == 0
    assert abs(sp.N((quotient - expected).subs({t: 80, u: sp.Rational(1, 500), c: 2, s: 5}), 40)) < 1e-35


@pytest.mark.parametrize(
    ("std", "s"), [(0.02, 1.31866), (0.05, 2.01455), (0.25, 4.36551), (0.5, 6.08981), (1, 8.46074), (2, 11.67278)]
)
def test_exact_times_of_one_step_over_the_whole_range(std, s):
    assert gaussian_mean_time(80, 0.002, std) == pytest.approx(s, abs=5e-6)


@pytest.mark.parametrize(("t", "u"), [(80, 0.002), (2.0, 1.999999), (1e-3, 1e-6), (3.0, 1.0)])
@pytest.mark.parametrize("std", [1e-8, 0.02, 1.0, 1e4])
def test_the_mean_time_keeps_its_digits_where_the_plain_quadratic_cancels(t, u, std):
    s = gaussian_mean_time(t, u, std)
    assert s == pytest.approx(_exact_root(t, u, std), rel=1e-14)
    assert u < s < t


@pytest.mark.parametrize(
    ("t", "u", "std", "s"),
    [(1e300, 1e-300, 0.0, 2**0.5), (1e154, 1e-155, 0.0, 0.2**0.5), (1e308, 1.0, 1e308, 4.873902956948624e307)],
)
def test_the_mean_time_lies_in_its_step_where_products_of_times_leave_the_range(t, u, std, s):
    assert gaussian_mean_time(t, u, std) == pytest.approx(s, rel=1e-14)


def test_the_mean_time_of_the_shortest_steps_is_not_rounded_out_of_them():
    u = np.random.default_rng(0).uniform(1, 2, 10_000)
    t = np.nextafter(u, 3)
    s = gaussian_mean_time(t, u, 10.0 ** np.arange(-5, 6)[:, None])
    assert ((u <= s) & (s <= t)).all()


@pytest.mark.parametrize("std", [0.05, 1.0, 10.0])
def test_one_amed_step_at_the_mean_time_samples_gaussian_data_exactly(std):
    t, u, x = 80.0, 0.002, np.array([[80.0, -30.0], [5.0, 120.0]])
    r = np.log(t / gaussian_mean_time(t, u, std)) / np.log(t / u)
    denoise = partial(denoise_gaussian, mean=[1.0, -2.0], std=std)
    end = solve_diffusion_ode(denoise, x, [t, u], method="amed", r=r)
    exact = [1.0, -2.0] + (x - [1.0, -2.0]) * np.hypot(u, std) / np.hypot(t, std)
    np.testing.assert_allclose(end, exact, atol=1e-11)


def test_the_mean_time_grows_with_std_from_the_point_limit_to_the_arithmetic_midpoint():
    s = gaussian_mean_time(80, 0.002, [0, 1e-3, 0.1, 1, 10, 1e6])
    assert (np.diff(s) > 0).all()
    np.testing.assert_allclose(s[0], 160 / (1 + np.sqrt(2 * 80 / 0.002 - 1)), rtol=1e-14)
    np.testing.assert_allclose(s[-1], 80.002 / 2, rtol=1e-9)
    assert np.isfinite(gaussian_mean_time(1e-200, 1e-210, 0.0))


def test_mean_times_broadcast_as_the_loop():
    t, std = np.array([[80.0], [3.0]]), np.array([0.1, 0.5, 2.0])
    s = gaussian_mean_time(t, 0.002, std)
    assert s.shape == (2, 3)
    np.testing.assert_array_equal(s, [[gaussian_mean_time(a, 0.002, c) for c in std] for a in (80.0, 3.0)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 0.0, 1.0), "u must be positive, got 0.0"),
        ((1.0, 2.0, 1.0), "u must be smaller than t, got u - t = 1.0"),
        ((1.0, 0.5, -1.0), "std must not be negative, got -1.0"),
        ((np.nan, 0.5, 1.0), "t must not contain NaN, got 1 of them"),
        (([2.0, 3.0], 0.5, [1.0] * 3), r"t, u and std must broadcast in all axes, got shapes \(2,\), \(\) and \(3,\)"),
    ],
)
def test_the_mean_time_refuses_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        gaussian_mean_time(*arguments)


@pytest.mark.parametrize("std", [0.05, 1.0])
def test_the_fit_finds_the_exact_exponent_of_gaussian_data_in_every_step(std):
    times, x = np.array([80.0, 4.0, 0.5, 0.002]), 80 * np.random.default_rng(0).standard_normal((4, 2, 3))
    denoise = partial(denoise_gaussian, std=std)
    fitted = fit_mean_direction(denoise, x, times, reference(denoise, x, times))
    t, u = times[:-1], times[1:]
    exact = np.log(t / gaussian_mean_time(t, u, std)) / np.log(t / u)
    # One grid spacing: half for the rounding, the rest because a step also corrects what the steps before left over.
    np.testing.assert_allclose(fitted, exact, atol=0.01)


def test_the_fit_is_the_best_of_its_grid_in_each_step_given_the_steps_before():
    x, times, grid = 80 * np.random.default_rng(0).standard_normal((16, 64)), edm_time_steps(4), [0.5, 0.0, 0.3, 0.1]
    targets = reference(DISKS, x, times)
    fitted = fit_mean_direction(DISKS, x, times, targets, grid=grid, analytic_first=True)
    for i in range(3):
        errors = []
        for r in grid:
            trial = np.concatenate([fitted[:i], [r], np.zeros(2 - i)])
            options = {"method": "amed", "r": trial, "analytic_first": True}
            path = trajectory(solve_diffusion_ode, DISKS, x, times, **options)
            errors.append(np.sum((path[i + 1] - targets[i + 1]) ** 2))
        assert fitted[i] == grid[int(np.argmin(errors))]


@pytest.mark.parametrize("fit", [fit_mean_direction, fit_inserted_times])
def test_where_the_direction_does_not_depend_on_r_the_first_exponent_is_taken_and_not_what_rounding_prefers(fit):
    rng, grid = np.random.default_rng(0), [0.5, 0.1, 0.7, 0.3]
    target, times = rng.standard_normal(64), [3.0, 1.0, 0.3]  # one point of data: straight paths, whatever the steps
    for x in 3 * rng.standard_normal((20, 8, 64)):
        targets = np.stack([x, *rng.standard_normal((2, 8, 64))])
        fitted = fit(partial(denoise_points, points=target[None]), x, times, targets, grid=grid)
        np.testing.assert_array_equal(fitted, 0.5)


def test_the_analytic_first_direction_changes_the_fit():
    x, times = 80 * np.random.default_rng(0).standard_normal((64, 64)), [80.0, 0.002]
    targets = reference(DISKS, x, times)
    fits = [fit_mean_direction(DISKS, x, times, targets, analytic_first=flag) for flag in (False, True)]
    assert fits[0].shape == fits[1].shape == (1,)
    assert fits[0] != fits[1]


@pytest.mark.parametrize("nfe", [3, 5, 7, 9])
def test_fitted_amed_beats_every_other_method_at_equal_calls_on_fresh_noise(nfe):
    train, test = (80 * np.random.default_rng(seed).standard_normal((128, 64)) for seed in (1, 2))
    end = reference(DISKS, test, [80, 0.002], substeps=200)[-1]
    times = edm_time_steps(steps_at_nfe("amed", nfe, analytic_first=True) + 1)
    targets = reference(DISKS, train, times, substeps=200)
    r = fit_mean_direction(DISKS, train, times, targets, grid=np.arange(26) / 50, analytic_first=True)
    rmse = {}
    for method in ("amed", "euler", "heun", "midpoint_geometric"):
        times = edm_time_steps(steps_at_nfe(method, nfe, analytic_first=True) + 1)
        options = {"r": r} if method == "amed" else {}
        landed = solve_diffusion_ode(DISKS, test, times, method=method, analytic_first=True, **options)
        rmse[method] = np.sqrt(np.mean((landed - end) ** 2))
    assert min(rmse, key=rmse.get) == "amed"


def test_the_fit_refuses_bad_input_and_changes_none():
    x, times = np.ones((2, 3)), [2.0, 1.0]
    targets = np.ones((2, 2, 3))
    fit_mean_direction(denoise_gaussian, x, times, targets, grid=[0.2])
    np.testing.assert_array_equal(x, np.ones((2, 3)))
    np.testing.assert_array_equal(targets, np.ones((2, 2, 3)))
    with pytest.raises(ValueError, match=r"targets must have shape \(2, 2, 3\), got shape \(2, 3\)"):
        fit_mean_direction(denoise_gaussian, x, times, targets[0])
    with pytest.raises(ValueError, match=r"grid must lie in \[0, 1\], got 1.5"):
        fit_mean_direction(denoise_gaussian, x, times, targets, grid=[0.0, 1.5])
    with pytest.raises(ValueError, match="times must hold at least 2 values, got 1"):
        fit_mean_direction(denoise_gaussian, x, [1.0], targets[:1])
    with pytest.raises(ValueError, match="targets must not contain NaN, got 12 of them"):
        fit_mean_direction(denoise_gaussian, x, times, targets * np.nan)


def test_pca_agrees_with_the_eigenvalues_of_the_covariance():
    path = np.random.default_rng(0).standard_normal((9, 5)) * [5, 3, 2, 1, 0.5]
    eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(path.T)))[::-1]
    explained, coordinates, residuals = trajectory_pca(path, 5)
    np.testing.assert_allclose(explained, eigenvalues / eigenvalues.sum(), rtol=1e-12)
    np.testing.assert_allclose(coordinates.var(axis=1, ddof=1), eigenvalues, rtol=1e-12)
    for k in range(6):
        basis = np.linalg.eigh(np.cov(path.T))[1][:, ::-1][:, :k]
        centred = path - path.mean(axis=0)
        distance = np.linalg.norm(centred - centred @ basis @ basis.T, axis=1)
        np.testing.assert_allclose(residuals[k], distance, atol=1e-12)


def test_pca_has_zero_residual_for_lines_with_one_and_parabolas_with_two_components():
    t = np.linspace(0, 1, 7)[:, None]
    direction, other = np.array([1.0, 2.0, -1.0, 0.5]), np.array([0.0, 1.0, 3.0, -2.0])
    line, parabola = trajectory_pca(3 + t * direction, 2), trajectory_pca(t * direction + t**2 * other, 2)
    np.testing.assert_allclose(line.residuals[1], 0, atol=1e-14)
    np.testing.assert_allclose(line.explained[0], 1, rtol=1e-14)
    assert parabola.residuals[1].max() > 0.1
    np.testing.assert_allclose(parabola.residuals[2], 0, atol=1e-14)


def test_pca_of_a_batch_equals_the_loop_and_keeps_its_sign_rule():
    path = np.random.default_rng(0).standard_normal((6, 2, 3, 4))
    copy = path.copy()
    batch = trajectory_pca(path, 3)
    np.testing.assert_array_equal(path, copy)
    assert batch.explained.shape == (3, 2, 3)
    assert batch.coordinates.shape == (3, 6, 2, 3)
    assert batch.residuals.shape == (4, 6, 2, 3)
    assert (batch.coordinates[:, 0] >= 0).all()
    for i in np.ndindex(2, 3):
        single = trajectory_pca(path[(slice(None), *i)], 3)
        for ours, theirs in zip(batch, single):
            np.testing.assert_allclose(ours[(..., *i)], theirs, atol=1e-12)


def test_pca_of_two_times_is_a_line():
    explained, coordinates, residuals = trajectory_pca([[0.0, 0.0], [3.0, 4.0]], 1)
    np.testing.assert_allclose(explained, [1.0], rtol=1e-15)
    np.testing.assert_allclose(coordinates, [[2.5, -2.5]], rtol=1e-15)
    np.testing.assert_allclose(residuals[1], 0, atol=1e-15)


def test_sampling_trajectories_are_nearly_plane_on_the_scale_of_the_noise_only():
    x = 80 * np.random.default_rng(1).standard_normal((32, 64))
    path = reference(DISKS, x, edm_time_steps(41))
    explained, _, residuals = trajectory_pca(path, 3)
    assert explained[0].min() > 0.9998
    assert (explained[0] + explained[1]).min() > 0.99999
    relative = np.mean(residuals.max(axis=1) / np.linalg.norm(path[-1], axis=-1), axis=1)
    np.testing.assert_allclose(relative[1:], [0.286, 0.068, 0.017], atol=0.001)


@pytest.mark.parametrize(
    ("trajectory", "n", "message"),
    [
        ([1.0, 2.0], 1, r"trajectory must have shape \(N, ..., D\) with N at least 2, got shape \(2,\)"),
        ([[1.0, 2.0]], 1, r"with N at least 2, got shape \(1, 2\)"),
        ([[1.0, 2.0], [1.0, 2.0]], 1, "trajectory must move, got one that is constant in time"),
        ([[1.0, 2.0], [1.0, 3.0]], 3, r"n_components must be at most 2, got 3"),
        ([[1.0, 2.0], [1.0, 3.0]], 0, "n_components must be at least 1, got 0"),
        ([[1.0, np.nan], [1.0, 3.0]], 1, "trajectory must not contain NaN, got 1 of them"),
    ],
)
def test_pca_refuses_bad_input(trajectory, n, message):
    with pytest.raises(ValueError, match=message):
        trajectory_pca(trajectory, n)


def test_the_components_of_a_trajectory_do_not_depend_on_its_unit():
    points = np.random.default_rng(0).standard_normal((6, 2, 3))
    plain = trajectory_pca(points, 2)
    for unit in (1e-200, 1e-160, 1e160, 1e300):
        scaled = trajectory_pca(unit * points, 2)
        np.testing.assert_allclose(scaled.explained, plain.explained, rtol=1e-12)
        np.testing.assert_allclose(scaled.residuals / unit, plain.residuals, rtol=1e-12, atol=1e-14)


def test_the_fit_calls_the_denoiser_once_for_the_first_direction_and_once_for_each_exponent():
    calls = []
    x, times = 80 * np.random.default_rng(0).standard_normal((4, 64)), edm_time_steps(3)
    targets = reference(DISKS, x, times, substeps=20)
    fit_mean_direction(lambda x, t: calls.append(t) or DISKS(x, t), x, times, targets, grid=[0.1, 0.2, 0.3])
    assert len(calls) == 2 * (1 + 3)


def test_a_fit_whose_errors_all_overflow_is_refused():
    denoise = partial(denoise_gaussian, std=1.0)
    with pytest.raises(ValueError, match="x and targets must keep the result finite, got inf"):
        fit_mean_direction(denoise, [[1.5e308]], [2.0, 1.0], np.full((2, 1, 1), -1.5e308), grid=[0.25, 0.5])


@pytest.mark.parametrize("unit", [1e-200, 1e-100, 1e150])
def test_the_fit_does_not_depend_on_the_unit(unit):
    def denoise(x, t):
        return x / (1 + (t / unit) ** 2)

    x, times = unit * np.array([[1.0], [-2.0]]), unit * np.array([80.0, 0.002])
    assert fit_mean_direction(denoise, x, times, reference(denoise, x, times)).tolist() == [0.21]

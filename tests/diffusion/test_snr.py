import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.schedules import ddpm_schedule, respace, shift_schedule
from kexue_core.diffusion.snr import cosine_log_snr, log_snr, shift_levels, shift_time, snr_levels

(mpmath,) = oracles("mpmath")

T = np.linspace(0, 1, 41)[1:-1]
SHIFTS = [0.125, 1, 2, 3.7, 8, 1e6]


@pytest.mark.parametrize("a", [1e-200, 1e-8, 0.3, 0.9, 1 - 1e-9])
def test_log_snr_is_that_of_forty_digits(a):
    with mpmath.workdps(40):
        exact = float(mpmath.log(mpmath.mpf(a) ** 2 / (1 - mpmath.mpf(a) ** 2)))
    assert log_snr(a) == pytest.approx(exact, rel=1e-14)


def test_levels_and_ratio_are_inverse_and_lie_on_the_circle():
    ratio = np.linspace(-600, 600, 101)
    a, b = snr_levels(ratio)
    np.testing.assert_allclose(log_snr(a, b), ratio, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(a**2 + b**2, 1, rtol=1e-15)
    assert snr_levels([np.inf, -np.inf])[0].tolist() == [1, 0]


@pytest.mark.parametrize("s", SHIFTS)
def test_shifting_levels_divides_the_ratio_by_the_square(s):
    a, b = snr_levels(np.linspace(-50, 50, 41))
    new = shift_levels(a, b, s)
    np.testing.assert_allclose(log_snr(*new), log_snr(a, b) - 2 * np.log(s), rtol=1e-13, atol=1e-12)
    np.testing.assert_allclose(new[0] ** 2 + new[1] ** 2, 1, rtol=1e-14)
    np.testing.assert_allclose(shift_levels(*new, 1 / s), (a, b), rtol=1e-12)


def test_the_ends_stay_and_no_extreme_overflows():
    for s in (1e-300, 1, 1e300):
        assert [level.tolist() for level in shift_levels([1, 0], [0, 1], s)] == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match="must not both be 0, got 0 and 0"):
        shift_levels([0.5, 0.0], [0.5, 0.0], 2)
    with pytest.raises(ValueError, match="s must be positive, got 0"):
        shift_levels(0.5, 0.5, 0)


@pytest.mark.parametrize("path", ["cosine", "straight"])
def test_the_shifted_time_has_the_shifted_levels_of_its_path(path):
    def levels(t):
        return (np.cos(np.pi * t / 2), np.sin(np.pi * t / 2)) if path == "cosine" else (1 - t, t)

    for s in SHIFTS[:-1]:
        later = shift_time(T, s, path=path)
        gap = log_snr(*levels(later)) - log_snr(*levels(T)) + 2 * np.log(s)
        assert np.abs(gap).max() < 1e-11
        np.testing.assert_allclose(shift_time(later, 1 / s, path=path), T, rtol=1e-12)
        np.testing.assert_allclose(shift_time(later, 3, path=path), shift_time(T, 3 * s, path=path), rtol=1e-14)
        assert shift_time([0, 1], s, path=path).tolist() == [0, 1]
    assert shift_time([1e-300, 1], 1e300, path=path).max() <= 1


@pytest.mark.parametrize("path", ["cosine", "straight"])
def test_a_shift_towards_noise_is_never_a_shift_back(path):
    t = np.linspace(0, 1, 10_001)
    for s in (1, 1 + 2**-52, 1 + 1e-12, 2):
        assert (shift_time(t, s, path=path) >= t).all()
        assert (shift_time(t, 1 / s, path=path) <= t).all()
    np.testing.assert_array_equal(shift_time(t, 1, path=path), t)


def test_shift_time_keeps_its_digits_near_the_noise():
    t = 1 - 2.0**-40
    with mpmath.workdps(40):
        exact = 2 / mpmath.pi * mpmath.atan(mpmath.tan(mpmath.pi * mpmath.mpf(t) / 2) / 1000)
    assert shift_time(t, 1e-3) == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize(("s", "s_end"), [(1, 1), (8, 8), (2, 16), (16, 2)])
def test_the_cosine_ratio_is_a_mixture_of_two_shifts(s, s_end):
    ends = [np.cos(np.pi * T / 2) / np.sin(np.pi * T / 2) / factor for factor in (s, s_end)]
    expected = 2 * ((1 - T) * np.log(ends[0]) + T * np.log(ends[1]))
    np.testing.assert_allclose(cosine_log_snr(T, s=s, s_end=s_end), expected, rtol=1e-12, atol=1e-12)


def test_an_interpolated_schedule_falls_up_to_a_ratio_of_e_to_the_pi():
    t = np.linspace(0.4, 0.6, 2001)
    for factor, falls in ((0.999, True), (1.001, False)):
        steps = np.diff(cosine_log_snr(t, s=np.exp(np.pi) * factor, s_end=1.0))
        assert (steps < 0).all() == falls


@pytest.mark.parametrize("s", [0.5, 1, 8])
def test_a_shifted_schedule_has_the_shifted_ratio_at_every_step(s):
    schedule = respace(ddpm_schedule(1000), 50)
    new = shift_schedule(schedule, s)
    gap = log_snr(new.bar_alpha, new.bar_beta) - log_snr(schedule.bar_alpha, schedule.bar_beta)
    np.testing.assert_allclose(gap, -2 * np.log(s), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(np.cumprod(new.alpha), new.bar_alpha, rtol=1e-12)
    np.testing.assert_allclose(new.alpha**2 + new.beta**2, 1, rtol=1e-14)
    with pytest.raises(ValueError, match="s must leave bar_alpha_T above 2e-308, got 1e\\+308"):
        shift_schedule(schedule, 1e308)


def test_a_batch_equals_the_loop_and_leaves_its_inputs_alone():
    rng = np.random.default_rng(0)
    t, s = rng.uniform(0.1, 0.9, (3, 1)), rng.uniform(0.5, 8, (1, 4))
    before = t.copy(), s.copy()
    batch = shift_levels(1 - t, t, s), shift_time(t, s), cosine_log_snr(t, s=s)
    for i, j in np.ndindex(3, 4):
        u, r = float(t[i, 0]), float(s[0, j])
        assert [level[i, j] for level in batch[0]] == list(shift_levels(1 - u, u, r))
        assert batch[1][i, j] == pytest.approx(shift_time(u, r), rel=1e-15)
        assert batch[2][i, j] == pytest.approx(cosine_log_snr(u, s=r), rel=1e-14, abs=1e-14)
    np.testing.assert_array_equal(t, before[0])
    np.testing.assert_array_equal(s, before[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: log_snr(1.0), "bar_alpha must lie in \\(0, 1\\), got 1"),
        (lambda: snr_levels(np.nan), "log_snr must not contain NaN"),
        (lambda: shift_time(1.5, 2), "t must lie in \\[0, 1\\], got 1.5"),
        (lambda: shift_time(0.5, 2, path="flow"), "path must be one of 'cosine', 'straight', got 'flow'"),
        (lambda: cosine_log_snr(0.0), "t must lie in \\(0, 1\\), got 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

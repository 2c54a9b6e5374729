import numpy as np
import pytest

from kexue_core.matrices import clip_singular_values, power_iteration, schatten_gradient, schatten_norm
from kexue_core.optimization.decay import decayed_spectrum, merge_times, spectral_decay_step, water_level

BARS = np.array([10, 8, 7, 6.5, 5, 4, 3, 2.5, 2, 1, 0.5, 0.1])


def spectra(count=300, n=9, seed=0):
    """Return random spectra, a third of them with ties and zeros."""
    rng = np.random.default_rng(seed)
    values = np.exp(rng.normal(size=(count, n)) * 2)
    values[: count // 3] = rng.integers(0, 4, size=(count // 3, n))
    values[: count // 3, 0] = 3
    return values


def scanned_level(sigma, time):
    """Lower the level from one value to the next until the time is used up."""
    s = [value for value in sorted(sigma, reverse=True) if value > 0]
    for k in range(1, len(s) + 1):
        until = k * np.log(s[k - 1] / s[k]) if k < len(s) else np.inf
        if time <= until:
            return s[k - 1] * np.exp(-time / k)
        time -= until
    raise AssertionError


# the closed form


@pytest.mark.parametrize("time", [0, 0.1, 0.7, 3.0, 20.0])
def test_the_level_of_the_formula_is_the_level_of_a_scan(time):
    sigma = spectra()
    np.testing.assert_allclose(water_level(sigma, time), [scanned_level(s, time) for s in sigma], rtol=1e-13)


def test_the_level_solves_its_equation_and_falls():
    sigma, times = spectra(), np.linspace(0, 6, 40)
    levels = np.array([water_level(sigma, time) for time in times])
    used = np.log(np.maximum(sigma, 1e-300) / levels[..., None]).clip(min=0).sum(axis=-1)
    np.testing.assert_allclose(used, np.broadcast_to(times[:, None], used.shape), atol=1e-12)
    assert (np.diff(levels, axis=0) < 0).all()
    np.testing.assert_array_equal(levels[0], sigma.max(axis=-1))


def test_the_level_of_the_list_in_the_chapter():
    times, levels = [0.1, 0.5, 1, 3, 6], [9.0484, 6.9772, 6.0493, 3.9193, 2.4628]
    np.testing.assert_allclose(water_level(BARS, times), levels, atol=5e-5)
    bars = decayed_spectrum(BARS, times)
    assert [(bar == bar.max()).sum() for bar in bars] == [1, 3, 4, 6, 8]


def test_at_the_merge_times_the_level_meets_the_values():
    for sigma in (BARS, *spectra(60, seed=1)[20:]):
        sigma = np.sort(sigma)[::-1]
        times = merge_times(sigma)
        assert (np.diff(times) >= 0).all()
        np.testing.assert_allclose(water_level(sigma, times), sigma[1:], rtol=1e-13)
        expected = [np.log(sigma[:k] / sigma[k]).sum() for k in range(1, sigma.size)]
        np.testing.assert_allclose(times, expected, atol=1e-12)
    assert merge_times([2.0]).shape == (0,)


def test_small_euler_steps_along_the_shortest_subgradient_come_close():
    w, rate = np.diag(BARS), 1e-3
    for _ in range(1000):
        s = schatten_norm(w, np.inf)
        w = w - rate * s * schatten_gradient(w, np.inf, rtol=1e-3)
    found = np.linalg.svd(w, compute_uv=False)
    np.testing.assert_allclose(found, np.sort(decayed_spectrum(BARS, 1.0))[::-1], rtol=2e-3)


def test_the_other_rules_are_exact_decays_of_matrices():
    rng = np.random.default_rng(2)
    w = rng.normal(size=(5, 4))
    s = np.linalg.svd(w, compute_uv=False)
    np.testing.assert_allclose(np.linalg.svd(w * np.exp(-0.7), compute_uv=False), decayed_spectrum(s, 0.7, "frobenius"))
    clipped = clip_singular_values(w, np.exp(-0.7) * s[0])
    np.testing.assert_allclose(np.linalg.svd(clipped, compute_uv=False), decayed_spectrum(s, 0.7, "clip"))
    for _ in range(1000):
        w = w - 7e-4 * schatten_gradient(w, 1, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.svd(w, compute_uv=False), decayed_spectrum(s, 0.7, "nuclear"), atol=1e-3)


@pytest.mark.parametrize("rule", ["spectral", "frobenius", "clip", "nuclear"])
def test_no_value_grows_the_order_is_kept_and_at_time_zero_nothing_happens(rule):
    sigma = spectra(seed=3)
    bars = [decayed_spectrum(sigma, time, rule) for time in np.linspace(0, 4, 9)]
    np.testing.assert_array_equal(bars[0], sigma)
    assert (np.diff(bars, axis=0) <= 0).all()
    order = np.argsort(sigma, axis=-1)
    assert (np.diff(np.take_along_axis(bars[-1], order, axis=-1), axis=-1) >= 0).all()
    np.testing.assert_allclose(decayed_spectrum(sigma[::-1, ::-1], 1.0, rule)[::-1, ::-1], bars[2], rtol=1e-13)


def test_the_stable_rank_rises_under_spectral_decay_and_stays_under_the_usual_one():
    sigma, times = spectra(seed=4), np.linspace(0, 8, 60)

    def stable(rule):
        bars = np.array([decayed_spectrum(sigma, time, rule) for time in times])
        return ((bars / bars.max(axis=-1, keepdims=True)) ** 2).sum(axis=-1)

    assert (np.diff(stable("spectral"), axis=0) >= -1e-12).all()
    np.testing.assert_allclose(stable("frobenius"), np.broadcast_to(stable("frobenius")[0], (60, 300)), rtol=1e-12)


def test_times_broadcast_against_spectra_and_zero_stays_zero():
    sigma, times = spectra(6), np.array([0.5, 2.0])[:, None]
    for rule in ("spectral", "frobenius", "clip", "nuclear"):
        both = decayed_spectrum(sigma, times, rule)
        for i, j in np.ndindex(2, 6):
            np.testing.assert_array_equal(both[i, j], decayed_spectrum(sigma[j], times[i, 0], rule))
    assert (decayed_spectrum([0.0, 0.0], 1.0) == 0).all()
    assert water_level([0.0], 0.0) == 0
    np.testing.assert_allclose(
        decayed_spectrum([0.0, 1e300, 1e-300], [1e3]), [[0, 1e300 * np.exp(-500) * np.exp(-500), 1e-300]]
    )


# steps


def test_a_step_loses_what_is_promised_and_never_raises_the_norm_whatever_the_vector():
    rng = np.random.default_rng(5)
    w, v = rng.normal(size=(200, 4, 6)), rng.normal(size=(200, 6))
    v /= np.linalg.norm(v, axis=-1, keepdims=True)
    pressed = (np.einsum("bij,bj->bi", w, v) ** 2).sum(axis=-1)
    for rate in (0, 0.3, 1, 1.7, 2):
        stepped = spectral_decay_step(w, rate, v).w
        lost = (w**2).sum(axis=(1, 2)) - (stepped**2).sum(axis=(1, 2))
        np.testing.assert_allclose(lost, rate * (2 - rate) * pressed, atol=1e-12)
        assert (np.linalg.norm(stepped, 2, axis=(1, 2)) <= np.linalg.norm(w, 2, axis=(1, 2)) * (1 + 1e-14)).all()


def test_with_the_top_vector_it_is_a_step_along_the_gradient():
    w = np.random.default_rng(6).normal(size=(5, 3))
    v = np.linalg.svd(w)[2][0]
    expected = w - 0.1 * schatten_norm(w, np.inf) * schatten_gradient(w, np.inf)
    np.testing.assert_allclose(spectral_decay_step(w, 0.1, 3 * v).w, expected, atol=1e-13)


def test_the_next_vector_is_one_of_power_iteration_with_the_new_matrix():
    rng = np.random.default_rng(7)
    w, v = rng.normal(size=(5, 3)), rng.normal(size=3)
    for iterations in (0, 1, 4):
        step = spectral_decay_step(w, 0.1, v, iterations)
        np.testing.assert_allclose(step.v, power_iteration(step.w, v, iterations).v, rtol=1e-12)
    np.testing.assert_array_equal(spectral_decay_step(np.zeros((2, 2)), 0.5, [0.0, 2.0]).v, [0, 1])


def test_warm_started_steps_reach_the_level():
    rng = np.random.default_rng(8)
    w, v = rng.normal(size=(8, 8)), np.ones(8)
    s = np.linalg.svd(w, compute_uv=False)
    for _ in range(4000):
        w, v = spectral_decay_step(w, 5e-4, v)
    assert schatten_norm(w, np.inf) == pytest.approx(water_level(s, 2.0), rel=0.05)


def test_a_batch_is_a_loop_and_no_scale_overflows():
    rng = np.random.default_rng(9)
    w, v = rng.normal(size=(3, 2, 4, 5)), rng.normal(size=(2, 5))
    step = spectral_decay_step(w, 0.3, v, 2)
    for i, j in np.ndindex(3, 2):
        for found, expected in zip(step, spectral_decay_step(w[i, j], 0.3, v[j], 2)):
            np.testing.assert_allclose(found[i, j], expected, atol=1e-13)
    for scale in (1e-200, 1e200):
        np.testing.assert_allclose(spectral_decay_step(scale * w, 0.3, v, 2).w / scale, step.w, atol=1e-13)


# bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: water_level([], 1), ValueError, r"sigma must not be empty, got shape \(0,\)"),
        (lambda: water_level([1, -1], 1), ValueError, "sigma must not be negative, got -1"),
        (lambda: water_level([1.0], -0.5), ValueError, "time must not be negative, got -0.5"),
        (lambda: water_level(np.ones((2, 3)), np.ones(3)), ValueError, "sigma and time must broadcast in .*got shapes"),
        (lambda: merge_times([1.0, 0.0]), ValueError, "sigma must be positive, got 0.0"),
        (lambda: merge_times(1.0), ValueError, r"sigma must have at least 1 axis, got shape \(\)"),
        (lambda: decayed_spectrum([1.0], 1, "ridge"), ValueError, "rule must be one of 'spectral', .*got 'ridge'"),
        (lambda: decayed_spectrum([1.0], np.inf), ValueError, "time must be finite, got inf"),
        (lambda: spectral_decay_step(np.eye(2), 2.5, [1, 0]), ValueError, r"rate must lie in \[0, 2\], got 2.5"),
        (lambda: spectral_decay_step(np.eye(2), 1, [0, 0]), ValueError, "v must not be zero, got"),
        (lambda: spectral_decay_step(np.eye(2), 1, [1.0]), ValueError, "v must have a last axis of length 2, got"),
        (lambda: spectral_decay_step(np.eye(2), 1, [1, 0], -1), ValueError, "iterations must be at least 0, got -1"),
        (lambda: spectral_decay_step([1.0], 1, [1.0]), ValueError, r"w must have at least 2 axes, got shape \(1,\)"),
    ],
)
def test_bad_input_is_named_with_its_rule_and_its_value(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()

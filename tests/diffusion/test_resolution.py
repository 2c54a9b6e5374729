import numpy as np
import pytest

from kexue_core.diffusion.resolution import (
    average_pool,
    matched_shift,
    multiscale_losses,
    pooling_response,
    power_law_spectrum,
    remaining_uncertainty,
)


def test_pooling_is_the_mean_of_each_block_and_leaves_its_input_alone():
    x = np.random.default_rng(0).normal(size=(2, 6, 9))
    before = x.copy()
    pooled = average_pool(x, 3)
    for b, i, j in np.ndindex(2, 2, 3):
        assert pooled[b, i, j] == pytest.approx(x[b, 3 * i : 3 * i + 3, 3 * j : 3 * j + 3].mean(), abs=1e-15)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(average_pool(x, 1), x)
    np.testing.assert_allclose(average_pool(average_pool(x[:, :, :6], 3), 2), average_pool(x[:, :, :6], 6), atol=1e-15)


@pytest.mark.parametrize("s", [1, 2, 3, 8])
def test_the_response_is_the_transform_of_the_average(s):
    n = 48
    kernel = np.zeros(n)
    kernel[:s] = 1 / s
    omega = 2 * np.pi * np.fft.fftfreq(n)
    response = pooling_response(omega, s)
    np.testing.assert_allclose(response, np.abs(np.fft.fft(kernel)) ** 2, atol=1e-15)
    assert response.mean() == pytest.approx(1 / s, rel=1e-13)
    np.testing.assert_allclose(pooling_response(omega + 2e3 * np.pi, s), response, atol=1e-9)


def test_the_losses_of_a_wave_follow_the_response():
    n, k = 64, 5
    wave = np.cos(2 * np.pi * k * np.arange(n) / n)[:, None] * np.ones(n)
    losses = multiscale_losses([wave, np.ones((n, n))], [1, 2, 4])
    np.testing.assert_allclose(losses[0], [0.5 * pooling_response(2 * np.pi * k / n, s) for s in (1, 2, 4)], rtol=1e-12)
    np.testing.assert_allclose(losses[1], 1, rtol=1e-15)
    assert losses.shape == (2, 3)


def test_white_residuals_lose_the_square_of_the_scale():
    sides = (1, 2, 4)
    losses = multiscale_losses(np.random.default_rng(0).normal(size=(400, 16, 16)), sides)
    error = losses.std(axis=0) / 20
    assert (np.abs(losses.mean(axis=0) - [1 / s**2 for s in sides]) < 4 * error).all()


@pytest.mark.parametrize("n", [2, 5, 64])
@pytest.mark.parametrize("exponent", [-1, 0, 1, 2.5])
def test_a_spectrum_has_its_power_law_and_pixel_variance_one(n, exponent):
    power = power_law_spectrum(n, exponent)
    assert power.mean() == pytest.approx(1, rel=1e-12)
    assert power[0, 0] == 0
    if n > 4:
        assert power[1, 0] / power[2, 2] == pytest.approx(8**exponent, rel=1e-12)
        np.testing.assert_array_equal(power, power.T)


@pytest.mark.parametrize("exponent", [0, 0.5, 1, 1.5])
def test_the_matched_shift_restores_the_uncertainty_exactly(exponent):
    ratio = np.geomspace(1e-4, 1e4, 31)
    s = matched_shift(256, 32, exponent)
    restored = remaining_uncertainty(ratio / s**2, 256, exponent=exponent, k_max=8)
    np.testing.assert_allclose(restored, remaining_uncertainty(ratio, 32, exponent=exponent, k_max=8), rtol=1e-12)
    assert 1 - 1e-3 < s <= 8


def test_the_uncertainty_is_the_posterior_variance_of_a_small_gaussian():
    n, ratio = 6, 0.7
    power = power_law_spectrum(n, 1.0)
    base = np.fft.fft2(np.eye(n * n).reshape(n * n, n, n), norm="ortho").reshape(n * n, n * n).T
    prior = (base.conj().T * power.reshape(-1)) @ base
    posterior = prior - prior @ np.linalg.inv(prior + np.eye(n * n) / ratio) @ prior
    share = (np.trace(posterior) / np.trace(prior)).real
    assert remaining_uncertainty(ratio, n, k_max=9) == pytest.approx(share, rel=1e-10)


def test_the_uncertainty_falls_from_one_and_a_batch_equals_the_loop():
    ratio = np.r_[0, np.geomspace(1e-3, 1e6, 11)]
    share = remaining_uncertainty(ratio, 64)
    assert share[0] == 1
    assert remaining_uncertainty(1.0, 8, k_max=1e200) == remaining_uncertainty(1.0, 8, k_max=8)
    assert (np.diff(share) < 0).all()
    assert share.tolist() == pytest.approx([remaining_uncertainty(r, 64) for r in ratio], rel=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: average_pool(np.ones((4, 6)), 4), "s must divide both sides of x, got s = 4 and shape \\(4, 6\\)"),
        (lambda: average_pool(np.ones((4, 4)), 0), "s must be at least 1, got 0"),
        (lambda: multiscale_losses(np.ones((4, 4)), []), "scales must hold at least one value, got none"),
        (lambda: multiscale_losses(np.ones((4, 4)), 3), r"scales must have 1 axis, got shape \(\)"),
        (lambda: multiscale_losses(np.ones((4, 4)), [1, 0]), "scales must be at least 1, got 0"),
        (
            lambda: multiscale_losses(np.ones((4, 6)), iter([1, 4])),
            "scales must divide both sides of residual, got",
        ),
        (lambda: power_law_spectrum(64, -500.0), "exponent must keep the result finite, got"),
        (lambda: remaining_uncertainty(-1.0, 4), "snr must not be negative, got -1"),
        (lambda: remaining_uncertainty(1.0, 4, k_max=0.5), "k_max must be at least 1, got 0.5"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

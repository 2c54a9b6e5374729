import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.losses import diffuse, gradient_variances, loss_weights, terminal_kl_bits
from kexue_core.diffusion.schedules import ddpm_schedule, respace

(mpmath,) = oracles("mpmath")

ARTICLE = ddpm_schedule(1000)


def test_diffusing_at_once_equals_the_chain_with_the_same_noise():
    schedule, rng = respace(ARTICLE, 7), np.random.default_rng(0)
    x0, steps = rng.standard_normal((5, 3)), rng.standard_normal((7, 5, 3))
    x, merged = x0, 0
    for i in range(7):
        x = schedule.alpha[i] * x + schedule.beta[i] * steps[i]
        merged = schedule.alpha[i] * merged + schedule.beta[i] * steps[i]
        np.testing.assert_allclose(diffuse(x0, merged / schedule.bar_beta[i], i + 1, schedule), x, rtol=1e-12)


def test_a_batch_with_its_own_steps_equals_the_loop_and_leaves_its_inputs_alone():
    rng = np.random.default_rng(0)
    x0, noise, t = rng.standard_normal((4, 2, 3)), rng.standard_normal((4, 2, 3)), rng.integers(1, 1001, (4, 2))
    before = x0.copy(), noise.copy(), t.copy()
    batch = diffuse(x0, noise, t, ARTICLE)
    for i in np.ndindex(4, 2):
        np.testing.assert_array_equal(batch[i], diffuse(x0[i], noise[i], int(t[i]), ARTICLE))
    for array, copy in zip((x0, noise, t), before):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("sigma", [None, 0.3, "posterior"])
def test_loss_weights_are_the_kl_divergence_of_the_two_steps_per_error_of_the_noise(sigma):
    schedule = respace(ARTICLE, 10)
    if sigma == "posterior":
        sigma = schedule.beta * schedule.bar_beta_prev / schedule.bar_beta + 1e-3
    x, truth, guess = 0.7, 0.4, -1.1
    means = []
    for eps in (truth, guess):
        x0 = (x - schedule.bar_beta * eps) / schedule.bar_alpha
        u = schedule.bar_alpha_prev * schedule.beta**2 / schedule.bar_beta**2
        means.append(u * x0 + schedule.alpha * schedule.bar_beta_prev**2 / schedule.bar_beta**2 * x)
    spread = schedule.beta if sigma is None else sigma
    kl = (means[0] - means[1]) ** 2 / (2 * spread**2)
    np.testing.assert_allclose(loss_weights(schedule, sigma=sigma) * (truth - guess) ** 2, kl, rtol=1e-10)


def test_the_weight_at_sigma_squared_one_half_is_that_of_the_articles_first_loss():
    expected = ARTICLE.beta**4 / (ARTICLE.alpha**2 * ARTICLE.bar_beta**2)
    np.testing.assert_allclose(loss_weights(ARTICLE, sigma=np.sqrt(0.5)), expected, rtol=1e-13)
    assert loss_weights(ARTICLE)[0] == pytest.approx(0.5 / ARTICLE.alpha[0] ** 2, rel=1e-12)


def _moments_by_quadrature(schedule, i, slope, variance):
    """Variance of both gradients by Gauss-Hermite quadrature over three and two independent normals."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    weights = weights / weights.sum()
    a, b, ab, bb, pb = (schedule[j][i] for j in (0, 1, 2, 3, 5))
    z, e, f = np.meshgrid(np.sqrt(variance) * nodes, nodes, nodes, indexing="ij")
    w = weights[:, None, None] * weights[:, None] * weights
    x = ab * z + a * pb * e + b * f
    separate = -2 * x * (f - slope * x)
    x = ab * z + bb * e
    merged = -2 * b / bb * x * (e - bb / b * slope * x)
    return [((w * g**2).sum() - (w * g).sum() ** 2, (w * g).sum()) for g in (separate, merged)]


@pytest.mark.parametrize("slope", [0.0, 0.3, -1.0])
@pytest.mark.parametrize("variance", [1.0, 0.25])
def test_gradient_variances_agree_with_quadrature_and_the_means_are_equal(slope, variance):
    schedule = respace(ARTICLE, 6)
    separate, merged = gradient_variances(schedule, slope, variance=variance)
    for i in range(6):
        (four, mean_four), (three, mean_three) = _moments_by_quadrature(schedule, i, slope, variance)
        assert mean_four == pytest.approx(mean_three, abs=1e-13)
        assert (separate[i], merged[i]) == pytest.approx((four, three), rel=1e-11)


def test_the_gain_of_merging_does_not_depend_on_the_model_and_vanishes_at_the_first_step():
    slopes = np.random.default_rng(0).standard_normal((5, 1000))
    separate, merged = gradient_variances(ARTICLE, slopes, variance=0.5)
    V = 0.5 * ARTICLE.bar_alpha**2 + ARTICLE.bar_beta**2
    gain = 4 * V * (ARTICLE.alpha * ARTICLE.bar_beta_prev / ARTICLE.bar_beta) ** 2
    np.testing.assert_allclose(separate - merged, np.broadcast_to(gain, (5, 1000)), rtol=1e-10, atol=1e-13)
    assert separate[0, 0] == merged[0, 0]
    single = gradient_variances(ARTICLE, slopes[3], variance=0.5)
    np.testing.assert_array_equal(single, (separate[3], merged[3]))


def test_the_ratios_of_the_gradient_variances_are_reproduced():
    separate, merged = gradient_variances(ARTICLE, 0.0)
    ratio = separate / merged
    assert ratio[[0, 99, 999]] == pytest.approx([1, 43.937, 25.499], abs=1e-3)
    assert (ratio.max(), ratio.argmax() + 1) == (pytest.approx(63.959, abs=1e-3), 246)
    separate, merged = gradient_variances(ARTICLE, ARTICLE.beta)
    assert (separate / merged)[[99, 499, 999]] == pytest.approx([53.07, 1123.3, 1.166e6], rel=2e-4)


@pytest.mark.parametrize("bar_alpha", [1e-8, 1e-3, 0.00999, 0.01001, 0.5, 0.999])
def test_the_terminal_kl_agrees_with_forty_digits(bar_alpha):
    for m in (0.0, 1 / 3, 4.0):
        with mpmath.workdps(60):
            a = mpmath.mpf(bar_alpha) ** 2
            exact = float((a * mpmath.mpf(m) - a - mpmath.log(1 - a)) / (2 * mpmath.log(2)))
        assert terminal_kl_bits(bar_alpha, m) == pytest.approx(exact, rel=2e-11)


def test_the_papers_terminal_bits_are_reproduced_and_pure_noise_has_none():
    linear = ddpm_schedule(1000, kind="linear").bar_alpha[-1]
    bits = terminal_kl_bits(linear, [1 / 3, 1 / 4, 1 / 2])
    np.testing.assert_allclose(bits, [9.7047e-6, 7.2787e-6, 1.45568e-5], rtol=1e-4)
    assert terminal_kl_bits(ARTICLE.bar_alpha[-1], 1 / 3) == pytest.approx(1.01035e-5, abs=1e-9)
    assert terminal_kl_bits(0.0, 1.0) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diffuse([0.0], [0.0], 0, ARTICLE), "t must lie in \\[1, 1000\\], got 0"),
        (lambda: diffuse([0.0], [0.0], 1001, ARTICLE), "t must lie in \\[1, 1000\\], got 1001"),
        (lambda: diffuse([np.nan], [0.0], 1, ARTICLE), "x0 must not contain NaN, got 1 of them"),
        (
            lambda: diffuse(np.ones((2, 1)), np.ones((3, 1)), 1, ARTICLE),
            r"x0 and noise must broadcast in all axes, got shapes \(2, 1\) and \(3, 1",
        ),
        (
            lambda: loss_weights(ARTICLE, sigma=[1.0]),
            r"sigma must be a number or have shape \(1000,\), got shape \(1,\)",
        ),
        (lambda: loss_weights(ARTICLE, sigma=0.0), "sigma must be positive, got 0.0"),
        (lambda: gradient_variances(ARTICLE, [1.0]), "slope must be a number or have 1000 entries .* got shape"),
        (lambda: gradient_variances(ARTICLE, 0.0, variance=0), "variance must be positive, got 0"),
        (lambda: terminal_kl_bits(1.0, 1.0), r"bar_alpha must lie in \[0, 1\), got 1.0"),
        (lambda: terminal_kl_bits(0.5, -1.0), "second_moment must not be negative, got -1.0"),
        (
            lambda: terminal_kl_bits([0.1, 0.2], [1.0, 1.0, 1.0]),
            r"bar_alpha and second_moment must broadcast .* \(2,\) and \(3,\)",
        ),
    ],
)
def test_bad_values_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda s: respace(s, 2),
        lambda s: diffuse([0.0], [0.0], 1, s),
        loss_weights,
        lambda s: gradient_variances(s, 0.0),
    ],
)
def test_what_is_not_a_schedule_is_refused(call):
    with pytest.raises(TypeError, match="schedule must be a Schedule, got 3"):
        call(3)


def test_fractional_steps_are_refused():
    with pytest.raises(TypeError, match="t must be an array of integers, got"):
        diffuse([0.0], [0.0], 1.5, ARTICLE)

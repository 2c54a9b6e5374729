from fractions import Fraction

import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.denoisers import denoise_mixture
from kexue_core.diffusion.distillation import (
    gaussian_distillation_gradient,
    gaussian_distillation_losses,
    gaussian_distillation_path,
    particle_distillation_gradient,
)

(scipy_integrate,) = oracles("scipy.integrate")

MU, TAU = np.array([-1.5, 0.2, 2.0]), np.array([0.1, 0.9, 3.0])
TEACHER = {"means": [[-1.0], [1.5]], "stds": [0.3, 0.4], "weights": [1 / 3, 2 / 3]}
UNITS = np.eye(3)


def _moments(mu, tau, mean, std, a, critic_mean, critic_std):
    """Return the three losses by a sum over data and noise."""
    u, p = np.polynomial.hermite_e.hermegauss(8)
    z, eps = np.meshgrid(u, u, indexing="ij")
    share = np.outer(p, p) / p.sum() ** 2
    b = np.sqrt(1 - a * a)
    x = a * (mu + tau * z) + b * eps
    T = b * (x - a * mean) / ((a * std) ** 2 + b * b)
    C = b * (x - a * critic_mean) / ((a * critic_std) ** 2 + b * b)
    losses = (T - C) ** 2, (T - C) * (T - eps), T * T - 2 * T * eps + C * eps
    return [(share * loss).sum() for loss in losses]


@pytest.mark.parametrize("a", [0.2, 0.9])
def test_the_losses_are_means_over_data_and_noise(a):
    for critic in ((0.7, 1.3), (-1.0, 0.4)):
        found = gaussian_distillation_losses(
            MU, TAU, mean=0.5, std=1.2, bar_alpha=a, critic_mean=critic[0], critic_std=critic[1]
        )
        for i in range(3):
            expected = _moments(MU[i], TAU[i], 0.5, 1.2, a, *critic)
            assert [loss[i] for loss in found] == pytest.approx(expected, rel=1e-12, abs=1e-13)


def test_at_the_best_critic_the_three_losses_are_one_and_vanish_at_the_teacher():
    first, second, third = gaussian_distillation_losses(MU, TAU, mean=0.5, std=1.2, bar_alpha=0.8)
    assert second == pytest.approx(first, rel=1e-12)
    assert third == pytest.approx(first, rel=1e-12)
    assert (first > 0).all()
    assert gaussian_distillation_losses(0.5, 1.2, mean=0.5, std=1.2, bar_alpha=0.8) == pytest.approx(
        (0, 0, 0), abs=1e-15
    )


@pytest.mark.parametrize("off", [1e-12, 1e-9, 1e-3, 0.5])
def test_the_three_losses_keep_their_digits_beside_the_teacher(off):
    tau = 1 + off
    U, V = Fraction(1), Fraction(0.6) ** 2 * Fraction(tau) ** 2 + 1 - Fraction(0.6) ** 2
    value = float((1 - Fraction(0.6) ** 2) * V * (1 / U - 1 / V) ** 2)
    assert gaussian_distillation_losses(2.0, tau, mean=2.0, bar_alpha=0.6) == pytest.approx(
        [value] * 3, rel=1e-14, abs=0
    )


def test_a_variance_beyond_the_largest_double_hides_no_loss():
    losses = gaussian_distillation_losses(1e300, 1e150, std=1e155, bar_alpha=0.6)
    assert losses == pytest.approx([(0.8 / 0.6) ** 2 * 1e-20] * 3, rel=1e-12, abs=0)


@pytest.mark.parametrize("a", [0.2, 0.9, 0.99])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_gradient_is_that_of_the_loss_with_the_critic_held_fixed(a, which):
    options = {"mean": 0.5, "std": 1.2, "bar_alpha": a}
    found = gaussian_distillation_gradient(MU, TAU, weights=UNITS[which], **options)

    def loss(mu, tau):
        return gaussian_distillation_losses(mu, tau, critic_mean=MU, critic_std=TAU, **options)[which]

    h = 1e-5
    assert found[0] == pytest.approx((loss(MU + h, TAU) - loss(MU - h, TAU)) / (2 * h), rel=1e-5, abs=1e-8)
    assert found[1] == pytest.approx((loss(MU, TAU + h) - loss(MU, TAU - h)) / (2 * h), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("a", [0.2, 0.9])
def test_twice_the_second_loss_without_the_first_has_the_gradient_of_the_value(a):
    options, h = {"mean": 0.5, "std": 1.2, "bar_alpha": a}, 1e-5
    found = gaussian_distillation_gradient(MU, TAU, weights=[-1, 2, 0], **options)

    def value(mu, tau):
        return gaussian_distillation_losses(mu, tau, **options)[0]

    assert found[0] == pytest.approx((value(MU + h, TAU) - value(MU - h, TAU)) / (2 * h), rel=1e-5, abs=1e-8)
    assert found[1] == pytest.approx((value(MU, TAU + h) - value(MU, TAU - h)) / (2 * h), rel=1e-5, abs=1e-8)


def test_the_gradient_is_linear_in_the_weights_and_a_batch_is_a_loop():
    weights = np.array([[-0.5, 1, 0], [1, 2, 3]])
    units = [gaussian_distillation_gradient(2.0, 0.4, bar_alpha=0.7, weights=unit) for unit in UNITS]
    both = gaussian_distillation_gradient(2.0, 0.4, bar_alpha=0.7, weights=weights)
    assert np.array(both) == pytest.approx((weights @ np.array(units)).T, rel=1e-13)
    grid = gaussian_distillation_gradient(MU[:, None], TAU, bar_alpha=0.7, weights=weights[0])
    for i, mu in enumerate(MU):
        row = gaussian_distillation_gradient(mu, TAU, bar_alpha=0.7, weights=weights[0])
        assert np.array(grid)[:, i] == pytest.approx(np.array(row), rel=1e-14)


def test_the_step_is_right_exactly_where_the_condition_holds():
    tau = np.geomspace(0.011, 90, 301)
    for a in (0.3, 0.9, 0.999):
        r = a * a * tau**2 + 1 - a * a
        for lam in (-0.5, 0.3, 0.5, 0.7, 1.0, 1.2, 2.0):
            d_mu, d_tau = gaussian_distillation_gradient(1.0, tau, bar_alpha=a, weights=[-lam, 1, 0])
            right = (d_mu > 0) & (d_tau * (tau - 1) > 0)
            assert (right == (2 * (1 - lam) * (1 - r) < 1)).all()


def test_near_the_teacher_the_gradient_keeps_its_digits():
    tau = 1 + 2.0**-40
    d_tau = gaussian_distillation_gradient(0.0, tau, bar_alpha=0.9, weights=[0, 1, 0])[1]
    assert d_tau == pytest.approx(2 * 0.81 * 0.19 * 0.81 * 2.0**-39, rel=1e-10)


def test_the_path_is_that_of_the_flow():
    for mix in ([1, 0, 0], [-1, 2, 0], [0, 0, 1]):

        def rate(t, y, mix=mix):
            g = gaussian_distillation_gradient(y[0], np.exp(y[1]), bar_alpha=0.8, weights=mix)
            return -np.array([g[0], g[1] * np.exp(-y[1])])

        options = {"rtol": 1e-9, "atol": 1e-11}
        flow = scipy_integrate.solve_ivp(rate, (0, 6), [2, np.log(0.5)], dense_output=True, **options)
        curve = flow.sol(np.linspace(0, 6, 4001))
        means, stds = gaussian_distillation_path(2.0, 0.5, bar_alpha=0.8, weights=mix, length=0.02, steps=50)
        for mu, tau in zip(means[::10], stds[::10]):
            assert np.hypot(curve[0] - mu, curve[1] - np.log(tau)).min() < 2e-3
        lengths = np.hypot(np.diff(means), np.diff(np.log(stds)))
        assert lengths == pytest.approx(0.02, rel=1e-6)


def test_a_path_ends_at_the_teacher_stays_there_and_a_batch_is_a_loop():
    options = {"mean": 1.0, "std": 2.0, "bar_alpha": 0.9, "weights": [-1, 2, 0]}
    means, stds = gaussian_distillation_path(MU, TAU, steps=300, **options)
    assert means.shape == stds.shape == (301, 3)
    assert np.hypot((means[-1] - 1) / 2, np.log(stds[-1] / 2)) == pytest.approx(0, abs=0.05)
    assert (means[-1] == means[-2]).all()
    for i in range(3):
        one = gaussian_distillation_path(MU[i], TAU[i], steps=300, **options)
        assert one[0] == pytest.approx(means[:, i], rel=1e-12)
        assert one[1] == pytest.approx(stds[:, i], rel=1e-12)
    still = gaussian_distillation_path(2.0, 1.0, bar_alpha=0.9, weights=[1, 0, 0], steps=3)
    assert (still[0] == 2).all()
    assert (still[1] == 1).all()


def _value(y, h, a):
    """Return the common value for a row of bells, by the trapezoidal rule and `denoise_mixture`."""
    b, x = np.sqrt(1 - a * a), np.linspace(-9, 9, 4501)
    wide = np.hypot(a * h, b)
    q = (np.exp(-(((x[:, None] - a * y) / wide) ** 2) / 2) / wide).mean(axis=1) / np.sqrt(2 * np.pi)

    def noise(**law):
        return (x - a * denoise_mixture(x[:, None] / a, b / a, **law)[:, 0]) / b

    return (q * (noise(**TEACHER) - noise(means=y[:, None], stds=h)) ** 2).sum() * (x[1] - x[0])


@pytest.mark.parametrize("a", [0.5, 0.8])
def test_for_particles_too_the_combination_has_the_gradient_of_the_value(a):
    y, h = np.array([-0.7, 0.2, 0.5, 1.1]), 0.2
    found = (
        particle_distillation_gradient(y, bandwidth=h, bar_alpha=a, loss_weights=[-1, 2, 0], nodes=60, **TEACHER) / 4
    )
    expected = [(_value(y + e, h, a) - _value(y - e, h, a)) / 2e-4 for e in 1e-4 * np.eye(4)]
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("weights", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1.2, 1, 0]])
def test_one_particle_is_a_gaussian_student(weights):
    options = {"bar_alpha": 0.7, "nodes": 60}
    found = particle_distillation_gradient(
        [0.4], bandwidth=0.5, loss_weights=weights, means=[[1.0]], stds=1.5, **options
    )
    expected = gaussian_distillation_gradient(0.4, 0.5, mean=1.0, std=1.5, bar_alpha=0.7, weights=weights)[0]
    assert found[0] == pytest.approx(expected, rel=1e-9)


def test_particles_in_a_batch_are_a_loop_their_order_does_not_matter_and_the_nodes_converge():
    y = np.array([[-0.5, 0.1, 0.8], [1.0, 2.0, -3.0]])
    options = {"bandwidth": 0.2, "bar_alpha": 0.8, "loss_weights": [-0.5, 1, 0], **TEACHER}
    both = particle_distillation_gradient(y, **options)
    assert both == pytest.approx(np.array([particle_distillation_gradient(row, **options) for row in y]), rel=1e-13)
    assert particle_distillation_gradient(y[:, ::-1], **options)[:, ::-1] == pytest.approx(both, rel=1e-12)
    exact = particle_distillation_gradient(y, nodes=100, **options)
    gaps = [np.abs(particle_distillation_gradient(y, nodes=n, **options) - exact).max() for n in (8, 16, 32, 64)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-5


@pytest.mark.parametrize(
    ("function", "change", "message"),
    [
        (gaussian_distillation_losses, {"bar_alpha": 1.0}, r"^bar_alpha must lie in \(0, 1\), got 1"),
        (gaussian_distillation_losses, {"tau": 0.0}, "^tau must be positive, got 0"),
        (gaussian_distillation_losses, {"critic_std": -1.0}, "^critic_std must be positive, got -1"),
        (gaussian_distillation_losses, {"mu": [1.0, 2.0], "std": [1.0, 2.0, 3.0]}, "must broadcast .*, got"),
        (gaussian_distillation_gradient, {"weights": [1.0, 2.0]}, "^weights must .*, got"),
        (gaussian_distillation_gradient, {"mu": np.nan}, "^mu must not contain NaN, got"),
        (gaussian_distillation_path, {"length": 0.0}, "^length must be positive, got 0"),
        (gaussian_distillation_path, {"steps": -1}, "^steps must .*, got -1"),
        (particle_distillation_gradient, {"bandwidth": 0.0}, "^bandwidth must be positive, got 0"),
        (particle_distillation_gradient, {"bar_alpha": 0.0}, r"^bar_alpha must lie in \(0, 1\), got 0"),
        (particle_distillation_gradient, {"weights": [0.5, 0.6]}, "^weights must have the sum 1, got 1.1"),
        (particle_distillation_gradient, {"nodes": 1}, "^nodes must .*, got 1"),
    ],
)
def test_bad_input_is_refused_by_name(function, change, message):
    if function is particle_distillation_gradient:
        given = {"particles": [0.0, 1.0], "bandwidth": 0.2, "bar_alpha": 0.5, "loss_weights": [0, 1, 0], **TEACHER}
    else:
        given = {"mu": 0.0, "tau": 1.0, "bar_alpha": 0.5}
        given |= {} if function is gaussian_distillation_losses else {"weights": [0.0, 1.0, 0.0]}
    with pytest.raises(ValueError, match=message):
        function(**{**given, **change})

import math

import numpy as np
import pytest
from oracles import oracles

from kexue_core.mathematics.gamma import (
    gamma,
    gamma_fourier,
    gamma_fourier_line,
    gamma_integrand,
    gamma_residues,
    log_gamma,
)

mpmath, special = oracles("mpmath", "scipy.special")


def _random(n, low, high, height):
    rng = np.random.default_rng(0)
    return rng.uniform(low, high, n) + 1j * rng.uniform(-height, height, n)


def _size(z):
    return 10 + np.abs(z * np.log(z))


def _bound(z):
    """The documented error of `gamma_fourier`."""
    ratio = np.abs(z) / z.real
    return 1e-15 * (_size(z) + np.where(z.real >= 0.5, 40 * ratio, 100 * ratio**1.5))


def _exact(function, z):
    with mpmath.workdps(30):
        return np.array([complex(function(mpmath.mpc(v))) for v in np.asarray(z, dtype=complex).tolist()])


def test_the_quadrature_equals_thirty_digit_arithmetic_within_the_documented_error():
    z = np.concatenate([_random(150, 0.05, 5, 40), _random(100, 5, 100, 100), [0.01, 1e-3, 1, 0.5, 3 + 100j, 30 + 40j]])
    value = np.array([gamma_fourier(v) for v in z.tolist()])
    assert (np.abs(value / _exact(mpmath.gamma, z) - 1) < _bound(z)).all()


def test_the_documented_error_holds_towards_the_imaginary_axis_too():
    rng = np.random.default_rng(1)
    z = 10 ** rng.uniform(-1.7, -0.3, 300) + 1j * 10 ** rng.uniform(-2, 2, 300) * rng.choice([-1, 1], 300)
    z = np.append(z, 0.0356 + 54.06j)
    value = np.array([gamma_fourier(v) for v in z.tolist()])
    assert (np.abs(value / _exact(mpmath.gamma, z) - 1) < _bound(z)).all()


def test_the_documented_error_holds_over_decades_of_both_parts():
    rng = np.random.default_rng(2)
    z = 10 ** rng.uniform(np.log10(0.5), 2, 200) + 1j * 10 ** rng.uniform(-3, 2.4, 200) * rng.choice([-1, 1], 200)
    value = np.array([gamma_fourier(v) for v in z.tolist()])
    assert (np.abs(value / _exact(mpmath.gamma, z) - 1) < _bound(z)).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_documented_error_holds_down_to_the_smallest_numbers_and_up_to_overflow(sign):
    small = sign * 10.0 ** np.linspace(-307, -1, 120)
    small = np.append(small, sign * 2.1354707431739075e-285)
    large = np.linspace(100.3, 171.6, 60) if sign > 0 else -np.linspace(100.3, 169.3, 60)
    for z in (small, large):
        exact = _exact(mpmath.gamma, z)
        bound = 3e-15 * (10 + (1 + np.abs(z)) * np.abs(np.log(np.abs(z))))
        near_pole = np.abs(np.finfo(float).eps * z / (z - np.round(z))) if sign < 0 and z is large else 0
        assert (np.abs(gamma(z) / exact - 1) < bound + near_pole).all()
        logarithm = _exact(mpmath.loggamma, z)
        assert (np.abs(log_gamma(z) - logarithm) < bound + near_pole).all()


def test_a_hard_neighbour_in_the_batch_changes_the_quadrature_by_rounding_only():
    z = np.array([[1.0, 0.5 + 20j], [3 + 100j, 7.0]])
    batch = gamma_fourier(z)
    assert batch.shape == (2, 2)
    for i in np.ndindex(2, 2):
        assert batch[i] == pytest.approx(gamma_fourier(z[i]), rel=1e-12)


def test_the_normalisation_of_the_article_and_one_complex_value():
    assert gamma_fourier(1) == pytest.approx(1, abs=1e-14)
    assert gamma_fourier(0.5) == pytest.approx(1.7724538509055160, abs=1e-14)
    assert gamma_fourier(1 + 1j) == pytest.approx(0.49801566811835607 - 0.15494982830181067j, abs=1e-14)
    modulus = np.abs(gamma_fourier(0.5 + 1j * np.array([0, 1, 3]))) ** 2
    np.testing.assert_allclose(modulus, np.pi / np.cosh(np.pi * np.array([0, 1, 3])), rtol=1e-12)


def test_without_the_rotation_digits_are_lost_like_the_cancellation():
    for y, worst in ((5, 1e-10), (10, 1e-6), (20, 1.0)):
        z = complex(0.5, y)
        exact = special.gamma(z)
        assert abs(gamma_fourier(z) / exact - 1) < 1e-12
        assert 1e-17 * np.exp(np.pi * y / 2) / worst < 10
        assert abs(gamma_fourier(z, angle=0) / exact - 1) < worst
    assert abs(gamma_fourier(1 + 40j, angle=0) / special.gamma(1 + 40j) - 1) > 1e6


@pytest.mark.parametrize("angle", [-1.0, -0.3, 0.0, 0.7, 1.3])
def test_the_integral_does_not_depend_on_the_angle(angle):
    z = np.array([2.0, 1 + 0.5j, 3 - 1j])
    np.testing.assert_allclose(gamma_fourier(z, angle=angle), special.gamma(z), rtol=1e-11)


def test_the_error_falls_exponentially_in_the_number_of_points_like_the_alias():
    for points in (40, 60, 80):
        omega, values = gamma_integrand(1.0, points=points)
        h = omega[1] - omega[0]
        error = values.sum() * h - 1
        # Poisson summation: the sum over n of Gamma(1 + 2 pi i n / h) e^(-2 pi i n omega_0 / h), first two terms
        w = 2 * np.pi / h
        alias = 2 * (special.gamma(1 + 1j * w) * np.exp(-1j * w * omega[0])).real
        assert abs(error - alias) < 3 * abs(special.gamma(1 + 2j * w)) + 1e-15


def test_the_integrand_is_the_articles_function_and_small_at_both_ends():
    z = np.array([0.5 + 3j, 4.0 - 1j])
    for angle in (None, 0.0, 0.4):
        omega, values = gamma_integrand(z, angle=angle, points=300)
        assert omega.shape == values.shape == (2, 300)
        tilt = np.sign(z.imag) * (
            np.pi / 2 - np.minimum(np.pi / 2, np.maximum(3 / abs(z.imag), np.arctan2(z.real, abs(z.imag))))
        )
        zeta = omega + 1j * (tilt[:, None] if angle is None else angle)
        np.testing.assert_allclose(values, np.exp(z[:, None] * zeta - np.exp(zeta)), rtol=1e-9, atol=1e-200)
        peak = np.abs(values).max(axis=1)
        assert (np.abs(values[:, 0]) < 1e-17 * peak).all()
        assert (np.abs(values[:, -1]) < 1e-17 * peak).all()


def test_log_gamma_equals_thirty_digit_arithmetic_on_the_whole_plane():
    z = np.concatenate(
        [_random(400, -30, 30, 60), _random(100, -3, 3, 1), _random(60, 0, 300, 1000), [1e10, 1e-10, 5e3j]]
    )
    assert (np.abs(log_gamma(z) - _exact(mpmath.loggamma, z)) < 3e-15 * _size(z)).all()


def test_log_gamma_agrees_with_scipy_on_both_sides_of_the_cut():
    x = -np.arange(0.25, 12, 0.5)
    for zero in (0.0, -0.0):
        z = np.array([complex(v, zero) for v in x])
        np.testing.assert_allclose(log_gamma(z), special.loggamma(z), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(log_gamma(x).imag, np.floor(x) * np.pi, rtol=1e-13)


def test_log_gamma_is_real_for_positive_numbers_and_correct_near_poles_and_far_out():
    x = np.array([1e-300, 1e-5, 0.3, 1, 2, 170, 1e6, 1e30, 1e200])
    assert (log_gamma(x).imag == 0).all()
    np.testing.assert_allclose(log_gamma(x).real, special.gammaln(x), rtol=1e-14, atol=1e-14)
    near = -3 + np.array([1e-12, -1e-9j, 1e-14 + 1e-13j])
    np.testing.assert_allclose(log_gamma(near), _exact(mpmath.loggamma, near), rtol=1e-13)


def test_gamma_agrees_with_factorials_scipy_and_its_own_equations():
    n = np.arange(1, 171)
    np.testing.assert_allclose(gamma(n), [float(math.factorial(k - 1)) for k in n.tolist()], rtol=1e-12)
    x = np.linspace(-20.05, 20, 400)
    np.testing.assert_allclose(gamma(x), special.gamma(x), rtol=1e-12)
    z = _random(300, -8, 8, 8)
    np.testing.assert_allclose(gamma(z + 1), z * gamma(z), rtol=1e-12)
    np.testing.assert_allclose(gamma(z) * gamma(1 - z), np.pi / np.sin(np.pi * z), rtol=1e-12)
    np.testing.assert_allclose(gamma(z) * gamma(z + 0.5), 2 ** (1 - 2 * z) * np.sqrt(np.pi) * gamma(2 * z), rtol=1e-12)


@pytest.mark.parametrize("function", [gamma, gamma_fourier, log_gamma])
def test_conjugates_go_to_conjugates_bit_for_bit_and_the_input_stays(function):
    z = _random(100, 0.1, 8, 20)
    before = z.copy()
    np.testing.assert_array_equal(function(z.conj()), function(z).conj())
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("function", [gamma, log_gamma])
def test_a_batch_equals_the_loop_and_a_number_gives_a_number(function):
    z = _random(12, -5, 5, 5).reshape(3, 4)
    batch = function(z)
    for i in np.ndindex(3, 4):
        assert np.ndim(function(z[i])) == 0
        assert batch[i] == pytest.approx(function(z[i]), rel=1e-12)
    assert np.isrealobj(gamma(2.5))
    assert np.iscomplexobj(gamma(2.5 + 0j))


def test_the_impostor_grows_on_the_vertical_line_where_gamma_decays():
    z = 1 + 1j * np.array([1, 2, 4])
    np.testing.assert_allclose(np.abs(gamma(z)), [0.521564, 0.153190, 0.00936197], rtol=1e-5)
    impostor = np.abs(gamma(z) * (1 + 0.1 * np.sin(2 * np.pi * z)))
    np.testing.assert_allclose(impostor, [13.9743, 2196.37, 3.849e7], rtol=1e-5)


@pytest.mark.parametrize(("sigma", "n"), [(1.0, 4096), (0.5, 8192), (5.0, 4097), (2.0, 1001)])
def test_the_transformed_line_agrees_with_scipy_and_plancherel(sigma, n):
    x, values = gamma_fourier_line(sigma, n=n, length=85.0)
    assert x[n // 2] == 0
    np.testing.assert_allclose(np.diff(x), 2 * np.pi / 85, rtol=1e-9)
    np.testing.assert_allclose(values, special.gamma(sigma + 1j * x), atol=1e-14 * special.gamma(sigma))
    energy = np.sum(np.abs(values) ** 2) * (x[1] - x[0])
    assert energy == pytest.approx(2 * np.pi * 4**-sigma * special.gamma(2 * sigma), rel=1e-12)


@pytest.mark.parametrize("sigma", [0.003, 0.03, 0.1, 0.6, 3.0, 40.0, 170.0])
@pytest.mark.parametrize("wider", [1.0, 1.7])
def test_so_many_samples_of_the_line_are_enough(sigma, wider):
    length = wider * max(80, 37 / sigma + np.log(5 * sigma + 60))
    x, values = gamma_fourier_line(sigma, n=int(np.ceil((8 + sigma / 2) * length)), length=length)
    np.testing.assert_allclose(values, special.gamma(sigma + 1j * x), atol=1e-15 * (1 + sigma) * special.gamma(sigma))


def test_the_residues_are_the_coefficients_of_the_exponential():
    expected = [(-1) ** k / math.factorial(k) for k in range(21)]
    np.testing.assert_allclose(gamma_residues(20), expected, atol=3e-16)
    np.testing.assert_allclose(gamma_residues(20, points=32), expected, atol=3e-16)
    assert gamma_residues(0, points=1) == pytest.approx(np.exp(-1), rel=1e-15)
    k, eps = np.arange(6), 1e-6
    np.testing.assert_allclose(eps * (gamma(-k + eps) - gamma(-k - eps)) / 2, gamma_residues(5), atol=1e-9)


def test_four_samples_alias_the_residues_as_documented():
    expected = [sum((-1) ** j / math.factorial(j) for j in range(k, 40, 4)) for k in range(4)]
    np.testing.assert_allclose(gamma_residues(3, points=4), expected, atol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gamma(0), r"z must not be one of the poles 0, -1, -2, \.\.\., got 0"),
        (lambda: log_gamma([0.5, -3.0]), r"z must not be one of the poles .* got -3"),
        (lambda: gamma(np.nan), "z must not contain NaN, got 1 of them"),
        (lambda: gamma(complex(1, np.inf)), "z must be finite, got"),
        (lambda: gamma(200.0), r"z must keep the values below 1.8e308, got exp\(857.9\)"),
        (lambda: gamma_fourier(-0.5), r"z must have a positive real part \(gamma takes the others\), got -0.5"),
        (lambda: gamma_integrand(1j), "z must have a positive real part .* got 0"),
        (lambda: gamma_integrand(200.0), "z must keep the values below 1.8e308, got exp"),
        (lambda: gamma_fourier(1.0, angle=1.6), "angle must lie between -pi/2 and pi/2, got 1.6"),
        (lambda: gamma_fourier(1.0, points=1), "points must be at least 2, got 1"),
        (lambda: gamma_fourier(1e-9), "z must not need more than a million nodes, got .* of them"),
        (lambda: gamma_fourier(1e-310, points=9), "z must not have so small a real part, got 1e-310"),
        (lambda: gamma_fourier_line(0.0), r"sigma must lie in \(0, 170\], got 0.0"),
        (lambda: gamma_fourier_line(171.0), r"sigma must lie in \(0, 170\], got 171.0"),
        (lambda: gamma_fourier_line(0.1), "length must be at least 374.1 for sigma = 0.1, got 80.0"),
        (lambda: gamma_fourier_line(1.0, n=1), "n must be at least 2, got 1"),
        (lambda: gamma_residues(-1), "k_max must be at least 0, got -1"),
        (lambda: gamma_residues(4, points=4), "points must be at least 5, got 4"),
    ],
)
def test_bad_values_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_text_is_refused():
    with pytest.raises(TypeError, match="z must be an array of numbers, got 'one'"):
        gamma("one")

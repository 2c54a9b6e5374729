import functools
import inspect
import math
from itertools import pairwise

import numpy as np
import pytest
from oracles import oracles

from kexue_core.state_space import legendre
from kexue_core.state_space.legendre import legendre_table, legs_resolution, project_piecewise_constant, reconstruct

mpmath, sympy, brentq, eval_legendre, spherical_jn = oracles(
    "mpmath", "sympy", "scipy.optimize.brentq", "scipy.special.eval_legendre", "scipy.special.spherical_jn"
)


@functools.cache
def gauss(n):
    x, weights = np.polynomial.legendre.leggauss(150)
    return x, weights, np.sqrt(np.arange(n) + 0.5)[:, None] * eval_legendre(np.arange(n)[:, None], x)


def coefficients(f, n):
    """Integrate f against the orthonormal basis with 150 Gauss nodes; also return the energy of f."""
    x, weights, g = gauss(n)
    return g @ (weights * f(x)), weights @ f(x) ** 2


# the table


def test_the_table_equals_scipy_at_high_degree():
    x = np.linspace(-1, 1, 77)
    np.testing.assert_allclose(legendre_table(x, 200), eval_legendre(np.arange(200)[:, None], x), atol=2e-13)


def test_the_table_has_the_values_at_the_ends_and_is_bounded_by_one():
    np.testing.assert_array_equal(legendre_table([1.0, -1.0], 60), np.stack([np.ones(60), (-1.0) ** np.arange(60)], 1))
    assert abs(legendre_table(np.linspace(-1, 1, 999), 60)).max() <= 1


def test_the_table_keeps_the_axes_of_its_argument():
    x = np.linspace(-1, 1, 12).reshape(3, 4)
    table = legendre_table(x, 5)
    assert table.shape == (5, 3, 4)
    np.testing.assert_array_equal(table[:, 1, 2], legendre_table(x[1, 2], 5))
    assert legendre_table(0.5, 1).shape == (1,)


# projection and reconstruction


def test_the_projection_of_a_staircase_is_its_integral_in_sympy():
    s, u = sympy.symbols("s"), [3, -1, 4, 1, -5]
    edges = [sympy.Rational(2 * k, 5) - 1 for k in range(6)]
    for i, c in enumerate(project_piecewise_constant(u, 7)):
        integrals = [sympy.integrate(sympy.legendre(i, s), (s, a, b)) for a, b in pairwise(edges)]
        exact = sympy.sqrt(sympy.Rational(2 * i + 1, 2)) * sum(h * v for h, v in zip(u, integrals))
        assert c == pytest.approx(float(exact), abs=1e-14)


def test_a_long_smooth_staircase_keeps_its_digits():
    L, n = 2000, 20
    u = np.sin(6 * np.pi * np.arange(L) / L)
    with mpmath.workdps(40):
        for i in (0, 1, 7, 19):
            grid = [mpmath.legendre(i + 1, mpmath.mpf(2 * k) / L - 1) for k in range(L + 1)]
            if i:
                grid = [v - mpmath.legendre(i - 1, mpmath.mpf(2 * k) / L - 1) for k, v in enumerate(grid)]
            exact = mpmath.fsum(h * (b - a) for h, a, b in zip(u, grid, grid[1:])) / mpmath.sqrt(4 * i + 2)
            assert abs(project_piecewise_constant(u, n)[i] - exact) < 2e-15


def test_one_sample_gives_the_constant():
    np.testing.assert_array_equal(project_piecewise_constant([2.5], 4), [2.5 * math.sqrt(2), 0, 0, 0])


def test_a_finer_staircase_of_the_same_signal_has_the_same_coefficients():
    u = np.random.default_rng(0).normal(size=13)
    np.testing.assert_allclose(project_piecewise_constant(np.repeat(u, 7), 9), project_piecewise_constant(u, 9))


def test_the_energy_of_the_coefficients_rises_to_the_energy_of_the_signal():
    u = np.random.default_rng(1).normal(size=20)
    energy = np.cumsum(project_piecewise_constant(u, 2000) ** 2)
    assert energy[-1] <= 2 * np.mean(u**2)
    assert energy[-1] == pytest.approx(2 * np.mean(u**2), rel=1e-2)


def test_staircases_of_a_smooth_signal_tend_to_its_coefficients_at_second_order_of_the_midpoints():
    exact, _ = coefficients(lambda x: np.exp(x) * np.cos(3 * x), 6)
    errors = []
    for L in (100, 200, 400):
        x = (2 * np.arange(L) + 1) / L - 1
        errors.append(np.linalg.norm(project_piecewise_constant(np.exp(x) * np.cos(3 * x), 6) - exact))
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 2, atol=0.01)


def test_a_polynomial_is_reconstructed_exactly_and_is_the_least_squares_fit_otherwise():
    s = np.linspace(-1, 1, 41)
    c, _ = coefficients(lambda x: 2 * x**3 - x + 0.3, 4)
    np.testing.assert_allclose(reconstruct(c, s), 2 * s**3 - s + 0.3, atol=1e-14)
    # projecting is a projection: coefficients of the reconstruction are the coefficients
    c = np.random.default_rng(2).normal(size=9)
    np.testing.assert_allclose(coefficients(lambda x: reconstruct(c, x), 9)[0], c, atol=1e-13)


def test_a_batch_equals_the_loop_and_inputs_stay_unchanged():
    u, s = np.random.default_rng(3).normal(size=(2, 3, 10)), np.linspace(-1, 1, 7)
    before = u.copy()
    c = project_piecewise_constant(u, 5)
    assert c.shape == (2, 3, 5)
    np.testing.assert_allclose(c, [[project_piecewise_constant(v, 5) for v in row] for row in u], atol=1e-15)
    np.testing.assert_allclose(reconstruct(c, s), [[reconstruct(v, s) for v in row] for row in c], atol=1e-14)
    np.testing.assert_array_equal(u, before)


# resolution


@pytest.mark.parametrize("n", [1, 2, 5, 32, 128])
def test_the_resolution_equals_a_thousand_digit_sum(n):
    for a in (0.5, 1.0, 10.0, 33.3, 127.5, 400.1):
        with mpmath.workdps(600):
            x = mpmath.mpf(a)
            j = [mpmath.sin(x) / x, mpmath.sin(x) / x**2 - mpmath.cos(x) / x]  # upward: loses 500 digits at most
            for k in range(1, n):
                j.append((2 * k + 1) / x * j[k] - j[k - 1])
            exact = 1 - mpmath.fsum((2 * k + 1) * j[k] ** 2 for k in range(n))
        if exact > 1e-280:
            assert float(legs_resolution(n, a) / exact) == pytest.approx(1, rel=1e-11)


def test_the_resolution_equals_scipy_on_a_grid_and_is_even_and_monotone():
    a, k = np.linspace(0, 300, 121).reshape(11, 11), np.arange(40)
    ours = legs_resolution(40, a)
    np.testing.assert_allclose(ours, 1 - ((2 * k + 1) * spherical_jn(k, a[..., None]) ** 2).sum(axis=-1), atol=1e-13)
    np.testing.assert_array_equal(ours, legs_resolution(40, -a))
    assert (legs_resolution(41, a) <= ours * (1 + 1e-12)).all()
    np.testing.assert_allclose(ours, [[legs_resolution(40, v) for v in row] for row in a], rtol=1e-11, atol=1e-280)


def test_slow_and_fast_oscillations_are_told_together_without_a_warning():
    a = [1e-3, 1.0, 1e4]
    np.testing.assert_array_equal(legs_resolution(300, a), [legs_resolution(300, v) for v in a])


def test_nothing_of_a_constant_and_almost_all_of_a_fast_oscillation_is_lost():
    assert legs_resolution(1, 0.0) == legs_resolution(9, 1e-200) == 0
    assert legs_resolution(1, 1e-5) == pytest.approx(1e-10 / 3, rel=1e-9)
    assert 1 - 1e-3 < legs_resolution(3, 5000.0) < 1


def test_the_mean_lost_energy_of_a_sine_over_its_phase_is_the_resolution():
    for periods in (6.0, 10.0, 10.5, 16.0):
        lost = total = 0
        for phase in np.arange(4) * np.pi / 2:
            c, energy = coefficients(lambda x, p=phase, f=periods: np.sin(np.pi * f * (x + 1) + p), 32)
            lost, total = lost + energy - c @ c, total + energy
        assert lost / total == pytest.approx(float(legs_resolution(32, np.pi * periods)), abs=1e-12)


def test_a_sine_is_lost_beyond_n_over_pi_periods():
    lost = []
    for periods in (6, 8, 9, 10, 11, 12, 16):
        c, energy = coefficients(lambda x, f=periods: np.sin(np.pi * f * (x + 1) + 0.3), 80)
        lost.append((c[32:] ** 2).sum() / energy)
    np.testing.assert_allclose(lost, [7.144e-12, 1.040e-5, 1.212e-3, 3.644e-2, 0.2844, 0.5547, 0.7634], rtol=1e-3)


@pytest.mark.parametrize(("n", "ratio"), [(16, 0.870), (32, 0.925), (64, 0.957), (128, 0.976)])
def test_the_period_that_loses_one_percent_tends_to_n_over_pi(n, ratio):
    a = brentq(lambda a: legs_resolution(n, a) - 0.01, 0.5 * n, 1.2 * n)
    assert a / n == pytest.approx(ratio, abs=5e-4)


# bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: legendre_table([0.0, 1.5], 3), ValueError, r"x must lie in \[-1, 1\], got 1.5"),
        (lambda: legendre_table(0.0, 0), ValueError, "n must be at least 1, got 0"),
        (lambda: legendre_table(np.nan, 2), ValueError, "x must .*got"),
        (lambda: project_piecewise_constant([], 3), ValueError, r"u must not be empty, got shape \(0,\)"),
        (lambda: project_piecewise_constant(1.0, 3), ValueError, r"u must have at least 1 axis, got shape \(\)"),
        (lambda: project_piecewise_constant([np.inf], 3), ValueError, "u must be finite, got inf"),
        (lambda: project_piecewise_constant([1.0], True), TypeError, "n must be an integer, got True"),
        (lambda: reconstruct([1.0], [-1.1]), ValueError, r"s must lie in \[-1, 1\], got -1.1"),
        (lambda: reconstruct(1.0, [0.0]), ValueError, r"c must have at least 1 axis, got shape \(\)"),
        (lambda: reconstruct([1.0], 0.0), ValueError, r"s must have 1 axis, got shape \(\)"),
        (lambda: reconstruct([1j], [0.0]), TypeError, "c must be an array of real numbers, got"),
        (lambda: legs_resolution(0, 1.0), ValueError, "n must be at least 1, got 0"),
        (lambda: legs_resolution(2, np.inf), ValueError, "a must be finite, got inf"),
    ],
)
def test_bad_input_is_named_with_its_rule_and_its_value(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


def test_every_public_function_of_the_module_is_listed():
    own = {f for f, v in inspect.getmembers(legendre, inspect.isfunction) if v.__module__ == legendre.__name__}
    assert {f for f in own if f[0] != "_"} == set(legendre.__all__)

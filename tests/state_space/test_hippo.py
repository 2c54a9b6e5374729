import functools
import inspect
import math

import numpy as np
import pytest
from oracles import oracles

from kexue_core.state_space import hippo as state_space
from kexue_core.state_space.hippo import discretize, hippo_matrix, legt_delay_response, state_scan, transfer_function
from kexue_core.state_space.legendre import legendre_table, project_piecewise_constant

mpmath, sympy, pade, expm, cont2discrete = oracles(
    "mpmath", "sympy", "scipy.interpolate.pade", "scipy.linalg.expm", "scipy.signal.cont2discrete"
)

s = sympy.symbols("s")
SCALINGS = ("orthonormal", "paper", "lmu")


def symbolic_basis(n):
    return [sympy.sqrt(sympy.Rational(2 * i + 1, 2)) * sympy.legendre(i, s) for i in range(n)]


def inner(f, g):
    return sympy.integrate(sympy.expand(f * g), (s, -1, 1))


@functools.cache
def symbolic_hippo(kind, n, window=1):
    """Differentiate the coefficients of the history: integration by parts, nothing else."""
    g = symbolic_basis(n)
    if kind == "legs":
        A = sympy.Matrix(n, n, lambda i, j: -inner(sympy.diff((s + 1) * g[i], s), g[j]))
        return A, sympy.Matrix([2 * f.subs(s, 1) for f in g])
    A = sympy.Matrix(n, n, lambda i, j: -(inner(sympy.diff(g[i], s), g[j]) + g[i].subs(s, -1) * g[j].subs(s, -1)))
    return 2 * A / window, sympy.Matrix([2 * f.subs(s, 1) / window for f in g])


# matrices


@pytest.mark.parametrize("kind", ["legt", "legs"])
def test_the_matrices_are_integrals_of_legendre_polynomials(kind):
    A, b = hippo_matrix(kind, 6)
    exact_A, exact_b = symbolic_hippo(kind, 6)
    np.testing.assert_allclose(A, np.array(exact_A.evalf(20), dtype=float), rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(b, np.array(exact_b.evalf(20), dtype=float).ravel(), rtol=1e-15)


def test_the_legs_state_of_any_power_follows_the_equation_without_truncation():
    n, T = 4, sympy.symbols("T", positive=True)
    A, b = symbolic_hippo("legs", n)
    for p in (0, 3, 9):  # 9 is not in the span of the basis
        c = sympy.Matrix([inner(((s + 1) * T / 2) ** p, g) for g in symbolic_basis(n)])
        residual = T * sympy.diff(c, T) - A * c - b * T**p
        assert residual.applyfunc(sympy.simplify) == sympy.zeros(n, 1)


@pytest.mark.parametrize("kind", ["legt", "legs"])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_every_scaling_is_a_similarity_with_the_stated_basis(kind, scaling):
    n = 6
    q = np.sqrt(2 * np.arange(n) + 1)
    factor = {"orthonormal": np.ones(n), "paper": np.full(n, math.sqrt(2)), "lmu": math.sqrt(2) / q}[scaling]
    A, b = hippo_matrix(kind, n)
    scaled_A, scaled_b = hippo_matrix(kind, n, scaling=scaling)
    np.testing.assert_allclose(scaled_A, A * factor / factor[:, None], rtol=1e-14)
    np.testing.assert_allclose(scaled_b, b / factor, rtol=1e-14)


def test_the_paper_and_the_legendre_memory_unit_have_their_published_entries():
    i = np.arange(6)
    np.testing.assert_allclose(hippo_matrix("legt", 6, window=2.5, scaling="paper")[1], np.sqrt(2 * i + 1) / 2.5)
    A, b = hippo_matrix("legt", 6, window=2.5, scaling="lmu")
    published = [[(2 * r + 1) * (-1 if r < c else (-1) ** (r - c + 1)) / 2.5 for c in i] for r in i]
    # Voelker et al. read the window from now backwards, and p_i(-s) = (-1)^i p_i(s)
    flip = (-1.0) ** i
    np.testing.assert_allclose(flip[:, None] * A * flip, published, rtol=1e-15)
    np.testing.assert_allclose(flip * b, (2 * i + 1) * flip / 2.5)


@pytest.mark.parametrize("kind", ["legt", "legs"])
def test_a_constant_input_is_kept_in_the_first_coefficient(kind):
    A, b = hippo_matrix(kind, 12)
    np.testing.assert_allclose(np.linalg.solve(A, -b), math.sqrt(2) * np.eye(12)[0], atol=1e-12)


def test_legs_has_the_eigenvalues_minus_one_to_minus_n_and_a_symmetric_part_of_rank_one_and_identity():
    A, _ = hippo_matrix("legs", 40)
    np.testing.assert_array_equal(np.triu(A, 1), 0)
    np.testing.assert_array_equal(np.diag(A), -np.arange(1, 41))
    v = np.sqrt(2 * np.arange(40) + 1)
    np.testing.assert_allclose((A + A.T) / 2, -(np.eye(40) + np.outer(v, v)) / 2, rtol=1e-14)


def test_every_kind_is_stable_and_the_window_only_rescales_time():
    for kind in ("legt", "fourier"):
        (A, b), (wide_A, wide_b) = hippo_matrix(kind, 9), hippo_matrix(kind, 9, window=4.0)
        assert np.linalg.eigvals(A).real.max() < 0
        np.testing.assert_allclose(4 * wide_A, A, rtol=1e-15)
        np.testing.assert_allclose(4 * wide_b, b, rtol=1e-15)


def test_one_coefficient_is_a_leaky_mean():
    for kind in ("legt", "legs"):
        A, b = hippo_matrix(kind, 1)
        assert A.item() == -1
        assert b.item() == pytest.approx(math.sqrt(2), rel=1e-15)
    A, b = hippo_matrix("fourier", 1)
    assert A.item() == -2
    assert b.item() == 2


# the echo of the Fourier window


def test_the_fourier_window_of_the_article_echoes_and_feedback_two_does_not():
    omega, n = np.array([0.5, 2.0, 5.0]), 201
    errors = {}
    for feedback in (1.0, 2.0):
        sums = transfer_function(*hippo_matrix("fourier", n, feedback=feedback), np.ones(n), 1j * omega)
        errors[feedback] = abs((sums if feedback == 1 else 2 * sums - 1) - np.exp(-1j * omega))
    np.testing.assert_allclose(errors[1.0], [0.1125, 0.801, 0.498], rtol=1e-3)
    np.testing.assert_allclose(errors[2.0], [6.2e-5, 2.9e-3, 3.6e-3], rtol=2e-2)


@pytest.mark.parametrize("feedback", [0.5, 1.0, 2.0, 3.0])
def test_past_windows_enter_the_mean_with_the_documented_geometric_weights(feedback):
    A, b = hippo_matrix("fourier", 121, feedback=feedback)
    # the gain of the mean is that of one window, (1 - q) / z with q = e^(-z), times sum_j weight_j q^j
    z = 0.7 + 1j * np.linspace(0.3, 6.0, 6)
    q = np.exp(-z)
    gain = transfer_function(A, b, np.eye(121)[60], z) * z / (1 - q)
    weights = 2 * feedback / (2 + feedback) * ((2 - feedback) / (2 + feedback)) ** np.arange(60)
    np.testing.assert_allclose(gain, (q[:, None] ** np.arange(60)) @ weights, atol=1e-2)


@pytest.mark.parametrize(("n", "pole"), [(10, -1.0916), (40, -1.0968)])
def test_the_real_pole_of_the_fourier_system_of_the_article_tends_to_minus_log_three(n, pole):
    poles = np.linalg.eigvals(hippo_matrix("fourier", 2 * n + 1, feedback=1.0)[0])
    nearest = poles[abs(poles).argmin()]
    assert nearest == pytest.approx(pole, abs=5e-5)
    assert abs(nearest + math.log(3)) < 0.1 / n


# discretization


@pytest.mark.parametrize(
    ("method", "theirs"), [("forward", "euler"), ("backward", "backward_diff"), ("bilinear", "bilinear"), ("zoh",) * 2]
)
@pytest.mark.parametrize("kind", ["legt", "legs", "fourier"])
def test_discretize_equals_scipy(method, theirs, kind):
    A, b = hippo_matrix(kind, 9)
    Abar, bbar, *_ = cont2discrete((A, b[:, None], np.eye(9), np.zeros((9, 1))), 0.03, theirs)
    ours = discretize(A, b, 0.03, method)
    np.testing.assert_allclose(ours[0], Abar, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ours[1], bbar[:, 0], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("n", "step"), [(1, 1.0), (16, 0.1), (64, 1e-3), (64, 0.05), (32, 50.0)])
def test_zoh_is_the_matrix_exponential_for_small_and_large_steps(n, step):
    A, b = hippo_matrix("legt", n)
    Abar, bbar = discretize(A, b, step)
    exact = expm(step * A)
    np.testing.assert_allclose(Abar, exact, atol=1e-12 * max(1, abs(exact).max()))
    np.testing.assert_allclose(bbar, np.linalg.solve(A, (exact - np.eye(n)) @ b), atol=1e-12)


def test_zoh_integrates_a_singular_system():
    Abar, bbar = discretize([[0.0, 1.0], [0.0, 0.0]], [0.0, 1.0], 3.0)
    np.testing.assert_allclose(Abar, [[1, 3], [0, 1]], rtol=1e-15)
    np.testing.assert_allclose(bbar, [4.5, 3], rtol=1e-15)
    np.testing.assert_array_equal(discretize(np.zeros((2, 2)), np.zeros(2), 1.0)[0], np.eye(2))


def test_zoh_does_not_lose_the_transition_to_a_long_input_vector():
    A, b = hippo_matrix("legt", 9)
    transition, response = discretize(A, b, 0.1)
    for size in (2.0**-900, 2.0**20, 2.0**900):
        Abar, bbar = discretize(A, size * b, 0.1)
        np.testing.assert_array_equal(Abar, transition)
        np.testing.assert_allclose(bbar / size, response, rtol=1e-13, atol=1e-15)
    for size in (1e8, 1e20, 1.7e308):
        Abar, bbar = discretize([[-1.0]], [size], 1.0)
        assert Abar[0, 0] == pytest.approx(math.exp(-1), rel=1e-15)
        assert bbar[0] / size == pytest.approx(-math.expm1(-1), rel=1e-15)


@pytest.mark.parametrize("angle", [0.4, 1.0, 7.0, 15.0, 100.0])
def test_zoh_of_an_oscillator_is_a_rotation(angle):
    Abar, bbar = discretize([[0.0, angle], [-angle, 0.0]], [0.0, 1.0], 1.0)
    cos, sin = math.cos(angle), math.sin(angle)
    np.testing.assert_allclose(Abar, [[cos, sin], [-sin, cos]], atol=1e-13)
    np.testing.assert_allclose(bbar, [(1 - cos) / angle, sin / angle], atol=1e-13)


@pytest.mark.parametrize(("method", "order"), [("forward", 1), ("backward", 1), ("bilinear", 2)])
def test_the_measured_order_of_convergence_is_the_documented_one(method, order):
    A, b = hippo_matrix("legt", 6)
    exact = expm(A) @ np.ones(6) + np.linalg.solve(A, (expm(A) - np.eye(6)) @ b)
    errors = []
    for L in (400, 800, 1600):
        last = state_scan(*discretize(A, b, 1 / L, method), np.ones(L), np.ones(6))[-1]
        errors.append(np.linalg.norm(last - exact))
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), order, atol=0.06)


@pytest.mark.parametrize("method", ["forward", "backward", "bilinear", "zoh"])
def test_every_method_keeps_a_steady_state(method):
    A, b = hippo_matrix("legt", 8)
    Abar, bbar = discretize(A, b, 0.01, method)
    x = np.linalg.solve(A, -b)
    np.testing.assert_allclose(Abar @ x + bbar, x, atol=1e-13)


# scan


def test_a_scan_is_the_sum_over_matrix_powers():
    rng = np.random.default_rng(0)
    Abar, bbar, u, x0 = rng.normal(size=(4, 4)) / 3, rng.normal(size=4), rng.normal(size=9), rng.normal(size=4)
    power = np.linalg.matrix_power
    for k, state in enumerate(state_scan(Abar, bbar, u, x0)):
        direct = power(Abar, k + 1) @ x0 + sum(power(Abar, k - j) @ bbar * u[j] for j in range(k + 1))
        np.testing.assert_allclose(state, direct, rtol=1e-12)


def test_a_batch_of_scans_equals_the_loop_and_leaves_its_inputs_alone():
    rng = np.random.default_rng(1)
    Abar, bbar = discretize(*hippo_matrix("fourier", 5), 0.1)
    u, x0 = rng.normal(size=(2, 3, 11)), rng.normal(size=(3, 5)) + 1j
    before = [v.copy() for v in (Abar, bbar, u, x0)]
    loop = [[state_scan(Abar, bbar, v, x) for v, x in zip(row, x0)] for row in u]
    np.testing.assert_allclose(state_scan(Abar, bbar, u, x0), loop, rtol=1e-12)  # batched products round otherwise
    for old, new in zip(before, (Abar, bbar, u, x0)):
        np.testing.assert_array_equal(old, new)


def test_the_legt_state_is_the_projection_of_the_last_window():
    n, window = 24, 250
    k = np.arange(1500)
    u = np.sin(2 * np.pi * k / 100 + 0.3) + 0.4 * np.cos(2 * np.pi * k / 73)
    Abar, bbar = discretize(*hippo_matrix("legt", n, window=window), 1.0)
    last = state_scan(Abar, bbar, u)[-1]
    # the staircase has harmonics beyond n/pi periods in the window that no state of this size can delay
    np.testing.assert_allclose(last, project_piecewise_constant(u[-window:], n), atol=2e-3)


# transfer functions


def test_a_transfer_function_is_invariant_under_a_change_of_basis_and_equals_the_loop():
    rng = np.random.default_rng(2)
    A, b, c, S = rng.normal(size=(5, 5)), rng.normal(size=5), rng.normal(size=5), rng.normal(size=(5, 5))
    z = rng.normal(size=(2, 3)) + 5j
    H = transfer_function(A, b, c, z)
    np.testing.assert_allclose(H, [[c @ np.linalg.inv(v * np.eye(5) - A) @ b for v in row] for row in z], rtol=1e-11)
    np.testing.assert_allclose(transfer_function(np.linalg.solve(S, A @ S), np.linalg.solve(S, b), c @ S, z), H)
    assert np.ndim(transfer_function(A, b, c, 5j)) == 0


@pytest.mark.parametrize("scaling", SCALINGS)
def test_the_delay_is_the_same_in_every_scaling(scaling):
    A, b = hippo_matrix("legt", 10, scaling=scaling)
    basis = {"orthonormal": np.sqrt(np.arange(10) + 0.5), "paper": np.sqrt(2 * np.arange(10) + 1), "lmu": 1}[scaling]
    z = 1j * np.linspace(0, 30, 40)
    response = transfer_function(A, b, legendre_table(-1.0, 10) * basis, z)
    np.testing.assert_allclose(response, legt_delay_response(10, z), rtol=1e-12)


@pytest.mark.parametrize("n", range(1, 8))
def test_the_delay_response_is_a_pade_approximant(n):
    numerator, denominator = pade([(-1.0) ** k / math.factorial(k) for k in range(2 * n)], n, n - 1)
    z = np.array([0.3, 2.0, 1j, 3 + 4j, 20j])
    np.testing.assert_allclose(legt_delay_response(n, z), numerator(z) / denominator(z), rtol=1e-6)
    z = sympy.symbols("z")
    A, b = symbolic_hippo("legt", min(n, 4))
    m = A.shape[0]
    c = sympy.Matrix([[g.subs(s, -1) for g in symbolic_basis(m)]])
    below = (z * sympy.eye(m) - A).det(method="berkowitz")
    above = (z * sympy.eye(m) - A + b * c).det(method="berkowitz") - below
    value = complex((above / below).subs(z, 2 + 3 * sympy.I).evalf())
    assert complex(legt_delay_response(m, 2 + 3j)) == pytest.approx(value, rel=1e-12)


def test_the_delay_falls_off_a_cliff_at_n_over_pi_periods():
    z = 2j * np.pi * np.array([2, 5, 7, 8, 9, 10])
    error = abs(legt_delay_response(32, z) - np.exp(-z))
    assert error[0] < 1e-14
    np.testing.assert_allclose(error[1:], [1.04e-13, 3.82e-6, 1.216e-3, 7.04e-2, 0.6946], rtol=2e-2, atol=2e-14)
    assert legt_delay_response(32, 0) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("n", [8, 32, 64, 128])
def test_the_delay_response_has_the_documented_error(n):
    with mpmath.workdps(60):
        m = n - 1
        for f in (0.5, n / 8, n / math.pi, n):
            z = mpmath.mpc(0, 2 * mpmath.pi * f)
            top = mpmath.hyp1f1(-m, -(n + m), -z)
            exact = complex(top / mpmath.hyp1f1(-n, -(n + m), z))
            assert abs(complex(legt_delay_response(n, complex(z))) - exact) < 1e-13


# bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: hippo_matrix("lagt", 4), ValueError, "kind must be one of 'legt', 'legs', 'fourier', got 'lagt'"),
        (lambda: hippo_matrix("legs", 0), ValueError, "n must be at least 1, got 0"),
        (lambda: hippo_matrix("legs", 4.0), TypeError, "n must be an integer, got 4.0"),
        (lambda: hippo_matrix("fourier", 4), ValueError, "n must be odd for 'fourier', got 4"),
        (lambda: hippo_matrix("legt", 4, window=0.0), ValueError, "window must be positive, got 0.0"),
        (lambda: hippo_matrix("legs", 4, window=2.0), ValueError, "window must be left at 1.0 .*got 2.0"),
        (lambda: hippo_matrix("legt", 4, feedback=1.0), ValueError, "feedback must be left at 2.0 .*got 1.0"),
        (lambda: hippo_matrix("legt", 4, scaling="x"), ValueError, "scaling must be one of .*got 'x'"),
        (lambda: hippo_matrix("fourier", 3, scaling="lmu"), ValueError, "scaling must be 'orthonormal'.*got 'lmu'"),
        (lambda: discretize(np.ones((2, 3)), np.ones(2), 1.0), ValueError, r"A must be a square.*got shape \(2, 3\)"),
        (lambda: discretize(np.eye(2), np.ones(3), 1.0), ValueError, r"b must have shape \(2,\), got shape \(3,\)"),
        (lambda: discretize(np.eye(2), np.ones(2), -1.0), ValueError, "step must be positive, got -1.0"),
        (lambda: discretize(np.eye(2), np.ones(2), 1.0, "x"), ValueError, "method must be one of .*got 'x'"),
        (lambda: discretize([[np.nan]], [1.0], 1.0), ValueError, "A must .*got"),
        (lambda: discretize(np.eye(2), [1e308, 1e308], 1.0), ValueError, "A, b and step must keep .*got inf"),
        (lambda: discretize([[1j * np.inf]], [1.0], 1.0), ValueError, "A must .*got"),
        (lambda: state_scan(np.eye(2), np.ones(2), []), ValueError, r"u must not be empty, got shape \(0,\)"),
        (lambda: state_scan(np.eye(2), np.ones(2), 1.0), ValueError, r"u must have at least 1 axis, got shape \(\)"),
        (lambda: state_scan(np.eye(2), np.ones(2), [1j]), TypeError, "u must be an array of real numbers, got"),
        (lambda: state_scan(np.eye(2), [1.0], [1.0]), ValueError, r"bbar must have shape \(2,\), got shape \(1,\)"),
        (lambda: state_scan(np.eye(2), np.ones(2), [1.0], [1.0]), ValueError, "x0 must have a last axis of length 2"),
        (
            lambda: state_scan(np.eye(1), np.ones(1), np.ones((2, 4)), np.ones((3, 1))),
            ValueError,
            r"x0 and u must broadcast in their leading axes, got shapes \(3, 1\) and \(2, 4\)",
        ),
        (lambda: state_scan([[1e9]], [1.0], np.ones(99)), ValueError, "Abar must not let the state overflow in 99 st"),
        (lambda: transfer_function(np.eye(2), np.ones(2), [1.0], 0), ValueError, r"c must have shape \(2,\), got"),
        (lambda: transfer_function([[1.0]], [1.0], [1.0], np.nan), ValueError, "z must .*got"),
        (lambda: legt_delay_response(0, 1j), ValueError, "n must be at least 1, got 0"),
        (lambda: legt_delay_response(4, complex(0, np.nan)), ValueError, "z must .*got"),
    ],
)
def test_bad_input_is_named_with_its_rule_and_its_value(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


def test_a_pole_and_a_singular_step_raise_a_linear_algebra_error():
    with pytest.raises(np.linalg.LinAlgError):
        transfer_function(np.eye(2), np.ones(2), np.ones(2), 1.0)
    with pytest.raises(np.linalg.LinAlgError):
        discretize(np.eye(2), np.ones(2), 1.0, "backward")


def test_every_public_function_of_the_module_is_listed():
    own = {f for f, v in inspect.getmembers(state_space, inspect.isfunction) if v.__module__ == state_space.__name__}
    assert {f for f in own if f[0] != "_"} == set(state_space.__all__)

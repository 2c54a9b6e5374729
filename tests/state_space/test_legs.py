import inspect
import math

import numpy as np
import pytest
from oracles import oracles

from kexue_core.state_space import legs
from kexue_core.state_space.hippo import hippo_matrix
from kexue_core.state_space.legendre import project_piecewise_constant, reconstruct
from kexue_core.state_space.legs import legs_scan, legs_step, legs_transition

sympy, expm = oracles("sympy", "scipy.linalg.expm")

METHODS = ("exact", "log-bilinear", "reference", "bilinear", "forward", "backward")


def signal(L):
    t = np.arange(L) / L
    return np.sin(6 * np.pi * t) + 0.5 * np.cos(14 * np.pi * t + 1)


def relative_error(method, L, n=16):
    exact = project_piecewise_constant(signal(L), n)
    return np.linalg.norm(legs_scan(signal(L), n, method)[-1] - exact) / np.linalg.norm(exact)


# the transition


@pytest.mark.parametrize("n", [1, 2, 7, 32, 64])
def test_the_transition_is_the_matrix_exponential(n):
    A, _ = hippo_matrix("legs", n)
    for r in (1.0, 0.999, 0.7, 0.1, 1e-3):
        np.testing.assert_allclose(legs_transition(n, r), expm(-math.log(r) * A),
                                   atol=1e-12)  # fmt: skip


def test_the_transition_is_a_polynomial_that_sympy_integrates():
    x, r, n = sympy.symbols("x"), sympy.Rational(3, 7), 4
    g = [sympy.sqrt(sympy.Rational(2 * i + 1, 2)) * sympy.legendre(i, x) for i in range(n)]
    for i in range(n):
        for k in range(n):
            entry = r * sympy.integrate(sympy.expand(g[i].subs(x, r * (x + 1) - 1) * g[k]), (x, -1, 1))
            assert legs_transition(n, 3 / 7)[i, k] == pytest.approx(float(entry), abs=1e-15)


def test_transitions_compose_and_the_batch_equals_the_loop():
    r = np.array([[0.9, 0.5], [1.0, 0.01]])
    E = legs_transition(20, r)
    assert E.shape == (2, 2, 20, 20)
    np.testing.assert_array_equal(E, [[legs_transition(20, v) for v in row] for row in r])
    np.testing.assert_allclose(E[0, 0] @ E[0, 1], legs_transition(20, 0.45), atol=1e-13)
    np.testing.assert_allclose(E[1, 0], np.eye(20), atol=1e-13)
    np.testing.assert_allclose(np.diagonal(E[0, 1]), 0.5 ** np.arange(1, 21), atol=1e-15)
    np.testing.assert_array_equal(np.triu(E, 1), 0)


def test_the_memory_of_an_early_state_is_at_most_the_root_of_the_time_ratio():
    norms = [np.linalg.norm(legs_transition(n, math.exp(-2)), 2) for n in (4, 16, 64)]
    np.testing.assert_allclose(norms, [0.34815, 0.36788, 0.36788], atol=1e-5)
    assert max(norms) <= math.exp(-1) * (1 + 1e-13)


def test_the_impulse_response_is_a_legendre_polynomial_of_the_old_time():
    n, r = 24, 0.37
    _, b = hippo_matrix("legs", n)
    p = np.polynomial.legendre.legvander([2 * r - 1], n - 1)[0]
    np.testing.assert_allclose(legs_transition(n, r) @ b, np.sqrt(2 * (2 * np.arange(n) + 1)) * r * p, atol=1e-13)


# the step


def test_a_step_is_the_variation_of_constants_formula():
    rng = np.random.default_rng(0)
    A, b = hippo_matrix("legs", 10)
    x, u = rng.normal(size=10), 1.7
    for k in (1, 2, 50):
        E = expm(A * math.log((k + 1) / k))
        expected = E @ x + np.linalg.solve(A, (E - np.eye(10)) @ b) * u
        np.testing.assert_allclose(legs_step(x, u, k), expected, atol=1e-12)


def test_a_step_projects_the_squeezed_polynomial_and_the_new_constant():
    x = np.random.default_rng(1).normal(size=6)
    fine = 20_000  # midpoints: error of second order
    old = reconstruct(x, (2 * np.arange(3 * fine) + 1) / (3 * fine) - 1)
    np.testing.assert_allclose(
        legs_step(x, 0.4, 3), project_piecewise_constant(np.append(old, [0.4] * fine), 6), atol=1e-8
    )


def test_the_first_sample_replaces_any_state_and_a_constant_stays():
    state = legs_step([7.0, 3.0, 1.0], 0.5, 0)
    np.testing.assert_allclose(state, [0.5 * math.sqrt(2), 0, 0], atol=1e-16)
    np.testing.assert_allclose(legs_step(state, 0.5, 1), state, atol=1e-16)


def test_a_perturbed_start_is_forgotten_like_the_root_of_time():
    x = np.zeros(16)
    x[[0, 3]] = math.sqrt(2) + 1, 1
    found = {}
    for k in range(1, 1001):
        found[k] = np.linalg.norm(x - math.sqrt(2) * np.eye(16)[0])
        x = legs_step(x, 1.0, k)
    np.testing.assert_allclose([found[k] for k in (2, 10, 100, 1000)], [0.933, 0.374, 0.0910, 0.0150], rtol=2e-3)
    assert all(v <= math.sqrt(2 / k) * (1 + 1e-12) for k, v in found.items())


def test_a_batch_of_steps_equals_the_loop_and_leaves_its_inputs_alone():
    rng = np.random.default_rng(2)
    x, u = rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 3))
    before = x.copy(), u.copy()
    loop = [[legs_step(v, w, 4) for v, w in zip(*rows)] for rows in zip(x, u)]
    np.testing.assert_allclose(legs_step(x, u, 4), loop, atol=1e-14)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(u, before[1])


# scans


@pytest.mark.parametrize("n", [1, 8, 16, 32, 64])
def test_the_exact_scan_is_the_projection_of_the_samples_so_far(n):
    u = signal(1000)
    states = legs_scan(u, n)
    for k in (1, 2, 9, 100, 1000):
        exact = project_piecewise_constant(u[:k], n)
        np.testing.assert_allclose(states[k - 1], exact, rtol=0, atol=1e-12 * abs(u).max())


def test_the_exact_scan_of_noise_is_its_projection_and_equals_single_steps():
    u = np.random.default_rng(3).normal(size=300)
    states, x = legs_scan(u, 12), np.zeros(12)
    for k, v in enumerate(u):
        x = legs_step(x, v, k)
        np.testing.assert_allclose(x, states[k], atol=1e-13)
    np.testing.assert_allclose(x, project_piecewise_constant(u, 12), atol=1e-12)


@pytest.mark.parametrize("method", METHODS[1:])
def test_a_scan_follows_its_documented_recursion_with_dense_inverses(method):
    A, b = hippo_matrix("legs", 6)
    u, x, eye = signal(40), np.zeros(6), np.eye(6)
    x[0] = math.sqrt(2) * u[0]
    states = legs_scan(u, 6, method)
    for k in range(1, 40):
        h = {"log-bilinear": math.log((k + 1) / k), "reference": 1 / (k + 1), "backward": 1 / (k + 1)}.get(
            method, 1 / k
        )
        p = {"bilinear": 0.5 / (k + 1), "forward": 0, "backward": h}.get(method, h / 2)
        q = {"bilinear": 0.5 / k, "forward": h, "backward": 0}.get(method, h / 2)
        x = np.linalg.inv(eye - p * A) @ ((eye + q * A) @ x + h * b * u[k])
        np.testing.assert_allclose(states[k], x, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("method", "errors"),
    [
        ("log-bilinear", [2.53e-3, 1.57e-4, 9.81e-6]),
        ("reference", [2.55e-2, 6.13e-3, 1.516e-3]),
        ("bilinear", [1.40e-2, 5.36e-3, 2.165e-3]),
        ("forward", [0.186, 0.0422, 0.0103]),
        ("backward", [0.1455, 0.0396, 0.0101]),
    ],
)
def test_the_errors_of_the_approximate_scans_are_the_measured_ones(method, errors):
    np.testing.assert_allclose([relative_error(method, L) for L in (250, 1000, 4000)], errors, rtol=5e-3)


@pytest.mark.parametrize(("method", "order"), [("log-bilinear", 2), ("reference", 1), ("forward", 1), ("backward", 1)])
def test_the_measured_order_of_convergence_is_the_documented_one(method, order):
    errors = [relative_error(method, L, n=8) for L in (500, 1000, 2000)]
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), order, atol=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_signal_stays_except_in_the_bilinear_scheme_of_the_article(method):
    errors = [abs(legs_scan(np.ones(L), 4, method)[-1] - math.sqrt(2) * np.eye(4)[0]).max() for L in (250, 1000, 4000)]
    if method != "bilinear":
        assert max(errors) < 1e-13
    else:  # ln(L) / L: between the orders 1/2 and 1
        order = np.log(np.divide(errors[:-1], errors[1:])) / math.log(4)
        assert ((order > 0.6) & (order < 0.95)).all()


def test_the_reconstructions_have_the_measured_errors_and_forward_explodes_before_it_heals():
    u, s = signal(1000), (2 * np.arange(1000) + 1) / 1000 - 1
    scans = {m: legs_scan(u, 32, m) for m in METHODS}
    mse = {m: np.mean((reconstruct(states[-1], s) - u) ** 2) for m, states in scans.items()}
    published = {
        "exact": 5.7e-9,
        "bilinear": 1.67e-5,
        "reference": 3.49e-5,
        "forward": 5.48e-3,
        "log-bilinear": 1.28e-7,
    }
    for method, value in published.items():
        assert mse[method] == pytest.approx(value, rel=5e-3)
    assert abs(scans["forward"]).max() == pytest.approx(2.24e17, rel=1e-2)


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_of_scans_equals_the_loop_is_linear_and_starts_at_the_constant(method):
    u = np.random.default_rng(4).normal(size=(2, 3, 7))
    before = u.copy()
    states = legs_scan(u, 4, method)
    np.testing.assert_allclose(states, [[legs_scan(v, 4, method) for v in row] for row in u], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(legs_scan(u[0] - 2 * u[1], 4, method), states[0] - 2 * states[1], rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(legs_scan([3.0], 4, method), [[3 * math.sqrt(2), 0, 0, 0]])
    np.testing.assert_array_equal(u, before)


# bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: legs_transition(2**64, 0.5), ValueError, "n must be at most 1000000, got 18446744073709551616"),
        (lambda: legs_transition(0, 0.5), ValueError, "n must be at least 1, got 0"),
        (lambda: legs_transition(3, 0.0), ValueError, r"r must lie in \(0, 1\], got 0.0"),
        (lambda: legs_transition(3, [0.5, 1.5]), ValueError, r"r must lie in \(0, 1\], got 1.5"),
        (lambda: legs_transition(3, np.nan), ValueError, "r must .*got"),
        (lambda: legs_step([1.0, np.nan], 0.0, 1), ValueError, "x must .*got"),
        (lambda: legs_step(1.0, 0.0, 1), ValueError, r"x must have at least 1 axis, got shape \(\)"),
        (lambda: legs_step([1.0], np.inf, 1), ValueError, "u must be finite, got inf"),
        (lambda: legs_step([1.0], 0.0, -1), ValueError, "k must be at least 0, got -1"),
        (lambda: legs_step([1.0], 0.0, 1.5), TypeError, "k must be an integer, got 1.5"),
        (lambda: legs_scan([], 3), ValueError, r"u must not be empty, got shape \(0,\)"),
        (lambda: legs_scan([1.0], 0), ValueError, "n must be at least 1, got 0"),
        (lambda: legs_scan([1.0], 3, "euler"), ValueError, "method must be one of 'exact'.*got 'euler'"),
        (
            lambda: legs_scan(np.ones(520) + np.eye(520)[5], 520, "forward"),
            ValueError,
            "u and n must .* for n = 520",
        ),
    ],
)
def test_bad_input_is_named_with_its_rule_and_its_value(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


def test_every_public_function_of_the_module_is_listed():
    own = {f for f, v in inspect.getmembers(legs, inspect.isfunction) if v.__module__ == legs.__name__}
    assert {f for f in own if f[0] != "_"} == set(legs.__all__)

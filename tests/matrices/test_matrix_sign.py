import numpy as np
import pytest
from oracles import oracles

from kexue_core.matrices import NS_COEFFICIENTS, msign, newton_schulz, ns_accuracy, ns_polynomial

sympy, polar, quad = oracles("sympy", "scipy.linalg.polar", "scipy.integrate.quad")

SHAPES = [(1, 1), (3, 3), (5, 2), (2, 5), (1, 4)]


def gaussian(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def jordan(g, steps, a, b, c):
    """Return Newton-Schulz as the programs write it, matrix by matrix, without transposing."""
    x = g / np.sqrt((g**2).sum())
    for _ in range(steps):
        square = x @ x.T
        x = a * x + b * square @ x + c * square @ square @ x
    return x


# the exact sign


@pytest.mark.parametrize("shape", SHAPES)
def test_the_sign_is_the_polar_factor_at_full_rank(shape):
    a = gaussian(*shape)
    np.testing.assert_allclose(msign(a), polar(a)[0], atol=1e-13)
    np.testing.assert_allclose(np.linalg.svd(msign(a), compute_uv=False), 1, rtol=1e-13)


def test_the_sign_is_nearest_among_random_semi_orthogonal_matrices():
    a = gaussian(4, 3)
    others = np.linalg.qr(gaussian(500, 4, 3, seed=1)).Q
    assert np.linalg.norm(msign(a) - a) < np.linalg.norm(others - a, axis=(1, 2)).min()


def test_a_matrix_that_lacks_rank_keeps_its_rank():
    a = gaussian(6, 2) @ gaussian(2, 5, seed=1)
    sign = msign(a)
    np.testing.assert_allclose(np.linalg.svd(sign, compute_uv=False), [1, 1, 0, 0, 0], atol=1e-13)
    np.testing.assert_allclose(sign @ sign.T @ a, a, atol=1e-12)
    assert np.sum(msign(np.diag([1.0, 1e-3]), rtol=0.01)) == 1
    assert (msign(np.zeros((2, 3))) == 0).all()


def test_the_sign_turns_with_its_argument_and_forgets_its_length():
    a, p, q = gaussian(5, 3), np.linalg.qr(gaussian(5, 5, seed=1)).Q, np.linalg.qr(gaussian(3, 3, seed=2)).Q
    np.testing.assert_allclose(msign(p @ a @ q), p @ msign(a) @ q, atol=1e-13)
    for scale in (1e-200, 1e-3, 1e200):
        np.testing.assert_allclose(msign(scale * a), msign(a), atol=1e-13)
    np.testing.assert_allclose(msign(a.T), msign(a).T, atol=1e-13)


def test_on_a_diagonal_it_is_the_sign_and_on_a_vector_normalization():
    d, v = np.array([3.0, -0.1, 0.0, 2.0]), gaussian(1, 7)
    np.testing.assert_array_equal(msign(np.diag(d)), np.diag(np.sign(d)))
    np.testing.assert_allclose(msign(v), v / np.linalg.norm(v), rtol=1e-14)


# Newton-Schulz


@pytest.mark.parametrize("name", NS_COEFFICIENTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steps", [0, 1, 3, 5])
def test_newton_schulz_is_the_written_out_iteration_and_the_polynomial_on_singular_values(name, shape, steps):
    g, coefficients = gaussian(*shape), NS_COEFFICIENTS[name]
    steps = min(steps, 3 if "3 steps" in name else 5)  # beyond the steps they are fitted to they may run away
    found = newton_schulz(g, steps, coefficients)
    np.testing.assert_allclose(found, jordan(g, steps, *coefficients), rtol=1e-9, atol=1e-11)
    u, s, vh = np.linalg.svd(g / np.linalg.norm(g), full_matrices=False)
    np.testing.assert_allclose(found, (u * ns_polynomial(s, steps, coefficients)) @ vh, rtol=1e-9, atol=1e-11)


def test_taylor_steps_converge_to_the_sign_and_those_of_muon_do_not():
    g = gaussian(6, 4)
    np.testing.assert_allclose(newton_schulz(g, 30, NS_COEFFICIENTS["taylor"]), msign(g), atol=1e-12)
    far = [np.linalg.norm(newton_schulz(g, steps) - msign(g), 2) for steps in range(5, 60)]
    assert min(far) > 0.03


def test_taylors_coefficients_are_those_of_the_inverse_root_at_one():
    e = sympy.symbols("e")
    a, b, c = map(sympy.Rational, NS_COEFFICIENTS["taylor"])
    series = sympy.series((1 + e) ** sympy.Rational(-1, 2), e, 0, 3).removeO()
    assert sympy.expand(series - (a + b * (1 + e) + c * (1 + e) ** 2)) == 0


def test_coefficients_may_change_from_step_to_step():
    g, table = gaussian(3, 5), [(4.0, -8.0, 5.0), (2.0, -1.5, 0.5)]
    two = newton_schulz(g, 2, table)
    once = jordan(g, 1, *table[0])
    square = once @ once.T
    np.testing.assert_allclose(two, 2 * once - 1.5 * square @ once + 0.5 * square @ square @ once, atol=1e-12)
    x = np.linspace(-1, 1, 9)
    np.testing.assert_allclose(
        ns_polynomial(x, 2, table), ns_polynomial(ns_polynomial(x, 1, table[0]), 1, table[1]), rtol=1e-13
    )


def test_length_zeros_and_batches():
    g = gaussian(2, 3, 4, 2)
    kept = g.copy()
    loop = [[newton_schulz(a) for a in row] for row in g]
    np.testing.assert_allclose(newton_schulz(g), loop, atol=1e-14)
    np.testing.assert_allclose(msign(g), [[msign(a) for a in row] for row in g], atol=1e-14)
    np.testing.assert_array_equal(g, kept)
    for scale in (1e-250, 1e200):
        np.testing.assert_allclose(newton_schulz(scale * g), newton_schulz(g), atol=1e-12)
    assert (newton_schulz(np.zeros((3, 2))) == 0).all()


def test_the_four_cycle_of_muons_polynomial_attracts():
    x = ns_polynomial(np.random.default_rng(0).uniform(1e-4, 1.2, 20000), 400)
    cycle = np.array([0.68192, 0.75292, 1.04691, 1.13427])
    assert np.abs(x[:, None] - cycle).min(axis=1).max() < 1e-5
    fixed = [r.real for r in np.roots([2.0315, 0, -4.7750, 0, 2.4445]) if r.real > 0]
    np.testing.assert_allclose(sorted(fixed), [0.86803, 1.26373], atol=1e-5)


# the quadrature


@pytest.mark.parametrize(("n", "m"), [(300, 300), (600, 300), (300, 1200)])
def test_the_quadrature_is_what_gaussian_matrices_give(n, m):
    s = np.linalg.svd(gaussian(n, m, seed=3), compute_uv=False)
    x = ns_polynomial(s / np.linalg.norm(s))
    found = ns_accuracy(n, m)
    assert found.mse == pytest.approx(((x - 1) ** 2).mean(), abs=2e-3)
    assert found.rms == pytest.approx(np.sqrt((x**2).mean()), abs=5e-3)


def test_the_law_has_mass_one_and_mean_one():
    for y in (1.0, 0.5, 0.01):
        low, high = (1 - y**0.5) ** 2, (1 + y**0.5) ** 2
        n, m = round(1000 / y), 1000

        def law(t, low=low, high=high, y=y):
            return np.sqrt((high - t) * (t - low)) / (2 * np.pi * y * t)

        def error(t, law=law, m=m):
            return law(t) * (ns_polynomial(np.sqrt(t / m), 2) - 1) ** 2

        assert ns_accuracy(n, m, 0).rms == pytest.approx(1 / np.sqrt(m), rel=1e-6)
        expected = quad(error, low, high, limit=400)[0]
        assert ns_accuracy(n, m, 2).mse == pytest.approx(expected, rel=1e-5)


PRINTED = {  # kexue.fm/archives/10592: with Muon's coefficients, with fitted ones
    "1024x1024, 3 steps": (0.18278, 0.10257),
    "1024x1024, 5 steps": (0.04431, 0.02733),
    "2048x1024, 3 steps": (0.06171, 0.01628),
    "2048x1024, 5 steps": (0.02954, 0.00038),
    "4096x1024, 3 steps": (0.02574, 0.00371),
    "4096x1024, 5 steps": (0.02563, 0.00008),
    "2048x2048, 3 steps": (0.24410, 0.10739),
    "2048x2048, 5 steps": (0.04991, 0.03516),
    "4096x4096, 3 steps": (0.33404, 0.11303),
    "4096x4096, 5 steps": (0.06372, 0.04700),
    "8192x8192, 3 steps": (0.44843, 0.11944),
    "8192x8192, 5 steps": (0.07606, 0.05869),
}


@pytest.mark.parametrize("name", PRINTED)
def test_the_printed_errors_of_all_coefficients(name):
    n, m, steps = map(int, name.replace("x", " ").replace(",", "").replace("steps", "").split())
    found = ns_accuracy(n, m, steps).mse, ns_accuracy(m, n, steps, NS_COEFFICIENTS[name]).mse
    np.testing.assert_allclose(found, PRINTED[name], rtol=0, atol=3e-4)


# bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: msign([1.0, 2.0]), ValueError, r"a must have at least 2 axes, got shape \(2,\)"),
        (lambda: msign([[np.nan]]), ValueError, "a must not contain NaN, got 1"),
        (lambda: msign(np.eye(2), rtol=1.0), ValueError, r"rtol must lie in \[0, 1\), got 1.0"),
        (lambda: msign(np.zeros((2, 0))), ValueError, "a must not be empty"),
        (lambda: newton_schulz(np.eye(2), -1), ValueError, "steps must be at least 0, got -1"),
        (lambda: newton_schulz(np.eye(2), 2.5), TypeError, "steps must be an integer, got 2.5"),
        (lambda: newton_schulz(np.eye(2), 2, "newton"), TypeError, "coefficients must be an array of real"),
        (
            lambda: newton_schulz(np.eye(2), 2, [1.0, 2.0]),
            ValueError,
            r"coefficients must have shape \(3,\) or \(2, 3\), got shape \(2,\)",
        ),
        (
            lambda: newton_schulz(np.eye(2), 90, [9.0, 9.0, 9.0]),
            ValueError,
            "coefficients and steps must keep the result finite, got",
        ),
        (lambda: ns_polynomial(2.0, 30), ValueError, "x, coefficients and steps must keep the result finite, got"),
        (lambda: ns_accuracy(0, 3), ValueError, "n must be at least 1, got 0"),
        (
            lambda: ns_accuracy(3, 3, 90, [9.0, 9.0, 9.0]),
            ValueError,
            "coefficients and steps must keep the result finite, got",
        ),
    ],
)
def test_bad_input_is_named_with_its_rule_and_its_value(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()

import numpy as np
import pytest
from oracles import oracles

from kexue_core.matrices.singular import (
    clip_singular_values,
    power_iteration,
    schatten_gradient,
    schatten_norm,
    spectral_derivative,
)

(mpmath,) = oracles("mpmath")
ORDERS = (1, 1.5, 2, 3, 10, np.inf)
SHAPES = [(1, 1), (3, 3), (2, 5), (5, 2), (1, 4)]


def gaussian(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def with_values(values, m, n, seed=0):
    """Return a matrix of the given singular values with random singular vectors."""
    rng = np.random.default_rng(seed)
    u, v = (np.linalg.qr(rng.normal(size=(size, len(values))))[0] for size in (m, n))
    return (u * np.asarray(values)) @ v.T


# norms


@pytest.mark.parametrize("shape", SHAPES)
def test_the_norms_of_numpy_and_of_the_eigenvalues(shape):
    a = gaussian(*shape)
    for p, name in ((1, "nuc"), (2, "fro"), (np.inf, 2)):
        assert schatten_norm(a, p) == pytest.approx(np.linalg.norm(a, name), rel=1e-13)
    squares = np.linalg.eigvalsh(a @ a.T if shape[0] < shape[1] else a.T @ a)
    for p in (1.5, 3, 10):
        assert schatten_norm(a, p) == pytest.approx((squares ** (p / 2)).sum() ** (1 / p), rel=1e-12)


def test_the_norm_falls_with_its_order_and_ends_at_the_largest_value():
    a = gaussian(50, 4, 6)
    norms = [schatten_norm(a, p) for p in (*ORDERS[:-1], 1e6, np.inf)]
    assert (np.diff(norms, axis=0) <= 0).all()
    np.testing.assert_allclose(norms[-2], norms[-1], rtol=1e-5)


def test_a_norm_is_homogeneous_up_to_the_largest_doubles_and_zero_at_zero():
    a = gaussian(4, 3)
    for p in ORDERS:
        for scale in (1e-200, 1e200):
            assert schatten_norm(scale * a, p) == pytest.approx(scale * schatten_norm(a, p), rel=1e-13)
        assert schatten_norm(0 * a, p) == 0
    with pytest.raises(ValueError, match=r"^a must keep the result finite, got inf"):
        schatten_norm(np.full((9, 9), 1e308), 2)


# gradients


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("p", ORDERS)
def test_the_gradient_is_the_slope_of_the_norm(shape, p):
    a, g, h = gaussian(*shape), schatten_gradient(gaussian(*shape), p), 1e-6
    for d in gaussian(5, *shape, seed=1):
        slope = (schatten_norm(a + h * d, p) - schatten_norm(a - h * d, p)) / (2 * h)
        assert (g * d).sum() == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("p", ORDERS)
def test_gradient_and_matrix_attain_hoelders_inequality(p):
    dual = {1: np.inf, np.inf: 1}.get(p) or p / (p - 1)
    for a in (gaussian(4, 6), with_values([2, 2, 2, 1], 5, 4), with_values([3, 1], 4, 4)):
        g = schatten_gradient(a, p)
        assert (g * a).sum() == pytest.approx(schatten_norm(a, p), rel=1e-12)
        assert schatten_norm(g, dual) == pytest.approx(1, rel=1e-12)
        for b in gaussian(20, *a.shape, seed=2):  # the inequality of a subgradient
            assert schatten_norm(b, p) >= schatten_norm(a, p) + (g * (b - a)).sum() - 1e-12


@pytest.mark.parametrize("p", [1 + 1e-10, 2, 3, 1e4, 1e10, 1e17, 1e300])
def test_gradients_keep_their_digits_up_to_the_largest_orders(p):
    a = np.diag([3, 3 * (1 - 1e-11), 1])
    with mpmath.workdps(400):
        values, order = [mpmath.mpf(s) for s in a.diagonal()], mpmath.mpf(p)
        norm = sum(s**order for s in values) ** (1 / order)
        expected = [float((s / norm) ** (order - 1)) for s in values]
    np.testing.assert_allclose(schatten_gradient(a, p).diagonal(), expected, rtol=2e-5 if p == 1e10 else 1e-11)
    np.testing.assert_allclose(schatten_gradient(np.eye(2), p).diagonal(), 0.5 ** (1 - 1 / p), rtol=1e-14)


def test_of_a_tie_the_subgradient_is_the_shortest():
    a = with_values([2, 2, 1], 4, 3)
    g = schatten_gradient(a, np.inf)
    assert np.linalg.norm(g) ** 2 == pytest.approx(1 / 2)
    u, _, vt = np.linalg.svd(a, full_matrices=False)
    for seed in range(50):  # the others are u1 Z v1' with Z positive and of trace 1
        root = gaussian(2, 2, seed=seed)
        z = root @ root.T / (root**2).sum()
        assert np.linalg.norm(u[:, :2] @ z @ vt[:2]) >= np.linalg.norm(g) - 1e-12


def test_the_tolerance_decides_what_ties_and_what_is_zero():
    a = np.diag([1, 1 - 1e-6, 1e-6])
    assert np.linalg.matrix_rank(schatten_gradient(a, np.inf)) == 1
    assert np.linalg.matrix_rank(schatten_gradient(a, np.inf, rtol=1e-5)) == 2
    np.testing.assert_allclose(schatten_gradient(a, 1), np.eye(3))
    np.testing.assert_allclose(schatten_gradient(a, 1, rtol=1e-5), np.diag([1, 1, 0]))


@pytest.mark.parametrize("p", ORDERS)
def test_at_zero_the_shortest_subgradient_is_zero_and_no_scale_changes_it(p):
    assert (schatten_gradient(np.zeros((2, 3)), p) == 0).all()
    a = gaussian(3, 3)
    for scale in (1e-200, 1e200):
        np.testing.assert_allclose(schatten_gradient(scale * a, p), schatten_gradient(a, p), atol=1e-13)


# the slope at a tie


def test_without_a_tie_the_slope_is_the_inner_product_with_the_gradient():
    a, d = gaussian(30, 4, 3), gaussian(30, 4, 3, seed=1)
    expected = (schatten_gradient(a, np.inf) * d).sum(axis=(-2, -1))
    np.testing.assert_allclose(spectral_derivative(a, d), expected, rtol=1e-12)


@pytest.mark.parametrize("values", [(2, 2, 1), (2, 2, 2), (3, 1, 1), (0, 0, 0)])
def test_the_slope_is_that_of_one_sided_differences(values):
    a, h = with_values(values, 4, 3), 1e-7
    for d in gaussian(20, 4, 3, seed=3):
        slope = (schatten_norm(a + h * d, np.inf) - schatten_norm(a, np.inf)) / h
        assert spectral_derivative(a, d) == pytest.approx(slope, abs=2e-6)
        assert spectral_derivative(a, -d) >= -spectral_derivative(a, d) - 1e-12  # convex


def test_the_slope_is_the_largest_product_with_a_subgradient_and_may_be_negative():
    a = np.diag([2.0, 2.0, 1.0])
    for seed, d in enumerate(gaussian(10, 3, 3, seed=4)):
        slope = spectral_derivative(a, d)
        angles = np.linspace(0, np.pi, 2001)
        x = np.array([np.cos(angles), np.sin(angles)])
        assert slope == pytest.approx(np.einsum("it,ij,jt->t", x, d[:2, :2], x).max(), abs=1e-5), seed
    assert spectral_derivative(a, -np.eye(3)) == pytest.approx(-1)
    assert spectral_derivative(a, np.diag([-1.0, -3.0, 50.0])) == pytest.approx(-1)


# power iteration


def test_power_iteration_is_the_formula_of_the_proof():
    values, c = np.array([1.0, 0.8, 0.3]), np.array([0.2, 0.7, 0.4])
    for t in (0, 1, 3, 8):
        top = power_iteration(np.diag(values), c, t)
        expected = c * values ** (2 * t)
        expected /= np.linalg.norm(expected)
        np.testing.assert_allclose(top.v, expected, rtol=1e-13)
        assert top.sigma == pytest.approx(np.linalg.norm(values * expected), rel=1e-13)


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (1, 5), (5, 1)])
def test_it_converges_to_the_top_triple(shape):
    a = gaussian(*shape)
    u, s, vt = np.linalg.svd(a)
    top = power_iteration(a, np.ones(shape[1]), 400)
    assert top.sigma == pytest.approx(s[0], rel=1e-12)
    np.testing.assert_allclose(np.outer(top.u, top.v), np.outer(u[:, 0], vt[0]), atol=1e-7)
    np.testing.assert_allclose(a @ top.v, top.sigma * top.u, atol=1e-14)


def test_the_value_never_falls_and_stays_below_the_norm_and_the_default_start_has_a_floor():
    a = gaussian(40, 8, 6)
    values = [power_iteration(a, None, t).sigma for t in range(12)]
    assert (np.diff(values, axis=0) >= -1e-14).all()
    assert (values[-1] <= np.linalg.norm(a, 2, axis=(1, 2)) * (1 + 1e-14)).all()
    np.testing.assert_allclose(values[0], np.linalg.norm(a, axis=1).max(axis=-1), rtol=1e-14)


def test_a_batch_is_a_loop_and_no_scale_overflows():
    a, start = gaussian(3, 2, 5, 4), gaussian(2, 4, seed=1)
    top = power_iteration(a, start, 3)
    for i, j in np.ndindex(3, 2):
        for found, expected in zip(top, power_iteration(a[i, j], start[j], 3)):
            np.testing.assert_allclose(found[i, j], expected, rtol=1e-12)
    for scale in (1e-200, 1e200):
        np.testing.assert_allclose(power_iteration(scale * a, start, 3).sigma / scale, top.sigma, rtol=1e-12)
        np.testing.assert_allclose(power_iteration(a, scale * start, 3).v, top.v, rtol=1e-12)


def test_zero_has_no_direction_and_a_start_without_image_is_refused():
    top = power_iteration(np.zeros((2, 3)), [1.0, 2.0, 2.0])
    assert top.sigma == 0
    assert (top.u == 0).all()
    np.testing.assert_allclose(top.v, [1 / 3, 2 / 3, 2 / 3])
    with pytest.raises(ValueError, match=r"^start must not be mapped to zero by a matrix .*, got "):
        power_iteration([[1.0, -1.0], [2.0, -2.0]], np.ones(2))
    assert power_iteration([[1.0, -1.0], [2.0, -2.0]]).sigma == pytest.approx(np.sqrt(10))


# clipping


def test_clipping_is_the_projection_onto_the_ball():
    a = gaussian(4, 3)
    clipped = clip_singular_values(a, 1.5)
    assert np.linalg.norm(clipped, 2) == pytest.approx(1.5)
    for b in gaussian(300, 4, 3, seed=5):
        b *= 1.5 / np.linalg.norm(b, 2)
        assert ((a - clipped) * (b - clipped)).sum() <= 1e-12  # the inequality of a projection onto a convex set


def test_what_lies_in_the_ball_stays_to_the_last_bit_and_a_batch_is_a_loop():
    a = gaussian(6, 3, 5) * np.arange(1, 7)[:, None, None]
    clipped = clip_singular_values(a, 4.0)
    for found, given in zip(clipped, a):
        np.testing.assert_allclose(found, clip_singular_values(given, 4.0), atol=1e-13)
    inside = np.linalg.norm(a, 2, axis=(1, 2)) < 4
    assert 0 < inside.sum() < 6
    np.testing.assert_array_equal(clipped[inside], a[inside])
    assert (clip_singular_values(a, 0.0) == 0).all()
    np.testing.assert_allclose(clip_singular_values(1e200 * a, 4e200) / 1e200, clipped, atol=1e-12)


# bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: schatten_norm([1.0, 2.0], 2), ValueError, r"a must have at least 2 axes, got shape \(2,\)"),
        (lambda: schatten_norm(np.eye(2), 0.5), ValueError, "p must be at least 1, got 0.5"),
        (lambda: schatten_norm(np.eye(2) * 1j, 2), TypeError, "a must be an array of real numbers, got"),
        (lambda: schatten_gradient(np.eye(2), np.nan), ValueError, "p must be a number, got nan"),
        (lambda: schatten_gradient(np.eye(2), 2, rtol=1.0), ValueError, r"rtol must lie in \[0, 1\), got 1.0"),
        (lambda: schatten_gradient(np.zeros((2, 0)), 2), ValueError, r"a must not be empty, got shape \(2, 0\)"),
        (lambda: spectral_derivative(np.eye(2), np.ones((2, 3))), ValueError, r"direction must have the last axes"),
        (
            lambda: spectral_derivative(np.ones((2, 3, 3)), np.ones((4, 3, 3))),
            ValueError,
            "a and direction must broadcast in their leading axes, got",
        ),
        (lambda: power_iteration(np.eye(2), [0.0, 0.0]), ValueError, "start must not be zero, got"),
        (lambda: power_iteration(np.eye(2), [1.0]), ValueError, "start must have a last axis of length 2, got shape"),
        (lambda: power_iteration(np.eye(2), iterations=-1), ValueError, "iterations must be at least 0, got -1"),
        (lambda: power_iteration(np.eye(2), iterations=2.0), TypeError, "iterations must be an integer, got 2.0"),
        (lambda: clip_singular_values(np.eye(2), -1), ValueError, "tau must not be negative, got -1"),
        (lambda: clip_singular_values([[np.inf]], 1), ValueError, "a must be finite, got inf"),
    ],
)
def test_bad_input_is_named_with_its_rule_and_its_value(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()

import numpy as np
import pytest
from oracles import oracles

from kexue_core.positions.bias import (
    attention_by_band,
    bias_kernel,
    bias_pair,
    fit_bias_kernel,
    invisible_bias,
    kernel_spectrum,
    logit_terms,
)
from kexue_core.positions.rope import rope_coherence, rope_frequencies, rotate

mpmath, softmax, minimize = oracles("mpmath", "scipy.special.softmax", "scipy.optimize.minimize")

THETA = rope_frequencies(128)


def waves(length, theta):
    """Return the design matrix by columns: cosines on the even places, sines on the odd ones."""
    rows = np.empty((length, 2 * len(theta)))
    for i, t in enumerate(theta):
        rows[:, 2 * i], rows[:, 2 * i + 1] = np.cos(np.arange(length) * t), np.sin(np.arange(length) * t)
    return rows


# the kernel


def test_the_kernel_is_what_explicit_rotation_matrices_give():
    rng = np.random.default_rng(0)
    a, b, theta = rng.normal(size=6), rng.normal(size=6), rope_frequencies(6, 50.0)
    for m in (0, 1, 7, 2.5):
        turn = np.zeros((6, 6))
        for i, t in enumerate(m * theta):
            turn[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]
        np.testing.assert_allclose(bias_kernel(m, a, b, theta), (turn @ a) @ b, atol=1e-13)


def test_a_kernel_is_the_logit_of_the_biases_at_their_positions():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 128))
    query = rotate(a, 1000, THETA)
    keys = rotate(b, np.arange(1001), THETA)
    np.testing.assert_allclose(bias_kernel(1000 - np.arange(1001), a, b, THETA), keys @ query, atol=1e-11)


def test_equal_biases_on_the_even_places_give_the_coherence():
    a = np.tile([np.sqrt(3.0), 0.0], 64)
    m = np.arange(0, 20000, 37)
    np.testing.assert_allclose(bias_kernel(m, a, a, THETA), 3 * rope_coherence(m, THETA), atol=1e-11)


def test_the_kernel_equals_forty_digits_at_a_million():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 8))
    theta = rope_frequencies(8)
    with mpmath.workdps(40):
        exact = sum(
            (a0 + 1j * a1) * (b0 - 1j * b1) * mpmath.expjpi(mpmath.mpf(10**6) * mpmath.mpf(t) / mpmath.pi)
            for a0, a1, b0, b1, t in zip(a[::2], a[1::2], b[::2], b[1::2], theta)
        ).real
    assert abs(bias_kernel(1e6, a, b, theta) - float(exact)) < 1e-9


def test_the_kernel_is_bounded_by_the_lengths_and_starts_at_the_inner_product():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 128))
    g = bias_kernel(np.arange(10000), a, b, THETA)
    assert g[0] == pytest.approx(a @ b)
    assert np.abs(g).max() <= np.linalg.norm(a) * np.linalg.norm(b)


def test_swapping_the_biases_mirrors_the_distance():
    rng = np.random.default_rng(4)
    a, b, m = rng.normal(size=128), rng.normal(size=128), np.arange(50)
    np.testing.assert_allclose(bias_kernel(m, b, a, THETA), bias_kernel(-m, a, b, THETA), atol=1e-12)


def test_a_batch_of_kernels_equals_the_loop_and_leaves_its_inputs_alone():
    rng = np.random.default_rng(5)
    a, b, m = rng.normal(size=(3, 1, 6)), rng.normal(size=(4, 6)), rng.normal(size=(2, 5))
    before = a.copy(), b.copy(), m.copy()
    found = bias_kernel(m, a, b, [1.0, 0.1, 0.01])
    assert found.shape == (3, 4, 2, 5)
    for i in range(3):
        for j in range(4):
            one = bias_kernel(m, a[i, 0], b[j], [1.0, 0.1, 0.01])
            np.testing.assert_allclose(found[i, j], one, atol=1e-14)
    for old, new in zip(before, (a, b, m)):
        np.testing.assert_array_equal(new, old)


# pairs of biases


def test_a_pair_has_the_kernel_of_its_coefficients():
    rng = np.random.default_rng(6)
    c = rng.normal(size=(3, 128))
    c[:, 10:12] = 0
    a, b = bias_pair(c)
    np.testing.assert_allclose(bias_kernel(np.arange(300), a, b, THETA), c @ waves(300, THETA).T, atol=1e-11)


def test_no_pair_with_the_same_kernel_is_shorter():
    rng = np.random.default_rng(7)
    c = rng.normal(size=8)
    a, b = bias_pair(c)
    best = a @ a + b @ b
    assert best == pytest.approx(2 * np.hypot(c[::2], c[1::2]).sum())
    z = c[::2] + 1j * c[1::2]

    def size(x):
        """Take any query bias alpha; the key bias that gives the kernel is beta = alpha z / |alpha|^2."""
        alpha = x[:4] + 1j * x[4:]
        return (abs(alpha) ** 2 + abs(z / alpha) ** 2).sum()

    for start in range(5):
        found = minimize(size, np.random.default_rng(start).normal(size=8)).fun
        assert found > best - 1e-9
        assert found < best + 1e-3


def test_equal_cosines_give_equal_biases():
    a, b = bias_pair(np.tile([4.0, 0.0], 3))
    np.testing.assert_array_equal(a, np.tile([2.0, 0.0], 3))
    np.testing.assert_array_equal(b, a)


# the four terms


def test_the_four_terms_add_up_to_the_logits_of_full_attention():
    rng = np.random.default_rng(8)
    n, d = 40, 16
    theta, (a, b) = rope_frequencies(d), rng.normal(size=(2, d))
    q, k = rng.normal(size=d), rng.normal(size=(n, d))
    full = rotate(k + b, np.arange(n), theta) @ rotate(q + a, n - 1, theta)
    terms = logit_terms(n - 1 - np.arange(n), q, k, a, b, theta)
    np.testing.assert_allclose(terms.sum(axis=0), full, atol=1e-12)
    np.testing.assert_allclose(terms[3], bias_kernel(n - 1 - np.arange(n), a, b, theta), atol=1e-12)
    np.testing.assert_allclose(terms[1], rotate(k, np.arange(n), theta) @ rotate(a, n - 1, theta), atol=1e-12)
    np.testing.assert_allclose(terms[2], rotate(b, np.arange(n), theta) @ rotate(q, n - 1, theta), atol=1e-12)


def test_a_batch_of_terms_equals_the_loop():
    rng = np.random.default_rng(9)
    m, theta = np.arange(5), rope_frequencies(4)
    q, k, a, b = rng.normal(size=(3, 1, 4)), rng.normal(size=(2, 5, 4)), rng.normal(size=4), rng.normal(size=(2, 4))
    found = logit_terms(m, q, k, a, b, theta)
    assert found.shape == (3, 2, 4, 5)
    for i in range(3):
        for j in range(2):
            one = logit_terms(m, q[i, 0], k[j], a, b[j], theta)
            np.testing.assert_allclose(found[i, j], one, atol=1e-14)


# the fit


@pytest.mark.parametrize("ridge", [1e-8, 1e-4, 1.0])
def test_the_fit_solves_the_stacked_least_squares_problem(ridge):
    target = -np.arange(512) / 20
    rows = np.vstack([waves(512, THETA), np.sqrt(ridge) * np.eye(128)])
    expected = np.linalg.lstsq(rows, np.r_[target, np.zeros(128)], rcond=None)[0]
    np.testing.assert_allclose(fit_bias_kernel(target, THETA, ridge), expected, atol=3e-4)


def test_a_kernel_is_fitted_by_itself():
    rng = np.random.default_rng(10)
    theta, c = rope_frequencies(8, 20.0), rng.normal(size=8)
    target = bias_kernel(np.arange(200), *bias_pair(c), theta)
    np.testing.assert_allclose(fit_bias_kernel(target, theta, 1e-12), c, atol=1e-9)


def test_a_batch_of_fits_equals_the_loop_and_large_ridges_shrink():
    rng = np.random.default_rng(11)
    target = rng.normal(size=(2, 3, 30))
    found = fit_bias_kernel(target, THETA, 0.1)
    assert found.shape == (2, 3, 128)
    np.testing.assert_allclose(found[1, 2], fit_bias_kernel(target[1, 2], THETA, 0.1), atol=1e-12)
    bound = np.linalg.norm(target, axis=-1) / (2 * np.sqrt(0.1))
    assert (np.linalg.norm(found, axis=-1) <= bound).all()
    assert np.abs(fit_bias_kernel(target, THETA, 1e9)).max() < 1e-6


# what a trained length sees


def test_the_spectrum_is_the_root_of_the_eigenvalues_of_the_covariance():
    for length in (1, 5, 700):
        s = kernel_spectrum(length, THETA)
        values = np.linalg.eigvalsh(np.cov(waves(length, THETA).T, ddof=0) if length > 1 else np.zeros((128, 128)))
        assert s.shape == (128,)
        assert (np.diff(s) <= 0).all()
        np.testing.assert_allclose(s**2, np.clip(values[::-1], 0, None), atol=1e-13)


def test_a_random_kernel_has_the_mean_square_that_the_spectrum_says():
    rng = np.random.default_rng(12)
    g = rng.normal(size=(4000, 128)) @ waves(256, THETA).T
    mean = (g.std(axis=1) ** 2).mean()
    assert mean == pytest.approx((kernel_spectrum(256, THETA) ** 2).sum(), rel=0.02)


def test_the_invisible_bias_is_flat_before_and_rises_behind():
    c = invisible_bias(512, 4096, THETA)
    g = waves(8192, THETA) @ c
    g -= g[:512].mean()
    assert np.linalg.norm(c) == pytest.approx(1)
    assert np.abs(g[:512]).max() < 1e-3
    assert g[4096] == pytest.approx(5.3245, abs=1e-3)


def test_no_direction_of_the_same_cost_lifts_more():
    rng = np.random.default_rng(13)
    c, rows = invisible_bias(100, 400, THETA, tolerance=0.01), waves(400, THETA)
    gain = rows[100:].mean(axis=0) - rows[:100].mean(axis=0)

    def lift(x):
        return x @ gain / np.sqrt(((rows[:100] @ x).std() / 0.01) ** 2 + x @ x)

    best = lift(c)
    others = np.vstack([rng.normal(size=(200, 128)), c + 0.05 * rng.normal(size=(200, 128))])
    assert max(lift(x) for x in others) < best
    assert max(lift(x) for x in c + 1e-4 * np.eye(128)) <= best * (1 + 1e-12)


def test_what_a_length_of_one_sees_is_nothing():
    rows = waves(50, THETA)
    expected = rows[1:].mean(axis=0) - rows[0]
    np.testing.assert_allclose(invisible_bias(1, 50, THETA), expected / np.linalg.norm(expected), atol=1e-14)


# attention


def test_bands_hold_the_sums_of_softmax():
    rng = np.random.default_rng(14)
    logits, edges = rng.normal(size=(2, 3, 20)) * 5, [2, 5, 6, 19]
    p = softmax(logits, axis=-1)
    expected = np.stack([p[..., i:j].sum(axis=-1) for i, j in ((2, 5), (5, 6), (6, 19))], axis=-1)
    np.testing.assert_allclose(attention_by_band(logits, edges), expected, rtol=1e-13)


def test_bands_from_end_to_end_sum_to_one_even_for_huge_logits():
    found = attention_by_band([1e300, -1e300, 0.0, 1e300], [0, 1, 2, 4])
    np.testing.assert_array_equal(found, [0.5, 0.0, 0.5])


@pytest.mark.parametrize("edges", [[0], [0, 0, 3], [0, 3, 2]])
def test_edges_that_do_not_increase_are_refused(edges):
    with pytest.raises(ValueError, match=r"^edges must increase and hold at least two, got "):
        attention_by_band(np.zeros(3), edges)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bias_kernel(0, np.ones(3), np.ones(4), [1.0, 1.0]), "^a must have a last axis of length 4, got"),
        (lambda: bias_kernel(0, np.ones((2, 2)), np.ones((3, 2)), [1.0]), "^a and b must broadcast in their leading"),
        (lambda: bias_kernel(1e300, [1, 0], [1, 0], [1e300]), "^m and theta must keep the result finite, got inf"),
        (lambda: bias_kernel(0, [1e200, 0], [1e200, 0], [1.0]), "^a and b must keep the result finite, got "),
        (lambda: bias_pair(np.ones(3)), r"^c must have a last axis of even length, got shape \(3,\)"),
        (lambda: logit_terms([0, 1], [1, 0], [[1, 0]], [1, 0], [1, 0], [1.0]), "^k must have one row for each of the"),
        (lambda: fit_bias_kernel([], [1.0], 1.0), "^target must not be empty, got"),
        (lambda: fit_bias_kernel([1.0], [1.0], 0.0), "^ridge must be positive, got 0"),
        (lambda: kernel_spectrum(0, [1.0]), "^length must be at least 1, got 0"),
        (lambda: invisible_bias(8, 8, [1.0]), "^test_length must be at least 9, got 8"),
        (lambda: invisible_bias(8, 9, [0.0]), "^theta must hold a frequency that is not zero, got"),
        (lambda: invisible_bias(8, 9, [1.0], tolerance=0), "^tolerance must be positive, got 0"),
        (lambda: attention_by_band([np.nan], [0, 1]), "^logits must not contain NaN, got 1"),
        (lambda: attention_by_band([0.0, 1.0], [0, 3]), r"^edges must lie in \[0, 2\], got 3"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()

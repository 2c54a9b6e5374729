import itertools

import numpy as np
import pytest
from oracles import oracles

from kexue_core.matrices import (
    cauchy_error,
    cur_approximation,
    cur_bound,
    cur_factors,
    deim_indices,
    interpolation_weights,
    select_columns,
)

interpolative, mpmath = oracles("scipy.linalg.interpolative", "mpmath")
DEPENDENT = np.array([[1.0, 1, 0], [1, 1, 1], [2, 2, 5]])  # no pivot of its QR factors is exactly 0


def hilbert(n):
    return 1 / (np.arange(n)[:, None] + np.arange(n) + 1)


def cauchy():
    return 1 / (np.linspace(1, 2, 60)[:, None] + np.linspace(0, 5, 50))


def kernel():
    return np.exp(-3 * abs(np.linspace(0, 1, 60)[:, None] - np.linspace(0, 1, 50)))


def chosen(a, r, rule="deim"):
    return select_columns(a.T, r, rule), select_columns(a, r, rule)


def best(a, r):
    return np.linalg.norm(np.linalg.svd(a, compute_uv=False)[r:])


def ratio(a, r, rule, middle="optimal"):
    rows, cols = chosen(a, r, rule)
    return np.linalg.norm(a - cur_approximation(a, rows, cols, middle)) / best(a, r)


def random_choice(seed, shape=(7, 6), r=3):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=shape)
    return a, rng.choice(shape[0], r, replace=False), rng.choice(shape[1], r, replace=False)


# the middles


def test_the_optimal_middle_is_that_of_the_pseudo_inverses_and_of_least_squares():
    for seed in range(10):
        a, rows, cols = random_choice(seed)
        c, u, r = cur_factors(a, rows, cols)
        np.testing.assert_allclose(u, np.linalg.pinv(c) @ a @ np.linalg.pinv(r), atol=1e-9 * abs(u).max())
        flat = np.linalg.lstsq(np.kron(c, r.T), a.ravel(), rcond=None)[0].reshape(3, 3)
        np.testing.assert_allclose(u, flat, atol=1e-9 * abs(u).max())
        np.testing.assert_allclose(c @ u @ r, cur_approximation(a, rows, cols), atol=1e-9 * abs(u).max())
        gradient = c.T @ (c @ u @ r - a) @ r.T
        assert abs(gradient).max() < 1e-9 * abs(u).max()


def test_the_intersection_keeps_rows_and_columns_and_leaves_a_schur_complement():
    for seed in range(10):
        a, rows, cols = random_choice(seed)
        found = cur_approximation(a, rows, cols, "intersection")
        c, u, r = cur_factors(a, rows, cols, "intersection")
        np.testing.assert_allclose(c @ u @ r, found, atol=1e-9 * abs(u).max())
        np.testing.assert_array_equal(found[rows], a[rows])
        np.testing.assert_array_equal(found[:, cols], a[:, cols])
        inner = np.linalg.det(a[np.ix_(rows, cols)])
        for i, j in itertools.product(set(range(7)) - set(rows), set(range(6)) - set(cols)):
            outer = np.linalg.det(a[np.ix_([*rows, i], [*cols, j])])
            assert (a - found)[i, j] == pytest.approx(outer / inner, rel=1e-8, abs=1e-10)


def test_numbers_of_rows_and_columns_may_differ_for_the_optimal_middle():
    a = np.random.default_rng(0).normal(size=(8, 9))
    c, u, r = cur_factors(a, [0, 3], [1, 5, 6, 8])
    assert (c.shape, u.shape, r.shape) == ((8, 4), (4, 2), (2, 9))
    np.testing.assert_allclose(c @ u @ r, cur_approximation(a, [0, 3], [1, 5, 6, 8]), atol=1e-12)


def test_both_middles_are_exact_at_the_rank():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(12, 4)) @ rng.normal(size=(4, 15))
    for rule in ("deim", "volume", "pivoted-qr", "leverage", "norm"):
        for middle in ("optimal", "intersection"):
            np.testing.assert_allclose(cur_approximation(a, *chosen(a, 4, rule), middle), a, atol=1e-9)


# errors


@pytest.mark.parametrize("rule", ["deim", "volume", "pivoted-qr", "leverage", "norm"])
@pytest.mark.parametrize("make", [lambda: hilbert(60), cauchy, kernel])
def test_the_error_lies_between_that_of_the_svd_and_the_bound(rule, make):
    a = make()
    for r in range(1, 11):
        rows, cols = chosen(a, r, rule)
        found = a - cur_approximation(a, rows, cols)
        assert np.linalg.norm(found) >= best(a, r) * (1 - 1e-6)
        certificate = cur_bound(a, rows, cols)
        assert np.linalg.norm(found, 2) <= certificate.bound * (1 + 1e-6)
        assert min(certificate[:2]) >= 1 - 1e-12
        assert certificate.sigma == pytest.approx(np.linalg.svd(a, compute_uv=False)[r])


def test_the_bound_holds_for_any_choice_of_random_matrices():
    for seed in range(100):
        a, rows, cols = random_choice(seed, (9, 8), 4)
        assert np.linalg.norm(a - cur_approximation(a, rows, cols), 2) <= cur_bound(a, rows, cols).bound


def test_ratios_to_the_svd_on_three_matrices():
    found = [ratio(hilbert(60), 5, rule) for rule in ("deim", "pivoted-qr", "leverage", "norm")]
    np.testing.assert_allclose(found, [2.24, 2.60, 39.1, 39.1], rtol=0.01)
    found = [ratio(hilbert(60), 5, rule, "intersection") for rule in ("deim", "pivoted-qr", "leverage")]
    np.testing.assert_allclose(found, [2.97, 3.74, 163], rtol=0.01)
    np.testing.assert_allclose([ratio(cauchy(), 5, rule) for rule in ("deim", "leverage")], [3.72, 83.5], rtol=0.01)
    np.testing.assert_allclose([ratio(kernel(), r, "deim") for r in (2, 5, 10)], [1.70, 1.47, 2.00], rtol=0.01)
    np.testing.assert_allclose([ratio(kernel(), r, "leverage") for r in (2, 5, 10)], [1.38, 7.16, 12.4], rtol=0.01)


def test_maximal_volume_bounds_the_largest_error_by_the_next_singular_value():
    for seed in range(20):
        a = np.random.default_rng(seed).normal(size=(5, 6))
        for r in (1, 2, 3):
            pairs = itertools.product(itertools.combinations(range(5), r), itertools.combinations(range(6), r))
            rows, cols = max(pairs, key=lambda pair: abs(np.linalg.det(a[np.ix_(*pair)])))
            worst = abs(a - cur_approximation(a, rows, cols, "intersection")).max()
            assert worst <= (r + 1) * np.linalg.svd(a, compute_uv=False)[r]


def test_rounding_stays_small_where_a_pseudo_inverse_loses_eight_digits():
    a = hilbert(60)
    exact = best(a, 15)
    # symmetric data: rows and columns chosen from one basis
    picks = deim_indices(np.linalg.svd(a)[0][:, :15])
    for middle in ("optimal", "intersection"):
        assert np.linalg.norm(a - cur_approximation(a, picks, picks, middle)) < 20 * exact
    c, r = a[:, picks], a[picks]
    lost = np.linalg.norm(a - c @ (np.linalg.pinv(c) @ a @ np.linalg.pinv(r)) @ r)
    assert lost > 1e4 * exact


def test_nearly_dependent_columns_are_no_dependent_ones():
    a = np.array([[1.0, 1e250, 0], [1, 1e250 * (1 - 1e-12), 1]])
    np.testing.assert_allclose(interpolation_weights(a, [0, 1])[:, 2], [1e12, -1e-238], rtol=1e-3)
    assert abs(cur_factors(np.array([[1.0, 1], [1, 1 + 1e-12]]), [0, 1], [0, 1]).U).max() > 1e11


# interpolative decomposition


def test_weights_are_those_of_least_squares_and_close_to_scipys_decomposition():
    a = kernel()
    for r in (3, 6, 9):
        cols = select_columns(a, r, "pivoted-qr")
        z = interpolation_weights(a, cols)
        np.testing.assert_allclose(z, np.linalg.lstsq(a[:, cols], a, rcond=None)[0], atol=1e-10)
        np.testing.assert_array_equal(z[:, cols], np.eye(r))
        idx, proj = interpolative.interp_decomp(a, r, rand=False)
        np.testing.assert_array_equal(np.sort(idx[:r]), np.sort(cols))
        peer = interpolative.reconstruct_matrix_from_id(a[:, idx[:r]], idx, proj)
        np.testing.assert_allclose(a[:, cols] @ z, peer, atol=1e-10)


# the closed form


def test_the_closed_form_of_the_cauchy_error_is_the_cross_approximation():
    x, y = np.linspace(1, 2, 30), np.linspace(0.5, 5, 25)
    a = 1 / np.add.outer(x, y)
    for r in (1, 2, 4):
        rows, cols = chosen(a, r)
        expected = a - cur_approximation(a, rows, cols, "intersection")
        np.testing.assert_allclose(cauchy_error(x, y, x[rows], y[cols]), expected, atol=1e-12)
    np.testing.assert_array_equal(cauchy_error(x, y, [], []), a)


def test_the_closed_form_by_exact_arithmetic():
    with mpmath.workdps(40):
        x, y = [mpmath.mpf(k) / 3 for k in (1, 2, 4, 7, 9)], [mpmath.mpf(k) / 5 for k in (1, 3, 6, 8, 11)]
        a = mpmath.matrix(5, 5)
        for i, j in itertools.product(range(5), range(5)):
            a[i, j] = 1 / (x[i] + y[j])
        expected = mpmath.det(a) / mpmath.det(a[:4, :4])
    found = cauchy_error([9 / 3], [11 / 5], [float(v) for v in x[:4]], [float(v) for v in y[:4]])
    assert found[0, 0] == pytest.approx(float(expected), rel=1e-12)


def test_a_cauchy_error_is_in_range_where_its_two_products_are_not():
    far, near = np.full(300, 1e3), np.full(300, 1e-3)
    expected = 0.5 * np.exp(300 * (np.log(999 / 1.001) + np.log(0.999 / 1001)))
    assert cauchy_error([1.0], [1.0], far, near)[0, 0] == pytest.approx(expected, rel=1e-11)
    assert cauchy_error([1.0], [1.0], near, far)[0, 0] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cur_factors(np.eye(3), [0, 0], [1, 2]), ValueError, r"rows must hold different indices, got \[0, 0\]"),
        (lambda: cur_factors(np.eye(3), [0], [3]), ValueError, r"cols must lie in \[0, 2\], got 3"),
        (lambda: cur_factors(np.eye(3), [0], [1], "best"), ValueError, "middle must be one of 'optimal', .*got 'best'"),
        (
            lambda: cur_approximation(np.eye(3), [0], [1, 2], "intersection"),
            ValueError,
            "rows and cols must have the same length, got 1 and 2",
        ),
        (lambda: cur_approximation(np.eye(3), [0], [1], "intersection"), np.linalg.LinAlgError, ""),
        (lambda: cur_factors(DEPENDENT, [0, 2], [0, 1]), np.linalg.LinAlgError, "cols must be independent within"),
        (lambda: cur_factors(DEPENDENT.T, [0, 1], [0, 2]), np.linalg.LinAlgError, "rows must be independent within"),
        (lambda: cur_factors(np.eye(2, 3), [0], [0, 1, 2]), np.linalg.LinAlgError, "cols must not be more than 2, got"),
        (lambda: interpolation_weights(1e200 * DEPENDENT, [0, 1]), np.linalg.LinAlgError, "cols must be independent"),
        (lambda: interpolation_weights(np.diag([1.0, 0]), [0, 1]), np.linalg.LinAlgError, "cols must be independent"),
        (lambda: cur_bound(np.eye(3), [0], [1, 2]), ValueError, "rows and cols must have the same length, got 1 and 2"),
        (lambda: cur_bound(np.diag([3.0, 2, 1]), [1], [0]), ValueError, "rows and cols must keep the result finite"),
        (lambda: interpolation_weights(np.ones((1, 3)), [0, 1]), ValueError, "cols must not be more than the 1 rows"),
        (lambda: cauchy_error([1.0], [1.0], [1.0], []), ValueError, "rows and cols must have the same length, got 1 a"),
        (lambda: cauchy_error([0.0], [1.0], [1.0], [1.0]), ValueError, "x must be positive, got 0.0"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()

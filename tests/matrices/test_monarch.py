import itertools

import numpy as np
import pytest
from oracles import oracles

from kexue_core.matrices.monarch import (
    block_permutation,
    low_rank_error,
    monarch_cost,
    monarch_dense,
    monarch_dim,
    monarch_matvec,
    monarch_project,
    monarch_solve,
)

sympy, dct, block_diag, hadamard, toeplitz = oracles(
    "sympy", "scipy.fft.dct", "scipy.linalg.block_diag", "scipy.linalg.hadamard", "scipy.linalg.toeplitz"
)

SIZES = [(1, 1), (4, 2), (6, 2), (6, 3), (12, 1), (12, 12), (16, 4), (24, 6)]


def random_factors(n, b, seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    shapes = (b, n // b, n // b), (n // b, b, b)
    return [rng.normal(size=s) + (1j * rng.normal(size=s) if dtype is complex else 0) for s in shapes]


def dense_reference(L, R):
    """Multiply four dense matrices: two permutations and two block-diagonal ones."""
    b, p = L.shape[:2]
    eye = np.eye(b * p)
    P = eye[[k * b + j for j in range(b) for k in range(p)]]  # (k, j) -> (j, k)
    return P.T @ block_diag(*L) @ P @ block_diag(*R)


def squared(a):
    return (abs(a) ** 2).sum(axis=(-2, -1))


def relative(a, block=None):
    return monarch_project(a, block).error / squared(a)


def dft(n):
    return np.fft.fft(np.eye(n)) / np.sqrt(n)


def sparse(seed, n, density):
    rng = np.random.default_rng(seed)
    return (rng.random((n, n)) < density) * rng.normal(size=(n, n))


# permutation


@pytest.mark.parametrize(("n", "b"), SIZES)
def test_the_permutation_transposes_blocks_and_its_inverse_swaps_the_sizes(n, b):
    x, P = np.random.default_rng(0).normal(size=n), block_permutation(n, b)
    np.testing.assert_array_equal(x[P], x.reshape(n // b, b).T.flatten())
    np.testing.assert_array_equal(P[block_permutation(n, n // b)], np.arange(n))
    np.testing.assert_array_equal(np.eye(n)[P] @ np.eye(n)[P].T, np.eye(n))


# products


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize(("n", "b"), SIZES)
def test_dense_product_and_solution_equal_permuted_block_diagonal_matrices(n, b, dtype):
    L, R = random_factors(n, b, dtype=dtype)
    x = np.random.default_rng(1).normal(size=n)
    M = dense_reference(L, R)
    np.testing.assert_allclose(monarch_dense(L, R), M, atol=1e-13)
    np.testing.assert_allclose(monarch_matvec(L, R, x), M @ x, atol=1e-12)
    np.testing.assert_allclose(monarch_matvec(L, R, monarch_solve(L, R, x)), x, atol=1e-10)
    np.testing.assert_allclose(monarch_solve(L, R, M @ x), x, atol=1e-9)


@pytest.mark.parametrize(("n", "b"), [(4, 2), (6, 2), (9, 3)])
def test_the_four_index_formula_holds_for_symbols_and_every_slice_has_rank_one(n, b):
    p = n // b
    L = [sympy.Matrix(p, p, lambda i, k, j=j: sympy.Symbol(f"L{j}_{i}_{k}")) for j in range(b)]
    R = [sympy.Matrix(b, b, lambda j, m, k=k: sympy.Symbol(f"R{k}_{j}_{m}")) for k in range(p)]
    P = sympy.zeros(n, n)
    for row, column in enumerate(block_permutation(n, b)):
        P[row, column] = 1
    M = P.T * sympy.diag(*L) * P * sympy.diag(*R)
    for i, j, k, l in itertools.product(range(p), range(b), range(p), range(b)):
        assert M[i * b + j, k * b + l] == L[j][i, k] * R[k][j, l]
    for j, k in itertools.product(range(b), range(p)):
        minor = sympy.Matrix(2, 2, lambda i, l, j=j, k=k: M[i * b + j, k * b + l])
        assert sympy.expand(minor.det()) == 0


def test_batches_of_factors_and_vectors_equal_the_loop_and_inputs_stay_unchanged():
    rng = np.random.default_rng(2)
    L, R, x = rng.normal(size=(3, 2, 4, 4)), rng.normal(size=(3, 4, 2, 2)), rng.normal(size=(5, 3, 8))
    before = [v.copy() for v in (L, R, x)]
    for f in (monarch_matvec, monarch_solve):
        loop = [[f(a, c, v) for a, c, v in zip(L, R, row)] for row in x]
        np.testing.assert_allclose(f(L, R, x), loop, rtol=1e-11)
    np.testing.assert_array_equal(monarch_dense(L, R), [monarch_dense(a, c) for a, c in zip(L, R)])
    assert monarch_matvec(L[0], R[0], x).shape == x.shape
    for old, new in zip(before, (L, R, x)):
        np.testing.assert_array_equal(old, new)


def test_a_singular_block_cannot_be_solved():
    L, R = random_factors(9, 3)
    L[1, 0] = 0
    with pytest.raises(np.linalg.LinAlgError):
        monarch_solve(L, R, np.ones(9))


# projection


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize(("n", "b"), SIZES)
def test_a_monarch_matrix_is_its_own_projection(n, b, dtype):
    M = monarch_dense(*random_factors(n, b, dtype=dtype))
    L, R, error = monarch_project(M, b)
    assert L.shape == (b, n // b, n // b)
    assert R.shape == (n // b, b, b)
    np.testing.assert_allclose(monarch_dense(L, R), M, atol=1e-13)
    assert error < 1e-28 * n * squared(M)


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize(("n", "b"), [(6, 2), (6, 3), (16, 4)])
def test_the_projection_takes_the_best_outer_product_of_each_slice(n, b, dtype):
    rng = np.random.default_rng(3)
    a = rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if dtype is complex else 0)
    L, R, error = monarch_project(a, b)
    M, lost = monarch_dense(L, R), 0.0
    for j, k in itertools.product(range(b), range(n // b)):
        piece = a[j::b, k * b : (k + 1) * b]
        u, s, vh = np.linalg.svd(piece)
        np.testing.assert_allclose(M[j::b, k * b : (k + 1) * b], s[0] * np.outer(u[:, 0], vh[0]), atol=1e-12)
        lost += (s[1:] ** 2).sum()
    assert error == pytest.approx(lost, rel=1e-12)
    assert error == pytest.approx(squared(a - M), rel=1e-12)
    assert abs(np.vdot(M, a - M)) < 1e-10  # the residual is orthogonal to the projection


def test_no_perturbed_factor_and_no_alternating_least_squares_comes_closer():
    rng = np.random.default_rng(4)
    a = rng.normal(size=(9, 9))
    L, R, error = monarch_project(a)
    for size in (1e-3, 0.1, 1.0):
        for _ in range(20):
            other = monarch_dense(L + size * rng.normal(size=L.shape), R + size * rng.normal(size=R.shape))
            assert squared(a - other) > error
    A = a.reshape(3, 3, 3, 3)
    L, R = random_factors(9, 3, seed=5)
    for _ in range(300):
        L = np.einsum("ijkl,kjl->jik", A, R) / (R**2).sum(axis=2).T[:, None, :]
        R = np.einsum("ijkl,jik->kjl", A, L) / (L**2).sum(axis=1).T[:, :, None]
    assert squared(a - monarch_dense(L, R)) == pytest.approx(error, rel=1e-6)


def test_the_singular_value_is_split_evenly_and_zero_slices_give_zero_factors():
    L, R, _ = monarch_project(np.random.default_rng(6).normal(size=(16, 16)))
    np.testing.assert_allclose(np.linalg.norm(L, axis=1), np.linalg.norm(R, axis=2).T, rtol=1e-12)
    L, R, error = monarch_project(np.zeros((4, 4)))
    assert not L.any()
    assert not R.any()
    assert error == 0


def test_a_batch_of_projections_equals_the_loop_and_leaves_its_input_alone():
    a = np.random.default_rng(7).normal(size=(2, 3, 12, 12))
    before = a.copy()
    L, R, error = monarch_project(a, 4)
    loop = [[monarch_project(v, 4) for v in row] for row in a]
    np.testing.assert_allclose(error, [[v.error for v in row] for row in loop], rtol=1e-12)
    np.testing.assert_allclose(
        monarch_dense(L, R), [[monarch_dense(v.L, v.R) for v in row] for row in loop], atol=1e-12
    )
    np.testing.assert_array_equal(a, before)


# famous matrices


@pytest.mark.parametrize("n", [16, 64, 256])
def test_one_permutation_of_the_columns_makes_the_fourier_transform_monarch(n):
    m = round(n**0.5)
    assert relative(dft(n)) == pytest.approx(1 - 1 / m, rel=1e-12)
    assert relative(dft(n)[:, block_permutation(n, m)]) < 1e-30


@pytest.mark.parametrize(("n", "b", "wrong"), [(24, 4, 7 / 12), (24, 6, 2 / 3)])
def test_for_unequal_sizes_the_permutation_has_a_direction(n, b, wrong):
    assert relative(dft(n)[:, block_permutation(n, n // b)], b) < 1e-30
    assert relative(dft(n)[:, block_permutation(n, b)], b) == pytest.approx(wrong, rel=1e-12)


def test_hadamard_kronecker_and_rank_one_matrices_are_monarch():
    rng = np.random.default_rng(8)
    for a in (
        hadamard(64),
        np.kron(rng.normal(size=(8, 8)), rng.normal(size=(8, 8))),
        np.outer(*rng.normal(size=(2, 64))),
    ):
        assert relative(a.astype(float)) < 1e-29
    assert relative(np.kron(rng.normal(size=(3, 3)), rng.normal(size=(4, 4))), 4) < 1e-29


def test_identity_and_reversal_are_monarch_and_a_random_permutation_is_not():
    eye = np.eye(64)
    assert relative(eye) == relative(eye[::-1]) == 0
    errors = [relative(eye[np.random.default_rng(seed).permutation(64)]) for seed in range(50)]
    # of each slice only one row or column survives, so errors are multiples of 1/64
    assert np.mean(errors) == pytest.approx(0.3184, abs=1e-4)
    assert low_rank_error(eye, 8) / 64 == 0.875


def test_a_smooth_kernel_prefers_low_rank_and_orthogonal_matrices_prefer_monarch():
    kernel = toeplitz(np.exp(-np.arange(64) / 10))
    assert relative(kernel) == pytest.approx(0.0334, abs=5e-5)
    assert low_rank_error(kernel, 8) / squared(kernel) == pytest.approx(0.0086, abs=5e-5)
    for q in (dct(np.eye(64), norm="ortho"), np.linalg.qr(np.random.default_rng(9).normal(size=(64, 64)))[0]):
        assert relative(q) < low_rank_error(q, 8) / 64 == pytest.approx(0.875, rel=1e-12)


# sparse or low rank


def test_the_setting_of_the_article_favours_monarch():
    a = np.array([sparse(seed, 64, 0.2) for seed in range(10)])
    assert monarch_project(a).error.mean() / 64**2 == pytest.approx(0.0961, abs=5e-5)
    assert low_rank_error(a, 8).mean() / 64**2 == pytest.approx(0.1175, abs=5e-5)


def test_the_sparser_the_wider_the_gap():
    rows = []
    for density in (1, 0.2, 0.05, 0.01):
        a = np.array([sparse(seed, 256, density) for seed in range(3)])
        rows.append(((relative(a)).mean(), (low_rank_error(a, 16) / squared(a)).mean()))
    np.testing.assert_allclose(rows, [(0.786, 0.790), (0.721, 0.784), (0.574, 0.761), (0.276, 0.668)], rtol=2e-2)
    assert (np.diff(np.subtract(*np.transpose(rows))) < 0).all()


def test_at_equal_budget_dense_gaussian_matrices_favour_monarch_and_uniform_ones_low_rank():
    rng = np.random.default_rng(10)
    means = {}
    for law, a in {
        "gaussian": rng.normal(size=(300, 64, 64)),
        "uniform": rng.random((60, 64, 64)),
        "sign": rng.choice([-1.0, 1.0], (60, 64, 64)),
    }.items():
        means[law] = relative(a).mean(), (low_rank_error(a, 8) / squared(a)).mean()
    np.testing.assert_allclose(means["gaussian"], [0.6161, 0.6218], atol=2e-3)
    assert 0.0057 - 0.0025 < means["gaussian"][1] - means["gaussian"][0] < 0.0057 + 0.0025
    np.testing.assert_allclose(means["uniform"], [0.191, 0.160], atol=3e-3)
    np.testing.assert_allclose(means["sign"], [0.653, 0.627], atol=3e-3)


def test_the_product_of_two_monarch_matrices_leaves_the_set():
    rng = np.random.default_rng(14)
    left, right = (monarch_dense(*rng.normal(size=(2, 400, 4, 4, 4))) for _ in range(2))
    assert relative(left @ right).min() > 0.01
    assert relative(left @ right).mean() == pytest.approx(0.11, abs=0.01)


# counts


@pytest.mark.parametrize(("n", "b"), SIZES)
def test_the_cost_is_the_number_of_multiplications_of_a_product(n, b):
    L, R = random_factors(n, b)
    x = np.random.default_rng(11).normal(size=n)
    inner, y, count = np.zeros((b, n // b)), np.zeros(n), 0
    for k, j, l in np.ndindex(R.shape):
        inner[j, k] += R[k, j, l] * x[k * b + l]
        count += 1
    for j, i, k in np.ndindex(L.shape):
        y[i * b + j] += L[j, i, k] * inner[j, k]
        count += 1
    np.testing.assert_allclose(y, monarch_matvec(L, R, x), atol=1e-12)
    assert count == L.size + R.size == monarch_cost(n, b)


def test_the_cost_is_smallest_at_the_root_and_two_n_to_the_three_halves_there():
    for m in (2, 8, 64):
        n = m * m
        costs = {b: monarch_cost(n, b) for b in range(1, n + 1) if n % b == 0}
        assert min(costs, key=costs.get) == m
        assert costs[m] == 2 * m**3
    assert monarch_cost(4096, 64) == 524_288


@pytest.mark.parametrize(("n", "b"), [(4, 2), (8, 2), (8, 4), (16, 2), (16, 4), (16, 8), (6, 1), (6, 6)])
def test_the_dimension_is_the_rank_of_the_jacobian(n, b):
    L, R = random_factors(n, b, seed=12)
    rows = [monarch_dense(e.reshape(L.shape), R).ravel() for e in np.eye(L.size)]
    rows += [monarch_dense(L, e.reshape(R.shape)).ravel() for e in np.eye(R.size)]
    assert np.linalg.matrix_rank(np.array(rows), tol=1e-9) == monarch_dim(n, b)


def test_square_blocks_and_low_rank_have_the_same_dimension():
    n, m = sympy.symbols("n m", positive=True)
    assert sympy.expand((2 * n * m - m**2 - n * (2 * m - 1)).subs(n, m**2)) == 0
    assert all(monarch_dim(k * k, k) == 2 * k**3 - k**2 for k in range(1, 40))


# low rank


def test_the_low_rank_error_is_the_distance_of_the_truncated_decomposition():
    rng = np.random.default_rng(13)
    a = rng.normal(size=(2, 7, 7)) + 1j * rng.normal(size=(2, 7, 7))
    u, s, vh = np.linalg.svd(a)
    for rank in range(9):
        kept = (u[..., :rank] * s[:, None, :rank]) @ vh[:, :rank]
        np.testing.assert_allclose(low_rank_error(a, rank), squared(a - kept), rtol=1e-11, atol=1e-26)
        np.testing.assert_allclose(low_rank_error(a, rank), [low_rank_error(v, rank) for v in a], rtol=1e-12)
    assert (low_rank_error(a, 7) == 0).all()


def test_a_low_rank_error_that_is_small_keeps_its_digits():
    rng = np.random.default_rng(15)
    u, v = (np.linalg.qr(rng.normal(size=(6, 6)))[0] for _ in range(2))
    falls = np.array([10.0 ** -np.arange(6.0), 1e-3 ** np.arange(6.0), np.ones(6), [1e3, 1, 1, 1, 1, 1]])
    for rank in range(6):  # the squares fall below the rounding of the largest; in one batch with others that do not
        found = low_rank_error(falls[:, None] * u @ v, rank)
        exact = (falls[:, rank:] ** 2).sum(axis=-1)
        assert (abs(found - exact) <= 1e-14 * np.sqrt(exact) * falls[:, 0]).all()
    assert low_rank_error(1e-170 * np.diag([3.0, 2.0]), 1) == 0  # its square is none
    assert low_rank_error(np.diag([1e200, 1e90]), 1) == pytest.approx(1e180)  # only the Gram matrix overflows
    with pytest.raises(ValueError, match="got"):
        low_rank_error(np.diag([1e200, 1e200]), 1)


def test_of_a_sparse_batch_only_what_has_more_rows_than_the_rank_is_decomposed():
    rng = np.random.default_rng(14)
    a = rng.normal(size=(200, 6, 6)) * (rng.random((200, 6, 6)) < 0.08)
    rows = np.count_nonzero(a.any(axis=2), axis=1)
    for rank in range(4):
        error = low_rank_error(a, rank)
        tail = (np.linalg.svd(a, compute_uv=False)[:, rank:] ** 2).sum(axis=1)
        np.testing.assert_allclose(error, tail, rtol=1e-12, atol=1e-26)
        assert (error[rows <= rank] == 0).all()
        assert (error > 1e-3).any()
    assert low_rank_error(np.diag([1.0, 0.0, 2.0]), 2) == 0 == low_rank_error(np.zeros((3, 3)), 0)


# bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: block_permutation(6, 4), ValueError, "block must divide n = 6, got 4"),
        (lambda: block_permutation(6, 0), ValueError, "block must be at least 1, got 0"),
        (lambda: monarch_cost(0, 1), ValueError, "n must be at least 1, got 0"),
        (lambda: monarch_dim(6, 2.0), TypeError, "block must be an integer, got 2.0"),
        (lambda: monarch_dense(np.ones((2, 3, 4)), np.ones((3, 2, 2))), ValueError, r"L must have shape .*\(2, 3, 4\)"),
        (
            lambda: monarch_dense(np.ones((2, 3, 3)), np.ones((2, 2, 2))),
            ValueError,
            r"R must have shape \(..., 3, 2, 2",
        ),
        (
            lambda: monarch_dense(np.ones((3, 3)), np.ones((3, 2, 2))),
            ValueError,
            r"L must have at least 3 axes, got shape \(3, ",
        ),
        (lambda: monarch_dense([[[np.nan]]], [[[1.0]]]), ValueError, "L must .*got"),
        (
            lambda: monarch_matvec([[[1.0]]], [[[1.0]]], [1.0, 2.0]),
            ValueError,
            r"x must have a last axis of length 1, g",
        ),
        (lambda: monarch_matvec([[[1.0]]], [[[1.0]]], [np.inf]), ValueError, "x must be finite, got inf"),
        (lambda: monarch_solve([[[1.0]]], [[[1.0]]], 2.0), ValueError, r"y must have a last axis .*got shape \(\)"),
        (lambda: monarch_project(np.ones((4, 3))), ValueError, r"a must be square .*got shape \(4, 3\)"),
        (
            lambda: monarch_project(np.ones((6, 6))),
            ValueError,
            r"block must be given, one of \[1, 2, 3, 6\].*got n = 6",
        ),
        (lambda: monarch_project(np.ones((6, 6)), 5), ValueError, "block must divide n = 6, got 5"),
        (lambda: monarch_project([[complex(1, np.nan)]]), ValueError, "a must .*got"),
        (lambda: monarch_project([["x"]]), TypeError, "a must be an array of numbers, got"),
        (lambda: low_rank_error(np.ones(4), 1), ValueError, r"a must have at least 2 axes, got shape \(4,\)"),
        (lambda: low_rank_error(np.eye(4), -1), ValueError, "rank must be at least 0, got -1"),
    ],
)
def test_bad_input_is_named_with_its_rule_and_its_value(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()

import itertools

import numpy as np
import pytest
from oracles import oracles

from kexue_core.matrices import deim_indices, leverage_scores, maximal_volume, pivoted_columns, select_columns

linalg, sympy = oracles("scipy.linalg", "sympy")
RULES = ("deim", "volume", "pivoted-qr", "leverage", "norm", "leverage-sample", "norm-sample", "uniform")


def orthonormal(seed, n, r):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, r)))[0]


def kernel(n, m):
    return np.exp(-3 * abs(np.linspace(0, 1, n)[:, None] - np.linspace(0, 1, m)))


# greedy interpolation


@pytest.mark.parametrize("seed", range(50))
def test_deim_takes_the_pivot_rows_of_gaussian_elimination(seed):
    basis = orthonormal(seed, 40, 8)
    permutation, _, _ = linalg.lu(basis, p_indices=True)
    order = np.argsort(permutation)[:8]  # permutation[i]: the row of the triangle that row i of the basis became
    np.testing.assert_array_equal(deim_indices(basis), order)


def test_deim_is_the_loop_of_the_article_step_by_step():
    for seed in range(10):
        basis = orthonormal(seed, 30, 6)
        picks = [int(abs(basis[:, 0]).argmax())]
        for k in range(1, 6):
            inside = np.linalg.solve(basis[picks, :k], basis[picks, k])
            residual = basis[:, k] - basis[:, :k] @ inside
            assert abs(residual[picks]).max() < 1e-13
            picks.append(int(abs(residual).argmax()))
        np.testing.assert_array_equal(deim_indices(basis), picks)


def test_scales_and_signs_of_the_columns_change_no_pivot():
    basis = orthonormal(0, 30, 6)
    expected = deim_indices(basis)
    np.testing.assert_array_equal(deim_indices(basis * [-1, 1e200, -1e-200, 3, 1, 2]), expected)
    np.testing.assert_array_equal(np.sort(maximal_volume(-basis)), np.sort(maximal_volume(basis)))


def test_deim_never_takes_two_equal_rows():
    for seed in range(50):
        a = np.random.default_rng(seed).normal(size=(20, 8))
        a = np.concatenate([np.repeat(a[:, :1], 9, axis=1), a], axis=1)  # ten copies of one column
        for rule in ("deim", "volume", "pivoted-qr"):
            assert (select_columns(a, 4, rule) < 10).sum() <= 1


def test_ties_go_to_the_lowest_index():
    assert deim_indices(np.ones((5, 1))).tolist() == [0]
    assert pivoted_columns(np.eye(4), 3).tolist() == [0, 1, 2]
    assert select_columns(np.ones((3, 5)), 3, "norm").tolist() == [0, 1, 2]


# volume


def test_no_exchange_of_a_row_raises_the_volume_and_the_largest_is_near():
    ratios = []
    for seed in range(30):
        basis = orthonormal(seed, 9, 3)
        volume = {rows: abs(np.linalg.det(basis[list(rows)])) for rows in itertools.combinations(range(9), 3)}
        picks = sorted(maximal_volume(basis, slack=1e-9).tolist())
        found = volume[tuple(picks)]
        for j, i in itertools.product(range(3), range(9)):
            swapped = tuple(sorted({*picks[:j], *picks[j + 1 :], i}))
            assert len(swapped) < 3 or volume[swapped] <= found * (1 + 1e-8)
        assert found >= volume[tuple(sorted(deim_indices(basis).tolist()))] * (1 - 1e-12)
        ratios.append(found / max(volume.values()))
    assert np.mean(np.isclose(ratios, 1)) > 0.5
    assert min(ratios) > 0.5


def test_rows_of_equal_volume_are_not_exchanged_for_ever():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        basis = np.linalg.qr(rng.choice([-1.0, 1.0], (6 + seed % 2, 5)))[0]
        factors = basis @ np.linalg.inv(basis[maximal_volume(basis, slack=1e-300)])
        assert abs(factors).max() <= 1 + 3e-9


@pytest.mark.parametrize(("n", "r"), [(10, 3), (40, 8), (60, 15)])
def test_the_amplification_of_maximal_volume_is_bounded_by_a_polynomial(n, r):
    for seed in range(20):
        basis = orthonormal(seed, n, r)
        factors = basis @ np.linalg.inv(basis[maximal_volume(basis)])
        assert abs(factors).max() <= 1.01 + 1e-12
        assert np.linalg.norm(factors, 2) <= np.sqrt(1 + r * (n - r) * 1.01**2)


# pivoted QR


def test_pivots_are_those_of_lapack():
    for seed in range(20):
        a = np.random.default_rng(seed).normal(size=(30, 25))
        np.testing.assert_array_equal(pivoted_columns(a, 12), linalg.qr(a, mode="r", pivoting=True)[1][:12])
    np.testing.assert_array_equal(
        pivoted_columns(kernel(60, 50), 12), linalg.qr(kernel(60, 50), mode="r", pivoting=True)[1][:12]
    )


# leverage


def test_scores_are_the_diagonal_of_the_hat_matrix_and_sum_to_the_rank():
    a = np.random.default_rng(0).normal(size=(6, 30))
    np.testing.assert_allclose(leverage_scores(a, 6), np.diag(np.linalg.pinv(a) @ a), rtol=1e-10)
    for rank in range(1, 7):
        scores = leverage_scores(a, rank)
        assert scores.sum() == pytest.approx(rank)
        assert 0 <= scores.min() <= scores.max() <= 1
    tall = np.random.default_rng(1).normal(size=(30, 6))
    np.testing.assert_allclose(leverage_scores(tall, 6), 1, rtol=1e-12)


def test_the_scores_of_a_rational_matrix_by_sympy():
    a = sympy.Matrix([[1, 2, 0], [0, 1, 1]])
    hat = a.T * (a * a.T).inv() * a
    assert hat * hat == hat
    np.testing.assert_allclose(leverage_scores(np.array(a.tolist(), float), 2), [float(hat[i, i]) for i in range(3)])


def test_a_batch_of_scores_is_the_loop():
    a = np.random.default_rng(2).normal(size=(2, 3, 5, 7))
    np.testing.assert_allclose(
        leverage_scores(a, 3), [[leverage_scores(one, 3) for one in row] for row in a], rtol=1e-12
    )


def test_ten_copies_share_the_leverage_of_a_column():
    a = np.random.default_rng(3).normal(size=(20, 8))
    copied = np.concatenate([np.repeat(a[:, :1], 9, axis=1), a], axis=1)
    scores = leverage_scores(copied, 4)
    np.testing.assert_allclose(scores[:10], scores[0], rtol=1e-10)
    assert scores[0] < leverage_scores(a, 4)[0] < scores[:10].sum() <= 1


# all rules


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_different_columns_and_ignores_the_scale(rule):
    a = np.random.default_rng(5).normal(size=(30, 20))
    picks = select_columns(a, 7, rule, rng=np.random.default_rng(0))
    assert len(set(picks.tolist())) == 7
    assert picks.dtype == np.int64
    for scale in (1e-300, 1e300):
        np.testing.assert_array_equal(select_columns(scale * a, 7, rule, rng=np.random.default_rng(0)), picks)


def test_samples_follow_their_weights():
    a, rng = np.diag([1.0, 2.0, 3.0]), np.random.default_rng(4)
    first = [select_columns(a, 1, "norm-sample", rng=rng)[0] for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(first, minlength=3) / 4000, np.array([1, 4, 9]) / 14, atol=0.025)


@pytest.mark.parametrize(
    ("function", "given", "error", "message"),
    [
        (deim_indices, {"basis": np.ones((2, 3))}, ValueError, "basis must not have more columns than rows, got shape"),
        (
            deim_indices,
            {"basis": np.ones((3, 2))},
            ValueError,
            "basis must have independent columns, got a residual .* in step 2",
        ),
        (deim_indices, {"basis": [[1.0, 0.0], [1.0, 0.0]]}, ValueError, "basis must have .* got a zero column, 1"),
        (maximal_volume, {"basis": np.eye(2), "slack": 0}, ValueError, "slack must be positive, got 0.0"),
        (pivoted_columns, {"a": np.ones((3, 3)), "rank": 2}, ValueError, "rank must not exceed the rank of a, 1 in"),
        (pivoted_columns, {"a": np.eye(3), "rank": 4}, ValueError, "rank must be at most 3, got 4"),
        (leverage_scores, {"a": np.eye(3), "rank": 0}, ValueError, "rank must be at least 1, got 0"),
        (leverage_scores, {"a": np.zeros((3, 3)), "rank": 1}, ValueError, "a must not be zero, got 0.0"),
        (select_columns, {"a": np.eye(3), "rank": 1, "rule": "best"}, ValueError, "rule must be one of 'deim', .*got"),
        (select_columns, {"a": np.eye(3), "rank": 1, "rule": "uniform"}, TypeError, "rng must be a .*got None"),
        (
            select_columns,
            {"a": np.diag([1.0, 0, 0]), "rank": 2, "rule": "norm"},
            ValueError,
            "rank must not exceed the number of columns with a weight, 1, got 2",
        ),
        (
            lambda **given: select_columns(**given, rng=np.random.default_rng(0)),
            {"a": np.diag([1.0, 0, 0]), "rank": 2, "rule": "norm-sample"},
            ValueError,
            "rank must not exceed the number of columns with a weight, 1, got 2",
        ),
    ],
)
def test_bad_input_is_refused(function, given, error, message):
    with pytest.raises(error, match=f"^{message}"):
        function(**given)

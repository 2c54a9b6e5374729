import inspect

import numpy as np
import pytest
from oracles import oracles

from kexue_core.matrices import butterfly
from kexue_core.matrices.butterfly import butterfly_dense, butterfly_dim
from kexue_core.matrices.monarch import block_permutation, monarch_dim, monarch_project

(hadamard,) = oracles("scipy.linalg.hadamard")


def random_butterfly(levels, seed=0):
    return np.random.default_rng(seed).normal(size=(levels, 2**levels // 2, 2, 2))


def dense_reference(factors):
    """Place every entry of every factor by its index."""
    n = 2 ** len(factors)
    product = np.eye(n, dtype=factors.dtype)
    for s, entries in enumerate(factors):
        h, factor = 2**s, np.zeros((n, n), dtype=factors.dtype)
        for q in range(n // (2 * h)):
            for t in range(h):
                rows = 2 * h * q + t + np.array([0, h])
                factor[np.ix_(rows, rows)] = entries[q * h + t]
        product = factor @ product
    return product


@pytest.mark.parametrize("levels", [1, 2, 3, 5])
def test_a_butterfly_is_the_product_of_its_sparse_factors(levels):
    factors = random_butterfly(levels)
    before = factors.copy()
    np.testing.assert_allclose(butterfly_dense(factors), dense_reference(factors), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(butterfly_dense(1j * factors), dense_reference(1j * factors), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(factors, before)


def test_hadamard_is_a_butterfly_and_fourier_is_one_after_bit_reversal():
    np.testing.assert_array_equal(butterfly_dense(np.tile([[1.0, 1.0], [1.0, -1.0]], (4, 8, 1, 1))), hadamard(16))
    levels, n = 4, 16
    twiddles = [np.tile(np.exp(-1j * np.pi * np.arange(2**s) / 2**s), n // 2 ** (s + 1)) for s in range(levels)]
    factors = [np.stack([np.stack([np.ones(8), w], -1), np.stack([np.ones(8), -w], -1)], -2) for w in twiddles]
    reversal = [int(f"{i:04b}"[::-1], 2) for i in range(n)]
    np.testing.assert_allclose(butterfly_dense(factors), np.fft.fft(np.eye(n))[:, reversal], atol=1e-14)


def test_a_butterfly_is_monarch_for_every_block_size():
    B = butterfly_dense(random_butterfly(5, seed=1))
    for block in (1, 2, 4, 8, 16, 32):
        assert monarch_project(B, block).error < 1e-30 * (B**2).sum()
    # another order of the rows and columns takes it out of the set
    assert monarch_project(B[:, block_permutation(32, 4)], 4).error > 0.01 * (B**2).sum()


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_the_dimension_is_the_rank_of_the_jacobian(levels):
    n, factors, rows = 2**levels, random_butterfly(levels, seed=2), []
    for s in range(levels):
        for e in np.eye(2 * n):
            moved = factors.copy()
            moved[s] = e.reshape(n // 2, 2, 2)
            rows.append(butterfly_dense(moved).ravel())
    assert np.linalg.matrix_rank(np.array(rows), tol=1e-9) == butterfly_dim(n)


def test_from_eight_on_there_are_monarch_matrices_that_are_no_butterflies():
    assert butterfly_dim(4) == monarch_dim(4, 2) == 12
    for levels in range(3, 15):
        n = 2**levels
        assert butterfly_dim(n) < min(monarch_dim(n, 2**k) for k in range(levels + 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: butterfly_dense(np.ones((2, 1, 2, 2))),
            ValueError,
            r"factors must have shape .*got shape \(2, 1, 2, 2",
        ),
        (lambda: butterfly_dense(1.0), ValueError, r"factors must have at least 1 axis, got shape \(\)"),
        (lambda: butterfly_dense(np.full((1, 1, 2, 2), np.nan)), ValueError, "factors must .*got"),
        (lambda: butterfly_dim(12), ValueError, "n must be a power of 2, got 12"),
        (lambda: butterfly_dim(1), ValueError, "n must be at least 2, got 1"),
        (lambda: butterfly_dim(4.0), TypeError, "n must be an integer, got 4.0"),
    ],
)
def test_bad_input_is_named_with_its_rule_and_its_value(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


def test_every_public_function_of_the_module_is_listed():
    own = {f for f, v in inspect.getmembers(butterfly, inspect.isfunction) if v.__module__ == butterfly.__name__}
    assert {f for f in own if f[0] != "_"} == set(butterfly.__all__)

import hashlib
import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.codebook_noise import _normal, codebook, exact_schedule
from kexue_core.diffusion.schedules import ddpm_schedule, respace

(mpmath,) = oracles("mpmath")

# the codebooks: stored bytes, and PCG64 and the quantile computed by other means


def fingerprint(x):
    return hashlib.sha256(np.ascontiguousarray(x, dtype="<f8").tobytes()).hexdigest()


def test_the_bytes_of_a_small_book_are_stored():
    assert codebook(1, 2, 3).astype("<f8").tobytes().hex() == (
        "747c8b902c9af33f2b5406135265c23f6643a64e2b09eb3f8c33448eab62fb3f92442a146810f9bf71291e2245f9e6bf"
    )


@pytest.mark.parametrize(
    ("t", "size", "d", "seed", "start"),
    [
        (2, 64, 256, 0, "9ee84ff19ebf29ba"),
        (1000, 64, 256, 0, "e63177e15e9e05c4"),
        (17, 1000, 100, 7, "4f37f8835bea214f"),
        (4294967295, 3, 1, 4294967295, "94bfbbfa2e0f8eaf"),
    ],
)
def test_the_fingerprints_of_books_are_stored(t, size, d, seed, start):
    assert fingerprint(codebook(t, size, d, seed=seed)).startswith(start)


def pcg64(entropy):
    """Yield the numbers of PCG64 (XSL RR 128/64) in whole numbers of Python; only the seeding is numpy's."""
    high, low, inc_high, inc_low = map(int, np.random.SeedSequence(entropy).generate_state(4, np.uint64))
    factor, mask = 0x2360ED051FC65DA44385DF649FCCF645, 2**128 - 1
    increment = ((inc_high << 64 | inc_low) << 1 | 1) & mask
    state = (increment + (high << 64 | low)) * factor + increment & mask
    while True:
        state = state * factor + increment & mask
        word, turn = (state >> 64 ^ state) & 2**64 - 1, state >> 122
        yield (word >> turn | word << (64 - turn)) & 2**64 - 1


def test_a_book_is_the_quantile_of_the_integers_of_pcg64():
    book = codebook(7, 40, 25, seed=3).ravel()
    integers = pcg64([3, 7])
    p = [(2 * (next(integers) >> 12) + 1) * 2.0**-53 for _ in book]
    expected = [NormalDist().inv_cdf(value) for value in p]
    np.testing.assert_allclose(book, expected, rtol=1e-14)
    assert max(map(abs, expected)) > 3  # tails occur


def test_far_tails_agree_with_a_root_in_forty_digits():
    k = np.array([0, 1, 5, 1000, 2**20, 2**40, 2**49, 2**51 - 1, 2**51, 2**52 - 1], dtype=np.uint64)
    found = _normal(k << np.uint64(12))
    with mpmath.workdps(40):
        for value, whole in zip(found.tolist(), k.tolist(), strict=True):
            p = (2 * mpmath.mpf(whole) + 1) / mpmath.mpf(2) ** 53
            assert abs(mpmath.ncdf(value) / p - 1) < 1e-13 or abs(mpmath.ncdf(-value) / (1 - p) - 1) < 1e-13
    assert found[0] == -found[-1] == found.min()
    assert 8.2 < found[-1] < 8.3
    np.testing.assert_array_equal(_normal(k << np.uint64(12) | np.uint64(4095)), found)  # the last bits do not count
    assert found[8] == -found[7]


def test_a_small_book_is_the_beginning_of_a_large_one_and_steps_and_seeds_differ():
    large = codebook(3, 64, 5)
    np.testing.assert_array_equal(codebook(3, 10, 5), large[:10])
    for other in (codebook(4, 64, 5), codebook(3, 64, 5, seed=1)):
        assert not np.isin(other, large).any()


def test_a_batch_of_steps_and_seeds_is_a_loop():
    books = codebook([[3], [4]], 10, 5, seed=[0, 1, 7])
    assert books.shape == (2, 3, 10, 5)
    for i, t in enumerate((3, 4)):
        for j, seed in enumerate((0, 1, 7)):
            np.testing.assert_array_equal(books[i, j], codebook(t, 10, 5, seed=seed))


def test_a_book_is_standard_normal():
    x = codebook(5, 1000, 200).ravel()
    assert abs(x.mean()) < 4 / x.size**0.5
    assert abs((x**2).mean() - 1) < 4 * (2 / x.size) ** 0.5
    assert abs((x**4).mean() - 3) < 4 * (96 / x.size) ** 0.5


# the schedule


@pytest.mark.parametrize(("T", "n"), [(1, 1), (7, 7), (1000, 1), (1000, 13), (1000, 100)])
def test_the_exact_schedule_is_the_respaced_one(T, n):
    for exact, usual in zip(exact_schedule(T, n), respace(ddpm_schedule(T), n), strict=True):
        np.testing.assert_allclose(exact, usual, rtol=2e-14)
        assert not exact.flags.writeable


def test_every_entry_is_the_nearest_double():
    schedule, level = exact_schedule(40), Fraction(1)
    for t in range(1, 41):
        alpha = 1 - Fraction(t, 50 * 40)
        level *= alpha
        for found, square in zip(schedule, (alpha, 1 - alpha, level, 1 - level), strict=False):
            x = float(found[t - 1])
            below, above = Fraction(x) + Fraction(math.nextafter(x, 0)), Fraction(x) + Fraction(math.nextafter(x, 2))
            assert (below / 2) ** 2 <= square <= (above / 2) ** 2


def test_the_fingerprint_of_the_schedule_is_stored():
    assert fingerprint(np.stack(exact_schedule(1000, 100))).startswith("09734b1d35fd0bc7")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: codebook(-1, 2, 2), r"t must lie in \[0, 4.29497e\+09\], got -1"),
        (lambda: codebook(1, 0, 2), "size must be at least 1, got 0"),
        (lambda: codebook(1, 2, 2, seed=2**32), r"seed must lie in \[0, 4.29497e\+09\], got 4294967296"),
        (lambda: exact_schedule(3, 4), "n must be at most 3, got 4"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()

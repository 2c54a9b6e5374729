import math
from functools import partial

import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.ancestral import reverse_noise
from kexue_core.diffusion.codebook_noise import codebook, exact_schedule
from kexue_core.diffusion.codebook_rate import codebook_errors, max_normal_moments, pack_codes, unpack_codes
from kexue_core.diffusion.codebooks import codebook_encode
from kexue_core.diffusion.denoisers import denoise_gaussian

(mpmath,) = oracles("mpmath")

# bytes


@pytest.mark.parametrize("size", [1, 2, 3, 10, 64, 100, 256, 8192])
@pytest.mark.parametrize("n", [0, 1, 7, 99])
def test_bytes_give_the_numbers_back_and_are_as_few_as_can_be(size, n):
    codes = np.random.default_rng(size + n).integers(size, size=n)
    data = pack_codes(codes, size)
    np.testing.assert_array_equal(unpack_codes(data, size, n), codes)
    assert 256 ** len(data) >= size**n
    assert len(data) == 0 or 256 ** (len(data) - 1) < size**n


@pytest.mark.parametrize("n", [0, 1, 2, 31, 32, 33, 500])
def test_bytes_are_the_number_with_these_digits(n):
    for size in (1, 3, 2**63):
        codes = np.random.default_rng(n).integers(size, size=n, dtype=np.uint64).astype(np.int64)
        number = sum(int(code) * size**i for i, code in enumerate(codes[::-1]))
        data = pack_codes(codes, size)
        assert int.from_bytes(data, "big") == number
        np.testing.assert_array_equal(unpack_codes(data, size, n), codes)


def test_bits_stand_in_their_order():
    assert pack_codes([1, 0, 1, 0, 0, 0, 0, 1, 1], 2) == bytes([1, 0b01000011])


def test_bytes_that_are_no_code_are_refused():
    with pytest.raises(ValueError, match="data must be 1 bytes long for 3 codes below 3, got 2"):
        unpack_codes(b"\x00\x01", 3, 3)
    with pytest.raises(ValueError, match=r"data must stand for a number below 3\^3, got 0x1b"):
        unpack_codes(bytes([27]), 3, 3)
    with pytest.raises(TypeError, match="data must be a bytes, got 'ab'"):
        unpack_codes("ab", 3, 3)
    with pytest.raises(ValueError, match=r"codes must lie in \[0, 2\], got 3"):
        pack_codes([3], 3)


# the largest normal number


def test_the_largest_normal_number_has_closed_forms():
    angle = math.asin(1 / 3) / math.pi
    first, second = max_normal_moments([1, 2, 3, 4, 5])
    closed = [0, 1, 1.5, 6 * (1 / 4 + angle / 2), 10 * (1 / 8 + 3 * angle / 4)]
    np.testing.assert_allclose(first, np.array(closed) / math.sqrt(math.pi), atol=1e-13)
    np.testing.assert_allclose(second[:3], [1, 1, 1 + math.sqrt(3) / (2 * math.pi)], rtol=1e-13)


def test_the_mean_square_dips_between_one_number_and_two():
    first, second = max_normal_moments(np.geomspace(1, 1e12, 2001))
    assert (np.diff(first) > 0).all()
    assert 0.907 < second.min() < 0.91
    assert (np.diff(max_normal_moments(np.geomspace(2, 1e12, 2001))[1]) > 0).all()


@pytest.mark.parametrize("size", [1.5, 64, 1e6, 1e12])
def test_the_moments_are_integrals_in_thirty_digits(size):
    with mpmath.workdps(30):
        for power, found in enumerate(max_normal_moments(size), start=1):
            exact = mpmath.quad(
                lambda m: m**power * size * mpmath.npdf(m) * mpmath.ncdf(m) ** (size - 1),  # noqa: B023
                [-12, -6, -3, 0, 2, 4, 6, 8, 10, 14],
            )
            assert found == pytest.approx(float(exact), rel=1e-11)


# the recursion


def test_the_recursion_is_met_by_simulation():
    schedule, d, errors = exact_schedule(1000, 60), 256, []
    lam = 1 / (1 + np.arange(d) / 16)
    for seed in range(20):
        target = np.sqrt(lam) * codebook(0, 1, d, seed=seed)[0]
        books = partial(codebook, size=32, d=d, seed=seed)
        denoise = partial(denoise_gaussian, std=np.sqrt(lam))
        _, x = codebook_encode(denoise, books(61)[0], schedule, books, target)
        errors.append(((x - target) ** 2).mean())
    mean, spread = np.mean(errors), np.std(errors, ddof=1) / 20**0.5
    predicted = codebook_errors(schedule, 32, lam).mean()
    assert abs(mean - predicted) < 4 * spread
    assert spread < 0.05 * predicted


def test_copies_are_components():
    schedule, lam = exact_schedule(1000, 40), np.array([2.0, 0.5])
    few = codebook_errors(schedule, 8, lam, copies=[3, 5])
    many = codebook_errors(schedule, 8, np.repeat(lam, [3, 5]))
    np.testing.assert_allclose(np.repeat(few, [3, 5]), many, rtol=1e-12)


def test_one_codeword_is_a_sampler_that_does_not_know_the_target():
    schedule = exact_schedule(1000, 200)
    error = codebook_errors(schedule, 1, [1.0, 1.0], sigma=schedule.beta)
    np.testing.assert_allclose(error, 2, rtol=0.02)  # two independent vectors, but for the last step


def test_a_batch_of_recursions_is_a_loop():
    schedule = exact_schedule(1000, 20)
    sizes, lam = np.array([2.0, 64.0]), np.array([[[1.0, 0.5]], [[2.0, 0.0]], [[1.0, 1.0]]])
    sigma = np.stack([1.0, 0.5])[:, None, None, None] * reverse_noise(schedule, 0)
    found = codebook_errors(schedule, sizes, lam, sigma=sigma)
    assert found.shape == (2, 3, 2, 2)
    for i in range(2):
        for j in range(3):
            for k in range(2):
                one = codebook_errors(schedule, sizes[k], lam[j, 0], sigma=sigma[i, 0, 0])
                np.testing.assert_allclose(found[i, j, k], one, rtol=1e-13)
    assert codebook_errors(schedule, np.ones(0), [1.0]).shape == (0, 1)


def test_codes_beyond_an_integer_of_64_bits_are_refused():
    with pytest.raises(ValueError, match=f"size must be at most {2**63}, got {2**70}"):
        unpack_codes((2**65).to_bytes(9, "big"), 2**70, 1)
    assert unpack_codes(pack_codes([2**63 - 1], 2**63), 2**63, 1).tolist() == [2**63 - 1]


def test_nothing_to_code_leaves_no_error():
    assert codebook_errors(exact_schedule(5), 4, [0.0, 0.0]).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 0.5}, "size must be at least 1, got 0.5"),
        ({"variances": [-1.0]}, "variances must not be negative, got -1.0"),
        ({"copies": [0]}, "copies must be positive, got 0.0"),
        ({"sigma": np.ones(4)}, "sigma must have a last axis of length 5"),
    ],
)
def test_the_recursion_refuses_by_name(changes, message):
    given = {"schedule": exact_schedule(5), "size": 4, "variances": [1.0]} | changes
    with pytest.raises(ValueError, match=message):
        codebook_errors(**given)

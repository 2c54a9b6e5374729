import hashlib
import math
from fractions import Fraction
from functools import partial
from statistics import NormalDist

import mpmath
import numpy as np
import pytest

from kexue_core.diffusion.ancestral import posterior_coefficients, reverse_noise
from kexue_core.diffusion.codebooks import (
    codebook,
    codebook_encode,
    codebook_errors,
    codebook_sample,
    exact_schedule,
    max_normal_moments,
    pack_codes,
    unpack_codes,
)
from kexue_core.diffusion.denoisers import denoise_gaussian, denoise_mixture
from kexue_core.diffusion.schedules import ddpm_schedule, respace

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
    from kexue_core.diffusion.codebooks import _normal

    k = np.array([0, 1, 5, 1000, 2.0**20, 2.0**40, 2.0**49, 2.0**51 - 1, 2.0**51, 2.0**52 - 1])
    found = _normal(k)
    with mpmath.workdps(40):
        for value, whole in zip(found.tolist(), k.tolist(), strict=True):
            p = (2 * mpmath.mpf(whole) + 1) / mpmath.mpf(2) ** 53
            assert abs(mpmath.ncdf(value) / p - 1) < 1e-13 or abs(mpmath.ncdf(-value) / (1 - p) - 1) < 1e-13
    assert found[0] == -found[-1] == found.min()
    assert 8.2 < found[-1] < 8.3
    np.testing.assert_array_equal(_normal(np.array([2.0**51 - 1, 2.0**51])) * [-1, 1], [found[8]] * 2)


def test_a_small_book_is_the_beginning_of_a_large_one_and_steps_and_seeds_differ():
    large = codebook(3, 64, 5)
    np.testing.assert_array_equal(codebook(3, 10, 5), large[:10])
    for other in (codebook(4, 64, 5), codebook(3, 64, 5, seed=1)):
        assert not np.isin(other, large).any()


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


# encoder and decoder


SCHEDULE = exact_schedule(1000, 30)
BOOKS = partial(codebook, size=16, d=8)
X0 = codebook(0, 5, 8, seed=9)
START = codebook(31, 1, 8)[0]


@pytest.mark.parametrize("rule", ["product", "nearest", "softmax", "importance"])
def test_the_decoder_gives_the_vector_of_the_encoder_to_the_bit(rule):
    codes, x = codebook_encode(denoise_gaussian, START, SCHEDULE, BOOKS, X0, rule=rule, rng=np.random.default_rng(0))
    assert codes.shape == (5, 29)
    np.testing.assert_array_equal(codebook_sample(denoise_gaussian, START, SCHEDULE, BOOKS, codes), x)
    for one, row in zip(codes, x, strict=True):
        np.testing.assert_array_equal(codebook_sample(denoise_gaussian, START, SCHEDULE, BOOKS, one), row)


def test_a_stored_stream_decodes_to_a_stored_vector():
    codes = unpack_codes(bytes.fromhex("05c400da3c19c7ac06284137de26c8"), 16, 29)

    def halved(x, t):
        return x / (1 + t * t)

    x = codebook_sample(halved, START, SCHEDULE, BOOKS, codes)
    assert fingerprint(x).startswith("59fa5eb4fa1bcb58")
    np.testing.assert_array_equal(codebook_encode(halved, START, SCHEDULE, BOOKS, X0[0])[0], codes)


def test_plain_floats_decode_to_the_same_bits():
    codes = codebook_encode(denoise_gaussian, START, SCHEDULE, BOOKS, X0[0])[0]
    u, v = (w.tolist() for w in posterior_coefficients(SCHEDULE))
    sigma, x = reverse_noise(SCHEDULE, 0).tolist(), START.tolist()
    for step, t in enumerate(range(30, 0, -1)):
        a, b = float(SCHEDULE.bar_alpha[t - 1]), float(SCHEDULE.bar_beta[t - 1])
        guess = [value / a / (1 + (b / a) * (b / a)) for value in x]
        x = [u[t - 1] * g + v[t - 1] * value for g, value in zip(guess, x, strict=True)]
        if t > 1:
            noise = BOOKS(t)[codes[step]].tolist()
            x = [value + sigma[t - 1] * e for value, e in zip(x, noise, strict=True)]
    found = codebook_sample(lambda x, t: x / (1 + t * t), START, SCHEDULE, BOOKS, codes)
    assert found.tolist() == x


def test_the_four_rules_are_their_formulas():
    u, _ = posterior_coefficients(SCHEDULE)
    sigma = reverse_noise(SCHEDULE, 0)
    path = {}
    options = {"callback": path.__setitem__}
    for rule, rate in (
        ("product", lambda e, c: e @ c),
        ("nearest", lambda e, c: -((e - c) ** 2).sum(axis=1) / 2),
    ):
        codes, _ = codebook_encode(denoise_gaussian, START, SCHEDULE, BOOKS, X0[0], rule=rule, **options)
        for step, t in enumerate(range(30, 1, -1)):
            a, b = SCHEDULE.bar_alpha[t - 1], SCHEDULE.bar_beta[t - 1]
            c = u[t - 1] / sigma[t - 1] * (X0[0] - denoise_gaussian(path[t] / a, b / a))
            assert codes[step] == rate(BOOKS(t), c).argmax()


@pytest.mark.parametrize(("rule", "mean", "variance"), [("softmax", 0.75, 0.5), ("importance", 1.5, 1.0)])
def test_drawn_codewords_have_the_limit_laws(rule, mean, variance):
    schedule = exact_schedule(2)
    pull = posterior_coefficients(schedule)[0][1] / reverse_noise(schedule, 0)[1]
    book, drawn = codebook(2, 20_000, 1), []

    def toward(x, t):
        return denoise_gaussian(x, t) + 1.5 / pull

    codes, _ = codebook_encode(
        denoise_gaussian,
        np.zeros((400, 1)),
        schedule,
        lambda t: book,
        toward,
        rule=rule,
        rng=np.random.default_rng(0),
    )
    drawn = book[codes[:, 0], 0]
    assert abs(drawn.mean() - mean) < 4 * (variance / 400) ** 0.5
    assert abs(drawn.var() - variance) < 4 * variance * (2 / 400) ** 0.5


def test_a_condition_is_reached_by_importance_weights():
    means = np.array([[-2.0, 0.0], [2.0, 0.0]])
    both, right = (partial(denoise_mixture, means=m, stds=0.2) for m in (means, means[1:]))
    start = np.random.default_rng(0).standard_normal((300, 2))
    schedule, books = exact_schedule(1000, 50), partial(codebook, size=64, d=2)
    _, x = codebook_encode(both, start, schedule, books, right, rule="importance", rng=np.random.default_rng(1))
    assert (x[:, 0] > 0).mean() > 0.98
    assert abs(x[:, 0].mean() - 2) < 0.1


def test_one_codeword_leaves_no_choice_and_one_step_none_at_all():
    single = partial(codebook, size=1, d=8)
    codes, x = codebook_encode(denoise_gaussian, START, SCHEDULE, single, X0)
    assert not codes.any()
    assert (x == x[0]).all()
    schedule = exact_schedule(1)
    codes, x = codebook_encode(denoise_gaussian, START, schedule, single, X0[0])
    assert codes.shape == (0,)
    a, b = schedule.bar_alpha[0], schedule.bar_beta[0]
    np.testing.assert_allclose(x, denoise_gaussian(START / a, b / a), rtol=1e-14)


def test_the_callback_sees_all_states_and_may_keep_them():
    seen = {}
    codes = np.zeros(29, dtype=int)
    x = codebook_sample(denoise_gaussian, START, SCHEDULE, BOOKS, codes, callback=seen.__setitem__)
    assert list(seen) == list(range(30, -1, -1))
    np.testing.assert_array_equal(seen[30], START)
    np.testing.assert_array_equal(seen[0], x)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"codes": np.full(29, 16)}, ValueError, r"codes must be below 16, the size of codebook\(30\), got 16"),
        ({"codes": np.zeros(28, int)}, ValueError, "codes must have a last axis of length 29, got shape"),
        ({"codes": np.full(29, -1)}, ValueError, "codes must not be negative, got -1"),
        ({"codes": np.zeros(29)}, TypeError, "codes must be an array of integers"),
        ({"codebook": partial(codebook, size=4, d=7)}, ValueError, r"codebook\(30\) must have a last axis of length 8"),
        ({"schedule": None}, TypeError, "schedule must be a Schedule"),
        ({"sigma": np.ones(29)}, ValueError, r"sigma must have shape \(30,\)"),
        ({"sigma": np.zeros(30)}, ValueError, "sigma must be positive, got 0.0"),
    ],
)
def test_the_decoder_refuses_by_name(changes, error, message):
    given = {"denoise": denoise_gaussian, "x": START, "schedule": SCHEDULE, "codebook": BOOKS}
    given |= {"codes": np.zeros(29, dtype=int)} | changes
    with pytest.raises(error, match=message):
        codebook_sample(**given)


def test_the_encoder_refuses_by_name():
    given = (denoise_gaussian, START, SCHEDULE, BOOKS)
    with pytest.raises(ValueError, match="rule must be one of"):
        codebook_encode(*given, X0[0], rule="largest")
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator, got None"):
        codebook_encode(*given, X0[0], rule="softmax")
    with pytest.raises(ValueError, match="toward must have a last axis of length 8"):
        codebook_encode(*given, X0[0, :7])


# bytes


@pytest.mark.parametrize("size", [1, 2, 3, 10, 64, 100, 256, 8192])
@pytest.mark.parametrize("n", [0, 1, 7, 99])
def test_bytes_give_the_numbers_back_and_are_as_few_as_can_be(size, n):
    codes = np.random.default_rng(size + n).integers(size, size=n)
    data = pack_codes(codes, size)
    np.testing.assert_array_equal(unpack_codes(data, size, n), codes)
    assert 256 ** len(data) >= size**n
    assert len(data) == 0 or 256 ** (len(data) - 1) < size**n


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

import hashlib
from functools import partial

import numpy as np
import pytest

from kexue_core.diffusion.ancestral import posterior_coefficients, reverse_noise
from kexue_core.diffusion.codebook_noise import codebook, exact_schedule
from kexue_core.diffusion.codebook_rate import unpack_codes
from kexue_core.diffusion.codebooks import codebook_encode, codebook_sample
from kexue_core.diffusion.denoisers import denoise_gaussian, denoise_mixture


def fingerprint(x):
    return hashlib.sha256(np.ascontiguousarray(x, dtype="<f8").tobytes()).hexdigest()


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


@pytest.mark.parametrize("rule", ["product", "nearest"])
def test_vectors_with_books_and_noise_of_their_own_are_a_loop(rule):
    seeds, factors = np.arange(5), np.array([0.5, 1.0])
    sigma = factors[:, None, None] * reverse_noise(SCHEDULE, 0)
    books = partial(codebook, size=16, d=8, seed=seeds)
    codes, x = codebook_encode(denoise_gaussian, START, SCHEDULE, books, X0, rule=rule, sigma=sigma)
    assert codes.shape == (2, 5, 29)
    for i, factor in enumerate(factors):
        for j, seed in enumerate(seeds):
            own = partial(codebook, size=16, d=8, seed=seed)
            one = factor * reverse_noise(SCHEDULE, 0)
            alone = codebook_encode(denoise_gaussian, START, SCHEDULE, own, X0[j], rule=rule, sigma=one)
            np.testing.assert_array_equal(codes[i, j], alone[0])
            np.testing.assert_array_equal(x[i, j], alone[1])
    np.testing.assert_array_equal(codebook_sample(denoise_gaussian, START, SCHEDULE, books, codes, sigma=sigma), x)


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
        ({"sigma": np.ones(29)}, ValueError, "sigma must have a last axis of length 30"),
        (
            {"codebook": lambda t: BOOKS(t, seed=[1, 2])},
            ValueError,
            r"must have leading axes among \(\), got shape \(2,",
        ),
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

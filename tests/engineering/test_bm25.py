import itertools

import numpy as np
import pytest
from oracles import oracles

from kexue_core.engineering.bm25 import inverse_document_frequency, quantize_length, saturation

(sympy,) = oracles("sympy")

TF, LENGTH = np.arange(1, 60), np.array([0.2, 1.0, 3.5])[:, None]


def test_lucenes_idf_is_one_logarithm_and_positive():
    N, n = sympy.symbols("N n", positive=True)
    half = sympy.Rational(1, 2)
    assert sympy.simplify(1 + (N - n + half) / (n + half) - (N + 1) / (n + half)) == 0
    n = np.arange(101)
    weight = inverse_document_frequency(n, 100)
    np.testing.assert_allclose(weight, np.log1p((100 - n + 0.5) / (n + 0.5)), rtol=1e-14)
    assert (weight > 0).all()
    assert (np.diff(weight) < 0).all()


def test_robertsons_idf_is_odd_about_half_of_the_documents():
    n = np.arange(101)
    weight = inverse_document_frequency(n, 100, variant="robertson")
    np.testing.assert_allclose(weight, -weight[::-1], atol=1e-14)
    assert weight[50] == 0
    np.testing.assert_allclose(weight[[1, 99]], [np.log(99.5 / 1.5), np.log(1.5 / 99.5)], rtol=1e-14)


def test_saturation_is_the_formula():
    for tf, length, k1, b in itertools.product([0, 1, 7], [0.3, 1, 4], [0.5, 1.2, 5], [0, 0.75, 1]):
        expected = (k1 + 1) * tf / (tf + k1 * (1 - b + b * length))
        assert saturation(tf, length, k1=k1, b=b) == pytest.approx(expected, rel=1e-14)
        assert saturation(tf, length, k1=k1, b=b, k1_plus_1=False) == pytest.approx(expected / (k1 + 1), rel=1e-14)


def test_saturation_increases_is_concave_and_stays_below_k1_plus_1():
    s = saturation(TF, LENGTH)
    assert (np.diff(s) > 0).all()
    assert (np.diff(s, 2) < 0).all()
    assert (s < 2.2).all()
    assert (np.diff(s, axis=0) < 0).all()
    np.testing.assert_allclose(saturation(1e12, LENGTH), 2.2, rtol=1e-9)


def test_half_of_the_limit_is_reached_at_k1_B_and_one_at_B():
    B = 1 - 0.3 + 0.3 * LENGTH
    np.testing.assert_allclose(saturation(2.0 * B, LENGTH, k1=2.0, b=0.3), 1.5, rtol=1e-14)
    np.testing.assert_allclose(saturation(B, LENGTH, k1=2.0, b=0.3), 1.0, rtol=1e-14)


def test_k1_of_0_is_presence_and_a_large_k1_is_linear():
    np.testing.assert_array_equal(saturation([0, 1, 50], LENGTH, k1=0), np.tile([0, 1, 1], (3, 1)))
    np.testing.assert_allclose(saturation(TF, LENGTH, k1=1e12), TF / (0.25 + 0.75 * LENGTH), rtol=1e-9)


def test_an_empty_document_counts_nothing():
    assert saturation(0, 0, b=1) == 0


def test_b_of_0_ignores_the_length_and_the_average_length_ignores_b():
    np.testing.assert_array_equal(saturation(TF, LENGTH, b=0), np.tile(saturation(TF), (3, 1)))
    np.testing.assert_allclose(saturation(TF, 1, b=[[0], [0.4], [1]]), np.tile(saturation(TF), (3, 1)), rtol=1e-14)


@pytest.mark.parametrize("repeats", [2, 3, 10])
def test_writing_a_document_down_again_changes_nothing_iff_b_is_1(repeats):
    again = saturation(repeats * TF, repeats * LENGTH, b=1)
    np.testing.assert_allclose(again, saturation(TF, LENGTH, b=1), rtol=1e-14)
    assert (saturation(repeats * TF, repeats * LENGTH, b=0.99) > saturation(TF, LENGTH, b=0.99)).all()


def _slow_codes():
    """The 256 lengths as Lucene's documentation of the 4-bit float describes them, one at a time."""
    for code in range(256):
        if code < 24:
            yield code
        elif code - 24 < 8:
            yield 24 + (code - 24)
        else:
            yield 24 + (8 + (code - 24) % 8) * 2 ** ((code - 24) // 8 - 1)


def test_quantize_length_is_the_largest_code_not_above():
    codes = list(_slow_codes())
    n = np.concatenate([np.arange(3000), [10**6, 2_013_265_943, 2_013_265_944, 2**40]])
    expected = [max(code for code in codes if code <= length) for length in n.tolist()]
    np.testing.assert_array_equal(quantize_length(n), expected)
    np.testing.assert_array_equal(quantize_length(codes), codes)
    assert len(set(codes)) == 256


def test_quantize_length_gives_the_published_values():
    n = [40, 41, 42, 43, 45, 55, 57, 60, 63, 64, 100, 101, 150]
    assert quantize_length(n).tolist() == [40, 40, 42, 42, 44, 54, 56, 60, 60, 64, 96, 96, 144]


def test_quantize_length_loses_less_than_a_ninth():
    n = np.arange(1, 10**6)
    lost = n - quantize_length(n)
    assert (lost >= 0).all()
    assert (9 * lost < n).all()
    assert (lost[:40] == 0).all()
    assert (lost / n).max() > 0.11


def test_quantize_length_keeps_the_shape():
    assert quantize_length(150) == 144
    assert quantize_length([[41], [45]]).tolist() == [[40], [44]]
    assert quantize_length(np.zeros((0, 2), dtype=int)).shape == (0, 2)


def test_inputs_are_unchanged():
    tf, n = np.array([1.0, 2.0]), np.array([41, 45])
    saturation(tf, tf, k1=tf, b=tf / 2)
    inverse_document_frequency(n, 50)
    quantize_length(n)
    np.testing.assert_array_equal(tf, [1, 2])
    np.testing.assert_array_equal(n, [41, 45])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: saturation(1, k1=-0.1), "k1 must not be negative, got -0.1"),
        (lambda: saturation(1, k1=np.inf), "k1 must be finite, got inf"),
        (lambda: saturation(1, b=1.5), r"b must lie in \[0, 1\], got 1.5"),
        (lambda: saturation(1, b=-0.5), r"b must lie in \[0, 1\], got -0.5"),
        (lambda: saturation(1, b=np.nan), "b must not contain NaN, got 1 of them"),
        (lambda: saturation([1, -2]), "tf must not be negative, got -2"),
        (lambda: saturation(1, -1), "relative_length must not be negative, got -1"),
        (lambda: inverse_document_frequency(11, 10), "doc_freq must be at most n_documents, got 11 of 10"),
        (lambda: inverse_document_frequency([4, 9], [3, 10]), "doc_freq must be at most n_documents, got 4 of 3"),
        (lambda: inverse_document_frequency(-1, 10), "doc_freq must not be negative, got -1"),
        (lambda: inverse_document_frequency(1, np.nan), "n_documents must not contain NaN, got 1 of them"),
        (
            lambda: inverse_document_frequency(1, 2, variant="bm25+"),
            r"variant must be one of 'lucene', 'robertson', got 'bm25\+'",
        ),
        (lambda: quantize_length([3, -1]), "n must not be negative, got -1"),
    ],
)
def test_values_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_not_a_number_is_refused():
    with pytest.raises(TypeError, match="k1 must be an array of real numbers, got 'a'"):
        saturation(1, k1="a")
    with pytest.raises(TypeError, match="n must be an array of integers, got dtype float64"):
        quantize_length([3.0])

"""The stored table: which stops it shows, and how steady its digest is."""

import math

import numpy as np
import pytest

from kexue_core.notebook import Choice, Linear, Logarithmic, estimate, table
from kexue_core.notebook.table import digest, shown_stops


def test_short_controls_are_shown_whole_and_long_ones_with_ends_default_and_landmarks():
    base = Logarithmic("b", 100, 10000, default=4300, landmarks=[5602, 6018])
    method = Choice("method", ["a", "b", "c"])
    shown = shown_stops({"base": base, "method": method})
    along = [value for value, other in shown if other == "a"]
    assert {100, 10000, 4300, 5602, 6018} <= set(along)
    assert len(along) <= 12 + 3
    places = np.array([base.stops.index(value) for value in along])
    assert np.diff(np.sort(places)).max() <= math.ceil((len(base.stops) - 1) / 11) + 1
    assert {other for value, other in shown if value == 4300} == {"a", "b", "c"}
    assert {(100, "a"), (100, "c"), (10000, "a"), (10000, "c")} <= set(shown)
    assert len(shown) == len(set(shown))
    short = Linear("n", 0, 24, step=1)
    assert [value for (value,) in shown_stops({"n": short})] == list(short.stops)


def test_the_digest_is_steady_under_rounding_and_changes_with_any_number():
    """Numbers that lie between two roundings are the usual ones here: halves, quarters, whole multiples."""
    rng = np.random.default_rng(1)
    columns = [
        [1234.5 + i for i in range(1200)],
        [round(x, 4) for x in rng.standard_normal(1200)],
        [0.0] * 600 + [i / 8 for i in range(600)],
        list(10.0 ** rng.uniform(-8, 8, 1200)),
    ]
    for column in columns:
        noise = rng.standard_normal((20, 1200)) * 1e-15
        assert {digest([[x + x * e + 1e-17 * e for x, e in zip(column, row)]])[0] for row in noise} == {
            digest([column])[0]
        }
        for index in rng.integers(0, 1200, 40):
            other = list(column)
            other[index] = other[index] * 1.003 if other[index] else 1e-6
            assert digest([other]) != digest([column])


def test_whole_numbers_words_and_infinity_count_as_they_are():
    assert digest([[1, 2], ["a", "b"], [True, False], [math.inf, 1.0]]) == digest(
        [[1, 2], ["a", "b"], [True, False], [math.inf, 1.0]]
    )
    assert digest([[10**9]]) != digest([[10**9 + 1]])
    assert digest([["a", "b"]]) != digest([["b", "a"]])
    assert digest([[True]]) != digest([[False]])
    assert digest([[math.inf]]) != digest([[-math.inf]])


def test_columns_stand_side_by_side_as_text_and_as_markdown():
    shown = table({"$|x|$": ["a|b", "c"], "mean": [estimate([1.0, 2.0, 3.0]), 12345.678]})
    assert str(shown) == "$|x|$  mean\na|b    2.0 ± 0.6 (n = 3)\nc      12\u202f350"
    data = shown._repr_mimebundle_()
    assert data["text/plain"] == repr(shown) == str(shown)
    assert data["text/markdown"].splitlines() == [
        r"| $\|x\|$ | mean |", "| :-- | --: |", r"| a\|b | 2.0 ± 0.6 (n = 3) |", "| c | 12\u202f350 |",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "error", "match"),
    [
        ([1, 2], TypeError, r"columns must be a dict from heads to cells, got \[1, 2\]"),
        ({}, ValueError, "columns must be at least one, of one length, got {}"),
        ({"a": [1], "b": [1, 2]}, ValueError, "of one length, got {'a': 1, 'b': 2}"),
        ({1: [1], "1": [2]}, ValueError, r"columns must have different heads, got \['1', '1'\]"),
        ({"a": [math.nan]}, ValueError, "must not be NaN"),
        ({"a": [[1]]}, TypeError, r"must be a number or a string, got \[1\]"),
        ({"a": [None]}, TypeError, "got None"),
    ],
)
def test_what_is_no_table_is_refused(columns, error, match):
    with pytest.raises(error, match=match):
        table(columns)

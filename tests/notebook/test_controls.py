"""Controls: their stops, names and kinds."""

import re

import numpy as np
import pytest

from kexue_core.notebook import Choice, Linear, Logarithmic, Powers, Text


def test_linear_stops_have_no_dust_and_contain_both_ends():
    assert Linear("τ", 0.1, 4, step=0.1).stops[:3] == (0.1, 0.2, 0.3)
    assert Linear("n", 1, 9, step=2).stops == (1, 3, 5, 7, 9)


def test_logarithmic_stops_are_rounded_powers():
    assert Logarithmic("b", 1e2, 1e4, per_decade=2).stops == (100, 316, 1000, 3160, 10000)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Choice("n", [1]), "stops of 'n' must be at least two values, got 1"),
        (lambda: Choice("n", []), "stops of 'n' must be at least two values, got 0"),
        (lambda: Choice("n", [1, 1]), "stops of 'n' must be different"),
        (lambda: Choice("n", [1, 2], default=3), "default of 'n' must be one of its stops"),
        (lambda: Choice("n", [1 / 3, 1 / 3 + 1e-14]), "must differ in twelve digits"),
        (lambda: Linear("n", 0, 1, step=0.3), "step must divide"),
        (lambda: Linear("n", 1, 0, step=0.5), "must be positive"),
        (lambda: Logarithmic("n", 0, 1, per_decade=1), "must be positive and ascending, got 0 and 1"),
        (lambda: Logarithmic("n", 1, 50, per_decade=0.5), "per_decade must be a whole number from 1 on, got 0.5"),
    ],
)
def test_bad_sliders_are_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("first", "last", "step"), [(-0.3, 0.3, 0.1), (-0.6, 0.6, 0.2), (-0.7, 0.7, 0.1), (-1, 1, 0.1), (-1e-6, 2e-6, 1e-7)]
)
def test_zero_and_the_ends_are_exact(first, last, step):
    control = Linear("x", first, last, step=step, default=0)
    assert 0 in control.stops
    assert control.default == 0
    assert (control.stops[0], control.stops[-1]) == (first, last)
    assert np.allclose(np.diff(control.stops), step, rtol=1e-9)


@pytest.mark.parametrize(("first", "last"), [(1, 1e6), (4000, 7000), (3, 5e4), (0.002, 90), (999, 1001)])
def test_logarithmic_stops_hit_whole_decades_and_ends_and_have_one_ratio(first, last):
    stops = Logarithmic("b", first, last).stops
    assert 60 <= len(stops) <= 200
    assert (stops[0], stops[-1]) == (first, last)
    assert {10.0**e for e in range(-3, 7) if first <= 10.0**e <= last} <= set(stops)
    steps = np.diff(np.log(stops))[1:-1]  # an end may lie nearer
    assert steps.min() > 0
    assert steps.max() < 1.6 * np.median(steps)


def test_default_and_landmarks_become_stops_and_replace_nobody():
    control = Logarithmic("b", 4000, 7000, default=4293.5, landmarks=[5602, 6018])
    assert {4293.5, 5602, 6018} <= set(control.stops)
    assert control.default == 4293.5
    assert control.names[control.start] == "4293.5"
    assert list(control.stops) == sorted(set(control.stops))
    assert Linear("x", 0, 1, step=0.1, landmarks=[0.30000000000000004]).stops.count(0.3) == 0
    assert len(Linear("x", 0, 1, step=0.1, landmarks=[0.30000000000000004]).stops) == 11


def test_names_have_as_many_digits_as_it_takes():
    assert Linear("b", 4000, 4001, step=0.25).names == ("4000", "4000.25", "4000.5", "4000.75", "4001")
    assert Choice("x", [1 / 3, 2 / 3]).names == ("0.3333", "0.6667")
    assert Choice("x", [0.123456, 0.123457]).names == ("0.123456", "0.123457")


def test_powers_are_exact():
    assert Powers("L", 1, 2**40).stops == tuple(2**e for e in range(41))
    assert Powers("L", 9, 243, base=3, default=27).default == 27


def test_the_kind_follows_from_the_stops():
    kinds = [Choice("x", stops).kind for stops in (["a", "b"], [False, True], [1, 2], [1, "all"])]
    assert kinds == ["buttons", "buttons", "slider", "slider"]
    assert Text("q", ["a", "b"]).kind == "text"


def test_a_link_means_a_stop_by_name_or_number_and_none_beside_it():
    base = Linear("b", 4000, 20000, step=500, unit="tokens")
    for text in ("12000", "12 000", "12 000 tokens", "12000.0", "1.2e4"):
        assert base.find(text) == 12000
    assert Choice("τ", [-0.5, 0.25]).find("−0.5") == Choice("τ", [-0.5, 0.25]).find("-0.5") == -0.5
    assert Choice("method", ["Heun's", "DDIM"]).find("ddim") == "DDIM"
    assert Choice("noise", [False, True]).find("yes") is True
    for text in ("12001", "", "tokens", "nan"):
        with pytest.raises(ValueError, match=rf"stop of 'b' must be one of .*, got '{text}'"):
            base.find(text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Powers("n", 1, 6), "first and last must be powers of 2, got 1 and 6"),
        (lambda: Powers("n", 8, 2), "must be positive and ascending"),
        (lambda: Powers("n", 1, 8, base=1), "base must be a whole number from 2 on, got 1"),
        (lambda: Linear("n", 0, 1, step=0.1, default=2), "default and landmarks of 'n' must lie from 0 to 1, got 2"),
        (lambda: Logarithmic("n", 1, 10, landmarks=[0.5]), "must lie from 1 to 10, got 0.5"),
        (lambda: Linear("n", 0, 1, step=0.1, landmarks=["a"]), "got 'a'"),
        (lambda: Choice("n", [1, 2], landmarks=[3]), "landmarks of 'n' must be among its stops (1, 2), got 3"),
        (lambda: Linear("n", 0, 1000, step=1), "stops of 'n' must be at most 400 values, got 1001"),
    ],
)
def test_stops_that_are_none_are_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_examples_are_text_and_a_twin_may_lie_in_a_file(tmp_path):
    with pytest.raises(TypeError, match="examples of 'q' must be text, got 3"):
        Text("q", ["a", 3])
    path = tmp_path / "twin.js"
    path.write_text("(values) => ({})\n")
    assert Text("q", ["a", "b"], twin=path).twin == Text("q", ["a", "b"], twin="(values) => ({})").twin

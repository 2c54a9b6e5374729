"""Statements that are checked, and means with their errors."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import sympy as sp

from kexue_core.notebook import check, estimate
from kexue_core.notebook.checks import MIME, Check, CheckError, Comparison, Estimate
from kexue_core.notebook.formats import format_estimate


@pytest.fixture
def lenient(monkeypatch):
    monkeypatch.delenv("KEXUE_STRICT", raising=False)


@pytest.fixture
def shown(monkeypatch):
    found = []
    monkeypatch.setattr("kexue_core.notebook.checks.display", found.append)
    return found


def test_statements_are_shown_in_order_and_not_returned(shown):
    assert check(True, "one") is check(np.bool_(True), "two") is check(sp.true, "three") is None
    assert [str(line) for line in shown] == ["✓ one", "✓ two", "✓ three"]
    bundle = shown[0]._repr_mimebundle_()
    assert bundle == {
        "text/plain": "✓ one",
        "text/markdown": "✓ one",
        MIME: {"statement": "one", "holds": True},
    }
    json.dumps(bundle)


def test_a_strict_run_stops_with_the_statement_and_the_values_in_one_line(shown):
    with pytest.raises(
        CheckError, match=r"does not hold: all below 1, got largest gap = 2\.5; where = \[1, 2\]"
    ) as error:
        check(np.float64(2.5) < 1, "all below 1", largest_gap=np.float64(2.5), where=[np.int64(1), np.int64(2)])
    assert error.value._render_traceback_() == [f"CheckError: {error.value}"]
    assert "\n" not in str(error.value)
    assert not shown


def test_a_live_kernel_notes_the_difference_and_goes_on(lenient, shown):
    check(False, "small", gap=3e-5)
    check(True, "still here")
    assert [str(line) for line in shown] == ["✗ does not hold here: small, got gap = 3e-5", "✓ still here"]
    assert not shown[0]._repr_mimebundle_()[MIME]["holds"]


@pytest.mark.parametrize(
    "value",
    [
        np.ones((30, 30)),
        {"a": np.nan},
        sp.Symbol("x"),
        None,
        float("nan"),
        np.inf,
        "words",
        [np.array([1, 2])],
        10**400,
    ],
)
def test_whatever_was_found_is_said_in_a_short_line(lenient, shown, value):
    check(False, "no", found=value)
    assert "found = " in str(shown[0])
    assert len(str(shown[0])) < 400
    assert "\n" not in str(shown[0])


@pytest.mark.parametrize("holds", [1, 0, None, "yes", np.nan, 1.0, sp.Symbol("x") > 0, [True], ()])
def test_only_a_truth_value_holds(holds, lenient):
    with pytest.raises(TypeError, match="holds must be one truth value"):
        check(holds, "something")


@pytest.mark.parametrize("holds", [np.array([True, True]), np.array([True]), np.zeros(0, bool)])
def test_of_an_array_one_says_what_is_meant(holds, lenient):
    with pytest.raises(TypeError, match=r"holds must be one truth value: say \.all\(\) or \.any\(\), got"):
        check(holds, "something")
    check(holds.all(), "all")


def test_a_statement_says_something(lenient):
    with pytest.raises(ValueError, match="statement must say what holds, got ' '"):
        check(True, " ")
    with pytest.raises(TypeError, match="statement must be a string, got True"):
        check(True, True)


def test_estimate_is_mean_and_standard_error():
    samples = np.array([1.0, 2, 3, 6])
    found = estimate(samples)
    assert (found.mean, found.n) == (3.0, 4)
    assert found.error == pytest.approx(samples.std(ddof=1) / 2, rel=1e-15)
    assert float(found) == 3.0
    assert str(estimate(np.repeat([True, False], 50))) == "0.50 ± 0.05 (n = 100)"


def test_the_error_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [estimate(one) for one in rng.exponential(size=(2000, 400))]
    inside = np.mean([abs(one.mean - 1) < one.error for one in found])
    assert 0.65 < inside < 0.71
    assert sum(abs(one.mean - 1) < 3 * one.error for one in found) > 1980


def test_equal_means_are_hardly_ever_called_different():
    rng = np.random.default_rng(1)
    answers = [(estimate(a) < estimate(b)).answer for a, b in rng.normal(size=(1000, 2, 200))]
    assert answers.count("undecided") > 990


@pytest.mark.parametrize(
    ("mean", "error", "text"),
    [
        (0.20617, 0.00068, "0.2062 ± 0.0007"), (0.20617, 0.0012, "0.2062 ± 0.0012"), (0.2, 0.00096, "0.2000 ± 0.0010"),
        (12346.0, 132.0, "12\u202f350 ± 130"), (12346.0, 2.0, "12\u202f346 ± 2"), (-0.5, 0.25, "−0.5 ± 0.2"),
        (0.001, 0.4, "0.0 ± 0.4"), (-0.001, 0.4, "0.0 ± 0.4"), (0.0, 0.0, "0 ± 0"), (2.5, 0.0, "2.5 ± 0"),
        (3.21e-9, 2e-11, "(3.21 ± 0.02)e-9"), (4.5e8, 3e7, "(4.5 ± 0.3)e8"), (0.0, 2e-7, "(0 ± 2)e-7"),
        (9.996, 0.04, "10.00 ± 0.04"), (99.99999e5, 4.0, "9\u202f999\u202f999 ± 4"),
    ],
)  # fmt: skip
def test_a_mean_has_the_digits_that_its_error_leaves(mean, error, text):
    assert format_estimate(mean, error) == text


@pytest.mark.parametrize("pair", [(np.nan, 1.0), (1.0, np.inf), (1.0, -1.0)])
def test_a_mean_and_its_error_are_finite(pair):
    with pytest.raises(ValueError, match="mean and error must be finite"):
        format_estimate(*pair)


def test_comparisons_answer_yes_no_or_undecided():
    a, b, c = Estimate(1.0, 0.03, 100), Estimate(1.2, 0.04, 100), Estimate(1.1, 0.04, 100)
    assert [(a < b).answer, (a > b).answer, (b < a).answer, (b > a).answer] == ["yes", "no", "no", "yes"]
    assert (a < c).answer == (c > a).answer == "undecided"
    assert str(a < b) == "yes: the difference is −0.20 ± 0.05"
    assert (Estimate(1.0, 0.25, 9) > 0.25).answer == "yes"  # exactly three standard errors
    assert (Estimate(1.0, 0.26, 9) > 0.25).answer == "undecided"


def test_numbers_may_stand_on_either_side():
    a = Estimate(1.0, 0.03, 100)
    for number in (2, 2.0, np.float64(2), np.int64(2), sp.Integer(2)):
        assert (a < number).answer == "yes"
    assert all((number > a).answer == "yes" for number in (2, np.float64(2), np.float32(2)))
    with pytest.raises(TypeError):
        _ = a < "2"
    with pytest.raises(ValueError, match="finite number, got nan"):
        _ = a < np.nan


def test_undecided_passes_for_nothing(lenient, shown):
    a, b, far = Estimate(1.0, 0.1, 9), Estimate(1.1, 0.1, 9), Estimate(5.0, 0.1, 9)
    for use in (bool, lambda c: c and True, lambda c: not c, lambda c: all([c])):
        with pytest.raises(ValueError, match="a comparison must be decided to be true or false, got undecided"):
            use(a < b)
    check(a < b, "smaller")
    assert str(shown[0]).startswith("✗ does not hold here: smaller, got undecided: the difference is −0.10 ± 0.14")
    assert ((a < far) & (b < far)).answer == "yes"
    assert ((a < far) & (a < b)).answer == "undecided"
    assert ((a < b) & (far < a)).answer == "no"
    with pytest.raises(TypeError):
        _ = (a < far) & True


def test_undecided_stops_a_strict_run():
    with pytest.raises(CheckError, match=r"does not hold: smaller, got undecided: the difference is"):
        check(Estimate(1.0, 0.1, 9) < Estimate(1.1, 0.1, 9), "smaller")
    with pytest.raises(CheckError, match=r"got no: the difference is"):
        check(Estimate(1.0, 0.1, 9) > Estimate(2.1, 0.1, 9), "larger")


def test_samples_without_spread_decide_nothing():
    assert estimate([0.1] * 7).error == 0
    assert (estimate([0.1] * 7) < estimate([0.2] * 7)).answer == "undecided"


def test_paired_differences_decide_what_two_means_cannot():
    rng = np.random.default_rng(3)
    level, gain = rng.normal(size=300), rng.normal(0.05, 0.1, size=300)
    assert (estimate(level) < estimate(level + gain)).answer == "undecided"
    assert (estimate(gain) > 0).answer == "yes"


@pytest.mark.parametrize("samples", [[], [1.0], 3.0, np.ones((4, 2))])
def test_samples_are_a_vector_of_two_or_more(samples):
    with pytest.raises(ValueError, match="samples must be a vector of at least two numbers, got shape"):
        estimate(samples)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_are_finite(bad):
    with pytest.raises(ValueError, match=f"samples must be finite, got {bad}"):
        estimate([1.0, bad, 2.0])


def test_a_comparison_and_a_check_are_values():
    assert Comparison("yes", "x") == Comparison("yes", "x")
    assert repr(Check("s", True)) == "✓ s"


def test_in_a_kernel_a_failed_check_is_one_line_and_several_stand_in_one_cell():
    cells = [
        "from kexue_core.notebook import check\ncheck(True, '$a$')\ncheck(True, 'b')\n7",
        "check(1 > 2, 'c', one=1)",
    ]
    code = (
        "import json, nbformat.v4 as v, nbclient;"
        f"notebook = v.new_notebook(cells=[v.new_code_cell(source) for source in {cells}]);"
        "nbclient.NotebookClient(notebook, allow_errors=True).execute();"
        "print(json.dumps([cell.outputs for cell in notebook.cells]))"
    )
    runs = {}
    for strict in ("1", "0"):
        env = {**os.environ, "KEXUE_STRICT": strict}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        runs[strict] = json.loads(done.stdout)
    three = [output["data"]["text/plain"] for output in runs["1"][0]]
    assert three == ["✓ $a$", "✓ b", "7"]
    (error,) = runs["1"][1]
    assert error["traceback"] == ["CheckError: does not hold: c, got one = 1"]
    (note,) = runs["0"][1]
    assert note["data"]["text/markdown"] == "✗ does not hold here: c, got one = 1"

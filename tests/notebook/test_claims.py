"""Figures of others, errata, and the way numbers are written."""

import re

import numpy as np
import pytest

from kexue_core.notebook import erratum, estimate, reproduce
from kexue_core.notebook.checks import CheckError
from kexue_core.notebook.claims import ERRATUM_MIME, KINDS, MIME, Claim
from kexue_core.notebook.formats import format_number


def compare(ours, published, **options):
    return reproduce("x", ours, published, "nowhere", **{"kind": "printed", **options})


@pytest.fixture
def lenient(monkeypatch):
    monkeypatch.delenv("KEXUE_STRICT", raising=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (7, "7"), (1234567, "1\u202f234\u202f567"), (-1024, "−1024"), (-65536, "−65\u202f536"), (True, "yes"),
        (np.bool_(False), "no"), (np.float64(1707.0), "1707"), (0.30000000000000004, "0.3"), (99.999, "100"),
        (123456.7, "123\u202f500"), (1e-4, "0.0001"), (0.00001234, "1.234e-5"), (3.9e8, "3.9e8"), (-0.5, "−0.5"),
        (np.inf, "∞"), (-np.inf, "−∞"), ("euler", "euler"), (-0.0, "0"), (9999.6, "10\u202f000"),
    ],
)  # fmt: skip
def test_numbers_are_written_with_four_digits(value, text):
    assert format_number(value) == text


def test_nan_and_arrays_are_not_numbers():
    with pytest.raises(ValueError, match="must not be NaN, got nan"):
        format_number(np.nan)
    with pytest.raises(TypeError, match="must be a number or a string, got"):
        format_number(np.ones(2))


def test_a_claim_shows_both_figures_and_carries_its_data():
    claim = reproduce(
        "b*", [4293.4, 11587.2], ["4.3e3", "1.2e4"], "Table 1", kind="printed", labels=["1k", "2k"]
    )  # fmt: skip
    assert "4293" in str(claim)
    data = claim._repr_mimebundle_()[MIME]
    assert data["rows"][0] == ["1k", "4.3e3", "4293", "0.15 %", ""]
    assert (data["kind"], data["tolerance"]) == ("printed", "to the printed digits")
    assert Claim(**data).html() == claim.html() == claim._repr_mimebundle_()["text/html"]
    assert "<caption>b*" in claim.html()


@pytest.mark.parametrize("kind", KINDS)
def test_every_claim_says_what_kind_of_figure_it_is(kind):
    assert KINDS[kind] in str(compare(1.0, "1.0", kind=kind))


def test_a_kind_is_required_and_known():
    with pytest.raises(TypeError, match="kind"):
        reproduce("x", 1, "1", "nowhere")
    with pytest.raises(ValueError, match="kind must be one of printed, program, theorem, got 'published'"):
        compare(1, "1", kind="published")


@pytest.mark.parametrize(
    ("ours", "printed"),
    [
        (0.125, "0.13"), (2.5, "3"), (-2.5, "−3"), (-0.125, "-0.13"), (2.4999999999999996, "3"), (0.1 + 0.2, "0.3"),
        (1.005, "1.01"), (1.005, "1.00"), (0.50449, "0.50"), (4349.0, "4.3e3"), (0.0049, "0.00"), (9.996, "10.0"),
        (1234567.4, "1\u202f234\u202f567"),
    ],
)  # fmt: skip
def test_ours_may_be_anything_that_a_printer_rounds_to_the_figure(ours, printed):
    assert compare(ours, printed).differing == 0


@pytest.mark.parametrize(
    ("ours", "printed"),
    [
        (0.506, "0.50"),
        (0.506, "0.5001"),
        (4351.0, "4.3e3"),
        (4293.0, "4300"),
        (0.0051, "0.00"),
        (-1.0, "1"),
        (1.6, "1"),
    ],
)
def test_printed_digits_count_with_their_zeros(ours, printed):
    with pytest.raises(CheckError, match="does not agree"):
        compare(ours, printed)


def test_fewer_digits_than_printed_can_be_said():
    assert "agrees to 2 digits" in str(compare(33.48, "33.0", digits=2))
    with pytest.raises(CheckError, match=r"1 of 1 figures, to 3 digits: x: does not agree: 33.0 and ours 33.48"):
        compare(33.48, "33.0", digits=3)
    with pytest.raises(ValueError, match="digits must be a whole number from 2 to the printed 3, got 4"):
        compare(33.48, "33.0", digits=4)


@pytest.mark.parametrize(
    ("ours", "published", "tolerance"),
    [(1.26, 1.2, {"digits": 2}), (1.1, 1.0, {"rtol": 0.05}), (0.2, 0.0, {"atol": 1e-7}), (-1.0, 1.0, {"digits": 3})],
)
def test_figures_that_do_not_agree_raise(ours, published, tolerance):
    with pytest.raises(CheckError, match="1 of 1 figures"):
        compare(ours, published, **tolerance)


@pytest.mark.parametrize("rtol", [100, np.inf, 0.11, 0, -0.01, np.nan])
def test_a_relative_tolerance_says_something(rtol):
    with pytest.raises(ValueError, match=r"rtol must be positive and at most 0.1, got"):
        compare(1.0, 1.0, rtol=rtol)


@pytest.mark.parametrize("atol", [1e9, np.inf, 0.021, 0, -1.0, np.nan])
def test_an_absolute_tolerance_is_small_against_the_smallest_figure(atol):
    with pytest.raises(ValueError, match=r"atol must be positive and at most 0.02 for these figures, got"):
        compare([0.2, 0.0, 5.0], [0.2, 0.0, 5.0], atol=atol)
    with pytest.raises(ValueError, match=r"atol must be positive and at most 1e-06"):
        compare([0.0], [0], atol=1e-3)


@pytest.mark.parametrize("digits", [1, 0, -2, 16, 2.0, True])
def test_one_digit_agrees_only_with_a_figure_that_was_printed_so(digits):
    with pytest.raises(ValueError, match="digits must be a whole number from 2 to the printed 15, got"):
        compare(1.4, 1, digits=digits)


def test_a_float_vouches_for_fifteen_digits():
    assert compare(0.1 + 0.2, "0.300000000000000").differing == 0
    with pytest.raises(
        ValueError, match=r"digits must be given for more than 15 printed digits, got '0\.3000000000000000'"
    ):
        compare(0.1 + 0.2, "0.3000000000000000")
    assert compare(0.1 + 0.2, "0.30000000000000000", digits=15).differing == 0
    with pytest.raises(ValueError, match="from 2 to the printed 15, got 17"):
        compare(0.1 + 0.2, "0.30000000000000000", digits=17)


@pytest.mark.parametrize(
    ("low", "high", "printed"), [(951, 1499, "1e3"), (9.96, 10.4, "1.0e1"), (9.6e-6, 1.4e-5, "1E-5")]
)
def test_below_a_power_of_ten_a_printer_has_a_digit_more(low, high, printed):
    assert compare([low, high], [printed, printed], labels=["a", "b"]).differing == 0
    with pytest.raises(CheckError, match="does not agree"):  # it would be printed as 9.4e2, say
        compare(low * 0.98, printed)


def test_a_figure_of_zero_has_no_relative_size():
    with pytest.raises(ValueError, match="rtol must not be given for a figure of 0"):
        compare(0.3, 0, rtol=0.05)
    with pytest.raises(ValueError, match="digits must not be given for a figure of 0"):
        compare(0.3, 0, digits=2)
    assert compare([0.0, 1e-12], [0, 0], atol=1e-9, labels=["a", "b"]).rows[1][3] == "±1e-12"


def test_bad_claims_are_refused():
    with pytest.raises(ValueError, match=r"must have one length, got \(2,\), \(1,\), 1"):
        compare([1, 2], ["1"])
    with pytest.raises(ValueError, match=r"must have one length"):
        compare([1, 2], ["1", "2"], labels=["a"])
    with pytest.raises(ValueError, match=r"or all figures as printed, got \[\]"):
        compare(1, 1)
    with pytest.raises(ValueError, match=r"or all figures as printed, got \[\]"):
        compare([1, 1], ["1", 1])
    with pytest.raises(ValueError, match=r"got \['atol', 'rtol'\]"):
        compare(1, 1, rtol=0.1, atol=0.1)
    with pytest.raises(ValueError, match="published must hold at least one figure, got none"):
        compare([], [], rtol=0.1)
    with pytest.raises(ValueError, match="source must not be empty, got ' '"):
        reproduce("x", 1, "1", " ", kind="printed")
    with pytest.raises(ValueError, match="what must not be empty, got ''"):
        reproduce("", 1, "1", "nowhere", kind="printed")
    with pytest.raises(TypeError, match="source must be a string, got None"):
        reproduce("x", 1, "1", None, kind="printed")
    with pytest.raises(ValueError, match="numbers as they are printed, got 'about 3'"):
        compare(3, "about 3")
    for ours, published in ((np.nan, "1"), (np.inf, "1"), (1, np.nan)):
        with pytest.raises(ValueError, match="must be finite"):
            compare(ours, published, **({} if isinstance(published, str) else {"rtol": 0.1}))


def test_a_mean_with_its_error_counts_with_its_mean():
    assert compare(estimate([0.9, 1.1]), "1.0").rows[0][2] == "1"


def test_what_differs_stands_in_the_same_table_with_its_reason():
    claim = compare([1.0, 2.6, 3.0], ["1.0", "2.0", "3.0"], labels="abc", differs={"b": "a slip"})
    assert claim.differing == 1
    assert str(claim).splitlines()[3:] == ["b  2.0      2.6   30 %", "  ≠ a slip", "c  3.0      3     0"]
    assert "agrees to the printed digits, except where said" in str(claim)
    assert '<tr class="kx-why"><td colspan="4">≠ a slip</td></tr>' in claim.html()
    assert compare([2.6], ["2.0"], differs={0: "a slip"}).differing == 1
    assert "would agree to the printed digits, does not" in str(compare([2.6], ["2.0"], differs={0: "a slip"}))


def test_a_row_that_agrees_must_not_be_said_to_differ():
    with pytest.raises(CheckError, match=r"b: said to differ, but agrees: 2.0 and ours 2"):
        compare([1.0, 2.0], ["1.0", "2.0"], labels="ab", differs={"b": "a slip"})


@pytest.mark.parametrize("differs", [{"c": "?"}, {2: "?"}, {-1: "?"}, {"a": "?"}, {1: "?", "b": "?"}, {"": "?"}])
def test_every_differing_row_is_named_once(differs):
    with pytest.raises(ValueError, match="differs must name each figure once, by its label or its index, got"):
        compare(
            [9.0, 9.0, 9.0], ["1.0"] * 3, labels=["a", "b", "a"], differs=differs if differs != {2: "?"} else {3: "?"}
        )


def test_a_reason_is_given():
    with pytest.raises(ValueError, match="the reason of differs must not be empty, got ''"):
        compare(9.0, "1.0", differs={0: ""})


def test_a_live_kernel_notes_what_does_not_agree_and_goes_on(lenient):
    claim = compare([1.0, 2.6, 3.0], ["1.0", "2.0", "3.0"], labels="abc", differs={"c": "a slip"})
    assert [row[4] for row in claim.rows] == ["", "does not agree here", "said to differ, but agrees here"]
    assert [row[2:] for row in compare([np.nan], ["1"]).rows] == [("–", "–", "does not agree here")]
    assert compare([1.0, 2.0], ["1", "2", "3"], labels="abc").differing == 3


def test_a_long_table_is_folded_under_a_line_that_counts():
    def shown(n):
        labels = [f"row {k}" for k in range(n)]
        return reproduce(
            "a", [1.0] * n, ["1"] * (n - 1) + ["3"], "s", kind="printed", labels=labels, differs={n - 1: "no"}
        )

    assert shown(24).html().startswith("<table")
    assert shown(25).html().startswith("<details><summary>a: 24 of 25 agree</summary><table")
    assert str(shown(25)).count("\n") == str(shown(24)).count("\n") + 1


def test_thousands_of_a_source_are_set_apart_in_the_page_and_left_alone_in_the_data():
    claim = reproduce("sizes", [36864, 1024, 0.123456], ["36864", "1024", "0.123456"], "s", kind="program")
    cells = re.findall("<td>([^<]+)</td>", claim.html())
    assert cells[::3] == ["36\u202f864", "1024", "0.123456"] == cells[1::3]
    assert [row[1] for row in claim.rows] == ["36864", "1024", "0.123456"]
    assert "36864" in str(claim)


def test_a_long_count_is_written_in_full_beside_the_printed_one():
    claim = reproduce("parameters", 46702792704.0, "46702792704", "a script", kind="program")
    assert claim.rows[0][2] == "46\u202f702\u202f792\u202f704"
    assert claim.html().count("46\u202f702\u202f792\u202f704") == 2
    rounded = reproduce("a mean", 46702792704.4, "46702792704", "a script", kind="program")
    assert rounded.rows[0][2] == "4.67027927e10"  # is no count


def test_markup_in_a_claim_is_shown_not_interpreted():
    assert "<script>" not in reproduce("<script>", 1, "1", "a & b", kind="printed").html()


def box(**changed):
    texts = {
        "what": "A formula",
        "printed": "$1=2$",
        "where": "section 1",
        "shown": "$1$ is not $2$.",
        "reading": "for $1=1$.",
    }
    return erratum(**{**texts, "refuted": True, "holds": True, **changed})


def test_an_erratum_says_what_is_printed_what_refutes_it_and_what_holds():
    bundle = box()._repr_mimebundle_()
    assert bundle["text/markdown"].splitlines() == [
        "> **Erratum.** A formula", ">", "> **Printed in section 1:** $1=2$", ">", "> **But** $1$ is not $2$.", ">",
        "> **It holds** for $1=1$.",
    ]  # fmt: skip
    assert bundle[ERRATUM_MIME]["printed"] == "$1=2$"
    assert "**" not in bundle["text/plain"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"refuted": False}, "the counterexample does not refute the printed statement here: A formula"),
        ({"holds": np.bool_(False)}, "the reading does not hold here: A formula"),
        ({"holds": estimate([0.0, 1.0]) < 0.6}, "the reading does not hold here: A formula"),
    ],
)
def test_an_erratum_is_checked(changed, message, monkeypatch):
    with pytest.raises(CheckError, match=message):
        box(**changed)
    monkeypatch.delenv("KEXUE_STRICT")
    assert f"✗ {message}" in str(box(**changed))


def test_an_erratum_has_words_and_truth_values():
    with pytest.raises(ValueError, match="shown must not be empty, got ''"):
        box(shown="")
    with pytest.raises(TypeError, match=r"refuted must be one truth value: say .all"):
        box(refuted=np.array([True, True]))

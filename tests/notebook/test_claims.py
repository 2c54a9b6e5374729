"""Claims and the way numbers are written."""

import numpy as np
import pytest

from kexue_core.notebook.claims import MIME, reproduce
from kexue_core.notebook.formats import format_number


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
    claim = reproduce("b*", [4293.4, 11587.2], [4300, 12000], "Table 1", digits=2, labels=["1k", "2k"])
    assert "4293" in str(claim)
    data = claim._repr_mimebundle_()[MIME]
    assert data["rows"][0][:2] == ["1k", "4300"]
    assert data["tolerance"] == "to 2 digits"
    assert "<caption>b*" in claim._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("ours", "published", "tolerance"),
    [(1.26, 1.2, {"digits": 2}), (1.1, 1.0, {"rtol": 0.05}), (0.2, 0.0, {"atol": 0.1}), (-1.0, 1.0, {"digits": 1})],
)
def test_figures_that_do_not_agree_raise(ours, published, tolerance):
    with pytest.raises(AssertionError, match="1 of 1 figures do not agree"):
        reproduce("x", ours, published, "nowhere", **tolerance)


def test_bad_claims_are_refused():
    with pytest.raises(ValueError, match=r"must have one length, got \(2,\), \(1,\), 2"):
        reproduce("x", [1, 2], [1], "nowhere", digits=1)
    with pytest.raises(ValueError, match=r"must have one length"):
        reproduce("x", [1, 2], [1, 2], "nowhere", digits=1, labels=["a"])
    with pytest.raises(ValueError, match=r"exactly one of digits, rtol and atol must be given, got \[\]"):
        reproduce("x", 1, 1, "nowhere")
    with pytest.raises(ValueError, match=r"got \['atol', 'rtol'\]"):
        reproduce("x", 1, 1, "nowhere", rtol=1, atol=1)
    with pytest.raises(ValueError, match="must be finite"):
        reproduce("x", np.nan, 1, "nowhere", rtol=1)


def test_markup_in_a_claim_is_shown_not_interpreted():
    assert "<script>" not in reproduce("<script>", 1, 1, "a & b", rtol=1)._html()

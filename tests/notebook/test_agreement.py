"""The agreement of a formula with a function: what it compares, what it refuses, what it says."""

import mpmath
import numpy as np
import pytest
import sympy as sp

from kexue_core.notebook.agreement import agreement

x, y = sp.symbols("x y", real=True)


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.setenv("KEXUE_STRICT", "1")


def test_agreement_reports_the_worst_point_and_refuses_disagreement():
    good = agreement(sp.exp(x), np.exp, {x: [-1.0, 0.0, 2.0]})
    assert good.points == 3
    assert 0 <= good.deviation <= 1
    assert set(good.worst) == {"x"}
    with pytest.raises(AssertionError, match=r"worst point \{'x': 2.0\}"):
        agreement(sp.exp(x), lambda v: 1 + v + v**2 / 2, {x: [0.0, 0.1, 2.0]}, rtol=9e-3)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_value_that_is_not_finite_fails_wherever_it_stands(place):
    values = [0.0, 1.0, 2.0]
    for bad in (np.nan, np.inf):
        with pytest.raises(AssertionError, match=f"worst point {{'x': {values[place]}}}"):
            agreement(sp.exp(x), lambda v, bad=bad: bad if v == values[place] else np.exp(v), {x: values})
    row = sp.Matrix([[x, x, x]])
    with pytest.raises(AssertionError, match="worst point"):
        agreement(row, lambda v: np.where(np.arange(3) == place, np.nan, v)[None], {x: [1.0]})


@pytest.mark.parametrize(
    ("formula", "function", "grid", "options", "reason"),
    [
        (x + y, np.add, {x: [0.0]}, {}, r"none for \['y'\]"),
        (x, np.abs, {x: []}, {}, "at least one point"),
        (x, np.abs, {x: [1.0, 1.0]}, {}, "not repeat a value"),
        (sp.sin(x), lambda v: v, {x: [0.0]}, {}, "a point where the formula is not zero"),
        (x * (x - 1), lambda v: 0.0, {x: [0.0, 1.0]}, {}, "a point where the formula is not zero"),
        (x, str, {x: [1.0]}, {}, "function must return numbers, got '1.0'"),
        (x, lambda v, u: v, {x: [1.0], y: [1.0, 2.0]}, {}, "y, which changes nothing"),
        (x, lambda v: [v, v], {x: [1.0]}, {}, "function must return one number"),
        (sp.ones(2, 3) * x, lambda v: v * np.ones((3, 2)), {x: [1.0]}, {}, r"must return \(2, 3\), got shape \(3, 2\)"),
        (sp.ones(1, 4) * x, lambda v: v * np.ones((2, 2)), {x: [1.0]}, {}, r"must return \(1, 4\)"),
        (x, np.abs, {x: [1.0]}, {"rtol": np.inf}, "rtol must lie strictly between 0 and 0.01, got inf"),
        (x, np.abs, {x: [1.0]}, {"rtol": 0.5}, "rtol must lie strictly"),
        (x, np.abs, {x: [1.0]}, {"rtol": -5}, "rtol must lie strictly"),
        (x, np.abs, {x: [1.0]}, {"rtol": np.nan}, "rtol must lie strictly"),
        (x, np.abs, {x: [1.0]}, {"rtol": "1"}, "rtol must lie strictly"),
        (x, np.abs, {x: [1.0]}, {"atol": np.inf}, "atol must be finite and not negative, got inf"),
        (x, np.abs, {x: [1.0]}, {"atol": -1e-9}, "atol must be finite and not negative"),
    ],
)
def test_what_would_make_a_comparison_vacuous_is_refused(formula, function, grid, options, reason):
    with pytest.raises(ValueError, match=reason):
        agreement(formula, function, grid, **options)


def test_whole_numbers_of_any_size_are_compared():
    assert agreement(x**2, lambda v: v * v, {x: [10**20, 3]}).deviation == 0


def test_every_entry_is_judged_on_its_own_scale():
    small = sp.Matrix([x, x / 10**9])
    with pytest.raises(AssertionError, match="worst point"):
        agreement(small, lambda v: np.array([v, -5e-9 * v]), {x: [1.0]}, rtol=1e-8)
    assert "of each entry" in repr(agreement(small, lambda v: np.array([v, v / 1e9]), {x: [1.0]}))


def test_the_sentence_states_both_tolerances_truly():
    zero = agreement(x, lambda v: v + 1e-14, {x: [0.0, 1.0]}, rtol=1e-9, atol=1e-13)
    assert repr(zero) == "formula and function agree at 2 points, within 1e-9 + 1e-13 absolute"
    with pytest.raises(AssertionError, match="formula gives"):
        agreement(x, lambda v: v + 1e-14, {x: [0.0, 1.0]})  # an absolute gap where the formula is zero


@pytest.mark.parametrize("formula", [1 / x, sp.sin(x) / x, sp.log(x), sp.gamma(x)])
def test_a_grid_holds_no_pole_of_the_formula(formula):
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match="grid must hold points where the formula is finite"),
    ):
        agreement(formula, lambda v: np.float64(1) / v, {x: [1.0, 0.0]})


ASSUMED = [
    ({"integer": True}, 0.5, 2.0),
    ({"even": True}, 3, 4),
    ({"positive": True}, -1.0, 0),
    ({"negative": True}, 1e-300, 0),
    ({"real": True}, 1j, -1.5),
    ({"integer": True, "nonnegative": True}, np.int64(-1), 10**400),
]


@pytest.mark.parametrize(("assumed", "wrong", "right"), ASSUMED)
def test_a_grid_keeps_what_is_assumed_of_its_symbols(assumed, wrong, right):
    y = sp.Symbol("y", **assumed)
    agreement(y + 1, lambda v: v + 1, {y: [right]})
    with pytest.raises(ValueError, match=r"grid must keep what is assumed, y is \w+, got "):
        agreement(y + 1, lambda v: v + 1, {y: [right, wrong]})


def test_a_live_kernel_is_told_of_a_difference_and_goes_on(monkeypatch):
    monkeypatch.delenv("KEXUE_STRICT")
    found = agreement(sp.exp(x), lambda v: 1 + v, {x: [0.5]})
    assert repr(found).startswith("✗ formula and function differ, worst point {'x': 0.5}: function gives 1.5")


def test_a_formula_without_symbols_needs_no_grid():
    assert agreement(sp.Matrix([[1, 2]]), lambda: np.array([[1.0, 2.0]]), {}).points == 1


def test_agreement_compares_matrices_entry_by_entry_and_sees_what_doubles_hide():
    matrix = sp.Matrix([[sp.cos(x), -sp.sin(x)], [sp.sin(x), sp.cos(x)]])
    rotation = lambda v: np.array([[np.cos(v), -np.sin(v)], [np.sin(v), np.cos(v)]])  # noqa: E731
    assert agreement(matrix, rotation, {x: [0.25, 0.5]}).points == 2
    with pytest.raises(AssertionError):
        agreement(matrix, lambda v: rotation(v).T, {x: [0.5]})
    with pytest.raises(AssertionError):  # cancellation: 1 - cos in doubles has no digit left
        agreement(1 - sp.cos(x), lambda v: 1 - np.cos(v), {x: [1e-8]})
    assert mpmath.mp.dps == 15

"""The derivation layer: what it proves, what it refuses, what it says of a step."""

import mpmath
import numpy as np
import pytest
import sympy as sp

from kexue_core.notebook.derivation import MIME, Derivation, StepError, agreement

x, y = sp.symbols("x y", real=True)
a, b, t = sp.symbols("a b t", positive=True)
n = sp.symbols("n", integer=True, positive=True)
f = sp.Function("f")


TRUE = [
    (sp.sin(x) ** 2, 1 - sp.cos(x) ** 2),
    (sp.sin(x + y), sp.sin(x) * sp.cos(y) + sp.cos(x) * sp.sin(y)),
    (sp.log(a * b), sp.log(a) + sp.log(b)),
    (sp.Integral(sp.exp(-a * t), (t, 0, sp.oo)), 1 / a),
    (sp.Sum(n, (n, 1, 10)), sp.Integer(55)),
    (sp.Derivative(f(x) ** 2, x), 2 * f(x) * sp.Derivative(f(x), x)),
    (sp.sqrt(3 + 2 * sp.sqrt(2)), 1 + sp.sqrt(2)),
    (sp.gamma(a + 1), a * sp.gamma(a)),
    (sp.tanh(x), (sp.exp(x) - sp.exp(-x)) / (sp.exp(x) + sp.exp(-x))),
    (sp.cos(sp.pi * n), (-1) ** n),
    (sp.Matrix([sp.sin(x) ** 2, a]), sp.Matrix([1 - sp.cos(x) ** 2, a])),
]


@pytest.mark.parametrize(("old", "new"), TRUE, ids=[str(i) for i in range(len(TRUE))])
def test_true_steps_are_proved(old, new):
    assert Derivation(old).step(new, "true").result == sp.sympify(new).as_immutable() if hasattr(new, "rows") else new


@pytest.mark.parametrize(
    ("old", "new", "residual"),
    [
        ((x + 1) ** 2, x**2 + 1, "2*x"),
        (sp.sin(x) ** 2, 1 + sp.cos(x) ** 2, "residual"),
        (sp.log(a * b), sp.log(a) - sp.log(b), "log"),
        (sp.Integral(2 * t, (t, 0, 3)), sp.Integer(8), "residual 1"),
        (sp.sqrt(x**2), x, "residual"),  # true for positive x only
        (sp.Matrix([a, b]), sp.Matrix([a, -b]), "2*b"),
        (sp.pi, sp.Rational(355, 113), "residual"),
    ],
)
def test_false_steps_are_refused_and_the_residual_is_named(old, new, residual):
    chain = Derivation(old)
    with pytest.raises(StepError, match="step 'wrong' does not follow") as caught:
        chain.step(new, "wrong")
    assert residual in str(caught.value)
    assert chain.steps == []


def test_a_true_step_that_sympy_cannot_prove_is_refused_with_advice():
    quartic = sp.Integral(sp.exp(-(t**4)) * sp.cos(sp.exp(-t)), (t, 0, 1))
    with pytest.raises(StepError, match=r"cannot prove it|does not follow"):
        Derivation(quartic).step(quartic.subs(t, b) + sp.Rational(1, 10**40), "tiny")


def test_a_line_that_repeats_the_one_before_is_refused():
    with pytest.raises(StepError, match="repeats the line before"):
        Derivation(a * b / a).step(b, "cancel")  # SymPy had cancelled already


def test_given_identities_may_be_used_and_are_shown():
    p = sp.symbols("p1:4", positive=True)
    total = sp.Eq(p[2], 1 - p[0] - p[1])
    chain = Derivation(p[0] * (1 - p[0])).step(p[0] * (p[1] + p[2]), "the rest", given=total)
    assert "given" in chain._repr_latex_()
    with pytest.raises(StepError):
        Derivation(p[0] * (1 - p[0])).step(p[0] * (p[1] + p[2]), "the rest")


def test_equations_may_be_rearranged_and_multiplied_by_a_number():
    chain = Derivation(sp.Eq(x**2 - 2 * x, 3)).step(sp.Eq(x**2 - 2 * x - 3, 0), "move")
    chain.step(sp.Eq(6, 2 * x**2 - 4 * x), "twice, and back")
    with pytest.raises(StepError):
        chain.step(sp.Eq(6, 2 * x**2 + 4 * x), "wrong sign")
    with pytest.raises(TypeError, match="that SymPy leaves open, got True"):
        chain.step(sp.Eq(0, 0), "says nothing")
    with pytest.raises(StepError):
        chain.step(sp.Eq(x, x, evaluate=False), "says nothing either")


def test_both_sides_must_be_what_was_done_to_them():
    chain = Derivation(sp.Eq(t**2, a)).step(sp.Eq(2 * sp.log(t), sp.log(a)), "logarithm", both_sides=sp.log)
    with pytest.raises(StepError):
        chain.step(sp.Eq(t, a), "exponential", both_sides=sp.exp)


def test_a_solution_must_hold_for_every_root():
    square = Derivation(sp.Eq(x**2, 4))
    with pytest.raises(StepError):
        square.step(sp.Eq(x, 2), "root", solve_for=x)  # forgets -2
    assert Derivation(sp.Eq(t**2, 4)).step(sp.Eq(t, 2), "root", solve_for=t).result == sp.Eq(t, 2)
    with pytest.raises(StepError):
        Derivation(sp.Eq(t**2, 4)).step(sp.Eq(a, a, evaluate=False), "nothing of t", solve_for=t)


def test_limits_are_computed():
    chain = Derivation((1 + b * t) ** (1 / b)).limit(sp.exp(t), "compound interest", var=b, to=0)
    assert r"\longrightarrow" in chain._repr_latex_()
    assert "limit" in chain._repr_latex_()
    with pytest.raises(StepError):
        Derivation((1 + b * t) ** (1 / b)).limit(sp.exp(-t), "wrong sign", var=b, to=0)


def test_a_series_must_agree_up_to_its_order_and_not_beyond():
    Derivation(sp.sin(x)).series(x - x**3 / 6, "Taylor", var=x, order=5)
    with pytest.raises(StepError):
        Derivation(sp.sin(x)).series(x - x**3 / 6, "Taylor", var=x, order=6)
    with pytest.raises(StepError):
        Derivation(sp.sin(x)).series(x + x**3 / 6, "Taylor", var=x, order=5)


def test_bounds_need_a_proof_from_the_assumptions():
    chain = Derivation(a**2).bound(a**2 + b, "b is positive")
    assert r"\le" in chain._repr_latex_()
    assert Derivation(a + b).bound(a, "drop", relation=">=").result == a
    with pytest.raises(StepError):
        Derivation(a**2).bound(a**2 - b, "wrong")
    with pytest.raises(StepError, match="cannot prove"):
        Derivation(x).bound(y, "unknown")
    with pytest.raises(ValueError, match="relation must be one of '<=', '>=', got '<'"):
        Derivation(a).bound(b, "strict", relation="<")


def test_numeric_steps_say_that_they_are_not_proved():
    chain = Derivation(sp.zeta(3)).numeric(sp.Sum(1 / n**3, (n, 1, sp.oo)), "definition", at=[{}])
    assert "not proved" in chain._repr_latex_()
    with pytest.raises(StepError, match="residual"):
        Derivation(sp.sin(x)).numeric(x, "small angle", at=[{x: sp.Rational(1, 1000)}])
    with pytest.raises(ValueError, match="at must hold at least one point, got none"):
        Derivation(x).numeric(x, "nowhere", at=[])


def test_bad_lines_are_refused():
    with pytest.raises(TypeError, match="a line must be"):
        Derivation([1, 2])
    with pytest.raises(TypeError, match="a line must be"):
        Derivation(x).step(sp.Eq(1, 1), "decided")
    with pytest.raises(StepError, match="mixes"):
        Derivation(x).step(sp.Eq(x, y), "mixed")
    with pytest.raises(ValueError, match="dollars in pairs"):
        Derivation(x, "half a $ formula")._repr_latex_()


def test_the_rendering_is_one_aligned_block_with_reasons():
    chain = Derivation(sp.Integral(t, (t, 0, a)), "area of a triangle", name=r"\mathcal{A}").step(
        a**2 / 2, "with $a>0$"
    )
    latex = chain._repr_latex_()
    assert latex.count(r"\begin{aligned}") == latex.count(r"\end{aligned}") == 1
    assert r"\text{area of a triangle}" in latex
    assert r"\text{with }a>0" in latex
    assert chain._repr_mimebundle_()[MIME] == {"steps": 1, "kinds": ["step"]}


def test_agreement_reports_the_worst_point_and_refuses_disagreement():
    good = agreement(sp.exp(x), np.exp, {x: [-1.0, 0.0, 2.0]})
    assert good.points == 3
    assert good.deviation <= 1e-12
    assert set(good.worst) == {"x"}
    with pytest.raises(AssertionError, match=r"worst point \{'x': 2.0\}"):
        agreement(sp.exp(x), lambda v: 1 + v + v**2 / 2, {x: [0.0, 0.1, 2.0]}, rtol=1e-2)


def test_agreement_refuses_nan_missing_symbols_empty_grids_and_wrong_shapes():
    with pytest.raises(AssertionError, match="worst point"):
        agreement(sp.exp(x), lambda v: np.nan, {x: [0.0]})
    with pytest.raises(ValueError, match=r"none for \['y'\]"):
        agreement(x + y, np.add, {x: [0.0]})
    with pytest.raises(ValueError, match="at least one point"):
        agreement(x, np.abs, {x: []})
    with pytest.raises(ValueError, match="function must return"):
        agreement(x, lambda v: [v, v], {x: [1.0]})


def test_agreement_compares_matrices_entry_by_entry_and_sees_what_doubles_hide():
    matrix = sp.Matrix([[sp.cos(x), -sp.sin(x)], [sp.sin(x), sp.cos(x)]])
    rotation = lambda v: np.array([[np.cos(v), -np.sin(v)], [np.sin(v), np.cos(v)]])  # noqa: E731
    assert agreement(matrix, rotation, {x: [0.0, 0.5]}).points == 2
    with pytest.raises(AssertionError):
        agreement(matrix, lambda v: rotation(v).T, {x: [0.5]})
    with pytest.raises(AssertionError):  # cancellation: 1 - cos in doubles has no digit left
        agreement(1 - sp.cos(x), lambda v: 1 - np.cos(v), {x: [1e-8]})
    assert mpmath.mp.dps == 15

"""The derivation layer: what it proves, what it refuses, what it says of a step."""

import pytest
import sympy as sp

from kexue_core.notebook.bounds import Jensen, Tangent
from kexue_core.notebook.conditions import assume
from kexue_core.notebook.derivation import MIME, Derivation, StepError
from kexue_core.notebook.laws import Moments, Normal, Uncorrelated
from kexue_core.notebook.premises import insert
from kexue_core.notebook.quadrature import evaluated

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


def test_a_residual_is_not_written_out_where_that_makes_huge_numbers_or_sums():
    r = sp.Symbol("r", positive=True)
    rate = sp.Eq(a * sp.exp(-2 * r * sp.log(2)), b)
    wrong = sp.log(a / b) / (2 * sp.log(2)) + 10**6
    with pytest.raises(StepError, match=r"residual .*1000000"):
        Derivation(rate).step(sp.Eq(r, wrong), "solve", solve_for=r)
    power = sp.Eq((r**2 + 1) ** 50, 2)
    wrong = sp.sqrt(2 ** sp.Rational(1, 50) - 1) + 1
    with pytest.raises(StepError, match=r"residual .*\*\*50"):
        Derivation(power).step(sp.Eq(r, wrong), "solve", solve_for=r)


def test_a_refusal_writes_traces_as_they_are_read():
    A, B, C = (sp.MatrixSymbol(name, n, n) for name in "ABC")
    chain = Derivation(sp.Eq(a, sp.Trace(B.T * (A + C).I * A)))
    with pytest.raises(StepError, match=r"tr\(A Bᵀ \(A \+ C\)⁻¹\)|tr\(\(A \+ C\)⁻¹ A Bᵀ\)"):
        chain.step(sp.Eq(a, sp.Trace(A * B)), "not so")


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


@pytest.mark.parametrize(
    ("start", "operation", "new", "wrong", "shown"),
    [
        (sp.Eq(x, 3), {"add": y}, sp.Eq(x + y, 3 + y), sp.Eq(x + y, 3 - y), r"add $y$ on both sides"),
        (sp.Eq(x / a, 3), {"multiply": a}, sp.Eq(x, 3 * a), sp.Eq(x, 3 + a), r"times $a\ne0$"),
        (sp.Eq(a * x, b), {"divide": a}, sp.Eq(x, b / a), sp.Eq(x, b), r"divide by $a\ne0$"),
        (
            sp.Eq(t**2, a),
            {"apply": sp.log},
            sp.Eq(2 * sp.log(t), sp.log(a)),
            sp.Eq(t, a),
            "log of both sides, one-to-one",
        ),
    ],
)
def test_an_operation_on_both_sides_is_named_shown_and_checked(start, operation, new, wrong, shown):
    chain = Derivation(start).step(new, "both sides", **operation)
    assert shown in repr(chain)
    with pytest.raises(StepError):
        Derivation(start).step(wrong, "both sides", **operation)


def test_what_an_operation_needs_is_proved_or_must_be_a_condition():
    product = Derivation(sp.Eq(x * y, x))
    with pytest.raises(StepError, match="x is not proved to be finite and not zero"):
        product.step(sp.Eq(y, 1), "cancel", divide=x)
    assert r"for $x \neq 0$" in repr(product.step(sp.Eq(y, 1), "cancel", divide=x, where=sp.Ne(x, 0)))
    with pytest.raises(StepError, match="no side is proved to be positive"):
        Derivation(sp.Eq(x, y)).step(sp.Eq(sp.log(x), sp.log(y)), "logarithm", apply=sp.log)
    with pytest.raises(StepError, match="not known to be an identity in x"):
        Derivation(sp.Eq(x**2, 4)).step(sp.Eq(2 * x, 0), "slope", differentiate=x)
    with pytest.raises(ValueError, match="one operation on both sides, got add, multiply"):
        product.step(sp.Eq(y, 1), "two", add=1, multiply=2)


def test_a_declared_identity_may_be_differentiated_and_is_shown():
    decay = Derivation(sp.Eq(f(x).diff(x), -f(x)), for_all=x)
    decay.step(sp.Eq(f(x).diff(x, 2), -f(x).diff(x)), "once more", differentiate=x)
    assert "for all $x$" in repr(decay)
    assert "differentiate the identity in $x$" in repr(decay)
    with pytest.raises(StepError, match="cannot hold for all x"):
        Derivation(sp.Eq(x**2, 4), for_all=x)


def test_nothing_follows_from_an_identity():
    always = Derivation(sp.Eq(sp.Derivative(x**2, x), 2 * x, evaluate=False))
    with pytest.raises(StepError, match="an identity, from which nothing follows"):
        always.step(sp.Eq(sp.Integral(t, (t, 0, 1)), 5, evaluate=False), "lie")
    always.step(sp.Eq(sp.Integral(t, (t, 0, 1)), sp.Rational(1, 2), evaluate=False), "another identity")


def test_a_solution_must_hold_for_every_root():
    square = Derivation(sp.Eq(x**2, 4))
    with pytest.raises(StepError):
        square.step(sp.Eq(x, 2), "root", solve_for=x)  # forgets -2
    positive = Derivation(sp.Eq(t**2, 4)).step(sp.Eq(t, 2), "root", solve_for=t)
    assert "the positive root" in repr(positive)
    with pytest.raises(StepError, match="no other solution"):
        Derivation(sp.Eq(sp.tan(x), 1)).step(sp.Eq(x, sp.pi / 4), "root", solve_for=x)  # forgets the period
    with pytest.raises(StepError, match="no other solution"):
        Derivation(sp.Eq(x * y, 0)).step(sp.Eq(x, 0), "root", solve_for=x)  # forgets y = 0
    with pytest.raises(StepError):
        Derivation(sp.Eq(t**2, 4)).step(sp.Eq(a, a, evaluate=False), "nothing of t", solve_for=t)


def test_limits_are_computed():
    chain = Derivation((1 + b * t) ** (1 / b)).limit(sp.exp(t), "compound interest", var=b, to=0)
    assert r"\longrightarrow" in chain._repr_latex_()
    assert "limit" in chain._repr_latex_()
    with pytest.raises(StepError):
        Derivation((1 + b * t) ** (1 / b)).limit(sp.exp(-t), "wrong sign", var=b, to=0)


def test_one_sided_limits_must_be_asked_for_and_are_shown():
    with pytest.raises(StepError):
        Derivation(sp.Abs(x) / x).limit(1, "slope", var=x, to=0)
    assert r"x \to 0^+" in repr(Derivation(sp.Abs(x) / x).limit(1, "slope", var=x, to=0, direction="+"))
    assert r"b \to 0^+" in repr(Derivation(sp.exp(-1 / b)).limit(0, "b is positive", var=b, to=0))
    assert Derivation(1 / b).limit(sp.oo, "pole", var=b, to=0).result == sp.oo
    matrix = Derivation(sp.Matrix([1 / b, 1 + 1 / b])).limit(sp.Matrix([0, 1]), "entry by entry", var=b, to=sp.oo)
    assert matrix.result == sp.ImmutableMatrix([0, 1])
    with pytest.raises(StepError, match="the assumptions on b do not allow"):
        Derivation(sp.exp(b)).limit(0, "b is positive", var=b, to=-sp.oo)


def test_a_series_must_agree_up_to_its_order_and_not_beyond():
    Derivation(sp.sin(x)).series(x - x**3 / 6, "Taylor", var=x, order=5)
    with pytest.raises(StepError):
        Derivation(sp.sin(x)).series(x - x**3 / 6, "Taylor", var=x, order=6)
    with pytest.raises(StepError):
        Derivation(sp.sin(x)).series(x + x**3 / 6, "Taylor", var=x, order=5)
    with pytest.raises(StepError):
        Derivation(sp.Abs(x)).series(x, "one side only", var=x, order=3)
    with pytest.raises(ValueError, match="order must be a positive integer, got 0"):
        Derivation(sp.sin(x)).series(17, "anything", var=x, order=0)


def test_bounds_need_a_proof_from_the_assumptions():
    chain = Derivation(a**2).bound(a**2 + b, "b is positive")
    assert r"\le" in chain._repr_latex_()
    assert Derivation(a + b).bound(a, "drop", relation=">=").result == a
    with pytest.raises(StepError):
        Derivation(a**2).bound(a**2 - b, "wrong")
    with pytest.raises(StepError, match="the gap -x \\+ y is -"):
        Derivation(x).bound(y, "unknown")
    with pytest.raises(ValueError, match="relation must be one of '<=', '>=', got '<'"):
        Derivation(a).bound(b, "strict", relation="<")


def test_named_bounds_are_proved_by_derivatives():
    tangent = Derivation(sp.log(t)).bound(t - 1, "tangent", by=Tangent(t, at=1))
    assert "convex in $t$, least at $1$" in repr(tangent)
    with pytest.raises(StepError, match="does not touch zero"):
        Derivation(sp.log(t)).bound(t - 1, "not there", by=Tangent(t, at=2))
    halves = {a: sp.Rational(1, 2), b: sp.Rational(1, 2)}
    Derivation(sp.log((a + b) / 2)).bound(
        (sp.log(a) + sp.log(b)) / 2, "concave", relation=">=", by=Jensen(sp.log, halves)
    )
    with pytest.raises(StepError, match="the weights sum to 3/2"):
        Derivation(sp.exp(a)).bound(sp.exp(a) + b, "weights", by=Jensen(sp.exp, {a: 1, b: sp.Rational(1, 2)}))


def test_the_bounds_of_a_chain_point_the_same_way():
    with pytest.raises(StepError, match="must point the same way"):
        Derivation(x**2).bound(x**2 + 1, "more").bound(x**2, "less", relation=">=")


def test_means_are_taken_over_declared_laws_that_are_shown():
    w, k, q = sp.symbols("omega K q", real=True)
    loss = Derivation((k - w * q) ** 2).mean(k**2 + q**2, "noise", over=Normal(w))
    assert r"mean over $\omega\sim N(0,1)$" in repr(loss)
    assert r"\overset{\mathbb E}{=}" in loss._repr_latex_()
    with pytest.raises(StepError, match="residual"):
        Derivation((k - w * q) ** 2).mean(k**2, "the variance is lost", over=Normal(w))
    with pytest.raises(StepError, match="still contains"):
        Derivation((k - w * q) ** 2).mean(k**2 + q**2 + w, "not averaged", over=Normal(w))
    pair = Moments(w, {1: 0, 2: 1}), Moments(q, {1: 0, 2: 1})
    assert "independent" in repr(Derivation(w**2 * q**2).mean(1, "independent", over=pair))
    assert "uncorrelated" in repr(Derivation((w + q) ** 2).mean(2, "less", over=Uncorrelated(*pair)))
    with pytest.raises(StepError, match="nothing is declared"):
        Derivation(w**2 * q**2).mean(1, "too much", over=Uncorrelated(*pair))


def test_conditions_are_used_shown_and_last():
    k = sp.symbols("k", integer=True, nonnegative=True)
    series = Derivation(sp.Sum(a**k, (k, 0, sp.oo)))
    with pytest.raises(StepError):
        series.step(1 / (1 - a), "geometric")
    with pytest.raises(StepError):
        series.step(1 / (1 - a), "geometric", where=a < 2)
    series.step(1 / (1 - a), "geometric", where=a < 1).bound(1, "larger", relation=">=")
    assert repr(series).count("for $a < 1$") == 1
    with pytest.raises(TypeError, match="relationals that SymPy leaves open, got True"):
        Derivation(a).step(a + 0 * b + 1 - 1 + a, "empty", where=a > -1)
    with pytest.raises(StepError, match="no value of a satisfies"):
        Derivation(a + a**2).step(a * (1 + a), "none", where=(a < 1, a > 2))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (sp.Eq(sp.pi, 3, evaluate=False), "is a number"),
        (sp.Eq(sp.sin(x), sp.cos(x)), "is false at"),
        (sp.Eq(a, b), "is not used"),
        ((sp.Eq(x, 0), sp.Eq(x**2, 1)), "contradict each other"),
        (sp.Eq(t, -b - 1, evaluate=False), "do not allow"),
    ],
)
def test_unfit_premises_are_refused(given, reason):
    with pytest.raises(StepError, match=reason):
        Derivation(x**2 + sp.pi * x + t + sp.sin(x)).step(x + 1, "whatever", given=given)


def test_the_order_of_premises_does_not_matter():
    first, second = sp.Eq(x, 2 * y), sp.Eq(y, t)
    for given in ((first, second), (second, first)):
        assert Derivation(x + y).step(3 * t, "insert", given=given).result == 3 * t


def test_bound_variables_must_fit_their_range_and_names_must_be_unique():
    with pytest.raises(StepError, match="contradict its range"):
        Derivation(sp.Integral(sp.Abs(t), (t, -1, 1))).step(0, "t is positive")
    with pytest.raises(StepError, match="an integral runs over all real numbers"):
        Derivation(sp.Integral(sp.cos(2 * sp.pi * n), (n, 0, 1))).step(1, "n is an integer")
    with pytest.raises(StepError, match="two symbols of different assumptions are called x"):
        Derivation(x + y).step(sp.Symbol("x") + y, "another x")
    with pytest.raises(StepError, match="no floating-point numbers"):
        Derivation(x / 3).step(0.3333333333333333 * x, "rounded")


def test_a_proof_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr("kexue_core.notebook.proof.SECONDS", 0.2)
    endless = sp.Integral(t ** (x**2) * sp.exp(-t) * sp.sin(t**2), (t, 0, sp.oo))
    with pytest.raises(StepError, match=r"gave up after 0.2 s"):
        Derivation(endless).step(x + 1, "never")


def test_a_value_of_an_unknown_function_that_is_used_everywhere_is_said_to_hold_everywhere():
    f = sp.Function("f")
    at_a_point = Derivation(f(x) + y).step(1 + y, "!", given=sp.Eq(f(x), 1))
    everywhere = Derivation(sp.Derivative(f(x) * x, x)).step(1, "!", given=sp.Eq(f(x), 1))
    assert "for all" not in repr(at_a_point)
    assert "; for all $x$" in repr(everywhere)


def test_numeric_steps_say_that_they_are_not_proved():
    chain = Derivation(sp.zeta(3)).numeric(sp.Sum(1 / n**3, (n, 1, sp.oo)), "definition", at=[{}])
    assert "not proved" in chain._repr_latex_()
    with pytest.raises(StepError, match="residual"):
        Derivation(sp.sin(x)).numeric(x, "small angle", at=[{x: sp.Rational(1, 1000)}])
    with pytest.raises(StepError, match="no finite value"):
        Derivation(x / (x - 1)).numeric(y, "pole", at=[{x: 1, y: 2}])
    with pytest.raises(StepError, match="residual"):
        Derivation(sp.exp(-60 * t)).numeric(2 * sp.exp(-60 * t), "small", at=[{t: 1}])
    assert "within 1/100 absolute" in repr(
        Derivation(sp.sin(x)).numeric(x, "small", at=[{x: sp.Rational(1, 100)}], atol=sp.Rational(1, 100))
    )
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
    assert r"\text{for }a>0" in latex
    assert chain._repr_mimebundle_()[MIME] == {"steps": 1, "kinds": ["step"]}


def test_where_a_line_is_long_its_reason_stands_below():
    names = sp.symbols("alpha_1:9", real=True)
    total = sum(names) ** 2
    chain = Derivation(total, "a square of a long sum").step(sp.expand(total), "multiplied out term by term")
    latex = chain._repr_latex_()
    assert "&&" not in latex
    assert r"&\quad \text{a square of a long sum}" in latex
    assert latex.index(r"\text{multiplied out") > latex.index(r"\alpha_{8}^{2}")


@pytest.mark.parametrize("kind", ["prime", "composite", "even", "odd", "positive", "nonnegative", "negative"])
def test_the_points_at_which_a_line_is_tried_obey_the_assumptions(kind):
    m = sp.Symbol("m", integer=True, **{kind: True})
    values = [point[m] for point in assume().points({m})]
    assert len(set(values)) > 2
    assert all(value.is_integer and getattr(value, f"is_{kind}") for value in values)


def test_complex_symbols_are_tried_beside_the_real_line():
    z = sp.Symbol("z")
    with pytest.raises(StepError, match=r"at z = .*I"):
        Derivation(sp.conjugate(z)).step(z, "true on the real line only")


def test_a_limit_or_series_that_sympy_does_not_find_is_refused_in_plain_words():
    k = sp.Symbol("k", integer=True, positive=True)
    with pytest.raises(StepError, match="SymPy finds no limit of"):
        Derivation(sp.Sum(1 / (n + k), (k, 1, n))).limit(sp.log(2), "a Riemann sum", var=n, to=sp.oo)
    with pytest.raises(StepError, match="SymPy does not expand"):
        Derivation(x * sp.sin(1 / x)).series(0, "small", var=x, order=1)


def test_what_was_compared_is_evaluated_once_and_as_sympy_does_it(monkeypatch):
    a, x, k, n = sp.symbols("a x", positive=True) + sp.symbols("k n", integer=True, positive=True)
    integral = sp.Integral(x * sp.exp(-3 * a * x), (x, 0, 1))
    line = integral + sp.Sum(k**3, (k, 1, n))
    value, calls, doit = line.doit(), [], sp.Integral.doit
    monkeypatch.setattr(sp.Integral, "doit", lambda self, **hints: calls.append(self) or doit(self, **hints))
    assert evaluated(line) == insert(line, ()) == value
    Derivation(line, "as it stands").step(value, "evaluate")
    assert calls.count(integral) == 1

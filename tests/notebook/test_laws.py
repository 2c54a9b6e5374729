"""Declared laws: their moments against integrals and sampled values, and what no law can be."""

import itertools

import numpy as np
import pytest
import sympy as sp

from kexue_core.notebook import laws, means
from kexue_core.notebook.conditions import assume
from kexue_core.notebook.derivation import Derivation, StepError
from kexue_core.notebook.laws import Bernoulli, Exponential, Moments, Normal, Rademacher, Uncorrelated, Uniform

x, y, c = sp.symbols("x y c", real=True)
s, v = sp.symbols("s v", positive=True)
half = sp.Rational(1, 2)


def mean(expression, *over):
    """Return the mean without conditions."""
    return means.expectation(sp.sympify(expression), over, assume())


@pytest.mark.parametrize(
    "law", [Normal(x, half, sp.Rational(3, 2)), Uniform(x, -1, sp.Rational(5, 2)), Exponential(x, 2)], ids=str
)
def test_moments_are_the_integrals_of_powers_over_the_density(law):
    density, low, high = law.density()
    for power in range(6):
        assert sp.simplify(sp.integrate(x**power * density, (x, low, high)) - law.moment(power)) == 0


@pytest.mark.parametrize("law", [Rademacher(x), Bernoulli(x, sp.Rational(1, 3))], ids=str)
def test_moments_are_sums_over_the_values(law):
    assert sum(weight for _, weight in law.values()) == 1
    for power in range(6):
        assert sum(weight * value**power for value, weight in law.values()) == law.moment(power)


@pytest.mark.parametrize(
    ("expression", "law", "expected"),
    [
        (sp.exp(c * x), Normal(x), sp.exp(c**2 / 2)),
        (sp.cos(c * x), Normal(x), sp.exp(-(c**2) / 2)),
        (sp.Abs(x), Normal(x), sp.sqrt(2 / sp.pi)),
        (sp.Max(x, 0) ** 2, Normal(x), half),
        (sp.sign(x) * x, Normal(x), sp.sqrt(2 / sp.pi)),
        (x * sp.erf(x / sp.sqrt(2)), Normal(x), 1 / sp.sqrt(sp.pi)),
        (sp.log(x), Uniform(x), -1),
        (1 / (1 + x), Uniform(x), sp.log(2)),
        (sp.exp(-x), Exponential(x, v), v / (1 + v)),
        (sp.cosh(c * x), Rademacher(x), sp.cosh(c)),
        ((x - c) ** 2, Normal(x, c, s), s**2),
        (sp.exp(c * x), Bernoulli(x, s), 1 + s * (sp.exp(c) - 1)),
    ],
)
def test_means_by_density_are_known_ones(expression, law, expected):
    assert sp.simplify(mean(expression, law) - expected) == 0


def test_means_agree_with_sampled_ones():
    rng = np.random.default_rng(8512)
    draws = {Normal(x, 1, 2): rng.normal(1, 2, 400_000), Uniform(x, -1, 3): rng.uniform(-1, 3, 400_000)}
    for law, sample in draws.items():
        for f in (x**4 - 3 * x, sp.Max(x, 0), sp.exp(x / 4)):
            values = sp.lambdify(x, f, "numpy")(sample)
            error = 4 * values.std() / len(values) ** 0.5
            assert abs(float(mean(f, law)) - values.mean()) < error


def test_sums_of_coins_have_the_moments_of_their_distribution():
    coins = sp.symbols("x1:5", real=True)
    total = mean(sum(coins) ** 6, *map(Rademacher, coins))
    assert total == sp.Rational(sum(sum(signs) ** 6 for signs in itertools.product((1, -1), repeat=4)), 16)


def test_vectors_are_averaged_by_components():
    z = sp.Matrix([x, y])
    assert mean(z * z.T, Normal(x), Normal(y)) == sp.eye(2)


@pytest.mark.parametrize(
    "law",
    [
        lambda: Moments(x, {2: -1}),
        lambda: Moments(x, {1: 2, 2: 1}),
        lambda: Moments(x, {1: v, 2: v**2 - 1}),
        lambda: Moments(x, {2: 1, 4: half}),
        lambda: Moments(x, {1: 0, 2: 1, 3: 5, 4: 2}),
        lambda: Moments(x, {0: 2}),
        lambda: Moments(x, {2: sp.I}),
        lambda: Normal(s),
        lambda: Normal(sp.Symbol("z")),
        lambda: Normal(sp.Symbol("n", integer=True)),
        lambda: Normal(x, 0, -1),
        lambda: Uniform(x, 2, 1),
        lambda: Uniform(s, -1, 1),
        lambda: Bernoulli(x, 2),
        lambda: Exponential(x, -v),
    ],
)
def test_laws_that_cannot_be_are_refused(law):
    with pytest.raises(laws.LawError):
        law()


@pytest.mark.parametrize(
    ("expression", "over"),
    [
        (1 / x, (Normal(x),)),
        (1 / x**2, (Uniform(x, -1, 1),)),
        (sp.exp(x**2), (Normal(x),)),
        (x**4, (Moments(x, {1: 0, 2: 1}),)),
        (sp.exp(x), (Moments(x, {1: 0, 2: 1}),)),
        (x * y, (Normal(x), Normal(x))),
        (x * y, (Normal(x), Normal(y, x))),
        (x**2 * y, (Uncorrelated(Normal(x), Normal(y)),)),
    ],
)
def test_means_that_do_not_exist_or_are_not_declared_are_refused(expression, over):
    with pytest.raises(StepError):
        Derivation(expression).mean(0, "no", over=over)

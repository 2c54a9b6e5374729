import functools
import math

import numpy as np
import pytest
from oracles import oracles

from kexue_core.attention import (
    activate,
    l1_l2_ratio,
    softmax,
    sparsity_activation,
    sparsity_decay,
    sparsity_exp,
    sparsity_identity,
    sparsity_linear,
    sparsity_relu_power,
    sparsity_taylor,
    taylor_softmax,
)

(mpmath,) = oracles("mpmath")

KINDS = ("linear", "relu", "elu", "selu", "gelu", "silu", "softplus", "sigmoid", "tanh")
T = [-6, 0, 0.3, 4]  # beta / gamma


def rng(seed=0):
    return np.random.default_rng(seed)


def in_thirty_digits(kind):
    """Return an activation for mpmath."""
    scale = mpmath.mpf("1.0507009873554804934193349852946"), mpmath.mpf("1.6732632423543772848170429916717")
    return {
        "linear": lambda x: x,
        "relu": lambda x: max(x, 0),
        "elu": lambda x: x if x > 0 else mpmath.expm1(x),
        "selu": lambda x: scale[0] * (x if x > 0 else scale[1] * mpmath.expm1(x)),
        "gelu": lambda x: x * mpmath.ncdf(x),
        "silu": lambda x: x / (1 + mpmath.exp(-x)),
        "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
        "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
        "tanh": mpmath.tanh,
        "relu2": lambda x: max(x, 0) ** 2,
        "exp": mpmath.exp,
    }[kind]


def by_mpmath(f, t, gamma):
    """Return E|f| / sqrt(E f^2) for scores of mean t gamma, by quadrature over scores in units of gamma."""
    with mpmath.workdps(30):
        t, gamma = mpmath.mpf(t), mpmath.mpf(gamma)
        near = [s * u / gamma for s in (1, -1) for u in (0.1, 1, 5, 20) if u / gamma < 30]
        cuts = sorted({-36, *range(-32, 33, 4), 36, *near, *(2 * gamma + t + s for s in (-2, 0, 2))})

        @functools.cache  # both integrals ask at the same points
        def factors(x):
            return abs(f(gamma * x)), mpmath.npdf(x - t)

        def integrand(x, p):
            value, density = factors(x)
            return value**p * density

        values = [mpmath.quad(functools.partial(integrand, p=p), cuts) for p in (1, 2)]
        return values[0] / mpmath.sqrt(values[1])


# --- rows ---


def test_ratio_of_rows_of_equal_weights():
    for n in (1, 2, 7):
        for k in range(1, n + 1):
            row = np.r_[np.full(k, -3.0), np.zeros(n - k)]
            assert l1_l2_ratio(row) == pytest.approx(np.sqrt(k / n), rel=1e-15)


def test_ratio_is_scale_invariant_bounded_and_the_participation_of_a_softmax():
    a = rng().normal(size=(4, 5, 6))
    s = l1_l2_ratio(a)
    assert s.shape == (4, 5)
    assert (s >= 6**-0.5).all()
    assert (s <= 1).all()
    for scale in (-2.0, 1e-200, 1e300):
        np.testing.assert_allclose(l1_l2_ratio(scale * a), s, rtol=1e-14)
    p = softmax(a)
    np.testing.assert_allclose(l1_l2_ratio(a, log=True), l1_l2_ratio(p), rtol=1e-14)
    np.testing.assert_allclose(1 / (p**2).sum(-1), 6 * l1_l2_ratio(p) ** 2, rtol=1e-14)
    np.testing.assert_allclose(l1_l2_ratio(a, axis=0), l1_l2_ratio(np.moveaxis(a, 0, -1)), rtol=1e-15)
    np.testing.assert_array_equal(s, [[l1_l2_ratio(row) for row in rows] for rows in a])


def test_logarithms_of_any_size():
    x = np.array([0.0, -1.0, -np.inf])
    expected = l1_l2_ratio([1, np.exp(-1), 0])
    for shift in (0, -1e5, 1e5):
        assert l1_l2_ratio(x + shift, log=True) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("a", "options", "message"),
    [
        ([[1.0, 2.0], [0.0, 0.0]], {}, "a must have a weight that is not 0 in each row, got "),
        ([-np.inf, -np.inf], {"log": True}, "a must have a weight that is not 0 in each row, got "),
        ([np.inf, 1.0], {"log": True}, "a must not hold inf, got inf"),
        ([np.nan, 1.0], {"log": True}, "a must not contain NaN, got 1"),
        (np.zeros((2, 0)), {}, "a must not be empty along the axis -1, got length 0"),
        (1.0, {}, r"a must have at least 1 axis, got shape \(\)"),
        ([1.0], {"axis": 1}, "axis must be at most 0, got 1"),
    ],
)
def test_rows_that_are_refused(a, options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        l1_l2_ratio(a, **options)


# --- one integral over a normal number ---


@pytest.mark.parametrize("gamma", [0.01, 1.0, 8.0])
@pytest.mark.parametrize("kind", [*KINDS, "relu2", "exp"])
def test_every_activation_by_quadrature_in_thirty_digits(kind, gamma):
    ours = {"relu2": lambda x: np.maximum(x, 0) ** 2, "exp": np.exp}.get(kind, kind)
    gamma = min(gamma, 5) if kind == "exp" else gamma
    found = sparsity_activation(ours, np.multiply(T, gamma), gamma)
    for t, value in zip(T, found):
        assert abs(float(value / by_mpmath(in_thirty_digits(kind), t, gamma)) - 1) < 1e-12


def test_quadrature_gives_the_closed_forms():
    t = np.linspace(-20, 20, 41)
    np.testing.assert_allclose(sparsity_activation("linear", 3 * t, 3), sparsity_identity(t, 1), rtol=1e-12)
    for p in (1, 2, 3):
        found = sparsity_activation(lambda x, p=p: np.maximum(x, 0) ** p, t / 2, 0.5)
        np.testing.assert_allclose(found, sparsity_relu_power(t, 1, p), rtol=1e-11)
    for m in (2, 6):
        coefficients = [1 / math.factorial(j) for j in range(m, -1, -1)]
        f = functools.partial(np.polyval, coefficients)
        np.testing.assert_allclose(sparsity_activation(f, [-1, 2], 2), sparsity_taylor(m, [-1, 2], 2), rtol=1e-12)
    gamma = np.array([0.1, 1, 5])
    np.testing.assert_allclose(sparsity_activation(np.exp, -1, gamma), np.exp(-(gamma**2) / 2), rtol=1e-12)


def test_long_random_rows_have_these_ratios():
    x = 1 + 2 * rng(1).standard_normal(400_000)
    for kind in KINDS:
        assert l1_l2_ratio(activate(x, kind)) == pytest.approx(sparsity_activation(kind, 1, 2), rel=0.01)
    assert l1_l2_ratio(np.maximum(x, 0) ** 2) == pytest.approx(sparsity_relu_power(1, 2), rel=0.01)
    assert l1_l2_ratio(taylor_softmax(x, 4)) == pytest.approx(sparsity_taylor(4, 1, 2), rel=0.02)


def test_activations_that_are_refused():
    with pytest.raises(ValueError, match=r"^beta must lie within 20 gamma of 0, got -41\.0"):
        sparsity_activation("relu", [1, -41], 2)
    with pytest.raises(ValueError, match=r"^gamma must be positive, got 0"):
        sparsity_activation("relu", 1, 0)
    with pytest.raises(ValueError, match=r"^f must have a positive second moment, got 0"):
        sparsity_activation(np.zeros_like, 1, 1)
    with pytest.raises(TypeError, match=r"^f must be a name or a function, got 3"):
        sparsity_activation(3, 1, 1)
    with pytest.raises(ValueError, match=r"^kind must be one of"):
        sparsity_activation("swish", 1, 1)


def test_identity_is_even_with_its_least_value_in_the_middle():
    t = np.r_[0, np.geomspace(1e-8, 1e200, 60)]
    s = sparsity_identity(t, 1)
    assert s[0] == pytest.approx(np.sqrt(2 / np.pi), rel=1e-15)
    np.testing.assert_array_equal(s, sparsity_identity(-t, 1))
    assert (np.diff(s) >= -1e-15).all()
    assert s[-1] == pytest.approx(1, rel=1e-15)


@pytest.mark.parametrize("power", [1, 2, 5])
def test_relu_powers_in_thirty_digits_down_to_where_they_underflow(power):
    with mpmath.workdps(30):
        for t in (-50, -20, -8, -2, -0.5, -1e-9, 0, 0.3, 2, 8):
            c = mpmath.mpf(t)
            cuts = [0, 0.02, 0.1, 0.3, 1, 3, 6, 10, 20, 30]
            inner = [
                mpmath.quad(lambda u: u**n * mpmath.npdf(u) * mpmath.exp(c * u), cuts)  # noqa: B023
                for n in (power, 2 * power)
            ]
            expected = mpmath.exp(-(c**2) / 4) * inner[0] / mpmath.sqrt(inner[1])
            assert abs(float(sparsity_relu_power(t, 1.0, power) / expected) - 1) < 1e-12


def test_relu_powers_grow_with_the_ratio_and_see_nothing_else():
    t = np.r_[np.linspace(-60, 60, 241), 1e3, 1e160]
    s = sparsity_relu_power(t, 1)
    assert (np.diff(s) >= -1e-15).all()
    assert s[0] == 0
    assert s[-1] == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(sparsity_relu_power(t[:-1] * 3, 3), s[:-1], rtol=1e-12)
    assert sparsity_relu_power(0, 7) == pytest.approx(6**-0.5, rel=1e-14)
    assert (np.diff(sparsity_relu_power(np.linspace(-54, -50, 401), 1, 20)) >= 0).all()
    with pytest.raises(ValueError, match=r"^power must be at least 1, got 0"):
        sparsity_relu_power(0, 1, 0)


@pytest.mark.parametrize("order", [2, 4, 10, 20])
def test_taylor_kernels_by_exact_moments_and_their_floor(order):
    moment = lambda k: 0 if k % 2 else mpmath.fac2(k - 1)  # noqa: E731
    with mpmath.workdps(60):
        for beta in (-10, -1, 0, 2):
            for gamma in (0, 0.1, 1, 6, 50):
                b, g = mpmath.mpf(beta), mpmath.mpf(gamma)
                c = [
                    sum(b ** (j - k) * g**k / mpmath.fac(k) / mpmath.fac(j - k) for j in range(k, order + 1))
                    for k in range(order + 1)
                ]
                first = sum(a * moment(k) for k, a in enumerate(c))
                second = sum(a * e * moment(k + i) for k, a in enumerate(c) for i, e in enumerate(c))
                expected = first / mpmath.sqrt(second)
                assert abs(float(sparsity_taylor(order, beta, gamma) / expected) - 1) < 1e-12
        floor = float(moment(order) / mpmath.sqrt(moment(2 * order)))
    s = sparsity_taylor(order, np.linspace(-8, 8, 33)[:, None], np.geomspace(0.1, 1e3, 41))
    assert (s > floor).all()
    assert sparsity_taylor(order, 3, 1e9) == pytest.approx(floor, rel=1e-7)


def test_taylor_kernels_of_high_order_are_softmax():
    gamma = np.array([0.5, 1, 2])
    np.testing.assert_allclose(sparsity_taylor(40, 0, gamma), np.exp(-(gamma**2) / 2), rtol=1e-9)
    for bad in (0, 3, 42):
        with pytest.raises(ValueError, match=r"^order must be "):
            sparsity_taylor(bad, 0, 1)


# --- features, decay, finite rows ---


def test_features_by_their_definition():
    k = rng(2).exponential(size=(50, 3)) ** 2
    q = rng(3).exponential(size=(4, 3))
    mean, cov = k.mean(axis=0), np.cov(k.T, bias=True)
    found = sparsity_linear(q, mean, cov)
    np.testing.assert_allclose(found, l1_l2_ratio(q @ k.T), rtol=1e-13)
    np.testing.assert_allclose(sparsity_linear(1e200 * q, mean, cov), found, rtol=1e-13)
    np.testing.assert_array_equal(found, [sparsity_linear(row, mean, cov) for row in q])
    assert sparsity_linear([1, 2], [1, 0], np.zeros((2, 2))) == 1


def test_independent_features_are_bounded_by_one_of_them():
    for d in (1, 4, 16):
        args = np.full(d, 0.5), 2.0 * np.eye(d)
        floor = (1 + 8) ** -0.5
        assert sparsity_linear(np.eye(d)[0], *args) == pytest.approx(floor, rel=1e-14)
        assert sparsity_linear(np.ones(d), *args) == pytest.approx((1 + 8 / d) ** -0.5, rel=1e-14)
        assert (sparsity_linear(rng(d).exponential(size=(100, d)), *args) >= floor * (1 - 1e-14)).all()


@pytest.mark.parametrize(
    ("q", "mean", "cov", "message"),
    [
        ([-1.0, 1.0], [1.0, 1.0], np.eye(2), "q must not be negative, got -1.0"),
        ([1.0, 1.0], [1.0, -1.0], np.eye(2), "mean must not be negative, got -1.0"),
        ([1.0, 1.0], [1.0, 1.0, 1.0], np.eye(2), "mean must have a last axis of length 2, got "),
        ([1.0, 1.0], [1.0, 1.0], np.eye(3), r"cov must have the last axes \(2, 2\), got shape \(3, 3\)"),
        ([1.0, 0.0], [0.0, 1.0], np.eye(2), "q must have a positive inner product with mean, got 0"),
        ([0.0, 0.0], [1.0, 1.0], np.eye(2), "q must have a positive inner product with mean, got 0"),
        ([1.0, 0.0], [1.0, 1.0], -np.eye(2), r"cov must not have a negative q\^T cov q, got -1\.0"),
    ],
)
def test_features_that_are_refused(q, mean, cov, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        sparsity_linear(q, mean, cov)


def test_decay_by_rows_and_near_one():
    for decay in (1e-300, 0.3, 0.9, 0.999, 1.0):
        for n in (1, 2, 5, 1000):
            row = np.arange(n) * np.log(decay)
            assert sparsity_decay(decay, n) == pytest.approx(l1_l2_ratio(row, log=True), rel=1e-12)
    with mpmath.workdps(40):
        lam = mpmath.mpf(1 - 1e-9)
        exact = mpmath.sqrt((1 - lam**1e6) * (1 + lam) / (1e6 * (1 - lam) * (1 + lam**1e6)))
        assert abs(float(sparsity_decay(1 - 1e-9, 1e6) / exact) - 1) < 1e-14
    assert 1e9 * sparsity_decay(0.9, 1e9) ** 2 == pytest.approx(19, rel=1e-12)
    for bad, message in ((0, "lie in"), (1.5, "lie in")):
        with pytest.raises(ValueError, match=f"^decay must {message}"):
            sparsity_decay(bad, 3)


def test_the_law_of_softmax_and_its_end():
    n = np.array([1, 2, 256, 2.0**18, 1e300])
    edge = np.sqrt(np.log(n) / 2)
    np.testing.assert_allclose(sparsity_exp(edge, n), np.exp(-(edge**2) / 2), rtol=1e-12)
    np.testing.assert_allclose(sparsity_exp(2 * edge, n), n**-0.5, rtol=1e-9)
    np.testing.assert_allclose(sparsity_exp(1e160, n), n**-0.5, rtol=1e-9)
    gamma = np.linspace(0, 8, 400)
    s = sparsity_exp(gamma, n[:, None])
    assert (np.diff(s, axis=1) <= 1e-15).all()
    assert (np.abs(np.diff(s[1:4], axis=1)) < 0.03).all()
    np.testing.assert_allclose(s[-1, :100], np.exp(-(gamma[:100] ** 2) / 2), rtol=1e-12)


def test_random_rows_follow_the_law_within_its_range():
    z = rng(4).standard_normal((60, 16384))
    for gamma in (0.5, 1.0):
        assert l1_l2_ratio(gamma * z, log=True).mean() == pytest.approx(sparsity_exp(gamma, 16384), rel=0.02)
    frozen = np.median(l1_l2_ratio(5 * z, log=True))
    assert 1 < frozen / sparsity_exp(5, 16384) < 4

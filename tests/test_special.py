import numpy as np
import pytest
from oracles import oracles

from kexue_core.special import cosine_integral, log_normal_cdf, log_normal_density, normal_cdf, normal_quantile

mpmath, log_ndtr, ndtr, ndtri, sici = oracles(
    "mpmath", "scipy.special.log_ndtr", "scipy.special.ndtr", "scipy.special.ndtri", "scipy.special.sici"
)


def test_cosine_integral_equals_thirty_digit_arithmetic_within_the_documented_error():
    x = np.concatenate([np.linspace(0.05, 30, 300), np.logspace(-300, 4, 80), [4.0, np.nextafter(4.0, 5.0), 1e15]])
    with mpmath.workdps(30):
        exact = np.array([float(mpmath.ci(mpmath.mpf(v))) for v in x.tolist()])
    assert (np.abs(cosine_integral(x) - exact) <= 2e-15 + 3e-16 * np.abs(exact)).all()


def test_cosine_integral_equals_scipy_on_a_dense_grid():
    x = np.linspace(0.001, 100, 50000)
    np.testing.assert_allclose(cosine_integral(x), sici(x)[1], rtol=3e-16, atol=3e-15)


def test_the_two_expansions_meet_without_a_step_at_four():
    left, right = cosine_integral([4.0, np.nextafter(4.0, 5.0)])
    assert abs(left - right) < 2e-15


def test_the_first_zero_of_the_cosine_integral_is_where_the_article_has_it():
    zero = 0.616505485620716233797
    assert abs(cosine_integral(zero)) < 1e-15
    assert cosine_integral(zero - 1e-9) < 0 < cosine_integral(zero + 1e-9)


def test_cosine_integral_tends_to_euler_gamma_plus_logarithm_at_zero_and_to_zero_at_infinity():
    assert cosine_integral(1e-9) == pytest.approx(np.euler_gamma + np.log(1e-9), rel=1e-15)
    assert abs(cosine_integral(1e300)) <= 1e-300


def test_cosine_integral_keeps_the_shape_and_the_input():
    x = np.array([[0.5, 5.0], [2.0, 50.0]])
    before = x.copy()
    result = cosine_integral(x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(result, [[cosine_integral(v) for v in row] for row in x])
    assert np.ndim(cosine_integral(1.0)) == 0


@pytest.mark.parametrize("x", [0.0, -1.0, [1.0, -0.5]])
def test_cosine_integral_refuses_what_is_not_positive(x):
    with pytest.raises(ValueError, match=r"^x must be positive, got"):
        cosine_integral(x)


@pytest.mark.parametrize("x", [np.nan, np.inf, [1.0, np.nan]])
def test_cosine_integral_refuses_what_is_not_finite(x):
    with pytest.raises(ValueError, match=r"^x must .*got"):
        cosine_integral(x)


def test_cosine_integral_refuses_text():
    with pytest.raises(TypeError, match=r"^x must be an array of real numbers, got"):
        cosine_integral("one")


def test_the_logarithm_of_the_normal_law_keeps_its_digits_where_the_law_underflows():
    s = np.concatenate([np.linspace(-40, 8, 500), -np.logspace(2, 7, 30)])
    np.testing.assert_allclose(log_normal_cdf(s), log_ndtr(s), rtol=1e-12, atol=1e-300)
    np.testing.assert_array_equal(log_normal_cdf([-np.inf, np.inf, -1e200]), [-np.inf, 0, -np.inf])


def test_the_normal_density_is_the_derivative_of_the_law():
    s, h = np.linspace(-3, 3, 25), 1e-5
    slope = (normal_cdf(s + h) - normal_cdf(s - h)) / (2 * h)
    np.testing.assert_allclose(np.exp(log_normal_density(s)), slope, rtol=1e-8)


def test_normal_cdf_agrees_with_scipy_from_the_far_tail_to_one():
    s = np.linspace(-37.4, 10, 4001)
    np.testing.assert_allclose(normal_cdf(s), ndtr(s), rtol=1e-12)
    np.testing.assert_array_equal(normal_cdf([-np.inf, 0, np.inf]), [0, 0.5, 1])
    near = np.linspace(-1, 1, 401)
    np.testing.assert_allclose(normal_cdf(near) + normal_cdf(-near), 1, rtol=1e-15)


def test_normal_cdf_is_increasing_across_the_pole_of_its_rule():
    switch = -2 * np.pi * np.sqrt(2)
    assert (np.diff(normal_cdf(switch + np.linspace(-1e-9, 1e-9, 101))) > 0).all()


def test_normal_quantile_agrees_with_scipy_and_inverts_the_cdf():
    t = np.concatenate([10.0 ** -np.linspace(1, 307, 500), np.linspace(0.01, 0.99, 99), 1 - 10.0 ** -np.arange(2, 16)])
    np.testing.assert_allclose(normal_quantile(t), ndtri(t), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(normal_cdf(normal_quantile(t)), t, rtol=1e-11)
    assert normal_quantile(0.5) == 0
    np.testing.assert_array_equal(normal_quantile([0.25, 0.0625]), -normal_quantile([0.75, 0.9375]))


@pytest.mark.parametrize("t", [0.0, 1.0, -0.1, 1.5])
def test_a_quantile_outside_the_open_unit_interval_is_named(t):
    with pytest.raises(ValueError, match=rf"^t must lie in \(0, 1\), got {t}"):
        normal_quantile([0.5, t])


def test_nan_is_refused_by_the_normal_functions():
    for f, name in ((normal_cdf, "s"), (normal_quantile, "t")):
        with pytest.raises(ValueError, match=rf"^{name} must .*, got"):
            f([0.5, np.nan])

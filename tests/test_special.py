import mpmath
import numpy as np
import pytest
from scipy.special import sici

from kexue_core.special import cosine_integral


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

from fractions import Fraction

import numpy as np
import pytest
from oracles import oracles

from kexue_core.engineering.backoff import JITTERS, Backoff
from kexue_core.engineering.waiting import (
    expected_tries,
    expected_wait,
    success_probability,
    tries_within,
    wait_quantile,
    wait_tail,
)

mpmath, sympy = oracles("mpmath", "sympy")

Q = np.array([0.0, 1e-9, 0.3, 0.5, 2 / 3, 0.9, 1 - 1e-12, 1.0])


def exact(q, n, delays):
    """Return success, mean tries and mean wait by summing over the outcomes, in fractions."""
    q, delays = Fraction(float(q)), [Fraction(d) for d in delays]
    law = [(1 - q) * q**k for k in range(n - 1)] + [q ** (n - 1)]  # the last try is made whatever comes of it
    waits = [sum(delays[:k]) for k in range(n)]
    tries = sum(p * (k + 1) for k, p in enumerate(law))
    return 1 - q**n, tries, sum(p * w for p, w in zip(law, waits))


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_the_laws_are_the_sums_over_all_outcomes(n):
    delays = [2**k for k in range(n - 1)]
    expected = np.array([[float(x) for x in exact(q, n, delays)] for q in Q]).T
    np.testing.assert_allclose(success_probability(Q, n), expected[0], rtol=1e-13)
    np.testing.assert_allclose(expected_tries(Q, n), expected[1], rtol=1e-13)
    np.testing.assert_allclose(expected_wait(Q, n, Backoff(1, 2)), expected[2], rtol=1e-13, atol=1e-300)


def test_without_hope_the_probability_is_a_plain_zero():
    assert not np.signbit(success_probability([1.0, 0.5], 3)).any()


def test_the_closed_form_has_its_critical_case():
    q, f, b, k, n = sympy.symbols("q f b k n", positive=True)
    total = sympy.summation(q**k * f ** (k - 1) * b, (k, 1, n - 1))
    for value, growth in ((0.3, 2), (0.5, 2), (0.6, 2), (0.9, 1.5)):
        given = {q: sympy.Rational(str(value)), f: sympy.Rational(str(growth)), b: 1, n: 20}
        ours = expected_wait(value, 20, Backoff(1, growth))
        assert ours == pytest.approx(float(total.subs(given)), rel=1e-12)
    assert expected_wait(0.5, 20, Backoff(1, 2)) == 9.5


@pytest.mark.parametrize("jitter", JITTERS)
def test_the_mean_wait_is_that_of_a_simulation(jitter):
    rng, size, n = np.random.default_rng(2), 200_000, 6
    rule = Backoff(1.0, 3.0 if jitter == "decorrelated" else 2.0, 5.0, jitter)
    failed = np.cumprod(rng.random((size, n - 1)) < 0.6, axis=1)
    waited = (failed * rule.draw(n - 1, rng, size=size)).sum(axis=1)
    error = waited.std(ddof=1) / np.sqrt(size)
    assert abs(waited.mean() - expected_wait(0.6, n, rule)) < 4 * error


def test_a_cap_bounds_the_wait_and_jitter_halves_it():
    for q in (0.3, 0.6, 0.95):
        assert expected_wait(q, 500, Backoff(1, 2, 30)) <= 30 * q / (1 - q)
        full, none = (expected_wait(q, 20, Backoff(1, 2, jitter=jitter)) for jitter in ("full", "none"))
        assert full == pytest.approx(none / 2, rel=1e-14)


@pytest.mark.parametrize(("base", "factor"), [(1.0, 2.0), (0.25, 1.5), (3.0, 1.0), (2.0, 7.0)])
def test_the_tail_is_the_law_of_a_client_that_never_gives_up(base, factor):
    delays = base * factor ** np.arange(30)
    waited = np.concatenate([[0], np.cumsum(delays)])[:20]
    for q in (0.3, 0.5, 0.9):
        np.testing.assert_allclose(wait_tail(waited, q, base=base, factor=factor), q ** np.arange(20.0), rtol=1e-12)
        between = (waited[1:] + waited[:-1]) / 2
        stair = wait_tail(between, q, base=base, factor=factor)
        np.testing.assert_allclose(stair, q ** np.arange(1.0, 20), rtol=1e-12)
        law = wait_tail(between, q, base=base, factor=factor, steps=False)
        assert (law > stair).all()
        np.testing.assert_allclose(
            wait_tail(waited, q, base=base, factor=factor, steps=False), q ** np.arange(20.0), rtol=1e-12
        )


def test_the_power_law_against_mpmath():
    w = np.geomspace(1e-6, 1e200, 40)
    for q, f in ((0.5, 2.0), (0.3, 1.001), (0.9, 50.0)):
        alpha = mpmath.log(1 / mpmath.mpf(q)) / mpmath.log(f)
        expected = [float((1 + mpmath.mpf(x) * (mpmath.mpf(f) - 1) / 3) ** -alpha) for x in w]
        np.testing.assert_allclose(wait_tail(w, q, base=3, factor=f, steps=False), expected, rtol=1e-10)
    assert wait_tail(1e308, 0.5, base=1e-300, factor=1e300) == 0.5**4
    assert wait_tail([0.0, 5.0], 0.0).tolist() == [1.0, 0.0]
    assert wait_tail([0.0, 5.0], 1.0).tolist() == [1.0, 1.0]


def test_the_quantile_is_the_first_time_that_reaches_the_level():
    levels = np.array([0.0, 0.2, 0.5, 0.75, 0.9, 0.99, 0.999999])
    for q in (0.0, 0.01, 0.3, 0.5, 0.97):
        for factor in (1.0, 1.5, 2.0):
            times = np.concatenate([[0], np.cumsum(1.5 * factor ** np.arange(600))])
            reached = 1 - q ** np.arange(1.0, 602)
            expected = [times[np.argmax(reached >= level - 1e-12)] for level in levels]
            np.testing.assert_allclose(wait_quantile(levels, q, base=1.5, factor=factor), expected, rtol=1e-10)


def test_the_tries_within_a_deadline_are_those_that_are_counted():
    for base, factor in ((1.0, 2.0), (2.0, 1.0), (0.5, 1.25), (0.1, 1.0)):
        starts = np.concatenate([[0], np.cumsum(base * factor ** np.arange(40))])
        for T in (0.0, 0.05, 0.3, 1.0, 3.0):
            assert tries_within(T, base=base, factor=factor) == np.count_nonzero(starts <= T + 1e-12)
        whole = starts[:30]
        np.testing.assert_array_equal(tries_within(whole, base=base, factor=factor), np.arange(1, 31))
    with pytest.raises(ValueError, match=r"^deadline must not allow more than 2\*\*53 tries, got 1e\+300"):
        tries_within(1e300, factor=1)


def test_times_in_range_are_right_where_the_power_of_the_factor_is_not():
    corner = 1e-5 * (1 + 1e300)
    np.testing.assert_array_equal(tries_within([corner * (1 - 1e-13), corner], base=1e-5, factor=1e300), [2, 3])
    assert wait_quantile(0.8, 0.5, base=1e-5, factor=1e300) == pytest.approx(corner, rel=1e-15)


def test_a_time_beside_a_whole_one_is_not_taken_for_it():
    assert tries_within(1e9, factor=1.0) == 10**9 + 1
    for k in (10, 30, 50):
        assert tries_within(2.0**k + np.array([-3.0, -1.0])).tolist() == [k, k + 1]
    assert tries_within([0.3, 0.6, 0.7, 1.1], base=0.1, factor=1.0).tolist() == [4, 7, 8, 12]
    for factor in (1.0, 1 + 1e-9, 1.5, 2.0, 1e100):
        whole = [sum(Fraction(factor) ** i for i in range(k)) for k in range(1, 4)]
        for k, w in enumerate(map(float, whole), 1):
            w = np.array([w * (1 - 1e-13), w, w * (1 + 1e-13)])
            assert tries_within(w, factor=factor).tolist() == [k, k + 1, k + 1]
            assert wait_tail(w, 0.5, factor=factor).tolist() == [0.5**k, 0.5**k, 0.5 ** (k + 1)]
    with mpmath.workdps(40):
        for level, q in ((0.5, 1 - 1e-12), (0.999, 1 - 1e-9), (0.3, 0.9999)):
            k = mpmath.ceil(mpmath.log(1 - mpmath.mpf(level)) / mpmath.log(mpmath.mpf(q))) - 1
            assert wait_quantile(level, q, factor=1.0) == int(k)


def test_bad_input_is_refused_by_name():
    for function in (success_probability, expected_tries):
        with pytest.raises(ValueError, match=r"^q must lie in \[0, 1\], got 1.5"):
            function(1.5, 3)
        with pytest.raises(ValueError, match=r"^n must be at least 1, got 0"):
            function(0.5, 0)
    with pytest.raises(TypeError, match=r"^backoff must be a Backoff, got 2"):
        expected_wait(0.5, 3, 2)
    with pytest.raises(ValueError, match=r"^n and backoff must keep the result finite, got inf"):
        expected_wait(1.0, 1026, Backoff(1, 2, 1.7e308))
    with pytest.raises(ValueError, match=r"^base must be positive, got 0"):
        wait_tail(1.0, 0.5, base=0)
    with pytest.raises(ValueError, match=r"^level must lie in \[0, 1\), got 1"):
        wait_quantile(1.0, 0.5)
    with pytest.raises(ValueError, match=r"^w and q must broadcast"):
        wait_tail([1.0, 2.0], [0.5, 0.5, 0.5])

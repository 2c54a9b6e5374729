import itertools

import numpy as np
import pytest
from oracles import oracles

from kexue_core.engineering.backoff import JITTERS, Backoff

(sympy,) = oracles("sympy")

CAPPED = [Backoff(1.0, 2.0, 30.0, jitter) for jitter in JITTERS]
RULES = [*CAPPED, *(Backoff(1.5, 3.0, jitter=jitter) for jitter in JITTERS), Backoff()]


def test_ceilings_grow_to_the_cap():
    np.testing.assert_array_equal(Backoff(1, 2, 30).ceilings(8), [1, 2, 4, 8, 16, 30, 30, 30])
    np.testing.assert_array_equal(Backoff().ceilings(3), [2, 2, 2])
    np.testing.assert_array_equal(Backoff(0, 5).ceilings(3), 0)
    assert Backoff(1, 2, 30).ceilings(5000)[-1] == 30
    assert Backoff(1, 2).ceilings(0).shape == (0,)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_stream_yields_what_is_drawn(rule):
    drawn = rule.draw(12, np.random.default_rng(3))
    streamed = list(itertools.islice(rule.stream(np.random.default_rng(3).random), 12))
    np.testing.assert_allclose(streamed, drawn, rtol=1e-14)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_delays_stay_in_their_range_and_have_their_means(rule):
    n, size = 10, 40_000
    delays, ceilings = rule.draw(n, np.random.default_rng(1), size=size), rule.ceilings(n)
    assert delays.shape == (size, n)
    if rule.jitter == "decorrelated":
        before = np.column_stack([np.full(size, rule.base), delays[:, :-1]])
        assert (delays >= rule.base).all()
        assert (delays <= np.minimum(rule.cap, rule.factor * before)).all()
    else:
        low = {"none": 1.0, "full": 0.0, "equal": 0.5}[rule.jitter]
        assert (delays >= low * ceilings).all()
        assert (delays <= ceilings).all()
    error = delays.std(axis=0, ddof=1) / np.sqrt(size)
    assert (np.abs(delays.mean(axis=0) - rule.means(n)) <= 4 * error + 1e-12).all()


def test_decorrelated_means_without_a_cap_solve_their_recurrence():
    k = sympy.symbols("k", integer=True, nonnegative=True)
    m = sympy.Function("m")
    solved = sympy.rsolve(m(k + 1) - sympy.Rational(3, 2) * m(k) - sympy.Rational(1, 2), m(k), {m(0): 1})
    expected = [float(solved.subs(k, j)) for j in range(1, 9)]
    np.testing.assert_allclose(Backoff(1, 3, jitter="decorrelated").means(8), expected, rtol=1e-14)


@pytest.mark.parametrize("cap", [1.01, 1.7, 2.5, 3.0, 9.0, 30.0])
def test_decorrelated_means_below_a_cap_are_those_of_a_fine_markov_chain(cap):
    rule = Backoff(1, 3, cap, "decorrelated")
    cells = 3000
    edges = np.linspace(1, cap, cells + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    # h: the mean of the last delay given the one before, by the midpoint rule; its integral is linear in each cell
    h, h_cap, found = middle, cap, []
    for _ in range(6):
        integral = np.concatenate([[0], np.cumsum(h) * (edges[1] - edges[0])])

        def step(s, integral=integral, h_cap=h_cap):
            return (np.interp(3 * s, edges, integral) + np.maximum(3 * s - cap, 0) * h_cap) / (3 * s - 1)

        found.append(step(1.0))
        h, h_cap = step(middle), step(cap)
    np.testing.assert_allclose(rule.means(6), found, rtol=1e-5)


def test_a_cap_that_is_never_reached_changes_nothing_and_one_below_the_base_is_all():
    free, wide = Backoff(1, 3, jitter="decorrelated"), Backoff(1, 3, 3.0**6 * 1.0000001, "decorrelated")
    np.testing.assert_array_equal(wide.means(6), free.means(6))
    np.testing.assert_allclose(wide.means(9)[:6], free.means(6), rtol=1e-7)
    np.testing.assert_array_equal(Backoff(5, 3, 2, "decorrelated").means(3), 2)
    np.testing.assert_array_equal(Backoff(2, 3, 2, "decorrelated").means(3), 2)
    np.testing.assert_array_equal(Backoff(0, 3, 2, "decorrelated").means(3), 0)


def test_a_rule_is_a_value():
    assert Backoff(1, 2) == Backoff(1.0, 2.0)
    assert hash(Backoff(1, 2)) == hash(Backoff(1.0, 2.0))
    with pytest.raises(AttributeError):
        Backoff().base = 3


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"base": -1}, ValueError, "base must not be negative, got -1"),
        ({"base": np.nan}, ValueError, "base must be finite, got nan"),
        ({"factor": 0.5}, ValueError, "factor must be at least 1, got 0.5"),
        ({"cap": -1}, ValueError, "cap must not be negative, got -1"),
        ({"cap": np.nan}, ValueError, "cap must be a number, got nan"),
        ({"jitter": "some"}, ValueError, "jitter must be one of 'none', .*, got 'some'"),
        ({"base": "1"}, TypeError, "base must be a real number, got '1'"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(given, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Backoff(**given)


def test_bad_calls_are_refused_by_name():
    for jitter in JITTERS:
        with pytest.raises(ValueError, match=r"^n must be at least 0, got -1"):
            Backoff(jitter=jitter).draw(-1, np.random.default_rng(0))
        with pytest.raises(ValueError, match=r"^base and factor must keep the result finite, got inf"):
            Backoff(1, 3, jitter=jitter).means(2000)
    with pytest.raises(ValueError, match=r"^base and factor must keep the result finite, got inf"):
        Backoff(1, 2).ceilings(2000)
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator, got None"):
        Backoff(jitter="full").draw(3)

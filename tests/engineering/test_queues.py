"""Queues: the closed form against a Markov chain, the conservation law, and simulation."""

import re

import numpy as np
import pytest

from kexue_core.engineering import priority_waits, simulate_priority


def test_one_class_is_the_simplest_queue():
    for load in (0.0, 0.3, 0.9):
        assert priority_waits([load * 2], 2.0)[0] == pytest.approx(load / (2 * (1 - load)))


def test_the_mean_wait_over_the_work_does_not_depend_on_the_order():
    rates = np.random.default_rng(0).uniform(0, 0.3, (50, 3))
    waits, load = priority_waits(rates), rates.sum(axis=-1)
    np.testing.assert_allclose((rates * waits).sum(axis=-1), load**2 / (1 - load), rtol=1e-12)


def test_two_classes_against_a_markov_chain():
    """States (jobs of class 1, of class 2, class in service), cut off at 40 each."""
    first, second, n = 0.2, 0.3, 40
    states = {
        state: i for i, state in enumerate((a, b, s) for a in range(n) for b in range(n) for s in (0, 1) if (a, b)[s])
    }
    empty = len(states)
    flow = {}

    def add(start, stop, rate):
        flow[start, stop] = flow.get((start, stop), 0) + rate

    add(empty, states[1, 0, 0], first)
    add(empty, states[0, 1, 1], second)
    for (a, b, s), i in states.items():
        if a + 1 < n:
            add(i, states[a + 1, b, s], first)
        if b + 1 < n:
            add(i, states[a, b + 1, s], second)
        left = (a - (s == 0), b - (s == 1))
        add(i, empty if left == (0, 0) else states[(*left, 0 if left[0] else 1)], 1.0)
    p = np.zeros(empty + 1)
    p[empty] = 1.0
    starts, stops = np.array(list(flow)).T
    rates = np.array(list(flow.values())) / 3
    out = np.bincount(starts, rates, empty + 1)
    for _ in range(6000):
        p = p * (1 - out) + np.bincount(stops, p[starts] * rates, empty + 1)
    waiting = np.zeros(2)
    for (a, b, s), i in states.items():
        waiting += p[i] * np.array([a - (s == 0), b - (s == 1)])
    np.testing.assert_allclose(waiting / [first, second], priority_waits([first, second]), rtol=1e-4)


def test_a_batch_is_a_loop_and_overload_is_infinite():
    rates = np.random.default_rng(1).uniform(0, 0.6, (4, 5, 3))
    waits = priority_waits(rates, 1.25)
    for place in np.ndindex(4, 5):
        np.testing.assert_array_equal(waits[place], priority_waits(rates[place], 1.25))
    np.testing.assert_allclose(priority_waits([0.1, 0.3, 50]), [1 / 0.9, 1 / 0.54, np.inf])
    np.testing.assert_allclose(priority_waits([0.1, 0.9]), [1 / 0.9, np.inf])


def test_simulated_waits_meet_the_formula():
    means = []
    for seed in range(12):
        run = simulate_priority(np.random.default_rng(seed), [0.1, 0.3, 0.2], jobs=4000)
        means.append([run["waits"][run["classes"] == k].mean() for k in range(3)])
    error = np.std(means, axis=0, ddof=1) / 12**0.5
    assert (np.abs(np.mean(means, axis=0) - priority_waits([0.1, 0.3, 0.2])) < 4 * error).all()


def test_a_simulated_server_never_rests_while_a_job_waits():
    run = simulate_priority(np.random.default_rng(3), [0.3, 0.5], jobs=300)
    starts = np.sort(run["arrivals"] + run["waits"])
    assert (np.diff(starts) > 0).all()
    late = run["waits"] > 0
    assert 0 < late.sum() < 300
    for k in range(2):  # first come, first served in each class
        assert (np.diff((run["arrivals"] + run["waits"])[run["classes"] == k]) > 0).all()


def test_what_is_refused():
    rng = np.random.default_rng(0)
    for call, error, message in (
        (lambda: priority_waits([-1.0]), ValueError, "rates must not be negative, got -1"),
        (lambda: priority_waits([1.0], 0), ValueError, "service_rate must be positive, got 0"),
        (lambda: simulate_priority(0, [1.0]), TypeError, "rng must be a numpy.random.Generator, got 0"),
        (lambda: simulate_priority(rng, [0.0]), ValueError, "rates must be positive, got 0"),
        (lambda: simulate_priority(rng, [1.0], jobs=0), ValueError, "jobs must be at least 1, got 0"),
    ):
        with pytest.raises(error, match=re.escape(message)):
            call()

import heapq
import itertools

import numpy as np
import pytest

from kexue_core.engineering.backoff import Backoff
from kexue_core.engineering.contention import burst_success, offered_load, simulate_contention
from kexue_core.engineering.waiting import expected_tries

RULES = {
    "none": Backoff(0),
    "exponential": Backoff(10, 2, 2000),
    "decorrelated": Backoff(5, 3, 2000, "decorrelated"),
    "equal": Backoff(10, 2, 2000, "equal"),
    "full": Backoff(10, 2, 2000, "full"),
}


def test_a_burst_against_the_count_of_all_choices():
    for clients, slots in itertools.product((1, 2, 3, 4), (1, 2, 3)):
        alone = sum(c.count(c[0]) == 1 for c in itertools.product(range(slots), repeat=clients))
        assert burst_success(clients, slots) == pytest.approx(alone / slots**clients, abs=1e-15)


def test_a_burst_tends_to_its_exponential_and_is_fullest_at_one_slot_a_client():
    np.testing.assert_allclose(burst_success(1e6, [1e6, 5e5]), np.exp([-1, -2]), rtol=1e-5)
    slots = 1 + 3e-9
    assert burst_success(2, slots) == pytest.approx((slots - 1) / slots, rel=1e-14, abs=0)
    for slots in (5, 40):
        served = np.arange(1, 200) * burst_success(np.arange(1, 200), slots)
        assert served[slots - 1] == pytest.approx(served.max())


def by_messages(clients, rule, rng):
    """Simulate message by message: every message is an event, and the server holds a version."""
    counter = itertools.count()
    delays = [rule.stream(rng.random) for _ in range(clients)]

    def message():
        return abs(rng.normal(10, 2))

    queue = [(message(), next(counter), "read", c, None) for c in range(clients)]
    heapq.heapify(queue)
    version, calls = 0, 0
    while queue:
        now, _, kind, c, seen = heapq.heappop(queue)
        if kind == "read":
            event = (now + message(), next(counter), "seen", c, version)
        elif kind == "seen":
            event = (now + message(), next(counter), "write", c, seen)
        elif kind == "write":
            calls += 1
            won = seen == version
            version += won
            event = (now + message(), next(counter), "told", c, won)
        elif seen:
            continue
        else:
            event = (now + message() + next(delays[c]), next(counter), "read", c, None)
        heapq.heappush(queue, event)
    return calls, now


@pytest.mark.parametrize("name", RULES)
def test_the_simulation_is_the_one_of_every_message(name):
    rng, runs = np.random.default_rng(4), 60
    ours = [simulate_contention(20, RULES[name], rng) for _ in range(runs)]
    ours = np.array([(len(times), times[-1] + 10) for times, _, _ in ours])
    theirs = np.array([by_messages(20, RULES[name], rng) for _ in range(runs)])
    error = np.sqrt((ours.var(axis=0, ddof=1) + theirs.var(axis=0, ddof=1)) / runs)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 4 * error + 0.5).all()


@pytest.mark.parametrize("name", RULES)
def test_every_client_succeeds_once_and_last(name):
    for clients in (1, 2, 17):
        times, numbers, success = simulate_contention(clients, RULES[name], np.random.default_rng(7))
        assert (np.diff(times) >= 0).all()
        assert sorted(numbers[success]) == list(range(clients))
        for c in range(clients):
            mine = success[numbers == c]
            assert mine[-1]
            assert mine.sum() == 1
        assert (success[0], len(times) >= clients) == (True, True)


def test_in_lock_step_one_wins_a_round():
    for clients in (1, 2, 10, 30):
        times, *_ = simulate_contention(clients, Backoff(0), np.random.default_rng(0), spread=0)
        assert len(times) == clients * (clients + 1) // 2
        np.testing.assert_allclose(np.unique(times.round(9)), 30 + 40 * np.arange(clients))


def test_two_clients_almost_always_collide_once():
    calls = [len(simulate_contention(2, RULES["full"], np.random.default_rng(s))[0]) for s in range(500)]
    assert set(calls) == {3}
    wide = [len(simulate_contention(2, RULES["full"], np.random.default_rng(s), spread=6)[0]) for s in range(500)]
    assert set(wide) >= {2, 3}


def test_seeds_repeat():
    first, second = (simulate_contention(9, RULES["full"], np.random.default_rng(3)) for _ in range(2))
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)


def test_the_load_is_that_of_the_mean_number_of_tries():
    a = np.array([0.2, 1.0, 1.3, 4.0, 1e4])
    for exponent, n in itertools.product((1.0, 2.0, 3.0), (1, 2, 5, 40)):
        q = 1 - np.minimum(1, a**-exponent)
        np.testing.assert_allclose(offered_load(a, 0.7, n, exponent=exponent), 0.7 * expected_tries(q, n), rtol=1e-6)
    assert offered_load(1e150, 0.5, 3) == offered_load(1e300, 0.5, 3) == 1.5
    rare = 5e-16  # n tries of it: n (1 - (n - 1) rare / 2), and what follows is below rounding
    expected = 1e6 * (1 - 999_999 * rare / 2)
    assert offered_load(1 / rare, 1.0, 10**6, exponent=1) == pytest.approx(expected, rel=1e-15)
    np.testing.assert_array_equal(offered_load(a, 0.7, 5, budget=0.0), 0.7)
    assert (offered_load(a, 0.7, 5, budget=0.1) <= 0.7 * 1.1).all()


def fixed_points(load, n, **options):
    a = np.linspace(0.01, 40, 400_001)
    return np.count_nonzero(np.diff(np.sign(offered_load(a, load, n, **options) - a)))


def test_a_second_stable_state_appears_with_one_more_try():
    for load, n in ((0.5, 10), (0.6, 7), (0.7, 5), (0.8, 4), (0.9, 3), (0.95, 2)):
        assert [fixed_points(load, n - 1), fixed_points(load, n)] == [1, 3]
        assert fixed_points(load, n, exponent=1) == 1
        assert fixed_points(load, n, budget=1 / load - 1) == 1
    a = 10.0
    for _ in range(500):
        a = offered_load(a, 0.7, 5)
    assert a == pytest.approx(2.616, abs=5e-4)


def test_bad_input_is_refused_by_name():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"^clients must be at least 1, got 0"):
        simulate_contention(0, Backoff(), rng)
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator, got None"):
        simulate_contention(2, Backoff(), None)
    with pytest.raises(TypeError, match=r"^backoff must be a Backoff, got 'full'"):
        simulate_contention(2, "full", rng)
    with pytest.raises(ValueError, match=r"^spread must not be negative, got -1"):
        simulate_contention(2, Backoff(), rng, spread=-1)
    with pytest.raises(ValueError, match=r"^slots must be at least 1, got 0.5"):
        burst_success(3, 0.5)
    with pytest.raises(ValueError, match=r"^a must be positive, got 0"):
        offered_load(0.0, 0.5, 3)
    with pytest.raises(ValueError, match=r"^exponent must be at least 1, got 0.5"):
        offered_load(1.0, 0.5, 3, exponent=0.5)

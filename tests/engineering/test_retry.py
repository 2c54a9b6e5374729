import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kexue_core.engineering.backoff import Backoff
from kexue_core.engineering.retry import Attempt, Retry, RetryBudget


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def finished(coroutine):
    """Run a coroutine to its end in a thread of its own: a browser of other tests has a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def run(script, *args, error=ValueError, **options):
    """Run a body that fails where the script has F; return the attempt, what was slept, the tries made."""
    clock = Clock()
    letters, tries = iter(script), 0
    for attempt in Retry(*args, sleep=clock.sleep, clock=clock, **options):
        with attempt:
            tries += 1
            if next(letters) == "F":
                raise error(f"try {tries}")
    return attempt, clock.slept, tries


def test_the_loop_ends_at_the_first_success_and_sleeps_between_tries_only():
    for failures in range(5):
        attempt, slept, tries = run("F" * failures + "S" * 9)
        assert (tries, attempt.number, attempt.allright) == (failures + 1, failures + 1, True)
        assert slept == [2.0] * failures
        assert attempt.exception is None
        assert attempt.waited == 2.0 * failures


def test_no_sleep_follows_the_last_failure_and_the_error_is_kept():
    attempt, slept, tries = run("FFFFFFFF")
    assert (tries, slept, attempt.allright) == (5, [2.0] * 4, False)
    assert str(attempt.exception) == "try 5"
    assert run("F", 1)[1] == []


def test_reraise_lets_the_last_error_out_with_its_own_traceback():
    with pytest.raises(ValueError, match="try 3") as caught:
        run("FFFFF", 3, reraise=True)
    assert caught.traceback[-1].name == "run"
    assert run("FFS", 3, reraise=True)[0].allright


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, KeyError, NameError]
)
def test_what_is_not_to_be_tried_again_propagates_at_the_first_try(error):
    clock, tries, attempt = Clock(), 0, None
    retry = Retry(exceptions=(OSError, ValueError), sleep=clock.sleep, clock=clock)
    with pytest.raises(error):  # noqa: PT012
        for attempt in retry:
            with attempt:
                tries += 1
                raise error
    assert (tries, clock.slept, attempt.allright, attempt.exception) == (1, [], False, None)


def test_subclasses_are_tried_again():
    assert run("FFS", exceptions=OSError, error=ConnectionError)[2] == 3


def test_one_object_serves_nested_and_repeated_loops():
    clock = Clock()
    retry, tries = Retry(3, sleep=clock.sleep, clock=clock), []
    for outer in retry:
        with outer:
            for inner in retry:
                with inner:
                    tries.append((outer.number, inner.number))
                    raise ValueError
            if outer.number < 2:
                raise inner.exception
    assert tries == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert (outer.allright, inner.allright) == (True, False)
    assert [attempt.number for attempt in retry for _ in [attempt.__enter__(), attempt.__exit__(None, None, None)]] == [
        1,
        1,
    ]


def test_threads_share_one_object():
    retry, found = Retry(4, sleep=lambda seconds: None), []

    def work(failures):
        for attempt in retry:
            with attempt:
                if attempt.number <= failures:
                    raise ValueError
        found.append((failures, attempt.number, attempt.allright))

    threads = [threading.Thread(target=work, args=(i % 5,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted((i % 5, min(i % 5 + 1, 4), i % 5 < 4) for i in range(20))


def test_return_break_and_continue_count_as_success_unless_rejected():
    def answer(script, reject):
        letters = iter(script)
        for attempt in Retry(5, sleep=lambda seconds: None):
            with attempt:
                if next(letters) == "F":
                    if reject:
                        attempt.reject()
                    continue
                return attempt.number, attempt
        return None, attempt

    assert answer("FFS", True)[0] == 3
    number, attempt = answer("FFS", False)
    assert (number, attempt.number, attempt.allright) == (None, 1, True)
    number, attempt = answer("FFFFF", True)
    assert (number, attempt.number, attempt.allright, attempt.exception) == (None, 5, False, None)


def test_a_body_that_never_enters_is_told():
    with pytest.raises(RuntimeError, match="must enter `with attempt`"):
        for _ in Retry():
            pass


def test_delays_are_those_of_the_rule():
    assert run("FFFFFS", 6, backoff=Backoff(1, 2, 5))[1] == [1, 2, 4, 5, 5]
    rule = Backoff(1, 2, jitter="full")
    expected = rule.draw(4, np.random.default_rng(5)).tolist()
    assert run("FFFFS", 5, backoff=rule, rng=np.random.default_rng(5))[1] == pytest.approx(expected, rel=1e-15)
    assert run("FFS", backoff=Backoff(0))[1] == []


def test_no_delay_begins_that_would_end_after_the_deadline():
    for deadline in (0, 0.5, 1, 2.9, 3, 7, 60, 62.9, 63):
        _, slept, tries = run("F" * 99, 99, backoff=Backoff(1, 2), deadline=deadline)
        assert sum(slept) <= deadline < sum(slept) + 2 ** len(slept)
        assert tries == len(slept) + 1
    assert run("F" * 99, 99, deadline=60)[2] == 31


def test_a_budget_bounds_the_retries_of_all_calls_together():
    rng, budget = np.random.default_rng(0), RetryBudget(ratio=0.1, size=5)
    retries = 0
    for call in range(1, 2001):
        script = "".join(rng.choice(["F", "S"], p=[0.9, 0.1], size=5))
        retries += run(script + "S", budget=budget)[2] - 1
        assert retries <= 5 + 0.1 * call + 1e-6
    assert retries > 195
    assert 0 <= budget.tokens < 2


def test_without_failures_the_bucket_stays_full():
    budget = RetryBudget(0.5, 3)
    for _ in range(10):
        run("S", budget=budget)
    assert budget.tokens == 3


@pytest.mark.parametrize("kind", ["asyncio", "plain"])
def test_async_for_awaits_the_delays(kind):
    clock = Clock()

    async def sleep(seconds):
        await asyncio.sleep(0)
        clock.sleep(seconds)

    async def work(script):
        letters = iter(script)
        async for attempt in Retry(5, sleep=sleep if kind == "asyncio" else clock.sleep, clock=clock):
            with attempt:
                await asyncio.sleep(0)
                if next(letters) == "F":
                    raise ValueError
        return attempt

    async def both():
        return await asyncio.gather(work("FFS"), work("FFFFFF"))

    first, second = finished(both())
    assert (first.number, first.allright, second.number, second.allright) == (3, True, 5, False)
    assert clock.slept == [2.0] * 6


def test_cancelling_a_task_ends_its_loop():
    tries = []

    async def work():
        async for attempt in Retry(5, backoff=Backoff(0)):
            with attempt:
                tries.append(attempt.number)
                await asyncio.sleep(60)

    async def cancel():
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    finished(cancel())
    assert tries == [1]


def test_as_a_decorator_it_returns_the_value_or_raises_the_last_error():
    clock, calls = Clock(), []

    @Retry(3, sleep=clock.sleep, clock=clock)
    def fetch(script, *, bonus=0):
        """Fetch."""
        calls.append(script)
        if script[len(calls) - 1] == "F":
            raise ValueError(len(calls))
        return len(calls) + bonus

    assert fetch("FFS", bonus=10) == 13
    assert (fetch.__name__, fetch.__doc__) == ("fetch", "Fetch.")
    calls.clear()
    with pytest.raises(ValueError, match="3"):
        fetch("FFF")

    @Retry(3, sleep=clock.sleep, clock=clock)
    async def later(script):
        calls.append(script)
        if script[len(calls) - 1] == "F":
            raise ValueError(len(calls))
        return len(calls)

    calls.clear()
    assert finished(later("FS")) == 2
    calls.clear()
    with pytest.raises(ValueError, match="3"):
        finished(later("FFF"))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"max_tries": 0}, ValueError, "max_tries must be at least 1, got 0"),
        ({"max_tries": 2.0}, TypeError, "max_tries must be an integer, got 2.0"),
        ({"exceptions": 3}, TypeError, "exceptions must be subclasses of Exception, got 3"),
        ({"exceptions": (ValueError, "x")}, TypeError, "exceptions must be subclasses of Exception, got 'x'"),
        ({"exceptions": KeyboardInterrupt}, TypeError, "exceptions must be subclasses of Exception, got <class"),
        ({"backoff": 2.0}, TypeError, "backoff must be a Backoff, got 2.0"),
        ({"max_tries": 2000, "backoff": Backoff(1, 2)}, ValueError, "base and factor must keep the result finite"),
        ({"deadline": -1}, ValueError, "deadline must not be negative, got -1.0"),
        ({"deadline": float("nan")}, ValueError, "deadline must be a number, got nan"),
        ({"budget": 3}, TypeError, "budget must be a RetryBudget, got 3"),
        ({"sleep": 3}, TypeError, "sleep must be callable, got 3"),
        ({"clock": None}, TypeError, "clock must be callable, got None"),
        ({"rng": 0}, TypeError, "rng must be a numpy.random.Generator, got 0"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_when_it_is_made(given, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Retry(**given)


def test_a_budget_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"^ratio must not be negative, got -1"):
        RetryBudget(-1)
    with pytest.raises(ValueError, match=r"^size must be at least 1, got 0"):
        RetryBudget(0.1, 0)


def test_the_loop_yields_one_attempt():
    clock = Clock()
    seen = []
    for attempt in Retry(3, sleep=clock.sleep, clock=clock):
        with attempt as inside:
            seen.append((attempt, inside))
            raise ValueError
    assert isinstance(attempt, Attempt)
    assert all(pair == (attempt, attempt) for pair in seen)

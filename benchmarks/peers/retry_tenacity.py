"""Delays and semantics of tenacity, backoff and stamina for the chapter `python_retry`.

    pip install tenacity==9.2.1 backoff==2.2.1 stamina==26.1.0
    python benchmarks/peers/retry_tenacity.py

Printed by these versions, in seconds, with 40 000 draws for a mean and seed 9938:

    wait_exponential(max=30): 1, 2, 4, 8, 16, 30, 30
    backoff.expo(max_value=30): 1, 2, 4, 8, 16, 30, 30
    stamina, wait_initial=1, wait_max=30, wait_jitter=0: 1, 2, 4, 8, 16, 30, 30
    wait_random_exponential(max=30), mean and s.e.:
        0.5009 0.0014  0.9989 0.0029  2.0010 0.0057  4.0127 0.0116  7.9707 0.0230  15.0290 0.0434
    backoff.full_jitter, mean and s.e.:
        0.5008 0.0014  1.0043 0.0029  2.0007 0.0058  3.9876 0.0116  8.0011 0.0231  15.0155 0.0432
    Retrying, 5 tries, wait_fixed(2), script S: 1 try, no sleep, no error leaves the loop
    Retrying, 5 tries, wait_fixed(2), script FFS: 3 tries, sleeps 2, 2, none
    Retrying, 5 tries, wait_fixed(2), script FFFFF: 5 tries, sleeps 2, 2, 2, 2, RetryError after 5
    tries by exception, of 3: ValueError 3, KeyboardInterrupt 1, SystemExit 1, GeneratorExit 1, CancelledError 1
"""

import asyncio
import itertools
import random
import statistics
from importlib.metadata import version

import backoff
import stamina
import tenacity

RUNS = 40_000
KINDS = (ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError)


def delays_of_tenacity(wait, n):
    """Return what a wait rule of tenacity answers before n retries."""
    found = []
    for number in range(1, n + 1):
        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        state.attempt_number = number
        found.append(float(wait(state)))
    return found


def delays_of_backoff(generator, n):
    """Return the first n values of a generator of backoff, which wants to be started."""
    next(generator)
    return [float(value) for value in itertools.islice(generator, n)]


def delays_of_stamina(n):
    """Return the delays before n retries with stamina's context manager, slept by a list."""
    found = []
    with stamina.set_testing(False):
        caller = stamina.RetryingCaller(attempts=n + 1, timeout=None, wait_initial=1.0, wait_max=30.0, wait_jitter=0.0)
        original = tenacity.nap.time.sleep
        tenacity.nap.time.sleep = found.append
        try:
            caller(ValueError, _fail)
        except ValueError:
            pass
        finally:
            tenacity.nap.time.sleep = original
    return found


def _fail():
    raise ValueError


def means(draw, n):
    """Return mean and standard error of each of n random delays."""
    columns = zip(*(draw(n) for _ in range(RUNS)))
    return [(statistics.fmean(c), statistics.stdev(c) / RUNS**0.5) for c in columns]


def loop_of_tenacity(script, tries, **options):
    """Return tries, sleeps and the error that leaves the loop, for a script of F and S."""
    slept, number, letters = [], 0, iter(script)
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(tries), wait=tenacity.wait_fixed(2), sleep=slept.append, **options
    )
    try:
        for attempt in retrying:
            with attempt:
                number += 1
                if next(letters) == "F":
                    raise ValueError
    except tenacity.RetryError as error:
        return number, slept, f"RetryError after {error.last_attempt.attempt_number}"
    return number, slept, "none"


def tries_for(kind):
    """Return how often tenacity runs a body that raises an exception, three tries allowed."""
    number = 0
    try:
        for attempt in tenacity.Retrying(stop=tenacity.stop_after_attempt(3)):
            with attempt:
                number += 1
                raise kind
    except (tenacity.RetryError, kind):
        pass
    return number


def main():
    """Print the delays and the tries."""
    print("tenacity", version("tenacity"), "backoff", version("backoff"), "stamina", version("stamina"))
    print("wait_exponential(max=30):", delays_of_tenacity(tenacity.wait_exponential(max=30), 7))
    print("backoff.expo(max_value=30):", delays_of_backoff(backoff.expo(max_value=30), 7))
    print("stamina, wait_initial=1, wait_max=30, wait_jitter=0:", delays_of_stamina(7))
    random.seed(9938)
    full = means(lambda n: delays_of_tenacity(tenacity.wait_random_exponential(max=30), n), 6)
    print("wait_random_exponential(max=30), mean and s.e.:", [f"{m:.4f} {e:.4f}" for m, e in full])
    ceilings = delays_of_backoff(backoff.expo(max_value=30), 6)
    full = means(lambda n: [backoff.full_jitter(value) for value in ceilings[:n]], 6)
    print("backoff.full_jitter, mean and s.e.:", [f"{m:.4f} {e:.4f}" for m, e in full])
    for script in ("S", "FFS", "FFFFF"):
        print("Retrying, 5 tries, wait_fixed(2), script", script, loop_of_tenacity(script, 5))
    print("tries by exception, of 3:", {kind.__name__: tries_for(kind) for kind in KINDS})


if __name__ == "__main__":
    main()

"""What many clients do to one server when they retry: collisions in a burst, a queue for one row, a storm that stays.

The queue is the model of a row that clients update optimistically: each reads its version, writes against it, and loses
if another write came between.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.engineering.backoff import Backoff

__all__ = ["burst_success", "simulate_contention", "offered_load"]

_MOST_CALLS = 5_000_000


def burst_success(clients: ArrayLike, slots: ArrayLike) -> NDArray[np.float64]:
    """Return the probability that a client is alone in its slot: ``(1 - 1/v)**(N - 1)``, near ``exp(-N / v)``.

    Parameters
    ----------
    clients : (...) array_like
        ``N``, at least 1; each chooses one slot, independently and uniformly.
    slots : (...) array_like
        ``v``, at least 1.

    Returns
    -------
    share : (...) ndarray or float
        Increasing in ``v``, decreasing in ``N``; the mean number of slots with one client is ``N`` times it, which is
        largest at ``v = N``, for a given ``v``.

    Raises
    ------
    ValueError
        If an argument is below 1, or the shapes do not broadcast.

    References
    ----------
    .. [1] Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015, for the setting.

    Examples
    --------
    >>> burst_success(100, [16, 100, 256]).round(4)
    array([0.0017, 0.3697, 0.6788])
    """
    N, v = _checks.array("clients", clients, low=1), _checks.array("slots", slots, low=1)
    _checks.broadcast(("clients", N, 0), ("slots", v, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(N == 1, 1.0, np.exp((1 - N) * np.log1p(1 / (v - 1))))[()]


def simulate_contention(
    clients: int, backoff: Backoff, rng: np.random.Generator, *, delay: float = 10.0, spread: float = 2.0
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return all writes of clients that each need one success on one row, in the order of their arrival.

    A client reads the version, writes against it, and on a conflict backs off and reads again. Each message takes
    ``|Normal(delay, spread)|``. A write succeeds if no other one did since its client's read.

    Parameters
    ----------
    clients : int
        At least 1; all start at time 0.
    backoff : Backoff
        The delays, in the unit of ``delay``.
    rng : numpy.random.Generator
        For the messages and the jitter.
    delay, spread : float
        Mean and standard deviation of a message, positive and not negative. With spread 0 ties are decided by number.

    Returns
    -------
    times : (calls,) ndarray
        When the writes arrive, ascending.
    numbers : (calls,) ndarray of int
        Whose they are.
    success : (calls,) ndarray of bool
        Exactly one of each client, its last.

    Raises
    ------
    ValueError
        If an argument is out of its range, or more than five million writes are made.
    TypeError
        If an argument is of another type.

    References
    ----------
    .. [1] Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015, and its simulator
       aws-samples/aws-arch-backoff-simulator.

    Examples
    --------
    >>> times, numbers, success = simulate_contention(3, Backoff(0.0), np.random.default_rng(0))
    >>> len(times), np.sort(numbers[success])
    (6, array([0, 1, 2]))
    """
    clients = _checks.integer("clients", clients, low=1, high=100_000)
    _checks.instance("backoff", backoff, Backoff)
    _checks.generator("rng", rng)
    delay = _checks.number("delay", delay, low=0, open="low")
    spread = _checks.number("spread", spread, low=0)
    messages, uniforms = _messages(rng, delay, spread), _uniforms(rng)
    delays = [backoff.stream(uniforms.__next__) for _ in range(clients)]
    # of a try only the arrivals of its read and of its write matter: the write is the event, ties go by number
    queue = []
    for number in range(clients):
        read = next(messages)
        queue.append((read + next(messages) + next(messages), number, read))
    heapq.heapify(queue)
    times, numbers, success, last = [], [], [], -1.0
    while queue:
        write, number, read = queue[0]
        won = last <= read
        times.append(write)
        numbers.append(number)
        success.append(won)
        if won:
            last = write
            heapq.heappop(queue)
            continue
        if len(times) > _MOST_CALLS:
            raise ValueError(f"clients must not make more than {_MOST_CALLS} calls, got {clients}")
        read = write + next(messages) + next(delays[number]) + next(messages)
        heapq.heapreplace(queue, (read + next(messages) + next(messages), number, read))
    return np.array(times), np.array(numbers, dtype=np.int64), np.array(success, dtype=bool)


def offered_load(
    a: ArrayLike, load: ArrayLike, n: int, *, exponent: float = 2.0, budget: float = np.inf
) -> NDArray[np.float64]:
    """Return the load that retries make of the one before: ``a -> load min(1 + r, (1 - (1 - p)**n) / p)``.

    Parameters
    ----------
    a : (...) array_like
        Calls a second that arrive, over the capacity, positive. A call succeeds with ``p = min(1, a**-e)``.
    load : (...) array_like
        New requests a second over the capacity, positive.
    n : int
        Tries of each request, at least 1.
    exponent : float
        ``e``, at least 1. At 1 the server works at capacity however large ``a`` is; above, overload destroys work.
    budget : float
        ``r``, retries for each request at the most, not negative; infinity is none.

    Returns
    -------
    a : (...) ndarray or float
        Increasing in ``a``, between ``load`` and ``load min(n, 1 + r)``.

    Raises
    ------
    ValueError
        If an argument is out of its range, the shapes do not broadcast, or the load overflows.

    References
    ----------
    .. [1] A model of what Bronson et al., "Metastable Failures in Distributed Systems", HotOS 2021, describe.

    Examples
    --------
    >>> offered_load([0.9, 2.0], 0.7, 5).round(3)
    array([0.7  , 2.136])
    """
    a, load = _checks.array("a", a, low=0, open="low"), _checks.array("load", load, low=0, open="low")
    n = _checks.integer("n", n, low=1, high=1_000_000)
    exponent = _checks.number("exponent", exponent, low=1)
    budget = _checks.number("budget", budget, low=0, finite=False)
    _checks.broadcast(("a", a, 0), ("load", load, 0))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        p = np.maximum(a, 1.0) ** -exponent
        tries = np.where(p > 0, -np.expm1(n * np.log1p(-p)) / p, n)
        return _checks.result(np.asarray(load * np.minimum(min(1 + budget, n), tries)), "load and n")


def _messages(rng, delay, spread):
    """Yield the times that messages take."""
    while True:
        yield from np.abs(rng.normal(delay, spread, 4096)).tolist()


def _uniforms(rng):
    """Yield uniform numbers."""
    while True:
        yield from rng.random(4096).tolist()

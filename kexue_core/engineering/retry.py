"""Retrying as a loop over context managers: the final form of the article, with what production asks of it.

``for attempt in Retry(5): with attempt: …`` runs its body until it succeeds. A ``with`` alone cannot: a context manager
acts before and after its body, and never runs it again.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any

import numpy as np

from kexue_core import _checks
from kexue_core.engineering.backoff import Backoff

__all__ = ["Retry", "Attempt", "RetryBudget"]


class Retry:
    """A rule for retrying: ``for attempt in Retry(5): with attempt: body``; with ``async for`` it waits by ``await``.

    It holds no state of a run but the budget and the generator, so that one object serves nested and repeated loops,
    threads and tasks. As a decorator, ``@Retry(5)``, it returns what the function returns, or raises its last error.

    Parameters
    ----------
    max_tries : int
        At least 1.
    exceptions : type, or tuple of types
        What is tried again: subclasses of `Exception`. Everything else propagates at once, `KeyboardInterrupt`,
        `SystemExit`, `GeneratorExit` and `asyncio.CancelledError` among it.
    backoff : Backoff
        The delays between tries, 2 seconds each by default. None follows the last try.
    deadline : float
        Seconds from the start of the loop: no delay begins that would end after it. A running body is not stopped.
    budget : RetryBudget, optional
        Shared by the loops that call one service.
    reraise : bool
        Whether the last error leaves the loop; by default it is kept in ``attempt.exception``, as in the article.
    sleep : callable, optional
        Waits for seconds: `time.sleep`, and `asyncio.sleep` in ``async for``, if it is left out.
    clock : callable
        Returns seconds.
    rng : numpy.random.Generator, optional
        For the jitter; a fresh one if it is left out.

    Raises
    ------
    ValueError
        If a number is out of its range.
    TypeError
        If an argument is of another type.
    RuntimeError
        From the loop, if its body does not enter ``with attempt``.

    References
    ----------
    .. [1] kexue.fm/archives/9938.

    Examples
    --------
    >>> answers, slept = iter("FFS"), []
    >>> for attempt in Retry(5, sleep=slept.append):
    ...     with attempt:
    ...         if next(answers) == "F":
    ...             raise ValueError("busy")
    >>> attempt.number, attempt.allright, slept
    (3, True, [2.0, 2.0])
    """

    def __init__(
        self,
        max_tries: int = 5,
        *,
        exceptions: type[Exception] | tuple[type[Exception], ...] = Exception,
        backoff: Backoff = Backoff(),  # noqa: B008, it never changes
        deadline: float = float("inf"),
        budget: RetryBudget | None = None,
        reraise: bool = False,
        sleep: Callable[[float], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: np.random.Generator | None = None,
    ):
        self.max_tries = _checks.integer("max_tries", max_tries, low=1, high=1_000_000)
        self.exceptions = exceptions if isinstance(exceptions, tuple) else (exceptions,)
        for kind in self.exceptions:
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                raise TypeError(f"exceptions must be subclasses of Exception, got {kind!r}")
        self.backoff = _checks.instance("backoff", backoff, Backoff)
        backoff.ceilings(self.max_tries - 1)  # finite, all of them
        self.deadline = _checks.number("deadline", deadline, low=0, finite=False)
        self.budget = None if budget is None else _checks.instance("budget", budget, RetryBudget)
        self.reraise = bool(reraise)
        for name, value in (("sleep", sleep or time.sleep), ("clock", clock)):
            if not callable(value):
                raise TypeError(f"{name} must be callable, got {value!r}")
        self.sleep, self.clock = sleep, clock
        self.rng = np.random.default_rng() if rng is None else _checks.generator("rng", rng)

    def __iter__(self) -> Iterator[Attempt]:
        """Yield one `Attempt` before every try; wait between them."""
        sleep = self.sleep or time.sleep
        attempt = Attempt(self)
        while attempt._again():
            yield attempt
            if pause := attempt._pause_after():
                sleep(pause)

    async def __aiter__(self) -> AsyncIterator[Attempt]:
        """Yield as ``for`` does, and await the delays."""
        sleep = self.sleep or asyncio.sleep
        attempt = Attempt(self)
        while attempt._again():
            yield attempt
            if (pause := attempt._pause_after()) and inspect.isawaitable(waiting := sleep(pause)):
                await waiting

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function, or a coroutine function, that tries as this rule says."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def retried(*args: Any, **kwargs: Any) -> Any:
                async for attempt in self:
                    with attempt:
                        return await function(*args, **kwargs)
                raise attempt.exception

        else:

            @functools.wraps(function)
            def retried(*args: Any, **kwargs: Any) -> Any:
                for attempt in self:
                    with attempt:
                        return function(*args, **kwargs)
                raise attempt.exception

        return retried


class Attempt:
    """The context manager that a loop over `Retry` yields, the same one for all of its tries; not made by hand.

    Attributes
    ----------
    number : int
        Of the try, from 1.
    allright : bool
        Whether the last try that ended did so without an error.
    exception : Exception or None
        The error of the last try that ended.
    waited : float
        Seconds asked of ``sleep`` so far.
    """

    number: int
    allright: bool
    exception: Exception | None
    waited: float

    def __init__(self, retry: Retry):
        self.number, self.allright, self.exception, self.waited = 0, False, None, 0.0
        self._retry, self._end = retry, retry.clock() + retry.deadline
        self._delays = retry.backoff.stream(retry.rng.random)
        self._next: float | None = 0.0
        self._entered = self._rejected = False
        if retry.budget is not None:
            retry.budget.deposit()

    def reject(self) -> None:
        """Count this try as failed although nothing is raised: before ``continue``, say, after a bad answer."""
        self._rejected = True

    def __enter__(self) -> Attempt:
        """Begin a try."""
        self._entered, self._rejected = True, False
        self.number += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """End a try: keep its error, decide whether another one follows, swallow what is tried again."""
        self._next = None
        self.allright = error is None and not self._rejected
        if error is not None and not isinstance(error, self._retry.exceptions):
            return False
        self.exception = error
        if not self.allright:
            self._next = self._allowed()
        return error is not None and (self._next is not None or not self._retry.reraise)

    def _allowed(self) -> float | None:
        """Return the delay before another try, None if tries, time or budget are used up."""
        if self.number >= self._retry.max_tries:
            return None
        pause = next(self._delays)
        if self._retry.clock() + pause > self._end:
            return None
        return pause if self._retry.budget is None or self._retry.budget.withdraw() else None

    def _again(self) -> bool:
        return self._next is not None

    def _pause_after(self) -> float:
        if not self._entered:
            raise RuntimeError("the body of the loop must enter `with attempt`, got one that did not")
        self._entered = False
        pause = self._next or 0.0
        self.waited += pause
        return pause


class RetryBudget:
    """A bucket of tokens that retries are paid from: each call puts in ``ratio``, each retry takes out 1.

    It starts full. Of the first ``m`` calls that share it, at most ``size + ratio m`` are followed by a retry, however
    many of them fail: the load is bounded by ``1 + ratio`` times the calls, up to the constant ``size``.

    Parameters
    ----------
    ratio : float
        Tokens for each call, not negative.
    size : float
        Tokens that the bucket holds, at least 1.

    Raises
    ------
    ValueError
        If a number is out of its range.
    TypeError
        If a number is none.

    References
    ----------
    .. [1] Retry throttling in gRPC (proposal A6) pays in for successes instead, and takes out for failures.

    Examples
    --------
    >>> budget = RetryBudget(ratio=0.5, size=1)
    >>> budget.withdraw(), budget.withdraw()
    (True, False)
    >>> budget.deposit(), budget.deposit(), budget.withdraw()
    (None, None, True)
    """

    def __init__(self, ratio: float = 0.1, size: float = 10.0):
        self.ratio = _checks.number("ratio", ratio, low=0)
        self.size = _checks.number("size", size, low=1)
        self._tokens, self._lock = self.size, threading.Lock()

    @property
    def tokens(self) -> float:
        """What the bucket holds."""
        return self._tokens

    def deposit(self) -> None:
        """Put in the tokens of one call."""
        with self._lock:
            self._tokens = min(self.size, self._tokens + self.ratio)

    def withdraw(self) -> bool:
        """Take out one token for a retry, and return whether there was one."""
        with self._lock:
            paid = self._tokens >= 1 - 1e-9  # ten tenths are a token
            self._tokens -= float(paid)
        return paid

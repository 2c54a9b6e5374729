"""What one client waits for: tries that fail independently, each with probability ``q``, and delays between them.

``N`` tries are made, at most ``n``, and ``W`` is waited in all; none of it after the last try. Real failures come in
outages, in which ``q`` is 1 for a while: there only the deadline counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.engineering.backoff import Backoff

__all__ = ["success_probability", "expected_tries", "expected_wait", "wait_tail", "wait_quantile", "tries_within"]

_ROUNDING = 4 * np.finfo(float).eps


def success_probability(q: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return the probability that one of ``n`` tries succeeds: ``P = 1 - q**n``.

    Parameters
    ----------
    q : (...) array_like
        Probability that a try fails, in [0, 1].
    n : int
        At least 1.

    Returns
    -------
    P : (...) ndarray or float
        Decreasing in ``q``, from 1 to 0; accurate where ``q`` is near 1.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    .. [1] kexue.fm/archives/9938, whose example is ``q = 1/2``, ``n = 5``.

    Examples
    --------
    >>> success_probability(0.5, 5)
    np.float64(0.96875)
    """
    q, n = _arguments(q, n)
    with np.errstate(divide="ignore"):
        return 0.0 - np.expm1(n * np.log1p(q - 1))  # a minus sign in place of 0 would make -0


def expected_tries(q: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return the mean number of tries: ``E N = 1 + q + … + q**(n-1) = (1 - q**n) / (1 - q)``.

    Parameters
    ----------
    q : (...) array_like
        Probability that a try fails, in [0, 1].
    n : int
        At least 1.

    Returns
    -------
    tries : (...) ndarray or float
        Increasing in ``q``, from 1 to ``n``; by this factor retries multiply the load.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    .. [1] kexue.fm/archives/9938, whose example is ``q = 1/2``, ``n = 5``.

    Examples
    --------
    >>> expected_tries([0.0, 0.5, 1.0], 5)
    array([1.    , 1.9375, 5.    ])
    """
    q, n = _arguments(q, n)
    p = 1 - q
    return np.divide(success_probability(q, n), p, out=np.full(q.shape, float(n)), where=p > 0)[()]


def expected_wait(q: ArrayLike, n: int, backoff: Backoff) -> NDArray[np.float64]:
    """Return the mean time waited: ``E W = sum_k q**k m_{k-1}`` over ``k = 1, …, n - 1``, with the mean delays ``m``.

    Parameters
    ----------
    q : (...) array_like
        Probability that a try fails, in [0, 1].
    n : int
        At least 1.
    backoff : Backoff
        The delays.

    Returns
    -------
    wait : (...) ndarray or float
        For delays ``b f**k`` without a cap ``b q (1 - (q f)**(n-1)) / (1 - q f)``: bounded in ``n`` only if
        ``q f < 1``. With a cap ``c`` it is at most ``c q / (1 - q)``.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the mean overflows.

    References
    ----------
    .. [1] kexue.fm/archives/9938; Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Examples
    --------
    >>> expected_wait(0.5, 5, Backoff())
    np.float64(1.875)
    >>> [float(expected_wait(0.5, n, Backoff(1.0, 2.0))) for n in (5, 10, 20)]
    [2.0, 4.5, 9.5]
    """
    q, n = _arguments(q, n)
    means = _checks.instance("backoff", backoff, Backoff).means(n - 1)
    total = np.zeros(q.shape)
    with np.errstate(over="ignore"):
        for mean in means[::-1]:  # Horner: no power of q underflows beside a mean that overflows
            total = (total + mean) * q
    return _checks.result(total, "n and backoff")


def wait_tail(
    w: ArrayLike, q: ArrayLike, *, base: float = 1.0, factor: float = 2.0, steps: bool = True
) -> NDArray[np.float64]:
    """Return ``P(W >= w)`` for delays ``b f**k`` and a client that never gives up.

    Parameters
    ----------
    w : (...) array_like
        Not negative. What is within 1e-15 of a ``w_k``, relatively, counts as that.
    q : (...) array_like
        Probability that a try fails, in [0, 1].
    base, factor : float
        ``b``, positive, and ``f``, at least 1.
    steps : bool
        Whether the law itself is returned, a staircase, or the power law through its corners.

    Returns
    -------
    tail : (...) ndarray or float
        ``(1 + w (f - 1) / b)**-alpha`` with ``alpha = ln(1/q) / ln f``; for ``f = 1`` it is ``q**(w / b)``. The
        staircase meets it at ``w_k = b (f**k - 1) / (f - 1)``, the whole times waited, and lies below it elsewhere.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the shapes do not broadcast.

    References
    ----------
    .. [1] Follows from kexue.fm/archives/9938 with growing delays.

    Examples
    --------
    >>> wait_tail([1.0, 3.0, 7.0, 8.0], 0.5)
    array([0.5   , 0.25  , 0.125 , 0.0625])
    """
    w, q = _checks.array("w", w, low=0), _checks.array("q", q, low=0, high=1)
    _checks.broadcast(("w", w, 0), ("q", q, 0))
    k = _retries(w, base, factor)
    if steps:
        k = np.ceil(k)
    return np.float64(q) ** k


def wait_quantile(level: ArrayLike, q: ArrayLike, *, base: float = 1.0, factor: float = 2.0) -> NDArray[np.float64]:
    """Return the smallest time ``w`` with ``P(W <= w) >= level``, for delays ``b f**k`` and no end of tries.

    Parameters
    ----------
    level : (...) array_like
        In [0, 1).
    q : (...) array_like
        Probability that a try fails, in [0, 1).
    base, factor : float
        ``b``, positive, and ``f``, at least 1.

    Returns
    -------
    w : (...) ndarray or float
        ``w_k`` for the smallest ``k`` with ``1 - q**(k+1) >= level``, up to 1e-15.

    Raises
    ------
    ValueError
        If an argument is out of its range, the shapes do not broadcast, or the time overflows.

    References
    ----------
    .. [1] Follows from kexue.fm/archives/9938 with growing delays.

    Examples
    --------
    >>> wait_quantile([0.5, 0.75, 0.99], 0.5)
    array([ 0.,  1., 63.])
    """
    level = _checks.array("level", level, low=0, high=1, open="high")
    q = _checks.array("q", q, low=0, high=1, open="high")
    _checks.broadcast(("level", level, 0), ("q", q, 0))
    base, factor = _schedule(base, factor)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        failures = np.where(level > 0, np.log1p(-level) / np.log(np.maximum(q, 1e-320)), 0.0)
        slack = _ROUNDING * (failures - level / (1 - level) / np.log(np.maximum(q, 1e-320)))
        whole = np.rint(failures)
        k = np.maximum(np.where(np.abs(failures - whole) <= slack, whole, np.ceil(failures)) - 1, 0)
        return _checks.result(np.asarray(base * _waited(k, factor)), "level and q")


def tries_within(deadline: ArrayLike, *, base: float = 1.0, factor: float = 2.0) -> NDArray[np.int64]:
    """Return how many tries begin within ``T``: ``floor(log_f(1 + T (f - 1) / b)) + 1``, for ``f = 1`` ``T / b + 1``.

    Parameters
    ----------
    deadline : (...) array_like
        ``T``, not negative, from the first try on.
    base, factor : float
        ``b``, positive, and ``f``, at least 1: the delays are ``b f**k``, and the tries themselves take no time.

    Returns
    -------
    tries : (...) ndarray of int, or int
        At least 1. The last try may begin at ``T`` itself, or within 1e-15 of it, relatively.

    Raises
    ------
    ValueError
        If an argument is out of its range, or there are more than ``2**53`` tries.

    References
    ----------
    .. [1] kexue.fm/archives/9938, whose delay is 2 s.

    Examples
    --------
    >>> tries_within(60.0), tries_within(60.0, base=2.0, factor=1.0)
    (np.int64(6), np.int64(31))
    """
    T = _checks.array("deadline", deadline, low=0)
    k = np.floor(_retries(T, base, factor))
    if (k > 2.0**53).any():
        raise ValueError(f"deadline must not allow more than 2**53 tries, got {T.max():g} for base {base:g}")
    return k.astype(np.int64)[()] + 1


def _arguments(q, n):
    return _checks.array("q", q, low=0, high=1), _checks.integer("n", n, low=1, high=1_000_000)


def _schedule(base, factor):
    return _checks.number("base", base, low=0, open="low"), _checks.number("factor", factor, low=1)


def _waited(k, factor):
    """Return ``w_k / b``."""
    if factor == 1:
        return k
    with np.errstate(over="ignore"):
        power, last = factor**k, factor ** (k - 1)  # the power may be beyond the largest double, the sum not
        waited = np.where(power < 2, np.expm1(k * np.log(factor)), power - 1) / (factor - 1)
        return np.where(power < np.inf, waited, last * (factor / (factor - 1)))


def _retries(w, base, factor):
    """Return the number of retries whose delays sum to ``w``, whole where ``w`` is ``w_k`` up to rounding."""
    base, factor = _schedule(base, factor)
    with np.errstate(over="ignore", divide="ignore"):
        if factor == 1:
            k = np.minimum(w / base, 1e300)
        else:
            k = np.logaddexp(0, np.log(w) - np.log(base) + np.log(factor - 1)) / np.log(factor)
        near = np.rint(k)
        corner = base * _waited(near, factor)
    # on which side of the nearest corner w lies, the times say, not the logarithms
    beside = np.where(w > corner, np.maximum(k, np.nextafter(near, np.inf)), np.minimum(k, np.nextafter(near, -1)))
    k = np.where(corner < np.inf, beside, k)
    return np.where(np.abs(w - corner) <= _ROUNDING * np.minimum(corner, w), near, k)

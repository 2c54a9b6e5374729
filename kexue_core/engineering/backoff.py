"""How long to wait before the next try: the ceiling that grows, and the random part of it that is waited.

The ceiling before retry ``k = 0, 1, …`` is ``v_k = min(cap, base factor**k)``. What `Backoff` draws below it breaks up
clients that failed together. `kexue_core.engineering.retry` waits so; `waiting` and `contention` say what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kexue_core import _checks

__all__ = ["JITTERS", "Backoff"]

JITTERS = ("none", "full", "equal", "decorrelated")
_MOST = 1_000_000
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


@dataclass(frozen=True)
class Backoff:
    """A rule for the delays between tries, constant by default; it holds no state, so that clients may share it.

    Parameters
    ----------
    base : float
        The first ceiling ``b``, not negative; 0 never waits.
    factor : float
        ``f``, at least 1: by what the ceiling grows from one retry to the next.
    cap : float
        ``c``, the largest delay; infinity is allowed.
    jitter : {"none", "full", "equal", "decorrelated"}
        What is waited below the ceiling ``v``: all of it; uniform on ``[0, v]``; uniform on ``[v / 2, v]``; or, for
        the last, ``min(c, uniform on [b, f s])`` with the delay ``s`` before it, which is ``b`` at the start.

    Raises
    ------
    ValueError
        If a number is out of its range, or the jitter has another name.
    TypeError
        If a number is none.

    References
    ----------
    .. [1] kexue.fm/archives/9938 for the constant delay; Brooker, "Exponential Backoff And Jitter", AWS Architecture
       Blog, 2015, whose simulator has the four rules, the last with ``f = 3``.

    Examples
    --------
    >>> Backoff(1.0, 2.0, cap=30.0).ceilings(7)
    array([ 1.,  2.,  4.,  8., 16., 30., 30.])
    >>> Backoff(1.0, 3.0, jitter="decorrelated").means(3)
    array([2.  , 3.5 , 5.75])
    """

    base: float = 2.0
    factor: float = 1.0
    cap: float = np.inf
    jitter: str = "none"

    def __post_init__(self) -> None:
        """Check the fields."""
        for name, low in (("base", 0), ("factor", 1), ("cap", 0)):
            value = _checks.number(name, getattr(self, name), low=low, finite=name != "cap")
            object.__setattr__(self, name, value)  # the way of a frozen dataclass
        _checks.choice("jitter", self.jitter, JITTERS)

    def ceilings(self, n: int) -> NDArray[np.float64]:
        """Return ``v_0, …, v_{n-1}``, (n,) ndarray, never decreasing."""
        n = _checks.integer("n", n, low=0, high=_MOST)
        with np.errstate(over="ignore"):
            grown = self.base * self.factor ** np.arange(n) if self.base else np.zeros(n)
        return _checks.result(np.minimum(self.cap, grown), "base and factor")

    def draw(self, n: int, rng: np.random.Generator | None = None, *, size: int | None = None) -> NDArray[np.float64]:
        """Return ``n`` delays of one client, (n,) ndarray, or of ``size`` clients, (size, n), from numbers of ``rng``.

        Without jitter they are the ceilings, and ``rng`` is not asked.
        """
        n = _checks.integer("n", n, low=0, high=_MOST)
        shape = (n,) if size is None else (_checks.integer("size", size, low=0), n)
        if self.jitter == "none":
            return np.broadcast_to(self.ceilings(n), shape).copy()
        u = _checks.generator("rng", rng).random(shape)
        if self.jitter == "full":
            return u * self.ceilings(n)
        if self.jitter == "equal":
            return (1 + u) / 2 * self.ceilings(n)
        delay = np.full(shape[:-1], self.base)
        delays = np.empty(shape)
        with np.errstate(over="ignore"):
            for k in range(n):
                delay = np.minimum(self.cap, self.base + u[..., k] * (self.factor * delay - self.base))
                delays[..., k] = delay
        return _checks.result(delays, "base and factor")

    def stream(self, uniform: Callable[[], float]) -> Iterator[float]:
        """Yield the delays of one client without end; ``uniform`` returns numbers of [0, 1), as ``rng.random`` does."""
        ceiling, delay = min(self.base, self.cap), self.base
        while True:
            u = 1.0 if self.jitter == "none" else uniform()
            if self.jitter == "decorrelated":
                delay = min(self.cap, self.base + u * (self.factor * delay - self.base))
                yield delay
            else:
                yield ceiling * ((1 + u) / 2 if self.jitter == "equal" else u)
                ceiling = min(self.cap, ceiling * self.factor)

    def means(self, n: int) -> NDArray[np.float64]:
        """Return the mean of each of ``n`` delays, (n,) ndarray.

        Closed forms; for decorrelated jitter that reaches its cap a quadrature, to about ``1e-7 c``, on the pieces
        between ``c, c / f, c / f**2, …``: on each of them the mean, given the delay before, is smooth.
        """
        n = _checks.integer("n", n, low=0, high=_MOST)
        share = {"none": 1.0, "full": 0.5, "equal": 0.75}.get(self.jitter)
        if share is not None:
            return share * self.ceilings(n)
        mean, means = self.base, np.empty(n)
        with np.errstate(over="ignore"):
            if self.base and self.base * np.float64(self.factor) ** n > self.cap:
                return _capped_means(n, min(self.base, self.cap), self.factor, self.cap)
            for k in range(n):
                means[k] = mean = (self.base + self.factor * mean) / 2
        return _checks.result(means, "base and factor")


def _capped_means(n, b, f, c):
    """Return the means of decorrelated delays: with ``h_0(s) = s``, ``h_{k+1}(s) = E h_k(min(c, uniform on [b, f s]))``
    at ``s = b``. Each ``h_k`` is held at the nodes of the pieces, which ``s -> f s`` carries from one to the next."""
    if b == c:
        return np.full(n, c)
    edges = [c]
    while edges[-1] > b:
        edges.append(edges[-1] / f)
    edges = np.array(edges[::-1])
    half = np.diff(edges)[:, None] / 2
    s = edges[:-1, None] + half * (1 + _NODES)
    at_b = _integrals(np.array([2 * (b - edges[0]) / (edges[1] - edges[0]) - 1]))[0]
    h, h_cap, means = s, c, np.empty(n)
    for k in range(n):
        start = np.concatenate([[0.0], np.cumsum(half[:, 0] * (h @ _WEIGHTS))])
        integral = start[:-1, None] + half * (h @ _TO_NODES.T)
        from_b = start - half[0, 0] * (h[0] @ at_b)
        below = integral[1:] - half[0, 0] * (h[0] @ at_b)
        top = (from_b[-1] + (f * s[-1:] - c) * h_cap) / (f * s[-1:] - b)
        reach = f * b
        if reach >= c:
            means[k] = (from_b[-1] + (reach - c) * h_cap) / (reach - b)
        else:
            inside = _integrals(np.array([2 * (reach - edges[1]) / (edges[2] - edges[1]) - 1]))[0]
            means[k] = (from_b[1] + half[1, 0] * (h[1] @ inside)) / (reach - b)
        h_cap = (from_b[-1] + (f * c - c) * h_cap) / (f * c - b)
        h = np.concatenate([below / (f * s[:-1] - b), top])
    return means


def _integrals(x):
    """Return the rows that integrate, from -1 to each ``x``, the polynomial through values at the nodes."""
    legendre = np.polynomial.legendre.legvander(x, len(_NODES))
    order = np.arange(1, len(_NODES))
    to_x = np.column_stack([x + 1, (legendre[:, 2:] - legendre[:, :-2]) / (2 * order + 1)])
    degree = np.arange(len(_NODES))
    return to_x @ ((degree + 0.5)[:, None] * np.polynomial.legendre.legvander(_NODES, len(_NODES) - 1).T * _WEIGHTS)


_TO_NODES = _integrals(_NODES)

"""One server and several classes of jobs: what priority promises to the first ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["priority_waits", "simulate_priority"]


def priority_waits(rates: ArrayLike, service_rate: float = 1.0) -> NDArray[np.float64]:
    r"""Return the mean time that a job of each class waits before its service, the first class served first.

    Poisson arrivals, exponential services, no service is broken off. With the loads
    :math:`\sigma_k=\sum_{i\le k}\lambda_i/\mu` and the mean residual service :math:`W_0=\min(\sigma_K,1)/\mu`

    .. math:: W_k = \frac{W_0}{(1-\sigma_{k-1})(1-\sigma_k)} .

    Parameters
    ----------
    rates : array_like (..., K)
        Arrivals per time of each class, not negative.
    service_rate : float
        Services per time of a busy server, positive.

    Returns
    -------
    waits : ndarray (..., K)
        Infinite from the class on at which the load reaches 1: the server is then always busy.

    Raises
    ------
    ValueError, TypeError
        If a rate is negative or not finite, or the service rate not positive.

    References
    ----------
    .. [1] Cobham, "Priority assignment in waiting line problems", Journal of the Operations Research Society of America
       2(1), 1954.
    .. [2] kexue.fm/archives/9978: three levels of requests.

    Examples
    --------
    >>> priority_waits([0.1, 0.3, 0.5]).round(3)
    array([ 1.   ,  1.667, 15.   ])
    """
    rates = _checks.array("rates", rates, core=1, low=0)
    mu = _checks.number("service_rate", service_rate, low=0, open="low")
    with np.errstate(over="ignore"):  # far beyond 1 it does not matter how far
        load = np.minimum(np.cumsum(rates / mu, axis=-1), 1.0)
    before = np.concatenate([np.zeros((*load.shape[:-1], 1)), load[..., :-1]], axis=-1)
    residual = load[..., -1:] / mu
    free = np.where(load < 1, (1 - before) * (1 - load), 1)
    return np.where(load < 1, residual / free, np.inf)[()]


def simulate_priority(
    rng: np.random.Generator, rates: ArrayLike, service_rate: float = 1.0, jobs: int = 1000
) -> dict[str, Any]:
    """Return the waits of simulated jobs, each class in the order of arrival, the first class served first.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the arrivals and services.
    rates : array_like (K,)
        Arrivals per time of each class, positive.
    service_rate : float
        Positive.
    jobs : int
        How many arrivals, at least 1.

    Returns
    -------
    run : dict
        ``classes`` and ``waits`` (jobs,), of each arrival its class and how long it waited for its service, and
        ``arrivals`` (jobs,). All jobs are served, those too that are still waiting when the last one arrives.

    Raises
    ------
    ValueError, TypeError
        If a rate is not positive or not finite, or ``jobs`` not an integer of at least 1.

    References
    ----------
    .. [1] Cobham, "Priority assignment in waiting line problems", 1954.

    Examples
    --------
    >>> run = simulate_priority(np.random.default_rng(0), [0.1, 0.3], jobs=4)
    >>> run["waits"].shape, bool((run["waits"] >= 0).all())
    ((4,), True)
    """
    _checks.generator("rng", rng)
    rates = _checks.array("rates", rates, ndim=1, core=1, low=0, open="low")
    mu, jobs = _checks.number("service_rate", service_rate, low=0, open="low"), _checks.integer("jobs", jobs, low=1)
    arrivals = _checks.result(np.cumsum(rng.exponential(1 / rates.sum(), jobs)), "rates")
    classes = rng.choice(len(rates), jobs, p=rates / rates.sum())
    services = rng.exponential(1 / mu, jobs)
    waits, queues = np.zeros(jobs), [np.flatnonzero(classes == k) for k in range(len(rates))]
    heads, clock = [0] * len(rates), 0.0
    for _ in range(jobs):
        first = [arrivals[q[h]] if h < len(q) else np.inf for q, h in zip(queues, heads)]
        clock = max(clock, min(first))
        chosen = next(k for k, arrival in enumerate(first) if arrival <= clock)
        job = queues[chosen][heads[chosen]]
        heads[chosen] += 1
        waits[job] = clock - arrivals[job]
        clock += services[job]
    return {"classes": classes, "waits": waits, "arrivals": arrivals}

"""The bases of RoPE that keep similar tokens together at a given context length.

A base b is *admissible* at length L if ``f_b(m) = sum_i cos(m b^(-2i/d)) >= 0`` for ``m = 0 ... L-1``. The admissible
bases are a union of intervals, so bisection over b fails. The searches here walk over ``u = ln b`` in steps on which a
bound of the curvature of f proves that no sign changes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kexue_core import _checks
from kexue_core.positions._common import exponents, negative, range_sums, range_sums_and_slopes

__all__ = ["MinBase", "min_base", "admissible_bases", "safe_base", "worst_case_base"]


class MinBase(NamedTuple):
    """The base found, the distance at which f is smallest for it, and how many values of f were looked at."""

    base: float
    binding_m: int
    checks: int


def min_base(L: int, d: int = 128, *, start: float = 1.0) -> MinBase:
    """Return the smallest admissible base from ``start`` on: ``inf {b >= start : f_b(m) >= 0 for m = 0 ... L-1}``.

    Exact: every base that is passed has one f that stays negative all along the step. The step t solves
    ``F + F' t + M t^2/2 = 0`` with ``M >= |d^2 f/du^2|`` from there on; near a root it is Newton's. Rounding leaves a
    relative error of 1e-12; only for ``d = 4, L > 355``, where the roots are nearly double, it is 1e-6.

    Parameters
    ----------
    L, d : int
        Context length and size of a head.
    start : float
        At least 1. The base of a smaller L loses nothing and saves time.

    Returns
    -------
    MinBase
        ``f`` is zero at ``binding_m``, unless ``start`` was admissible.

    Raises
    ------
    ValueError
        If ``L < 1``, ``d`` is odd, ``start < 1``, or ``d = 2`` with ``L > 2`` (cos 2 < 0: no base is admissible).

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 5 (the table, L in units of 1024); arXiv:2405.14591.

    Examples
    --------
    >>> base, m, _ = min_base(1024)
    >>> round(base, 3), m
    (4293.438, 1009)
    """
    L, s = _length_and_exponents(L, d)
    u, checks = _next_admissible(math.log(_checks.number("start", start, low=1)), L, s)
    low = range_sums(0, L, np.exp(-u * s))
    m = np.flatnonzero(low <= low.min() + 1e-8)
    f = _taylor(m, u, s)[0]
    m = m[f <= f.min() + 1e-16 * L * d]  # several when they tie up to rounding: take the smallest on every machine
    return MinBase(math.exp(u), int(m[0]), checks)


def admissible_bases(L: int, d: int = 128, *, upper: float = math.inf) -> NDArray[np.float64]:
    """Return all admissible bases in ``(1, upper]`` as closed intervals, whose ends are roots of some f.

    Proved like `min_base`: gaps by one negative f, intervals by the smallest step that any f allows. The work without
    ``upper`` grows a little slower than L^2: 0.2 s at 2048, 1 s at 8192, 4 s at 16384.

    Parameters
    ----------
    L, d : int
        As in `min_base`.
    upper : float
        Above 1. By default all bases; none above `worst_case_base` needs a look.

    Returns
    -------
    (n, 2) ndarray
        Increasing. The last end is ``upper`` if that is admissible. No rows if nothing is.

    Raises
    ------
    ValueError
        As `min_base`, or if ``upper <= 1``.

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 5 (admissibility is not monotone in b).

    Examples
    --------
    >>> admissible_bases(1024, upper=7000).round(1)
    array([[4293.4, 4330.3],
           [5602.2, 5644.4],
           [6018.3, 7000. ]])
    """
    L, s = _length_and_exponents(L, d)
    upper = _checks.number("upper", upper, low=1, open="low", finite=False)
    worst, rows, u = worst_case_base(L, d), [], 0.0
    end = math.log(min(upper, worst))
    while (left := _next_admissible(u, L, s)[0]) < end:
        right, m = _next_failure(left, end, L, s)
        rows.append((math.exp(left), math.exp(right) if right < end else upper))
        if right >= end:
            break
        u = max(_march(right, m, s)[0], math.nextafter(right, math.inf))
    else:
        if worst < upper:  # the walk came up to the proved bound without an interval that reaches it
            rows.append((worst, upper))
    return np.array(rows).reshape(-1, 2)


def safe_base(L: int, d: int = 128) -> float:
    """Return the base from which on every base is admissible, ``sup {b > 1 : f_b(m) < 0 for some m < L}``, or 1.

    Parameters
    ----------
    L, d : int
        As in `min_base`.

    Returns
    -------
    float
        The start of the last interval of `admissible_bases`, found by a walk down from `worst_case_base`.

    Raises
    ------
    ValueError
        As `min_base`.

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 5.

    Examples
    --------
    >>> round(safe_base(1024), 2)
    6018.28
    """
    L, s = _length_and_exponents(L, d)
    return math.exp(_next_failure(math.log(worst_case_base(L, d)), 0.0, L, s)[0])


def worst_case_base(L: int, d: int = 128) -> float:
    """Return an upper bound of `safe_base` of order L^2, the root of a monotone function of ``u = ln b``.

    ``G(u) = min_m cos(m) + sum_{i>0} cos(min((L-1) e^(-2iu/d), pi))`` increases with u and bounds every f from below,
    because cos falls on [0, pi]; the frequency of i = 0 is 1 for every base.

    Parameters
    ----------
    L, d : int
        As in `min_base`.

    Returns
    -------
    float
        At least 1; near ``0.527 L^2`` for large d. Every base from it on is admissible.

    Raises
    ------
    ValueError
        As `min_base`.

    References
    ----------
    .. [1] kexue.fm/archives/10122, result 5, which has no bound.

    Examples
    --------
    >>> round(worst_case_base(1024) / 1024**2, 3)
    0.649
    """
    L, s = _length_and_exponents(L, d)
    first = np.cos(np.arange(L)).min()

    def bound(u):
        return first + np.cos(np.minimum((L - 1) * np.exp(-u * s[1:]), np.pi)).sum()

    if bound(0.0) >= 0:
        return 1.0
    low, high = 0.0, 1.0
    while bound(high) < 0:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if bound(middle) >= 0 else (middle, high)
    return math.exp(high)


def _length_and_exponents(L, d):
    L, s = _checks.integer("L", L, low=1, high=2**53), exponents(d)
    if L > 2 and d == 2:
        raise ValueError(f"d must be at least 4 when L > 2, because cos 2 < 0 for every base, got {d}")
    return L, s


def _taylor(m, u, s):
    """Return f, df/du and M for the distances m at u (one, or one each); M bounds |d^2 f/du^2| from u on."""
    phi = m[:, None] * np.exp(-np.multiply.outer(u, s))
    # the second derivative of cos(phi) is -s^2 (phi sin phi + phi^2 cos phi), and phi falls with u
    return np.cos(phi).sum(axis=-1), (phi * np.sin(phi)) @ s, (phi * (np.minimum(phi, 1) + phi)) @ (s * s)


def _clear_step(sign, f, slope, curvature):
    """Return how far f keeps its sign for sure: the positive zero of ``|f| + sign slope t - curvature t^2/2``."""
    f, slope = np.maximum(sign * f, 0.0), sign * slope
    reach = np.sqrt(slope * slope + 2 * curvature * f) + np.abs(slope)
    falling = slope < 0  # each of the two forms of the zero would cancel in the case of the other
    return np.where(falling, 2 * f, reach) / np.where(falling, reach, curvature)


def _march(u, m, s):
    """Return for each m how far from u on its f is sure to be negative, up to the last tenth of the way to its root.

    Beyond it another m is mostly negative still. Where none is, f is marched on, and its last steps are Newton's.
    """
    begun, u, moving = u, np.full(m.size, u), np.arange(m.size)
    while moving.size:
        step = _clear_step(-1, *_taylor(m[moving], u[moving], s))
        u[moving] += step
        moving = moving[step > np.maximum(4e-16 * u[moving], 0.1 * (u[moving] - begun))]
    return u


def _next_admissible(u, L, s):
    """Return the smallest admissible ``u' >= u`` and the number of values of f that it took."""
    last, checks, width = L // 2, 0, 128
    while True:
        # the next violator is usually near the last one: widen the window only while it shows none
        start, stop = max(last - width, 0), min(last + width, L)
        m, f = negative(start, stop, np.exp(-u * s))
        checks += stop - start
        if m.size:
            m = m[np.argsort(f / m)[:6]]
            reach = _march(u, m, s)
            u, last, width = max(reach.max(), math.nextafter(u, math.inf)), int(m[reach.argmax()]), 128
        elif stop - start == L:
            return u, checks
        else:
            width *= 8


def _next_failure(u, end, L, s):
    """Return the first point from u, up or down to ``end``, at which an f turns negative, and its m; none is at u."""
    m, way = np.arange(1, L), math.copysign(1, end - u)
    while u != end:
        theta, far = np.exp(-u * s), min(u, max(u - 0.25, end))  # the steps down end at far: the bound holds from there
        f, slope = range_sums_and_slopes(1, L, theta, s * theta)
        fast = s * np.exp(-far * s)
        a, b = m * (s @ fast), m**2 * (fast @ fast)
        step = _clear_step(1, f, way * m * slope, b + np.minimum(a, b))
        near = np.flatnonzero(f < 1e-3)  # here the rounding of the fast sums would show in the root
        f, slope, _ = _taylor(m[near], u, s)
        step[near] = _clear_step(1, f, way * slope, _taylor(m[near], far, s)[2])
        k = step.argmin()
        if step[k] <= 4e-16 * u:
            return u, m[k : k + 1]
        u = min(u + step[k], end) if way > 0 else max(u - step[k], far)
    return end, m[:0]

"""What the bases and the frequencies share: exponents, sums of cosines over a range of distances."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kexue_core import _checks

Array = NDArray[np.float64]


def exponents(d: int) -> Array:
    """Return ``2i/d``: the exponents of the frequencies."""
    d = _checks.integer("d", d, low=2, high=2**53)
    if d % 2:
        raise ValueError(f"d must be even, got {d}")
    return np.arange(0, d, 2) / d


def range_sums(start: int, stop: int, theta: Array) -> Array:
    """Return ``sum_i cos(m theta_i)`` for a range of m."""
    cos, sin, right = _tables(start, stop, theta)
    return (np.hstack([cos, -sin]) @ right).ravel()[: stop - start]


def range_sums_and_slopes(start: int, stop: int, theta: Array, weight: Array) -> tuple[Array, Array]:
    """Return ``sum_i cos(m theta_i)`` and ``sum_i weight_i sin(m theta_i)`` for a range of m."""
    cos, sin, right = _tables(start, stop, theta)
    left = np.vstack([np.hstack([cos, -sin]), np.hstack([weight * sin, weight * cos])])
    sums, slopes = (left @ right).reshape(2, -1)[:, : stop - start]
    return sums, slopes


def _tables(start, stop, theta):
    """Return cosines and sines at ``start + block j``, and both at ``k < block`` for a product that joins them."""
    block = math.isqrt(stop - start - 1) + 1
    head, tail = _turns(start, stop, block, theta), _turns(0, block, 1, theta)
    return head.real, head.imag, np.hstack([tail.real, tail.imag]).T


def _turns(start, stop, step, theta):
    """Return ``exp(i m theta)`` for ``m = start, start + step ... < stop``; products join coarse and fine turns."""
    m = np.arange(start, stop, step)
    fine = math.isqrt(m.size - 1) + 1
    angle = np.outer(np.concatenate([m[::fine], m[:fine] - start]), theta)
    turn = np.empty(angle.shape, dtype=complex)
    np.cos(angle, out=turn.real)
    np.sin(angle, out=turn.imag)
    return (turn[:-fine, None] * turn[-fine:]).reshape(-1, theta.size)[: m.size]


def negative(start: int, stop: int, theta: Array) -> tuple[NDArray[np.int64], Array]:
    """Return the m in a range with f(m) < 0, and f there; direct sums decide where the fast ones may mistake a sign."""
    error = 1e-10 + 1e-15 * stop * np.abs(theta).sum()
    f = range_sums(start, stop, theta)
    near = np.flatnonzero(np.abs(f) < error)
    f[near] = np.cos((start + near)[:, None] * theta).sum(axis=-1)
    below = np.flatnonzero(f < 0)
    return start + below, f[below]

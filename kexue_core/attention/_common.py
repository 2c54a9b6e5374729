"""What the maps to the simplex share: the axis, the shift by the maximum, and sums that are put on a common one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

Array = NDArray[np.float64]


def axis_last(x: Array, axis: int) -> Array:
    """Return ``x`` with ``axis``, which must not be empty, moved to the end."""
    if x.ndim == 0:
        raise ValueError("x must have at least 1 axis, got shape ()")
    axis = _checks.integer("axis", axis, low=-x.ndim, high=x.ndim - 1)
    if axis not in (-1, x.ndim - 1):
        x = np.moveaxis(x, axis, -1)
    if x.shape[-1] == 0:
        raise ValueError(f"x must not be empty along the axis {axis}, got length 0")
    return x


def axis_back(p: Array, axis: int) -> Array:
    """Return ``p`` with its last axis moved to ``axis``, from where `axis_last` took it."""
    return p if axis in (-1, p.ndim - 1) else np.moveaxis(p, -1, axis)


def finite_top(x: Array, top: Array) -> Array:
    """Return ``top``, the maxima of ``x``, if they are finite, for which ``x`` must be free of NaN and ``inf``."""
    if not np.isfinite(top).all():
        _checks.array("x", x, finite=False)
        raise ValueError(f"x must have a finite maximum in each slice, got {top[~np.isfinite(top)][0]}")
    return top


def shifted_logits(x: ArrayLike, axis: int, tau: float) -> tuple[Array, Array, float]:
    """Return a fresh ``(x - max) / tau`` with ``axis`` moved to the end, ``max``, and ``tau`` checked."""
    last, tau = axis_last(_checks.array("x", x, finite=None), axis), positive("tau", tau)
    top = finite_top(last, last.max(axis=-1, keepdims=True))
    with np.errstate(over="ignore"):  # a gap beyond the largest double is -inf, whose probability 0 is right
        u = last - top
        return u if tau == 1 else np.divide(u, tau, out=u), top, tau


def positive(name: str, value: float) -> float:
    """Return a positive number."""
    return _checks.number(name, value, low=0, open="low")


def log_sum_exp(u: Array) -> Array:
    """Return ``log sum exp(u)`` where the maximum is 0; log1p of the others keeps a sum that is just above 1."""
    others = np.exp(u)
    np.put_along_axis(others, u.argmax(axis=-1, keepdims=True), 0, -1)
    return np.log1p(others.sum(axis=-1))


_IN_CACHE = 1 << 16  # numbers: k scans of so many take half the time of k scans of all


def select_top_k(x: Array, k: int) -> NDArray[np.bool_]:
    """Return the mask of the ``k`` largest along the last axis, of equals the first."""
    if k <= min(x.shape[-1] // 16, 16):  # rounds of argmax are fast scans: so few of them beat the partial sort
        mask = _by_maxima(x, k)
        if np.count_nonzero(mask) == k * (x.size // x.shape[-1]):  # else the rounds ran out of finite entries
            return mask
    return _by_partition(x, k)


def _by_maxima(x, k):
    rows = x.reshape(-1, x.shape[-1])
    mask = np.zeros(rows.shape, dtype=bool)
    step = max(1, _IN_CACHE // rows.shape[1])
    for start in range(0, len(rows), step):
        rest, part = rows[start : start + step].copy(), mask[start : start + step]
        number = np.arange(len(rest))
        for _ in range(k):
            largest = rest.argmax(axis=-1)  # the first of equals
            part[number, largest] = True
            rest[number, largest] = -np.inf
    return mask.reshape(x.shape)


def _by_partition(x, k):
    n = x.shape[-1]
    least = np.partition(x, n - k, axis=-1)[..., n - k, None]
    mask = x >= least
    if np.count_nonzero(mask) > k * (x.size // n):
        rows = mask.sum(axis=-1) > k  # only where equals of the least are left out must they be counted
        tied = x[rows] == least[rows]
        room = k - (mask[rows] & ~tied).sum(axis=-1, keepdims=True)
        mask[rows] &= ~tied | (np.cumsum(tied, axis=-1) <= room)
    return mask


def merge(a: tuple, b: tuple) -> tuple[Array, Array, Array]:
    """Return the sums ``(m, z, y)`` over two sets of tokens from those over each, on the common base ``max(m, m')``."""
    top = np.maximum(a[0], b[0])
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        base = np.where(top > -np.inf, top, 0)  # two empty states: no -inf minus -inf
        left, right = np.exp(a[0] - base), np.exp(b[0] - base)
        return top, a[1] * left + b[1] * right, a[2] * left[..., None] + b[2] * right[..., None]

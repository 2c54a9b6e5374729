"""What the Legendre memories share: polynomials by recurrence, their norms, the doors for states and signals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

Array = NDArray[np.float64]


def legendre(x: Array, n: int) -> Iterator[Array]:
    """Yield p_0 ... p_(n-1) at x."""
    below, p = np.zeros_like(x), np.ones_like(x)
    for i in range(n):
        yield p
        below, p = p, ((2 * i + 1) * x * p - i * below) / (i + 1)


def norms(n: int) -> Array:
    """Return ``g_i / p_i``."""
    return np.sqrt(np.arange(n) + 0.5)


def size(n: int) -> int:
    """Return the number of coefficients, at least 1."""
    return _checks.integer("n", n, low=1)


def signal(u: ArrayLike) -> Array:
    """Return a batch of signals with at least one sample."""
    return _checks.array("u", u, core=1)

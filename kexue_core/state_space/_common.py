"""What the modules share: Legendre polynomials, their norms, doors for states and signals, one step of S4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    """Return the number of coefficients, from 1 to a million."""
    return _checks.integer("n", n, low=1, high=1_000_000)


def signal(u: ArrayLike) -> Array:
    """Return a batch of signals with at least one sample."""
    return _checks.array("u", u, core=1)


def transition(lam, p, b, h):
    """Return (alpha, g, m, bbar) with ``Abar = diag(alpha) - g m^T``, bilinear rule."""
    inverse = 1 / (1 - h / 2 * lam)
    g = h * inverse * p / (1 + h / 2 * (np.abs(p) ** 2 * inverse).sum())
    m = p.conj() * inverse
    return 2 * inverse - 1, g, m, h * inverse * b - g * (h / 2 * (m @ b))


def system(lam: ArrayLike, p: ArrayLike, b: ArrayLike, c: ArrayLike, batch: bool = False) -> Any:
    """Return the four vectors of a system, complex; ``batch`` lets b and c have leading axes."""
    lam = _checks.array("lam", lam, kind="complex", core=1, ndim=1)
    rest = {"last": len(lam), "core": 1} if batch else {"shape": lam.shape}
    p = _checks.array("p", p, kind="complex", shape=lam.shape)
    b, c = (_checks.array(name, value, kind="complex", **rest) for name, value in (("b", b), ("c", c)))
    _checks.broadcast(("b", b, 1), ("c", c, 1))
    return tuple(value.astype(complex) for value in (lam, p, b, c))

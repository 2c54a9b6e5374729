"""The noise that is the best guess at a point of a noisy mixture on a line, and its slope."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def mixture_noise(x: Array, b: Any, centres: Array, widths: Array, weights: Array) -> tuple[Array, Array]:
    """Return the guess and its slope at ``x`` for components of noisy ``widths``, ``b`` the level of the noise."""
    centres, widths, weights = (of.reshape(-1, *[1] * x.ndim) for of in (centres, widths, weights))
    off = x - centres
    off /= widths
    p = off * off
    p *= -0.5
    p += np.log(weights) - np.log(widths)
    p -= p.max(axis=0)
    np.exp(p, out=p)
    p /= p.sum(axis=0)
    off /= widths
    mean = (p * off).sum(axis=0)
    # The score is -mean; its slope is minus the mean curvature plus the variance of the pull.
    off -= mean
    off *= off
    np.subtract(1 / widths**2, off, out=off)
    off *= p
    return b * mean, b * off.sum(axis=0)


def bells_noise(places: Array, u: Array, width: Any, b: Any) -> tuple[Array, Array]:
    """Return both for equal bells at ``places``, in units of their noisy width, at ``u`` of these from each of them.

    There the bell itself has the density ``exp(-u^2 / 2)``: no common factor is needed, and the pull is no longer than
    about ``u`` wherever it counts, so that its variance may be a difference. One bell at a time stays in the cache.
    """
    off, p, total, mean, square = np.zeros((5, *places.shape, len(u)))
    for one in np.moveaxis(places, -1, 0)[..., None, None]:
        np.add(places[..., None] - one, u, out=off)
        np.multiply(off, off, out=p)
        p *= -0.5
        total += np.exp(p, out=p)
        p *= off
        mean += p
        p *= off
        square += p
    mean /= total
    square /= total
    return b / width * mean, b / width / width * (1 - (square - mean * mean))

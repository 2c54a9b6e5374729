"""What the modules on metrics share: the door for a metric, its derivatives, its connection."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

Array = NDArray[np.float64]
Metric = Callable[[Any], ArrayLike]

STEP = 1e-3  # of fourth-order differences: truncation and rounding both near 1e-13


def metric_tensor(metric: Any, x: Array, indefinite: bool | None = False) -> Array:
    """Return ``metric(x)``, finite, symmetric, regular and positive; or of any sign; or (None) unchecked but its shape.

    Regular: in units in which the diagonal is 1 all eigenvalues exceed the rounding error, and the diagonal itself
    spans less than ``1e30`` (at a pole of spherical coordinates, as floating point finds it, it spans ``1e32``).
    """
    g = _checks.array("metric(x)", _checks.function("metric", metric)(x.copy()))
    n = x.shape[-1]
    if g.shape != (*x.shape, n):
        raise ValueError(f"metric(x) must have the shape {(*x.shape, n)}, got {g.shape}")
    if indefinite is None:
        return g
    size = np.abs(g).max(axis=(-2, -1), keepdims=True)
    if (wrong := np.abs(g - g.swapaxes(-2, -1)) > 1e-9 * size).any():
        raise ValueError(f"metric(x) must be symmetric, got differences up to {np.abs(g - g.swapaxes(-2, -1)).max()}")
    g = (g + g.swapaxes(-2, -1)) / 2
    if indefinite:
        roots = np.abs(np.linalg.eigvalsh(g))
        if (wrong := roots.min(axis=-1) <= 1e-30 * roots.max(axis=-1)).any():
            raise ValueError(f"metric(x) must be regular, got {g[wrong][0].tolist()}")
        return g
    diagonal = np.diagonal(g, axis1=-2, axis2=-1)
    if (wrong := diagonal.min(axis=-1) <= 1e-30 * diagonal.max(axis=-1)).any():
        raise ValueError(f"metric(x) must be positive and regular, got {g[wrong][0].tolist()}")
    root = np.sqrt(diagonal)
    scaled = np.linalg.eigvalsh(g / root[..., :, None] / root[..., None, :])
    if (wrong := scaled.min(axis=-1) <= n * np.finfo(float).eps).any():
        raise ValueError(f"metric(x) must be positive and regular, got {g[wrong][0].tolist()}")
    return g


def differences(f: Callable[[Array], Array], x: Array, axis: int) -> Array:
    """Return the derivatives of ``f`` by each coordinate, on a new axis, by differences of fourth order."""
    columns = []
    for unit in np.eye(x.shape[-1]) * STEP:
        near, far = f(x + unit) - f(x - unit), f(x + 2 * unit) - f(x - 2 * unit)
        columns.append((8 * near - far) / (12 * STEP))
    return np.stack(columns, axis=axis)


def connection(metric: Metric, x: Array, g: Array) -> Array:
    """Return ``Gamma^mu_ab`` at points where the metric is ``g``."""
    lower = _gradient(metric, x)  # d_k g_ij at k, i, j
    first = lower.swapaxes(-3, -2)  # d_a g_vb at v, a, b
    lowered = (first + first.swapaxes(-2, -1) - lower) / 2
    shape = lowered.shape
    return np.linalg.solve(g, lowered.reshape(*shape[:-2], shape[-1] ** 2)).reshape(shape)


def _gradient(metric, x):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            values = [np.asarray(metric(x + 1e-20j * unit)) for unit in np.eye(x.shape[-1])]
        if all(value.dtype.kind == "c" and value.shape == (*x.shape, x.shape[-1]) for value in values):
            return np.stack([value.imag for value in values], axis=-3) * 1e20
    except (TypeError, np.exceptions.ComplexWarning):
        pass
    return differences(lambda at: metric_tensor(metric, at, None), x, -3)

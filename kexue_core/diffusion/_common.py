"""What the samplers share: doors for times, denoisers and mixtures on a line; the way down a chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

Array = NDArray[np.float64]
Denoiser = Callable[..., ArrayLike]
Callback = Callable[[Any, Array], object]


def decreasing_times(times: ArrayLike, *, zero: bool = False) -> list[float]:
    """Return at least two strictly decreasing positive times, of which the last may be 0 if ``zero``."""
    times = _checks.array("times", times, ndim=1)
    if len(times) < 2:
        raise ValueError(f"times must hold at least 2 values, got {len(times)}")
    if (np.diff(times) >= 0).any():
        raise ValueError(f"times must be strictly decreasing, got {times}")
    if times[-1] < 0 or (times[-1] == 0 and not zero):
        raise ValueError(f"times must be positive{' but for a last 0' if zero else ''}, got {times[-1]}")
    return times.tolist()


def denoised(denoise: Denoiser, x: Array, t: Any, shape: tuple[int, ...], name: str = "denoise") -> Array:
    """Return ``denoise(x, t)``, finite and of the given shape; the denoiser gets a copy of ``x``, its own."""
    value = _checks.array(f"{name}(x, t)", _checks.function(name, denoise)(x.copy(), t))
    if value.shape != shape:
        raise ValueError(f"{name}(x, t) must have the shape {shape} of x, got {value.shape}")
    return value


def report(callback: Callback | None, t: Any, x: Array) -> None:
    """Show a copy of the state to the callback, if there is one."""
    if callback is not None:
        _checks.function("callback", callback)(t, x.copy())


def descend(denoise: Denoiser, x: Array, schedule: Any, step: Any, noise: Any, callback: Callback | None) -> Array:
    """Return ``x_0`` of a chain: ``u_t D + v_t x`` with ``step = (u, v)``, and ``noise(t, x, D)`` unless it is None."""
    u, v = step
    for i in range(len(u) - 1, -1, -1):
        report(callback, i + 1, x)
        a, b = schedule.bar_alpha[i], schedule.bar_beta[i]
        with np.errstate(over="ignore", invalid="ignore"):
            guess = denoised(denoise, x / a, b / a, x.shape)
            mean, added = u[i] * guess + v[i] * x, noise(i + 1, x, guess)
            x = mean if added is None else mean + added
    x = _checks.result(x, "x", "sigma")
    report(callback, 0, x)
    return x


def not_negative(name: str, value: ArrayLike) -> Array:
    """Return an array of numbers that are not negative."""
    return _checks.array(name, value, low=0)


def line(name: str, value: ArrayLike) -> Array:
    """Return points on a line, of shape (..., 1)."""
    return _checks.array(name, value, core=1, last=1)


def line_mixture(means: ArrayLike, stds: ArrayLike, weights: ArrayLike | None) -> tuple[Array, Array, Array]:
    """Return means, positive standard deviations and weights, each (K,), of a mixture of Gaussians on a line."""
    means = _checks.array("means", means, ndim=2, core=2, last=1)[:, 0]
    stds = _checks.array("stds", stds, low=0, open="low")
    if stds.shape not in ((), means.shape):
        raise ValueError(f"stds must be a number or have shape ({len(means)},), got shape {stds.shape}")
    weights = np.full(len(means), 1 / len(means)) if weights is None else weights
    return (
        means,
        np.broadcast_to(stds, means.shape),
        _checks.distribution("weights", weights, positive=True, shape=means.shape),
    )


def shares(x: Array, t: Any, means: Array, stds: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Return standard deviations, distances over them from the centres, shares of the components of ``x_t``, at x."""
    scale = np.hypot((1 - t) * stds, t)  # in place of a variance, which leaves the range for tiny and huge stds
    off = (x - (1 - t) * means) / scale
    logits = np.log(weights) - np.log(scale) - off * off / 2
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return scale, off, _checks.result(p / p.sum(axis=-1, keepdims=True), "x", "means", "stds")

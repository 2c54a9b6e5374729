"""What the samplers share: the door for times, and the door for what a denoiser returns."""

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


def denoised(denoise: Denoiser, x: Array, t: Any, shape: tuple[int, ...]) -> Array:
    """Return ``denoise(x, t)``, finite and of the given shape; the denoiser gets a copy of ``x``, its own."""
    value = _checks.array("denoise(x, t)", denoise(x.copy(), t))
    if value.shape != shape:
        raise ValueError(f"denoise(x, t) must have the shape {shape} of x, got {value.shape}")
    return value


def not_negative(name: str, value: ArrayLike) -> Array:
    """Return an array of numbers that are not negative."""
    return _checks.array(name, value, low=0)

"""Weight decay along the gradient of half a squared norm: what it does to singular values, and one step of it.

Decay of strength lambda over the time t moves a matrix along ``dW/dt = -lambda grad``. Only the product ``lambda t``
matters; it is called ``time`` here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["water_level", "merge_times", "decayed_spectrum", "DecayStep", "spectral_decay_step"]

_RULES = ("spectral", "frobenius", "clip", "nuclear")


def water_level(sigma: ArrayLike, time: ArrayLike) -> NDArray[np.float64]:
    """Return the largest singular value after spectral decay, ``max_k (s_1 ... s_k e^-time)^(1/k)``.

    Parameters
    ----------
    sigma : (..., n) array_like
        Singular values, not negative, in any order.
    time : (...) array_like
        ``lambda t``, not negative; the leading axes broadcast.

    Returns
    -------
    level : (...) ndarray or float
        The one that solves ``time = sum of ln(s_i / level) over s_i > level``; 0 if all values are 0.

    Raises
    ------
    ValueError
        If there are no values, one is negative or not finite, ``time`` is negative, or the axes do not broadcast.

    References
    ----------
    .. [1] kexue.fm/archives/10648, result 4; the closed form is derived in the chapter.

    Examples
    --------
    >>> water_level([8.0, 4.0, 1.0], np.log(8)).round(12)
    np.float64(2.0)
    """
    sigma, time = _spectrum(sigma), _time(time)
    _checks.broadcast(("sigma", sigma, 1), ("time", time, 0))
    return _level(sigma, time)[()]


def merge_times(sigma: ArrayLike) -> NDArray[np.float64]:
    """Return the times ``sum_(i<=k) ln(s_i / s_(k+1))``, k = 1, 2, ..., at which the level meets the next value.

    Parameters
    ----------
    sigma : (..., n) array_like
        Singular values, positive, in any order.

    Returns
    -------
    times : (..., n - 1) ndarray
        Values of ``lambda t``; none is smaller than the one before.

    Raises
    ------
    ValueError
        If there are no values, or one is not positive or not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10648, result 4; derived in the chapter.

    Examples
    --------
    >>> merge_times([8.0, 4.0, 1.0]) / np.log(2)
    array([1., 5.])
    """
    logs = -np.sort(-np.log(_checks.array("sigma", sigma, core=1, low=0, open="low")), axis=-1)
    k = np.arange(1, logs.shape[-1])
    return np.cumsum(k * -np.diff(logs, axis=-1), axis=-1)


def decayed_spectrum(sigma: ArrayLike, time: ArrayLike, rule: str = "spectral") -> NDArray[np.float64]:
    """Return singular values after a time of pure decay, in closed form.

    Parameters
    ----------
    sigma : (..., n) array_like
        Singular values, not negative, in any order, which is kept.
    time : (...) array_like
        ``lambda t``, not negative; the leading axes broadcast.
    rule : str, optional
        "spectral", the gradient of half the squared spectral norm: ``min(s_i, level)``, see `water_level`;
        "frobenius", the usual decay: ``s_i e^-time``; "clip", all that exceeds the norm that the usual decay leaves:
        ``min(s_i, s_1 e^-time)``; "nuclear", the gradient of the nuclear norm itself: ``max(s_i - time, 0)``.

    Returns
    -------
    values : (..., n) ndarray
        None grows with ``time``. By "spectral", "frobenius" and "clip" they scale with ``sigma``.

    Raises
    ------
    ValueError
        If there are no values, one is negative or not finite, ``time`` is negative, ``rule`` is none of the four, or
        the axes do not broadcast.

    References
    ----------
    .. [1] kexue.fm/archives/10648, result 4; kexue.fm/archives/11729 for "clip".

    Examples
    --------
    >>> decayed_spectrum([8.0, 4.0, 1.0], np.log(8)).round(12)
    array([2., 2., 1.])
    """
    sigma, time = _spectrum(sigma), _time(time)
    _checks.choice("rule", rule, _RULES)
    _checks.broadcast(("sigma", sigma, 1), ("time", time, 0))
    if rule == "spectral":
        return np.minimum(sigma, _level(sigma, time)[..., None])
    if rule == "nuclear":
        return np.maximum(sigma - time[..., None], 0)
    kept = np.exp(-time)[..., None]
    return sigma * kept if rule == "frobenius" else np.minimum(sigma, sigma.max(axis=-1, keepdims=True) * kept)


class DecayStep(NamedTuple):
    """A matrix after a step of decay, and the vector with which the next step begins."""

    w: NDArray[np.float64]
    v: NDArray[np.float64]


def spectral_decay_step(w: ArrayLike, rate: float, v: ArrayLike, iterations: int = 1) -> DecayStep:
    """Return ``w - rate (w v) v'`` with v of length 1, and v after power iteration with the new matrix.

    Parameters
    ----------
    w : (..., m, n) array_like
        Weights.
    rate : float
        Learning rate times strength of the decay, from 0 to 2.
    v : (..., n) array_like
        The direction to press, of any length but 0; the leading axes broadcast.
    iterations : int, optional
        Of ``v <- w'(w v) / |w'(w v)|``; where that is 0, or ``iterations`` is, ``v`` stays, at length 1.

    Returns
    -------
    DecayStep
        ``w`` has lost ``rate (2 - rate) |w v|^2`` of its squared Frobenius norm, and its spectral norm has not grown,
        whatever ``v`` is. Only where ``v`` is v_1 itself is the step one along the gradient.

    Raises
    ------
    ValueError
        If an array is empty or not finite, shapes do not fit, ``v`` is zero, ``rate`` is outside [0, 2] or
        ``iterations`` is negative.

    References
    ----------
    .. [1] kexue.fm/archives/10648, results 4, 5 and 8.

    Examples
    --------
    >>> step = spectral_decay_step(np.diag([2.0, 1.0]), 0.25, [1.0, 0.0])
    >>> step.w
    array([[1.5, 0. ],
           [0. , 1. ]])
    >>> step.v
    array([1., 0.])
    """
    w, v = _checks.array("w", w, core=2), _checks.array("v", v, core=1)
    rate = _checks.number("rate", rate, low=0, high=2)
    iterations = _checks.integer("iterations", iterations, low=0)
    if v.shape[-1] != w.shape[-1]:
        raise ValueError(f"v must have a last axis of length {w.shape[-1]}, got shape {v.shape}")
    _checks.broadcast(("w", w, 2), ("v", v, 1))
    if (v == 0).all(axis=-1).any():
        raise ValueError("v must not be zero, got a vector of zeros")
    v = _unit(v)
    scale = np.abs(w).max(axis=(-2, -1), keepdims=True)
    scaled = w / np.where(scale > 0, scale, 1)
    scaled = scaled - rate * _apply(scaled, v)[..., None] * v[..., None, :]
    with np.errstate(over="ignore"):
        stepped = _checks.result(scaled * np.where(scale > 0, scale, 1), "w")
    for _ in range(iterations):
        moved = _apply(np.swapaxes(scaled, -1, -2), _unit(_apply(scaled, v)))
        v = np.where((moved != 0).any(axis=-1, keepdims=True), _unit(moved), v)
    return DecayStep(stepped, v)


def _spectrum(sigma):
    return _checks.array("sigma", sigma, core=1, low=0)


def _time(time):
    return _checks.array("time", time, low=0)


def _level(sigma, time):
    """Return the level, exact at time 0; a value that is zero has the logarithm -inf and never counts."""
    with np.errstate(divide="ignore"):
        logs = -np.sort(-np.log(sigma), axis=-1)
    logs = logs - np.where(np.isfinite(logs[..., :1]), logs[..., :1], 0)
    k = np.arange(1, sigma.shape[-1] + 1)
    root = np.exp(((np.cumsum(logs, axis=-1) - time[..., None]) / k).max(axis=-1) / 2)
    return sigma.max(axis=-1) * root * root  # in two factors, of which neither underflows too early


def _apply(a, v):
    return (a @ v[..., None])[..., 0]


def _unit(v):
    """Return vectors of length 1, and 0 for 0."""
    top = np.abs(v).max(axis=-1, keepdims=True)
    v = v / np.where(top > 0, top, 1)
    return v / np.where(top > 0, np.linalg.norm(v, axis=-1, keepdims=True), 1)

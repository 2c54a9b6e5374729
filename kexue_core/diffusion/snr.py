"""Signal-to-noise ratios: what a noise level is worth, and how a schedule moves to another resolution.

A noising ``x_t = bar_alpha x_0 + bar_beta eps`` has the ratio ``SNR = bar_alpha^2 / bar_beta^2``. Averaging ``s x s``
pixels multiplies it by ``s^2``, so a schedule for ``s`` times as many pixels a side divides it by ``s^2`` first. On a
fixed path that is a warp of time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["log_snr", "snr_levels", "shift_levels", "shift_time", "cosine_log_snr"]


def log_snr(bar_alpha: ArrayLike, bar_beta: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return ``log(bar_alpha^2 / bar_beta^2)``, the logarithm of the signal-to-noise ratio.

    Parameters
    ----------
    bar_alpha : (...) array_like
        Level of the signal, positive.
    bar_beta : (...) array_like, optional
        Level of the noise, positive; by default ``sqrt(1 - bar_alpha^2)``, and then ``bar_alpha < 1``. Give it where
        it is known: of a ``bar_alpha`` near 1 little noise is left in the last digits.

    Returns
    -------
    log_snr : (...) ndarray
        Natural logarithm; scaling the picture by ``b`` adds ``2 log b``.

    Raises
    ------
    ValueError
        If a level is not positive, ``bar_alpha >= 1`` without ``bar_beta``, or the shapes do not broadcast.

    References
    ----------
    .. [1] kexue.fm/archives/10047; Hoogeboom et al., arXiv:2301.11093, Section 3.1.

    Examples
    --------
    >>> log_snr([0.6, 0.8]).round(3)
    array([-0.575,  0.575])
    """
    if bar_beta is None:
        a = _checks.array("bar_alpha", bar_alpha, low=0, high=1, open="both")
        return (2 * np.log(a) - np.log((1 - a) * (1 + a)))[()]
    a = _checks.array("bar_alpha", bar_alpha, low=0, open="low")
    b = _checks.array("bar_beta", bar_beta, low=0, open="low")
    _checks.broadcast(("bar_alpha", a, 0), ("bar_beta", b, 0))
    return (2 * (np.log(a) - np.log(b)))[()]


def snr_levels(log_snr: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``(bar_alpha, bar_beta)`` of a signal-to-noise ratio, on the circle ``bar_alpha^2 + bar_beta^2 = 1``.

    Parameters
    ----------
    log_snr : (...) array_like
        Natural logarithm; ``inf`` is the picture itself and ``-inf`` pure noise.

    Returns
    -------
    bar_alpha, bar_beta : (...) ndarray
        Both with all digits, however near to 0 or 1.

    Raises
    ------
    ValueError
        If a value is NaN.

    References
    ----------
    .. [1] kexue.fm/archives/10047.

    Examples
    --------
    >>> snr_levels([np.inf, 0.0, -np.inf])[0].round(3)
    array([1.   , 0.707, 0.   ])
    """
    value = _checks.array("log_snr", log_snr, finite=False)
    a, b = (np.exp(-np.logaddexp(0, sign * value) / 2) for sign in (-1, 1))
    return a[()], b[()]


def shift_levels(
    bar_alpha: ArrayLike, bar_beta: ArrayLike, s: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the levels for pictures with ``s`` times as many pixels a side: the ratio is divided by ``s^2``.

    ``(bar_alpha, s bar_beta)``, divided by its length ``sqrt(bar_alpha^2 + s^2 bar_beta^2)``. Pooled ``s x s``, the
    big picture then has the ratio that the small one had. No logarithm, so 0 and 1 are no special cases.

    Parameters
    ----------
    bar_alpha, bar_beta : (...) array_like
        Levels at the low resolution, not negative and not both 0. They need not lie on a circle: ``1 - t`` and ``t``
        of a straight path will do.
    s : (...) array_like
        Positive; below 1 for a smaller picture, the root of the pixel ratio for another aspect.

    Returns
    -------
    bar_alpha, bar_beta : (...) ndarray
        On the unit circle. Shifts compose: by ``s`` and by ``r`` is by ``rs``.

    Raises
    ------
    ValueError
        If a level is negative or both are 0, ``s`` is not positive, or the shapes do not broadcast.

    References
    ----------
    .. [1] kexue.fm/archives/10047; Hoogeboom et al., arXiv:2301.11093, Section 3.1.

    Examples
    --------
    >>> a, b = shift_levels([1.0, 0.8, 0.0], [0.0, 0.6, 1.0], 2)
    >>> a.round(3), b.round(3)
    (array([1.   , 0.555, 0.   ]), array([0.   , 0.832, 1.   ]))
    """
    a, b = _checks.array("bar_alpha", bar_alpha, low=0), _checks.array("bar_beta", bar_beta, low=0)
    s = _checks.array("s", s, low=0, open="low")
    _checks.broadcast(("bar_alpha", a, 0), ("bar_beta", b, 0), ("s", s, 0))
    if ((a == 0) & (b == 0)).any():
        raise ValueError("bar_alpha and bar_beta must not both be 0, got 0 and 0")
    signal, noise = a / np.maximum(s, 1), b * np.minimum(s, 1)  # their ratio is a / (s b), and nothing overflows
    size = np.hypot(signal, noise)
    with np.errstate(invalid="ignore"):
        a, b = signal / size, noise / size
    return _checks.result(a, "bar_alpha", "s"), _checks.result(b, "bar_beta", "s")


def shift_time(t: ArrayLike, s: ArrayLike, *, path: str = "cosine") -> NDArray[np.float64]:
    """Return the time at which a path has the signal-to-noise ratio that it had at ``t``, divided by ``s^2``.

    - ``"cosine"``, ``bar_alpha = cos(pi t / 2)``: ``t' = (2 / pi) arctan(s tan(pi t / 2))``.
    - ``"straight"``, ``x_t = (1 - t) x_0 + t eps``: ``t' = s t / (1 + (s - 1) t)``.

    Parameters
    ----------
    t : (...) array_like
        In [0, 1]; 0 is the picture, 1 is noise.
    s : (...) array_like
        Positive.
    path : str
        ``"cosine"`` or ``"straight"``.

    Returns
    -------
    shifted : (...) ndarray
        Increasing in ``t``, from 0 to 1; for ``s >= 1`` not below ``t``, for ``s <= 1`` not above. Undone by ``1 / s``.

    Raises
    ------
    ValueError
        If a time is not in [0, 1], ``s`` is not positive, the path is unknown or the shapes do not broadcast.

    References
    ----------
    .. [1] kexue.fm/archives/10047; Esser et al., arXiv:2403.03206, Section 5.3.2 (the straight path).

    Examples
    --------
    >>> shift_time([0.0, 0.5, 1.0], 3, path="straight")
    array([0.  , 0.75, 1.  ])
    >>> shift_time(0.5, 8).round(6)
    np.float64(0.920833)
    """
    t, s = _checks.array("t", t, low=0, high=1), _checks.array("s", s, low=0, open="low")
    _checks.choice("path", path, ("cosine", "straight"))
    _checks.broadcast(("t", t, 0), ("s", s, 0))
    up, down = np.minimum(s, 1), np.maximum(s, 1)  # s = up down, and s t : 1 - t = up t : (1 - t) / down
    if path == "straight":
        shifted = up * t / (up * t + (1 - t) / down)
    else:
        sine, cosine = (np.sin(np.pi * u / 2) for u in (t, 1 - t))
        shifted = 2 / np.pi * np.arctan2(up * sine, cosine / down)
    return np.clip(shifted, np.where(s < 1, 0, t), np.where(s > 1, 1, t))[()]  # a last digit may be on the other side


def cosine_log_snr(t: ArrayLike, *, s: ArrayLike = 1.0, s_end: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the logarithmic ratio of a cosine schedule, shifted, or interpolated between two shifts.

    ``-2 log tan(pi t / 2) - 2 (1 - t) log s - 2 t log s_end``: shifted by ``s`` near the picture and by ``s_end`` near
    the noise. A schedule tuned at ``d_0`` pixels a side has ``s = d / d_0`` at ``d`` pixels.

    Parameters
    ----------
    t : (...) array_like
        In (0, 1); at the ends the ratio is infinite.
    s, s_end : (...) array_like
        Positive; ``s_end = s`` by default, the plain shift.

    Returns
    -------
    log_snr : (...) ndarray
        For `snr_levels`. It falls in all of (0, 1) if and only if ``s_end >= s exp(-pi)``.

    Raises
    ------
    ValueError
        If a time is not in (0, 1), a shift is not positive or the shapes do not broadcast.

    References
    ----------
    .. [1] kexue.fm/archives/10047; Hoogeboom et al., arXiv:2301.11093, Section 3.1.

    Examples
    --------
    >>> cosine_log_snr([0.25, 0.5], s=8).round(3)
    array([-2.396, -4.159])
    >>> cosine_log_snr(0.5, s=2, s_end=8).round(3)
    np.float64(-2.773)
    """
    t, s = _checks.array("t", t, low=0, high=1, open="both"), _checks.array("s", s, low=0, open="low")
    s_end = s if s_end is None else _checks.array("s_end", s_end, low=0, open="low")
    _checks.broadcast(("t", t, 0), ("s", s, 0), ("s_end", s_end, 0))
    sine, cosine = (np.log(np.sin(np.pi * u / 2)) for u in (t, 1 - t))
    return (2 * (cosine - sine - (1 - t) * np.log(s) - t * np.log(s_end)))[()]

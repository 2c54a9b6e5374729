"""The Wasserstein distance where it has a closed form, and the proximal (JKO) steps that it makes of densities.

All distances are of second order and squared: ``W^2 = min E|x - y|^2`` over the pairs with the two given laws. A JKO
step of length ``a`` from ``q`` goes to the law that minimizes ``W^2(law, q) / (2 a) + F(law)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["bures_wasserstein", "wasserstein_1d", "gaussian_jko_step", "jko_step_1d"]

Array = NDArray[np.float64]


def bures_wasserstein(mean1: ArrayLike, cov1: ArrayLike, mean2: ArrayLike, cov2: ArrayLike) -> Array:
    """Return the squared distance of two normal laws, ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2)``.

    Parameters
    ----------
    mean1, mean2 : (..., d) array_like
    cov1, cov2 : (..., d, d) array_like
        Symmetric, without negative eigenvalues; all leading axes broadcast.

    Returns
    -------
    (...) ndarray or float
        Not negative, and the same when the two laws are swapped (up to rounding); ``(m1 - m2)^2 + (s1 - s2)^2`` in
        one dimension. The roots of eigenvalues that vanish cost digits: if a covariance is singular, the error
        is up to 1e-7 of the larger one.

    Raises
    ------
    ValueError
        If a covariance is not symmetric or has a negative eigenvalue, the shapes do not fit, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9660, result 6, for the distance; the closed form is that of Olkin and Pukelsheim (1982).

    Examples
    --------
    >>> float(bures_wasserstein([0.0], [[1.0]], [3.0], [[25.0]]))
    25.0
    """
    m1, m2 = _checks.array("mean1", mean1, core=1), _checks.array("mean2", mean2, core=1)
    d = m1.shape[-1]
    if m2.shape[-1] != d:
        raise ValueError(f"mean2 must have a last axis of length {d}, as mean1 has, got shape {m2.shape}")
    s1, s2 = _covariance("cov1", cov1, d), _covariance("cov2", cov2, d)
    _checks.broadcast(("mean1", m1, 1), ("cov1", s1, 2), ("mean2", m2, 1), ("cov2", s2, 2))
    size = np.maximum(s1.max(axis=(-2, -1)), s2.max(axis=(-2, -1)))
    size = np.where(size > 0, size, 1)
    s1, s2 = s1 / size[..., None, None], s2 / size[..., None, None]
    values, vectors = np.linalg.eigh(s1)
    root = vectors * np.sqrt(np.maximum(values, 0))[..., None, :] @ vectors.swapaxes(-2, -1)
    inner = np.linalg.eigvalsh(root @ s2 @ root)
    trace = np.trace(s1, axis1=-2, axis2=-1) + np.trace(s2, axis1=-2, axis2=-1)
    bures = np.maximum(trace - 2 * np.sqrt(np.maximum(inner, 0)).sum(axis=-1), 0)
    with np.errstate(over="ignore"):
        return _checks.result(((m1 - m2) ** 2).sum(axis=-1) + size * bures, "mean1", "cov1", "mean2", "cov2")


def wasserstein_1d(x: ArrayLike, y: ArrayLike) -> Array:
    """Return the squared distance of two samples on a line: the mean square between their quantile functions.

    Parameters
    ----------
    x : (..., n) array_like
    y : (..., m) array_like
        In any order, each point with the same weight; leading axes broadcast.

    Returns
    -------
    (...) ndarray or float
        For ``n = m`` the mean of ``(x_(i) - y_(i))^2`` over the sorted points.

    Raises
    ------
    ValueError
        If a sample is empty, the leading axes do not broadcast, or a value is not finite.

    References
    ----------
    .. [1] Santambrogio, arXiv:1609.03890, on transport in one dimension.

    Examples
    --------
    >>> float(wasserstein_1d([3.0, 1.0], [2.0, 0.0, 1.0]).round(6))
    1.333333
    """
    x, y = _checks.array("x", x, core=1), _checks.array("y", y, core=1)
    _checks.broadcast(("x", x, 1), ("y", y, 1))
    n, m = x.shape[-1], y.shape[-1]
    steps = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)  # the jumps of both, in units of 1 / (n m)
    a, b = np.sort(x, axis=-1)[..., steps[:-1] // m], np.sort(y, axis=-1)[..., steps[:-1] // n]
    with np.errstate(over="ignore"):
        return _checks.result(((a - b) ** 2 * (np.diff(steps) / (n * m))).sum(axis=-1), "x", "y")


def gaussian_jko_step(mean: ArrayLike, std: ArrayLike, step: ArrayLike) -> tuple[Array, Array]:
    """Return mean and standard deviation after a JKO step on ``KL(. || N(0, 1))`` from a normal law.

    Parameters
    ----------
    mean, std : (...) array_like
        Of the normal law; ``std`` is not negative.
    step : (...) array_like
        Length ``a`` of the step, positive. All broadcast.

    Returns
    -------
    mean : (...) ndarray or float
        ``mean / (1 + a)``.
    std : (...) ndarray or float
        ``(std + sqrt(std^2 + 4 a (1 + a))) / (2 (1 + a))``. Both are minimizers over all laws, not normal ones only.

    Raises
    ------
    ValueError
        If ``std`` is negative, ``step`` is not positive, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9660, result 6; the closed form is derived in the chapter.

    Examples
    --------
    >>> mean, std = gaussian_jko_step(2.0, 0.5, 1.0)
    >>> float(mean), float(std.round(6))
    (1.0, 0.84307)
    """
    mean, std = _checks.array("mean", mean), _checks.array("std", std, low=0)
    step = _checks.array("step", step, low=0, open="low")
    shape = _checks.broadcast(("mean", mean, 0), ("std", std, 0), ("step", step, 0))
    half = std / (1 + step) / 2
    new = half + np.hypot(half, np.sqrt(step / (1 + step)))
    return np.broadcast_to(mean / (1 + step), shape).copy()[()], np.broadcast_to(new, shape).copy()[()]


def jko_step_1d(
    quantiles: ArrayLike, slope: Callable[[Array], ArrayLike], curvature: Callable[[Array], ArrayLike], step: float
) -> Array:
    """Return the quantiles after a JKO step on ``KL(. || e^-V)`` in one dimension, by Newton's method.

    With n points of mass 1/n each, the step minimizes the mean of ``(Q_i - quantiles_i)^2 / (2 a) + V(Q_i)`` minus
    ``sum ln(Q_(i+1) - Q_i) / n``. It is a proximal step: in one dimension the distance is that of quantile functions.

    Parameters
    ----------
    quantiles : (n,) array_like
        At least 2, strictly increasing.
    slope, curvature : callable
        ``V'`` and ``V''``, from ``(n,)`` to that shape.
    step : float
        Positive, so short that ``1/a + V''`` stays positive: then the minimum is the only one.

    Returns
    -------
    Q : (n,) ndarray
        Strictly increasing. Against the continuous step, the error falls like 1/n up to a logarithm.

    Raises
    ------
    TypeError
        If ``slope`` or ``curvature`` is not callable.
    ValueError
        If the quantiles do not increase or lie too near each other, ``step`` is not positive or too long, a value is
        not finite, or Newton's method does not converge in 100 iterations.

    References
    ----------
    .. [1] kexue.fm/archives/9660, result 6.

    Examples
    --------
    >>> q = jko_step_1d([-1.0, 1.0], lambda x: x, lambda x: 1 + 0 * x, 1.0)
    >>> q.round(6).tolist()  # 2 q = 1 + 1 / (2 q)
    [-0.809017, 0.809017]
    """
    slope, curvature = _checks.function("slope", slope), _checks.function("curvature", curvature)
    old = _checks.array("quantiles", quantiles, ndim=1, core=1)
    if len(old) < 2 or (np.diff(old) <= 0).any():
        raise ValueError(f"quantiles must be at least 2 and strictly increase, got {old.tolist()!s:.60}")
    step = _checks.number("step", step, low=0, open="low")

    def force(at):
        inverse = np.pad(1 / np.diff(at), 1)
        v = _checks.array("slope(x)", slope(at.copy()), shape=at.shape)
        return _checks.result((at - old) / step + v + np.diff(inverse), "quantiles", "step"), inverse**2

    q = old
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for _ in range(100):
            pull, stiff = force(q)
            bend = 1 / step + _checks.array("curvature(x)", curvature(q.copy()), shape=q.shape)
            if (bend <= 0).any():
                raise ValueError(f"step must keep 1/step + curvature(x) positive, got {bend.min():.3g} at {step}")
            hessian = np.diag(bend + stiff[1:] + stiff[:-1]) - np.diag(stiff[1:-1], 1) - np.diag(stiff[1:-1], -1)
            try:
                move = np.linalg.solve(_checks.result(hessian, "quantiles", "step"), -pull)
            except np.linalg.LinAlgError:
                raise ValueError(f"quantiles must lie farther apart at step {step}, got {old[:3].tolist()}") from None
            down, length = pull @ move, 1.0
            while length > 1e-12:
                trial = q + length * move
                if (np.diff(trial) > 0).all() and force(trial)[0] @ move <= abs(down) / 2:
                    break
                length /= 2
            q = trial
            if np.abs(move).max() <= 1e-12 * (q[-1] - q[0]) + 16 * np.spacing(np.abs(q).max()):
                return q
    raise ValueError(f"step must let Newton's method converge, got {step}")


def _covariance(name, value, d):
    """Return a symmetric matrix without negative eigenvalues, of size d."""
    s = _checks.array(name, value, core=2)
    if s.shape[-2:] != (d, d):
        raise ValueError(f"{name} must have two last axes of length {d}, as mean1 has, got shape {s.shape}")
    size = np.abs(s).max(axis=(-2, -1), keepdims=True)
    scaled = s / np.where(size > 0, size, 1)
    if (gap := np.abs(scaled - scaled.swapaxes(-2, -1))).size and gap.max() > 1e-9:
        raise ValueError(f"{name} must be symmetric, got relative differences up to {gap.max():.3g}")
    if scaled.size and (low := np.linalg.eigvalsh(scaled).min()) < -1e-9:
        raise ValueError(f"{name} must have no negative eigenvalue, got {low:.3g} of its largest entry")
    return s

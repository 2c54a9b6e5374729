r"""Stochastic gradient descent on convex losses: its steps, its schedules, and what the sum of its losses can exceed.

Step t meets a loss ``L_t`` with the gradient ``g_t`` and moves to ``project(theta_t - lrs_t g_t)``. The *regret* is the
sum of ``L_t(theta_t) - L_t(theta)`` against one fixed ``theta``; the bounds are on its mean over T steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention import sparsemax

__all__ = [
    "projected_sgd",
    "project_ball",
    "project_box",
    "project_simplex",
    "learning_rates",
    "refined_rates",
    "average_regret_bound",
    "last_iterate_bound",
    "coin_flip_regret",
]

Array = NDArray[np.float64]
KINDS = ("constant", "anytime", "linear")


def projected_sgd(
    grad: Callable[[int, Array], ArrayLike],
    theta0: ArrayLike,
    lrs: ArrayLike,
    project: Callable[[Array], ArrayLike] | None = None,
) -> Array:
    """Return the path of ``theta <- project(theta - lr * grad(t, theta))``.

    Parameters
    ----------
    grad : callable
        ``grad(t, theta)`` is the gradient of the loss that step t = 0, 1, ... meets, of the shape of ``theta``. It may
        be a subgradient: at a kink any slope of a line below the loss.
    theta0 : (..., d) array_like
        Start; leading axes hold runs that do not touch each other.
    lrs : (T,) array_like
        Learning rates, not negative.
    project : callable, optional
        Maps ``(..., d)`` to the nearest points of a convex set.

    Returns
    -------
    path : (T + 1, ..., d) ndarray
        The start, as it was given, and the point after each step. Point ``path[t]`` pays the loss of step t.

    Raises
    ------
    TypeError
        If ``grad`` or ``project`` is not callable.
    ValueError
        If a rate is negative, an array is empty, or a function returns another shape or what is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9902, the projected SGD; Zinkevich, ICML 2003, Algorithm 1.

    Examples
    --------
    >>> projected_sgd(lambda t, theta: np.sign(theta), [1.0], [0.75, 0.5]).ravel()
    array([ 1.  ,  0.25, -0.25])
    """
    grad, project = _checks.function("grad", grad), None if project is None else _checks.function("project", project)
    theta = _checks.array("theta0", theta0, core=1)
    lrs = _checks.array("lrs", lrs, ndim=1, core=1, low=0)
    path = np.empty((len(lrs) + 1, *theta.shape))
    path[0] = theta
    for t, lr in enumerate(lrs):
        slope = _checks.array("grad(t, theta)", grad(t, path[t].copy()), shape=theta.shape)
        with np.errstate(over="ignore"):
            theta = _checks.result(path[t] - lr * slope, "theta0", "lrs")
        if project is not None:
            theta = _checks.array("project(theta)", project(theta), shape=theta.shape)
        path[t + 1] = theta
    return path


def project_ball(theta: ArrayLike, center: ArrayLike = 0.0, radius: float = 1.0) -> Array:
    """Return the nearest points of a Euclidean ball.

    Parameters
    ----------
    theta : (..., d) array_like
    center : (..., d) array_like
        Broadcast against ``theta``.
    radius : float
        Not negative.

    Returns
    -------
    (..., d) ndarray
        A point of the ball stays as it is, bit for bit.

    Raises
    ------
    ValueError
        If ``radius`` is negative, ``theta`` and ``center`` do not broadcast to the shape of ``theta``, or a value or a
        distance from the centre is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9902, the projection.

    Examples
    --------
    >>> project_ball([[3.0, 4.0], [0.5, 0.0]]).tolist()
    [[0.6, 0.8], [0.5, 0.0]]
    """
    theta = _checks.array("theta", theta, core=1)
    center = _fitting("center", center, theta)
    radius = _checks.number("radius", radius, low=0)
    with np.errstate(over="ignore", invalid="ignore"):
        apart = theta - center
        length = _checks.result(np.hypot.reduce(apart, axis=-1, keepdims=True), "theta", "center")
        edge = center + apart / np.where(length > 0, length, 1) * radius
    return _checks.result(np.where(length <= radius, theta, edge), "theta", "center")


def project_box(theta: ArrayLike, low: ArrayLike, high: ArrayLike) -> Array:
    """Return the nearest points of a box, coordinate by coordinate.

    Parameters
    ----------
    theta : (..., d) array_like
    low, high : (..., d) array_like
        Broadcast against ``theta``; ``low`` does not exceed ``high``.

    Returns
    -------
    (..., d) ndarray
        A point of the box stays as it is, bit for bit.

    Raises
    ------
    ValueError
        If ``low`` exceeds ``high``, the shapes do not broadcast to that of ``theta``, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9902, the projection.

    Examples
    --------
    >>> project_box([-2.0, 0.5], 0.0, 1.0)
    array([0. , 0.5])
    """
    theta = _checks.array("theta", theta, core=1)
    low, high = _fitting("low", low, theta), _fitting("high", high, theta)
    if (wrong := low > high).any():
        raise ValueError(f"low must not exceed high, got {low[wrong].flat[0]} and {high[wrong].flat[0]}")
    return np.minimum(np.maximum(theta, low), high)


def project_simplex(theta: ArrayLike) -> Array:
    """Return the nearest probability vectors: the sparsemax of each row.

    Parameters
    ----------
    theta : (..., d) array_like

    Returns
    -------
    (..., d) ndarray
        Not negative, with the sum 1 along the last axis: ``max(theta - tau, 0)`` with one ``tau`` for a row. A row
        that is such a vector within the rounding of its sum stays as it is, bit for bit.

    Raises
    ------
    ValueError
        If a row is empty or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9902, the projection; the map is the sparsemax of arXiv:1602.02068.

    Examples
    --------
    >>> project_simplex([[0.5, 0.5, -1.0], [2.0, 0.0, 0.0]]).tolist()
    [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]
    """
    theta = _checks.array("theta", theta, core=1)
    with np.errstate(over="ignore", invalid="ignore"):
        gap = np.abs(theta.sum(axis=-1, keepdims=True) - 1)
    inside = (theta >= 0).all(axis=-1, keepdims=True) & (gap <= theta.shape[-1] * np.finfo(float).eps)
    return np.where(inside, theta, sparsemax(theta))


def learning_rates(T: int, kind: str = "constant", scale: float = 1.0) -> Array:
    """Return T learning rates: ``scale / sqrt(T)``, ``scale / sqrt(t)``, or a line from the first of them to zero.

    Parameters
    ----------
    T : int
        Steps, at least 1.
    kind : str
        "constant"; "anytime", which does not need T; or "linear", ``scale / sqrt(T) * (1 - t / (T + 1))``.
    scale : float
        Positive. With the diameter R of the set and gradients of at most G, ``R / G`` is the best constant, and
        ``R / (sqrt(2) G)`` the best "anytime" scale in the limit of many steps.

    Returns
    -------
    lrs : (T,) ndarray
        Positive and not increasing.

    Raises
    ------
    ValueError
        If ``T`` is below 1, ``scale`` is not positive, or ``kind`` is not one of the three.

    References
    ----------
    .. [1] kexue.fm/archives/9902, cases 1 and 2; kexue.fm/archives/11494, the linear one.

    Examples
    --------
    >>> learning_rates(4), learning_rates(4, "linear", 2.0)
    (array([0.5, 0.5, 0.5, 0.5]), array([0.8, 0.6, 0.4, 0.2]))
    """
    T = _checks.integer("T", T, low=1)
    kind = _checks.choice("kind", kind, KINDS)
    scale = _checks.number("scale", scale, low=0, open="low")
    t = np.arange(1, T + 1)
    if kind == "anytime":
        return scale / np.sqrt(t)
    return scale / np.sqrt(T) * ((T + 1 - t) / (T + 1) if kind == "linear" else np.ones(T))


def refined_rates(grad_norms: ArrayLike, distance: float = 1.0) -> Array:
    r"""Return the rates ``R G_t**-2 / sqrt(Q_T) (1 - Q_t / Q_T)``, ``Q_t = sum_{k <= t} G_k**-2``, of measured norms.

    Parameters
    ----------
    grad_norms : (..., T) array_like
        Norms ``G_t`` of the gradients, positive.
    distance : float
        Of the start from the optimum, R; positive.

    Returns
    -------
    lrs : (..., T) ndarray
        The last one is exactly 0. Norms that do not change give ``R / (G sqrt(T)) (1 - t / T)``; norms that are large
        at first give small rates at first, a warm-up.

    Raises
    ------
    ValueError
        If a norm or ``distance`` is not positive, a row is empty, or a value or a rate is not finite.

    References
    ----------
    .. [1] arXiv:2310.07831, the refined schedule for the last iterate; kexue.fm/archives/11540.

    Examples
    --------
    >>> refined_rates([1.0, 1.0, 1.0, 1.0])
    array([0.375, 0.25 , 0.125, 0.   ])
    """
    norms = _checks.array("grad_norms", grad_norms, core=1, low=0, open="low")
    distance = _checks.number("distance", distance, low=0, open="low")
    least = norms.min(axis=-1, keepdims=True)
    share = (least / norms) ** 2
    Q = np.cumsum(share, axis=-1)
    with np.errstate(over="ignore", invalid="ignore"):
        lrs = distance / least * share / np.sqrt(Q[..., -1:]) * (1 - Q / Q[..., -1:])
    return _checks.result(lrs, "grad_norms", "distance")


def average_regret_bound(lrs: ArrayLike, radius: ArrayLike = 1.0, grad_bound: ArrayLike = 1.0) -> Array:
    r"""Return the bound on the average regret, ``R**2 / (2 T lrs_T) + G**2 mean(lrs) / 2``.

    Parameters
    ----------
    lrs : (..., T) array_like
        Learning rates, positive and not increasing.
    radius : (...) array_like
        Diameter R of the convex set; not negative. For constant rates the distance of the start from the point that
        is compared with will do.
    grad_bound : (...) array_like
        Largest norm G of a gradient; not negative.

    Returns
    -------
    (...) ndarray or float
        At least ``R G / sqrt(T)``, with equality exactly for constant rates ``R / (G sqrt(T))``.

    Raises
    ------
    ValueError
        If rates increase or are not positive, a row is empty, ``radius`` or ``grad_bound`` is negative, the shapes do
        not broadcast, or a value or the bound is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9902, the theorem; Zinkevich, ICML 2003, Theorem 1.

    Examples
    --------
    >>> average_regret_bound([0.25] * 16, radius=[1.0, 2.0])
    array([0.25 , 0.625])
    """
    lrs = _checks.array("lrs", lrs, core=1, low=0, open="low")
    if (wrong := np.diff(lrs) > 0).any():
        before, after = lrs[..., :-1][wrong].flat[0], lrs[..., 1:][wrong].flat[0]
        raise ValueError(f"lrs must not increase, got {after} after {before}")
    radius, grad_bound = (_checks.array(n, v, low=0) for n, v in (("radius", radius), ("grad_bound", grad_bound)))
    _checks.broadcast(("lrs", lrs, 1), ("radius", radius, 0), ("grad_bound", grad_bound, 0))
    with np.errstate(over="ignore", invalid="ignore"):
        bound = radius / lrs[..., -1] * radius / (2 * lrs.shape[-1]) + grad_bound**2 * lrs.mean(axis=-1) / 2
    return _checks.result(bound, "lrs", "radius", "grad_bound")


def last_iterate_bound(lrs: ArrayLike, distance: float = 1.0, grad_norms: ArrayLike = 1.0) -> Array:
    r"""Return a bound on the expected excess loss at the last of T points, for convex losses drawn independently.

    ``R**2 / (2 s_1) + sum_t lrs_t**2 G_t**2 / (2 s_min(t + 1, T))``, where ``s_t`` is the sum of the rates from t on.

    Parameters
    ----------
    lrs : (..., T) array_like
        Learning rates, positive; they may increase.
    distance : float
        Of the start from the minimum, R; not negative.
    grad_norms : (..., T) array_like
        Bounds ``G_t`` on the norms of the gradients; broadcast against ``lrs``.

    Returns
    -------
    (...) ndarray or float
        Holds without a bounded set.

    Raises
    ------
    ValueError
        If a rate is not positive, ``distance`` or a norm is negative, a row is empty, the shapes do not broadcast to
        that of ``lrs``, or a value or the bound is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/11494, the bound for the last loss.

    Examples
    --------
    >>> round(float(last_iterate_bound([0.5, 0.5, 0.5, 0.5])), 6)  # (1 + (1 + 1/2 + 1/3) / 2) / 2
    0.958333
    """
    lrs = _checks.array("lrs", lrs, core=1, low=0, open="low")
    distance = _checks.number("distance", distance, low=0)
    norms = _fitting("grad_norms", grad_norms, lrs, low=0)
    with np.errstate(over="ignore", invalid="ignore"):
        left = np.cumsum(lrs[..., ::-1], axis=-1)[..., ::-1]
        after = np.concatenate([left[..., 1:], left[..., -1:]], axis=-1)
        bound = distance / left[..., 0] * distance / 2 + (lrs / after * lrs * norms**2).sum(axis=-1) / 2
    return _checks.result(bound, "lrs", "distance", "grad_norms")


def coin_flip_regret(T: ArrayLike, radius: float = 1.0) -> Array:
    """Return what T fair coins make any algorithm regret on average: ``R E|S_T| / (2 T)``.

    The losses are ``x_t theta`` on an interval of length R, with ``x_t`` = 1 or -1 by a fair coin that the algorithm
    sees after it has moved; ``S_T`` is the sum of the ``x_t``.

    Parameters
    ----------
    T : (...) array_like of int
        Steps, at least 1.
    radius : float
        Length R of the interval, its diameter; not negative.

    Returns
    -------
    (...) ndarray or float
        ``R / 2 * binom(2 k, k) / 4**k`` with ``k = T // 2``, to 15 digits; ``sqrt(T)`` times that tends to
        ``R / sqrt(2 pi)``.

    Raises
    ------
    ValueError
        If ``T`` is below 1 or ``radius`` is negative or not finite.

    References
    ----------
    .. [1] Cesa-Bianchi and Lugosi, Prediction, Learning, and Games, 2006: coins as an adversary.

    Examples
    --------
    >>> coin_flip_regret([1, 2, 3, 4, 1000]).round(6)
    array([0.5     , 0.25    , 0.25    , 0.1875  , 0.012613])
    """
    k = _checks.array("T", T, kind="integer", low=1) // 2
    radius = _checks.number("radius", radius, low=0)
    small = np.cumprod(np.r_[1, 1 - 0.5 / np.arange(1, 64)])
    v = 1 / (8.0 * np.maximum(k, 1) + 2.0) ** 2  # binom(2k, k) / 4^k in powers of it
    series = (2 + v * (-2 + v * (21 + v * (-671 + v * 45081)))) * np.sqrt(2 / np.pi) * v**0.25
    return _checks.result(radius / 2 * np.where(k < 64, small[np.minimum(k, 63)], series), "T", "radius")


def _fitting(name, value, theta, **bounds):
    """Return ``value`` broadcast to the shape of ``theta``, or refuse it."""
    value = _checks.array(name, value, **bounds)
    try:
        return np.broadcast_to(value, theta.shape)
    except ValueError:
        raise ValueError(f"{name} must broadcast to shape {theta.shape}, got shape {value.shape}") from None

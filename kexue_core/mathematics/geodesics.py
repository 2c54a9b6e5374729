"""Walking on a curved surface: geodesics, parallel transport, what a loop turns, and exact walks in constant curvature.

The first three integrate with the Christoffel symbols of any metric. The walks need no integration: in a world of
constant curvature ``K`` a straight step and a turn are 3 by 3 matrices, for a sphere, a plane and a saddle alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kexue_core import _checks
from kexue_core.mathematics._common import Array, Metric, connection, metric_tensor
from kexue_core.mathematics.curvature import christoffel

__all__ = ["geodesic", "parallel_transport", "holonomy_angle", "walk", "walk_gap"]


def geodesic(metric: Metric, x0: ArrayLike, v0: ArrayLike, length: float, *, steps: int = 200) -> tuple[Array, Array]:
    """Walk straight ahead: solve ``x'' + Gamma x' x' = 0`` by the Runge-Kutta method of fourth order.

    Parameters
    ----------
    metric : callable
        As in `christoffel`.
    x0 : (..., n) array_like
        Coordinates of the start.
    v0 : (..., n) array_like
        Direction; its size does not matter.
    length : float
        Arc length, not negative.
    steps : int
        Number of steps; the error falls with the fourth power.

    Returns
    -------
    x : (steps + 1, ..., n) ndarray
        Points at equal distances along the way.
    v : (steps + 1, ..., n) ndarray
        Unit tangents there: ``v g v`` stays 1, and how well it does measures the error.

    Raises
    ------
    TypeError, ValueError
        As in `christoffel`, or if ``v0`` is 0, or ``v g v`` leaves [0.99, 1.01]: too few steps, or a way across a
        place where the coordinates fail.

    References
    ----------
    .. [1] kexue.fm/archives/3977, the equation of geodesics.

    Examples
    --------
    >>> from kexue_core.mathematics import stereographic_metric
    >>> x, v = geodesic(stereographic_metric, [0.5, 0.0], [0.0, 1.0], 2 * np.pi)  # round the sphere
    >>> bool(np.abs(x[-1] - x[0]).max() < 1e-6)
    True
    """
    x, v = _checks.array("x0", x0, core=1), _checks.array("v0", v0, core=1)
    if v.shape[-1] != x.shape[-1]:
        raise ValueError(f"v0 must have as many coordinates as x0, got {v.shape[-1]} and {x.shape[-1]}")
    batch = _checks.broadcast(("x0", x, 1), ("v0", v, 1))
    x, v = (np.broadcast_to(part, (*batch, x.shape[-1])) for part in (x, v))
    length, steps = _checks.number("length", length, low=0), _checks.integer("steps", steps, low=1)
    g, size = metric_tensor(metric, x), np.abs(v).max(axis=-1, keepdims=True)
    if not size.all():
        raise ValueError(f"v0 must not be 0, got {v}")
    v = v / size
    speed = np.einsum("...i,...ij,...j->...", v, g, v)
    state, h = np.stack([x, v / np.sqrt(speed)[..., None]]), length / steps

    def slope(y):
        if not np.isfinite(y).all():
            return np.full(y.shape, np.nan)
        gamma = connection(metric, y[0], metric_tensor(metric, y[0], None))
        pull = gamma @ y[1][..., None, :, None]
        return np.stack([y[1], -(pull[..., 0] @ y[1][..., None])[..., 0]])

    states = [state]
    for _ in range(steps):
        with np.errstate(over="ignore", invalid="ignore"):
            a = slope(state)
            b = slope(state + h / 2 * a)
            c = slope(state + h / 2 * b)
            state = state + h / 6 * (a + 2 * b + 2 * c + slope(state + h * c))
        if not np.isfinite(state).all():
            raise ValueError(f"steps must keep the way finite, got {state.tolist()} after {len(states)}")
        states.append(state)
    x, v = np.array(states).swapaxes(0, 1)
    speed = np.einsum("...i,...ij,...j->...", v, metric_tensor(metric, x), v)
    if not (speed > 0.99).all() or not (speed < 1.01).all():
        raise ValueError(f"steps must keep v g v within 0.01 of 1, got {speed.flat[np.abs(speed - 1).argmax()]}")
    return x, v


def parallel_transport(metric: Metric, path: ArrayLike, vector: ArrayLike) -> Array:
    """Carry a vector along a path without turning it: solve ``A' + Gamma A x' = 0``.

    Between the points the path is straight in the coordinates, and each piece takes one Runge-Kutta step of fourth
    order. For points sampled from a smooth curve the error falls with the square of their number.

    Parameters
    ----------
    metric : callable
        As in `christoffel`.
    path : (p, n) array_like
        Coordinates of the points, at least 2.
    vector : (n,) array_like
        Components at the first point.

    Returns
    -------
    carried : (p, n) ndarray
        Components at each point. Lengths and angles by the metric are kept.

    Raises
    ------
    TypeError, ValueError
        As in `christoffel`, or if there are fewer than 2 points.

    References
    ----------
    .. [1] kexue.fm/archives/3998, the covariant derivative.

    Examples
    --------
    >>> from kexue_core.mathematics import sphere_metric
    >>> latitude = np.stack([np.full(101, np.pi / 3), np.linspace(0, 2 * np.pi, 101)], axis=1)
    >>> parallel_transport(sphere_metric, latitude, [1.0, 0.0])[-1].round(3) + 0.0  # turned by pi
    array([-1.,  0.])
    """
    path, vector = _path(path), _checks.array("vector", vector, ndim=1)
    if vector.shape != path.shape[1:]:
        raise ValueError(f"vector must have the shape {path.shape[1:]} of a point of path, got {vector.shape}")
    carried = [vector]
    with np.errstate(over="ignore", invalid="ignore"):
        for step in _transports(metric, path):
            carried.append(step @ carried[-1])
    return _checks.result(np.array(carried), "path", "vector")


def holonomy_angle(metric: Metric, loop: ArrayLike) -> float:
    """Return the angle by which a vector carried round a loop turns, in all, against the first coordinate direction.

    The turns are added up step by step, so that the angle is not cut at ``pi``; each must be less than half a turn.

    Parameters
    ----------
    metric : callable
        Of two coordinates; as in `christoffel`.
    loop : (p, 2) array_like
        Points of a closed way, at least 2; the last is the first again, in coordinates with a period perhaps moved by
        it.

    Returns
    -------
    angle : float
        Positive from the first coordinate towards the second. If the coordinates cover the inside of the loop and it
        runs counterclockwise, the angle is the integral of ``K`` over it (Gauss and Bonnet). If the loop runs once
        counterclockwise round a pole of polar coordinates, ``2 pi`` must be added, the turn of the coordinate
        directions.

    Raises
    ------
    TypeError, ValueError
        As in `parallel_transport`, or if the metrics at the first and last point differ.

    References
    ----------
    .. [1] kexue.fm/archives/4014, a vector carried round a loop.

    Examples
    --------
    >>> from kexue_core.mathematics import sphere_metric
    >>> latitude = np.stack([np.full(101, np.pi / 3), np.linspace(0, 2 * np.pi, 101)], axis=1)
    >>> round(holonomy_angle(sphere_metric, latitude) / np.pi, 6)  # the cap has the area pi = 2 pi - pi
    -1.0
    """
    loop = _path(loop, 2)
    g = metric_tensor(metric, loop)
    if np.abs(g[-1] - g[0]).max() > 1e-9 * np.abs(g).max():
        raise ValueError(f"loop must end where it began, got metrics {g[0].tolist()} and {g[-1].tolist()}")
    frame = np.linalg.cholesky(g)  # its transpose takes components to an orthonormal frame along the first direction
    upper = frame.swapaxes(-2, -1)
    with np.errstate(over="ignore", invalid="ignore"):
        turn = upper[1:] @ _transports(metric, loop) @ np.linalg.inv(upper[:-1])
    angles = np.arctan2(turn[:, 1, 0] - turn[:, 0, 1], turn[:, 0, 0] + turn[:, 1, 1])
    return float(_checks.result(angles.sum(), "loop"))


def walk(sides: ArrayLike, turns: ArrayLike, *, curvature: float = 1.0) -> Array:
    """Walk straight, turn, walk straight, turn, ... in a world of constant curvature ``K``, without integrating.

    A place is ``(x0, x1, x2)`` with ``x0^2 + K (x1^2 + x2^2) = 1``: for ``K = 1`` the unit sphere, for ``K < 0`` a
    sheet of a hyperboloid, for ``K = 0`` the plane ``x0 = 1``. There is no error but rounding. For ``K < 0`` a way
    that was as far away as ``d`` comes home with an error of about ``1e-15 e^(sqrt(-K) d)``, as a turn that is wrong
    in its last digit would bring it: 1e-13 for ``sqrt(-K) d = 5``, 1e-11 for 10, 1e-6 for 20; from 36 on nothing is
    right. Ways that lead outwards only keep their digits.

    Parameters
    ----------
    sides : (m,) array_like
        Length of each straight piece.
    turns : (m,) array_like
        Angle by which the walker turns left after it.
    curvature : float
        ``K``, of any sign.

    Returns
    -------
    frames : (m + 1, 3, 3) ndarray
        Before the first piece the unit matrix. The columns are place, heading and the direction to the left, in a
        chart of radius ``r = tan(sqrt(K) d / 2) / sqrt(K)`` at ``frames[:, 1:, 0] / (1 + frames[:, :1, 0])``.

    Raises
    ------
    ValueError
        If the shapes differ or the way is so long that it overflows.

    References
    ----------
    .. [1] kexue.fm/archives/3963, what can be found out from inside.

    Examples
    --------
    >>> walk(3 * [np.pi / 2], 3 * [np.pi / 2])[-1].round(9) + 0.0  # three right turns on the globe lead home
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    sides = _checks.array("sides", sides, ndim=1)
    turns, k = _checks.array("turns", turns, shape=sides.shape), _checks.number("curvature", curvature)
    root = np.sqrt(abs(k))
    with np.errstate(over="ignore", invalid="ignore"):
        if k < 0:
            c, s = np.cosh(root * sides / 2), np.sinh(root * sides / 2) / root
        else:
            c, s = np.cos(root * sides / 2), np.sin(root * sides / 2) / root if root else sides / 2
        # [[a, b], [-K b*, a*]] with |a|^2 + K |b|^2 = 1: entries of the size of the square root of a frame's, so that
        # half as many digits cancel on the way home
        a, b = 1 + 0j, 0j
        pairs = [(a, b)]
        for c_i, s_i, half in zip(c, s, np.exp(0.5j * turns), strict=True):
            a, b = (a * c_i - k * b * s_i) * half, (a * s_i + b * c_i) / half
            pairs.append((a, b))
        return _checks.result(_frames(*np.array(pairs).T, k), "sides", "curvature")


def walk_gap(frames: ArrayLike, *, curvature: float = 1.0) -> tuple[Array, Array]:
    """Return how far a walker is from the start, and the error of the heading, both as the walker can measure them.

    Parameters
    ----------
    frames : (..., 3, 3) array_like
        Of `walk`, in the world of the same curvature.
    curvature : float
        ``K``.

    Returns
    -------
    gap : (...) ndarray or float
        Geodesic distance from the start.
    heading : (...) ndarray or float
        In ``(-pi, pi]``: the arrow is carried home along the shortest way, and its angle to the arrow of the start is
        taken. Positive to the left. If the start is the antipode, there is no shortest way, and the angle is one of
        many. Neither number costs digits: both are as good as the frames.

    Raises
    ------
    ValueError
        If the places do not lie in the world of this curvature, or rounding has taken them out of it (see `walk`).

    References
    ----------
    .. [1] kexue.fm/archives/4014, the vector carried round a loop.

    Examples
    --------
    >>> gap, heading = walk_gap(walk(4 * [0.1], 4 * [np.pi / 2])[-1])  # a square
    >>> (gap / 0.1**3).round(4), (heading / 0.1**2).round(4)  # near K / sqrt(2) and K
    (np.float64(0.7053), np.float64(0.9967))
    """
    frames = _checks.array("frames", frames, core=2, last=3)
    if frames.shape[-2] != 3:
        raise ValueError(f"frames must be 3 by 3 matrices, got shape {frames.shape}")
    k = _checks.number("curvature", curvature)
    root, place = np.sqrt(abs(k)), frames[..., 0]
    with np.errstate(over="ignore", invalid="ignore"):
        away = np.hypot(place[..., 1], place[..., 2])
        norm, size = place[..., 0] ** 2 + k * away**2, 1 + place[..., 0] ** 2
        if not (np.abs(norm - 1) < 1e-8 * size).all():
            raise ValueError(f"frames must lie in a world of curvature {k}, got the norm {norm.flat[0]}")
        if k < 0:
            gap = np.arcsinh(root * away) / root
        else:
            gap = np.arctan2(root * away, place[..., 0]) / root if root else away
        # F = R(phi) B R(psi), B = [[c, -k s, 0], [s, c, 0], [0, 0, 1]]; the arrow comes home turned by phi + psi, which
        # is the angle of (1 + c) e^(i (phi + psi)) and of k s^2 e^(i (phi + psi)) where they do not vanish
        near = frames[..., 1, 1] + frames[..., 2, 2] + 1j * (frames[..., 2, 1] - frames[..., 1, 2])
        far = (place[..., 1] + 1j * place[..., 2]) * (-frames[..., 0, 1] + 1j * frames[..., 0, 2])
        heading = np.angle(np.where(place[..., 0] > 0, near, far))
    return _checks.result(gap, "frames", "curvature"), _checks.result(heading, "frames", "curvature")


def _frames(a, b, k):
    """Return the frames of the matrices ``[[a, b], [-k b*, a*]]``."""
    place, top = 2 * a * b, -k * (2 * a.conj() * b)
    even, odd = a**2, np.sign(k) * (np.sqrt(abs(k)) * b) ** 2
    heading, left = even - odd, 1j * (even + odd)
    rows = [
        [np.abs(even) - np.sign(k) * np.abs(odd), top.real, top.imag],
        [place.real, heading.real, left.real],
        [place.imag, heading.imag, left.imag],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _path(path, last=None):
    name = "path" if last is None else "loop"
    path = _checks.array(name, path, ndim=2, core=1, last=last)
    if len(path) < 2:
        raise ValueError(f"{name} must hold at least 2 points, got {len(path)}")
    return path


def _transports(metric, path):
    """Return the matrix that carries a vector over each piece of the path: one Runge-Kutta step of A' = -Gamma x' A."""
    step = np.diff(path, axis=0)
    at, middle = christoffel(metric, path), christoffel(metric, path[:-1] + step / 2)
    start, half, end = (-np.einsum("pmab,pb->pma", part, step) for part in (at[:-1], middle, at[1:]))
    one = np.eye(path.shape[1])
    a = start
    b = half @ (one + a / 2)
    c = half @ (one + b / 2)
    return one + (a + 2 * b + 2 * c + end @ (one + c)) / 6

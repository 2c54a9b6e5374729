"""Curvature from the inside: the connection and the curvature of a metric by numerical differentiation.

A metric is a function: ``metric(x)`` of coordinates ``(..., n)`` returns the coefficients ``(..., n, n)`` of ``ds^2 = g
dx dx``. First derivatives come from a complex step if the function takes complex coordinates, without any loss of
digits; from differences of fourth order otherwise. Second derivatives are such differences of the first. A few worlds
with known curvature stand at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.mathematics._common import Array, Metric, connection, differences, metric_tensor

__all__ = [
    "christoffel",
    "riemann_tensor",
    "gaussian_curvature",
    "scalar_curvature",
    "angle_deficit",
    "sphere_metric",
    "torus_metric",
    "half_plane_metric",
    "stereographic_metric",
]


def christoffel(metric: Metric, x: ArrayLike, *, indefinite: bool = False) -> Array:
    """Return the Christoffel symbols ``Gamma^mu_ab = g^mu,nu (d_b g_a,nu + d_a g_nu,b - d_nu g_ab) / 2``.

    Parameters
    ----------
    metric : callable
        ``metric(x)`` of ``(..., n)`` coordinates is ``(..., n, n)``. It is called with complex ``x``; if it refuses
        them (`TypeError`) or answers with real numbers, with real ``x`` within 0.002 of the point. Where it takes
        them it must be analytic: ``abs`` or ``conj`` in it make the derivatives wrong.
    x : (..., n) array_like
        Coordinates of the points.
    indefinite : bool
        Whether ``g`` may have negative eigenvalues, as that of a space-time.

    Returns
    -------
    gamma : (..., n, n, n) ndarray
        Indices ``mu, a, b``; symmetric in the last two. Exact to rounding by complex steps, to about 1e-12 otherwise.

    Raises
    ------
    TypeError
        If ``metric`` is not callable.
    ValueError
        If ``metric(x)`` has another shape, is not finite, symmetric, regular or (unless ``indefinite``) positive: the
        pole of spherical coordinates is refused.

    References
    ----------
    .. [1] kexue.fm/archives/3977, the equation of geodesics.

    Examples
    --------
    >>> christoffel(sphere_metric, [np.pi / 4, 0.0]).round(3) + 0.0  # -sin cos, and cot twice
    array([[[ 0. ,  0. ],
            [ 0. , -0.5]],
    <BLANKLINE>
           [[ 0. ,  1. ],
            [ 1. ,  0. ]]])
    """
    x = _checks.array("x", x, core=1)
    return _checks.result(connection(metric, x, metric_tensor(metric, x, indefinite)), "x")


def riemann_tensor(metric: Metric, x: ArrayLike, *, indefinite: bool = False) -> Array:
    """Return Riemann's curvature tensor of a metric.

    ``R^m_abc = d_b Gamma^m_ac - d_c Gamma^m_ab + Gamma^m_nb Gamma^n_ac - Gamma^m_nc Gamma^n_ab``.

    Parameters
    ----------
    metric, x, indefinite
        As in `christoffel`. The derivatives of ``Gamma`` are differences over points within 0.002 of ``x`` in each
        coordinate, where the metric must be regular and smooth.

    Returns
    -------
    curvature : (..., n, n, n, n) ndarray
        Indices ``m, a, b, c``: ``-R^m_abc A^a dx^b dy^c`` is the change of a vector ``A`` carried round a small
        parallelogram, first along ``dx``. The error is about 3e-14 times the fifth derivative of ``Gamma``, plus the
        rounding: 1e-13 by complex steps, 1e-9 otherwise, for coordinates up to 1 in size. It grows in proportion
        to larger ones, for the steps stay 0.001: choose an origin near by and units in which ``Gamma`` varies over
        lengths near 1.

    Raises
    ------
    TypeError, ValueError
        As in `christoffel`.

    References
    ----------
    .. [1] kexue.fm/archives/4014, the three ways to curvature.

    Examples
    --------
    >>> riemann_tensor(sphere_metric, [np.pi / 6, 0.0])[0, 1, 0, 1].round(6)  # sin(pi / 6)^2
    np.float64(0.25)
    """
    x = _checks.array("x", x, core=1)
    return _checks.result(_riemann(metric, x, indefinite)[1], "x")


def gaussian_curvature(metric: Metric, x: ArrayLike) -> Array:
    """Return Gauss' curvature ``K = R_0101 / det g`` of a surface.

    Parameters
    ----------
    metric : callable
        Of two coordinates; as in `christoffel`.
    x : (..., 2) array_like
        Coordinates of the points.

    Returns
    -------
    curvature : (...) ndarray or float
        The same in all coordinates: 1 on the unit sphere. With the error of `riemann_tensor`.

    Raises
    ------
    TypeError, ValueError
        As in `christoffel`, or if there are not two coordinates.

    References
    ----------
    .. [1] kexue.fm/archives/4026, the sphere and the conformal plane.

    Examples
    --------
    >>> gaussian_curvature(half_plane_metric, [[0.3, 1.0], [-2.0, 0.5]]).round(6)
    array([-1., -1.])
    """
    x = _checks.array("x", x, core=1, last=2)
    g, riemann = _riemann(metric, x, False)
    lowered = np.einsum("...m,...m->...", g[..., 0, :], riemann[..., :, 1, 0, 1])
    return _checks.result(lowered / np.linalg.det(g), "x")


def scalar_curvature(metric: Metric, x: ArrayLike, *, indefinite: bool = False) -> Array:
    """Return the scalar curvature ``g^ac R^m_amc``, for a surface ``2 K``.

    Parameters
    ----------
    metric, x, indefinite
        As in `riemann_tensor`.

    Returns
    -------
    curvature : (...) ndarray or float
        The same in all coordinates: ``n (n - 1)`` on the unit sphere of ``n`` dimensions.

    Raises
    ------
    TypeError, ValueError
        As in `christoffel`.

    References
    ----------
    .. [1] kexue.fm/archives/4014; its contraction.

    Examples
    --------
    >>> scalar_curvature(sphere_metric, [1.0, 0.0]).round(6)
    np.float64(2.0)
    """
    x = _checks.array("x", x, core=1)
    g, riemann = _riemann(metric, x, indefinite)
    ricci = np.einsum("...mamc->...ac", riemann)
    return _checks.result(np.einsum("...ac,...ac->...", np.linalg.inv(g), ricci), "x")


def angle_deficit(vertices: ArrayLike, faces: ArrayLike) -> Array:
    """Return ``2 pi`` minus the sum of the angles of the triangles at each vertex of a mesh: its curvature there.

    Parameters
    ----------
    vertices : (v, 3) array_like
        Corners in space.
    faces : (f, 3) array_like of int
        Numbers of the corners of each triangle.

    Returns
    -------
    deficit : (v,) ndarray
        On a closed mesh, each edge of which has two triangles, the sum is ``2 pi (v - e + f)``, exactly.

    Raises
    ------
    ValueError
        If a number is no vertex, or two corners of a triangle have the same place.

    References
    ----------
    .. [1] kexue.fm/archives/4014 for the curvature of smooth surfaces, of which this is the discrete form.

    Examples
    --------
    >>> corners = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    >>> (angle_deficit(corners, [[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]) / np.pi).round(9)
    array([1., 1., 1., 1.])
    """
    vertices = _checks.array("vertices", vertices, ndim=2, core=1, last=3)
    faces = _checks.array("faces", faces, kind="integer", ndim=2, core=1, last=3, low=0, high=len(vertices) - 1)
    corners = vertices[faces]
    onward, back = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    if (same := ~onward.any(axis=-1)).any():
        raise ValueError(f"vertices must differ within a triangle, got two at {corners[same][0]}")
    with np.errstate(over="ignore", invalid="ignore"):
        onward, back = (side / np.abs(side).max(axis=-1, keepdims=True) for side in (onward, back))
        across = np.linalg.norm(np.cross(onward, back), axis=-1)
        angles = np.arctan2(across, (onward * back).sum(axis=-1))
    deficit = np.full(len(vertices), 2 * np.pi)
    np.subtract.at(deficit, faces, angles)
    return _checks.result(deficit, "vertices")


def sphere_metric(x: ArrayLike, radius: float = 1.0) -> NDArray[Any]:
    """Return the metric ``radius^2 (dtheta^2 + sin(theta)^2 dphi^2)`` of a sphere, ``K = 1 / radius^2``.

    Parameters
    ----------
    x : (..., 2) array_like
        Angle from the pole and longitude; complex numbers serve derivatives.
    radius : float
        Positive.

    Returns
    -------
    g : (..., 2, 2) ndarray
        Singular at the poles, where the coordinates fail, not the sphere.

    Raises
    ------
    ValueError
        If the result overflows or the radius is not positive.

    References
    ----------
    .. [1] kexue.fm/archives/3969, the metric of the unit sphere.

    Examples
    --------
    >>> sphere_metric([np.pi / 2, 0.0])
    array([[1., 0.],
           [0., 1.]])
    """
    x, radius = _plane("x", x), _checks.number("radius", radius, low=0, open="low")
    with np.errstate(over="ignore", invalid="ignore"):
        return _diagonal(radius * radius + 0 * x[..., 0], (radius * np.sin(x[..., 0])) ** 2, "radius")


def torus_metric(x: ArrayLike, outer: float = 2.0, inner: float = 1.0) -> NDArray[Any]:
    """Return the metric ``inner^2 dtheta^2 + (outer + inner cos(theta))^2 dphi^2`` of a ring.

    Parameters
    ----------
    x : (..., 2) array_like
        Angle round the tube, 0 at the outside, and angle round the axis.
    outer, inner : float
        Radius of the tube's centre line, and of the tube, ``outer > inner > 0``.

    Returns
    -------
    g : (..., 2, 2) ndarray
        ``K = cos(theta) / (inner (outer + inner cos(theta)))``, of both signs.

    Raises
    ------
    ValueError
        If the radii are out of order or the result overflows.

    References
    ----------
    .. [1] kexue.fm/archives/3969, metrics by substitution of the embedding.

    Examples
    --------
    >>> torus_metric([0.0, 0.0])
    array([[1., 0.],
           [0., 9.]])
    """
    x, inner = _plane("x", x), _checks.number("inner", inner, low=0, open="low")
    outer = _checks.number("outer", outer, low=inner, open="low")
    with np.errstate(over="ignore", invalid="ignore"):
        return _diagonal(inner * inner + 0 * x[..., 0], (outer + inner * np.cos(x[..., 0])) ** 2, "outer", "inner")


def half_plane_metric(x: ArrayLike) -> NDArray[Any]:
    """Return the metric ``(dx^2 + dy^2) / y^2`` of the half-plane ``y > 0``, ``K = -1``.

    Parameters
    ----------
    x : (..., 2) array_like
        Coordinates ``x, y``.

    Returns
    -------
    g : (..., 2, 2) ndarray
        Conformal: angles are those of the plane.

    Raises
    ------
    ValueError
        If ``y <= 0`` or the result overflows.

    References
    ----------
    .. [1] kexue.fm/archives/3969, isothermal coordinates.

    Examples
    --------
    >>> half_plane_metric([7.0, 0.5])
    array([[4., 0.],
           [0., 4.]])
    """
    x = _plane("x", x)
    if (x[..., 1].real <= 0).any():
        raise ValueError(f"x must have a positive second coordinate, got {x[..., 1].real.min()}")
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        f = 1 / x[..., 1] ** 2
    return _diagonal(f, f)


def stereographic_metric(x: ArrayLike, curvature: float = 1.0) -> NDArray[Any]:
    """Return the metric ``4 (dx^2 + dy^2) / (1 + K r^2)^2`` of constant curvature ``K``.

    The sphere in stereographic projection, the plane, or Poincaré's disc, by the sign of ``K``.

    Parameters
    ----------
    x : (..., 2) array_like
        Coordinates, with ``1 + K r^2 > 0``.
    curvature : float
        ``K``, of any sign.

    Returns
    -------
    g : (..., 2, 2) ndarray
        At 0 four times the unit matrix. A point at the distance ``d`` from 0 has ``r = tan(sqrt(K) d / 2) / sqrt(K)``.

    Raises
    ------
    ValueError
        If ``1 + K r^2 <= 0`` or the result overflows.

    References
    ----------
    .. [1] kexue.fm/archives/4026, ``f (dx^2 + dy^2)``.

    Examples
    --------
    >>> stereographic_metric([1.0, 0.0])  # the equator
    array([[1., 0.],
           [0., 1.]])
    """
    x, curvature = _plane("x", x), _checks.number("curvature", curvature)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        inside = 1 + curvature * (x**2).sum(axis=-1)
        if (inside.real <= 0).any():
            raise ValueError(f"x must lie inside the disc 1 + K r^2 > 0, got {inside.real.min()}")
        f = 4 / inside**2
    return _diagonal(f, f)


def _plane(name, x):
    return _checks.array(name, x, kind="complex", core=1, last=2)


def _diagonal(first, second, *names):
    g = np.zeros((*first.shape, 2, 2), dtype=first.dtype)
    g[..., 0, 0], g[..., 1, 1] = first, second
    return _checks.result(g, "x", *names)


def _riemann(metric, x, indefinite):
    g = metric_tensor(metric, x, indefinite)
    gamma = connection(metric, x, g)
    slope = differences(lambda at: connection(metric, at, metric_tensor(metric, at, indefinite)), x, -1)
    turn = np.einsum("...macb->...mabc", slope) + np.einsum("...mnb,...nac->...mabc", gamma, gamma)
    return g, turn - np.einsum("...mabc->...macb", turn)

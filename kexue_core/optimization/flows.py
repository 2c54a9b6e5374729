"""Gradient flows in Euclidean space, and what the steepest direction is when lengths are measured by another ruler."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["gradient_flow", "steepest_direction", "natural_gradient"]

Array = NDArray[np.float64]


def gradient_flow(grad: Callable[[Array], ArrayLike], x0: ArrayLike, times: ArrayLike, *, steps: int = 20) -> Array:
    """Solve ``dx/dt = -grad(x)`` by the Runge-Kutta method of fourth order.

    Parameters
    ----------
    grad : callable
        Maps ``(..., d)`` to gradients of that shape.
    x0 : (..., d) array_like
        Start at time 0; leading axes hold flows that do not touch each other.
    times : (T,) array_like
        Not negative and not decreasing.
    steps : int
        Equal steps between neighbouring times; the error falls with the fourth power.

    Returns
    -------
    x : (T, ..., d) ndarray
        The point at each time. Along the exact flow ``f`` falls at the rate ``|grad f|^2``.

    Raises
    ------
    TypeError
        If ``grad`` is not callable.
    ValueError
        If a time is negative or less than the one before, ``grad`` returns another shape, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9660, result 1.

    Examples
    --------
    >>> gradient_flow(lambda x: x, [2.0], [0, np.log(2)]).ravel().round(6).tolist()
    [2.0, 1.0]
    """
    grad, x = _checks.function("grad", grad), _checks.array("x0", x0, core=1)
    times = _checks.array("times", times, ndim=1, core=1, low=0)
    if (np.diff(times) < 0).any():
        raise ValueError(f"times must not decrease, got {times.tolist()!s:.60}")
    steps = _checks.integer("steps", steps, low=1)

    def slope(at):
        at = _checks.result(at, "x0", "times")
        return -_checks.array("grad(x)", grad(at.copy()), shape=x.shape)

    path = np.empty((len(times), *x.shape))
    for i, h in enumerate(np.diff(times, prepend=0) / steps):
        for _ in range(steps if h > 0 else 0):
            with np.errstate(over="ignore", invalid="ignore"):
                a = slope(x)
                b = slope(x + h / 2 * a)
                c = slope(x + h / 2 * b)
                x = _checks.result(x + h / 6 * (a + 2 * b + 2 * c + slope(x + h * c)), "x0", "times")
        path[i] = x
    return path


def steepest_direction(g: ArrayLike, p: float) -> Array:
    """Return the vector of p-norm 1 with the largest inner product with ``g``.

    ``x - eps * steepest_direction(grad, p)`` is, to first order, the lowest point at the p-distance ``eps`` from ``x``.
    For matrices and norms of their singular values see `schatten_direction`.

    Parameters
    ----------
    g : (..., n) array_like
    p : float
        From 1 (the largest coordinate only) over 2 (``g`` divided by its length) to infinity (the signs).

    Returns
    -------
    (..., n) ndarray
        The inner product with ``g`` is its norm of order q, ``1/p + 1/q = 1``; zeros for zeros. Not unique for p = 1
        if several coordinates are largest (they get equal shares), nor for infinity if ``g`` has zeros (they stay 0).

    Raises
    ------
    ValueError
        If ``g`` is empty or not finite, or ``p < 1``.

    References
    ----------
    .. [1] kexue.fm/archives/9660, result 2, for p = 2; for the others Hoelder's inequality.

    Examples
    --------
    >>> [steepest_direction([4.0, -3.0], p).round(3).tolist() for p in (1, 2, np.inf)]
    [[1.0, 0.0], [0.8, -0.6], [1.0, -1.0]]
    """
    g = _checks.array("g", g, core=1)
    p = _checks.number("p", p, low=1, finite=False)
    peak = np.abs(g).max(axis=-1, keepdims=True)
    size = np.abs(g) / np.where(peak > 0, peak, 1)
    if p == 1:
        share = (size == 1) / np.maximum((size == 1).sum(axis=-1, keepdims=True), 1)
    else:
        power = 1 / (p - 1)  # q - 1
        raised = np.where(size > 0, size, 1) ** power * (size > 0)
        total = (raised * size).sum(axis=-1, keepdims=True)  # the q-th power of the norm of order q
        share = raised / np.where(total > 0, total, 1) ** (1 / p if np.isfinite(p) else 0)
    return np.sign(g) * share + 0.0


def natural_gradient(grad: ArrayLike, fisher: ArrayLike) -> Array:
    """Return ``F^-1 grad``, the gradient where the length of ``d`` is measured by ``d F d``.

    Parameters
    ----------
    grad : (..., d) array_like
    fisher : (..., d, d) array_like
        Symmetric and positive; the Fisher information of a model, or any other metric. Leading axes broadcast.

    Returns
    -------
    (..., d) ndarray
        Under a linear change of the parameters it moves as a step of the parameters does.

    Raises
    ------
    ValueError
        If ``fisher`` is not symmetric and, within rounding, positive, the shapes do not fit, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9660, result 4.

    Examples
    --------
    >>> natural_gradient([1.0, 1.0], [[4.0, 0.0], [0.0, 0.5]]).tolist()
    [0.25, 2.0]
    """
    grad, fisher = _checks.array("grad", grad, core=1), _checks.array("fisher", fisher, core=2)
    d = grad.shape[-1]
    if fisher.shape[-2:] != (d, d):
        raise ValueError(f"fisher must have two last axes of length {d}, as grad has, got shape {fisher.shape}")
    batch = _checks.broadcast(("grad", grad, 1), ("fisher", fisher, 2))
    size = np.abs(fisher).max(axis=(-2, -1), keepdims=True)
    scaled = fisher / np.where(size > 0, size, 1)
    if (gap := np.abs(scaled - scaled.swapaxes(-2, -1))).size and gap.max() > 1e-9:
        raise ValueError(f"fisher must be symmetric, got relative differences up to {gap.max():.3g}")
    try:
        np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        raise ValueError(f"fisher must be positive, got {np.linalg.eigvalsh(scaled).min():.3g} of its size") from None
    column = np.broadcast_to(grad, (*batch, d))[..., None]
    with np.errstate(over="ignore", invalid="ignore"):
        return _checks.result(np.linalg.solve(scaled, column)[..., 0] / size[..., 0], "grad", "fisher")

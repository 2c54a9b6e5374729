"""Solvers of the diffusion ODE ``dx/dt = (x - D(x, t)) / t``, from noise at ``times[0]`` down to ``times[-1]``.

One driver, `solve_diffusion_ode`, and one table, `METHODS`, so that a page can loop over all methods at an equal number
of function evaluations (NFE: calls of ``denoise``, by far the largest cost when it is a network). Times decrease here,
``t -> u < t`` in each step; the article counts them upwards, ``t = t_{n+1}``, ``u = t_n``.

All samplers of this shelf, `ancestral` included, are called alike: ``x = sampler(denoise, x, times, ..., *, rng=None,
callback=None)``. They return the sample; ``callback(t, x)`` sees a copy of every state, and `trajectory` collects them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Array, Callback, Denoiser, decreasing_times, denoised, report

__all__ = ["METHODS", "Method", "steps_at_nfe", "solve_diffusion_ode", "solve_reference", "trajectory"]


def _euler(v, x, t, u, d, r):
    return d


def _heun(v, x, t, u, d, r):
    mean = v(_ahead(x, u - t, d), u)
    mean += d
    mean /= 2
    return mean


def _midpoint_arithmetic(v, x, t, u, d, r):
    return _at_time(t / 2 + u / 2, v, x, t, d)


def _midpoint_geometric(v, x, t, u, d, r):
    return _at_time(np.sqrt(t) * np.sqrt(u), v, x, t, d)


def _amed(v, x, t, u, d, r):
    return _at_time(u**r * t ** (1 - r), v, x, t, d)


def _at_time(s, v, x, t, d):
    return v(_ahead(x, s - t, d), s)


def _ahead(x, h, d):
    """Return ``x + h d`` in one new array."""
    y = h * d
    y += x
    return y


class Method(NamedTuple):
    """A mean direction ``(v, x, t, u, d, r) -> (x_u - x) / (u - t)``, ``d = v(x, t)``; its calls per step and order."""

    direction: Callable[..., Array]
    calls: int
    order: int


METHODS = {
    "euler": Method(_euler, calls=1, order=1),
    "heun": Method(_heun, calls=2, order=2),
    "midpoint_arithmetic": Method(_midpoint_arithmetic, calls=2, order=2),
    "midpoint_geometric": Method(_midpoint_geometric, calls=2, order=2),
    "amed": Method(_amed, calls=2, order=1),
}


def steps_at_nfe(method: str, nfe: int, *, analytic_first: bool = False) -> int:
    """Return how many steps ``method`` takes with ``nfe`` calls of the denoiser: ``(nfe + analytic_first) / calls``.

    Parameters
    ----------
    method : str
        A key of `METHODS`.
    nfe : int
        Number of function evaluations, at least 1.
    analytic_first : bool
        Whether the first direction is the analytic one, which saves one call.

    Returns
    -------
    steps : int
        The solver then needs ``steps + 1`` positive times and calls the denoiser exactly ``nfe`` times.

    Raises
    ------
    ValueError
        If the method is unknown or the calls do not fill whole steps.

    References
    ----------
    .. [1] kexue.fm/archives/9881; Zhou et al., arXiv:2312.00094.

    Examples
    --------
    >>> [steps_at_nfe(method, 5, analytic_first=True) for method in ("euler", "heun")]
    [6, 3]
    """
    calls = METHODS[_checks.choice("method", method, METHODS)].calls
    nfe = _checks.integer("nfe", nfe, low=1)
    if (nfe + bool(analytic_first)) % calls:
        parity = "odd" if analytic_first else "even"
        raise ValueError(f"nfe must be {parity} for {method!r} with analytic_first={bool(analytic_first)}, got {nfe}")
    return (nfe + bool(analytic_first)) // calls


def solve_diffusion_ode(
    denoise: Denoiser,
    x: ArrayLike,
    times: ArrayLike,
    *,
    method: str = "euler",
    r: ArrayLike | None = None,
    scale: ArrayLike | None = None,
    analytic_first: bool = False,
    rng: np.random.Generator | None = None,
    callback: Callback | None = None,
) -> NDArray[np.float64]:
    """Solve ``dx/dt = v(x, t) = (x - D(x, t)) / t`` from ``x`` at ``times[0]`` to ``times[-1]``, a step per interval.

    With ``d = v(x, t)`` and the Euler predictor ``x_s = x + (s - t) d``, a step from ``t`` to ``u`` adds ``u - t``
    times

    - ``"euler"``: ``d``; this is DDIM.
    - ``"heun"``: ``(d + v(x_u, u)) / 2``; the solver of EDM.
    - ``"midpoint_arithmetic"``: ``v(x_s, s)`` with ``s = (t + u) / 2``. Third order if the data are Gaussian.
    - ``"midpoint_geometric"``: ``v(x_s, s)`` with ``s = sqrt(t u)``; this is DPM-Solver-2.
    - ``"amed"``: ``scale v(x_s, s)`` with ``s = u^r t^(1 - r)``, one ``r`` for each step (``r = 0``: ``s = t``).

    A step to 0, where no velocity is, is an Euler step in every method and lands on ``D(x, t)``: one call.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns ``D``, of the shape of ``x``, of which it gets a copy. It is called
        ``METHODS[method].calls`` times in each step.
    x : (..., D) array_like
        Start, usually ``times[0]`` times standard normal noise.
    times : (N,) array_like
        Positive but for the last, which may be 0; strictly decreasing, at least 2.
    method : str
        A key of `METHODS`.
    r : float or (N - 1,) array_like, optional
        Exponents in ``[0, 1]``; needed by ``"amed"``, refused by the others.
    scale : float or (N - 1,) array_like, optional
        Positive factors on the mean direction of ``"amed"``, 1 by default; refused by the others.
    analytic_first : bool
        Take ``x / sqrt(1 + t^2)`` as ``d`` of the first step, which saves one call. It is the velocity of data of
        standard deviation ``c``, mean 0, up to a relative error of about ``|c^2 - 1/2| / t^2``. (The article writes
        ``x_T`` for it: the same where the state is scaled to unit variance.)
    rng : numpy.random.Generator, optional
        Not used, as nothing is drawn: it is there for those who loop over samplers.
    callback : callable, optional
        ``callback(t, x)`` sees a copy of the state at each of ``times``.

    Returns
    -------
    x : (..., D) ndarray
        The sample. `trajectory` returns the whole path.

    Raises
    ------
    ValueError
        If times are too few, unsorted or not positive, the method is unknown, ``r`` or ``scale`` does not fit it, or a
        value becomes infinite or NaN.

    References
    ----------
    .. [1] kexue.fm/archives/9881; Zhou et al., arXiv:2312.00094; Karras et al., arXiv:2206.00364,
       Algorithm 1; Lu et al., arXiv:2206.00927, Algorithm 1; Dockhorn et al., arXiv:2210.05475 (analytic first step).

    Examples
    --------
    >>> from kexue_core.diffusion.denoisers import denoise_gaussian
    >>> from kexue_core.diffusion.schedules import edm_time_steps
    >>> times = edm_time_steps(33, t_max=8.0)
    >>> solve_diffusion_ode(denoise_gaussian, [8.0], times, method="midpoint_arithmetic").round(3)  # 8 / sqrt(65)
    array([0.992])
    """
    x, times = _checks.array("x", x, core=1), decreasing_times(times, zero=True)
    direction = METHODS[_checks.choice("method", method, METHODS)].direction
    r, scale = _step_options(method, r, scale, len(times) - 1)
    v = _velocity(denoise)
    for i, (t, u) in enumerate(pairwise(times)):
        report(callback, t, x)
        d = x / np.hypot(1, t) if analytic_first and i == 0 else v(x, t)
        with np.errstate(over="ignore", invalid="ignore"):
            step = d if u == 0 else direction(v, x, t, u, d, r[i])  # ours alone: it becomes the next state
            step *= u - t if u == 0 else (u - t) * scale[i]
            step += x
            x = step
    x = _checks.result(x, "denoise")
    report(callback, times[-1], x)
    return x


def solve_reference(
    denoise: Denoiser,
    x: ArrayLike,
    times: ArrayLike,
    *,
    substeps: int = 400,
    rng: np.random.Generator | None = None,
    callback: Callback | None = None,
) -> NDArray[np.float64]:
    """Solve the same equation accurately, by the classical Runge-Kutta method on ``dx / d(log t) = x - D(x, t)``.

    Fourth order in ``1 / substeps``. From 80 to 0.002 on 32 disk images the largest error is about 1e-6 with 100
    substeps, 1e-7 with 200, 1e-8 with 400; it is larger for starting points on a watershed between two data points.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns ``D``, of the shape of ``x``, of which it gets a copy.
    x : (..., D) array_like
        Start at ``times[0]``.
    times : (N,) array_like
        Positive, strictly decreasing, at least 2.
    substeps : int
        Steps over the whole range, shared out in proportion to ``log(t / u)`` and rounded up between neighbouring
        times.
    rng, callback
        As in `solve_diffusion_ode`.

    Returns
    -------
    x : (..., D) ndarray
        The solution at ``times[-1]``.

    Raises
    ------
    ValueError
        If times are too few, unsorted or not positive, or their ratio overflows, ``substeps < 1``, or a value is not
        finite.

    References
    ----------
    .. [1] kexue.fm/archives/9881; in place of the teacher of Zhou et al., arXiv:2312.00094.

    Examples
    --------
    >>> from kexue_core.diffusion.denoisers import denoise_gaussian
    >>> solve_reference(denoise_gaussian, [np.sqrt(65.0)], [8.0, 1.0]).round(3)
    array([1.414])
    """
    x, times = _checks.array("x", x, core=1), decreasing_times(times)
    if times[0] / times[-1] == np.inf:
        raise ValueError(f"times must have a finite ratio of the first and the last, got {times[0]} and {times[-1]}")
    substeps = _checks.integer("substeps", substeps, low=1)

    def slope(x, t):
        return x - denoised(denoise, x, t, x.shape)

    with np.errstate(over="ignore", invalid="ignore"):
        for t, u in pairwise(times):
            report(callback, t, x)
            n = int(np.ceil(substeps * np.log(t / u) / np.log(times[0] / times[-1])))
            h, nodes = np.log(u / t) / n, np.geomspace(t, u, 2 * n + 1).tolist()
            for a, middle, b in zip(nodes[:-1:2], nodes[1::2], nodes[2::2]):
                k1 = slope(x, a)
                k2 = slope(x + h / 2 * k1, middle)
                k3 = slope(x + h / 2 * k2, middle)
                k4 = slope(x + h * k3, b)
                x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    x = _checks.result(x, "denoise")
    report(callback, times[-1], x)
    return x


def trajectory(
    sampler: Callable[..., ArrayLike], denoise: Denoiser, x: ArrayLike, times: Any, **options: Any
) -> NDArray[np.float64]:
    """Return all states that a sampler passes through, collected by its callback.

    Parameters
    ----------
    sampler : callable
        One of this shelf: ``sampler(denoise, x, times, callback=..., **options)``.
    denoise, x, times
        As the sampler takes them.
    **options
        Of the sampler.

    Returns
    -------
    trajectory : (N, ..., D) ndarray
        ``trajectory[0]`` is ``x``, ``trajectory[-1]`` the sample.

    Raises
    ------
    ValueError, TypeError
        As the sampler does.

    References
    ----------
    .. [1] kexue.fm/archives/9881, which looks at whole trajectories.

    Examples
    --------
    >>> from kexue_core.diffusion.denoisers import denoise_gaussian
    >>> trajectory(solve_reference, denoise_gaussian, [np.sqrt(65.0)], [8.0, 1.0, 0.1]).round(3).ravel()
    array([8.062, 1.414, 1.005])
    """
    states: list[Array] = []
    _checks.function("sampler", sampler)(denoise, x, times, callback=lambda t, state: states.append(state), **options)
    return np.stack(states)


def _velocity(denoise):
    def v(x, t):
        d = x - denoised(denoise, x, t, x.shape)
        with np.errstate(over="ignore"):
            return np.divide(d, t, out=d)

    return v


def _step_options(method, r, scale, n_steps):
    if method != "amed":
        for name, value in (("r", r), ("scale", scale)):
            if value is not None:
                raise ValueError(f"{name} must be None unless method is 'amed', got {value!r} for {method!r}")
        return [None] * n_steps, [1.0] * n_steps
    if r is None:
        raise ValueError("r must be given for method 'amed', got None")
    scale = 1.0 if scale is None else scale
    return _per_step("r", r, n_steps, low=0, high=1), _per_step("scale", scale, n_steps, low=0, open="low")


def _per_step(name, value, n_steps, **bounds):
    value = _checks.array(name, value, **bounds)
    if value.shape not in ((), (n_steps,)):
        raise ValueError(f"{name} must be a number or one for each of {n_steps} steps, got shape {value.shape}")
    return np.broadcast_to(value, (n_steps,))

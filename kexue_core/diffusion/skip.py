"""Skip-Tuning: a trained denoiser is left alone, but what it passes straight through is scaled.

A U-Net adds to each level of its decoder what the same level of its encoder has seen. Skip-Tuning multiplies these
skips by numbers near 1 (`skip_weights`). Here that can be tried where all is known: on denoisers with a formula, split
into their best linear part and the rest (`tune_skip`), on Gaussian data, where a sampler is a product of scalars
(`skip_gain`, `best_skip`), and on small random U-Nets (`skip_net`).

Tuned denoisers are denoisers: bind them with ``functools.partial`` and hand them to any sampler of this shelf, or try
many factors at once by `sample_tuned`.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Callback, Denoiser, decreasing_times, denoised, report
from kexue_core.diffusion.denoisers import denoise_gaussian
from kexue_core.diffusion.samplers import METHODS, solve_diffusion_ode

__all__ = ["skip_weights", "tune_skip", "sample_tuned", "skip_gain", "best_skip"]

_GAINS = ("euler", "heun", "ancestral")


def skip_weights(k: int, rho_bottom: float, rho_top: float = 1.0) -> NDArray[np.float64]:
    """Return the factors of ``k + 1`` skips, ``rho_i = rho_bottom + (rho_top - rho_bottom) i / k``.

    Parameters
    ----------
    k : int
        Number of the outermost skip, not negative. With ``k = 0`` the one skip gets ``rho_bottom``.
    rho_bottom, rho_top : float
        Factor of the deepest skip, ``i = 0``, and of the one nearest to the input, ``i = k``; not negative.

    Returns
    -------
    rho : (k + 1,) ndarray
        Deepest first, between ``rho_bottom`` and ``rho_top``, both exact.

    Raises
    ------
    ValueError
        If ``k < 0``, or a factor is negative or not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10077; Ma et al., arXiv:2402.15170.

    Examples
    --------
    >>> skip_weights(4, 0.8)
    array([0.8 , 0.85, 0.9 , 0.95, 1.  ])
    """
    k = _checks.integer("k", k, low=0)
    bottom = _checks.number("rho_bottom", rho_bottom, low=0)
    return np.linspace(bottom, _checks.number("rho_top", rho_top, low=0), k + 1)


def tune_skip(
    x: ArrayLike,
    t: ArrayLike,
    *,
    denoise: Denoiser,
    std: ArrayLike,
    mean: ArrayLike = 0.0,
    rho: ArrayLike = 1.0,
    backbone: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """Return a denoiser whose linear part is scaled, ``D_rho = mean + rho (L - mean) + backbone (D - L)``.

    ``L(x, t) = mean + std^2 / (std^2 + t^2) (x - mean)`` is the best linear denoiser of data with this mean and
    standard deviation, ``std^2 / (std^2 + t^2)`` the ``c_skip`` of EDM, whose network learns what is left, ``D - L``.
    This skip leads around the whole network; those of a U-Net lead from its encoder to its decoder.

    Parameters
    ----------
    x : (..., D) array_like
        Noisy points.
    t : (...) array_like
        Positive noise level: a number, or one for each point.
    denoise : callable
        ``denoise(x, t)`` returns ``D``, of the shape of ``x``.
    std, mean : float or (D,) array_like
        Of the data, per coordinate; ``std`` not negative.
    rho : (...) array_like
        Factor of the skip, not negative: a number, or one for each point.
    backbone : (...) array_like
        Factor of the rest, not negative, as in FreeU.

    Returns
    -------
    denoised : (..., D) ndarray
        ``D`` for ``rho = backbone = 1``, up to rounding.

    Raises
    ------
    ValueError
        If ``t <= 0``, a factor or ``std`` is negative, a value is not finite or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10077; Karras et al., arXiv:2206.00364, eq. (7); Si et al., arXiv:2309.11497.

    Examples
    --------
    >>> tune_skip([[3.0, 3.0]], 1.0, denoise=denoise_gaussian, std=1.0, rho=[0.9])
    array([[1.35, 1.35]])
    """
    x = _checks.array("x", x, core=1)
    linear = denoise_gaussian(x, t, mean=mean, std=std)
    t, mean = _checks.array("t", t), _checks.array("mean", mean)
    rho, backbone = _checks.array("rho", rho, low=0), _checks.array("backbone", backbone, low=0)
    _checks.broadcast(("x", x, 1), ("t", t, 0), ("rho", rho, 0), ("backbone", backbone, 0))
    rest = denoised(denoise, x, t if t.ndim else float(t), linear.shape) - linear
    with np.errstate(over="ignore"):
        tuned = mean + rho[..., None] * (linear - mean) + backbone[..., None] * rest
        return _checks.result(tuned, "rho", "backbone", "denoise")


def sample_tuned(
    denoise: Denoiser,
    x: ArrayLike,
    times: ArrayLike,
    *,
    std: ArrayLike,
    mean: ArrayLike = 0.0,
    rho: ArrayLike = 1.0,
    backbone: ArrayLike = 1.0,
    method: str = "heun",
    rng: np.random.Generator | None = None,
    callback: Callback | None = None,
) -> NDArray[np.float64]:
    """Sample with a tuned denoiser, for many factors at once.

    ``"euler"``, ``"heun"`` and the other methods of `solve_diffusion_ode` are run by it; with ``"ancestral"`` a step
    from ``t`` to ``u`` is ``x <- D + (u / t)^2 (x - D) + u sqrt(1 - u^2 / t^2) z``: `ancestral_sample` with
    ``reverse_noise(schedule, 0)``, on these noise levels.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns ``D``, of the shape of ``x``.
    x : (..., D) array_like
        Start at ``times[0]``.
    times : (N,) array_like
        Strictly decreasing, at least 2, positive but for a last 0.
    std, mean, backbone
        As in `tune_skip`.
    rho : (...) array_like
        Factors of the skip; the leading axes of ``x`` are broadcast against them.
    method : str
        ``"ancestral"`` or a key of `METHODS` but ``"amed"``.
    rng : numpy.random.Generator, optional
        Draws noise of the shape of ``x`` as given once a step, the same for all factors; needed for ``"ancestral"``.
    callback : callable, optional
        ``callback(t, x)`` sees a copy of the state at each of ``times``.

    Returns
    -------
    x : (..., D) ndarray
        Samples, a start for each factor.

    Raises
    ------
    ValueError
        If the method is unknown, a factor or ``std`` is negative, a value is not finite or the shapes do not fit.
    TypeError
        If ``rng`` is missing.

    References
    ----------
    .. [1] kexue.fm/archives/10077; Karras et al., arXiv:2206.00364, Algorithm 1; Ho et al., arXiv:2006.11239.

    Examples
    --------
    >>> times = [8.0, 1.0, 0.0]  # the end point for data N(0, 1) is 8 / sqrt(65) = 0.992
    >>> sample_tuned(denoise_gaussian, [[8.0]], times, std=1.0, rho=[1.0, 0.9]).round(3)
    array([[1.308],
           [1.097]])
    """
    x, times = _checks.array("x", x, core=1), decreasing_times(times, zero=True)
    _checks.choice("method", method, ("ancestral", *(name for name in METHODS if name != "amed")))
    rho, backbone = _checks.array("rho", rho, low=0), _checks.array("backbone", backbone, low=0)
    lead = _checks.broadcast(("x", x, 1), ("rho", rho, 0), ("backbone", backbone, 0))
    shape, x = x.shape, np.broadcast_to(x, (*lead, x.shape[-1]))
    tuned = partial(tune_skip, denoise=denoise, std=std, mean=mean, rho=rho, backbone=backbone)
    if method != "ancestral":
        return solve_diffusion_ode(tuned, x, times, method=method, callback=callback)
    rng = _checks.generator("rng", rng)
    for t, u in pairwise(times):
        report(callback, t, x)
        kept, D = (u / t) ** 2, tuned(x, t)
        with np.errstate(over="ignore", invalid="ignore"):
            x = D + kept * (x - D) + u * np.sqrt(1 - kept) * rng.standard_normal(shape)
    x = _checks.result(x, "denoise")
    report(callback, times[-1], x)
    return x


def skip_gain(times: ArrayLike, std: ArrayLike, rho: ArrayLike = 1.0, *, method: str = "heun") -> NDArray[np.float64]:
    """Return the standard deviation of sampled Gaussian data over the true one, without sampling.

    The denoiser is ``D = rho w_t x`` with ``w_t = std^2 / (std^2 + t^2)``, the start has standard deviation
    ``times[0]``, and every step from ``t`` to ``u`` is linear. With ``a_t = (1 - rho w_t) / t`` and ``h = t - u``

    - ``"euler"`` multiplies by ``1 - h a_t``,
    - ``"heun"`` by ``1 - h (a_t + a_u (1 - h a_t)) / 2``,
    - ``"ancestral"`` by ``rho w_t + (1 - rho w_t) u^2 / t^2`` and adds noise of variance ``u^2 (t^2 - u^2) / t^2``.

    A step to 0 multiplies by ``rho w_t`` in all three.

    Parameters
    ----------
    times : (N,) array_like
        Strictly decreasing, at least 2, positive but for a last 0.
    std : (...) array_like
        Standard deviation of the data, positive.
    rho : (...) array_like
        Factor of the denoiser, not negative.
    method : str
        ``"euler"``, ``"heun"`` or ``"ancestral"``.

    Returns
    -------
    gain : (...) ndarray or float
        1 where the spread is right. Tends to ``times[0] / sqrt(times[0]^2 + std^2)`` for short steps down to 0 with
        ``rho = 1``.

    Raises
    ------
    ValueError
        If times do not decrease, ``std <= 0``, ``rho < 0``, a value is not finite or the method is unknown.

    References
    ----------
    .. [1] Gaussian data under the solvers of Karras et al., arXiv:2206.00364; kexue.fm/archives/10077.

    Examples
    --------
    >>> from kexue_core.diffusion.schedules import edm_time_steps
    >>> times = [*edm_time_steps(10), 0]
    >>> skip_gain(times, 0.5, [1.0, 0.982]).round(2)
    array([1.22, 1.  ])
    """
    times = decreasing_times(times, zero=True)
    std, rho = _checks.array("std", std, low=0, open="low"), _checks.array("rho", rho, low=0)
    _checks.broadcast(("std", std, 0), ("rho", rho, 0))
    _checks.choice("method", method, _GAINS)
    with np.errstate(over="ignore", invalid="ignore"):
        return _checks.result(_gain(times, std, rho, method), "times", "std", "rho")


def _gain(times, std, rho, method):
    """Return the gain; squares are formed of ratios only, which do not overflow."""
    spread = times[0] / std * np.ones(np.broadcast_shapes(std.shape, rho.shape))
    for t, u in pairwise(times):
        D = rho * (std / np.hypot(std, t)) ** 2
        kept = D + (1 - D) * (u / t)  # Euler's factor
        if u > 0 and method == "heun":
            slope = (1 - rho * (std / np.hypot(std, u)) ** 2) / u
            kept = 1 - (t - u) * ((1 - D) / t + slope * kept) / 2
        elif method == "ancestral":
            down = D + (1 - D) * (u / t) ** 2
            kept, noise = down, u / std * np.sqrt(1 - (u / t) ** 2)
            spread = np.hypot(kept * spread, noise)
            continue
        spread = np.abs(kept) * spread
    return spread


def best_skip(times: ArrayLike, std: ArrayLike, *, method: str = "heun") -> NDArray[np.float64]:
    """Return the factor ``rho`` nearest to 1 with which Gaussian data get their true spread, ``skip_gain = 1``.

    Steps of 1/256 lead from 1 to the first change of sign of ``skip_gain - 1``: down where the spread is too large, up
    where it is too small. Bisection does the rest.

    Parameters
    ----------
    times : (N,) array_like
        Strictly decreasing, at least 2, positive but for a last 0.
    std : (...) array_like
        Standard deviation of the data, positive.
    method : str
        ``"euler"``, ``"heun"`` or ``"ancestral"``.

    Returns
    -------
    rho : (...) ndarray or float
        Between 0 and 4, to about 1e-15.

    Raises
    ------
    ValueError
        If times do not decrease, ``std <= 0``, a value is not finite, the method is unknown, or no factor from 0 to 4
        gives the spread.

    References
    ----------
    .. [1] Gaussian data under the solvers of Karras et al., arXiv:2206.00364; kexue.fm/archives/10077.

    Examples
    --------
    >>> from kexue_core.diffusion.schedules import edm_time_steps
    >>> times = [*edm_time_steps(10), 0]
    >>> [float(best_skip(times, 0.5, method=method).round(3)) for method in ("heun", "euler", "ancestral")]
    [0.982, 1.092, 1.139]
    """
    std = _checks.array("std", std, low=0, open="low")
    above = np.asarray(skip_gain(times, std, method=method)) > 1
    times = decreasing_times(times, zero=True)
    step = np.where(above, -1, 1) / 256
    far = np.ones(std.shape)
    todo = np.ones(std.shape, dtype=bool)
    with np.errstate(over="ignore", invalid="ignore"):
        while todo.any():
            far = np.where(todo, far + step, far)
            if (far < 0).any() or (far > 4).any():
                raise ValueError(f"times must let a factor from 0 to 4 give std its spread, got {std[todo].flat[0]}")
            todo &= (_gain(times, std, far, method) > 1) == above
        near = far - step
        for _ in range(48):
            middle = (near + far) / 2
            same = (_gain(times, std, middle, method) > 1) == above
            near, far = np.where(same, middle, near), np.where(same, far, middle)
    return _checks.result((near + far) / 2, "times", "std")

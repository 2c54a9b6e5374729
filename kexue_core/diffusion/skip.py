"""Skip-Tuning: a trained denoiser is left alone, but what it passes straight through is scaled.

A U-Net adds to each level of its decoder what the same level of its encoder has seen. Skip-Tuning multiplies these
skips by numbers near 1 (`skip_weights`). Here that can be tried where all is known: on denoisers with a formula, split
into their best linear part and the rest (`tune_skip`), on Gaussian data, where a sampler is a product of scalars
(`skip_gain`, `best_skip`), and on small random U-Nets (`random_skip_net`, `skip_net`, `linearity`).

Tuned denoisers are denoisers: bind them with ``functools.partial`` and hand them to any sampler of this shelf.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Denoiser, decreasing_times, denoised
from kexue_core.diffusion.denoisers import denoise_gaussian

__all__ = [
    "skip_weights",
    "tune_skip",
    "skip_gain",
    "best_skip",
    "SkipNet",
    "random_skip_net",
    "skip_net",
    "linearity",
]

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
    >>> from functools import partial
    >>> from kexue_core.diffusion.samplers import solve_diffusion_ode
    >>> for rho in (1.0, 0.9):  # the end point for data N(0, 1) is 8 / sqrt(65) = 0.992
    ...     tuned = partial(tune_skip, denoise=denoise_gaussian, std=1.0, rho=rho)
    ...     print(solve_diffusion_ode(tuned, [8.0], [8.0, 1.0, 0.0], method="heun").round(3))
    [1.308]
    [1.097]
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


class SkipNet(NamedTuple):
    """Matrices of a U-Net: ``encoder[i]`` leads from level ``i`` down to ``i + 1``, ``decoder[i]`` back up."""

    encoder: tuple[NDArray[np.float64], ...]
    decoder: tuple[NDArray[np.float64], ...]


def random_skip_net(dims: ArrayLike, rng: np.random.Generator) -> SkipNet:
    """Return a U-Net with independent normal weights, a level for each of ``dims``.

    Encoder weights have variance ``2 / fan_in``, which keeps the size of a signal through ReLU; decoder weights, to
    which the skips are added, have ``1 / fan_in``.

    Parameters
    ----------
    dims : (L + 1,) array_like of int
        Width of the input and of the levels below it, at least 2 of them, each at least 1.
    rng : numpy.random.Generator
        Draws all encoder matrices from the top, then all decoder matrices from the top.

    Returns
    -------
    net : SkipNet
        ``L`` matrices ``(dims[i], dims[i + 1])`` down and ``L`` matrices ``(dims[i + 1], dims[i])`` up.

    Raises
    ------
    ValueError
        If there are fewer than 2 widths or one is smaller than 1.
    TypeError
        If a width is no integer or ``rng`` is not a generator.

    References
    ----------
    .. [1] Stands in for the U-Net of kexue.fm/archives/10077 (Ronneberger et al., arXiv:1505.04597).

    Examples
    --------
    >>> net = random_skip_net([4, 2, 1], np.random.default_rng(0))
    >>> [w.shape for w in (*net.encoder, *net.decoder)]
    [(4, 2), (2, 1), (2, 4), (1, 2)]
    """
    dims = _checks.array("dims", dims, kind="integer", ndim=1, low=1)
    if len(dims) < 2:
        raise ValueError(f"dims must hold at least 2 widths, got {len(dims)}")
    rng = _checks.generator("rng", rng)
    pairs = list(pairwise(dims.tolist()))
    encoder = tuple(np.sqrt(2 / m) * rng.standard_normal((m, n)) for m, n in pairs)
    return SkipNet(encoder, tuple(np.sqrt(1 / n) * rng.standard_normal((n, m)) for m, n in pairs))


def skip_net(x: ArrayLike, *, net: SkipNet, rho: ArrayLike = 1.0) -> NDArray[np.float64]:
    """Return the output of a U-Net with scaled skips.

    Down: ``h_0 = x``, ``h_{i+1} = relu(h_i encoder[i])``. Up, from the deepest level: ``y <- relu(y decoder[i] + rho
    h_i)``, without ReLU in the last step, which adds the input itself.

    Parameters
    ----------
    x : (..., D) array_like
        Inputs.
    net : SkipNet
        Of `random_skip_net`, ``L`` levels below the input.
    rho : float or (L,) array_like
        Factors of the skips, deepest first as from `skip_weights`, not negative.

    Returns
    -------
    y : (..., D) ndarray
        Homogeneous of degree 1 in ``x``: there are no biases.

    Raises
    ------
    ValueError
        If a factor is negative, a value is not finite or the shapes do not fit.
    TypeError
        If ``net`` is not a `SkipNet`.

    References
    ----------
    .. [1] kexue.fm/archives/10077; Ronneberger et al., arXiv:1505.04597, whose skips are concatenated, not added.

    Examples
    --------
    >>> net = random_skip_net([2, 1], np.random.default_rng(0))
    >>> skip_net([[1.0, -2.0]], net=net, rho=[0.5]).round(3)
    array([[ 0.75 , -0.959]])
    """
    encoder, decoder = _checks.instance("net", net, SkipNet)
    x = _checks.array("x", x, core=1, last=len(encoder[0]))
    rho = _checks.array("rho", rho, low=0)
    if rho.shape not in ((), (len(encoder),)):
        raise ValueError(f"rho must be a number or have shape ({len(encoder)},), got shape {rho.shape}")
    levels = [x]
    with np.errstate(over="ignore", invalid="ignore"):
        for down in encoder:
            levels.append(np.maximum(levels[-1] @ down, 0))
        y = levels.pop()
        for up, factor in zip(reversed(decoder), np.broadcast_to(rho, (len(encoder),))):
            y = y @ up + factor * levels.pop()
            if levels:
                y = np.maximum(y, 0)
        return _checks.result(y, "x", "net", "rho")


def linearity(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Return how much of ``y`` the best affine function of ``x`` explains, ``R^2 = 1 - |y - Ax - b|^2 / |y - mean|^2``.

    Parameters
    ----------
    x : (P, D) array_like
        Inputs, more than ``D + 1`` of them.
    y : (..., P, E) array_like
        Outputs of one map, or of several for the same inputs.

    Returns
    -------
    r2 : (...) ndarray or float
        In ``[0, 1]``; 1 for an affine map, constant ones included.

    Raises
    ------
    ValueError
        If there are too few inputs, a value is not finite or the shapes do not fit.

    References
    ----------
    .. [1] A measure for the linearity of which kexue.fm/archives/10077 speaks.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 201)[:, None]
    >>> linearity(x, [2 * x + 1, np.abs(x), x**3]).round(3)
    array([1.  , 0.  , 0.84])
    """
    x, y = _checks.array("x", x, ndim=2, core=2), _checks.array("y", y, core=2)
    if len(x) <= x.shape[1] + 1:
        raise ValueError(f"x must hold more than {x.shape[1] + 1} points, got {len(x)}")
    if y.shape[-2] != len(x):
        raise ValueError(f"y must have {len(x)} points like x, got {y.shape[-2]}")
    with np.errstate(over="ignore", invalid="ignore"):
        basis, sizes, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
        basis = basis[:, sizes > 1e-12 * sizes.max()]
        y = y - y.mean(axis=-2, keepdims=True)
        largest = np.abs(y).max(axis=(-2, -1), keepdims=True)
        y = y / np.where(largest > 0, largest, 1)
        total = (y**2).sum(axis=(-2, -1))
        left = ((y - basis @ (basis.T @ y)) ** 2).sum(axis=(-2, -1))
        return _checks.result(1 - left / np.where(total > 0, total, 1), "x", "y")

"""Small random U-Nets whose skips can be scaled, and how linear a map is: what Skip-Tuning says of networks, measured.

The factors of the skips come from `skip_weights`. Nothing here is trained.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["SkipNet", "random_skip_net", "skip_net", "linearity"]


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
    rho : float or (..., L) array_like
        Factors of the skips, deepest first as from `skip_weights`, not negative.

    Returns
    -------
    y : (*rho.shape[:-1], *x.shape) ndarray
        Positively homogeneous, ``y(c x) = c y(x)`` for ``c >= 0``: there are no biases.

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
    >>> skip_net([[1.0, -2.0]], net=net, rho=[[0.5], [1.0]]).round(3)
    array([[[ 0.75 , -0.959]],
    <BLANKLINE>
           [[ 1.25 , -1.959]]])
    """
    encoder, decoder = _net(net)
    x = _checks.array("x", x, core=1, last=len(encoder[0]))
    rho = _checks.array("rho", rho, low=0)
    if rho.ndim and rho.shape[-1] != len(encoder):
        raise ValueError(f"rho must be a number or have shape (..., {len(encoder)}), got shape {rho.shape}")
    factors = np.broadcast_to(np.moveaxis(np.atleast_1d(rho), -1, 0), (len(encoder), *rho.shape[:-1]))
    levels = [x]
    with np.errstate(over="ignore", invalid="ignore"):
        for down in encoder:
            h = levels[-1] @ down
            levels.append(np.maximum(h, 0, out=h))
        y = levels.pop()
        for up, factor in zip(reversed(decoder), factors):
            skip = factor.reshape(factor.shape + (1,) * x.ndim) * levels.pop()
            skip += y @ up
            y = skip
            if levels:
                np.maximum(y, 0, out=y)
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
        In ``[0, 1]``; 1 for an affine map, constant ones included, whatever the units of the single inputs.

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
        basis, sizes, _ = np.linalg.svd(_centred(x, axis=0), full_matrices=False)
        basis = basis[:, sizes > 1e-12 * sizes.max()]
        y = _centred(y, axis=(-2, -1))
        explained, total = (np.square(part, out=part).sum(axis=(-2, -1)) for part in (basis.T @ y, y))
        return _checks.result(np.where(total > explained, explained / np.where(total > 0, total, 1), 1), "x", "y")


def _net(net):
    """Return the matrices of a network that fit each other."""
    net = _checks.instance("net", net, SkipNet)
    down, up = ([_checks.array("net", w, ndim=2, core=2) for w in matrices] for matrices in net)
    shapes = [w.shape for w in down]
    chained = all(before[1] == after[0] for before, after in pairwise(shapes))
    if not shapes or not chained or [w.shape[::-1] for w in up] != shapes:
        raise ValueError(f"net must lead down and back the same way, got {shapes} and {[w.shape for w in up]}")
    return down, up


def _centred(points, axis):
    """Return points ``(..., P, D)`` without their mean, over the largest that is left along the axes."""
    points = points - points[..., :1, :]  # a constant must be one to the last digit, which a mean may round away
    points -= points.mean(axis=-2, keepdims=True)
    largest = np.maximum(points.max(axis=axis, keepdims=True), -points.min(axis=axis, keepdims=True))
    points /= np.where(largest > 0, largest, 1)
    return points

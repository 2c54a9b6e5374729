"""Small networks as idempotent generative networks (IGN), trained side by side.

The loss is that of ``idempotent``; no copy of a network is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["MapNet", "random_map_net", "map_net", "ign_net_gradient", "train_ign"]

Array = NDArray[np.float64]


class MapNet(NamedTuple):
    """Weights ``(..., in, out)`` and biases ``(..., 1, out)`` of networks with tanh between their layers."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]


def random_map_net(dims: ArrayLike, rng: np.random.Generator, *, nets: int = 1) -> MapNet:
    """Return networks with independent normal weights of variance ``1 / fan_in`` and biases 0.

    Parameters
    ----------
    dims : (L + 1,) array_like of int
        Widths from the input to the output, at least 2 of them, each at least 1; the last is equal to the first.
    rng : numpy.random.Generator
        Draws the weights, layer by layer, for all networks at once.
    nets : int
        How many networks, at least 1.

    Returns
    -------
    net : MapNet
        ``L`` weights ``(nets, dims[i], dims[i + 1])`` and ``L`` biases ``(nets, 1, dims[i + 1])``.

    Raises
    ------
    ValueError
        If there are fewer than 2 widths, one is smaller than 1, the last is not the first, or ``nets < 1``.
    TypeError
        If a width is no integer or ``rng`` is not a generator.

    References
    ----------
    .. [1] kexue.fm/archives/9969: input and output of an IGN have one shape.

    Examples
    --------
    >>> net = random_map_net([2, 8, 2], np.random.default_rng(0), nets=3)
    >>> [w.shape for w in net.weights], [b.shape for b in net.biases]
    ([(3, 2, 8), (3, 8, 2)], [(3, 1, 8), (3, 1, 2)])
    """
    dims = _checks.array("dims", dims, kind="integer", ndim=1, low=1)
    if len(dims) < 2:
        raise ValueError(f"dims must hold at least 2 widths, got {len(dims)}")
    if dims[0] != dims[-1]:
        raise ValueError(f"dims must end as they begin, with {dims[0]}, got {dims[-1]}")
    rng, nets = _checks.generator("rng", rng), _checks.integer("nets", nets, low=1)
    pairs = list(zip(dims[:-1].tolist(), dims[1:].tolist()))
    weights = tuple(rng.standard_normal((nets, a, b)) / a**0.5 for a, b in pairs)
    return MapNet(weights, tuple(np.zeros((nets, 1, b)) for _, b in pairs))


def map_net(x: ArrayLike, net: MapNet) -> Array:
    """Return ``G(x)``: weights and biases in turn, with tanh between them.

    Parameters
    ----------
    x : (..., n, d) array_like
        Points; the leading axes are those of the networks or broadcast with them.
    net : MapNet
        As `random_map_net` returns it.

    Returns
    -------
    y : (..., n, d) ndarray

    Raises
    ------
    ValueError
        If the last axis of ``x`` is not as long as the network is wide, the axes do not broadcast, or a value is not
        finite.
    TypeError
        If ``net`` is no `MapNet`.

    References
    ----------
    .. [1] kexue.fm/archives/9969, the generator.

    Examples
    --------
    >>> identity = MapNet((np.eye(2),), (np.zeros((1, 2)),))
    >>> map_net([[1.0, 2.0]], identity)
    array([[1., 2.]])
    """
    net, x = _net(net), _points("x", x, net)
    return _checks.result(_forward(x, net)[-1], "x", "net")


def ign_net_gradient(
    net: MapNet, x: ArrayLike, z: ArrayLike, *, lam_idem: float, lam_tight: float
) -> tuple[Array, MapNet]:
    """Return the three terms of the loss on batches, and its gradient with the copies held fixed.

    One backward pass through the outer network of ``G(G(z))`` serves two terms: its gradient for the parameters is
    that of tightness, its gradient for the input goes on, through the inner network, to that of idempotence.

    Parameters
    ----------
    net : MapNet
        As `random_map_net` returns it.
    x, z : (..., n, d) array_like
        Data and noise; ``n`` may differ, the leading axes are those of the networks.
    lam_idem, lam_tight : float
        Weights of idempotence and tightness, not negative.

    Returns
    -------
    terms : (2, ...) ndarray
        Means of ``|G(x) - x|^2`` and of ``|G(G(z)) - G(z)|^2``.
    gradient : MapNet
        Of ``terms[0] + lam_idem * terms[1] - lam_tight * terms[1]`` with one copy of each pair fixed.

    Raises
    ------
    ValueError
        If the shapes do not fit, a weight is negative, or a value is not finite.
    TypeError
        If ``net`` is no `MapNet`.

    References
    ----------
    .. [1] kexue.fm/archives/9969, the final loss; Shocher et al., arXiv:2311.01462.

    Examples
    --------
    >>> net = random_map_net([2, 4, 2], np.random.default_rng(0))
    >>> x = np.ones((1, 3, 2))
    >>> terms, gradient = ign_net_gradient(net, x, x, lam_idem=1.0, lam_tight=0.125)
    >>> terms.shape, [g.shape for g in gradient.weights]
    ((2, 1), [(1, 2, 4), (1, 4, 2)])
    """
    net = _net(net)
    leading = net.weights[0].shape[:-2]
    x, z = (_points(name, value, net) for name, value in (("x", x), ("z", z)))
    for name, value in (("x", x), ("z", z)):
        if value.shape[:-2] != leading:
            raise ValueError(f"{name} must have the leading axes {leading} of the networks, got shape {value.shape}")
    idem, tight = (_checks.number(n, v, low=0) for n, v in (("lam_idem", lam_idem), ("lam_tight", lam_tight)))
    with np.errstate(over="ignore", invalid="ignore"):
        terms, gradient = _net_gradient(net, x, z, idem, tight)
    for part in (*gradient.weights, *gradient.biases):
        _checks.result(part, "net", "x", "z")
    return _checks.result(terms, "net", "x", "z"), gradient


def train_ign(
    net: MapNet,
    sample: Callable[[np.random.Generator, tuple[int, ...]], Any],
    *,
    steps: int,
    batch: int,
    rate: float,
    lam_idem: float,
    lam_tight: float,
    rng: np.random.Generator,
) -> tuple[MapNet, Array]:
    """Train networks side by side with Adam (decay rates 0.5 and 0.999) against `ign_net_gradient` on fresh batches.

    Parameters
    ----------
    net : MapNet
        Where training begins; not modified.
    sample : callable
        ``sample(rng, shape)`` returns data points of ``shape``, the last axis being the space.
    steps, batch : int
        Number of steps, not negative, and points in a batch, at least 1.
    rate : float
        Learning rate, positive.
    lam_idem, lam_tight : float
        Weights of idempotence and tightness, not negative.
    rng : numpy.random.Generator
        Draws the data and then the noise of each step.

    Returns
    -------
    net : MapNet
        After the last step.
    terms : (steps, 2, ...) ndarray
        Reconstruction and idempotence before each step.

    Raises
    ------
    ValueError
        If a number is out of its range, ``sample`` returns another shape, or training leads to a number that is not
        finite.
    TypeError
        If ``net`` is no `MapNet` or ``rng`` is not a generator.

    References
    ----------
    .. [1] kexue.fm/archives/9969, the final loss; Kingma and Ba, arXiv:1412.6980.

    Examples
    --------
    >>> def circle(rng, shape):
    ...     x = rng.standard_normal(shape)
    ...     return x / np.linalg.norm(x, axis=-1, keepdims=True)
    >>> rng = np.random.default_rng(0)
    >>> start = random_map_net([2, 16, 2], rng, nets=2)
    >>> settings = {"batch": 32, "rate": 1e-2, "lam_idem": 1.0, "lam_tight": 0.125}
    >>> net, terms = train_ign(start, circle, steps=200, rng=rng, **settings)
    >>> terms.shape, bool((terms[-1, 0] < terms[0, 0]).all())
    ((200, 2, 2), True)
    """
    net, rng, sample = _net(net), _checks.generator("rng", rng), _checks.function("sample", sample)
    steps, batch = _checks.integer("steps", steps, low=0), _checks.integer("batch", batch, low=1)
    rate = _checks.number("rate", rate, low=0, open="low")
    idem, tight = (_checks.number(n, v, low=0) for n, v in (("lam_idem", lam_idem), ("lam_tight", lam_tight)))
    shape = (*net.weights[0].shape[:-2], batch, net.weights[0].shape[-2])
    parts = (*net.weights, *net.biases)
    theta = np.concatenate([part.ravel() for part in parts])  # all in one: Adam goes over it at once
    first, second = np.zeros_like(theta), np.zeros_like(theta)
    pieces = np.split(theta, np.cumsum([part.size for part in parts])[:-1])
    flat = [piece.reshape(part.shape) for piece, part in zip(pieces, parts)]
    terms, layers = np.empty((steps, 2, *shape[:-2])), len(net.weights)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(steps):
            x = _checks.array("sample(rng, shape)", sample(rng, shape), shape=shape)
            now = MapNet(tuple(flat[:layers]), tuple(flat[layers:]))
            terms[k], gradient = _net_gradient(now, x, rng.standard_normal(shape), idem, tight)
            _checks.result(terms[k], "net", "rate", "lam_tight")
            g = np.concatenate([part.ravel() for part in (*gradient.weights, *gradient.biases)])
            first += (g - first) * 0.5
            second += (g * g - second) * 0.001
            theta -= rate * first / (1 - 0.5 ** (k + 1)) / (np.sqrt(second / (1 - 0.999 ** (k + 1))) + 1e-8)
    for part in (theta, second):  # an infinite square would have stopped its weight
        _checks.result(part, "net", "rate", "lam_tight")
    return MapNet(tuple(flat[:layers]), tuple(flat[layers:])), terms


def _net(net):
    net = _checks.instance("net", net, MapNet)
    if len(net.weights) != len(net.biases) or not net.weights:
        raise ValueError(f"net must have as many biases as weights, got {len(net.biases)} and {len(net.weights)}")
    weights = tuple(_checks.array("net.weights", w, core=2) for w in net.weights)
    biases = tuple(_checks.array("net.biases", b, core=2) for b in net.biases)
    ends = [weights[-1].shape[-1], *(w.shape[-1] for w in weights[:-1])]
    for w, b, before in zip(weights, biases, ends):
        if w.shape[-2] != before or b.shape != (*w.shape[:-2], 1, w.shape[-1]) or w.shape[:-2] != weights[0].shape[:-2]:
            raise ValueError(f"net must chain layers of one shape, got weights {w.shape} and biases {b.shape}")
    return MapNet(weights, biases)


def _points(name, x, net):
    x = _checks.array(name, x, core=2, last=net.weights[0].shape[-2])
    _checks.broadcast((name, x, 2), ("net.weights", net.weights[0], 2))
    return x


def _forward(x, net):
    """Return the input, what follows each tanh, and the output."""
    states = [x]
    for i, (w, b) in enumerate(zip(*net)):
        y = states[-1] @ w
        y += b
        states.append(y if i == len(net.weights) - 1 else np.tanh(y, out=y))
    return states


def _backward(grad, states, net):
    """Return the gradient for weights and biases, and for the input, from that for the output."""
    for_w, for_b = [], []
    for i in reversed(range(len(net.weights))):
        if i < len(net.weights) - 1:
            slope = np.square(states[i + 1], out=states[i + 1])  # the state is not needed any more
            grad *= np.subtract(1, slope, out=slope)  # no longer the caller's: the last layer has no tanh
        for_w.append(states[i].swapaxes(-1, -2) @ grad)
        for_b.append(np.einsum("...nd->...d", grad)[..., None, :])  # a sum over axis -2, three times as fast
        grad = grad @ net.weights[i].swapaxes(-1, -2)
    return for_w[::-1] + for_b[::-1], grad


def _net_gradient(net, x, z, idem, tight):
    on_x, inner = _forward(x, net), _forward(z, net)
    outer = _forward(inner[-1], net)
    miss, drift = on_x[-1] - x, outer[-1] - inner[-1]
    terms = np.array([np.einsum("...d,...d->...", e, e).mean(axis=-1) for e in (miss, drift)])
    miss, drift = 2 * miss / x.shape[-2], 2 * drift / z.shape[-2]
    rec, _ = _backward(miss, on_x, net)
    judge, through = _backward(drift, outer, net)
    player, _ = _backward(through - drift, inner, net)
    parts = [r + idem * p - tight * j for r, p, j in zip(rec, player, judge)]
    return terms, MapNet(tuple(parts[: len(net.weights)]), tuple(parts[len(net.weights) :]))

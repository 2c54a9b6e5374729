"""Muon: steepest descent under the spectral norm, its family over the Schatten norms, and the size of its steps.

Under the Schatten norm ``|A|_p``, the p-norm of the singular values, the step of length 1 that descends fastest keeps
the singular vectors of the gradient: p = 2 is normalized gradient descent, p = inf is Muon.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.matrices import msign, newton_schulz, schatten_gradient
from kexue_core.optimization.flows import steepest_direction

__all__ = [
    "schatten_direction",
    "root_mean_square",
    "rms_matched_scale",
    "svd_entropy",
    "adam_rms",
    "MuonState",
    "muon_step",
]


def schatten_direction(g: ArrayLike, p: float) -> NDArray[np.float64]:
    """Return the matrix of Schatten p-norm 1 with the largest inner product with ``g``.

    It has the singular vectors of ``g`` and the singular values ``(s / |s|_q)^(q - 1)``, ``1/p + 1/q = 1``
    (Hoelder): the gradient of the dual norm. ``W - eta * schatten_direction(G, p)`` is the steepest step of length eta.

    Parameters
    ----------
    g : (..., n, m) array_like
    p : float
        From 1 (the largest singular value only) to infinity (`msign`).

    Returns
    -------
    (..., n, m) ndarray
        The inner product with ``g`` is ``|g|_q``; zeros for zeros. Not unique for p = 1 if the largest singular
        value is multiple (its pairs get equal shares), nor for infinity if ``g`` lacks full rank (least rank).

    Raises
    ------
    ValueError
        If ``g`` has fewer than two axes or is not finite, or ``p < 1``.

    References
    ----------
    .. [1] kexue.fm/archives/10739, result 2; arXiv:2409.20325.

    Examples
    --------
    >>> g = np.diag([4.0, 3.0])
    >>> [schatten_direction(g, p).diagonal().round(3).tolist() for p in (1, 2, np.inf)]
    [[1.0, 0.0], [0.8, 0.6], [1.0, 1.0]]
    """
    p = _checks.number("p", p, low=1, finite=False)
    g = _checks.array("g", g, core=2)
    if p == 1:
        return schatten_gradient(g, np.inf)
    u, s, vt = np.linalg.svd(g / _or_one(np.abs(g).max(axis=(-2, -1), keepdims=True)), full_matrices=False)
    s = np.where(s > max(g.shape[-2:]) * np.finfo(float).eps * s[..., :1], s, 0)  # rounding is no direction
    return (u * steepest_direction(s, p)[..., None, :]) @ vt + 0.0


def root_mean_square(a: ArrayLike) -> NDArray[np.float64]:
    """Return ``|A|_F / sqrt(n m)``, the root mean square of the entries of a matrix.

    Parameters
    ----------
    a : (..., n, m) array_like

    Returns
    -------
    (...) ndarray or float
        ``sqrt(r / (n m))`` for the matrix sign of a matrix of rank r, ``1 / sqrt(max(n, m))`` at full rank.

    Raises
    ------
    ValueError
        If ``a`` has fewer than two axes or is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10739, results 4 and 5.

    Examples
    --------
    >>> float(root_mean_square(np.eye(4)))
    0.5
    """
    a = _checks.array("a", a, core=2)
    peak = np.abs(a).max(axis=(-2, -1))
    scaled = a / _or_one(peak)[..., None, None]
    return _checks.result(peak * np.sqrt((scaled * scaled).mean(axis=(-2, -1))), "a")


def rms_matched_scale(n: int, m: int, target: float = 0.2) -> float:
    """Return ``target sqrt(max(n, m))``, which gives ``msign`` of full rank the root mean square ``target``.

    Parameters
    ----------
    n, m : int
        The shape of the weight matrix.
    target : float
        The root mean square of Adam's updates, by default that of the report.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a size is below 1, or ``target`` is not positive.

    References
    ----------
    .. [1] kexue.fm/archives/10739, result 5; arXiv:2502.16982.

    Examples
    --------
    >>> rms_matched_scale(400, 100)
    4.0
    """
    n, m = (_checks.integer(*pair, low=1, high=2**53) for pair in (("n", n), ("m", m)))
    target = _checks.number("target", target, low=0, open="low")
    with np.errstate(over="ignore"):
        return _checks.result(np.float64(target) * np.sqrt(max(n, m)), "target").item()


def svd_entropy(a: ArrayLike) -> NDArray[np.float64]:
    """Return ``-sum q_i log q_i / log(min(n, m))`` of ``q_i = s_i^2 / sum s^2``: how evenly a matrix uses directions.

    Parameters
    ----------
    a : (..., n, m) array_like
        Not zero.

    Returns
    -------
    (...) ndarray or float
        Between 0 (rank one) and 1 (all singular values equal); 0 for a single row or column. The length does not
        matter.

    Raises
    ------
    ValueError
        If ``a`` has fewer than two axes or is not finite, or a matrix is zero.

    References
    ----------
    .. [1] arXiv:2502.16982; kexue.fm/archives/10739, result 7.

    Examples
    --------
    >>> svd_entropy([np.eye(3), np.diag([1.0, 0.0, 0.0])])
    array([1., 0.])
    """
    a = _checks.array("a", a, core=2)
    peak = np.abs(a).max(axis=(-2, -1))
    if (peak == 0).any():
        raise ValueError(f"a must not hold a zero matrix, got {(peak == 0).sum()} of them")
    square = np.linalg.svd(a / peak[..., None, None], compute_uv=False) ** 2
    q = square / square.sum(axis=-1, keepdims=True)
    entropy = -(q * np.log(np.where(q > 0, q, 1))).sum(axis=-1)
    return _checks.result(np.clip(entropy / np.log(max(2, q.shape[-1])), 0, 1) + 0.0, "a")


def adam_rms(beta1: ArrayLike, snr: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Return the root mean square of Adam's updates for independent gradients of mean square ``snr`` to variance.

    That is ``sqrt((snr + (1 - b) / (1 + b)) / (snr + 1))``; the denominator of Adam is taken at its mean, as is right
    for beta2 close to 1.

    Parameters
    ----------
    beta1 : (...) array_like
        Decay of the first moment, in [0, 1).
    snr : (...) array_like
        Squared mean of a gradient entry, divided by its variance; not negative. Broadcast against ``beta1``.

    Returns
    -------
    (...) ndarray or float
        1 for ``beta1 = 0``; 0.2294 for 0.9 and pure noise.

    Raises
    ------
    ValueError
        If ``beta1`` does not lie in [0, 1), ``snr < 0``, or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/11267; arXiv:2305.17212.

    Examples
    --------
    >>> adam_rms([0.0, 0.6, 0.9]).round(4)
    array([1.    , 0.5   , 0.2294])
    """
    b, snr = _checks.array("beta1", beta1, low=0, high=1, open="high"), _checks.array("snr", snr, low=0)
    _checks.broadcast(("beta1", b, 0), ("snr", snr, 0))
    noise = 1 / (1 + snr)
    # the signal's share 1 - noise, which cancels where the signal is weak
    signal = np.where(snr < 1, snr * noise, 1 - noise)
    return _checks.result(np.sqrt(signal + noise * (1 - b) / (1 + b)), "beta1", "snr")


class MuonState(NamedTuple):
    """The weights and the momentum after a step."""

    w: NDArray[np.float64]
    momentum: NDArray[np.float64]


def muon_step(
    w: ArrayLike,
    g: ArrayLike,
    momentum: ArrayLike,
    lr: float,
    *,
    beta: float = 0.95,
    decay: float = 0.1,
    nesterov: bool = True,
    scale: str = "match_rms",
    method: str = "newton_schulz",
) -> MuonState:
    """Return weights and momentum after one step of Muon: ``w - lr (scale msign(update) + decay w)``.

    The momentum is ``beta momentum + (1 - beta) g``; the update is the momentum, or with ``nesterov`` once more mixed
    with the gradient, ``beta momentum + (1 - beta) g``. Its length does not matter.

    Parameters
    ----------
    w, g, momentum : (..., n, m) array_like
        Weights, gradient and the momentum so far, of one shape; zeros to begin with.
    lr : float
        Not negative.
    beta : float
        In [0, 1); 0 is steepest descent.
    decay : float
        Decoupled weight decay, not negative.
    nesterov : bool
    scale : {"match_rms", "original", "none"}
        ``0.2 sqrt(max(n, m))``, so that the learning rate of Adam may be kept; ``sqrt(max(1, n / m))``; or 1.
    method : {"newton_schulz", "svd"}
        Five Newton-Schulz steps with the coefficients of Muon, or exactly.

    Returns
    -------
    MuonState
        With ``method="svd"`` and ``lr decay <= 1``, ``|w|_2`` stays below ``max(|w|_2 before, scale / decay)``.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite, or a number or a word is out of range.
    TypeError
        If ``nesterov`` is no bool.

    References
    ----------
    .. [1] kexue.fm/archives/10739, results 2, 3 and 5; arXiv:2502.16982; torch.optim.Muon.

    Examples
    --------
    >>> state = muon_step(np.zeros((2, 2)), np.diag([5.0, 1.0]), np.zeros((2, 2)), 0.5, scale="none", method="svd")
    >>> state.w + 0.0
    array([[-0.5,  0. ],
           [ 0. , -0.5]])
    """
    w = _checks.array("w", w, core=2)
    g, momentum = _checks.array("g", g, shape=w.shape), _checks.array("momentum", momentum, shape=w.shape)
    lr, decay = _checks.number("lr", lr, low=0), _checks.number("decay", decay, low=0)
    beta = _checks.number("beta", beta, low=0, high=1, open="high")
    nesterov = _checks.instance("nesterov", nesterov, bool)
    n, m = w.shape[-2:]
    factors = {"match_rms": rms_matched_scale(n, m), "original": max(1, n / m) ** 0.5, "none": 1.0}
    factor = factors[_checks.choice("scale", scale, factors)]
    sign = {"newton_schulz": newton_schulz, "svd": msign}[_checks.choice("method", method, ("newton_schulz", "svd"))]
    momentum = beta * momentum + (1 - beta) * g
    update = beta * momentum + (1 - beta) * g if nesterov else momentum
    with np.errstate(over="ignore", invalid="ignore"):
        w = w * (1 - lr * decay) - lr * factor * sign(update)
    return MuonState(_checks.result(w, "w", "lr", "decay"), momentum)


def _or_one(a):
    return np.where(a > 0, a, 1)

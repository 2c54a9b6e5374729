"""Balancing a mixture of experts, by a gradient of the router or by a bias that needs none.

Scores are ``(..., T, n)`` as in `routing`. ``F`` is the load and ``P_i = E[p_i]`` the mean probability, its
smooth stand-in; both sum to 1. Balance is ``F = Q``, ``Q`` the target; judge it by `routing.max_violation` and
not by the value of `auxiliary_loss`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention import softmax, top_k_mask
from kexue_core.experts._common import target_load
from kexue_core.experts.routing import expert_load

__all__ = ["auxiliary_loss", "balance_gradient", "Training", "train_router", "bias_update", "balance_by_bias"]


def auxiliary_loss(p: ArrayLike, mask: ArrayLike) -> NDArray[np.float64]:
    """Return ``sum_i F_i P_i``, whose gradient balances the load and whose value says nothing.

    Most papers multiply it by ``n``, and by ``k`` where they sum over the ``k`` choices. It is ``1/n`` as soon as one
    of ``F`` and ``P`` is uniform, but smaller for some unbalanced routers.

    Parameters
    ----------
    p : (..., T, n) array_like
        Probabilities, each row a distribution within the rounding of its own type. Padding counts as a token.
    mask : (..., T, n) array_like of bool
        Choices of `kexue_core.experts.routing.top_k_mask`.

    Returns
    -------
    loss : (...) ndarray or float
        In ``(0, 1]`` for choices by the largest ``p``.

    Raises
    ------
    ValueError
        If ``p`` is not a distribution or the shapes differ.
    TypeError
        If the mask is not boolean.

    References
    ----------
    .. [1] kexue.fm/archives/10735; Lepikhin et al., arXiv:2006.16668; Fedus et al., arXiv:2101.03961, eq. (4).

    Examples
    --------
    >>> from kexue_core.experts.routing import top_k_mask
    >>> p = 9 * [[0.51, 0.49]] + [[0.0, 1.0]]  # nine tokens of ten on one expert, and still below 1/2
    >>> auxiliary_loss(p, top_k_mask(p, 1)).round(3)
    np.float64(0.467)
    """
    p = _checks.distribution("p", p)
    load = expert_load(_checks.array("mask", mask, kind="boolean", shape=p.shape))
    return (load * p.mean(axis=-2)).sum(axis=-1)


def balance_gradient(
    logits: ArrayLike,
    k: int,
    *,
    objective: str = "squared",
    target: ArrayLike | None = None,
    floor: float = 1e-6,
) -> NDArray[np.float64]:
    """Return the straight-through gradient of a balance objective with respect to the logits of a softmax router.

    An objective in ``F`` is differentiated as if ``F`` were ``P``. With ``c = dL/dF``, token ``t`` gets
    ``p_j (c_j - sum_i c_i p_i) / T``: it leaves the experts whose ``c`` is above its own average.

    - ``"auxiliary"``: ``c = F``, from ``sum_i F_i P_i`` with ``F`` held fixed; no target.
    - ``"squared"``: ``c = F - Q``, from ``1/2 |F - Q|^2``. The same gradient if ``Q`` is uniform.
    - ``"entropy"``: ``c = log(max(F, floor) / Q)``, from ``sum_i F_i log(F_i / Q_i)``.
    - ``"probability"``: ``c = P - Q``, from ``1/2 |P - Q|^2``, without straight-through: it balances ``P``, not ``F``.

    Parameters
    ----------
    logits : (..., T, n) array_like
        Scores; probabilities are their softmax, choices their top ``k``. ``-inf`` masks an expert.
    k : int
        Between 1 and ``n``.
    objective : str
        One of the four above.
    target : (n,) array_like, optional
        ``Q``, positive with sum 1; uniform by default.
    floor : float
        Positive; the load of a dead expert in ``"entropy"``, whose logarithm would be infinite.

    Returns
    -------
    gradient : (..., T, n) ndarray
        Sums to 0 along the last axis. Vanishes as the softmax saturates: a router collapsed by a gap ``g`` of logits
        needs about ``e^g`` steps to recover.

    Raises
    ------
    ValueError
        If ``k`` or the objective is not allowed, a target is given to ``"auxiliary"`` or is not a distribution, a value
        is not finite or ``floor <= 0``.

    References
    ----------
    .. [1] kexue.fm/archives/10735, the straight-through derivation; Bengio et al., arXiv:1308.3432.

    Examples
    --------
    >>> balance_gradient([[2.0, 0.0], [1.0, 0.0]], 1).round(3)
    array([[ 0.052, -0.052],
           [ 0.098, -0.098]])
    """
    logits, k = _checks.top_k("logits", logits, k, core=2)
    return _balance_gradient(logits, k, *_objective(objective, target, floor, logits.shape[-1]))[0]


class Training(NamedTuple):
    """Load and mean probability ``(steps + 1, ..., n)`` before each step and after the last; the trained weights."""

    load: NDArray[np.float64]
    probability: NDArray[np.float64]
    weights: NDArray[np.float64]


def train_router(
    x: ArrayLike,
    weights: ArrayLike,
    k: int,
    *,
    steps: int,
    objective: str = "squared",
    target: ArrayLike | None = None,
    floor: float = 1e-6,
    rate: float = 1.0,
) -> Training:
    """Train the router ``logits = x @ weights`` by gradient descent on nothing but balance.

    A fixed point need not be balanced, unless some combination of the columns of ``x`` is 1 for every token (a bias).

    Parameters
    ----------
    x : (..., T, d) array_like
        All tokens; every step sees all of them. Leading axes are separate runs.
    weights : (..., d, n) array_like
        Start; its leading axes broadcast with those of ``x``.
    k : int
        Between 1 and ``n``.
    steps : int
        Number of updates, not negative.
    objective, target, floor
        As in `balance_gradient`.
    rate : float
        Learning rate, positive.

    Returns
    -------
    training : Training
        ``load`` and ``probability`` of every step, first row before training; the final ``weights``.

    Raises
    ------
    ValueError
        As `balance_gradient`, and if ``steps < 0``, ``rate <= 0``, or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10735.

    Examples
    --------
    >>> from kexue_core.experts.routing import max_violation
    >>> x = np.random.default_rng(0).standard_normal((512, 4)) + 1
    >>> training = train_router(x, np.eye(4)[:, :2], 1, steps=100)
    >>> max_violation(training.load[[0, -1]]).round(2)
    array([0.11, 0.  ])
    """
    x, weights = _checks.array("x", x, core=2), _checks.array("weights", weights, core=2)
    if weights.shape[-2] != x.shape[-1]:
        raise ValueError(f"weights must have {x.shape[-1]} rows, one for each column of x, got shape {weights.shape}")
    _checks.broadcast(("x", x, 2), ("weights", weights, 2))
    n = weights.shape[-1]
    steps, rate = _checks.integer("steps", steps, low=0), _checks.number("rate", rate, low=0, open="low")
    options = _objective(objective, target, floor, n)
    columns, history = np.swapaxes(x, -1, -2), []
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(steps + 1):
            # the tokens of an expert lie side by side in memory: a sum over few experts is a sum of long rows
            logits = np.swapaxes(np.swapaxes(weights, -1, -2) @ columns, -1, -2)
            gradient, *state = _balance_gradient(_checks.result(logits, "x", "weights", "rate"), k, *options)
            history.append(state)
            if step < steps:
                weights = weights - rate * (columns @ gradient)
    load, probability = np.stack(history, axis=1)
    return Training(load, probability, weights)


def bias_update(
    bias: ArrayLike,
    load: ArrayLike,
    *,
    target: ArrayLike | None = None,
    rate: float = 1e-3,
    rule: str = "sign",
) -> NDArray[np.float64]:
    """Return the bias after one loss-free update, ``b - rate sign(F - Q)``.

    - ``"sign"``: as above; ``"plain"``: ``b - rate (F - Q)``.
    - ``"rms"``: ``b - rate (F - Q) / RMS(F - Q)``, of the same length as ``"sign"`` but with less oscillation.

    Parameters
    ----------
    bias, load : (..., n) array_like
        Bias of `kexue_core.experts.routing.route` and the load that it gave.
    target : (n,) array_like, optional
        ``Q``, positive with sum 1; uniform by default.
    rate : float
        Positive. 1e-3 suits sigmoid scores.
    rule : str
        ``"sign"``, ``"rms"`` or ``"plain"``.

    Returns
    -------
    bias : (..., n) ndarray
        Unchanged at balance. ``"rms"`` and ``"plain"`` keep its sum, but for deviations below 1e-12 from
        the target (below the rounding of a coarser load), which count as none.

    Raises
    ------
    ValueError
        If the load or the target is not a distribution, the rule is unknown, ``rate <= 0`` or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10757; Wang et al., arXiv:2408.15664, Algorithm 1.

    Examples
    --------
    >>> bias_update([0.0, 0.0, 0.0], [0.5, 0.5, 0.0], rate=0.1, rule="rms").round(3)
    array([-0.071, -0.071,  0.141])
    """
    own = getattr(load, "dtype", None)
    load, rate = _checks.distribution("load", load), _checks.number("rate", rate, low=0, open="low")
    bias = _checks.array("bias", bias, shape=load.shape)
    excess = load - target_load(target, load.shape[-1])
    _checks.choice("rule", rule, ("sign", "rms", "plain"))
    # Rounding of 1/n must not count as an imbalance: sign and RMS would blow it up to a full step.
    rounding = 1e-12 if own is None or own.kind != "f" else max(1e-12, float(np.finfo(own).eps))
    excess = np.where(np.abs(excess) < rounding, 0.0, excess)
    if rule == "sign":
        excess = np.sign(excess)
    elif rule == "rms":
        rms = np.sqrt(np.mean(excess**2, axis=-1, keepdims=True))
        excess = excess / np.where(rms > 0, rms, 1.0)
    with np.errstate(over="ignore"):
        return _checks.result(bias - rate * excess, "bias", "rate")


def balance_by_bias(
    batches: Iterable[ArrayLike],
    k: int,
    *,
    target: ArrayLike | None = None,
    rate: float = 1e-3,
    rule: str = "sign",
    bias: ArrayLike | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Route batch after batch, updating the bias after each one.

    Parameters
    ----------
    batches : iterable of (..., T, n) array_like
        Scores of each batch, at least one batch; a generator keeps only one in memory. Leading axes are separate runs.
    k : int
        Between 1 and ``n``.
    target, rate, rule
        As in `bias_update`.
    bias : (..., n) array_like, optional
        Start, 0 by default.

    Returns
    -------
    load : (steps, ..., n) ndarray
        Load of each batch under the bias of the batches before it: no batch sees itself.
    bias : (..., n) ndarray
        After the last batch.

    Raises
    ------
    ValueError
        As `route` and `bias_update`, or if there is no batch.

    References
    ----------
    .. [1] kexue.fm/archives/10757; Wang et al., arXiv:2408.15664, Algorithm 1.

    Examples
    --------
    >>> from kexue_core.experts.routing import max_violation
    >>> scores = np.random.default_rng(0).random((1000, 4)) + [0.5, 0, 0, 0]
    >>> load, bias = balance_by_bias(100 * [scores], 1, rate=0.01)
    >>> max_violation(load[[0, -1]]).round(2)
    array([1.93, 0.03])
    """
    history = []
    for scores in _checks.iterable("batches", batches, "arrays of scores"):
        scores, _ = _checks.top_k("batches", scores, k, core=2)
        shape = scores.shape[:-2] + scores.shape[-1:]
        bias = np.zeros(shape) if bias is None else _checks.array("bias", bias, shape=shape)
        history.append(expert_load(top_k_mask(scores + bias[..., None, :], k)))
        bias = bias_update(bias, history[-1], target=target, rate=rate, rule=rule)
    if not history:
        raise ValueError("batches must hold at least one batch, got none")
    return np.stack(history), bias


def _balance_gradient(logits, k, objective, target, floor):
    p = softmax(logits)
    load, probability = expert_load(top_k_mask(logits, k)), p.mean(axis=-2)
    if objective == "auxiliary":
        slope = load
    elif objective == "squared":
        slope = load - target
    elif objective == "entropy":
        slope = np.log(np.maximum(load, floor)) - np.log(target)
    else:
        slope = probability - target
    slope = slope[..., None, :]
    average = p @ np.swapaxes(slope, -1, -2)  # of each token
    gradient = np.subtract(slope, average, out=np.empty_like(p))
    gradient *= p
    gradient /= p.shape[-2]
    return gradient, load, probability


def _objective(objective, target, floor, n):
    _checks.choice("objective", objective, ("auxiliary", "squared", "entropy", "probability"))
    if objective == "auxiliary" and target is not None:
        raise ValueError(f"target must be None for objective 'auxiliary', got {target!r}")
    return objective, target_load(target, n), _checks.number("floor", floor, low=0, open="low")

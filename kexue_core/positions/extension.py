"""Reading further than the training length: plans for the frequencies and the distances of RoPE.

Pair i turns ``theta_i L / 2 pi`` times while a model trains on L tokens. A plan for a text that is s times longer slows
the pairs that did not come round; the rule for which ones, and by how much, is what the methods differ in.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = [
    "pi_frequencies",
    "ntk_frequencies",
    "yarn_frequencies",
    "dynamic_ntk_frequencies",
    "unseen_turns",
    "leaky_distance",
    "self_extend_distance",
    "attention_scale",
    "fit_distance_head",
]


def pi_frequencies(theta: ArrayLike, s: ArrayLike) -> NDArray[np.float64]:
    """Return the frequencies of position interpolation, ``theta_i / s``.

    Parameters
    ----------
    theta : (n,) array_like
        Positive.
    s : (...) array_like
        Test length over training length, at least 1.

    Returns
    -------
    (..., n) ndarray
        ``theta`` itself for ``s = 1``. No angle of the longer text is new.

    Raises
    ------
    ValueError
        If ``theta`` is empty or not positive, ``s < 1``, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9948, result 4; arXiv:2306.15595.

    Examples
    --------
    >>> pi_frequencies([1.0, 0.1], 8)
    array([0.125 , 0.0125])
    """
    theta, s = _plan(theta, s)
    return theta / s


def ntk_frequencies(theta: ArrayLike, s: ArrayLike, *, exact: int | None = None) -> NDArray[np.float64]:
    """Return the frequencies after NTK scaling, ``theta_i s^(-i / exact)``: pair ``exact`` is slowed by s.

    For ``theta_i = b^(-2i/d)`` that is the base ``b s^(d / (2 exact))``.

    Parameters
    ----------
    theta : (n,) array_like
        Positive.
    s : (...) array_like
        Test length over training length, at least 1.
    exact : int, optional
        By default ``n - 1``, the slowest pair: the base grows by ``s^(d/(d-2))``. The number of pairs that made a
        whole turn in training, half of the critical dimension, leaves no new angle.

    Returns
    -------
    (..., n) ndarray
        ``theta`` itself for ``s = 1``; the first frequency is always kept.

    Raises
    ------
    ValueError
        If ``theta`` has less than two values or one that is not positive, ``exact < 1``, ``s < 1``, or a value is not
        finite.

    References
    ----------
    .. [1] kexue.fm/archives/9948, result 9; arXiv:2310.05209 for the critical dimension.

    Examples
    --------
    >>> ntk_frequencies([1.0, 0.1, 0.01], 4)
    array([1.    , 0.05  , 0.0025])
    >>> ntk_frequencies([1.0, 0.1, 0.01], 4, exact=1)
    array([1.00e+00, 2.50e-02, 6.25e-04])
    """
    theta, s = _plan(theta, s)
    if theta.size < 2:
        raise ValueError(f"theta must have at least two values, got shape {theta.shape}")
    exact = theta.size - 1 if exact is None else _checks.integer("exact", exact, low=1, high=2**53)
    return theta * s ** (-np.arange(theta.size) / exact)


def yarn_frequencies(
    theta: ArrayLike, s: ArrayLike, train_length: float, *, slow: float = 1.0, fast: float = 32.0, ramp: str = "turns"
) -> NDArray[np.float64]:
    """Return YaRN's frequencies, ``(gamma_i + (1 - gamma_i) / s) theta_i`` with gamma from 0 to 1 in the turns.

    With ``r_i = theta_i L / 2 pi`` gamma is 0 below ``slow`` and 1 above ``fast``.

    Parameters
    ----------
    theta : (n,) array_like
        Positive.
    s : (...) array_like
        Test length over training length, at least 1.
    train_length : float
        L, positive.
    slow, fast : float
        ``0 < slow < fast``, in turns. YaRN for LLaMA: 1 and 32; LLaMA 3.1: 1 and 4, ``ramp="turns"``.
    ramp : {"turns", "log", "index"}
        Between them gamma is linear in r (article, paper), in ln r (gpt-oss), or in the index from the pair below
        ``fast`` to the pair above ``slow``, both rounded outwards (YaRN's code). The last takes geometric frequencies.

    Returns
    -------
    (..., n) ndarray
        Between ``theta / s`` and ``theta``; ``theta`` itself for ``s = 1``. With ``slow >= 1`` no angle is new.

    Raises
    ------
    ValueError
        If ``theta`` is empty, not positive, or for ``ramp="index"`` not falling geometrically; ``s < 1``,
        ``train_length <= 0``, ``slow <= 0``, ``fast <= slow``, ``ramp`` is unknown, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9948, result 7; arXiv:2309.00071, section 3.2; jquesnelle/yarn for the ramp in the index.

    Examples
    --------
    >>> from kexue_core.positions import rope_frequencies
    >>> theta = rope_frequencies(128)
    >>> (yarn_frequencies(theta, 8, 4096) / theta)[[0, 20, 30, 40, 63]].round(3)
    array([1.   , 1.   , 0.342, 0.155, 0.125])
    """
    theta, s = _plan(theta, s)
    length = _checks.number("train_length", train_length, low=0, open="low")
    slow = _checks.number("slow", slow, low=0, open="low")
    fast = _checks.number("fast", fast, low=slow, open="low")
    ramp = _checks.choice("ramp", ramp, ("turns", "log", "index"))
    with np.errstate(over="ignore"):  # an infinite number of turns is a fast pair
        turns = theta * length / (2 * math.pi)
        over_slow = turns / slow
    if ramp == "turns":
        gamma = (turns - slow) / (fast - slow)
    elif ramp == "log":
        gamma = np.log(over_slow) / math.log(fast / slow)
    else:
        first, last = _rounded(theta, length, slow, fast)
        gamma = (last - np.arange(theta.size)) / (last - first)
    gamma = np.clip(gamma, 0, 1)
    return (gamma + (1 - gamma) / s) * theta


def dynamic_ntk_frequencies(
    theta: ArrayLike, length: ArrayLike, train_length: float, *, factor: float = 1.0
) -> NDArray[np.float64]:
    """Return the frequencies of NTK scaling by ``s = f max(n, L) / L - (f - 1)``, for a text that is now n tokens long.

    Parameters
    ----------
    theta : (n,) array_like
        Positive, at least two.
    length : (...) array_like
        Tokens so far, positive.
    train_length : float
        L, positive.
    factor : float
        f, at least 1. 1 is the rule of the article, ``s = max(n, L) / L``; transformers lets a configuration choose.

    Returns
    -------
    (..., n) ndarray
        ``theta`` itself up to ``length = train_length``: nothing is paid there.

    Raises
    ------
    ValueError
        If ``theta`` has less than two values or one that is not positive, a length is not positive, ``factor < 1``, or
        a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9948, result 10; transformers, ``_compute_dynamic_ntk_parameters``.

    Examples
    --------
    >>> dynamic_ntk_frequencies([1.0, 0.1, 0.01], [4096, 16384], 4096)
    array([[1.    , 0.1   , 0.01  ],
           [1.    , 0.05  , 0.0025]])
    """
    n = _checks.array("length", length, low=0, open="low")
    L = _checks.number("train_length", train_length, low=0, open="low")
    f = _checks.number("factor", factor, low=1)
    with np.errstate(over="ignore"):
        s = 1 + f * (np.maximum(n, L) / L - 1)
    return ntk_frequencies(theta, _checks.result(s, "length", "train_length", "factor"))


def unseen_turns(
    theta_new: ArrayLike, theta: ArrayLike, train_length: float, test_length: ArrayLike
) -> NDArray[np.float64]:
    """Return how much of its circle each pair enters only at test, ``max(0, min(1, r'_i) - min(1, r_i))``.

    ``r_i = theta_i L / 2 pi`` are the turns in training, ``r'_i`` those of the new frequencies over the test length.

    Parameters
    ----------
    theta_new : (..., n) array_like
        Frequencies at test, not negative.
    theta : (n,) array_like
        Frequencies in training, not negative.
    train_length : float
        Positive.
    test_length : (...) array_like
        Positive; broadcast with the leading axes of ``theta_new``.

    Returns
    -------
    (..., n) ndarray
        In turns, from 0 to 1. The sum over the pairs is 0 if no hand points where it did not in training; each pair
        is looked at alone.

    Raises
    ------
    ValueError
        If a frequency is negative, a length is not positive, the sizes differ, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9948, result 6.

    Examples
    --------
    >>> theta = np.array([1.0, 0.001])
    >>> unseen_turns(theta, theta, 1000, 4000).round(3)
    array([0.   , 0.477])
    """
    theta = _checks.array("theta", theta, ndim=1, core=1, low=0)
    new = _checks.array("theta_new", theta_new, core=1, low=0, last=theta.size)
    length = _checks.number("train_length", train_length, low=0, open="low") / (2 * math.pi)
    test = _checks.array("test_length", test_length, low=0, open="low")
    _checks.broadcast(("theta_new", new, 1), ("test_length", test, 0))
    with np.errstate(over="ignore"):  # an infinite number of turns covers the circle
        reached = np.minimum(new * (test / (2 * math.pi))[..., None], 1)
        return np.maximum(reached - np.minimum(theta * length, 1), 0)


def leaky_distance(m: ArrayLike, window: float, slope: float = math.inf) -> NDArray[np.float64]:
    """Return the distance of Leaky ReRoPE: m below the window w, ``w + (m - w) / k`` from there on.

    Parameters
    ----------
    m : (...) array_like
        Distances, not negative.
    window : float
        w, positive.
    slope : float
        k, at least 1; ``inf``, the default, is ReRoPE, ``min(m, w)``.

    Returns
    -------
    (...) ndarray or float
        Continuous and not falling; near distances are untouched.

    Raises
    ------
    ValueError
        If ``m`` is negative, ``window <= 0``, ``slope < 1``, or a value but ``slope`` is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9948, result 5; kexue.fm/archives/9708.

    Examples
    --------
    >>> leaky_distance([3, 4, 12], 4, 8), leaky_distance([3, 4, 12], 4)
    (array([3., 4., 5.]), array([3., 4., 4.]))
    """
    m = _checks.array("m", m, low=0)
    w = _checks.number("window", window, low=0, open="low")
    k = _checks.number("slope", slope, low=1, finite=False)
    return np.where(m < w, m, w + (m - w) / k)[()]


def self_extend_distance(query: ArrayLike, key: ArrayLike, window: int, group: int) -> NDArray[np.int64]:
    """Return the distance of Self-Extend: the true one below the window w, from there on that of grouped positions.

    With groups of G it is ``floor(i/G) - floor(j/G) + w - floor(w/G)``.

    Parameters
    ----------
    query, key : (...) array_like of int
        Positions i and j, not negative; broadcast.
    window, group : int
        w and G, from 1 to ``2**53``.

    Returns
    -------
    (...) ndarray or int
        Negative where the key comes later, which a causal mask leaves out. Within ``1 - 1/G`` of `leaky_distance` with
        ``slope = G`` if G divides w.

    Raises
    ------
    ValueError
        If a position is negative, ``window`` or ``group`` is out of its range, or the shapes do not broadcast.

    References
    ----------
    .. [1] kexue.fm/archives/9948, result 5; arXiv:2401.01325; datamllab/LongLM.

    Examples
    --------
    >>> self_extend_distance([15, 17, 18, 20], [0, 0, 1, 3], window=16, group=4)
    array([15, 16, 16, 17])
    """
    i = _checks.array("query", query, kind="integer", low=0)
    j = _checks.array("key", key, kind="integer", low=0)
    w, G = (_checks.integer(name, size, low=1, high=2**53) for name, size in (("window", window), ("group", group)))
    _checks.broadcast(("query", i, 0), ("key", j, 0))
    return np.where(i - j < w, i - j, i // G - j // G + (w - w // G))[()]


def attention_scale(length: ArrayLike, train_length: float, *, rule: str = "log") -> NDArray[np.float64]:
    """Return the factor of the logits at n tokens: ``max(1, ln n / ln L)``, or YaRN's ``(1 + 0.1 ln max(1, n/L))^2``.

    Parameters
    ----------
    length : (...) array_like
        n, at least 1.
    train_length : float
        L, above 1.
    rule : {"log", "yarn"}

    Returns
    -------
    (...) ndarray or float
        1 up to the training length. Code that scales queries and keys alike takes the square root.

    Raises
    ------
    ValueError
        If ``length < 1``, ``train_length <= 1``, ``rule`` is unknown, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9948, result 8; arXiv:2309.00071, section 3.4.

    Examples
    --------
    >>> [float(attention_scale(32768, 4096, rule=rule).round(3)) for rule in ("log", "yarn")]
    [1.25, 1.459]
    """
    n = _checks.array("length", length, low=1)
    L = _checks.number("train_length", train_length, low=1, open="low")
    if _checks.choice("rule", rule, ("log", "yarn")) == "log":
        return np.maximum(1.0, np.log(n) / math.log(L))[()]
    return ((1 + 0.1 * np.log(np.maximum(1.0, n / L))) ** 2)[()]


def fit_distance_head(
    theta: ArrayLike, target: ArrayLike, contexts: ArrayLike, *, ridge: float = 1e-3
) -> NDArray[np.float64]:
    """Return the weights with which a head without content attends to distances as ``target`` says.

    The logits are ``g(m) = sum_i A_i cos(m theta_i) + B_i sin(m theta_i)``; minimized is the mean over the contexts c
    of the cross entropy of softmax(g) over ``m < c``, plus ``ridge/2 (|A|^2 + |B|^2)``: a convex problem, solved by
    damped Newton steps.

    Parameters
    ----------
    theta : (n,) array_like
    target : (L,) array_like
        Weight of each distance, not negative; normalized over each context.
    contexts : (k,) array_like of int
        From 1 to L.
    ridge : float
        At least 1e-12: below that rounding keeps Newton's method from the minimum.

    Returns
    -------
    (2n,) ndarray
        A, then B. The gradient there is below 1e-8.

    Raises
    ------
    ValueError
        If ``theta``, ``target`` or ``contexts`` is empty, a context is not from 1 to L, ``target`` is negative or sums
        to 0 over one, ``ridge < 1e-12``, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9948, result 6, for the logits.

    Examples
    --------
    >>> target = 1 / (1 + np.arange(64))
    >>> fit_distance_head([1.0, 0.1, 0.01], target, [16, 64]).round(2)
    array([ 0.27,  0.41,  1.25,  0.03, -0.96, -6.93])
    """
    theta = _checks.array("theta", theta, ndim=1, core=1)
    target = _checks.array("target", target, ndim=1, core=1, low=0)
    contexts = _checks.array("contexts", contexts, kind="integer", ndim=1, core=1, low=1, high=target.size)
    ridge = _checks.number("ridge", ridge, low=1e-12)
    target = target / max(target.max(), np.finfo(float).tiny)
    if (empty := target.cumsum()[contexts - 1] == 0).any():
        raise ValueError(f"target must have a positive sum over each context, got 0 at {contexts[empty][0]}")
    with np.errstate(over="ignore"):
        angle = _checks.result(np.outer(np.arange(target.size), theta), "theta")
    X = np.hstack([np.cos(angle), np.sin(angle)])
    parts = [(X[:c], target[:c] / target[:c].sum()) for c in contexts]

    def value(w):
        return sum(_cross_entropy(x @ w, t) for x, t in parts) / len(parts) + ridge / 2 * w @ w

    w = np.zeros(X.shape[1])
    for _ in range(200):
        gradient, hessian = ridge * w, ridge * np.eye(w.size)
        for x, t in parts:
            g = x @ w
            p = np.exp(g - g.max())
            p /= p.sum()
            mean = p @ x
            gradient = gradient + (mean - t @ x) / len(parts)
            hessian += ((x * p[:, None]).T @ x - np.outer(mean, mean)) / len(parts)
        if np.abs(gradient).max() < 1e-10:
            break
        step = np.linalg.solve(hessian, gradient)
        size, now = 1.0, value(w)
        while value(w - size * step) > now - 1e-4 * size * (gradient @ step) and size > 1e-9:
            size /= 2
        w = w - size * step
    return w


def _cross_entropy(g, t):
    return g.max() + math.log(np.exp(g - g.max()).sum()) - t @ g


def _plan(theta, s):
    """Return frequencies and, with an axis for them, how many times longer the text becomes."""
    theta = _checks.array("theta", theta, ndim=1, core=1, low=0, open="low")
    return theta, _checks.array("s", s, low=1)[..., None]


def _rounded(theta, length, slow, fast):
    """Return the pairs between which YaRN's code ramps."""
    if theta.size < 2:
        raise ValueError(f"theta must have at least two values for ramp='index', got shape {theta.shape}")
    log = np.log(theta)
    step = (log[0] - log[-1]) / (theta.size - 1)
    if step <= 0 or np.abs(np.diff(log) + step).max() > 1e-6 * step:
        raise ValueError(f"theta must fall geometrically for ramp='index', got ratios {np.exp(np.diff(log))[:3]}")
    turns = log[0] + math.log(length) - math.log(2 * math.pi)  # the logarithm of those of the first pair
    first, last = ((turns - math.log(edge)) / step for edge in (fast, slow))
    first, last = max(math.floor(first), 0), min(math.ceil(last), 2 * theta.size - 1)
    return first, last if last != first else last + 0.001

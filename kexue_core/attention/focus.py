"""How concentrated a row of attention can be: the ratio of its norms, and what each mechanism makes of normal scores.

``S = E|a| / sqrt(E a**2)`` is 1 where all weights have one size and ``n**(-1/2)`` where one of ``n`` is left. So
``n S**2`` is the number of tokens that a row of equal weights with the same ``S`` would read.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention._common import axis_last
from kexue_core.attention.initialization import activate, activation_moments
from kexue_core.attention.simplex import taylor_softmax
from kexue_core.special import log_normal_density, normal_cdf

__all__ = [
    "l1_l2_ratio",
    "sparsity_activation",
    "sparsity_exp",
    "sparsity_identity",
    "sparsity_relu_power",
    "sparsity_taylor",
    "sparsity_linear",
    "sparsity_decay",
]


def l1_l2_ratio(a: ArrayLike, *, axis: int = -1, log: bool = False) -> NDArray[np.float64]:
    r"""Return the sparsity of rows, ``S = sum |a_i| / sqrt(n sum a_i**2)``.

    Parameters
    ----------
    a : (..., n) array_like
        Weights of any sign and scale, not all 0 in a row; with ``log`` the logarithms of their sizes, where ``-inf``
        is a weight 0.
    axis : int
        The axis of length ``n``.
    log : bool
        Whether ``a`` holds logarithms: ``l1_l2_ratio(x, log=True)`` is that of ``softmax(x)``.

    Returns
    -------
    s : (...) ndarray or float
        From ``n**(-1/2)``, one weight, to 1, weights of one size; unchanged if a row is multiplied by a number. A row
        of a softmax has ``sum p_i**2 = 1 / (n s**2)``.

    Raises
    ------
    ValueError
        If a row is empty or all 0, or ``a`` holds NaN or infinity.

    References
    ----------
    .. [1] kexue.fm/archives/9889, the measure of sparsity.

    Examples
    --------
    >>> l1_l2_ratio([[1, -1, 1, 1], [0, 0, 5, 0]])
    array([1. , 0.5])
    """
    log = _checks.instance("log", log, bool)
    a = _checks.array("a", a, finite=not log)
    if a.ndim == 0:
        raise ValueError("a must have at least 1 axis, got shape ()")
    if (a == np.inf).any():
        raise ValueError("a must not hold inf, got inf")
    axis = _checks.integer("axis", axis, low=-a.ndim, high=a.ndim - 1)
    if a.shape[axis] == 0:
        raise ValueError(f"a must not be empty along the axis {axis}, got length 0")
    a = axis_last(a, axis)
    if log:
        top = a.max(axis=-1, keepdims=True)
        size = np.exp(a - np.where(np.isfinite(top), top, 0))
    else:
        size = np.abs(a)
        top = size.max(axis=-1, keepdims=True)
        size = size / np.where(top > 0, top, 1)
    total = size.sum(axis=-1)
    if not (total > 0).all():
        raise ValueError("a must have a weight that is not 0 in each row, got a row without one")
    return (total / np.sqrt(a.shape[-1] * (size**2).sum(axis=-1)))[()]


def sparsity_activation(
    f: str | Callable[[NDArray[np.float64]], ArrayLike], beta: ArrayLike, gamma: ArrayLike
) -> NDArray[np.float64]:
    r"""Return the sparsity of ``f(x)`` for scores ``x`` from ``N(beta, gamma**2)``, ``E|f| / sqrt(E f**2)``.

    Both integrals are second moments of `activation_moments`, under ``N(0, gamma**2)`` and with the ratio of the two
    densities as a factor: so a kink of ``f`` at 0 does no harm, wherever the scores are centred.

    Parameters
    ----------
    f : callable or str
        Elementwise, smooth but for 0; or a name for `activate`.
    beta : (...) array_like
        Mean of the scores, with ``|beta| <= 20 gamma``.
    gamma : (...) array_like
        Standard deviation, positive.

    Returns
    -------
    s : (...) ndarray or float
        In (0, 1]. Relative error below 1e-12 for the functions of `activate` and powers of relu, ``gamma`` from 1e-2
        to 8 and ``|beta| <= 6 gamma``, and for exp up to ``gamma = 5``.

    Raises
    ------
    ValueError
        If ``gamma <= 0``, ``|beta| > 20 gamma``, ``f`` is an unknown name, vanishes, or returns what is not finite.
    TypeError
        If ``f`` is neither a name nor callable.

    References
    ----------
    .. [1] kexue.fm/archives/9889, the reduction to one dimension.

    Examples
    --------
    >>> sparsity_activation("sigmoid", [0, -4], 2).round(4)
    array([0.8469, 0.4727])
    """
    beta, gamma, t = _ratio(beta, gamma)
    if (np.abs(t) > 20).any():
        raise ValueError(f"beta must lie within 20 gamma of 0, got {beta.flat[np.abs(t).argmax()]}")
    if not (isinstance(f, str) or callable(f)):
        raise TypeError(f"f must be a name or a function, got {f!r}")

    def size(x):
        values = activate(x, f) if isinstance(f, str) else _checks.array("f(x)", f(x.copy()), shape=x.shape)
        return np.abs(values), np.exp(t[..., None] * (x / gamma[..., None] - t[..., None] / 2) / 2)

    _, first = activation_moments(lambda x: np.sqrt(size(x)[0]) * size(x)[1], gamma)
    _, second = activation_moments(lambda x: np.prod(size(x), axis=0), gamma)
    if not (second > 0).all():
        raise ValueError("f must have a positive second moment, got 0")
    return np.minimum(first / np.sqrt(second), 1.0)[()]


def sparsity_exp(gamma: ArrayLike, n: ArrayLike) -> NDArray[np.float64]:
    r"""Return the sparsity of a softmax over ``n`` normal scores to leading order: ``exp(-gamma**2 / 2)``, and its end.

    With ``L = log n`` that law holds up to ``gamma = sqrt(L / 2)``. From there to ``sqrt(2 L)`` the second moment lives
    on the largest scores, ``S**2 = n exp(gamma**2 - 2 gamma sqrt(2 L))``; beyond it is ``1 / n``. Factors of a few
    units are left out; for ``n -> inf`` the first law holds for every ``gamma``.

    Parameters
    ----------
    gamma : (...) array_like
        Standard deviation of the scores, not negative. Their mean does not matter.
    n : (...) array_like
        Number of tokens, at least 1.

    Returns
    -------
    s : (...) ndarray or float
        From ``n**(-1/2)`` to 1, continuous, not increasing in ``gamma``.

    Raises
    ------
    ValueError
        If ``gamma`` is negative or ``n < 1``.

    References
    ----------
    .. [1] kexue.fm/archives/9889, standard attention; B. Derrida, Random-energy model, Phys. Rev. B 24 (1981).

    Examples
    --------
    >>> sparsity_exp([1, 2, 8], [256, 1e6, 256]).round(4)
    array([0.6065, 0.1353, 0.0625])
    """
    gamma, n = _checks.array("gamma", gamma, low=0), _checks.array("n", n, low=1)
    _checks.broadcast(("gamma", gamma, 0), ("n", n, 0))
    logs = np.log(n)
    held = np.minimum(gamma, np.sqrt(2 * logs))  # beyond that the row stays as it is
    above = logs / 2 + held**2 / 2 - held * np.sqrt(2 * logs)
    return np.exp(np.where(held <= np.sqrt(logs / 2), -(held**2) / 2, above))[()]


def sparsity_identity(beta: ArrayLike, gamma: ArrayLike) -> NDArray[np.float64]:
    r"""Return the sparsity of normal scores themselves, ``E|x| / sqrt(E x**2)``: linear attention without activation.

    With ``t = beta / gamma`` it is ``(sqrt(2/pi) exp(-t**2 / 2) + t erf(t / sqrt(2))) / sqrt(1 + t**2)``.

    Parameters
    ----------
    beta : (...) array_like
        Mean of the scores.
    gamma : (...) array_like
        Standard deviation, positive.

    Returns
    -------
    s : (...) ndarray or float
        Even in ``beta``, between ``sqrt(2/pi) = 0.798``, at ``beta = 0``, and 1.

    Raises
    ------
    ValueError
        If ``gamma <= 0``.

    References
    ----------
    .. [1] kexue.fm/archives/9889, the simplest linear attention.

    Examples
    --------
    >>> sparsity_identity([0, 1, -3], 1).round(4)
    array([0.7979, 0.8249, 0.9489])
    """
    _, _, t = _ratio(beta, gamma)
    t = np.abs(t)
    first = 2 * np.exp(log_normal_density(t)) + t * (1 - 2 * normal_cdf(-t))
    return (first / np.hypot(1, t))[()]


def sparsity_relu_power(beta: ArrayLike, gamma: ArrayLike, power: int = 2) -> NDArray[np.float64]:
    r"""Return the sparsity of ``max(x, 0)**power`` for normal scores; power 2 is the attention of GAU.

    ``S = M_p / sqrt(M_2p)`` with ``M_n = E max(t + z, 0)**n``, ``t = beta / gamma`` and ``z`` standard normal. For
    ``t >= 0`` by ``M_n = t M_{n-1} + (n-1) M_{n-2}``, a sum of positive terms; for ``t < 0``, where it cancels, from
    ``M_n = exp(-t**2 / 2) E max(z, 0)**n exp(t z)``, whose factor in front is taken out of the ratio.

    Parameters
    ----------
    beta : (...) array_like
        Mean of the scores.
    gamma : (...) array_like
        Standard deviation, positive.
    power : int
        From 1 to 20.

    Returns
    -------
    s : (...) ndarray or float
        Increasing in ``t``; 0 only where it underflows (``t < -54``). Relative error below 1e-12 for ``t >= -50``.

    Raises
    ------
    ValueError
        If ``gamma <= 0`` or the power is out of range.

    References
    ----------
    .. [1] kexue.fm/archives/9889, GAU; Hua et al., arXiv:2202.10447.

    Examples
    --------
    >>> sparsity_relu_power([0, 1, -2, -6], 1)[:3].round(4)
    array([0.4082, 0.6128, 0.072 ])
    """
    power = _checks.integer("power", power, low=1, high=20)
    _, _, t = _ratio(beta, gamma)
    up = np.maximum(t, 0)
    scale = np.maximum(up, 1)  # moments in units of scale**n do not overflow
    moments = [normal_cdf(up), (up * normal_cdf(up) + np.exp(log_normal_density(up))) / scale]
    for n in range(2, 2 * power + 1):
        moments.append(up / scale * moments[-1] + (n - 1) / scale / scale * moments[-2])
    right = moments[power] / np.sqrt(moments[2 * power])
    c = np.clip(-t, 0, 60)  # beyond that the factor in front is 0

    def half(n):
        def root(x):
            positive = np.maximum(x, 0)
            return positive ** (n / 2) * np.exp(-c[..., None] * positive / 2)

        return activation_moments(root, np.ones(t.shape))[1]

    left = np.exp(-(c**2) / 4) * (half(power) / np.sqrt(half(2 * power)))  # the ratio first: both are tiny
    return np.where(t < 0, left, right)[()]


def sparsity_taylor(order: int, beta: ArrayLike, gamma: ArrayLike) -> NDArray[np.float64]:
    r"""Return the sparsity of ``f(x) = sum_{j <= order} x**j / j!`` for normal scores, a linear attention.

    Gauss-Hermite quadrature with ``order + 1`` nodes is exact, and `taylor_softmax` gives ``f`` at the nodes, up to a
    factor that cancels, as a sum of positive terms.

    Parameters
    ----------
    order : int
        Even, from 2 to 40: ``f`` is positive then.
    beta : (...) array_like
        Mean of the scores.
    gamma : (...) array_like
        Standard deviation, not negative.

    Returns
    -------
    s : (...) ndarray or float
        At most 1, which it is for ``gamma = 0``. For ``gamma -> inf`` at fixed ``beta`` it tends to ``(m-1)!! /
        sqrt((2m-1)!!)`` with ``m`` the order.

    Raises
    ------
    ValueError
        If the order is odd or out of range, or ``gamma`` is negative.

    References
    ----------
    .. [1] kexue.fm/archives/9889, linear attention of finite dimension; the floor is derived in the chapter.

    Examples
    --------
    >>> sparsity_taylor(2, 0, [0, 2, 1e6]).round(4)
    array([1.    , 0.6547, 0.5774])
    """
    order = _checks.integer("order", order, low=2, high=40)
    if order % 2:
        raise ValueError(f"order must be even, got {order}")
    beta, gamma = _checks.array("beta", beta), _checks.array("gamma", gamma, low=0)
    _checks.broadcast(("beta", beta, 0), ("gamma", gamma, 0))
    nodes, weights = np.polynomial.hermite_e.hermegauss(order + 1)
    with np.errstate(over="ignore"):
        x = _checks.result(np.asarray(beta[..., None] + gamma[..., None] * nodes), "beta", "gamma")
    f = taylor_softmax(x, order)
    weights = weights / weights.sum()
    return np.minimum(f @ weights / np.sqrt(f**2 @ weights), 1.0)[()]


def sparsity_linear(q: ArrayLike, mean: ArrayLike, cov: ArrayLike) -> NDArray[np.float64]:
    r"""Return the sparsity of non-negative linear attention, ``(1 + q^T cov q / (q . mean)**2)**(-1/2)``.

    The weights are ``q . k`` with ``q >= 0`` and key features ``k >= 0`` of this mean and covariance; nothing else of
    their law enters.

    Parameters
    ----------
    q : (..., d) array_like
        Query features, not negative.
    mean : (..., d) array_like
        Mean of the key features, not negative, with ``q . mean > 0``.
    cov : (..., d, d) array_like
        Their covariance.

    Returns
    -------
    s : (...) ndarray or float
        In (0, 1]; unchanged if ``q`` is multiplied by a positive number.

    Raises
    ------
    ValueError
        If a length does not fit, ``q`` or ``mean`` has a negative entry, ``q . mean`` is 0 or ``q^T cov q`` negative.

    References
    ----------
    .. [1] kexue.fm/archives/9889, general linear attention.

    Examples
    --------
    >>> sparsity_linear([[1, 1], [1, 0]], [1, 1], [[3, 0], [0, 3]]).round(4)
    array([0.6325, 0.5   ])
    """
    q, mean = _checks.array("q", q, core=1, low=0), _checks.array("mean", mean, core=1, low=0)
    d = q.shape[-1]
    mean, cov = _checks.array("mean", mean, last=d), _checks.array("cov", cov, core=2)
    if cov.shape[-2:] != (d, d):
        raise ValueError(f"cov must have the last axes ({d}, {d}), got shape {cov.shape}")
    _checks.broadcast(("q", q, 1), ("mean", mean, 1), ("cov", cov, 2))
    q = q / np.maximum(q.max(axis=-1, keepdims=True), np.finfo(float).tiny)
    with np.errstate(over="ignore", invalid="ignore"):
        signal = _checks.result(np.asarray((q * mean).sum(axis=-1)), "mean")
        noise = _checks.result(np.asarray(np.einsum("...i,...ij,...j->...", q, cov, q)), "cov")
    if not (signal > 0).all():
        raise ValueError("q must have a positive inner product with mean, got 0.0")
    if (noise < 0).any():
        raise ValueError(f"cov must not have a negative q^T cov q, got {noise[noise < 0].flat[0]}")
    return (1 / np.hypot(1, np.minimum(np.sqrt(noise) / signal, 1e300)))[()]


def sparsity_decay(decay: ArrayLike, n: ArrayLike) -> NDArray[np.float64]:
    r"""Return the sparsity of the row ``decay**(n-1), ..., decay, 1`` of a linear recurrence.

    ``S**2 = tanh(n h / 2) / (n tanh(h / 2))`` with ``h = -log(decay)``, which is the article's ``(1 - decay**n) (1 +
    decay) / (n (1 - decay) (1 + decay**n))`` without its differences of nearly equal numbers.

    Parameters
    ----------
    decay : (...) array_like
        Above 0, at most 1.
    n : (...) array_like
        Number of tokens, at least 1.

    Returns
    -------
    s : (...) ndarray or float
        ``n S**2`` tends to ``(1 + decay) / (1 - decay)``.

    Raises
    ------
    ValueError
        If ``decay`` is not in (0, 1] or ``n < 1``.

    References
    ----------
    .. [1] kexue.fm/archives/9889, linear RNN with decay.

    Examples
    --------
    >>> sparsity_decay(0.9, [10, 1000]).round(4)
    array([0.9579, 0.1378])
    """
    decay, n = _checks.array("decay", decay, low=0, high=1, open="low"), _checks.array("n", n, low=1)
    _checks.broadcast(("decay", decay, 0), ("n", n, 0))
    half = -np.log(decay) / 2
    safe = np.where(half > 0, half, 1.0)
    with np.errstate(over="ignore"):
        return np.where(half > 0, np.sqrt(np.tanh(n * safe) / (n * np.tanh(safe))), 1.0)[()]


def _ratio(beta, gamma):
    """Return the checked mean and standard deviation of scores at their common shape, and ``beta / gamma``."""
    beta, gamma = _checks.array("beta", beta), _checks.array("gamma", gamma, low=0, open="low")
    shape = _checks.broadcast(("beta", beta, 0), ("gamma", gamma, 0))
    beta, gamma = np.broadcast_to(beta, shape), np.broadcast_to(gamma, shape)
    with np.errstate(over="ignore"):
        return beta, gamma, _checks.result(np.asarray(beta / gamma), "beta", "gamma") + np.zeros(shape)

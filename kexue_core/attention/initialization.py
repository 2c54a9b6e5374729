"""The scale of a network at its start: moments of activations, laws of weights, and what depth makes of a signal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.special import normal_cdf, normal_quantile

__all__ = [
    "activate",
    "activation_moments",
    "init_std",
    "selu_constants",
    "truncated_normal_std",
    "sample_weights",
    "residual_weights",
    "layer_mean_squares",
]

# Where 0 < x < 39 in steps of 1/32 of t, x = exp(t - exp(-t)); beyond that the density of N(0, 1) is no double.
_STEP = 1 / 32
_T = np.arange(-120, 118) * _STEP
_X = np.exp(_T - np.exp(-_T))
_WEIGHT = _STEP * _X * (1 + np.exp(-_T)) * np.exp(-(_X**2) / 2) / np.sqrt(2 * np.pi)


def _elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def _selu(x):
    scale, alpha = selu_constants()
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


_KINDS = {
    "linear": lambda x: x.copy(),
    "relu": lambda x: np.maximum(x, 0),
    "elu": _elu,
    "selu": _selu,
    "gelu": lambda x: x * normal_cdf(x),
    "silu": lambda x: x * _sigmoid(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
}


def activate(x: ArrayLike, kind: str) -> NDArray[np.float64]:
    r"""Return an activation function by its name: ``relu(x) = max(x, 0)``, ``gelu(x) = x Phi(x)``, and so on.

    Parameters
    ----------
    x : (...) array_like
        Real numbers.
    kind : {"linear", "relu", "elu", "selu", "gelu", "silu", "softplus", "sigmoid", "tanh"}
        ``elu(x) = exp(x) - 1`` for ``x <= 0``, else ``x``; ``selu`` is ``lambda elu`` with the left branch times
        ``alpha`` (`selu_constants`); ``silu(x) = x sigmoid(x)``; ``softplus(x) = log(1 + exp(x))``.

    Returns
    -------
    y : (...) ndarray or float
        Entry by entry.

    Raises
    ------
    ValueError
        If ``x`` is not finite, a result is not, or the name is unknown.

    References
    ----------
    .. [1] kexue.fm/archives/8620, results 3 to 5.

    Examples
    --------
    >>> activate([-1, 0, 2], "elu").round(3)
    array([-0.632,  0.   ,  2.   ])
    """
    x, kind = _checks.array("x", x), _checks.choice("kind", kind, _KINDS)
    with np.errstate(over="ignore"):
        return _checks.result(np.asarray(_KINDS[kind](x)), "x")


def activation_moments(
    f: str | Callable[[NDArray[np.float64]], ArrayLike], std: ArrayLike = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the mean and the second moment, ``E f(x)`` and ``E f(x)**2``, where ``x`` is normal with mean 0.

    Both half-lines are integrated by the trapezoidal rule in ``t``, ``x = exp(t - exp(-t))``: a kink at 0 does no harm
    there, as it does to Gauss-Hermite quadrature.

    Parameters
    ----------
    f : callable or str
        ``f(x)`` returns an array of the shape of ``x``, of which it gets a copy; or a name for `activate`.
    std : (...) array_like
        Standard deviation of ``x``, positive.

    Returns
    -------
    mean, second : (...) ndarray or float
        Relative error of ``second`` below 1e-13 for the functions of `activate` and ``std`` from 1e-3 to 1e3.

    Raises
    ------
    ValueError
        If ``std <= 0``, ``f`` is an unknown name, or returns another shape or a value that is not finite.
    TypeError
        If ``f`` is neither a name nor callable, or returns something that is no array of numbers.

    References
    ----------
    .. [1] kexue.fm/archives/8620, results 3 and 4.

    Examples
    --------
    >>> mean, second = activation_moments("sigmoid")
    >>> float(mean.round(9)), float(second.round(7))
    (0.5, 0.293379)
    """
    std = _checks.array("std", std, low=0, open="low")
    with np.errstate(over="ignore"):
        x = _checks.result(std[..., None] * _X, "std")
    if isinstance(f, str):
        values = [activate(sign * x, f) for sign in (1, -1)]
    elif callable(f):
        values = [_checks.array("f(x)", f(sign * x), shape=x.shape) for sign in (1, -1)]
    else:
        raise TypeError(f"f must be a name or a function, got {f!r}")
    with np.errstate(over="ignore", invalid="ignore"):
        mean, second = (values[0] + values[1]) @ _WEIGHT, (values[0] ** 2 + values[1] ** 2) @ _WEIGHT
    return _checks.result(mean, "f", "std"), _checks.result(second, "f", "std")


def init_std(fan_in: int, activation: str | Callable[[NDArray[np.float64]], ArrayLike] = "linear") -> float:
    r"""Return the standard deviation of weights that keeps second moments, ``(fan_in E f(x)**2)**(-1/2)``.

    With it a layer that is fed by ``fan_in`` values ``f(x)``, ``x`` standard normal, has outputs of second moment 1.

    Parameters
    ----------
    fan_in : int
        Number of inputs, positive.
    activation : str or callable
        The function that the inputs come from, as in `activation_moments`: ``"linear"`` is the initialization of
        LeCun, ``"relu"`` that of He.

    Returns
    -------
    std : float
        Positive.

    Raises
    ------
    ValueError
        If ``fan_in`` is not from 1 to ``2**53``, the name is unknown, or the second moment is 0 or not finite.

    References
    ----------
    .. [1] kexue.fm/archives/8620, results 2 to 4; He et al., arXiv:1502.01852.

    Examples
    --------
    >>> init_std(50), init_std(50, "relu").round(12)
    (np.float64(0.1414213562373095), np.float64(0.2))
    """
    fan_in = _checks.integer("fan_in", fan_in, low=1, high=2**53)
    second = 1.0 if isinstance(activation, str) and activation == "linear" else activation_moments(activation)[1]
    if not second > 0:
        raise ValueError(f"activation must have a positive second moment, got {second}")
    return 1 / np.sqrt(np.float64(fan_in) * second)


def selu_constants(variance: ArrayLike = 1.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return ``lambda, alpha`` of SELU, which keep the law of mean 0 and a variance.

    ``lambda x`` for ``x > 0`` and ``lambda alpha (exp(x) - 1)`` for ``x <= 0`` have mean 0 and second moment
    ``variance`` where ``x`` is normal with mean 0 and that variance.

    Parameters
    ----------
    variance : (...) array_like
        Positive; 1 gives the constants that libraries hold.

    Returns
    -------
    scale, alpha : (...) ndarray or float
        Both above 1.

    Raises
    ------
    ValueError
        If ``variance <= 0`` or not finite.

    References
    ----------
    .. [1] kexue.fm/archives/8620, result 5; Klambauer et al., arXiv:1706.02515, equation 14.

    Examples
    --------
    >>> [float(value.round(10)) for value in selu_constants()]
    [1.0507009874, 1.6732632424]
    """
    variance = _checks.array("variance", variance, low=0, open="low")
    s = np.sqrt(variance)
    left = -np.expm1(-s[..., None] * _X) / s[..., None]  # by quadrature: no difference of nearly equal numbers
    alpha = np.sqrt(0.5 / np.pi) / (left @ _WEIGHT)
    return ((0.5 + alpha**2 * (left**2 @ _WEIGHT)) ** -0.5)[()], alpha[()]


def truncated_normal_std(cut: ArrayLike = 2.0) -> NDArray[np.float64]:
    r"""Return the standard deviation of a standard normal number that is redrawn until it lies in ``[-cut, cut]``.

    ``sqrt(gamma)`` with ``gamma = integral x**2 exp(-x**2/2) / integral exp(-x**2/2)``, both over ``[0, cut]``. The
    closed form ``1 - sqrt(2/pi) cut exp(-cut**2/2) / erf(cut / sqrt(2))`` cancels where ``cut`` is small; a quotient
    of Gauss-Legendre sums of positive terms does not.

    Parameters
    ----------
    cut : (...) array_like
        Positive.

    Returns
    -------
    std : (...) ndarray or float
        Between 0 and 1, increasing; near 0 it is ``cut / sqrt(3)``. Relative error below 1e-14.

    Raises
    ------
    ValueError
        If ``cut <= 0`` or not finite.

    References
    ----------
    .. [1] kexue.fm/archives/8620, result 1.

    Examples
    --------
    >>> float(truncated_normal_std().round(10))
    0.879625661
    """
    cut = _checks.array("cut", cut, low=0, open="low")
    nodes, weights = np.polynomial.legendre.leggauss(64)
    top = np.minimum(cut, 9.0)  # beyond 9 the variance differs from 1 by less than rounding
    u = (nodes + 1) / 2
    density = weights * np.exp(-((top[..., None] * u) ** 2) / 2)
    return np.minimum(top * np.sqrt((density * u**2).sum(axis=-1) / density.sum(axis=-1)), 1.0)[()]


def sample_weights(
    rng: np.random.Generator, shape: int | tuple[int, ...], std: float, law: str = "truncated", *, cut: float = 2.0
) -> NDArray[np.float64]:
    r"""Return independent weights with mean 0 and exactly the standard deviation ``std``, whatever their law.

    Parameters
    ----------
    rng : numpy.random.Generator
        Advanced.
    shape : int or tuple of int
        Of the result.
    std : float
        The standard deviation that the weights have *after* truncation, positive.
    law : {"truncated", "normal", "uniform"}
        ``"uniform"`` is the one on ``[-sqrt(3) std, sqrt(3) std]``. ``"truncated"`` is the normal law on
        ``[-cut s, cut s]`` with ``s = std / truncated_normal_std(cut)``, drawn by inversion.
    cut : float
        For ``"truncated"``: where it is cut, in standard deviations of the uncut law.

    Returns
    -------
    w : ndarray
        Of that shape; for ``"truncated"`` within ``cut s`` of 0.

    Raises
    ------
    ValueError
        If ``std <= 0``, ``cut <= 0``, a length is negative or the law is unknown.

    References
    ----------
    .. [1] kexue.fm/archives/8620, result 1.

    Examples
    --------
    >>> w = sample_weights(np.random.default_rng(0), 10000, 0.1)
    >>> float(w.std().round(3)), float(abs(w).max().round(2))
    (0.1, 0.23)
    """
    rng = _checks.generator("rng", rng)
    lengths = shape if isinstance(shape, tuple | list) else (shape,)
    shape = tuple(_checks.integer("shape", length, low=0) for length in lengths)
    std = _checks.number("std", std, low=0, open="low")
    law = _checks.choice("law", law, ("truncated", "normal", "uniform"))
    cut = _checks.number("cut", cut, low=0, open="low")
    if law == "normal":
        w = rng.standard_normal(shape)
    elif law == "uniform":
        w = np.sqrt(3) * rng.uniform(-1, 1, shape)
    else:
        u = rng.uniform(-1, 1, shape)
        if cut < 1e-7:  # all digits of the density are those of a uniform law
            z = cut * np.abs(u)
        else:
            inside = 0.5 - normal_cdf(-cut)  # the probability of [0, cut]
            z = -normal_quantile(np.maximum(0.5 - inside * np.abs(u), 0.5**60))
        w = np.copysign(np.minimum(z, cut), u) / truncated_normal_std(cut)
    return _checks.result(std * w, "std")


def residual_weights(depth: int, scheme: str, *, branch_std: float = 1.0) -> NDArray[np.float64]:
    r"""Return the coefficients of ``x_0, F_0, ..., F_{l-1}`` in ``x_l`` at the start, branches having variance 1.

    Post-Norm ``x_{t+1} = Norm(x_t + s F_t)`` divides by ``r = sqrt(1 + s**2)`` each time: ``r**-l`` for ``x_0`` and
    ``s r**(t-l)`` for ``F_t``. Pre-Norm ``x_{t+1} = x_t + s F_t`` leaves ``1`` and ``s``.

    Parameters
    ----------
    depth : int
        Number ``l`` of branches, from 0 on.
    scheme : {"post", "pre"}
        Where the normalization stands.
    branch_std : float
        Standard deviation ``s`` of a branch, not negative; 0 is the identity (ReZero, SkipInit, Fixup).

    Returns
    -------
    weights : (depth + 1,) ndarray
        Their squares sum to 1 for ``"post"``, to ``1 + depth * branch_std**2`` for ``"pre"``.

    Raises
    ------
    ValueError
        If ``depth < 0``, ``branch_std < 0`` or the scheme is unknown.

    References
    ----------
    .. [1] kexue.fm/archives/8620, results 10 to 12.

    Examples
    --------
    >>> residual_weights(4, "post").round(3)
    array([0.25 , 0.25 , 0.354, 0.5  , 0.707])
    """
    depth = _checks.integer("depth", depth, low=0)
    scheme = _checks.choice("scheme", scheme, ("post", "pre"))
    s = _checks.number("branch_std", branch_std, low=0)
    weights = np.full(depth + 1, s)
    weights[0] = 1.0
    if scheme == "post":
        shares = weights / np.hypot(1, s)
        shares[0] = 1.0
        weights = shares * np.hypot(1, s) ** -np.r_[depth, np.arange(depth - 1, -1, -1)].astype(float)
    return weights


def layer_mean_squares(
    rng: np.random.Generator, depth: int, width: int, networks: int = 1, *, gain: float = 2.0
) -> NDArray[np.float64]:
    r"""Return the mean square of a signal after each layer of random relu networks, for weights ``N(0, gain / width)``.

    The input has mean square 1 and is fixed. Given a layer's input, its pre-activations are independent
    ``N(0, gain * mean square)``: the mean square is multiplied by ``(gain / width) chi2(k)``, where ``k`` positive ones
    of ``width`` are binomial. So this is the exact law of full networks, at a cost that does not depend on ``width``.

    Parameters
    ----------
    rng : numpy.random.Generator
        Advanced.
    depth : int
        Number of layers, from 0 on.
    width : int
        Entries of each layer, from 1 to ``2**53``.
    networks : int
        Number of independent networks.
    gain : float
        ``width`` times the variance of a weight, positive; 2 is the initialization of He.

    Returns
    -------
    mean_squares : (networks, depth + 1) ndarray
        With the mean ``(gain / 2)**l`` in column ``l``; 0 where all entries were negative once.

    Raises
    ------
    ValueError
        If an argument is out of range, or a mean square is beyond the largest double.

    References
    ----------
    .. [1] kexue.fm/archives/8620, result 3; Hanin and Nica, arXiv:1812.05994.

    Examples
    --------
    >>> layer_mean_squares(np.random.default_rng(0), 2, 256).round(1)
    array([[1. , 0.8, 1. ]])
    """
    rng = _checks.generator("rng", rng)
    depth, width = _checks.integer("depth", depth, low=0), _checks.integer("width", width, low=1, high=2**53)
    networks = _checks.integer("networks", networks, low=0)
    gain = _checks.number("gain", gain, low=0, open="low")
    positive = rng.binomial(width, 0.5, (networks, depth))
    factors = gain * (2 * rng.standard_gamma(positive / 2) / width)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        walk = np.cumprod(factors, axis=-1)
    return _checks.result(np.concatenate([np.ones((networks, 1)), walk], axis=-1), "gain")

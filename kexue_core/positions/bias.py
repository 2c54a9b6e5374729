"""What constant vectors in the query and key projections do under RoPE: a bias of the logits that depends on distance.

The key stands m positions before the query, so the logit is ``(R_m (q + a)) . (k + b)``. Of its four terms one holds
neither q nor k, the *bias kernel* ``g(m) = (R_m a) . b = sum_i A_i cos(m theta_i) + B_i sin(m theta_i)``. Coefficients
are stored as one vector c, a pair ``(c[2i], c[2i+1]) = (A_i, B_i)`` for each frequency.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.positions.rope import rotate

__all__ = [
    "bias_kernel",
    "bias_pair",
    "logit_terms",
    "fit_bias_kernel",
    "kernel_spectrum",
    "invisible_bias",
    "attention_by_band",
]

Array = NDArray[np.float64]


def bias_kernel(m: ArrayLike, a: ArrayLike, b: ArrayLike, theta: ArrayLike) -> Array:
    """Return ``g(m) = (R_m a) . b``, what a query bias a and a key bias b add to the logit of a key m positions back.

    With ``alpha_i = a[2i] + 1j a[2i+1]`` and beta likewise it is ``Re sum_i alpha_i conj(beta_i) exp(1j m theta_i)``.

    Parameters
    ----------
    m : (...) array_like
        Real distances.
    a, b : (..., d) array_like
        Neighbours form a pair, as in `rotate`. The leading axes are broadcast.
    theta : (d/2,) array_like

    Returns
    -------
    (..., *m.shape) ndarray or float
        One kernel for each pair of biases; ``g(0) = a . b`` and ``|g| <= |a| |b|``. Not divided by ``sqrt(d)``.

    Raises
    ------
    ValueError
        If ``theta`` is empty, a last axis is not twice as long, the leading axes do not broadcast, or a value or an
        angle is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9577, the fourth term of equation 3.

    Examples
    --------
    >>> a = [1.0, 0.0, 1.0, 0.0]
    >>> bias_kernel([0, 1, 2], a, a, [np.pi / 2, np.pi / 4]).round(3)
    array([ 2.   ,  0.707, -1.   ])
    """
    m, theta = _checks.array("m", m), _checks.array("theta", theta, ndim=1, core=1)
    a, b = _pair("a", a, theta), _pair("b", b, theta)
    _checks.broadcast(("a", a, 1), ("b", b, 1))
    with np.errstate(over="ignore", invalid="ignore"):
        angle = _checks.result(m.reshape(-1, 1) * theta, "m", "theta")
        weight = _complex(a) * _complex(b).conj()
        g = weight.real @ np.cos(angle).T - weight.imag @ np.sin(angle).T
    return _checks.result(g.reshape(weight.shape[:-1] + m.shape), "a", "b")


def bias_pair(c: ArrayLike) -> tuple[Array, Array]:
    """Return the shortest biases whose kernel is ``sum_i c[2i] cos(m theta_i) + c[2i+1] sin(m theta_i)``.

    Pair i gets ``alpha_i = sqrt|z_i|`` and ``beta_i = z_i / sqrt|z_i|`` with ``z_i = c[2i] + 1j c[2i+1]``.

    Parameters
    ----------
    c : (..., d) array_like
        The last axis of even length.

    Returns
    -------
    a, b : (..., d) ndarray
        ``|a|^2 = |b|^2 = sum_i |z_i|``; no biases with the same kernel have a smaller ``|a|^2 + |b|^2``.

    Raises
    ------
    ValueError
        If the last axis is empty or odd, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9577, the fourth term of equation 3, read backwards.

    Examples
    --------
    >>> a, b = bias_pair([3.0, 4.0])
    >>> a.round(3), b.round(3)
    (array([2.236, 0.   ]), array([1.342, 1.789]))
    """
    c = _checks.array("c", c, core=1)
    if c.shape[-1] % 2:
        raise ValueError(f"c must have a last axis of even length, got shape {c.shape}")
    z = _complex(c)
    with np.errstate(over="ignore"):
        root = _checks.result(np.sqrt(np.abs(z)), "c")
    a = np.zeros(c.shape)
    a[..., 0::2] = root
    b = z / np.where(root > 0, root, 1.0)
    return a, np.ascontiguousarray(b).view(float)


def logit_terms(
    m: ArrayLike, q: ArrayLike, k: ArrayLike, a: ArrayLike, b: ArrayLike, theta: ArrayLike
) -> Array:  # fmt: skip
    """Return the four terms of ``(R_m (q + a)) . (k + b)`` for one query and the keys at distances m behind it.

    They are ``(R_m q) . k``, ``(R_m a) . k``, ``(R_m q) . b`` and the kernel ``(R_m a) . b``.

    Parameters
    ----------
    m : (n,) array_like
        Real distances.
    q : (..., d) array_like
    k : (..., n, d) array_like
        One key for each distance.
    a, b : (..., d) array_like
        The leading axes of q, k, a and b are broadcast.
    theta : (d/2,) array_like

    Returns
    -------
    (..., 4, n) ndarray
        Their sum over the axis of 4 is the logit, not divided by ``sqrt(d)``.

    Raises
    ------
    ValueError
        If a shape does not fit, or a value or an angle is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9577, equation 3.

    Examples
    --------
    >>> logit_terms([0.0, 1.0], [1, 0], [[1, 0], [1, 0]], [2, 0], [0, 1], [np.pi / 2]).round(3)
    array([[1., 0.],
           [2., 0.],
           [0., 1.],
           [0., 2.]])
    """
    m, theta = _checks.array("m", m, ndim=1), _checks.array("theta", theta, ndim=1, core=1)
    q, a, b = _pair("q", q, theta), _pair("a", a, theta), _pair("b", b, theta)
    k = _pair("k", k, theta)
    if k.ndim < 2 or k.shape[-2] != m.size:
        raise ValueError(f"k must have one row for each of the {m.size} distances, got shape {k.shape}")
    lead = _checks.broadcast(("q", q, 1), ("k", k, 2), ("a", a, 1), ("b", b, 1))
    with np.errstate(over="ignore", invalid="ignore"):
        q, a = rotate(q[..., None, :], m, theta), rotate(a[..., None, :], m, theta)
        b = b[..., None, :]
        terms = [np.broadcast_to((x * y).sum(axis=-1), (*lead, m.size)) for y in (k, b) for x in (q, a)]
        return _checks.result(np.stack(terms, axis=-2), "q", "k", "a", "b")


def fit_bias_kernel(target: ArrayLike, theta: ArrayLike, ridge: float) -> Array:
    """Return the coefficients of the kernel nearest to a target on the distances 0 ... L-1.

    They minimize ``sum_m (g(m) - target[m])^2 + ridge |c|^2``. For small ridges what lies beyond L is decided by the
    ridge, not by the target.

    Parameters
    ----------
    target : (..., L) array_like
        Logits, as many as distances; not empty.
    theta : (k,) array_like
    ridge : float
        Positive.

    Returns
    -------
    (..., 2k) ndarray
        For `bias_pair`; at most ``|target| / (2 sqrt(ridge))`` long.

    Raises
    ------
    ValueError
        If ``target`` or ``theta`` is empty, ``ridge`` is not positive, or a value or an angle is not finite.

    References
    ----------
    .. [1] arXiv:2108.12409 (the line that the chapter fits).

    Examples
    --------
    >>> fit_bias_kernel([1.0, 2.0, -1.0, -2.0], [np.pi / 2], 1e-9).round(3)
    array([1., 2.])
    """
    target = _checks.array("target", target, core=1)
    ridge = _checks.number("ridge", ridge, low=0, open="low")
    u, s, v = np.linalg.svd(_waves(target.shape[-1], theta), full_matrices=False)
    with np.errstate(over="ignore", invalid="ignore"):
        return _checks.result((target @ u * (s / (s * s + ridge))) @ v, "target", "ridge")


def kernel_spectrum(length: int, theta: ArrayLike) -> Array:
    """Return how strongly kernels of unit coefficients move the logits below a length, in the principal directions.

    The singular values over ``sqrt(length)`` of the matrix with the rows ``(cos m theta_0, sin m theta_0, ...)``,
    m = 0 ... length-1, less their mean, because softmax does not see a constant.

    Parameters
    ----------
    length : int
        At least 1.
    theta : (k,) array_like

    Returns
    -------
    (2k,) ndarray
        Decreasing: root mean squares of logits. Directions far below 1 cannot be learned from these distances.

    Raises
    ------
    ValueError
        If ``length < 1``, ``theta`` is empty, or a value or an angle is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9577, the note on reproducibility.

    Examples
    --------
    >>> kernel_spectrum(4, [np.pi / 2, 0.01]).round(3)
    array([0.707, 0.707, 0.005, 0.   ])
    """
    length = _checks.integer("length", length, low=1)
    waves = _waves(length, theta)
    s = np.linalg.svd((waves - waves.mean(axis=0)) / np.sqrt(length), compute_uv=False)
    return np.pad(s, (0, waves.shape[1] - s.size))


def invisible_bias(train_length: int, test_length: int, theta: ArrayLike, *, tolerance: float = 1e-3) -> Array:
    """Return a kernel that is flat on the trained distances and lifts the others.

    Of all c with ``s(c)^2 / tolerance^2 + |c|^2 = 1``, s the standard deviation of g over m < train_length, the result
    has the direction of the one with the largest lift: the mean of g over train_length ... test_length-1, less that
    over m < train_length.

    Parameters
    ----------
    train_length, test_length : int
        ``1 <= train_length < test_length``.
    theta : (k,) array_like
    tolerance : float
        Positive.

    Returns
    -------
    (2k,) ndarray
        Coefficients of norm 1, for `bias_pair`.

    Raises
    ------
    ValueError
        If a length or ``tolerance`` breaks its rule, ``theta`` is empty or all zero, or a value or an angle is not
        finite.

    References
    ----------
    .. [1] kexue.fm/archives/9577, the note on reproducibility.

    Examples
    --------
    >>> c = invisible_bias(512, 4096, 10000.0 ** (-np.arange(64) / 64))
    >>> g = bias_kernel([0, 511, 4096], *bias_pair(c), 10000.0 ** (-np.arange(64) / 64))
    >>> (g - g[0]).round(2)
    array([0.  , 0.  , 5.32])
    """
    train_length = _checks.integer("train_length", train_length, low=1)
    test_length = _checks.integer("test_length", test_length, low=train_length + 1)
    tolerance = _checks.number("tolerance", tolerance, low=0, open="low")
    waves = _waves(test_length, theta)
    near = waves[:train_length]
    lift = waves[train_length:].mean(axis=0) - near.mean(axis=0)
    _, s, v = np.linalg.svd((near - near.mean(axis=0)) / np.sqrt(train_length), full_matrices=False)
    c = lift - (s * s / (s * s + tolerance * tolerance) * (v @ lift)) @ v
    size = np.linalg.norm(c)
    if size == 0:
        raise ValueError(f"theta must hold a frequency that is not zero, got {theta}")
    return c / size


def attention_by_band(logits: ArrayLike, edges: ArrayLike) -> Array:
    """Return the share of the attention, ``softmax(logits)``, that falls on each band of distances.

    Parameters
    ----------
    logits : (..., n) array_like
        Of the keys at the distances 0 ... n-1.
    edges : (k + 1,) array_like of int
        Increasing, from 0 to n at most; band j holds the distances ``edges[j] ... edges[j+1] - 1``.

    Returns
    -------
    (..., k) ndarray
        Not negative; the sum is 1 if the edges run from 0 to n.

    Raises
    ------
    ValueError
        If ``logits`` is empty along its last axis or not finite, or ``edges`` does not increase within 0 ... n.

    References
    ----------
    .. [1] kexue.fm/archives/9577, on localized attention.

    Examples
    --------
    >>> attention_by_band([0.0, 0.0, 0.0, np.log(2.0)], [0, 1, 3, 4])
    array([0.2, 0.4, 0.4])
    """
    logits = _checks.array("logits", logits, core=1)
    edges = _checks.array("edges", edges, kind="integer", ndim=1, low=0, high=logits.shape[-1])
    if edges.size < 2 or (np.diff(edges) <= 0).any():
        raise ValueError(f"edges must increase and hold at least two, got {edges}")
    with np.errstate(under="ignore"):
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return np.add.reduceat(p[..., : edges[-1]], edges[:-1], axis=-1)


def _pair(name, x, theta):
    return _checks.array(name, x, core=1, last=2 * theta.size)


def _complex(x):
    return np.ascontiguousarray(x).view(complex)


def _waves(length, theta):
    """Return the rows ``(cos m theta_0, sin m theta_0, ...)`` for m = 0 ... length-1."""
    theta = _checks.array("theta", theta, ndim=1, core=1)
    return rotate(np.tile([1.0, 0.0], theta.size), np.arange(length), theta)

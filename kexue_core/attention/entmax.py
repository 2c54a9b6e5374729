"""The sparse family from softmax to sparsemax and beyond: entmax, its Jacobian, its loss and its support.

One identity carries it: with ``beta = alpha - 1``, softmax is ``exp(x - lambda)``, entmax replaces ``exp(v)`` by
``relu(1 + beta v)**(1/beta)``, and ``lambda`` is in both cases what makes the sum 1. The arguments are those of
`kexue_core.attention.simplex`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention._common import axis_back, log_sum_exp, shifted_logits

__all__ = ["sparsemax", "entmax", "entmax_jacobian", "entmax_loss", "support_size"]


def sparsemax(x: ArrayLike, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.float64]:
    """Return the point ``p = relu(x / tau - lambda)`` of the simplex nearest to ``x / tau``: entmax of alpha 2.

    Parameters
    ----------
    x, axis, tau
        As in `softmax`.

    Returns
    -------
    p : (..., n) ndarray
        Nonnegative, sums to 1 along ``axis``; one-hot iff the largest logit leads by at least ``tau``.

    Raises
    ------
    ValueError
        As in `softmax`.

    References
    ----------
    .. [1] kexue.fm/archives/10145, result 9; Martins and Astudillo, arXiv:1602.02068.

    Examples
    --------
    >>> sparsemax([-2, 0, 0.5]).round(3)
    array([0.  , 0.25, 0.75])
    """
    return entmax(x, 2.0, axis=axis, tau=tau)


def entmax(x: ArrayLike, alpha: float = 1.5, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.float64]:
    """Return ``p = relu(beta x / tau - lambda)**(1/beta)``, where ``beta = alpha - 1`` and ``lambda`` makes the sum 1.

    It maximizes ``p.x / tau + sum_i (p_i - p_i**alpha) / (alpha (alpha - 1))`` over the simplex. Alpha 1 is softmax, 2
    is sparsemax. Alpha 1.5 and 2 are in closed form after a sort; the others are a root found to rounding error.

    Parameters
    ----------
    x, axis, tau
        As in `softmax`.
    alpha : float
        At least 1; a larger one gives more zeros.

    Returns
    -------
    p : (..., n) ndarray
        Nonnegative, sums to 1 along ``axis``; one-hot iff ``beta`` times the lead of the largest logit reaches ``tau``.

    Raises
    ------
    ValueError
        As in `softmax`, and if ``alpha < 1``.

    References
    ----------
    .. [1] kexue.fm/archives/10145, results 12 and 13; Peters, Niculae and Martins, arXiv:1905.05702.

    Examples
    --------
    >>> entmax([-2, 0, 0.5]).round(3)
    array([0.   , 0.326, 0.674])
    """
    alpha = _checks.number("alpha", alpha, low=1)
    u, _, _ = shifted_logits(x, axis, tau)
    return axis_back(_entmax_last(u, alpha), axis)


def entmax_jacobian(x: ArrayLike, alpha: float = 1.5, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.float64]:
    """Return ``dp_i/dx_j = (s_i [i = j] - s_i s_j / sum(s)) / tau``, ``s = p**(2 - alpha)`` on the support, else 0.

    Parameters
    ----------
    x, alpha, axis, tau
        As in `entmax`: alpha 1 gives the Jacobian of softmax, 2 that of sparsemax.

    Returns
    -------
    J : (..., n, n) ndarray
        Symmetric, positive semidefinite, rows sum to 0; ``axis`` is replaced by two axes at the end. Where an entry is
        just about to leave the support (there entmax has no derivative) it is that of the side that `entmax` chose.

    Raises
    ------
    ValueError
        As in `entmax`, and if the derivative is beyond the largest double.

    References
    ----------
    .. [1] kexue.fm/archives/10145, results 2, 10 and (left to the reader there) 14; arXiv:1905.05702, Proposition 2.

    Examples
    --------
    >>> entmax_jacobian([0.3, 0.1, -0.5], 2).round(3) + 0.0
    array([[ 0.5, -0.5,  0. ],
           [-0.5,  0.5,  0. ],
           [ 0. ,  0. ,  0. ]])
    """
    alpha = _checks.number("alpha", alpha, low=1)
    u, _, tau = shifted_logits(x, axis, tau)
    p = _entmax_last(u, alpha)
    log_p = np.log(p, out=np.zeros_like(p), where=p > 0)
    # s is unbounded at the border of the support for alpha > 2. J is not, if only one entry is there: cut its s where
    # the sum is still finite.
    log_s, cut = np.where(p > 0, (2 - alpha) * log_p, 0), 709 - np.log(p.shape[-1])
    if ((log_s > cut).sum(axis=-1) > 1).any():
        raise ValueError(f"x and alpha must keep the result finite, got alpha {alpha:g}")
    s = np.where(p > 0, np.exp(np.minimum(log_s, cut)), 0)
    J = -s[..., :, None] * (s / s.sum(axis=-1, keepdims=True))[..., None, :]
    # The diagonal s - s^2 / sum(s) cancels when one entry has nearly all the mass; minus the rest of the row does not.
    i = np.arange(p.shape[-1])
    J[..., i, i] = 0
    J[..., i, i] = -J.sum(axis=-1)
    with np.errstate(over="ignore"):
        return _checks.result(J / tau, "tau")


def entmax_loss(
    x: ArrayLike, t: ArrayLike, alpha: float = 1.5, *, axis: int = -1, tau: float = 1.0
) -> NDArray[np.float64]:
    """Return the Fenchel-Young loss of entmax, the one whose gradient in ``x`` is ``entmax(x) - onehot(t)``.

    It is ``p.x - x_t + tau sum_i (p_i - p_i**alpha) / (alpha (alpha - 1))`` at ``p = entmax(x, alpha, tau=tau)``. Alpha
    1 is the cross entropy ``logsumexp(x, tau=tau) - x_t``, 2 the sparsemax loss.

    Parameters
    ----------
    x, alpha, axis, tau
        As in `entmax`.
    t : (...) array_like of int
        Index of the target along ``axis``, broadcast to the other axes of ``x``.

    Returns
    -------
    loss : (...) ndarray or float
        Convex in ``x`` and nonnegative; for ``alpha > 1`` it is 0 iff ``(alpha - 1) (x_t - x_j) >= tau`` for all other
        ``j``. It is ``inf`` where ``x_t`` is ``-inf`` or beyond
        the largest double. Absolute error about 1e-15 times ``max(x) - x_t + tau``.

    Raises
    ------
    ValueError
        As in `entmax`, and if an entry of ``t`` is not an index.
    TypeError
        If ``t`` does not hold integers.

    References
    ----------
    .. [1] kexue.fm/archives/10145, results 3 and 11; Blondel, Martins and Niculae, arXiv:1901.02324.

    Examples
    --------
    >>> [float(entmax_loss([1.0, 0.0], 0, alpha).round(3)) for alpha in (1, 1.5, 2)]
    [0.313, 0.062, 0.0]
    """
    alpha = _checks.number("alpha", alpha, low=1)
    u, _, tau = shifted_logits(x, axis, tau)
    u_t = np.take_along_axis(u, _target(t, u.shape)[..., None], -1)[..., 0]
    if alpha == 1:
        return tau * (log_sum_exp(u) - u_t)
    p = _entmax_last(u, alpha)
    log_p = np.log(p, out=np.zeros_like(p), where=p > 0)
    # (p - p**alpha) / (alpha - 1) loses all digits as alpha -> 1; expm1 keeps them. u = -inf must not meet p = 0.
    entropy = -p * np.expm1((alpha - 1) * log_p) / (alpha * (alpha - 1))
    conjugate = (np.multiply(p, u, out=np.zeros_like(p), where=p > 0) + entropy).sum(axis=-1)
    return tau * np.maximum(conjugate - u_t, 0)


def support_size(x: ArrayLike, alpha: float = 1.5, *, axis: int = -1, tau: float = 1.0) -> NDArray[np.int64]:
    """Return how many entries of ``entmax(x, alpha)`` are positive, without solving for ``lambda``.

    With ``z = (alpha - 1) x / tau`` in descending order, entry ``k`` is positive iff
    ``h_k = sum_{i <= k} (z_i - z_k)**(1 / (alpha - 1)) < 1``; ``h_k`` never falls, so these ``k`` come first.

    Parameters
    ----------
    x, alpha, axis, tau
        As in `entmax`.

    Returns
    -------
    size : (...) ndarray of int, or int
        From 1 to ``n``; for alpha 1 the number of finite logits. An entry that is 0 only because it is below the
        smallest double counts as positive.

    Raises
    ------
    ValueError
        As in `entmax`.

    References
    ----------
    .. [1] kexue.fm/archives/10145, result 13, whose remark that the largest ``k`` does not suffice is not correct.

    Examples
    --------
    >>> [int(support_size([2, 1.5, 0.3, -0.5, -2], alpha)) for alpha in (1, 1.25, 1.5, 2, 3)]
    [5, 4, 2, 2, 1]
    """
    alpha = _checks.number("alpha", alpha, low=1)
    u, _, _ = shifted_logits(x, axis, tau)
    if alpha == 1:
        return np.isfinite(u).sum(axis=-1)
    z = _scaled(u, alpha - 1)
    return (z >= _least_supported(z, alpha - 1)).sum(axis=-1)


def _entmax_last(u, alpha):
    """Entmax along the last axis of ``u``, whose maximum there is 0."""
    beta = alpha - 1
    if beta == 0:
        p = np.exp(u)
    elif beta < 1 and beta != 0.5:
        p = _newton_below_2(u, beta)
    else:
        z = _scaled(u, beta)
        least = _least_supported(z, beta)
        kept = z >= least
        size = kept.sum(axis=-1, keepdims=True)
        if beta == 1:
            p = z - (z.sum(axis=-1, keepdims=True, where=kept) - 1) / size
        elif beta == 0.5:
            mean = z.sum(axis=-1, keepdims=True, where=kept) / size
            spread = np.square(z - mean).sum(axis=-1, keepdims=True, where=kept)
            # spread <= h_K < 1, so the root exists without clamping
            p = np.square(z - mean + np.sqrt((1 - spread) / size))
        else:
            p = _newton_above_2(z - least, kept, size, beta)
        p = np.where(kept, np.maximum(p, 0), 0)
    return p / p.sum(axis=-1, keepdims=True)


# Both Newton iterations solve sum(p) = 1 for the probability t of ONE entry, from which the others follow as
# p_i = relu(t**beta + z_i - z_ref)**(1/beta), dp_i/dt = (p_i / t)**(1 - beta). For beta < 1 that is the largest entry,
# for beta > 1 the least supported one: then each p_i is convex and increasing in t and the sum has slope >= 1, so that
# Newton from above decreases to the root and cannot overshoot. In lambda the slope would be 0 or infinite at a border.
_ROUNDS, _ROUNDING = 100, 8 * np.finfo(float).eps


def _newton_below_2(u, beta):
    t = np.ones((*u.shape[:-1], 1))
    for _ in range(_ROUNDS):
        ratio = _scaled(u, beta / t**beta)
        # log1p keeps the limit beta -> 0, exp(u): the plain power multiplies the rounding of 1 + ratio by 1 / beta
        with np.errstate(divide="ignore"):
            slope = np.exp((1 - beta) / beta * np.log1p(ratio))
        p = t * (1 + ratio) * slope
        step = (p.sum(axis=-1, keepdims=True) - 1) / slope.sum(axis=-1, keepdims=True)
        if (step <= _ROUNDING * t).all():
            break
        t = t - step
    return p


def _newton_above_2(gap, kept, size, beta):
    # In logarithms: t**beta is below the smallest double already for t = 1e-4, beta = 80.
    log_gap = np.log(gap, out=np.full_like(gap, -np.inf), where=gap > 0)
    t = 1 / size
    for _ in range(_ROUNDS):
        log_p = np.logaddexp(log_gap, beta * np.log(t)) / beta
        p = np.where(kept, np.exp(log_p), 0)
        excess = p.sum(axis=-1, keepdims=True) - 1
        if (excess <= _ROUNDING).all():
            break
        slope = np.where(kept, np.exp((beta - 1) * (np.log(t) - log_p)), 0)
        t = np.maximum(t - excess / slope.sum(axis=-1, keepdims=True), np.finfo(float).tiny)
    return p


def _least_supported(z, beta):
    """Return the smallest entry of each row that has ``h_k = sum_{i<=k} (z_i - z_k)**(1/beta) < 1``, rows sorted."""
    z = np.sort(z, axis=-1)[..., ::-1]
    z = z[..., : (z > -1).sum(axis=-1).max(initial=1)]  # at -1 an entry is cut: h_k >= 1
    k = np.arange(1, z.shape[-1] + 1)
    if beta == 1:
        inside = (np.cumsum(z, axis=-1) - k * z < 1).sum(axis=-1, keepdims=True) - 1
        return np.take_along_axis(z, inside, -1)
    if beta == 0.5:
        h = np.cumsum(z * z, axis=-1) - 2 * z * np.cumsum(z, axis=-1) + k * z * z
        return np.take_along_axis(z, (h < 1).sum(axis=-1, keepdims=True) - 1, -1)
    # h_k is nondecreasing in k: bisection costs log2(n) sums instead of n
    inside = np.zeros((*z.shape[:-1], 1), dtype=int)
    outside = np.full_like(inside, z.shape[-1])
    for _ in range(z.shape[-1].bit_length()):
        k = (inside + outside) // 2
        h = (np.maximum(z - np.take_along_axis(z, k, -1), 0) ** (1 / beta)).sum(axis=-1, keepdims=True)
        inside, outside = np.where(h < 1, k, inside), np.where(h < 1, outside, k)
    return np.take_along_axis(z, inside, -1)


def _scaled(u, factor):
    """Return ``factor * u`` cut at -1, below which no entry has support: no later step meets ``-inf``."""
    with np.errstate(over="ignore"):
        return np.maximum(factor * u, -1)


def _target(t, shape):
    t = _checks.array("t", t, kind="integer", low=0, high=shape[-1] - 1)
    try:
        return np.broadcast_to(t, shape[:-1])
    except ValueError:
        raise ValueError(f"t must broadcast to shape {shape[:-1]}, got shape {t.shape}") from None

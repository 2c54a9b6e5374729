"""Affine idempotent generative networks (IGN), whose training has closed forms; for others see ``idempotent_net``.

One map ``G`` is judge and player at once: the judge's score of a point is ``|G(x) - x|^2``. With ``G'`` for a copy of
``G`` that is held fixed while the loss is differentiated, training descends on

    E |G(x) - x|^2 + lam_idem E |G'(G(z)) - G(z)|^2 - lam_tight E |G(G'(z)) - G'(z)|^2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["ign_equilibria", "ign_gradient", "ign_descent"]

Array = NDArray[np.float64]


def ign_equilibria(var: float, lam_idem: float, lam_tight: float) -> tuple[Array, Array]:
    """Return the rests of ``G(x) = w x`` for data of variance ``var``: the real zeros of the gradient.

    ``g(w) = 2 (w - 1) [var + lam_idem w (w - 1) - lam_tight w^2]``.

    Parameters
    ----------
    var : float
        Variance of the data, positive; the noise has variance 1.
    lam_idem, lam_tight : float
        Weights of idempotence and tightness, not negative; the reconstruction has weight 1.

    Returns
    -------
    w : (k,) ndarray
        Rests, ``1 <= k <= 3``, strictly increasing; 1 is among them.
    slope : (k,) ndarray
        Of ``g`` there: positive where descent comes to rest, negative where it leaves, 0 at a double zero.

    Raises
    ------
    ValueError
        If ``var <= 0``, a weight is negative, or a zero is too large for a float.

    References
    ----------
    .. [1] kexue.fm/archives/9969, the final loss; Shocher et al., arXiv:2311.01462.

    Examples
    --------
    >>> w, slope = ign_equilibria(0.25, 1.0, 0.125)
    >>> w.round(6), slope > 0
    (array([0.369398, 0.773459, 1.      ]), array([ True, False,  True]))
    """
    var = _checks.number("var", var, low=0, open="low")
    idem, tight = (_checks.number(n, v, low=0) for n, v in (("lam_idem", lam_idem), ("lam_tight", lam_tight)))
    square, root = idem - tight, idem * idem - 4 * (idem - tight) * var
    _checks.result(np.array(root), "var", "lam_idem", "lam_tight")
    rises = {}  # of the bracket, at its zeros
    if var == tight:  # it is (w - 1) (square w - var)
        rises |= {var / square: var - square} if square else {}
    elif root >= 0:
        # The large root by adding numbers of one sign, the other from the product var / square of both.
        half = root**0.5
        sum_ = (idem + half) / 2
        rises |= {sum_ / square: half} if square else {}
        rises |= {var / sum_: -half} if half else {}
    w = np.array(sorted({1.0, *rises}))
    slope = 2 * np.where(w == 1, var - tight, (w - 1) * [rises.get(at, 0.0) for at in w.tolist()])
    return _checks.result(w, "var", "lam_idem", "lam_tight"), _checks.result(slope, "var", "lam_idem", "lam_tight")


def ign_gradient(
    W: ArrayLike, b: ArrayLike, *, mean: ArrayLike, cov: ArrayLike, lam_idem: ArrayLike, lam_tight: ArrayLike
) -> tuple[Array, Array]:
    """Return the gradient of the loss for ``G(x) = W x + b``, the copies held fixed, averaged over data and noise.

    With ``A = W - I``, ``r = A mean + b`` and ``s = A b + b``, it is for ``W``
    ``2 (A cov + r mean^T) + 2 lam_idem A^T A W - 2 lam_tight (A W W^T + s b^T)``
    and for ``b`` it is ``2 r + 2 lam_idem A^T s - 2 lam_tight s``.

    Parameters
    ----------
    W : (..., d, d) array_like
        Matrix of the map.
    b : (..., d) array_like
        What it adds.
    mean : (..., d) array_like
        Mean of the data.
    cov : (..., d, d) array_like
        Covariance matrix of the data, symmetric. The noise has mean 0 and the unit matrix.
    lam_idem, lam_tight : (...) array_like
        Weights of idempotence and tightness, not negative.

    Returns
    -------
    for_W : (..., d, d) ndarray
    for_b : (..., d) ndarray
        Both zero at the identity map and, for ``b = mean = 0``, at every projection onto a subspace that holds the
        data, orthogonal or oblique.

    Raises
    ------
    ValueError
        If the shapes do not fit, ``cov`` is not symmetric, a weight is negative, or the result is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9969, the final loss; Shocher et al., arXiv:2311.01462.

    Examples
    --------
    >>> for_W, for_b = ign_gradient([[0.5]], [0.0], mean=[0.0], cov=[[0.25]], lam_idem=1.0, lam_tight=0.0)
    >>> for_W.tolist(), for_b.tolist()
    ([[0.0]], [0.0])
    """
    W, b, data = _affine(W, b, mean, cov, lam_idem, lam_tight)
    with np.errstate(over="ignore", invalid="ignore"):
        for_W, for_b = _gradient(W, b, *data)
    return _checks.result(for_W, "W", "b", "mean", "cov"), _checks.result(for_b, "W", "b", "mean", "cov")


def ign_descent(
    W: ArrayLike,
    b: ArrayLike,
    *,
    mean: ArrayLike,
    cov: ArrayLike,
    lam_idem: ArrayLike,
    lam_tight: ArrayLike,
    rate: float = 0.01,
    steps: int = 1000,
    bound: float = 1e3,
) -> tuple[Array, Array]:
    """Train an affine IGN on exact averages: ``steps`` steps against `ign_gradient`, each ``rate`` times as long.

    A member of a batch of which an entry exceeds ``bound`` in size stays where it is from then on: it diverges.

    Parameters
    ----------
    W : (..., d, d) array_like
        Start of the matrix.
    b : (..., d) array_like
        Start of what is added.
    mean, cov, lam_idem, lam_tight : array_like
        As in `ign_gradient`.
    rate : float
        Positive.
    steps : int
        Not negative.
    bound : float
        Positive.

    Returns
    -------
    W : (steps + 1, ..., d, d) ndarray
    b : (steps + 1, ..., d) ndarray
        The start and the state after each step.

    Raises
    ------
    ValueError
        As `ign_gradient`; if ``rate`` or ``bound`` is not positive or ``steps`` is negative, or if a single step leads
        to a number that is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9969, the final loss.

    Examples
    --------
    >>> W, _ = ign_descent([[0.3]], [0.0], mean=[0.0], cov=[[0.25]], lam_idem=1.0, lam_tight=0.125, steps=5000)
    >>> W[-1].round(4).tolist()
    [[0.3694]]
    """
    W, b, data = _affine(W, b, mean, cov, lam_idem, lam_tight)
    rate, bound = (_checks.number(n, v, low=0, open="low") for n, v in (("rate", rate), ("bound", bound)))
    steps = _checks.integer("steps", steps, low=0)
    all_W, all_b = np.empty((steps + 1, *W.shape)), np.empty((steps + 1, *b.shape))
    all_W[0], all_b[0] = W, b
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(steps):
            W, b = all_W[k], all_b[k]
            for_W, for_b = _gradient(W, b, *data)
            np.subtract(W, rate * for_W, out=all_W[k + 1])
            np.subtract(b, rate * for_b, out=all_b[k + 1])
            if not max(np.abs(W).max(initial=0), np.abs(b).max(initial=0)) <= bound:
                inside = (np.abs(W).max(axis=(-2, -1)) <= bound) & (np.abs(b).max(axis=-1) <= bound)
                np.copyto(all_W[k + 1], W, where=~inside[..., None, None])
                np.copyto(all_b[k + 1], b, where=~inside[..., None])
    return _checks.result(all_W, "W", "rate", "bound"), _checks.result(all_b, "W", "rate", "bound")


def _affine(W, b, mean, cov, lam_idem, lam_tight):
    W, b = _checks.array("W", W, core=2), _checks.array("b", b, core=1)
    mean, cov = _checks.array("mean", mean, core=1), _checks.array("cov", cov, core=2)
    d = W.shape[-1]
    for name, value, core in (("W", W, 2), ("b", b, 1), ("mean", mean, 1), ("cov", cov, 2)):
        if value.shape[-core:] != (d,) * core:
            raise ValueError(f"{name} must end in the axes {(d,) * core}, got shape {value.shape}")
    if (np.abs(cov - cov.swapaxes(-1, -2)) > 1e-9 * np.abs(cov).max(axis=(-2, -1), keepdims=True)).any():
        raise ValueError(f"cov must be symmetric, got {cov.tolist()}")
    weights = [_checks.array(n, v, low=0) for n, v in (("lam_idem", lam_idem), ("lam_tight", lam_tight))]
    named = (("W", W, 2), ("b", b, 1), ("mean", mean, 1), ("cov", cov, 2))
    leading = _checks.broadcast(*named, ("lam_idem", weights[0], 0), ("lam_tight", weights[1], 0))
    W, b = np.broadcast_to(W, (*leading, d, d)), np.broadcast_to(b, (*leading, d))
    with np.errstate(over="ignore"):
        return W, b, (np.eye(d), mean, cov, *(2 * weight[..., None] for weight in weights))


def _gradient(W, b, one, mean, cov, idem2, tight2):
    A = W - one
    rest, left = _apply(A, mean) + b, _apply(A, b) + b
    back = A.swapaxes(-1, -2)
    for_W = 2 * (A @ cov + rest[..., None] * mean[..., None, :]) + idem2[..., None] * (back @ A @ W)
    for_W -= tight2[..., None] * (A @ W @ W.swapaxes(-1, -2) + left[..., None] * b[..., None, :])
    return for_W, 2 * rest + idem2 * _apply(back, left) - tight2 * left


def _apply(A, v):
    return (A @ v[..., None])[..., 0]

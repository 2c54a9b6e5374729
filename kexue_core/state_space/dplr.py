"""Diagonal plus rank one: the LegS matrix of HiPPO in a unitary basis, as S4 computes with it.

``A = U (diag(lam) - p p^*) U^*`` with all ``lam`` on the line Re = -1/2. The system here is ``x' = A x + b u`` without
the ``1/t`` of LegS, read out by ``y = Re c^* x``; kernels of it are in `kernels`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.state_space._common import legendre, signal, size, system, transition

__all__ = ["dplr_legs", "skew_frequencies", "legs_impulse_response", "diagonal_gap", "dplr_scan"]


def dplr_legs(n: int) -> tuple[NDArray[np.complex128], NDArray[np.float64], NDArray[np.complex128]]:
    """Return (lam, p, U) with ``A = U (diag(lam) - p p^T) U^*`` for the LegS matrix A of size n.

    ``A + v v^T / 2 + I/2`` with ``v_i = sqrt(2i+1)`` is skew-symmetric, so U is unitary. The phases of its columns are
    such that ``p = U^* v / sqrt(2)`` is positive; then ``p_k^2 = 2 / sum_i (2i+1) / (w_k^2 + (i+1/2)^2)``, and the
    orthonormal input vector ``sqrt(2) v`` becomes ``2 p``. The frequencies w are `skew_frequencies`.

    Parameters
    ----------
    n : int

    Returns
    -------
    lam : (n,) ndarray
        ``-1/2 + 1j w``, w ascending. Entries i and -1-i are conjugates, exactly; so are the columns of U.
    p : (n,) ndarray
        Positive and symmetric; ``sum p^2 = n^2 / 2``.
    U : (n, n) ndarray
        Unitary to 1e-14 for n up to 256. Vectors of the new basis are ``U^* b`` and ``U^* c``.

    Raises
    ------
    ValueError
        If ``n < 1``.

    References
    ----------
    .. [1] kexue.fm/archives/10162, result 8; arXiv:2111.00396, Theorem 1.

    Examples
    --------
    >>> lam, p, U = dplr_legs(2)
    >>> lam.round(3), p.round(3)
    (array([-0.5-0.866j, -0.5+0.866j]), array([1., 1.]))
    """
    n = size(n)
    odd = 2.0 * np.arange(n) + 1
    v, w = np.sqrt(odd), skew_frequencies(n)
    outer = np.outer(v, v) / 2
    U = np.linalg.eigh(-1j * (np.triu(outer, 1) - np.tril(outer, -1)))[1]
    phase = v @ U.conj()
    U = _conjugate_pairs(U * (phase / np.abs(phase)))
    # conjugation costs a few digits of unitarity, which one step of Newton and Schulz brings back
    U = _conjugate_pairs(1.5 * U - U @ (U.conj().T @ U) / 2)
    return -0.5 + 1j * w, np.sqrt(2 / (odd / (w[:, None] ** 2 + odd**2 / 4)).sum(axis=1)), U


def _conjugate_pairs(U):
    """Make column i the conjugate of column -1-i."""
    n = len(U)
    U[:, : n // 2] = U[:, ::-1][:, : n // 2].conj()
    if n % 2:
        U[:, n // 2] = U[:, n // 2].real
    return U


def skew_frequencies(n: int) -> NDArray[np.float64]:
    """Return all ``Im lam`` of `dplr_legs` from one scalar equation, without a matrix.

    The characteristic polynomial is ``(prod_i (z + i + 1/2) + prod_i (z - i - 1/2)) / 2``. So the frequencies w >= 0
    solve ``sum_i arctan(2w / (2i+1)) = (m + 1/2) pi`` for even n, ``m pi`` for odd n, with m = 0, 1, ...; the left
    side grows with w. Bisection in ln w, then Newton; cost n^2.

    Parameters
    ----------
    n : int

    Returns
    -------
    (n,) ndarray
        Ascending and antisymmetric. The largest is ``n^2 / pi - pi / 6 + o(1)``.

    Raises
    ------
    ValueError
        If ``n < 1``.

    References
    ----------
    .. [1] kexue.fm/archives/10162, result 8, for the matrix; arXiv:2206.11893 for the law of its frequencies.

    Examples
    --------
    >>> skew_frequencies(4).round(4)
    array([-4.6033, -0.5565,  0.5565,  4.6033])
    """
    n = size(n)
    half, odd = n // 2, 2.0 * np.arange(n) + 1
    # what the sum lacks to n pi/2, arctan of the inverses, keeps the digits of the large frequencies
    lack = np.pi * (np.arange(half)[::-1] + 0.5)
    low, high = np.full(half, math.log(0.1)), np.full(half, 2 * math.log(n))
    for _ in range(16):
        middle = (low + high) / 2
        beyond = np.arctan(odd / (2 * np.exp(middle)[:, None])).sum(axis=1) < lack
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    w = np.exp((low + high) / 2)
    for _ in range(3):  # 2e-4, 4e-8, 2e-15
        ratio = odd / (2 * w[:, None])
        w = w * np.exp((np.arctan(ratio).sum(axis=1) - lack) / (ratio / (1 + ratio**2)).sum(axis=1))
    return np.concatenate([-w[::-1], np.zeros(n % 2), w])


def legs_impulse_response(n: int, t: ArrayLike) -> NDArray[np.float64]:
    """Return ``e^(At) b``, the weights with which the n numbers of an S4 state count the input t ago.

    ``f_i(t) = sqrt(2 (2i+1)) y p_i(2y - 1)`` with ``y = e^(-t)`` and the Legendre polynomial ``p_i``.

    Parameters
    ----------
    n : int
    t : (...) array_like
        Not negative.

    Returns
    -------
    (..., n) ndarray
        ``sqrt(2 (2i+1))`` at t = 0; ``int f_i f_k e^t dt = 2 [i = k]``.

    Raises
    ------
    ValueError
        If ``n < 1`` or ``t`` is negative or not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10162, result 2; arXiv:2206.12037.

    Examples
    --------
    >>> legs_impulse_response(3, 0.0).round(3)
    array([1.414, 2.449, 3.162])
    """
    n, t = size(n), _checks.array("t", t, low=0)
    y = np.exp(-t)
    return np.stack([math.sqrt(4 * i + 2) * y * p for i, p in enumerate(legendre(2 * y - 1, n))], axis=-1)


def diagonal_gap(n: int, s: ArrayLike) -> NDArray[np.complex128]:
    """Return ``rho(s) = prod_(i<n) (s - i) / (s + i + 1)``, the relative error of the diagonal copy of an S4 state.

    With ``A_N = A + v v^T / 2``: ``(s I - A)^(-1) b = (1 + rho(s)) (s I - A_N)^(-1) b / 2``. On the imaginary axis
    ``|rho(iw)| = w / sqrt(w^2 + n^2)``.

    Parameters
    ----------
    n : int
    s : (...) array_like
        Complex, Re s >= 0.

    Returns
    -------
    (...) ndarray or complex
        0 at s = 0, ..., n-1; modulus below 1.

    Raises
    ------
    ValueError
        If ``n < 1``, ``s`` is not finite or its real part is negative.

    References
    ----------
    .. [1] arXiv:2310.01698, Lemma 1, has the difference of both transfer functions in closed form.

    Examples
    --------
    >>> abs(diagonal_gap(64, [0.64j, 64j, 6400j])).round(4)
    array([0.01  , 0.7071, 1.    ])
    """
    n, s = size(n), _checks.array("s", s, kind="complex")
    if (s.real < 0).any():
        raise ValueError(f"s must have a real part that is not negative, got {s[s.real < 0].flat[0]}")
    product = np.ones(s.shape, dtype=complex)
    for i in range(n):
        product = product * ((s - i) / (s + i + 1))
    return product[()]


def dplr_scan(
    lam: ArrayLike, p: ArrayLike, b: ArrayLike, c: ArrayLike, step: float, u: ArrayLike
) -> NDArray[np.float64]:
    """Run the bilinear recursion of ``A = diag(lam) - p p^*`` over a signal, O(n) a sample: S4 as a recurrent network.

    ``Abar = 2 (I - hA/2)^(-1) - I`` is again diagonal plus rank one, so that a step is one product of n entries, one
    inner product and one multiple: ``x <- alpha x - g (m . x) + bbar u``.

    Parameters
    ----------
    lam, p : (n,) array_like
        Complex.
    b, c : (n,) array_like
        Complex.
    step : float
        The step h.
    u : (..., L) array_like
        Real samples.

    Returns
    -------
    (..., L) ndarray
        ``y_k = Re c^* x_(k+1)`` from the state 0: the convolution of ``u`` with `dplr_kernel`.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, ``step`` is not positive, ``I - hA/2`` is singular, or the
        state overflows.

    References
    ----------
    .. [1] kexue.fm/archives/10162, results 3 and 8.

    Examples
    --------
    >>> dplr_scan([-1.0], [0.0], [1.0], [1.0], 1.0, [1.0, 0.0, 0.0]).round(4)
    array([0.6667, 0.2222, 0.0741])
    """
    lam, p, b, c = system(lam, p, b, c)
    h, u = _checks.number("step", step, low=0, open="low"), signal(u)
    with np.errstate(all="ignore"):
        alpha, g, m, bbar = transition(lam, p, b, h)
        for value in (alpha, g, bbar):
            _checks.result(value, "lam", "p", "b", "step")
        x = np.zeros((*u.shape[:-1], len(lam)), dtype=complex)
        y = np.empty(u.shape)
        for k in range(u.shape[-1]):
            x = alpha * x - g * (x @ m)[..., None] + bbar * u[..., k, None]
            y[..., k] = (x @ c.conj()).real
    return _checks.result(y, "lam", "p", "u", "step")

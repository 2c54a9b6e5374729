"""Linear state space models ``x' = A x + b u``: the HiPPO matrices that make x a projection of the input's past.

The state holds the coefficients of the past in an orthonormal basis. Differentiating them in time gives A and b: with
a Fourier or Legendre basis on a sliding window, or a Legendre basis on the whole past (LegS, ``x' = (A x + b u) / t``,
whose recursions are in `legs`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.state_space._common import signal, size

__all__ = ["hippo_matrix", "discretize", "state_scan", "transfer_function", "legt_delay_response"]


def hippo_matrix(
    kind: str, n: int, *, window: float = 1.0, scaling: str = "orthonormal", feedback: float = 2.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the HiPPO pair (A, b) of ``x' = A x + b u`` or, for "legs", of ``x' = (A x + b u) / t``.

    With ``q_i = sqrt(2i+1)`` and window w, in the orthonormal scaling::

        "legt"     A_ij = -q_i q_j / w * (1 if j < i else (-1)^(i-j))              b_i = sqrt(2) q_i / w
        "legs"     A_ij = -q_i q_j if j < i, -(i+1) if j = i, 0 if j > i           b_i = sqrt(2) q_i
        "fourier"  A_ij = (2 pi 1j f_i [i = j] - feedback) / w,  f_i = i - (n-1)/2    b_i = feedback / w

    "legs" is exact. "legt" replaces ``u(T-w)`` by the value of the truncated series there, and so does "fourier":
    by ``sum_i x_i`` with ``feedback=1`` (the article), by ``2 sum_i x_i - u(T)`` with 2. At a jump a Fourier series
    tends to the mean of both sides, so only 2 forgets after one window: with feedback a and n to infinity, the window
    j windows ago enters with the weight ``2a/(2+a) ((2-a)/(2+a))^j``, for 1 that is 2/3, 2/9, 2/27, ...

    Parameters
    ----------
    kind : {"legt", "legs", "fourier"}
    n : int
        Number of coefficients; odd for "fourier", whose frequencies run from ``-(n-1)/2`` to ``(n-1)/2``.
    window : float
        Length w of the window; "legs" has none.
    scaling : {"orthonormal", "paper", "lmu"}
        Coefficient i belongs to ``q_i p_i / sqrt(2)``, to ``q_i p_i`` or to the Legendre polynomial ``p_i`` itself;
        "fourier" has the first only.
    feedback : float
        Of "fourier".

    Returns
    -------
    A : (n, n) ndarray
        Complex for "fourier". All eigenvalues have negative real parts; those of "legs" are ``-1, ..., -n``.
    b : (n,) ndarray
        ``-A^(-1) b``, the state of a constant input 1, is ``(sqrt(2), 0, ...)`` for the orthonormal Legendre kinds.

    Raises
    ------
    ValueError
        If ``kind`` or ``scaling`` is unknown, ``n < 1`` or even for "fourier", ``window`` or ``feedback`` not
        positive, or an option is given to a kind that does not have it.

    References
    ----------
    .. [1] kexue.fm/archives/10114, results 3 and 6 to 8; arXiv:2008.07669, Theorems 1 and 2. The article prints
       ``2/sqrt(2n+1)`` for "lmu"; the factor that gives its ``B_n`` is ``sqrt(2/(2n+1))``.
    .. [2] arXiv:2206.12037 for the Fourier kinds.

    Examples
    --------
    >>> A, b = hippo_matrix("legs", 3, scaling="lmu")
    >>> A
    array([[-1.,  0.,  0.],
           [-3., -2.,  0.],
           [-5., -5., -3.]])
    >>> b
    array([1., 3., 5.])
    """
    n = size(n)
    _checks.choice("kind", kind, ("legt", "legs", "fourier"))
    _checks.choice("scaling", scaling, ("orthonormal", "paper", "lmu"))
    window = _checks.number("window", window, low=0, open="low")
    feedback = _checks.number("feedback", feedback, low=0, open="low")
    if kind == "legs" and window != 1:
        raise ValueError(f"window must be left at 1.0 for 'legs', which keeps the whole past, got {window}")
    if kind == "fourier":
        if n % 2 == 0:
            raise ValueError(f"n must be odd for 'fourier', got {n}")
        if scaling != "orthonormal":
            raise ValueError(f"scaling must be 'orthonormal' for 'fourier', got {scaling!r}")
        frequencies = np.arange(n) - n // 2
        with np.errstate(over="ignore", invalid="ignore"):
            A = _checks.result((2j * np.pi * np.diag(frequencies) - feedback) / window, "window", "feedback")
        return A, np.full(n, feedback / window, dtype=complex)
    if feedback != 2:
        raise ValueError(f"feedback must be left at 2.0 for {kind!r}, which has none, got {feedback}")
    i = np.arange(n)
    q = np.sqrt(2.0 * i + 1)
    # the basis function of coefficient i is factor_i times p_i, and rescaling it is a similarity of A
    factor = {"orthonormal": q / math.sqrt(2), "paper": q, "lmu": np.ones(n)}[scaling]
    rows, columns = (2 * i + 1) / factor, factor
    if kind == "legt":
        sign = np.where(i[:, None] > i, 1.0, 1.0 - 2.0 * ((i[:, None] - i) % 2))
        with np.errstate(over="ignore"):
            A = -np.outer(rows, columns) * sign / window
        return _checks.result(A, "window"), rows / window
    A = np.zeros((n, n))
    lower = np.tril_indices(n, -1)
    A[lower] = -np.outer(rows, columns)[lower]
    A[i, i] = -(i + 1.0)
    return A, rows


def discretize(A: ArrayLike, b: ArrayLike, step: float, method: str = "zoh") -> tuple[NDArray[Any], NDArray[Any]]:
    """Turn ``x' = A x + b u`` into ``x_(k+1) = Abar x_k + bbar u_k`` for an input held constant over each step h.

    ::

        "forward"   Abar = I + hA                          bbar = h b                        order 1
        "backward"  Abar = (I - hA)^(-1)                   bbar = h Abar b                   order 1
        "bilinear"  Abar = (I - hA/2)^(-1) (I + hA/2)      bbar = h (I - hA/2)^(-1) b        order 2
        "zoh"       Abar = e^(hA)                          bbar = int_0^h e^(sA) ds b        exact

    Parameters
    ----------
    A : (n, n) array_like
        Real or complex; singular is allowed.
    b : (n,) array_like
    step : float
        The step h.
    method : {"forward", "backward", "bilinear", "zoh"}

    Returns
    -------
    Abar : (n, n) ndarray
    bbar : (n,) ndarray
        With ``Abar`` keeps every steady state: ``A x + b u = 0`` gives ``Abar x + bbar u = x``. ``Abar`` does not
        depend on ``b``. "zoh" squares ``e^(hA/2^k)``: its rounding is about 1e-16 times the norm of ``hA``, all digits
        beyond 1e16, so that a stiff system is better given as the blocks that it falls into.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, ``step`` is not positive, ``method`` is unknown, or a result is
        beyond the largest double.
    numpy.linalg.LinAlgError
        If ``I - hA`` ("backward") or ``I - hA/2`` ("bilinear") is singular.

    References
    ----------
    .. [1] kexue.fm/archives/10137; arXiv:2008.07669, appendix B.3.

    Examples
    --------
    >>> Abar, bbar = discretize([[-1.0]], [1.0], 0.5)
    >>> Abar.round(3), bbar.round(3)
    (array([[0.607]]), array([0.393]))
    """
    A, b = _system(A, b)
    h = _checks.number("step", step, low=0, open="low")
    _checks.choice("method", method, ("forward", "backward", "bilinear", "zoh"))
    with np.errstate(all="ignore"):
        Abar, bbar = _discretized(A, b, h, method)
    return _checks.result(Abar, "A", "step"), _checks.result(bbar, "A", "b", "step")


def _discretized(A, b, h, method):
    identity = np.eye(A.shape[0])
    if method == "forward":
        return identity + h * A, h * b
    if method == "backward":
        Abar = np.linalg.inv(identity - h * A)
        return Abar, h * (Abar @ b)
    if method == "bilinear":
        left = identity - h / 2 * A
        return np.linalg.solve(left, identity + h / 2 * A), h * np.linalg.solve(left, b)
    # exp of [[hA, hb], [0, 0]] holds both results, without the inverse of A
    augmented = np.zeros((len(b) + 1, len(b) + 1), dtype=A.dtype)
    augmented[:-1, :-1], augmented[:-1, -1] = h * A, h * b
    # a long b must not make `_exponential` halve A more often: a power of two brings it down to A, or to 1
    of_A, of_b = _norm(augmented[:, :-1]), _norm(augmented[:, -1:])
    _checks.result(np.array([of_A, of_b]), "A", "b", "step")
    scale = 2.0 ** min(max(0, math.frexp(of_b / max(of_A, 1))[1]), 1023)
    augmented[:, -1] /= scale
    exponential = _exponential(augmented)
    return exponential[:-1, :-1], scale * exponential[:-1, -1]


def state_scan(Abar: ArrayLike, bbar: ArrayLike, u: ArrayLike, x0: ArrayLike | None = None) -> NDArray[Any]:
    """Run ``x_(k+1) = Abar x_k + bbar u_k`` over a signal and return every state.

    Parameters
    ----------
    Abar : (n, n) array_like
    bbar : (n,) array_like
    u : (..., L) array_like
        Real samples, at least one.
    x0 : (..., n) array_like, optional
        State before the first sample; zero by default.

    Returns
    -------
    (..., L, n) ndarray
        Entry k is the state after sample k; linear in ``(u, x0)``.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, or the state overflows.

    References
    ----------
    .. [1] kexue.fm/archives/10137.

    Examples
    --------
    >>> state_scan([[0.5]], [1.0], [1.0, 0.0, 0.0]).ravel()
    array([1.  , 0.5 , 0.25])
    """
    Abar, bbar = _system(Abar, bbar, "Abar", "bbar")
    u = signal(u)
    x = np.zeros(len(bbar)) if x0 is None else _checks.array("x0", x0, kind="complex", last=len(bbar))
    batch = _checks.broadcast(("x0", x, 1), ("u", u, 1))
    states = np.empty((*batch, u.shape[-1], len(bbar)), dtype=np.result_type(Abar, bbar, x))
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported below
        for k in range(u.shape[-1]):
            x = x @ Abar.T + u[..., k, None] * bbar
            states[..., k, :] = x
    if not np.isfinite(states).all():
        raise ValueError(f"Abar must not let the state overflow in {u.shape[-1]} steps, got an infinite state")
    return states


def transfer_function(A: ArrayLike, b: ArrayLike, c: ArrayLike, z: ArrayLike) -> NDArray[np.complex128]:
    """Return ``H(z) = c . (z I - A)^(-1) b``, the gain of ``x' = A x + b u, y = c . x`` for an input ``e^(zt)``.

    Parameters
    ----------
    A : (n, n) array_like
    b, c : (n,) array_like
        ``c`` is not conjugated.
    z : (...) array_like
        Complex; no eigenvalue of ``A``. Memory is n^2 for each.

    Returns
    -------
    (...) ndarray or complex
        Does not change under ``A -> S^(-1) A S, b -> S^(-1) b, c -> c S``.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not finite.
    numpy.linalg.LinAlgError
        If an element of ``z`` is an eigenvalue of ``A`` to the last digit.

    References
    ----------
    .. [1] kexue.fm/archives/10114, results 3 and 6.

    Examples
    --------
    >>> complex(transfer_function([[-1.0]], [1.0], [1.0], 1j))
    (0.5-0.5j)
    """
    A, b = _system(A, b)
    c, z = _checks.array("c", c, kind="complex", shape=b.shape), _checks.array("z", z, kind="complex")
    with np.errstate(all="ignore"):
        shifted = z[..., None, None] * np.eye(len(b), dtype=complex) - A
        x = np.linalg.solve(shifted, b[:, None].astype(complex))[..., 0]
        return _checks.result(x @ c, "A", "b", "c", "z")


def legt_delay_response(n: int, z: ArrayLike) -> NDArray[np.complex128]:
    """Return what a LegT state of n coefficients remembers of ``e^(zt)`` one window ago: about ``e^(-z)``.

    The state is read out at the far end of the window, ``sum_k (-1)^k sqrt((2k+1)/2) x_k``. That is the ``[n-1/n]``
    Pade approximant of ``e^(-z)``, so it is a perfect delay up to n/pi periods per window and useless beyond.

    Parameters
    ----------
    n : int
    z : (...) array_like
        Complex, in units of 1/window: ``2j pi f`` for f periods in the window. No pole, which all have Re z < 0.

    Returns
    -------
    (...) ndarray or complex
        1 at z = 0. The error of the arithmetic is below 1e-13 on the imaginary axis for n up to 128.

    Raises
    ------
    ValueError
        If ``n < 1`` or ``z`` is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10114, results 6 and 7; Voelker, Kajic, Eliasmith, Legendre Memory Units, NeurIPS 2019.

    Examples
    --------
    >>> z = 2j * np.pi * np.array([8.0, 9.0, 10.0])
    >>> abs(legt_delay_response(32, z) - np.exp(-z)).round(3)
    array([0.001, 0.07 , 0.695])
    """
    A, b = hippo_matrix("legt", size(n))
    k = np.arange(n)
    return transfer_function(A, b, (1 - 2 * (k % 2)) * np.sqrt(k + 0.5), z)


def _system(A, b, first="A", second="b"):
    """Return a square matrix and a vector that fits, of one dtype."""
    A = _checks.array(first, A, kind="complex", ndim=2, core=2)
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"{first} must be a square matrix, got shape {A.shape}")
    b = _checks.array(second, b, kind="complex", shape=A.shape[:1])
    dtype = np.result_type(A, b)
    return A.astype(dtype), b.astype(dtype)


def _norm(M):
    """Return the largest sum of absolute values in a column."""
    return float(np.abs(M).sum(axis=0).max())


def _exponential(M):
    """Return ``e^M`` by scaling and squaring: the [13/13] Pade approximant is exact to 1e-16 up to the norm 5.37.

    Higham, SIAM J. Matrix Anal. Appl. 26 (2005), Algorithm 2.3: its coefficients, up to a factor, and its six products.
    """
    norm = _norm(M)
    squarings = max(0, math.ceil(math.log2(norm / 5.371920351148152))) if norm > 0 else 0
    M = M / 2.0**squarings
    c = [math.comb(13, k) / math.perm(26, k) for k in range(14)]
    identity, M2 = np.eye(len(M)), M @ M
    M4 = M2 @ M2
    M6 = M2 @ M4
    odd = M6 @ (c[13] * M6 + c[11] * M4 + c[9] * M2) + c[7] * M6 + c[5] * M4 + c[3] * M2 + c[1] * identity
    even = M6 @ (c[12] * M6 + c[10] * M4 + c[8] * M2) + c[6] * M6 + c[4] * M4 + c[2] * M2 + c[0] * identity
    odd = M @ odd
    total = np.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        total = total @ total
    return total

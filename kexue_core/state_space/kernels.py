"""Convolution kernels of state space models: by powers, by S4's generating function, for diagonal matrices.

A linear recursion from the state 0 is a convolution with ``K_k = c^* Abar^k bbar``, k = 0, ..., L-1. S4 computes the
discrete Fourier transform of K without a power of ``Abar``, for a matrix that is diagonal plus rank one (`dplr`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.state_space._common import signal, system, transition

__all__ = ["power_kernel", "dplr_generating", "dplr_kernel", "diagonal_kernel", "causal_convolution"]

_FORMS = ("half-angle", "free", "division")


def power_kernel(Abar: ArrayLike, bbar: ArrayLike, c: ArrayLike, length: int) -> NDArray[np.float64]:
    """Return ``K_k = Re c^* Abar^k bbar`` by L - 1 products of a matrix and a vector, cost n^2 L.

    Parameters
    ----------
    Abar : (n, n) array_like
        Complex.
    bbar : (..., n) array_like
    c : (..., n) array_like
        Conjugated.
    length : int
        The number L of values.

    Returns
    -------
    (..., L) ndarray
        What `state_scan` and ``c`` answer to the impulse 1, 0, 0, ...

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, ``length < 1`` or the kernel overflows.

    References
    ----------
    .. [1] kexue.fm/archives/10162, result 4.

    Examples
    --------
    >>> power_kernel([[0.5]], [1.0], [2.0], 4)
    array([2.  , 1.  , 0.5 , 0.25])
    """
    Abar = _checks.array("Abar", Abar, kind="complex", ndim=2, core=2)
    if Abar.shape[0] != Abar.shape[1]:
        raise ValueError(f"Abar must be a square matrix, got shape {Abar.shape}")
    x = _checks.array("bbar", bbar, kind="complex", core=1, last=len(Abar))
    c = _checks.array("c", c, kind="complex", core=1, last=len(Abar))
    length = _checks.integer("length", length, low=1)
    K = np.empty((*_checks.broadcast(("bbar", x, 1), ("c", c, 1)), length))
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(length):
            K[..., k] = (x * c.conj()).sum(axis=-1).real
            x = x @ Abar.T
        return _checks.result(K, "Abar", "bbar", "c")


def dplr_generating(
    lam: ArrayLike,
    p: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    step: float,
    theta: ArrayLike,
    form: str = "half-angle",
) -> NDArray[np.complex128]:
    """Return ``G(z) = sum_k c^* Abar^k bbar z^k`` at ``z = e^(-1j theta)``, bilinear rule, ``A = diag(lam) - p p^*``.

    ::

        "division"     2/(1+z) c^* [2/h (1-z)/(1+z) I - A]^(-1) b          the article and S4; a pole at z = -1
        "free"         h c^* [(1-z) I - h/2 (1+z) A]^(-1) b                no pole; 1 - z cancels near z = 1
        "half-angle"   h/2 e^(1j theta/2) c^* [1j sin(theta/2) I - h/2 cos(theta/2) A]^(-1) b

    Woodbury turns each inverse into four sums over the n eigenvalues (a Cauchy kernel) and one division. Where z = -1
    "division" returns the limit ``h/2 c^* b``.

    Parameters
    ----------
    lam, p : (n,) array_like
        Complex.
    b : (..., n) array_like
        Complex.
    c : (..., n) array_like
        Complex, conjugated.
    step : float
        The step h.
    theta : (m,) array_like
        Angles. ``z`` must not be a pole of G, and is none if all eigenvalues of A have negative real parts.
    form : {"half-angle", "free", "division"}

    Returns
    -------
    (..., m) ndarray
        The same in exact arithmetic for each form. "half-angle" keeps its digits for small steps too.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, ``step`` is not positive, ``form`` is unknown, or z is a pole.

    References
    ----------
    .. [1] kexue.fm/archives/10162, results 5, 7 and 9; arXiv:2111.00396, appendix C.3.

    Examples
    --------
    >>> dplr_generating([-1.0], [0.0], [1.0], [1.0], 1.0, [0.0, np.pi]).real.round(6)
    array([1. , 0.5])
    """
    lam, p, b, c = system(lam, p, b, c, batch=True)
    h = _checks.number("step", step, low=0, open="low")
    theta = _checks.array("theta", theta, ndim=1)
    _checks.choice("form", form, _FORMS)
    with np.errstate(all="ignore"):
        return _checks.result(_generating(lam, p, b, c, h, theta, form), "lam", "p", "step", "theta")


def _generating(lam, p, b, c, h, theta, form):
    # G = front * c^* [left I - right A]^(-1) b
    if form == "half-angle":
        cos, sin = np.cos(theta / 2), np.sin(theta / 2)
        front, left, right = h / 2 * (cos + 1j * sin), 1j * sin, h / 2 * cos
    else:
        z = np.exp(-1j * theta)
        front, left, right = np.full(z.shape, h), 1 - z, h / 2 * (1 + z)
        if form == "division":
            there = np.abs(1 + z) < 1e-15
            ratio = 2 / np.where(there, 1, 1 + z)
            front, left, right = np.where(there, front, ratio), np.where(there, left, left * ratio / h), right
            right = np.where(there, right, 1)
    weights = np.stack(np.broadcast_arrays(c.conj() * b, c.conj() * p, p.conj() * b, np.abs(p) ** 2 + 0 * c * b))
    sums = np.empty((*weights.shape[:-1], len(theta)), dtype=complex)
    block = max(1, 2**18 // len(lam))  # bounds the memory
    for start in range(0, len(theta), block):
        part = slice(start, start + block)
        cauchy = 1 / (left[part] - np.multiply.outer(lam, right[part]))
        sums[..., part] = weights @ cauchy
    cb, cp, pb, pp = sums
    return front * (cb - right * cp * pb / (1 + right * pp))


def dplr_kernel(
    lam: ArrayLike,
    p: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    step: float,
    length: int,
    *,
    truncated: bool = False,
    form: str = "half-angle",
) -> NDArray[np.float64]:
    """Return ``K_k = Re c^* Abar^k bbar`` of ``A = diag(lam) - p p^*``, bilinear rule, from `dplr_generating`.

    At the L-th roots of unity ``G(z)`` is the Fourier transform of the first L values if c is replaced by
    ``ct^* = c^* (I - Abar^L)``. Cost ``n L + L log L`` if ct is given, as in training; else ``n^3 log L`` more.

    Parameters
    ----------
    lam, p : (n,) array_like
        Complex.
    b : (..., n) array_like
        Complex.
    c : (..., n) array_like
        Complex, conjugated.
    step : float
        The step h.
    length : int
        The number L of values.
    truncated : bool
        ``c`` is ct already.
    form : {"half-angle", "free", "division"}
        Of `dplr_generating`.

    Returns
    -------
    (..., L) ndarray
        Equals `power_kernel` of the system made bilinear, to 1e-13 of its largest value for LegS with n = 64.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, ``step`` is not positive, ``length < 1``, ``form`` is unknown,
        or an eigenvalue of ``Abar`` is a root of unity.

    References
    ----------
    .. [1] kexue.fm/archives/10162, results 9 and 10; arXiv:2111.00396, Algorithm 1.

    Examples
    --------
    >>> dplr_kernel([-1.0], [0.0], [1.0], [1.0], 1.0, 3).round(4)
    array([0.6667, 0.2222, 0.0741])
    """
    lam, p, b, c = system(lam, p, b, c, batch=True)
    h = _checks.number("step", step, low=0, open="low")
    length = _checks.integer("length", length, low=1)
    truncated = bool(truncated)
    _checks.choice("form", form, _FORMS)
    with np.errstate(all="ignore"):
        if not truncated:
            lost = _checks.result(_lost(lam, p, h, length), "lam", "p", "step")
            c = c @ lost.conj()  # (c^* (I - Abar^L))^*
        theta = 2 * np.pi * np.arange(length // 2 + 1) / length
        G = _generating(lam, p, b, c, h, theta, form)
        if not all(_paired(x) for x in (lam, p, b, c)):
            # the lower half of the circle, for the real part of a kernel that is not real
            other = _generating(lam, p, b, c, h, -theta, form)
            G = (G + other.conj()) / 2
        return _checks.result(np.fft.irfft(G, length), "lam", "p", "b", "c", "step")


def _lost(lam, p, h, length):
    """Return ``E_L = I - Abar^L`` by squaring: ``E_2k = E_k (2I - E_k)`` loses no digits where ``Abar^L`` is near I."""
    _, g, m, _ = transition(lam, p, p, h)
    one = np.diag(-h * lam / (1 - h / 2 * lam)) + np.outer(g, m)
    lost, identity = one, np.eye(len(lam))
    for bit in f"{length:b}"[1:]:
        lost = lost @ (2 * identity - lost)
        if bit == "1":
            lost = lost + one - lost @ one
    return lost


def _paired(x):
    """Tell whether entry i and entry -1-i are conjugates, so that the kernel is real without taking a real part."""
    return np.allclose(x, x[..., ::-1].conj(), rtol=0, atol=1e-12 * np.abs(x).max(initial=0))


def diagonal_kernel(
    lam: ArrayLike, b: ArrayLike, c: ArrayLike, step: float, length: int, method: str = "bilinear"
) -> NDArray[np.float64]:
    """Return ``K_k = Re c^* Abar^k bbar`` of ``A = diag(lam)``: S4D, one product with a Vandermonde matrix.

    ::

        "bilinear"  Abar = (1 + h lam/2) / (1 - h lam/2)    bbar = h b / (1 - h lam/2)
        "zoh"       Abar = e^(h lam)                        bbar = (e^(h lam) - 1) / lam b

    Parameters
    ----------
    lam : (n,) array_like
        Complex.
    b, c : (..., n) array_like
        Complex; ``c`` is conjugated.
    step : float
        The step h.
    length : int
        The number L of values.
    method : {"bilinear", "zoh"}

    Returns
    -------
    (..., L) ndarray
        Equals `power_kernel`.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, ``step`` is not positive, ``length < 1``, ``method`` is
        unknown, or the kernel overflows.

    References
    ----------
    .. [1] kexue.fm/archives/10162, results 3 and 11; arXiv:2206.11893.

    Examples
    --------
    >>> diagonal_kernel([-1.0], [1.0], [1.0], 1.0, 3).round(4)
    array([0.6667, 0.2222, 0.0741])
    """
    lam = _checks.array("lam", lam, kind="complex", ndim=1, core=1)
    lam, _, b, c = system(lam, np.zeros(len(lam)), b, c, batch=True)
    h = _checks.number("step", step, low=0, open="low")
    length = _checks.integer("length", length, low=1)
    _checks.choice("method", method, ("bilinear", "zoh"))
    with np.errstate(all="ignore"):
        if method == "bilinear":
            a, factor = (1 + h / 2 * lam) / (1 - h / 2 * lam), h / (1 - h / 2 * lam)
        else:
            a = np.exp(h * lam)
            factor = np.where(lam == 0, h, np.expm1(h * lam) / np.where(lam == 0, 1, lam))
        weights = c.conj() * factor * b
        K = np.empty((*weights.shape[:-1], length))
        # a^k = a^i a^(j block): about 2 sqrt(L) powers of each eigenvalue in place of L
        block = int(np.ceil(length**0.5))
        fine = a[:, None] ** np.arange(block)
        for start in range(0, length, block):
            part = slice(start, min(start + block, length))
            K[..., part] = ((weights * a**start) @ fine).real[..., : part.stop - start]
        return _checks.result(K, "lam", "b", "c", "step")


def causal_convolution(u: ArrayLike, K: ArrayLike) -> NDArray[np.float64]:
    """Return ``y_k = sum_(j<=k) K_j u_(k-j)`` by FFTs padded with zeros.

    Without the padding the end of the signal would wrap around to its beginning.

    Parameters
    ----------
    u : (..., L) array_like
    K : (..., M) array_like
        What lies beyond L does not matter.

    Returns
    -------
    (..., L) ndarray
        To 1e-15 times the norms of both.

    Raises
    ------
    ValueError
        If the shapes do not broadcast, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10162, result 4.

    Examples
    --------
    >>> causal_convolution([1.0, 0.0, 2.0], [1.0, 0.5, 0.25]).round(6)
    array([1.  , 0.5 , 2.25])
    """
    u, K = signal(u), _checks.array("K", K, core=1)
    batch = _checks.broadcast(("u", u, 1), ("K", K, 1))
    length = u.shape[-1]
    K = K[..., :length]
    padded = _smooth(length + K.shape[-1] - 1)
    with np.errstate(over="ignore", invalid="ignore"):
        y: Any = np.fft.irfft(np.fft.rfft(u, padded) * np.fft.rfft(K, padded), padded)[..., :length]
        return _checks.result(y.reshape((*batch, length)), "u", "K")


def _smooth(n):
    """Return the smallest 2^a 3^b 5^c that is at least n: fast lengths of the FFT."""
    best, five = 1 << (n - 1).bit_length(), 1
    while five < best:
        three = five
        while three < best:
            best = min(best, three << (-(-n // three) - 1).bit_length())
            three *= 3
        five *= 5
    return best

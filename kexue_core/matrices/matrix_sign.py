"""The matrix sign ``msign(A) = U V'`` of a rectangular matrix: by its SVD, or by Newton-Schulz steps.

A Newton-Schulz step ``X <- a X + b X X' X + c (X X')^2 X`` leaves the singular vectors alone and maps every singular
value by ``g(x) = a x + b x^3 + c x^5``; so what it does to a matrix is known from the numbers in (0, 1].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["NS_COEFFICIENTS", "msign", "newton_schulz", "ns_polynomial", "Accuracy", "ns_accuracy"]

MUON = (3.4445, -4.7750, 2.0315)

# Jordan's and Taylor's coefficients; the others are fitted by Su to Gaussian matrices of a shape and a number of steps
# (kexue.fm/archives/10592).
NS_COEFFICIENTS = {
    "muon": MUON,
    "taylor": (15 / 8, -5 / 4, 3 / 8),
    "1024x1024, 3 steps": (4.328, -9.666, 7.020),
    "1024x1024, 5 steps": (3.297, -4.136, 1.724),
    "2048x1024, 3 steps": (4.095, -9.327, 7.028),
    "2048x1024, 5 steps": (2.644, -3.128, 1.476),
    "4096x1024, 3 steps": (3.886, -8.956, 6.948),
    "4096x1024, 5 steps": (2.461, -2.663, 1.214),
    "2048x2048, 3 steps": (4.857, -13.103, 11.130),
    "2048x2048, 5 steps": (3.333, -4.259, 1.779),
    "4096x4096, 3 steps": (5.460, -17.929, 18.017),
    "4096x4096, 5 steps": (3.373, -4.613, 2.057),
    "8192x8192, 3 steps": (6.139, -24.893, 30.147),
    "8192x8192, 5 steps": (3.389, -4.902, 2.310),
}


def msign(a: ArrayLike, *, rtol: float | None = None) -> NDArray[np.float64]:
    """Return ``U_r V_r'`` of ``a = U_r S_r V_r'``: every singular value that is not zero becomes 1.

    Parameters
    ----------
    a : (..., n, m) array_like
    rtol : float, optional
        A singular value counts as zero up to ``rtol`` times the largest; ``max(n, m)`` rounding units by default.

    Returns
    -------
    (..., n, m) ndarray
        The (semi-)orthogonal matrix that is nearest to ``a`` if that has full rank; zeros for zeros. It does not
        depend on the length of ``a``, and ``msign(P a Q) = P msign(a) Q`` for orthogonal P and Q.

    Raises
    ------
    ValueError
        If ``a`` has fewer than two axes or is not finite, or ``rtol`` does not lie in [0, 1).

    References
    ----------
    .. [1] kexue.fm/archives/10592; kexue.fm/archives/10739, result 2.

    Examples
    --------
    >>> msign([[3.0, 0.0], [0.0, -0.1], [0.0, 0.0]])
    array([[ 1.,  0.],
           [ 0., -1.],
           [ 0.,  0.]])
    """
    a = _unit_peak(_checks.array("a", a, core=2))
    if rtol is None:
        rtol = max(a.shape[-2:]) * np.finfo(float).eps
    rtol = _checks.number("rtol", rtol, low=0, high=1, open="high")
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    kept = s > rtol * s[..., :1]
    return (u * kept[..., None, :]) @ vh + 0.0


def newton_schulz(a: ArrayLike, steps: int = 5, coefficients: ArrayLike = MUON) -> NDArray[np.float64]:
    """Return ``a``, divided by its Frobenius norm, after Newton-Schulz steps: roughly ``msign(a)``, without an SVD.

    Each step costs three matrix products: ``2 n m min(n, m)`` multiplications and ``min(n, m)^3``.

    Parameters
    ----------
    a : (..., n, m) array_like
    steps : int
    coefficients : (3,) or (steps, 3) array_like
        The numbers a, b, c, for all steps or for each: those of Muon, others of `NS_COEFFICIENTS`, or your own.

    Returns
    -------
    (..., n, m) ndarray
        It has the singular vectors of ``a`` and the singular values ``ns_polynomial(s, steps, coefficients)``, where
        s are those of ``a / |a|_F``. Zeros for zeros.

    Raises
    ------
    ValueError
        If ``a`` has fewer than two axes or is not finite, ``steps < 0``, the coefficients have another shape,
        or the result is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10592; K. Jordan et al., kellerjordan.github.io/posts/muon.

    Examples
    --------
    >>> newton_schulz([[3.0, 0.0], [0.0, -0.1]]).round(3) + 0.0
    array([[ 0.697,  0.   ],
           [ 0.   , -1.129]])
    """
    x, table = _unit_peak(_checks.array("a", a, core=2)), _coefficients(steps, coefficients)
    norm = np.sqrt((x * x).sum(axis=(-2, -1), keepdims=True))
    x = x / np.where(norm > 0, norm, 1)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = np.ascontiguousarray(np.swapaxes(x, -2, -1))
    diagonal = np.arange(x.shape[-2])
    with np.errstate(over="ignore", invalid="ignore"):
        for first, second, third in table:
            gram = x @ np.swapaxes(x, -2, -1)
            factor = third * gram
            factor[..., diagonal, diagonal] += second
            factor = gram @ factor
            factor[..., diagonal, diagonal] += first
            x = factor @ x
    return _checks.result(np.swapaxes(x, -2, -1) if tall else x, "coefficients", "steps")


def ns_polynomial(x: ArrayLike, steps: int = 5, coefficients: ArrayLike = MUON) -> NDArray[np.float64]:
    """Return the iterates of ``g(x) = a x + b x^3 + c x^5``: what Newton-Schulz makes of a singular value.

    Parameters
    ----------
    x : (...) array_like
    steps : int
    coefficients : (3,) or (steps, 3) array_like
        As in `newton_schulz`.

    Returns
    -------
    (...) ndarray or float
        An odd function of ``x``, for small ``x`` close to ``a^steps x``.

    Raises
    ------
    ValueError
        If ``x`` is not finite, ``steps < 0``, the coefficients have another shape, or the result is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10592.

    Examples
    --------
    >>> ns_polynomial([0.002, 0.1, 1.0]).round(3)
    array([0.86 , 0.712, 0.696])
    """
    x, table = _checks.array("x", x), _coefficients(steps, coefficients)
    return _checks.result(_iterate(x, table), "x", "coefficients", "steps")


class Accuracy(NamedTuple):
    """Mean squared distance of the singular values to 1, and the root of their mean square."""

    mse: float
    rms: float


def ns_accuracy(n: int, m: int, steps: int = 5, coefficients: ArrayLike = MUON) -> Accuracy:
    """Return how close Newton-Schulz brings the singular values of a large Gaussian matrix to 1.

    By quadrature over the Marchenko-Pastur law, so that the size does not matter: with ``y = min/max`` the squared
    singular values of ``A / sqrt(max)`` are ``1 + y - 2 sqrt(y) cos(t)`` with density ``2 sin(t)^2 / (pi ...)``.

    Parameters
    ----------
    n, m : int
        The shape; the order of the two does not matter.
    steps : int
    coefficients : (3,) or (steps, 3) array_like
        As in `newton_schulz`.

    Returns
    -------
    Accuracy
        ``mse`` is the mean of ``(g - 1)^2`` over the singular values, ``rms`` the root of the mean of ``g^2``: the
        root mean square of the entries of ``newton_schulz(A)``, divided by ``1 / sqrt(max(n, m))``.

    Raises
    ------
    ValueError
        If a size is below 1, ``steps < 0``, the coefficients have another shape, or the result is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10592, section on faster convergence, table.

    Examples
    --------
    >>> accuracy = ns_accuracy(1024, 1024)
    >>> round(accuracy.mse, 4), round(accuracy.rms, 3)
    (0.0441, 0.91)
    """
    n, m = _checks.integer("n", n, low=1), _checks.integer("m", m, low=1)
    table, y = _coefficients(steps, coefficients), min(n, m) / max(n, m)
    t = (np.arange(20000) + 0.5) * np.pi / 20000
    squares = (1 - np.sqrt(y)) ** 2 + 4 * np.sqrt(y) * np.sin(t / 2) ** 2
    weights = 2 * np.sin(t) ** 2 / (squares * 20000)
    x = _iterate(np.sqrt(squares / min(n, m)), table)
    with np.errstate(over="ignore", invalid="ignore"):
        mse, square = (weights * (x - 1) ** 2).sum(), (weights * x**2).sum()
    return Accuracy(*map(float, _checks.result(np.array([mse, np.sqrt(square)]), "coefficients", "steps")))


def _unit_peak(a):
    """Return each matrix divided by its largest entry, so that no square overflows or vanishes."""
    peak = np.abs(a).max(axis=(-2, -1), keepdims=True)
    return a / np.where(peak > 0, peak, 1)


def _coefficients(steps, coefficients):
    """Return the coefficients of each step."""
    steps = _checks.integer("steps", steps, low=0)
    table = _checks.array("coefficients", coefficients)
    if table.shape not in ((3,), (steps, 3)):
        raise ValueError(f"coefficients must have shape (3,) or ({steps}, 3), got shape {table.shape}")
    return np.broadcast_to(table, (steps, 3))


def _iterate(x, table):
    with np.errstate(over="ignore", invalid="ignore"):
        for first, second, third in table:
            square = x * x
            x = x * (first + square * (second + third * square))
    return x

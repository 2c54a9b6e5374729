"""LegS, a memory of the whole past: recursions for its Legendre coefficients, ``x' = (A x + b u) / t``.

One more sample changes the interval of the past, so the old polynomial is squeezed and projected again. The recursion
is exact for an input that is constant over each step. The state is that of `legendre`, orthonormal scaling.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.state_space._common import legendre, norms, signal, size

__all__ = ["legs_transition", "legs_step", "legs_scan"]


def legs_transition(n: int, r: ArrayLike) -> NDArray[np.float64]:
    """Return ``E = e^(A ln(1/r))``, which carries a LegS state over from time rT to T when the input is 0.

    ``E_ik = r int g_i(r (x+1) - 1) g_k(x) dx``: squeeze the old polynomial to the first part r of the history, put 0
    behind it, project again. n Gauss nodes make the integral exact, so there is no matrix exponential; for n = 64 both
    agree to 1e-12.

    Parameters
    ----------
    n : int
    r : (...) array_like
        In (0, 1].

    Returns
    -------
    (..., n, n) ndarray
        Lower triangular with diagonal ``r, r^2, ..., r^n``; ``E(r) E(q) = E(rq)``; spectral norm at most ``sqrt(r)``.

    Raises
    ------
    ValueError
        If ``n < 1`` or ``r`` leaves (0, 1].

    References
    ----------
    .. [1] kexue.fm/archives/10137; kexue.fm/archives/10114, result 8.

    Examples
    --------
    >>> legs_transition(2, 0.5).round(3)
    array([[ 0.5  ,  0.   ],
           [-0.433,  0.25 ]])
    """
    n, r = size(n), _checks.array("r", r, low=0, high=1, open="low")
    gather, spread = _stretch(n, r)
    return np.tril(spread @ gather)


def legs_step(x: ArrayLike, u: ArrayLike, k: int) -> NDArray[np.float64]:
    """Return the exact LegS state after one more sample: ``E (x - sqrt(2) u e_0) + sqrt(2) u e_0``, ``r = k/(k+1)``.

    Subtracting the new value before the stretch and adding it afterwards continues the history by u instead of 0.
    It costs two matrix-vector products of size n, without an inverse.

    Parameters
    ----------
    x : (..., n) array_like
        State after k samples, orthonormal scaling.
    u : (...) array_like
        The new sample, which holds over the new step.
    k : int
        At least 0; with 0 the state is forgotten, which is the only bounded start of the singular equation.

    Returns
    -------
    (..., n) ndarray
        A state of the constant signal u stays as it is.

    Raises
    ------
    ValueError
        If ``k < 0``, the shapes do not broadcast, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10137, the exact LegS recursion.

    Examples
    --------
    >>> legs_step([2**0.5, 0.0], 3.0, 1).round(3)
    array([2.828, 1.225])
    """
    x, u, k = _checks.array("x", x, core=1), _checks.array("u", u), _checks.integer("k", k, low=0)
    _checks.broadcast(("x", x, 1), ("u", u, 0))
    gather, spread = _stretch(x.shape[-1], np.array(k / (k + 1)))
    with np.errstate(over="ignore", invalid="ignore"):
        return _checks.result(_advance(x, u, gather, spread), "x", "u")


def legs_scan(u: ArrayLike, n: int, method: str = "exact") -> NDArray[np.float64]:
    """Run a LegS recursion from ``x_1 = sqrt(2) u_0 e_0`` over a signal of unit steps and return every state.

    Except for "exact" (see `legs_step`) it is ``x_(k+1) = (I - pA)^(-1) [(I + qA) x_k + h b u_k]``, k = 1, 2, ...::

        method          p            q         h              error at the end of L samples of a smooth signal
        "log-bilinear"  h/2          h/2       ln((k+1)/k)    L^-2: in ln t the equation is autonomous
        "reference"     h/2          h/2       1/(k+1)        L^-1, the authors' code
        "bilinear"      1/(2(k+1))   1/(2k)    1/k            ln(L)/L, the article's
        "forward"       0            1/k       1/k            L^-1; early factors 1 - (i+1)/k explode
        "backward"      1/(k+1)      0         1/(k+1)        L^-1

    A constant signal keeps its state where ``p + q = h``, so in all but "bilinear". A step costs O(n log n): below its
    diagonal A is the outer product ``-q_i q_j``, so one running sum of ``q_j x_j`` stands for the triangle.

    Parameters
    ----------
    u : (..., L) array_like
        Samples, each held over its step.
    n : int
    method : {"exact", "log-bilinear", "reference", "bilinear", "forward", "backward"}

    Returns
    -------
    (..., L, n) ndarray
        Entry k - 1 is the state after k samples, and no step size enters. "exact" equals
        `project_piecewise_constant` of these samples, to 1e-12 max |u| for n = 64, L = 1000.

    Raises
    ------
    ValueError
        If ``u`` is empty or not finite, ``n < 1``, ``method`` is unknown, or the state overflows ("forward", large n or
        ``u`` near the largest double).

    References
    ----------
    .. [1] kexue.fm/archives/10137; "reference": arXiv:2008.07669 and its code, HazyResearch/hippo-code.

    Examples
    --------
    >>> legs_scan([1.0, 3.0, 2.0], 3)[-1].round(3)
    array([ 2.828,  0.544, -0.703])
    """
    u, n = signal(u), size(n)
    _checks.choice("method", method, ("exact", *_STEPS))
    states = np.zeros((*u.shape, n))
    steps = _exact_steps if method == "exact" else _implicit_steps
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported below
        states[..., 0, 0] = math.sqrt(2) * u[..., 0]
        steps(states, u, method)
    if not np.isfinite(states).all():
        raise ValueError(f"u and n must keep the state of method {method!r} finite, got an overflow for n = {n}")
    return states


# (p, q, h) of each recursion of `legs_scan`
_STEPS = {
    "log-bilinear": lambda k: (math.log1p(1 / k) / 2, math.log1p(1 / k) / 2, math.log1p(1 / k)),
    "reference": lambda k: (0.5 / (k + 1), 0.5 / (k + 1), 1 / (k + 1)),
    "bilinear": lambda k: (0.5 / (k + 1), 0.5 / k, 1 / k),
    "forward": lambda k: (0.0, 1 / k, 1 / k),
    "backward": lambda k: (1 / (k + 1), 0.0, 1 / (k + 1)),
}


@functools.lru_cache(maxsize=32)
def _gauss(n):
    """Return n Gauss-Legendre nodes and the matrix from coefficients to weighted values there, read-only."""
    x, weights = np.polynomial.legendre.leggauss(n)
    gather = weights[:, None] * (np.stack(list(legendre(x, n))) * norms(n)[:, None]).T
    # the errors of nodes and weights would add up over the steps of a scan: one Newton step towards the exact inverse
    table = np.stack(list(legendre(x, n))) * norms(n)[:, None]
    gather = gather @ (2 * np.eye(n) - table @ gather)
    x.flags.writeable = gather.flags.writeable = False
    return x, gather


def _stretch(n, r):
    """Return E as two factors: old coefficients to nodes (n, n), nodes to new coefficients (..., n, n)."""
    x, gather = _gauss(n)
    table = np.stack(list(legendre(r[..., None] * (x + 1) - 1, n)), axis=-2)
    return gather, r[..., None, None] * norms(n)[:, None] * table


def _advance(x, u, gather, spread):
    shift = math.sqrt(2) * u[..., None] * (np.arange(x.shape[-1]) == 0)
    return (x - shift) @ gather.T @ spread.T + shift


def _exact_steps(states, u, method):
    L, n = states.shape[-2:]
    block = max(1, 2**18 // n**2)  # the tables of so many steps are built at once
    for start in range(1, L, block):
        k = np.arange(start, min(start + block, L))
        gather, spread = _stretch(n, k / (k + 1))
        for j, matrix in zip(k, spread):
            states[..., j, :] = _advance(states[..., j - 1, :], u[..., j], gather, matrix)


def _implicit_steps(states, u, method):
    n = states.shape[-1]
    i = np.arange(n)
    q = np.sqrt(2.0 * i + 1)
    for k in range(1, u.shape[-1]):
        p, explicit, h = _STEPS[method](k)
        x = states[..., k - 1, :]
        right = x + math.sqrt(2) * h * u[..., k, None] * q
        if explicit:
            before = np.cumsum(q * x, axis=-1) - q * x
            right = right - explicit * (q * before + (i + 1) * x)
        if p:
            # Substitution in (I - pA) x = right: x_i = (right_i - p q_i S_i) / d_i with S_i = sum_(j<i) q_j x_j, so
            # S_(i+1) = a_i S_i + c_i. All S by doubling: spans of 1, 2, 4, ... entries; |a_i| <= 1.
            d = 1 + p * (i + 1)
            a, c = (1 - p * i) / d, q * right / d
            span = 1
            while span < n:
                c[..., span:] += a[span:] * c[..., :-span]
                a[span:] *= a[:-span]
                span *= 2
            right[..., 1:] -= p * q[1:] * c[..., :-1]
            right /= d
        states[..., k, :] = right

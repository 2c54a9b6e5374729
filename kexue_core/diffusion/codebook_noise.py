"""Codebooks of normal noise and a schedule that every machine computes with the same bits.

A code made of numbers of codewords is of use only if the decoder has the same words. `codebook` and `exact_schedule`
therefore use integers and the operations ``+ - * / sqrt`` of doubles only, which IEEE 754 rounds in one way, and one at
a time: no library function of the machine, no sum whose order is left open. The codec itself is in `codebooks`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion.schedules import Schedule

__all__ = ["exact_schedule", "codebook"]

# Numerator and denominator, highest power first: M. J. Wichura, Appl. Statist. 37 (1988) 477-484, algorithm AS 241.
_CENTRE = (
    (
        2509.0809287301227,
        33430.57558358813,
        67265.7709270087,
        45921.95393154987,
        13731.69376550946,
        1971.5909503065513,
        133.14166789178438,
        3.3871328727963665,
    ),
    (
        5226.495278852854,
        28729.085735721943,
        39307.89580009271,
        21213.794301586597,
        5394.196021424751,
        687.1870074920579,
        42.31333070160091,
        1.0,
    ),
)
_TAIL = (
    (
        0.0007745450142783414,
        0.022723844989269184,
        0.2417807251774506,
        1.2704582524523684,
        3.6478483247632045,
        5.769497221460691,
        4.630337846156546,
        1.4234371107496835,
    ),
    (
        1.0507500716444169e-09,
        0.0005475938084995345,
        0.015198666563616457,
        0.14810397642748008,
        0.6897673349851,
        1.6763848301838038,
        2.053191626637759,
        1.0,
    ),
)
_FAR = (
    (
        2.0103343992922881e-07,
        2.7115555687434876e-05,
        0.0012426609473880784,
        0.026532189526576124,
        0.29656057182850487,
        1.7848265399172913,
        5.463784911164114,
        6.657904643501103,
    ),
    (
        2.0442631033899397e-15,
        1.421511758316446e-07,
        1.8463183175100548e-05,
        0.0007868691311456133,
        0.014875361290850615,
        0.1369298809227358,
        0.599832206555888,
        1.0,
    ),
)


_LOG_SERIES = tuple(1.0 / (2 * k + 1) for k in range(11, -1, -1))
_LN2 = 0.6931471805599453
_AT_ONCE = 2**16  # numbers, whose arrays stay in the cache


def exact_schedule(T: int, n: int | None = None) -> Schedule:
    """Return ``respace(ddpm_schedule(T), n)`` with every entry the double nearest to its exact value.

    The products ``bar_alpha_t^2 = (1 - 0.02 / T) (1 - 0.04 / T) ... (1 - 0.02 t / T)`` are fractions; their roots are
    taken in integers. So the arrays do not depend on the logarithm and the exponential of a machine.

    Parameters
    ----------
    T : int
        Number of steps of the article's schedule, at least 1.
    n : int, optional
        Number of steps kept, ``1 <= n <= T``; all by default.

    Returns
    -------
    schedule : Schedule
        Read-only arrays of length ``n``, the same bits on every machine.

    Raises
    ------
    ValueError
        If ``T < 1``, or ``n`` is not between 1 and ``T``.

    References
    ----------
    .. [1] kexue.fm/archives/10711, whose schedule is that of kexue.fm/archives/9119.

    Examples
    --------
    >>> exact_schedule(1000, 2).alpha.round(3)
    array([0.285, 0.023])
    """
    T = _checks.integer("T", T, low=1)
    n = T if n is None else _checks.integer("n", n, low=1, high=T)
    kept = [(2 * T * i + n) // (2 * n) for i in range(1, n + 1)]  # round(T i / n) in integers
    columns, top, bottom, at = [], 1, 1, 0
    for t in kept:
        short = [50 * T - step for step in range(at + 1, t + 1)]
        one = math.prod(short), (50 * T) ** len(short)  # alpha^2 of the long step
        top, bottom, at = top * one[0], bottom * one[1], t
        pairs = one, (one[1] - one[0], one[1]), (top, bottom), (bottom - top, bottom)
        columns.append([_root(*pair) for pair in pairs])
    alpha, beta, bar_alpha, bar_beta = np.array(columns).T.copy()
    previous = np.concatenate([[1.0], bar_alpha[:-1]]), np.concatenate([[0.0], bar_beta[:-1]])
    arrays = alpha, beta, bar_alpha, bar_beta, *previous
    for array in arrays:
        array.setflags(write=False)
    return Schedule(*arrays)


def codebook(t: ArrayLike, size: int, d: int, *, seed: ArrayLike = 0) -> NDArray[np.float64]:
    """Return ``size`` standard normal vectors, which every machine computes with the same bits.

    PCG64, seeded by ``SeedSequence([seed, t])``, gives 64-bit integers; the first 52 bits ``k`` of each make the
    probability ``p = (2 k + 1) 2^-53``, and a rational function of ``p``, or of ``sqrt(-log p)`` in the tails, makes
    the normal number. The logarithm is a power series. Nothing is kept: a step draws its book again when it needs it.

    Parameters
    ----------
    t : (...) array_like of int
        Number of the step, from 0 to ``2^32 - 1``.
    size : int
        Number of vectors, at least 1.
    d : int
        Length of a vector, at least 1.
    seed : (...) array_like of int
        From 0 to ``2^32 - 1``; broadcast with ``t``, a book for each pair.

    Returns
    -------
    book : (..., size, d) ndarray
        Within 1e-14 of the normal quantile of ``p``, relative; the largest possible number is 8.2. A smaller book of
        the same step is the beginning of a larger one.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    .. [1] kexue.fm/archives/10711; M. E. O'Neill, PCG, Harvey Mudd College HMC-CS-2014-0905 (2014); M. J. Wichura,
       Appl. Statist. 37 (1988) 477-484.

    Examples
    --------
    >>> codebook(1, 2, 3).round(3)
    array([[ 1.225,  0.144,  0.845],
           [ 1.712, -1.567, -0.718]])
    """
    t = _checks.array("t", t, kind="integer", low=0, high=2**32 - 1)
    size, d = _checks.integer("size", size, low=1), _checks.integer("d", d, low=1)
    seed = _checks.array("seed", seed, kind="integer", low=0, high=2**32 - 1)
    shape = _checks.broadcast(("t", t, 0), ("seed", seed, 0))
    pairs = np.stack([np.broadcast_to(part, shape).ravel() for part in (seed, t)], axis=1).astype(np.uint32)
    books, some = np.empty((len(pairs), size * d)), max(1, _AT_ONCE // (size * d))
    for start in range(0, len(pairs), some):
        seeds = map(np.random.SeedSequence, pairs[start : start + some])
        raw = np.concatenate([np.random.PCG64(one).random_raw(size * d) for one in seeds])
        books[start : start + some] = _normal(raw).reshape(-1, size * d)
    return books.reshape(*shape, size, d)


def _root(top, bottom):
    """Return the double nearest to ``sqrt(top / bottom)``, by an integer root of at least 70 bits."""
    shift = max(0, 140 - top.bit_length() + bottom.bit_length()) // 2 + 1
    square, rest = divmod(top << 2 * shift, bottom)
    root = math.isqrt(square)
    inexact = rest > 0 or root * root < square
    return math.ldexp(float(2 * root + inexact), -shift - 1)  # the last bit breaks ties as the exact root does


def _normal(raw):
    """Return the normal quantile of ``(2 k + 1) 2^-53``, ``k`` the first 52 of 64 bits: IEEE operations only."""
    p = (raw >> np.uint64(11) | np.uint64(1)).astype(float)
    p *= 2.0**-53
    q = p - 0.5
    r = q * q
    value = _ratio(np.subtract(0.180625, r, out=r), *_CENTRE)
    value *= q
    tail = np.flatnonzero(np.abs(q) > 0.425)
    p = p[tail]
    r = np.sqrt(-_log(np.minimum(p, 1.0 - p)))
    size = _ratio(r - 1.6, *_TAIL)
    far = np.flatnonzero(r > 5.0)  # most books have none
    if far.size:
        size[far] = _ratio(r[far] - 5.0, *_FAR)
    value[tail] = np.copysign(size, q[tail])
    return value


def _ratio(r, top, bottom):
    value = _horner(r, top)
    value /= _horner(r, bottom)
    return value


def _horner(r, coefficients):
    value = r * coefficients[0]
    value += coefficients[1]
    for c in coefficients[2:]:
        value *= r
        value += c
    return value


def _log(p):
    """Return the logarithm by ``2 atanh f``, ``f = (m - 1) / (m + 1)``, of the mantissa; error about 2e-16."""
    m, e = np.frexp(p)
    low = m < 0.7071067811865476
    m, e = np.where(low, 2 * m, m), np.where(low, e - 1, e)
    f = (m - 1) / (m + 1)
    return e * _LN2 + 2 * f * _horner(f * f, _LOG_SERIES)

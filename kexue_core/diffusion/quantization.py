"""What a budget of bits loses: the least possible error, codebooks that come near it, and the distance of samples.

A codebook of V vectors names one of them with ``log2(V)`` bits. `reverse_water_filling` says how small the error of a
Gaussian source can be with so many bits, `fit_codebook` and `quantize` are k-means, `energy_distance` compares a cloud
of samples or of codes with the data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["reverse_water_filling", "fit_codebook", "quantize", "energy_distance"]

Array = NDArray[np.float64]
_BLOCK = 2**15  # distances that are held at a time: a quarter of a megabyte, which stays near


def reverse_water_filling(variances: ArrayLike, bits: ArrayLike) -> tuple[Array | float, Array]:
    """Return the water level and the least mean squared errors of a Gaussian vector that is coded with ``bits`` bits.

    The level is the largest of n numbers, ``max_k (2^(-2 bits) s_1 ... s_k)^(1/k)``, where ``s_1 >= s_2 >= ...`` are
    the variances. A component above it gets ``log2(variance / level) / 2`` bits, one below it none.

    Parameters
    ----------
    variances : (..., n) array_like
        Of independent components (the eigenvalues of a covariance); not negative.
    bits : (...) array_like
        In all, for the n components together; not negative. Leading axes are broadcast.

    Returns
    -------
    level : (...) ndarray or float
        0 where all variances are; the bits of all components have the sum ``bits`` elsewhere.
    errors : (..., n) ndarray
        ``min(variances, level)``. No code with so many bits a vector, however many vectors it names at once, has a
        smaller sum; the rate-distortion theorem.

    Raises
    ------
    ValueError
        If an entry is negative or not finite, or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/9984, on the loss of a tokenizer; C. E. Shannon, IRE Nat. Conv. Rec. 7 (1959) 142-163;
       A. N. Kolmogorov, IRE Trans. Inform. Theory 2 (1956) 102-108 (the water level).

    Examples
    --------
    >>> reverse_water_filling([4.0, 1.0, 0.25], 2.0)
    (0.5, array([0.5 , 0.5 , 0.25]))
    """
    variances = _checks.array("variances", variances, core=1, low=0)
    bits = _checks.array("bits", bits, low=0)
    _checks.broadcast(("variances", variances, 1), ("bits", bits, 0))
    largest = variances.max(axis=-1)
    with np.errstate(divide="ignore", over="ignore"):
        logs = np.log2(-np.sort(-variances, axis=-1))
        logs -= np.where(largest > 0, logs[..., 0], 0)[..., None]
        means = (np.cumsum(logs, axis=-1) - 2 * bits[..., None]) / np.arange(1, variances.shape[-1] + 1)
    power = np.maximum(means.max(axis=-1), -2200)
    whole = np.ceil(power)  # a factor above 1 could carry the largest variance out of range
    level = np.ldexp(largest * np.exp2(power - whole), whole.astype(int))
    return (level if level.ndim else float(level)), np.minimum(variances, level[..., None])


def fit_codebook(x: ArrayLike, size: int, *, rng: np.random.Generator, steps: int = 30) -> Array:
    """Return a codebook for vectors: Lloyd's algorithm, k-means, from ``size`` of the vectors drawn by ``rng``.

    In each step every code moves to the mean of the vectors nearest to it. Codes without any move to the vectors that
    are worst served, one each.

    Parameters
    ----------
    x : (n, d) array_like
    size : int
        Number of codes, from 1 to n.
    rng : numpy.random.Generator
        Draws the first codes, without repetition.
    steps : int
        At least 0.

    Returns
    -------
    codes : (size, d) ndarray
        With one more step the mean squared error of ``x`` does not grow. It ends near a local minimum, not the global.

    Raises
    ------
    ValueError
        If ``size`` is not from 1 to n, ``steps`` is negative, or ``x`` is no matrix of finite numbers.
    TypeError
        If ``rng`` is not a generator.

    References
    ----------
    .. [1] kexue.fm/archives/9984, on tokenizers; S. P. Lloyd, IEEE Trans. Inform. Theory 28 (1982) 129-137.

    Examples
    --------
    >>> np.sort(fit_codebook([[0.0], [1.0], [9.0], [10.0]], 2, rng=np.random.default_rng(0)).ravel())
    array([0.5, 9.5])
    """
    x = _checks.array("x", x, ndim=2, core=2)
    size, steps = _checks.integer("size", size, low=1, high=len(x)), _checks.integer("steps", steps, low=0)
    unit = _checks.binary_exponent(x)
    x = np.ldexp(x, -unit)
    codes = x[_checks.generator("rng", rng).choice(len(x), size, replace=False)]
    for _ in range(steps):
        before, (nearest, squares) = codes, _nearest(x, codes)
        counts = np.bincount(nearest, minlength=size)
        sums = np.stack([np.bincount(nearest, column, minlength=size) for column in x.T], axis=-1)
        codes = sums / np.maximum(counts, 1)[:, None]
        if (empty := np.flatnonzero(counts == 0)).size:
            codes[empty] = x[np.argsort(-squares, kind="stable")[: empty.size]]
        if np.array_equal(codes, before):  # where the steps that are left would stay
            break
    return _checks.result(np.ldexp(codes, unit), "x")


def quantize(x: ArrayLike, codes: ArrayLike) -> NDArray[np.int64]:
    """Return the number of the code nearest to each vector.

    Distances are compared through ``|c|^2 / 2 - x.c``, one matrix product; codes that are equally near within about
    1e-15 of the squared radius of the codebook are not told apart.

    Parameters
    ----------
    x : (..., d) array_like
    codes : (V, d) array_like

    Returns
    -------
    (...) ndarray of int
        From 0 to V - 1; ``codes[quantize(x, codes)]`` is what a decoder gets.

    Raises
    ------
    ValueError
        If the last axes differ, ``codes`` is no matrix, or a value or a distance is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9984, on tokenizers; arXiv:1711.00937, eq. (2).

    Examples
    --------
    >>> quantize([[0.2, 0.1], [0.9, 0.8]], [[0.0, 0.0], [1.0, 1.0]])
    array([0, 1])
    """
    codes = _checks.array("codes", codes, ndim=2, core=2)
    x = _checks.array("x", x, core=1, last=codes.shape[1])
    unit = _checks.binary_exponent(x, codes)
    x, codes = np.ldexp(x, -unit), np.ldexp(codes, -unit)
    return _nearest(x.reshape(-1, x.shape[-1]), codes)[0].reshape(x.shape[:-1])[()]


def energy_distance(x: ArrayLike, y: ArrayLike) -> Array:
    """Return the unbiased estimate of the energy distance ``2 E|X - Y| - E|X - X'| - E|Y - Y'|`` from two samples.

    Equal points of one sample are not paired with themselves, so that the mean is right for every size; a single
    estimate may come out negative. The distance itself is 0 for equal laws only.

    Parameters
    ----------
    x : (..., n, d) array_like
        At least two points.
    y : (..., m, d) array_like
        At least two points; leading axes are broadcast.

    Returns
    -------
    (...) ndarray or float
        Symmetric in ``x`` and ``y``, and unchanged by a common shift or rotation.

    Raises
    ------
    ValueError
        If there are fewer than two points, the last axes differ, or a value or a distance is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9984, result 7 (steps of denoising); G. J. Szekely and M. L. Rizzo, J. Stat. Plan. Infer.
       143 (2013) 1249-1272.

    Examples
    --------
    >>> float(energy_distance([[0.0], [1.0]], [[3.0], [5.0]]))  # 2 (3 + 5 + 2 + 4) / 4 - 1 - 2
    4.0
    """
    x, y = _checks.array("x", x, core=2), _checks.array("y", y, core=2)
    _checks.array("y", y, last=x.shape[-1])
    _checks.broadcast(("x", x, 2), ("y", y, 2))
    for name, points in (("x", x), ("y", y)):
        if points.shape[-2] < 2:
            raise ValueError(f"{name} must hold at least 2 points, got {points.shape[-2]}")
    n, m = x.shape[-2], y.shape[-2]
    with np.errstate(over="ignore", invalid="ignore"):
        between = _sum_of_distances(x, y) / (n * m)
        within = _sum_of_distances(x, x) / (n * (n - 1)) + _sum_of_distances(y, y) / (m * (m - 1))
        distance = np.asarray(2 * between - within)
    return _checks.result(distance, "x", "y")


def _nearest(x, codes):
    """Return the nearest code of each row, and the squared distance up to the rounding of a matrix product."""
    rows = max(1, _BLOCK // len(codes))
    nearest, squares = np.empty(len(x), dtype=np.int64), np.empty(len(x))
    with np.errstate(over="ignore", invalid="ignore"):
        centre = codes.mean(axis=0)
        codes = codes - centre
        half = (codes**2).sum(axis=-1) / 2
        for i in range(0, len(x), rows):
            part = x[i : i + rows] - centre
            gaps = _checks.result(half - part @ codes.T, "x", "codes")
            nearest[i : i + rows] = gaps.argmin(axis=-1)
            squares[i : i + rows] = (part**2).sum(axis=-1) + 2 * gaps.min(axis=-1)
    return nearest, squares


def _sum_of_distances(x, y):
    """Return the sum of all distances, a block of rows at a time and coordinate by coordinate: no cancellation."""
    unit = _checks.binary_exponent(x, y, axis=(-2, -1))
    x, y = np.ldexp(x, -unit), np.ldexp(y, -unit)
    rows = max(1, _BLOCK // y.shape[-2])
    total = 0.0
    for i in range(0, x.shape[-2], rows):
        squares = 0.0
        for k in range(x.shape[-1]):
            squares = squares + (x[..., i : i + rows, None, k] - y[..., None, :, k]) ** 2
        total = total + np.sqrt(squares).sum(axis=(-2, -1))
    return np.ldexp(total, unit[..., 0, 0])

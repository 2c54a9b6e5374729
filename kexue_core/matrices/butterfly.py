"""Butterfly matrices: log2(n) sparse factors of 2 x 2 blocks of diagonals, as in the fast Fourier transform."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["butterfly_dense", "butterfly_dim"]


def butterfly_dense(factors: ArrayLike) -> NDArray[Any]:
    """Return the butterfly matrix ``B_n ... B_4 B_2`` of size n, a power of 2.

    ``B_2h`` is block diagonal with n/2h blocks ``[[D1, D2], [D3, D4]]`` of diagonal h x h matrices.

    Parameters
    ----------
    factors : (log2(n), n/2, 2, 2) array_like
        ``factors[s, q h + t]`` with ``h = 2^s`` holds entry t of the four diagonals of block q of ``B_2h``.

    Returns
    -------
    (n, n) ndarray
        Monarch for every block size. These matrices have dimension ``n (log2(n) + 1)``.

    Raises
    ------
    ValueError
        If the shape is not that of a butterfly or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10249, result 10; arXiv:1903.05895.

    Examples
    --------
    With all blocks ``[[1, 1], [1, -1]]`` it is the Hadamard matrix.

    >>> butterfly_dense(np.tile([[1.0, 1.0], [1.0, -1.0]], (2, 2, 1, 1)))
    array([[ 1.,  1.,  1.,  1.],
           [ 1., -1.,  1., -1.],
           [ 1.,  1., -1., -1.],
           [ 1., -1., -1.,  1.]])
    """
    factors = _checks.array("factors", factors, kind="complex", core=1)
    levels = len(factors)
    n = 2**levels
    if factors.shape != (levels, n // 2, 2, 2):
        raise ValueError(f"factors must have shape (log2(n), n/2, 2, 2), got shape {factors.shape}")
    product = np.eye(n, dtype=factors.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for s, blocks in enumerate(factors):
            h = 2**s
            blocks, x = blocks.reshape(n // (2 * h), h, 2, 2), product.reshape(n // (2 * h), 2, h, n)
            product = np.einsum("qtij,qjtc->qitc", blocks, x).reshape(n, n)
    return _checks.result(product, "factors")


def butterfly_dim(n: int) -> int:
    """Return ``n (log2(n) + 1)``, the dimension of the set of butterfly matrices of size n.

    Each of the log2(n) factors has 2n parameters; between two neighbours n scalings do not change the product.

    Parameters
    ----------
    n : int
        A power of 2, at least 2.

    Returns
    -------
    int
        Equal to `monarch_dim` for n = 4 and below it, for every block size, from n = 8 on: from
        there on not every Monarch matrix is a butterfly. The article says so for n > 512.

    Raises
    ------
    ValueError
        If ``n`` is not a power of 2 or below 2.

    References
    ----------
    .. [1] kexue.fm/archives/10249, result 10.

    Examples
    --------
    >>> butterfly_dim(4), butterfly_dim(16)
    (12, 80)
    """
    n = _checks.integer("n", n, low=2)
    if n & (n - 1):
        raise ValueError(f"n must be a power of 2, got {n}")
    return n * n.bit_length()

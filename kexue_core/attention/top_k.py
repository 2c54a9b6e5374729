"""The choice of the k largest."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.attention._common import select_top_k

__all__ = ["top_k_mask"]


def top_k_mask(scores: ArrayLike, k: int) -> NDArray[np.bool_]:
    """Return which entries are the ``k`` largest: ``mask_i = [i in argtop_k scores]``, exactly ``k`` of them.

    Parameters
    ----------
    scores : (..., n) array_like
        ``-inf`` marks what may not be chosen; at least ``k`` entries of each row are finite.
    k : int
        Between 1 and ``n``.

    Returns
    -------
    mask : (..., n) ndarray of bool
        Sums to ``k`` along the last axis; of equal scores the first ones win. Takes ``O(n)`` per row.

    Raises
    ------
    ValueError
        If ``k`` is not between 1 and ``n``, a score is NaN or ``inf``, or a row has fewer than ``k`` finite ones.

    References
    ----------
    .. [1] kexue.fm/archives/10735; Shazeer et al., arXiv:1701.06538.

    Examples
    --------
    >>> top_k_mask([0.2, 0.5, 0.5, 0.1], 1).astype(int)
    array([0, 1, 0, 0])
    """
    return select_top_k(*_checks.top_k("scores", scores, k))

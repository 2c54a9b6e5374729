"""What routing and balance share: the load that is wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks


def target_load(target: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Return the load Q of ``n`` experts, uniform by default."""
    if target is None:
        return np.full(n, 1 / n)
    return _checks.distribution("target", target, positive=True, shape=(n,))

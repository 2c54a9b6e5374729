"""The numerics against the obvious way of doing the same, as ratios in one run."""

import time

import numpy as np
import scipy.special

from kexue_core.attention.entmax import sparsemax
from kexue_core.attention.simplex import softmax
from kexue_core.positions.base import min_base
from kexue_core.positions.rope import rope_coherence, rope_coherence_range, rope_frequencies


def seconds(function, repeat=5):
    """Return the best time of several runs."""
    best = np.inf
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def sparsemax_row(x):
    """Return sparsemax of one vector, by the definition."""
    z = np.sort(x)[::-1]
    bound = (np.cumsum(z) - 1) / np.arange(1, len(z) + 1)
    return np.maximum(x - bound[np.flatnonzero(z > bound)[-1]], 0)


def main():
    """Print one ratio for each comparison."""
    theta = rope_frequencies(128, 5e6)
    fast, slow = seconds(lambda: rope_coherence_range(0, 2**17, theta)), None
    slow = seconds(lambda: rope_coherence(np.arange(2**17), theta), repeat=2)
    print(f"coherence of 131072 positions: angle addition is {slow / fast:.0f} times faster than direct cosines")

    lengths = [1024 * 2**k for k in range(8)]
    sweep = seconds(lambda: [min_base(length) for length in lengths], repeat=1)
    scan = seconds(lambda: rope_coherence_range(0, lengths[-1], theta))
    print(f"min_base, 1k to 128k: {sweep:.2f} s together, the work of {sweep / scan:.0f} scans of 128k positions")

    x = np.random.default_rng(0).standard_normal((1000, 1000))
    ours, peer = seconds(lambda: softmax(x)), seconds(lambda: scipy.special.softmax(x, axis=-1))
    print(f"softmax of (1000, 1000): {ours / peer:.2f} of scipy's time")
    ours, loop = seconds(lambda: sparsemax(x)), seconds(lambda: [sparsemax_row(row) for row in x])
    print(f"sparsemax of (1000, 1000): {loop / ours:.1f} times faster than a loop over rows")


if __name__ == "__main__":
    main()

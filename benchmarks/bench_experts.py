"""Selection, routing and load against bare numpy, and against torch where it is installed."""

import itertools

import numpy as np
from _measure import compare, package

from kexue_core.experts import balance_by_bias, best_subset, expert_load, route, top_k_mask


def mask_by_partition(scores, k):
    """Return a top-k mask, ties left to chance."""
    mask = np.zeros(scores.shape, bool)
    np.put_along_axis(mask, np.argpartition(scores, -k, -1)[:, -k:], True, -1)
    return mask


def bias_loop(scores, k, steps, rate=1e-3):
    """Return the bias after some steps of the sign rule, without any check."""
    T, n = scores.shape
    bias = np.zeros(n)
    for _ in range(steps):
        chosen = np.argpartition(scores + bias, n - k, -1)[:, n - k :]
        excess = np.bincount(chosen.ravel(), minlength=n) / (k * T) - 1 / n
        bias = bias - rate * np.sign(np.where(np.abs(excess) < 1e-12, 0, excess))
    return bias


def best_of_all(vectors, k):
    """Return the best k vectors after an error of every subset, through the Gram matrix, in pieces."""
    n, gram, best, found = len(vectors), vectors @ vectors.T, np.inf, None
    drops = itertools.combinations(range(n), n - k)
    while block := list(itertools.islice(drops, 20_000)):
        gone = np.zeros((len(block), n))
        np.put_along_axis(gone, np.array(block), 1.0, axis=1)
        errors = ((gone @ gram) * gone).sum(axis=1)
        if errors.min() < best:
            best, found = errors.min(), gone[errors.argmin()] == 0
    return found


def main():
    """Print the ratios over tokens, experts and choices."""
    rng = np.random.default_rng(0)
    torch = package("torch")
    for T, n, k in ((64, 8, 1), (4096, 64, 2), (4096, 64, 8), (4096, 256, 8), (65536, 64, 2), (65536, 8, 2)):
        scores, size = rng.random((T, n)), f"T={T} n={n} k={k}"
        small = "a few microseconds of checks" if T < 1000 else ""
        tied = np.round(scores, 1)
        compare(
            "top_k_mask | argpartition",
            size,
            lambda: top_k_mask(scores, k),
            lambda: mask_by_partition(scores, k),
            note=small,
        )
        compare(
            "top_k_mask, ties in most rows | argpartition",
            size,
            lambda: top_k_mask(tied, k),
            lambda: mask_by_partition(tied, k),
            difference=False,
            note="the peer leaves ties to chance",
        )
        compare(
            "route | argpartition",
            size,
            lambda: route(scores, k)[1],
            lambda: np.where(mask_by_partition(scores, k), scores, 0),
            note=small,
        )
        mask = top_k_mask(scores, k)
        compare("expert_load | mask.mean", size, lambda: expert_load(mask), lambda: mask.mean(0) / k, note=small)
        if torch:
            t = torch.from_numpy(scores)
            compare(
                "top_k_mask | torch.topk",
                size,
                lambda: top_k_mask(scores, k),
                lambda: torch.zeros(scores.shape, dtype=bool).scatter_(-1, t.topk(k, -1).indices, True),
            )
    for n, d in ((12, 16), (20, 2), (20, 16), (20, 64)):
        vectors = rng.standard_normal((n, d)) * np.exp(0.5 * rng.standard_normal((n, 1)))
        compare(
            "best_subset | every subset, vectorized",
            f"n={n} k={n // 2} d={d}",
            lambda: best_subset(vectors, n // 2),
            lambda: best_of_all(vectors, n // 2),
        )
    scores = rng.random((1000, 16))
    compare(
        "balance_by_bias, 100 batches | bare loop",
        "T=1000 n=16 k=2",
        lambda: balance_by_bias(100 * [scores], 2)[1],
        lambda: bias_loop(scores, 2, 100),
    )


if __name__ == "__main__":
    main()

"""The simplex, the bound for the last loss, Wasserstein distances and e^(A t), against bare ways and SciPy."""

import numpy as np
from _measure import compare, package

from kexue_core.optimization import (
    bures_wasserstein,
    fokker_planck_matrix,
    last_iterate_bound,
    markov_semigroup,
    project_simplex,
    wasserstein_1d,
)

SMALL = "a few dozen microseconds of checks decide"
UNION = "nearly all is the union of the jumps, which all rows of a batch share"
POSITIVE = "powers of a non-negative matrix only: more products than a Pade fraction has, nothing cancels"
EXACT = "exact to rounding, which the peer is not"


def simplex_by_bisection(theta):
    """Return the nearest probability vectors by 60 halvings of an interval for the threshold."""
    low, high = theta.max(axis=-1, keepdims=True) - 1, theta.max(axis=-1, keepdims=True)
    for _ in range(60):
        middle = (low + high) / 2
        more = np.maximum(theta - middle, 0).sum(axis=-1, keepdims=True) > 1
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.maximum(theta - high, 0)


def last_bound_by_sums(lrs):
    """Return the bound for distance 1 and gradients of 1, from the identity as it stands."""
    total = (1 + (lrs**2).sum()) / (2 * lrs.sum())
    for k in range(len(lrs) - 1):
        total += (1 / lrs[k + 1 :].sum() - 1 / lrs[k:].sum()) * (lrs[k:] ** 2).sum() / 2
    return total


def semigroup_by_implicit_steps(rates, time, steps=400):
    """Return e^(A t) by implicit Euler, whose error falls with the number of steps only."""
    once = np.linalg.inv(np.eye(len(rates)) - time / steps * rates)
    return np.linalg.matrix_power(once, steps)


def bures_by_roots(linalg, m1, s1, m2, s2):
    """Return the squared distance of two normal laws by two matrix roots of SciPy, as the formula stands."""
    root = linalg.sqrtm(s1)
    return ((m1 - m2) ** 2).sum() + np.trace(s1 + s2 - 2 * linalg.sqrtm(root @ s2 @ root)).real


def flows(rng):
    """Print the rows of the gradient flows: Wasserstein distances of normal laws and of samples, and e^(A t)."""
    linalg, stats, pot = package("scipy.linalg"), package("scipy.stats"), package("ot")
    for d in (1, 10, 100, 400):
        m1, m2 = rng.standard_normal((2, d))
        s1, s2 = (part @ part.T / d + 0.1 * np.eye(d) for part in rng.standard_normal((2, d, d)))
        if linalg:
            compare(
                "bures_wasserstein | two sqrtm of SciPy", f"d={d}",
                lambda: bures_wasserstein(m1, s1, m2, s2), lambda: bures_by_roots(linalg, m1, s1, m2, s2),
                note=SMALL if d < 100 else "",
            )  # fmt: skip
        if pot:
            compare(
                "bures_wasserstein | POT", f"d={d}",
                lambda: bures_wasserstein(m1, s1, m2, s2),
                lambda: pot.gaussian.bures_wasserstein_distance(m1, m2, s1, s2) ** 2,
            )  # fmt: skip
    for n in (10, 1000, 100_000):
        x = rng.standard_normal(n)
        moved = rng.permutation(np.repeat(x, 2)) + 0.7  # all go the same way: here W_1 squared is W_2 squared
        if stats:
            compare(
                "wasserstein_1d, a shifted sample | SciPy, squared", f"n={n}, {2 * n}",
                lambda: wasserstein_1d(x, moved), lambda: stats.wasserstein_distance(x, moved) ** 2,
                note=UNION if n > 10 else SMALL,
            )  # fmt: skip
        if pot:
            y = 2 * rng.standard_normal(2 * n) + 1
            compare(
                "wasserstein_1d | POT", f"n={n}, {2 * n}",
                lambda: wasserstein_1d(x, y), lambda: pot.wasserstein_1d(x, y, p=2),
            )  # fmt: skip
    for n, time in ((61, 1.0), (121, 1.0), (241, 1.0), (241, 1e-4)):
        x = np.linspace(-3, 3, n)
        rates = fokker_planck_matrix(x, 2 * (x**2 - 1) ** 2)
        if linalg:
            compare(
                "markov_semigroup | expm of SciPy", f"n={n}, t={time:g}",
                lambda: markov_semigroup(rates, time), lambda: linalg.expm(rates * time),
                note=POSITIVE,
            )  # fmt: skip


def main():
    """Print the ratios over sizes."""
    rng = np.random.default_rng(0)
    for d in (10, 1000, 100_000):
        theta = rng.standard_normal((max(1, 10_000 // d), d))
        compare(
            "project_simplex | 60 halvings",
            f"{theta.shape}",
            lambda: project_simplex(theta),
            lambda: simplex_by_bisection(theta),
        )
    for T in (100, 1000, 10_000):
        lrs = 1 / np.sqrt(np.arange(1, T + 1))
        compare(
            "last_iterate_bound | double sum",
            f"T={T}",
            lambda: last_iterate_bound(lrs),
            lambda: last_bound_by_sums(lrs),
        )
    for n in (61, 121, 241):
        x = np.linspace(-3, 3, n)
        rates = fokker_planck_matrix(x, 2 * (x**2 - 1) ** 2)
        compare(
            "markov_semigroup | 400 implicit steps",
            f"n={n}",
            lambda rates=rates: markov_semigroup(rates, 1.0),
            lambda rates=rates: semigroup_by_implicit_steps(rates, 1.0),
            note=EXACT,
        )
    flows(np.random.default_rng(9660))


if __name__ == "__main__":
    main()

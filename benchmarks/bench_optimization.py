"""Projection onto the simplex by bisection, the bound for the last loss by sums, e^(A t) by implicit steps."""

import numpy as np
from _measure import compare

from kexue_core.optimization import fokker_planck_matrix, last_iterate_bound, markov_semigroup, project_simplex


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
        )


if __name__ == "__main__":
    main()

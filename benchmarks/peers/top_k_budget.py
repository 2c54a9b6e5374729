"""Top-k relaxations by the package entmax and conditional Poisson sampling by cps-sampling, for `smooth_top_k`.

    pip install entmax torch cps-sampling
    python benchmarks/peers/top_k_budget.py

Printed by entmax 1.3 and torch 2.14.1 (CPU), double precision, and by cps-sampling 0.1.0:

    budget_bisect
    (-2, 0, 0.5) budget 2 [0.0, 1.0, 1.0]
    (3, 2.5, 2, 1, 0, -1) budget 2 [1.0, 0.75, 0.25, 0.0, 0.0, 0.0]
    (1.2, 1.0, 0.9, 0.3, 0.1) budget 3 [1.0, 0.925, 0.825, 0.225, 0.025]
    conditional Poisson sampling of (3, 2.5, 2, 1, 0, -1)
    2 of 6 [0.7319, 0.5922, 0.4137, 0.1718, 0.0658, 0.0246]
    4 of 6 [0.9588, 0.9326, 0.8902, 0.718, 0.3551, 0.1453]
"""

import numpy as np
import torch
from cps_sampling import draw_matrix, inclusion_from_matrix
from entmax import budget_bisect


def rounded(p):
    """Return a vector as its numbers to four decimals, without the sign of a zero."""
    return [round(value, 4) + 0.0 for value in np.asarray(p).tolist()]


def main():
    """Print both."""
    print("budget_bisect")
    for x, budget in (((-2, 0, 0.5), 2), ((3, 2.5, 2, 1, 0, -1), 2), ((1.2, 1.0, 0.9, 0.3, 0.1), 3)):
        p = budget_bisect(torch.tensor(x, dtype=torch.float64), budget=budget, dim=-1)
        print(x, "budget", budget, rounded(p))
    print("conditional Poisson sampling of (3, 2.5, 2, 1, 0, -1)")
    x = np.array([3, 2.5, 2, 1, 0, -1])
    for k in (2, 4):
        draws = draw_matrix(1 / (1 + np.exp(-x)), k)
        print(
            "conditional Poisson sampling with the logits", x.tolist(), "of", k, rounded(inclusion_from_matrix(draws))
        )


if __name__ == "__main__":
    main()

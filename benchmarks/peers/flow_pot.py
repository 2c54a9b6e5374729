"""Wasserstein distances by the package POT, for the chapter `gradient_flow`.

    pip install pot
    python benchmarks/peers/flow_pot.py

Two pairs of normal laws, the first one the start and the end of the crowds of the chapter's first explorer, and two
samples of different size on a line. Distances, not squared. Printed by POT 0.9.7.post1 (numpy 2.4.6, scipy 1.17.1):

    ot.gaussian.bures_wasserstein_distance, crowd: 1.34123544
    ot.gaussian.bures_wasserstein_distance, plane: 1.74287805
    ot.wasserstein_1d, p=2: 1.18326973
"""

import numpy as np
import ot


def main():
    """Print one row for each pair."""
    for name, mean1, cov1, mean2, cov2 in (
        ("crowd", [2.0], [[0.25]], [2 * np.exp(-1)], [[1 - 0.75 * np.exp(-2)]]),
        ("plane", [1.0, 0.0], [[2.0, 0.5], [0.5, 1.0]], [0.0, -1.0], [[1.0, -0.5], [-0.5, 3.0]]),
    ):
        args = (np.array(part) for part in (mean1, mean2, cov1, cov2))
        print(f"ot.gaussian.bures_wasserstein_distance, {name}: {ot.gaussian.bures_wasserstein_distance(*args):.8f}")
    x, y = np.sin(np.arange(60)), 2 * np.cos(np.arange(37)) + 1
    print(f"ot.wasserstein_1d, p=2: {ot.wasserstein_1d(x, y, p=2) ** 0.5:.8f}")


if __name__ == "__main__":
    main()

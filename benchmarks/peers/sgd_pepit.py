"""Exact worst cases of the subgradient method by the package PEPit, for the chapter `sgd_convergence`.

    pip install PEPit clarabel
    python benchmarks/peers/sgd_pepit.py

The largest average and last loss, above the least one, over all convex functions of any dimension with slopes of at
most 1, from all starts at a distance of at most 1 from a minimum; T losses are counted, at the points 1 to T, without
projection. A semidefinite program for each row. Printed by PEPit 0.5.1 (cvxpy 1.9.3, Clarabel 0.11.1):

T=2 constant 1/sqrt(T): average 0.707107
    T=3 constant 1/sqrt(T): average 0.577350
    T=4 constant 1/sqrt(T): average 0.500000
    T=7 constant 1/sqrt(T): average 0.377964, last 0.600810
    T=7 anytime 1/sqrt(2t): average 0.410514, last 0.568308
    T=7 linear (1-t/(T+1))/sqrt(T): average 0.417731, last 0.385929
    T=7 linear (1-t/T)/sqrt(T): average 0.434250, last 0.377964
    wc_subgradient_method(M=2, n=6, gamma=1/(2 sqrt(7))): best 0.755928
"""

import numpy as np
from PEPit import PEP
from PEPit.examples.unconstrained_convex_minimization import wc_subgradient_method
from PEPit.functions import ConvexLipschitzFunction


def worst_case(rates, what):
    """Return the largest average or last excess loss of steps with these rates; the last rate makes no loss."""
    problem = PEP()
    function = problem.declare_function(ConvexLipschitzFunction, M=1)
    best = function.stationary_point()
    point = problem.set_initial_point()
    problem.set_initial_condition((point - best) ** 2 <= 1)
    losses = []
    for rate in rates:
        slope, value = function.oracle(point)
        losses.append(value)
        point = point - rate * slope
    total = losses[-1] if what == "last" else sum(losses[1:], losses[0]) / len(losses)
    problem.set_performance_metric(total - function(best))
    return problem.solve(wrapper="cvxpy", solver="CLARABEL", verbose=0)


def main():
    """Print one row for each schedule."""
    for T in (2, 3, 4):
        print(f"T={T} constant 1/sqrt(T): average {worst_case([T**-0.5] * T, 'average'):.6f}")
    t = np.arange(1, 8)
    schedules = {
        "constant 1/sqrt(T)": 0 * t + 7**-0.5,
        "anytime 1/sqrt(2t)": (2 * t) ** -0.5,
        "linear (1-t/(T+1))/sqrt(T)": 7**-0.5 * (1 - t / 8),
        "linear (1-t/T)/sqrt(T)": 7**-0.5 * (1 - t / 7),
    }
    for name, rates in schedules.items():
        average, last = (worst_case(rates.tolist(), what) for what in ("average", "last"))
        print(f"T=7 {name}: average {average:.6f}, last {last:.6f}")
    best, _ = wc_subgradient_method(M=2, n=6, gamma=1 / (2 * np.sqrt(7)), verbose=0)
    print(f"wc_subgradient_method(M=2, n=6, gamma=1/(2 sqrt(7))): best {best:.6f}")


if __name__ == "__main__":
    main()

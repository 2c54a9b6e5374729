"""Optimization: steps, decay, flows and how fast they converge."""

from kexue_core.optimization.sgd import (
    average_regret_bound,
    coin_flip_regret,
    last_iterate_bound,
    learning_rates,
    project_ball,
    project_box,
    project_simplex,
    projected_sgd,
    refined_rates,
)

__all__ = [
    "projected_sgd",
    "project_ball",
    "project_box",
    "project_simplex",
    "learning_rates",
    "refined_rates",
    "average_regret_bound",
    "last_iterate_bound",
    "coin_flip_regret",
]

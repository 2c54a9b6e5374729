"""Optimization: steps, decay, flows and how fast they converge."""

from kexue_core.optimization.muon import (
    MuonState,
    adam_rms,
    muon_step,
    rms_matched_scale,
    root_mean_square,
    schatten_direction,
    schatten_norm,
    svd_entropy,
)

__all__ = [
    "schatten_norm",
    "schatten_direction",
    "root_mean_square",
    "rms_matched_scale",
    "svd_entropy",
    "adam_rms",
    "MuonState",
    "muon_step",
from kexue_core.optimization.decay import (
    DecayStep,
    decayed_spectrum,
    merge_times,
    spectral_decay_step,
    water_level,
)
    "water_level",
    "merge_times",
    "decayed_spectrum",
    "DecayStep",
    "spectral_decay_step",
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

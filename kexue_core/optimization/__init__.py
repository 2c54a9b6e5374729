"""Optimization: steps, decay, flows and how fast they converge."""

from kexue_core.optimization.decay import (
    DecayStep,
    decayed_spectrum,
    merge_times,
    spectral_decay_step,
    water_level,
)
from kexue_core.optimization.flows import gradient_flow, natural_gradient, steepest_direction
from kexue_core.optimization.fokker_planck import fokker_planck_matrix, langevin_path, markov_semigroup
from kexue_core.optimization.lora import (
    LoraPair,
    LoraRun,
    aligned_lr_ratio,
    balanced_lr_ratio,
    lora_gradients,
    lr_ratio_theory,
    output_changes,
    train_lora,
)
from kexue_core.optimization.muon import (
    MuonState,
    adam_rms,
    muon_step,
    rms_matched_scale,
    root_mean_square,
    schatten_direction,
    svd_entropy,
)
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
from kexue_core.optimization.wasserstein import (
    bures_wasserstein,
    gaussian_jko_step,
    jko_step_1d,
    wasserstein_1d,
)

__all__ = [
    "water_level",
    "merge_times",
    "decayed_spectrum",
    "DecayStep",
    "spectral_decay_step",
    "LoraPair",
    "LoraRun",
    "lora_gradients",
    "output_changes",
    "balanced_lr_ratio",
    "lr_ratio_theory",
    "aligned_lr_ratio",
    "train_lora",
    "schatten_direction",
    "root_mean_square",
    "rms_matched_scale",
    "svd_entropy",
    "adam_rms",
    "MuonState",
    "muon_step",
    "projected_sgd",
    "project_ball",
    "project_box",
    "project_simplex",
    "learning_rates",
    "refined_rates",
    "average_regret_bound",
    "last_iterate_bound",
    "coin_flip_regret",
    "gradient_flow",
    "steepest_direction",
    "natural_gradient",
    "bures_wasserstein",
    "wasserstein_1d",
    "gaussian_jko_step",
    "jko_step_1d",
    "fokker_planck_matrix",
    "markov_semigroup",
    "langevin_path",
]

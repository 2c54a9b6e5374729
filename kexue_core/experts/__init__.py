"""Mixture of experts: which vectors of a layer to compute, routing and load balance."""

from kexue_core.experts.balance import (
    Training,
    auxiliary_loss,
    balance_by_bias,
    balance_gradient,
    bias_update,
    train_router,
)
from kexue_core.experts.geometry import (
    best_subset,
    dropped_error,
    ffn_experts,
    geometric_moe,
    longest_subset,
    sampling_probabilities,
    sampling_variance,
)
from kexue_core.experts.routing import expert_load, max_violation, route, top_k_mask
from kexue_core.experts.shares import kept_share

__all__ = [
    "ffn_experts",
    "dropped_error",
    "longest_subset",
    "best_subset",
    "sampling_probabilities",
    "sampling_variance",
    "geometric_moe",
    "kept_share",
    "top_k_mask",
    "route",
    "expert_load",
    "max_violation",
    "auxiliary_loss",
    "balance_gradient",
    "Training",
    "train_router",
    "bias_update",
    "balance_by_bias",
]

"""Mixture of experts: routing and load balance."""

from kexue_core.experts.balance import (
    Training,
    auxiliary_loss,
    balance_by_bias,
    balance_gradient,
    bias_update,
    train_router,
)
from kexue_core.experts.routing import expert_load, max_violation, route, top_k_mask

__all__ = [
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

"""Attention and probability: maps to the simplex and their relatives."""

from kexue_core.attention.entmax import entmax, entmax_jacobian, entmax_loss, sparsemax, support_size
from kexue_core.attention.initialization import (
    activate,
    activation_moments,
    init_std,
    layer_mean_squares,
    residual_weights,
    sample_weights,
    selu_constants,
    truncated_normal_std,
)
from kexue_core.attention.matrix import (
    attention_mask,
    attention_matrix,
    collapse_trace,
    effective_rank,
    linear_attention_matrix,
    numerical_rank,
    stable_rank,
    triangular_condition,
    triangular_logdet,
)
from kexue_core.attention.perturb import permute_and_flip, perturb_max
from kexue_core.attention.simplex import logsumexp, softmax, sparse_softmax, taylor_softmax
from kexue_core.attention.top_k import (
    grad_top_k,
    iterated_top_k,
    log_subset_sum,
    threshold_top_k,
    top_k_jacobian,
    top_k_mask,
    top_k_threshold,
)

__all__ = [
    "softmax",
    "logsumexp",
    "taylor_softmax",
    "sparse_softmax",
    "sparsemax",
    "entmax",
    "entmax_jacobian",
    "entmax_loss",
    "support_size",
    "perturb_max",
    "permute_and_flip",
    "top_k_mask",
    "iterated_top_k",
    "grad_top_k",
    "log_subset_sum",
    "threshold_top_k",
    "top_k_threshold",
    "top_k_jacobian",
    "activate",
    "activation_moments",
    "init_std",
    "selu_constants",
    "truncated_normal_std",
    "sample_weights",
    "residual_weights",
    "layer_mean_squares",
    "attention_mask",
    "attention_matrix",
    "linear_attention_matrix",
    "triangular_logdet",
    "triangular_condition",
    "effective_rank",
    "stable_rank",
    "numerical_rank",
    "collapse_trace",
]

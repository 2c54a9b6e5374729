"""Attention and probability: maps to the simplex and their relatives."""

from kexue_core.attention.entmax import entmax, entmax_jacobian, entmax_loss, sparsemax, support_size
from kexue_core.attention.perturb import normal_cdf, normal_quantile, permute_and_flip, perturb_max
from kexue_core.attention.simplex import logsumexp, softmax, sparse_softmax, taylor_softmax

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
    "normal_cdf",
    "normal_quantile",
]

"""Structured matrices: Monarch and butterfly; the matrix sign."""

from kexue_core.matrices.butterfly import butterfly_dense, butterfly_dim
from kexue_core.matrices.matrix_sign import (
    NS_COEFFICIENTS,
    Accuracy,
    msign,
    newton_schulz,
    ns_accuracy,
    ns_polynomial,
)
from kexue_core.matrices.monarch import (
    Monarch,
    block_permutation,
    low_rank_error,
    monarch_cost,
    monarch_dense,
    monarch_dim,
    monarch_matvec,
    monarch_project,
    monarch_solve,
)

__all__ = [
    "block_permutation",
    "monarch_dense",
    "monarch_matvec",
    "monarch_solve",
    "Monarch",
    "monarch_project",
    "monarch_cost",
    "monarch_dim",
    "low_rank_error",
    "butterfly_dense",
    "butterfly_dim",
    "NS_COEFFICIENTS",
    "msign",
    "newton_schulz",
    "ns_polynomial",
    "Accuracy",
    "ns_accuracy",
]

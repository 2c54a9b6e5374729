"""Structured matrices, Monarch and butterfly; the matrix sign; singular values, their norms and gradients."""

from kexue_core.matrices.butterfly import (
    butterfly_dense,
    butterfly_dim,
)
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
from kexue_core.matrices.singular import (
    TopSingular,
    clip_singular_values,
    power_iteration,
    schatten_gradient,
    schatten_norm,
    spectral_derivative,
)

__all__ = [
    "butterfly_dense",
    "butterfly_dim",
    "NS_COEFFICIENTS",
    "msign",
    "newton_schulz",
    "ns_polynomial",
    "Accuracy",
    "ns_accuracy",
    "block_permutation",
    "monarch_dense",
    "monarch_matvec",
    "monarch_solve",
    "Monarch",
    "monarch_project",
    "monarch_cost",
    "monarch_dim",
    "low_rank_error",
    "schatten_norm",
    "schatten_gradient",
    "spectral_derivative",
    "TopSingular",
    "power_iteration",
    "clip_singular_values",
]

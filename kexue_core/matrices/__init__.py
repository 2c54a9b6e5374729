"""Structured matrices: Monarch, butterfly, CUR; the matrix sign; singular values, their norms and gradients."""

from kexue_core.matrices.butterfly import (
    butterfly_dense,
    butterfly_dim,
)
from kexue_core.matrices.cur import (
    CUR,
    CURBound,
    cauchy_error,
    cur_approximation,
    cur_bound,
    cur_factors,
    interpolation_weights,
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
from kexue_core.matrices.selection import (
    deim_indices,
    leverage_scores,
    maximal_volume,
    pivoted_columns,
    select_columns,
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
    "CUR",
    "CURBound",
    "cur_factors",
    "cur_approximation",
    "cur_bound",
    "interpolation_weights",
    "cauchy_error",
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
    "deim_indices",
    "maximal_volume",
    "pivoted_columns",
    "leverage_scores",
    "select_columns",
    "schatten_norm",
    "schatten_gradient",
    "spectral_derivative",
    "TopSingular",
    "power_iteration",
    "clip_singular_values",
]

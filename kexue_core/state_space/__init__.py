"""State-space models: HiPPO, Legendre memories, discretization, the kernels of S4 and S4D."""

from kexue_core.state_space.dplr import diagonal_gap, dplr_legs, dplr_scan, legs_impulse_response, skew_frequencies
from kexue_core.state_space.hippo import discretize, hippo_matrix, legt_delay_response, state_scan, transfer_function
from kexue_core.state_space.kernels import (
    causal_convolution,
    diagonal_kernel,
    dplr_generating,
    dplr_kernel,
    power_kernel,
)
from kexue_core.state_space.legendre import legendre_table, legs_resolution, project_piecewise_constant, reconstruct
from kexue_core.state_space.legs import legs_scan, legs_step, legs_transition

__all__ = [
    "hippo_matrix",
    "discretize",
    "state_scan",
    "transfer_function",
    "legt_delay_response",
    "legendre_table",
    "project_piecewise_constant",
    "reconstruct",
    "legs_resolution",
    "legs_transition",
    "legs_step",
    "legs_scan",
    "dplr_legs",
    "skew_frequencies",
    "legs_impulse_response",
    "diagonal_gap",
    "dplr_scan",
    "power_kernel",
    "dplr_generating",
    "dplr_kernel",
    "diagonal_kernel",
    "causal_convolution",
]

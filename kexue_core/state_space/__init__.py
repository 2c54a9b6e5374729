"""State-space models: HiPPO, Legendre memories, discretisation."""

from kexue_core.state_space.hippo import discretize, hippo_matrix, legt_delay_response, state_scan, transfer_function
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
]

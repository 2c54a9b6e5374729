"""Diffusion and generation: schedules, exact denoisers, samplers."""

from kexue_core.diffusion.ancestral import (
    ancestral_sample,
    gaussian_chain_variance,
    posterior_coefficients,
    reverse_noise,
)
from kexue_core.diffusion.denoisers import (
    denoise_gaussian,
    denoise_mixture,
    denoise_points,
    disk_images,
    edm_time_steps,
    velocity,
)
from kexue_core.diffusion.mean_value import TrajectoryPCA, fit_mean_direction, gaussian_mean_time, trajectory_pca
from kexue_core.diffusion.samplers import METHODS, reference_trajectory, solve_diffusion_ode, steps_at_nfe
from kexue_core.diffusion.schedules import (
    ddpm_schedule,
    diffuse,
    gradient_variances,
    loss_weights,
    respace,
    terminal_kl_bits,
)

__all__ = [
    "edm_time_steps",
    "denoise_gaussian",
    "denoise_mixture",
    "denoise_points",
    "velocity",
    "disk_images",
    "ddpm_schedule",
    "respace",
    "diffuse",
    "loss_weights",
    "gradient_variances",
    "terminal_kl_bits",
    "METHODS",
    "steps_at_nfe",
    "solve_diffusion_ode",
    "reference_trajectory",
    "posterior_coefficients",
    "reverse_noise",
    "ancestral_sample",
    "gaussian_chain_variance",
    "gaussian_mean_time",
    "fit_mean_direction",
    "TrajectoryPCA",
    "trajectory_pca",
]

"""Diffusion and generation: schedules, exact denoisers, samplers; what few bits lose."""

from kexue_core.diffusion.ancestral import (
    ancestral_sample,
    gaussian_chain_variance,
    posterior_coefficients,
    reverse_noise,
)
from kexue_core.diffusion.codebook_noise import codebook, exact_schedule
from kexue_core.diffusion.codebook_rate import codebook_errors, max_normal_moments, pack_codes, unpack_codes
from kexue_core.diffusion.codebooks import codebook_encode, codebook_sample
from kexue_core.diffusion.consistency import (
    ConsistencyTable,
    consistency_sample,
    consistency_step,
    gaussian_consistency_gain,
    train_consistency,
)
from kexue_core.diffusion.denoisers import (
    denoise_gaussian,
    denoise_mixture,
    denoise_points,
    disk_images,
    velocity,
)
from kexue_core.diffusion.distillation import (
    gaussian_distillation_gradient,
    gaussian_distillation_losses,
    gaussian_distillation_path,
    particle_distillation_gradient,
)
from kexue_core.diffusion.flow import consistency_mixture, flow_denoise, flow_velocity_variance
from kexue_core.diffusion.idempotent import ign_descent, ign_equilibria, ign_gradient
from kexue_core.diffusion.idempotent_net import MapNet, ign_net_gradient, map_net, random_map_net, train_ign
from kexue_core.diffusion.losses import diffuse, gradient_variances, loss_weights, terminal_kl_bits
from kexue_core.diffusion.mean_value import TrajectoryPCA, fit_mean_direction, gaussian_mean_time, trajectory_pca
from kexue_core.diffusion.multistep import MULTISTEP, fit_inserted_times, insert_times, solve_multistep
from kexue_core.diffusion.quantization import energy_distance, fit_codebook, quantize, reverse_water_filling
from kexue_core.diffusion.resolution import (
    average_pool,
    matched_shift,
    multiscale_losses,
    pooling_response,
    power_law_spectrum,
    remaining_uncertainty,
)
from kexue_core.diffusion.samplers import (
    METHODS,
    Method,
    solve_diffusion_ode,
    solve_reference,
    steps_at_nfe,
    trajectory,
)
from kexue_core.diffusion.schedules import (
    Schedule,
    ddpm_schedule,
    edm_time_steps,
    respace,
    schedule_from_betas,
    shift_schedule,
)
from kexue_core.diffusion.skip import best_skip, sample_tuned, skip_gain, skip_weights, tune_skip
from kexue_core.diffusion.skip_net import SkipNet, linearity, random_skip_net, skip_net
from kexue_core.diffusion.snr import cosine_log_snr, log_snr, shift_levels, shift_time, snr_levels

__all__ = [
    "edm_time_steps",
    "Schedule",
    "ddpm_schedule",
    "schedule_from_betas",
    "respace",
    "shift_schedule",
    "log_snr",
    "snr_levels",
    "shift_levels",
    "shift_time",
    "cosine_log_snr",
    "average_pool",
    "pooling_response",
    "multiscale_losses",
    "power_law_spectrum",
    "matched_shift",
    "remaining_uncertainty",
    "denoise_gaussian",
    "denoise_mixture",
    "denoise_points",
    "velocity",
    "disk_images",
    "diffuse",
    "loss_weights",
    "gradient_variances",
    "terminal_kl_bits",
    "METHODS",
    "Method",
    "steps_at_nfe",
    "solve_diffusion_ode",
    "solve_reference",
    "trajectory",
    "MULTISTEP",
    "solve_multistep",
    "insert_times",
    "fit_inserted_times",
    "posterior_coefficients",
    "reverse_noise",
    "ancestral_sample",
    "gaussian_chain_variance",
    "gaussian_mean_time",
    "fit_mean_direction",
    "TrajectoryPCA",
    "trajectory_pca",
    "reverse_water_filling",
    "fit_codebook",
    "quantize",
    "energy_distance",
    "flow_denoise",
    "flow_velocity_variance",
    "consistency_mixture",
    "consistency_step",
    "ConsistencyTable",
    "train_consistency",
    "consistency_sample",
    "gaussian_consistency_gain",
    "gaussian_distillation_losses",
    "gaussian_distillation_gradient",
    "gaussian_distillation_path",
    "particle_distillation_gradient",
    "exact_schedule",
    "codebook",
    "codebook_sample",
    "codebook_encode",
    "pack_codes",
    "unpack_codes",
    "max_normal_moments",
    "codebook_errors",
    "skip_weights",
    "tune_skip",
    "sample_tuned",
    "skip_gain",
    "best_skip",
    "SkipNet",
    "random_skip_net",
    "skip_net",
    "linearity",
    "ign_equilibria",
    "ign_gradient",
    "ign_descent",
    "MapNet",
    "random_map_net",
    "map_net",
    "ign_net_gradient",
    "train_ign",
]

"""Mathematics: the Gamma function from one Fourier integral; curvature, measured from inside."""

from kexue_core.mathematics.curvature import (
    angle_deficit,
    christoffel,
    gaussian_curvature,
    half_plane_metric,
    riemann_tensor,
    scalar_curvature,
    sphere_metric,
    stereographic_metric,
    torus_metric,
)
from kexue_core.mathematics.gamma import (
    gamma,
    gamma_fourier,
    gamma_fourier_line,
    gamma_integrand,
    gamma_residues,
    log_gamma,
)
from kexue_core.mathematics.geodesics import geodesic, holonomy_angle, parallel_transport, walk, walk_gap

__all__ = [
    "christoffel",
    "riemann_tensor",
    "gaussian_curvature",
    "scalar_curvature",
    "angle_deficit",
    "sphere_metric",
    "torus_metric",
    "half_plane_metric",
    "stereographic_metric",
    "geodesic",
    "parallel_transport",
    "holonomy_angle",
    "walk",
    "walk_gap",
    "gamma_integrand",
    "gamma_fourier",
    "log_gamma",
    "gamma",
    "gamma_fourier_line",
    "gamma_residues",
]

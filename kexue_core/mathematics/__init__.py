"""Mathematics: the Gamma function from one Fourier integral."""

from kexue_core.mathematics.gamma import (
    gamma,
    gamma_fourier,
    gamma_fourier_line,
    gamma_integrand,
    gamma_residues,
    log_gamma,
)

__all__ = ["gamma_integrand", "gamma_fourier", "log_gamma", "gamma", "gamma_fourier_line", "gamma_residues"]

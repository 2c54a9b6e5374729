"""The gamma function by the article's road against SciPy and mpmath."""

import numpy as np
import scipy.special
from _measure import compare, package

from kexue_core.mathematics import gamma, gamma_fourier_line, log_gamma

ROAD = "the article's quadrature, not the shortest road: beyond |z| = 8 Stirling's series is O(1)"


def main():
    """Print the ratios over sizes and heights."""
    rng = np.random.default_rng(0)
    mpmath = package("mpmath")
    for n in (1, 100, 10_000):
        x = rng.uniform(0.1, 20, n)
        z = x + 1j * rng.standard_normal(n) * 10
        compare(
            "gamma, real | scipy", str(n), lambda: gamma(x), lambda: scipy.special.gamma(x), difference=False, note=ROAD
        )
        compare(
            "log_gamma, complex | scipy", str(n), lambda: log_gamma(z), lambda: scipy.special.loggamma(z), note=ROAD
        )
        if mpmath and n <= 100:
            compare(
                "gamma, complex | mpmath",
                str(n),
                lambda: gamma(z),
                lambda: [complex(mpmath.gamma(w)) for w in z],
                difference=False,
            )
    for y in (1, 100, 10_000):
        z = np.full(100, 3 + 1j * y)
        compare(
            "log_gamma, growth with Im z | scipy",
            f"100, Im={y}",
            lambda: log_gamma(z),
            lambda: scipy.special.loggamma(z),
            note=ROAD,
        )
    line = 1 + 1j * (2 * np.pi / 80 * (np.arange(4096) - 2048))
    compare(
        "gamma_fourier_line | scipy on the line",
        "n=4096",
        lambda: gamma_fourier_line(1.0)[1],
        lambda: scipy.special.gamma(line),
    )


if __name__ == "__main__":
    main()

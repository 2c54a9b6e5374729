"""The gamma function by the article's road against SciPy and mpmath; curvature against SymPy and SciPy."""

import numpy as np
import scipy.integrate
import scipy.special
from _measure import compare, package

from kexue_core.mathematics import (
    christoffel,
    gamma,
    gamma_fourier_line,
    geodesic,
    holonomy_angle,
    log_gamma,
    riemann_tensor,
    stereographic_metric,
    torus_metric,
    walk,
)

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
    curved()


def curved():
    """Print the ratios of what differentiates, integrates and walks."""
    sympy = package("sympy")
    rng = np.random.default_rng(0)
    if sympy:
        theta, phi = sympy.symbols("theta phi")
        wide = 2 + sympy.cos(theta)
        zero = 0 * theta
        gamma_exact = [[[zero, zero], [zero, wide * sympy.sin(theta)]]]
        gamma_exact += [[[zero, -sympy.sin(theta) / wide], [-sympy.sin(theta) / wide, zero]]]
        fast = sympy.lambdify((theta, phi), gamma_exact)
        for n in (1, 100, 10_000):
            x = rng.uniform(0, 3, (n, 2))

            def peer(x=x):
                table = fast(x[:, 0], x[:, 1])
                return np.array([[[entry + 0 * x[:, 0] for entry in row] for row in t] for t in table]).transpose(
                    3, 0, 1, 2
                )

            compare(
                "christoffel, torus | lambdified formulas of SymPy",
                str(n),
                lambda x=x: christoffel(torus_metric, x),
                peer,
                note="any metric, by a complex step; the formulas know theirs",
            )
    for n in (10, 1000):
        x = rng.uniform(0, 3, (n, 2))
        compare(
            "riemann_tensor, a batch | point by point",
            str(n),
            lambda x=x: riemann_tensor(torus_metric, x),
            lambda x=x: np.array([riemann_tensor(torus_metric, point) for point in x]),
        )

    def slope(_, y):
        return np.concatenate([y[2:], -christoffel(torus_metric, y[:2]) @ y[2:] @ y[2:]])

    start = np.array([0.4, 0.1, *np.array([0.2, 0.3]) / np.sqrt([0.2, 0.3] @ torus_metric([0.4, 0.1]) @ [0.2, 0.3])])
    for length, steps in ((5.0, 160), (20.0, 640)):
        compare(
            "geodesic, torus, to 1e-7 | solve_ivp, DOP853",
            f"length {length:g}",
            lambda length=length, steps=steps: geodesic(torus_metric, start[:2], start[2:], length, steps=steps)[0][-1],
            lambda length=length: scipy.integrate.solve_ivp(
                slope, (0, length), start, method="DOP853", rtol=1e-9, atol=1e-9
            ).y[:2, -1],
            note="equal steps of fourth order, points at equal distances",
        )
    turns = np.full(4, np.pi / 2)

    def integrated():
        x, v = np.zeros(2), np.array([1.0, 0.0])
        for _ in range(4):
            xs, vs = geodesic(stereographic_metric, x, v, 0.5, steps=20)
            x, v = xs[-1], np.array([-vs[-1, 1], vs[-1, 0]])
        return x

    def exact():
        place = walk(np.full(4, 0.5), turns)[-1][:, 0]
        return place[1:] / (1 + place[0])

    compare("walk, four sides | geodesic, 20 steps a side", "4", exact, integrated)
    for n in (100, 1000, 10_000):
        angle = np.linspace(0, 2 * np.pi, n)
        ring = 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        ring[-1] = ring[0]
        compare(
            "holonomy_angle, growth | its Christoffel symbols alone",
            str(n),
            lambda ring=ring: holonomy_angle(stereographic_metric, ring),
            lambda ring=ring: christoffel(stereographic_metric, ring),
            difference=False,
        )


if __name__ == "__main__":
    main()

"""Figures of the chapter `hippo` by SciPy and mpmath, without kexue_core.

    pip install numpy scipy mpmath
    python benchmarks/peers/hippo_scipy.py

Printed by numpy 2.4.6, scipy 1.17.1 and mpmath 1.3.0, each line with what computed it:

    scipy spherical_jn: sine, N = 32           7.144e-12 1.04e-05 0.001212 0.03644 0.2844 0.5547 0.7634
    scipy spherical_jn: 1 % lost at            0.8701 0.9249 0.9572 0.976
    mpmath: delay, N = 32                      1.034e-37 1.049e-13 3.823e-06 0.001216 0.07043 0.6946
    numpy: last coefficient, L = 1000          0.7579 0.1521 -0.0003215 -1.408e-06
    scipy solve_triangular: article            0.01402 0.005363 0.002165
    scipy solve_triangular: authors            0.02555 0.006126 0.001516
    scipy solve_triangular: log-bilinear       0.002529 0.0001572 9.81e-06
    mean squared error, exact                  5.705e-09
    mean squared error, article                1.671e-05
    mean squared error, authors                3.487e-05
    mean squared error, forward                0.00548
    scipy expm: norms, N = 4, 16, 64           0.3482 0.3679 0.3679
    mpmath: Fourier read-out, feedback 1       0.1125 0.801 0.4979
    mpmath: Fourier read-out, feedback 2       6.17e-05 0.002853 0.00362
    scipy brentq: Fourier pole                 -1.09164 -1.09787 -1.09843
"""

import math

import mpmath
import numpy as np
from numpy.polynomial import legendre
from scipy import linalg, optimize, special

mpmath.mp.dps = 50
HALF = np.sqrt(np.arange(256) + 0.5)  # orthonormal: g_n = sqrt(n + 1/2) p_n


def show(name, values):
    """Print one line of figures."""
    print(f"{name:42s}", " ".join(f"{float(value):.4g}" for value in np.atleast_1d(values)))


def sine_lost(periods, phase, n):
    """Return the share of energy that n coefficients lose of a sine."""
    a, k = math.pi * periods, np.arange(n)
    # int sin(a(s+1) + phase) p_k ds = Im(e^(i(a+phase)) 2 i^k j_k(a))
    c = 2 * special.spherical_jn(k, a) * np.imag(np.exp(1j * (a + phase)) * 1j**k) * HALF[:n]
    tail = np.arange(n, n + 200)
    lost = 2 * special.spherical_jn(tail, a) * np.imag(np.exp(1j * (a + phase)) * 1j**tail)
    lost = (lost**2 * (tail + 0.5)).sum()
    return lost / (lost + (c**2).sum())


def mean_lost(a, n):
    """Return the mean over the phases."""
    k = np.arange(n, n + 200)
    return ((2 * k + 1) * special.spherical_jn(k, a) ** 2).sum()


def delay_error(frequency, n):
    """Return the error of the [n-1/n] Pade approximant of e^(-z) from its explicit polynomials."""
    z, m = 2j * mpmath.pi * frequency, n - 1

    def explicit(top, bottom, x):
        return sum(
            mpmath.binomial(top, j) * mpmath.factorial(top + bottom - j) / mpmath.factorial(top + bottom) * x**j
            for j in range(top + 1)
        )

    return abs(explicit(m, n, -z) / explicit(n, m, z) - mpmath.exp(-z))


def legs(n):
    """Return A and B."""
    q = np.sqrt(2.0 * np.arange(n) + 1)
    return -np.tril(np.outer(q, q), -1) - np.diag(np.arange(n) + 1.0), math.sqrt(2) * q


def signal(L):
    """Return the test signal of the chapter."""
    t = np.arange(L) / L
    return np.sin(6 * np.pi * t) + 0.5 * np.cos(14 * np.pi * t + 1)


def projection(u, n):
    """Return the coefficients of the staircase by antiderivatives."""
    edges = 2 * np.arange(len(u) + 1) / len(u) - 1
    parts = [legendre.legval(edges, legendre.legint(np.eye(n)[k])) for k in range(n)]
    return np.array([u @ np.diff(part) for part in parts]) * HALF[:n]


def run(method, u, n):
    """Return the last state of a recursion with dense matrices, from x_1 = sqrt(2) u_0 e_0."""
    (A, B), one = legs(n), np.eye(n)
    x = math.sqrt(2) * u[0] * one[0]
    for k in range(1, len(u)):
        h = math.log1p(1 / k)
        if method == "exact":
            E = linalg.expm(h * A)
            x = E @ x + linalg.solve_triangular(A, (E - one) @ B, lower=True) * u[k]
            continue
        p, q, h = {
            "article": (0.5 / (k + 1), 0.5 / k, 1 / k),
            "authors": (0.5 / (k + 1), 0.5 / (k + 1), 1 / (k + 1)),
            "log-bilinear": (h / 2, h / 2, h),
            "forward": (0, 1 / k, 1 / k),
        }[method]
        x = linalg.solve_triangular(one - p * A, x + q * (A @ x) + h * B * u[k], lower=True)
    return x


def fourier_readout(omega, feedback, highest):
    """Return the error of the read-out of u(T-w) for e^(i omega t), w = 1."""
    z = 1j * mpmath.mpf(omega)
    S = 1 / z + sum(2 * z / (z**2 + (2 * mpmath.pi * f) ** 2) for f in range(1, highest + 1))
    total = feedback * S / (1 + feedback * S)
    return abs((2 * total - 1 if feedback == 2 else total) - mpmath.exp(-z))


def fourier_pole(highest):
    """Return the real pole of the system with feedback 1."""
    squares = (2 * np.pi * np.arange(1, highest + 1)) ** 2
    return optimize.brentq(lambda z: 1 + 1 / z + (2 * z / (z**2 + squares)).sum(), -1.5, -0.5, xtol=1e-14)


def main():
    """Print all figures."""
    show("scipy spherical_jn: sine, N = 32", [sine_lost(P, 0.3, 32) for P in (6, 8, 9, 10, 11, 12, 16)])
    place = [optimize.brentq(lambda v, n=n: mean_lost(v * n, n) - 0.01, 0.5, 1, xtol=1e-12) for n in (16, 32, 64, 128)]
    show("scipy spherical_jn: 1 % lost at", place)
    show("mpmath: delay, N = 32", [delay_error(f, 32) for f in (2, 5, 7, 8, 9, 10)])
    show("numpy: last coefficient, L = 1000", [projection(signal(1000), n)[-1] for n in (8, 16, 32, 64)])
    for method in ("article", "authors", "log-bilinear"):
        errors = []
        for L in (250, 1000, 4000):
            exact = projection(signal(L), 16)
            errors.append(np.linalg.norm(run(method, signal(L), 16) - exact) / np.linalg.norm(exact))
        show(f"scipy solve_triangular: {method}", errors)
    middles = (2 * np.arange(1000) + 1) / 1000 - 1
    for method in ("exact", "article", "authors", "forward"):
        found = run(method, signal(1000), 32)
        remembered = legendre.legval(middles, found * HALF[:32])
        show(f"mean squared error, {method}", np.mean((remembered - signal(1000)) ** 2))
    show("scipy expm: norms, N = 4, 16, 64", [np.linalg.norm(linalg.expm(2 * legs(n)[0]), 2) for n in (4, 16, 64)])
    for feedback in (1, 2):
        values = [fourier_readout(omega, feedback, 100) for omega in (0.5, 2, 5)]
        show(f"mpmath: Fourier read-out, feedback {feedback}", values)
    print(f"{'scipy brentq: Fourier pole':42s}", " ".join(f"{fourier_pole(n):.5f}" for n in (10, 100, 400)))


if __name__ == "__main__":
    main()

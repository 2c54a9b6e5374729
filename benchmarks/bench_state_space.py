"""Discretization, scans, kernels and Legendre memories against SciPy."""

import numpy as np
import scipy.linalg
import scipy.signal
import scipy.special
from _measure import compare, growth

from kexue_core.state_space import (
    causal_convolution,
    diagonal_kernel,
    discretize,
    dplr_generating,
    dplr_kernel,
    dplr_legs,
    dplr_scan,
    hippo_matrix,
    legendre_table,
    legs_resolution,
    legs_scan,
    legs_transition,
    power_kernel,
    skew_frequencies,
    state_scan,
    transfer_function,
)

DOUBLING = "numpy has no triangular solve: 2 log2(n) vector operations a step instead"
ALL_STATES = "state_scan returns all n states; one output alone is a convolution: dplr_kernel, causal_convolution"
IN_BLAS = "matrix products of real numbers in BLAS, against complex divisions"
SQUARING = "squares Abar, n^3 log2(L); training carries ct"
NO_MATRIX = "some n^2 arctangents; it needs no LAPACK"
NO_SCHUR = "a linear system for each frequency: numpy has no Schur form, and eigenvectors lose digits"


def legs_by_triangles(u, n):
    """Return the states of the "reference" recursion by triangular solves."""
    A, b = hippo_matrix("legs", n)
    states = np.zeros((len(u), n))
    states[0, 0] = 2**0.5 * u[0]
    for k in range(1, len(u)):
        p = 0.5 / (k + 1)
        right = states[k - 1] + p * (A @ states[k - 1]) + 2 * p * u[k] * b
        states[k] = scipy.linalg.solve_triangular(np.eye(n) - p * A, right, lower=True, check_finite=False)
    return states


def one_output(Abar, bbar, c, u):
    """Return c.x_k by the kernel, doubled until it is long enough, and one FFT."""
    K, P = bbar[:, None], Abar
    while K.shape[1] < len(u):
        K, P = np.concatenate([K, P @ K], 1), P @ P
    return np.fft.irfft(np.fft.rfft(c @ K[:, : len(u)], 2 * len(u)) * np.fft.rfft(u, 2 * len(u)))[: len(u)]


def doubled_kernel(Abar, bbar, c, length):
    """Return the kernel by matrix products that double its length: the dense peer at its best."""
    K, P = bbar[:, None], Abar
    while K.shape[1] < length:
        K, P = np.concatenate([K, P @ K], 1), P @ P
    return c @ K[:, :length]


def bare_scan(Abar, bbar, u):
    """Return all states by a bare loop."""
    x, states = np.zeros(len(bbar)), np.empty((len(u), len(bbar)))
    for k in range(len(u)):
        x = Abar @ x + u[k] * bbar
        states[k] = x
    return states


def main():
    """Print the ratios over sizes."""
    rng = np.random.default_rng(0)
    for n in (4, 16, 64, 256):
        A, b = hippo_matrix("legt", n)
        system = A, b[:, None], np.eye(n), np.zeros((n, 1))
        for method, name in (("zoh", "zoh"), ("bilinear", "bilinear"), ("backward", "backward_diff")):
            compare(
                f"discretize {method} | cont2discrete",
                f"n={n}",
                lambda: np.column_stack(discretize(A, b, 1e-3, method)),
                lambda: np.column_stack(scipy.signal.cont2discrete(system, 1e-3, name)[:2]),
            )
    for n, L in ((8, 1000), (64, 1000), (256, 1000)):
        Abar, bbar = discretize(*hippo_matrix("legt", n), 1e-2)
        u, c = rng.standard_normal(L), rng.standard_normal(n) / n
        system = Abar, bbar[:, None], np.eye(n), np.zeros((n, 1)), 1.0
        compare(
            "state_scan | dlsim",
            f"n={n} L={L}",
            lambda: state_scan(Abar, bbar, u)[:-1],
            lambda: scipy.signal.dlsim(system, u[:, None])[2][1:],
        )
        compare(
            "state_scan | bare loop",
            f"n={n} L={L}",
            lambda: state_scan(Abar, bbar, u),
            lambda: bare_scan(Abar, bbar, u),
        )
        compare(
            "one output: state_scan @ c | kernel and FFT",
            f"n={n} L={L}",
            lambda: state_scan(Abar, bbar, u) @ c,
            lambda: one_output(Abar, bbar, c, u),
            note=ALL_STATES,
        )
    for n, L in ((16, 500), (64, 500), (256, 200)):
        u = np.cumsum(rng.standard_normal(L))
        compare(
            "legs_scan reference | solve_triangular",
            f"n={n} L={L}",
            lambda: legs_scan(u, n, "reference"),
            lambda: legs_by_triangles(u, n),
            note=DOUBLING if n < 256 else "",
        )
    for n in (8, 64, 256):
        A, _ = hippo_matrix("legs", n)
        compare(
            "legs_transition | expm",
            f"n={n}",
            lambda: legs_transition(n, 0.7),
            lambda: scipy.linalg.expm(A * np.log(1 / 0.7)),
        )
    for n, m in ((8, 100), (64, 1000), (256, 4000)):
        x, a, i = np.linspace(-1, 1, m), np.linspace(0.1, 1.5 * n, m), np.arange(n)[:, None]
        compare(
            "legendre_table | legvander",
            f"n={n} m={m}",
            lambda: legendre_table(x, n),
            lambda: np.polynomial.legendre.legvander(x, n - 1).T,
        )
        compare(
            "legs_resolution | sum of spherical_jn",
            f"n={n} m={m}",
            lambda: legs_resolution(n, a),
            lambda: 1 - ((2 * i + 1) * scipy.special.spherical_jn(i, a) ** 2).sum(0),
            note="keeps the digits of small values",
        )
    for n, m in ((4, 100), (32, 1000)):
        A, b = hippo_matrix("legt", n)
        c, w = np.ones(n), np.linspace(0, 50, m)
        compare(
            "transfer_function | freqresp",
            f"n={n} m={m}",
            lambda: transfer_function(A, b, c, 1j * w),
            lambda: scipy.signal.freqresp((A, b[:, None], c[None], [[0]]), w)[1],
            note=NO_SCHUR if n > 4 else "",
        )
    s4(rng)


def s4(rng):
    """Print the rows of S4: kernels, scans, convolution, eigenvalues; then how the time grows."""
    for n, L in ((16, 256), (16, 4096), (64, 256), (64, 1024), (64, 4096), (64, 16384), (256, 1024), (256, 16384)):
        h, C = 4 / L, 1 / (1 + np.arange(n))
        A, B = hippo_matrix("legs", n)
        Abar, bbar = discretize(A, B, h, "bilinear")
        lam, p, U = dplr_legs(n)
        c = U.conj().T @ C
        lost = U.conj().T @ (np.eye(n) - np.linalg.matrix_power(Abar, L)).T @ C
        for name, truncated, vector, note in (("ct given", True, lost, IN_BLAS), ("c given", False, c, SQUARING)):
            compare(
                f"dplr_kernel, {name} | power_kernel",
                f"n={n} L={L}",
                lambda: dplr_kernel(lam, p, 2 * p, vector, h, L, truncated=truncated),
                lambda: power_kernel(Abar, bbar, C, L),
                note="" if truncated else note,
            )
            compare(
                f"dplr_kernel, {name} | doubled dense powers",
                f"n={n} L={L}",
                lambda: dplr_kernel(lam, p, 2 * p, vector, h, L, truncated=truncated),
                lambda: doubled_kernel(Abar, bbar, C, L),
                note=note,
            )
        compare(
            "diagonal_kernel | one Vandermonde matrix",
            f"n={n} L={L}",
            lambda: diagonal_kernel(lam, p, c, h, L, "zoh"),
            lambda: ((c.conj() * p * np.expm1(h * lam) / lam) @ np.exp(h * lam[:, None] * np.arange(L))).real,
            note="checks decide" if n * L < 10_000 else "",
        )
    for n, L in ((16, 1000), (64, 1000), (256, 1000)):
        A, B = hippo_matrix("legs", n)
        Abar, bbar = discretize(A, B, 0.01, "bilinear")
        lam, p, U = dplr_legs(n)
        C, u = 1 / (1 + np.arange(n)), rng.standard_normal(L)
        later = Abar, bbar[:, None], C[None] @ Abar, np.array([[C @ bbar]]), 1.0
        compare(
            "dplr_scan | dlsim",
            f"n={n} L={L}",
            lambda: dplr_scan(lam, p, 2 * p, U.conj().T @ C, 0.01, u),
            lambda: scipy.signal.dlsim(later, u[:, None])[1][:, 0],
            note="a small matrix and few calls are hard to beat" if n < 256 else "",
        )
        theta = np.linspace(0, np.pi, L)
        compare(
            "dplr_generating | transfer_function, dense",
            f"n={n} m={L}",
            lambda: dplr_generating(lam, p, 2 * p, U.conj().T @ C, 0.01, theta),
            lambda: np.exp(1j * theta) * transfer_function(Abar, bbar, C, np.exp(1j * theta)),
        )
    for L in (100, 1000, 10_000, 100_000, 1_000_003):
        u, K = rng.standard_normal((2, L))
        compare(
            "causal_convolution | fftconvolve",
            f"L={L}",
            lambda: causal_convolution(u, K),
            lambda: scipy.signal.fftconvolve(u, K)[:L],
        )
    for n in (16, 64, 256):
        v = np.sqrt(2 * np.arange(n) + 1)
        skew = np.triu(np.outer(v, v), 1) / 2
        compare(
            "skew_frequencies | eigvalsh",
            f"n={n}",
            lambda: skew_frequencies(n),
            lambda: scipy.linalg.eigvalsh(1j * (skew.T - skew)),
            note=NO_MATRIX,
        )
    lengths = 2 ** np.arange(10, 17)
    for n in (16, 64):
        lam, p, _ = dplr_legs(n)
        Abar, bbar = discretize(*hippo_matrix("legs", n), 1e-3, "bilinear")
        ours = growth(lambda L: dplr_kernel(lam, p, p, p, 1e-3, int(L), truncated=True), lengths)
        naive = growth(lambda L: power_kernel(Abar, bbar, bbar, int(L)), lengths)
        print(f"  n={n}: from L=1024 to 65536 dplr_kernel grows like L^{ours:.2f}, power_kernel like L^{naive:.2f}")
    sizes = 2 ** np.arange(4, 10)
    systems = {n: (*dplr_legs(int(n))[:2], *discretize(*hippo_matrix("legs", int(n)), 1e-3, "bilinear")) for n in sizes}
    ours = growth(lambda n: dplr_kernel(*systems[n][:2], *2 * [systems[n][1]], 1e-3, 1024, truncated=True), sizes)
    naive = growth(lambda n: power_kernel(systems[n][2], systems[n][3], systems[n][3], 1024), sizes)
    print(f"  L=1024: from n=16 to 512 dplr_kernel grows like n^{ours:.2f}, power_kernel like n^{naive:.2f}")


if __name__ == "__main__":
    main()

"""Discretisation, scans and Legendre memories against SciPy."""

import numpy as np
import scipy.linalg
import scipy.signal
import scipy.special
from _measure import compare

from kexue_core.state_space import (
    discretize,
    hippo_matrix,
    legendre_table,
    legs_resolution,
    legs_scan,
    legs_transition,
    state_scan,
    transfer_function,
)

DOUBLING = "numpy has no triangular solve: 2 log2(n) vector operations a step instead"
ALL_STATES = "state_scan returns all n states; one output alone is a convolution, which comes with S4"
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


if __name__ == "__main__":
    main()

"""What S4 computes, by other routes: SciPy's discrete systems, mpmath's multiple precision. For the chapter `s4`.

    python benchmarks/peers/s4_scipy.py

Printed by scipy 1.17.1 and mpmath 1.3.0:

    n=16 L=256 h=0.01: K ['0.093053', '0.052309', '0.035788']
      norm of Abar^L 0.2780, wrapped, relative 0.00719
    n=64 L=1024 h=0.01: K ['0.099077', '0.033606', '0.051113']
      norm of Abar^L 0.0022, wrapped, relative 2.31e-06
    n=64 L=1024 h=0.001: K ['0.019876', '0.010170', '0.008476']
      norm of Abar^L 0.5993, wrapped, relative 0.025
    n=64 h=1: norm of Abar^1000 0.2846
    cond of the eigenvectors, n=8: 77032.0
    cond of the eigenvectors, n=16: 8.3199e+10
    cond of the eigenvectors, n=24: 9.8986e+16
    |S| 2^(4d/3) d^(-3/2), d=30: 1.9417
    |S| 2^(4d/3) d^(-3/2), d=300: 1.9308
    |S| 2^(4d/3) d^(-3/2), d=3000: 1.9297
    largest frequency minus n^2/pi, n=16: -0.52125
    largest frequency minus n^2/pi, n=64: -0.52345
    largest frequency minus n^2/pi, n=1000: -0.52360
    n=64, w=0.5: 0.00781226
    n=64, w=1: 0.0156231
    n=64, w=10: 0.154377
    n=64, w=100: 0.842271
    n=64, w=1000: 0.997958
"""

import mpmath as mp
import numpy as np
import scipy
import scipy.linalg
import scipy.signal


def legs(n):
    """Return A and b of LegS, orthonormal scaling."""
    v = np.sqrt(2 * np.arange(n) + 1)
    return -np.tril(np.outer(v, v), -1) - np.diag(np.arange(n) + 1.0), np.sqrt(2) * v


def kernel(n, length, step):
    """Return the impulse response with read-out 1/(i+1): bilinear rule of cont2discrete, powers by dlsim."""
    A, b = legs(n)
    abar, bbar = scipy.signal.cont2discrete((A, b[:, None], np.eye(n), np.zeros((n, 1))), step, "bilinear")[:2]
    c = 1 / (1 + np.arange(n))
    pulse = np.arange(length) == 0
    later = abar, bbar, c[None] @ abar, (c @ bbar)[None], 1.0
    return abar, scipy.signal.dlsim(later, 1.0 * pulse[:, None])[1][:, 0]


def main():
    """Print the figures of the ledger."""
    print("scipy", scipy.__version__, "mpmath", mp.__version__)
    for n, length, step in ((16, 256, 0.01), (64, 1024, 0.01), (64, 1024, 0.001)):
        abar, K = kernel(n, length, step)
        ahead = np.linalg.matrix_power(abar, length)
        later = kernel(n, 60 * length, step)[1].reshape(60, length)[1:].sum(axis=0)
        print(f"n={n} L={length} h={step}: K", [f"{value:.6f}" for value in K[:3]])
        wrapped = np.abs(later).max() / np.abs(K).max()
        print(f"  norm of Abar^L {np.linalg.norm(ahead, 2):.4f}, wrapped, relative {wrapped:.3g}")
    abar, _ = kernel(64, 2, 1.0)
    print(f"n=64 h=1: norm of Abar^1000 {np.linalg.norm(np.linalg.matrix_power(abar, 1000), 2):.4f}")
    with mp.workdps(60):
        for n in (8, 16, 24):
            V = mp.matrix(n, n)
            for j in range(n):
                column = [(-1) ** (i - j) * mp.sqrt(2 * i + 1) * mp.binomial(i + j, i - j) for i in range(j, n)]
                size = mp.sqrt(sum(x**2 for x in column))
                for i, x in enumerate(column):
                    V[j + i, j] = x / size
            values = mp.svd_r(V, compute_uv=False)
            print(f"cond of the eigenvectors, n={n}: {mp.nstr(values[0] / values[n - 1], 5)}")
        for d in (30, 300, 3000):
            size = mp.factorial(2 * d // 3) ** 2 / mp.factorial(4 * d // 3 - 1)
            print(f"|S| 2^(4d/3) d^(-3/2), d={d}: {mp.nstr(size * mp.mpf(2) ** (4 * d // 3) / mp.mpf(d) ** 1.5, 5)}")
    for n in (16, 64, 1000):
        v = np.sqrt(2 * np.arange(n) + 1)
        skew = np.triu(np.outer(v, v), 1) / 2
        top = scipy.linalg.eigvalsh(1j * (skew.T - skew), subset_by_index=[n - 1, n - 1])[0]
        print(f"largest frequency minus n^2/pi, n={n}: {top - n**2 / np.pi:.5f}")
    A, b = legs(64)
    for w in (0.5, 1, 10, 100, 1000):
        state = np.linalg.solve(1j * w * np.eye(64) - A, b)
        copy = np.linalg.solve(1j * w * np.eye(64) - A - np.outer(b, b) / 4, b) / 2
        print(f"n=64, w={w}: {np.abs(state[0] / copy[0] - 1):.6g}")


if __name__ == "__main__":
    main()

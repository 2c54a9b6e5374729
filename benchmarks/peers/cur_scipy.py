"""Pivots and errors of SciPy on two matrices of 60 rows, for the chapter `cur`.

    python benchmarks/peers/cur_scipy.py

The pivots of `scipy.linalg.qr(a, mode="r", pivoting=True)` and of `scipy.linalg.lu(basis, p_indices=True)`, where the
basis holds six orthonormal columns, polynomials times an exponential; and the Frobenius error of
`interp_decomp(a, r, rand=False)`. Printed:

    SciPy 1.17.1
    qr, kernel, first 8 pivots [24, 44, 5, 34, 14, 49, 0, 29]
    qr, Hilbert, first 8 pivots [0, 3, 20, 1, 59, 7, 35, 2]
    lu, basis, 6 pivot rows [59, 28, 0, 49, 12, 55]
    interp_decomp, kernel, r = 3: error 5.136206e+00
    interp_decomp, kernel, r = 6: error 2.119866e+00
    interp_decomp, Hilbert, r = 3: error 3.793836e-02
    interp_decomp, Hilbert, r = 6: error 2.069570e-04
"""

import numpy as np
import scipy
from scipy.linalg import interpolative

places = np.arange(60)
kernel = np.exp(-3 * abs(np.linspace(0, 1, 60)[:, None] - np.linspace(0, 1, 50)))
hilbert = 1 / (places[:, None] + places + 1)
t = np.linspace(-1, 0.9, 60)
basis = np.linalg.qr(np.exp(t)[:, None] * t[:, None] ** np.arange(6))[0]

print(f"SciPy {scipy.__version__}")
print("qr, kernel, first 8 pivots", scipy.linalg.qr(kernel, mode="r", pivoting=True)[1][:8].tolist())
print("qr, Hilbert, first 8 pivots", scipy.linalg.qr(hilbert, mode="r", pivoting=True)[1][:8].tolist())
print("lu, basis, 6 pivot rows", np.argsort(scipy.linalg.lu(basis, p_indices=True)[0])[:6].tolist())
for name, a in (("kernel", kernel), ("Hilbert", hilbert)):
    for r in (3, 6):
        idx, proj = interpolative.interp_decomp(a, r, rand=False)
        error = np.linalg.norm(a - interpolative.reconstruct_matrix_from_id(a[:, idx[:r]], idx, proj))
        print(f"interp_decomp, {name}, r = {r}: error {error:.6e}")

"""Monarch, butterfly, the sign and the top triple against dense products and the SVD, projection against a loop.

CUR: the choices against those of scipy, and the growth of the work with the size.
"""

import numpy as np
from _measure import compare, growth, package

from kexue_core.matrices import (
    butterfly_dense,
    cur_approximation,
    deim_indices,
    interpolation_weights,
    leverage_scores,
    low_rank_error,
    maximal_volume,
    monarch_dense,
    monarch_matvec,
    monarch_project,
    monarch_solve,
    msign,
    newton_schulz,
    pivoted_columns,
    power_iteration,
    select_columns,
)
from kexue_core.optimization import spectral_decay_step

SMALL = "a few microseconds of checks decide"
RANK_ONE = "updates of rank one, against products by BLAS; the systems of the peer cost r^4 in all"
COMPILED = "a Python loop over the columns, against compiled code"
IN_LAPACK = "a Python loop over the columns, against compiled LAPACK"
ALL_VECTORS = "all singular vectors, of which the peer finds r"
ANEW = "solves anew for each exchange, so no rounding piles up"


def dense_butterfly(factors):
    """Return the product of the factors, each in full."""
    n = 2 ** len(factors)
    product = np.eye(n)
    for s, blocks in enumerate(factors):
        h, full = 2**s, np.zeros((n, n))
        for q in range(n // (2 * h)):
            for t in range(h):
                place = [2 * h * q + t, 2 * h * q + h + t]
                full[np.ix_(place, place)] = blocks[q * h + t]
        product = full @ product
    return product


def projected_by_a_loop(a, b):
    """Return the closest Monarch matrix, slice by slice."""
    slices, closest = a.reshape(b, b, b, b), np.empty((b, b, b, b))
    for j in range(b):
        for k in range(b):
            u, s, vh = np.linalg.svd(slices[:, j, k, :], full_matrices=False)
            closest[:, j, k, :] = s[0] * np.outer(u[:, 0], vh[0])
    return closest.reshape(a.shape)


def bare_products(a, steps=5):
    """Return the last of the three products of each Newton-Schulz step, and nothing else."""
    x = a / np.linalg.norm(a)
    for _ in range(steps):
        gram = x @ x.T
        product = (gram @ gram) @ x
    return product


def sign(rng):
    """Print what five Newton-Schulz steps cost, against their products and against an SVD."""
    for n, m in ((64, 64), (256, 256), (256, 1024), (1024, 1024)):
        a = rng.standard_normal((n, m))
        compare(
            "newton_schulz, five steps | its bare products",
            f"{n}x{m}",
            lambda: newton_schulz(a),
            lambda: bare_products(a),
            difference=False,
            note=SMALL if n < 256 else "",
        )
        if n <= 256:
            compare(
                "newton_schulz, five steps | msign by SVD",
                f"{n}x{m}",
                lambda: newton_schulz(a),
                lambda: msign(a),
                difference=False,
            )


def decay_by_svd(w, rate):
    """Return a step of spectral decay with the exact top triple."""
    u, s, vh = np.linalg.svd(w, full_matrices=False)
    return w - rate * s[0] * np.outer(u[:, 0], vh[0])


def top_singular(rng):
    """Print what the top singular triple costs: one warm-started product, ten products, and the whole SVD."""
    for n in (32, 128, 512):
        w = rng.standard_normal((n, n))
        v = power_iteration(w, rng.standard_normal(n), 3000).v
        compare(
            "spectral_decay_step | step with the SVD",
            f"n={n}",
            lambda: spectral_decay_step(w, 1e-3, v).w,
            lambda: decay_by_svd(w, 1e-3),
        )
        compare(
            "power_iteration, 10 | all singular values",
            f"n={n}",
            lambda: power_iteration(w, v, 10).sigma,
            lambda: np.linalg.svd(w, compute_uv=False)[0],
        )


def deim_by_systems(basis):
    """Return the indices of DEIM with a system solved from scratch in each step, as the article writes it."""
    picks = [abs(basis[:, 0]).argmax()]
    for k in range(1, basis.shape[1]):
        inside = np.linalg.solve(basis[picks, :k], basis[picks, k])
        picks.append(abs(basis[:, k] - basis[:, :k] @ inside).argmax())
    return np.array(picks)


def cur_rows(rng):
    """Print the ratios of choosing rows and columns, and of joining them."""
    scipy = package("scipy.linalg")
    interpolative = package("scipy.linalg.interpolative") if scipy else None
    sparse = package("scipy.sparse.linalg") if scipy else None
    for n, r in ((60, 10), (250, 20), (1000, 40)):
        a = rng.standard_normal((n, r)) @ rng.standard_normal((r, n)) + 1e-3 * rng.standard_normal((n, n))
        vt = np.linalg.svd(a)[2]
        basis = np.ascontiguousarray(vt[:r].T)
        size = f"n={n} r={r}"
        compare(
            "deim_indices | a system in each step", size,
            lambda: deim_indices(basis), lambda: deim_by_systems(basis), note=RANK_ONE,
        )  # fmt: skip
        compare(
            "maximal_volume | updates of rank one", size,
            lambda: maximal_volume(basis), lambda: volume_by_updates(basis), note=ANEW,
        )  # fmt: skip
        if sparse:
            compare(
                "leverage_scores | scipy.sparse.linalg.svds", size,
                lambda: leverage_scores(a, r), lambda: (sparse.svds(a, r)[2] ** 2).sum(axis=0),
                note=ALL_VECTORS if n > 60 else "",
            )  # fmt: skip
        rows, cols = select_columns(a.T, r), select_columns(a, r)
        for middle in ("optimal", "intersection"):
            compare(
                f"cur_approximation, {middle} | truncated SVD", size,
                lambda: cur_approximation(a, rows, cols, middle), lambda: truncated(a, r), difference=False,
            )  # fmt: skip
        if scipy:
            compare(
                "deim_indices | scipy.linalg.lu", size,
                lambda: deim_indices(basis), lambda: np.argsort(scipy.lu(basis, p_indices=True)[0])[:r],
                note=IN_LAPACK,
            )  # fmt: skip
            compare(
                "pivoted_columns, r steps | scipy.linalg.qr, all", size,
                lambda: pivoted_columns(a, r), lambda: scipy.qr(a, mode="r", pivoting=True)[1][:r],
                note=IN_LAPACK,
            )  # fmt: skip
        if interpolative:
            pivots = pivoted_columns(a, r)
            compare(
                "pivots and interpolation_weights | interp_decomp", size,
                lambda: a[:, pivots] @ interpolation_weights(a, pivoted_columns(a, r)),
                lambda: decomposed(interpolative, a, r), note=COMPILED,
            )  # fmt: skip


def volume_by_updates(basis):
    """Return the rows of maximal volume, the factors updated for each exchange instead of solved for."""
    picks = deim_indices(basis)
    factors = np.linalg.solve(basis[picks].T, basis.T).T
    while True:
        i, j = np.unravel_index(abs(factors).argmax(), factors.shape)
        if abs(factors[i, j]) <= 1.01:
            return picks
        change = factors[i].copy()
        change[j] -= 1
        factors -= np.outer(factors[:, j] / factors[i, j], change)
        picks[j] = i


def cur_growth(rng):
    """Print how the time of each choice, and of joining rows and columns, grows with the size."""
    r, sizes = 20, (100, 800)
    noisy = rng.standard_normal((800, r)) @ rng.standard_normal((r, 800)) + 1e-3 * rng.standard_normal((800, 800))
    squares = {n: np.ascontiguousarray(noisy[:n, :n]) for n in sizes}
    for rule in ("leverage", "deim", "volume", "pivoted-qr"):
        exponent = growth(lambda n, rule=rule: select_columns(squares[n], r, rule), sizes)
        print(f"  select_columns {rule}, square, r={r}: n^{exponent:.2f} from n=100 to 800", flush=True)
    for middle in ("optimal", "intersection"):
        pairs = {n: (select_columns(a.T, r), select_columns(a, r)) for n, a in squares.items()}
        exponent = growth(lambda n, middle=middle: cur_approximation(squares[n], *pairs[n], middle), sizes)
        print(f"  cur_approximation, {middle}, r={r}: n^{exponent:.2f} from n=100 to 800", flush=True)
    tall = np.linalg.qr(rng.standard_normal((32_000, 80)))[0]
    for name, choose in (("deim_indices", deim_indices), ("maximal_volume", maximal_volume)):
        bases = {n: np.ascontiguousarray(tall[:n, :r]) for n in (2000, 32_000)}
        in_n = growth(lambda n, choose=choose, bases=bases: choose(bases[n]), (2000, 32_000))
        wide = {k: np.ascontiguousarray(tall[:2000, :k]) for k in (10, 80)}
        in_r = growth(lambda k, choose=choose, wide=wide: choose(wide[k]), (10, 80))
        print(
            f"  {name} on a basis: n^{in_n:.2f} from n=2000 to 32000 at r={r}, r^{in_r:.2f} from r=10 to 80 at n=2000"
        )


def truncated(a, r):
    """Return the closest matrix of a rank."""
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    return (u[:, :r] * s[:r]) @ vt[:r]


def decomposed(interpolative, a, r):
    """Return the interpolative decomposition of scipy, multiplied out."""
    idx, proj = interpolative.interp_decomp(a, r, rand=False)
    return interpolative.reconstruct_matrix_from_id(a[:, idx[:r]], idx, proj)


def main():
    """Print the ratios over sizes and batches, and from which size on the fast product pays."""
    rng = np.random.default_rng(0)
    crossover = {1: [], 64: [], 1024: []}
    for b in (8, 12, 16, 24, 32, 64):
        n, L, R = b * b, rng.standard_normal((b, b, b)), rng.standard_normal((b, b, b))
        M = monarch_dense(L, R)
        for batch in crossover:
            if n * batch > 2**22:
                continue
            x = rng.standard_normal((batch, n)) if batch > 1 else rng.standard_normal(n)
            size, note = f"n={n} batch={batch}", SMALL if n < 256 or (batch == 1 and n < 1024) else ""
            ratio = compare(
                "monarch_matvec | dense x @ M.T", size, lambda: monarch_matvec(L, R, x), lambda: x @ M.T, note=note
            )
            crossover[batch].append((n, ratio))
        for batch in (1, 64):
            if n > 1024:
                continue
            y = rng.standard_normal((batch, n))
            compare(
                "monarch_solve | dense solve", f"n={n} batch={batch}",
                lambda: monarch_solve(L, R, y), lambda: np.linalg.solve(M, y.T).T, note=SMALL if n < 256 else "",
            )  # fmt: skip
        if n <= 1024:
            a = rng.standard_normal((n, n))
            compare(
                "monarch_project | loop of SVDs",
                f"n={n}",
                lambda: monarch_dense(*monarch_project(a)[:2]),
                lambda: projected_by_a_loop(a, b),
            )
            compare(
                "low_rank_error | all singular values",
                f"n={n}",
                lambda: low_rank_error(a, b),
                lambda: (np.linalg.svd(a, compute_uv=False)[b:] ** 2).sum(),
            )
            compare(
                "monarch_dense | einsum",
                f"n={n}",
                lambda: monarch_dense(L, R),
                lambda: np.einsum("jik,kjl->ijkl", L, R).reshape(n, n),
            )
    for n in (64, 1024):
        factors = rng.standard_normal((n.bit_length() - 1, n // 2, 2, 2))
        compare(
            "butterfly_dense | product of full factors",
            f"n={n}",
            lambda: butterfly_dense(factors),
            lambda: dense_butterfly(factors),
        )
    sign(rng)
    top_singular(rng)
    cur_rows(rng)
    cur_growth(rng)
    for batch, rows in crossover.items():
        first = next((n for n, ratio in rows if ratio <= 1), None)
        print(f"  the fast product is at or below the dense one's time from n = {first} on, batch {batch}")


if __name__ == "__main__":
    main()

import numpy as np
import pytest
from oracles import oracles

from kexue_core.state_space import discretize, hippo_matrix, state_scan
from kexue_core.state_space.dplr import diagonal_gap, dplr_legs, dplr_scan, legs_impulse_response, skew_frequencies

mpmath, sympy, expm, dlsim = oracles("mpmath", "sympy", "scipy.linalg.expm", "scipy.signal.dlsim")

SIZES = (1, 2, 3, 4, 15, 16, 64, 255, 256)


def skew(n):
    A, b = hippo_matrix("legs", n)
    return A + np.outer(b, b) / 4 + np.eye(n) / 2


# the decomposition


@pytest.mark.parametrize("n", SIZES)
def test_the_matrix_comes_back_and_the_basis_is_unitary(n):
    lam, p, U = dplr_legs(n)
    A, b = hippo_matrix("legs", n)
    back = U @ (np.diag(lam) - np.outer(p, p)) @ U.conj().T
    np.testing.assert_allclose(back, A, rtol=0, atol=1e-13 * np.abs(A).max())
    np.testing.assert_allclose(U.conj().T @ U, np.eye(n), rtol=0, atol=1e-14)
    np.testing.assert_allclose(U.conj().T @ b, 2 * p, rtol=0, atol=1e-11)
    assert (p > 0).all()
    assert (p[::-1] == p).all()
    np.testing.assert_allclose((p**2).sum(), n**2 / 2, rtol=1e-13)
    assert (lam[::-1].conj() == lam).all()
    assert (U[:, ::-1].conj() == U).all()


@pytest.mark.parametrize("n", SIZES)
def test_the_frequencies_are_those_of_a_hermitian_solver(n):
    w = skew_frequencies(n)
    np.testing.assert_allclose(w, np.linalg.eigvalsh(-1j * skew(n)), rtol=0, atol=1e-13 * max(1, n**2))
    assert (np.diff(w) > 0).all()
    assert (-w[::-1] == w).all()


@pytest.mark.parametrize("n", [2, 5, 8])
def test_the_frequencies_are_roots_of_the_closed_polynomial_to_the_last_digits(n):
    z = sympy.symbols("z")
    half = sympy.Rational(1, 2)
    closed = (sympy.prod(z + i + half for i in range(n)) + sympy.prod(z - i - half for i in range(n))) / 2
    roots = sorted(float(sympy.im(root)) for root in sympy.Poly(sympy.expand(closed), z).nroots(n=30, maxsteps=200))
    np.testing.assert_allclose(skew_frequencies(n), roots, rtol=1e-14, atol=1e-25)


def test_the_largest_frequency_tends_to_its_law():
    gaps = [skew_frequencies(n)[-1] - n**2 / np.pi + np.pi / 6 for n in (16, 64, 1000)]
    np.testing.assert_allclose(gaps, [0.00235, 0.000148, 6e-7], rtol=0.01, atol=1e-7)


# weights of the past


def test_the_impulse_response_is_the_matrix_exponential():
    A, b = hippo_matrix("legs", 12)
    for t in (0.0, 0.1, 1.0, 7.0):
        np.testing.assert_allclose(legs_impulse_response(12, t), expm(A * t) @ b, rtol=0, atol=1e-11)
    batch = np.array([[0.0, 0.5], [1.0, 2.0]])
    np.testing.assert_array_equal(legs_impulse_response(3, batch)[1, 0], legs_impulse_response(3, 1.0))


# the diagonal copy


@pytest.mark.parametrize("n", [1, 2, 16, 64])
def test_the_gap_turns_the_diagonal_copy_into_the_state(n):
    A, b = hippo_matrix("legs", n)
    normal = A + np.outer(b, b) / 4
    for s in (0.3, 2j, 5 + 40j, 1000j):
        state = np.linalg.solve(s * np.eye(n) - A, b)
        copy = np.linalg.solve(s * np.eye(n) - normal, b) / 2
        np.testing.assert_allclose((1 + diagonal_gap(n, s)) * copy, state, rtol=0, atol=1e-11 * np.abs(copy).max())


def test_the_gap_telescopes_on_the_imaginary_axis():
    w = np.geomspace(1e-3, 1e6, 40)
    for n in (1, 7, 256):
        np.testing.assert_allclose(abs(diagonal_gap(n, 1j * w)), w / np.hypot(w, n), rtol=1e-12)
    assert (diagonal_gap(5, np.arange(5)) == 0).all()


# the recursion


@pytest.mark.parametrize(("n", "h"), [(1, 0.1), (2, 3.0), (15, 0.01), (64, 0.01), (64, 1.0)])
def test_the_scan_is_the_dense_recursion(n, h):
    rng = np.random.default_rng(0)
    A, b = hippo_matrix("legs", n)
    u, C = rng.standard_normal((3, 50)), rng.standard_normal(n)
    lam, p, U = dplr_legs(n)
    found = dplr_scan(lam, p, 2 * p, U.conj().T @ C, h, u)
    dense = state_scan(*discretize(A, b, h, "bilinear"), u) @ C
    np.testing.assert_allclose(found, dense, rtol=0, atol=1e-12 * np.abs(dense).max())
    np.testing.assert_allclose(found[1], dplr_scan(lam, p, 2 * p, U.conj().T @ C, h, u[1]), rtol=0, atol=1e-13)


def test_the_scan_of_a_complex_system_conjugates_c_and_p():
    rng = np.random.default_rng(1)
    lam, p, b, c = rng.standard_normal((4, 5)) + 1j * rng.standard_normal((4, 5))
    lam = -abs(lam.real) + 1j * lam.imag
    u = rng.standard_normal(20)
    A = np.diag(lam) - np.outer(p, p.conj())
    dense = (state_scan(*discretize(A, b, 0.2, "bilinear"), u) @ c.conj()).real
    np.testing.assert_allclose(dplr_scan(lam, p, b, c, 0.2, u), dense, rtol=1e-12, atol=1e-13)


def test_the_scan_agrees_with_scipy():
    A, b = hippo_matrix("legs", 8)
    lam, p, U = dplr_legs(8)
    C, u = np.ones(8), np.sin(np.arange(30.0))
    Abar, bbar = discretize(A, b, 0.05, "bilinear")
    theirs = dlsim((Abar, bbar[:, None], C[None] @ Abar, [[C @ bbar]], 1.0), u[:, None])[1][:, 0]
    np.testing.assert_allclose(dplr_scan(lam, p, 2 * p, U.conj().T @ C, 0.05, u), theirs, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dplr_legs(0), "n must be at least 1, got 0"),
        (lambda: legs_impulse_response(2, -1.0), "t must not be negative, got -1.0"),
        (lambda: diagonal_gap(2, -1.0 + 0j), "s must have a real part that is not negative, got"),
        (
            lambda: dplr_scan([-1.0], [1.0, 2.0], [1.0], [1.0], 1.0, [1.0]),
            r"p must have shape \(1,\), got shape \(2,\)",
        ),
        (lambda: dplr_scan([-1.0], [1.0], [1.0], [1.0], 0.0, [1.0]), "step must be positive, got 0.0"),
        (lambda: dplr_scan([2.0], [0.0], [1.0], [1.0], 1.0, [1.0]), "lam, p, b and step must keep the result finite"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

import numpy as np
import pytest
from oracles import oracles

from kexue_core.state_space import kernels
from kexue_core.state_space.dplr import dplr_legs, dplr_scan
from kexue_core.state_space.hippo import discretize, hippo_matrix, state_scan, transfer_function
from kexue_core.state_space.kernels import (
    causal_convolution,
    diagonal_kernel,
    dplr_generating,
    dplr_kernel,
    power_kernel,
)

mpmath, dimpulse, next_fast_len = oracles("mpmath", "scipy.signal.dimpulse", "scipy.fft.next_fast_len")

FORMS = ("half-angle", "free", "division")


def legs(n, h):
    """Return the dense bilinear system, the vectors of the unitary basis, and a read-out in both."""
    lam, p, U = dplr_legs(n)
    C = 1 / (1 + np.arange(n))
    return discretize(*hippo_matrix("legs", n), h, "bilinear"), (lam, p, 2 * p, U.conj().T @ C), C


def random_system(n, batch=()):
    rng = np.random.default_rng(n)
    lam, p = rng.standard_normal((2, n)) + 1j * rng.standard_normal((2, n))
    b, c = rng.standard_normal((2, *batch, n)) + 1j * rng.standard_normal((2, *batch, n))
    return -abs(lam.real) - 0.1 + 1j * lam.imag, p, b, c


def test_powers_are_the_impulse_response_of_scipy():
    (Abar, bbar), _, C = legs(8, 0.05)
    theirs = dimpulse((Abar, bbar[:, None], C[None] @ Abar, [[C @ bbar]], 1.0), n=20)[1][0][:, 0]
    np.testing.assert_allclose(power_kernel(Abar, bbar, C, 20), theirs, rtol=1e-12, atol=1e-15)


def test_the_published_first_values():
    (Abar, bbar), system, C = legs(64, 0.01)
    for kernel in (power_kernel(Abar, bbar, C, 1024), dplr_kernel(*system, 0.01, 1024)):
        np.testing.assert_allclose(kernel[:3], [0.0990772, 0.0336061, 0.0511135], rtol=0, atol=6e-8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("n", "length", "step"),
    [(1, 1, 0.1), (1, 10, 0.1), (2, 2, 1.0), (3, 1, 0.1), (15, 255, 0.01), (16, 256, 0.01), (64, 1024, 0.01)]
    + [(64, 1024, 0.001), (64, 1000, 1.0), (64, 1024, 1e-5), (64, 1024, 1e-9)],
)
def test_the_kernel_is_the_recursion(n, length, step, form):
    (Abar, bbar), system, C = legs(n, step)
    powers = power_kernel(Abar, bbar, C, length)
    np.testing.assert_allclose(
        dplr_kernel(*system, step, length, form=form), powers, rtol=0, atol=1e-13 * abs(powers).max()
    )


@pytest.mark.parametrize("length", [1, 2, 7, 16])
def test_the_kernel_of_a_complex_system_is_its_real_part(length):
    lam, p, b, c = random_system(5, (3,))
    A = np.diag(lam) - np.outer(p, p.conj())
    found = dplr_kernel(lam, p, b, c, 0.3, length)
    for i in range(3):
        powers = power_kernel(*discretize(A, b[i], 0.3, "bilinear"), c[i], length)
        np.testing.assert_allclose(found[i], powers, rtol=0, atol=1e-13 * abs(powers).max())
        np.testing.assert_allclose(found[i], dplr_kernel(lam, p, b[i], c[i], 0.3, length), rtol=0, atol=1e-14)
    impulse = dplr_scan(lam, p, b[0], c[0], 0.3, np.eye(length)[0])
    np.testing.assert_allclose(found[0], impulse, rtol=0, atol=1e-13 * abs(impulse).max())


def test_what_is_not_truncated_wraps_around():
    (Abar, bbar), system, C = legs(16, 0.01)
    long = power_kernel(Abar, bbar, C, 256 * 40).reshape(40, 256).sum(axis=0)
    np.testing.assert_allclose(dplr_kernel(*system, 0.01, 256, truncated=True), long, rtol=0, atol=1e-15)


def test_a_truncated_read_out_needs_no_power():
    (Abar, bbar), (lam, p, b, _), C = legs(16, 0.01)
    U = dplr_legs(16)[2]
    ct = U.conj().T @ (np.eye(16) - np.linalg.matrix_power(Abar, 256)).T @ C
    found = dplr_kernel(lam, p, b, ct, 0.01, 256, truncated=True)
    np.testing.assert_allclose(found, power_kernel(Abar, bbar, C, 256), rtol=0, atol=1e-15)


@pytest.mark.parametrize("form", FORMS)
def test_the_generating_function_is_a_dense_inverse(form):
    lam, p, b, c = random_system(6)
    theta = np.r_[0.0, np.pi, -np.pi, np.linspace(-7, 7, 30)]
    Abar, bbar = discretize(np.diag(lam) - np.outer(p, p.conj()), b, 0.4, "bilinear")
    dense = np.exp(1j * theta) * transfer_function(Abar, bbar, c.conj(), np.exp(1j * theta))
    np.testing.assert_allclose(dplr_generating(lam, p, b, c, 0.4, theta, form), dense, rtol=1e-12, atol=1e-13)


def test_at_minus_one_the_value_is_half_a_step_of_c_b():
    lam, p, b, c = random_system(6)
    for form in FORMS:
        found = dplr_generating(lam, p, b, c, 0.4, [np.pi], form)
        np.testing.assert_allclose(found, 0.2 * (c.conj() @ b), rtol=1e-13)


def test_only_the_half_angle_keeps_its_digits_near_one():
    n, step, theta = 8, 1e-6, 2 * np.pi / 2**20
    lam, p, U = dplr_legs(n)
    with mpmath.workdps(40):
        z = mpmath.expj(-mpmath.mpf(theta))
        exact = complex(mpmath.mpf(step) * mpmath.sqrt(2) / (1 - z + mpmath.mpf(step) / 2 * (1 + z)))
    error = {
        form: abs(dplr_generating(lam, p, 2 * p, U[0].conj(), step, [theta], form)[0] / exact - 1) for form in FORMS
    }
    assert error["half-angle"] < 1e-14
    assert 1e-13 < error["free"] < 1e-10
    assert 1e-13 < error["division"] < 1e-10


def test_blocks_do_not_show():
    _, system, _ = legs(8, 0.1)
    theta = np.linspace(0, np.pi, 70000)  # three blocks at n = 8
    parts = np.concatenate([dplr_generating(*system, 0.1, part) for part in np.split(theta, 7)])
    np.testing.assert_allclose(dplr_generating(*system, 0.1, theta), parts, rtol=1e-13)


@pytest.mark.parametrize("method", ["bilinear", "zoh"])
@pytest.mark.parametrize("length", [1, 2, 9, 10, 100])
def test_the_diagonal_kernel_is_the_recursion(method, length):
    lam, _, b, c = random_system(5, (2,))
    lam[0] = 0
    found = diagonal_kernel(lam, b, c, 0.1, length, method)
    for i in range(2):
        powers = power_kernel(*discretize(np.diag(lam), b[i], 0.1, method), c[i], length)
        np.testing.assert_allclose(found[i], powers, rtol=0, atol=1e-13 * abs(powers).max())


def test_without_p_both_kernels_are_one():
    lam, p, b, c = random_system(7)
    np.testing.assert_allclose(dplr_kernel(lam, 0 * p, b, c, 0.1, 33), diagonal_kernel(lam, b, c, 0.1, 33), atol=1e-13)


def test_recurrence_is_convolution():
    (Abar, bbar), system, C = legs(16, 0.02)
    u = np.random.default_rng(0).standard_normal((2, 300))
    dense = state_scan(Abar, bbar, u) @ C
    np.testing.assert_allclose(causal_convolution(u, dplr_kernel(*system, 0.02, 300)), dense, rtol=0, atol=1e-13)


def test_a_convolution_is_that_of_numpy():
    rng = np.random.default_rng(2)
    for length, more in ((1, 1), (5, 3), (5, 9), (64, 64), (97, 200)):
        u, K = rng.standard_normal(length), rng.standard_normal(more)
        np.testing.assert_allclose(causal_convolution(u, K), np.convolve(u, K)[:length], rtol=0, atol=1e-13)
    many = causal_convolution(rng.standard_normal((2, 1, 6)), rng.standard_normal((3, 6)))
    assert many.shape == (2, 3, 6)


def test_padded_lengths_are_those_of_scipy():
    assert [kernels._smooth(n) for n in range(1, 3000)] == [next_fast_len(n, real=True) for n in range(1, 3000)]


ONE = ([-1.0], [0.5], [1.0], [1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power_kernel(np.ones((2, 3)), [1.0], [1.0], 2), r"Abar must be a square matrix, got shape \(2, 3\)"),
        (lambda: power_kernel([[2.0]], [1.0], [1.0], 2000), "Abar, bbar and c must keep the result finite, got inf"),
        (lambda: dplr_kernel(*ONE, 1.0, 0), "length must be at least 1, got 0"),
        (lambda: dplr_kernel(*ONE, -1.0, 4), "step must be positive, got -1.0"),
        (lambda: dplr_kernel(*ONE, np.inf, 4), "step must be finite, got inf"),
        (lambda: dplr_kernel(*ONE, 1.0, 4, form="cauchy"), "form must be one of 'half-angle', 'free', 'division', got"),
        (lambda: dplr_kernel([-1.0], [0.5], [1.0, 2.0], [1.0], 1.0, 4), "b must have a last axis of length 1, got"),
        (
            lambda: dplr_generating([0.0], [0.0], [1.0], [1.0], 1.0, [0.0]),
            "lam, p, step and theta must keep the result",
        ),
        (
            lambda: diagonal_kernel([-1.0], [1.0], [1.0], 1.0, 4, "euler"),
            "method must be one of 'bilinear', 'zoh', got",
        ),
        (lambda: causal_convolution([1.0, np.nan], [1.0]), "u must not contain NaN, got 1 of them"),
        (lambda: causal_convolution(np.ones((2, 3)), np.ones((4, 3))), "u and K must broadcast in their leading axes"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

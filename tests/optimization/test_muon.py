import numpy as np
import pytest
from oracles import oracles

from kexue_core.matrices import msign, newton_schulz, schatten_norm
from kexue_core.optimization import (
    adam_rms,
    muon_step,
    rms_matched_scale,
    root_mean_square,
    schatten_direction,
    steepest_direction,
    svd_entropy,
)

(minimize,) = oracles("scipy.optimize.minimize")

ORDERS = [1, 1.2, 1.5, 2, 3, 10, np.inf]


def gaussian(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def dual(p):
    return np.inf if p == 1 else 1 if p == np.inf else p / (p - 1)


# norms and directions


def test_the_known_norms():
    a = gaussian(5, 3)
    assert schatten_norm(a, 1) == pytest.approx(np.linalg.norm(a, "nuc"), rel=1e-13)
    assert schatten_norm(a, 2) == pytest.approx(np.linalg.norm(a), rel=1e-13)
    assert schatten_norm(a, np.inf) == pytest.approx(np.linalg.norm(a, 2), rel=1e-13)
    assert schatten_norm(a, 4) ** 4 == pytest.approx(np.trace(a.T @ a @ a.T @ a), rel=1e-13)
    assert (np.diff([schatten_norm(a, p) for p in ORDERS]) < 0).all()


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("shape", [(4, 4), (5, 2), (1, 3)])
def test_the_direction_has_length_one_attains_the_dual_norm_and_nothing_beats_it(p, shape):
    g = gaussian(*shape)
    d = schatten_direction(g, p)
    assert schatten_norm(d, p) == pytest.approx(1, rel=1e-12)
    assert (g * d).sum() == pytest.approx(schatten_norm(g, dual(p)), rel=1e-12)
    others = gaussian(300, *shape, seed=1)
    others /= schatten_norm(others, p)[:, None, None]
    assert (others * g).sum(axis=(1, 2)).max() < (g * d).sum() * (1 + 1e-12)


@pytest.mark.parametrize("p", [1.5, 3, 10])
def test_a_general_optimizer_finds_no_better_direction(p):
    g = gaussian(3, 2)

    def loss(x):
        x = x.reshape(3, 2)
        return -(g * x).sum() / schatten_norm(x, p)

    best = min(minimize(loss, gaussian(6, seed=s)).fun for s in range(3))
    assert -best == pytest.approx((g * schatten_direction(g, p)).sum(), rel=1e-6)


def test_two_is_normalised_descent_infinity_is_the_sign_and_one_a_pair_of_vectors():
    g = gaussian(4, 6)
    np.testing.assert_allclose(schatten_direction(g, 2), g / np.linalg.norm(g), atol=1e-14)
    np.testing.assert_array_equal(schatten_direction(g, np.inf), msign(g))
    u, _, vh = np.linalg.svd(g)
    np.testing.assert_allclose(schatten_direction(g, 1), np.outer(u[:, 0], vh[0]), atol=1e-13)
    np.testing.assert_allclose(schatten_direction(g, 1 + 1e-4), schatten_direction(g, 1), atol=1e-10)
    np.testing.assert_allclose(schatten_direction(g, 1e9), msign(g), atol=1e-8)


@pytest.mark.parametrize("p", [1 + 1e-10, 1 + 1e-3, 2, 1e10, 1e300, np.inf])
def test_of_a_diagonal_it_is_the_direction_of_the_vector(p):
    for g in ([1, 1 - 1e-10], [1, 1e-12], [3, 1, 0]):
        np.testing.assert_allclose(schatten_direction(np.diag(g), p), np.diag(steepest_direction(g, p)), rtol=1e-14)


@pytest.mark.parametrize("p", ORDERS)
def test_zeros_low_rank_length_and_batches(p):
    assert (schatten_direction(np.zeros((2, 3)), p) == 0).all()
    assert schatten_norm(np.zeros((2, 3)), p) == 0
    g = gaussian(3, 4, 2)
    for scale in (1e-250, 1e250):
        np.testing.assert_allclose(schatten_direction(scale * g, p), schatten_direction(g, p), atol=1e-13)
        np.testing.assert_allclose(schatten_norm(scale * g, p), scale * schatten_norm(g, p), rtol=1e-13)
    np.testing.assert_allclose(schatten_direction(g, p), [schatten_direction(a, p) for a in g], atol=1e-14)
    np.testing.assert_allclose(schatten_norm(g, p), [schatten_norm(a, p) for a in g], rtol=1e-14)
    low = gaussian(5, 2) @ gaussian(2, 4, seed=1)
    assert schatten_norm(schatten_direction(low, p), p) == pytest.approx(1, rel=1e-12)
    assert np.linalg.matrix_rank(schatten_direction(low, p), tol=1e-4) <= 2


# sizes of steps


@pytest.mark.parametrize(("n", "m", "rank"), [(64, 256, 64), (64, 256, 5), (7, 3, 3), (8, 8, 1)])
def test_the_root_mean_square_of_the_sign(n, m, rank):
    a = gaussian(n, rank) @ gaussian(rank, m, seed=1)
    assert root_mean_square(msign(a)) == pytest.approx(np.sqrt(rank / (n * m)), rel=1e-12)
    if rank == min(n, m):
        assert root_mean_square(rms_matched_scale(n, m) * msign(a)) == pytest.approx(0.2, rel=1e-12)


def test_entropy_between_one_direction_and_all():
    assert svd_entropy(np.linalg.qr(gaussian(6, 6)).Q) == pytest.approx(1, abs=1e-13)
    assert svd_entropy(np.outer(gaussian(4), gaussian(5, seed=1))) == pytest.approx(0, abs=1e-12)
    assert svd_entropy(gaussian(1, 5)) == 0
    s = np.array([3.0, 2.0, 1.0])
    q = s**2 / 14
    assert svd_entropy(np.diag(s)) == pytest.approx(-(q * np.log(q)).sum() / np.log(3), rel=1e-13)
    assert svd_entropy(1e200 * np.diag(s)) == pytest.approx(svd_entropy(np.diag(s)), rel=1e-13)
    wide = [svd_entropy(gaussian(256, 256, seed=s)) for s in range(2)]
    np.testing.assert_allclose(wide, 0.9090, atol=1e-3)


@pytest.mark.parametrize(("beta1", "snr"), [(0.9, 0.0), (0.5, 0.0), (0.9, 1.0)])
def test_the_root_mean_square_of_adam_is_that_of_a_simulation(beta1, snr):
    rng, beta2 = np.random.default_rng(5), 0.999
    m = v = np.zeros(4000)
    for _ in range(3000):
        g = np.sqrt(snr) + rng.normal(size=4000)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
    found = np.sqrt((m**2 / v).mean() * (1 - beta2**3000))
    assert found == pytest.approx(adam_rms(beta1, snr), rel=0.03)


def test_the_limits_of_adam():
    assert adam_rms(0.0) == 1
    assert adam_rms(0.9) == pytest.approx(np.sqrt(0.1 / 1.9), rel=1e-14)
    assert adam_rms(0.9, 1e300) == 1
    assert adam_rms(1 - 1e-16, 1e-17) == pytest.approx(np.sqrt(1e-17 + 2.0**-54), rel=1e-14)
    assert adam_rms(0.9, 1.7e308) == 1


# the step


def torch_rules(w, gradients, rule, nesterov, lr, decay, mu):
    """Return the weights after the steps that the documentation of torch.optim.Muon writes down, in float64."""
    rows, columns = w.shape
    factor = 0.2 * max(rows, columns) ** 0.5 if rule == "match_rms" else max(1, rows / columns) ** 0.5
    buffer = np.zeros_like(w)
    for g in gradients:
        buffer = mu * buffer + g
        tilde = g + mu * buffer if nesterov else buffer
        x = tilde / np.linalg.norm(tilde)
        for _ in range(5):
            square = x @ x.T
            x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
        w = w - lr * decay * w
        w = w - lr * factor * x
    return w


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
@pytest.mark.parametrize("rule", ["match_rms", "original"])
@pytest.mark.parametrize("nesterov", [True, False])
def test_three_steps_are_those_of_the_written_rules_of_torch(shape, rule, nesterov):
    w, gradients = gaussian(*shape), gaussian(3, *shape, seed=1)
    state = w, np.zeros(shape)
    for g in gradients:
        state = muon_step(state[0], g, state[1], 0.1, beta=0.9, decay=0.2, nesterov=nesterov, scale=rule)
    np.testing.assert_allclose(state[0], torch_rules(w, gradients, rule, nesterov, 0.1, 0.2, 0.9), atol=1e-10)


# What torch 2.14.1 puts out with bfloat16 replaced by double: benchmarks/peers/muon_torch.py.
TORCH = [
    ((6, 4), "original", True, 0.854152, 3.613896),
    ((6, 4), "match_rms", True, 0.855452, 3.632742),
    ((4, 6), "match_rms", True, 0.857865, 3.646352),
    ((4, 6), "original", False, 0.811493, 3.643290),
]


@pytest.mark.parametrize(("shape", "rule", "nesterov", "first", "norm"), TORCH)
def test_three_steps_are_those_that_torch_makes(shape, rule, nesterov, first, norm):
    place = np.arange(1, shape[0] * shape[1] + 1).reshape(shape)
    waves = [np.sin((step + 1) * place + place**2 / 7) for step in range(4)]
    w, momentum = waves[0], np.zeros(shape)
    for g in waves[1:]:
        w, momentum = muon_step(w, g, momentum, 0.1, beta=0.9, decay=0.2, nesterov=nesterov, scale=rule)
    assert (w[0, 0], np.linalg.norm(w)) == pytest.approx((first, norm), abs=1e-6)


def test_the_spectral_norm_stays_below_its_bound():
    rng = np.random.default_rng(2)
    for lr, decay, scale in ((0.5, 2.0, "none"), (0.1, 0.5, "none"), (0.2, 1.0, "match_rms")):
        w = start = 3 * rng.normal(size=(8, 5))
        momentum = np.zeros((8, 5))
        factor = {"none": 1, "match_rms": rms_matched_scale(8, 5)}[scale]
        for _ in range(200):
            g = rng.normal(size=(8, 5)) - 3 * w
            w, momentum = muon_step(w, g, momentum, lr, decay=decay, scale=scale, method="svd")
            assert np.linalg.norm(w, 2) <= max(np.linalg.norm(start, 2), factor / decay) + 1e-12


def test_methods_scales_and_batches_of_the_step():
    w, g, momentum = gaussian(3, 2, 4, 2)
    np.testing.assert_allclose(
        muon_step(w, g, 0 * g, 1, beta=0, decay=0, scale="none", method="svd").w, w - msign(g), atol=1e-13
    )
    np.testing.assert_allclose(muon_step(w, g, 0 * g, 1, beta=0, decay=0).w, w - 0.4 * newton_schulz(g), atol=1e-13)
    loop = [muon_step(*parts, 0.1) for parts in zip(w, g, momentum)]
    for found, expected in zip(muon_step(w, g, momentum, 0.1), zip(*loop)):
        np.testing.assert_allclose(found, expected, atol=1e-13)
    np.testing.assert_allclose(muon_step(w, 0 * g, 0 * g, 0.1, decay=0.5).w, 0.95 * w, rtol=1e-14)


# bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: schatten_norm(np.eye(2), 0.5), ValueError, "p must be at least 1, got 0.5"),
        (lambda: schatten_norm([1.0], 2), ValueError, r"a must have at least 2 axes, got shape \(1,\)"),
        (lambda: schatten_norm(1.7e308 * np.ones((9, 9)), 2), ValueError, "a must keep the result finite, got inf"),
        (lambda: schatten_direction(np.eye(2), np.nan), ValueError, "p must be a number, got nan"),
        (lambda: schatten_direction([[np.inf]], 2), ValueError, "g must be finite, got inf"),
        (lambda: root_mean_square(np.zeros((0, 2))), ValueError, "a must not be empty"),
        (lambda: rms_matched_scale(0, 2), ValueError, "n must be at least 1, got 0"),
        (lambda: rms_matched_scale(10**20, 1), ValueError, f"n must be at most {2**53}, got {10**20}"),
        (lambda: rms_matched_scale(400, 1, 1e308), ValueError, "target must keep the result finite, got inf"),
        (lambda: rms_matched_scale(2, 2, 0), ValueError, "target must be positive, got 0.0"),
        (lambda: svd_entropy(np.zeros((2, 2))), ValueError, "a must not hold a zero matrix, got 1"),
        (lambda: adam_rms(1.0), ValueError, r"beta1 must lie in \[0, 1\), got 1.0"),
        (lambda: adam_rms(0.5, -1), ValueError, "snr must not be negative, got -1.0"),
        (lambda: adam_rms([0.5, 0.6], [1, 2, 3]), ValueError, "beta1 and snr must broadcast in all axes"),
        (lambda: step(g=np.eye(3)), ValueError, r"g must have shape \(2, 2\), got shape \(3, 3\)"),
        (lambda: step(momentum=[1.0]), ValueError, r"momentum must have shape \(2, 2\), got shape \(1,\)"),
        (lambda: step(lr=-1), ValueError, "lr must not be negative, got -1.0"),
        (lambda: step(beta=1), ValueError, r"beta must lie in \[0, 1\), got 1.0"),
        (lambda: step(decay=-0.1), ValueError, "decay must not be negative, got -0.1"),
        (lambda: step(nesterov=1), TypeError, "nesterov must be a bool, got 1"),
        (lambda: step(scale="adam"), ValueError, "scale must be one of 'match_rms', 'original', 'none', got 'adam'"),
        (lambda: step(method="qr"), ValueError, "method must be one of 'newton_schulz', 'svd', got 'qr'"),
    ],
)
def test_bad_input_is_named_with_its_rule_and_its_value(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


def step(**changes):
    given = {"w": np.eye(2), "g": np.eye(2), "momentum": np.eye(2), "lr": 0.1, **changes}
    return muon_step(**given)

import numpy as np
import pytest
from oracles import oracles

from kexue_core.attention import (
    activate,
    activation_moments,
    init_std,
    layer_mean_squares,
    residual_weights,
    sample_weights,
    selu_constants,
    truncated_normal_std,
)

mpmath, stats, special = oracles("mpmath", "scipy.stats", "scipy.special")

KINDS = ("linear", "relu", "elu", "selu", "gelu", "silu", "softplus", "sigmoid", "tanh")
BY_MPMATH = {
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": lambda x: mpmath.tanh(x),
}


def rng(seed=0):
    return np.random.default_rng(seed)


# --- activations and their moments ---


@pytest.mark.parametrize("kind", BY_MPMATH)
def test_activations_keep_their_digits_on_both_sides(kind):
    x = [-30.0, -3.0, -1e-9, 0.0, 1e-9, 0.5, 20.0]
    with mpmath.workdps(40):
        expected = [float(BY_MPMATH[kind](mpmath.mpf(v))) for v in x]
    np.testing.assert_allclose(activate(x, kind), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("std", [1e-3, 0.1, 1.0, 30.0, 1e3])
@pytest.mark.parametrize("kind", BY_MPMATH)
def test_moments_by_quadrature_in_thirty_digits(kind, std):
    f, density = BY_MPMATH[kind], mpmath.npdf
    parts = sorted({0, 1, 3, 8, 40, *(p for c in (0.5, 2, 5, 10, 20, 40) if (p := c / std) < 30)})
    with mpmath.workdps(30):
        mean = mpmath.quad(lambda x: (f(std * x) + f(-std * x)) * density(x), parts)
        second = mpmath.quad(lambda x: (f(std * x) ** 2 + f(-std * x) ** 2) * density(x), parts)
        found = activation_moments(kind, std)
        assert abs(found[1] / second - 1) < 1e-13
        assert abs(found[0] - mean) < 1e-13 * mpmath.sqrt(second)


def test_moments_in_closed_form():
    exact = {
        "linear": (0, 1),
        "relu": (1 / np.sqrt(2 * np.pi), 1 / 2),
        "gelu": (1 / (2 * np.sqrt(np.pi)), 1 / 3 + 1 / (2 * np.pi * np.sqrt(3))),
        "selu": (0, 1),
    }
    for kind, moments in exact.items():
        np.testing.assert_allclose(activation_moments(kind), moments, atol=1e-14)


def test_moments_of_a_batch_are_those_of_each():
    std = rng().uniform(0.1, 3, (2, 3))
    for kind in KINDS:
        both = activation_moments(kind, std)
        for place in np.ndindex(std.shape):
            np.testing.assert_allclose([m[place] for m in both], activation_moments(kind, std[place]), rtol=1e-14)


def test_moments_of_a_function_and_of_its_name_agree_and_it_gets_a_copy():
    def greedy(x):
        x[...] = np.tanh(x)
        return x

    np.testing.assert_array_equal(activation_moments(greedy, [0.5, 2.0]), activation_moments("tanh", [0.5, 2.0]))


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        ("swish", ValueError, r"^kind must be one of .*, got 'swish'"),
        (3, TypeError, r"^f must be a name or a function, got 3"),
        (lambda x: x[0], ValueError, r"^f\(x\) must have shape"),
        (lambda x: x * np.nan, ValueError, r"^f\(x\) must not contain NaN, got"),
        (lambda x: np.full(x.shape, 1e200), ValueError, r"^f and std must keep the result finite, got"),
    ],
)
def test_what_has_no_moments_is_refused(f, error, message):
    with pytest.raises(error, match=message):
        activation_moments(f)


@pytest.mark.parametrize("std", [0.0, -1.0, np.nan])
def test_a_standard_deviation_is_positive(std):
    with pytest.raises(ValueError, match=r"^std must .*, got"):
        activation_moments("relu", std)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_with_init_std_has_second_moment_one(kind):
    draw = rng(1)
    x = activate(draw.normal(size=(4000, 64)), kind)
    y = np.einsum("bi,bi->b", x, draw.normal(0, init_std(64, kind), x.shape))
    error = (y**2).std() / np.sqrt(len(y))
    assert abs((y**2).mean() - 1) < 4 * error


def test_init_std_refuses_a_function_that_vanishes_and_an_empty_layer():
    with pytest.raises(ValueError, match=r"^activation must have a positive second moment, got 0"):
        init_std(3, lambda x: 0 * x)
    with pytest.raises(ValueError, match=r"^fan_in must be at least 1, got 0"):
        init_std(0)
    with pytest.raises(ValueError, match=r"^fan_in must be at most 9007199254740992, got an integer of 1329 bits"):
        init_std(10**400)


# --- selu ---


def test_selu_has_the_constants_of_the_libraries():
    np.testing.assert_allclose(selu_constants(), (1.0507009873554805, 1.6732632423543772), rtol=1e-15)


@pytest.mark.parametrize("variance", [1e-6, 0.1, 1.0, 2.0, 50.0])
def test_selu_keeps_mean_zero_and_the_variance(variance):
    scale, alpha = selu_constants(variance)
    mean, second = activation_moments(
        lambda x: scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), variance**0.5
    )
    assert abs(mean) < 1e-14 * variance**0.5
    assert second == pytest.approx(variance, rel=1e-13)


def test_selu_of_small_variance_is_the_identity():
    np.testing.assert_allclose(selu_constants(1e-16), (1, 1), atol=1e-7)
    with pytest.raises(ValueError, match=r"^variance must be positive, got 0"):
        selu_constants(0.0)


# --- laws of weights ---


def test_the_truncated_normal_law_has_the_deviation_of_scipy():
    cuts = np.array([0.5, 1, 2, 3, 8])
    expected = [stats.truncnorm(-a, a).std() for a in cuts]
    np.testing.assert_allclose(truncated_normal_std(cuts), expected, rtol=1e-10)


def test_truncation_has_its_limits_and_does_not_cancel():
    np.testing.assert_allclose(truncated_normal_std([1e-9, 1e-4]), np.array([1e-9, 1e-4]) / np.sqrt(3), rtol=1e-8)
    a = np.geomspace(1e-3, 30, 200)
    assert (np.diff(truncated_normal_std(a)) >= -1e-14).all()
    assert truncated_normal_std(40.0) == pytest.approx(1, abs=1e-14)
    assert truncated_normal_std(np.linspace(7, 12, 500)).max() <= 1
    with pytest.raises(ValueError, match=r"^cut must be positive, got 0"):
        truncated_normal_std(0.0)


LAWS = {
    "normal": lambda std: stats.norm(0, std),
    "uniform": lambda std: stats.uniform(-np.sqrt(3) * std, 2 * np.sqrt(3) * std),
    "truncated": lambda std: stats.truncnorm(-1.5, 1.5, scale=std / truncated_normal_std(1.5)),
}


@pytest.mark.parametrize("law", LAWS)
def test_samples_follow_their_law_and_have_the_deviation_that_was_asked_for(law):
    w = sample_weights(rng(2), (200, 300), 0.3, law, cut=1.5)
    assert w.shape == (200, 300)
    assert w.std() == pytest.approx(0.3, rel=0.01)
    assert stats.kstest(w.ravel(), LAWS[law](0.3).cdf).pvalue > 1e-3


def test_truncated_samples_stay_inside_for_any_cut():
    for cut in (1e-300, 1e-17, 1e-8, 1e-6, 0.5, 2.0, 9.0, 50.0):
        w = sample_weights(rng(3), 20000, 1.0, cut=cut)
        assert np.abs(w).max() <= cut / truncated_normal_std(cut) * (1 + 1e-15)
        assert w.std() == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"std": 0.0}, "^std must be positive, got 0"),
        ({"cut": -1.0}, "^cut must be positive, got -1"),
        ({"law": "cauchy"}, "^law must be one of .*, got 'cauchy'"),
        ({"shape": (2, -1)}, "^shape must be at least 0, got -1"),
    ],
)
def test_samplers_refuse(change, message):
    with pytest.raises(ValueError, match=message):
        sample_weights(**{"rng": rng(), "shape": 3, "std": 1.0, **change})


# --- depth ---


def unrolled(depth, scheme, s):
    """Push the unit vectors of x_0 and of the branches through the recursion."""
    x = np.eye(depth + 1)[0]
    for t in range(depth):
        x = x + s * np.eye(depth + 1)[t + 1]
        if scheme == "post":
            x = x / np.linalg.norm(x)
    return x


@pytest.mark.parametrize("s", [0.0, 0.25, 1.0, 3.0])
@pytest.mark.parametrize("depth", [0, 1, 2, 17])
@pytest.mark.parametrize("scheme", ["post", "pre"])
def test_residual_weights_are_the_recursion_unrolled(depth, scheme, s):
    weights = residual_weights(depth, scheme, branch_std=s)
    np.testing.assert_allclose(weights, unrolled(depth, scheme, s), atol=1e-14)
    total = 1 if scheme == "post" else 1 + depth * s**2
    assert (weights**2).sum() == pytest.approx(total)


def test_residual_weights_refuse():
    for given, message in (
        ((-1, "pre"), "^depth must be at least 0, got -1"),
        ((2, "sandwich"), "^scheme must be one of 'post', 'pre', got 'sandwich'"),
    ):
        with pytest.raises(ValueError, match=message):
            residual_weights(*given)
    with pytest.raises(ValueError, match=r"^branch_std must not be negative, got -1"):
        residual_weights(2, "pre", branch_std=-1.0)


def test_layer_mean_squares_have_the_law_of_full_networks():
    width, depth, networks = 12, 5, 3000
    draw, full = rng(4), np.ones((networks, depth + 1))
    x = np.ones((networks, width))
    for layer in range(depth):
        w = draw.normal(0, np.sqrt(2 / width), (networks, width, width))
        x = np.maximum(np.einsum("bij,bj->bi", w, x), 0)
        full[:, layer + 1] = (x**2).mean(axis=-1)
    short = layer_mean_squares(rng(5), depth, width, networks)
    for layer in (1, 3, 5):
        assert stats.ks_2samp(full[:, layer], short[:, layer]).pvalue > 1e-3


def test_layer_mean_squares_have_the_moments_of_their_law():
    m = layer_mean_squares(rng(6), 4, 32, 200_000, gain=1.5)
    layers = np.arange(5)
    error = m.std(axis=0)[1:] / np.sqrt(len(m))
    assert (np.abs(m.mean(axis=0) - 0.75**layers)[1:] < 4 * error).all()
    np.testing.assert_allclose((m**2).mean(axis=0), (0.75**2 * (1 + 5 / 32)) ** layers, rtol=0.03)


def test_layer_mean_squares_scale_with_the_gain_and_may_die():
    one, two = layer_mean_squares(rng(7), 6, 8, 5, gain=1.0), layer_mean_squares(rng(7), 6, 8, 5)
    np.testing.assert_allclose(two, one * 2.0 ** np.arange(7), rtol=1e-14)
    dead = layer_mean_squares(rng(8), 30, 2, 200)
    assert (dead[:, -1] == 0).mean() > 0.9
    with pytest.raises(ValueError, match=r"^gain must keep the result finite, got inf"):
        layer_mean_squares(rng(9), 500, 8, gain=1e9)
    with pytest.raises(ValueError, match=r"^width must be at least 1, got 0"):
        layer_mean_squares(rng(), 2, 0)
    with pytest.raises(ValueError, match=r"^width must be at most 9007199254740992, got 9223372036854775808"):
        layer_mean_squares(rng(), 3, 2**63)

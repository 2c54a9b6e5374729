import numpy as np
import pytest

from kexue_core.diffusion.idempotent import ign_gradient
from kexue_core.diffusion.idempotent_net import MapNet, ign_net_gradient, map_net, random_map_net, train_ign

RNG = np.random.default_rng(9969)
NET = random_map_net([2, 4, 2], np.random.default_rng(0), nets=2)
ONES = np.ones((2, 3, 2))


def net_loss(net, copy, x, z, idem, tight):
    def energy(y, outer):
        return ((map_net(y, outer) - y) ** 2).sum(axis=-1).mean(axis=-1)

    total = energy(x, net) + idem * energy(map_net(z, net), copy)
    return (total - tight * energy(map_net(z, copy), net)).sum()


def test_the_gradient_of_networks_is_that_of_the_loss_with_one_copy_held_fixed():
    rng = np.random.default_rng(2)
    net = random_map_net([3, 5, 4, 3], rng, nets=2)
    net = net._replace(biases=tuple(rng.standard_normal(b.shape) for b in net.biases))
    x, z = rng.standard_normal((2, 6, 3)), rng.standard_normal((2, 9, 3))
    terms, got = ign_net_gradient(net, x, z, lam_idem=0.7, lam_tight=0.4)
    miss = ((map_net(x, net) - x) ** 2).sum(axis=-1).mean(axis=-1)
    np.testing.assert_allclose(terms[0], miss, atol=1e-14)
    h = 1e-5
    for field in ("weights", "biases"):
        for layer, grad in enumerate(getattr(got, field)):
            for at in list(np.ndindex(grad.shape))[::3]:
                values = []
                for sign in (h, -h):
                    moved = [part.copy() for part in getattr(net, field)]
                    moved[layer][at] += sign
                    values.append(net_loss(net._replace(**{field: tuple(moved)}), net, x, z, 0.7, 0.4))
                assert grad[at] == pytest.approx((values[0] - values[1]) / (2 * h), abs=1e-7)


def test_one_affine_layer_on_large_batches_has_the_affine_gradient():
    rng = np.random.default_rng(3)
    W, b = np.array([[0.4, 0.3], [-0.2, 0.8]]), np.array([0.5, -0.1])
    mean, cov = np.array([1.0, -0.5]), np.array([[1.0, 0.3], [0.3, 0.5]])
    x = mean + rng.standard_normal((1, 400_000, 2)) @ np.linalg.cholesky(cov).T
    net = MapNet((W.T[None],), (b[None, None],))
    _, got = ign_net_gradient(net, x, rng.standard_normal((1, 400_000, 2)), lam_idem=0.7, lam_tight=0.4)
    for_W, for_b = ign_gradient(W, b, mean=mean, cov=cov, lam_idem=0.7, lam_tight=0.4)
    np.testing.assert_allclose(got.weights[0][0].T, for_W, atol=0.03)
    np.testing.assert_allclose(got.biases[0][0, 0], for_b, atol=0.03)


def test_training_lowers_the_reconstruction_leaves_the_start_alone_and_does_not_mix_networks():
    def line(rng, shape):
        return np.repeat(rng.standard_normal((*shape[:-1], 1)), shape[-1], axis=-1)

    settings = {"steps": 300, "batch": 32, "rate": 5e-3, "lam_idem": 1.0, "lam_tight": 0.125}
    before = [w.copy() for w in NET.weights]
    net, terms = train_ign(NET, line, rng=np.random.default_rng(4), **settings)
    assert terms.shape == (300, 2, 2)
    assert (terms[-20:, 0].mean(axis=0) < terms[:20, 0].mean(axis=0) / 2).all()
    for old, now in zip(before, NET.weights):
        np.testing.assert_array_equal(old, now)
    assert [w.shape for w in net.weights] == [w.shape for w in NET.weights]
    other = NET._replace(weights=tuple(np.stack([w[0], 2 * w[1]]) for w in NET.weights))
    again, _ = train_ign(other, line, rng=np.random.default_rng(4), **settings)
    np.testing.assert_allclose(again.weights[0][0], net.weights[0][0], atol=1e-10)
    assert np.abs(again.weights[0][1] - net.weights[0][1]).max() > 1e-3


def test_a_first_step_of_adam_has_the_length_of_the_rate():
    net, _ = train_ign(
        NET,
        lambda rng, shape: rng.standard_normal(shape),
        steps=1,
        batch=8,
        rate=0.01,
        lam_idem=1.0,
        lam_tight=0.1,
        rng=np.random.default_rng(5),
    )
    for old, now in zip(NET.weights, net.weights):
        np.testing.assert_allclose(np.abs(now - old), 0.01, rtol=1e-4)


def test_networks_have_the_stated_variances():
    net = random_map_net([300, 200, 300], np.random.default_rng(6), nets=2)
    for w in net.weights:
        assert w.var() * w.shape[-2] == pytest.approx(1, rel=0.02)
    assert not any(b.any() for b in net.biases)
    x = RNG.standard_normal((2, 5, 300))
    np.testing.assert_allclose(map_net(x, net), np.tanh(x @ net.weights[0]) @ net.weights[1], atol=1e-12)


def bad_net():
    return MapNet(NET.weights, NET.biases[::-1])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: random_map_net([2], RNG), ValueError, "dims must hold at least 2 widths, got 1"),
        (lambda: random_map_net([2, 3], RNG), ValueError, "dims must end as they begin, with 2, got 3"),
        (lambda: random_map_net([2, 2], RNG, nets=0), ValueError, "nets must be at least 1, got 0"),
        (lambda: random_map_net([2, 2], 0), TypeError, "rng must be a numpy.random.Generator, got 0"),
        (lambda: map_net([[1.0]], NET), ValueError, "x must have a last axis of length 2, got shape"),
        (lambda: map_net(np.ones((3, 4, 2)), NET), ValueError, "x and net.weights must broadcast"),
        (lambda: map_net([[1.0, 2.0]], tuple(NET)), TypeError, "net must be a MapNet, got"),
        (lambda: map_net([[1.0, 2.0]], bad_net()), ValueError, "net must chain layers of one shape, got"),
        (
            lambda: map_net([[1.0, 2.0]], MapNet(NET.weights, NET.biases[:1])),
            ValueError,
            "net must have as many biases as weights, got 1 and 2",
        ),
        (
            lambda: ign_net_gradient(NET, np.ones((3, 2)), ONES, lam_idem=1, lam_tight=1),
            ValueError,
            r"x must have the leading axes \(2,\) of the networks, got shape \(3, 2\)",
        ),
        (
            lambda: ign_net_gradient(NET, ONES, ONES, lam_idem=1, lam_tight=-1),
            ValueError,
            "lam_tight must not be negative, got -1",
        ),
        (
            lambda: train_ign(NET, lambda rng, shape: 0.0, steps=1, batch=2, rate=1, lam_idem=1, lam_tight=1, rng=RNG),
            ValueError,
            r"sample\(rng, shape\) must have shape \(2, 2, 2\), got",
        ),
        (
            lambda: train_ign(
                MapNet((0.5 * np.eye(1),), (np.zeros((1, 1)),)),
                lambda rng, shape: np.full(shape, 1e90),
                steps=1,
                batch=2,
                rate=0.1,
                lam_idem=1,
                lam_tight=0,
                rng=RNG,
            ),
            ValueError,
            "net, rate and lam_tight must keep the result finite, got inf",
        ),
    ],
)
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()

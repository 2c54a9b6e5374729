import numpy as np
import pytest

from kexue_core.diffusion.skip_net import SkipNet, linearity, random_skip_net, skip_net

NET = random_skip_net([2, 1], np.random.default_rng(0))


def by_hand(x, net, rho):
    h = [x]
    for w in net.encoder:
        h.append(np.where((z := h[-1] @ w) > 0, z, 0))
    y, n = h[-1], len(net.decoder)
    for j in range(n):
        y = y @ net.decoder[n - 1 - j] + rho[j] * h[n - 1 - j]
        y = y if j == n - 1 else np.where(y > 0, y, 0)
    return y


def test_the_network_is_the_loop_written_out():
    net, rng = random_skip_net([6, 4, 3, 2], np.random.default_rng(3)), np.random.default_rng(4)
    x = rng.standard_normal((2, 5, 6))
    for rho in ([0.0, 0.0, 0.0], [0.2, 0.6, 1.0], [1.5, 1.0, 0.5]):
        np.testing.assert_allclose(skip_net(x, net=net, rho=rho), by_hand(x, net, rho), atol=1e-14)
    np.testing.assert_array_equal(skip_net(x, net=net, rho=0.5), skip_net(x, net=net, rho=[0.5] * 3))
    many = rng.random((2, 4, 3))
    each = [[skip_net(x, net=net, rho=rho) for rho in row] for row in many]
    np.testing.assert_allclose(skip_net(x, net=net, rho=many), each, rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(
        skip_net(x[0], net=net, rho=many[0]), [skip_net(x[0], net=net, rho=r) for r in many[0]]
    )
    np.testing.assert_allclose(skip_net(3 * x, net=net), 3 * skip_net(x, net=net), rtol=1e-12)


def test_without_skips_all_passes_the_bottleneck_and_with_the_outermost_alone_the_input_is_added():
    net = random_skip_net([8, 5, 2], np.random.default_rng(5))
    x = np.random.default_rng(6).standard_normal((300, 8))
    closed, open_top = skip_net(x, net=net, rho=0.0), skip_net(x, net=net, rho=[0.0, 1.0])
    assert np.linalg.matrix_rank(closed) <= 5
    np.testing.assert_allclose(open_top - closed, x, atol=1e-12)
    assert linearity(x, open_top) > linearity(x, closed)


def test_weights_have_the_stated_variances():
    net = random_skip_net([400, 300, 200], np.random.default_rng(7))
    for w in net.encoder:
        assert w.var() * w.shape[0] == pytest.approx(2, rel=0.02)
    for w in net.decoder:
        assert w.var() * w.shape[0] == pytest.approx(1, rel=0.02)


def test_linearity_is_the_r2_of_least_squares():
    rng = np.random.default_rng(8)
    x = rng.standard_normal((60, 3))
    y = np.stack([np.sin(x), x**2, x @ rng.standard_normal((3, 3)) + 5])
    design = np.c_[x, np.ones(60)]
    for found, part in zip(linearity(x, y), y):
        left = part - design @ np.linalg.lstsq(design, part)[0]
        assert found == pytest.approx(1 - (left**2).sum() / ((part - part.mean(0)) ** 2).sum(), abs=1e-12)
    assert linearity(x, y)[2] == pytest.approx(1, abs=1e-14)
    assert linearity(x, np.full((60, 2), 7.0)) == 1
    assert linearity(np.arange(7.0)[:, None] ** 2, np.full((7, 1), 0.1)) == 1
    np.testing.assert_allclose(linearity(2 * x + 1, 1e-200 * y), linearity(x, y), atol=1e-12)
    np.testing.assert_allclose(linearity(np.c_[x, x[:, :1]], y), linearity(x, y), atol=1e-12)  # a column twice
    np.testing.assert_allclose(linearity(x * [1, 1e-14, 1e200], y), linearity(x, y), atol=1e-12)
    np.testing.assert_allclose(linearity(np.c_[x, np.full(60, 0.1)], y), linearity(x, y), atol=1e-12)


def test_what_no_affine_map_explains_is_not_less_than_nothing():
    rng = np.random.default_rng(9)
    for _ in range(200):
        x = rng.standard_normal((9, 4))
        _, _, rows = np.linalg.svd(np.c_[np.ones(9), x].T)
        assert 0 <= linearity(x, rows[5:].T) < 1e-14


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: random_skip_net([4], np.random.default_rng(0)), ValueError, "dims must hold at least 2 widths, got 1"),
        (lambda: random_skip_net([4, 0], np.random.default_rng(0)), ValueError, "dims must be at least 1, got 0"),
        (lambda: random_skip_net([4, 2], 0), TypeError, "rng must be a numpy.random.Generator, got 0"),
        (lambda: skip_net([[1.0, 2.0]], net=NET, rho=[1.0, 1.0]), ValueError, r"rho must be a number or have shape"),
        (lambda: skip_net([1.0, 2.0], net=NET, rho=[[1.0, 1.0]]), ValueError, r"\(\.\.\., 1\), got shape \(1, 2\)"),
        (lambda: skip_net([[1.0]], net=NET), ValueError, "x must have a last axis of length 2, got shape"),
        (lambda: skip_net([[1.0, 2.0]], net=tuple(NET)), TypeError, "net must be a SkipNet, got"),
        (
            lambda: skip_net([1.0], net=SkipNet((), ())),
            ValueError,
            r"net must lead down and back the same way, got \[\]",
        ),
        (
            lambda: skip_net([1.0, 2.0], net=SkipNet(NET.encoder, NET.encoder)),
            ValueError,
            "net must lead down and back",
        ),
        (
            lambda: skip_net([1.0, 2.0], net=SkipNet(NET.encoder * 2, NET.decoder * 2)),
            ValueError,
            r"got \[\(2, 1\), \(2, 1\)\] and \[\(1, 2\), \(1, 2\)\]",
        ),
        (
            lambda: skip_net([1.0, 2.0], net=SkipNet("ab", NET.decoder)),
            TypeError,
            "net must be an array of real numbers",
        ),
        (lambda: linearity(np.ones((3, 2)), np.ones((3, 2))), ValueError, "x must hold more than 3 points, got 3"),
        (lambda: linearity(np.ones((9, 2)), np.ones((8, 2))), ValueError, "y must have 9 points like x, got 8"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_network_is_a_tuple_of_its_matrices():
    assert isinstance(NET, SkipNet)
    assert [w.shape for w in (*NET.encoder, *NET.decoder)] == [(2, 1), (1, 2)]

import numpy as np
import pytest

from kexue_core.diffusion.idempotent import ign_descent, ign_equilibria, ign_gradient

LINE = {"mean": [0.0], "cov": [[0.25]], "lam_idem": 1.0, "lam_tight": 0.125}


def affine_loss(W, b, W_copy, b_copy, mean, cov, idem, tight):
    """The loss with copies, from E |A y + c|^2 = tr(A Cov(y) A') + |A mean(y) + c|^2."""
    eye = np.eye(len(b))

    def energy(W, b, mean, cov):
        A = W - eye
        return np.trace(A @ cov @ A.T) + ((A @ mean + b) ** 2).sum()

    total = energy(W, b, mean, cov) + idem * energy(W_copy, b_copy, b, W @ W.T)
    return total - tight * energy(W, b, b_copy, W_copy @ W_copy.T)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_affine_gradient_is_that_of_the_loss_with_one_copy_held_fixed(d):
    rng = np.random.default_rng(d)
    W, b, mean = rng.standard_normal((d, d)), rng.standard_normal(d), rng.standard_normal(d)
    root = rng.standard_normal((d, d))
    cov = root @ root.T
    for_W, for_b = ign_gradient(W, b, mean=mean, cov=cov, lam_idem=0.7, lam_tight=0.4)
    h = 1e-5
    for part, got in enumerate((for_W, for_b)):
        for at in np.ndindex(got.shape):
            values = []
            for sign in (h, -h):
                moved = [W.copy(), b.copy()]
                moved[part][at] += sign
                values.append(affine_loss(*moved, W, b, mean, cov, 0.7, 0.4))
            assert got[at] == pytest.approx((values[0] - values[1]) / (2 * h), abs=1e-7)


def test_the_affine_gradient_of_a_batch_is_a_loop_and_broadcasts_weights():
    rng = np.random.default_rng(1)
    W, b, mean = rng.standard_normal((4, 1, 2, 2)), rng.standard_normal((4, 1, 2)), rng.standard_normal((3, 2))
    cov, tight = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([0.0, 0.5, 2.0])
    for_W, for_b = ign_gradient(W, b, mean=mean, cov=cov, lam_idem=1.0, lam_tight=tight)
    assert for_W.shape == (4, 3, 2, 2)
    assert for_b.shape == (4, 3, 2)
    for i in range(4):
        for j in range(3):
            one = ign_gradient(W[i, 0], b[i, 0], mean=mean[j], cov=cov, lam_idem=1.0, lam_tight=tight[j])
            np.testing.assert_allclose(for_W[i, j], one[0], atol=1e-13)
            np.testing.assert_allclose(for_b[i, j], one[1], atol=1e-13)


def test_projections_onto_a_space_that_holds_the_data_and_the_identity_are_rests():
    B = np.array([[1.5], [-0.4]])
    P = np.block([[np.eye(2), B], [np.zeros((1, 3))]])
    cov = np.diag([4.0, 1.0, 0.0])
    for W in (P, np.eye(3)):
        for_W, for_b = ign_gradient(W, np.zeros(3), mean=np.zeros(3), cov=cov, lam_idem=1.3, lam_tight=0.6)
        np.testing.assert_allclose(for_W, 0, atol=1e-15)
        np.testing.assert_allclose(for_b, 0, atol=1e-15)


@pytest.mark.parametrize("var", [0.02, 0.25, 2 / 7, 0.3, 1.0, 1.7])
@pytest.mark.parametrize(("idem", "tight"), [(1, 0.125), (1, 1), (0.5, 2), (2, 0), (0, 0.5), (0, 0)])
def test_equilibria_are_the_real_roots_of_the_cubic_and_slopes_their_derivatives(var, idem, tight):
    w, slope = ign_equilibria(var, idem, tight)
    cubic = np.poly1d([2, -2]) * np.poly1d([idem - tight, -idem, var])
    roots = np.roots(cubic)
    assert (np.diff(w) > 0).all()
    assert 1.0 in w
    for value, rise in zip(w, slope):
        assert abs(roots - value).min() < 1e-6
        assert rise == pytest.approx(cubic.deriv()(value), abs=1e-9)
        assert abs(ign_gradient([[value]], [0], mean=[0], cov=[[var]], lam_idem=idem, lam_tight=tight)[0]) < 1e-9
    for root in roots[abs(roots.imag) < 1e-9].real:
        assert abs(w - root).min() < 1e-6


def test_the_saddle_node_and_a_rest_that_coincides_with_one():
    for w, slope in (ign_equilibria(0.25, 1, 0), ign_equilibria(1.0, 1, 1)):
        assert len(w) == len(slope)
        assert 0.0 in slope
    np.testing.assert_array_equal(ign_equilibria(0.25, 1, 0)[0], [0.5, 1.0])
    assert len(ign_equilibria(0.2501, 1, 0)[0]) == 1


def test_a_rest_at_one_is_double_where_variance_and_tightness_agree():
    for var, idem in ((0.7, 0.3), (0.3, 0.6), (1.1, 1.1), (0.1, 1.9)):
        w, slope = ign_equilibria(var, idem, var)
        assert (np.diff(w) > 1e-3).all()
        assert slope[w == 1] == 0
        other = [var / (idem - var)] if idem not in (var, 2 * var) else []
        np.testing.assert_allclose(w, sorted([1.0, *other]), rtol=1e-15)


def test_each_covariance_of_a_batch_is_symmetric_by_its_own_size():
    one = {"mean": [0.0, 0.0], "lam_idem": 1.0, "lam_tight": 1.0}
    with pytest.raises(ValueError, match="cov must be symmetric, got"):
        ign_gradient(np.eye(2), [0, 0], cov=[1e10 * np.eye(2), [[1, 1e-5], [0, 1]]], **one)
    assert ign_gradient(np.eye(2), [0, 0], cov=np.empty((0, 2, 2)), **one)[0].shape == (0, 2, 2)


def test_descent_ends_at_the_rest_of_its_side_and_stops_where_it_diverges():
    starts = np.array([0.3, 0.9, 1.2])
    W, b = ign_descent(starts[:, None, None], np.zeros((3, 1)), steps=6000, **LINE)
    rests = ign_equilibria(0.25, 1, 0.125)[0]
    np.testing.assert_allclose(W[-1, :, 0, 0], [rests[0], 1, 1], atol=1e-6)
    assert W.shape == (6001, 3, 1, 1)
    assert not b.any()
    away, _ = ign_descent([[1.2]], [0.0], steps=3000, bound=50.0, **{**LINE, "lam_tight": 1.0})
    assert 50 < away[-1, 0, 0] < 1e5
    assert away[-1] == away[-2]
    one, _ = ign_descent([[0.3]], [0.0], steps=6000, **LINE)
    np.testing.assert_allclose(one, W[:, 0], atol=1e-15)


def test_the_perfect_generator_is_turned_around_at_tightness_one():
    data = {"mean": [1.5], "cov": [[1.0]], "lam_idem": 1.0, "lam_tight": 1.0}
    for part in ign_gradient([[1.0]], [1.5], **data):
        np.testing.assert_allclose(part, 0, atol=1e-15)
    h = 1e-6
    by_w = [ign_gradient([[1.0 + s]], [1.5], **data) for s in (h, -h)]
    by_b = [ign_gradient([[1.0]], [1.5 + s], **data) for s in (h, -h)]
    jacobian = [[(p[0][k] - p[1][k]).item() / (2 * h) for p in (by_w, by_b)] for k in (0, 1)]
    np.testing.assert_allclose(jacobian, [[0, -3], [3, 0]], atol=1e-8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ign_equilibria(0, 1, 1), ValueError, "var must be positive, got 0"),
        (lambda: ign_equilibria(1, -1, 1), ValueError, "lam_idem must not be negative, got -1"),
        (lambda: ign_equilibria(1, 1e200, 1), ValueError, "must keep the result finite, got inf"),
        (lambda: ign_gradient([[1.0, 2.0]], [0.0, 0.0], **LINE), ValueError, r"W must end in the axes \(2, 2\), got"),
        (lambda: ign_gradient([[1.0]], [0.0, 1.0], **LINE), ValueError, r"b must end in the axes \(1,\), got"),
        (
            lambda: ign_gradient(np.eye(2), [0, 0], mean=[0, 0], cov=[[1, 2], [0, 1]], lam_idem=1, lam_tight=1),
            ValueError,
            "cov must be symmetric, got",
        ),
        (
            lambda: ign_gradient([[1.0]], [0.0], **{**LINE, "lam_tight": -1}),
            ValueError,
            "lam_tight must not be negative",
        ),
        (lambda: ign_descent([[1.0]], [0.0], rate=0, **LINE), ValueError, "rate must be positive, got 0"),
        (lambda: ign_descent([[1.0]], [0.0], steps=-1, **LINE), ValueError, "steps must be at least 0, got -1"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()

import numpy as np
import pytest
from oracles import oracles

from kexue_core.optimization.flows import gradient_flow, natural_gradient, steepest_direction
from kexue_core.optimization.muon import schatten_direction

solve_ivp, minimize = oracles("scipy.integrate.solve_ivp", "scipy.optimize.minimize")


def rng(seed=0):
    return np.random.default_rng(seed)


def valley(x):
    """Return the gradient of (1 - x)^2 + 5 (y - x^2)^2."""
    a, b = x[..., 0], x[..., 1]
    bend = 10 * (b - a**2)
    return np.stack([-2 * (1 - a) - 2 * a * bend, bend], axis=-1)


# --- the flow ---


def test_the_flow_against_another_solver():
    times = np.array([0.0, 0.1, 0.5, 0.5, 2.0])
    start = np.array([[-1.0, 1.0], [0.5, -0.5]])
    found = gradient_flow(valley, start, times, steps=400)
    for i, x0 in enumerate(start):
        run = solve_ivp(lambda t, x: -valley(x), (0, 2), x0, t_eval=np.unique(times), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(found[[0, 1, 2, 4], i], run.y.T, rtol=0, atol=1e-7)
        np.testing.assert_array_equal(found[:, i], gradient_flow(valley, x0, times, steps=400))
    np.testing.assert_array_equal(found[2], found[3])


def test_the_error_falls_with_the_fourth_power():
    gaps = [abs(gradient_flow(lambda x: x, [1.0], [1.0], steps=n)[0, 0] - np.exp(-1)) for n in (4, 8, 16)]
    assert 3.9 < np.log2(gaps[0] / gaps[1]) < 4.3
    assert 3.9 < np.log2(gaps[1] / gaps[2]) < 4.2


def test_the_value_falls_at_the_square_of_the_slope():
    def f(x):
        return (1 - x[..., 0]) ** 2 + 5 * (x[..., 1] - x[..., 0] ** 2) ** 2

    times = np.linspace(0, 2, 4001)
    path = gradient_flow(valley, [-1.0, 1.0], times, steps=2)
    rate = (valley(path) ** 2).sum(axis=-1)
    paid = ((rate[1:] + rate[:-1]) / 2 * np.diff(times)).cumsum()
    np.testing.assert_allclose(f(path)[0] - f(path)[1:], paid, rtol=1e-3)
    assert (np.diff(f(path)) < 0).all()


def test_a_flow_refuses_what_it_cannot_follow():
    for times, rule in (([1.0, 0.5], "not decrease"), ([-1.0], "not be negative"), ([], "not be empty")):
        with pytest.raises(ValueError, match=f"^times must {rule}"):
            gradient_flow(lambda x: x, [1.0], times)
    with pytest.raises(ValueError, match=r"^grad\(x\) must be finite, got -inf"):
        gradient_flow(lambda x: -(x**3), [10.0], [10.0])
    with pytest.raises(ValueError, match=r"^x0 and times must keep the result finite"):
        gradient_flow(lambda x: -x, [1e308], [1e3])
    with pytest.raises(ValueError, match=r"^grad\(x\) must have shape"):
        gradient_flow(lambda x: x[..., :1], [1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match=r"^steps must be at least 1, got 0"):
        gradient_flow(lambda x: x, [1.0], [1.0], steps=0)


# --- rulers ---


@pytest.mark.parametrize("p", [1, 1.5, 2, 4, np.inf])
def test_the_direction_attains_hoelders_inequality(p):
    g = rng(1).standard_normal((40, 5))
    v = steepest_direction(g, p)
    q = np.inf if p == 1 else 1 / (1 - 1 / p)
    np.testing.assert_allclose(np.linalg.norm(v, p, axis=-1), 1, rtol=1e-13)
    np.testing.assert_allclose((v * g).sum(axis=-1), np.linalg.norm(g, q, axis=-1), rtol=1e-13)
    other = rng(2).standard_normal((2000, 5))
    other /= np.linalg.norm(other, p, axis=-1, keepdims=True)
    assert ((other @ g.T) <= (v * g).sum(axis=-1) + 1e-12).all()
    np.testing.assert_array_equal(v, [steepest_direction(row, p) for row in g])


@pytest.mark.parametrize("p", [1, 1.25, 2, 3, np.inf])
def test_it_is_the_direction_of_diagonal_matrices(p):
    g = np.array([4.0, -3.0, 0.0, 0.5])
    np.testing.assert_allclose(np.diag(schatten_direction(np.diag(g), p)), steepest_direction(g, p), atol=1e-14)


def test_ties_zeros_and_extreme_sizes():
    np.testing.assert_array_equal(steepest_direction([2.0, -2.0, 1.0], 1), [0.5, -0.5, 0])
    np.testing.assert_array_equal(steepest_direction([2.0, 0.0, -1.0], np.inf), [1, 0, -1])
    for p in (1, 1.5, 2, np.inf):
        np.testing.assert_array_equal(steepest_direction([0.0, 0.0], p), [0, 0])
        for size in (1e-300, 1e300):
            np.testing.assert_allclose(
                steepest_direction([3 * size, 4 * size], p), steepest_direction([3, 4], p), atol=1e-15
            )
    np.testing.assert_allclose(steepest_direction([1.0, 0.5], 1 + 1e-12), [1, 0], atol=1e-15)
    with pytest.raises(ValueError, match=r"^p must be at least 1, got 0\.5"):
        steepest_direction([1.0], 0.5)


def test_the_natural_gradient_minimises_the_penalised_linear_form():
    half = rng(3).standard_normal((6, 4, 4))
    fisher, grad = half @ half.swapaxes(-2, -1) + np.eye(4), rng(4).standard_normal((6, 4))
    v = natural_gradient(grad, fisher)
    for g, F, found in zip(grad, fisher, v):

        def cost(d, g=g, F=F):
            return d @ F @ d / 2 - g @ d, F @ d - g

        best = minimize(cost, np.zeros(4), jac=True, tol=1e-12)
        np.testing.assert_allclose(found, best.x, atol=1e-6)
        np.testing.assert_array_equal(found, natural_gradient(g, F))


def test_the_natural_gradient_does_not_see_the_coordinates():
    change, grad = rng(5).standard_normal((3, 3)), rng(6).standard_normal(3)
    fisher = np.diag([1.0, 4.0, 0.25])
    moved = natural_gradient(change.T @ grad, change.T @ fisher @ change)  # parameters = change @ new ones
    np.testing.assert_allclose(change @ moved, natural_gradient(grad, fisher), rtol=1e-10)
    np.testing.assert_array_equal(natural_gradient(grad, np.eye(3)), grad)


def test_a_metric_that_is_none_is_refused():
    for fisher, rule in (
        ([[1.0, 2.0], [0.0, 1.0]], "be symmetric"),
        ([[1.0, 0.0], [0.0, -1.0]], "be positive"),
        ([[0.0, 0.0], [0.0, 0.0]], "be positive"),
        ([[1e200, 0.0], [0.0, 1e-200]], "be positive, got 0 of its size"),
        ([[1.0]], "have two last axes of length 2"),
    ):
        with pytest.raises(ValueError, match=f"^fisher must {rule}"):
            natural_gradient([1.0, 1.0], fisher)


def test_what_is_no_function_is_refused_by_name():
    with pytest.raises(TypeError, match=r"^grad must be a function, got 3$"):
        gradient_flow(3, [1.0], [1.0])

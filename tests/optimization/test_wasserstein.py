import numpy as np
import pytest
from oracles import oracles

from kexue_core.optimization.wasserstein import bures_wasserstein, gaussian_jko_step, jko_step_1d, wasserstein_1d

sqrtm, linprog, minimize, brentq, norm = oracles(
    "scipy.linalg.sqrtm",
    "scipy.optimize.linprog",
    "scipy.optimize.minimize",
    "scipy.optimize.brentq",
    "scipy.stats.norm",
)


def rng(seed=0):
    return np.random.default_rng(seed)


def laws(seed, batch, d):
    half = rng(seed).standard_normal((*batch, d, d))
    return rng(seed + 100).standard_normal((*batch, d)), half @ half.swapaxes(-2, -1)


# --- normal laws ---


def test_normal_laws_against_matrix_square_roots():
    (m1, s1), (m2, s2) = laws(0, (8,), 3), laws(1, (8,), 3)
    found = bures_wasserstein(m1, s1, m2, s2)
    for i in range(8):
        root = sqrtm(s1[i]).real
        cross = np.trace(sqrtm(root @ s2[i] @ root).real)
        expected = ((m1[i] - m2[i]) ** 2).sum() + np.trace(s1[i] + s2[i]) - 2 * cross
        assert found[i] == pytest.approx(expected, abs=1e-9)
        assert found[i] == pytest.approx(bures_wasserstein(m1[i], s1[i], m2[i], s2[i]), rel=1e-12)
    np.testing.assert_allclose(found, bures_wasserstein(m2, s2, m1, s1), rtol=1e-10)


def test_normal_laws_by_the_map_between_them():
    (m1, s1), (m2, s2) = laws(2, (), 2), laws(3, (), 2)
    root = sqrtm(s1).real
    back = np.linalg.inv(root)
    push = back @ sqrtm(root @ s2 @ root).real @ back  # the optimal map is linear, with this matrix
    np.testing.assert_allclose(push @ s1 @ push, s2, atol=1e-9)
    cost = ((m1 - m2) ** 2).sum() + np.trace((np.eye(2) - push) @ s1 @ (np.eye(2) - push))
    assert bures_wasserstein(m1, s1, m2, s2) == pytest.approx(cost, abs=1e-9)


def test_one_dimension_commuting_and_equal_laws():
    assert bures_wasserstein([1.0], [[4.0]], [3.0], [[0.25]]) == pytest.approx(4 + 1.5**2)
    a, b = np.array([1.0, 4.0, 0.0]), np.array([9.0, 1.0, 2.0])
    expected = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    assert bures_wasserstein(np.zeros(3), np.diag(a), np.zeros(3), np.diag(b)) == pytest.approx(expected)
    m, s = laws(4, (5,), 4)
    assert np.abs(bures_wasserstein(m, s, m, s)).max() < 1e-12
    for size in (1e-150, 1e150):
        assert bures_wasserstein([0.0], [[size]], [0.0], [[4 * size]]) == pytest.approx(size, rel=1e-12)


def test_a_covariance_that_is_none_is_refused():
    good = ([0.0, 0.0], np.eye(2))
    for bad, rule in (
        ([[1.0, 0.5], [0.0, 1.0]], "be symmetric"),
        ([[1.0, 0.0], [0.0, -0.1]], "have no negative eigenvalue"),
        ([[1.0]], "have two last axes of length 2"),
    ):
        with pytest.raises(ValueError, match=f"^cov2 must {rule}.*got "):
            bures_wasserstein(*good, [0.0, 0.0], bad)
    with pytest.raises(ValueError, match=r"^mean2 must have a last axis of length 2"):
        bures_wasserstein(*good, [0.0], [[1.0]])


# --- samples ---


def transport(x, y):
    """Return the least cost over all plans, by linear programming."""
    n, m = len(x), len(y)
    rows = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    plan = linprog(
        ((x[:, None] - y) ** 2).ravel(),
        A_eq=np.vstack(rows),
        b_eq=np.r_[np.full(n, 1 / n), np.full(m, 1 / m)],
        method="highs",
    )
    return plan.fun


@pytest.mark.parametrize(("n", "m"), [(1, 4), (3, 3), (4, 6), (5, 7)])
def test_samples_against_a_linear_program(n, m):
    x, y = rng(n).standard_normal((6, n)), 2 * rng(m + 50).standard_normal((6, m)) + 1
    found = wasserstein_1d(x, y)
    for i in range(6):
        assert found[i] == pytest.approx(transport(x[i], y[i]), abs=1e-9)
        assert found[i] == pytest.approx(wasserstein_1d(y[i], x[i]), rel=1e-12)
    assert wasserstein_1d(x[0], x[0][::-1]) == 0


def test_samples_repeated_are_the_same_law_and_quantiles_tend_to_normal_laws():
    x, y = rng(7).standard_normal(5), rng(8).standard_normal(5)
    assert wasserstein_1d(np.tile(x, 3), np.tile(y, 2)) == pytest.approx(wasserstein_1d(x, y), rel=1e-12)
    z = norm.ppf((np.arange(20000) + 0.5) / 20000)
    assert wasserstein_1d(2 + 0.5 * z, z) == pytest.approx(bures_wasserstein([2.0], [[0.25]], [0.0], [[1.0]]), abs=1e-3)


# --- steps ---


def test_the_normal_step_minimises_over_normal_laws():
    for mean, std, step in ((2.0, 0.5, 0.05), (-1.0, 3.0, 0.7), (0.3, 1.0, 5.0), (1.0, 0.0, 1.0)):

        def cost(law, mean=mean, std=std, step=step):
            m, s = law[0], np.exp(law[1])
            return ((m - mean) ** 2 + (s - std) ** 2) / (2 * step) + (s**2 + m**2) / 2 - np.log(s)

        best = minimize(cost, [mean, np.log(std + 0.1)], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15})
        found = gaussian_jko_step(mean, std, step)
        np.testing.assert_allclose(found, [best.x[0], np.exp(best.x[1])], atol=1e-6)


def test_twenty_normal_steps_and_their_limits():
    mean, std = 2.0, 0.5
    for _ in range(20):
        mean, std = gaussian_jko_step(mean, std, 0.05)
    assert mean == pytest.approx(2 * 1.05**-20, rel=1e-13)
    np.testing.assert_allclose([mean, std], [0.7537789657, 0.9409335075], atol=1e-9)
    mean, std = 2.0, 0.5
    for _ in range(20000):
        mean, std = gaussian_jko_step(mean, std, 5e-5)
    np.testing.assert_allclose([mean, std], [2 * np.exp(-1), np.sqrt(1 - 0.75 * np.exp(-2))], atol=5e-5)
    assert gaussian_jko_step(2.0, 1.0, 1.0) == (1.0, pytest.approx((1 + 3) / 4))
    for std in (0.0, 0.5, 30.0):
        assert gaussian_jko_step(5.0, std, 1e300) == (pytest.approx(0, abs=1e-290), pytest.approx(1))
    batch = gaussian_jko_step([[1.0], [2.0]], [0.5, 1.0, 2.0], 0.1)
    assert batch[0].shape == batch[1].shape == (2, 3)
    assert batch[1][1, 2] == gaussian_jko_step(2.0, 2.0, 0.1)[1]


def test_a_step_of_quantiles_against_a_general_minimizer():
    old = np.sort(rng(9).standard_normal(6)) * 0.5 + 1
    for step in (0.01, 0.05, 0.1):  # the double well: V'' >= -8

        def cost(y, step=step):
            q = np.r_[y[0], y[0] + np.exp(y[1:]).cumsum()]
            return ((q - old) ** 2 / (2 * step) + 2 * (q**2 - 1) ** 2).sum() - y[1:].sum()

        best = minimize(cost, np.r_[old[0], np.log(np.diff(old))], method="BFGS", options={"gtol": 1e-10})
        expected = np.r_[best.x[0], best.x[0] + np.exp(best.x[1:]).cumsum()]
        found = jko_step_1d(old, lambda x: 8 * x * (x**2 - 1), lambda x: 24 * x**2 - 8, step)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_steps_of_quantiles_tend_to_the_normal_step():
    gaps = []
    for n in (50, 100, 200):
        z = norm.ppf((np.arange(n) + 0.5) / n)
        q, mean, std = 2 + 0.5 * z, 2.0, 0.5
        for _ in range(20):
            q = jko_step_1d(q, lambda x: x, lambda x: 1 + 0 * x, 0.05)
            mean, std = gaussian_jko_step(mean, std, 0.05)
        assert q.mean() == pytest.approx(mean, abs=1e-9)
        gaps.append(abs(q.std() - std))
    assert gaps[0] / gaps[1] > 1.6
    assert gaps[1] / gaps[2] > 1.6
    assert q.std() == pytest.approx(0.93855, abs=1e-5)


def test_the_energy_never_rises_however_long_the_step():
    def energy(q):
        return (q**2 / 2).mean() - np.log(np.diff(q)).sum() / len(q)

    q = np.sort(rng(10).standard_normal(30)) * 3 - 4
    for step in (1e-4, 0.1, 10, 1e6):
        new = jko_step_1d(q, lambda x: x, lambda x: 1 + 0 * x, step)
        assert energy(new) + ((new - q) ** 2).mean() / (2 * step) <= energy(q)
        assert (np.diff(new) > 0).all()


def test_a_step_far_from_zero_is_the_step_at_zero_moved():
    q = 2 + 0.5 * norm.ppf((np.arange(200) + 0.5) / 200)
    near = jko_step_1d(q, lambda x: x, lambda x: 1 + 0 * x, 0.05)
    for far in (1e3, 1e6, 1e9):
        moved = jko_step_1d(q + far, lambda x, far=far: x - far, lambda x: 1 + 0 * x, 0.05)
        np.testing.assert_allclose(moved - far, near, rtol=0, atol=far * 1e-15 + 1e-12)


def test_a_step_refuses_quantiles_too_near_each_other():
    with pytest.raises(ValueError, match=r"^(quantiles|step) must "):
        jko_step_1d(np.arange(50) * 1e-10, lambda x: x, lambda x: 1 + 0 * x, 0.1)


def test_a_step_refuses_what_has_no_unique_minimum():
    def flat(x):
        return 0 * x

    for q in ([0.0], [1.0, 1.0], [1.0, 0.0]):
        with pytest.raises(ValueError, match=r"^quantiles must be at least 2 and strictly increase"):
            jko_step_1d(q, flat, flat, 1.0)
    with pytest.raises(ValueError, match=r"^step must keep 1/step \+ curvature\(x\) positive"):
        jko_step_1d([0.0, 1.0], lambda x: -x, lambda x: -1 + 0 * x, 2.0)
    with pytest.raises(ValueError, match=r"^step must be positive, got 0"):
        jko_step_1d([0.0, 1.0], flat, flat, 0)
    with pytest.raises(ValueError, match=r"^std must not be negative"):
        gaussian_jko_step(0.0, -1.0, 1.0)


def test_what_is_no_function_is_refused_by_name():
    with pytest.raises(TypeError, match=r"^curvature must be a function, got 3$"):
        jko_step_1d([0.0, 1.0], np.sin, 3, 1.0)
    with pytest.raises(TypeError, match=r"^slope must be a function, got 3$"):
        jko_step_1d([0.0, 1.0], 3, np.sin, 1.0)


def test_each_pair_of_a_batch_is_measured_by_its_own_size():
    variances = np.reshape([1e300, 1e-300], (2, 1, 1))
    np.testing.assert_allclose(bures_wasserstein([0.0], variances, [0.0], 4 * variances), [1e300, 1e-300], rtol=1e-14)
    assert bures_wasserstein(np.zeros((0, 1)), variances[:0], [0.0], [[1.0]]).shape == (0,)


def test_singular_covariances_cost_half_of_the_digits():
    for seed in range(100):
        x, y = rng(seed).integers(-3, 4, size=(2, 3))
        found = bures_wasserstein(np.zeros(3), np.outer(x, x), np.zeros(3), np.outer(y, y))
        assert found == pytest.approx(x @ x + y @ y - 2 * abs(x @ y), abs=1e-7 * max(x @ x, y @ y))


def test_quantiles_too_near_are_shown():
    with pytest.raises(ValueError, match=r"^quantiles must lie farther apart .*, got \[-1e-18, 4.6e-09\]"):
        jko_step_1d([-1e-18, 4.6e-9], lambda x: x, lambda x: 1 + 0 * x, 5e134)

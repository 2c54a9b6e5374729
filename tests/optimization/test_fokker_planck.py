import numpy as np
import pytest
from oracles import oracles

from kexue_core.optimization.fokker_planck import fokker_planck_matrix, langevin_path, markov_semigroup

expm, solve_ivp, eigvals = oracles("scipy.linalg.expm", "scipy.integrate.solve_ivp", "scipy.linalg.eigvals")


def rng(seed=0):
    return np.random.default_rng(seed)


def double_well(points, b, end=3):
    x = np.linspace(-end, end, points)
    return x, fokker_planck_matrix(x, b * (x**2 - 1) ** 2)


# --- the matrix ---


@pytest.mark.parametrize("steep", [0, 1, 20, 400])
def test_mass_positivity_and_the_stationary_density(steep):
    x = np.linspace(-2, 2, 81)
    v = steep * (np.cos(3 * x) + x**2)
    a = fokker_planck_matrix(x, v)
    size = np.abs(a).max()
    assert np.abs(a.sum(axis=0)).max() < 1e-13 * size
    assert (a - np.diag(a.diagonal()) >= 0).all()
    assert np.count_nonzero(np.triu(a, 2)) == np.count_nonzero(np.tril(a, -2)) == 0
    assert np.abs(a @ np.exp(-(v - v.min()))).max() < 1e-13 * size


def test_detailed_balance_makes_the_eigenvalues_real():
    x, a = double_well(61, 2)
    q = np.exp(-2 * (x**2 - 1) ** 2)
    np.testing.assert_allclose(a * q, (a * q).T, rtol=1e-12, atol=1e-12 * np.abs(a * q).max())
    assert np.abs(eigvals(a).imag).max() < 1e-8


def test_the_hermite_eigenvalues_and_the_square_of_the_distance():
    found = {}
    for points in (241, 481):
        x = np.linspace(-6, 6, points)
        found[points] = np.sort(np.linalg.eigvals(fokker_planck_matrix(x, x**2 / 2)).real)[::-1][:4]
    np.testing.assert_allclose(found[481], [0, -0.99990, -1.99969, -2.99941], atol=2e-4)
    gaps = {points: np.abs(values + np.arange(4))[1:] for points, values in found.items()}
    assert ((gaps[241] / gaps[481] > 3.5) & (gaps[241] / gaps[481] < 4.5)).all()


def test_the_gaps_of_the_double_well():
    for b, expected in ((1, 0.7486817), (2, 0.4545466), (3, 0.2418596)):
        coarse, fine = (np.sort(np.linalg.eigvals(double_well(n, b)[1]).real)[-2] for n in (301, 601))
        assert -(fine + (fine - coarse) / 3) == pytest.approx(expected, abs=1e-5)


def test_the_matrix_follows_a_normal_law():
    x = np.linspace(-7, 7, 561)
    q = np.exp(-((x - 2) ** 2) / (2 * 0.25))
    q /= q.sum()
    q = markov_semigroup(fokker_planck_matrix(x, x**2 / 2), 0.5) @ q
    mean = q @ x
    assert mean == pytest.approx(2 * np.exp(-0.5), abs=1e-3)
    assert q @ (x - mean) ** 2 == pytest.approx(1 - 0.75 * np.exp(-1), abs=1e-3)


def test_what_is_no_grid_is_refused():
    for x in ([0.0, 1.0, 3.0], [1.0, 0.0], [0.0, 0.0]):
        with pytest.raises(ValueError, match=r"^x must increase by equal distances, got "):
            fokker_planck_matrix(x, np.zeros(len(x)))
    with pytest.raises(ValueError, match=r"^x must have at least 2 points, got 1"):
        fokker_planck_matrix([0.0], [0.0])
    with pytest.raises(ValueError, match=r"^potential must have shape \(2,\)"):
        fokker_planck_matrix([0.0, 1.0], [0.0])


# --- its exponential ---


@pytest.mark.parametrize("time", [0, 1e-8, 0.02, 0.5, 8])
def test_the_exponential_against_scipy(time):
    _, a = double_well(121, 3)
    found = markov_semigroup(a, time)
    np.testing.assert_allclose(found, expm(a * time), atol=1e-11)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-14)


def test_small_entries_keep_their_digits():
    _, a = double_well(121, 5)
    one, four = markov_semigroup(a, 0.001), markov_semigroup(a, 0.004)
    product = one @ one @ one @ one
    keep = product > 1e-280
    np.testing.assert_allclose(four[keep], product[keep], rtol=1e-11)
    assert four[keep].min() < 1e-100
    two = np.array([[-1.0, 2.0], [1.0, -2.0]])
    for time in (1e-9, 0.3, 40):
        share = -np.expm1(-3 * time) / 3
        np.testing.assert_allclose(markov_semigroup(two, time), [[1 - share, 2 * share], [share, 1 - 2 * share]])


def test_the_exponential_against_a_solver_and_in_the_long_run():
    x, a = double_well(61, 2)
    q0 = np.exp(-((x - 1) ** 2) / 0.08)
    q0 /= q0.sum()
    run = solve_ivp(lambda t, q: a @ q, (0, 1), q0, method="BDF", rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(markov_semigroup(a, 1) @ q0, run.y[:, -1], atol=1e-6)
    rest = np.exp(-2 * (x**2 - 1) ** 2)
    np.testing.assert_allclose(markov_semigroup(a, 200) @ q0, rest / rest.sum(), atol=1e-12)


def test_one_well_in_the_dossiers_numbers():
    x, a = double_well(241, 2)
    q = np.exp(-((x - 1) ** 2) / 0.08)
    q /= q.sum()
    p = np.exp(-2 * (x**2 - 1) ** 2)
    p /= p.sum()
    carry, kl = markov_semigroup(a, 1), []
    for _ in range(5):
        kl.append((q * np.log(q / p)).sum())
        q = carry @ q
    np.testing.assert_allclose(kl, [0.864338, 0.248408, 0.093914, 0.037028, 0.014794], atol=1e-5)


def test_what_is_no_generator_is_refused():
    for bad, rule in (
        ([[-1.0, 0.0], [0.5, 0.0]], "have columns with the sum 0"),
        ([[1.0, 0.0], [-1.0, 0.0]], "not be negative off the diagonal"),
        ([[0.0, 1.0]], "be a square matrix"),
    ):
        with pytest.raises(ValueError, match=f"^rates must {rule}.*got "):
            markov_semigroup(bad, 1.0)
    with pytest.raises(ValueError, match=r"^time must not be negative"):
        markov_semigroup([[0.0]], -1.0)
    np.testing.assert_array_equal(markov_semigroup([[0.0]], 3.0), [[1.0]])


# --- Langevin ---


@pytest.mark.parametrize("h", [0.1, 0.5, 1.0, 1.5])
def test_the_chain_settles_at_its_own_variance(h):
    path = langevin_path(lambda x: -x, np.zeros(20000), h, 120, rng(1))
    variance = path[-1].var()
    expected = 1 / (1 - h / 2)
    assert abs(variance - expected) < 4 * expected * np.sqrt(2 / 20000)


def test_the_path_step_by_step():
    path = langevin_path(lambda x: -(x**3), [[1.0, 2.0], [0.0, -1.0]], 0.1, 3, rng(2))
    noise, x = rng(2), np.array([[1.0, 2.0], [0.0, -1.0]])
    for row in path[1:]:
        x = x - 0.1 * x**3 + np.sqrt(0.2) * noise.standard_normal((2, 2))
        np.testing.assert_allclose(row, x, rtol=1e-14)
    assert langevin_path(lambda x: -x, [1.0], 0.1, 0, rng()).tolist() == [[1.0]]


def test_a_chain_that_runs_away_is_refused():
    with pytest.raises(ValueError, match=r"^x0 and step must keep the result finite"):
        langevin_path(lambda x: -x, [1e300], 1e10, 5, rng())
    with pytest.raises(ValueError, match=r"^step must be positive"):
        langevin_path(lambda x: -x, [1.0], 0.0, 1, rng())
    with pytest.raises(TypeError, match=r"^rng must be a numpy.random.Generator"):
        langevin_path(lambda x: -x, [1.0], 0.1, 1, 3)


def test_what_is_no_function_is_refused_by_name():
    with pytest.raises(TypeError, match=r"^score must be a function, got 3$"):
        langevin_path(3, [1.0], 0.1, 1, rng())

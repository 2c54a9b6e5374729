import numpy as np
import pytest

from kexue_core.diffusion.quantization import energy_distance, fit_codebook, quantize, reverse_water_filling

# the water level


def by_bisection(variances, bits):
    """Return the level at which the bits of the components above it have the given sum."""
    low, high = 0.0, max(variances)
    for _ in range(200):
        level = (low + high) / 2
        spent = 0.5 * sum(np.log2(v / level) for v in variances if v > level)
        low, high = (level, high) if spent > bits else (low, level)
    return high


@pytest.mark.parametrize("seed", range(20))
def test_the_level_is_that_of_a_bisection(seed):
    rng = np.random.default_rng(seed)
    variances, bits = rng.lognormal(sigma=2, size=rng.integers(1, 20)), rng.uniform(0, 30)
    level, errors = reverse_water_filling(variances, bits)
    assert level == pytest.approx(by_bisection(variances, bits), rel=1e-9)
    np.testing.assert_array_equal(errors, np.minimum(variances, level))
    spent = 0.5 * np.log2(variances / errors).sum()
    assert spent == pytest.approx(bits, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_split_of_the_bits_has_a_smaller_error(seed):
    rng = np.random.default_rng(seed)
    variances, bits = rng.lognormal(size=6), 5.0
    best = reverse_water_filling(variances, bits)[1].sum()
    splits = rng.dirichlet(np.full(6, 0.5), size=5000) * bits
    assert (variances * 4.0**-splits).sum(axis=1).min() >= best * (1 - 1e-12)


def test_one_component_and_equal_components_are_shannons_formula():
    assert reverse_water_filling([3.0], 2.5)[0] == pytest.approx(3 * 2**-5)
    np.testing.assert_allclose(reverse_water_filling(np.full(4, 3.0), 8.0)[1], 3 / 16)


def test_no_bits_leave_all_of_the_variance_and_components_without_variance_cost_none():
    variances = [4.0, 0.0, 1.0, 0.0]
    level, errors = reverse_water_filling(variances, 0)
    assert level == 4
    assert errors.tolist() == variances
    for scale in (1e-300, 1e-5, 0.3, 7e290):
        uneven = scale * np.array([3.3, 1.7, 3.3, 1e-7])
        np.testing.assert_array_equal(reverse_water_filling(uneven, 0)[1], uneven)
    level, errors = reverse_water_filling(variances, 2.0)
    assert level == 0.5
    assert errors.tolist() == [0.5, 0, 0.5, 0]
    assert reverse_water_filling(np.zeros(3), 1.0)[0] == 0
    assert reverse_water_filling([1.7e308], 0.25)[0] == pytest.approx(1.7e308 * 0.5**0.5)
    assert reverse_water_filling([1.0, 2.0], 1e308)[0] == 0


def test_a_batch_of_sources_is_a_loop():
    rng = np.random.default_rng(0)
    variances, bits = rng.lognormal(size=(3, 1, 5)), rng.uniform(0, 9, size=4)
    level, errors = reverse_water_filling(variances, bits)
    assert level.shape == (3, 4)
    assert errors.shape == (3, 4, 5)
    for i in range(3):
        for k in range(4):
            one, ones = reverse_water_filling(variances[i, 0], bits[k])
            assert level[i, k] == pytest.approx(one, rel=1e-14)
            np.testing.assert_allclose(errors[i, k], ones, rtol=1e-14)


# codebooks


def test_the_nearest_code_is_found_by_trying_all():
    rng = np.random.default_rng(0)
    x, codes = rng.normal(size=(2, 50, 3)) + 1e3, rng.normal(size=(20, 3)) + 1e3
    every = np.linalg.norm(x[..., None, :] - codes, axis=-1)
    np.testing.assert_array_equal(quantize(x, codes), every.argmin(axis=-1))
    assert quantize(x[0, 0], codes) == every[0, 0].argmin()


def test_many_vectors_are_treated_in_blocks():
    rng = np.random.default_rng(1)
    x, codes = rng.normal(size=(9000, 2)), rng.normal(size=(600, 2))
    found = quantize(x, codes)
    np.testing.assert_array_equal(found[::997], [quantize(v, codes) for v in x[::997]])


def test_the_error_of_a_codebook_falls_with_each_step():
    x = np.random.default_rng(0).normal(size=(400, 3))
    errors = []
    for steps in range(12):
        codes = fit_codebook(x, 16, rng=np.random.default_rng(1), steps=steps)
        errors.append(((x - codes[quantize(x, codes)]) ** 2).sum())
    assert (np.diff(errors) <= 1e-9).all()
    assert errors[-1] < errors[0]


def test_a_code_is_the_mean_of_its_vectors_in_the_end():
    x = np.random.default_rng(2).normal(size=(200, 2))
    codes = fit_codebook(x, 5, rng=np.random.default_rng(3), steps=200)
    nearest = quantize(x, codes)
    np.testing.assert_allclose(codes, [x[nearest == i].mean(axis=0) for i in range(5)], rtol=1e-12)


def test_as_many_codes_as_vectors_lose_nothing_and_one_code_is_the_mean():
    x = np.random.default_rng(4).normal(size=(30, 2))
    codes = fit_codebook(x, 30, rng=np.random.default_rng(0))
    np.testing.assert_allclose(codes[quantize(x, codes)], x, rtol=1e-12)
    np.testing.assert_allclose(fit_codebook(x, 1, rng=np.random.default_rng(0)), [x.mean(axis=0)])


def test_codes_that_nobody_needs_move_where_they_help():
    x = np.array([[0.0]] * 50 + [[1.0], [2.0], [3.0]])
    codes = fit_codebook(x, 4, rng=np.random.default_rng(0), steps=5)
    np.testing.assert_allclose(np.sort(codes.ravel()), [0, 1, 2, 3], atol=1e-12)


def test_a_codebook_stays_above_the_least_possible_error():
    rng = np.random.default_rng(5)
    stds = np.array([2.0, 1.0, 0.5])
    train, fresh = rng.normal(size=(2, 4000, 3)) * stds
    for bits in (2, 4, 6):
        codes = fit_codebook(train, 2**bits, rng=rng)
        error = ((fresh - codes[quantize(fresh, codes)]) ** 2).sum(axis=1).mean()
        assert reverse_water_filling(stds**2, bits)[1].sum() < error


# the energy distance


def test_the_energy_distance_is_its_double_sum():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(5, 3)) + 1
    distance = lambda a, b: np.linalg.norm(a - b)  # noqa: E731
    between = np.mean([distance(a, b) for a in x for b in y])
    in_x = np.mean([distance(x[i], x[j]) for i in range(7) for j in range(7) if i != j])
    in_y = np.mean([distance(y[i], y[j]) for i in range(5) for j in range(5) if i != j])
    assert energy_distance(x, y) == pytest.approx(2 * between - in_x - in_y, rel=1e-12)
    assert energy_distance(x, y) == pytest.approx(energy_distance(y, x), rel=1e-12)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert energy_distance(x @ turn + 5, y @ turn + 5) == pytest.approx(energy_distance(x, y), rel=1e-9)


def test_in_one_dimension_it_is_twice_the_squared_gap_of_the_distribution_functions():
    rng = np.random.default_rng(1)
    x, y = np.sort(rng.normal(size=40)), np.sort(rng.normal(size=30) + 0.5)
    grid = np.sort(np.r_[x, y])
    below = [np.searchsorted(s, grid[:-1], side="right") / len(s) for s in (x, y)]
    biased = 2 * ((below[0] - below[1]) ** 2 * np.diff(grid)).sum()
    within = [np.abs(s[:, None] - s).mean() / (len(s) - 1) for s in (x, y)]  # what pairs with themselves take away
    assert energy_distance(x[:, None], y[:, None]) == pytest.approx(biased - sum(within), rel=1e-10)


def test_its_mean_over_samples_of_one_law_is_zero():
    rng = np.random.default_rng(2)
    found = energy_distance(rng.normal(size=(400, 20, 2)), rng.normal(size=(400, 15, 2)))
    assert found.shape == (400,)
    assert (found < 0).any()
    assert abs(found.mean()) < 4 * found.std() / 20


def test_a_batch_of_samples_is_a_loop_also_in_blocks():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 1600, 2)), rng.normal(size=(1500, 2))
    np.testing.assert_allclose(energy_distance(x, y), [energy_distance(one, y) for one in x], rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e308])
def test_codes_of_any_size_are_told_apart(scale):
    x, codes = scale * np.array([[0.9], [0.2], [-0.8]]), scale * np.array([[-1.0], [0.1], [1.0]])
    assert quantize(x, codes).tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: reverse_water_filling([1.0, -1.0], 1), ValueError, "variances must not be negative"),
        (lambda: reverse_water_filling([1.0], -1), ValueError, "bits must not be negative"),
        (lambda: reverse_water_filling([[1.0], [2.0]], [1, 2, 3]), ValueError, "variances and bits must broadcast"),
        (lambda: fit_codebook([[1.0]], 2, rng=np.random.default_rng(0)), ValueError, "size must be at most 1, got 2"),
        (lambda: fit_codebook([[1.0]], 1, rng=0), TypeError, "rng must be a numpy.random.Generator"),
        (lambda: fit_codebook([[np.inf]], 1, rng=np.random.default_rng(0)), ValueError, "x must be finite"),
        (lambda: quantize([1.0], [[1.0, 2.0]]), ValueError, "x must have a last axis of length 2"),
        (lambda: quantize([[1.0]], [1.0]), ValueError, "codes must have 2 axes"),
        (lambda: energy_distance([[1.0]], [[1.0], [2.0]]), ValueError, "x must hold at least 2 points, got 1"),
        (lambda: energy_distance([[1.0], [2.0]], [[1.0, 2.0]] * 2), ValueError, "y must have a last axis of length 1"),
        (lambda: energy_distance([[1.0], [np.nan]], [[1.0], [2.0]]), ValueError, "x must not contain NaN"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()

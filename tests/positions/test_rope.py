import math

import numpy as np
import pytest
from oracles import oracles

from kexue_core.positions.base import admissible_bases, min_base, safe_base, worst_case_base
from kexue_core.positions.rope import max_context, rope_coherence, rope_coherence_range, rope_frequencies, rotate
from kexue_core.special import cosine_integral

mpmath, expm, brentq = oracles("mpmath", "scipy.linalg.expm", "scipy.optimize.brentq")

# length, smallest admissible base to 12 digits, distance that binds it
TABLE = [
    (1024, 4293.43756926, 1009),
    (2048, 11587.2443031, 1788),
    (4096, 26952.3392279, 4012),
    (8192, 83763.8410154, 8172),
    (16384, 231643.646807, 15643),
    (32768, 629978.262855, 30704),
    (65536, 2090179.67405, 60076),
    (131072, 4869104.37053, 124837),
]


def admissible_reference(bases, L, d):
    """Say for each base whether every f_b(m), m < L, is nonnegative, one m after the other."""
    u, s, good = np.log(bases), np.arange(0, d, 2) / d, np.ones(len(bases), dtype=bool)
    for m in range(1, L):
        left = np.flatnonzero(good)
        good[left] = np.cos(m * np.exp(-u[left, None] * s)).sum(axis=1) >= 0
    return good


def admissible_four_reference(L):
    """Solve d = 4 in closed form: cos m + cos mt = 2 cos(m(1+t)/2) cos(m(1-t)/2), with t = b^(-1/2)."""
    bad = []
    with mpmath.workdps(30):
        for m in range(1, L):
            odd = [mpmath.pi * (2 * j + 1) / m for j in range(m + 2)]
            roots = sorted(t for k in odd for t in (k - 1, 1 - k) if 0 < t < 1)
            for a, b in zip([mpmath.mpf(0), *roots], [*roots, mpmath.mpf(1)]):
                if mpmath.cos(m) + mpmath.cos(m * (a + b) / 2) < 0:
                    bad.append((a, b))
        good, reached = [], mpmath.mpf(0)
        for a, b in sorted(bad):
            if a > reached:
                good.append((float(b_of(a)), float(b_of(reached)) if reached else math.inf))
            reached = max(reached, b)
        if reached < 1:
            good.append((1.0, float(b_of(reached)) if reached else math.inf))
    return np.array(good[::-1])


def b_of(t):
    return t**-2


def inside(bases, intervals):
    return ((bases[:, None] >= intervals[:, 0]) & (bases[:, None] <= intervals[:, 1])).any(axis=1)


# frequencies and rotation


def test_frequencies_equal_forty_digit_powers():
    with mpmath.workdps(40):
        exact = [float(mpmath.mpf(500000) ** (-mpmath.mpf(2 * i) / 128)) for i in range(64)]
    np.testing.assert_allclose(rope_frequencies(128, 5e5), exact, rtol=4e-15)


def test_base_one_gives_every_pair_the_same_frequency():
    np.testing.assert_array_equal(rope_frequencies(6, 1), np.ones(3))


def test_rotation_is_the_exponential_of_its_skew_generator():
    rng = np.random.default_rng(0)
    x, theta = rng.normal(size=6), rope_frequencies(6, 100.0)
    generator = np.zeros((6, 6))
    for i, t in enumerate(theta):
        generator[2 * i, 2 * i + 1], generator[2 * i + 1, 2 * i] = -t, t
    np.testing.assert_allclose(rotate(x, 17, theta), expm(17 * generator) @ x, atol=1e-12)


def test_rotation_keeps_the_length_of_every_vector():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 50, 128))
    y = rotate(x, np.arange(50), rope_frequencies(128))
    np.testing.assert_allclose(np.linalg.norm(y, axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-14)


def test_inner_products_of_rotated_vectors_depend_on_the_distance_only():
    rng = np.random.default_rng(2)
    q, k = rng.normal(size=(2, 64))
    theta, m, n = rope_frequencies(64), np.arange(40)[:, None], np.arange(40)
    scores = (rotate(q, m, theta) * rotate(k, n, theta)).sum(axis=-1)
    np.testing.assert_allclose(scores, rotate(k, n - m, theta) @ q, atol=1e-12)


def test_position_zero_rotates_nothing_and_the_opposite_position_rotates_back():
    rng = np.random.default_rng(3)
    x, theta = rng.normal(size=(5, 8)), rope_frequencies(8)
    np.testing.assert_array_equal(rotate(x, 0, theta), x)
    np.testing.assert_allclose(rotate(rotate(x, 2.5, theta), -2.5, theta), x, atol=1e-14)


def test_a_batch_of_rotations_equals_the_loop_and_leaves_its_inputs_alone():
    rng = np.random.default_rng(4)
    x, positions, theta = rng.normal(size=(2, 7, 6)), rng.normal(size=7), rope_frequencies(6)
    before = x.copy(), positions.copy(), theta.copy()
    result = rotate(x, positions, theta)
    loop = [[rotate(v, n, theta) for v, n in zip(row, positions)] for row in x]
    np.testing.assert_array_equal(result, loop)
    for old, new in zip(before, (x, positions, theta)):
        np.testing.assert_array_equal(new, old)


# coherence


def test_coherence_is_half_the_trace_of_the_rotation():
    theta, m = rope_frequencies(32), np.array([0.0, 1.0, 2.5, 777.0])
    trace = [np.trace(rotate(np.eye(32), n, theta)) for n in m]
    np.testing.assert_allclose(rope_coherence(m, theta), np.array(trace) / 2, atol=1e-12)


def test_coherence_is_the_mean_lead_of_a_similar_token_over_a_random_one():
    rng = np.random.default_rng(5)
    theta, mu, sigma, n = rope_frequencies(8, 30.0), 0.7, 1.3, 400_000
    q, k = rng.normal(mu, sigma, size=(2, n, 8))
    similar = q + rng.normal(0, 0.2, size=(n, 8))
    lead = (q * rotate(similar - k, 5, theta)).sum(axis=-1)
    expected = 2 * sigma**2 * rope_coherence(5, theta)
    assert abs(lead.mean() - expected) < 4 * lead.std() / math.sqrt(n)


def test_coherence_of_a_grid_equals_the_loop_and_one_number_gives_one_number():
    theta, m = rope_frequencies(16), np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(rope_coherence(m, theta), [[rope_coherence(v, theta) for v in row] for row in m])
    assert rope_coherence(0, theta) == 8
    assert np.ndim(rope_coherence(3, theta)) == 0


def test_coherence_tends_to_a_difference_of_cosine_integrals_for_many_frequencies():
    base, m = 1e4, np.array([1.0, 30.0, 1000.0, 20000.0])
    limit = (cosine_integral(m) - cosine_integral(m / base)) / np.log(base)
    d = 2_000_000
    # the left Riemann sum misses (first - last) / 2 of one cell
    edge = (np.cos(m) - np.cos(m / base)) / d
    np.testing.assert_allclose(2 / d * rope_coherence(m, rope_frequencies(d, base)) - edge, limit, atol=1e-8)


def test_half_rotated_heads_are_coherent_at_every_distance():
    theta = np.concatenate([rope_frequencies(64), np.zeros(32)])
    assert rope_coherence_range(0, 100_000, theta).min() >= 0
    assert max_context(theta, cap=200_000) is None


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (5, 6), (7, 1000), (10**6, 10**6 + 3000), (2**24 - 99, 2**24)])
def test_coherence_of_a_range_equals_the_direct_sum_within_the_documented_error(start, stop):
    for theta in (rope_frequencies(128), rope_frequencies(4, 5e7), np.array([0.0, -2.0, 3.0])):
        direct = rope_coherence(np.arange(start, stop), theta)
        error = 1e-15 * (stop * np.abs(theta).sum() + theta.size**2)
        np.testing.assert_allclose(rope_coherence_range(start, stop, theta), direct, rtol=0, atol=error)


# contexts


def test_max_context_finds_the_published_lengths():
    found = [max_context(rope_frequencies(128, b)) for b in (1e4, 5e5, 1e6, 5e6, 8e6)]
    assert found == [1707, 18438, 27115, 82999, 61936]  # more base, less context: the last two


def test_interpolated_positions_multiply_the_context():
    theta = rope_frequencies(128)
    assert [max_context(theta / k) for k in (1, 2, 4, 8)] == [1707, 3413, 6825, 13649]


def test_max_context_is_the_first_negative_value_across_chunks_and_respects_the_cap():
    theta = rope_frequencies(64, 1e7)
    m = max_context(theta)
    direct = rope_coherence(np.arange(m + 1), theta)
    assert (direct[:-1] >= 0).all()
    assert direct[-1] < 0
    theta = theta * m / 150_000  # beyond two chunks of the scan
    m = max_context(theta)
    assert m >= 150_000
    assert max_context(theta, cap=m + 1) == m
    assert max_context(theta, cap=m) is None


# the smallest base


@pytest.mark.parametrize(("L", "base", "m"), TABLE[:6])
def test_min_base_reproduces_the_refined_table(L, base, m):
    found = min_base(L)
    assert found.base == pytest.approx(base, rel=1e-11)
    assert found.binding_m == m


def test_min_base_started_at_a_shorter_length_gives_the_same_base():
    start = 1.0
    for L, base, m in TABLE:
        found = min_base(L, start=start)
        assert found.base == pytest.approx(base, rel=1e-11)
        assert found.binding_m == m
        start = found.base
    assert min_base(8192, start=min_base(4096).base).checks < min_base(8192).checks


def test_min_base_swept_in_full_from_128k_to_a_million_gives_the_last_three_bases_of_the_table():
    start = TABLE[-1][1]
    for L, base, m in [(2**18, 23662397.0370, 227688), (2**19, 58496173.8022, 479857), (2**20, 65374955.1441, 935093)]:
        found = min_base(L, start=start)
        assert found.base == pytest.approx(base, rel=1e-11)
        assert found.binding_m == m
        start = found.base


@pytest.mark.parametrize(("L", "d"), [(1024, 128), (2048, 128), (512, 64), (300, 16), (4096, 256)])
def test_min_base_is_a_root_in_forty_digit_arithmetic(L, d):
    base, m, _ = min_base(L, d)
    with mpmath.workdps(40):
        root = mpmath.findroot(lambda u: mpmath.fsum(mpmath.cos(m * mpmath.exp(-2 * u * i / d)) for i in range(d // 2)),
                               mpmath.log(mpmath.mpf(base)))  # fmt: skip
        assert abs(mpmath.exp(root) / base - 1) < 1e-12


@pytest.mark.parametrize(("L", "d"), [(3, 4), (7, 6), (40, 8), (128, 16), (200, 32), (300, 128)])
def test_no_base_of_a_dense_grid_below_min_base_is_admissible(L, d):
    base = min_base(L, d).base
    grid = np.exp(np.linspace(0, math.log(base * (1 - 1e-9)), 30_001))
    assert not admissible_reference(grid, L, d).any()
    assert admissible_reference(np.array([base * (1 + 1e-12)]), L, d).all()


def test_min_base_of_two_pairs_and_length_ten_is_its_closed_form():
    found = min_base(10, 4)
    assert found.base == pytest.approx((3 / (math.pi - 3)) ** 2, rel=1e-13)
    assert found.binding_m == 3  # ties with 9; the smaller is named


def test_min_base_never_falls_with_the_length():
    bases = [min_base(L, 32).base for L in range(1, 120)]
    assert (np.diff(bases) >= -1e-12 * np.array(bases[1:])).all()


def test_min_base_over_length_tends_to_the_reciprocal_zero_of_the_cosine_integral():
    ratios = [min_base(1024, d).base / 1024 for d in (128, 256, 512, 1024, 4096)]
    np.testing.assert_allclose(ratios, [4.193, 2.898, 2.153, 1.871, 1.624], atol=1e-3)
    assert ratios[-1] == pytest.approx(1 / brentq(cosine_integral, 0.5, 0.7), rel=2e-3)


@pytest.mark.parametrize("d", [2, 4, 128])
def test_lengths_one_and_two_admit_every_base(d):
    for L in (1, 2):
        assert min_base(L, d).base == 1.0
        assert safe_base(L, d) == worst_case_base(L, d) == 1.0
        np.testing.assert_array_equal(admissible_bases(L, d), [[1.0, math.inf]])


def test_min_base_from_an_admissible_start_is_the_start():
    found = min_base(1024, start=4300.0)
    assert found.base == pytest.approx(4300.0, rel=1e-14)
    assert rope_coherence(found.binding_m, rope_frequencies(128, 4300.0)) == pytest.approx(
        rope_coherence_range(0, 1024, rope_frequencies(128, 4300.0)).min(), abs=1e-10
    )
    assert min_base(1024, start=4331.0).base == pytest.approx(5602.178560, rel=1e-9)


# the admissible set


def test_three_islands_are_admissible_at_length_1024():
    expected = [[4293.437569, 4330.323315], [5602.178560, 5644.352118], [6018.280857, math.inf]]
    np.testing.assert_allclose(admissible_bases(1024), expected, rtol=0, atol=1e-6)
    grid = np.linspace(4000, 7000, 1501)
    np.testing.assert_array_equal(inside(grid, admissible_bases(1024)), admissible_reference(grid, 1024, 128))


@pytest.mark.parametrize("L", [3, 4, 5, 23, 50, 150])
def test_admissible_bases_of_two_pairs_equal_the_product_formula(L):
    np.testing.assert_allclose(admissible_bases(L, 4), admissible_four_reference(L), rtol=1e-11)


def test_the_nearly_double_root_of_two_pairs_is_found_to_the_documented_digits():
    exact = (355 / (355 - 113 * mpmath.mp.pi)) ** 2  # cos 355 = -1 + 4.5e-10
    assert min_base(400, 4).base == pytest.approx(float(exact), rel=1e-6)
    np.testing.assert_allclose(admissible_bases(400, 4), [[float(exact), math.inf]], rtol=1e-6)


@pytest.mark.parametrize(("L", "d"), [(40, 6), (200, 8), (400, 16), (200, 32), (300, 128)])
def test_admissible_bases_agree_with_every_base_of_a_dense_grid(L, d):
    intervals = admissible_bases(L, d)
    grid = np.exp(np.linspace(1e-9, math.log(worst_case_base(L, d)) + 0.5, 15_001))
    np.testing.assert_array_equal(inside(grid, intervals), admissible_reference(grid, L, d))
    assert (np.diff(intervals.ravel()) > 0).all()


def test_every_end_of_an_interval_is_a_sign_change():
    ends = admissible_bases(2048).ravel()[:-1]
    assert len(ends) == 17
    outside = np.where(np.arange(17) % 2, 1, -1) * 1e-9
    assert not admissible_reference(ends * (1 + outside), 2048, 128).any()
    assert admissible_reference(ends * (1 - outside), 2048, 128).all()


def test_the_upper_bound_cuts_the_admissible_set():
    whole = admissible_bases(1024)
    for upper in (2000.0, 4300.0, 5000.0, 7000.0, 1e9):
        kept = np.minimum(whole[whole[:, 0] < upper], upper)
        np.testing.assert_allclose(admissible_bases(1024, upper=upper), kept, rtol=1e-12)
    assert admissible_bases(1024, upper=2000.0).shape == (0, 2)


def test_bisection_over_the_base_misses_the_smallest_one():
    low, high = 1.0, 1e6
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (low, middle) if admissible_reference(np.array([middle]), 1024, 128).all() else (middle, high)
    assert high > 1.3 * min_base(1024).base


# bases that are safe from there on


def test_safe_base_reproduces_the_known_values():
    found = [safe_base(L) for L in (1024, 2048, 4096)]
    np.testing.assert_allclose(found, [6018.280857, 22764.303793, 58789.504151], rtol=1e-9)
    assert safe_base(8192) == pytest.approx(394327.9046, rel=1e-9)


@pytest.mark.parametrize(("L", "d"), [(3, 4), (50, 4), (40, 6), (200, 8), (400, 16), (300, 128), (2048, 128)])
def test_safe_base_is_the_start_of_the_last_admissible_interval(L, d):
    assert safe_base(L, d) == pytest.approx(admissible_bases(L, d)[-1, 0], rel=1e-11)


def test_safe_base_is_the_last_base_at_which_something_fails():
    base = safe_base(300, 64)
    grid = np.exp(np.linspace(math.log(base * (1 + 1e-12)), math.log(100 * base), 4001))
    assert admissible_reference(grid, 300, 64).all()
    assert not admissible_reference(np.array([base * (1 - 1e-9)]), 300, 64).any()


@pytest.mark.parametrize(("L", "d"), [(3, 4), (30, 6), (500, 16), (1024, 128), (1024, 64)])
def test_worst_case_base_is_the_root_of_its_lower_bound_and_above_the_safe_base(L, d):
    def bound(u):
        lowest = min(math.cos(m) for m in range(L))
        return lowest + sum(math.cos(min((L - 1) * math.exp(-2 * i * u / d), math.pi)) for i in range(1, d // 2))

    base = worst_case_base(L, d)
    assert base == pytest.approx(math.exp(brentq(bound, 1e-9, 60, xtol=1e-14)), rel=1e-10)
    assert base >= safe_base(L, d) * (1 - 1e-12)


def test_worst_case_base_tends_to_its_closed_form_for_many_frequencies():
    limit = math.exp(np.euler_gamma - cosine_integral(math.pi)) / math.pi
    assert worst_case_base(1024, 2**18) / 1023**2 == pytest.approx(limit, rel=3e-4)
    assert worst_case_base(8192) == pytest.approx(4.656e7, rel=1e-4)


# bad input


@pytest.mark.parametrize("d", [3, 127])
def test_an_odd_head_size_is_refused_everywhere(d):
    for call in (rope_frequencies, *(lambda d, f=f: f(8, d) for f in (min_base, safe_base, worst_case_base))):
        with pytest.raises(ValueError, match=rf"^d must be even, got {d}$"):
            call(d)


@pytest.mark.parametrize("f", [min_base, admissible_bases, safe_base, worst_case_base])
def test_one_pair_admits_no_base_beyond_length_two(f):
    with pytest.raises(ValueError, match=r"^d must be at least 4 when L > 2.*got 2$"):
        f(3, 2)
    with pytest.raises(ValueError, match=r"^L must be at least 1, got 0$"):
        f(0)
    with pytest.raises(TypeError, match=r"^L must be an integer, got 8.5$"):
        f(8.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rope_frequencies(0), ValueError, "d must be at least 2, got 0"),
        (lambda: rope_frequencies(8, -1.0), ValueError, "base must be positive, got -1.0"),
        (lambda: rope_frequencies(8, math.nan), ValueError, "base must be finite, got nan"),
        (
            lambda: rotate(np.ones(6), 1, np.ones(4)),
            ValueError,
            r"x must have a last axis of length 8.*got shape \(6,\)",
        ),
        (lambda: rotate(1.0, 1, np.ones(4)), ValueError, r"x must have a last axis of length 8.*got shape \(\)"),
        (lambda: rotate(np.ones(8), np.nan, np.ones(4)), ValueError, "positions must .*got"),
        (lambda: rope_coherence(1, [[1.0]]), ValueError, r"theta must have 1 axis, got shape \(1, 1\)"),
        (lambda: rope_coherence(math.inf, [1.0]), ValueError, "m must be finite, got inf"),
        (lambda: rope_coherence_range(4, 4, [1.0]), ValueError, "stop must be at least 5, got 4"),
        (lambda: rope_coherence_range(-1, 4, [1.0]), ValueError, "start must be at least 0, got -1"),
        (lambda: max_context([1.0, np.nan]), ValueError, "theta must .*got"),
        (lambda: max_context([0.0], cap=10**400), ValueError, "cap must be at most 9007199254740992, got an"),
        (lambda: rope_coherence_range(0, 10**400, [0.0]), ValueError, "stop must be at most 9007199254740992, got an"),
        (lambda: min_base(10**400, 8), ValueError, "L must be at most 9007199254740992, got an"),
        (lambda: max_context([1.0], cap=0), ValueError, "cap must be at least 1, got 0"),
        (lambda: min_base(8, start=0.5), ValueError, "start must be at least 1, got 0.5"),
        (lambda: min_base(8, start=math.nan), ValueError, "start must be finite, got nan"),
        (lambda: admissible_bases(8, upper=1.0), ValueError, "upper must be above 1, got 1.0"),
        (lambda: admissible_bases(8, upper=math.nan), ValueError, "upper must be a number, got nan"),
    ],
)
def test_bad_input_is_named_with_its_rule_and_its_value(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()

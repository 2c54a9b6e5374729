from fractions import Fraction
from math import gcd, lcm

import numpy as np
import pytest

from kexue_core.positions.layout import (
    allocate_axes,
    image_positions,
    layout_positions,
    patchify,
    reflection_error,
    rotate_axes,
    stretched_positions,
    unpatchify,
)
from kexue_core.positions.rope import rotate

SIZES = [(w, h) for w in range(1, 13) for h in range(1, 13)]
SCHEMES = ("flatten", "mrope", "tie", "smallest", "equal", "unit")


def exact(L, w, h, scheme):
    """Return what `image_positions` means, patch by patch in rational numbers."""
    placed = []
    for i in range(1, h + 1):
        for j in range(1, w + 1):
            n = (i - 1) * w + j
            stretch = {"tie": (w + 1) * (h + 1), "smallest": lcm(w + 1, h + 1), "equal": w * h + 1}.get(scheme)
            if stretch:
                placed.append((L + Fraction(i * stretch, h + 1), L + Fraction(j * stretch, w + 1)))
            elif scheme == "flatten":
                placed.append((L + n, L + n))
            elif scheme == "mrope":
                placed.append((L + i, L + j))
            else:
                placed.append((L + i + Fraction(w * h - h, 2), L + j + Fraction(w * h - w, 2)))
    worth = {
        "tie": (w + 1) * (h + 1) - 1,
        "smallest": (w + 1) * (h + 1) // gcd(w + 1, h + 1) - 1,
        "mrope": max(w, h),
    }
    return placed, L + worth.get(scheme, w * h) + 1


# frequencies and coordinates


def test_the_sections_of_qwen_have_their_published_patterns():
    chunked = allocate_axes([16, 24, 24], "chunked")
    np.testing.assert_array_equal(chunked, [0] * 16 + [1] * 24 + [2] * 24)
    interleaved = allocate_axes([24, 20, 20])
    np.testing.assert_array_equal(interleaved, [0, 1, 2] * 20 + [0] * 4)


def test_every_coordinate_gets_its_number_of_frequencies():
    rng = np.random.default_rng(0)
    for _ in range(200):
        sections = np.sort(rng.integers(0, 9, size=rng.integers(1, 5)))[::-1] + (rng.random() < 0.5)
        if sections.sum():
            counts = np.bincount(allocate_axes(sections, "chunked"), minlength=sections.size)
            np.testing.assert_array_equal(counts, sections)
            sections[0] += sections.max() * sections.size  # enough for the turns of the others
            counts = np.bincount(allocate_axes(sections), minlength=sections.size)
            np.testing.assert_array_equal(counts, sections)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([], "^sections must not be empty"),
        ([0, 0], "^sections must have a sum from 1 to 2.24, got 0"),
        ([2, -1], "^sections must not be negative, got -1"),
        ([2, 3], "^sections must be larger for coordinate 0 to interleave them, got "),
        ([6, 5, 3, 3], "^sections must be larger for coordinate 0 to interleave them, got "),
        ([2**62, 2**62], "^sections must have a sum from 1 to 2.24, got 9223372036854775808"),
    ],
)
def test_sections_that_cannot_be_dealt_out_are_refused(sections, message):
    with pytest.raises(ValueError, match=message):
        allocate_axes(sections)


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match=r"^order must be one of 'chunked', 'interleaved', got 'halves'$"):
        allocate_axes([2, 2], "halves")


# rotation


def test_text_alone_is_turned_as_with_one_coordinate():
    rng = np.random.default_rng(1)
    x, theta = rng.normal(size=(50, 16)), rng.random(8)
    n = rng.integers(0, 5000, size=50).astype(float)
    for axes in (allocate_axes([4, 4]), allocate_axes([4, 4], "chunked"), rng.integers(0, 3, size=8)):
        same = rotate_axes(x, np.repeat(n[:, None], 3, axis=1), theta, axes)
        np.testing.assert_array_equal(same, rotate(x, n, theta))


def test_it_is_the_block_diagonal_matrix():
    rng = np.random.default_rng(2)
    x, theta, axes = rng.normal(size=6), rng.random(3), [1, 0, 1]
    position = np.array([3.0, -2.5])
    turn = np.zeros((6, 6))
    for i, angle in enumerate(position[axes] * theta):
        turn[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    np.testing.assert_allclose(rotate_axes(x, position, theta, axes), turn @ x, atol=1e-14)


def test_only_differences_of_coordinates_count():
    rng = np.random.default_rng(3)
    q, k, theta, axes = rng.normal(size=8), rng.normal(size=8), rng.random(4), [0, 1, 2, 0]
    here, there, shift = rng.normal(scale=50, size=(3, 3))
    scores = [
        rotate_axes(q, here + by, theta, axes) @ rotate_axes(k, there + by, theta, axes) for by in (0 * shift, shift)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-11)
    assert scores[0] == pytest.approx(q @ rotate_axes(k, there - here, theta, axes), abs=1e-11)


def test_a_batch_is_a_loop_and_leading_axes_broadcast():
    rng = np.random.default_rng(4)
    x, positions = rng.normal(size=(3, 1, 8)), rng.normal(size=(5, 2))
    theta, axes = rng.random(4), [0, 1, 0, 1]
    batch = rotate_axes(x, positions, theta, axes)
    assert batch.shape == (3, 5, 8)
    for a in range(3):
        for b in range(5):
            np.testing.assert_array_equal(batch[a, b], rotate_axes(x[a, 0], positions[b], theta, axes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": [0, 2]}, r"^axes must lie in \[0, 1\], got 2"),
        ({"axes": [0, -1]}, r"^axes must lie in \[0, 1\], got -1"),
        ({"axes": [0]}, r"^axes must have shape \(2,\), got "),
        ({"x": np.ones(6)}, "^x must have a last axis of length 4, got "),
        ({"positions": 1.0}, "^positions must have at least 1 axis, got "),
        ({"x": np.ones((3, 4)), "positions": np.ones((2, 2))}, "^x and positions must broadcast in their leading axes"),
    ],
)
def test_a_rotation_that_does_not_fit_is_refused(changes, message):
    given = {"x": np.ones(4), "positions": [1.0, 2.0], "theta": [1.0, 0.5], "axes": [0, 1]}
    with pytest.raises(ValueError, match=message):
        rotate_axes(**{**given, **changes})


# images


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_size_has_the_positions_of_rational_arithmetic(scheme):
    for w, h in SIZES:
        placed, K = image_positions(10, w, h, scheme)
        expected, K_exact = exact(10, w, h, scheme)
        np.testing.assert_allclose(placed, np.array(expected, dtype=float), rtol=1e-14)
        assert K_exact == K
        assert isinstance(K, float)


@pytest.mark.parametrize("scheme", ["tie", "smallest", "equal", "unit"])
def test_symmetric_schemes_keep_their_promise_at_all_sizes(scheme):
    for w, h in SIZES:
        placed, K = image_positions(3, w, h, scheme)
        assert reflection_error(placed, 3, K) < 1e-12
        np.testing.assert_allclose(placed[0] - 3, K - placed[-1], atol=1e-12)
        assert ((placed > 3) & (placed < K)).all()
        assert len({tuple(p) for p in placed.tolist()}) == w * h


def test_mrope_is_symmetric_for_squares_only():
    symmetric = [(w, h) for w, h in SIZES if reflection_error(*_arguments(0, w, h, "mrope")) == 0]
    assert symmetric == [(n, n) for n in range(1, 13)]
    assert all(reflection_error(*_arguments(0, w, h, "mrope")) == abs(w - h) for w, h in SIZES)


def test_the_reflection_is_that_of_the_set_of_patches():
    for w, h in SIZES[::7]:
        for scheme in SCHEMES:
            placed, K = image_positions(2, w, h, scheme)
            there = {tuple(p) for p in placed.round(6).tolist()}
            back = {tuple(p) for p in (2 + K - placed).round(6).tolist()}
            assert (there == back) == (reflection_error(placed, 2, K) < 1e-6)


def test_a_batch_of_images_is_a_loop():
    batch = np.stack([image_positions(0, 4, 3, scheme)[0] for scheme in SCHEMES])
    errors = reflection_error(batch, 0, 13)
    assert errors.shape == (6,)
    for one, error in zip(batch, errors, strict=True):
        assert reflection_error(one, 0, 13) == error


def test_one_patch_and_the_number_of_words():
    for scheme, K in zip(SCHEMES, (2, 2, 4, 2, 2, 2), strict=True):
        placed, end = image_positions(0, 1, 1, scheme)
        assert placed.shape == (1, 2)
        assert end == K


def test_any_stretch_is_symmetric_and_three_of_them_have_names():
    rng = np.random.default_rng(5)
    for w, h in SIZES:
        placed, K = stretched_positions(1, w, h, rng.uniform(0.1, 300))
        assert reflection_error(placed, 1, K) < 1e-10
    for scheme, c in (("smallest", 6), ("equal", 11), ("tie", 18)):
        for found, expected in zip(image_positions(0, 5, 2, scheme), stretched_positions(0, 5, 2, c), strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 0, 2, "tie"), ValueError, "^w must be at least 1, got 0"),
        ((0, 2, -1, "tie"), ValueError, "^h must be at least 1, got -1"),
        ((0, 2, 4097, "tie"), ValueError, "^h must be at most 4096, got 4097"),
        ((0, 2.0, 2, "tie"), TypeError, "^w must be an integer, got 2.0"),
        ((np.nan, 2, 2, "tie"), ValueError, "^L must be finite, got nan"),
        ((0, 2, 2, "naive"), ValueError, "^scheme must be one of 'flatten', .* got 'naive'"),
    ],
)
def test_an_impossible_image_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        image_positions(*arguments)


def test_a_stretch_is_positive_and_stays_finite():
    np.testing.assert_allclose(stretched_positions(0, 4, 4, 1e308)[0] / 1e307, stretched_positions(0, 4, 4, 10)[0])
    with pytest.raises(ValueError, match=r"^c must be positive, got 0\.0"):
        stretched_positions(0, 2, 2, 0)
    with pytest.raises(ValueError, match=r"^L and c must keep the result finite, got inf"):
        stretched_positions(1.7e308, 2, 2, 1.7e308)


# sequences


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_sequence_is_put_together_from_its_images(scheme):
    placed = layout_positions([3, (4, 3), 2, (1, 5), 1], scheme)
    first, after = image_positions(3, 4, 3, scheme)
    second, last = image_positions(after + 1, 1, 5, scheme)
    words = [[n, n] for n in (1, 2, 3)], [[n, n] for n in (after, after + 1)], [[last, last]]
    np.testing.assert_array_equal(placed, np.concatenate([words[0], first, words[1], second, words[2]]))


def test_text_alone_is_counted_and_flattening_counts_everything():
    for scheme in SCHEMES:
        np.testing.assert_array_equal(layout_positions([7], scheme), np.arange(1, 8)[:, None] * [1, 1])
    flat = layout_positions([2, (3, 2), 1, (2, 2)], "flatten")
    np.testing.assert_array_equal(flat, np.arange(1, 14)[:, None] * [1, 1])


def test_an_image_may_come_first():
    np.testing.assert_array_equal(layout_positions([(2, 1), 1], "mrope"), [[1, 1], [1, 2], [3, 3]])


@pytest.mark.parametrize(
    ("segments", "error", "message"),
    [
        ([], TypeError, "^segments must be a list of numbers and pairs, got "),
        (5, TypeError, "^segments must be a list of numbers and pairs, got 5"),
        ([2, (2, 2, 2)], TypeError, "^segments must hold numbers and pairs, got "),
        ([2.5], TypeError, "^segments must be an integer, got 2.5"),
        ([0], ValueError, "^segments must be at least 1, got 0"),
        ([2, (0, 1)], ValueError, "^w must be at least 1, got 0"),
        ([2, (2, 2), (1, 1)], ValueError, "^segments must have words between two images, got "),
    ],
)
def test_a_sequence_that_is_none_is_refused(segments, error, message):
    with pytest.raises(error, match=message):
        layout_positions(segments, "tie")


def _arguments(L, w, h, scheme):
    placed, K = image_positions(L, w, h, scheme)
    return placed, L, K


# patches


def test_a_patch_holds_its_square_pixel_by_pixel():
    x = np.random.default_rng(0).normal(size=(6, 9, 2))
    patches = patchify(x, 3)
    assert patches.shape == (6, 18)
    for i in range(2):
        for j in range(3):
            square = x[3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
            np.testing.assert_array_equal(patches[3 * i + j], square.ravel())


@pytest.mark.parametrize("p", [1, 2, 4])
def test_patches_give_the_image_back_to_the_last_bit_in_any_batch(p):
    x = np.random.default_rng(p).normal(size=(2, 3, 8, 12, 3))
    patches = patchify(x, p)
    assert patches.shape == (2, 3, 96 // p**2, 3 * p**2)
    np.testing.assert_array_equal(unpatchify(patches, p, 8 // p), x)
    for i in range(2):
        for k in range(3):
            np.testing.assert_array_equal(patches[i, k], patchify(x[i, k], p))
            np.testing.assert_array_equal(unpatchify(patches[i, k], p, 8 // p), x[i, k])


def test_one_patch_is_the_image_and_one_pixel_a_patch():
    x = np.arange(12.0).reshape(2, 2, 3)
    np.testing.assert_array_equal(patchify(x, 2), [np.arange(12.0)])
    np.testing.assert_array_equal(patchify(x, 1), x.reshape(4, 3))


def test_patches_are_the_callers_own():
    x = np.zeros((2, 2, 1))
    patchify(x, 1)[:] = 1
    patches = np.zeros((1, 4))
    unpatchify(patches, 2, 1)[:] = 1
    assert not x.any()
    assert not patches.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: patchify(np.zeros((4, 6, 3)), 4), "p must divide both sides 4 and 6, got 4"),
        (lambda: patchify(np.zeros((4, 6)), 2), "x must have at least 3 axes"),
        (lambda: patchify(np.zeros((4, 4, 1)), 0), "p must be at least 1, got 0"),
        (lambda: patchify(np.full((2, 2, 1), np.nan), 2), "x must not contain NaN"),
        (lambda: unpatchify(np.zeros((6, 4)), 2, 4), "h must divide the number of patches 6, got 4"),
        (lambda: unpatchify(np.zeros((6, 6)), 2, 2), "p must have a square that divides the last axis 6"),
    ],
)
def test_what_is_no_whole_number_of_patches_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

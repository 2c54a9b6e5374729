import itertools

import numpy as np
import pytest
from oracles import oracles

from kexue_core.mathematics import (
    christoffel,
    geodesic,
    half_plane_metric,
    holonomy_angle,
    parallel_transport,
    sphere_metric,
    stereographic_metric,
    torus_metric,
    walk,
    walk_gap,
)

(integrate,) = oracles("scipy.integrate")


def latitude(theta, n=2001):
    return np.stack([np.full(n, theta), np.linspace(0, 2 * np.pi, n)], axis=1)


def test_a_geodesic_is_a_great_circle_and_closes():
    x, v = geodesic(stereographic_metric, [0.5, 0.0], [0.3, 1.0], 2 * np.pi, steps=600)
    assert np.abs(x[-1] - x[0]).max() < 1e-8
    r2 = (x**2).sum(axis=1, keepdims=True)
    space = np.concatenate([2 * x, 1 - r2], axis=1) / (1 + r2)
    assert np.linalg.svd(space)[1][2] < 1e-6  # all points in one plane through the centre
    np.testing.assert_allclose(np.einsum("pi,pij,pj->p", v, stereographic_metric(x), v), 1, atol=1e-10)


def test_a_geodesic_of_the_half_plane_is_a_half_circle():
    x, _ = geodesic(half_plane_metric, [0.0, 1.0], [1.0, 0.0], 2.0, steps=200)
    s = np.linspace(0, 2, 201)
    np.testing.assert_allclose(x, np.stack([np.tanh(s), 1 / np.cosh(s)], axis=1), atol=1e-9)


def test_a_geodesic_agrees_with_scipy_and_the_error_falls_with_the_fourth_power():
    start, ahead, length = np.array([0.4, 0.1]), np.array([0.2, 0.3]), 5.0
    unit = ahead / np.sqrt(ahead @ torus_metric(start) @ ahead)

    def slope(_, y):
        return np.concatenate([y[2:], -christoffel(torus_metric, y[:2]) @ y[2:] @ y[2:]])

    peer = integrate.solve_ivp(slope, (0, length), [*start, *unit], method="DOP853", rtol=1e-12, atol=1e-12)
    errors = [
        np.abs(geodesic(torus_metric, start, ahead, length, steps=n)[0][-1] - peer.y[:2, -1]).max() for n in (40, 80)
    ]
    assert errors[1] < 1e-6
    assert 12 < errors[0] / errors[1] < 20


def test_clairaut_s_constant_is_kept_on_the_torus():
    x, v = geodesic(torus_metric, [0.4, 0.1], [0.5, 0.3], 20.0, steps=800)
    constant = torus_metric(x)[:, 1, 1] * v[:, 1]
    assert np.ptp(constant) < 1e-7


def test_a_way_across_a_pole_or_with_too_few_steps_is_refused():
    with pytest.raises(ValueError, match=r"steps must keep v g v within 0\.01 of 1, got "):
        geodesic(sphere_metric, [0.5, 0.0], [-1.0, 0.02], 2.0, steps=200)
    with pytest.raises(ValueError, match=r"steps must keep the way finite, got "):
        geodesic(sphere_metric, [0.5, 0.0], [-1.0, 0.02], 2.0, steps=20)
    with pytest.raises(ValueError, match=r"v0 must not be 0, got "):
        geodesic(sphere_metric, [0.5, 0.0], [0.0, 0.0], 1.0)
    with pytest.raises(ValueError, match=r"v0 must have as many coordinates as x0, got 1 and 2"):
        geodesic(sphere_metric, [0.5, 0.0], [1.0], 1.0)
    assert geodesic(sphere_metric, [0.5, 0.0], [1.0, 0.0], 0.0, steps=1)[0].tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_transport_keeps_lengths_and_angles_and_carries_the_tangent_of_a_geodesic_along():
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.uniform(-0.01, 0.01, (300, 2)), axis=0) + 0.4
    a, b = (parallel_transport(torus_metric, path, rng.standard_normal(2)) for _ in range(2))
    g = torus_metric(path)
    for left, right in ((a, a), (a, b), (b, b)):
        assert np.ptp(np.einsum("pi,pij,pj->p", left, g, right)) < 1e-9
    x, v = geodesic(torus_metric, [0.4, 0.1], [0.2, 0.3], 2.0, steps=2000)
    np.testing.assert_allclose(parallel_transport(torus_metric, x, v[0]), v, atol=1e-6)


@pytest.mark.parametrize("degrees", [10, 30, 60, 90, 150])
def test_a_loop_round_a_cap_turns_by_its_area(degrees):
    theta = np.radians(degrees)
    found = holonomy_angle(sphere_metric, latitude(theta)) + 2 * np.pi
    assert found == pytest.approx(2 * np.pi * (1 - np.cos(theta)), abs=1e-7)


def test_in_coordinates_that_cover_the_inside_the_turn_is_the_integral_of_curvature():
    angle = np.linspace(0, 2 * np.pi, 4001)
    ring = 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ring[-1] = ring[0]
    for k in (1.0, 0.0, -1.0, 2.5):
        area = 4 * np.pi * 0.25 / (1 + k * 0.25)  # of the disc r < 1/2
        found = holonomy_angle(lambda x, k=k: stereographic_metric(x, k), ring)
        assert found == pytest.approx(k * area, abs=1e-5)
        backward = holonomy_angle(lambda x, k=k: stereographic_metric(x, k), ring[::-1])
        assert backward == pytest.approx(-found, abs=1e-10)


def test_a_patch_of_the_torus_turns_by_the_integral_of_its_curvature():
    corners = np.array([[0.2, 0.0], [1.5, 0.0], [1.5, 0.8], [0.2, 0.8], [0.2, 0.0]])
    loop = np.concatenate([np.linspace(p, q, 50) for p, q in itertools.pairwise(corners)])
    exact = 0.8 * (np.sin(1.5) - np.sin(0.2))  # K dA is cos(theta) dtheta dphi
    assert holonomy_angle(torus_metric, loop) == pytest.approx(exact, abs=1e-9)


def test_a_loop_must_close_and_a_path_must_have_points():
    with pytest.raises(ValueError, match=r"loop must end where it began, got metrics "):
        holonomy_angle(sphere_metric, [[0.5, 0.0], [0.6, 0.0]])
    with pytest.raises(ValueError, match=r"path must hold at least 2 points, got 1"):
        parallel_transport(sphere_metric, [[0.5, 0.0]], [1.0, 0.0])
    with pytest.raises(ValueError, match=r"vector must have the shape \(2,\)"):
        parallel_transport(sphere_metric, latitude(1.0, 3), [1.0])


NUMBERS = {  # geodesic gap / s^3 on the unit sphere
    4: (0.679325, 0.700065, 0.705341, 0.706665, 0.706996),
    3: (0.245046, 0.248753, 0.249688, 0.249922, 0.249980),
    6: (2.350254, 2.533788, 2.581878, 2.594019, 2.597061),
}


@pytest.mark.parametrize("n", NUMBERS)
def test_the_gap_of_a_small_polygon(n):
    for s, expected in zip((0.4, 0.2, 0.1, 0.05, 0.025), NUMBERS[n], strict=True):
        gap, _ = walk_gap(walk(n * [s], n * [2 * np.pi / n])[-1])
        assert gap / s**3 == pytest.approx(expected, abs=1e-6)


def test_the_closed_forms_of_the_gap_hold_in_every_world_after_every_step():
    for k in (1.0, 0.3, -0.5, -1.0):
        root, cosine = np.sqrt(abs(k)), np.cos if k > 0 else np.cosh
        for n, s in ((3, 0.7), (4, 0.8), (6, 0.4), (5, 0.3)):
            half = cosine(root * s / 2)
            omega = 2 * np.arccos(half * np.cos(np.pi / n))
            a = half * np.sin(np.pi / n) / np.sin(omega / 2)
            gap, _ = walk_gap(walk(9 * [s], 9 * [2 * np.pi / n], curvature=k), curvature=k)
            m = np.arange(10)
            np.testing.assert_allclose(cosine(root * gap), a**2 + (1 - a**2) * np.cos(m * omega), atol=1e-12)


def test_the_plane_closes_and_is_the_limit_of_both_worlds():
    sides, turns = [0.3, 1.0, 2.0], [0.2, -1.0, 2.5]
    flat = walk(sides, turns, curvature=0.0)
    for k in (1e-9, -1e-9):
        np.testing.assert_allclose(walk(sides, turns, curvature=k), flat, atol=1e-8)
    gap, heading = walk_gap(walk(6 * [2.0], 6 * [np.pi / 3], curvature=0.0)[-1], curvature=0.0)
    assert abs(gap) < 1e-14
    assert abs(heading) < 1e-14


def test_the_octant_closes_with_three_right_angles_and_a_quarter_turn_of_the_arrow():
    frames = walk(3 * [np.pi / 2], [np.pi / 2, np.pi / 2, 0.0])
    assert np.abs(frames[-1][:, 0] - [1, 0, 0]).max() < 1e-15
    gap, _ = walk_gap(walk(4 * [np.pi / 2], 4 * [np.pi / 2])[-1])
    assert gap == pytest.approx(np.pi / 2)


def test_the_heading_error_is_curvature_times_the_area_of_the_closed_figure():
    """Gauss and Bonnet by another road: the holonomy of the closed path in stereographic coordinates."""
    for k in (1.0, -1.0):
        pieces, n, s = 400, 4, 0.5
        sides = np.full(n * pieces, s / pieces)
        turns = np.zeros(n * pieces)
        turns[pieces - 1 :: pieces] = np.pi / 2
        frames = walk(sides, turns, curvature=k)
        points = frames[:, 1:, 0] / (1 + frames[:, :1, 0])
        home = points[-1] * np.linspace(1, 0, 200)[:, None]  # straight through the origin of the chart
        angle = holonomy_angle(lambda x, k=k: stereographic_metric(x, k), np.concatenate([points, home]))
        assert walk_gap(frames[-1], curvature=k)[1] == pytest.approx(angle, abs=1e-6)


def test_frames_move_the_metric_of_their_world_and_a_batch_is_a_loop():
    rng = np.random.default_rng(1)
    for k in (1.0, -0.7, 2.0):
        frames = walk(rng.uniform(0, 1, 20), rng.uniform(-3, 3, 20), curvature=k)
        form = np.diag([1, k, k])
        moved = frames.swapaxes(1, 2) @ form @ frames
        np.testing.assert_allclose(moved, np.broadcast_to(form, moved.shape), atol=1e-9 * np.abs(frames).max() ** 2)
        gap, heading = walk_gap(frames, curvature=k)
        loop = [walk_gap(frame, curvature=k) for frame in frames]
        np.testing.assert_allclose(np.stack([gap, heading], axis=1), loop, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("d", "error"), [(2, 1e-14), (5, 1e-12), (10, 2e-11), (20, 1e-6), (26, 1e-3)])
def test_on_the_way_home_from_afar_digits_are_lost_as_the_docstring_says(d, error):
    for k in (-1.0, -0.25):
        for parts in (1, 7):
            sides, turns = np.full(2 * parts, d / (-k) ** 0.5 / parts), np.zeros(2 * parts)
            turns[parts - 1] = np.pi
            frames = walk(sides, turns, curvature=k)
            assert np.abs(frames[-1][:, 0] - [1, 0, 0]).max() < error
            np.testing.assert_allclose(frames[parts, 0, 0], np.cosh(d), rtol=1e-14)


def test_places_and_curvatures_are_large_and_small_together():
    np.testing.assert_allclose(walk([1e200, 1e200], [0.5, 0.0], curvature=0.0)[2, 1, 0], 1e200 * (1 + np.cos(0.5)))
    for k in (1e308, -1e308):
        turn = (np.cos if k > 0 else np.cosh)(1.0)
        np.testing.assert_allclose(walk([1 / abs(k) ** 0.5], [0.0], curvature=k)[1, [0, 1], [0, 1]], turn)


def test_gap_and_heading_keep_their_digits_however_far_the_walker_is():
    for k in (-1.0, -0.25):
        for d in (1, 5, 10, 18, 20, 40, 300):
            frames = walk([d / (-k) ** 0.5 / 2] * 2, [0.0, 0.3], curvature=k)
            gap, heading = walk_gap(frames[-1], curvature=k)
            assert gap * (-k) ** 0.5 == pytest.approx(d, rel=1e-14)
            assert heading == pytest.approx(0.3, rel=1e-13)
    for d in (1.0, np.pi / 2, 2.0, 3.0, np.pi - 1e-6):
        assert walk_gap(walk([d], [-2.0])[-1])[1] == pytest.approx(-2.0, rel=1e-9)


def test_the_heading_is_that_of_the_walker_who_goes_straight_home():
    rng = np.random.default_rng(2)
    for k in (2.0, 1.0, 0.0, -1.0):
        for _ in range(20):
            frames = walk(rng.uniform(0, 1.2, 3), rng.uniform(-3, 3, 3), curvature=k)
            gap, heading = walk_gap(frames[-1], curvature=k)
            x1, x2 = frames[-1, 1:, 0]
            # the direction home in the frame of the walker: minus the gradient of the distance, which falls with x0
            slope = frames[-1, 0, 1:] / k if k else -frames[-1, 1:, 1:].T @ [x1, x2]
            turn = np.arctan2(slope[1], slope[0])
            there = walk([gap], [-turn], curvature=k)[-1]  # goes home, then turns back by as much
            turned = walk([0.0], [turn])[-1]
            arrived = frames[-1] @ turned @ there
            np.testing.assert_allclose(arrived[:, 0], [1, 0, 0], atol=1e-12)
            np.testing.assert_allclose(arrived[1:, 1], [np.cos(heading), np.sin(heading)], atol=1e-12)


def test_bad_walks_are_refused():
    with pytest.raises(ValueError, match=r"turns must have shape \(2,\), got shape \(1,\)"):
        walk([1.0, 1.0], [1.0])
    with pytest.raises(ValueError, match=r"sides and curvature must keep the result finite"):
        walk([800.0], [0.0], curvature=-1.0)
    with pytest.raises(ValueError, match=r"frames must lie in a world of curvature -1\.0, got the norm "):
        walk_gap(walk([1.0], [0.0]), curvature=-1.0)
    with pytest.raises(ValueError, match=r"frames must be 3 by 3 matrices"):
        walk_gap(np.ones((2, 3)))


def test_many_geodesics_at_once_are_a_loop():
    starts, ahead = np.array([[0.4, 0.1], [1.0, 2.0], [-0.3, 0.0]]), np.array([0.2, 0.3])
    x, v = geodesic(torus_metric, starts, ahead, 2.0, steps=10)
    assert x.shape == v.shape == (11, 3, 2)
    for i, start in enumerate(starts):
        one = geodesic(torus_metric, start, ahead, 2.0, steps=10)
        np.testing.assert_allclose(x[:, i], one[0], atol=1e-14)
        np.testing.assert_allclose(v[:, i], one[1], atol=1e-14)

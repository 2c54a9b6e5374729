import numpy as np
import pytest
from oracles import oracles

from kexue_core.mathematics import (
    angle_deficit,
    christoffel,
    gaussian_curvature,
    half_plane_metric,
    riemann_tensor,
    scalar_curvature,
    sphere_metric,
    stereographic_metric,
    torus_metric,
)

sympy, diffgeom = oracles("sympy", "sympy.diffgeom")


def spherical(x):
    """Flat space in spherical coordinates."""
    g = np.zeros((*x.shape, 3), dtype=x.dtype)
    r, theta = x[..., 0], x[..., 1]
    g[..., 0, 0], g[..., 1, 1], g[..., 2, 2] = 1, r**2, (r * np.sin(theta)) ** 2
    return g


def schwarzschild(x):
    g = np.zeros((*x.shape, 4), dtype=x.dtype)
    r, theta = x[..., 1], x[..., 2]
    g[..., 0, 0], g[..., 1, 1] = 2 / r - 1, 1 / (1 - 2 / r)
    g[..., 2, 2], g[..., 3, 3] = r**2, (r * np.sin(theta)) ** 2
    return g


def wavy(x):
    """A metric without any symmetry, not diagonal."""
    a, b = x[..., 0], x[..., 1]
    rows = [[2 + np.sin(a * b), 0.3 * np.cos(a)], [0.3 * np.cos(a), 2 + a**2 * np.exp(b / 2)]]
    return np.moveaxis(np.array([[entry + 0 * a for entry in row] for row in rows]), (0, 1), (-2, -1))


WORLDS = {
    "sphere": (lambda x: sphere_metric(x, 2.0), lambda a, b: 0.25 + 0 * a),
    "torus": (lambda x: torus_metric(x, 3.0, 1.5), lambda a, b: np.cos(a) / (1.5 * (3 + 1.5 * np.cos(a)))),
    "half-plane": (half_plane_metric, lambda a, b: -1 + 0 * a),
    "round": (lambda x: stereographic_metric(x, 0.7), lambda a, b: 0.7 + 0 * a),
    "flat": (lambda x: stereographic_metric(x, 0.0), lambda a, b: 0 * a),
    "disc": (lambda x: stereographic_metric(x, -0.4), lambda a, b: -0.4 + 0 * a),
}


@pytest.mark.parametrize("name", WORLDS)
def test_gauss_curvature_is_the_known_one(name):
    metric, exact = WORLDS[name]
    x = np.random.default_rng(0).uniform(0.3, 1, (40, 2))
    np.testing.assert_allclose(gaussian_curvature(metric, x), exact(x[:, 0], x[:, 1]), atol=1e-10)
    np.testing.assert_allclose(scalar_curvature(metric, x), 2 * exact(x[:, 0], x[:, 1]), atol=2e-10)


def test_christoffel_symbols_of_spherical_coordinates_are_those_of_the_article():
    r, t = 1.3, 0.7
    expected = np.zeros((3, 3, 3))
    expected[0, 1, 1], expected[0, 2, 2] = -r, -r * np.sin(t) ** 2
    expected[1, 0, 1] = expected[1, 1, 0] = expected[2, 0, 2] = expected[2, 2, 0] = 1 / r
    expected[1, 2, 2] = -np.sin(t) * np.cos(t)
    expected[2, 1, 2] = expected[2, 2, 1] = 1 / np.tan(t)
    np.testing.assert_allclose(christoffel(spherical, [r, t, 0.2]), expected, atol=1e-14)
    assert np.abs(riemann_tensor(spherical, [r, t, 0.2])).max() < 1e-9


def test_a_metric_without_symmetry_agrees_with_sympy():
    a, b = sympy.symbols("a b")
    s = sympy.Rational(3, 10) * sympy.cos(a)
    g = sympy.Matrix([[2 + sympy.sin(a * b), s], [s, 2 + a**2 * sympy.exp(b / 2)]])
    inverse, x = g.inv(), (a, b)
    gamma = [
        [
            [sum(inverse[m, v] * (g[i, v].diff(x[j]) + g[v, j].diff(x[i]) - g[i, j].diff(x[v])) for v in (0, 1)) / 2
             for j in (0, 1)] for i in (0, 1)
        ] for m in (0, 1)
    ]  # fmt: skip
    riemann = gamma[0][1][1].diff(a) - gamma[0][1][0].diff(b)
    riemann += sum(gamma[0][n][0] * gamma[n][1][1] - gamma[0][n][1] * gamma[n][1][0] for n in (0, 1))
    at = {a: 0.4, b: -0.8}
    found = christoffel(wavy, [0.4, -0.8])
    expected = np.array([[[float(entry.subs(at)) for entry in row] for row in table] for table in gamma])
    np.testing.assert_allclose(found, expected, atol=1e-14)
    assert riemann_tensor(wavy, [0.4, -0.8])[0, 1, 0, 1] == pytest.approx(float(riemann.subs(at)), abs=1e-11)


def test_stretched_planes_agree_with_sympy_diffgeom():
    """``f(x, y) (dx^2 + dy^2)`` with two different f: all symbols and all components, at points."""
    plane = diffgeom.Patch("P", diffgeom.Manifold("M", 2))
    chart = diffgeom.CoordSystem("C", plane, sympy.symbols("x y", real=True))
    (a, b), (da, db) = chart.base_scalars(), chart.base_oneforms()
    flat = diffgeom.TensorProduct(da, da) + diffgeom.TensorProduct(db, db)
    points = np.random.default_rng(4026).uniform(-1, 1, (20, 2))
    for stretch, f in (
        (2 + a * b**2 + sympy.sin(a), lambda x, y: 2 + x * y**2 + np.sin(x)),
        (sympy.exp(a * b - b**2) / (1 + a**2), lambda x, y: np.exp(x * y - y**2) / (1 + x**2)),
    ):
        gamma = diffgeom.metric_to_Christoffel_2nd(stretch * flat)
        riemann = diffgeom.metric_to_Riemann_components(stretch * flat)

        def metric(x, f=f):
            return f(x[..., 0], x[..., 1])[..., None, None] * np.eye(2)

        for found, exact, tolerance in (
            (christoffel(metric, points), gamma, 1e-13),
            (riemann_tensor(metric, points), riemann, 1e-9),
        ):
            values = sympy.lambdify((a, b), sympy.flatten(exact))(*points.T)
            expected = np.stack([value + 0 * points[:, 0] for value in values], axis=-1).reshape(found.shape)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=tolerance)
        assert np.abs(gaussian_curvature(metric, points)).max() > 0.1


def test_the_symmetries_of_curvature_hold_on_a_space_time():
    x = [0.0, 7.0, 1.1, 0.3]
    upper = riemann_tensor(schwarzschild, x, indefinite=True)
    lower = np.einsum("km,mabc->kabc", schwarzschild(np.array(x)), upper)
    np.testing.assert_allclose(lower, -lower.transpose(0, 1, 3, 2), atol=1e-9)
    np.testing.assert_allclose(lower, -lower.transpose(1, 0, 2, 3), atol=1e-9)
    np.testing.assert_allclose(lower, lower.transpose(2, 3, 0, 1), atol=1e-9)
    cyclic = lower + lower.transpose(0, 2, 3, 1) + lower.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(cyclic, 0, atol=1e-9)
    assert np.abs(np.einsum("mamc->ac", upper)).max() < 1e-9  # empty space
    assert abs(lower[0, 1, 0, 1]) == pytest.approx(2 / 7**3, rel=1e-9)


def test_curvature_does_not_depend_on_the_coordinates():
    theta = np.array([0.4, 0.9, 1.3])
    polar = np.stack([theta, 0 * theta + 0.2], axis=1)
    flat = np.tan(theta / 2)[:, None] * np.stack([np.cos(polar[:, 1]), np.sin(polar[:, 1])], axis=1)
    here, there = gaussian_curvature(sphere_metric, polar), gaussian_curvature(stereographic_metric, flat)
    np.testing.assert_allclose(here, there, atol=1e-10)


def test_a_metric_that_takes_real_numbers_only_loses_some_digits():
    def real(x):
        return np.array([[1.0, 0.0], [0.0, float(np.sin(x[0])) ** 2]])

    def silent(x):  # would lose the imaginary part with a warning
        g = np.zeros((2, 2))
        g[0, 0], g[1, 1] = 1, np.sin(x[0]) ** 2
        return g

    x = [0.7, 0.2]
    for metric in (real, silent):
        np.testing.assert_allclose(christoffel(metric, x), christoffel(sphere_metric, x), atol=1e-11)
        assert gaussian_curvature(metric, x) == pytest.approx(1, abs=1e-8)


def test_a_batch_is_a_loop():
    x = np.random.default_rng(1).uniform(-1, 1, (2, 3, 2))
    for function in (christoffel, riemann_tensor, gaussian_curvature, scalar_curvature):
        batch = function(wavy, x)
        loop = np.array([[function(wavy, one) for one in row] for row in x])
        np.testing.assert_allclose(batch, loop, rtol=1e-12, atol=1e-12)
    assert christoffel(wavy, np.zeros((0, 2))).shape == (0, 2, 2, 2)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda x: np.eye(3), r"metric\(x\) must have the shape \(2, 2\), got \(3, 3\)"),
        (lambda x: np.array([[1.0, 0.5], [0.0, 1.0]]), r"metric\(x\) must be symmetric, got differences up to 0\.5"),
        (lambda x: np.array([[1.0, 1.0], [1.0, 1.0]]), r"metric\(x\) must be positive and regular, got \[\[1\.0, 1"),
        (lambda x: np.diag([1.0, -1.0]), r"metric\(x\) must be positive and regular, got \[\[1\.0, 0"),
        (lambda x: np.full((2, 2), np.nan), r"metric\(x\) must not contain NaN, got 4"),
    ],
)
def test_what_is_no_metric_is_refused(metric, message):
    for function in (christoffel, riemann_tensor, gaussian_curvature, scalar_curvature):
        with pytest.raises(ValueError, match=message):
            function(metric, [0.5, 0.5])


def test_the_pole_is_refused_and_a_space_time_asks_for_its_flag():
    for pole in (0.0, np.pi):
        with pytest.raises(ValueError, match=r"metric\(x\) must be positive and regular, got "):
            christoffel(sphere_metric, [pole, 0.0])
    with pytest.raises(ValueError, match=r"metric\(x\) must be positive"):
        christoffel(schwarzschild, [0.0, 7.0, 1.0, 0.0])
    with pytest.raises(ValueError, match=r"metric\(x\) must be regular"):
        christoffel(lambda x: np.zeros((2, 2)), [0.0, 0.0], indefinite=True)
    with pytest.raises(TypeError, match=r"metric must be a function, got 3"):
        christoffel(3, [0.0, 0.0])
    with pytest.raises(ValueError, match=r"x must have a last axis of length 2"):
        gaussian_curvature(spherical, [1.0, 1.0, 1.0])


def test_the_worlds_refuse_what_lies_outside():
    with pytest.raises(ValueError, match=r"x must have a positive second coordinate, got 0\.0"):
        half_plane_metric([1.0, 0.0])
    with pytest.raises(ValueError, match=r"x must lie inside the disc 1 \+ K r\^2 > 0, got 0\.0"):
        stereographic_metric([1.0, 0.0], -1.0)
    with pytest.raises(ValueError, match=r"radius must be positive, got 0\.0"):
        sphere_metric([1.0, 0.0], 0.0)
    with pytest.raises(ValueError, match=r"outer must be above 1, got 1\.0"):
        torus_metric([1.0, 0.0], 1.0, 1.0)


def _grid_torus(n, m, jitter):
    i, j = np.divmod(np.arange(n * m), m)
    u, v = 2 * np.pi * i / n, 2 * np.pi * j / m
    points = np.stack([(2 + np.cos(u)) * np.cos(v), (2 + np.cos(u)) * np.sin(v), np.sin(u)], axis=1)
    points = points + jitter * np.random.default_rng(2).standard_normal(points.shape)
    right, down, across = i * m + (j + 1) % m, (i + 1) % n * m + j, (i + 1) % n * m + (j + 1) % m
    return points, np.concatenate([np.stack([i * m + j, right, across], 1), np.stack([i * m + j, across, down], 1)])


@pytest.mark.parametrize("scale", [1e-300, 1e-80, 1.0, 1e80, 1e307])
def test_the_deficits_of_a_tetrahedron_of_any_size(scale):
    corners = scale * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    np.testing.assert_allclose(angle_deficit(corners, [[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]), np.pi, rtol=1e-15)


@pytest.mark.parametrize("jitter", [0.0, 0.5])
def test_the_deficits_of_a_closed_mesh_add_up_to_the_euler_number(jitter):
    assert angle_deficit(*_grid_torus(7, 9, jitter)).sum() == pytest.approx(0, abs=1e-11)
    square = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    square += jitter * np.random.default_rng(3).standard_normal((8, 3))
    octahedron = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    corners = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    deficit = angle_deficit(corners, octahedron)
    np.testing.assert_allclose(deficit, 2 * np.pi / 3)
    crumpled = corners + jitter * np.random.default_rng(4).standard_normal((6, 3))
    assert angle_deficit(crumpled, octahedron).sum() == pytest.approx(4 * np.pi)


def test_a_fine_mesh_knows_the_curvature_of_the_sphere():
    """A small cap of triangles: deficit over a third of the area round a vertex is near 1."""
    ring = 2 * np.pi * np.arange(6) / 6
    t = 0.05
    points = np.stack([np.sin(t) * np.cos(ring), np.sin(t) * np.sin(ring), np.full(6, np.cos(t))], axis=1)
    faces = [[0, 1 + i, 1 + (i + 1) % 6] for i in range(6)]
    vertices = np.concatenate([[[0, 0, 1.0]], points])
    area = 6 * np.linalg.norm(np.cross(points[0] - vertices[0], points[1] - vertices[0])) / 2
    assert angle_deficit(vertices, faces)[0] / (area / 3) == pytest.approx(1, abs=2e-3)


def test_radii_whose_squares_overflow_are_refused():
    with pytest.raises(ValueError, match=r"x and radius must keep the result finite, got inf"):
        sphere_metric([1.0, 0.0], radius=1e200)
    with pytest.raises(ValueError, match=r"x, outer and inner must keep the result finite, got inf"):
        torus_metric([1.0, 0.0], outer=1e201, inner=1e200)


def test_bad_meshes_are_refused():
    corners = np.eye(3)
    for bad in ([[0, 1, 3]], [[0, 1, -1]]):
        with pytest.raises(ValueError, match=r"faces must lie in \[0, 2\], got "):
            angle_deficit(corners, bad)
    with pytest.raises(ValueError, match=r"vertices must differ within a triangle, got two at "):
        angle_deficit(corners, [[0, 0, 1]])

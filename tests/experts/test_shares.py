import numpy as np
import pytest

from kexue_core.experts.geometry import dropped_error, ffn_experts, longest_subset
from kexue_core.experts.shares import kept_share

stats = pytest.importorskip("scipy.stats")
optimize = pytest.importorskip("scipy.optimize")
integrate = pytest.importorskip("scipy.integrate")


@pytest.mark.parametrize("c", [1, 2, 5, 16, 256])
def test_the_norm_share_is_that_of_scipys_chi_square(c):
    m = np.arange(1, c + 1)
    weight = stats.binom.pmf(m, c, 0.5)
    for q in (1 / 32, 1 / 8, 0.45):
        tau = optimize.brentq(lambda t, q=q: weight @ stats.chi2.sf(t, m) - q, 0, 4 * c + 100, xtol=1e-13)
        share = 2 / c * weight @ (m * stats.chi2.sf(tau, m + 2))
        assert kept_share(q, c) == pytest.approx(share, rel=1e-9)


@pytest.mark.parametrize("c", [2, 5, 64])
def test_the_linear_share_is_that_of_an_integral_over_two_parts_of_a_normal_vector(c):
    for q in (1 / 32, 1 / 8, 0.5, 0.75):
        t = stats.norm.isf(q)

        def inner(u):
            law = stats.norm(u / c**0.5, (1 - 1 / c) ** 0.5)
            return (
                stats.norm.pdf(u) * integrate.quad(lambda h: h * h * law.pdf(h), 0, 14, points=[max(law.mean(), 0)])[0]
            )

        share = 2 * integrate.quad(inner, t, 9, limit=200)[0]
        assert kept_share(q, c, "linear") == pytest.approx(share, rel=1e-6)


def test_shares_agree_for_single_units_are_ordered_and_tend_to_what_is_paid():
    q = np.linspace(0.01, 0.99, 50)
    single = kept_share(q, 1)
    t = stats.norm.isf(q)
    np.testing.assert_allclose(single, np.where(q < 0.5, 2 * (t * stats.norm.pdf(t) + q), 1), atol=1e-12)
    np.testing.assert_allclose(kept_share(q, 1, "linear"), single, atol=1e-12)
    before = single
    for c in (2, 4, 32, 1024):
        norm, linear = kept_share(q, c), kept_share(q, c, "linear")
        assert (q < linear).all()
        assert (linear <= norm + 1e-12).all()
        assert (norm < before + 1e-12).all()
        assert (np.diff(norm) > -1e-12).all()
        assert (np.diff(linear) > 0).all()
        before = norm
    assert kept_share(1 / 8, 100_000) == pytest.approx(
        1 / 8 + stats.norm.pdf(stats.norm.isf(1 / 8)) * (5e-5) ** 0.5, rel=2e-3
    )


def test_a_random_layer_keeps_the_share():
    rng = np.random.default_rng(14)
    d, D, c, q = 128, 1024, 4, 1 / 8
    x, wa, wb = rng.standard_normal((20, d)), rng.standard_normal((d, D)), rng.standard_normal((D, d))
    vectors = ffn_experts(x, wa, wb, D // c)
    left = dropped_error(vectors, longest_subset(vectors, int(q * D / c)))
    ratio = left.sum() / (vectors.sum(axis=-2) ** 2).sum()
    assert 1 - ratio == pytest.approx(kept_share(q, c), abs=0.06)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kept_share(1.0, 2), r"q must lie in \(0, 1\), got 1.0"),
        (lambda: kept_share(0.5, 0), "c must be at least 1, got 0"),
        (lambda: kept_share(0.5, 10**400), "c must be at most 1000000, got an integer of 1329 bits"),
        (lambda: kept_share(0.5, 2**40), "c must be at most 1000000, got 1099511627776"),
        (lambda: kept_share(0.5, 1, "best"), "router must be one of 'norm', 'linear', got 'best'"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()

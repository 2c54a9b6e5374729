import numpy as np
import pytest
from oracles import oracles

from kexue_core.diffusion.schedules import Schedule, ddpm_schedule, edm_time_steps, respace, schedule_from_betas

(mpmath,) = oracles("mpmath")

KINDS = ["article", "linear", "cosine"]
ARTICLE = ddpm_schedule(1000)


def _slow_schedule(T, kind):
    """The paper's arrays in 40 digits, one step at a time: beta^2, then the product of 1 - beta^2."""
    with mpmath.workdps(40):
        rows, product = [], mpmath.mpf(1)
        cosine = [
            mpmath.cos(mpmath.pi / 2 * (mpmath.mpf(t) / T + mpmath.mpf("0.008")) / mpmath.mpf("1.008")) ** 2
            for t in range(T + 1)
        ]
        for t in range(1, T + 1):
            variance = {
                "article": mpmath.mpf(2) * t / (100 * T),
                "linear": mpmath.mpf("1e-4") + (mpmath.mpf("0.02") - mpmath.mpf("1e-4")) * (t - 1) / max(T - 1, 1),
                "cosine": min(1 - cosine[t] / cosine[t - 1], mpmath.mpf("0.999")),
            }[kind]
            before, product = product, product * (1 - variance)
            parts = (1 - variance, variance, product, 1 - product, before, 1 - before)
            rows.append([float(mpmath.sqrt(part)) for part in parts])
    return np.array(rows).T


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("T", [1, 2, 50, 1000])
def test_every_schedule_agrees_with_forty_digit_products(kind, T):
    np.testing.assert_allclose(np.array(ddpm_schedule(T, kind=kind)), _slow_schedule(T, kind), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_alpha_and_beta_lie_on_the_unit_circle_and_unroll_to_it(kind):
    schedule = ddpm_schedule(1000, kind=kind)
    np.testing.assert_allclose(schedule.alpha**2 + schedule.beta**2, 1, rtol=1e-15)
    np.testing.assert_allclose(schedule.bar_alpha**2 + schedule.bar_beta**2, 1, rtol=1e-15)
    merged = np.hypot(schedule.beta, schedule.alpha * schedule.bar_beta_prev)
    np.testing.assert_allclose(merged, schedule.bar_beta, rtol=1e-14)
    assert (np.diff(schedule.alpha) <= 0).all()


def test_the_terminal_signals_of_article_and_paper_are_reproduced():
    assert ARTICLE.bar_alpha[-1] == pytest.approx(0.006482030852, abs=1e-12)
    assert np.log(ARTICLE.bar_alpha[-1]) == pytest.approx(-5.0387214, abs=1e-7)
    assert ARTICLE.bar_alpha[-1] < np.exp(-5.005)
    assert ddpm_schedule(1000, kind="linear").bar_alpha[-1] ** 2 == pytest.approx(4.035829765e-5, abs=1e-14)
    assert ddpm_schedule(10).bar_alpha[-1] == pytest.approx(0.946, abs=1e-3)


def test_the_squared_coefficients_of_the_unrolled_chain_sum_to_one():
    schedule = ddpm_schedule(6, kind="cosine")
    coefficients = [np.prod(schedule.alpha)] + [np.prod(schedule.alpha[t + 1 :]) * schedule.beta[t] for t in range(6)]
    assert np.sum(np.square(coefficients)) == pytest.approx(1, rel=1e-15)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 3, 20, 333, 1000])
def test_respacing_keeps_the_signal_at_the_kept_steps(kind, n):
    long = ddpm_schedule(1000, kind=kind)
    short = respace(long, n)
    kept = np.array([round(1000 * i / n) - 1 for i in range(1, n + 1)])
    np.testing.assert_allclose(short.bar_alpha, long.bar_alpha[kept], rtol=1e-11)
    np.testing.assert_allclose(short.bar_beta, long.bar_beta[kept], rtol=1e-11)
    np.testing.assert_allclose(short.alpha, short.bar_alpha / short.bar_alpha_prev, rtol=1e-11)


def test_respacing_to_all_steps_changes_nothing():
    for ours, long in zip(respace(ARTICLE, 1000), ARTICLE):
        np.testing.assert_allclose(ours, long, rtol=1e-11)


def test_edm_time_steps_are_the_formula_of_the_paper():
    i, n, rho = np.arange(18), 18, 7
    direct = (80 ** (1 / rho) + i / (n - 1) * (0.002 ** (1 / rho) - 80 ** (1 / rho))) ** rho
    np.testing.assert_allclose(edm_time_steps(18), direct, rtol=1e-12)


def test_edm_time_steps_with_rho_1_are_linear_and_with_large_rho_geometric():
    np.testing.assert_allclose(edm_time_steps(7, t_min=1, t_max=4, rho=1), np.linspace(4, 1, 7), rtol=1e-14)
    np.testing.assert_allclose(edm_time_steps(7, rho=1e12), np.geomspace(80, 0.002, 7), rtol=1e-10)


@pytest.mark.parametrize("n", [2, 3, 200])
@pytest.mark.parametrize("rho", [0.01, 1, 7, 1e15])
def test_edm_time_steps_decrease_strictly_between_exact_ends(n, rho):
    times = edm_time_steps(n, rho=rho)
    assert times.shape == (n,)
    assert (times[0], times[-1]) == (80, 0.002)
    assert (np.diff(times) < 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 1}, "n must be at least 2, got 1"),
        ({"n": 5, "t_min": 0.0}, "t_min must be positive, got 0.0"),
        ({"n": 5, "t_max": np.nan}, "t_max must be finite, got nan"),
        ({"n": 5, "rho": -1}, "rho must be positive, got -1"),
        ({"n": 5, "t_min": 80.0}, "t_min must be smaller than t_max = 80.0, got 80.0"),
    ],
)
def test_edm_time_steps_refuse_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        edm_time_steps(**options)


def test_edm_time_steps_refuse_a_fractional_count():
    with pytest.raises(TypeError, match=r"n must be an integer, got 5\.0"):
        edm_time_steps(5.0)


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_a_schedule_from_betas_is_the_running_product_of_one_minus_beta(n):
    betas = np.linspace(0.00085**0.5, 0.012**0.5, n) ** 2  # "scaled linear", of latent diffusion
    schedule = schedule_from_betas(betas)
    with mpmath.workdps(40):
        products = [mpmath.mpf(1)]
        for beta in betas.tolist():
            products.append(products[-1] * (1 - mpmath.mpf(beta)))
        exact = np.array([float(mpmath.sqrt(product)) for product in products])
    np.testing.assert_allclose(schedule.bar_alpha, exact[1:], rtol=1e-13)
    np.testing.assert_allclose(schedule.bar_alpha_prev, exact[:-1], rtol=1e-13)
    np.testing.assert_allclose(schedule.beta**2, betas, rtol=1e-14)


def test_the_linear_schedule_is_the_one_from_its_betas():
    for ours, again in zip(ddpm_schedule(1000, kind="linear"), schedule_from_betas(np.linspace(1e-4, 0.02, 1000))):
        np.testing.assert_allclose(ours, again, rtol=1e-15)


def test_the_arrays_of_a_schedule_are_read_only_and_named():
    assert Schedule._fields == ("alpha", "beta", "bar_alpha", "bar_beta", "bar_alpha_prev", "bar_beta_prev")
    for array in ddpm_schedule(3):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ddpm_schedule(0), "T must be at least 1, got 0"),
        (lambda: ddpm_schedule(200000), "T must leave bar_alpha_T above 2e-308, got 0.0"),
        (lambda: ddpm_schedule(200000, kind="linear"), "T must leave bar_alpha_T above 2e-308, got 0.0"),
        (
            lambda: edm_time_steps(5, rho=1e-20),
            "n and rho must keep neighbouring times apart, got n = 5 and",
        ),
        (lambda: ddpm_schedule(5, kind="sigmoid"), "kind must be one of 'article', 'linear', 'cosine', got 'sigmoid'"),
        (lambda: respace(ARTICLE, 1001), "n must be at most 1000, got 1001"),
        (lambda: respace(ARTICLE, 0), "n must be at least 1, got 0"),
        (lambda: schedule_from_betas([0.1, 1.0]), r"betas must lie in \(0, 1\), got 1.0"),
        (lambda: schedule_from_betas([0.0]), r"betas must lie in \(0, 1\), got 0.0"),
        (lambda: schedule_from_betas([]), r"betas must not be empty, got shape \(0,\)"),
        (lambda: schedule_from_betas(np.full(3000, 0.9)), "betas must leave bar_alpha_T above 2e-308, got 0.0"),
    ],
)
def test_bad_values_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("t_min", [0.002, 1e-308, 5e-324])
@pytest.mark.parametrize("t_max", [0.0021, 80.0, 1.7e308])
@pytest.mark.parametrize("rho", [0.5, 7.0, 1e3])
def test_the_times_are_right_from_the_smallest_number_to_the_largest(t_min, t_max, rho):
    times = edm_time_steps(6, t_min=t_min, t_max=t_max, rho=rho)
    with mpmath.workdps(400):
        ends = [mpmath.mpf(t) ** (1 / mpmath.mpf(rho)) for t in (t_max, t_min)]
        exact = [(ends[0] + mpmath.mpf(i) / 5 * (ends[1] - ends[0])) ** mpmath.mpf(rho) for i in range(1, 5)]
        np.testing.assert_allclose(times[1:-1], [float(t) for t in exact], rtol=1e-12)

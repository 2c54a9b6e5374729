import math

import numpy as np
import pytest
from oracles import oracles

from kexue_core.positions.extension import (
    attention_scale,
    dynamic_ntk_frequencies,
    fit_distance_head,
    leaky_distance,
    ntk_frequencies,
    pi_frequencies,
    self_extend_distance,
    unseen_turns,
    yarn_frequencies,
)
from kexue_core.positions.rope import rope_frequencies

(minimize,) = oracles("scipy.optimize.minimize")

SETTINGS = [(128, 1e4, 2048), (128, 1e4, 4096), (64, 1e4, 4096), (128, 5e5, 8192), (128, 1e6, 32768), (32, 1e3, 512)]


def yarn_index_reference(d, base, s, length, slow=1.0, fast=32.0, truncate=True):
    """Follow the steps of find_correction_range and linear_ramp of YaRN's code, pair by pair."""

    def pair(turns):
        return d * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = pair(fast), pair(slow)
    if truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, d - 1)
    out = []
    for i in range(d // 2):
        ramp = min(max((i - low) / (high - low), 0), 1)
        out.append(base ** (-2 * i / d) * (ramp / s + 1 - ramp))
    return np.array(out)


def llama_reference(theta, factor=8.0, low=1.0, high=4.0, length=8192):
    """Follow apply_scaling of llama-models, which speaks of wavelengths."""
    out = []
    for f in theta:
        wavelength = 2 * math.pi / f
        if wavelength < length / high:
            out.append(f)
        elif wavelength > length / low:
            out.append(f / factor)
        else:
            smooth = (length / wavelength - low) / (high - low)
            out.append((1 - smooth) * f / factor + smooth * f)
    return np.array(out)


@pytest.mark.parametrize(("d", "base", "length"), SETTINGS)
def test_a_scale_of_one_changes_no_bit(d, base, length):
    theta = rope_frequencies(d, base)
    plans = [pi_frequencies(theta, 1), ntk_frequencies(theta, 1), ntk_frequencies(theta, 1, exact=3)]
    plans += [yarn_frequencies(theta, 1, length, ramp=ramp) for ramp in ("turns", "log", "index")]
    plans += [dynamic_ntk_frequencies(theta, n, length, factor=3) for n in (1, length - 1, length)]
    for plan in plans:
        np.testing.assert_array_equal(plan, theta)


@pytest.mark.parametrize(("d", "base", "length"), SETTINGS)
@pytest.mark.parametrize("s", [1.5, 8, 100])
def test_plans_lie_between_interpolation_and_the_old_frequencies(d, base, length, s):
    theta = rope_frequencies(d, base)
    for ramp in ("turns", "log", "index"):
        plan = yarn_frequencies(theta, s, length, ramp=ramp)
        assert (plan >= theta / s * (1 - 1e-15)).all()
        assert (plan <= theta).all()
        assert (np.diff(plan / theta) <= 1e-15).all()
        turns = theta * length / (2 * np.pi)
        np.testing.assert_allclose(plan[turns < 1], theta[turns < 1] / s, rtol=1e-15)
        np.testing.assert_array_equal(plan[turns > 40], theta[turns > 40])


@pytest.mark.parametrize(("d", "base", "length"), SETTINGS)
def test_the_ramp_in_the_index_follows_the_code_of_yarn(d, base, length):
    theta = rope_frequencies(d, base)
    for s in (2, 8, 40):
        found = yarn_frequencies(theta, s, length, ramp="index")
        np.testing.assert_allclose(found, yarn_index_reference(d, base, s, length), rtol=1e-12)
        found = yarn_frequencies(theta, s, length, ramp="log")
        np.testing.assert_allclose(found, yarn_index_reference(d, base, s, length, truncate=False), rtol=1e-12)


def test_llama_3_1_is_the_ramp_in_the_turns_from_one_to_four():
    theta = rope_frequencies(128, 5e5)
    np.testing.assert_allclose(yarn_frequencies(theta, 8, 8192, fast=4), llama_reference(theta), rtol=1e-14)


# sums over all pairs as transformers prints them: benchmarks/peers/length_extrapolation.py
@pytest.mark.parametrize(
    ("plan", "total", "last"),
    [
        (lambda: pi_frequencies(rope_frequencies(128), 8), 0.93249, 1.4435e-05),
        (lambda: dynamic_ntk_frequencies(rope_frequencies(128), 32768, 4096), 6.16698, 1.4435e-05),
        (lambda: dynamic_ntk_frequencies(rope_frequencies(128), 32768, 4096, factor=2), 5.86608, 7.6985e-06),
        (lambda: yarn_frequencies(rope_frequencies(128), 8, 4096, ramp="index"), 7.37155, 1.4435e-05),
        (lambda: yarn_frequencies(rope_frequencies(128, 1e6), 4, 32768, ramp="index"), 5.14403, 3.1023e-07),
        (lambda: yarn_frequencies(rope_frequencies(64), 40, 4096, ramp="index"), 3.94894, 3.3338e-06),
        (lambda: yarn_frequencies(rope_frequencies(64, 1.5e5), 32, 4096, ramp="log"), 3.18044, 3.0235e-07),
        (lambda: yarn_frequencies(rope_frequencies(128, 5e5), 8, 8192, fast=4), 5.38606, 3.0689e-07),
    ],
)
def test_transformers_has_the_same_plans(plan, total, last):
    theta = plan()
    assert abs(theta.sum() - total) < 1e-5
    assert abs(theta[-1] / last - 1) < 5e-5


@pytest.mark.parametrize(("d", "base", "length"), SETTINGS)
def test_ntk_is_a_larger_base_and_reaches_what_the_formula_says(d, base, length):
    theta, s = rope_frequencies(d, base), 8.0
    np.testing.assert_allclose(ntk_frequencies(theta, s), rope_frequencies(d, base * s ** (d / (d - 2))), rtol=1e-12)
    whole = int((theta * length / (2 * np.pi) >= 1).sum())
    assert whole == math.ceil(d / 2 * math.log(length / (2 * math.pi), base))
    reach = length * s ** (2 * whole / (d - 2))
    plan = ntk_frequencies(theta, s)
    assert unseen_turns(plan, theta, length, reach * (1 - 1e-9)).sum() == 0
    assert unseen_turns(plan, theta, length, reach * 1.01).sum() > 0
    repaired = ntk_frequencies(theta, s, exact=whole)
    assert unseen_turns(repaired, theta, length, s * length * (1 - 1e-12)).sum() == 0
    np.testing.assert_allclose(repaired, rope_frequencies(d, base * s ** (d / (2 * whole))), rtol=1e-12)


def test_unseen_turns_are_those_of_a_walk_around_the_circle():
    theta = np.array([1.0, 0.01, 0.003, 0.0004, 0.0])
    for factor in (1.0, 0.5, 1.7):
        new = factor * theta
        found = unseen_turns(new, theta, 1000, 5000)
        for i, (a, b) in enumerate(zip(theta, new)):
            walks = (np.arange(0, n, 0.1) * f for f, n in ((a, 1000), (b, 5000)))
            before, after = (np.unique(np.floor(angle / (2 * math.pi) * 360).astype(int) % 360) for angle in walks)
            walked = np.setdiff1d(after, before).size / 360
            assert abs(found[i] - walked) < 6e-3
    assert unseen_turns(theta / 5, theta, 1000, 5000).sum() < 1e-15


def test_a_batch_is_a_loop():
    theta, scales = rope_frequencies(64), np.array([[1.0, 2.0], [8.0, 31.5]])
    plans = [
        pi_frequencies,
        ntk_frequencies,
        lambda theta, s: yarn_frequencies(theta, s, 4096),
        lambda theta, s: yarn_frequencies(theta, s, 4096, ramp="index"),
        lambda theta, s: dynamic_ntk_frequencies(theta, s, 2.0),
    ]
    for plan in plans:
        loop = [[plan(theta, s) for s in row] for row in scales]
        np.testing.assert_array_equal(plan(theta, scales), loop)
        both = unseen_turns(plan(theta, scales), theta, 4096, 4096 * scales)
        np.testing.assert_array_equal(
            both, [[unseen_turns(p, theta, 4096, 4096 * s) for p, s in zip(*rows)] for rows in zip(loop, scales)]
        )


def test_leaky_distance_is_continuous_with_its_two_slopes():
    m = np.arange(0, 4000, 0.25)
    found = leaky_distance(m, 512, 16)
    assert np.abs(np.diff(found)).max() <= 0.25
    np.testing.assert_allclose(np.diff(found)[m[:-1] >= 512], 0.25 / 16, rtol=1e-9)
    np.testing.assert_array_equal(found[m < 512], m[m < 512])
    np.testing.assert_array_equal(leaky_distance(m, 512), np.minimum(m, 512))
    np.testing.assert_allclose(leaky_distance(m, 512, 1), m, rtol=1e-15)


@pytest.mark.parametrize(("window", "group"), [(16, 4), (8, 8), (10, 3), (7, 5), (1, 1)])
def test_self_extend_groups_the_positions_and_stays_near_leaky(window, group):
    i, j = np.tril_indices(200)
    found = self_extend_distance(i, j, window, group)
    for a, b, value in zip(i[::97], j[::97], found[::97]):
        far = a // group - b // group + window - window // group
        assert value == (a - b if a - b < window else far)
    gap = np.abs(found - leaky_distance(i - j, window, group)).max()
    extra = window / group - window // group  # what the floor of the window takes away
    assert gap <= 1 - 1 / group + extra + 1e-12
    if window % group == 0:
        assert abs(gap - (1 - 1 / group)) < 1e-12


def test_self_extend_gives_one_distance_two_values():
    assert list(self_extend_distance([17, 18], [0, 1], 16, 4)) == [16, 16]
    assert list(self_extend_distance([17, 19, 20], [0, 2, 3], 16, 4)) == [16, 16, 17]


def test_attention_scales():
    n = np.array([1, 100, 4096, 8192, 32768])
    log, yarn = attention_scale(n, 4096), attention_scale(n, 4096, rule="yarn")
    np.testing.assert_array_equal(log[:3], 1)
    np.testing.assert_array_equal(yarn[:3], 1)
    np.testing.assert_allclose(log[3:], 1 + np.log(n[3:] / 4096) / np.log(4096), rtol=1e-14)
    np.testing.assert_allclose(yarn[3:], (1 + 0.1 * np.log([2, 8])) ** 2, rtol=1e-14)


def loss(w, theta, target, contexts, ridge):
    total = ridge / 2 * (w**2).sum()
    for c in contexts:
        g = np.array(
            [
                sum(w[i] * math.cos(m * t) + w[len(theta) + i] * math.sin(m * t) for i, t in enumerate(theta))
                for m in range(c)
            ]
        )
        t = target[:c] / target[:c].sum()
        total += (np.log(np.exp(g).sum()) - t @ g) / len(contexts)
    return total


def test_the_head_is_the_minimum_that_another_method_finds():
    theta, target, contexts = rope_frequencies(8, 50.0), 1 / (1 + np.arange(40.0)), [10, 40]
    w = fit_distance_head(theta, target, contexts, ridge=0.01)
    found = minimize(loss, np.zeros(8), args=(theta, target, contexts, 0.01), tol=1e-10)
    assert abs(loss(w, theta, target, contexts, 0.01) - found.fun) < 1e-8
    np.testing.assert_allclose(w, found.x, atol=1e-3)
    np.testing.assert_allclose(fit_distance_head(theta, 7 * target, contexts, ridge=0.01), w, atol=1e-9)


@pytest.mark.parametrize("ridge", [1e-12, 1e-6, 1e-3, 10.0])
@pytest.mark.parametrize(("d", "base"), [(2, 10.0), (8, 1e6), (64, 1e4), (128, 10.0)])
def test_the_gradient_vanishes_at_the_head(d, base, ridge):
    theta, m = rope_frequencies(d, base), np.arange(256)
    features = np.concatenate([np.cos(np.outer(m, theta)), np.sin(np.outer(m, theta))], axis=1)
    for target in (1.0 * (m == 7), 1 / (1 + m) ** 2):
        w = fit_distance_head(theta, target, [16, 256], ridge=ridge)
        gradient = ridge * w
        for c in (16, 256):
            g = features[:c] @ w
            p = np.exp(g - g.max())
            gradient += (p / p.sum() - target[:c] / target[:c].sum()) @ features[:c] / 2
        assert np.abs(gradient).max() < 1e-8


def test_the_head_of_the_chapter():
    m = np.arange(512)
    w = fit_distance_head(rope_frequencies(64), 1 / (1 + m) + 2 * (m == 1), [64, 128, 256, 512])
    assert abs(np.linalg.norm(w) - 1.8817208946) < 1e-8


def test_yarn_counts_more_turns_than_a_double_holds():
    found = yarn_frequencies([1.0, 1e-300], 2.0, 1e300, slow=1e-10, ramp="index")
    np.testing.assert_allclose(found / [1.0, 1e-300], [1.0, 0.75], rtol=1e-14)  # between pair 0 and pair 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pi_frequencies([1.0, 0.0], 2), r"theta must be positive, got 0\.0"),
        (lambda: pi_frequencies([1.0], 0.5), r"s must be at least 1, got 0\.5"),
        (lambda: pi_frequencies([1.0], math.nan), "s must not contain NaN"),
        (lambda: ntk_frequencies([1.0], 2), "theta must have at least two values, got shape"),
        (lambda: ntk_frequencies([1.0, 0.1], 2, exact=0), "exact must be at least 1, got 0"),
        (lambda: yarn_frequencies([1.0, 0.1], 2, 100, fast=1.0), r"fast must be above 1, got 1\.0"),
        (lambda: yarn_frequencies([1.0, 0.1], 2, 100, slow=0.0), r"slow must be positive, got 0\.0"),
        (lambda: yarn_frequencies([1.0, 0.1], 2, 0), r"train_length must be positive, got 0\.0"),
        (lambda: yarn_frequencies([1.0, 0.1], 2, 100, ramp="linear"), "ramp must be one of 'turns', 'log', 'index'"),
        (lambda: yarn_frequencies([1.0, 0.1, 0.05], 2, 100, ramp="index"), "theta must fall geometrically"),
        (lambda: yarn_frequencies([1.0], 2, 100, ramp="index"), "theta must have at least two values"),
        (lambda: dynamic_ntk_frequencies([1.0, 0.1], 0, 100), r"length must be positive, got 0\.0"),
        (lambda: dynamic_ntk_frequencies([1.0, 0.1], 9, 100, factor=0.5), r"factor must be at least 1, got 0\.5"),
        (lambda: unseen_turns([1.0], [1.0, 2.0], 9, 9), r"theta_new must have a last axis of length 2"),
        (lambda: unseen_turns([-1.0], [1.0], 9, 9), r"theta_new must not be negative, got -1\.0"),
        (lambda: leaky_distance([-1.0], 4, 2), r"m must not be negative, got -1\.0"),
        (lambda: leaky_distance([1.0], 0, 2), r"window must be positive, got 0\.0"),
        (lambda: leaky_distance([1.0], 4, 0.5), r"slope must be at least 1, got 0\.5"),
        (lambda: self_extend_distance([1], [0], 0, 2), "window must be at least 1, got 0"),
        (lambda: self_extend_distance([1], [0], 2, 0), "group must be at least 1, got 0"),
        (lambda: self_extend_distance(5, 3, 10**30, 2), "window must be at most 9007199254740992, got 1000"),
        (lambda: ntk_frequencies([1.0, 0.1], 2, exact=10**400), "exact must be at most 9007199254740992, got an int"),
        (
            lambda: dynamic_ntk_frequencies([1.0, 0.1], 1e308, 1e-300),
            "length, train_length and factor must keep the result finite, got inf",
        ),
        (lambda: attention_scale(0, 9), r"length must be at least 1, got 0\.0"),
        (lambda: attention_scale(9, 1), r"train_length must be above 1, got 1\.0"),
        (lambda: attention_scale(9, 9, rule="none"), "rule must be one of 'log', 'yarn', got 'none'"),
        (
            lambda: fit_distance_head([1.0], [0.0, 1.0], [1]),
            "target must have a positive sum over each context, got 0 at 1",
        ),
        (lambda: fit_distance_head([1.0], [1.0, 1.0], [3]), r"contexts must lie in \[1, 2\], got 3"),
        (lambda: fit_distance_head([1.0], [1.0, 1.0], [2], ridge=1e-13), r"ridge must be at least 1e-12, got 1e-13"),
    ],
)
def test_what_breaks_a_rule_is_refused(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()

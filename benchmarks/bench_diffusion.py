"""Samplers against bare loops, denoisers against matrix products, the fit of mean directions against a bare search."""

from functools import partial
from itertools import pairwise

import numpy as np
from _measure import compare, package

from kexue_core.diffusion import (
    ancestral_sample,
    consistency_mixture,
    ddpm_schedule,
    denoise_points,
    disk_images,
    edm_time_steps,
    fit_mean_direction,
    pack_codes,
    posterior_coefficients,
    solve_diffusion_ode,
    solve_reference,
    trajectory,
)

CHECKED = "each call of the denoiser gets a copy, each answer is checked for NaN"


def shrink(x, t):
    """Return the cheapest denoiser: data N(0, 1)."""
    return x / (1 + t * t)


def euler(x, times):
    """Return Euler's end point by a bare loop."""
    for t, u in pairwise(times):
        x = x + (u - t) * (x - shrink(x, t)) / t
    return x


def heun(x, times):
    """Return Heun's end point by a bare loop."""
    for t, u in pairwise(times):
        d = (x - shrink(x, t)) / t
        z = x + (u - t) * d
        x = x + (u - t) * (d + (z - shrink(z, u)) / u) / 2
    return x


def ancestral(x, schedule):
    """Return DDPM's sample by a bare loop."""
    rng, (u, v) = np.random.default_rng(0), posterior_coefficients(schedule)
    for t in range(len(u) - 1, -1, -1):
        a, b = schedule.bar_alpha[t], schedule.bar_beta[t]
        x = u[t] * shrink(x / a, b / a) + v[t] * x + schedule.beta[t] * rng.standard_normal(x.shape)
    return x


def weighted_points(x, points, t):
    """Return the posterior mean of points by two matrix products."""
    logits = (x @ points.T - (points * points).sum(-1) / 2) / (t * t)
    w = np.exp(logits - logits.max(-1, keepdims=True))
    return w / w.sum(-1, keepdims=True) @ points


def search(denoise, x, times, targets):
    """Return the fitted exponents by a bare search, the first direction of a step computed once."""
    found = []
    for t, u, target in zip(times[:-1], times[1:], targets[1:]):
        d, best = (x - denoise(x, t)) / t, None
        for r in np.arange(101) / 100:
            s = u**r * t ** (1 - r)
            z = x + (s - t) * d
            z = x + (u - t) * (z - denoise(z, s)) / s
            error = np.sum((z - target) ** 2)
            if best is None or error < best[0]:
                best = error, r, z
        found.append(best[1])
        x = best[2]
    return np.array(found)


def packed(codes, size):
    """Return codes as bytes, digit by digit."""
    number = 0
    for code in codes.tolist():
        number = number * size + code
    return number.to_bytes((size ** len(codes) - 1).bit_length() // 8 + 1, "big")


def main():
    """Print the ratios over shapes."""
    rng = np.random.default_rng(0)
    for n in (10, 1000, 10_000):
        codes = rng.integers(1000, size=n)
        compare(
            "pack_codes | digit by digit",
            f"{n} codes",
            lambda: pack_codes(codes, 1000),
            lambda: packed(codes, 1000),
            difference=False,
            note="" if n > 100 else "arguments are checked",
        )
    times, schedule = edm_time_steps(51), ddpm_schedule(1000)
    for shape in [(1, 2), (1000, 2), (256, 3072)]:
        x, size = rng.standard_normal(shape) * 80, str(shape)
        compare(
            "solve_diffusion_ode euler, 50 steps | bare loop",
            size,
            lambda: solve_diffusion_ode(shrink, x, times),
            lambda: euler(x, times.tolist()),
            note=CHECKED,
        )
        compare(
            "solve_diffusion_ode heun, 50 steps | bare loop",
            size,
            lambda: solve_diffusion_ode(shrink, x, times, method="heun"),
            lambda: heun(x, times.tolist()),
            note=CHECKED,
        )
        if x.size < 10**5:
            compare(
                "ancestral_sample, 1000 steps | bare loop",
                size,
                lambda: ancestral_sample(shrink, x / 80, schedule, rng=np.random.default_rng(0)),
                lambda: ancestral(x / 80, schedule),
                note=CHECKED,
            )
    for n, K in ((64, 32), (1000, 1000)):
        points, x = rng.standard_normal((K, 64)), rng.standard_normal((n, 64))
        compare(
            "denoise_points | two matrix products",
            f"{n} x {K} x 64",
            lambda: denoise_points(x, 2.0, points=points),
            lambda: weighted_points(x, points, 2.0),
            note="centred, which costs two passes" if n == 64 else "",
        )
    disks, few = partial(denoise_points, points=disk_images(32, 8, np.random.default_rng(0))), edm_time_steps(4)
    x = rng.standard_normal((64, 64)) * 80
    targets = trajectory(solve_reference, disks, x, few, substeps=50)
    compare(
        "fit_mean_direction | bare search",
        "64 x 64, 3 steps",
        lambda: fit_mean_direction(disks, x, few, targets),
        lambda: search(disks, x, few, targets),
    )
    optimize, stats = package("scipy.optimize"), package("scipy.stats")
    if optimize and stats:
        modes = {"means": [[-1.5], [0.5], [2.0]], "stds": [0.2, 0.15, 0.25], "weights": [0.3, 0.5, 0.2]}
        centres, widths, weights = (np.ravel(value) for value in modes.values())

        def excess(y, u):
            return weights @ stats.norm.cdf((y - centres) / widths) - u

        for n in (10, 100, 1000):
            x = rng.standard_normal((n, 1))
            compare(
                "consistency_mixture | scipy brentq, point by point",
                str(n),
                lambda: consistency_mixture(x, 1.0, **modes)[:, 0],
                lambda: np.array([optimize.brentq(excess, -9, 9, (stats.norm.cdf(y),), 1e-13) for y in x[:, 0]]),
            )
    diffusers, torch = package("diffusers"), package("torch")
    if diffusers and torch:
        for shape in [(1, 2), (256, 3072)]:
            noise = torch.randn(shape, dtype=torch.float64)

            def peer(noise=noise):
                scheduler = diffusers.EulerDiscreteScheduler(prediction_type="sample")
                scheduler.set_timesteps(50)
                y = noise * scheduler.init_noise_sigma
                for t in scheduler.timesteps:
                    sigma = scheduler.sigmas[scheduler.step_index or 0]
                    scheduler.scale_model_input(y, t)
                    y = scheduler.step(y / (1 + sigma * sigma), t, y).prev_sample
                return y

            start = noise.numpy() * 80
            compare(
                "solve_diffusion_ode euler, 50 steps | diffusers",
                str(shape),
                lambda: solve_diffusion_ode(shrink, start, times),
                peer,
                difference=False,
            )


if __name__ == "__main__":
    main()

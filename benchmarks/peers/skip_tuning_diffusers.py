"""Gaussian data through the schedulers of diffusers, the denoiser's skip scaled, for the chapter `skip_tuning`.

    pip install diffusers torch
    python benchmarks/peers/skip_tuning_diffusers.py

Ten steps on the noise levels of EDM (80 to 0.002, then 0): the standard deviation of the output over that of the data.
The ancestral sampler is run on a million starts, which leaves a standard error of 0.07 %. Printed:

    diffusers 0.42.1 torch 2.13.0+cpu
    std 0.5 rho 1: Heun 1.2196, Euler 0.7304, ancestral 0.604
    std 0.5 rho 0.97: Heun 0.8748, Euler 0.6559, ancestral 0.537
    std 0.1 rho 1: Heun 1.3574, Euler 0.6742, ancestral 0.556
    std 0.1 rho 0.97: Heun 1.0485, Euler 0.6212, ancestral 0.509
"""

from importlib.metadata import version

import torch
from diffusers import EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler


def levels(n):
    """Return the noise levels of EDM and a last 0."""
    w = torch.arange(n, dtype=torch.float64) / (n - 1)
    inner = (80 ** (1 / 7) + w * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    return torch.cat([inner, torch.zeros(1, dtype=torch.float64)])


def gain(kind, std, rho, points):
    """Return the standard deviation of the output over std."""
    scheduler, sigmas = kind(), levels(10)
    scheduler.set_timesteps(10)
    if kind is HeunDiscreteScheduler:
        twice = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2), sigmas[-1:]])
        scheduler.sigmas, scheduler.timesteps = twice, torch.arange(len(twice) - 1, dtype=torch.float64).flip(0)
    else:
        scheduler.sigmas, scheduler.timesteps = sigmas, torch.arange(10, dtype=torch.float64).flip(0)
    generator = torch.Generator().manual_seed(0)
    x = torch.full((points,), 80.0, dtype=torch.float64)
    if points > 1:
        x *= torch.randn(points, dtype=torch.float64, generator=generator)
    for i, t in enumerate(scheduler.timesteps):
        sigma = scheduler.sigmas[i]
        noise = (x - rho * std**2 / (std**2 + sigma**2) * x) / sigma
        extra = {"generator": generator} if kind is EulerAncestralDiscreteScheduler else {}
        scheduler.is_scale_input_called = True
        x = scheduler.step(noise, t, x, **extra).prev_sample
    return float(x.std() if points > 1 else x.abs()) / std


def main():
    """Print what the description prints."""
    print("diffusers", version("diffusers"), "torch", torch.__version__)
    for std in (0.5, 0.1):
        for rho in (1, 0.97):
            heun = gain(HeunDiscreteScheduler, std, rho, 1)
            euler = gain(EulerDiscreteScheduler, std, rho, 1)
            noisy = gain(EulerAncestralDiscreteScheduler, std, rho, 1_000_000)
            print(f"std {std} rho {rho}: Heun {heun:.4f}, Euler {euler:.4f}, ancestral {noisy:.3f}")


if __name__ == "__main__":
    main()

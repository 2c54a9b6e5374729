"""The shifted schedules of three programs, for the chapter `snr_high_resolution`.

    pip install torch diffusers
    pip install --no-deps k-diffusion denoising-diffusion-pytorch
    python benchmarks/peers/snr_shifts.py

Printed by diffusers 0.42.1, k-diffusion 0.1.1.post1, denoising-diffusion-pytorch 2.3.4 and torch 2.13.0 (CPU):

    diffusers, FlowMatchEulerDiscreteScheduler, shift 3, sigmas from 100, 300, ... of 1000 steps
    [0.25, 0.5625, 0.75, 0.875, 0.9643]
    diffusers, CogVideoXDDIMScheduler, alphas_cumprod with snr_shift_scale 1 and 3, every 200th step
    [0.8955, 0.5922, 0.2777, 0.0831, 0.0143]
    [0.7406, 0.3262, 0.1136, 0.0293, 0.0048]
    logSNR at 512 pixels, tuned at 64 to 64
    k-diffusion, wide limits [-7.8443, -5.5074, -4.1589, -2.8103, -0.4734]
    k-diffusion, as it comes [-7.7533, -5.48, -4.1431, -2.7989, -0.4645]
    denoising-diffusion-pytorch [-0.4734, -2.8103, -4.1589, -5.5074, -7.8443]
    logSNR at 512 pixels, tuned at 32 to 256
    k-diffusion, wide limits [-8.8147, -5.6461, -3.4657, -1.2854, 1.8833]
    k-diffusion, as it comes [-8.6518, -5.6058, -3.4483, -1.2775, 1.8824]
    denoising-diffusion-pytorch [1.8833, -1.2854, -3.4657, -5.6461, -8.8147]

The time of k-diffusion runs from noise to picture, that of the other two from picture to noise.
"""

import math
from functools import wraps
from importlib.metadata import distribution

import torch
from diffusers import CogVideoXDDIMScheduler, FlowMatchEulerDiscreteScheduler

TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)


def rounded(values):
    """Return numbers to four decimals."""
    return [round(float(value), 4) for value in values]


def functions(package, path, first, last, **names):
    """Return what one file of an installed package defines between two lines, without running the rest of it."""
    text = distribution(package).locate_file(path).read_text()
    exec(text[text.index(first) : text.index(last)], names)
    return names


def k_diffusion(low, high, image):
    """Return the logSNR of k-diffusion at the times, almost without its limits and with them."""
    names = functions(
        "k-diffusion",
        "k_diffusion/utils.py",
        "def rand_cosine_interpolated(",
        "def rand_split_log_normal(",
        math=math,
        torch=torch,
        stratified_with_settings=lambda shape, dtype, device: torch.tensor(TIMES, dtype=dtype),
    )
    for least, most in ((1e-12, 1e12), (1e-3, 1e3)):
        limits = {"min_value": least, "max_value": most, "dtype": torch.float64}
        yield rounded(-2 * names["rand_cosine_interpolated"]((5,), image, low, high, **limits).log())


def denoising_diffusion(low, high, image):
    """Return the logSNR of denoising-diffusion-pytorch at the times, almost without its limits."""
    names = functions(
        "denoising-diffusion-pytorch",
        "denoising_diffusion_pytorch/simple_diffusion.py",
        "def logsnr_schedule_cosine(",
        "# main gaussian diffusion class",
        math=math,
        torch=torch,
        wraps=wraps,
        log=torch.log,
    )
    schedule = names["logsnr_schedule_interpolated"](names["logsnr_schedule_cosine"], image, low, high)
    return rounded(schedule(torch.tensor(TIMES, dtype=torch.float64), logsnr_min=-60, logsnr_max=60))


def main():
    """Print what the chapter quotes."""
    print("diffusers, FlowMatchEulerDiscreteScheduler, shift 3, sigmas from 100, 300, ... of 1000 steps")
    flow = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0)
    print(rounded(flow.sigmas[1000 - round(1000 * t)] for t in TIMES))
    print("diffusers, CogVideoXDDIMScheduler, alphas_cumprod with snr_shift_scale 1 and 3, every 200th step")
    for scale in (1.0, 3.0):
        print(rounded(CogVideoXDDIMScheduler(snr_shift_scale=scale).alphas_cumprod[99::200]))
    for low, high in ((64, 64), (32, 256)):
        print(f"logSNR at 512 pixels, tuned at {low} to {high}")
        for name, values in zip(("k-diffusion, wide limits", "k-diffusion, as it comes"), k_diffusion(low, high, 512)):
            print(name, values)
        print("denoising-diffusion-pytorch", denoising_diffusion(low, high, 512))


if __name__ == "__main__":
    main()

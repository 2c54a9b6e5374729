"""Constants and gains that SciPy, JAX and PyTorch hold, asked of these packages, for the chapter `initialization`.

    pip install scipy jax torch
    python benchmarks/peers/initialization.py

Printed (CPU):

    scipy 1.17.1, jax 0.10.2, torch 2.14.1+cu130
    scipy truncnorm(-2, 2): var 0.7737413035, std 0.8796256610
    jax selu: scale 1.0507009874, alpha 1.6732632424
    jax lecun_normal: fan_in times variance 0.998, largest 2.274
    jax he_normal: fan_in times variance 1.997, largest 3.215
    jax lecun_uniform: fan_in times variance 0.999, largest 1.732
    jax he_uniform: fan_in times variance 1.998, largest 2.449
    torch selu: scale 1.0507009874, alpha 1.6732632424
    torch calculate_gain('linear'): 1.0000
    torch calculate_gain('relu'): 1.4142
    torch calculate_gain('tanh'): 1.6667
    torch calculate_gain('sigmoid'): 1.0000
    torch calculate_gain('selu'): 0.7500
    torch Linear: fan_in times variance 0.333
"""

import math

import jax
import scipy
import torch
from scipy import stats


def jax_std(name):
    """Return fan_in times the variance of a million weights of JAX, and the largest one times sqrt(fan_in)."""
    draw = getattr(jax.nn.initializers, name)()
    w = draw(jax.random.key(0), (1000, 1000), "float32")
    return f"{1000 * float(w.var()):.3f}, largest {math.sqrt(1000) * float(abs(w).max()):.3f}"


def main():
    """Print the figures that the chapter quotes."""
    print(f"scipy {scipy.__version__}, jax {jax.__version__}, torch {torch.__version__}")
    law = stats.truncnorm(-2, 2)
    print(f"scipy truncnorm(-2, 2): var {law.var():.10f}, std {law.std():.10f}")
    jax.config.update("jax_enable_x64", True)
    scale = float(jax.nn.selu(jax.numpy.float64(1.0)))
    print(f"jax selu: scale {scale:.10f}, alpha {float(-jax.nn.selu(jax.numpy.float64(-50.0))) / scale:.10f}")
    for name in ("lecun_normal", "he_normal", "lecun_uniform", "he_uniform"):
        print(f"jax {name}: fan_in times variance {jax_std(name)}")
    selu = torch.nn.SELU()
    scale = selu(torch.tensor(1.0, dtype=torch.float64)).item()
    alpha = -selu(torch.tensor(-50.0, dtype=torch.float64)).item() / scale
    print(f"torch selu: scale {scale:.10f}, alpha {alpha:.10f}")
    for name in ("linear", "relu", "tanh", "sigmoid", "selu"):
        print(f"torch calculate_gain({name!r}): {torch.nn.init.calculate_gain(name):.4f}")
    torch.manual_seed(0)
    linear = torch.nn.Linear(1000, 1000)
    print(f"torch Linear: fan_in times variance {1000 * linear.weight.var().item():.3f}")


if __name__ == "__main__":
    main()

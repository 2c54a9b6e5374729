"""The examples in the description of the package entmax, run by that package, for the chapter `softmax_alternatives`.

    pip install entmax torch
    python benchmarks/peers/softmax_entmax.py

Printed by entmax 1.3 and torch 2.13.0 (CPU), single precision:

    (-2, 0, 0.5)
    softmax [0.0486, 0.3592, 0.5922]
    sparsemax [0.0, 0.25, 0.75]
    entmax15 [0.0, 0.326, 0.674]
    entmax_bisect, alpha 1.33
    (-1, 0, 0.5) [0.046, 0.3276, 0.6264]
    (1, 2, 3.5) [0.0026, 0.1012, 0.8963]
    slope of the first probability in alpha: -0.2562
"""

import torch
from entmax import entmax15, entmax_bisect, sparsemax


def rounded(p):
    """Return a vector as its numbers to four decimals."""
    return [round(value, 4) for value in p.tolist()]


def main():
    """Print what the description prints."""
    x = torch.tensor([-2, 0, 0.5])
    print("(-2, 0, 0.5)")
    for name, p in (("softmax", torch.softmax(x, 0)), ("sparsemax", sparsemax(x, 0)), ("entmax15", entmax15(x, 0))):
        print(name, rounded(p))
    alpha = torch.tensor(1.33, requires_grad=True)
    p = entmax_bisect(torch.tensor([[-1, 0, 0.5], [1, 2, 3.5]]), alpha)
    print("entmax_bisect, alpha 1.33")
    print("(-1, 0, 0.5)", rounded(p[0]))
    print("(1, 2, 3.5)", rounded(p[1]))
    slope = torch.autograd.grad(p[0, 0], alpha)[0]
    print(f"slope of the first probability in alpha: {slope.item():.4f}")


if __name__ == "__main__":
    main()

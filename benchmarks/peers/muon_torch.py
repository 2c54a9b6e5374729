"""Three steps of torch.optim.Muon, for the chapter `muon`: as it is, and with double precision for its bfloat16.

    pip install torch numpy
    python benchmarks/peers/muon_torch.py

The replacement is one line, so that the rules are compared and not their rounding. Printed by torch 2.14.1 (CPU):
first entry and Frobenius norm of the weights after three steps.

    bfloat16, 6x4, original, nesterov=True                  0.850561 3.614666
    bfloat16, 6x4, match_rms_adamw, nesterov=True           0.854015 3.633089
    bfloat16, 4x6, match_rms_adamw, nesterov=True           0.857871 3.646734
    bfloat16, 4x6, original, nesterov=False                 0.810187 3.643456
    double, 6x4, original, nesterov=True                    0.854152 3.613896
    double, 6x4, match_rms_adamw, nesterov=True             0.855452 3.632742
    double, 4x6, match_rms_adamw, nesterov=True             0.857865 3.646352
    double, 4x6, original, nesterov=False                   0.811493 3.643290
"""

import numpy as np
import torch

CASES = [
    ((6, 4), "original", True),
    ((6, 4), "match_rms_adamw", True),
    ((4, 6), "match_rms_adamw", True),
    ((4, 6), "original", False),
]


def waves(shape, step):
    """Return a matrix that needs no random numbers; step 0 is that of the weights, 1, 2, 3 are gradients."""
    place = np.arange(1, shape[0] * shape[1] + 1).reshape(shape)
    return np.sin((step + 1) * place + place**2 / 7)


def trained(shape, rule, nesterov):
    """Return the weights after three steps."""
    weights = torch.nn.Parameter(torch.tensor(waves(shape, 0)))
    optimizer = torch.optim.Muon(
        [weights], lr=0.1, weight_decay=0.2, momentum=0.9, nesterov=nesterov, adjust_lr_fn=rule
    )
    for step in (1, 2, 3):
        weights.grad = torch.tensor(waves(shape, step))
        optimizer.step()
    return weights.detach().numpy()


def main():
    """Print what stands above."""
    for precision in ("bfloat16", "double"):
        if precision == "double":
            torch.Tensor.bfloat16 = lambda tensor: tensor.to(torch.double, copy=True)  # a copy, as the cast makes
        for shape, rule, nesterov in CASES:
            w = trained(shape, rule, nesterov)
            case = f"{precision}, {shape[0]}x{shape[1]}, {rule}, nesterov={nesterov}"
            print(f"    {case:55} {w[0, 0]:.6f} {np.linalg.norm(w):.6f}")


if __name__ == "__main__":
    main()

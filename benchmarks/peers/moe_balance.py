"""The balancing losses of Hugging Face transformers, at routers that the chapter `moe_load_balance` computes too.

    pip install torch transformers numpy
    python benchmarks/peers/moe_balance.py

Printed by torch 2.13.0 and transformers 5.24.0 (the first input is that of the test of transformers itself):

    Switch, five tokens, two experts        0.8741045
    Mixtral, waves, k = 2 of 8              2.0012634
    Mixtral, all to two experts, k = 2 of 8 2.0005999
"""

import numpy as np
import torch
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func as mixtral_loss
from transformers.models.switch_transformers.modeling_switch_transformers import load_balancing_loss_func as switch_loss

# tests/models/switch_transformers: probabilities (drawn at random, rows do not sum to 1) and choices
PROBABILITIES = [
    [0.35490513, 0.60419905],
    [0.4275843, 0.23061597],
    [0.32985854, 0.43953657],
    [0.25099766, 0.27730572],
    [0.7678207, 0.71474564],
]
CHOICES = [0, 1, 1, 0, 0]


def waves(tokens=91, experts=8):
    """Return logits that need no random numbers."""
    return np.sin(np.outer(np.arange(1, tokens + 1), np.arange(1, experts + 1)))


def all_alike(tokens=91, experts=8):
    """Return logits that send every token to the same experts, by a hair."""
    return np.tile(1e-4 * np.arange(experts), (tokens, 1))


def main():
    """Print the losses."""
    probabilities = torch.tensor([PROBABILITIES])
    print("Switch, five tokens, two experts       ", f"{switch_loss(probabilities, torch.tensor([CHOICES])):.7f}")
    for name, logits in (("waves", waves()), ("all to two experts", all_alike())):
        loss = mixtral_loss((torch.tensor(logits),), num_experts=logits.shape[1], top_k=2)
        print(f"{f'Mixtral, {name}, k = 2 of 8':<39} {loss:.7f}")


if __name__ == "__main__":
    main()

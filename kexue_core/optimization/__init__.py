"""Optimization: steps, decay, flows and how fast they converge."""

from kexue_core.optimization.lora import (
    LoraPair,
    LoraRun,
    aligned_lr_ratio,
    balanced_lr_ratio,
    lora_gradients,
    lr_ratio_theory,
    output_changes,
    train_lora,
)

__all__ = [
    "LoraPair",
    "LoraRun",
    "aligned_lr_ratio",
    "balanced_lr_ratio",
    "lora_gradients",
    "lr_ratio_theory",
    "output_changes",
    "train_lora",
]

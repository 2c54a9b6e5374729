"""Optimization: steps, decay, flows and how fast they converge."""

from kexue_core.optimization.decay import (
    DecayStep,
    decayed_spectrum,
    merge_times,
    spectral_decay_step,
    water_level,
)

__all__ = [
    "water_level",
    "merge_times",
    "decayed_spectrum",
    "DecayStep",
    "spectral_decay_step",
]

"""Optimization: steps, decay, flows and how fast they converge."""

from kexue_core.optimization.muon import (
    MuonState,
    adam_rms,
    muon_step,
    rms_matched_scale,
    root_mean_square,
    schatten_direction,
    schatten_norm,
    svd_entropy,
)

__all__ = [
    "schatten_norm",
    "schatten_direction",
    "root_mean_square",
    "rms_matched_scale",
    "svd_entropy",
    "adam_rms",
    "MuonState",
    "muon_step",
from kexue_core.optimization.decay import (
    DecayStep,
    decayed_spectrum,
    merge_times,
    spectral_decay_step,
    water_level,
)
    "water_level",
    "merge_times",
    "decayed_spectrum",
    "DecayStep",
    "spectral_decay_step",
]

"""Positions and length: rotary encodings, their base, biases, longer texts, words and images in one sequence."""

from kexue_core.positions.base import MinBase, admissible_bases, min_base, safe_base, worst_case_base
from kexue_core.positions.bias import (
    attention_by_band,
    bias_kernel,
    bias_pair,
    fit_bias_kernel,
    invisible_bias,
    kernel_spectrum,
    logit_terms,
)
from kexue_core.positions.extension import (
    attention_scale,
    dynamic_ntk_frequencies,
    fit_distance_head,
    leaky_distance,
    ntk_frequencies,
    pi_frequencies,
    self_extend_distance,
    unseen_turns,
    yarn_frequencies,
)
from kexue_core.positions.layout import (
    allocate_axes,
    image_positions,
    layout_positions,
    reflection_error,
    rotate_axes,
    stretched_positions,
)
from kexue_core.positions.rope import max_context, rope_coherence, rope_coherence_range, rope_frequencies, rotate

__all__ = [
    "rope_frequencies",
    "rotate",
    "rope_coherence",
    "rope_coherence_range",
    "max_context",
    "MinBase",
    "min_base",
    "admissible_bases",
    "safe_base",
    "worst_case_base",
    "bias_kernel",
    "bias_pair",
    "logit_terms",
    "fit_bias_kernel",
    "kernel_spectrum",
    "invisible_bias",
    "attention_by_band",
    "pi_frequencies",
    "ntk_frequencies",
    "yarn_frequencies",
    "dynamic_ntk_frequencies",
    "unseen_turns",
    "leaky_distance",
    "self_extend_distance",
    "attention_scale",
    "fit_distance_head",
    "allocate_axes",
    "rotate_axes",
    "stretched_positions",
    "image_positions",
    "layout_positions",
    "reflection_error",
]

"""What holds for every public function: which types come in, what comes out, what is refused and by which name."""

import importlib
import inspect
import re
from fractions import Fraction

import numpy as np
import pytest

from kexue_core import _checks
from kexue_core.attention import attention_state
from kexue_core.diffusion import MapNet, ddpm_schedule, denoise_gaussian, random_skip_net
from kexue_core.engineering import Automaton, Backoff, InvertedIndex, PaperId, build_automaton
from kexue_core.mathematics import torus_metric

SHELVES = (
    "positions",
    "attention",
    "diffusion",
    "state_space",
    "matrices",
    "optimization",
    "experts",
    "mathematics",
    "engineering",
)
HOMES = {home: importlib.import_module(f"kexue_core.{home}") for home in (*SHELVES, "special")}
FUNCTIONS = {n: getattr(m, n) for m in HOMES.values() for n in m.__all__ if inspect.isfunction(getattr(m, n))}

A = np.array
INDEX = InvertedIndex(["a road to the road", "the loss of a road"])
AUTOMATON = build_automaton([[("ab", 1, 2)]])
PAPER = PaperId("arxiv", "2402.12354")
SCHEDULE = ddpm_schedule(4)
BLOCKS = A([[[2.0, 1.0], [1.0, 3.0]], [[1.0, 0.0], [2.0, 1.0]]])
SYSTEM = {"A": A([[-1.0, 0.0], [1.0, -2.0]]), "b": A([1.0, 2.0])}
DPLR = {"lam": A([-1.0, -2.0]), "p": A([0.5, 1.0]), "b": A([1.0, 2.0]), "c": A([0.5, 1.0])}
PATH = A([[[2.0, 1.0]], [[1.0, 0.0]]])
LOGITS = A([[1.0, 3.0, 2.0], [0.0, 1.0, 4.0]])
LOAD = A([[0.5, 0.5], [0.25, 0.75]])
TOKENS = A([[[1.0, 0.5], [0.0, 2.0], [1.0, 1.0]], [[0.5, 0.5], [2.0, 0.0], [0.0, 0.25]]])
LOWER = A([[[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [0.75, 0.25]]])
STATE = attention_state(LOGITS, TOKENS)
MASK = A([[True, False], [False, True]])

MODES = {"means": A([[-1.0], [1.0]]), "stds": A([0.5, 1.0]), "weights": A([0.5, 0.5])}
GAUSS = {"mean": A([0.5, 0.0]), "cov": A([[1.0, 0.5], [0.5, 2.0]]), "lam_idem": A([1.0]), "lam_tight": A([0.5])}
TERMS = {"lam_idem": 1.0, "lam_tight": 0.125}
LAYER = MapNet((A([[[0.5, 0.0], [0.25, 1.0]]]),), (A([[[0.5, 1.0]]]),))


def BOOK(t):
    return A([[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]]) * t


def identity(x, t):
    return x


# An example of each function: arrays in halves and quarters, which every type of float holds.
EXAMPLES = {
    "rope_frequencies": {"d": 8, "base": 16.0},
    "rotate": {"x": A([[1.0, 2.0, 3.0, 4.0]]), "positions": A([2.0]), "theta": A([1.0, 0.5])},
    "rope_coherence": {"m": A([0.0, 2.0]), "theta": A([1.0, 0.5])},
    "rope_coherence_range": {"start": 0, "stop": 4, "theta": A([1.0, 0.5])},
    "pi_frequencies": {"theta": A([1.0, 0.5]), "s": A([2.0])},
    "ntk_frequencies": {"theta": A([1.0, 0.5]), "s": A([2.0])},
    "yarn_frequencies": {"theta": A([4.0, 0.5]), "s": A([2.0]), "train_length": 8.0},
    "dynamic_ntk_frequencies": {"theta": A([1.0, 0.5]), "length": A([16.0]), "train_length": 8.0},
    "unseen_turns": {
        "theta_new": A([[1.0, 0.25]]),
        "theta": A([1.0, 0.5]),
        "train_length": 2.0,
        "test_length": A([8.0]),
    },
    "leaky_distance": {"m": A([1.0, 8.0]), "window": 4.0, "slope": 2.0},
    "self_extend_distance": {"query": A([3, 9]), "key": A([1, 2]), "window": 4, "group": 2},
    "attention_scale": {"length": A([4.0, 16.0]), "train_length": 8.0},
    "fit_distance_head": {"theta": A([1.0, 0.5]), "target": A([1.0, 0.5, 0.25]), "contexts": A([2, 3])},
    "max_context": {"theta": A([1.0, 0.5]), "cap": 64},
    "min_base": {"L": 16, "d": 8, "start": 1.0},
    "admissible_bases": {"L": 16, "d": 8, "upper": 64.0},
    "safe_base": {"L": 16, "d": 8},
    "worst_case_base": {"L": 16, "d": 8},
    "bias_kernel": {"m": A([0.0, 2.0]), "a": A([[1.0, 2.0]]), "b": A([[0.5, 1.0]]), "theta": A([0.5])},
    "bias_pair": {"c": A([[1.0, 2.0, 0.5, 0.0]])},
    "logit_terms": {
        "m": A([0.0, 2.0]),
        "q": A([[1.0, 2.0]]),
        "k": A([[[0.5, 1.0], [2.0, 1.0]]]),
        "a": A([[1.0, 0.5]]),
        "b": A([[0.5, 0.0]]),
        "theta": A([0.5]),
    },
    "fit_bias_kernel": {"target": A([[1.0, 2.0, 0.5]]), "theta": A([1.0, 0.5]), "ridge": 0.5},
    "kernel_spectrum": {"length": 8, "theta": A([1.0, 0.5])},
    "invisible_bias": {"train_length": 4, "test_length": 8, "theta": A([1.0, 0.5]), "tolerance": 0.25},
    "attention_by_band": {"logits": LOGITS, "edges": A([0, 1, 3])},
    "allocate_axes": {"sections": A([2, 1]), "order": "interleaved"},
    "rotate_axes": {
        "x": A([[1.0, 2.0, 3.0, 4.0]]),
        "positions": A([[2.0, 1.0]]),
        "theta": A([1.0, 0.5]),
        "axes": A([0, 1]),
    },
    "stretched_positions": {"L": 2.0, "w": 2, "h": 1, "c": 4.5},
    "image_positions": {"L": 2.0, "w": 2, "h": 1, "scheme": "unit"},
    "layout_positions": {"segments": [2, (2, 1), 1], "scheme": "tie"},
    "reflection_error": {"positions": A([[[1.0, 1.0], [1.0, 2.0]]]), "L": 0.0, "K": 3.0},
    "patchify": {"x": TOKENS[..., None, :2].repeat(2, axis=-2)[..., :2, :, :], "p": 2},
    "unpatchify": {"patches": A([[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]]), "p": 2, "h": 1},
    "softmax": {"x": LOGITS, "axis": -1, "tau": 2.0},
    "logsumexp": {"x": LOGITS, "axis": -1, "tau": 2.0},
    "taylor_softmax": {"x": LOGITS, "order": 2, "axis": -1, "tau": 2.0},
    "sparse_softmax": {"x": LOGITS, "k": 2, "axis": -1, "tau": 2.0},
    "sparsemax": {"x": LOGITS, "axis": -1, "tau": 2.0},
    "entmax": {"x": LOGITS, "alpha": 1.5, "axis": -1, "tau": 2.0},
    "entmax_jacobian": {"x": LOGITS, "alpha": 1.5, "axis": -1, "tau": 2.0},
    "entmax_loss": {"x": LOGITS, "t": A([1, 0]), "alpha": 1.5, "axis": -1, "tau": 2.0},
    "support_size": {"x": LOGITS, "alpha": 1.5, "axis": -1, "tau": 2.0},
    "perturb_max": {"x": LOGITS, "nodes": 20, "axis": -1, "tau": 2.0},
    "permute_and_flip": {"x": LOGITS, "axis": -1, "tau": 2.0},
    "top_k_mask": {"scores": LOGITS, "k": 2},
    "activate": {"x": LOGITS, "kind": "relu"},
    "activation_moments": {"f": "relu", "std": A([1.0, 2.0])},
    "init_std": {"fan_in": 4, "activation": "relu"},
    "selu_constants": {"variance": A([1.0, 0.5])},
    "truncated_normal_std": {"cut": A([1.0, 2.0])},
    "sample_weights": {"rng": np.random.default_rng, "shape": 3, "std": 0.5, "law": "truncated", "cut": 2.0},
    "residual_weights": {"depth": 3, "scheme": "post", "branch_std": 0.5},
    "layer_mean_squares": {"rng": np.random.default_rng, "depth": 2, "width": 4, "networks": 3, "gain": 2.0},
    "l1_l2_ratio": {"a": LOGITS, "axis": -1},
    "sparsity_activation": {"f": "relu", "beta": A([1.0, -2.0]), "gamma": A([1.0, 2.0])},
    "sparsity_exp": {"gamma": A([1.0, 2.0]), "n": A([16.0, 4.0])},
    "sparsity_identity": {"beta": A([1.0, -2.0]), "gamma": A([1.0, 2.0])},
    "sparsity_relu_power": {"beta": A([1.0, -2.0]), "gamma": A([1.0, 2.0]), "power": 2},
    "sparsity_taylor": {"order": 2, "beta": A([1.0, -2.0]), "gamma": A([1.0, 2.0])},
    "sparsity_linear": {"q": A([[1.0, 2.0]]), "mean": A([1.0, 0.5]), "cov": A([[2.0, 1.0], [1.0, 3.0]])},
    "sparsity_decay": {"decay": A([0.5, 0.25]), "n": A([4.0, 8.0])},
    "attention_mask": {"n": 3, "kind": "prefix", "prefix": 2},
    "attention_matrix": {"queries": TOKENS, "keys": TOKENS[:, ::-1], "mask": "prefix", "prefix": 2},
    "linear_attention_matrix": {"queries": TOKENS, "keys": TOKENS[:, ::-1], "mask": "prefix", "prefix": 2},
    "triangular_logdet": {"a": LOWER},
    "triangular_condition": {"a": LOWER},
    "effective_rank": {"a": LOWER},
    "stable_rank": {"a": LOWER},
    "numerical_rank": {"a": LOWER, "rtol": 0.25},
    "collapse_trace": {"x": TOKENS, "score": A([[[0.5, 0.0], [1.0, 0.5]]]), "value": A([[[1.0, 0.0], [0.5, 1.0]]])},
    "attention_state": {"logits": LOGITS, "values": TOKENS},
    "merge_states": {"a": STATE, "b": STATE},
    "state_output": {"state": STATE},
    "streaming_attention": {
        "queries": TOKENS,
        "keys": TOKENS[:, ::-1],
        "values": TOKENS,
        "mask": "causal",
        "block": 2,
    },
    "recompute_cost": {"n": 4, "layers": 6, "segment": 2},
    "replay_layers": {"x": TOKENS[0], "weights": TOKENS[None, :1, :2] * np.ones((2, 3, 1, 1)), "segment": 2},
    "iterated_top_k": {"x": LOGITS, "k": 2, "axis": -1, "tau": 2.0},
    "grad_top_k": {"x": LOGITS, "k": 2, "axis": -1, "tau": 2.0},
    "log_subset_sum": {"x": LOGITS, "k": 2, "axis": -1, "tau": 2.0},
    "threshold_top_k": {"x": LOGITS, "k": 2, "axis": -1, "tau": 2.0},
    "top_k_threshold": {"x": LOGITS, "k": 1.5, "axis": -1, "tau": 2.0},
    "top_k_jacobian": {"x": LOGITS, "k": 2, "axis": -1, "tau": 2.0},
    "edm_time_steps": {"n": 4, "t_min": 0.25, "t_max": 4.0, "rho": 7.0},
    "ddpm_schedule": {"T": 3},
    "schedule_from_betas": {"betas": A([0.25, 0.5])},
    "respace": {"schedule": SCHEDULE, "n": 2},
    "shift_schedule": {"schedule": SCHEDULE, "s": 2.0},
    "log_snr": {"bar_alpha": A([0.5, 0.25]), "bar_beta": A([0.5, 1.0])},
    "snr_levels": {"log_snr": A([0.5, -1.0])},
    "shift_levels": {"bar_alpha": A([0.5, 0.25]), "bar_beta": A([0.5, 1.0]), "s": A([2.0, 4.0])},
    "shift_time": {"t": A([0.5, 0.25]), "s": A([2.0, 4.0]), "path": "straight"},
    "cosine_log_snr": {"t": A([0.5, 0.25]), "s": A([2.0, 4.0]), "s_end": A([4.0, 4.0])},
    "average_pool": {"x": A([[1.0, 2.0], [3.0, 4.0]]), "s": 2},
    "pooling_response": {"omega": A([0.5, 1.0]), "s": 2},
    "multiscale_losses": {"residual": A([[1.0, 2.0], [3.0, 4.0]]), "scales": [1, 2]},
    "power_law_spectrum": {"n": 4, "exponent": 1.0},
    "matched_shift": {"n": 8, "base": 4, "exponent": 1.0},
    "remaining_uncertainty": {"snr": A([0.5, 1.0]), "n": 4, "exponent": 0.5, "k_max": 2.0},
    "denoise_gaussian": {"x": A([[1.0, 2.0]]), "t": A([0.5]), "mean": A([0.0, 1.0]), "std": A([1.0, 0.5])},
    "denoise_mixture": {"x": A([[1.0, 2.0]]), "t": A([0.5]), "means": A([[1.0, 0.0], [2.0, 2.0]]), "stds": A([0.5, 1])},
    "denoise_points": {"x": A([[1.0, 2.0]]), "t": A([0.5]), "points": A([[1.0, 0.0], [2.0, 2.0]])},
    "velocity": {"denoise": denoise_gaussian, "x": A([[1.0, 2.0]]), "t": A([0.5])},
    "disk_images": {"n": 2, "size": 3, "rng": np.random.default_rng},
    "diffuse": {"x0": A([[1.0, 2.0]]), "noise": A([[0.5, 1.0]]), "t": A([2]), "schedule": SCHEDULE},
    "loss_weights": {"schedule": SCHEDULE, "sigma": A([0.5, 0.5, 1.0, 1.0])},
    "gradient_variances": {"schedule": SCHEDULE, "slope": A([0.5, 0.5, 1.0, 1.0]), "variance": 2.0},
    "terminal_kl_bits": {"bar_alpha": A([0.5, 0.25]), "second_moment": A([1.0, 2.0])},
    "steps_at_nfe": {"method": "euler", "nfe": 3},
    "solve_diffusion_ode": {"denoise": denoise_gaussian, "x": A([[1.0, 2.0]]), "times": A([2.0, 1.0])},
    "solve_reference": {"denoise": denoise_gaussian, "x": A([[1.0, 2.0]]), "times": A([2.0, 1.0]), "substeps": 2},
    "solve_multistep": {"denoise": denoise_gaussian, "x": A([[1.0, 2.0]]), "times": A([2.0, 1.0]), "order": 2},
    "insert_times": {"times": A([2.0, 1.0]), "r": A([0.5])},
    "fit_inserted_times": {
        "denoise": denoise_gaussian,
        "x": A([[1.0, 2.0]]),
        "times": A([2.0, 1.0]),
        "targets": A([[[1.0, 2.0]], [[0.5, 1.0]]]),
        "grid": A([0.25, 0.5]),
    },
    "trajectory": {
        "sampler": HOMES["diffusion"].solve_diffusion_ode,
        "denoise": denoise_gaussian,
        "x": A([[1.0, 2.0]]),
        "times": A([2.0, 1.0]),
    },
    "posterior_coefficients": {"schedule": SCHEDULE},
    "reverse_noise": {"schedule": SCHEDULE, "variance": A([0.5, 1.0])},
    "ancestral_sample": {
        "denoise": denoise_gaussian,
        "x": A([[1.0]]),
        "schedule": SCHEDULE,
        "sigma": A([0.0, 0, 0, 0]),
    },
    "gaussian_chain_variance": {"schedule": SCHEDULE, "variance": A([0.5, 1.0])},
    "gaussian_mean_time": {"t": A([2.0, 4.0]), "u": A([1.0, 0.5]), "std": A([1.0, 0.5])},
    "fit_mean_direction": {
        "denoise": denoise_gaussian,
        "x": PATH[0],
        "times": A([2.0, 1.0]),
        "targets": PATH,
        "grid": A([0.25, 0.5]),
    },
    "trajectory_pca": {"trajectory": PATH, "n_components": 1},
    "reverse_water_filling": {"variances": A([[4.0, 1.0, 0.25]]), "bits": A([2.0])},
    "fit_codebook": {"x": A([[0.0], [1.0], [4.0]]), "size": 2, "rng": np.random.default_rng, "steps": 2},
    "quantize": {"x": A([[0.25, 0.5], [1.0, 2.0]]), "codes": A([[0.0, 0.5], [1.0, 1.0]])},
    "energy_distance": {"x": A([[[0.0], [1.0]]]), "y": A([[[2.0], [4.0], [0.5]]])},
    "exact_schedule": {"T": 4},
    "codebook": {"t": 2, "size": 4, "d": 2, "seed": 1},
    "codebook_sample": {
        "denoise": denoise_gaussian,
        "x": A([[1.0, 2.0]]),
        "schedule": SCHEDULE,
        "codebook": BOOK,
        "codes": A([[0, 1, 2]]),
        "sigma": A([0.5, 0.5, 1.0, 1.0]),
    },
    "codebook_encode": {
        "denoise": denoise_gaussian,
        "x": A([[1.0, 2.0]]),
        "schedule": SCHEDULE,
        "codebook": BOOK,
        "toward": A([[0.5, 1.0]]),
        "sigma": A([0.5, 0.5, 1.0, 1.0]),
    },
    "pack_codes": {"codes": A([1, 0, 2]), "size": 3},
    "unpack_codes": {"data": b"\x0b", "size": 3, "n": 3},
    "max_normal_moments": {"size": A([2.0, 4.0])},
    "codebook_errors": {
        "schedule": SCHEDULE,
        "size": A([2.0, 4.0]),
        "variances": A([1.0, 0.5]),
        "copies": A([2.0, 1.0]),
        "power": A([0.5, 1.0]),
        "sigma": A([0.5, 0.5, 1.0, 1.0]),
    },
    "flow_denoise": {"denoise": denoise_gaussian, "x": A([[1.0, 2.0]]), "t": A([0.5])},
    "flow_velocity_variance": {"x": A([[1.0]]), "t": A([0.5]), **MODES},
    "consistency_mixture": {"x": A([[1.0]]), "t": A([0.5]), **MODES},
    "consistency_step": {"consistency": identity, "x": A([[1.0]]), "t": 0.5, "s": 0.25, **MODES, "nodes": 4},
    "train_consistency": {"times": A([1.0, 0.5, 0.0]), "grid": np.arange(-4, 4.25, 0.25), **MODES, "nodes": 4},
    "consistency_sample": {"consistency": identity, "x": A([[1.0, 2.0]]), "times": A([0.5])},
    "gaussian_consistency_gain": {"times": A([1.0, 0.5, 0.0]), "std": A([0.5, 1.0])},
    "gaussian_distillation_losses": {"mu": A([2.0]), "tau": A([0.5]), "bar_alpha": A([0.5])},
    "gaussian_distillation_gradient": {
        "mu": A([2.0]),
        "tau": A([0.5]),
        "bar_alpha": A([0.5]),
        "weights": A([-0.5, 1.0, 0.0]),
    },
    "gaussian_distillation_path": {
        "mu": A([2.0]),
        "tau": A([0.5]),
        "bar_alpha": A([0.5]),
        "weights": A([-0.5, 1.0, 0.0]),
        "length": 0.5,
        "steps": 4,
    },
    "particle_distillation_gradient": {
        "particles": A([[0.5, 1.0]]),
        "bandwidth": 0.5,
        "bar_alpha": 0.5,
        "loss_weights": A([-0.5, 1.0, 0.0]),
        **MODES,
        "nodes": 4,
    },
    "skip_weights": {"k": 2, "rho_bottom": 0.5},
    "tune_skip": {
        "x": A([[1.0, 2.0]]),
        "t": A([0.5]),
        "denoise": denoise_gaussian,
        "std": A([1.0, 0.5]),
        "rho": A([0.5]),
    },
    "sample_tuned": {
        "denoise": denoise_gaussian,
        "x": A([[1.0, 2.0]]),
        "times": A([2.0, 1.0]),
        "std": A([1.0, 0.5]),
        "rho": A([0.5]),
    },
    "skip_gain": {"times": A([2.0, 1.0]), "std": A([0.5, 1.0]), "rho": A([0.5, 1.0])},
    "best_skip": {"times": A([4.0, 1.0, 0.0]), "std": A([0.5, 1.0])},
    "random_skip_net": {"dims": A([2, 1]), "rng": np.random.default_rng},
    "skip_net": {"x": A([[1.0, 2.0]]), "net": random_skip_net([2, 1], np.random.default_rng(0)), "rho": A([0.5])},
    "ign_equilibria": {"var": 0.25, "lam_idem": 1.0, "lam_tight": 0.125},
    "ign_gradient": {"W": A([[[0.5, 0.0], [0.25, 1.0]]]), "b": A([[0.5, 1.0]]), **GAUSS},
    "ign_descent": {"W": A([[[0.5, 0.0], [0.25, 1.0]]]), "b": A([[0.5, 1.0]]), **GAUSS, "steps": 2},
    "random_map_net": {"dims": A([2, 1, 2]), "rng": np.random.default_rng, "nets": 2},
    "map_net": {"x": A([[[1.0, 2.0]]]), "net": LAYER},
    "ign_net_gradient": {"net": LAYER, "x": A([[[1.0, 2.0]]]), "z": A([[[0.5, 0.0]]]), **TERMS},
    "train_ign": {
        "net": LAYER,
        "sample": lambda rng, shape: np.ones(shape),
        "steps": 1,
        "batch": 2,
        "rate": 0.5,
        **TERMS,
        "rng": np.random.default_rng,
    },
    "lora_gradients": {"x": TOKENS, "a": A([[1.0], [0.5]]), "b": A([[2.0, 1.0]]), "grad_y": TOKENS},
    "output_changes": {
        "x": TOKENS,
        "a": A([[1.0], [0.5]]),
        "b": A([[2.0, 1.0]]),
        "da": A([[0.5], [1.0]]),
        "db": A([[1.0, 4.0]]),
    },
    "balanced_lr_ratio": {"grad_a": A([[[1.0], [0.5]]]), "grad_b": A([[[2.0, 1.0]]])},
    "lr_ratio_theory": {"n": A([4.0, 8.0]), "m": A([2.0, 4.0]), "r": A([1.0, 2.0]), "regime": "article"},
    "aligned_lr_ratio": {"n": A([4.0, 8.0]), "m": A([2.0, 4.0]), "r": A([1.0, 2.0]), "phi": A([0.5, 1.0])},
    "train_lora": {
        "n": 3,
        "m": 4,
        "r": 2,
        "rng": np.random.default_rng,
        "lr_a": A([0.5, 0.25]),
        "lr_b": A([0.5, 1.0]),
        "steps": 2,
        "batch": 2,
        "runs": 2,
    },
    "linearity": {"x": A([[1.0], [2.0], [4.0]]), "y": A([[[1.0], [0.5], [2.0]]])},
    "hippo_matrix": {"kind": "legt", "n": 3, "window": 2.0},
    "discretize": {**SYSTEM, "step": 0.5},
    "state_scan": {"Abar": SYSTEM["A"], "bbar": SYSTEM["b"], "u": A([[1.0, 2.0]]), "x0": A([[0.5, 1.0]])},
    "transfer_function": {**SYSTEM, "c": A([1.0, 1.0]), "z": A([1.0, 2.0])},
    "legt_delay_response": {"n": 3, "z": A([0.5, 1.0])},
    "legendre_table": {"x": A([0.5, 1.0]), "n": 3},
    "project_piecewise_constant": {"u": A([[1.0, 2.0]]), "n": 2},
    "reconstruct": {"c": A([[1.0, 2.0]]), "s": A([0.5, 1.0])},
    "legs_resolution": {"n": 2, "a": A([0.5, 1.0])},
    "legs_transition": {"n": 2, "r": A([0.5, 1.0])},
    "legs_step": {"x": A([[1.0, 2.0]]), "u": A([1.0]), "k": 2},
    "legs_scan": {"u": A([[1.0, 2.0]]), "n": 2},
    "dplr_legs": {"n": 3},
    "skew_frequencies": {"n": 3},
    "legs_impulse_response": {"n": 2, "t": A([0.5, 1.0])},
    "diagonal_gap": {"n": 2, "s": A([0.5, 1.0])},
    "dplr_scan": {**DPLR, "step": 0.5, "u": A([[1.0, 2.0]])},
    "power_kernel": {"Abar": SYSTEM["A"], "bbar": A([[1.0, 2.0]]), "c": A([[0.5, 1.0]]), "length": 3},
    "dplr_generating": {**DPLR, "step": 0.5, "theta": A([0.5, 1.0])},
    "dplr_kernel": {**DPLR, "step": 0.5, "length": 3, "truncated": True},
    "diagonal_kernel": {"lam": A([-1.0, -2.0]), "b": A([[1.0, 2.0]]), "c": A([[0.5, 1.0]]), "step": 0.5, "length": 3},
    "causal_convolution": {"u": A([[1.0, 2.0]]), "K": A([[0.5, 1.0]])},
    "block_permutation": {"n": 4, "block": 2},
    "monarch_dense": {"L": BLOCKS, "R": BLOCKS},
    "monarch_matvec": {"L": BLOCKS, "R": BLOCKS, "x": A([[1.0, 2.0, 3.0, 4.0]])},
    "monarch_solve": {"L": BLOCKS, "R": BLOCKS, "y": A([[1.0, 2.0, 3.0, 4.0]])},
    "monarch_project": {"a": A([[[1.0, 2.0, 0.0, 1.0]] * 4])},
    "monarch_cost": {"n": 4, "block": 2},
    "monarch_dim": {"n": 4, "block": 2},
    "low_rank_error": {"a": A([[[1.0, 2.0], [3.0, 4.0]]]), "rank": 1},
    "deim_indices": {"basis": A([[1.0, 0.0], [2.0, 1.0], [1.0, 3.0]])},
    "maximal_volume": {"basis": A([[1.0, 0.0], [1.0, 1.0], [-0.5, 1.0]]), "slack": 0.25},
    "pivoted_columns": {"a": A([[3.0, 3.0, 0.0], [0.0, 0.5, 1.0]]), "rank": 2},
    "leverage_scores": {"a": A([[[2.0, 0.0, 0.0], [0.0, 3.0, 4.0]]]), "rank": 1},
    "select_columns": {"a": A([[2.0, 1.0, 0.0], [0.5, 3.0, 4.0]]), "rank": 2},
    "cur_factors": {"a": A([[2.0, 4.0], [1.0, 3.0]]), "rows": A([0]), "cols": A([1])},
    "cur_approximation": {"a": A([[2.0, 4.0], [1.0, 3.0]]), "rows": A([0]), "cols": A([1])},
    "cur_bound": {"a": A([[2.0, 4.0], [1.0, 3.0]]), "rows": A([0]), "cols": A([1])},
    "interpolation_weights": {"a": A([[1.0, 2.0, 1.0], [1.0, 3.0, 0.5]]), "cols": A([0, 2])},
    "cauchy_error": {"x": A([1.0, 2.0]), "y": A([1.0, 3.0]), "rows": A([1.0]), "cols": A([2.0])},
    "butterfly_dense": {"factors": A([[[[1.0, 1.0], [1.0, 2.0]]]])},
    "butterfly_dim": {"n": 4},
    "msign": {"a": A([[[1.0, 2.0], [3.0, 4.0]]])},
    "newton_schulz": {"a": A([[[1.0, 2.0], [3.0, 4.0]]]), "steps": 2, "coefficients": A([1.5, -0.5, 0.0])},
    "ns_polynomial": {"x": A([0.5, 1.0]), "steps": 2, "coefficients": A([[1.5, -0.5, 0.0], [2.0, -1.0, 0.5]])},
    "ns_accuracy": {"n": 4, "m": 2, "steps": 2, "coefficients": A([1.5, -0.5, 0.0])},
    "schatten_direction": {"g": A([[[1.0, 2.0], [3.0, 4.0]]]), "p": 3.0},
    "root_mean_square": {"a": A([[[1.0, 2.0], [3.0, 4.0]]])},
    "rms_matched_scale": {"n": 4, "m": 2, "target": 0.5},
    "svd_entropy": {"a": A([[[1.0, 2.0], [3.0, 4.0]]])},
    "adam_rms": {"beta1": A([0.5, 0.75]), "snr": A([0.0, 2.0])},
    "muon_step": {
        "w": A([[[1.0, 2.0], [3.0, 4.0]]]),
        "g": A([[[1.0, 0.5], [0.5, 2.0]]]),
        "momentum": A([[[0.5, 0.0], [1.0, 2.0]]]),
        "lr": 0.5,
        "beta": 0.5,
        "decay": 0.25,
    },
    "schatten_norm": {"a": BLOCKS, "p": 3.0},
    "schatten_gradient": {"a": BLOCKS, "p": 3.0, "rtol": 0.25},
    "spectral_derivative": {"a": BLOCKS, "direction": BLOCKS[::-1], "rtol": 0.25},
    "power_iteration": {"a": BLOCKS, "start": A([[1.0, 0.5], [0.0, 2.0]]), "iterations": 2},
    "clip_singular_values": {"a": BLOCKS, "tau": 2.0},
    "water_level": {"sigma": A([[4.0, 2.0, 0.5], [1.0, 0.0, 1.0]]), "time": A([1.0, 0.5])},
    "merge_times": {"sigma": A([[4.0, 2.0, 0.5], [1.0, 2.0, 1.0]])},
    "decayed_spectrum": {"sigma": A([[4.0, 2.0, 0.5], [1.0, 0.0, 1.0]]), "time": A([1.0, 0.5]), "rule": "clip"},
    "spectral_decay_step": {"w": BLOCKS, "rate": 0.5, "v": A([[1.0, 0.5], [0.0, 2.0]]), "iterations": 2},
    "projected_sgd": {"grad": lambda t, theta: 0.5 * theta, "theta0": A([[1.0, 2.0]]), "lrs": A([0.5, 0.25])},
    "project_ball": {"theta": A([[3.0, 4.0], [0.5, 0.5]]), "center": A([0.5, 0.0]), "radius": 2.0},
    "project_box": {"theta": A([[3.0, -1.0]]), "low": A([0.0, 0.5]), "high": A([1.0, 2.0])},
    "project_simplex": {"theta": LOGITS},
    "learning_rates": {"T": 4, "kind": "linear", "scale": 2.0},
    "refined_rates": {"grad_norms": A([[2.0, 1.0, 0.5]]), "distance": 2.0},
    "average_regret_bound": {"lrs": A([[1.0, 0.5]]), "radius": A([1.0]), "grad_bound": A([2.0])},
    "last_iterate_bound": {"lrs": A([[1.0, 0.5]]), "distance": 2.0, "grad_norms": A([1.0, 2.0])},
    "coin_flip_regret": {"T": A([1, 200]), "radius": 2.0},
    "gradient_flow": {"grad": lambda x: 0.5 * x, "x0": A([[1.0, 2.0]]), "times": A([0.5, 1.0]), "steps": 2},
    "steepest_direction": {"g": LOGITS, "p": 3.0},
    "natural_gradient": {"grad": A([[1.0, 2.0]]), "fisher": A([[[2.0, 0.5], [0.5, 1.0]]])},
    "bures_wasserstein": {
        "mean1": A([[0.5, 1.0]]),
        "cov1": A([[[2.0, 0.5], [0.5, 1.0]]]),
        "mean2": A([[1.0, 0.0]]),
        "cov2": A([[[1.0, 0.0], [0.0, 2.0]]]),
    },
    "wasserstein_1d": {"x": LOGITS, "y": A([[0.5, 1.0], [2.0, 0.0]])},
    "gaussian_jko_step": {"mean": A([1.0, 2.0]), "std": A([0.5, 2.0]), "step": A([0.25, 1.0])},
    "jko_step_1d": {
        "quantiles": A([-0.5, 0.5, 2.0]),
        "slope": lambda x: x,
        "curvature": lambda x: 1 + 0 * x,
        "step": 0.5,
    },
    "fokker_planck_matrix": {"x": A([0.0, 0.5, 1.0]), "potential": A([0.5, 0.0, 1.0])},
    "markov_semigroup": {"rates": A([[-1.0, 0.5], [1.0, -0.5]]), "time": 0.5},
    "langevin_path": {
        "score": lambda x: -x,
        "x0": A([[0.5, 1.0]]),
        "step": 0.25,
        "n_steps": 2,
        "rng": np.random.default_rng,
    },
    "ffn_experts": {"x": LOGITS, "wa": A([[1.0, 0.5], [0.0, 1.0], [2.0, -1.0]]), "wb": LOGITS, "n": 2},
    "dropped_error": {"vectors": TOKENS, "keep": A([[True, False, False], [False, True, False]])},
    "longest_subset": {"vectors": TOKENS, "k": 2},
    "best_subset": {"vectors": TOKENS, "k": 2},
    "sampling_probabilities": {"vectors": TOKENS},
    "sampling_variance": {"vectors": TOKENS, "p": A([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]])},
    "geometric_moe": {"rho": A([[1.0, 3.0, 2.0], [0.5, 1.0, 4.0]]), "vectors": TOKENS, "k": 2},
    "kept_share": {"q": A([0.5, 0.25]), "c": 2, "router": "linear"},
    "route": {"scores": LOGITS, "k": 2, "bias": A([0.0, 1.0, 0.5])},
    "expert_load": {"mask": MASK},
    "max_violation": {"load": LOAD, "target": A([0.25, 0.75])},
    "auxiliary_loss": {"p": LOAD, "mask": MASK},
    "balance_gradient": {"logits": LOGITS, "k": 2, "floor": 0.5},
    "train_router": {"x": LOGITS, "weights": LOGITS.T, "k": 1, "steps": 2, "rate": 0.5},
    "bias_update": {"bias": LOAD, "load": LOAD, "rate": 0.5},
    "balance_by_bias": {"batches": [LOGITS], "k": 2, "rate": 0.5, "bias": A([0.0, 1.0, 0.5])},
    "gamma_integrand": {"z": A([1.0, 2.0]), "angle": 0.5, "points": 40},
    "gamma_fourier": {"z": A([1.0, 2.0])},
    "log_gamma": {"z": A([1.0, 2.0])},
    "gamma": {"z": A([1.0, 2.0])},
    "gamma_fourier_line": {"sigma": 1.0, "n": 8, "length": 64.0},
    "gamma_residues": {"k_max": 2, "points": 8},
    "christoffel": {"metric": torus_metric, "x": A([0.5, 1.0])},
    "riemann_tensor": {"metric": torus_metric, "x": A([0.5, 1.0])},
    "gaussian_curvature": {"metric": torus_metric, "x": A([[0.5, 1.0]])},
    "scalar_curvature": {"metric": torus_metric, "x": A([[0.5, 1.0]])},
    "angle_deficit": {"vertices": A([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), "faces": A([[0, 1, 2]])},
    "sphere_metric": {"x": A([[0.5, 1.0]]), "radius": 2.0},
    "torus_metric": {"x": A([[0.5, 1.0]]), "outer": 2.0, "inner": 1.0},
    "half_plane_metric": {"x": A([[0.5, 1.0]])},
    "stereographic_metric": {"x": A([[0.5, 0.25]]), "curvature": -1.0},
    "geodesic": {
        "metric": torus_metric,
        "x0": A([0.5, 1.0]),
        "v0": A([0.5, 0.25]),
        "length": 0.5,
        "steps": 2,
    },
    "parallel_transport": {
        "metric": torus_metric,
        "path": A([[0.5, 1.0], [0.75, 1.0], [0.75, 1.5]]),
        "vector": A([0.5, 0.25]),
    },
    "holonomy_angle": {"metric": torus_metric, "loop": A([[0.5, 1.0], [0.75, 1.0], [0.75, 1.5], [0.5, 1.0]])},
    "walk": {"sides": A([0.5, 0.25]), "turns": A([1.0, 1.0]), "curvature": 1.0},
    "walk_gap": {"frames": A([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]), "curvature": 1.0},
    "tokenize": {"text": "a road"},
    "token_spans": {"text": "a road"},
    "inverse_document_frequency": {"doc_freq": A([1.0, 2.0]), "n_documents": A([4.0, 4.0])},
    "saturation": {"tf": A([1.0, 2.0]), "relative_length": A([1.0, 0.5]), "k1": A([1.0, 2.0]), "b": A([0.5, 0.25])},
    "quantize_length": {"n": A([41, 45])},
    "term_impacts": {"index": INDEX, "term": "road", "k1": 1.0, "b": 0.5},
    "bm25_scores": {"index": INDEX, "query": "road", "k1": 1.0, "b": 0.5},
    "search": {"index": INDEX, "query": "road", "k": 2, "k1": 1.0, "b": 0.5},
    "snippet": {"index": INDEX, "text": "a road", "query": "road", "width": 8},
    "keywords": {"index": INDEX, "document": 0, "k": 2},
    "related": {"index": INDEX, "document": 0, "k": 2, "n_keywords": 3},
    "singular": {"word": "roads"},
    "one_edit_apart": {"first": "road", "second": "raod"},
    "expand": {"index": INDEX, "query": "roads"},
    "rank": {"index": INDEX, "words": [{"road": 1.0}], "k": 2},
    "excerpt": {"index": INDEX, "text": "a road", "words": [{"road": 1.0}], "width": 8},
    "success_probability": {"q": A([0.5, 0.25]), "n": 3},
    "expected_tries": {"q": A([0.5, 1.0]), "n": 3},
    "expected_wait": {"q": A([0.5, 0.25]), "n": 3, "backoff": Backoff(1.0, 2.0)},
    "wait_tail": {"w": A([1.0, 7.0]), "q": A([0.5, 0.25]), "base": 1.0, "factor": 2.0},
    "wait_quantile": {"level": A([0.5, 0.75]), "q": A([0.5, 0.25]), "base": 1.0, "factor": 2.0},
    "tries_within": {"deadline": A([1.0, 7.0]), "base": 1.0, "factor": 2.0},
    "burst_success": {"clients": A([2.0, 8.0]), "slots": A([4.0, 16.0])},
    "simulate_contention": {
        "clients": 3,
        "backoff": Backoff(1.0, 2.0, jitter="full"),
        "rng": np.random.default_rng,
        "delay": 2.0,
        "spread": 0.5,
    },
    "offered_load": {"a": A([0.5, 2.0]), "load": A([0.5, 0.75]), "n": 3, "exponent": 2.0, "budget": 0.5},
    "build_automaton": {"shapes": [[("ab", 1, 2)]]},
    "run_automaton": {"automaton": AUTOMATON, "text": "ab"},
    "path_counts": {"automaton": AUTOMATON},
    "rank_word": {"automaton": AUTOMATON, "word": "ab"},
    "unrank_word": {"automaton": AUTOMATON, "rank": 2},
    "explain_address": {"text": "2402.12354"},
    "find_paper_ids": {"text": "2402.12354"},
    "pick_paper_ids": {"evidence": ["2402.12354"]},
    "render_source": {"paper": PAPER},
    "render_reader": {"papers": [PAPER]},
    "render_search": {"text": "a road"},
    "rank_arxiv": {"key": "2402.12354"},
    "unrank_arxiv": {"rank": 5},
    "paper_link_script": {"template": "TABLE"},
    "priority_waits": {"rates": A([0.25, 0.5]), "service_rate": 2.0},
    "simulate_priority": {"rng": np.random.default_rng, "rates": A([0.25, 0.5]), "service_rate": 2.0, "jobs": 5},
    "cosine_integral": {"x": A([0.5, 8.0])},
    "normal_cdf": {"s": A([0.5, -1.0])},
    "normal_quantile": {"t": A([0.5, 0.25])},
    "log_normal_cdf": {"s": A([0.5, -1.0])},
    "log_normal_density": {"s": A([0.5, -1.0])},
}
DOORS = [(n, a) for n, given in EXAMPLES.items() for a, v in given.items() if isinstance(v, np.ndarray)]
FLOATS = [(n, a) for n, a in DOORS if EXAMPLES[n][a].dtype == float]
NUMBERS = [(n, a) for n, given in EXAMPLES.items() for a, v in given.items() if type(v) in (int, float)]
# Infinity has a meaning there, which the docstring tells.
INFINITE = {("normal_cdf", "s"), ("log_normal_cdf", "s"), ("log_normal_density", "s"), ("admissible_bases", "upper")}
INFINITE |= {("snr_levels", "log_snr")}
every_door = pytest.mark.parametrize(("name", "argument"), DOORS)
every_float = pytest.mark.parametrize(("name", "argument"), FLOATS)
every_number = pytest.mark.parametrize(("name", "argument"), NUMBERS)
every_function = pytest.mark.parametrize("name", EXAMPLES)


def call(name, **changes):
    """Call a function on its example; a generator of random numbers is made anew."""
    given = {**EXAMPLES[name], **changes}
    given = {key: value(0) if value is np.random.default_rng else value for key, value in given.items()}
    return FUNCTIONS[name](**given)


def parts(result):
    """Return the arrays and numbers of a result, whatever it is made of."""
    if isinstance(result, bytes):
        return [A(list(result))]
    if isinstance(result, tuple | list | dict):
        elements = result.values() if isinstance(result, dict) else result
        return [part for element in elements for part in parts(element)]
    return [] if result is None or isinstance(result, str | PaperId | Automaton) else [result]


def test_every_public_function_has_an_example():
    assert set(EXAMPLES) == set(FUNCTIONS)


@every_function
def test_everything_computes_in_float64(name):
    for part in parts(call(name)):
        if isinstance(part, np.ndarray):
            assert part.dtype in (float, complex, bool, np.int64, np.int32), part.dtype
        assert not np.isnan(np.asarray(part)).any()


@every_float
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, object, ">f8"])
def test_a_float_of_any_type_gives_what_its_float64_gives(name, argument, dtype):
    value = EXAMPLES[name][argument]
    if dtype is object:
        value = np.vectorize(Fraction, otypes=[object])(value)
    for found, expected in zip(parts(call(name, **{argument: value.astype(dtype)})), parts(call(name)), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert getattr(found, "dtype", None) == getattr(expected, "dtype", None)


@every_door
def test_no_function_writes_into_its_arguments_and_any_layout_will_do(name, argument):
    value = EXAMPLES[name][argument]
    strided = np.repeat(value, 2, axis=-1)[..., ::2]
    kept = strided.copy()
    strided.setflags(write=False)
    for found, expected in zip(parts(call(name, **{argument: strided})), parts(call(name)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(strided, kept)
    np.testing.assert_array_equal(parts(call(name, **{argument: value.tolist()}))[0], parts(call(name))[0])


@every_door
def test_what_is_no_array_of_numbers_is_refused_by_name(name, argument):
    value = EXAMPLES[name][argument]
    start = rf"^(denoise\(x, t\)|{argument}) must "
    for bad in (
        np.ma.masked_array(value, mask=np.ones(value.shape, bool)),
        np.ma.masked_array(value),
        value.astype(str),
        value.astype(int).astype("M8[D]"),
        np.full(value.shape, None),
        "text",
        None
        if argument not in ("sigma", "target", "bias", "grid", "x0", "weights", "bar_beta", "s_end", "power", "start")
        else {},
        [1.0, [2.0]],
    ):
        with pytest.raises(TypeError, match=start + r".*, got .{1,80}$"):
            call(name, **{argument: bad})


@every_float
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_never_enters_and_infinity_only_where_it_is_meant(name, argument, bad):
    value = EXAMPLES[name][argument].copy()
    value.flat[-1] = bad
    mask = bad == -np.inf and argument in ("x", "scores", "logits", "batches") and name in LEAVES_OUT
    if ((name, argument) in INFINITE and not np.isnan(bad)) or mask:
        assert not any(np.isnan(part).any() for part in map(np.asarray, parts(call(name, **{argument: value}))))
    else:
        with pytest.raises(ValueError, match=rf"^{argument} must .*, got "):
            call(name, **{argument: value})


# Maps of logits, in which -inf leaves an entry out.
LEAVES_OUT = {
    "softmax",
    "logsumexp",
    "sparse_softmax",
    "sparsemax",
    "entmax",
    "entmax_jacobian",
    "entmax_loss",
    "support_size",
    "perturb_max",
    "permute_and_flip",
    "top_k_mask",
    "grad_top_k",
    "log_subset_sum",
    "threshold_top_k",
    "top_k_threshold",
    "top_k_jacobian",
    "route",
    "balance_gradient",
    "attention_state",
}


@every_float
def test_a_huge_value_gives_a_finite_result_or_a_refusal(name, argument):
    for size in (1e160, 1.7e308, 1e-170):
        with np.errstate(over="ignore"):
            value = np.clip(EXAMPLES[name][argument] * size, -1.7e308, 1.7e308)
        try:
            result = call(name, **{argument: value})
        except np.linalg.LinAlgError:
            continue
        except ValueError as error:
            message = str(error)
        else:
            finite = all(np.isfinite(part).all() for part in map(np.asarray, parts(result)))
            message = "" if finite or name.startswith(("log_normal_", "priority_")) else "a result that is not finite"
        assert re.match(r"$|[\w(), ]+ must .*, got ", message)


@every_number
def test_an_array_without_axes_is_a_number(name, argument):
    for found, expected in zip(
        parts(call(name, **{argument: A(EXAMPLES[name][argument])})), parts(call(name)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@every_number
def test_what_is_no_number_is_refused_by_name(name, argument):
    for bad in ("2", None, True, [1.0], 1j):
        if bad is None and argument in ("angle", "points", "order"):
            continue
        with pytest.raises(TypeError, match=rf"^{argument} must "):
            call(name, **{argument: bad})


# Functions of numbers, elementwise or reduced to one number for each of a batch, called on one.
ONE = {
    "rope_coherence": {"m": 2.0},
    "leaky_distance": {"m": 8.0},
    "self_extend_distance": {"query": 9, "key": 2},
    "attention_scale": {"length": 16.0},
    "bias_kernel": {"m": 2.0, "a": A([1.0, 2.0]), "b": A([0.5, 1.0])},
    "reflection_error": {"positions": A([[1.0, 1.0], [1.0, 2.0]])},
    "quantize": {"x": A([0.25, 0.5])},
    "energy_distance": {"x": A([[0.0], [1.0]]), "y": A([[2.0], [4.0]])},
    "logsumexp": {"x": LOGITS[0]},
    "entmax_loss": {"x": LOGITS[0], "t": 1},
    "support_size": {"x": LOGITS[0]},
    "activate": {"x": 1.0},
    "init_std": {},
    "truncated_normal_std": {"cut": 2.0},
    "log_subset_sum": {"x": LOGITS[0]},
    "triangular_logdet": {"a": LOWER[0]},
    "triangular_condition": {"a": LOWER[0]},
    "effective_rank": {"a": LOWER[0]},
    "stable_rank": {"a": LOWER[0]},
    "numerical_rank": {"a": LOWER[0]},
    "top_k_threshold": {"x": LOGITS[0]},
    "terminal_kl_bits": {"bar_alpha": 0.5, "second_moment": 1.0},
    "gaussian_chain_variance": {"variance": 0.5},
    "gaussian_mean_time": {"t": 2.0, "u": 1.0, "std": 1.0},
    "balanced_lr_ratio": {"grad_a": A([[1.0]]), "grad_b": A([[2.0]])},
    "lr_ratio_theory": {"n": 4.0, "m": 2.0, "r": 1.0},
    "aligned_lr_ratio": {"n": 4.0, "m": 2.0, "r": 1.0, "phi": 0.5},
    "log_snr": {"bar_alpha": 0.5, "bar_beta": 0.5},
    "shift_time": {"t": 0.5, "s": 2.0},
    "cosine_log_snr": {"t": 0.5, "s": 2.0, "s_end": 4.0},
    "pooling_response": {"omega": 0.5},
    "remaining_uncertainty": {"snr": 0.5},
    "transfer_function": {"z": 1.0},
    "legt_delay_response": {"z": 1.0},
    "legs_resolution": {"a": 1.0},
    "diagonal_gap": {"s": 1.0},
    "low_rank_error": {"a": np.eye(2)},
    "ns_polynomial": {"x": 0.5},
    "schatten_norm": {"a": np.eye(2)},
    "root_mean_square": {"a": np.eye(2)},
    "svd_entropy": {"a": np.eye(2)},
    "adam_rms": {"beta1": 0.5, "snr": 1.0},
    "spectral_derivative": {"a": np.eye(2), "direction": np.eye(2)},
    "water_level": {"sigma": A([2.0, 1.0]), "time": 0.5},
    "average_regret_bound": {"lrs": A([1.0, 0.5]), "radius": 1.0, "grad_bound": 1.0},
    "last_iterate_bound": {"lrs": A([1.0, 0.5])},
    "coin_flip_regret": {"T": 4},
    "bures_wasserstein": {"mean1": A([0.5]), "cov1": A([[1.0]]), "mean2": A([1.0]), "cov2": A([[2.0]])},
    "wasserstein_1d": {"x": A([1.0, 0.5]), "y": A([2.0])},
    "dropped_error": {"vectors": TOKENS[0], "keep": A([True, False, False])},
    "sampling_variance": {"vectors": TOKENS[0], "p": A([0.5, 0.25, 0.25])},
    "kept_share": {"q": 0.25},
    "max_violation": {"load": LOAD[0]},
    "auxiliary_loss": {},
    "gamma_fourier": {"z": 2.0},
    "log_gamma": {"z": 2.0},
    "gamma": {"z": 2.0},
    "gaussian_curvature": {"x": A([0.5, 1.0])},
    "scalar_curvature": {"x": A([0.5, 1.0])},
    "holonomy_angle": {},
    "inverse_document_frequency": {"doc_freq": 1, "n_documents": 4},
    "saturation": {"tf": 1, "relative_length": 1.0, "k1": 1.0, "b": 0.5},
    "quantize_length": {"n": 41},
    "success_probability": {"q": 0.5},
    "expected_tries": {"q": 0.5},
    "expected_wait": {"q": 0.5},
    "wait_tail": {"w": 7.0, "q": 0.5},
    "wait_quantile": {"level": 0.5, "q": 0.5},
    "tries_within": {"deadline": 7.0},
    "burst_success": {"clients": 8.0, "slots": 4.0},
    "offered_load": {"a": 2.0, "load": 0.5},
    "cosine_integral": {"x": 1.0},
    "normal_cdf": {"s": 1.0},
    "normal_quantile": {"t": 0.25},
    "log_normal_cdf": {"s": 1.0},
    "log_normal_density": {"s": 1.0},
}


def test_a_result_without_axes_is_a_number_whatever_the_function():
    scalar = (float, complex, np.integer)
    for name, given in ONE.items():
        assert isinstance(call(name, **given), scalar), name
    assert isinstance(call("saturation", **ONE["saturation"], k1_plus_1=False), float)
    for name in EXAMPLES:
        assert not any(isinstance(part, np.ndarray) and part.ndim == 0 for part in parts(call(name))), name


# The argument whose first axis is a batch, where there is one, and the axis of the result that it becomes.
BATCHES = {
    **dict.fromkeys(
        [
            *sorted(LEAVES_OUT - {"attention_state", "balance_gradient", "entmax_loss", "top_k_mask", "route"}),
            "taylor_softmax",
            "iterated_top_k",
        ],
        "x",
    ),
    "entmax_loss": "x t",
    "top_k_mask": "scores",
    "attention_matrix": "queries keys",
    "linear_attention_matrix": "queries keys",
    "attention_state": "logits values",
    "streaming_attention": "queries keys values",
    "triangular_logdet": "a",
    "triangular_condition": "a",
    "effective_rank": "a",
    "stable_rank": "a",
    "numerical_rank": "a",
    "collapse_trace": "x",
    "activate": "x",
    "activation_moments": "std",
    "selu_constants": "variance",
    "truncated_normal_std": "cut",
    "project_ball": "theta",
    "project_box": "theta",
    "project_simplex": "theta",
    "refined_rates": "grad_norms",
    "average_regret_bound": "lrs radius grad_bound",
    "last_iterate_bound": "lrs",
    "coin_flip_regret": "T",
    "steepest_direction": "g",
    "natural_gradient": "grad fisher",
    "bures_wasserstein": "mean1 cov1 mean2 cov2",
    "wasserstein_1d": "x y",
    "gaussian_jko_step": "mean std step",
    "ffn_experts": "x",
    "dropped_error": "vectors keep",
    "longest_subset": "vectors",
    "best_subset": "vectors",
    "sampling_probabilities": "vectors",
    "sampling_variance": "vectors p",
    "geometric_moe": "rho vectors",
    "kept_share": "q",
    "route": "scores",
    "balance_gradient": "logits",
    "rotate": "x positions",
    "log_snr": "bar_alpha bar_beta",
    "shift_time": "t s",
    "cosine_log_snr": "t s s_end",
    "pooling_response": "omega",
    "remaining_uncertainty": "snr",
    "rope_coherence": "m",
    "pi_frequencies": "s",
    "ntk_frequencies": "s",
    "yarn_frequencies": "s",
    "dynamic_ntk_frequencies": "length",
    "unseen_turns": "theta_new test_length",
    "leaky_distance": "m",
    "self_extend_distance": "query key",
    "attention_scale": "length",
    "bias_kernel": "a b",
    "bias_pair": "c",
    "logit_terms": "q k a b",
    "fit_bias_kernel": "target",
    "attention_by_band": "logits",
    "rotate_axes": "x positions",
    "reflection_error": "positions",
    "patchify": "x",
    "unpatchify": "patches",
    "reverse_water_filling": "variances bits",
    "quantize": "x",
    "energy_distance": "x y",
    "denoise_gaussian": "x t",
    "denoise_mixture": "x t",
    "denoise_points": "x t",
    "velocity": "x t",
    "tune_skip": "x t rho",
    "sample_tuned": "x rho",
    "skip_gain": "std rho",
    "best_skip": "std",
    "skip_net": "x",
    "linearity": "y",
    "diffuse": "x0 noise t",
    "terminal_kl_bits": "bar_alpha second_moment",
    "solve_diffusion_ode": "x",
    "solve_reference": "x",
    "ancestral_sample": "x",
    "codebook_sample": "x codes",
    "codebook_encode": "x toward",
    "codebook_errors": "size",
    "flow_denoise": "x t",
    "flow_velocity_variance": "x t",
    "consistency_mixture": "x t",
    "consistency_step": "x",
    "consistency_sample": "x",
    "gaussian_consistency_gain": "std",
    "particle_distillation_gradient": "particles",
    "gaussian_mean_time": "t u std",
    "gaussian_chain_variance": "variance",
    "reverse_noise": "variance",
    "state_scan": "u x0",
    "transfer_function": "z",
    "legt_delay_response": "z",
    "project_piecewise_constant": "u",
    "reconstruct": "c",
    "legs_resolution": "a",
    "legs_transition": "r",
    "legs_step": "x u",
    "legs_scan": "u",
    "legs_impulse_response": "t",
    "lora_gradients": "x grad_y",
    "output_changes": "x",
    "balanced_lr_ratio": "grad_a grad_b",
    "lr_ratio_theory": "n m r",
    "aligned_lr_ratio": "n m r phi",
    "diagonal_gap": "s",
    "dplr_scan": "u",
    "power_kernel": "bbar c",
    "diagonal_kernel": "b c",
    "causal_convolution": "u K",
    "monarch_matvec": "x",
    "monarch_solve": "y",
    "monarch_project": "a",
    "low_rank_error": "a",
    "msign": "a",
    "newton_schulz": "a",
    "ns_polynomial": "x",
    "schatten_norm": "a",
    "schatten_direction": "g",
    "root_mean_square": "a",
    "svd_entropy": "a",
    "adam_rms": "beta1 snr",
    "muon_step": "w g momentum",
    "schatten_gradient": "a",
    "spectral_derivative": "a direction",
    "power_iteration": "a start",
    "clip_singular_values": "a",
    "water_level": "sigma time",
    "merge_times": "sigma",
    "decayed_spectrum": "sigma time",
    "spectral_decay_step": "w v",
    "leverage_scores": "a",
    "max_violation": "load",
    "bias_update": "bias load",
    "gamma_fourier": "z",
    "gamma_integrand": "z",
    "log_gamma": "z",
    "gamma": "z",
    "gaussian_curvature": "x",
    "scalar_curvature": "x",
    "sphere_metric": "x",
    "torus_metric": "x",
    "half_plane_metric": "x",
    "stereographic_metric": "x",
    "walk_gap": "frames",
    "inverse_document_frequency": "doc_freq n_documents",
    "saturation": "tf relative_length k1 b",
    "quantize_length": "n",
    "success_probability": "q",
    "expected_tries": "q",
    "expected_wait": "q",
    "wait_tail": "w q",
    "wait_quantile": "level q",
    "tries_within": "deadline",
    "burst_success": "clients slots",
    "offered_load": "a load",
    "cosine_integral": "x",
    "normal_cdf": "s",
    "normal_quantile": "t",
    "log_normal_cdf": "s",
    "log_normal_density": "s",
}


@pytest.mark.parametrize("name", BATCHES)
def test_an_empty_batch_gives_an_empty_result(name):
    cut = {a: EXAMPLES[name][a][:0] for a in BATCHES[name].split()}
    if name == "balance_gradient":
        cut = {"logits": np.zeros((0, *LOGITS.shape))}
    empty, full = parts(call(name, **cut)), parts(call(name))
    assert len(empty) == len(full)
    assert any(part.size == 0 for part in empty if isinstance(part, np.ndarray))
    for found, expected in zip(empty, full):
        if found.ndim == expected.ndim and found.size == 0:
            assert found.shape[1:] == expected.shape[1:]
            assert found.dtype == expected.dtype


# --- the doors themselves ---


@pytest.mark.parametrize(
    ("value", "options", "error", "message"),
    [
        ([2**53, 2**53 + 1], {}, ValueError, "x must hold integers that float64 represents, got 9007199254740993"),
        (A([2**64 - 1], dtype=np.uint64), {}, ValueError, "x must hold integers that float64 represents, got 1844"),
        ([2**70 + 1], {}, ValueError, "x must hold integers that float64 represents, got 11805"),
        ([10**400], {}, ValueError, "x must hold integers that float64 represents, got an integer of 1329 bits"),
        (
            [2**63],
            {"kind": "integer"},
            ValueError,
            "x must hold integers that int64 represents, got 9223372036854775808",
        ),
        ([1.0], {"kind": "integer"}, TypeError, "x must be an array of integers, got dtype float64"),
        ([1], {"kind": "boolean"}, TypeError, "x must be an array of booleans, got dtype int64"),
        ([1j], {}, TypeError, "x must be an array of real numbers, got dtype complex128"),
        ([1.0, None], {}, TypeError, "x must be an array of real numbers, got None"),
        ([[1.0], [1.0, 2.0]], {}, TypeError, r"x must be an array of real numbers, got \[\[1.0\], \[1.0, 2.0\]\]"),
        ([[1.0]], {"ndim": 1}, ValueError, r"x must have 1 axis, got shape \(1, 1\)"),
        (1.0, {"ndim": 2}, ValueError, r"x must have 2 axes, got shape \(\)"),
        (1.0, {"core": 1}, ValueError, r"x must have at least 1 axis, got shape \(\)"),
        (np.zeros((2, 0)), {"core": 1}, ValueError, r"x must not be empty, got shape \(2, 0\)"),
        ([1.0, 2.0], {"last": 3}, ValueError, r"x must have a last axis of length 3, got shape \(2,\)"),
        ([1.0, 2.0], {"shape": (3,)}, ValueError, r"x must have shape \(3,\), got shape \(2,\)"),
        ([1.0, -2.0], {"low": 0}, ValueError, r"x must not be negative, got -2\.0"),
        ([1.0, 0.0], {"low": 0, "open": "low"}, ValueError, r"x must be positive, got 0\.0"),
        ([0.5], {"low": 1}, ValueError, r"x must be at least 1, got 0\.5"),
        ([1.0], {"low": 1, "open": "low"}, ValueError, r"x must be above 1, got 1\.0"),
        ([2.0], {"high": 1}, ValueError, r"x must be at most 1, got 2\.0"),
        ([1.0], {"high": 1, "open": "high"}, ValueError, r"x must be below 1, got 1\.0"),
        ([1.5], {"low": 0, "high": 1}, ValueError, r"x must lie in \[0, 1\], got 1\.5"),
        ([0.0], {"low": 0, "high": 1, "open": "both"}, ValueError, r"x must lie in \(0, 1\), got 0\.0"),
        ([1.0], {"low": 0, "high": 1, "open": "high"}, ValueError, r"x must lie in \[0, 1\), got 1\.0"),
    ],
)
def test_each_check_has_its_wording(value, options, error, message):
    with pytest.raises(error, match=f"^{message}"):
        _checks.array("x", value, **options)


INTEGERS = [(n, a) for n, a in NUMBERS if type(EXAMPLES[n][a]) is int]


@pytest.mark.parametrize(("name", "argument"), INTEGERS)
def test_an_integer_that_no_machine_holds_is_refused_by_name_and_in_short(name, argument):
    for huge in (10**400, 10**5000, -(10**400)):  # Python writes no more than 4300 digits
        with pytest.raises(ValueError, match=rf"^{argument} must .{{,90}}, got an integer of \d+ bits$"):
            call(name, **{argument: huge})


# Functions that square, and the power of a common factor of some arguments that they keep.
SCALED = [
    ("quantize", ("x", "codes"), 0),
    ("fit_codebook", ("x",), 1),
    ("energy_distance", ("x", "y"), 1),
    ("denoise_mixture", ("x", "t", "means", "stds"), 1),
    ("denoise_points", ("x", "t", "points"), 1),
    ("longest_subset", ("vectors",), 0),
    ("best_subset", ("vectors",), 0),
    ("sampling_probabilities", ("vectors",), 0),
]


@pytest.mark.parametrize(("name", "arguments", "power"), SCALED)
@pytest.mark.parametrize("exponent", [-1000, -660, 660, 1000])
def test_a_common_factor_of_all_lengths_may_be_of_any_size(name, arguments, power, exponent):
    given = {argument: np.ldexp(EXAMPLES[name][argument], exponent) for argument in arguments}
    for found, expected in zip(parts(call(name, **given)), parts(call(name)), strict=True):
        np.testing.assert_allclose(found * 1.0, np.ldexp(expected * 1.0, power * exponent), rtol=1e-13, atol=0)


def test_an_integer_fills_int64_unless_another_end_is_given():
    for size in (2**63 - 1, -(2**63), np.uint64(2**63 - 1)):
        assert _checks.integer("n", size) == size
    assert _checks.integer("n", 2**63, high=2**63) == 2**63
    with pytest.raises(ValueError, match=r"^n must be at most 9223372036854775807, got 9223372036854775808$"):
        _checks.integer("n", 2**63)
    with pytest.raises(ValueError, match=r"^n must be at least -9223372036854775808, got -9223372036854775809$"):
        _checks.integer("n", -(2**63) - 1)


def test_an_iterable_is_no_string_no_mapping_and_no_number():
    assert list(_checks.iterable("x", (word for word in ["a", "b"]), "words")) == ["a", "b"]
    for bad in ("ab", {"a": 1}, 3, None, A(1.0)):
        with pytest.raises(TypeError, match=r"^x must be an iterable of words, got "):
            _checks.iterable("x", bad, "words")


def test_what_float64_holds_passes():
    for value, expected in (
        ([2**53, -(2**53), 2**60], [2.0**53, -(2.0**53), 2.0**60]),
        ([2**70], [2.0**70]),
        ([Fraction(1, 2), 3], [0.5, 3.0]),
        ([True, False], [1.0, 0.0]),
        (A([1, 2], dtype=np.uint8), [1.0, 2.0]),
        ([], []),
        (A([-np.inf]), None),
    ):
        if expected is None:
            assert _checks.array("x", value, finite=False)[0] == -np.inf
        else:
            np.testing.assert_array_equal(_checks.array("x", value), expected)
    assert _checks.array("x", [1, 2], kind="complex").dtype == float
    assert _checks.array("x", [1j, 2], kind="complex").dtype == complex
    assert _checks.array("x", [1, 2], kind="integer").dtype == np.int64


def test_a_distribution_may_carry_the_rounding_of_its_own_type_and_no_more():
    logits = np.random.default_rng(0).normal(size=(4096, 64)).astype(np.float32)
    exponentials = np.exp(logits)
    p = exponentials / exponentials.sum(axis=-1, keepdims=True)
    assert np.abs(p.sum(axis=-1, dtype=float) - 1).max() > 1e-8
    assert _checks.distribution("p", p).dtype == float
    assert _checks.distribution("p", p.astype(np.float16)).shape == p.shape
    for wrong in (p.astype(float) * (1 + 1e-8), (p * np.float32(1.001)).astype(np.float32)):
        with pytest.raises(ValueError, match=r"^p must have the sum 1, got "):
            _checks.distribution("p", wrong)
    with pytest.raises(ValueError, match=r"^p must be positive, got 0\.0"):
        _checks.distribution("p", [1.0, 0.0], positive=True)


def test_a_broadcast_that_fails_names_the_arguments_and_their_own_shapes():
    with pytest.raises(ValueError, match=r"^x and positions must broadcast in their leading axes, got shapes \(5, 4\)"):
        call("rotate", x=np.ones((5, 4)), positions=np.arange(4.0))
    with pytest.raises(ValueError, match=r"^L, R and x must broadcast in their leading axes, got shapes \(3, 2"):
        call("monarch_matvec", L=np.stack(3 * [BLOCKS]), x=np.ones((2, 4)))


def test_the_work_is_bounded_whatever_the_argument():
    assert call("legs_resolution", n=4, a=[2.0**53, 1e300]) == pytest.approx([1, 1])
    with pytest.raises(ValueError, match=r"^z must not need more than a million nodes"):
        call("log_gamma", z=[1 + 1e9j])


def test_the_binary_exponent_brings_the_largest_entry_between_a_half_and_one():
    for x in (1.0, 0.75, 3.0, 5e-324, 1.7e308):
        assert 0.5 <= np.ldexp(x, -_checks.binary_exponent(np.array([0.0, -x]))) < 1
    assert _checks.binary_exponent(np.zeros(3)) == _checks.binary_exponent(np.zeros((0, 2))) == 0
    assert (
        _checks.binary_exponent(np.zeros(3), np.array([1e-200])) == _checks.binary_exponent(np.array([1e-200])) < -600
    )
    rows = _checks.binary_exponent(np.array([[[1.0, 4.0]], [[0.25, 0.0]]]), np.array([[[2.0], [-0.5]]]), axis=(-2, -1))
    np.testing.assert_array_equal(rows, [[[3]], [[2]]])

"""What a reader who changes a constant in a live kernel meets: notes where something no longer holds, and no error."""

import re

import pytest
from support import code_cells, run_as_reader, run_chapter

from extensions import chapters

# One constant of each chapter that invites to be changed, as it stands in the cell, and what a reader may put there.
CHANGES = {
    "rope_base": ("d = 128", "d = 64"),
    "length_extrapolation": ("d, L = 128, 4096", "d, L = 64, 2048"),
    "rope_bias": ("d, L = 128, 512", "d, L = 128, 256"),
    "multimodal_rope": ("d = 128", "d = 64"),
    "multimodal_lossless": ("side = 256", "side = 128"),
    "softmax_alternatives": ("scores = np.array([2, 1.5, 0.3, -0.5, -2])", "scores = np.array([2, 1, 0.3, -0.5, -3])"),
    "initialization": ("depth, networks = 50, 1000", "depth, networks = 50, 300"),
    "attention_focus": ("n = 256", "n = 128"),
    "decoder_only": ("n = 64\nqueries", "n = 48\nqueries"),
    "attention_as_rnn": ("layers = 12", "layers = 24"),
    "smooth_top_k": ("scores = np.array([3, 2.5, 2, 1, 0, -1])", "scores = np.array([3, 1, 0.9, 0.5, 0, -4])"),
    "ddpm": ("[0.2, 0.15, 0.25], [0.3, 0.5, 0.2]", "[0.2, 0.15, 0.25], [0.5, 0.3, 0.2]"),
    "snr_high_resolution": ("small = 64", "small = 32"),
    "amed_sampler": ("disk_images(32, 8, rng[0])", "disk_images(24, 8, rng[0])"),
    "consistency_models": ('three["weights"] = [0.3, 0.5, 0.2]', 'three["weights"] = [0.5, 0.3, 0.2]'),
    "idempotent_generation": ("a = 1\n", "a = 1.5\n"),
    "ddpm_codebooks": ("n, T = 16, 100", "n, T = 12, 100"),
    "skip_tuning": ("np.array([0.3, 0.5, 0.2]), 0.2", "np.array([0.3, 0.5, 0.2]), 0.5"),
    "score_identity_distillation": ("bar_alpha, a_stops = 0.9", "bar_alpha, a_stops = 0.5"),
    "hippo": ("np.sin(6 * np.pi * t)", "np.sin(24 * np.pi * t)"),
    "s4": ("sizes = (16, 64, 256)", "sizes = (1, 64, 256)"),
    "monarch": ('"uniform": lambda g, shape: g.random(shape)', '"uniform": lambda g, shape: g.standard_normal(shape)'),
    "spectral_weight_decay": ("np.array([10, 8, 7, 6.5,", "np.array([12, 8, 7, 6.5,"),
    "moe_load_balance": ("np.array([[0.51, 0.49]] * 9 + [[0.0, 1.0]])", "np.array([[0.6, 0.4]] * 9 + [[0.2, 0.8]])"),
    "muon": ("np.array([1, 0.3, 0.1, 0.03, 0.01])", "np.array([1, 0.6, 0.1, 0.03, 0.02])"),
    "lora_plus": ("np.array([1.0, 4, 16, 64])", "np.array([1.0, 2, 3, 4])"),
    "sgd_convergence": ("profile = 1 + 3 *", "profile = 1 + 0.5 *"),
    "gradient_flow": ("mean, std = 2.0, 0.5", "mean, std = 1.0, 0.5"),
    "cur": ("noise = 0.1 *", "noise = 0.5 *"),
    "moe_geometry": ("width, hidden, inputs = 256, 2048", "width, hidden, inputs = 256, 512"),
    "gamma_fourier": ("1 + 40j, 3 + 100j]", "1 + 40j, 3 + 4j]"),
    "riemannian_geometry": ('"ball": 1.0', '"ball": 0.5'),
    "site_search": ('"f needle", "h i"]', '"the f needle", "the h"]'),
    "papers_redirect": ('(("0", "7"), ("0", "456789"))', '(("0", "7"), ("0", "56789"))'),
    "python_retry": ("TRIES, DELAY = 5, 2.0", "TRIES, DELAY = 4, 2.0"),
}


def test_every_chapter_has_a_constant_to_change():
    assert set(CHANGES) == set(chapters.slugs())


def stated(made):
    """Return all lines of the derivations of a chapter, and what they rest on."""
    return [
        [(str(old), str(step.new), str(step.options.get("given")), str(step.options["where"])) for old, step in lines]
        for lines in (chain.lines() for chain in made.derivations)
    ]


@pytest.mark.parametrize("slug", chapters.slugs())
def test_after_a_constant_is_changed_everything_below_still_runs(slug):
    made = run_as_reader(slug, *CHANGES[slug])
    declared = sum(len(re.findall(r"\bExplorer\(", cell.source)) for cell in code_cells(slug))
    assert len(made.explorers) == declared > 0
    assert stated(made) == stated(run_chapter(slug)), "a derivation reads the constant: its steps were not proved here"
    for explorer in made.explorers.values():
        for name, control in explorer.controls.items():
            for stop in (control.stops[0], control.stops[-1]):
                assert "<svg" in explorer.live(**{name: stop})
        assert "<svg" in explorer.live()
    noted = [check for check in made.checks if not check.holds]
    assert noted, "the change is not felt: choose one that matters"
    assert len(noted) < len(made.checks)
    assert all(str(check).startswith("✗ does not hold here: ") for check in noted)

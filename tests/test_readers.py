"""What a reader who changes a constant in a live kernel meets: notes where something no longer holds, and no error."""

import re

import pytest
from support import code_cells, run_as_reader

from extensions import chapters

# One constant of each chapter that invites to be changed, as it stands in the cell, and what a reader may put there.
CHANGES = {
    "rope_base": ("d = 128", "d = 64"),
    "softmax_alternatives": ("scores = np.array([2, 1.5, 0.3, -0.5, -2])", "scores = np.array([2, 1, 0.3, -0.5, -3])"),
    "ddpm": ("rng = np.random.default_rng(9119)", "rng = np.random.default_rng(1)"),
    "amed_sampler": ("disk_images(32, 8, rng[0])", "disk_images(24, 8, rng[0])"),
    "hippo": ("u, s_axis = signal(1000)", "u, s_axis = 2 * signal(1000)"),
    "monarch": ("rng = np.random.default_rng(10249)", "rng = np.random.default_rng(2)"),
    "moe_load_balance": ("np.array([[0.51, 0.49]] * 9 + [[0.0, 1.0]])", "np.array([[0.6, 0.4]] * 9 + [[0.2, 0.8]])"),
    "gamma_fourier": ("def impostor(z, a=0.1):", "def impostor(z, a=0.001):"),
    "site_search": ('"retry": "Retry the call.', '"retry": "Retry the call, retry it.'),
}


def test_every_chapter_has_a_constant_to_change():
    assert set(CHANGES) == set(chapters.slugs())


@pytest.mark.parametrize("slug", chapters.slugs())
def test_after_a_constant_is_changed_everything_below_still_runs(slug):
    made = run_as_reader(slug, *CHANGES[slug])
    declared = sum(len(re.findall(r"\bExplorer\(", cell.source)) for cell in code_cells(slug))
    assert len(made.explorers) == declared > 0
    for explorer in made.explorers.values():
        for name, control in explorer.controls.items():
            for stop in (control.stops[0], control.stops[-1]):
                assert explorer.svg(**{name: stop}).startswith("<")
        assert explorer.svg().startswith("<")
    assert len(made.checks) >= 5


def test_the_changes_are_felt():
    made = run_as_reader("softmax_alternatives", *CHANGES["softmax_alternatives"])
    noted = [check for check in made.checks if not check.holds]
    assert noted
    assert all(check.got for check in noted), "a note says what was found"

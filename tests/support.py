"""What several test files call: where the site is, and a chapter run in this process."""

import functools
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import pytest

from extensions import chapters
from kexue_core.notebook import checks
from kexue_core.notebook import derivation as proofs
from kexue_core.notebook.derivation import Derivation
from kexue_core.notebook.explorer import Explorer

SITE = chapters.BUILD / "html"
plt.switch_backend("agg")


@functools.lru_cache(maxsize=1)  # the tests of a chapter come together: its arrays are let go with it
def run_chapter(slug):
    """Run the code of a chapter in this process; return its derivations and explorers by order of creation.

    The steps are not proved here: nbval does that, and test_perturbation once more.
    """
    return run(slug, [cell.source for cell in code_cells(slug)], unproved())


@functools.lru_cache(maxsize=1)
def run_as_reader(slug, old, new):
    """Run a chapter in which a reader has changed a constant; its derivations are not proved anew."""
    sources = [cell.source for cell in code_cells(slug)]
    place = next((place for place, source in enumerate(sources) if old in source), None)
    assert place is not None, f"no cell of {slug} holds {old!r}"
    sources[place] = sources[place].replace(old, new, 1)
    patch = unproved()
    patch.delenv("KEXUE_STRICT", raising=False)
    return run(slug, sources, patch)


def unproved():
    """Return a patch under which no step of a derivation is proved."""
    patch = pytest.MonkeyPatch()
    patch.setattr(proofs, "verify", lambda old, step: None)
    return patch


def code_cells(slug):
    """Return the code cells of a chapter."""
    cells = nbformat.read(chapters.notebook_path(slug), 4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def run(slug, sources, patch):
    """Run the sources of cells one after the other; undo the patch."""
    made = SimpleNamespace(derivations=[], explorers={}, checks=[])

    def recorded(cls, record):
        original = cls.__init__

        def init(self, *args, **kwargs):
            original(self, *args, **kwargs)
            record(self)

        patch.setattr(cls, "__init__", init)

    recorded(Derivation, made.derivations.append)
    recorded(Explorer, lambda explorer: made.explorers.update({explorer.name: explorer}))
    patch.setattr(checks, "display", made.checks.append)
    patch.setattr(plt, "show", lambda: plt.close("all"))  # as a notebook does: the next picture begins anew
    patch.chdir(chapters.ROOT / "chapters")
    namespace = made.namespace = {"__name__": "__main__", "display": lambda *objects: None}
    try:
        for number, source in enumerate(sources, start=1):
            exec(compile(source, f"{slug}: code cell {number}", "exec"), namespace)
    finally:
        patch.undo()
        plt.close("all")
    return made

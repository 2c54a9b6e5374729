"""What several test files call: where the site is, and a chapter run in this process."""

import functools
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import pytest

from extensions import chapters
from kexue_core.notebook.derivation import Derivation
from kexue_core.notebook.explorer import Explorer

SITE = chapters.BUILD / "html"
plt.switch_backend("agg")


@functools.cache
def run_chapter(slug):
    """Run the code of a chapter in this process; return its derivations and explorers by order of creation."""
    made = SimpleNamespace(derivations=[], explorers={})
    patch = pytest.MonkeyPatch()

    def recorded(cls, record):
        original = cls.__init__

        def init(self, *args, **kwargs):
            original(self, *args, **kwargs)
            record(self)

        patch.setattr(cls, "__init__", init)

    recorded(Derivation, made.derivations.append)
    recorded(Explorer, lambda explorer: made.explorers.update({explorer.name: explorer}))
    patch.chdir(chapters.ROOT / "chapters")
    namespace = {"__name__": "__main__", "display": lambda *objects: None}
    try:
        for cell in nbformat.read(chapters.notebook_path(slug), 4).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, f"{slug}:{cell.id}", "exec"), namespace)
    finally:
        patch.undo()
        plt.close("all")
    return made

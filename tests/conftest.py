"""What the tests of chapters and pages share: executed chapters, the built site, a browser."""

import functools
import os
import shutil
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import pytest
from playwright.sync_api import Error, sync_playwright

from extensions import chapters
from kexue_core.notebook.derivation import Derivation
from kexue_core.notebook.explorer import Explorer

plt.switch_backend("agg")

SITE = chapters.BUILD / "html"
MISSING = "no browser; Debian: apt-get install chromium; elsewhere: .venv/bin/playwright install chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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
    recorded(Explorer, lambda explorer: made.explorers.update({explorer._key(): explorer}))
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


@pytest.fixture(scope="session")
def site():
    """Return the folder of the built book."""
    if not (SITE / "index.html").exists():
        pytest.fail("the book is not built: run make book first")
    return SITE


@pytest.fixture(scope="session")
def browser():
    """Yield headless Chromium: the system's, or the one that playwright has installed."""
    system = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=system, args=FLAGS)
        except Error:
            if os.environ.get("REQUIRE_BROWSER") == "1":
                pytest.fail(MISSING)
            pytest.skip(MISSING)
        yield chromium
        chromium.close()


def pytest_terminal_summary(terminalreporter):
    """Say in one line that the browser tests did not run, and how to change that."""
    skipped = terminalreporter.stats.get("skipped", [])
    if any(MISSING in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(f"BROWSER TESTS SKIPPED: {MISSING}", yellow=True)

"""Fixtures: the built site and a browser. Nothing heavy is imported here: the library's tests need numpy and pytest."""

import os
import shutil

import pytest

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


@pytest.fixture(scope="session")
def site():
    """Return the folder of the built book."""
    from support import SITE

    if not (SITE / "index.html").exists():
        pytest.fail("the book is not built: run make book first")
    return SITE


@pytest.fixture(scope="session")
def browser():
    """Yield headless Chromium: the system's, or the one that playwright has installed."""
    from playwright.sync_api import Error, sync_playwright

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


def pytest_collection_modifyitems(items):
    """Keep the tests of one chapter on one worker: it runs the chapter once."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "slug" in parameters:
            item.add_marker(pytest.mark.xdist_group(parameters["slug"]))


def pytest_terminal_summary(terminalreporter):
    """Say in one line that the browser tests did not run, and how to change that."""
    skipped = terminalreporter.stats.get("skipped", [])
    if any(MISSING in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(f"BROWSER TESTS SKIPPED: {MISSING}", yellow=True)

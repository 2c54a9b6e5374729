"""Fixtures: the built site and a browser. Nothing heavy is imported here: the library's tests need numpy and pytest."""

import collections
import contextlib
import gc
import os
import time

import pytest

try:
    import psutil
except ImportError:  # the library alone is tested, without a browser
    psutil = None

MISSING = "no browser; Debian: apt-get install chromium; elsewhere: .venv/bin/playwright install chromium"
COSTS = pytest.StashKey()  # of each test: its processor seconds, and the chapter that it looks at
SPENT = pytest.StashKey()  # processor seconds up to the end of the last test
BROWSERS = pytest.StashKey()  # those of browsers, up to the end of the last test that has one


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

    from extensions.page_form import chromium as start_chromium

    with sync_playwright() as playwright:
        try:
            chromium = start_chromium(playwright)
        except Error:
            if os.environ.get("REQUIRE_BROWSER") == "1":
                pytest.fail(MISSING)
            pytest.skip(MISSING)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def chapter_pages(browser, site):
    """Yield the chapters' pages; one is open at a time."""
    from reader import ChapterPages

    pages = ChapterPages(browser, site)
    yield pages
    pages.close()


@pytest.fixture
def chapter_page(chapter_pages, slug):
    """Return the page of the chapter that a test looks at, as the test before has left it."""
    return chapter_pages.open(slug)


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items):
    """Keep a chapter's tests together, on one worker, which runs and opens it once; the destructive come last."""
    items.sort(key=lambda item: (chapter_of(item) or "", item.get_closest_marker("destructive") is not None))
    for item in items:
        if (slug := chapter_of(item)) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(slug))


def pytest_collection_finish(session):
    """Have Python look seldom for what holds itself: formulas are many small objects, and few of them do."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def chapter_of(item):
    """Return the chapter that a test looks at, by itself or by its page; None if it looks at none."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    name = parameters.get("slug") or parameters.get("page_name", "").removeprefix("chapters/").removesuffix(".html")
    if not name:
        return None
    from extensions import chapters

    return name if name in chapters.slugs() else None


def spent():
    """Return the processor seconds of this process and of what it started and what has ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def spent_by_browsers():
    """Return the processor seconds of what this process started and what still runs."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Note what a test costs with its fixtures: what was spent since the test before."""
    stash = item.config.stash
    before = stash.get(SPENT, None) or spent()
    try:
        return (yield)
    finally:
        stash[SPENT] = spent()
        seconds = stash[SPENT] - before
        if item.get_closest_marker("browser"):  # to look through all processes takes longer than most other tests
            now = spent_by_browsers()
            seconds += max(0.0, now - stash.get(BROWSERS, 0.0))  # a browser that has ended is forgotten
            stash[BROWSERS] = now
        stash.setdefault(COSTS, {})[item.nodeid] = seconds, chapter_of(item)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Collect the costs that a worker has noted."""
    node.config.stash.setdefault(COSTS, {}).update(getattr(node, "workeroutput", {}).get("costs", {}))


def pytest_sessionfinish(session):
    """Hand them over."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["costs"] = session.config.stash.get(COSTS, {})


def tell_costs(terminalreporter):
    """Say what the tests cost: the dearest functions, and what grows with the number of chapters."""
    costs = terminalreporter.config.stash.get(COSTS, {})
    grouped, by_chapter = collections.defaultdict(list), collections.defaultdict(float)
    for name, (seconds, chapter) in costs.items():
        grouped[name.partition("[")[0]].append(seconds)
        by_chapter[chapter] += seconds
    terminalreporter.section("processor seconds, with fixtures: in all = tests × mean")
    for name, seconds in sorted(grouped.items(), key=lambda pair: -sum(pair[1]))[:30]:
        terminalreporter.write_line(
            f"{sum(seconds):7.1f} = {len(seconds):4d} × {sum(seconds) / len(seconds):6.2f}  {name}"
        )
    terminalreporter.write_line(f"{sum(by_chapter.values()):7.1f}  together")
    rest = by_chapter.pop(None, 0.0)
    if by_chapter:
        mean = sum(by_chapter.values()) / len(by_chapter)
        terminalreporter.write_line(
            f"{rest:7.1f}  of it however many chapters there are, and {mean:.1f} for each of {len(by_chapter)}: "
            f"35 would take {rest + 35 * mean:.0f}"
        )
    terminalreporter.write_line(f"{ten_million_additions():7.2f}  for ten million additions, by which machines differ")


def ten_million_additions():
    """Return the processor seconds of a loop, by which runs on other machines, or busy ones, can be compared."""
    before, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return time.process_time() - before


def pytest_terminal_summary(terminalreporter):
    """Say what the tests cost; and in one line if the browser tests did not run, and how to change that."""
    tell_costs(terminalreporter)
    skipped = terminalreporter.stats.get("skipped", [])
    if any(MISSING in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(f"BROWSER TESTS SKIPPED: {MISSING}", yellow=True)

"""A plugin of pytest: what nbval has run and found equal to what is stored, the book is built from.

So a run of all tests does not execute a chapter for nbval and once more for its page. nbval's kernels get what those of
a build get: they draw the pictures of all stops for the page, and refuse packages that readers do not have.
"""

import time
from types import SimpleNamespace

import nbformat
import pytest
from nbval.plugin import IPyNbCell

from extensions import build, chapters, dependencies, execution, forks

__all__ = []

BEGUN = (
    pytest.StashKey()
)  # of a notebook: what it depended on when its kernel started, when that was, and the kernel's language
EQUAL = pytest.StashKey()  # of a cell: whether it passed


def pytest_configure(config):
    """Have kernels be those of a build."""
    execution.prepare({"KEXUE_BOOK": "1"})
    forks.use_forks()


def pytest_itemcollected(item):
    """Have nbval compare all but what only the book holds."""
    if isinstance(item, IPyNbCell):
        compare = item.compare_outputs
        item.compare_outputs = lambda test, ref: compare([stored(output) for output in test], ref)


def stored(output):
    """Return of an output what a notebook stores: a picture is no SVG there, and an explorer has no player."""
    data = output.get("data", {})
    book = {"image/svg+xml", *(["text/html"] if execution.EXPLORER in data else [])}
    shown = {"data": {kind: data[kind] for kind in data if kind not in book}} if data else {}
    return nbformat.from_dict({**output, **shown})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Guard the imports of a kernel that has just been started."""
    result = yield
    if isinstance(item, IPyNbCell) and item.cell_num == 0:
        kernel, slug = item.parent.kernel, item.path.stem
        kernel.await_reply(kernel.kc.execute(execution.GUARD.read_text(encoding="utf-8"), silent=True), timeout=60)
        language = kernel.kc.kernel_info(reply=True, timeout=60)["content"]["language_info"]  # it colours the code
        key, now = dependencies.chapter_key(slug), time.monotonic()
        item.parent.stash[BEGUN] = SimpleNamespace(key=key, time=now, language=language)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Note whether a cell passed."""
    report = yield
    if call.when == "call":
        item.stash[EQUAL] = report.passed
    return report


def pytest_runtest_teardown(item, nextitem):
    """Keep a chapter after its last cell, if all of its cells ran and passed and nothing in it is unfit for readers."""
    if not isinstance(item, IPyNbCell) or (nextitem and nextitem.parent is item.parent):
        return
    slug = item.path.stem
    notebook = chapters.read(slug)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    run = [other for other in item.session.items if other.parent is item.parent and other.stash.get(EQUAL, False)]
    if [other.cell.source for other in run] != [cell.source for cell in cells]:
        return
    for number, (cell, other) in enumerate(zip(cells, run), start=1):
        cell.execution_count = number  # nbval's kernels do not count
        counted = [
            dict(output, execution_count=number) if "execution_count" in output else output
            for output in other.test_outputs
        ]
        cell.outputs = nbformat.from_dict(counted)
        other.test_outputs = None
    begun = item.parent.stash[BEGUN]
    notebook.metadata["language_info"] = begun.language
    if not execution.problems(slug, notebook):
        build.keep(slug, notebook, time.monotonic() - begun.time, begun.key)

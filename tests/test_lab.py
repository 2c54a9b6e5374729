"""JupyterLab for real: a chapter is opened, run, and its slider dragged."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from extensions import chapters

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("lab")]  # one JupyterLab for all
PATIENCE = 240  # seconds: other tests run beside it
WHOLE = "snr_high_resolution"  # it runs whole, in the least time of all, the others as far as their first slider


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Run JupyterLab on a copy of the chapters; yield its address."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(chapters.ROOT / "chapters", folder / "chapters")
    for slug in chapters.slugs():
        nbformat.write(to_run(slug), folder / f"chapters/{slug}.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root"]
    options = ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=", "--ip=127.0.0.1"]
    options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--expose-app-in-browser"]
    # a reader's kernel: nothing tells it that this is a test
    environment = {key: value for key, value in os.environ.items() if key not in ("KEXUE_BOOK", "KEXUE_STRICT")}
    environment["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    with open(folder / "log", "w") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5)
                break
            except OSError:
                if time.monotonic() > end or process.poll() is not None:
                    pytest.fail((folder / "log").read_text()[-2000:])
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)


def to_run(slug):
    """Return a chapter cut behind its first explorer with a slider: drawing the rest costs more than running it."""
    notebook = chapters.read(slug)
    if slug == WHOLE:
        return notebook
    explorers = [k for k, cell in enumerate(notebook.cells) if "Explorer(\n" in cell.source]
    typed = [
        k for k in explorers if "=Text(" in notebook.cells[k].source and "=Linear(" not in notebook.cells[k].source
    ]
    last = next(k for k in explorers if k not in typed)
    notebook.cells = notebook.cells[: last + 1]
    return notebook


@pytest.fixture(scope="session")
def workspace(browser, lab):
    """Open JupyterLab once; the chapters are opened in it one after the other."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    page.goto(f"{lab}/lab/workspaces/tests")
    page.wait_for_function("() => window.jupyterapp !== undefined")
    page.evaluate("() => window.jupyterapp.restored.then(() => true)")
    yield page
    context.close()


@pytest.fixture
def opened(workspace, slug):
    """Open a chapter; afterwards close it unsaved. All run in one kernel: nbval starts a fresh one for each."""
    workspace.evaluate(
        """async (path) => {
            const kernel = window.kernel && { id: window.kernel };
            const options = { path, factory: "Notebook", kernel };
            const panel = await window.jupyterapp.commands.execute("docmanager:open", options);
            await panel.context.ready;
            await panel.sessionContext.ready;
            window.kernel = panel.sessionContext.session.kernel.id;
            window.chapter = panel;
        }""",
        f"chapters/{slug}.ipynb",
    )
    yield workspace
    workspace.evaluate("window.chapter.dispose()")


@pytest.mark.parametrize("slug", chapters.slugs())
def test_a_chapter_runs_and_its_slider_changes_picture_and_numbers(opened, slug):
    """nbval and test_readers run all cells of all chapters."""
    page = opened
    cells = [cell for cell in to_run(slug).cells if cell.cell_type == "code"]
    outcome = page.evaluate(
        """async () => {
            await window.jupyterapp.commands.execute("notebook:run-all-cells");
            const cells = window.chapter.context.model.toJSON().cells.filter((c) => c.cell_type === "code");
            const failed = cells.flatMap((c) => c.outputs).filter((o) => o.output_type === "error");
            return {
                errors: failed.map((o) => o.evalue),
                run: cells.map((c) => c.execution_count),
                hidden: cells.map((c) => Boolean(c.metadata.jupyter?.source_hidden)),
            };
        }"""
    )
    assert outcome["errors"] == []
    first = outcome["run"][0]
    assert outcome["run"] == list(range(first, first + len(cells)))
    assert outcome["hidden"] == [bool(cell.metadata.get("jupyter", {}).get("source_hidden")) for cell in cells]
    box = page.locator(".widget-vbox").filter(has=page.locator(".widget-slider")).first
    slider, picture = box.locator(".widget-slider .noUi-handle").first, box.locator(".widget-html-content").first
    settle(page, slider)
    picture.locator("svg").first.wait_for()
    before = picture.inner_html()
    settle(page, slider)
    handle, track = slider.bounding_box(), box.locator(".widget-slider .noUi-target").first.bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    at_the_end = handle["x"] + handle["width"] / 2 > track["x"] + track["width"] - 2
    aim = track["x"] + (1 if at_the_end else track["width"] - 1)
    page.mouse.move(aim, track["y"] + track["height"] / 2, steps=5)
    page.mouse.up()
    # on its way the slider may pass a stop with other pictures but the same numbers: wait for the last one
    page.wait_for_function(
        """([picture, numbers]) => {
            const box = [...document.querySelectorAll('.widget-vbox')].find((b) => b.querySelector('.widget-slider'));
            const html = box.querySelector('.widget-html-content').innerHTML;
            const end = html.lastIndexOf('</svg>');
            return html.slice(0, end) !== picture && html.slice(end) !== numbers; }""",
        arg=[before[: before.rindex("</svg>")], before[before.rindex("</svg>") :]],
    )
    after = picture.inner_html()
    assert "<svg" in after
    assert 'role="alert"' not in after
    assert page.locator(".jp-Dialog").count() == 0


def settle(page, element):
    """Scroll to an element until it stays: JupyterLab goes to the last cell when a run has ended."""
    end, last = time.monotonic() + PATIENCE, None
    while time.monotonic() < end:
        element.evaluate("e => e.scrollIntoView({ block: 'center' })")
        page.wait_for_timeout(300)
        box = element.bounding_box()
        if box and box == last and 0 < box["y"] < 950:
            return
        last = box
    pytest.fail("the slider does not stay in view")

"""JupyterLab for real: a chapter is opened, run, and its slider dragged."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request

import pytest

from extensions import chapters

pytestmark = pytest.mark.browser
PORT = 18877


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Run JupyterLab on a copy of the chapters; yield its address."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(chapters.ROOT / "chapters", folder / "chapters")
    port = PORT + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root"]
    options = ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=", "--ip=127.0.0.1"]
    options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--expose-app-in-browser"]
    environment = {key: value for key, value in os.environ.items() if key != "KEXUE_BOOK"}
    environment["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    with open(folder / "log", "w") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail((folder / "log").read_text()[-2000:])
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.parametrize("slug", chapters.slugs())
def test_a_chapter_runs_and_its_slider_changes_picture_and_numbers(browser, lab, slug):
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.goto(f"{lab}/lab/workspaces/{slug}/tree/chapters/{slug}.ipynb")  # a workspace without other tabs
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for(timeout=60_000)
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.context?.sessionContext?.session?.kernel")
    errors = page.evaluate(
        """async () => {
            const panel = window.jupyterapp.shell.currentWidget;
            await panel.sessionContext.ready;
            await window.jupyterapp.commands.execute("notebook:run-all-cells");
            const cells = panel.context.model.toJSON().cells;
            return cells.flatMap((c) => c.outputs || []).filter((o) => o.output_type === "error").map((o) => o.evalue);
        }"""
    )
    assert errors == []
    slider = page.locator(".widget-slider .noUi-handle").first
    slider.scroll_into_view_if_needed(timeout=30_000)
    picture = page.locator(".widget-html-content").first
    picture.locator("svg").wait_for()
    before = picture.inner_html()
    handle, track = slider.bounding_box(), page.locator(".widget-slider .noUi-target").first.bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] - 1, track["y"] + track["height"] / 2, steps=5)
    page.mouse.up()
    # on its way the slider may pass a stop with other pictures but the same numbers: wait for the last one
    page.wait_for_function(
        """(before) => document.querySelector('.widget-html-content').innerHTML.split('</svg>')
            .every((part, i) => part !== before.split('</svg>')[i])""",
        arg=before,
        timeout=20_000,
    )
    after = picture.inner_html()
    assert before.split("</svg>")[0] != after.split("</svg>")[0]
    assert before.split("</svg>")[1] != after.split("</svg>")[1]
    assert 'role="alert"' not in after
    assert page.locator(".jp-Dialog").count() == 0
    context.close()

"""Every chapter: its stored outputs, and its explorers at every stop. Its form is the subject of test_form."""

import re

import pytest
from support import run_chapter

from extensions import chapters

every_chapter = pytest.mark.parametrize("slug", chapters.slugs())


@pytest.fixture
def notebook(slug):
    return chapters.read(slug)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@every_chapter
def test_stored_outputs_are_whole_and_hold_nothing_of_one_machine(notebook):
    assert "widgets" not in notebook.metadata
    for number, cell in enumerate(code_cells(notebook), start=1):
        assert cell.execution_count == number
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            data = output.get("data", {})
            assert "application/vnd.jupyter.widget-view+json" not in data
            text = str(data.get("text/plain", "")) + str(output.get("text", ""))
            assert not re.search(r"0x[0-9a-f]{6,}|/(home|root|work|tmp|usr)/|np\.float64", text), cell.id


@every_chapter
def test_every_explorer_shows_something_else_at_every_stop(slug):
    explorers = run_chapter(slug).explorers.values()
    assert explorers
    for explorer in explorers:
        for name, control in explorer.controls.items():
            pictures = [explorer.svg(**{name: stop}) for stop in control.stops]
            same = [control.names[i] for i in range(1, len(pictures)) if pictures[i] == pictures[i - 1]]
            assert not same, f"{name} at {same} looks like the stop before"
            assert explorer.svg(**{name: control.stops[0]}) == pictures[0], f"{name}: a picture remembers the last one"

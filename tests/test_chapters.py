"""Every chapter: its form."""

import re
import statistics

import pytest
from support import run_chapter

from extensions import chapters, form

every_chapter = pytest.mark.parametrize("slug", chapters.slugs())
# tests/test_form.py holds the others to the guide
every_unrevised = pytest.mark.parametrize("slug", [slug for slug in chapters.slugs() if not chapters.revised(slug)])


@pytest.fixture
def notebook(slug):
    return chapters.read(slug)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@every_unrevised
def test_the_headings_are_those_of_the_guide(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(r"^## (.+?)\s*$", text, re.M) == form.HEADINGS
    assert len(re.findall(r"^# ", text, re.M)) == 1


@every_unrevised
def test_the_box_names_original_papers_insight_and_aim(notebook, slug):
    box = notebook.cells[0].source
    for word in ("**Original.**", "**Papers.**", "**Insight.**", "**After this chapter** you can"):
        assert word in box, word
    assert re.search(r"\[《.+》\]\(https://kexue\.fm/archives/\d+\), Su Jianlin, \d{4}-\d\d-\d\d", box)
    assert chapters.insight(slug)


@every_unrevised
def test_every_code_cell_is_short_and_follows_prose(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)[1:]]  # the first one imports
    assert max(lengths) <= 20
    assert statistics.median(lengths) <= 8
    for before, cell in zip(notebook.cells, notebook.cells[1:]):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", f"no sentence before {cell.id}"
            last = before.source.strip().splitlines()[-1]
            assert not last.startswith("#"), f"only a heading before {cell.id}"


@every_unrevised
def test_imports_stand_in_the_first_code_cell_and_nothing_is_installed(notebook):
    first, *others = code_cells(notebook)
    assert "set_style()" in first.source
    for cell in others:
        assert not re.search(r"^\s*(import|from) ", cell.source, re.M), cell.id
    for cell in code_cells(notebook):
        assert not re.search(r"^[%!]|pip install|https?://|open\(", cell.source, re.M), cell.id


@every_unrevised
def test_the_chapter_derives_explores_reproduces_and_checks(notebook):
    source = "\n".join(cell.source for cell in code_cells(notebook))
    for call in ("Derivation(", "agreement(", "Explorer(", "reproduce("):
        assert call in source, call
    assert len(re.findall(r"^\s*check\(", source, re.M)) >= 5
    assert not re.findall(r"^\s*assert .*", source, re.M), "what holds is shown: check(holds, 'what holds')"


@every_unrevised
def test_two_to_four_exercises_have_folded_solutions_that_check(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    solutions = [cell for cell in code_cells(notebook) if "hide-cell" in cell.metadata.get("tags", [])]
    assert 2 <= len(solutions) <= 4
    assert all("check(" in cell.source for cell in solutions)
    assert "## Exercises" in text


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


@every_unrevised
def test_every_static_figure_says_what_is_seen(notebook):
    for cell in code_cells(notebook):
        if "plt.show()" in cell.source:
            assert len(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")) > 20, cell.id


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

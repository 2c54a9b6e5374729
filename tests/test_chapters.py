"""The stored outputs of every chapter. Its form is the subject of test_form, its explorers of test_browser_explorer."""

import re

import pytest

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


@pytest.mark.parametrize("slug", chapters.slugs()[:1])
def test_the_tests_of_a_chapter_are_given_to_one_worker(request, slug):
    """Else it is run and its page opened by both."""
    grouped = request.config.getoption("loadgroup", False)
    assert request.node.nodeid.endswith(f"@{slug}") == grouped

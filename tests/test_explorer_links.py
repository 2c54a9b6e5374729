"""Links that set an explorer, in a small book of their own: resolved, or refused with their place."""

import copy
import os
import re

import nbformat
import pytest
from test_build import jupyter_book, notebook, write_book

from kexue_core.notebook import Choice, Explorer, Linear, Text

LINKS = {
    "[raise](#wave?base=5000)": "#wave?base=5000",
    "[by name](#wave?base=12000&kind=a%20b)": "#wave?base=12000&kind=a%20b",
    "[*with* a formula $x^2$](#wave?base=5500)": "#wave?base=5500",
    "[anything typed](#wave?query=whatever%20you%20like)": "#wave?query=whatever%20you%20like",
    "[another chapter](three.ipynb#other?n=2)": "three.html#other?n=2",
}
WRONG = {
    "[a](#ware?base=5000)": r"the explorer must be one of wave, got '#ware\?base=5000'",
    "[b](#wave?basis=5000)": "the control must be one of base, kind, query, got",
    "[c](#wave?base=5001)": "base must be one of its stops, 4000, 4500, .*, got",
    "[d](#wave?kind=c)": "kind must be one of its stops, a b, b, got",
    "[e](three.ipynb#wave?base=5000)": "the explorer must be one of other, got",
    "[f](four.ipynb#wave?base=5000)": "four.ipynb is not a page of the book",
}


def draw(ax, **values):
    ax.plot([0, len(str(values))])
    return {"letters": len(str(values))}


def cell(explorer):
    """Return a code cell with what an explorer shows in the book."""
    data = explorer._repr_mimebundle_()
    output = nbformat.v4.new_output("execute_result", data, execution_count=1)
    return nbformat.v4.new_code_cell(f"{explorer.name}", outputs=[output], execution_count=1)


@pytest.fixture(scope="module")
def cells():
    os.environ["KEXUE_BOOK"], before = "1", os.environ.get("KEXUE_BOOK")
    try:
        wave = Explorer(
            draw,
            name="wave",
            alt="{base}",
            base=Linear("base", 4000, 14000, step=500, unit="tokens"),
            kind=Choice("kind", ["a b", "b"]),
            query=Text("query", ["x", "y"], twin="(values) => ({numbers: {letters: 1}, picture: ''})"),
        )
        return cell(wave), cell(Explorer(draw, name="other", alt="{n}", n=Choice("n", [1, 2])))
    finally:
        os.environ.pop("KEXUE_BOOK")
        if before is not None:
            os.environ["KEXUE_BOOK"] = before


def write(root, cells, *lines):
    one = notebook("# One\n\n> **Insight.** It works.", *lines)
    one.cells.insert(1, cells[0])
    three = notebook("# Three\n\n> **Insight.** It works.")
    three.cells.append(cells[1])
    write_book(root, one=one, three=three, **{"two.five": notebook("# Two\n\n> **Insight.** It works.")})
    return root


def test_links_lead_to_their_state(tmp_path, cells):
    code, said, pages = jupyter_book(write(tmp_path / "book", cells, *LINKS))
    assert (code, said) == (0, "")
    page = (pages / "chapters" / "one.html").read_text()
    for target in LINKS.values():
        assert f'href="{target.replace("&", "&amp;")}"' in page
    assert re.search(r'href="#wave\?base=5500"[^>]*><em>with</em> a formula', page)
    assert page.count('id="wave"') == 1


def test_links_that_lead_nowhere_are_told_in_one_line_each(tmp_path, cells):
    code, said, _ = jupyter_book(write(tmp_path / "book", cells, *WRONG))
    lines = said.splitlines()
    assert code == 1
    assert len([line for line in lines if "link to an explorer" in line]) == len(WRONG)
    for text, message in WRONG.items():
        assert any(re.search(rf"one\.ipynb:\d+: ERROR: link to an explorer: .*{message}", line) for line in lines), text
    assert "Traceback" not in said


def test_a_name_that_stands_twice_on_a_page_is_told(tmp_path, cells):
    root = write(tmp_path / "book", cells, "Text.")
    path = root / "chapters" / "one.ipynb"
    one = nbformat.read(path, 4)
    one.cells.append(copy.copy(cells[0]))
    one.cells[-1]["id"] = "again"
    one.cells.append(nbformat.v4.new_markdown_cell("Again."))
    nbformat.write(one, path)
    code, said, _ = jupyter_book(root)
    assert code == 1
    assert re.search(r"ERROR: explorer 'wave': its name stands twice on the page", said)
    assert "Traceback" not in said

"""The form of the chapters, as the guide states it."""

import copy
import re

import nbformat
import pytest

from extensions import chapters, citations, folding, form, new, page_form
from extensions.rerun import normalize

every_chapter = pytest.mark.parametrize("slug", chapters.slugs())


@every_chapter
def test_the_notebook_has_the_form_of_the_guide(slug):
    found = form.notebook_problems(slug)
    assert not found, "\n".join(found)


@every_chapter
@pytest.mark.browser
def test_the_page_has_the_form_of_the_guide(slug, site, chapter_page):
    found = page_form.open_page_problems(chapter_page, site / "chapters" / f"{slug}.html")
    assert not found, "\n".join(found)


@pytest.mark.browser
def test_roots_of_formulas_and_icons_of_buttons_are_no_pictures(browser, tmp_path):
    drawing = '<svg width="20" height="20"><path d="M0 0h20v20z"></path></svg>'
    space = '<div style="height: 1900px"></div>'

    def problems(middle):
        path = tmp_path / "page.html"
        path.write_text(
            f'<body style="margin: 0"><article class="bd-article"><div class="kx-explorer">{drawing}</div>{space}'
            f'<div class="cell_output">{middle}</div>{space}<section id="exercises">1</section></article></body>'
        )
        return [line for line in page_form.page_problems(path, browser) if "a picture or explorer" in line]

    assert problems(drawing) == []
    assert len(problems(f'<span class="katex">{drawing}</span>')) == 1
    assert len(problems(f"<button>{drawing}</button>")) == 1


@every_chapter
def test_text_is_plain_markdown_that_reads_the_same_everywhere(slug):
    for cell in chapters.read(slug).cells:
        if cell.cell_type == "markdown":
            assert not form.ROLE.search(cell.source), cell.source[:200]


@every_chapter
def test_jupyterlab_folds_by_the_rule(slug):
    stored = chapters.read(slug)
    assert folding.mark(copy.deepcopy(stored)) == stored, f"make rerun CHAPTERS={slug}"


@every_chapter
def test_every_paper_that_a_chapter_links_to_is_in_the_bibliography(slug):
    unknown = [url for url, key in citations.cited(slug).items() if not key and re.search(r"arxiv\.org|doi\.org", url)]
    assert unknown == []


@every_chapter
def test_a_citation_has_the_year_of_its_entry(slug):
    text = "\n\n".join(cell.source for cell in chapters.cells(slug) if cell.cell_type == "markdown")
    keys = citations.cited(slug)
    said = [(words, keys[url], re.findall(r"\b(?:19|20)\d\d\b", words)) for words, url in citations.LINK.findall(text)]
    dated = [(words, key, years[0]) for words, key, years in said if key and len(years) == 1]
    assert dated
    assert [one for one in dated if citations.entries()[one[1]].fields["year"] != one[2]] == []


def test_every_entry_of_the_bibliography_has_an_address_of_its_own_and_is_cited():
    entries = citations.entries()
    assert [key for key, entry in entries.items() if not citations.links(entry)] == []
    addresses = [citations.address(citations.links(entry)[0]) for entry in entries.values()]
    assert len(set(addresses)) == len(addresses)
    cited = {key for slug in chapters.slugs() for key in citations.cited(slug).values()}
    assert set(entries) - cited == set()


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://arxiv.org/abs/2405.14591", "http://www.arxiv.org/pdf/2405.14591v2.pdf"),
        ("https://doi.org/10.1016/0306-4573(95)00020-H", "http://dx.doi.org/10.1016/0306-4573(95)00020-h"),
        ("https://example.org/paper", "http://www.example.org/paper/"),
    ],
)
def test_spellings_of_one_address_are_one(url, same):
    assert citations.address(url) == citations.address(same)
    assert citations.address(url) != citations.address(url[:-1] + "7")


def test_a_link_may_hold_parentheses_and_a_picture_is_no_link():
    text = "[A [1] (2020)](https://doi.org/10/a(1)b), ![p](https://x.org/p.png)"
    assert citations.LINK.findall(text) == [("A [1] (2020)", "https://doi.org/10/a(1)b")]


@pytest.mark.parametrize(
    ("source", "folded"),
    [
        ("min_base(1024).base", False),
        ("found = min_base(1024)\nassert found.base > 4000\nfound", False),
        ("d = 128\nrng = np.random.default_rng(1)", False),
        ("import numpy as np", True),
        ("plt.plot(x)\nplt.show()", True),
        ("def draw(ax, n):\n    return {}", True),
        ("explorer = Explorer(draw, alt='x', n=n)\nexplorer", True),
        ("Derivation(x, 'start')", True),
        ("x = sp.symbols('x')", True),
        ("check(a > b, 'larger')\nassert a > c", True),
        ("for a in b:\n    check(a > 0, 'positive')", True),
        ("reproduce('what', ours, theirs, 'source', digits=2)", True),
        ("\n".join(f"a{i} = f({i})" for i in range(7)), True),
        ("# one\n# two\n\n" + "\n".join(f"a{i} = f({i})" for i in range(6)), False),
    ],
)
def test_what_draws_explores_proves_or_checks_is_folded_and_short_calls_are_not(source, folded):
    cell = nbformat.v4.new_code_cell(source)
    assert folding.folds(cell) is folded
    for tag in (folding.ALGORITHM, folding.SOLUTION):
        cell.metadata["tags"] = [tag]
        assert not folding.folds(cell)


def test_marking_is_undone_when_a_cell_no_longer_folds():
    cell = nbformat.v4.new_code_cell("plt.show()", metadata={"tags": ["mine"], "collapsed": True})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert folding.mark(notebook).cells[0].metadata == {
        "jupyter": {"source_hidden": True},
        "tags": ["mine", "hide-input"],
    }
    cell.source = "f(1)"
    assert folding.mark(notebook).cells[0].metadata == {"tags": ["mine"]}
    assert folding.summary(nbformat.v4.new_code_cell("# why\n\na = 1")) == "Code (1 line)"


@pytest.fixture
def template(monkeypatch, tmp_path):
    """Begin a chapter and let it be changed; return a function that gives what is wrong then."""
    monkeypatch.setattr(chapters, "ROOT", tmp_path)
    (tmp_path / "chapters").mkdir()
    new.main("fresh")

    def problems(change=lambda notebook: None):
        notebook = nbformat.read(new.TEMPLATE, 4)
        change(notebook)
        nbformat.write(normalize(notebook), chapters.notebook_path("fresh"))
        return form.notebook_problems("fresh")

    return problems


def test_the_template_has_the_form(template):
    assert template() == []
    with pytest.raises(SystemExit, match="exists already"):
        new.main("fresh")
    with pytest.raises(SystemExit, match="lower-case"):
        new.main("Fresh-1")


def replace(old, fresh):
    """Return a change of the template: of the first cell that holds a text."""

    def change(notebook):
        cell = next(cell for cell in notebook.cells if old in cell.source)
        cell.source = cell.source.replace(old, fresh)

    return change


def without(tag):
    def change(notebook):
        for cell in notebook.cells:
            cell.metadata["tags"] = [name for name in cell.metadata.get("tags", []) if name != tag]

    return change


def explorer_later(notebook):
    cells = notebook.cells
    cells.insert(7, cells.pop(4))
    cells.insert(7, cells.pop(3))


def with_a_bare_dict(notebook):
    cell = next(cell for cell in notebook.cells if "terms = np" in cell.source)
    cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "{'a': 1}"})]


def without_alternative_texts(notebook):
    for cell in notebook.cells:
        cell.metadata.pop("mystnb", None)


WRONG = {
    "a missing heading": (replace("## Numerics", "## Code"), "heading 3 must be '## Numerics', got '## Code'"),
    "two titles": (replace("## Numerics", "# More\n\n## Numerics"), "cell 1: must begin with the title"),
    "two insights": (replace("**Insight.** TODO one", "**Insight.** One. Two"), "cell 1: the insight must"),
    "no aim": (replace("**After this chapter**", "Then"), "cell 1: the box must hold"),
    "a bad date": (replace("2024-01-01", "1.1.2024"), "cell 1: write '**Original.**"),
    "a long puzzle": (replace("TODO The puzzle", "so " * 160), "The question: state the puzzle"),
    "the explorer too late": (explorer_later, "The question: "),
    "a role": (replace("TODO One sentence on what", "{cite:t}`a`"), "before cell [3]: plain Markdown only"),
    "a label": (replace("TODO One sentence on what", "(here)=\n\n"), "before cell [3]: plain Markdown only"),
    "much prose": (replace("TODO What was seen", "word " * 3500), "prose: at most 3500 words"),
    "a later import": (replace("terms = np", "import os\nterms = np"), "cell [4]: imports and"),
    "a path": (replace("terms = np", "open('x')\nterms = np"), "cell [4]: no magic"),
    "a long cell": (replace("terms = np", "1\n" * 20 + "terms = np"), "cell [4]: at most 20 lines"),
    "a long first cell": (replace("set_style()", "1\n" * 20 + "set_style()"), "cell [1]: at most 20 lines"),
    "an assert": (replace("terms = np", "assert r\nterms = np"), "cell [4]: show what holds: check("),
    "a bare dict": (with_a_bare_dict, "cell [4]: show numbers with table("),
    "a wide cell": (replace("np.arange(1, 30)", "np.arange(1, 30)" + " + 0" * 20), "cell [4]: at most 84"),
    "no comment": (replace("# Plot what is missing after n terms\n", ""), "cell [4]: its code is folded"),
    "no style": (replace("set_style()\n", "\n"), "cell [1]: imports, set_style()"),
    "no alternative text": (without_alternative_texts, "cell [4]: say what is seen"),
    "few pictures": (replace("plt.show()", "plt.gcf()"), "pictures: 4 to 9 static ones; 3 now"),
    "no algorithm box": (without("algorithm"), "Numerics: one cell must have the tag"),
    "a short algorithm": (
        replace("    for _ in range(n):\n        total = total * r + 1\n", ""),
        "an algorithm box has",
    ),
    "no solutions": (without("hide-cell"), "Exercises: two to four solutions"),
    "a solution that does not check": (replace("check(needed", "print(needed"), "a solution must check"),
    "no reproduction": (replace('reproduce("TODO', 'print("TODO'), "code: a chapter must hold reproduce()"),
    "no sentence": (lambda notebook: notebook.cells.pop(10), "write a sentence before it"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_departs_from_the_form_is_told_in_one_line_with_the_place(template, name):
    change, expected = WRONG[name]
    found = template(change)
    assert any(expected in line for line in found), found
    assert all("\n" not in line and len(line) < 200 and line.startswith("fresh, ") for line in found)


def test_words_are_those_of_the_prose():
    text = "# Head\n\nA *short* [link](https://a.b/c) to $x+y$ and `code`.\n\n| a | b |\n|---|---|\n\n$$f = 1$$\n"
    assert chapters.words(text) == 8

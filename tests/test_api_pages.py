"""The pages of the library: every public name, its signature and its place in the source; links that lead there."""

import html
import inspect
import re

import pytest
import yaml
from docutils import nodes
from support import SITE

from extensions import api, chapters, docstrings

every_shelf = pytest.mark.parametrize("shelf", list(api.shelves()))


def page(shelf):
    return (SITE / "chapters" / "library" / f"{shelf}.html").read_text()


def plain(markup):
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


def test_every_shelf_has_a_page_in_the_table_of_contents():
    listed = (chapters.ROOT / "_toc.yml").read_text()
    for shelf in api.shelves():
        source = (chapters.ROOT / "chapters" / "library" / f"{shelf}.md").read_text()
        assert f"```{{library}} {shelf}\n" in source
        assert f"- file: chapters/library/{shelf}\n" in listed
    yaml.safe_load(listed)


@every_shelf
def test_a_page_documents_every_public_name(shelf):
    text = page(shelf)
    for thing in api.names(shelf).values():
        section = re.search(rf'<section class="kx-api" id="{thing.name}">(.*?)</section>', text, re.S)
        assert section, thing.name
        shown = plain(section[1])
        assert thing.signature in shown
        assert api.summary(thing)[:40] in " ".join(shown.split()).replace("’", "'") or "*" in api.summary(thing)
        for method in thing.methods:
            assert f'id="{method.name}"' in section[1]


@every_shelf
def test_a_page_shows_no_raw_markup_and_reads_no_section_as_prose(shelf):
    text = plain(page(shelf))
    assert "``" not in text
    assert not re.search(r"^-{3,}$|\.\. \[1\]", text, re.M)


@every_shelf
def test_source_links_lead_to_the_definition(shelf):
    for thing in api.names(shelf).values():
        if thing.path is None:
            continue
        first, last = thing.lines
        source = (chapters.ROOT / thing.path).read_text().splitlines()[first - 1 : last]
        assert re.match(rf"(def|class) {thing.name}\b|@", source[0])
        assert f"/blob/main/{thing.path}#L{first}-L{last}" in page(shelf)


@pytest.mark.parametrize("slug", chapters.slugs())
def test_a_chapter_links_the_names_that_it_imports_and_its_code_still_reads_the_same(slug):
    text = (SITE / "chapters" / f"{slug}.html").read_text()
    code = "".join(cell.source for cell in chapters.read(slug).cells if cell.cell_type == "code")
    for name, thing in api.imported(slug).items():
        if "." not in name or name in code:
            assert f'href="library/{thing.shelf}.html#{thing.name}"' in text, name
    shown = [plain(block) for block in re.findall(r'<div class="highlight-ipython3.*?<pre>(.*?)</pre>', text, re.S)]
    shown = [re.sub(r"\s+\Z", "", block.removeprefix("\n")) for block in shown]
    sources = [cell.source.strip() for cell in chapters.read(slug).cells if cell.cell_type == "code"]
    assert [block.strip() for block in shown] == [source for source in sources if source]


def test_names_in_code_are_links_only_where_they_mean_the_function():
    text = (SITE / "chapters" / "rope_base.html").read_text()
    link = '<a class="kx-name" href="library/positions.html#min_base" title="'
    assert f'<span class="n">{link}' in text
    assert re.search(r'title="min_base\(L[^"]* — Return the [^"]*" tabindex="-1">min_base</a>', text)
    text = (SITE / "chapters" / "ddpm.html").read_text()
    homes = re.findall(r'<span class="n">(\w+)</span><span class="o">\.</span><span class="n"><a', text)
    assert set(homes) == {
        name.partition(".")[0] for name in api.imported("ddpm") if "." in name and name in plain(text)
    }
    assert not re.search(r'</a></span><span class="o">=</span>', text)


def one(a, /, b: int, *rest, c: str = "x", **more) -> list[int]:
    """Nothing."""


class Pair:
    """Two numbers."""

    left: int
    right: float = 1.0


def test_signatures_are_written_as_in_the_source():
    assert api.described("one", one, "here").signature == (
        "one(a, /, b: int, *rest, c: str = 'x', **more) -> list[int]"
    )
    pair = api.described("Pair", Pair, "here")
    assert pair.signature == "Pair(left: int, right: float = 1.0)"
    first, last = pair.lines
    assert inspect.getsource(Pair).count("\n") == last - first + 1
    long = api.described("solve_diffusion_ode", api.shelves()["diffusion"].module.solve_diffusion_ode, "diffusion")
    assert all(len(line) <= api.WIDTH for line in long.signature.splitlines())


def test_docstrings_become_paragraphs_terms_lists_examples_and_links():
    found = docstrings.render(
        inspect.cleandoc("""Say ``x_i`` of `rotate`, *once*:

        - ``"a"``: first,
          continued;
        - second.

        As a matrix::

            1 0
              1

        Parameters
        ----------
        x, y : (n,) array_like
            Two of them.
        z

        References
        ----------
        .. [1] kexue.fm/archives/10122; arXiv:2405.14591,
           Section 3.
        .. [2] https://example.org/a.

        Examples
        --------
        >>> 1 + 1
        2
    """)
    )
    document = nodes.container("", *found)
    assert [node.astext() for node in document.findall(nodes.literal)][:3] == ["x_i", "rotate", '"a"']
    assert [node.astext() for node in document.findall(nodes.list_item)] == ['"a": first, continued;', "second."]
    assert [node.astext() for node in document.findall(nodes.term)] == ["x, y (n,) array_like", "z"]
    assert [node["refuri"] for node in document.findall(nodes.reference)] == [
        "https://kexue.fm/archives/10122",
        "https://arxiv.org/abs/2405.14591",
        "https://example.org/a",
    ]
    assert [(node.astext(), node["language"]) for node in document.findall(nodes.literal_block)] == [
        ("1 0\n  1", "text"),
        (">>> 1 + 1\n2", "pycon"),
    ]
    assert "Section 3." in document.astext()
    assert "----" not in document.astext()

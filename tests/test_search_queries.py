"""What readers type finds what answers it: a table of queries against the texts that the built book searches."""

import functools
import gzip
import json
import re
from pathlib import Path

import pytest
import yaml
from support import SITE

from extensions import book_search, chapters
from extensions.plain_math import plain_math
from kexue_core.engineering import InvertedIndex, expand, rank

TABLE = Path(__file__).with_name("search_queries.tsv")


@functools.cache
def data():
    """Return what the search of the built book holds."""
    text = (SITE / "_static" / book_search.DATA).read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.KEXUE_SEARCH=").removesuffix(";\n"))


@functools.cache
def documents():
    """Return the places of the book by their fields."""
    return [dict(zip(("page", "anchor", "title", "words", "text", "more"), place)) for place in data()["places"]]


@functools.cache
def book():
    """Return the index of the book, by the library."""
    fields = data()["fields"]
    return InvertedIndex([{name: document[name] for name in fields} for document in documents()])


def queries():
    """Yield query, kind and answers of the table."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            query, kind, answers = line.split("\t")
            yield query, kind, answers.split()


def found(query, k=1000):
    """Return the best places for a query, as the page ranks them."""
    return [number for number, *_ in rank(book(), expand(book(), query), k, fields=data()["fields"])]


def answers_it(document, answer):
    page, mark, anchor = answer.partition("#")
    name = re.sub(r"\.html$|/$", "", data()["pages"][document["page"]][0]).removeprefix("chapters/")
    if page not in ("*", name):
        return False
    return not mark or (document["anchor"].startswith(anchor) if anchor else not document["anchor"])


def test_the_table_is_long_and_knows_every_page_that_it_names():
    rows = list(queries())
    assert len(rows) == len({query for query, *_ in rows}) >= 60
    names = {re.sub(r"\.html$|/$", "", address).removeprefix("chapters/") for address, _ in data()["pages"]}
    assert {answer.partition("#")[0] for *_, answers in rows for answer in answers} <= names | {"*"}


@pytest.mark.parametrize("kind", ["known", "fresh"])
def test_nineteen_of_twenty_queries_find_an_answer_among_the_first_three(kind):
    rows = [(query, answers) for query, of_kind, answers in queries() if of_kind == kind]
    missed = [
        query
        for query, answers in rows
        if not any(answers_it(documents()[number], answer) for number in found(query, 3) for answer in answers)
    ]
    assert len(missed) <= 0.05 * len(rows), f"{kind}: {missed} of {len(rows)}"


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("auxilliary loss", "auxiliary loss"),
        ("Padé", "pade"),
        ("Γ", "gamma"),
        ("∇", "nabla"),
        ("∂", "partial"),
        ("∑", "sum"),
        ("√", "root"),
        ("ＢＭ２５", "bm25"),
        ("SOFTMAX", "softmax"),
        ("sparse-softmax", "sparse softmax"),
    ],
)
def test_spellings_of_one_thing_find_the_same_first(query, same):
    assert found(query, 1) == found(same, 1) != []


def test_api_leads_to_the_pages_of_the_library():
    pages = [data()["pages"][documents()[number]["page"]][0] for number in found("api", 11)]
    assert len(set(pages)) == 11
    assert all(page.startswith("chapters/library/") for page in pages), pages


def test_every_beginning_of_a_long_word_finds_something_on_the_way():
    for size in range(2, len("sparsemax") + 1):
        assert found("sparsemax"[:size])


def test_every_title_finds_its_own_page_among_the_first_three():
    for number, (_, title) in enumerate(data()["pages"]):
        same = {title, *(document["title"] for document in documents() if document["title"] == title)}
        hits = [documents()[hit] for hit in found(title, 3)]
        assert any(hit["page"] == number or hit["title"] in same for hit in hits), title


def test_texts_are_what_a_reader_sees():
    keys = set(re.findall(r"^@\w+\{([^,]+),", (chapters.ROOT / "chapters" / "references.bib").read_text(), re.M))
    assert len(keys) > 50
    for document in documents():
        text = f"{document['title']} {document['text']}"
        words = set(re.findall(r"[\w-]+", text))
        assert not words & keys, document
        assert not re.search(r"\beq-[a-z]+|\{(cite|eq)|\\[a-zA-Z]+|\$", text), document
        assert not re.search(r"[a-z](Insight|Papers|Original|After this chapter)\b", text), document
        assert not re.search(r"  |\n", text), document
    assert any("Thakur" in document["text"] for document in documents())
    assert any("top_k_mask" in document["more"] for document in documents())


def test_every_chapter_has_its_chinese_title_and_a_dozen_words_of_its_own():
    given = yaml.safe_load((chapters.ROOT / book_search.KEYWORDS).read_text(encoding="utf-8"))
    for slug in chapters.slugs():
        chinese = [word for word in given.get(slug, ()) if re.search(r"[\u4e00-\u9fff]", word)]
        assert len(chinese) == len(set(chinese)) >= 12, slug
        (top,) = [
            document
            for document in documents()
            if not document["anchor"] and data()["pages"][document["page"]][0] == f"chapters/{slug}.html"
        ]
        assert all(word in top["words"] for word in chinese), slug
        assert re.search(r"《.+》", top["text"]), slug


def test_the_data_of_thirty_five_chapters_will_be_light():
    """Text and names grow with the chapters; 450 kB compressed is what the search may cost when it is first used."""
    size = len(gzip.compress((SITE / "_static" / book_search.DATA).read_bytes(), 9))
    engine = len(gzip.compress((book_search.HERE / "static" / "search-engine.js").read_bytes(), 9))
    projected = size * 35 / len(chapters.slugs()) + engine
    assert projected < 450_000, f"{size} bytes for {len(chapters.slugs())} chapters, {projected:.0f} for 35"


PAGE = """<html><body><article><section id="top"><h1>Roads<a class="headerlink" href="#top">#</a></h1>
<p>First line</p><ul><li>one</li><li>two</li></ul>
<table><tr><th>Symbol</th><th>Meaning</th></tr><tr><td>k</td><td>index</td></tr></table>
<p>See <a href="x">Thakur et al. [2021]</a>, where <span class="math"><span class="katex"><span class="katex-mathml">
<math><semantics><mi>x</mi><annotation encoding="application/x-tex">\\Gamma(x)</annotation></semantics></math></span>
<span class="katex-html">drawn</span></span></span> is.</p>
<div class="cell"><div class="cell_input"><pre>from kexue_core.attention import (
    softmax,
    top_k_mask,
)
y = softmax(x)
plain = 1</pre></div><div class="cell_output"><div class="output text_plain"><pre>[0.1, 0.9]</pre></div></div></div>
<section id="below">
<h2>How fast <span class="math"><span class="katex">
<annotation>\\Gamma</annotation></span></span> falls</h2><p>Down.</p></section></section>
<div class="citation" id="id7" role="doc-biblioentry"><span class="label"><span class="fn-bracket">[</span>TRR+21</span>
<p>Nandan Thakur, Nils Reimers, A. Rücklé, and Iryna Gurevych. BEIR. <em>NeurIPS</em>, 2021.
URL: <a href="https://x.org">https://x.org</a>.</p></div>
<dl class="py function"><dt class="sig" id="kexue_core.attention.softmax">softmax(x)</dt><dd><p>Return it.</p></dd></dl>
</article></body></html>"""


def test_a_page_is_cut_into_places_whose_words_are_set_apart():
    top, below, entry, function = book_search.places(PAGE.encode(), ["道路"])
    assert top == (
        "",
        "Roads",
        "Roads · 道路",
        "First line one two Symbol · Meaning · k · index · See Thakur et al. [2021], where Γ(x) is.",
        "kexue_core softmax top_k_mask",
    )
    assert below == ("below", "How fast Γ falls", "", "Down.", "")
    assert entry[:2] == ("id7", "Nandan Thakur, Nils Reimers, A. Rücklé and others, 2021")
    assert entry[3].startswith("Nandan Thakur")
    assert "http" not in entry[3]
    assert function[:2] == ("kexue_core.attention.softmax", "softmax")
    assert "Return it." in function[3]


@pytest.mark.parametrize(
    ("tex", "line"),
    [
        (r"J=\mathrm{diag}(p)-pp^\top", "J = diag(p)-pp⊤"),
        (r"\frac12\lVert J\rVert_1", "1/2‖J‖₁"),
        (r"e^{i\omega}F=iF'", "e^(iω)F = iF′"),
        (r"\sum_{m\le k}v^m/m!", "∑_(m ≤ k)v^m/m!"),
        (r"\begin{aligned}a &= b \\[4pt] &\longrightarrow c && \text{cold}\end{aligned}", "a = b; → c cold"),
        (r"\left.\frac{d}{dx}\right|_{x=0}", "d/(dx)|_(x = 0)"),
        (r"\sqrt[3]{x+1}", "3√(x+1)"),
        (r"\log_2 n", "log₂ n"),
        (r"\sin x", "sin x"),
        (r"\unknown", "unknown"),
        (r"\frac{1}{", "1/"),
        ("}^{", ""),
        ("", ""),
    ],
)
def test_formulas_become_lines_that_can_be_read(tex, line):
    assert plain_math(tex) == line

"""The page "Search the book": every section of every chapter, indexed by `kexue_core`, searched in the browser.

BM25 scores are sums over the terms of a query. So the page stores what each term adds to each section, computed here by
`kexue_core.engineering.search.term_impacts`, and its JavaScript only adds up.
"""

import json
import re
from pathlib import Path

from docutils import nodes

from extensions import chapters
from kexue_core.engineering.inverted_index import InvertedIndex
from kexue_core.engineering.search import term_impacts

PAGE = "chapters/search"
DATA = "book-search-data.js"


def setup(app):
    """Write the data when the book is built, and load them on the search page only."""
    app.connect("html-page-context", load)
    app.connect("build-finished", write)


def load(app, pagename, templatename, context, doctree):
    """Add the scripts to the search page."""
    if pagename == PAGE:
        app.add_js_file(DATA, loading_method="defer")
        app.add_js_file("book-search.js", loading_method="defer")


def write(app, exception):
    """Write sections and impacts below ``_static``."""
    if exception is None and app.builder.format == "html":
        data = json.dumps(search_data(list(sections(app.env))), ensure_ascii=False, separators=(",", ":"))
        (Path(app.outdir) / "_static" / DATA).write_text(f"window.KEXUE_SEARCH={data};\n", encoding="utf-8")


def sections(env):
    """Yield title, chapter, address and text of every section of the chapters."""
    for slug in chapters.slugs():
        if f"chapters/{slug}" not in env.found_docs:  # a build of one chapter
            continue
        doctree = env.get_doctree(f"chapters/{slug}")
        top = next(doctree.findall(nodes.section))
        for section in doctree.findall(nodes.section):
            yield {
                "title": section[0].astext(),
                "chapter": top[0].astext(),
                "url": f"{slug}.html" if section is top else f"{slug}.html#{section['ids'][0]}",
                "text": " ".join(filter(None, map(prose, section[1:]))),
            }


def prose(node):
    """Return the words of a node: no code, no outputs, no formulas, and nothing of the sections below."""
    if isinstance(node, nodes.section | nodes.literal_block | nodes.container | nodes.math_block | nodes.raw):
        return ""
    hidden = nodes.math | nodes.math_block | nodes.literal_block
    words = "".join("…" if isinstance(text.parent, hidden) else text.astext() for text in node.findall(nodes.Text))
    return re.sub(r"\s+", " ", words)


def search_data(found):
    """Return what the page needs: the sections, and for each term what it adds to which."""
    index = InvertedIndex([{"title": section["title"], "body": section["text"]} for section in found])
    terms = {}
    for term in index.terms:
        documents, impacts = term_impacts(index, term)
        terms[term] = [documents.tolist(), [round(impact, 4) for impact in impacts.tolist()]]
    return {"sections": found, "terms": terms}

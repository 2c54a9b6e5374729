"""Citations: links to the papers of `chapters/references.bib`, found by their addresses.

A chapter cites in plain Markdown, ``[Men et al. (2024)](https://arxiv.org/abs/2405.14591)``, which reads the same in
JupyterLab, on Colab and on GitHub. The page adds the full reference as the title of the link, and `bibliography` lists
what is cited.
"""

import functools
import re
from html import escape

from docutils import nodes
from pybtex.database import parse_file
from pybtex.plugin import find_plugin
from sphinx.transforms import SphinxTransform

from extensions import chapters

__all__ = ["address", "bibliography", "cited", "entries", "links"]

STYLE = find_plugin("pybtex.style.formatting", "plain")()
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((https?://[^\s()]+(?:\([^\s()]*\)[^\s()]*)*)\)")


def setup(app):
    """Give the links of the chapters their titles."""
    app.add_transform(Titles)


def address(url):
    """Return an address in the one spelling that is compared: of an arXiv paper any version or form, of a DOI any host.

    Examples
    --------
    >>> address("http://arxiv.org/pdf/2405.14591v2")
    'arxiv:2405.14591'
    >>> address("https://dx.doi.org/10.1000/ABC")
    'doi:10.1000/abc'
    """
    paper = re.match(r"https?://(?:www\.)?arxiv\.org/(?:abs|pdf)/(.+?)(?:v\d+)?(?:\.pdf)?$", url)
    if paper:
        return f"arxiv:{paper[1]}"
    article = re.match(r"https?://(?:dx\.)?doi\.org/(.+)$", url)
    if article:
        return f"doi:{article[1].lower()}"
    return re.sub(r"^https?://(?:www\.)?", "", url).rstrip("/")


@functools.cache
def _parsed(path, changed):
    return parse_file(str(path), bib_format="bibtex").entries


def entries():
    """Return the bibliography: key -> pybtex entry."""
    path = chapters.ROOT / "chapters" / "references.bib"
    return _parsed(path, path.stat().st_mtime_ns)


def links(entry):
    """Return the addresses of an entry, the one to print first."""
    fields = entry.fields
    found = [fields["url"]] if "url" in fields else []
    found += [f"https://doi.org/{fields['doi']}"] if "doi" in fields else []
    return found + ([f"https://arxiv.org/abs/{fields['eprint']}"] if "eprint" in fields else [])


def known():
    """Return which entry an address belongs to."""
    return {address(url): key for key, entry in entries().items() for url in links(entry)}


def cited(slug):
    """Return the addresses that a chapter links to in its text, in order, each with its entry's key or None."""
    table = known()
    text = "\n\n".join(cell.source for cell in chapters.cells(slug) if cell.cell_type == "markdown")
    return {url: table.get(address(url)) for _, url in LINK.findall(text)}


def reference(entry, backend="text"):
    """Return an entry in full, without its addresses."""
    bare = type(entry)(entry.type, {k: v for k, v in entry.fields.items() if k not in ("url", "doi", "eprint")})
    bare.persons, bare.key = entry.persons, entry.key
    formatted = next(iter(STYLE.format_entries([bare])))
    return formatted.text.render(_backend(backend))


@functools.cache
def _backend(name):
    return find_plugin("pybtex.backends", name)("utf-8")


def bibliography():
    """Every entry that a chapter cites: alphabetical, with one link, and with the chapters that cite it."""
    users = {}
    for slug in chapters.slugs():
        for key in dict.fromkeys(cited(slug).values()):
            users.setdefault(key, []).append(slug)
    found = entries()
    lines = []
    for key in sorted((key for key in users if key), key=lambda key: _order(found[key])):
        url = links(found[key])[0]
        back = ", ".join(f"[{chapters.title(slug)}](/chapters/{slug}.ipynb)" for slug in users[key])
        where = f'<a href="{escape(url)}">{escape(url.removeprefix("https://"))}</a>'
        text = " ".join(reference(found[key], "html").split())  # a line "2025." would begin a list of its own
        lines += [f"- {text} {where}. Cited in: {back}.", ""]
    return "\n".join(lines)


def _order(entry):
    people = [" ".join(person.last_names).lower().strip("{}") for person in entry.persons.get("author", [])]
    return people, entry.fields.get("year", ""), entry.fields.get("title", "")


class Titles(SphinxTransform):
    """Say in full what a link to a paper cites."""

    default_priority = 900

    def apply(self):
        """Set the titles."""
        table, found = known(), entries()
        for link in self.document.findall(nodes.reference):
            key = table.get(address(link.get("refuri", "")))
            if key and not link.get("reftitle"):
                link["reftitle"] = _full(found[key], key)
                link["classes"].append("kx-cite")


@functools.cache
def _titles(key, fields):
    return reference(entries()[key])


def _full(entry, key):
    return _titles(key, tuple(sorted(entry.fields.items())))

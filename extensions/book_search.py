"""The search of the book: what its pages say, cut into places, for the engine that runs in the browser.

A *place* is what a result leads to: a section, an entry of the bibliography, a function of the library. It has a title,
a text, and more that can be found: names in its code, reasons of its derivation steps. A page has, at its top, words of
its own besides, the title once more and those of `chapters/keywords.yml`. All are read from the finished pages, so that
citations and references stand as a reader sees them. The index is built from them in the browser, by a twin of
`kexue_core.engineering` in JavaScript.
"""

import json
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import lxml.html
import yaml

from extensions.plain_math import plain_math

HERE = Path(__file__).parent
PAGE = "chapters/search"
DATA = "book-search-data.js"
KEYWORDS = Path("chapters", "keywords.yml")
BELOW = {"chapters/library": ["API", "documentation"]}  # words of every page in a folder
FIELDS = {"title": (3, 0.75), "words": (2, 0), "text": (1, 0.75), "more": (0.6, 0.75)}  # weight, and b of BM25
LONGEST = 60  # letters of a formula that is shown
SILENT = "script style svg template button input select output annotation"
HIDDEN = "headerlink kx-explorer kx-table kx-run kx-control eqno fn-bracket collapsed expanded"
# A section of a page, but none that the book made of its chapters: what it repeats is found there.
OWN = "section[@id][not(ancestor-or-self::section[contains(@class, 'kx-generated')])]"
UNITS = " | ".join(
    f"//article//{unit}" for unit in (OWN, "*[@role='doc-biblioentry'][@id]", "dl[dt[contains(@class, 'sig')]/@id]")
)
GATHERED = {"chapters/reproduced_results": "kx-claim"}  # what stands in the chapters too is found there
BLOCKS = "p li tr dt dd h1 h2 h3 h4 h5 h6 div blockquote caption pre summary figcaption section"


def setup(app):
    """Put our box and buttons in the place of the theme's, and write the data when the book is built."""
    app.connect("config-inited", configure)
    app.connect("builder-inited", switch_off_the_other)
    app.connect("build-finished", write)


def configure(app, config):
    """Our templates before the theme's; the script that opens the box on every page.

    Sphinx takes the key "/" on every page, for a field that is not there. It is left to the browser: a key that writes
    a character may not be a command that cannot be switched off (WCAG 2.1.4).
    """
    config.templates_path += [str(HERE / "templates"), str(HERE / "templates" / "components")]
    config.html_js_files.append(("book-search.js", {"defer": "defer"}))
    config.html_theme_options = {**config.html_theme_options, "enable_search_shortcuts": False}


def switch_off_the_other(app):
    """Let Sphinx make no search page and no index of its own."""
    if hasattr(app.builder, "search"):
        app.builder.search = False


def write(app, exception):
    """Write all places below ``_static``; remove what an earlier build left of the other search."""
    if exception is not None or app.builder.name not in ("html", "dirhtml"):
        return
    folder = Path(app.outdir)
    for leftover in ("search.html", "searchindex.js"):
        (folder / leftover).unlink(missing_ok=True)
    data = json.dumps(collect(app), ensure_ascii=False, separators=(",", ":"))
    (folder / "_static" / DATA).write_text(f"window.KEXUE_SEARCH={data};\n", encoding="utf-8")


def collect(app):
    """Return pages (address, title), places (page, anchor, title, words, text, more) and the weights of the fields."""
    found = yaml.safe_load((Path(app.srcdir) / KEYWORDS).read_text(encoding="utf-8"))
    names = [name for name in in_order(app.env) if name != PAGE]
    jobs = []
    for name in names:
        folder, _, last = name.rpartition("/")
        keywords = [*found.get(last, ()), *BELOW.get(folder, ())]
        jobs.append((Path(app.builder.get_outfilename(name)), keywords, GATHERED.get(name, "")))
    with ProcessPoolExecutor() as pool:
        read = list(pool.map(places_of_file, *zip(*jobs)))
    pages, all_places = [], []
    for name, own in zip(names, read):
        if own:
            all_places += [[len(pages), *place] for place in own]
            pages.append([app.builder.get_target_uri(name), own[0][1]])
    return {"pages": pages, "places": all_places, "fields": FIELDS}


def places_of_file(path, keywords, gathered):
    """Return the places of a page that has been written, none of one that has not."""
    return list(places(path.read_bytes(), keywords, gathered)) if path.exists() else []


def in_order(env):
    """Return the names of all pages in the order of the table of contents, others last."""
    order = {}

    def visit(name):
        if name not in order:
            order[name] = None
            for below in env.toctree_includes.get(name, ()):
                visit(below)

    visit(env.config.root_doc)
    return [*order, *sorted(env.found_docs - set(order))]


def places(html, keywords=(), gathered=""):
    """Yield anchor, title, words, text and more of every place of a page; the first one has no anchor."""
    document = lxml.html.document_fromstring(html, parser=lxml.html.HTMLParser(encoding="utf-8"))
    for drawn in document.xpath("//span[@class='katex-html']"):  # most of a page; the formula's source stands beside it
        drawn.drop_tree()
    units = document.xpath(UNITS)
    imported = names_imported(document)
    for number, unit in enumerate(units):
        reader = Reader(units, imported, gathered)
        if unit.tag == "section":
            heading = next((child for child in unit if re.fullmatch("h[1-6]", str(child.tag))), None)
            title = "" if heading is None else Reader((), ()).read(heading)
            anchor = unit.get("id")
            told = [child for child in unit if child is not heading]
            if "kx-api" in (unit.get("class") or "").split():  # of a function, what it does: the rest is reference
                told = [child for child in told if child.tag == "p"][:1]
            text = reader.read_all(told)
        elif unit.tag == "dl":
            anchor = unit.xpath("dt/@id")[0]
            title = anchor.rpartition(".")[2]
            text = reader.read_all(unit)
        else:
            anchor, text = unit.get("id"), re.sub(r"^\S+ | URL:", "", reader.read_all(unit))
            title = cited_as(text)
        words = " · ".join([title, *keywords] if number == 0 else ())
        yield "" if number == 0 else anchor, title, words, text, " ".join(dict.fromkeys(reader.more))


def cited_as(entry):
    """Return the authors and the year of an entry of the bibliography."""
    authors = re.split(r"(?<!\b[A-Z])[.] ", entry)[0]  # initials have points too
    years = re.findall(r"\b(?:19|20)\d\d\b", entry)
    names = re.split(r",? and |, ", authors)
    return f"{', '.join(names[:3])}{' and others' if names[3:] else ''}, {years[-1] if years else 'no year'}"


def names_imported(document):
    """Return what the code of a page imports from the library."""
    code = "\n".join(block.text_content() for block in document.xpath("//div[contains(@class, 'cell_input')]"))
    lists = re.findall(r"^from kexue_core(?!\.notebook)\S* import (?:\(([^)]*)\)|(.*))", code, re.M)
    return {name for pair in lists for name in re.findall(r"\w+", " ".join(pair))}


class Reader:
    """Collect the words of an element, without those of the places inside it."""

    def __init__(self, units, imported, gathered=""):
        self.units, self.imported = set(units), imported
        self.hidden = {*HIDDEN.split(), *gathered.split()}
        self.parts, self.more = [], []

    def read(self, element):
        """Return the words of an element in one line."""
        self.visit(element)
        return re.sub(r"\s+([.,;:!?)])|\s+", lambda found: found[1] or " ", "".join(self.parts)).strip(" ·")

    def read_all(self, elements):
        """Return the words of several elements."""
        for element in elements:
            self.visit(element)
            self.parts.append(" ")
        return self.read(lxml.html.Element("p"))

    def visit(self, element):
        """Add what an element says."""
        tag, classes = element.tag, (element.get("class") or "").split()
        if not isinstance(tag, str) or tag in SILENT.split() or element in self.units:
            return
        if set(classes) & self.hidden:
            return
        if "katex" in classes or tag == "math":
            self.parts.append(self.formula(element))
        elif "cell_input" in classes or tag == "pre":
            self.code(element.text_content())
        elif "text_plain" in classes:
            pass
        elif "text_latex" in classes:
            for tex in element.xpath(".//annotation/text()"):
                self.more += re.findall(r"&& *\\text\{([^{}()$]{4,}?)[ .]*[{}($]", tex)
        else:
            self.children(element, tag)

    def children(self, element, tag):
        """Add the words of an element and what lies in it, set apart from its neighbours."""
        if tag == "a" and (element.text or "").startswith("http"):
            return
        edge = " · " if tag in ("td", "th") else " " if tag in BLOCKS.split() or tag == "br" else ""
        self.parts += [" " if edge else "", element.text or ""]
        for child in element:
            self.visit(child)
            self.parts.append(child.tail or "")
        self.parts.append(edge)

    def formula(self, element):
        """Return a formula as it can be read, or its place if it is long."""
        tex = element.xpath("string(.//annotation)")
        line = plain_math(tex) if tex else re.sub(r"\s+", "", element.text_content())
        return line if len(line) <= LONGEST else "…"

    def code(self, text):
        """Note the names that a reader may look for: what comes from the library, and what has an underscore."""
        words = re.findall(r"(?<![\w.\"'])[A-Za-z]\w*", text)
        self.more += [word for word in words if word in self.imported or re.search(r"[a-z]{2}\w*_|_\w*[a-z]{2}", word)]

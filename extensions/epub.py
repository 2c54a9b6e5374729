"""The book as an EPUB, made from the finished site; the build puts it beside the pages.

The pages are taken as they were built. Formulas keep their MathML, explorers become their first picture with their
numbers and the table, links to pages that are left out lead to the site. Nothing is executed and nothing typeset anew.
"""

import uuid
import zipfile
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from sphinx_external_toc.parsing import FileItem, parse_toc_yaml

from extensions import chapters, cite
from extensions.epub_pages import Binding, file_name, page

LEFT_OUT = {"chapters/search", "chapters/changes"}
LEFT_OUT_PARTS = {"Library"}
TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".css": "text/css"}
STYLE = Path(__file__).with_suffix(".css")


def parts(root):
    """Return what is bound, in reading order: (caption, [names of pages])."""
    site = parse_toc_yaml(root / "_toc.yml")

    def below(tree):
        for item in tree.items:
            if isinstance(item, FileItem):
                yield item.removesuffix(".ipynb").removesuffix(".md")
                for inner in site[item].subtrees:
                    yield from below(inner)

    found = [("", [str(site.root.docname)])]
    found += [(tree.caption, list(below(tree))) for tree in site.root.subtrees if tree.caption not in LEFT_OUT_PARTS]
    return [(caption, [name for name in names if name not in LEFT_OUT]) for caption, names in found]


def navigation(found, titles):
    """Return the table of contents: parts, and the pages in them."""

    def entries(names):
        return "".join(f'<li><a href="{file_name(name)}">{escape(titles[name])}</a></li>' for name in names)

    lines = []
    for caption, names in found:
        if caption and names:
            lines.append(f"<li><span>{escape(caption)}</span><ol>{entries(names)}</ol></li>")
        else:
            lines.append(entries(names))
    return page("Contents", f'<nav epub:type="toc"><h1>Contents</h1><ol>{"".join(lines)}</ol></nav>')


def package(pages, files, base, day):
    """Return the list of everything in the EPUB."""
    book = cite.book()
    items = ['<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>']
    for number, (name, text) in enumerate(pages.items()):
        properties = ' properties="mathml"' if "<math" in text or ":math" in text else ""
        items.append(f'<item id="p{number}" href="{name}" media-type="application/xhtml+xml"{properties}/>')
    for number, name in enumerate(files):
        items.append(f'<item id="f{number}" href="{name}" media-type="{TYPES[Path(name).suffix]}"/>')
    spine = "".join(f'<itemref idref="p{number}"/>' for number in range(len(pages)))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="en">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="id">urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, base)}</dc:identifier>'
        f"<dc:title>{escape(book['title'])}</dc:title><dc:language>en</dc:language>"
        f"<dc:creator>{escape(cite.author())}</dc:creator><dc:source>{escape(base)}</dc:source>"
        f"<dc:description>{escape(book['abstract'])}</dc:description>"
        "<dc:rights>CC BY 4.0 (text), MIT (code)</dc:rights>"
        f'<meta property="dcterms:modified">{day:%Y-%m-%dT%H:%M:%SZ}</meta></metadata>'
        f"<manifest>{''.join(items)}</manifest><spine>{spine}</spine></package>"
    )


def bind(site, target, base):
    """Write the EPUB and return its path."""
    found = parts(chapters.ROOT)
    binding = Binding(site, base, [name for _, names in found for name in names])
    titles = {name: " ".join(article.xpath("string(.//h1)").split()) for name, article in binding.articles.items()}
    pages = {file_name(name): binding.finish(name) for name in binding.pages}
    files = {"style.css": STYLE.read_bytes()} | {f"images/{name}": data for name, data in binding.pictures.items()}
    fresh = target.with_suffix(".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)  # first, and as it is
        container = '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
        container += '<rootfile full-path="book/book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
        archive.writestr("META-INF/container.xml", f"{container}</container>")
        archive.writestr("book/book.opf", package(pages, files, base, datetime.now(UTC)))
        archive.writestr("book/nav.xhtml", navigation(found, titles))
        for name, content in (pages | files).items():
            archive.writestr(f"book/{name}", content)
    fresh.replace(target)
    return target

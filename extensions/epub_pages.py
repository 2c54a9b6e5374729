"""The pages of the EPUB: those of the site, with everything in them that paper can show."""

import copy
import posixpath
import re
from html import escape
from urllib.parse import unquote, urlsplit

import lxml.html
from lxml import etree

__all__ = ["Binding", "file_name", "page"]

XHTML = "http://www.w3.org/1999/xhtml"
KEPT = {"id", "class", "href", "src", "alt", "display", "colspan", "rowspan", "scope", "start", "lang"}
GONE = ["script", "style", "button", "input", "noscript"]


def file_name(name):
    """Return the file of a page inside the EPUB."""
    return f"{name.removeprefix('chapters/').replace('/', '-')}.xhtml"


class Binding:
    """A book that is being bound: its pages and the pictures that they ask for."""

    def __init__(self, site, base, pages):
        self.site, self.base, self.pages, self.pictures = site, base, pages, {}
        self.articles = {name: self.article(name) for name in pages}
        self.ids = {name: set(article.xpath("//@id")) for name, article in self.articles.items()}

    def article(self, name):
        """Return the text of a page with everything in it that paper can show."""
        text = (self.site / f"{name}.html").read_text(encoding="utf-8")
        # SVG distinguishes capital letters, which an HTML parser does not: it is kept aside as it is.
        drawings = []
        text = re.sub(r"<svg\b.*?</svg>", lambda match: self.put_aside(match[0], drawings), text, flags=re.S)
        article = lxml.html.document_fromstring(text).xpath("//article")[0]
        for number, box in enumerate(article.xpath(".//div[contains(concat(' ', @class, ' '), ' kx-explorer ')]")):
            self.explorer(box, drawings, f"{file_name(name).removesuffix('.xhtml')}-{number}.svg")
        for formula in article.xpath(".//span[@class='katex']"):
            replace(formula, self.formula(formula))
        self.clean(article)
        return article

    def put_aside(self, drawing, drawings):
        """Keep a drawing and return what stands for it."""
        drawings.append(drawing)
        return f'<img data-drawing="{len(drawings) - 1}">'

    def explorer(self, box, drawings, target):
        """Put in the place of an explorer its picture, its numbers and its table."""
        figure = etree.Element("figure", id=box.get("id"))
        picture = box.xpath(".//*[contains(@class, 'kx-picture')]")[0]
        drawing = drawings[int(picture.xpath(".//img/@data-drawing")[0])]
        self.pictures[target] = standalone(drawing).encode()
        etree.SubElement(figure, "img", src=f"images/{target}", alt=picture.get("aria-label"))
        for numbers in box.xpath(".//dl"):
            numbers.attrib.clear()
            numbers.set("class", "numbers")
            figure.append(numbers)
        for table in box.xpath(".//details//pre")[:1]:
            etree.SubElement(figure, "pre").text = table.text_content()
        replace(box, figure)

    def formula(self, span):
        """Return the MathML of a formula, without its source."""
        math = copy.deepcopy(span.xpath(".//math")[0])
        math.tail = None
        for source in math.xpath(".//annotation"):
            source.getparent().remove(source)
        for cell in math.xpath(".//mtable[@width]|.//mtd[@width]"):  # KaTeX makes room for the number of an equation
            del cell.attrib["width"]
        if "katex-display" in span.getparent().get("class", ""):
            math.set("display", "block")
        return math

    def clean(self, article):
        """Drop what only a browser can use; unfold what is folded."""
        gone = [*(f".//{tag}" for tag in GONE), ".//img[@data-drawing]", ".//a[contains(@class, 'headerlink')]"]
        for element in article.xpath("|".join(gone)):
            element.drop_tree()
        for element in list(article.iter(etree.Comment)):
            element.drop_tree()
        for element in article.xpath(".//details|.//summary"):
            kind, element.tag = element.tag, "div"
            element.attrib.clear()
            element.set("class", "fold" if kind == "details" else "summary")
        for element in article.iter():
            for name in list(element.attrib):
                if name not in KEPT and not (isinstance(element.tag, str) and element.tag.startswith("m")):
                    del element.attrib[name]
            if element.tag == "center":
                element.tag = "div"
        article.tag = "div"

    def finish(self, name):
        """Return the page of a name as XHTML: its links and pictures are those of the EPUB."""
        article = self.articles[name]
        for link in article.xpath(".//a[@href]"):
            link.set("href", self.address(name, link.get("href")))
        for image in article.xpath(".//img[not(starts-with(@src, 'images/'))]"):
            source = self.site / posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(image.get("src"))))
            data = source.read_bytes()
            self.pictures[source.name] = standalone(data.decode()).encode() if source.suffix == ".svg" else data
            image.set("src", f"images/{source.name}")
        return page(article.xpath("string(.//h1)"), etree.tostring(article, encoding="unicode"))

    def address(self, name, url):
        """Return where a link of the site leads from inside the EPUB."""
        parsed = urlsplit(url)
        if parsed.scheme or parsed.netloc:
            return url
        path = (
            posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parsed.path))) if parsed.path else name
        )
        target, fragment = path.removesuffix(".html"), unquote(parsed.fragment).partition("?")[0]
        if target not in self.ids:
            return f"{self.base}{path}" + (f"#{parsed.fragment}" if parsed.fragment else "")
        return file_name(target) + (f"#{fragment}" if fragment in self.ids[target] else "")


def replace(old, new):
    """Put an element in the place of another, before the text that follows."""
    new.tail = old.tail
    old.getparent().replace(old, new)


def standalone(drawing):
    """Return a drawing as a file of its own, in which an id stands once."""
    drawing, seen = drawing[drawing.index("<svg") :], set()
    head, rest = drawing.split(">", 1)
    for name, space in (("xmlns", "http://www.w3.org/2000/svg"), ("xmlns:xlink", "http://www.w3.org/1999/xlink")):
        if f"{name}=" not in head:
            head += f' {name}="{space}"'
    rest = re.sub(r' id="([^"]*)"', lambda match: "" if match[1] in seen else seen.add(match[1]) or match[0], rest)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}>{rest}'


def page(title, body):
    """Return a whole XHTML file."""
    title = escape(" ".join(title.replace("#", "").split()))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
        f'<html xmlns="{XHTML}" xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en"><head>'
        f'<title>{title}</title><link rel="stylesheet" href="style.css"/></head><body>{body}</body></html>'
    )

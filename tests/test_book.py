"""The built site as files: complete, self-contained, light; and a build that cannot leave half a site."""

import functools
import gzip
import importlib
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import lxml.html
import nbformat
import pytest
from support import SITE

from extensions import build, chapters, citations, colab, companion, dependencies, epub, execution, processes, rerun

PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if "_static" not in path.parts and path != SITE / "index.html"  # which only leads to the landing page
)
every_page = pytest.mark.parametrize("page", PAGES)
BUDGET = 220_000


class Links(HTMLParser):
    """Collect what a page loads, where it leads, its ids and its pictures."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.leads, self.ids, self.images = [], [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.ids.add(attributes["id"])
        if tag == "img":
            self.images.append(attributes)
        if tag in ("script", "img", "iframe", "source") and attributes.get("src"):
            self.loads.append(attributes["src"])
        if tag == "link" and set((attributes.get("rel") or "").split()) & {"stylesheet", "icon", "preload"}:
            self.loads.append(attributes["href"])
        if tag == "a" and attributes.get("href"):
            self.leads.append(attributes["href"])


@functools.cache
def ids(path):
    """Return the ids of a page."""
    return Links(path.read_text()).ids


@pytest.fixture
def text(site, page):
    return (site / page).read_text()


@pytest.mark.parametrize("name", ["notation", "reproduced_results", "errata", "changes"])
def test_a_generated_page_lists_its_sections_beside_it(site, name):
    text = (site / f"chapters/{name}.html").read_text()
    contents = text[text.index('class="bd-sidebar-secondary') :]
    sections = re.findall(r'<section[^>]* id="([^"]+)">\s*<h2>', text)
    assert len(sections) > 1
    assert [f"#{section}" for section in sections] == re.findall(r'toc-h2 nav-item.*?href="(#[^"]+)"', contents, re.S)


def test_the_site_has_a_page_for_every_chapter(site):
    for slug in [*chapters.slugs(), "intro", "reproduced_results", "bibliography"]:
        assert (site / "chapters" / f"{slug}.html").exists(), slug
    assert (site / "sitemap.xml").exists()
    assert "chapters/intro.html" in (site / "index.html").read_text()


@every_page
def test_pages_load_local_files_that_exist(site, page, text):
    for url in Links(text).loads:
        if url.startswith("data:"):
            continue
        assert not urlsplit(url).netloc, f"{page} loads {url}"
        assert ((site / page).parent / unquote(urlsplit(url).path)).resolve().exists(), f"{page} lacks {url}"


@every_page
def test_links_within_the_book_lead_somewhere(site, page, text):
    own = Links(text)
    for url in own.leads:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
            continue
        target = ((site / page).parent / unquote(parts.path)).resolve() if parts.path else site / page
        if target.is_dir():
            target /= "index.html"
        assert target.exists(), f"{page} leads to {url}"
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment).split("?")[0] in ids(target), f"{page} leads to {url}"


@every_page
def test_every_formula_is_typeset(text):
    assert "katex-error" not in text
    assert "MathJax" not in text
    body = re.sub(r"<(pre|code|script|annotation|style).*?</\1>", "", text, flags=re.S)
    assert not re.search(r"\\\(|\\begin\{|\$\$", body)


@every_page
def test_every_picture_says_what_is_seen(text):
    for image in Links(text).images:
        assert image.get("alt", "").strip(), image
        assert not re.search(r"[0-9a-f]{32}|\.(png|svg)$", image["alt"]), image


@pytest.mark.parametrize("slug", chapters.slugs())
def test_a_chapter_transfers_less_than_its_budget_beyond_theme_and_math_files(site, slug):
    page = site / "chapters" / f"{slug}.html"
    size = len(gzip.compress(page.read_bytes()))
    for url in Links(page.read_text()).loads:
        path = (page.parent / urlsplit(url).path).resolve()
        if "_images" in path.parts:
            data = path.read_bytes()
            size += len(gzip.compress(data)) if path.suffix == ".svg" else len(data)
    assert size < BUDGET, f"{slug}: {size} bytes"


@pytest.fixture
def jupyter_book(monkeypatch, tmp_path):
    """Stand in for Jupyter Book: write one page, then end as told."""
    monkeypatch.setattr(chapters, "BUILD", tmp_path)
    monkeypatch.setattr(epub, "bind", lambda site, target, base: target)

    def build_with(text, end):
        def run(*args, **kwargs):
            folder = tmp_path / "staging" / "_build" / "html"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "index.html").write_text(text)
            if isinstance(end, BaseException):
                raise end
            return end

        monkeypatch.setattr(processes, "run", run)
        return build.build_site()

    return build_with


@pytest.mark.parametrize(("end", "error"), [(1, SystemExit), (KeyboardInterrupt(), KeyboardInterrupt)])
def test_a_failed_or_interrupted_build_leaves_the_old_site_alone(jupyter_book, tmp_path, end, error):
    site = jupyter_book("first", 0)
    with pytest.raises(error):
        jupyter_book("half", end)
    assert (site / "index.html").read_text() == "first"
    (tmp_path / "staging" / "left-over").touch()
    jupyter_book("second", 0)
    assert (site / "index.html").read_text() == "second"
    assert not (tmp_path / "staging" / "left-over").exists()  # what was left half done is not built upon
    assert sorted(path.name for path in tmp_path.iterdir()) == ["html", "staging"]


def test_a_site_that_lacks_a_picture_is_not_published(jupyter_book, tmp_path):
    site = jupyter_book("first", 0)
    with pytest.raises(SystemExit, match=re.escape("index.html names _images/a.png, which is not there")):
        jupyter_book('<img alt="a" src="_images/a.png">', 0)
    assert (site / "index.html").read_text() == "first"
    assert jupyter_book("second", 0) == site


def test_an_interrupted_cleaning_is_not_taken_for_a_whole_folder(jupyter_book, tmp_path, monkeypatch):
    jupyter_book("first", 0)
    with pytest.raises(KeyboardInterrupt):
        jupyter_book("half", KeyboardInterrupt())
    half = tmp_path / "staging" / "_build" / "html" / "half.html"
    half.touch()
    remove = shutil.rmtree

    def interrupted(folder, **options):
        if folder.exists():
            (folder / "unfinished").unlink()
            raise KeyboardInterrupt
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        jupyter_book("next", 0)
    monkeypatch.setattr(shutil, "rmtree", remove)
    site = jupyter_book("last", 0)
    assert {path.name for path in site.iterdir()} == {"index.html", companion.NAME}


def test_an_interrupted_rerun_leaves_the_old_notebook_alone(monkeypatch, tmp_path):
    path = tmp_path / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), path)
    before = path.read_bytes()

    def interrupted(notebook, target):
        target.write_text('{"cells": [')
        raise KeyboardInterrupt

    monkeypatch.setattr(nbformat, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rerun.write(nbformat.v4.new_notebook(), path)
    assert path.read_bytes() == before


def test_all_chapters_that_fail_are_named_in_a_line_each_and_fail_the_run(monkeypatch, capsys):
    wrong = {
        "one": execution.Mistake("one, cell [3]: ValueError: slider 3"),
        "two": RuntimeError("lost"),
        "three": None,
    }

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers, initializer):
            super().__init__(workers)

    def execute(slug, environment):
        if wrong[slug]:
            raise wrong[slug]
        return nbformat.v4.new_notebook(), 1.0

    monkeypatch.setattr(execution, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(execution, "execute", execute)
    with pytest.raises(SystemExit, match="2 of 3 chapters failed"):
        list(execution.execute_all(wrong, workers=1))
    told = capsys.readouterr()
    assert "three: 1.0 s" in told.out
    lines = told.err.splitlines()
    assert sorted(lines) == ["one, cell [3]: ValueError: slider 3", "two: RuntimeError: lost"]


def test_the_cache_key_follows_the_library(monkeypatch, tmp_path):
    before = dependencies.sources_key()
    assert before == dependencies.sources_key()
    for name in ("requirements.txt", "kexue_core/positions/rope.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((chapters.ROOT / name).read_bytes())
    monkeypatch.setattr(chapters, "ROOT", tmp_path)
    small = dependencies.sources_key()
    (tmp_path / "kexue_core" / "positions" / "rope.py").write_text("changed")
    changed = dependencies.sources_key()
    assert changed != small
    monkeypatch.setattr(sys, "version", "3.99")
    assert dependencies.sources_key() != changed


def test_a_chapter_is_executed_anew_when_what_it_uses_changes_and_else_not(monkeypatch, tmp_path):
    shutil.copytree(chapters.ROOT / "kexue_core", tmp_path / "kexue_core")
    for name in ("requirements.txt", "_toc.yml", "chapters/monarch.ipynb", "chapters/ddpm.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(chapters.ROOT / name, tmp_path / name)
    monkeypatch.setattr(chapters, "ROOT", tmp_path)

    def keys():
        return dependencies.cache_path().name, dependencies.chapter_key("monarch"), dependencies.chapter_key("ddpm")

    for name, changes in [
        ("matrices/monarch.py", (False, True, False)),
        ("diffusion/_common.py", (False, False, True)),  # which no chapter names
        ("matrices/__init__.py", (False, False, False)),
        ("experts/balance.py", (False, False, False)),
        ("notebook/points.py", (True, False, False)),
        ("special.py", (True, False, False)),
    ]:
        before = keys()
        path = tmp_path / "kexue_core" / name
        path.write_text(path.read_text() + "\n# changed\n")
        assert tuple(old != new for old, new in zip(before, keys(), strict=True)) == changes, name


@pytest.mark.parametrize("slug", chapters.slugs())
def test_what_a_chapter_imports_is_among_its_sources(slug):
    code = "\n".join(cell.source for cell in chapters.read(slug).cells if cell.cell_type == "code")
    named = re.findall(r"^from (kexue_core[\w.]*) import (\([^)]*\)|.+)$", code, re.M)
    values = [
        getattr(importlib.import_module(shelf), name) for shelf, names in named for name in re.findall(r"\w+", names)
    ]
    found, seen = dependencies.sources(slug), set()
    while values:  # and what the modules hold that the values live in, as Python itself says
        home = getattr(values.pop(), "__module__", "")
        if re.match(r"kexue_core\.(?!notebook|_checks|special)", home) and home not in seen:
            seen.add(home)
            values += [value for value in vars(sys.modules[home]).values() if callable(value)]
    assert {Path(sys.modules[home].__file__) for home in seen} <= found
    assert seen, "every chapter computes with the library"


def test_colab_gets_every_chapter_with_a_cell_that_installs_the_package(tmp_path):
    colab.main(tmp_path)
    for slug in chapters.slugs():
        notebook = nbformat.read(tmp_path / "chapters" / f"{slug}.ipynb", 4)
        nbformat.validate(notebook)
        assert "%pip install" in notebook.cells[1].source
    assert "/blob/colab/chapters/" in (SITE / "chapters" / f"{slug}.html").read_text()


def test_binder_finds_its_files_at_the_top_and_every_version_is_pinned():
    reader, workshop = (
        (chapters.ROOT / name).read_text().split("\n") for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert reader[-2:] == ["-e .", ""]
    pin = re.compile(r"[A-Za-z0-9._-]+==[^ ]+( ; .+)?")
    assert [line for line in reader[:-2] + workshop[:-1] if not pin.fullmatch(line)] == []
    assert set(reader[:-2]) & set(workshop) == set()
    assert re.fullmatch(r"python-3\.\d+\n", (chapters.ROOT / "runtime.txt").read_text())


def test_the_map_of_the_site_names_every_page(site):
    pages = {page for page in PAGES if page not in ("404.html", "genindex.html", "search.html")}
    found = re.findall(r"<loc>https://kexue-book.github.io/kexue-book/(.*?)</loc>", (site / "sitemap.xml").read_text())
    assert set(found) == pages
    assert len(found) == len(pages)


def test_an_entry_of_the_bibliography_stays_whole(site):
    """A line that begins with a year and a full stop would begin a list of its own."""
    article = lxml.html.parse(site / "chapters" / "bibliography.html").xpath("//article")[0]
    keys = {key for slug in chapters.slugs() for key in citations.cited(slug).values() if key}
    assert article.xpath(".//ol") == []
    assert len(article.xpath(".//li[contains(., 'Cited in: ')]")) == len(article.xpath(".//section//li")) == len(keys)


@pytest.mark.parametrize("slug", chapters.slugs())
def test_what_a_chapter_cites_is_listed_and_titled(site, slug):
    page = (site / "chapters" / f"{slug}.html").read_text()
    listed = (site / "chapters" / "bibliography.html").read_text()
    for url, key in citations.cited(slug).items():
        if key:
            assert re.search(rf'<a class="kx-cite reference external" href="{re.escape(url)}" title="[^"]+"', page), url
            assert listed.count(f'href="{citations.links(citations.entries()[key])[0]}"') == 1, url

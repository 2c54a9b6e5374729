"""What stands around the chapters: previews for other sites, citations, dates, the page for a wrong address."""

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
import yaml
from PIL import Image
from pybtex.database import parse_string
from support import SITE

from extensions import chapters, cite, previews

CONFIG = yaml.safe_load((chapters.ROOT / "_config.yml").read_text())
BASE = CONFIG["html"]["baseurl"]
NOT_CHAPTERS = {"index.html", "404.html", "genindex.html", "search.html"}
PAGES = sorted(
    name
    for path in SITE.rglob("*.html")
    if "_static" not in path.parts and (name := path.relative_to(SITE).as_posix()) not in NOT_CHAPTERS
)
every_page = pytest.mark.parametrize("page", PAGES)
every_chapter = pytest.mark.parametrize("slug", chapters.slugs())


def tags(text):
    """Return what the head of a page says to other sites."""
    found = re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)"', text[: text.index("<body")])
    return [(name, unescape(value)) for name, value in found]


@every_page
def test_a_page_says_once_what_it_is_and_where(page):
    text = (SITE / page).read_text()
    found = tags(text)
    assert len({name for name, _ in found}) == len(found)
    found = dict(found)
    assert found["og:url"] == BASE + page
    assert f'<link rel="canonical" href="{BASE}{page}"' in text
    assert found["og:title"]
    assert 'rel="icon"' in text
    assert found.get("description") == found.get("og:description")


@every_chapter
def test_the_preview_of_a_chapter_is_its_insight_and_its_first_explorer(slug):
    found = dict(tags((SITE / "chapters" / f"{slug}.html").read_text()))
    assert found["og:title"] == chapters.title(slug)
    description = found["og:description"]
    assert description.split()[:3] == previews.plain(chapters.insight(slug)).split()[:3]
    assert not re.search(r"[\\${}*]", description)
    assert found["og:image"].startswith(BASE)
    picture = Image.open(SITE / found["og:image"].removeprefix(BASE))
    assert picture.size == previews.SIZE
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 8


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        (r"$\Gamma$ and $\sum_iF_i$", "Γ and ∑_iF_i"),
        ("**two** of *a_b* and `x`", "two of a_b and x"),
        ("[a](b.md), 2 * 3 * 4", "a, 2 * 3 * 4"),
    ],
)
def test_markdown_becomes_plain_text(markdown, plain):
    assert previews.plain(markdown) == plain


def test_the_map_of_the_site_is_whole():
    listed = re.findall(r"<loc>([^<]+)</loc>", (SITE / "sitemap.xml").read_text())
    assert sorted(listed) == sorted(BASE + page for page in PAGES)


@every_chapter
def test_a_chapter_ends_with_how_to_cite_it_and_its_article(slug):
    text = (SITE / "chapters" / f"{slug}.html").read_text()
    box = re.search(r'<details class="kx-cite-box">.*?<pre>(.*?)</pre>', text, re.S)
    entries = parse_string(unescape(box[1]), "bibtex").entries
    own, *articles = entries.values()
    assert own.fields["title"] == chapters.title(slug)
    assert own.fields["url"] == f"{BASE}chapters/{slug}.html"
    assert articles
    for article in articles:
        assert f'href="{article.fields["url"]}"' in text
        assert article.fields["title"] in text
        assert article.persons["author"][0].last_names == ["Su"]


@pytest.mark.parametrize("page", cite.GATHERED)
def test_a_page_that_is_gathered_from_all_chapters_can_be_cited(page):
    text = (SITE / "chapters" / f"{page}.html").read_text()
    box = re.search(r"<summary>Cite this page</summary>.*?<pre>(.*?)</pre>", text, re.S)
    (own,) = parse_string(unescape(box[1]), "bibtex").entries.values()
    assert f"<h1>{own.fields['title']}" in text
    assert own.fields["url"] == f"{BASE}chapters/{page}.html"


def test_the_book_is_cited_alike_everywhere():
    book = cite.book()
    assert book["url"] == BASE
    assert book["repository-code"] == CONFIG["repository"]["url"]
    assert book["title"] == CONFIG["title"]
    page = (chapters.ROOT / "chapters" / "cite.md").read_text()
    entry = parse_string(re.search(r"```bibtex\n(.*?)```", page, re.S)[1], "bibtex").entries["kexue-book"]
    assert entry.fields["title"] == book["title"]
    assert entry.fields["url"] == book["url"]
    assert cite.author() == CONFIG["author"]


@pytest.fixture
def repository(monkeypatch, tmp_path):
    """Stand in for the book: a repository in which one chapter was changed once."""
    monkeypatch.setattr(chapters, "ROOT", tmp_path)
    cite.dates.cache_clear()
    (tmp_path / "chapters").mkdir()

    def git(*arguments, day="2020-01-01"):
        stamp = f"{day}T12:00:00+00:00"
        who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        when = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp, "PATH": "/usr/bin:/bin:/usr/local/bin"}
        subprocess.run(["git", *arguments], cwd=tmp_path, env=who | when, check=True, capture_output=True)

    yield tmp_path, git
    cite.dates.cache_clear()


def test_dates_come_from_git(repository):
    folder, git = repository
    git("init", "-q")
    for day, names in (("2020-01-01", "ab"), ("2021-02-03", "a")):
        for name in names:
            (folder / "chapters" / name).write_text(day)
        git("add", "-A")
        git("commit", "-qm", "x", day=day)
    assert cite.dates() == {"chapters/a": ("2020-01-01", "2021-02-03"), "chapters/b": ("2020-01-01", "2020-01-01")}


def test_without_git_there_are_no_dates(repository):
    shutil.copy(Path(cite.__file__).parent.parent / "CITATION.cff", repository[0])
    assert cite.dates() == {}
    assert cite.year("rope_base") == str(cite.book()["date-released"])[:4]


def test_a_clone_without_its_past_claims_no_dates(repository):
    folder, git = repository
    git("init", "-q")
    (folder / "chapters" / "a").write_text("")
    git("add", "-A")
    git("commit", "-qm", "x")
    git("commit", "-qm", "y", "--allow-empty")
    git("clone", "-q", "--depth", "1", f"file://{folder}", "copy")
    chapters.ROOT = folder / "copy"
    assert cite.dates() == {}


def test_the_page_for_a_wrong_address_works_at_any_depth():
    text = (SITE / "404.html").read_text()
    assert not re.search(r"<(?:img|link)\b|src=|url\(", text)
    links = re.findall(r'href="([^"]+)"', text)
    assert len(links) == len(chapters.slugs()) + 2
    for link in links:
        assert link.startswith(BASE)
        assert (SITE / link.removeprefix(BASE)).exists(), link


def test_changes_are_told_day_by_day_the_newest_first():
    days = re.findall(r"^## (\S+)$", (chapters.ROOT / "CHANGELOG.md").read_text(), re.M)
    assert days == sorted(set(days), reverse=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days)
    assert days[0] in (SITE / "chapters" / "changes.html").read_text()


def test_the_form_for_mistakes_asks_for_place_fault_and_expectation():
    form = yaml.safe_load((chapters.ROOT / ".github" / "ISSUE_TEMPLATE" / "mistake.yml").read_text())
    assert [field["id"] for field in form["body"]] == ["chapter", "wrong", "expected"]
    assert all(field["validations"]["required"] for field in form["body"])

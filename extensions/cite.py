"""At the end of a page: how to cite it, and a chapter's article; when it was last changed, and where its history is."""

import functools
import re
import subprocess
from html import escape

import yaml

from extensions import chapters

__all__ = ["GATHERED", "bibtex", "dates", "originals", "text"]

ORIGINAL = re.compile(
    r"\[《(?P<title>[^》]+)》\]\((?P<url>https://kexue\.fm/archives/(?P<number>\d+))\)[^》\n]*?(?P<date>\d{4}-\d\d-\d\d)"
)
GATHERED = ("errata", "reproduced_results")  # pages that hold what all chapters found


def setup(app):
    """Add the box and the line below it to every page that has them."""
    app.connect("html-page-context", close, priority=945)  # the line on its execution follows
    return {"parallel_read_safe": True, "parallel_write_safe": True}


@functools.cache
def book():
    """Return `CITATION.cff`, the one place that says who wrote the book and where it is."""
    return yaml.safe_load((chapters.ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def author():
    """Return the authors of the book in one line."""
    return " and ".join(person["name"] for person in book()["authors"])


def title(slug):
    """Return the title of a chapter, or of a page that is gathered from all."""
    if slug not in GATHERED:
        return chapters.title(slug)
    return (chapters.ROOT / "chapters" / f"{slug}.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def originals(slug):
    """Return the articles that a chapter is made from: title, url, number and date of each."""
    if slug in GATHERED:
        return []
    return [match.groupdict() for match in ORIGINAL.finditer(chapters.head(slug).split("**Papers")[0])]


def year(slug):
    """Return the year of a chapter's last change; a page gathered from all changes with each."""
    released = str(book()["date-released"])
    known = [dates().get(f"chapters/{name}.ipynb") for name in (chapters.slugs() if slug in GATHERED else [slug])]
    return max([last for _, last in filter(None, known)], default=released)[:4]


def text(slug, url):
    """Return the sentences that cite a chapter and its article."""
    lines = [f"{author()}, “{title(slug)}”, {book()['title']}, {year(slug)}, {url}."]
    return lines + [f"Su Jianlin, 《{work['title']}》, {work['date']}, {work['url']}." for work in originals(slug)]


def bibtex(slug, url):
    """Return the entries of a chapter and its article."""
    own = {"author": f"{{{author()}}}", "title": title(slug), "booktitle": book()["title"]}
    entries = [entry("incollection", f"kexue-book:{slug}", **own, year=year(slug), url=url)]
    for work in originals(slug):
        fields = {"author": "Su, Jianlin", "title": work["title"], "year": work["date"][:4], "url": work["url"]}
        entries.append(entry("misc", f"su:{work['number']}", **fields))
    return "\n\n".join(entries)


def entry(kind, key, **fields):
    """Return one entry of BibTeX."""
    return "\n".join([f"@{kind}{{{key},", *(f"  {name} = {{{value}}}," for name, value in fields.items()), "}"])


@functools.cache
def dates():
    """Return when each file was added and last changed, as git knows it: path -> (first, last); empty without git.

    A clone that holds only the last commits knows neither.
    """

    def git(*arguments):
        command = ["git", "-c", "core.quotepath=off", *arguments]
        return subprocess.run(command, cwd=chapters.ROOT, capture_output=True, text=True, check=True).stdout

    try:
        if git("rev-parse", "--is-shallow-repository").strip() != "false":
            return {}
        lines = git("log", "--format=>%as", "--name-only", "--no-renames", "--", "chapters").splitlines()
    except (OSError, subprocess.CalledProcessError):
        return {}
    found, day = {}, ""
    for line in filter(None, lines):
        if line.startswith(">"):
            day = line[1:]
        else:
            found[line] = (day, found.get(line, (day, day))[1])
    return found


def close(app, pagename, templatename, context, doctree):
    """Write the box and the line."""
    source = app.env.doc2path(pagename, base=False) if doctree is not None else ""
    slug = pagename.removeprefix("chapters/")
    if slug in (*chapters.slugs(), *GATHERED):
        url = app.config.html_baseurl + app.builder.get_target_uri(pagename)
        kind = "page" if slug in GATHERED else "chapter"
        sentences = "".join(f"<p>{escape(line)}</p>" for line in text(slug, url))
        context["body"] += (
            f'<details class="kx-cite-box"><summary>Cite this {kind}</summary>{sentences}'
            f'<div class="highlight"><pre>{escape(bibtex(slug, url))}</pre></div></details>'
        )
    if str(source) in dates():
        history = f"{book()['repository-code']}/commits/main/{source}"
        last = f'Last changed on {dates()[str(source)][1]}: <a href="{history}">what changed</a>.'
        context["body"] += f'<p class="kx-changed">{last}</p>'

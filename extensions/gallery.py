"""The chapters as a reader chooses among them, `{kexue} gallery` and `part`; and an explorer outside its chapter."""

import base64
import io

from docutils import nodes
from PIL import Image

from extensions import chapters, generated
from kexue_core.notebook.explorer import MIME as EXPLORER

__all__ = ["explorer", "gallery", "part"]

ABOUT = "# About this part: "
PAGES_FROM = 3  # so many chapters must a part have for a page of its own


def setup(app):
    """Let pages use the functions of this module."""
    generated.PAGES.update(gallery=gallery, part=part, explorer=explorer)


def gallery():
    """Every chapter with its picture, insight and reading time, by parts; each part with its words or its page."""
    lines = []
    for caption, members in chapters.parts():
        if members:
            path, words = about(caption)
            more = f"[About this part](/{path.relative_to(chapters.ROOT)})." if len(members) >= PAGES_FROM else ""
            lines += [f"### {caption}", "", more or words, "", *cards(members)]
    return "\n".join(lines)


def about(caption):
    """Return the page of a part and the words at its top.

    Raises
    ------
    ValueError
        If no page in ``chapters/parts`` has the title of the part.
    """
    for path in sorted((chapters.ROOT / "chapters" / "parts").glob("*.md")):
        title, _, rest = path.read_text(encoding="utf-8").partition("\n")
        if title == ABOUT + caption:
            return path, rest.split("```")[0].strip().split("\n\n")[0]
    raise ValueError(f"chapters/parts must hold a page that begins with {ABOUT + caption!r}")


def part(caption):
    """Return the chapters of one part, with picture and insight."""
    members = dict(chapters.parts()).get(caption)
    if not members:
        raise ValueError(f"part must be a caption of _toc.yml with chapters, got {caption!r}")
    return "\n".join(cards(members))


def cards(members):
    """Return the Markdown of a grid of chapters."""
    lines = [":::::{grid} 1", ":gutter: 2", ":class-container: kx-gallery", ""]
    for slug in members:
        lines += [
            f"::::{{grid-item-card}} {chapters.title(slug)}",
            f":link: /chapters/{slug}",
            ":link-type: doc",
            f":img-top: {poster(slug)}",
            *([":class-img-top: kx-photo"] if "kx-photo" in next(shown(slug)).get("text/html", "") else []),
            ":img-alt: The first explorer of this chapter at its default stop",
            "",
            chapters.insight(slug),
            "",
            ":::{card-footer}",
            f"{chapters.minutes(slug)} minutes",
            ":::",
            "::::",
            "",
        ]
    return [*lines, ":::::", ""]


def poster(slug):
    """Write the picture of a chapter's first explorer into the build folder; return its path for Sphinx.

    One that is there already is left alone: Sphinx reads the pages of a changed picture again.
    """
    for data in shown(slug):
        path = chapters.BUILD / "posters" / f"{slug}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
        written = io.BytesIO()
        picture.resize((560, round(560 * picture.height / picture.width))).save(written, "png", optimize=True)
        if not path.exists() or path.read_bytes() != written.getvalue():
            path.write_bytes(written.getvalue())
        return f"/{path.relative_to(chapters.ROOT)}"
    raise ValueError(f"{slug}: a chapter must have an Explorer; its picture stands for the chapter")


def shown(slug):
    """Yield all forms in which the explorers of a chapter were shown, in order."""
    for cell in generated.executed(slug).cells:
        for output in cell.get("outputs", ()):
            if EXPLORER in output.get("data", {}):
                yield output.data


def explorer(address):
    """Return an explorer of a chapter, ``slug#name``, as a node: the page shows it as the chapter does."""
    slug, _, name = address.partition("#")
    if slug not in chapters.slugs():
        raise ValueError(f"explorer must name a chapter of the book, slug#name, got {address!r}")
    for data in shown(slug):
        if data[EXPLORER]["name"] == name and "text/html" in data:
            return nodes.raw("", data["text/html"], format="html")
    raise ValueError(f"explorer must be one that {slug} shows, slug#name, got {address!r}")

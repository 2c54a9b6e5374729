"""What other sites show of a page: its title, its insight, the picture of its first explorer, its full address."""

import base64
import io
import re
from html import escape
from pathlib import Path

from docutils import nodes
from PIL import Image

from extensions import chapters, generated
from extensions.plain_math import plain_math
from kexue_core.notebook.explorer import MIME as EXPLORER

FOLDER, SIZE, LONGEST = "_previews", (1200, 630), 300


def setup(app):
    """Add the tags to every page."""
    app.connect("config-inited", configure)
    app.connect("html-page-context", tag, priority=930)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def configure(app, config):
    """Name the picture that stands for the book in a browser's tab."""
    config.html_favicon = str(Path("extensions") / "static" / "favicon.svg")


def tag(app, pagename, templatename, context, doctree):
    """Put description, address and picture into the head of a page."""
    if app.builder.format != "html" or doctree is None:
        return
    slug = pagename.removeprefix("chapters/")
    base, title = app.config.html_baseurl, re.sub(r"<[^>]+>", "", context.get("title", ""))
    try:
        description = plain(chapters.insight(slug)) if slug in chapters.slugs() else opening(doctree)
    except ValueError:  # the gallery of chapters tells the author
        description = opening(doctree)
    properties = {
        "og:title": title,
        "og:type": "article" if slug in chapters.slugs() else "website",
        "og:url": base + app.builder.get_target_uri(pagename),
        "og:site_name": app.config.html_title or app.config.project,
        "og:description": description,
    }
    if pagename == app.config.root_doc:
        slug = chapters.slugs()[0]
    if slug in chapters.slugs() and (picture := preview(slug)):
        target = Path(app.outdir) / FOLDER / f"{slug}.png"
        target.parent.mkdir(exist_ok=True)
        picture.save(target, optimize=True)
        properties["og:image"] = f"{base}{FOLDER}/{slug}.png"
        properties["og:image:alt"] = f"The first explorer of “{chapters.title(slug)}” at its default stop"
    tags = [f'<meta property="{name}" content="{escape(value)}" />' for name, value in properties.items() if value]
    tags += [f'<meta name="description" content="{escape(description)}" />'] if description else []
    tags += ['<meta name="twitter:card" content="summary_large_image" />'] if "og:image" in properties else []
    own = re.sub(r'<meta name="viewport"[^>]*>', "", context.get("metatags", ""))  # the template has one already
    context["metatags"] = own + "\n" + "\n".join(tags)


def preview(slug):
    """Return the picture of a chapter's first explorer in the shape that other sites show, or None."""
    cells = (cell for cell in generated.executed(slug).cells if cell.cell_type == "code")
    for data in (output.get("data", {}) for cell in cells for output in cell.outputs):
        if EXPLORER in data and "image/png" in data:
            picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGBA")
            scale = min((SIZE[0] - 80) / picture.width, (SIZE[1] - 60) / picture.height)
            picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
            page = Image.new("RGBA", SIZE, "white")
            page.alpha_composite(picture, ((SIZE[0] - picture.width) // 2, (SIZE[1] - picture.height) // 2))
            return page.convert("RGB").quantize(64)
    return None


def opening(doctree):
    """Return the first paragraph of a page as plain text."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) > 40 and not isinstance(paragraph.parent, nodes.entry | nodes.list_item):
            return text if len(text) <= LONGEST else text[: LONGEST - 1].rsplit(" ", 1)[0] + "…"
    return ""


def plain(markdown):
    """Return a sentence of Markdown without its marks.

    Examples
    --------
    >>> plain(r"Softmax is $\\exp(x-\\lambda)$, with *one* [number](a.md).")
    'Softmax is exp(x-λ), with one number.'
    """
    text = re.sub(r"\$([^$]+)\$", lambda match: plain_math(match[1]), markdown)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(?<!\w)(\*{1,2})(\S(?:[^*]*\S)?)\1(?!\w)|`([^`]*)`", r"\2\3", text)
    return " ".join(text.split())

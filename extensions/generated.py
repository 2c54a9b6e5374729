"""Pages made from what the chapters hold: `{kexue} results`, `chapters`, `part NAME`, `notation`, `bibliography`, …

The data are the outputs of the executed chapters, in the cache that the build filled before; nothing is typed by hand.
"""

import base64
import datetime
import html
import io
from collections import Counter

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from jupyter_cache import get_cache
from PIL import Image

from extensions import chapters
from extensions.chapters import insight, symbols, title
from extensions.citations import bibliography
from kexue_core.notebook.claims import MIME as CLAIM
from kexue_core.notebook.derivation import MIME as DERIVATION
from kexue_core.notebook.explorer import MIME as EXPLORER


def setup(app):
    """Register the directive, and have the pages that use it read again whenever a chapter is."""
    app.add_directive("kexue", Generated)
    app.connect("env-get-outdated", lambda app, env, added, changed, removed: list(getattr(env, "kexue_pages", ())))
    app.connect("env-purge-doc", lambda app, env, name: getattr(env, "kexue_pages", set()).discard(name))
    app.connect("env-merge-info", merge)
    app.connect("html-page-context", name_run, priority=950)


def merge(app, env, names, other):
    """Join what parallel readers found."""
    env.kexue_pages = getattr(env, "kexue_pages", set()) | getattr(other, "kexue_pages", set())


class Generated(Directive):
    """Insert what one of the functions below writes as Markdown."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        """Parse the Markdown in place."""
        pages = {
            "results": results,
            "chapters": overview,
            "part": part,
            "notation": notation,
            "counts": counts,
            "bibliography": bibliography,
        }
        name, *rest = self.arguments[0].split(maxsplit=1)
        if name not in pages:
            raise self.error(f"kexue must be one of {', '.join(pages)}, got {name!r}")
        env = self.state.document.settings.env
        env.kexue_pages = getattr(env, "kexue_pages", set()) | {env.docname}
        container = nodes.container()
        try:
            text = pages[name](*rest)
        except ValueError as error:
            raise self.error(str(error)) from None  # one line with the place, while other pages go on
        self.state.nested_parse(StringList(text.splitlines()), 0, container)
        return container.children


def executed(slug):
    """Return a chapter with the outputs of its run for the book, or else with those that are stored in it."""
    notebook = chapters.read(slug)
    try:
        return get_cache(chapters.cache_path()).merge_match_into_notebook(notebook)[1]
    except KeyError:  # Jupyter Book was called directly and has not come to this chapter yet
        return notebook


def outputs(slug, mime):
    """Return the data of one MIME type among a chapter's outputs."""
    cells = (cell for cell in executed(slug).cells if cell.cell_type == "code")
    return [output.data[mime] for cell in cells for output in cell.outputs if mime in output.get("data", {})]


def results():
    """Every published figure beside ours, grouped by the parts of the book."""
    lines = []
    for caption, members in chapters.parts():
        claims = {slug: outputs(slug, CLAIM) for slug in members}
        if not any(claims.values()):
            continue
        lines += [f"## {caption}", ""]
        for slug, found in claims.items():
            lines += [f"### [{title(slug)}](/chapters/{slug}.ipynb)", ""]
            for claim in found:
                rows = "".join(
                    f"<tr><th scope=row>{html.escape(row[0])}</th>"
                    + "".join(f"<td>{html.escape(value)}</td>" for value in row[1:])
                    + "</tr>"
                    for row in claim["rows"]
                )
                lines += [
                    f'<div class="kx-scroll"><table class="kx-claim"><caption>{html.escape(claim["what"])} '
                    f"<span>{html.escape(claim['source'])}; agrees {html.escape(claim['tolerance'])}</span></caption>"
                    "<thead><tr><td></td><th scope=col>published</th><th scope=col>ours</th>"
                    f"<th scope=col>deviation</th></tr></thead><tbody>{rows}</tbody></table></div>",
                    "",
                ]
    return "\n".join(lines)


def overview():
    """Every chapter with its picture and its insight, by parts."""
    found = [(caption, members) for caption, members in chapters.parts() if members]
    return "\n".join(line for caption, members in found for line in (f"## {caption}", "", *cards(members)))


def part(caption):
    """Return the chapters of one part, with picture and insight."""
    members = dict(chapters.parts()).get(caption)
    if not members:
        raise ValueError(f"part must be a caption of _toc.yml with chapters, got {caption!r}")
    return "\n".join(cards(members))


def cards(members):
    """Return the Markdown of a grid of chapters."""
    lines = ["::::{grid} 1 2 2 2", ":gutter: 3", ""]
    for slug in members:
        lines += [
            f":::{{grid-item-card}} {title(slug)}",
            f":link: /chapters/{slug}",
            ":link-type: doc",
            f":img-top: {poster(slug)}",
            ":img-alt: The first explorer of this chapter at its default stop",
            "",
            insight(slug),
            ":::",
            "",
        ]
    return [*lines, "::::", ""]


def notation():
    """Collect the table of symbols that every chapter gives."""
    lines = []
    for caption, members in chapters.parts():
        for number, slug in enumerate(members):
            lines += [f"## {caption}", ""] if number == 0 else []
            lines += [f"### [{title(slug)}](/chapters/{slug}.ipynb)", "", *symbols(slug).splitlines(), ""]
    return "\n".join(lines)


def poster(slug):
    """Write the picture of a chapter's first explorer into the build folder; return its path for Sphinx."""
    cells = (cell for cell in executed(slug).cells if cell.cell_type == "code")
    for cell in cells:
        for output in cell.outputs:
            if EXPLORER in output.get("data", {}):
                path = chapters.BUILD / "posters" / f"{slug}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGB")
                picture.resize((560, round(560 * picture.height / picture.width))).save(path, optimize=True)
                return f"/{path.relative_to(chapters.ROOT)}"
    raise ValueError(f"{slug}: a chapter must have an Explorer; its picture stands for the chapter")


def totals():
    """Count what the chapters hold."""
    count = Counter(chapters=len(chapters.slugs()))
    for slug in chapters.slugs():
        count["steps"] += sum(data["steps"] for data in outputs(slug, DERIVATION))
        explorers = outputs(slug, EXPLORER)
        count["explorers"] += len(explorers)
        count["stops"] += sum(data["combinations"] for data in explorers)
        count["figures"] += sum(len(claim["rows"]) for claim in outputs(slug, CLAIM))
    return count


def counts():
    """The size of the book in one sentence, counted from its outputs."""
    count = totals()
    return (
        f"**{count['chapters']}** chapters · **{count['steps']}** derivation steps checked by SymPy · "
        f"**{count['explorers']}** explorers with **{count['stops']:,}** pictures · "
        f"**{count['figures']}** published figures [reproduced](reproduced_results.md)"
    )


def name_run(app, pagename, templatename, context, doctree):
    """Say below a chapter when it was executed and how long that took."""
    data = getattr(app.env, "nb_metadata", {}).get(pagename, {}).get("exec_data")
    if data and data.get("runtime") and "body" in context:
        date = datetime.datetime.fromtimestamp(data["mtime"], datetime.UTC).date().isoformat()
        context["body"] += f'<p class="kx-run">Executed on {date} in {data["runtime"]:.1f} seconds.</p>'

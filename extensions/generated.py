"""Pages made from what the chapters hold: `{kexue} results`, `errata`, `notation`, `counts`, `bibliography`.

The data are the outputs of the executed chapters, in the cache that the build filled before; nothing is typed by hand.
"""

import datetime
import functools
import math
import re
from collections import Counter

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from jupyter_cache import get_cache

from extensions import chapters, cite, dependencies
from extensions.chapters import title
from extensions.citations import bibliography
from extensions.notation import notation
from kexue_core.notebook.checks import MIME as CHECK
from kexue_core.notebook.claims import ERRATUM_MIME as ERRATUM
from kexue_core.notebook.claims import KINDS, Claim
from kexue_core.notebook.claims import MIME as CLAIM
from kexue_core.notebook.derivation import MIME as DERIVATION
from kexue_core.notebook.explorer import MIME as EXPLORER
from kexue_core.notebook.formats import format_number


def setup(app):
    """Register the directive; the environment knows the pages that use it."""
    app.add_directive("kexue", Generated)
    app.connect("env-purge-doc", lambda app, env, name: getattr(env, "kexue_pages", set()).discard(name))
    app.connect("env-merge-info", merge)
    app.connect("html-page-context", name_run, priority=950)


def merge(app, env, names, other):
    """Join what parallel readers found."""
    env.kexue_pages = getattr(env, "kexue_pages", set()) | getattr(other, "kexue_pages", set())


class Generated(Directive):
    """Insert what one of the functions in ``PAGES`` returns, Markdown or a node."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        """Parse the Markdown in place."""
        name, *rest = self.arguments[0].split(maxsplit=1)
        if name not in PAGES:
            raise self.error(f"kexue must be one of {', '.join(PAGES)}, got {name!r}")
        env = self.state.document.settings.env
        env.kexue_pages = getattr(env, "kexue_pages", set()) | {env.docname}
        try:
            found = PAGES[name](*rest)
        except ValueError as error:
            raise self.error(str(error)) from None  # one line with the place, while other pages go on
        if isinstance(found, nodes.Node):
            return [found]
        # Into the section that is being read, so that headings become sections of the page, listed at its right.
        document = self.state.document
        before = set(document.findall(nodes.section))
        self.state.nested_parse(StringList(found.splitlines()), 0, self.state_machine.node, match_titles=True)
        for section in set(document.findall(nodes.section)) - before:
            section["classes"].append("kx-generated")
        return []


def executed(slug):
    """Return a chapter with the outputs of its run for the book, or else with those that are stored in it."""
    try:
        return _merged(slug, chapters.notebook_path(slug).stat().st_mtime_ns, dependencies.cache_path())
    except KeyError:  # Jupyter Book was called directly and has not come to this chapter yet
        return chapters.read(slug)


@functools.lru_cache(maxsize=100)
def _merged(slug, stamp, path):
    return get_cache(path).merge_match_into_notebook(chapters.read(slug))[1]


def outputs(slug, mime):
    """Return the data of one MIME type among a chapter's outputs."""
    cells = (cell for cell in executed(slug).cells if cell.cell_type == "code")
    return [output.data[mime] for cell in cells for output in cell.outputs if mime in output.get("data", {})]


def results():
    """Every figure of others beside ours, grouped by the parts of the book; the three kinds are counted apart."""
    lines = []
    for caption, members in chapters.parts():
        claims = {slug: outputs(slug, CLAIM) for slug in members}
        lines += [f"## {caption}", ""] if any(claims.values()) else []
        for slug, found in claims.items():
            lines += [f"### [{title(slug)}](/chapters/{slug}.ipynb)", ""] if found else []
            for data in found:
                lines += [f'<div class="kx-scroll">{Claim(**data).html()}</div>', ""]
    return "\n".join([*tally(), *lines])


def tally():
    """Return the lines of a table that counts the figures of each kind, and those that differ."""
    count = totals()
    lines = ["| Where the figures come from | figures | agree | differ |", "|---|--:|--:|--:|"]
    for kind, name in KINDS.items():
        all_of_them, differ = count[kind], count[f"{kind} differs"]
        lines.append(f"| {name} | {all_of_them} | {all_of_them - differ} | {differ} |")
    return [*lines, ""]


def errata():
    """Every error of a source that a chapter shows, grouped by the parts of the book."""
    lines = []
    for caption, members in chapters.parts():
        found = [(slug, data) for slug in members for data in outputs(slug, ERRATUM)]
        lines += [f"## {caption}", ""] if found else []
        for slug, data in found:
            lines += [
                f"### {data['what']}",
                "",
                f"In {_placed(slug, data['where'])} stands: {data['printed'].removesuffix('.')}.",
                "",
                f"But {data['shown']} It holds {data['reading']}",
                "",
                f"Shown in [{title(slug)}](/chapters/{slug}.ipynb).",
                "",
            ]
    return "\n".join(lines)


def _placed(slug, where):
    """Return a place in a source as one says it outside of the chapter, where "the article" is not known."""
    if re.search(r"kexue\.fm/|arXiv:", where):
        return where
    (article,) = cite.originals(slug)  # of several a place names its own
    return f"kexue.fm/archives/{article['number']}, {where.removeprefix('the article, ')}"


def totals():
    """Count what the chapters hold."""
    count = Counter(chapters=len(chapters.slugs()))
    for slug in chapters.slugs():
        count["steps"] += sum(data["steps"] for data in outputs(slug, DERIVATION))
        explorers = outputs(slug, EXPLORER)
        count["explorers"] += len(explorers)
        count["stops"] += sum(math.prod(len(c["names"]) for c in data["controls"]) for data in explorers)
        count["statements"] += len(outputs(slug, CHECK))
        count["errata"] += len(outputs(slug, ERRATUM))
        for data in outputs(slug, CLAIM):
            count[data["kind"]] += len(data["rows"])
            count[f"{data['kind']} differs"] += Claim(**data).differing
    return count


def counts():
    """The size of the book in one sentence, counted from its outputs."""
    count = totals()
    return (
        f"**{count['chapters']}** chapters · **{count['steps']}** derivation steps checked by SymPy · "
        f"**{count['statements']}** statements checked by numbers · "
        f"**{count['explorers']}** explorers with **{format_number(count['stops'])}** pictures · "
        f"**{count['printed']}** printed figures [computed again](reproduced_results.md), of which "
        f"**{count['printed differs']}** differ · **{count['errata']}** [errata](errata.md)"
    )


PAGES = {"results": results, "errata": errata, "notation": notation, "counts": counts, "bibliography": bibliography}


def name_run(app, pagename, templatename, context, doctree):
    """Say below a chapter when it was executed and how long that took."""
    data = getattr(app.env, "nb_metadata", {}).get(pagename, {}).get("exec_data")
    if data and data.get("runtime") and "body" in context:
        date = datetime.datetime.fromtimestamp(data["mtime"], datetime.UTC).date().isoformat()
        context["body"] += f'<p class="kx-run">Executed on {date} in {data["runtime"]:.1f} seconds.</p>'

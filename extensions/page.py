"""What the page of a chapter adds to its notebook: folded code, places to link to, the reading time."""

import re
from html import escape
from pathlib import PurePosixPath

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.transforms import SphinxTransform

from extensions import chapters, folding


def setup(app):
    """Register the transforms and the look of folded code."""
    app.add_transform(Anchors)
    app.add_transform(Fold)
    app.add_transform(Nameless)
    app.add_transform(ReadingTime)
    app.connect("config-inited", lambda app, config: config.html_js_files.append(("code.js", {"defer": "defer"})))
    app.connect("builder-inited", lambda app: app.add_node(HideCodeCellNode, override=True, html=(unfold, end_unfold)))


def code_cells(document):
    """Yield the nodes of a chapter's code cells and what they were made from, in order."""
    for node in document.findall(nodes.container):
        if node.get("nb_element") == "cell_code":
            sources = [part for part in node.findall(nodes.literal_block)] if node.children else []
            yield node, {"source": sources[0].astext() if sources else "", "metadata": node["cell_metadata"]}


class Anchors(SphinxTransform):
    """Make ``<a id="eq-name"></a>`` in a text a place that ``[(3)](#eq-name)`` may name."""

    default_priority = 300

    def apply(self):
        """Replace each pair of raw tags."""
        for raw in list(self.document.findall(nodes.raw)):
            match = re.fullmatch(r'<a id="([\w-]+)">(?:</a>)?\n?', raw.astext())
            if match is None or raw.parent is None:
                continue
            place = raw.parent.index(raw)
            after = raw.parent[place + 1] if place + 1 < len(raw.parent) else None
            if isinstance(after, nodes.raw) and after.astext() == "</a>":
                raw.parent.remove(after)
            target = nodes.target("", "", ids=[match[1]], names=[match[1]])
            self.document.note_explicit_target(target)
            slugs = self.env.metadata[self.env.docname].setdefault("myst_slugs", {})  # for links from other chapters
            slugs[match[1]] = (raw.line, match[1], match[1])
            raw.parent.replace(raw, target)


class Fold(SphinxTransform):
    """Fold code by the rule of `folding`, and number the cells as JupyterLab does."""

    default_priority = 900

    def apply(self):
        """Set what myst-nb wraps later."""
        for number, (node, cell) in enumerate(code_cells(self.document), start=1):
            node["classes"].append(f"kx-cell-{number}")
            if folding.ALGORITHM in node["cell_metadata"].get("tags", []):
                node["classes"].append("kx-algorithm")
            if folding.folds(cell):
                node["hide_mode"] = "input"
            elif node.get("hide_mode") == "input":
                del node["hide_mode"]
            if node.get("hide_mode"):
                node["prompt_show"] = node["prompt_hide"] = folding.summary(cell)


class Nameless(SphinxTransform):
    """Mark the cells of a table that hold a dash only: a phone, which puts them below other cells, leaves them out."""

    default_priority = 900

    def apply(self):
        """Give them a class."""
        for cell in self.document.findall(nodes.entry):
            if cell.astext() == "–":
                cell["classes"].append("kx-none")


class ReadingTime(SphinxTransform):
    """Add to the box of a chapter how long it takes to read."""

    default_priority = 910

    def apply(self):
        """Add a line to the box."""
        slug = PurePosixPath(self.env.docname).name
        box = next(self.document.findall(nodes.block_quote), None)
        if slug in chapters.slugs() and self.env.docname == f"chapters/{slug}" and box is not None:
            about = nodes.Text(f" About {chapters.minutes(slug)} minutes.")
            box += nodes.paragraph("", "", nodes.strong("", "Reading time."), about)


def unfold(self, node):
    """Open the element that hides code; its label is what a screen reader says."""
    self.body.append(f'<details class="admonition hide {escape(" ".join(node["classes"]))}">\n')
    self.body.append(f'<summary><span class="admonition-title">{escape(node["prompt_show"])}</span></summary>\n')


def end_unfold(self, node):
    """Close it."""
    self.body.append("</details>\n")

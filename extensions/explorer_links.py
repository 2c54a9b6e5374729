"""Links that set an explorer: ``[raise the base](#coherence?base=5000)``, or ``other.ipynb#coherence?base=5000``.

They are checked when the book is built: the explorer, the control and the stop must exist. The click is handled by
`extensions/static/explorer.js`.
"""

import posixpath
import re
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, quote, unquote, urlencode

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from extensions import generated
from kexue_core.notebook.explorer import MIME

LOGGER = logging.getLogger(__name__)


def setup(app):
    """Register the transforms."""
    app.add_post_transform(ExplorerLinks)
    app.add_post_transform(ExplorerNames)


class ExplorerLinks(SphinxPostTransform):
    """Resolve links with a state before MyST looks for a heading of that name."""

    default_priority = 8

    def run(self, **kwargs):
        """Replace each link, or say what is wrong with it."""
        for link in list(self.document.findall(addnodes.pending_xref)):
            if link.get("reftype") != "myst":
                continue
            if link.get("reftargetid"):  # a page that MyST has found
                file, page, fragment = link["reftarget"], link["reftarget"], unquote(link["reftargetid"])
            else:
                file, _, fragment = unquote(link["reftarget"]).rpartition("#")
                page = self.page(file, link)
            if "?" not in fragment:
                continue
            target = f"{file}#{fragment}"
            name, _, query = fragment.partition("?")
            state = urlencode(parse_qsl(query, keep_blank_values=True), quote_via=quote)
            wrong = f"{file or 'page'} is not a page of the book" if page is None else problem(page, name, query)
            if wrong:
                LOGGER.error("link to an explorer: %s, got %r", wrong, target, location=link)
            address = (
                "" if page in (None, self.env.docname) else self.app.builder.get_relative_uri(self.env.docname, page)
            )
            reference = nodes.reference("", "", refuri=f"{address}#{name}?{state}", internal=True)
            reference += link.children[0].children if link.children else [nodes.Text(target)]
            link.replace_self(reference)

    def page(self, file, link):
        """Return the name of the page that a link names, or None."""
        if not file:
            return link.get("refdoc") or self.env.docname
        folder = posixpath.dirname(self.env.docname)
        name = posixpath.normpath(posixpath.join(folder, str(PurePosixPath(file).with_suffix(""))))
        return name if name in self.env.found_docs else None


class ExplorerNames(SphinxPostTransform):
    """Refuse a name that stands twice on a page: its address would lead to the first place only."""

    default_priority = 900  # the outputs of the cells are chosen by then

    def run(self, **kwargs):
        """Compare the names of explorers with each other and with the other ids of the page."""
        taken = set(self.document.ids)
        for output in list(self.document.findall(nodes.raw)):
            match = re.match(r'<div class="kx-explorer" id="(\w+)"', output.astext())
            if match and match[1] in taken:
                LOGGER.error(
                    "explorer %r: its name stands twice on the page, give it another one", match[1], location=output
                )
            elif match:
                taken.add(match[1])


def problem(page, name, query):
    """Return what is wrong with a link to a state, or an empty string."""
    explorers = {data["name"]: data["controls"] for data in generated.outputs(PurePosixPath(page).name, MIME)}
    if name not in explorers:
        return f"the explorer must be one of {', '.join(explorers) or 'none on that page'}"
    controls = {control["name"]: control for control in explorers[name]}
    for control, stop in parse_qsl(query, keep_blank_values=True, strict_parsing=False):
        if control not in controls:
            return f"the control must be one of {', '.join(controls)}"
        known = controls[control]
        plain = [text.replace("\u202f", "").replace("−", "-") for text in known["names"]]
        without_unit = [text.removesuffix(f" {known['unit']}") for text in plain]
        if known["kind"] != "text" and stop not in {*known["keys"], *plain, *without_unit}:
            return f"{control} must be one of its stops, {', '.join(known['keys'][:60])}"
    return ""

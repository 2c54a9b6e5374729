"""Pages of the library: `{library} SHELF` writes one, and names in texts and code lead there.

An inline literal that is a public name, `min_base` or `min_base(L)`, becomes a link wherever the page knows the name:
on the pages of the library, and in the chapters whose code imports it. In highlighted code the name itself is the link;
it copies as before.
"""

import re
from html import escape

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.transforms.post_transforms import SphinxPostTransform

from extensions import api, chapters, docstrings

FOLDER = "chapters/library"


def setup(app):
    """Register the directive and the two kinds of links."""
    app.add_css_file("apparatus.css")
    app.add_directive("library", Shelf)
    app.add_post_transform(LinkNames)
    app.connect("html-page-context", link_code, priority=940)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Shelf(Directive):
    """Write the documentation of one shelf: a section a module, and one a public name."""

    required_arguments = 1

    def run(self):
        """Return the sections."""
        name = self.arguments[0]
        if name not in api.shelves():
            raise self.error(f"library must be one of {', '.join(api.shelves())}, got {name!r}")
        shelf = api.shelves()[name]
        config = self.state.document.settings.env.config
        repository, branch = config.html_theme_options["repository_url"], config.html_theme_options["repository_branch"]
        source = f"{repository}/blob/{branch}/"
        found = [code(f"import {shelf.module.__name__}"), *docstrings.render(shelf.module.__doc__ or "")]
        return found + [self.entry(thing, source) for thing in shelf.objects.values()]

    def entry(self, thing, source):
        """Return the section of one public name."""
        section = nodes.section(ids=[thing.name], names=[thing.name.lower()], classes=["kx-api"])
        section += nodes.title("", "", nodes.literal("", thing.name))
        section += code(thing.signature)
        section += docstrings.render(thing.doc)
        for method in thing.methods:
            section += nodes.target("", "", ids=[method.name])
            section += [code(method.signature), *docstrings.render(method.doc)]
        if thing.path:
            first, last = thing.lines
            link = nodes.reference("", f"{thing.path}, line {first}", refuri=f"{source}{thing.path}#L{first}-L{last}")
            section += nodes.paragraph("", "", nodes.Text("Source: "), link, classes=["kx-api-source"])
        return section


def code(text):
    """Return a block of Python."""
    return nodes.literal_block(text, text, language="python", classes=["kx-signature"])


def known(docname):
    """Return the public names that a page may mean: name -> what is known of it."""
    folder, _, name = docname.rpartition("/")
    if folder == FOLDER:
        everywhere = {key: thing for shelf in api.shelves().values() for key, thing in shelf.objects.items()}
        return everywhere | api.shelves()[name].objects if name in api.shelves() else {}
    return api.imported(name) if folder == "chapters" and name in chapters.slugs() else {}


def card(thing):
    """Return what is shown when a link to a name is pointed at."""
    return f"{' '.join(thing.signature.split())}\n{api.summary(thing)}".replace("( ", "(").replace(", )", ")")


class LinkNames(SphinxPostTransform):
    """Make links of the inline literals that are public names."""

    default_priority = 500

    def run(self, **kwargs):
        """Wrap them."""
        docname = self.env.docname
        found = known(docname)
        if not found:
            return
        for literal in list(self.document.findall(nodes.literal)):
            thing = found.get(re.sub(r"\(.*\)$", "", literal.astext(), flags=re.S).removeprefix("kexue_core."))
            above = literal.parent
            while thing and above is not None and not isinstance(above, nodes.reference | nodes.title | nodes.term):
                above = above.parent
            if thing is None or above is not None:
                continue
            page = f"{FOLDER}/{thing.shelf}"
            refuri = f"{'' if page == docname else self.app.builder.get_relative_uri(docname, page)}#{thing.name}"
            link = nodes.reference("", "", refuri=refuri, internal=True, reftitle=card(thing), classes=["kx-name"])
            literal.replace_self(link)
            link += literal


def link_code(app, pagename, templatename, context, doctree):
    """Make links of the imported names in the highlighted code of a chapter; the Tab key passes over them."""
    found = known(pagename)
    if not found or pagename.startswith(FOLDER) or app.builder.format != "html":
        return
    spelled = "|".join(map(re.escape, found))
    pattern = rf'(?<!<span class="o">\.</span>)<span class="n">({spelled})</span>(?!<span class="o">=</span>)'

    def link(match):
        thing = found[match[1]]
        address = f"{app.builder.get_relative_uri(pagename, f'{FOLDER}/{thing.shelf}')}#{thing.name}"
        title = escape(card(thing))
        return (
            f'<span class="n"><a class="kx-name" href="{address}" title="{title}" tabindex="-1">{match[1]}</a></span>'
        )

    context["body"] = re.sub(pattern, link, context.get("body", ""))

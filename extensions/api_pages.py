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
    found = api.imported(name) if folder == "chapters" and name in chapters.slugs() else {}
    return {key.rpartition(".")[2]: thing for key, thing in found.items()} | found


def card(thing):
    """Return what is shown when a link to a name is pointed at."""
    return f"{' '.join(thing.signature.split())} — {api.summary(thing)}".replace("( ", "(").replace(", )", ")")


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
    slug = pagename.removeprefix("chapters/")
    if slug not in chapters.slugs() or app.builder.format != "html":
        return
    found, body = api.imported(slug), context["body"]

    def link(match):
        thing = found.get(re.sub(r"<[^>]+>", "", match[0]))
        if thing is None:
            return match[0]
        address = f"{app.builder.get_relative_uri(pagename, f'{FOLDER}/{thing.shelf}')}#{thing.name}"
        attributes = f'class="kx-name" href="{address}" title="{escape(card(thing))}" tabindex="-1"'
        before, name = match.groups()
        return f'{before}<span class="n"><a {attributes}>{name}</a></span>'

    for dotted in (False, True):
        spelled = [name for name in found if ("." in name) is dotted]
        if not spelled:
            continue
        homes = "|".join(sorted({re.escape(name.rpartition(".")[0]) for name in spelled}))
        before = rf'<span class="n">(?:{homes})</span><span class="o">\.</span>' if dotted else ""
        own = "|".join(re.escape(name.rpartition(".")[2]) for name in spelled)
        pattern = rf'(?<!<span class="o">\.</span>)({before})<span class="n">({own})</span>(?!<span class="o">=</span>)'
        body = re.sub(pattern, link, body)
    context["body"] = body

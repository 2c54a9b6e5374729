"""Hover cards: `static/cards.js` shows what a link or a symbol means, where the reader points or the Tab key stops.

Any link may carry its card in ``title`` or ``data-kx-card``; links to equations of the page and symbols need nothing.
"""


def setup(app):
    """Load the script on every page with a text."""
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def load(app, pagename, templatename, context, doctree):
    """Add the script."""
    if doctree is not None:
        app.add_js_file("cards.js", defer="defer")

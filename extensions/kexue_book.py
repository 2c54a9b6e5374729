"""The book's own Sphinx extension: local mathematics, local explorers, pages made from what the chapters computed."""

import atexit
import os
import re
from pathlib import Path

import sphinxcontrib.katex as katex
from playwright._impl._driver import compute_driver_executable
from sphinx.application import Sphinx

from extensions import book_search, chapters, generated

HERE = Path(__file__).parent
COLAB_BRANCH = "colab"  # the workflow puts the chapters there with a cell that installs the package


def setup(app: Sphinx):
    """Connect everything; Sphinx calls this."""
    os.environ["KEXUE_BOOK"] = "1"  # explorers that are executed from here draw their kernel-free face
    # KaTeX typesets while the book is built. Its Node comes with playwright, so that nobody has to install one.
    katex.NODEJS_BINARY = str(compute_driver_executable()[0])
    katex.KATEX_DEFAULT_OPTIONS = {"throwOnError": True, "strict": "error"}
    app.setup_extension("sphinxcontrib.katex")
    app.add_config_value("kexue_sources", chapters.sources_key(), "env")
    app.connect("config-inited", configure)
    app.connect("html-page-context", clean_page, priority=900)
    app.connect("build-finished", clean_files)
    app.connect("build-finished", stop_katex)
    generated.setup(app)
    book_search.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def configure(app, config):
    """Point the tools to what lies in this repository instead of at other hosts."""
    config.html_math_renderer = "katex"
    config.katex_prerender = True
    config.katex_css_path = "katex/katex.min.css"
    config.html_static_path.append(str(HERE / "static"))
    config.nb_execution_cache_path = str(chapters.cache_path())
    config.html_css_files.append("kexue.css")
    config.html_js_files.append(("explorer.js", {"defer": "defer"}))


def clean_page(app, pagename, templatename, context, doctree):
    """Drop the scripts of sphinx-thebe, which is not used; launch Colab from the branch that installs the package."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{script}{getattr(script, 'attributes', '')}".lower()
    ]
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if "colab" in (button.get("url") or ""):
                button["url"] = button["url"].replace("/blob/main/", f"/blob/{COLAB_BRANCH}/")


def clean_files(app, exception):
    """Drop pages that are no longer in the book, and the theme's font preloads, which a browser refuses from disk."""
    if exception is not None or app.builder.format != "html":
        return
    own = {*app.env.found_docs, "index", "genindex"}
    for page in Path(app.outdir).rglob("*.html"):
        name = page.relative_to(app.outdir).with_suffix("").as_posix()
        if name not in own and not name.startswith("_"):
            page.unlink()
            continue
        text = page.read_text(encoding="utf-8")
        clean = re.sub(r'\s*<link rel="preload" as="font"[^>]*>', "", text)
        if clean != text:
            page.write_text(clean, encoding="utf-8")


def stop_katex(app, exception):
    """End the Node process that typesets: left alone it keeps the pipes of the build open."""
    server = katex.KaTeXServer.katex_server
    if server is not None:
        atexit.unregister(katex.KaTeXServer.terminate)
        server.terminate()
        katex.KaTeXServer.katex_server = None

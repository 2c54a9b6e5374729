"""The book's own Sphinx extension: local mathematics, local explorers, pages made from what the chapters computed."""

import os
from pathlib import Path

import sphinxcontrib.katex as katex
from playwright._impl._driver import compute_driver_executable
from sphinx.application import Sphinx

from extensions import chapters, generated

HERE = Path(__file__).parent


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
    generated.setup(app)
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
    """Drop the scripts of sphinx-thebe: it is not used, asks another host, and declares a constant twice."""
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in str(script).lower() and "THEBE" not in str(getattr(script, "attributes", {}).get("body", ""))
    ]

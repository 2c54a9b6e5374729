"""The book's own Sphinx extension: local mathematics, local explorers, pages made from what the chapters computed."""

import gc
import os
from pathlib import Path

from sphinx.application import Sphinx

from extensions import (
    api_pages,
    book_search,
    cards,
    chapters,
    citations,
    cite,
    dependencies,
    explorer_links,
    fonts,
    gallery,
    generated,
    icons,
    launch,
    mathml,
    notfound,
    page,
    previews,
    site,
    slim,
    typesetting,
)

HERE = Path(__file__).parent


def setup(app: Sphinx):
    """Connect everything; Sphinx calls this."""
    os.environ["KEXUE_BOOK"] = "1"  # explorers that are executed from here draw their kernel-free face
    gc.set_threshold(100_000, 20, 100)  # documents live long: looking them through took a sixth of all time
    app.parallel = os.cpu_count() + 1  # Jupyter Book has no option for it; when pages are written, one only hands out
    app.add_config_value("kexue_sources", dependencies.sources_key(), "env")
    app.connect("config-inited", configure)
    app.connect("env-get-outdated", outdated)
    for part in (typesetting, page, citations, explorer_links, generated, gallery, book_search, site):
        part.setup(app)
    for part in (api_pages, cards, cite, fonts, icons, launch, mathml, notfound, previews, slim):
        part.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def configure(app, config):
    """Point the tools to what lies in this repository instead of at other hosts."""
    config.html_static_path.append(str(HERE / "static"))
    config.nb_execution_cache_path = str(dependencies.cache_path())
    config.html_css_files.append("kexue.css")
    for silent in ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"):  # they touch no page while it is read
        app.extensions[silent].parallel_read_safe = True
    config.html_js_files += [(name, {"defer": "defer"}) for name in ("explorer-frames.js", "explorer.js")]


def outdated(app, env, added, changed, removed):
    """Have a chapter read again when what its outputs depend on has changed, or the bibliography.

    The pages that are made from all chapters are read again with any of them, and with the words about a part that
    has no page of its own.
    """
    bibliography = stamps("chapters/references.bib")
    now = {f"chapters/{slug}": (dependencies.chapter_key(slug), bibliography) for slug in chapters.slugs()}
    before, env.kexue_reads = getattr(env, "kexue_reads", {}), now
    found = {name for name, key in now.items() if name in env.found_docs and before.get(name, key) != key}
    tools = stamps("_toc.yml", "extensions/*.py", "chapters/parts/*.md")
    if found or added or changed or removed or getattr(env, "kexue_tools", None) != tools:
        found |= getattr(env, "kexue_pages", set())
    env.kexue_tools = tools
    return sorted(found)


def stamps(*patterns):
    """Return when the files below the root that the patterns name were changed."""
    return sorted((str(path), path.stat().st_mtime_ns) for name in patterns for path in chapters.ROOT.glob(name))

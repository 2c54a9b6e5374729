"""The finished site as files: nothing stale, nothing missing, a map of all its pages."""

import re
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["missing"]


def setup(app):
    """Tidy up when the pages are written."""
    app.connect("env-get-outdated", drop_removed)
    app.connect("build-finished", tidy)


def drop_removed(app, env, added, changed, removed):
    """Delete the pages that have left the book, wherever this builder wrote them."""
    for name in removed:
        if app.builder.format == "html":
            Path(app.builder.get_outfilename(name)).unlink(missing_ok=True)
    return []


def tidy(app, exception):
    """Drop the theme's font preloads, which a browser refuses from disk, and write `sitemap.xml`."""
    if exception is not None or app.builder.format != "html":
        return
    for name in [*app.env.found_docs, "index", "genindex", "search"]:
        page = Path(app.builder.get_outfilename(name))
        if page.exists():
            text = page.read_text(encoding="utf-8")
            clean = re.sub(r'\s*<link rel="preload" as="font"[^>]*>', "", text)
            if clean != text:
                page.write_text(clean, encoding="utf-8")
    base = app.config.html_baseurl
    urls = [f"<url><loc>{escape(base + app.builder.get_target_uri(name))}</loc></url>" for name in app.env.found_docs]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    (Path(app.outdir) / "sitemap.xml").write_text(head + "\n".join(sorted(urls)) + "\n</urlset>\n", encoding="utf-8")


def missing(folder):
    """Return what the pages of a site load from it or lead to in it and which is not there: (page, address)."""
    found = []
    for page in sorted(Path(folder).rglob("*.html")):
        if "_static" in page.parts:  # templates of the theme
            continue
        text = page.read_text(encoding="utf-8", errors="replace")
        tags = re.findall(r'<(?!/)[a-z]+\s[^<>]*?\b(?:src|href)="([^"]+)"', text)
        for url in dict.fromkeys(tags):
            parts = urlsplit(url.replace("&amp;", "&"))
            if parts.scheme or parts.netloc or not parts.path:
                continue
            if not (page.parent / unquote(parts.path)).exists():
                found.append((page.relative_to(folder).as_posix(), url))
    return found

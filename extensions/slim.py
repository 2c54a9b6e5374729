"""The site without what no page reads: source maps, fonts twice, other languages, sources that nobody can download."""

import re
from pathlib import Path

NAME = r"[\w.-]+\.\w+"
NEEDED_BY = {  # part of a file's name -> what a page must hold to need it
    "thebe": r"thebe-core",
    "design": r'class="[^"]*\bsd-',
    "toggle": r'class="(?:[^"]* )?(?:toggle|admonition [^"]*dropdown)[ "]',
}


def setup(app):
    """Tidy when everything has been written, and offer no download of a page that is not a notebook."""
    app.connect("html-page-context", offer, priority=950)
    app.connect("build-finished", tidy, priority=990)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def offer(app, pagename, templatename, context, doctree):
    """Load what the page needs, and leave only notebooks among the sources to download."""
    for files in ("css_files", "script_files"):
        context[files] = [file for file in context.get(files, []) if needed(file, context.get("body", ""))]
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            group["buttons"] = [
                button
                for button in group["buttons"]
                if button["label"] != "download-source-button" or button["url"].endswith(".ipynb")
            ]


def needed(file, body):
    """Return whether a page needs a style sheet or a script."""
    name = f"{getattr(file, 'filename', file)} {getattr(file, 'attributes', '')}".lower()
    return all(part not in name or re.search(pattern, body) for part, pattern in NEEDED_BY.items())


def tidy(app, exception):
    """Remove the files of the finished site that nothing refers to; lighten its still pictures."""
    if exception is None and app.builder.name in ("html", "dirhtml"):
        prune(Path(app.outdir))
        for path in Path(app.outdir).glob("_images/*.svg"):
            if '<g id="figure_1">' in (text := read(path)):
                path.write_text(lighter(text), encoding="utf-8", errors="surrogateescape")


def lighter(svg):
    """Return a picture of matplotlib with coordinates in hundredths of a point and without indentation."""
    svg = svg[svg.index("<svg") :]
    coordinates = r' (?:d|x|y)="[^"]*"|translate\([^)]*\)'
    svg = re.sub(coordinates, lambda match: re.sub(r"-?\d+\.\d{3,}", hundredths, match[0]), svg)
    return re.sub(r"\n\s*", "\n", svg)


def hundredths(match):
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def read(path):
    """Return a text; bytes that are no UTF-8, of a file that is not ours, survive a round trip."""
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def prune(site):
    """Remove what no page reads; return the paths that went, relative to the site.

    A file below ``_static`` stays if its name stands in a page or in a script or style sheet that stays itself. A file
    below ``_sources`` or ``_images`` stays if a page links to it.
    """
    for path in [*site.glob("_static/**/*.js"), *site.glob("_static/**/*.css")]:
        text = read(path)
        if (clean := re.sub(r"\n?(?://|/\*)# sourceMappingURL=\S+(?: ?\*/)?", "", text)) != text:
            path.write_text(clean, encoding="utf-8", errors="surrogateescape")
    pages = [read(path) for path in site.rglob("*.html") if "_static" not in path.parts]
    own = rf'(?:src|href|content)="(?![a-z]+:)[^"]*?({NAME})["?#]'
    named = {name for page in pages for name in re.findall(own, page)}
    folders = [site / name for name in ("_static", "_sources", "_images")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    kept, fresh = set(), [path for path in files if path.name in named]
    while fresh:
        kept.update(fresh)
        readers = [path for path in fresh if path.suffix in (".js", ".css") and "_static" in path.parts]
        named = {name for path in readers for name in re.findall(NAME, read(path))}
        fresh = [path for path in files if path not in kept and path.name in named]
    gone = [path for path in files if path not in kept]
    for path in gone:
        path.unlink()
        for folder in path.parents:
            if folder == site or any(folder.iterdir()):
                break
            folder.rmdir()
    return sorted(path.relative_to(site).as_posix() for path in gone)

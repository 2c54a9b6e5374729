"""Begin a chapter from the template: `python -m extensions.new SLUG`."""

import re
import sys

import nbformat

from extensions import chapters
from extensions.rerun import normalize, write

TEMPLATE = chapters.ROOT / "extensions" / "template.ipynb"


def main(slug):
    """Write ``chapters/SLUG.ipynb`` and say what comes next."""
    path = chapters.notebook_path(slug)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", slug):
        raise SystemExit(f"CHAPTER must be lower-case letters, digits and underscores, got {slug!r}")
    if path.exists():
        raise SystemExit(f"{path.relative_to(chapters.ROOT)} exists already")
    notebook = nbformat.read(TEMPLATE, 4)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{slug.replace('_', '-')}-{number:02d}"
    write(normalize(notebook), path)
    print(f"{path.relative_to(chapters.ROOT)} is written. Put 'file: chapters/{slug}' into its part of _toc.yml,")
    print(f"replace every TODO, then make rerun CHAPTERS={slug} and make check CHAPTER={slug}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("name the chapter: make new CHAPTER=slug")
    main(sys.argv[1])

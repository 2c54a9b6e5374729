"""The order of the chapters, as Jupyter Book reads it from `_toc.yml`."""

import sys
from pathlib import Path

import yaml
from sphinx_external_toc.parsing import GlobItem, MalformedError, UrlItem, parse_toc_yaml

__all__ = ["read_parts"]


def read_parts(root):
    """Return the parts of the book in ``root``: pairs of a caption and the slugs of its notebooks.

    A notebook is listed with or without its suffix, at any depth; pages that are no notebooks and links to other
    sites are passed over.

    Raises
    ------
    SystemExit
        In one line, if `_toc.yml` cannot be read, names a glob, or lists a notebook that does not lie in ``chapters``.
    """
    try:
        site = parse_toc_yaml(root / "_toc.yml")
    except (MalformedError, yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"_toc.yml: {' '.join(str(error).split())}") from None

    def notebooks(tree):
        for item in tree.items:
            if isinstance(item, UrlItem):
                continue
            if isinstance(item, GlobItem):
                raise SystemExit(f"_toc.yml: list each chapter by its file; glob is not supported, got {str(item)!r}")
            slug = _slug(root, item)
            if slug:
                yield slug
            for below in site[item].subtrees:
                yield from notebooks(below)

    return [(tree.caption or "", list(notebooks(tree))) for tree in site.root.subtrees]


def _slug(root, name):
    """Return the slug of a notebook named in the table of contents, or None for another page."""
    file = Path(name if name.endswith(".ipynb") else f"{name}.ipynb")
    if not (root / file).exists():
        if name.endswith(".ipynb"):
            raise SystemExit(f"_toc.yml: no such file: {name}")
        return None
    if file.parent != Path("chapters"):
        raise SystemExit(f"_toc.yml: a notebook must lie in chapters, got {name!r}")
    return file.name.removesuffix(".ipynb")


if __name__ == "__main__":  # what pytest, which knows no table of contents, is to be given
    print(*(f"chapters/{slug}.ipynb" for _, slugs in read_parts(Path(sys.argv[1])) for slug in slugs))

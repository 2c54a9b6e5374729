"""Write the chapters as Colab needs them, with a cell that installs the package: `python -m extensions.colab FOLDER`.

Colab opens one notebook without its repository. The workflow puts these copies on a branch of their own.
"""

import sys
from pathlib import Path

import nbformat
import yaml

from extensions import chapters


def install_cell():
    """Return the cell that brings `kexue_core` into a Colab machine."""
    url = yaml.safe_load((chapters.ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    cell = nbformat.v4.new_code_cell(f'%pip install -q "kexue-core[notebook] @ git+{url}"')
    cell["id"] = "install"
    return cell


def main(folder):
    """Write every chapter below ``folder/chapters``."""
    target = Path(folder) / "chapters"
    target.mkdir(parents=True, exist_ok=True)
    for slug in chapters.slugs():
        notebook = chapters.read(slug)
        notebook.cells.insert(1, install_cell())
        nbformat.write(notebook, target / f"{slug}.ipynb")
        print(target / f"{slug}.ipynb")


if __name__ == "__main__":
    main(sys.argv[1])

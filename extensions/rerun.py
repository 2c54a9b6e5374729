"""Re-execute chapters and store their outputs, normalized: `python -m extensions.rerun [slug …]`.

What is stored is the same on every machine: no timings, no widget state, cell ids that stay. Which code JupyterLab
folds is written anew by the rule of `folding`; what a chapter declares of itself (metadata ``kexue``) is kept.
"""

import os
import sys

import nbformat

from extensions import chapters, folding
from extensions.execution import WIDGET, execute_all


def normalize(notebook):
    """Return the notebook without what differs from run to run; the argument is changed."""
    declared = {"kexue": notebook.metadata["kexue"]} if "kexue" in notebook.metadata else {}
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            **declared,
            "language_info": {"name": "python"},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen = set()
    for number, cell in enumerate(notebook.cells):
        if cell.get("id") in seen or not cell.get("id"):
            cell["id"] = f"cell-{number:03d}"
        seen.add(cell["id"])
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            # A widget view without a kernel shows as an error; the picture and the table beside it show well.
            output.get("data", {}).pop(WIDGET, None)
    return folding.mark(notebook)


def write(notebook, path):
    """Write a notebook so that an interruption leaves the old one or the new one, never half."""
    fresh = path.with_suffix(".ipynb.new")
    nbformat.write(notebook, fresh)
    os.replace(fresh, path)


def main(wanted):
    """Rerun the chapters named, or all of them."""
    unknown = set(wanted) - set(chapters.slugs())
    if unknown:
        raise SystemExit(f"chapters must be among {chapters.slugs()}, got {sorted(unknown)}")
    for slug, notebook, _ in execute_all(wanted or chapters.slugs()):
        write(normalize(notebook), chapters.notebook_path(slug))


if __name__ == "__main__":
    main(sys.argv[1:])

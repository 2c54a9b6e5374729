"""The chapters of this book as a corpus: their titles and their prose, without code and outputs."""

import json
import re
from pathlib import Path

__all__ = ["read_chapters"]


def read_chapters(folder="."):
    """Return title and prose of every chapter in a folder, in the order of their names.

    Chapters are the notebooks that the `_toc.yml` beside the folder lists, so that a copy that lies about does not
    count; without that file, all notebooks.

    Parameters
    ----------
    folder : str or Path
        Where the notebooks lie; from a chapter that is ``"."``.

    Returns
    -------
    list of dict
        Each with ``slug``, ``title`` and ``body``; Markdown marks and formulas are left in the body.

    Raises
    ------
    ValueError
        If the folder holds no notebook, as on a machine that got a single chapter.
    """
    chapters, listed = [], _listed(Path(folder).resolve())
    for path in sorted(Path(folder).glob("*.ipynb")):
        if listed is not None and path.stem not in listed:
            continue
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        title = re.search(r"^# (.+)$", text, re.M)
        if title:
            body = (text[: title.start()] + text[title.end() :]).strip()
            chapters.append({"slug": path.stem, "title": title[1].strip(), "body": body})
    if not chapters:
        raise ValueError(f"folder must hold at least one notebook with a title, got {str(folder)!r}")
    return chapters


def _listed(folder):
    """Return the stems of the files that the table of contents names below this folder, or None without one."""
    toc = folder.parent / "_toc.yml"
    if not toc.exists():
        return None
    lines = (line.partition(" #")[0] for line in toc.read_text(encoding="utf-8").splitlines())
    entry = rf"\bfile:\s*[\"']?{re.escape(folder.name)}/([^\s\"',}}]+)"
    return {
        name.removesuffix(".ipynb") for line in lines if line.strip()[:1] != "#" for name in re.findall(entry, line)
    }

"""The chapters of this book as a corpus: their titles and their prose, without code and outputs."""

import json
import re
from pathlib import Path

__all__ = ["read_chapters"]


def read_chapters(folder="."):
    """Return title and prose of every notebook in a folder, in the order of their names.

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
    chapters = []
    for path in sorted(Path(folder).glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        title = re.search(r"^# (.+)$", text, re.M)
        if title:
            body = (text[: title.start()] + text[title.end() :]).strip()
            chapters.append({"slug": path.stem, "title": title[1].strip(), "body": body})
    if not chapters:
        raise ValueError(f"folder must hold at least one notebook with a title, got {str(folder)!r}")
    return chapters

"""The companion of the chapter on addresses of papers: a browser extension, put together from `companion/`.

Its engine is the one that the pages of the book load, its table the one of `kexue_core.engineering.links`.
"""

import zipfile
from pathlib import Path

from extensions import chapters
from kexue_core.engineering import paper_link_script

SOURCE = chapters.ROOT / "companion"
ENGINE = chapters.ROOT / "extensions" / "static" / "paper-links.js"
NAME = "paper-redirect.zip"
DATE = (2024, 2, 2, 0, 0, 0)  # of every file in the zip: the same files make the same zip


def files():
    """Return what the extension consists of, text by name."""
    found = {path.name: path.read_text(encoding="utf-8") for path in sorted(SOURCE.iterdir())}
    found[ENGINE.name] = ENGINE.read_text(encoding="utf-8")
    return found | {"table.js": paper_link_script() + "\n"}


def assemble(folder):
    """Write the extension into a folder, from which a browser can load it; return the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def pack(path):
    """Write the extension as a zip, in a folder of its own; return the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files().items():
            archive.writestr(zipfile.ZipInfo(f"paper-redirect/{name}", DATE), text, zipfile.ZIP_DEFLATED)
    return path

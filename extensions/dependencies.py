"""On what the outputs of a chapter depend: Python, its packages, the modules of the library that it uses, its files."""

import ast
import fnmatch
import functools
import hashlib
import json
import sys

from extensions import chapters

__all__ = ["cache_path", "chapter_key", "reads_key", "sources", "sources_key"]

LIBRARY = "kexue_core"
COMMON = {LIBRARY, f"{LIBRARY}.special", f"{LIBRARY}.notebook"}
EVERY_CHAPTER = ("__init__.py", "_checks.py", "special.py", "notebook/**/*.py")  # the files of `COMMON`


def sources_key():
    """Return a hash of everything that the pages of all chapters depend on: Python, its packages, the library."""
    return _key(["requirements.txt", f"{LIBRARY}/**/*.py"])


def cache_path():
    """Return the folder of the executed chapters; a change of what all of them stand on leads to another one."""
    return chapters.BUILD / "executed" / _key(["requirements.txt", *(f"{LIBRARY}/{name}" for name in EVERY_CHAPTER)])


def _key(patterns):
    """Return a hash of Python's version and of the files below the root that the patterns name."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted({path for pattern in patterns for path in chapters.ROOT.glob(pattern)}):
        digest.update(str(path.relative_to(chapters.ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def chapter_key(slug):
    """Return a hash of the library's modules that a chapter uses and of the files that it reads."""
    digest = hashlib.sha256(reads_key(slug).encode())
    for path in sorted(sources(slug)):
        digest.update(str(path.relative_to(chapters.ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def sources(slug):
    """Return the modules of the library that define what a chapter imports, and those that these import in turn.

    What all chapters stand on is left out. A shelf's ``__init__`` is looked through and does not count: a new name
    in it changes nothing for others.
    """
    code = [cell.source for cell in chapters.cells(slug) if cell.cell_type == "code"]
    found, todo = set(), [pair for text in code for pair in _imports(text)]
    while todo:
        module, name = todo.pop()
        if module in COMMON:
            continue
        place = chapters.ROOT / module.replace(".", "/")
        if not place.is_dir():
            path = place.with_suffix(".py")
        elif (place / f"{name}.py").is_file():
            path = place / f"{name}.py"
        else:
            offers = _imports((place / "__init__.py").read_text(encoding="utf-8"))
            homes = [(home, offer) for home, offer in offers if offer == name]
            todo += homes
            path = None if homes else place / "__init__.py"  # what it defines itself
        if path and path.is_file() and path not in found:
            found.add(path)
            todo += _imports(path.read_text(encoding="utf-8"))
    return found


@functools.lru_cache(maxsize=1000)
def _imports(text):
    """Return (module, name) for all that a text of Python takes from the library; magics of IPython are no Python."""
    if LIBRARY not in text:
        return []
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return [(node.module, alias.name) for node in froms if node.module.split(".")[0] == LIBRARY for alias in node.names]


def reads_key(slug):
    """Return a hash of the files that a chapter says it reads (metadata ``kexue.reads``: patterns), or ``""``.

    Of a chapter the prose counts, without code and outputs; of another file every byte. Notebooks that are not listed
    in `_toc.yml` do not count.
    """
    patterns = chapters.read(slug).metadata.get("kexue", {}).get("reads", [])
    listed = {chapters.notebook_path(name) for name in chapters.slugs()} if patterns else set()
    folder = chapters.ROOT / "chapters"
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")) if patterns else ():
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            continue
        if path.suffix == ".ipynb":
            if path not in listed:
                continue
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            data = json.dumps([cell["source"] for cell in cells if cell["cell_type"] == "markdown"]).encode()
        else:
            data = path.read_bytes()
        digest.update(name.encode() + b"\0" + data + b"\0")
    return digest.hexdigest()[:16] if patterns else ""

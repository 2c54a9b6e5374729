"""The chapters of the book: which they are and what they hold."""

import functools
import math
import re
from pathlib import Path

import nbformat

from extensions.toc import read_parts

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
WORDS_A_MINUTE, MINUTES_A_DERIVATION, MINUTES_AN_EXPLORER = 220, 1 / 3, 1


def parts():
    """Return the parts of the book: (caption, list of chapter slugs)."""
    return _parts(ROOT, (ROOT / "_toc.yml").stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _parts(root, stamp):
    return read_parts(root)


def slugs():
    """Return the slugs of all chapters that are notebooks."""
    return [slug for _, members in parts() for slug in members]


def notebook_path(slug):
    """Return where a chapter lies."""
    return ROOT / "chapters" / f"{slug}.ipynb"


def read(slug):
    """Return the notebook of a chapter.

    Raises
    ------
    SystemExit
        In one line, if the file is missing or no notebook.
    """
    try:
        return nbformat.read(notebook_path(slug), 4)
    except (OSError, ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise SystemExit(f"{slug}: not a notebook that can be read ({' '.join(str(error).split())[:100]})") from None


def cells(slug):
    """Return the cells of a chapter to look at: read once for each state of the file, not to be changed."""
    path = notebook_path(slug)
    return _cells(slug, path, path.stat().st_mtime_ns if path.exists() else None)


@functools.lru_cache(maxsize=100)
def _cells(slug, path, stamp):
    return read(slug).cells


def head(slug):
    """Return the cell of a chapter that holds its title and its box, from the title on."""
    for cell in cells(slug):
        title = re.search(r"^# .+", cell.source, re.M) if cell.cell_type == "markdown" else None
        if title:
            return cell.source[title.start() :]
    raise ValueError(f"{slug}: the first cell must hold the title, a line '# …'")


def title(slug):
    """Return a chapter's title."""
    return head(slug).splitlines()[0].removeprefix("# ").strip()


def insight(slug):
    """Return the sentence that the box of a chapter gives as its insight."""
    match = re.search(r"\*\*Insight[.:]?\*\*\s*(.+?)\s*(?:\n>?\s*\n|\n> \*\*|\Z)", head(slug), re.S)
    if match is None:
        raise ValueError(f"{slug}: the box below the title must hold '**Insight.** …'")
    return re.sub(r"\s*\n>\s*", " ", match[1])


def words(text):
    """Return how many words of prose a Markdown text has: no formulas, code, tables, addresses or headings."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$|<[^>]+>", " ", text, flags=re.S)
    text = re.sub(r"^(?:\|.*|#+ .*)$", " ", text, flags=re.M)
    text = re.sub(r"\$[^$]*\$|`[^`]*`|(?<=\])\([^)]*\)", " x ", text)
    return len(re.findall(r"[\w’'-]*\w[\w’'-]*", text))


def minutes(slug):
    """Return how long a chapter takes to read, in steps of five minutes: its words, derivations and explorers."""
    prose = sum(words(cell.source) for cell in cells(slug) if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in cells(slug) if cell.cell_type == "code")
    needed = prose / WORDS_A_MINUTE + len(re.findall(r"\bDerivation\(", code)) * MINUTES_A_DERIVATION
    return max(5, 5 * math.ceil((needed + len(re.findall(r"\bExplorer\(", code)) * MINUTES_AN_EXPLORER) / 5))


def symbols(slug):
    """Return the table of symbols that a chapter gives in its question, as Markdown."""
    text = "\n".join(cell.source for cell in cells(slug) if cell.cell_type == "markdown")
    question = re.search(r"^## The question\s*$(.*?)(?=^## |\Z)", text, re.M | re.S)
    table = question and re.search(r"(?:^\|.*\|[ ]*\n?)+", question[1], re.M)
    if not table:
        raise ValueError(f"{slug}: the section '## The question' must hold a table of symbols (letter, meaning, code)")
    return table[0].strip()

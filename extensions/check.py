"""Check one chapter in under a minute: `python -m extensions.check SLUG`. One line for each problem.

Its form in the notebook; a run for the book, of which a page is built and measured; and a run for nbval, which compares
every stored output.
"""

import re
import subprocess
import sys
import time

import yaml
from playwright.sync_api import sync_playwright

from extensions import chapters, processes
from extensions.build import execute_changed, jupyter_book
from extensions.execution import TIMEOUT
from extensions.form import notebook_problems
from extensions.page_form import chromium, page_problems

PYTEST = ["-q", "-p", "no:cacheprovider", f"--nbval-cell-timeout={TIMEOUT}", "--tb=short", "--color=no"]


def main(slug):
    """Print what is wrong with a chapter."""
    start = time.monotonic()
    if slug not in chapters.slugs():
        print(f"{slug}: list it in _toc.yml as 'file: chapters/{slug}'")
        raise SystemExit(1)
    with processes.alone(chapters.BUILD):
        lines = notebook_problems(slug)
        command = [sys.executable, "-m", "pytest", *PYTEST, "--nbval", str(chapters.notebook_path(slug))]
        comparing = subprocess.Popen(command, cwd=chapters.ROOT, stdout=subprocess.PIPE, text=True)
        try:
            execute_changed([slug])
            lines += measure(slug)
        except SystemExit as error:
            lines.append(str(error.code))
        finally:
            output = comparing.communicate()[0]
    lines += stale(slug, output)
    print("\n".join(lines) or f"{slug}: nothing to mend", f"({time.monotonic() - start:.0f} s)", sep="\n")
    raise SystemExit(bool(lines))


def measure(slug):
    """Build the page of one chapter, without the rest of the book, and return what is wrong with its form."""
    folder = chapters.BUILD / "check"
    folder.mkdir(parents=True, exist_ok=True)
    toc = folder / "_toc.yml"
    text = yaml.safe_dump({"format": "jb-book", "root": f"chapters/{slug}"})
    if not toc.exists() or toc.read_text(encoding="utf-8") != text:
        toc.write_text(text, encoding="utf-8")
    jupyter_book(folder, "--toc", str(toc))  # links to other chapters lead nowhere here, so warnings do not count
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        return page_problems(folder / "_build" / "html" / "chapters" / f"{slug}.html", browser)


def stale(slug, output):
    """Return the cells whose stored outputs differ from a fresh run, from what nbval printed."""
    cells = sorted(int(cell) for cell in set(re.findall(r"^(?:FAILED|ERROR) .*::Cell (\d+)", output, re.M)))
    return [f"{slug}, cell [{cell + 1}]: outputs differ from the stored ones: make rerun" for cell in cells]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("name the chapter: make check CHAPTER=slug")
    main(sys.argv[1])

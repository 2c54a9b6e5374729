"""Build the book: `python -m extensions.build`.

Chapters that changed, or whose modules of `kexue_core` did, are executed in parallel into a cache; then Jupyter Book
reads the cache. The site is built aside and moved into place when it is whole, so that `_build/html` is
always a finished book, or the one before. One build runs at a time.
"""

import fcntl
import shutil
import subprocess
import sys
import time
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

from extensions import chapters, cite, companion, dependencies, epub, processes, site
from extensions.execution import execute_all

KEPT = 4  # executed chapters of that many states of what all of them stand on


def changed(cache):
    """Return the chapters that the cache does not hold, or holds as they were before what they use changed."""
    found = []
    for slug in chapters.slugs():
        try:
            record = cache.match_cache_notebook(chapters.read(slug))
        except KeyError:
            found.append(slug)
        else:
            if record.data.get("key") != dependencies.chapter_key(slug):
                found.append(slug)
    return found


def keep(slug, notebook, seconds, key):
    """Put an executed chapter into the cache, one process after the other."""
    path = dependencies.cache_path()
    path.mkdir(parents=True, exist_ok=True)
    with open(path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cache = get_cache(path)
        cache.change_cache_limit(1000)
        data = {"execution_seconds": seconds, "key": key}
        bundle = CacheBundleIn(notebook, str(chapters.notebook_path(slug)), data=data)
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def execute_changed(wanted=None):
    """Execute the chapters that the cache does not hold, of those wanted."""
    path = dependencies.cache_path()
    cache = get_cache(path)
    stale = [slug for slug in changed(cache) if wanted is None or slug in wanted]
    print(f"chapters: {len(chapters.slugs())}, to execute: {len(stale)}", flush=True)
    keys = {slug: dependencies.chapter_key(slug) for slug in stale}  # as they are when the kernels start
    for slug, notebook, seconds in execute_all(stale, environment={"KEXUE_BOOK": "1"}):
        keep(slug, notebook, seconds, keys[slug])
    for old in sorted(path.parent.iterdir(), key=lambda folder: folder.stat().st_mtime)[:-KEPT]:
        discard(old)


def jupyter_book(output, *options):
    """Run Jupyter Book; raise SystemExit if it finds anything wrong, which it has told by then."""
    program = Path(sys.executable).with_name("jupyter-book")
    command = [program, "build", str(chapters.ROOT), "--path-output", str(output), "--keep-going", "-q"]
    if processes.run([*command, *options], cwd=chapters.ROOT, stdout=subprocess.DEVNULL):
        raise SystemExit("the book was not built: see the lines above")


def discard(folder):
    """Delete a folder so that no interruption leaves half of it under its name."""
    if folder.exists():
        trash = folder.with_name(folder.name + ".trash")
        shutil.rmtree(trash, ignore_errors=True)
        folder.rename(trash)
        shutil.rmtree(trash, ignore_errors=True)


def build_site():
    """Run Jupyter Book aside and put the finished site in place; return where it is.

    Raises
    ------
    SystemExit
        If there are warnings, or if a page lacks a file that it names.
    """
    staging, target = chapters.BUILD / "staging", chapters.BUILD / "html"
    unfinished = staging / "unfinished"  # as long as it lies there, pages may be older than what Sphinx remembers
    if unfinished.exists():
        discard(staging)
    staging.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    jupyter_book(staging, "-W", "-n")  # a warning is a mistake
    pages = staging / "_build" / "html"
    companion.pack(pages / companion.NAME)
    epub.bind(pages, pages / "kexue-book.epub", cite.book()["url"])
    lacking = site.missing(pages)
    if lacking:
        raise SystemExit("\n".join(f"{page} names {url}, which is not there" for page, url in lacking))
    fresh, old = chapters.BUILD / "html.new", chapters.BUILD / "html.old"
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(pages, fresh, ignore=shutil.ignore_patterns(".doctrees", ".buildinfo"))
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    unfinished.unlink()
    return target


def main():
    """Execute, build, and say where the book is."""
    start = time.monotonic()
    with processes.alone(chapters.BUILD):
        execute_changed()
        target = build_site()
    print(f"The book is in {target.relative_to(chapters.ROOT)}/index.html ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    main()

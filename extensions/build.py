"""Build the book: `python -m extensions.build`.

Chapters that changed are executed in parallel into a cache whose name depends on the sources of `kexue_core`; then
Jupyter Book reads the cache. The site is built aside and moved into place when it is whole, so that `_build/html` is
always a finished book, or the one before.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

from extensions import chapters


def execute_changed():
    """Execute the chapters that the cache does not hold."""
    path = chapters.cache_path()
    cache = get_cache(path)
    cache.change_cache_limit(1000)
    wanted = []
    for slug in chapters.slugs():
        try:
            cache.match_cache_notebook(nbformat.read(chapters.notebook_path(slug), 4))
        except KeyError:
            wanted.append(slug)
    print(f"chapters: {len(chapters.slugs())}, to execute: {len(wanted)}", flush=True)
    for slug, notebook, seconds in chapters.execute_all(wanted, environment={"KEXUE_BOOK": "1"}):
        bundle = CacheBundleIn(notebook, str(chapters.notebook_path(slug)), data={"execution_seconds": seconds})
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    for old in sorted(path.parent.iterdir(), key=lambda folder: folder.stat().st_mtime)[:-4]:
        shutil.rmtree(old)


def build_site():
    """Run Jupyter Book aside and put the finished site in place; return where it is."""
    staging, site = chapters.BUILD / "staging", chapters.BUILD / "html"
    unfinished = staging / "unfinished"  # as long as it lies there, pages may be older than what Sphinx remembers
    if unfinished.exists():
        shutil.rmtree(staging)
    staging.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", str(chapters.ROOT), "--path-output", str(staging)]
    options = ["-W", "-n", "--keep-going", "-q"]  # warnings and errors go to stderr, the rest is of no interest
    result = subprocess.run([*command, *options], cwd=chapters.ROOT, stdout=subprocess.DEVNULL, check=False)
    if result.returncode:
        raise SystemExit("the book was not built: see the warnings above")
    fresh, old = chapters.BUILD / "html.new", chapters.BUILD / "html.old"
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(staging / "_build" / "html", fresh, ignore=shutil.ignore_patterns(".doctrees", ".buildinfo"))
    if site.exists():
        site.rename(old)
    fresh.rename(site)
    shutil.rmtree(old, ignore_errors=True)
    unfinished.unlink()
    return site


def main():
    """Execute, build, and say where the book is."""
    start = time.monotonic()
    execute_changed()
    site = build_site()
    print(f"The book is in {site.relative_to(chapters.ROOT)}/index.html ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    main()

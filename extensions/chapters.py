"""The chapters of the book, in the order of `_toc.yml`, and their execution side by side."""

import hashlib
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nbformat
import yaml
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"


def parts():
    """Return the parts of the book: (caption, list of chapter slugs)."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    found = []
    for part in toc["parts"]:
        files = [Path(entry["file"]) for entry in part["chapters"]]
        slugs = [file.name for file in files if (ROOT / file).with_suffix(".ipynb").exists()]
        found.append((part["caption"], slugs))
    return found


def slugs():
    """Return the slugs of all chapters that are notebooks."""
    return [slug for _, members in parts() for slug in members]


def notebook_path(slug):
    """Return where a chapter lies."""
    return ROOT / "chapters" / f"{slug}.ipynb"


def sources_key():
    """Return a hash of everything but the notebook that its outputs depend on."""
    digest = hashlib.sha256()
    for path in [ROOT / "requirements.txt", *sorted((ROOT / "kexue_core").rglob("*.py"))]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache_path():
    """Return the folder of the executed chapters; a change of the library leads to another one."""
    return BUILD / "executed" / sources_key()


def execute(slug, environment=()):
    """Execute a chapter in a fresh kernel; return the notebook and the seconds it took."""
    os.environ.update(environment)
    os.environ["KEXUE_STRICT"] = "1"  # what a chapter states must hold where it is built
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # chapters run side by side: its threads would only wait
    notebook = nbformat.read(notebook_path(slug), 4)
    start = time.monotonic()
    quiet = ["--log-level=ERROR"]  # the kernel's advice on transports is not for readers of a build log
    resources = {"metadata": {"path": str(ROOT / "chapters")}}
    NotebookClient(notebook, timeout=120, record_timing=False, resources=resources, extra_arguments=quiet).execute()
    return notebook, time.monotonic() - start


def execute_all(wanted, *, environment=(), workers=None):
    """Execute chapters side by side and yield (slug, notebook, seconds), telling the progress.

    Raises
    ------
    SystemExit
        After all have been tried, if any failed; what failed is printed.
    """
    failed = []
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        jobs = {pool.submit(execute, slug, environment): slug for slug in wanted}
        try:
            for done, job in enumerate(as_completed(jobs), start=1):
                slug = jobs[job]
                if job.exception() is not None:
                    failed.append(slug)
                    print(f"[{done}/{len(jobs)}] {slug}: FAILED\n{job.exception()}", file=sys.stderr, flush=True)
                    continue
                notebook, seconds = job.result()
                print(f"[{done}/{len(jobs)}] {slug}: {seconds:.1f} s", flush=True)
                yield slug, notebook, seconds
        except (KeyboardInterrupt, GeneratorExit):
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if failed:
        raise SystemExit(f"{len(failed)} of {len(jobs)} chapters failed: {', '.join(failed)}")

"""Execute chapters side by side, each in a fresh kernel, and refuse what must not be published."""

import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from extensions import chapters, forks, processes
from extensions.requirements import forbidden
from kexue_core.notebook.explorer import MIME as EXPLORER

__all__ = ["Mistake", "execute", "execute_all", "prepare", "problems"]

WIDGET = "application/vnd.jupyter.widget-view+json"
TIMEOUT = 300
GUARD = chapters.ROOT / "extensions" / "import_guard.py"


class Mistake(Exception):
    """What an author has to mend, in one line: chapter, number of the cell, what to do."""


def prepare(environment=()):
    """Set what the kernels of this process find in their environment."""
    os.environ.update(environment)
    os.environ["KEXUE_STRICT"] = "1"  # a failed check stops the chapter
    os.environ["KEXUE_FORBIDDEN"] = " ".join(sorted(forbidden()))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # chapters run side by side: its threads would only wait


def execute(slug, environment=()):
    """Execute a chapter in a fresh kernel; return the notebook and the seconds it took.

    The kernel imports what `requirements.txt` holds and nothing else, as a reader's does.

    Raises
    ------
    Mistake
        If a cell fails, or if `problems` finds something in the outputs.
    """
    prepare(environment)
    notebook = chapters.read(slug)
    start = time.monotonic()
    quiet = ["--log-level=ERROR"]  # the kernel's advice on transports is not for readers of a build log
    guard = [f"--IPKernelApp.exec_files={GUARD}"]
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        record_timing=False,
        resources={"metadata": {"path": str(chapters.ROOT / "chapters")}},
        extra_arguments=quiet + guard,
    )
    reached = []  # the code cells so far, the last one included
    client.on_cell_start = lambda cell, cell_index: reached.append(cell) if cell.cell_type == "code" else None
    try:
        client.execute()
    except CellExecutionError as error:
        last = f"{error.ename}: {error.evalue}".strip().splitlines()[0]
        raise Mistake(f"{slug}, cell [{len(reached)}]: {last}") from None
    except CellTimeoutError:
        raise Mistake(f"{slug}, cell [{len(reached)}]: took longer than {TIMEOUT} s; make it cheaper") from None
    except DeadKernelError:
        raise Mistake(f"{slug}, cell [{len(reached)}]: the kernel died (exit, or out of memory)") from None
    found = problems(slug, notebook)
    if found:
        raise Mistake("\n".join(found))
    return notebook, time.monotonic() - start


def problems(slug, notebook):
    """Return one line for each output that must not be published: a warning, or a widget that needs a kernel."""
    found = []
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        for output in cell.outputs:
            data = output.get("data", {})
            if output.get("name") == "stderr":
                words = " ".join(re.sub(r"\x1b\[[\d;]*m", "", output.text).split())[:150]
                found.append(f"{slug}, cell [{number}]: mend what it warns of, or silence it in the code: {words}")
            if WIDGET in data and EXPLORER not in data:
                found.append(f"{slug}, cell [{number}]: this widget is dead without a kernel; show an Explorer instead")
    return found


def begin():
    """Prepare a worker."""
    processes.end_with_parent()
    forks.use_forks()


def execute_all(wanted, *, environment=(), workers=None):
    """Execute chapters side by side and yield (slug, notebook, seconds), telling the progress.

    Raises
    ------
    SystemExit
        After all have been tried, if any failed; what failed is printed.
    """
    failed = []
    pool = ProcessPoolExecutor(workers or os.cpu_count(), initializer=begin)
    jobs = {pool.submit(execute, slug, environment): slug for slug in wanted}
    try:
        for done, job in enumerate(as_completed(jobs), start=1):
            slug = jobs[job]
            error = job.exception()
            if error is not None:
                failed.append(slug)
                words = str(error) if isinstance(error, Mistake) else f"{slug}: {type(error).__name__}: {error}"
                print(words, file=sys.stderr, flush=True)
                continue
            notebook, seconds = job.result()
            print(f"[{done}/{len(jobs)}] {slug}: {seconds:.1f} s", flush=True)
            yield slug, nbformat.from_dict(notebook), seconds
    except BaseException:
        processes.end(pool)
        raise
    pool.shutdown()
    if failed:
        raise SystemExit(f"{len(failed)} of {len(jobs)} chapters failed: {', '.join(failed)}")

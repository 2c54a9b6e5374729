"""No process of a build outlives it, and no two builds run at once."""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys

__all__ = ["alone", "end", "end_with_parent", "run"]

PR_SET_PDEATHSIG = 1


def end_with_parent():
    """Have the system end this process when its parent ends, however that happens (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end(pool):
    """End the workers of a pool at once; their kernels notice it within a second."""
    workers = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()


def run(command, **options):
    """Run a command with all its children in a group of its own, which ends with it; return its exit code."""
    process = subprocess.Popen(command, start_new_session=True, preexec_fn=end_with_parent, **options)
    try:
        return process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL if process.poll() is None else signal.SIGTERM)
        process.wait()


@contextlib.contextmanager
def alone(folder):
    """Hold the lock of a build folder, and turn a request to end (TERM) into an orderly end.

    Raises
    ------
    SystemExit
        In one line, if another build holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("another build of this book runs; wait until it ends") from None
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("the build was ended"))
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

"""Side by side: processor time of ours and of a peer in one run, as a ratio. Above 1, ours takes longer.

One thread, medians of interleaved repetitions. A difference is the largest of the results, of both or against the peer.
"""

import importlib
import os
import statistics
import time

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

REPETITIONS, SAMPLE = 7, 0.02  # seconds of processor time in one sample


def package(name):
    """Return an optional peer, or None after a line that says that it is not there."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        print(f"  {name} is not installed: its rows are left out")
        return None
    if name == "torch":
        module.set_num_threads(1)
    return module


def compare(case, size, ours, peer, *, difference=True, note=""):
    """Print one row: case, size, milliseconds of both, their ratio, the difference of the results, a note."""
    gap = ""
    if difference:
        found, expected = np.asarray(ours()), np.asarray(peer())
        assert found.shape == expected.shape, (found.shape, expected.shape)
        gap = (
            f"{np.abs(found - expected).max():.0e}" if found.dtype != bool else f"{np.count_nonzero(found != expected)}"
        )
    counts = [max(1, int(SAMPLE / max(_seconds(function, 1), 1e-7))) for function in (ours, peer)]
    samples = [[], []]
    for repetition in range(REPETITIONS):
        for which in (0, 1) if repetition % 2 else (1, 0):
            samples[which].append(_seconds((ours, peer)[which], counts[which]))
    a, b = (statistics.median(part) for part in samples)
    print(f"  {case:54s} {size:20s} {a * 1e3:10.3f} / {b * 1e3:10.3f} ms = {a / b:7.2f}  {gap:>6s}  {note}", flush=True)
    return a / b


def growth(function, sizes):
    """Return the exponent of the processor time between the smallest and the largest size, medians of five."""
    times = []
    for size in (sizes[0], sizes[-1]):
        samples = []
        for _ in range(5):
            start, count = time.process_time(), 0
            while time.process_time() - start < 0.1:
                function(size)
                count += 1
            samples.append((time.process_time() - start) / count)
        times.append(sorted(samples)[2])
    return np.log(times[1] / times[0]) / np.log(sizes[-1] / sizes[0])


def _seconds(function, count):
    start = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - start) / count

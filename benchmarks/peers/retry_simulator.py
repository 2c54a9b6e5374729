"""Calls and completion time of the simulator aws-samples/aws-arch-backoff-simulator, for the chapter `python_retry`.

    python benchmarks/peers/retry_simulator.py path/to/src/backoff_simulator.py

It runs the classes of that file as they are (commit 095a076), without its plots: normal messages of 10 ms with standard
deviation 2, base 5 ms, cap 2000 ms, 40 runs, seed 9938.

Printed, as clients, rule, calls and milliseconds until the last client is done:

      50 Exponential     616.88 +- 4.94    35871.04 +- 554.72
      50 Decorr          375.73 +- 1.96     2207.21 +- 77.22
      50 EqualJitter     347.05 +- 0.75     4174.56 +- 77.83
      50 FullJitter      333.12 +- 0.57     2878.66 +- 83.30
      50 None            688.77 +- 2.81     1131.06 +- 7.07
     100 Exponential    1830.42 +- 7.58    62290.85 +- 530.90
     100 Decorr         1002.92 +- 3.87     4528.61 +- 105.18
     100 EqualJitter     812.25 +- 1.21     6709.14 +- 119.59
     100 FullJitter      794.52 +- 0.75     4877.64 +- 74.14
     100 None           2427.55 +- 5.04     2032.54 +- 7.02
     200 Exponential    5616.82 +- 17.11  105588.39 +- 774.29
     200 Decorr         2613.20 +- 10.12    8093.88 +- 135.41
     200 EqualJitter    1874.55 +- 1.64     9698.29 +- 86.10
     200 FullJitter     1889.15 +- 2.11     7759.36 +- 89.67
     200 None           8821.60 +- 11.56    3703.06 +- 7.74
"""

import io
import random
import statistics
import sys
from pathlib import Path

RUNS = 40


def main():
    """Print mean and standard error over the runs."""
    source = Path(sys.argv[1]).read_text()
    kept = [line for line in source.splitlines() if "pandas" not in line and "bokeh" not in line]
    names = {}
    exec("\n".join(kept).partition("client_multiplier")[0], names)
    random.seed(9938)
    for clients in (50, 100, 200):
        for rule, label in names["backoff_types"]:
            calls, times = [], []
            for _ in range(RUNS):
                stats = names["Stats"]()
                queue, stats = names["setup_sim"](clients, rule, io.StringIO(), stats)
                times.append(names["run_sim"](queue))
                calls.append(stats.calls)
            shown = "   ".join(
                f"{statistics.fmean(x):9.2f} +- {statistics.stdev(x) / RUNS**0.5:.2f}" for x in (calls, times)
            )
            print(f"{clients:4d} {label:12s} {shown}")


if __name__ == "__main__":
    main()

"""How long a whole run takes: `vpbench --help`, and grading and analysing MathVista's 12,000 pooled responses.

Wall and CPU seconds of fresh processes, median of three; the pool is read from $VPBENCH_SHARED (default ../shared).
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

SHARED = Path(os.environ.get("VPBENCH_SHARED", Path(__file__).parent.parent.parent / "shared"))
POOL = SHARED / "pools" / "mathvista_systems.jsonl.gz"
EVERY_N = ",".join(map(str, range(1, 13)))


def measure(arguments: list[str]) -> list[float]:
    """Median (wall, CPU) seconds of three fresh processes."""
    rows = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, "-m", "vpbench", *arguments]
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, "VPBENCH_OUTPUT": folder})
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        rows.append((time.perf_counter() - start, cpu))
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def main() -> None:
    jobs = {"vpbench --help": ["--help"]}
    if POOL.is_file():
        run = ["run", "--task", "mathvista", "--critic", "self-consistency", "--n", EVERY_N, "--pool", str(POOL)]
        data = ["--data", str(SHARED / "data" / "mathvista")]
        jobs["12,000 responses, robust grading, all n, 10,000 resamples"] = [*run, *data]
        jobs["the same, official grading"] = [*run, *data, "--grading", "official"]
        jobs["the same, given verdicts"] = [*run, *data, "--trust-verdicts"]
    else:
        print(f"no pool at {POOL}: only --help is measured; set VPBENCH_SHARED")
    rows = [[name, *(f"{value:.2f}" for value in measure(arguments))] for name, arguments in jobs.items()]
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(tabulate(rows, ["job", "wall s", "CPU s"], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()

"""How long a whole run takes: the start, scores of one's own, and grading and analysing 12,000 pooled responses.

Wall and CPU seconds of fresh processes, median of three; the scores are for the miniature world, the large pool is
MathVista's under $VPBENCH_SHARED (default ../shared). Works in a plain installation too (`scripts/light-env`).
"""

from __future__ import annotations

import gzip
import json
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
NANO_POOL = Path(__file__).parent.parent / "vpbench" / "nano" / "data" / "mathvista" / "nano-policy.jsonl.gz"
EVERY_N = ",".join(map(str, range(1, 13)))


def measure(arguments: list[str]) -> list[float]:
    """Median (wall, CPU) seconds of three fresh processes."""
    rows = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, *arguments]
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, "VPBENCH_OUTPUT": folder})
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        rows.append((time.perf_counter() - start, cpu))
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def write_scores(path: Path) -> None:
    """The length of every response of the miniature world's pool as its score."""
    with gzip.open(NANO_POOL, "rt") as pool, path.open("w") as scores:
        for line in map(json.loads, pool):
            candidates = [{"score": len(row["response"])} for row in line["candidates"]]
            scores.write(json.dumps({"question_id": line["question_id"], "candidates": candidates}) + "\n")


def commands(scores: Path) -> dict[str, list[str]]:
    """The arguments of Python for every job."""
    run = ["-m", "vpbench", "run", "--task", "mathvista"]
    jobs = {
        "import vpbench": ["-c", "import vpbench"],
        "vpbench --help": ["-m", "vpbench", "--help"],
        "8,192 scores of one's own (--nano --scores)": [*run, "--nano", "--scores", str(scores)],
    }
    if POOL.is_file():
        run += ["--critic", "self-consistency", "--n", EVERY_N, "--pool", str(POOL)]
        data = ["--data", str(SHARED / "data" / "mathvista")]
        jobs["12,000 responses, robust grading, all n, 10,000 resamples"] = [*run, *data]
        jobs["the same, official grading"] = [*run, *data, "--grading", "official"]
        jobs["the same, given verdicts"] = [*run, *data, "--trust-verdicts"]
    else:
        print(f"no pool at {POOL}: the rest is measured; set VPBENCH_SHARED")
    return jobs


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scores = Path(folder) / "length.jsonl"
        write_scores(scores)
        jobs = commands(scores)
        rows = [[name, *(f"{value:.2f}" for value in measure(arguments))] for name, arguments in jobs.items()]
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(tabulate(rows, ["job", "wall s", "CPU s"], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()

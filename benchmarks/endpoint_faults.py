"""An endpoint of whose replies 30% fail, every kind of `tests/faulty_server.py` in turn: rows lost, doubled, changed.

A policy's samples and a judge's verdicts in the miniature world, by the command as users start it, once from a good
server and once from a faulty one. Rows are those of the stores. Tokens aren't compared: a server counts those of a
reply, so that what a candidate took is known only where it was asked for alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from kills import Rows, differences
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from chat_server import Answer, Rule, chat_server, completion, text_of
from faulty_server import fails_often

SAMPLE = "sample --nano --task mathvista --limit 40 --samples 100 --policy openai:m --policy-args base_url={},{}"
JUDGE = (
    "run --nano --task mathvista --limit 64 --critic mllm-judge --critic-model openai:m --resamples 100 "
    "--critic-args mode=per-step,model_args=base_url={};{}"
)
SETTINGS = ("retries=12", "timeout_s=0.4", "concurrency=8")


def echo(body: dict[str, Any], _: int) -> Answer:
    number = zlib.crc32(text_of(body).encode()) % 97
    return completion(*[f"First {number}.\n\nAnswer: {number}"] * body.get("n", 1))


def verdict(body: dict[str, Any], _: int) -> Answer:
    return completion("Yes" if zlib.crc32(text_of(body).encode()) % 3 else "No", logprobs={"Yes": -0.5, "No": -1.0})


def kept(command: str, stage: str, rule: Rule, folder: Path) -> tuple[Rows, int, int]:
    """The rows of the stage's store once the command has ended, how many of them failed, and how many requests it took.

    Raises `CalledProcessError` if the command fails.
    """
    with chat_server(rule) as server:
        settings = (";" if "{};" in command else ",").join(SETTINGS)
        arguments = command.format(server.url, settings).split()
        subprocess.run(
            [sys.executable, "-m", "vpbench", *arguments, "--output", folder, "-q"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        requests = len(server.bodies)
    rows: Rows = Counter()
    failed = 0
    for part in sorted(folder.glob(f"{stage}/*/part-*.parquet")):
        for row in pq.read_table(part).to_pylist():
            row.pop("tokens", None)
            failed += (row.get("error") or row.get("reason")) is not None
            rows[stage, f"{row.pop('question_id')} {row.pop('index')}", str(row)] += 1
    return rows, failed, requests


def run(share: float) -> None:
    table = []
    with tempfile.TemporaryDirectory() as temporary:
        for command, stage, rule in ((SAMPLE, "candidates", echo), (JUDGE, "scores", verdict)):
            whole, failed_before, _ = kept(command, stage, rule, Path(temporary) / f"{stage} whole")
            faults: Counter[str] = Counter()
            rows, failed, requests = kept(command, stage, fails_often(rule, faults, share), Path(temporary) / stage)
            counts = [requests, faults.total(), len(faults), whole.total()]
            table.append([command.split()[0], *counts, failed - failed_before, *differences(whole, rows)])
    headers = ["verb", "requests", "faults", "kinds", "rows", "failed", "lost", "doubled", "changed"]
    print(tabulate(table, headers, tablefmt="github"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.3)
    run(parser.parse_args().share)

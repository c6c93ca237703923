"""SIGKILL at seeded moments of `run`, `sample`, `label`, `train` in the miniature world: rows lost, doubled, changed.

Each verb is run once to its end. Then, in a fresh folder, it is killed one to three times and run to its end, until
the kills are spent. A moment is drawn from the time that the whole run took; every attempt is a fork of a process that
has the heavy imports behind it, so that moments fall on work. Rows are those of all results, parts and exports.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from tabulate import tabulate

import vpbench.commands.label
import vpbench.commands.run
import vpbench.commands.sample
import vpbench.commands.train
import vpbench.nano
import vpbench.train.export
import vpbench.train.model
import vpbench.train.trainer
from vpbench.cli import main

MODELS = Path(vpbench.nano.__file__).parent / "models"
WORLD = "--nano --task mathvista --output kept"
SOLUTIONS = "../../label/whole/solutions.jsonl"
VERBS = {
    "run": f"run {WORLD} --critic visualprm,self-consistency --limit 8 --resamples 100",
    "sample": f"sample {WORLD} --policy nano --samples 32 --limit 6 --export pool.jsonl",
    "label": f"label {WORLD} --policy nano --limit 6 --export solutions.jsonl",
    "train": f"train --critic visualprm --model {MODELS / 'pretrained-prm'} --data {SOLUTIONS} --output kept "
    "--epochs 4 --batch-size 4 --save-every 2 --max-tiles 2",
}
MOST_KILLS_OF_ONE_RUN = 3

Rows = Counter[tuple[str, str, str]]
"""(file or folder, key, content) of every row, with how often it is there."""


def attempt(arguments: list[str], folder: Path, seconds: float | None = None) -> tuple[bool, float]:
    """Run a command in a fork, killed after `seconds`; whether it was, and the seconds it ran.

    Raises `RuntimeError` with what it printed if it fails by itself.
    """
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            main(arguments)
        except SystemExit as end:
            os._exit(int(end.code or 0))
        os._exit(99)
    status = None
    while status is None:
        pid, code = os.waitpid(child, os.WNOHANG)
        if pid:
            status = code
        elif seconds is not None and time.monotonic() - begun > seconds:
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
        else:
            time.sleep(0.005)
    killed = os.WIFSIGNALED(status)
    if not killed and os.WEXITSTATUS(status):
        raise RuntimeError(f"{' '.join(arguments)}: exit {os.WEXITSTATUS(status)}\n{(folder / 'log').read_text()}")
    return killed, time.monotonic() - begun


def rows(folder: Path) -> Rows:
    """What a finished run kept, figures and weights included."""
    kept: Rows = Counter()
    for path in sorted(folder.rglob("*")):
        # The parts of a store are one table: how many there are depends on where it was stopped.
        name = str((path.parent if path.name.startswith("part-") else path).relative_to(folder))
        if path.suffix == ".parquet":
            kept.update((name, _key(row), json.dumps(row)) for row in pq.read_table(path).to_pylist())
        elif path.suffix == ".jsonl" and path.stat().st_size:
            kept.update((name, str(number), line) for number, line in enumerate(path.read_text().splitlines()))
        elif path.suffix == ".safetensors" and "checkpoints" not in path.parts:
            kept[name, "", path.read_bytes().hex()] += 1
        elif path.name == "table.txt":
            kept[name, "", path.read_text()] += 1
    return kept


def _key(row: dict[str, Any]) -> str:
    return json.dumps([row.get(name) for name in ("question_id", "index", "unit")])


def differences(whole: Rows, kept: Rows) -> tuple[int, int, int]:
    """Rows lost, doubled and changed."""
    before, after = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for total, some in ((before, whole), (after, kept)):
        for (name, key, _), count in some.items():
            total[name, key] += count
    changed = {key[:2] for key in whole.keys() ^ kept.keys()} & before.keys() & after.keys()
    return sum((before - after).values()), sum((after - before).values()), len(changed)


def killed_runs(verb: str, kills: int, folder: Path, drawn: random.Random) -> list[Any]:
    """One row of the table."""
    arguments = VERBS[verb].split()
    (folder / "whole").mkdir()
    _, seconds = attempt(arguments, folder / "whole")
    whole = rows(folder / "whole")
    done, runs, totals = 0, 0, Counter[str]()
    while done < kills:
        attempted = folder / str(runs)
        attempted.mkdir()
        for _ in range(min(drawn.randint(1, MOST_KILLS_OF_ONE_RUN), kills - done)):
            killed, _ = attempt(_again(arguments, attempted), attempted, drawn.uniform(0, seconds))
            done += killed
        attempt(_again(arguments, attempted), attempted)
        totals.update(dict(zip(("lost", "doubled", "changed"), differences(whole, rows(attempted)), strict=True)))
        shutil.rmtree(attempted)
        runs += 1
    return [verb, runs, done, sum(whole.values()), totals["lost"], totals["doubled"], totals["changed"]]


def _again(arguments: list[str], folder: Path) -> list[str]:
    begun = arguments[0] == "train" and (folder / "kept" / "run.json").exists()
    return [*arguments, *(["--resume"] if begun else [])]


def run(kills: int, seed: int) -> None:
    torch.set_num_threads(1)
    table = []
    with tempfile.TemporaryDirectory() as temporary:
        for verb in VERBS:
            (Path(temporary) / verb).mkdir()
        for number, verb in enumerate(VERBS):
            share = (kills + number) // len(VERBS)
            table.append(killed_runs(verb, share, Path(temporary) / verb, random.Random(f"{seed} {verb}")))
            print(tabulate(table[-1:], tablefmt="plain"), flush=True)
    headers = ["verb", "runs", "kills", "rows of a run", "lost", "doubled", "changed"]
    print(tabulate(table, headers, tablefmt="github"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    run(given.kills, given.seed)

"""`make real`: a real language model becomes a critic on real step labels, is tested on others, and a page says how.

    .venv/bin/python scripts/real/make.py [--tokens N] [--rows N] [--output DIR] [--page FILE]

Two seeds are trained at once, one thread each, by `vpbench train`, and score by `vpbench run`; both go on where they
were stopped, and what is finished isn't done again. The full size takes about an hour on two cores and writes
docs/real.md. `--tokens 6000 --rows 8` is a trial of minutes whose figures mean nothing; its page stays in the output.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import controls
from figures import Measure, Scorer, Solution
from page import Training, page
from rows import TESTED, TUNED, write_rows

import vpbench
from vpbench.labels.read import read_labelled
from vpbench.stats.step_threshold import best_threshold
from vpbench.store import versions

ROOT = Path(__file__).resolve().parents[2]
TOKENS, SEEDS, SAVE_EVERY = 290_000, (0, 1), 40
RECIPE = {
    "learning-rate": 1e-4,
    "batch-size": 8,
    "batch-tokens": 2048,
    "frozen-layers": 8,
    "weight-decay": 0.01,
    "warmup": 0.06,
}
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def command(arguments: Sequence[str | Path], log: Path) -> tuple[float, float]:
    """Run `vpbench` in a process of one thread, its output into `log`; seconds and peak GiB. Exits if it fails."""
    start = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "vpbench", *map(str, arguments)], env=ONE_THREAD, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"real: `vpbench {arguments[0]}` failed, see {log}")
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def trained(seed: int, base: Path, data: Path, tokens: int, output: Path) -> Training:
    """Train a seed unless it is trained; what it took."""
    folder = output / f"seed-{seed}"
    cost = folder / "cost.json"
    if not cost.exists():
        settings = [f"--{name}={value}" for name, value in {**RECIPE, "tokens": tokens, "seed": seed}.items()]
        arguments = ["train", "--critic=text-prm", f"--model={base}", f"--data={data}", f"--output={folder}", "--bf16"]
        resumed = ["--resume"] * (folder / "run.json").exists()
        seconds, memory = command(
            [*arguments, f"--save-every={SAVE_EVERY}", *settings, *resumed], output / f"{seed}.log"
        )
        shutil.rmtree(folder / "checkpoints")  # 1 GB each
        cost.write_text(json.dumps({"seconds": seconds, "memory": memory, "resumed": bool(resumed)}) + "\n")
    took, record = (json.loads((folder / name).read_text()) for name in ("cost.json", "training.json"))
    counts = record["steps"], record["solutions"], record["labels"]
    return Training(seed, took["seconds"], took["resumed"], took["memory"], *counts)


def scored(seed: int, data: Path, output: Path) -> dict[str, list[float]]:
    """The step scores of a trained seed by question id, of all tested and tuned rows."""
    runs = output / f"seed-{seed}" / "runs"
    checkpoint = output / f"seed-{seed}" / "native"
    options = ["--task=processbench", "--critic=text-prm", f"--critic-model={checkpoint}", f"--data={data}"]
    command(["run", *options, f"--output={runs}"], output / f"{seed}.log")
    candidates = vpbench.load_results(runs).candidates
    return dict(zip(candidates.question_id, map(list, candidates.steps), strict=True))


def solutions(folder: Path, parts: Sequence[str]) -> tuple[Measure, list[str]]:
    """The labelled solutions of some parts, and their ids in order."""
    rows, ids = [], []
    for part in parts:
        path = folder / f"{part}.jsonl"
        for row, solution in zip(map(json.loads, path.read_text().splitlines()), read_labelled(path), strict=True):
            rows.append(_solution(part, solution))
            ids.append(str(row["id"]))
    return Measure(rows), ids


def _solution(source: str, solution: vpbench.LabelledSolution) -> Solution:
    text = solution.question.text
    return Solution(source, text, text, solution.candidate.steps or (), solution.labels)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="A real critic on real step labels.")
    parser.add_argument("--tokens", type=int, default=TOKENS, help="of each seed's training")
    parser.add_argument("--rows", type=int, help="at most so many of each tested part; default: all")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "real")
    parser.add_argument("--page", type=Path, help="default: docs/real.md for the full size, else in the output")
    options = parser.parse_args(arguments)
    full = options.tokens == TOKENS and options.rows is None
    output = options.output / f"{options.tokens}-tokens-{options.rows or 'all'}-rows"
    base = options.output / "smollm2-135m"
    subprocess.run([ROOT / "scripts" / "real-lm", base], check=True, env={**os.environ, "PYTHON": sys.executable})
    shared = Path(os.environ.get("VPBENCH_SHARED", ROOT.parent / "shared"))
    rows = write_rows(shared, base, output / "rows", options.rows)
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        trainings = list(pool.map(lambda seed: trained(seed, base, rows.train, options.tokens, output), SEEDS))
        scores = list(pool.map(lambda seed: scored(seed, rows.tested, output), SEEDS))

    tested, tested_ids = solutions(rows.tested, TESTED)
    tuned, tuned_ids = solutions(rows.tested, TUNED)
    learned = Measure([_solution("", solution) for solution in read_labelled(rows.train)])
    critics = {}
    for seed, by_id in zip(SEEDS, scores, strict=True):
        (tuning, testing) = (
            [by_id[ids[row]][at] for row, at in zip(steps.row, steps.position, strict=True)]
            for steps, ids in ((tuned, tuned_ids), (tested, tested_ids))
        )
        threshold = best_threshold(tuned.truth, controls.np.array(tuning))
        name = f"text-prm, seed {seed}"
        critics[name] = tested.figures(Scorer(name, controls.np.array(testing), threshold))
    others = [*controls.fitted(learned, tuned, tested), *controls.likelihoods(base, tuned, tested)]
    figures = {
        **{scorer.name: tested.figures(scorer) for scorer in others},
        **controls.constants(tested, float(learned.truth.mean())),
    }
    words = (
        f"{len(tested.solutions)} ProcessBench solutions ({' and '.join(TESTED)}, {len(tested.truth)} labelled steps)"
    )
    names = ("vpbench", "torch", "transformers", "scikit-learn")
    text = page(
        "make real" if full else "scripts/real/make.py, a trial",
        options.tokens,
        rows.counts,
        trainings,
        words,
        critics,
        figures,
        versions(names),
    )
    written = options.page or (ROOT / "docs" / "real.md" if full else output / "real.md")
    written.write_text(text, encoding="utf-8")
    print(f"written        {written}")


if __name__ == "__main__":
    main()

"""Rebuild what the miniature world ships: `python -m vpbench.nano.build`. The same seed gives the same files."""

from __future__ import annotations

import gzip
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vpbench.nano import FOLDER
from vpbench.nano.questions import Item, draw_item, solve

SEED = 20261123
QUESTIONS = 90
CANDIDATES = 32
SOLUTIONS = 120


def build(folder: Path = FOLDER) -> None:
    """Write questions, candidates, step scores and labelled solutions under `folder`."""
    rng = random.Random(SEED)
    _best_of_n(folder / "mathvista", rng)
    _steps(folder / "visualprocessbench", rng)


class SimulatedCritic:
    """Step scores of one question: sigmoid of +-0.8 by the truth, plus 0.4 (optimism), plus what the text itself does.

    A step's text gets the same unit-normal liking wherever it stands, so a wrong step that looks good fools the critic
    every time; a second unit-normal draw is fresh for every step.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._liking: dict[str, float] = {}

    def score(self, steps: Sequence[str], truth: Sequence[bool]) -> list[float]:
        """One score in 0..1 per step."""
        scores = []
        for step, right in zip(steps, truth, strict=True):
            liking = self._liking.setdefault(step, self._rng.gauss(0, 1))
            logit = (0.8 if right else -0.8) + 0.4 + liking + self._rng.gauss(0, 1)
            scores.append(round(1 / (1 + math.exp(-logit)), 4))
        return scores


def _best_of_n(folder: Path, rng: random.Random) -> None:
    rows, pool, scores = [], [], []
    for number in range(1, QUESTIONS + 1):
        item = draw_item(rng, number % 3)
        misread, slip = rng.betavariate(1.5, 1.8), rng.betavariate(1, 6)
        solutions = [solve(item, rng, misread, slip) for _ in range(CANDIDATES)]
        rows.append(_row(str(number), item))
        candidates = [{"response": "\n\n".join(steps)} for steps, _ in solutions]
        pool.append({"question_id": str(number), "candidates": candidates})
        critic = SimulatedCritic(rng)
        given = [{"step_scores": critic.score(steps, truth)} for steps, truth in solutions]
        scores.append({"question_id": str(number), "candidates": given})
    folder.mkdir(parents=True, exist_ok=True)
    _parquet(folder / "testmini.parquet", rows)
    _jsonl_gz(folder / "simulated-policy.jsonl.gz", pool)
    _jsonl_gz(folder / "simulated-prm.jsonl.gz", scores)


def _row(pid: str, item: Item) -> dict[str, Any]:
    return {
        "pid": pid,
        "question": item.text,
        "image": f"images/{pid}.png",
        "decoded_image": {"bytes": item.image, "path": f"{pid}.png"},
        "choices": None if item.choices is None else [str(value) for value in item.choices],
        "unit": None,
        "precision": None if item.precision is None else float(item.precision),
        "answer": item.answer,
        "question_type": "free_form" if item.choices is None else "multi_choice",
        "answer_type": "text" if item.choices else "float" if item.precision else "integer",
        "metadata": {
            "category": "nano", "context": "bar chart" if item.choices is None else "shapes", "grade": "not applicable",
            "img_height": 112, "img_width": 112, "language": "english", "skills": ["arithmetic reasoning"],
            "source": "nano", "split": "testmini", "task": "figure question answering",
        },
        "query": "",
    }  # fmt: skip


def _steps(folder: Path, rng: random.Random) -> None:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows, scores = [], []
    for number in range(SOLUTIONS):
        item = draw_item(rng, number % 3)
        steps, truth = solve(item, rng, rng.betavariate(1.2, 2.0), 0.1)
        image = f"images/{number:03d}.png"
        (folder / image).write_bytes(item.image)
        source = ("difference", "mean", "count")[number % 3]
        rows.append(
            {
                "image": [image],
                "question": item.text,
                "answer": item.answer,
                "response": {"steps": steps, "process_correctness": [1 if right else -1 for right in truth]},
                "policy_model": "simulated",
                "data_source": source,
            }
        )
        scores.append(
            {"question_id": f"{source}/{number}", "index": 0, "step_scores": SimulatedCritic(rng).score(steps, truth)}
        )
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _jsonl_gz(folder / "simulated-prm.jsonl.gz", scores)


def _parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")


def _jsonl_gz(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    build()

"""What a small real critic is trained on and tested with: public rows of step labels, overlaps removed.

Trained on are step labels by people, by programs and of planted errors; tested are ProcessBench's gsm8k and math
rows, thresholds come from some of its olympiadbench and omnimath rows. Questions of ProcessBench, equal or nearly so,
are taken out of the training rows. The source files are those of `steps/` in the shared data (`VPBENCH_SHARED`); its
README says where each is from.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.labels.overlap import Questions
from vpbench.models.tokenizer import load_tokenizer

Row = dict[str, Any]

TRAINED: dict[str, tuple[str, ...]] = {
    "prmbench": (),
    "mr_ben": ("math", "physics", "chemistry"),
    "mr_gsm8k": (),
    "mr_math_invalid": (),
    "prm800k_redundancy": (),
    "big_bench_mistake": ("multistep_arithmetic", "tracking_shuffled_objects", "logical_deduction"),
}
"""The files that are trained on, and the parts of them; all where none is named."""
TESTED, TUNED = ("gsm8k", "math"), ("olympiadbench", "omnimath")
TRAINED_TOKENS, TUNED_TOKENS, TUNED_ROWS = 448, 640, 100
MARKER = "<file_sep>"


@dataclass(frozen=True, slots=True)
class Rows:
    """Files of rows: `train` for `vpbench train`, `tested` a data folder of the task; `counts` by source and fate."""

    train: Path
    tested: Path
    counts: dict[str, dict[str, int]]


def write_rows(shared: Path, base: Path, folder: Path, rows: int | None) -> Rows:
    """Write the files; `rows` limits each tested part. `base` is the checkpoint whose tokenizer counts tokens."""
    tokenizer = load_tokenizer(base, original=False)

    def tokens(row: Row) -> int:
        return len(tokenizer.encode(row["question"] + "\n" + "".join(step + MARKER for step in row["steps"])))

    benchmark = list(_read(shared, "processbench"))
    questions, counts = Questions.of(row["question"] for row in benchmark), {}
    trained: list[Row] = []
    for name, parts in TRAINED.items():
        fate: Counter[str] = Counter()
        for row in _read(shared, name):
            if parts and _part(row) not in parts:
                continue
            kept = until_first_error(row)
            why = questions.overlap(row["question"]) or ("too long" if tokens(kept) > TRAINED_TOKENS else "trained on")
            fate[why] += 1
            if why == "trained on":
                trained.append(kept)
        counts[name] = dict(fate)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "train.jsonl", trained)
    tested = folder / "processbench"
    tested.mkdir(exist_ok=True)
    drawn = random.Random(0)
    for part in (*TESTED, *TUNED):
        of_part = [row for row in benchmark if _part(row) == part]
        if part in TUNED:
            of_part = drawn.sample([row for row in of_part if tokens(row) <= TUNED_TOKENS], TUNED_ROWS)
        if rows is not None:
            of_part = drawn.sample(of_part, min(rows, len(of_part)))
        _write(tested / f"{part}.jsonl", list(map(_published, of_part)))
    return Rows(folder / "train.jsonl", tested, counts)


def _read(shared: Path, name: str) -> Iterator[Row]:
    path = shared / "steps" / f"{name}.jsonl.gz"
    if not path.is_file():
        sys.exit(f"real: no {path}; VPBENCH_SHARED names the folder with the collected step labels")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _part(row: Row) -> str:
    return str(row["source"]).partition("/")[2]


def until_first_error(row: Row) -> Row:
    """The row's steps up to the first error, without their numbers, which tell where a step stands."""
    end = len(row["steps"]) if row["first_error"] is None else row["first_error"] + 1
    steps = [
        re.sub(rf"^\s*(?:Step\s+)?{number}\s*[.:)]\s*", "", step) for number, step in enumerate(row["steps"][:end], 1)
    ]
    return {"question": row["question"], "steps": steps, "labels": row["labels"][:end]}


def _published(row: Row) -> Row:
    """A ProcessBench row with the columns that it has on the hub."""
    return {
        "id": row["id"],
        "generator": row["meta"]["generator"],
        "problem": row["question"],
        "steps": row["steps"],
        "final_answer_correct": row["final_answer_correct"],
        "label": -1 if row["first_error"] is None else row["first_error"],
    }


def _write(path: Path, rows: Sequence[Row]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")

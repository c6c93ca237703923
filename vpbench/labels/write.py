"""Labelled solutions written as raw rows: JSONL in the columns of the released raw data, images beside it.

A row holds `image`, `question`, `answer`, `response` and `steps_with_score` (each `step`, `score`, `num_mc_correct`,
`num_mc_total`); beyond those the exact interval and the label of each step, the policy, and how the estimates were
made, so that a biased estimate can be told. `question` is the question's text as critics see it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vpbench.images import open_undecoded
from vpbench.labels.continuation import Solution
from vpbench.labels.labelling import Labelling
from vpbench.labels.rules import StepEstimate, step_labels
from vpbench.records import ImageRef
from vpbench.store import write_atomic


def raw_row(
    solution: Solution, estimates: Sequence[StepEstimate], labelling: Labelling, start_mc: float, images: Path
) -> dict[str, Any]:
    """One row; the images are saved in the folder `images`. Raises `DataError` for an image that can't be read.

    `start_mc` is the policy's accuracy on the question, which the advantage of the first step is measured against.
    """
    question, candidate, monte_carlo = solution.question, solution.candidate, labelling.monte_carlo
    labels = step_labels(estimates, labelling.rule, labelling.threshold, start_mc)
    saved = [_save(image, images) for image in question.images]
    return {
        "task": question.task,
        "question_id": question.id,
        "index": candidate.index,
        "policy": candidate.policy,
        "image": saved[0] if len(saved) == 1 else saved,
        "question": question.text,
        "answer": question.answer,
        "response": candidate.response,
        "steps_with_score": [
            _step(text, estimate, label, drawn=number < len(labels) and estimate.total > 0)
            for number, (text, estimate, label) in enumerate(zip(solution.steps, estimates, labels, strict=True), 1)
        ],
        "num_mc_sequences": monte_carlo.continuations,
        "start_mc": start_mc,
        "label_rule": labelling.rule,
        "mc_threshold": labelling.threshold,
        "early_stop": monte_carlo.early_stop,
        "mc_biased_by_early_exit": monte_carlo.early_exit,
    }


def _step(text: str, estimate: StepEstimate, label: int, drawn: bool) -> dict[str, Any]:
    """A step; what isn't `drawn`, the solution's own verdict and what follows an early stop, isn't uncertain."""
    low, high = estimate.interval() if drawn else (estimate.mc, estimate.mc)
    return {
        "step": text,
        "score": estimate.mc,
        "num_mc_correct": estimate.correct,
        "num_mc_total": estimate.total,
        "low": low,
        "high": high,
        "label": label,
    }


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """All rows as JSONL; the file is the old or the new one, never half of it."""
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    write_atomic(path, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))


def _save(image: ImageRef, folder: Path) -> str:
    """The image's path relative to the folder above `folder`; its bytes as they are."""
    data = image.read()
    image.open()  # one that can't be decoded isn't written either
    kind = (open_undecoded(data, image.name).format or "png").lower()
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.{kind}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    return f"{folder.name}/{path.name}"

"""Candidates of a task from a policy: what is to be drawn, and the drawing of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.base import Task
from vpbench.data import QuestionSet, load_questions
from vpbench.errors import ConfigError
from vpbench.generate import Generator, Message, load_generator
from vpbench.generate.sampling import Drawing, candidates_key, sample_stage
from vpbench.records import RowKey
from vpbench.stages import Progress
from vpbench.store import folder_name, write_atomic


@dataclass(frozen=True)
class SamplePlan:
    """What to draw: `conversations` are those of the questions to be asked, by id; `folder` keeps the rows."""

    drawing: Drawing
    questions: QuestionSet
    conversations: dict[str, tuple[Message, ...]]
    generator: Generator
    key: Mapping[str, Any]
    folder: Path


def plan_sample(task: Task, data: Path | None, limit: int | None, drawing: Drawing, output: Path) -> SamplePlan:
    """Load the questions and find out what identifies the policy. Raises `DataError`, `ConfigError`."""
    questions = load_questions(task, data)
    texts = {
        id: question.text if drawing.prompt == "question" else task.prompt(question)
        for id, question in questions.questions.items()
    }
    generator = load_generator(drawing.policy, drawing.settings)
    about = {"task": task.name, "task_version": task.version, "data": questions.fingerprint}
    key = candidates_key(about, generator, drawing, list(texts.values()))
    conversations: dict[str, tuple[Message, ...]] = {
        id: (Message("user", text, questions.questions[id].images),) for id, text in list(texts.items())[:limit]
    }
    folder = output / "candidates" / folder_name(task.name, drawing.name, key=key)
    return SamplePlan(drawing, questions, conversations, generator, key, folder)


def draw(plan: SamplePlan, max_error_rate: float, progress: Progress) -> dict[RowKey, dict[str, Any]]:
    """The planned candidates, drawing those that are owed. Raises `TooManyFailures`, `ConfigError`."""
    return sample_stage(
        plan.folder, plan.key, plan.generator, plan.conversations, plan.drawing, max_error_rate, progress
    )


def drawing_facts(plan: SamplePlan) -> dict[str, Any]:
    """What a result says of how its candidates were drawn, and what that used in this run."""
    names = ("policy", "prompt", "temperature", "top_p", "max_tokens", "first_greedy", "seed")
    told = {name: plan.key[name] for name in names}
    return {**told, "samples": plan.drawing.samples, "used_in_this_run": dict(plan.generator.usage())}


def export_pool(plan: SamplePlan, rows: Mapping[RowKey, Mapping[str, Any]], path: Path) -> None:
    """Write drawn candidates as JSONL (.gz: compressed), one question per line with its prompt, for `--pool`.

    Candidates that could not be drawn are left out. Raises `ConfigError` if the file can't be written.
    """
    candidates: dict[str, list[dict[str, Any]]] = {id: [] for id in plan.conversations}
    for (id, index), row in rows.items():
        if row["error"] is None:
            told = {name: row[name] for name in ("response", "finish_reason", "tokens")}
            candidates[id].append({"index": index, "policy": plan.drawing.policy, **told})
    lines = [
        json.dumps({"question_id": id, "prompt": plan.conversations[id][0].text, "candidates": each}) + "\n"
        for id, each in candidates.items()
        if each
    ]
    data = "".join(lines).encode()
    try:
        write_atomic(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    except OSError as error:
        raise ConfigError(f"{path}: can't be written ({error.strerror}); choose another file by --export") from error

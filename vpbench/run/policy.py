"""Candidates of a task from a policy: what is to be drawn, and the drawing of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vpbench.base import Task
from vpbench.data import QuestionSet, load_questions
from vpbench.errors import ConfigError
from vpbench.generate import Generator, Message, load_generator, used_since
from vpbench.progress import Progress
from vpbench.records import RowKey
from vpbench.run.draw import Drawing, candidates_key, sample_stage
from vpbench.store import folder_name, write_atomic


@dataclass(frozen=True)
class SamplePlan:
    """What to draw: `conversations` are those of the questions to be asked, by id; `prompts` are of all questions.

    `about` names task and data. `used_before` is what the generator had used when this was planned.
    """

    drawing: Drawing
    questions: QuestionSet
    conversations: dict[str, tuple[Message, ...]]
    generator: Generator
    about: Mapping[str, Any]
    prompts: Sequence[str]
    output: Path
    used_before: Mapping[str, float]

    @cached_property
    def key(self) -> Mapping[str, Any]:
        """All that determines the candidates. Raises `ConfigError` for a policy that can't be had."""
        return candidates_key(self.about, self.generator, self.drawing, self.prompts)

    @cached_property
    def folder(self) -> Path:
        """Where the candidates are kept. Raises as `key` does."""
        return self.output / "candidates" / folder_name(self.about["task"], self.drawing.name, key=self.key)


class Policies:
    """The policies of one command, each loaded once for all its tasks, and kept in memory as long as this is."""

    def __init__(self) -> None:
        self._loaded: dict[Any, Generator] = {}

    def generator(self, drawing: Drawing) -> Generator:
        """The policy that is drawn from, with its settings. Raises `ConfigError` as `load_generator` does."""
        key = (drawing.policy, *sorted(drawing.settings.items()))
        if key not in self._loaded:
            self._loaded[key] = load_generator(drawing.policy, drawing.settings)
        return self._loaded[key]


def plan_sample(
    task: Task, data: Path | None, limit: int | None, drawing: Drawing, output: Path, policies: Policies | None = None
) -> SamplePlan:
    """Load the questions and find the policy's backend. Raises `DataError`, `ConfigError`."""
    questions = load_questions(task, data)
    texts = {
        id: question.text if drawing.prompt == "question" else task.prompt(question)
        for id, question in questions.questions.items()
    }
    generator = (policies or Policies()).generator(drawing)
    about = {"task": task.name, "task_version": task.version, "data": questions.fingerprint}
    conversations: dict[str, tuple[Message, ...]] = {
        id: (Message("user", text, questions.questions[id].images),) for id, text in list(texts.items())[:limit]
    }
    prompts, used_before = list(texts.values()), dict(generator.usage())
    return SamplePlan(drawing, questions, conversations, generator, about, prompts, output, used_before)


def draw(plan: SamplePlan, max_error_rate: float, progress: Progress) -> dict[RowKey, dict[str, Any]]:
    """The planned candidates, drawing those that are owed. Raises `TooManyFailures`, `ConfigError`."""
    return sample_stage(
        plan.folder, plan.key, plan.generator, plan.conversations, plan.drawing, max_error_rate, progress
    )


def used(plan: SamplePlan) -> dict[str, float]:
    """What the policy has used since this was planned."""
    return used_since(plan.used_before, plan.generator.usage())


def drawing_facts(plan: SamplePlan) -> dict[str, Any]:
    """What a result says of how its candidates were drawn, and what that used in this run."""
    names = ("policy", "prompt", "temperature", "top_p", "max_tokens", "first_greedy", "seed")
    told = {name: plan.key[name] for name in names}
    return {**told, "samples": plan.drawing.samples, "used_in_this_run": used(plan)}


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

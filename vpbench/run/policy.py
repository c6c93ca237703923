"""What is to be drawn from a policy: how many candidates of which questions, sampled how, and where they are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vpbench.base import Task
from vpbench.data import QuestionSet, load_questions
from vpbench.errors import Boundary, ConfigError, MissingPackages
from vpbench.generate import Generator, Message, Sampling, used_since
from vpbench.models.checkpoint import NotFetched
from vpbench.prompts import PromptStyle
from vpbench.run.models import Models
from vpbench.store import folder_name


@dataclass(frozen=True)
class Drawing:
    """How candidates are drawn; field names are the command line's. `policy` is "BACKEND:MODEL".

    With `first_greedy`, candidate 0 of every question is the greedy response, the others are sampled. `label` is what
    results call the policy, None for its own name; it isn't part of any key.
    """

    policy: str
    policy_args: Mapping[str, str] = field(default_factory=dict)
    samples: int = 128
    sampling: Sampling = Sampling()
    first_greedy: bool = False
    seed: int = 0
    prompt: PromptStyle = "chain-of-thought"
    label: str | None = None

    def __post_init__(self) -> None:
        if self.sampling.temperature == 0 and self.samples > 1:
            raise ConfigError("--temperature 0 draws the same response every time; give --samples 1 as well")

    @property
    def name(self) -> str:
        """The policy's short name."""
        return self.policy.rstrip("/").rpartition("/")[2].rpartition(":")[2]

    def describe(self) -> str:
        """How many candidates are drawn, and how, for people."""
        sampling, first = self.sampling, "candidate 0 greedy, " if self.first_greedy else ""
        return (
            f"{self.samples} candidates per question, {first}temperature {sampling.temperature:g}, top-p "
            f"{sampling.top_p:g}, at most {sampling.max_tokens} tokens, prompt {self.prompt}, seed {self.seed}"
        )


@dataclass(frozen=True)
class SamplePlan:
    """What to draw for a task: `prompts` are those of all its questions by id, `asked` the questions to be asked.

    `used_before` is what the generator had used when this was planned.
    """

    task: Task
    drawing: Drawing
    questions: QuestionSet
    prompts: Mapping[str, str]
    asked: tuple[str, ...]
    generator: Generator
    output: Path
    used_before: Mapping[str, float]

    @cached_property
    def conversations(self) -> dict[str, tuple[Message, ...]]:
        """What the policy is asked, by question."""
        questions = self.questions.questions
        return {id: (Message("user", self.prompts[id], questions[id].images),) for id in self.asked}

    @cached_property
    def key(self) -> Mapping[str, Any]:
        """All that determines the candidates. Raises `ConfigError` for a policy that can't be had.

        The number of samples isn't part of it, so that more are added to those that are there.
        """
        drawing = self.drawing
        sampling = {
            name: None if name in self.generator.unsent() else value for name, value in asdict(drawing.sampling).items()
        }
        return {
            "task": self.task.name,
            "task_version": self.task.version,
            "data": self.questions.fingerprint,
            "policy": self.generator.identity(),
            "prompt": drawing.prompt,
            "prompts": hashlib.sha256(json.dumps(list(self.prompts.values())).encode()).hexdigest(),
            **sampling,
            "first_greedy": drawing.first_greedy,
            "seed": drawing.seed,
        }

    @cached_property
    def folder(self) -> Path:
        """Where the candidates are kept. Raises as `key` does."""
        return self.output / "candidates" / folder_name(self.task.name, self.drawing.name, key=self.key)

    def used(self) -> dict[str, float]:
        """What the policy has used since this was planned."""
        return used_since(self.used_before, self.generator.usage())

    def facts(self) -> dict[str, Any]:
        """What a result says of how its candidates were drawn, and what that used in this run."""
        names = ("policy", "prompt", "temperature", "top_p", "max_tokens", "first_greedy", "seed")
        facts = {name: self.key[name] for name in names}
        return {**facts, "samples": self.drawing.samples, "used_in_this_run": self.used()}

    def describe(self) -> list[str]:
        """What is to be drawn, in lines for people; of a policy that a dry run doesn't fetch, where it comes from."""
        unsent = f"; not sent: {', '.join(sorted(self.generator.unsent()))}" if self.generator.unsent() else ""
        try:
            policy, rows = (
                f"{self.drawing.policy} {json.dumps(self.generator.identity())}",
                [f"rows      {self.folder}"],
            )
        except (NotFetched, MissingPackages) as error:
            policy, rows = str(error), []
        called = "" if self.drawing.label is None else f"{self.drawing.label} = "
        return [
            f"data      {self.questions.origin}: {len(self.asked)} questions",
            f"policy    {called}{policy}",
            f"sampling  {self.drawing.describe()}{unsent}",
            *rows,
        ]


def plan_sample(
    task: Task, data: Path | None, limit: int | None, drawing: Drawing, output: Path, models: Models
) -> SamplePlan:
    """Load the questions and find the policy's backend. Raises `DataError`, `ConfigError`."""
    questions = load_questions(task, data)
    prompts = {}
    for id, question in questions.questions.items():
        with Boundary(f"task {task.name!r}, question {id!r}: prompt"):
            prompts[id] = question.text if drawing.prompt == "question" else task.prompt(question)
    generator = models.generator(drawing.policy, drawing.policy_args)
    asked = tuple(prompts)[:limit]
    return SamplePlan(task, drawing, questions, prompts, asked, generator, output, dict(generator.usage()))

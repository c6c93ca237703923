"""Monte-Carlo estimates: from the end of every step the policy continues, and the outcomes are counted.

Each distinct prefix of a question is continued once, whatever number of solutions share it. As for candidates, no draw
is made twice. The last step needs no continuation: its outcome is the solution's verdict. Continuations are rows of a
durable store, so a run that was stopped continues where it was; a continuation that failed is a row with its reason,
and is tried again by the next run.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vpbench.base import Task
from vpbench.errors import Boundary
from vpbench.generate.generator import Generator
from vpbench.labels.labelling import MonteCarlo
from vpbench.labels.rules import StepEstimate
from vpbench.prompts import Message, Prompt, Sampling
from vpbench.records import Candidate, GradingMode, Question, RowKey
from vpbench.store import RowStore

STEP_SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class Solution:
    """A policy's solution cut into steps, and whether its final answer is right."""

    question: Question
    candidate: Candidate
    steps: tuple[str, ...]
    correct: bool

    def prefix(self, step: int) -> str:
        """The text up to and including step number `step` (0-based)."""
        return STEP_SEPARATOR.join(self.steps[: step + 1])


@dataclass(frozen=True)
class Continuer:
    """A policy that continues prefixes, with the task that grades what comes out."""

    task: Task
    grading: GradingMode
    generator: Generator
    conversations: Mapping[str, tuple[Message, ...]]
    sampling: Sampling
    monte_carlo: MonteCarlo
    store: RowStore
    graded: dict[RowKey, bool] = field(default_factory=dict)

    def estimate(self, solutions: Sequence[Solution]) -> list[tuple[StepEstimate, ...] | None]:
        """Estimates of every step of every solution, in order; None where a prefix has no outcome at all."""
        to_continue = range(max((len(solution.steps) for solution in solutions), default=0) - 1)
        if self.monte_carlo.early_stop:
            for step in to_continue:
                self._continue([solution for solution in solutions if not self._stopped(solution, step)], [step])
        else:
            self._continue(solutions, to_continue)
        return [self._estimates(solution) for solution in solutions]

    def failure(self) -> str:
        """Why a continuation that failed did so."""
        return next((str(row["error"]) for row in self.store.rows.values() if row["error"] is not None), "none came")

    def _stopped(self, solution: Solution, before: int) -> bool:
        return any(self._estimate(solution, step).mc == 0 for step in range(min(before, len(solution.steps) - 1)))

    def _continue(self, solutions: Sequence[Solution], steps: Sequence[int]) -> None:
        prefixes = {
            (solution.question.id, solution.prefix(step)): solution.question
            for solution in solutions
            for step in steps
            if step < len(solution.steps) - 1
        }
        for target in self.monte_carlo.rounds():
            owed = [
                (question, prefix, missing)
                for (_, prefix), question in prefixes.items()
                if (missing := self._missing(question, prefix, target))
            ]
            self._draw(owed)

    def _missing(self, question: Question, prefix: str, target: int) -> list[int]:
        missing = [number for number in range(target) if _key(question.id, prefix, number) not in self.store.rows]
        if self.monte_carlo.early_exit and any(self._outcomes(question, prefix, target)):
            return []
        return missing

    def _draw(self, owed: Sequence[tuple[Question, str, list[int]]]) -> None:
        if not owed:
            return
        prompts = [self._prompt(question, prefix, missing) for question, prefix, missing in owed]
        left = [list(missing) for _, _, missing in owed]
        for prompt, missing in zip(prompts, left, strict=True):
            # Short continuations come back first; fewer continuations must not mean shorter ones.
            random.Random(prompt.seed).shuffle(missing)
        for position, generation in self.generator.generate(prompts):
            if not left[position]:
                continue
            question, prefix, _ = owed[position]
            row = {"text": generation.text, "error": generation.error}
            self.store.append(_key(question.id, prefix, left[position].pop()), row)
            self.store.flush()

    def _prompt(self, question: Question, prefix: str, missing: Sequence[int]) -> Prompt:
        turn = Message("assistant", prefix)
        text = json.dumps([self.monte_carlo.seed, question.id, missing, prefix])
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        return Prompt((*self.conversations[question.id], turn), self.sampling, len(missing), seed)

    def _outcomes(self, question: Question, prefix: str, count: int) -> list[bool]:
        """Whether each of the first `count` continuations is right; failed ones and those not drawn are left out."""
        outcomes = []
        for key in (_key(question.id, prefix, number) for number in range(count)):
            row = self.store.rows.get(key)
            if row is None or row["error"] is not None:
                continue
            if key not in self.graded:
                with Boundary(f"task {self.task.name!r}, question {question.id!r}: grade"):
                    self.graded[key] = self.task.grade(question, prefix + row["text"], self.grading).correct
            outcomes.append(self.graded[key])
        return outcomes

    def _estimate(self, solution: Solution, step: int) -> StepEstimate:
        outcomes = self._outcomes(solution.question, solution.prefix(step), self.monte_carlo.continuations)
        return StepEstimate(sum(outcomes), len(outcomes))

    def _estimates(self, solution: Solution) -> tuple[StepEstimate, ...] | None:
        estimates: list[StepEstimate] = []
        for step in range(len(solution.steps) - 1):
            if self.monte_carlo.early_stop and estimates and estimates[-1].mc == 0:
                estimates.append(StepEstimate(0, 0))
                continue
            estimate = self._estimate(solution, step)
            if not estimate.total:
                return None
            estimates.append(estimate)
        stopped = self.monte_carlo.early_stop and estimates and estimates[-1].mc == 0
        return (*estimates, StepEstimate(0, 0) if stopped else StepEstimate(int(solution.correct), 1))


def _key(id: str, prefix: str, number: int) -> RowKey:
    digest = hashlib.sha256(prefix.encode("utf-8", "replace")).hexdigest()[:16]
    return (f"{id} {digest}", number)

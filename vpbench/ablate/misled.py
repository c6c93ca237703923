"""Seeds of the world of misconceptions, each measured on questions of its own: what critics make of them.

Candidates are drawn, graded and scored through the pipeline that real runs use. A step counts as right here where it
and all before it are the reference's, which is what Monte-Carlo labels are about: what follows from a wrong reading
is wrong, however well it is reckoned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import and_
from pathlib import Path

import numpy as np

from vpbench.ablate.gates import MODELS, NS, Pooled, default_critics
from vpbench.ablate.measuring import Candidates, JudgedSteps
from vpbench.generate import Sampling
from vpbench.labels.read import read_labelled
from vpbench.nano import misled
from vpbench.nano.conversations import nano_tasks
from vpbench.nano.datasets import write_questions
from vpbench.nano.misconceptions import Twin, draw_right, read_by_id, twin
from vpbench.nano.pictures import SIDE, to_png
from vpbench.nano.readings import Combinations
from vpbench.nano.solutions import MAX_TOKENS
from vpbench.nano.truth import step_labels
from vpbench.nano.tuning import Log
from vpbench.plugins import all_tasks
from vpbench.progress import bar
from vpbench.records import CORRECT, INCORRECT, Drawn, ImageRef, RowKey, Score
from vpbench.run.critics import build_critics
from vpbench.run.pipeline import prepare
from vpbench.run.policy import Drawing
from vpbench.run.prepared import Prepared
from vpbench.run.request import Request
from vpbench.scoring.splitting import split_steps

PROCESS, OUTCOME = "PRM", "outcome reward model"
PROBABILITY, BLANKED = "probability under policy and base", "PRM, pictures blanked"
PAPER = 242
"""The gray of an empty picture, a paper's in the middle."""
JUDGED, MAX_STEPS = 4, 12
"""Candidates of each question whose steps are compared with the truth: the first ones."""


@dataclass(frozen=True)
class Labels:
    """Monte-Carlo labels of solutions against the truth: how many, the share with the right answer, the shares of steps
    on which they agree, of wrong ones among those labelled correct, and of right ones among the others."""

    solutions: int
    right: float
    agreed: float
    false_correct: float
    false_incorrect: float


@dataclass(frozen=True)
class Seed:
    """What was measured on one seed. `read` holds, by question, the solutions that its readings lead to; `steps` are
    the texts of the steps in `judged`, `step_clusters` name their questions."""

    number: int
    labels: Labels
    pooled: Pooled
    read: Sequence[frozenset[tuple[str, ...]]]
    judged: JudgedSteps
    steps: Sequence[Sequence[str]]
    step_clusters: Sequence[str]


def truth(drawn: Drawn, steps: Sequence[str]) -> list[bool]:
    """Whether each step and all before it are right."""
    return list(accumulate(step_labels(drawn, steps), and_))


def measure(folder: Path, number: int, amounts: misled.Amounts, log: Log) -> Seed:
    """Train a seed's models into `folder` and measure them; what is there from an earlier call is used again."""
    policy = folder / "policy"
    trained: dict[str, str] = {}
    misled.train_policy(policy, number, amounts, log)
    files = misled.label(folder, policy, number, amounts, log)
    for model in MODELS[:2]:
        critic_folder = folder / "training" / model
        trained[model] = str(misled.train_critic(critic_folder, model, policy, files, amounts, number, log))
    labelled = read_by_id(number + misled.LABELLED_SEED, amounts.labelled)
    met = {twin(read[0]) for read in labelled.values()}
    seed = number + misled.TEST_SEED
    read = read_by_id(seed, amounts.questions, met)
    log(f"drawing candidates of {len(read)} questions")
    candidates = _candidates(folder, policy, seed, amounts.questions, met)
    settings = [{"model": checkpoint} for checkpoint in trained.values()]
    settings.append({"model": str(policy), "prompt": "question"})
    critics = [build_critics([name], given)[0] for name, given in zip(default_critics(), settings, strict=True)]
    names = (PROCESS, OUTCOME, PROBABILITY)
    scores = {name: candidates.scores(critic) for name, critic in zip(names, critics, strict=True)}
    scores[BLANKED] = Candidates([_blanked(prepared) for prepared in candidates.tasks]).scores(critics[0])
    pools = {name: candidates.pools(scored) for name, scored in scores.items()}
    clusters = [f"{number} {name}" for name in candidates.clusters]
    asked = [(prepared.task.name, id) for prepared in candidates.tasks for id in prepared.rows]
    steps, judged = _judged(candidates, scores[PROCESS], read)
    return Seed(
        number,
        _labels(files, labelled),
        Pooled(pools, candidates.texts, clusters),
        [frozenset(drawn.solution for drawn in read[name]) for name in asked],
        judged,
        steps,
        [cluster for cluster in clusters for _ in range(JUDGED)],
    )


def _candidates(folder: Path, policy: Path, seed: int, count: int, met: Collection[Twin]) -> Candidates:
    """Graded candidates (temperature 1) of new questions, drawn as any policy's are."""
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=MAX_TOKENS)
    drawing = Drawing(str(policy), {}, max(NS), sampling, seed=seed, prompt="question")
    tasks = []
    for kind, task in nano_tasks().items():
        data = folder / "test" / task.name
        write_questions(data, task, draw_right(kind, seed, count, met))
        tasks.append(prepare(all_tasks()[task.name], Request(data=data, drawing=drawing, output=folder), bar))
    return Candidates(tasks)


def _blanked(prepared: Prepared) -> Prepared:
    """The same with an empty picture in every question."""
    blank = ImageRef("blank", load=lambda: to_png(np.full((SIDE, SIDE, 3), PAPER, dtype=np.uint8)))
    questions = {id: replace(question, images=(blank,)) for id, question in prepared.questions.items()}
    return replace(prepared, questions=questions, key={**prepared.key, "pictures": "blanked"})


def _judged(
    candidates: Candidates,
    scores: Sequence[Mapping[RowKey, Score]],
    read: Mapping[tuple[str, str], Combinations],
) -> tuple[list[tuple[str, ...]], JudgedSteps]:
    """Steps of the first candidates of every question; their true labels and scores."""
    steps, labels, values = [], [], []
    for prepared, scored in zip(candidates.tasks, scores, strict=True):
        for id, rows in prepared.rows.items():
            for row in rows[:JUDGED]:
                steps.append(split_steps(row.candidate.response, MAX_STEPS))
                right_steps = truth(read[prepared.task.name, id][0], steps[-1])
                labels.append([CORRECT if step else INCORRECT for step in right_steps])
                values.append(scored[row.candidate.key].steps or ())
    return steps, JudgedSteps(labels, values)


def _labels(files: Sequence[Path], labelled: Mapping[tuple[str, str], Combinations]) -> Labels:
    """The Monte-Carlo labels in `files` against the truth; `labelled` are their questions."""
    counts: Counter[tuple[bool, bool]] = Counter()
    solutions = [solution for path in files for solution in read_labelled(path, "value", 0.0)]
    for solution in solutions:
        drawn = labelled[solution.question.task, solution.question.id][0]
        true = truth(drawn, solution.candidate.steps or ())
        counts.update((label == CORRECT, step) for label, step in zip(solution.labels, true, strict=True))
    correct, incorrect = (counts[label, True] + counts[label, False] for label in (True, False))
    return Labels(
        len(solutions),
        sum(solution.labels[-1] == CORRECT for solution in solutions) / len(solutions),
        (counts[True, True] + counts[False, False]) / counts.total(),
        counts[True, False] / max(1, correct),
        counts[False, True] / max(1, incorrect),
    )

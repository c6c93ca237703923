"""What `vpbench label` does: solutions drawn and graded, their steps estimated by continuation, rows written.

Solutions are the policy's candidates, the same rows that `vpbench sample` keeps; continuations have another store.
Everything resumes, and raising the number of solutions or continuations draws the missing ones only.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError, DataError
from vpbench.labels.continuation import Continuer, Solution
from vpbench.labels.labelling import Labelling
from vpbench.labels.rules import StepEstimate
from vpbench.labels.write import raw_row, write_rows
from vpbench.progress import Progress
from vpbench.records import CORRECT, INCORRECT, NEUTRAL
from vpbench.run.allowance import Allowance
from vpbench.run.draw import draw
from vpbench.run.kept_notes import KeptNotes
from vpbench.run.policy import SamplePlan
from vpbench.scoring.splitting import split_steps
from vpbench.store import RowStore, folder_name

_QUESTIONS_AT_ONCE = 32

Estimated = tuple[Solution, tuple[StepEstimate, ...] | None]


def label_task(
    planned: SamplePlan,
    labelling: Labelling,
    max_error_rate: float,
    progress: Progress,
    echo: Callable[[str], None],
    export: Path | None = None,
) -> Path:
    """Label the solutions of `planned` and write them; the file's path.

    Raises `TooManyFailures` once more solutions than allowed have a step without a single continuation; what is done
    is kept. A solution whose image can't be read is left out.
    """
    solutions = _solutions(planned, labelling, max_error_rate, progress)
    key = {**planned.key, "continuation_seed": labelling.monte_carlo.seed}
    name = folder_name(planned.task.name, planned.drawing.name, key=key)
    with RowStore(planned.output / "continuations" / name, "continuations", key) as store:
        store.forget([row_key for row_key, row in store.rows.items() if row["error"] is not None])
        continuer = Continuer(
            planned.task,
            labelling.grading,
            planned.generator,
            planned.conversations,
            planned.drawing.sampling,
            labelling.monte_carlo,
            store,
        )
        estimated = list(_estimated(solutions, continuer, max_error_rate, progress))
        drawn = len(store.rows)
    # Solutions and continuations are asked for alike: what was left out of the one was left out of the other.
    notes = KeptNotes(planned.folder)
    notes.add(planned.generator.notes())
    path = export or _path(planned, labelling, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = _rows(estimated, labelling, path.parent / "images", echo)
        write_rows(path, rows)
    except OSError as error:
        raise ConfigError(f"{path}: can't be written ({error.strerror}); choose another file by --export") from error
    _report(rows, estimated, drawn, echo)
    for note in notes.texts:
        echo(f"note           {note}")
    return path


def _path(planned: SamplePlan, labelling: Labelling, key: dict[str, Any]) -> Path:
    """A file whose folder is named by all that determines the labels."""
    settings = dataclasses.asdict(labelling)
    key = {**key, **settings.pop("monte_carlo"), **settings}
    return planned.output / "labels" / folder_name(planned.task.name, planned.drawing.name, key=key) / "solutions.jsonl"


def _solutions(
    planned: SamplePlan, labelling: Labelling, max_error_rate: float, progress: Progress
) -> dict[str, list[Solution]]:
    """The solutions that aren't empty, by question."""
    solutions: dict[str, list[Solution]] = {}
    for candidate in draw(planned, max_error_rate, progress):
        if candidate.response.strip():
            question = planned.questions.questions[candidate.question_id]
            verdict = planned.task.grade(question, candidate.response, labelling.grading)
            steps = split_steps(candidate.response, labelling.max_steps)
            solutions.setdefault(question.id, []).append(Solution(question, candidate, steps, verdict.correct))
    return solutions


def _estimated(
    solutions: dict[str, list[Solution]], continuer: Continuer, max_error_rate: float, progress: Progress
) -> Iterator[Estimated]:
    ids, total = list(solutions), sum(map(len, solutions.values()))
    allowance = Allowance("labelling", "solutions", total, max_error_rate)
    if ids:
        continuer.generator.prepare()
    with progress("continuing steps", total) as bar:
        for start in range(0, len(ids), _QUESTIONS_AT_ONCE):
            group = [solution for id in ids[start : start + _QUESTIONS_AT_ONCE] for solution in solutions[id]]
            estimated = list(zip(group, continuer.estimate(group), strict=True))
            allowance.count(*(_failure(solution, continuer) for solution, steps in estimated if steps is None))
            yield from estimated
            bar.update(len(group))


def _failure(solution: Solution, continuer: Continuer) -> str:
    return (
        f"question {solution.question.id!r} candidate {solution.candidate.index}: a step that no continuation could be "
        f"drawn for ({continuer.failure()})"
    )


def _rows(
    estimated: Sequence[Estimated], labelling: Labelling, images: Path, echo: Callable[[str], None]
) -> list[dict[str, Any]]:
    outcomes: dict[str, list[bool]] = {}
    for solution, _ in estimated:
        outcomes.setdefault(solution.question.id, []).append(solution.correct)
    start = {id: sum(correct) / len(correct) for id, correct in outcomes.items()}
    rows, unread = [], []
    for solution, estimates in estimated:
        if estimates is not None:
            id = solution.question.id
            try:
                rows.append(raw_row(solution, estimates, labelling, start[id], images))
            except DataError as error:
                unread.append(f"question {id!r}: {error}")
    if unread:
        echo(f"left out       {len(unread)} solutions, the first of {unread[0]}")
    return rows


def _report(
    rows: Sequence[dict[str, Any]], estimated: Sequence[Estimated], drawn: int, echo: Callable[[str], None]
) -> None:
    steps = [step for row in rows for step in row["steps_with_score"]]
    labels = Counter(step["label"] for step in steps)
    right = sum(solution.correct for solution, _ in estimated)
    echo(f"solutions      {len(estimated)}, {right} with the right answer, {len(rows)} labelled")
    echo(f"steps          {len(steps)}, by {drawn} continuations of distinct prefixes")
    if steps:
        mean = sum(step["score"] for step in steps) / len(steps)
        echo(
            f"labels         {labels[CORRECT]} correct, {labels[NEUTRAL]} neutral, {labels[INCORRECT]} incorrect; "
            f"mean mc {mean:.3f}"
        )

"""What `vpbench label` does: solutions drawn and graded, their steps estimated by continuation, rows written.

Solutions are the policy's candidates, the same rows that `vpbench sample` keeps; continuations have a store of their
own. Everything resumes, and raising the number of solutions or continuations draws the missing ones only.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.base import Task
from vpbench.errors import ConfigError, DataError, TooManyFailures
from vpbench.labels.continuation import Continuer, MonteCarlo, Solution
from vpbench.labels.rules import StepEstimate
from vpbench.labels.write import raw_row, write_rows
from vpbench.progress import Progress
from vpbench.recipe import LabelRule
from vpbench.records import GradingMode
from vpbench.run.draw import sampled_pool
from vpbench.run.policy import SamplePlan, draw
from vpbench.scoring.splitting import split_steps
from vpbench.store import RowStore, folder_name

_QUESTIONS_AT_ONCE = 32


@dataclass(frozen=True)
class Labelling:
    """How steps get their labels. A solution is merged to at most `max_steps` steps; `rule` and `threshold` are those
    of `step_labels`."""

    monte_carlo: MonteCarlo
    max_steps: int = 12
    rule: LabelRule = "value"
    threshold: float = 0.0
    grading: GradingMode = "robust"


def label_task(
    task: Task,
    planned: SamplePlan,
    labelling: Labelling,
    max_error_rate: float,
    output: Path,
    progress: Progress,
    echo: Callable[[str], None],
    export: Path | None = None,
) -> Path:
    """Label the solutions of `planned` and write them; the file's path.

    Raises `TooManyFailures` once more solutions than allowed have a step without a single continuation; what is done
    is kept. A solution whose image can't be read is left out.
    """
    solutions = _solutions(task, planned, labelling, max_error_rate, progress)
    monte_carlo = labelling.monte_carlo
    key = {**planned.key, "continuation_seed": monte_carlo.seed}
    name = folder_name(task.name, planned.drawing.name, key=key)
    with RowStore(output / "continuations" / name, "continuations", key) as store:
        store.forget([each for each, row in store.rows.items() if row["error"] is not None])
        continuer = Continuer(
            task,
            labelling.grading,
            planned.generator,
            planned.conversations,
            planned.drawing.sampling,
            monte_carlo,
            store,
        )
        estimated = list(_estimated(solutions, continuer, max_error_rate, progress))
        drawn = len(store.rows)
    labels = {
        "rule": labelling.rule,
        "threshold": labelling.threshold,
        "max_steps": labelling.max_steps,
        "grading": labelling.grading,
        **dataclasses.asdict(monte_carlo),
    }
    path = (
        export
        or output / "labels" / folder_name(task.name, planned.drawing.name, key={**key, **labels}) / "solutions.jsonl"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = _rows(estimated, labelling, path.parent / "images", echo)
        write_rows(path, rows)
    except OSError as error:
        raise ConfigError(f"{path}: can't be written ({error.strerror}); choose another file by --export") from error
    _report(rows, estimated, drawn, echo)
    return path


def _solutions(
    task: Task, planned: SamplePlan, labelling: Labelling, max_error_rate: float, progress: Progress
) -> dict[str, list[Solution]]:
    rows = draw(planned, max_error_rate, progress)
    pool = sampled_pool(planned.key, planned.drawing, rows)
    solutions: dict[str, list[Solution]] = {}
    for id, candidates in pool.rows.items():
        question = planned.questions.questions[id]
        for candidate in (row.candidate for row in candidates if row.candidate.response.strip()):
            verdict = task.grade(question, candidate.response, labelling.grading)
            steps = split_steps(candidate.response, labelling.max_steps)
            solutions.setdefault(id, []).append(Solution(question, candidate, steps, verdict.correct))
    return solutions


Estimated = tuple[Solution, tuple[StepEstimate, ...] | None]


def _estimated(
    solutions: dict[str, list[Solution]], continuer: Continuer, max_error_rate: float, progress: Progress
) -> Iterator[Estimated]:
    ids, total, failed = list(solutions), sum(map(len, solutions.values())), 0
    if ids:
        continuer.generator.prepare()
    with progress("continuing steps", total) as bar:
        for start in range(0, len(ids), _QUESTIONS_AT_ONCE):
            group = [each for id in ids[start : start + _QUESTIONS_AT_ONCE] for each in solutions[id]]
            found = continuer.estimate(group)
            failed += found.count(None)
            if failed > max_error_rate * total:
                raise TooManyFailures(
                    f"labelling stopped: {failed} of {total} solutions have a step that no continuation could be drawn "
                    f"for ({continuer.failure()}), more than --max-error-rate {max_error_rate:g} allows; what is done "
                    "is kept, the same command goes on"
                )
            yield from zip(group, found, strict=True)
            bar.update(len(group))


def _rows(
    estimated: Iterable[Estimated], labelling: Labelling, images: Path, echo: Callable[[str], None]
) -> list[dict[str, Any]]:
    outcomes: dict[str, list[bool]] = {}
    for solution, _ in estimated:
        outcomes.setdefault(solution.question.id, []).append(solution.correct)
    start = {id: sum(each) / len(each) for id, each in outcomes.items()}
    plan, rule, threshold = labelling.monte_carlo, labelling.rule, labelling.threshold
    rows, unread = [], []
    for each, estimates in estimated:
        if estimates is not None:
            try:
                rows.append(raw_row(each, estimates, plan, rule, threshold, start[each.question.id], images))
            except DataError as error:
                unread.append(f"question {each.question.id!r}: {error}")
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
        echo(f"labels         {labels[1]} correct, {labels[0]} neutral, {labels[-1]} incorrect; mean mc {mean:.3f}")

"""Which candidates of which questions a Best-of-N run is about: drawn from a policy, or those of a pool."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vpbench.base import BaseTask, Source, Task
from vpbench.data import QuestionSet, load_questions
from vpbench.data.load import pool_questions
from vpbench.errors import ConfigError, DataError
from vpbench.generate import Pool, PoolRow, read_pool
from vpbench.plugins import Plugin, make_task
from vpbench.pools.match import identified, mismatches
from vpbench.progress import Progress
from vpbench.records import Question
from vpbench.run.draw import draw, sample_notes, sampled_pool
from vpbench.run.given import task_names
from vpbench.run.models import Models
from vpbench.run.policy import SamplePlan, plan_sample
from vpbench.run.request import Request, ShortPools


@dataclass(frozen=True)
class CandidatePlan:
    """Which candidates of which questions; `total` is the number of questions the task has.

    `drawing` says how the candidates were drawn, if they were; `seconds` are by stage.
    """

    task: Task
    questions: QuestionSet
    pool: Pool
    rows: dict[str, list[PoolRow]]
    total: int
    notes: list[str]
    seconds: dict[str, float]
    drawing: dict[str, Any] | None = None

    @property
    def key(self) -> dict[str, Any]:
        """What verdicts and scores of the candidates are kept under, apart from who gives them."""
        return rows_key(self.task, self.questions.fingerprint, self.pool.key)

    @property
    def used_questions(self) -> dict[str, Question]:
        """The questions that have candidates here, by id."""
        return {id: self.questions.questions[id] for id in self.rows}


def rows_key(task: Task, data: str, pool: Mapping[str, Any]) -> dict[str, Any]:
    """See `CandidatePlan.key`; `data` is the data's fingerprint, `pool` what the candidates come from."""
    return {"task": task.name, "task_version": task.version, "data": data, "pool": dict(pool)}


def best_of_n_task(plugin: Plugin[BaseTask]) -> Task:
    """The task, which has to be one that takes candidates. Raises `ConfigError`."""
    task = make_task(plugin)
    if not isinstance(task, Task):
        raise ConfigError(f"task {task.name!r} is a step-detection task; it has no pools")
    return task


def plan_drawing(plugin: Plugin[BaseTask], request: Request, models: Models) -> SamplePlan | None:
    """What a run that draws its candidates draws; None for one that is given them. Raises as `plan_sample` does."""
    if request.drawing is None:
        return None
    return plan_sample(best_of_n_task(plugin), request.data, request.limit, request.drawing, request.output, models)


def plan(plugin: Plugin[BaseTask], request: Request, progress: Progress, models: Models) -> CandidatePlan:
    """Put questions and candidates together, drawing what is to be drawn. Raises `DataError`, `ConfigError`."""
    task = best_of_n_task(plugin)
    started = time.perf_counter()
    drawing = plan_drawing(plugin, request, models)
    if drawing is not None:
        return _drawn(drawing, request, progress, time.perf_counter() - started)
    assert request.pool is not None, "`request.check` is for this"
    pool = read_pool(request.pool)
    if request.data is None and pool.question_fields.keys() >= pool.rows.keys():
        questions = pool_questions(task, pool.question_fields, request.pool.parent)
    else:
        questions = load_questions(task, request.data)
    pool, notes = identified(pool, questions.questions, questions.origin)
    names = task_names(pool.statements.values())
    notes += mismatches(
        task, questions.questions, pool.statements, questions.origin, names, allowed=request.allow_mismatch
    )
    rows, left_out = _match(questions, pool, task, request.nano)
    notes += left_out
    _check_withheld(rows, request.trust_verdicts)
    if request.limit is not None:
        rows = {id: rows[id] for id in list(rows)[: request.limit]}
    total = len(questions.questions) if request.nano else task.source.rows
    notes += size_notes(task.source, len(rows), total, request.nano) + _empty_notes(rows)
    return CandidatePlan(task, questions, pool, rows, total, notes, {"load": time.perf_counter() - started})


def _drawn(planned: SamplePlan, request: Request, progress: Progress, load_s: float) -> CandidatePlan:
    started = time.perf_counter()
    task, questions = planned.task, planned.questions
    candidates = draw(planned, request.max_error_rate, progress)
    pool = sampled_pool(planned, candidates)
    total = len(questions.questions) if request.nano else task.source.rows
    notes = size_notes(task.source, len(pool.rows), total, request.nano)
    notes += sample_notes(planned, candidates) + _empty_notes(pool.rows)
    seconds = {"load": load_s, "draw": time.perf_counter() - started}
    return CandidatePlan(task, questions, pool, pool.rows, total, notes, seconds, planned.facts())


def with_enough(planned: CandidatePlan, largest_n: int | None, short_pools: ShortPools) -> CandidatePlan:
    """The plan with its questions that have at least `largest_n` candidates, None: as many as most questions have.

    Raises `ConfigError` for a question with fewer, unless such questions are to be left out.
    """
    sizes = Counter(len(rows) for rows in planned.rows.values())
    most_common = max(sizes, key=lambda size: (sizes[size], size))
    wanted = largest_n or most_common
    short = [id for id, rows in planned.rows.items() if len(rows) < wanted]
    if not short:
        return planned
    id, fewest = short[0], len(planned.rows[short[0]])
    if short_pools == "leave-out" and len(short) < len(planned.rows):
        rows = {id: rows for id, rows in planned.rows.items() if len(rows) >= wanted}
        note = f"{len(short)} questions with fewer than {wanted} candidates left out, the first {id!r} with {fewest}"
        return replace(planned, rows=rows, notes=[*planned.notes, note])
    if largest_n:
        raise ConfigError(
            f"--n {largest_n} is more than question {id!r} has candidates ({fewest}); lower --n or complete the pool "
            f"({len(short)} of {len(planned.rows)} questions have fewer; --short-pools leave-out leaves them out)"
        )
    raise ConfigError(
        f"question {id!r} has {fewest} candidates, most questions have {most_common} ({len(short)} of "
        f"{len(planned.rows)} have fewer); complete the pool, give --n {fewest} or less, or leave these questions out "
        "by --short-pools leave-out"
    )


def _match(questions: QuestionSet, pool: Pool, task: Task, nano: bool) -> tuple[dict[str, list[PoolRow]], list[str]]:
    rows = {id: pool.rows[id] for id in questions.questions if id in pool.rows}
    unknown = [id for id in pool.rows if id not in questions.questions]
    notes = []
    if unknown and (nano or len(questions.questions) == task.source.rows or not rows):
        where = pool.rows[unknown[0]][0].where
        raise DataError(
            f"{where}: question id {unknown[0]!r} is not in {questions.origin} "
            f"({len(questions.questions)} questions, split {task.source.split}); "
            f"{len(unknown)} of the pool's {len(pool.rows)} ids are unknown. Is it a pool of another split?"
        )
    if unknown:
        notes.append(f"{len(unknown)} of the pool's {len(pool.rows)} questions are not in {questions.origin}; left out")
    absent = len(questions.questions) - len(rows)
    if absent:
        notes.append(f"{absent} of {len(questions.questions)} questions have no candidates in the pool; left out")
    return rows, notes


def size_notes(source: Source, used: int, total: int, nano: bool) -> list[str]:
    """What a reader has to know of how much of the task is used, and whether it is the task's own data."""
    if nano:
        return [f"the miniature world: drawn questions and tiny models, nothing in it is from {source.hub_id}"]
    if used != total:
        return [f"a subset: {used} of the {total} rows of {source.hub_id} {source.split}"]
    return []


def _empty_notes(rows: Mapping[str, list[PoolRow]]) -> list[str]:
    shown = [row for candidates in rows.values() for row in candidates if not row.candidate.withheld]
    empty = [row.where for row in shown if not row.candidate.response.strip()]
    total = sum(map(len, rows.values()))
    notes = [f"the pool withholds the text of {total - len(shown)} of {total} responses"] if len(shown) < total else []
    if empty:
        notes.append(f"{len(empty)} responses are empty, the first at {empty[0]}; they count as wrong and give no vote")
    return notes


def _check_withheld(rows: Mapping[str, list[PoolRow]], trust_verdicts: bool) -> None:
    """Raises `DataError` for a response whose text isn't there and has to be graded."""
    withheld = [row.where for candidates in rows.values() for row in candidates if row.candidate.withheld]
    if withheld and not trust_verdicts:
        raise DataError(
            f"{withheld[0]}: a candidate without `response`, which leaves nothing to grade; add it, or use the pool's "
            "own `correct` by --trust-verdicts"
        )

"""One run, read top to bottom.

Questions and candidates are put together, candidates get verdicts and scores, and statistics turn these into a
result. `prepare` does what all critics share, `score` and `use_scores` give what one of them says.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from vpbench.base import BaseTask, Critic, StepTask
from vpbench.data import load_solutions
from vpbench.errors import Boundary
from vpbench.generate import used_since
from vpbench.plugins import Plugin, make_task
from vpbench.pools.scores import GivenScores
from vpbench.progress import Progress
from vpbench.records import RowKey, Verdict
from vpbench.run.allowance import Allowance
from vpbench.run.candidates import CandidatePlan, plan, size_notes
from vpbench.run.critics import critic_key
from vpbench.run.given import rows_given
from vpbench.run.grade import GradeStage, given_verdicts, grade_notes
from vpbench.run.judge import Judge, JudgeStage, judge_facts, judge_notes, rows_to_judge
from vpbench.run.kept_notes import KeptNotes
from vpbench.run.models import Models
from vpbench.run.prepared import Common, Prepared, PreparedSteps, Scored
from vpbench.run.request import Request
from vpbench.run.score import ScoreStage
from vpbench.store import folder_name


def prepare(
    plugin: Plugin[BaseTask],
    request: Request,
    progress: Progress,
    planned: CandidatePlan | None = None,
    models: Models | None = None,
) -> Prepared:
    """Load questions and candidates, where they aren't `planned`, and grade them. Raises `DataError`, `ConfigError`."""
    models = models or Models()
    planned = planned or plan(plugin, request, progress, models)
    started = time.perf_counter()
    key = planned.key
    verdicts, judge, notes = _verdicts(plugin, planned, key, request, progress, models)
    return Prepared(
        request=request,
        key=key,
        data_origin=_origin(planned.questions.origin, request),
        data_revision=planned.questions.revision,
        total=planned.total,
        notes=planned.notes + notes,
        seconds={**planned.seconds, "grade": time.perf_counter() - started},
        task=planned.task,
        questions=planned.used_questions,
        origin=planned.pool.name,
        pool_sha256=planned.pool.sha256,
        drawing=planned.drawing,
        judge=judge,
        rows=planned.rows,
        verdicts=verdicts,
    )


def _verdicts(
    plugin: Plugin[BaseTask],
    planned: CandidatePlan,
    key: Mapping[str, Any],
    request: Request,
    progress: Progress,
    models: Models,
) -> tuple[dict[RowKey, Verdict], dict[str, Any] | None, list[str]]:
    """The verdicts, the facts of the judge if it had a part in them, and notes on its part."""
    task, pool, rows, questions = planned.task, planned.pool, planned.rows, planned.used_questions
    if request.trust_verdicts:
        return given_verdicts(rows, list(questions)), None, []
    asked = rows_to_judge(task, questions, rows) if request.grading == "official" else []
    grade_key = {**key, "grading": request.grading, "grader_code": grader_code(plugin)}
    judge = stage = None
    if request.judge is not None and asked:
        judge = Judge(request.judge, models.generator(request.judge, request.judge_args))
        grade_key["judge"] = judge.identity()
        total = sum(map(len, rows.values()))
        allowance = Allowance(f"grading with judge {judge.spec}", "rows", total, request.max_error_rate)
        stage = JudgeStage(judge, request.output, task.name, pool.name, allowance)
    folder = request.output / "verdicts" / folder_name(task.name, pool.name, request.grading, key=grade_key)
    before = judge.generator.usage() if judge else {}
    grading = GradeStage(task, request.grading, progress, request.max_error_rate, stage)
    verdicts = grading.verdicts(folder, grade_key, questions, rows)
    facts = judge_facts(judge, before, len(asked)) if judge else None
    notes = [*judge_notes(asked, verdicts, judge), *(KeptNotes(stage.folder).texts if stage else [])]
    notes += grade_notes(verdicts)
    return verdicts, facts, notes


def prepare_steps(plugin: Plugin[BaseTask], request: Request) -> PreparedSteps:
    """Load a step task's solutions. Raises `DataError`."""
    started = time.perf_counter()
    task = make_task(plugin)
    assert isinstance(task, StepTask)
    loaded = load_solutions(task, request.data)
    solutions = loaded.solutions[: request.limit]
    key = {"task": task.name, "task_version": task.version, "data": loaded.fingerprint}
    total = len(loaded.solutions) if request.nano else task.source.rows
    notes = size_notes(task.source, len(solutions), total, request.nano)
    return PreparedSteps(
        request=request,
        key=key,
        data_origin=_origin(loaded.origin, request),
        data_revision=loaded.revision,
        total=total,
        notes=notes,
        seconds={"load": time.perf_counter() - started},
        task=task,
        questions={solution.question.id: solution.question for solution in solutions},
        origin="steps",
        solutions=solutions,
    )


def score(
    prepared: Common,
    critic: Critic,
    progress: Progress,
    make_ready: Callable[[], None] | None = None,
    echo: Callable[[str], None] = lambda text: None,
    label: str | None = None,
) -> Scored:
    """Score every prepared row with `critic`. Raises `CriticError`, `TooManyFailures`, `PluginError`.

    `make_ready` is called where there is something to score (None: the critic's own `prepare`). `echo` hears what was
    scored before; `label` is what the study calls the critic.
    """
    started = time.perf_counter()
    with Boundary(f"critic {critic.name!r}: usage"):
        used_before = dict(critic.usage())
    key = {**prepared.key, **critic_key(critic)}
    folder = scores_folder(prepared.request.output, prepared.origin, critic.name, key)
    stage = ScoreStage(critic, prepared.request.max_error_rate, progress, make_ready, echo)
    scores = stage.scores(folder, key, prepared.questions, prepared.candidates)
    seconds = time.perf_counter() - started
    with Boundary(f"critic {critic.name!r}: usage"):
        used = used_since(used_before, critic.usage())
    settings: dict[str, Any] = asdict(critic) if is_dataclass(critic) else {}
    return Scored(
        critic=critic.name,
        selection=critic.selection,
        step_threshold=critic.step_threshold,
        aggregation=critic.aggregation,
        settings=settings,
        revision=key["critic_revision"],
        scores=scores,
        key=key,
        seconds=seconds,
        usage=used,
        notes=KeptNotes(folder).texts,
        label=label,
    )


def scores_folder(output: Path, origin: str, critic: str, key: Mapping[str, Any]) -> Path:
    """Where the scores under `key` of candidates from `origin` are kept."""
    return output / "scores" / folder_name(key["task"], origin, critic, key=key)


def use_scores(
    prepared: Common, given: GivenScores, name: str, label: str | None = None, notes: Sequence[str] = ()
) -> Scored:
    """Scores from a file, for exactly the prepared rows, with `notes` on it.

    Raises `DataError`, `TooManyFailures` as `rows_given` does.
    """
    started = time.perf_counter()
    scores = rows_given(given, prepared.candidates, prepared.request.max_error_rate)
    return Scored(
        critic=name,
        selection="best",
        step_threshold=Critic.step_threshold,
        aggregation=Critic.aggregation,
        settings={},
        revision=given.sha256,
        scores=scores,
        key={**prepared.key, "scores": given.sha256},
        seconds=time.perf_counter() - started,
        notes=notes,
        label=label,
    )


def _origin(origin: str, request: Request) -> str:
    return "the miniature world" if request.nano else origin


def grader_code(plugin: Plugin[BaseTask]) -> str:
    """What identifies the code that grades for a task: its own file and every file of `vpbench.grade`."""
    import vpbench.grade

    digest = hashlib.sha256(plugin.path.read_bytes())
    package = Path(vpbench.grade.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]

"""One run, read top to bottom.

Questions and candidates are put together, candidates get verdicts and scores, and statistics turn these into a
result. `prepare` does what all critics share, `score` and `use_scores` give what one of them says.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpbench.base import BaseTask, Critic, StepTask, Task
from vpbench.data import load_solutions
from vpbench.data.miniature import nano_settings
from vpbench.errors import Boundary, ConfigError, DataError
from vpbench.generate import Pool, PoolRow, used_since
from vpbench.plugins import Plugin, critic_settings, find_critic, make_critic, plugin_code
from vpbench.pools.scores import GivenScores
from vpbench.progress import Progress
from vpbench.records import Candidate, LabelledSolution, Question, RowKey, Score, Selection, Verdict
from vpbench.run.allowance import Allowance
from vpbench.run.candidates import CandidatePlan, plan, size_notes
from vpbench.run.grade import GradeStage, given_verdicts
from vpbench.run.judge import Judge, JudgeStage, judge_facts, judge_notes, rows_to_judge
from vpbench.run.kept_notes import KeptNotes
from vpbench.run.models import Models
from vpbench.run.request import Request
from vpbench.run.score import ScoreStage
from vpbench.store import folder_name

if TYPE_CHECKING:
    from vpbench.stats import QuestionPool


def candidate_value(score: Score, how: str) -> float | None:
    """One number for a candidate: its aggregated step scores, or its own score where it has no steps."""
    from vpbench.stats import aggregate

    return aggregate(score.steps, how) if score.steps else score.value


@dataclass(frozen=True)
class Common:
    """What both kinds of prepared tasks have; `total` is the number of rows the task has, seconds are by stage."""

    request: Request
    key: dict[str, Any]
    data_origin: str
    data_revision: str | None
    total: int
    notes: list[str]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Prepared(Common):
    """A Best-of-N task's questions, candidates and verdicts; how they were drawn and by whom judged, if they were."""

    task: Task
    pool: Pool
    questions: dict[str, Question]
    rows: dict[str, list[PoolRow]]
    verdicts: dict[RowKey, Verdict]
    judge: dict[str, Any] | None
    drawing: dict[str, Any] | None

    @property
    def origin(self) -> str:
        """Where the candidates come from: the pool's name."""
        return self.pool.name

    @property
    def candidates(self) -> dict[str, list[Candidate]]:
        """By question id."""
        return {id: [row.candidate for row in rows] for id, rows in self.rows.items()}

    def pools(self, scores: Mapping[RowKey, Score], aggregate: str) -> list[QuestionPool]:
        """Every question's candidates as statistics take them; `aggregate` makes one score of those of the steps."""
        return [self._pool(question, scores, aggregate) for question in self.questions.values()]

    def _pool(self, question: Question, scores: Mapping[RowKey, Score], aggregate: str) -> QuestionPool:
        import numpy as np

        from vpbench.stats import QuestionPool

        keys = [row.candidate.key for row in self.rows[question.id]]
        verdicts = [self.verdicts[key] for key in keys]
        values = [candidate_value(scores[key], aggregate) for key in keys]
        return QuestionPool(
            question_id=question.id,
            correct=np.array([verdict.correct for verdict in verdicts], dtype=np.bool_),
            classes=tuple(verdict.answer_class for verdict in verdicts),
            scores=np.array([np.nan if value is None else value for value in values], dtype=np.float64),
            group=question.group,
        )


@dataclass(frozen=True)
class PreparedSteps(Common):
    """A step task's labelled solutions."""

    task: StepTask
    solutions: list[LabelledSolution]

    @property
    def origin(self) -> str:
        """Where the candidates come from."""
        return "steps"

    @property
    def questions(self) -> dict[str, Question]:
        """By id; each solution has a question of its own."""
        return {solution.question.id: solution.question for solution in self.solutions}

    @property
    def candidates(self) -> dict[str, list[Candidate]]:
        """By question id."""
        return {solution.question.id: [solution.candidate] for solution in self.solutions}


@dataclass(frozen=True)
class Scored:
    """What one critic said of the prepared rows."""

    critic: str
    selection: Selection
    step_threshold: float
    settings: dict[str, Any]
    revision: str
    scores: dict[RowKey, Score]
    key: dict[str, Any]
    seconds: float
    usage: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()


def prepare(
    found: Plugin[BaseTask],
    request: Request,
    progress: Progress,
    planned: CandidatePlan | None = None,
    models: Models | None = None,
) -> Prepared:
    """Load questions and candidates, where they aren't `planned`, and grade them. Raises `DataError`, `ConfigError`."""
    models = models or Models()
    planned = planned or plan(found, request, progress, models)
    started = time.perf_counter()
    task, pool, rows = planned.task, planned.pool, planned.rows
    about = {"task": task.name, "task_version": task.version, "data": planned.questions.fingerprint}
    key = {**about, "pool": dict(pool.key)}
    verdicts, judge, notes = _verdicts(found, planned, key, request, progress, models)
    seconds = {**planned.seconds, "grade": time.perf_counter() - started}
    origin, revision = _origin(planned.questions.origin, request), planned.questions.revision
    return Prepared(
        request,
        key,
        origin,
        revision,
        planned.total,
        planned.notes + notes,
        seconds,
        task,
        pool,
        planned.used_questions,
        rows,
        verdicts,
        judge,
        planned.drawing,
    )


def _verdicts(
    found: Plugin[BaseTask],
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
    grade_key = {**key, "grading": request.grading, "grader_code": grader_code(found)}
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
    notes = judge_notes(asked, verdicts, judge) + (KeptNotes(stage.folder).texts if stage else [])
    return verdicts, facts, notes


def prepare_steps(found: Plugin[BaseTask], request: Request) -> PreparedSteps:
    """Load a step task's solutions. Raises `DataError`."""
    started = time.perf_counter()
    task = found.cls()
    assert isinstance(task, StepTask)
    loaded = load_solutions(task, request.data)
    solutions = loaded.solutions[: request.limit]
    key = {"task": task.name, "task_version": task.version, "data": loaded.fingerprint}
    total = len(loaded.solutions) if request.nano else task.source.rows
    notes = size_notes(task.source, len(solutions), total, request.nano)
    seconds = {"load": time.perf_counter() - started}
    return PreparedSteps(
        request, key, _origin(loaded.origin, request), loaded.revision, total, notes, seconds, task, solutions
    )


def score(
    prepared: Prepared | PreparedSteps,
    critic: Critic,
    progress: Progress,
    make_ready: Callable[[], None] | None = None,
    echo: Callable[[str], None] = lambda text: None,
) -> Scored:
    """Score every prepared row with `critic`. Raises `CriticError`, `TooManyFailures`, `PluginError`.

    `make_ready` is called where there is something to score (None: the critic's own `prepare`). `echo` hears what was
    scored before.
    """
    started = time.perf_counter()
    with Boundary(f"critic {critic.name!r}: usage"):
        used_before = dict(critic.usage())
    key = {**prepared.key, **critic_key(critic)}
    folder = prepared.request.output / "scores" / folder_name(prepared.task.name, prepared.origin, critic.name, key=key)
    stage = ScoreStage(critic, prepared.request.max_error_rate, progress, make_ready, echo)
    scores = stage.scores(folder, key, prepared.questions, prepared.candidates)
    seconds = time.perf_counter() - started
    with Boundary(f"critic {critic.name!r}: usage"):
        used = used_since(used_before, critic.usage())
    settings: dict[str, Any] = asdict(critic) if is_dataclass(critic) else {}
    return Scored(
        critic.name,
        critic.selection,
        critic.step_threshold,
        settings,
        key["critic_revision"],
        scores,
        key,
        seconds,
        used,
        KeptNotes(folder).texts,
    )


def critic_key(critic: Critic) -> dict[str, Any]:
    """What determines a critic's scores. A critic that isn't shipped is keyed by its source as well.

    Shipped ones aren't, since an upgrade of vpbench that changes no score mustn't cost a rescoring: their `version`
    says when it does. Raises `PluginError`, `CriticError`, `ConfigError`.
    """
    with Boundary(f"critic {critic.name!r}: revision"):
        revision = critic.revision()
    compared: list[str] = [field.name for field in fields(critic) if field.compare] if is_dataclass(critic) else []
    key = {
        "critic": critic.name,
        "critic_version": critic.version,
        "critic_revision": revision,
        "settings": {name: getattr(critic, name) for name in compared},
    }
    code = plugin_code(type(critic))
    return key if code is None else {**key, "critic_code": code}


def use_scores(prepared: Prepared | PreparedSteps, given: GivenScores, name: str) -> Scored:
    """Scores from a file, for exactly the prepared rows. Raises `DataError` naming the first row without one."""
    keys = [candidate.key for candidates in prepared.candidates.values() for candidate in candidates]
    missing = [key for key in keys if key not in given.scores]
    if missing:
        id, index = missing[0]
        raise DataError(
            f"--scores {given.name}: no score for {len(missing)} of {len(keys)} rows, the first is question {id!r} "
            f"candidate {index}; scores are matched by `question_id` and `index` (or the place in `candidates`)"
        )
    scores = {key: given.scores[key] for key in keys}
    row_key = {**prepared.key, "scores": given.sha256}
    return Scored(name, "best", Critic.step_threshold, {}, given.sha256, scores, row_key, 0.0)


def build_critics(names: Sequence[str], settings: Mapping[str, str], nano: bool = False) -> list[Critic]:
    """The critics called `names`, each with those of the settings that it has; with `nano` over its `nano_settings`.

    Raises `ConfigError` for an unknown critic, and for a setting that none of them has.
    """
    found = [find_critic(name) for name in names]
    known = {name for each in found for name in critic_settings(each.cls)}
    for name in settings:
        if found and name not in known:
            have = ", ".join(sorted(known)) or "none"
            raise ConfigError(f"critic {', '.join(names)}: no setting {name!r}; there are: {have}")
    critics = []
    for each in found:
        own = {name: text for name, text in settings.items() if name in critic_settings(each.cls)}
        critics.append(make_critic(each.cls, {**nano_settings(each.cls), **own} if nano else own))
    return critics


def _origin(place: str, request: Request) -> str:
    return "the miniature world" if request.nano else place


def grader_code(found: Plugin[BaseTask]) -> str:
    """What identifies the code that grades for a task: its own file and every file of `vpbench.grade`."""
    import vpbench.grade

    digest = hashlib.sha256(found.path.read_bytes())
    package = Path(vpbench.grade.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]

"""Critics on tasks, as the command line asks for it: each result shown as soon as it is there.

The policy draws every task's candidates first, then all are graded, then one critic after the other scores them: each
is loaded once, and no two of them are in memory together, nor one with a policy or judge. What stays there until the
last critic is done are the questions, responses and verdicts of all tasks, and of their pictures none but those that
JSON holds inline.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vpbench.base import BaseTask, StepTask
from vpbench.commands.drawing import DEFAULT_SAMPLES, drawing_lines, drawing_of, echo
from vpbench.errors import ConfigError, VpbenchError
from vpbench.models.checkpoint import without_fetching
from vpbench.plugins import Found, all_critics
from vpbench.pools.scores import read_scores
from vpbench.progress import bar
from vpbench.report.best_of_n import best_of_n_result
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.step_result import step_result
from vpbench.report.summary import summary
from vpbench.report.write import write_result
from vpbench.run.analysis import Analysis
from vpbench.run.candidates import Plan, plan, plan_drawing
from vpbench.run.judge import forget_judge, rows_to_judge
from vpbench.run.pipeline import (
    Prepared,
    PreparedSteps,
    Scored,
    build_critics,
    critic_key,
    prepare,
    prepare_steps,
    score,
    use_scores,
)
from vpbench.run.policy import Policies
from vpbench.run.request import Request, check, requests
from vpbench.settings import from_options

Asked = tuple[Found[BaseTask], Request]
Scorer = Callable[[Prepared | PreparedSteps], Scored]
Work = TypeVar("Work")
Done = TypeVar("Done")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which critics to run, with which settings, or which file their scores come from."""

    critics: tuple[str, ...]
    settings: Mapping[str, str]
    scores: Path | None


def run_all(
    tasks: Sequence[str],
    critics: Sequence[str],
    critic_model: str | None,
    critic_args: Mapping[str, str],
    scores: Path | None,
    dry_run: bool,
    released_tokenization: bool = False,
    **options: Any,
) -> list[Path]:
    """Run every critic on every task; the folders of the results. Raises `VpbenchError`."""
    from vpbench.stats import aggregate

    analysis = from_options(Analysis, options)
    aggregate((1.0,), analysis.aggregate)  # a name that doesn't exist is told before the work, not after it
    request = _request(options, analysis)
    settings = dict(critic_args) if critic_model is None else {**critic_args, "model": critic_model}
    if released_tokenization:
        settings["released_tokenization"] = "true"
    if scores is not None and len(critics) > 1:
        raise ConfigError("--scores is one critic's file; give at most one --critic to name it")
    asked = requests(tasks, request)
    for found, here in asked:
        check(found.cls, here)
    default = _nano_critics() if request.nano and scores is None else ()
    wanted = Wanted(tuple(critics) or default, settings, scores)
    if not wanted.critics and wanted.scores is None:
        raise ConfigError("no critic: give --critic NAME (see `vpbench list`) or --scores FILE")
    if not dry_run:
        return _run(asked, wanted, request.nano, analysis)
    policies = Policies()
    for found, here in asked:
        with without_fetching():
            echo(_plan(found, here, wanted, policies))
    return []


def _nano_critics() -> tuple[str, ...]:
    """The critics that the miniature process reward model is for."""
    return tuple(name for name, found in all_critics().items() if found.cls.nano_settings.get("model") == "prm")


def _request(options: Mapping[str, Any], analysis: Analysis) -> Request:
    request = from_options(Request, options)
    if options.get("policy") is None:
        return request
    largest_n = max(analysis.ns or (DEFAULT_SAMPLES,))
    drawing = drawing_of(options, largest_n)
    if analysis.ns and drawing.samples < largest_n:
        raise ConfigError(f"--n {largest_n} needs as many candidates per question; raise --samples {drawing.samples}")
    return dataclasses.replace(request, drawing=drawing)


def _run(asked: Sequence[Asked], wanted: Wanted, nano: bool, analysis: Analysis) -> list[Path]:
    """The folders of the results. What fails on a task leaves that one and those after it; the others are finished.

    Every failure is told as it happens, and the first is raised at the end.
    """
    scorers = _scorers(wanted, nano)
    names = [found.cls.name for found, _ in asked]
    failures: list[VpbenchError] = []
    plans = _as_far_as_possible(functools.partial(_candidates, Policies()), asked, names, failures)
    tasks = zip(asked, plans, strict=False)
    prepared = _as_far_as_possible(functools.partial(_prepare, analysis), tasks, names, failures)
    del plans, tasks
    forget_judge()
    folders: list[Path] = []
    while scorers:  # no critic is kept, its checkpoint would stay in memory
        critic, scorer = scorers.pop(0)
        do = functools.partial(_score, scorer, analysis)
        done = _as_far_as_possible(do, prepared, [f"{name}, critic {critic}" for name in names], failures)
        folders, prepared = folders + done, prepared[: len(done)]
    if failures:
        raise failures[0]
    return folders


def _as_far_as_possible(
    do: Callable[[Work], Done], tasks: Iterable[Work], names: Sequence[str], failures: list[VpbenchError]
) -> list[Done]:
    """What `do` makes of the tasks up to the first it fails on; that failure is told and joins `failures`.

    It joins them without the frames it is from, which would keep a policy or critic in memory.
    """
    done: list[Done] = []
    for task in tasks:
        try:
            done.append(do(task))
        except VpbenchError as error:
            echo(f"task {names[len(done)]}: {error}", err=True)
            failures.append(type(error)(*error.args))
            break
    return done


def _candidates(policies: Policies, asked: Asked) -> Plan | None:
    found, request = asked
    return None if issubclass(found.cls, StepTask) else plan(found, request, bar, policies)


def _prepare(analysis: Analysis, task: tuple[Asked, Plan | None]) -> Prepared | PreparedSteps:
    (found, request), planned = task
    if planned is None:
        return prepare_steps(found, request)
    prepared = prepare(found, request, bar, planned)
    _check_ns(prepared, analysis)
    return prepared


def _score(scorer: Scorer, analysis: Analysis, prepared: Prepared | PreparedSteps) -> Path:
    return _finish(prepared, scorer(prepared), analysis)


def _scorers(wanted: Wanted, nano: bool) -> list[tuple[str, Scorer]]:
    """What scores the prepared tasks, by name: every critic, or the file of scores.

    Raises `ConfigError`, `CriticError`, `DataError`.
    """
    if wanted.scores is not None:
        given = read_scores(wanted.scores)
        name = wanted.critics[0] if wanted.critics else given.name
        return [(name, functools.partial(use_scores, given=given, name=name))]
    critics = build_critics(wanted.critics, wanted.settings, nano)
    _ = [critic_key(critic) for critic in critics]  # a missing checkpoint is told before candidates are drawn
    return [
        (
            each.name,
            functools.partial(score, critic=each, progress=bar, make_ready=functools.cache(each.prepare), echo=echo),
        )
        for each in critics
    ]


def _check_ns(prepared: Prepared, analysis: Analysis) -> None:
    """Raises `ConfigError` for an N that no result could be computed for, before anything is scored."""
    id, fewest = min(((id, len(rows)) for id, rows in prepared.rows.items()), key=lambda each: each[1])
    if analysis.ns and max(analysis.ns) > fewest:
        raise ConfigError(
            f"--n {max(analysis.ns)} is more than question {id!r} has candidates ({fewest}); lower --n or complete the "
            "pool"
        )


def _finish(prepared: Prepared | PreparedSteps, scored: Scored, analysis: Analysis) -> Path:
    result: BestOfNResult | StepResult
    units = None
    if isinstance(prepared, Prepared):
        result, units = best_of_n_result(prepared, scored, analysis)
    else:
        result = step_result(prepared, scored, analysis)
    folder = write_result(prepared, scored, analysis, result, units)
    echo(summary(result))
    echo(f"written to {folder}")
    return folder


def _plan(found: Found[BaseTask], request: Request, wanted: Wanted, policies: Policies) -> str:
    lines = [f"task      {found.cls.name} (version {found.cls.version})"]
    if issubclass(found.cls, StepTask):
        prepared = prepare_steps(found, request)
        steps = sum(len(each.labels) for each in prepared.solutions)
        lines += [f"data      {prepared.data_origin}: {len(prepared.solutions)} solutions, {steps} steps"]
        notes = prepared.notes
    elif (drawing := plan_drawing(found, request, policies)) is not None:
        lines += drawing_lines(drawing)
        notes = []
    else:
        planned = plan(found, request, bar)
        sizes = [len(each) for each in planned.rows.values()]
        lines += [
            f"data      {planned.questions.origin}: {len(sizes)} questions with candidates",
            f"pool      {planned.pool.name}: {sum(sizes)} candidates, {min(sizes)} to {max(sizes)} per question",
            f"grading   {'given by the pool' if request.trust_verdicts else request.grading}",
        ]
        if request.judge is not None:
            rows = len(rows_to_judge(planned.task, planned.questions.questions, planned.rows))
            lines.append(f"judge     {request.judge}, asked about {rows} rows")
        notes = planned.notes
    for critic in build_critics(wanted.critics, wanted.settings, request.nano) if wanted.scores is None else ():
        settings: dict[str, Any] = dataclasses.asdict(critic) if dataclasses.is_dataclass(critic) else {}
        lines.append(f"critic    {critic.name} {json.dumps(settings) if settings else ''}".rstrip())
    if wanted.scores is not None:
        lines.append(f"scores    {wanted.scores}")
    return "\n".join([*lines, f"output    {request.output}", *(f"note      {note}" for note in notes)])

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
from vpbench.commands.sample import DEFAULT_SAMPLES, drawing_of
from vpbench.errors import ConfigError, VpbenchError
from vpbench.generate import Sampling
from vpbench.models.checkpoint import without_fetching
from vpbench.plugins import Plugin, all_critics
from vpbench.pools.scores import GivenScores, read_scores
from vpbench.progress import bar
from vpbench.report.result import best_of_n_result
from vpbench.report.step_result import step_result
from vpbench.report.summary import summary
from vpbench.report.write import write_result
from vpbench.run.analysis import Analysis
from vpbench.run.candidates import CandidatePlan, plan, plan_drawing, with_enough
from vpbench.run.given import notes_on_given, rows_given
from vpbench.run.judge import rows_to_judge
from vpbench.run.models import Models
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
from vpbench.run.policy import Drawing
from vpbench.run.request import Request, check, requests
from vpbench.settings import check_claimed, from_options
from vpbench.terminal import echo

Asked = tuple[Plugin[BaseTask], Request]
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

    check_claimed(options, Analysis, Request, Drawing, Sampling)
    analysis = from_options(Analysis, options)
    aggregate((1.0,), analysis.aggregate)  # a name that doesn't exist is told before the work, not after it
    request = _request(options, analysis)
    settings = dict(critic_args) if critic_model is None else {**critic_args, "model": critic_model}
    if released_tokenization:
        settings["released_tokenization"] = "true"
    if scores is not None and len(critics) > 1:
        raise ConfigError("--scores is one critic's file; give at most one --critic to name it")
    asked = requests(tasks, request, echo)
    for found, here in asked:
        check(found.cls, here)
    default = _nano_critics() if request.nano and scores is None else ()
    wanted = Wanted(tuple(critics) or default, settings, scores)
    if not wanted.critics and wanted.scores is None:
        raise ConfigError("no critic: give --critic NAME (see `vpbench list`) or --scores FILE")
    if not dry_run:
        return _run(asked, wanted, request.nano, analysis)
    models = Models()
    given = None if scores is None else read_scores(scores)
    for found, here in asked:
        with without_fetching():
            echo(_plan(found, here, wanted, models, analysis, given))
    return []


def _nano_critics() -> tuple[str, ...]:
    """The critics that the miniature process reward model is for."""
    return tuple(name for name, found in all_critics().items() if found.cls.nano_settings.get("model") == "prm")


def _request(options: Mapping[str, Any], analysis: Analysis) -> Request:
    request = from_options(Request, options)
    if options.get("policy") is None:
        return request
    largest_n = max(analysis.ns or (DEFAULT_SAMPLES,))
    drawing = drawing_of(options, options.get("samples") or largest_n)
    if analysis.ns and drawing.samples < largest_n:
        raise ConfigError(f"--n {largest_n} needs as many candidates per question; raise --samples {drawing.samples}")
    return dataclasses.replace(request, drawing=drawing)


def _run(asked: Sequence[Asked], wanted: Wanted, nano: bool, analysis: Analysis) -> list[Path]:
    """The folders of the results. What fails on a task leaves that one and those after it; the others are finished.

    Every failure is told as it happens, and the first is raised at the end.
    """
    given = None if wanted.scores is None else read_scores(wanted.scores)
    scorers = _scorers(wanted, given, nano)
    names = [found.cls.name for found, _ in asked]
    failures: list[VpbenchError] = []
    models = Models()
    plans = _as_far_as_possible(functools.partial(_candidates, models, analysis, given), asked, names, failures)
    models.forget()
    tasks = zip(asked, plans, strict=False)
    prepared = _as_far_as_possible(functools.partial(_prepare, models, given), tasks, names, failures)
    del plans, tasks
    models.forget()
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


def _candidates(models: Models, analysis: Analysis, given: GivenScores | None, asked: Asked) -> CandidatePlan | None:
    """The candidates of a task, its scores from a file checked; None for a step task."""
    plugin, request = asked
    if issubclass(plugin.cls, StepTask):
        return None
    planned = with_enough(plan(plugin, request, bar, models), max(analysis.ns or (), default=None), request.short_pools)
    if given is None:
        return planned
    candidates = {id: [row.candidate for row in rows] for id, rows in planned.pool.rows.items()}
    questions = planned.questions
    notes = notes_on_given(given, planned.task, questions.questions, questions.origin, candidates, request)
    rows_given(given, {id: candidates[id] for id in planned.rows}, request.max_error_rate)
    return dataclasses.replace(planned, notes=planned.notes + notes)


def _prepare(
    models: Models, given: GivenScores | None, task: tuple[Asked, CandidatePlan | None]
) -> Prepared | PreparedSteps:
    (plugin, request), planned = task
    if planned is not None:
        return prepare(plugin, request, bar, planned, models)
    prepared = prepare_steps(plugin, request)
    if given is None:
        return prepared
    notes = notes_on_given(given, prepared.task, prepared.questions, prepared.data_origin, prepared.candidates, request)
    return dataclasses.replace(prepared, notes=prepared.notes + notes)


def _score(scorer: Scorer, analysis: Analysis, prepared: Prepared | PreparedSteps) -> Path:
    return _finish(prepared, scorer(prepared), analysis)


def _scorers(wanted: Wanted, given: GivenScores | None, nano: bool) -> list[tuple[str, Scorer]]:
    """What scores the prepared tasks, by name: every critic, or the file of scores.

    Raises `ConfigError`, `CriticError`.
    """
    if given is not None:
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


def _finish(prepared: Prepared | PreparedSteps, scored: Scored, analysis: Analysis) -> Path:
    units = None
    if isinstance(prepared, Prepared):
        result, units = best_of_n_result(prepared, scored, analysis)
    else:
        result = step_result(prepared, scored, analysis)
    folder = write_result(prepared, scored, analysis, result, units)
    echo(summary(result))
    echo(f"written to {folder}")
    return folder


def _plan(
    found: Plugin[BaseTask],
    request: Request,
    wanted: Wanted,
    models: Models,
    analysis: Analysis,
    given: GivenScores | None,
) -> str:
    lines = [f"task      {found.cls.name} (version {found.cls.version})"]
    if issubclass(found.cls, StepTask):
        prepared = prepare_steps(found, request)
        steps = sum(len(each.labels) for each in prepared.solutions)
        lines += [f"data      {prepared.data_origin}: {len(prepared.solutions)} solutions, {steps} steps"]
        notes = prepared.notes
    elif (drawing := plan_drawing(found, request, models)) is not None:
        lines += drawing.describe()
        notes = []
    else:
        planned = _candidates(models, analysis, given, (found, request))
        assert planned is not None, "step tasks are above"
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

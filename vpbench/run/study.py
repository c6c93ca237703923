"""A study: critics on tasks, each model loaded once.

The policy draws every task's candidates first, then all are graded, then one critic after the other scores them: each
is loaded once, and no two of them are in memory together, nor one with a policy or judge. What stays there until the
last critic is done are the questions, responses and verdicts of all tasks, and of their pictures none but those that
JSON holds inline.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vpbench.base import BaseTask, StepTask
from vpbench.errors import ConfigError, VpbenchError
from vpbench.plugins import Plugin, all_critics
from vpbench.pools.scores import GivenScores, read_scores
from vpbench.progress import Echo, Progress, silent
from vpbench.prompts import Sampling
from vpbench.run.analysis import Analysis
from vpbench.run.candidates import CandidatePlan, plan, with_enough
from vpbench.run.critics import build_critics, critic_key
from vpbench.run.given import notes_on_given, rows_given
from vpbench.run.models import Models
from vpbench.run.pipeline import prepare, prepare_steps, score, use_scores
from vpbench.run.policy import Drawing
from vpbench.run.prepared import Prepared, PreparedSteps, Scored
from vpbench.run.request import DEFAULT_SAMPLES, Request, check, drawing_of, requests
from vpbench.settings import check_claimed, from_options

Asked = tuple[Plugin[BaseTask], Request]
Scorer = Callable[[Prepared | PreparedSteps], Scored]
Done = TypeVar("Done")


@dataclasses.dataclass(frozen=True)
class CriticOptions:
    """Which critic scores, or which file the scores come from; field names are the command line's."""

    critic_model: str | None = None
    critic_args: Mapping[str, str] = dataclasses.field(default_factory=dict)
    released_tokenization: bool = False
    scores: Path | None = None

    @property
    def settings(self) -> dict[str, str]:
        """The critics' settings, as text."""
        model = {} if self.critic_model is None else {"model": self.critic_model}
        released = {"released_tokenization": "true"} if self.released_tokenization else {}
        return {**self.critic_args, **model, **released}


@dataclasses.dataclass(frozen=True)
class Study:
    """Which critics are to be run on which tasks, with which settings, or which file their scores come from."""

    tasks: tuple[Asked, ...]
    critics: tuple[str, ...]
    settings: Mapping[str, str]
    scores: Path | None
    nano: bool
    analysis: Analysis


def study_of(tasks: Sequence[str], critics: Sequence[str], options: Mapping[str, Any], echo: Echo) -> Study:
    """The study that options of the command line ask for; `echo` is told which tasks are left out.

    Raises TypeError for an unknown option, `ConfigError` for what can't be carried out.
    """
    from vpbench.stats import aggregate

    check_claimed(options, Analysis, Request, Drawing, Sampling, CriticOptions)
    analysis, scoring = from_options(Analysis, options), from_options(CriticOptions, options)
    aggregate((1.0,), analysis.aggregate)  # a name that doesn't exist is told before the work, not after it
    request = _request(options, analysis)
    if scoring.scores is not None and len(critics) > 1:
        raise ConfigError("--scores is one critic's file; give at most one --critic to name it")
    asked = requests(tasks, request, echo)
    for plugin, task_request in asked:
        check(plugin.cls, task_request)
    critics = tuple(all_critics()) if list(critics) == ["all"] else tuple(critics)
    if not critics and scoring.scores is None:
        critics = _nano_critics() if request.nano else ()
        if not critics:
            raise ConfigError("no critic: give --critic NAME (see `vpbench list`) or --scores FILE")
    return Study(tuple(asked), critics, scoring.settings, scoring.scores, request.nano, analysis)


def _nano_critics() -> tuple[str, ...]:
    """The critics that the miniature process reward model is for."""
    return tuple(name for name, plugin in all_critics().items() if plugin.cls.nano_settings.get("model") == "prm")


def _request(options: Mapping[str, Any], analysis: Analysis) -> Request:
    request = from_options(Request, options)
    if options.get("policy") is None:
        return request
    largest_n = max(analysis.ns or (DEFAULT_SAMPLES,))
    drawing = drawing_of(options, options.get("samples") or largest_n)
    if analysis.ns and drawing.samples < largest_n:
        raise ConfigError(f"--n {largest_n} needs as many candidates per question; raise --samples {drawing.samples}")
    return dataclasses.replace(request, drawing=drawing)


class Failures:
    """What went wrong in a study: each failure is passed to `warn` as it happens, the first is raised at the end."""

    def __init__(self, warn: Echo) -> None:
        self._warn = warn
        self._failures: list[VpbenchError] = []

    def add(self, where: str, error: VpbenchError) -> None:
        """Add a failure, without the frames it is from, which would keep a policy or critic in memory."""
        self._warn(f"{where}: {error}")
        failure = type(error)(*error.args)
        failure.add_note(where)
        failure.warned = self._warn is not silent
        self._failures.append(failure)

    def raise_first(self) -> None:
        """Raise the first failure, with the others in its notes, if there is any."""
        if not self._failures:
            return
        first, *others = self._failures
        for failure in others:
            first.add_note(f"{'; '.join(failure.__notes__)}: {failure}")
        raise first


def run_study(
    study: Study,
    finish: Callable[[Prepared | PreparedSteps, Scored], Done],
    progress: Progress,
    echo: Echo,
    warn: Echo,
) -> list[Done]:
    """What `finish` makes of every critic's scores on every task.

    What fails on a task leaves that one and those after it; the others are finished. Raises the first failure.
    """
    given = None if study.scores is None else read_scores(study.scores)
    scorers = _scorers(study, given, progress, echo)
    failures = Failures(warn)
    prepared = _prepared(study, given, progress, failures)
    results: list[Done] = []
    # A critic is let go of once it is done, since its checkpoint would stay in memory beside the next one.
    while scorers:
        critic, scorer = scorers.pop(0)
        for number, task in enumerate(prepared):
            try:
                results.append(finish(task, scorer(task)))
            except VpbenchError as error:
                failures.add(f"task {task.task.name}, critic {critic}", error)
                prepared = prepared[:number]
                break
    failures.raise_first()
    return results


def _prepared(
    study: Study, given: GivenScores | None, progress: Progress, failures: Failures
) -> list[Prepared | PreparedSteps]:
    """The tasks with their graded candidates or labelled solutions, up to the first that fails.

    All candidates are drawn before any is graded, so that policy and judge are never in memory together.
    """
    models = Models()
    plans: list[CandidatePlan | None] = []
    for asked in study.tasks:
        plugin = asked[0]
        try:
            step_task = issubclass(plugin.cls, StepTask)
            plans.append(None if step_task else candidates_of(asked, study.analysis, given, progress, models))
        except VpbenchError as error:
            failures.add(f"task {plugin.cls.name}", error)
            break
    models.forget()
    prepared: list[Prepared | PreparedSteps] = []
    for (plugin, request), planned in zip(study.tasks, plans, strict=False):
        try:
            if planned is None:
                prepared.append(_steps(plugin, request, given))
            else:
                prepared.append(prepare(plugin, request, progress, planned, models))
        except VpbenchError as error:
            failures.add(f"task {plugin.cls.name}", error)
            break
    models.forget()
    return prepared


def candidates_of(
    asked: Asked, analysis: Analysis, given: GivenScores | None, progress: Progress, models: Models
) -> CandidatePlan:
    """The candidates of a Best-of-N task, enough for every N, and their scores from a file checked.

    Raises as `plan`, `with_enough`, `notes_on_given` and `rows_given` do.
    """
    plugin, request = asked
    planned = plan(plugin, request, progress, models)
    planned = with_enough(planned, max(analysis.ns or (), default=None), request.short_pools)
    if given is None:
        return planned
    candidates = {id: [row.candidate for row in rows] for id, rows in planned.pool.rows.items()}
    questions = planned.questions
    notes = notes_on_given(given, planned.task, questions.questions, questions.origin, candidates, request)
    rows_given(given, {id: candidates[id] for id in planned.rows}, request.max_error_rate)
    return dataclasses.replace(planned, notes=planned.notes + notes)


def _steps(plugin: Plugin[BaseTask], request: Request, given: GivenScores | None) -> PreparedSteps:
    """A step task's solutions, their scores from a file checked."""
    prepared = prepare_steps(plugin, request)
    if given is None:
        return prepared
    notes = notes_on_given(given, prepared.task, prepared.questions, prepared.data_origin, prepared.candidates, request)
    return dataclasses.replace(prepared, notes=prepared.notes + notes)


def _scorers(study: Study, given: GivenScores | None, progress: Progress, echo: Echo) -> list[tuple[str, Scorer]]:
    """What scores the prepared tasks, by name: every critic, or the file of scores.

    Raises `ConfigError`, `CriticError`.
    """
    if given is not None:
        name = study.critics[0] if study.critics else given.name
        return [(name, functools.partial(use_scores, given=given, name=name))]
    critics = build_critics(study.critics, study.settings, study.nano)
    _ = [critic_key(critic) for critic in critics]  # a missing checkpoint is told before candidates are drawn
    shared: dict[str, Any] = {"progress": progress, "echo": echo}
    return [
        (critic.name, functools.partial(score, critic=critic, make_ready=functools.cache(critic.prepare), **shared))
        for critic in critics
    ]

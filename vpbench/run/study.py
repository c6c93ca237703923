"""A study: critics on tasks, each model loaded once.

The policy draws every task's candidates first, then all are graded, then one critic after the other scores them: each
is loaded once, and no two of them are in memory together, nor one with a policy or judge. What stays there until the
last critic is done are the questions, responses and verdicts of all tasks, and of their pictures none but those that
JSON holds inline.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vpbench.base import BaseTask, StepTask
from vpbench.errors import ConfigError, VpbenchError
from vpbench.plugins import Plugin, all_critics
from vpbench.pools.scores import read_scores
from vpbench.progress import Echo, Progress
from vpbench.prompts import Sampling
from vpbench.run.analysis import Analysis
from vpbench.run.candidates import CandidatePlan, plan
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
from vpbench.run.request import DEFAULT_SAMPLES, Request, check, drawing_of, requests
from vpbench.settings import check_claimed, from_options

Asked = tuple[Plugin[BaseTask], Request]
Scorer = Callable[[Prepared | PreparedSteps], Scored]
Work = TypeVar("Work")
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


def run_study(
    study: Study,
    finish: Callable[[Prepared | PreparedSteps, Scored], Done],
    progress: Progress,
    echo: Echo,
    warn: Echo,
) -> list[Done]:
    """What `finish` makes of every critic's scores on every task.

    What fails on a task leaves that one and those after it; the others are finished. `warn` is told of every failure
    as it happens, and the first is raised at the end, with the others in its notes.
    """
    scorers = _scorers(study, progress, echo)
    names = [plugin.cls.name for plugin, _ in study.tasks]
    failures: list[VpbenchError] = []
    models = Models()
    plans = _as_far_as_possible(functools.partial(_candidates, models, progress), study.tasks, names, failures, warn)
    models.forget()
    tasks = zip(study.tasks, plans, strict=False)
    prepared = _as_far_as_possible(
        functools.partial(_prepare, models, study.analysis, progress), tasks, names, failures, warn
    )
    del plans, tasks
    models.forget()
    results: list[Done] = []
    while scorers:  # no critic is kept, its checkpoint would stay in memory
        critic, scorer = scorers.pop(0)
        do = functools.partial(_finished, finish, scorer)
        done = _as_far_as_possible(do, prepared, [f"{name}, critic {critic}" for name in names], failures, warn)
        results, prepared = results + done, prepared[: len(done)]
    if failures:
        for failure in failures[1:]:
            failures[0].add_note(f"{'; '.join(failure.__notes__)}: {failure}")
        raise failures[0]
    return results


def _as_far_as_possible(
    do: Callable[[Work], Done], tasks: Iterable[Work], names: Sequence[str], failures: list[VpbenchError], warn: Echo
) -> list[Done]:
    """What `do` makes of the tasks up to the first it fails on; that failure is told and joins `failures`.

    It joins them without the frames it is from, which would keep a policy or critic in memory.
    """
    done: list[Done] = []
    for task in tasks:
        try:
            done.append(do(task))
        except VpbenchError as error:
            where = f"task {names[len(done)]}"
            warn(f"{where}: {error}")
            failures.append(type(error)(*error.args))
            failures[-1].add_note(where)
            break
    return done


def _candidates(models: Models, progress: Progress, asked: Asked) -> CandidatePlan | None:
    plugin, request = asked
    return None if issubclass(plugin.cls, StepTask) else plan(plugin, request, progress, models)


def _prepare(
    models: Models, analysis: Analysis, progress: Progress, task: tuple[Asked, CandidatePlan | None]
) -> Prepared | PreparedSteps:
    (plugin, request), planned = task
    if planned is None:
        return prepare_steps(plugin, request)
    prepared = prepare(plugin, request, progress, planned, models)
    _check_ns(prepared, analysis)
    return prepared


def _finished(
    finish: Callable[[Prepared | PreparedSteps, Scored], Done], scorer: Scorer, prepared: Prepared | PreparedSteps
) -> Done:
    return finish(prepared, scorer(prepared))


def _scorers(study: Study, progress: Progress, echo: Echo) -> list[tuple[str, Scorer]]:
    """What scores the prepared tasks, by name: every critic, or the file of scores.

    Raises `ConfigError`, `CriticError`, `DataError`.
    """
    if study.scores is not None:
        given = read_scores(study.scores)
        name = study.critics[0] if study.critics else given.name
        return [(name, functools.partial(use_scores, given=given, name=name))]
    critics = build_critics(study.critics, study.settings, study.nano)
    _ = [critic_key(critic) for critic in critics]  # a missing checkpoint is told before candidates are drawn
    shared: dict[str, Any] = {"progress": progress, "echo": echo}
    return [
        (critic.name, functools.partial(score, critic=critic, make_ready=functools.cache(critic.prepare), **shared))
        for critic in critics
    ]


def _check_ns(prepared: Prepared, analysis: Analysis) -> None:
    """Raises `ConfigError` for an N that no result could be computed for, before anything is scored."""
    id, fewest = min(((id, len(rows)) for id, rows in prepared.rows.items()), key=lambda counted: counted[1])
    if analysis.ns and max(analysis.ns) > fewest:
        raise ConfigError(
            f"--n {max(analysis.ns)} is more than question {id!r} has candidates ({fewest}); lower --n or complete the "
            "pool"
        )

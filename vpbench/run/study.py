"""A study: critics on tasks, each model loaded once.

The policy draws every task's candidates first, then all are graded, then one critic after the other scores them: each
is loaded once, and no two of them are in memory together, nor one with a policy or judge. What stays there until the
last critic is done are the questions, responses and verdicts of all tasks, and of their pictures none but those that
JSON holds inline.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from vpbench.base import BaseTask, PublishedPolicy
from vpbench.errors import ConfigError, VpbenchError
from vpbench.plugins import Plugin, all_critics
from vpbench.progress import Echo, Progress, silent
from vpbench.prompts import Sampling
from vpbench.run.analysis import Analysis, analysis_of_row, check_aggregation
from vpbench.run.candidates import CandidatePlan, plan, with_enough
from vpbench.run.critics import with_settings
from vpbench.run.defaults import Defaults, published_policy, with_released
from vpbench.run.entries import (
    CriticEntry,
    PolicyEntry,
    check_names,
    critic_entry,
    policy_entry,
    scores_entry,
    settings_by_name,
)
from vpbench.run.models import Models
from vpbench.run.pipeline import prepare, prepare_steps
from vpbench.run.policy import Drawing
from vpbench.run.prepared import Prepared, PreparedSteps, Scored
from vpbench.run.request import DEFAULT_SAMPLES, Request, check, drawing_of, requests, takes_pool
from vpbench.run.scorers import FileScorer, Scorer, scorers
from vpbench.settings import check_claimed, from_options

Asked = tuple[Plugin[BaseTask], Request]
Done = TypeVar("Done")


@dataclasses.dataclass(frozen=True)
class CriticOptions:
    """The settings of all critics, and files of scores beside them; field names are the command line's."""

    critic_model: str | None = None
    critic_args: Mapping[str, str] = dataclasses.field(default_factory=dict)
    released_tokenization: bool = False
    scores: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, str]:
        """The critics' settings, as text."""
        model = {} if self.critic_model is None else {"model": self.critic_model}
        released = {"released_tokenization": "true"} if self.released_tokenization else {}
        return {**self.critic_args, **model, **released}


@dataclasses.dataclass(frozen=True)
class Study:
    """Which critics are to be run on which tasks; `name` is what a study file calls it.

    `defaults` are what nobody named of it.
    """

    tasks: tuple[Asked, ...]
    critics: tuple[CriticEntry, ...]
    nano: bool
    analysis: Analysis
    name: str | None = None
    defaults: Defaults = Defaults()

    @property
    def task_names(self) -> list[str]:
        """The tasks' names, in order."""
        return list(dict.fromkeys(plugin.cls.name for plugin, _ in self.tasks))


def study_of(
    tasks: Sequence[str],
    critics: Sequence[str | CriticEntry],
    options: Mapping[str, Any],
    echo: Echo,
    name: str | None = None,
) -> Study:
    """The study that options of the command line ask for; `echo` is told which tasks are left out.

    Raises TypeError for an unknown option, `ConfigError` for what can't be carried out.
    """
    check_claimed(options, Analysis, Request, Drawing, Sampling, CriticOptions)
    analysis, scoring = from_options(Analysis, options), from_options(CriticOptions, options)
    check_aggregation(analysis.aggregate)
    drawn = _requests(options, analysis)
    rows = _entries(tuple(all_critics()) if list(critics) == ["all"] else critics, scoring.scores)
    if not rows and drawn[0].nano:
        rows = [CriticEntry(name) for name in _nano_critics()]
    asked = [
        task
        for number, request in enumerate(drawn)
        for task in requests(tasks, request, silent if number else echo)
        if number == 0 or takes_pool(task[0])  # a step task has solutions of its own, whatever the policy
    ]
    policy, first = None, drawn[0]
    if rows and not first.nano and first.drawing is None and first.pool is None:
        policy = published_policy(rows) if any(takes_pool(plugin) for plugin, _ in asked) else None
        asked = asked if policy is None else _drawn_from(policy, asked, options, analysis)
    for plugin, task_request in asked:
        check(plugin.cls, task_request)
    if not rows:
        raise ConfigError("no critic: give --critic NAME (see `vpbench list`) or --scores FILE")
    entries = with_settings(rows, scoring.settings)
    entries, checkpoints = (entries, {}) if first.nano else with_released(entries)
    return Study(tuple(asked), entries, first.nano, analysis, name, Defaults(checkpoints, policy))


def _entries(critics: Sequence[str | CriticEntry], scores: Sequence[str]) -> list[CriticEntry]:
    """The rows that are asked for, what is written twice once. Raises `ConfigError`."""
    files = [scores_entry(text) for text in scores]
    if len(files) > 1 and not all(file.name for file in files):
        raise ConfigError(f"--scores is given {len(files)} times; give it once, or names: --scores NAME=FILE,...")
    entries = [critic_entry(given) for number, given in enumerate(critics) if given not in critics[:number]]
    for entry in entries if files else ():
        if entry.critic not in all_critics() and not str(entry.critic).endswith(".py"):
            raise ConfigError(
                f"--critic {entry.critic}: no such critic; to name the scores: --scores {entry.critic}=FILE"
            )
    check_names(row.called for row in (*entries, *files))
    return [*entries, *files]


def _nano_critics() -> tuple[str, ...]:
    """The critics that the miniature process reward model is for."""
    return tuple(name for name, plugin in all_critics().items() if plugin.cls.nano_settings.get("model") == "prm")


def _requests(options: Mapping[str, Any], analysis: Analysis) -> list[Request]:
    """What is asked of each policy, or of the pool. Raises `ConfigError`."""
    request = from_options(Request, options)
    policies = [policy_entry(text) for text in options.get("policy") or ()]
    if not policies:
        return [request]
    names = [policy.called for policy in policies]
    check_names(names, "policies")
    given = settings_by_name(options.get("policy_args", {}), "--policy-args", names)
    return [
        dataclasses.replace(request, drawing=_drawing(options, policy, {**given[""], **given[policy.called]}, analysis))
        for policy in policies
    ]


def _drawing(
    options: Mapping[str, Any],
    policy: PolicyEntry,
    settings: Mapping[str, str],
    analysis: Analysis,
    samples: int = DEFAULT_SAMPLES,
) -> Drawing:
    options = {**options, **policy.drawing, "policy": policy.policy, "label": policy.name}
    options["policy_args"] = {**settings, **policy.settings}
    largest_n = max(analysis.ns or (samples,))
    drawing = drawing_of(options, options.get("samples") or largest_n)
    if analysis.ns and drawing.samples < largest_n:
        raise ConfigError(f"--n {largest_n} needs as many candidates per question; raise --samples {drawing.samples}")
    return drawing


def _drawn_from(
    published: PublishedPolicy, asked: Sequence[Asked], options: Mapping[str, Any], analysis: Analysis
) -> list[Asked]:
    """The tasks, their candidates drawn as from `published`; what the options say goes before that."""
    policy = PolicyEntry(published.model.hub_id)
    options = {"temperature": published.temperature, **options}
    drawing = _drawing(options, policy, options.get("policy_args", {}), analysis, published.samples)
    return [
        (plugin, dataclasses.replace(request, drawing=drawing) if takes_pool(plugin) else request)
        for plugin, request in asked
    ]


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
    finish: Callable[[Prepared | PreparedSteps, Scored, Analysis], Done],
    progress: Progress,
    echo: Echo,
    warn: Echo,
) -> list[Done]:
    """What `finish` makes of every row's scores on every task.

    What fails on a task leaves that one and those after it; the others are finished. Raises the first failure.
    """
    rows = scorers(study.critics, study.task_names, study.nano, progress, echo)
    analyses = {row.name: analysis_of_row(study.analysis, row.name, row.entry.analysis) for row in rows}
    for row in rows:
        row.check_analysis(analyses[row.name])
    failures = Failures(warn)
    prepared = _prepared(study, rows, progress, failures)
    results: list[Done] = []
    # A critic is let go of once it is done, since its checkpoint would stay in memory beside the next one.
    while rows:
        row = rows.pop(0)
        for number, task in enumerate(prepared):
            try:
                results.append(finish(task, row.scored(task), analyses[row.name]))
            except VpbenchError as error:
                failures.add(f"task {task.task.name}, critic {row.name}", error)
                prepared = prepared[:number]
                break
        del row
    failures.raise_first()
    return results


def _prepared(
    study: Study, rows: Sequence[Scorer], progress: Progress, failures: Failures
) -> list[Prepared | PreparedSteps]:
    """The tasks with their graded candidates or labelled solutions, up to the first that fails.

    All candidates are drawn before any is graded, so that policy and judge are never in memory together.
    """
    models = Models()
    plans: list[CandidatePlan | PreparedSteps] = []
    drawing = None
    for plugin, request in study.tasks:
        if takes_pool(plugin) and request.drawing != drawing:
            models.forget()  # one policy in memory at a time
            drawing = request.drawing
        try:
            if takes_pool(plugin):
                plans.append(candidates_of((plugin, request), study.analysis, rows, progress, models))
            else:
                plans.append(_steps(plugin, request, rows))
        except VpbenchError as error:
            failures.add(f"task {plugin.cls.name}", error)
            break
    models.forget()
    prepared: list[Prepared | PreparedSteps] = []
    for (plugin, request), planned in zip(study.tasks, plans, strict=False):
        try:
            if isinstance(planned, PreparedSteps):
                prepared.append(planned)
            else:
                prepared.append(prepare(plugin, request, progress, planned, models))
        except VpbenchError as error:
            failures.add(f"task {plugin.cls.name}", error)
            break
    models.forget()
    return prepared


def candidates_of(
    asked: Asked, analysis: Analysis, rows: Sequence[Scorer], progress: Progress, models: Models
) -> CandidatePlan:
    """The candidates of a Best-of-N task, enough for every N, and checked by every row of the study.

    Raises as `plan`, `with_enough` and the rows' `check` do.
    """
    plugin, request = asked
    planned = plan(plugin, request, progress, models)
    planned = with_enough(planned, max(analysis.ns or (), default=None), request.short_pools)
    for row in rows:
        row.check(planned, request)
    return planned


def _steps(plugin: Plugin[BaseTask], request: Request, rows: Sequence[Scorer]) -> PreparedSteps:
    """A step task's solutions, scores from files checked."""
    prepared = prepare_steps(plugin, request)
    for row in rows:
        if isinstance(row, FileScorer):
            row.check_steps(prepared)
    return prepared

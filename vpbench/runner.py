"""What `vpbench run` does: every critic on every task, each result written and shown as soon as it is there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from vpbench.base import BaseTask, StepTask
from vpbench.errors import ConfigError
from vpbench.nano import nano_folder
from vpbench.pipeline import (
    Prepared,
    PreparedSteps,
    Request,
    Scored,
    build_critics,
    plan,
    prepare,
    prepare_steps,
    score,
    use_scores,
)
from vpbench.plugins import Found, all_tasks, find_task
from vpbench.progress import bar
from vpbench.report.result import Analysis, best_of_n_result
from vpbench.report.step_result import step_result
from vpbench.report.summary import summary
from vpbench.report.write import write_result
from vpbench.scoring.given import read_scores

NANO_CRITIC = "simulated-prm"


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
    nano: bool,
    **options: Any,
) -> list[Path]:
    """Run every critic on every task; the folders of the results. Raises `VpbenchError`."""
    request = Request(
        **{field.name: options[field.name] for field in dataclasses.fields(Request) if field.name in options}
    )
    analysis = Analysis(**{field.name: options[field.name] for field in dataclasses.fields(Analysis)})
    settings = dict(critic_args) if critic_model is None else {**critic_args, "model": critic_model}
    wanted = Wanted(tuple(critics), settings, scores)
    if scores is not None and len(critics) > 1:
        raise ConfigError("--scores is one critic's file; give at most one --critic to name it")
    folders = []
    for found in _tasks(tasks):
        here, its_critics = (request, wanted) if not nano else _nano(found, request, wanted)
        if not its_critics.critics and its_critics.scores is None:
            raise ConfigError("no critic: give --critic NAME (see `vpbench list`) or --scores FILE")
        if dry_run:
            click.echo(_plan(found, here, its_critics))
            continue
        folders += _run_task(found, here, its_critics, analysis)
    return folders


def _run_task(found: Found[BaseTask], request: Request, wanted: Wanted, analysis: Analysis) -> list[Path]:
    critics = [] if wanted.scores else build_critics(wanted.critics, wanted.settings)
    prepared = prepare_steps(found, request) if issubclass(found.cls, StepTask) else prepare(found, request, bar)
    folders = []
    if wanted.scores is not None:
        given = read_scores(wanted.scores)
        scored = use_scores(prepared, given, wanted.critics[0] if wanted.critics else given.name)
        folders.append(_finish(prepared, scored, analysis))
    for critic in critics:
        folders.append(_finish(prepared, score(prepared, critic, bar), analysis))
    return folders


def _finish(prepared: Prepared | PreparedSteps, scored: Scored, analysis: Analysis) -> Path:
    units = None
    if isinstance(prepared, Prepared):
        result, units = best_of_n_result(prepared, scored, analysis)
    else:
        result = step_result(prepared, scored, analysis)
    folder = write_result(prepared, scored, analysis, result, units)
    click.echo(summary(result))
    click.echo(f"written to {folder}")
    return folder


def _tasks(names: Sequence[str]) -> list[Found[BaseTask]]:
    if list(names) == ["all"]:
        return [found for _, found in sorted(all_tasks().items()) if not issubclass(found.cls, StepTask)]
    return [find_task(name) for name in names]


def _nano(found: Found[BaseTask], request: Request, wanted: Wanted) -> tuple[Request, Wanted]:
    folder = nano_folder(found.cls.name)
    pool = None if issubclass(found.cls, StepTask) else folder / "simulated-policy.jsonl.gz"
    request = dataclasses.replace(request, data=folder, pool=pool, nano=True)
    if not wanted.critics and wanted.scores is None:
        wanted = dataclasses.replace(wanted, scores=folder / f"{NANO_CRITIC}.jsonl.gz")
    return request, wanted


def _plan(found: Found[BaseTask], request: Request, wanted: Wanted) -> str:
    critics = ", ".join(wanted.critics) or str(wanted.scores)
    lines = [f"task      {found.cls.name} (version {found.cls.version})"]
    if issubclass(found.cls, StepTask):
        prepared = prepare_steps(found, request)
        steps = sum(len(each.labels) for each in prepared.solutions)
        lines += [f"data      {prepared.data_origin}: {len(prepared.solutions)} solutions, {steps} steps"]
        notes = prepared.notes
    else:
        planned = plan(found, request)
        sizes = [len(each) for each in planned.rows.values()]
        lines += [
            f"data      {planned.questions.origin}: {len(sizes)} questions with candidates",
            f"pool      {planned.pool.name}: {sum(sizes)} candidates, {min(sizes)} to {max(sizes)} per question",
            f"grading   {'given by the pool' if request.trust_verdicts else request.grading}",
        ]
        notes = planned.notes
    for critic in build_critics(wanted.critics, wanted.settings) if wanted.scores is None else ():
        settings: dict[str, Any] = dataclasses.asdict(critic) if dataclasses.is_dataclass(critic) else {}
        lines.append(f"critic    {critic.name} {json.dumps(settings) if settings else ''}".rstrip())
    if wanted.scores is not None:
        lines.append(f"scores    {critics}")
    return "\n".join([*lines, f"output    {request.output}", *(f"note      {note}" for note in notes)])

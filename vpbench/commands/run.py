"""`vpbench run`: the run itself, its results under an overview of all, or what it would do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vpbench import api
from vpbench.base import StepTask
from vpbench.commands.report import tables_of
from vpbench.errors import ConfigError
from vpbench.models.checkpoint import without_fetching
from vpbench.progress import bar
from vpbench.report.tables import render
from vpbench.run.candidates import plan_drawing
from vpbench.run.critics import build_critic
from vpbench.run.judge import rows_to_judge
from vpbench.run.models import Models
from vpbench.run.pipeline import prepare_steps
from vpbench.run.request import Request
from vpbench.run.scorers import Scorer, scorers
from vpbench.run.study import Asked, Study, candidates_of
from vpbench.run.study_file import read_study, with_flags
from vpbench.terminal import echo


def _warn(text: str) -> None:
    echo(f"vpbench: {text}", err=True)


def run_all(study_file: str | None, options: dict[str, Any]) -> None:
    """Run every critic on every task, or show what a run would do; `options` are those that were given.

    The results are shown as text, several under an overview of all; in another `style` the tables are printed, and the
    text is on standard error. Raises `VpbenchError`.
    """
    called = {"tasks": "task", "critics": "critic", "ns": "n"}
    given = {called.get(name, name): value for name, value in options.items()}
    dry_run, style = given.pop("dry_run", False), given.pop("style", "text")
    asked = with_flags(read_study(study_file), given) if study_file is not None else given
    if not asked.get("task"):
        raise ConfigError("no task: give --task NAME (see `vpbench list`), `--task all`, or a study file")
    if dry_run:
        if style != "text":
            raise ConfigError("--dry-run has no table to print; leave out --format")
        _show_plans(asked)
        return

    def tell(text: str) -> None:
        echo(text, err=style != "text")

    results = api.run(**asked, progress=bar, echo=tell, warn=_warn)
    if style != "text":
        echo(render(tables_of(results), style))
    output = Path(asked.get("output", Request.output))
    tell(f"\n{len(results)} result{'s' * (len(results) != 1)} under {output}/results")


def _show_plans(asked: Mapping[str, Any]) -> None:
    study, models = api.plan_study(asked, echo), Models()
    with without_fetching():
        files = scorers([row for row in study.critics if row.scores is not None], study.task_names, False, bar, echo)
        for task in study.tasks:
            echo(_plan(task, study, files, models))


def _plan(asked: Asked, study: Study, files: Sequence[Scorer], models: Models) -> str:
    plugin, request = asked
    lines = [f"task      {plugin.cls.name} (version {plugin.cls.version})"]
    if issubclass(plugin.cls, StepTask):
        prepared = prepare_steps(plugin, request)
        steps = sum(len(solution.labels) for solution in prepared.solutions)
        lines += [f"data      {prepared.data_origin}: {len(prepared.solutions)} solutions, {steps} steps"]
        notes = prepared.notes
    elif (drawing := plan_drawing(plugin, request, models)) is not None:
        lines += drawing.describe()
        notes = []
    else:
        planned = candidates_of(asked, study.analysis, files, bar, models)
        sizes = [len(candidates) for candidates in planned.rows.values()]
        lines += [
            f"data      {planned.questions.origin}: {len(sizes)} questions with candidates",
            f"pool      {planned.pool.name}: {sum(sizes)} candidates, {min(sizes)} to {max(sizes)} per question",
            f"grading   {'given by the pool' if request.trust_verdicts else request.grading}",
        ]
        if request.judge is not None:
            rows = len(rows_to_judge(planned.task, planned.questions.questions, planned.rows))
            lines.append(f"judge     {request.judge}, asked about {rows} rows")
        notes = planned.notes
    for entry in study.critics:
        called = "" if entry.label is None else f"{entry.label} = "
        if entry.scores is not None:
            lines.append(f"scores    {called}{entry.scores}")
            continue
        critic = build_critic(entry, study.nano)
        settings: dict[str, Any] = dataclasses.asdict(critic) if dataclasses.is_dataclass(critic) else {}
        lines.append(f"critic    {called}{critic.name} {json.dumps(settings) if settings else ''}".rstrip())
    return "\n".join([*lines, f"output    {request.output}", *(f"note      {note}" for note in notes)])

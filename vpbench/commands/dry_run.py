"""`vpbench run --dry-run`: what a run would do, what of it is there already, and what the rest takes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vpbench import api
from vpbench.models.checkpoint import without_fetching
from vpbench.report.rates import measured_rates
from vpbench.run.announcement import announcement
from vpbench.run.candidates import CandidatePlan
from vpbench.run.critics import build_critic
from vpbench.run.judge import rows_to_judge
from vpbench.run.plan_cost import HOW_TO_RATE, Cell, planned, total
from vpbench.run.policy import SamplePlan
from vpbench.run.prepared import PreparedSteps
from vpbench.run.study import Study
from vpbench.run.task_plan import TaskPlan
from vpbench.terminal import echo, table


def show_plans(asked: Mapping[str, Any], output: Path) -> None:
    """Show what a run with these options would do; nothing is fetched or written. Raises `VpbenchError`."""
    study = api.plan_study(asked, echo)
    rates = measured_rates(output, asked.get("rates", {}), lambda text: echo(f"vpbench: {text}", err=True))
    with without_fetching():
        plans, made = planned(study, rates)
        if study.defaults:
            echo(announcement(study, made) + "\n")
        for task in plans:
            echo(_described(task, study) + "\n")
    echo(cost_table(made))


def _described(task: TaskPlan, study: Study) -> str:
    """What a run would do on one task, a line per subject."""
    work, request, cls = task.work, task.request, task.plugin.cls
    lines, notes = [f"task      {cls.name} (version {cls.version})"], []
    if task.lacks_data:
        lines.append(f"data      {cls.source.hub_id} isn't at hand, it would be fetched from the hub first")
        if request.drawing is not None:
            lines += [f"policy    {request.drawing.policy}", f"sampling  {request.drawing.describe()}"]
    if isinstance(work, PreparedSteps):
        steps = sum(len(solution.labels) for solution in work.solutions)
        lines.append(f"data      {work.data_origin}: {len(work.solutions)} solutions, {steps} steps")
        notes = work.notes
    elif isinstance(work, SamplePlan):
        lines += work.describe()
    elif isinstance(work, CandidatePlan):
        sizes = [len(candidates) for candidates in work.rows.values()]
        lines += [
            f"data      {work.questions.origin}: {len(sizes)} questions with candidates",
            f"pool      {work.pool.name}: {sum(sizes)} candidates, {min(sizes)} to {max(sizes)} per question",
            f"grading   {'given by the pool' if request.trust_verdicts else request.grading}",
        ]
        if request.judge is not None:
            rows = len(rows_to_judge(work.task, work.questions.questions, work.rows))
            lines.append(f"judge     {request.judge}, asked about {rows} rows")
        notes = work.notes
    for entry in study.critics:
        called = "" if entry.label is None else f"{entry.label} = "
        if entry.scores is not None:
            lines.append(f"scores    {called}{entry.scores}")
            continue
        critic = build_critic(entry, study.nano)
        settings: dict[str, Any] = dataclasses.asdict(critic) if dataclasses.is_dataclass(critic) else {}
        lines.append(f"critic    {called}{critic.name} {json.dumps(settings) if settings else ''}".rstrip())
    return "\n".join([*lines, f"output    {request.output}", *(f"note      {note}" for note in notes)])


def cost_table(made: Sequence[Cell]) -> str:
    """The cells and their total, and how to read and complete them."""
    rows = [_cost_row(cell) for cell in [*made, total(made)]]
    headers = ["task", "row", "missing", "kept", "owed", "generate", "read", "GPU hours", "dollars"]
    lines = [
        table(rows, headers),
        "",
        "kept, owed: candidates of a policy, scores of a critic; generate, read: tokens, estimated",
    ]
    if any(cell.longest for cell in made):
        lines.append("<=: responses that aren't there yet count as --max-tokens, the most they can have")
    if any(cell.hours is None or cell.dollars is None for cell in made):
        lines.append(f"n/a: nothing tells; of rates that weren't measured here, {HOW_TO_RATE}")
    return "\n".join(lines)


def _cost_row(cell: Cell) -> list[str]:
    most = "<= " if cell.longest else ""

    def amount(value: float | None, form: str) -> str:
        return "n/a" if value is None else f"{most if value else ''}{value:{form}}"

    return [
        cell.task,
        cell.row,
        ", ".join(cell.missing),
        f"{cell.kept:,}",
        f"{cell.owed:,}",
        amount(cell.generate, ","),
        amount(cell.read, ","),
        amount(cell.hours, ",.2f"),
        amount(cell.dollars, ",.2f"),
    ]

"""The commands that draw from a policy alone: candidates to keep, and step labels by Monte-Carlo continuation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from vpbench.base import BaseTask
from vpbench.errors import ConfigError
from vpbench.labels.continuation import MonteCarlo
from vpbench.labels.label import Labelling, label_task
from vpbench.labels.rules import Rule
from vpbench.models.checkpoint import NotFetched, without_fetching
from vpbench.plugins import Found
from vpbench.progress import bar
from vpbench.run.candidates import best_of_n_task, plan_drawing
from vpbench.run.draw import Drawing, sample_notes
from vpbench.run.judge import needs_judge
from vpbench.run.policy import Policies, SamplePlan, draw, export_pool, used
from vpbench.run.request import DEFAULT_SAMPLES, Request, drawing_of, requests
from vpbench.settings import from_options
from vpbench.terminal import printable


def sample_all(tasks: Sequence[str], export: Path | None, dry_run: bool, **options: Any) -> None:
    """Draw the candidates of every task, and say where they are. Raises `VpbenchError`."""
    asked = _asked(tasks, export, drawing_of(options, DEFAULT_SAMPLES), options)
    for _, request, planned in _planned(asked, dry_run):
        if dry_run:
            continue
        rows = draw(planned, request.max_error_rate, bar)
        for note in sample_notes(rows):
            echo(f"note      {note}")
        for name, value in used(planned).items():
            echo(f"used      {value:g} {name}")
        if export is not None:
            export_pool(planned, rows, export)
            echo(f"exported  {export}, for `vpbench run --pool`")


def label_all(
    tasks: Sequence[str], export: Path | None, solutions: int, rule: Rule, threshold: float, **options: Any
) -> None:
    """Label a policy's solutions of every task, and say where the rows are. Raises `VpbenchError`."""
    monte_carlo = from_options(MonteCarlo, options)
    if monte_carlo.early_exit and (rule != "value" or threshold > 0):
        raise ConfigError("--early-exit biases mc, so it is for --rule value and --mc-threshold 0 only")
    labelling = Labelling(monte_carlo, options["max_steps"], rule, threshold, options["grading"])
    asked = _asked(tasks, export, drawing_of(options, solutions), options)
    for found, _ in asked if labelling.grading == "official" else ():
        if needs_judge(best_of_n_task(found)):
            raise ConfigError(
                f"task {found.cls.name!r}: the official rule asks a language model about some responses, and "
                "`vpbench label` has none to ask; label it with --grading robust"
            )
    for found, request, planned in _planned(asked):
        path = label_task(
            best_of_n_task(found), planned, labelling, request.max_error_rate, request.output, bar, echo, export
        )
        echo(f"written to     {path}")


def _asked(
    tasks: Sequence[str], export: Path | None, drawing: Drawing, options: Mapping[str, Any]
) -> list[tuple[Found[BaseTask], Request]]:
    if export is not None and (len(tasks) > 1 or list(tasks) == ["all"]):
        raise ConfigError("--export writes one task's candidates or labels; give one --task")
    asked = requests(tasks, replace(from_options(Request, options), drawing=drawing), echo)
    for found, _ in asked:
        best_of_n_task(found)
    return asked


def _planned(
    asked: Sequence[tuple[Found[BaseTask], Request]], dry_run: bool = False
) -> Iterator[tuple[Found[BaseTask], Request, SamplePlan]]:
    """What is to be drawn for each task, told as it comes."""
    policies = Policies()
    for found, request in asked:
        with without_fetching() if dry_run else nullcontext():
            planned = plan_drawing(found, request, policies)
            assert planned is not None
            echo("\n".join([f"task      {found.cls.name}", *drawing_lines(planned)]))
        yield found, request, planned


def echo(text: str, err: bool = False) -> None:
    """Print what may hold words of a model or a server, on standard error if `err`."""
    click.echo(printable(text), err=err)


def drawing_lines(planned: SamplePlan) -> list[str]:
    """What is to be drawn, in words; of a policy that a dry run doesn't fetch, where it comes from."""
    drawing, sampling = planned.drawing, planned.drawing.sampling
    first = "candidate 0 greedy, " if drawing.first_greedy else ""
    try:
        policy, rows = f"{drawing.policy} {json.dumps(planned.generator.identity())}", [f"rows      {planned.folder}"]
    except NotFetched as error:
        policy, rows = str(error), []
    return [
        f"data      {planned.questions.origin}: {len(planned.conversations)} questions",
        f"policy    {policy}",
        f"sampling  {drawing.samples} candidates per question, {first}temperature {sampling.temperature:g}, "
        f"top-p {sampling.top_p:g}, at most {sampling.max_tokens} tokens, prompt {drawing.prompt}, seed {drawing.seed}",
        *rows,
    ]

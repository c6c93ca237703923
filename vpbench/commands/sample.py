"""What `vpbench sample` does: candidates drawn from a policy and kept, task by task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from vpbench.base import BaseTask
from vpbench.errors import ConfigError
from vpbench.generate import Sampling
from vpbench.models.checkpoint import without_fetching
from vpbench.plugins import Plugin
from vpbench.pools.write import export_pool
from vpbench.progress import bar
from vpbench.run.candidates import best_of_n_task, plan_drawing
from vpbench.run.draw import draw, sample_notes
from vpbench.run.models import Models
from vpbench.run.policy import Drawing, SamplePlan
from vpbench.run.request import DEFAULT_SAMPLES, Request, drawing_of, requests
from vpbench.settings import check_claimed, from_options


def sample_all(
    tasks: Sequence[str], export: Path | None, dry_run: bool, echo: Callable[[str], None], **options: Any
) -> None:
    """Draw the candidates of every task, and say where they are. Raises `VpbenchError`."""
    check_claimed(options, Request, Drawing, Sampling)
    drawing = drawing_of(options, options["samples"] or DEFAULT_SAMPLES)
    asked = drawing_requests(tasks, export, replace(from_options(Request, options), drawing=drawing), echo)
    for planned in plans(asked, echo, dry_run):
        if dry_run:
            continue
        candidates = draw(planned, options["max_error_rate"], bar)
        for note in sample_notes(planned, candidates):
            echo(f"note      {note}")
        for name, value in planned.used().items():
            echo(f"used      {value:g} {name}")
        if export is not None:
            export_pool(export, planned.task.name, planned.prompts, candidates)
            echo(f"exported  {export}, for `vpbench run --pool`")


def drawing_requests(
    tasks: Sequence[str], export: Path | None, request: Request, echo: Callable[[str], None]
) -> list[tuple[Plugin[BaseTask], Request]]:
    """Each task with its request.

    Raises `ConfigError` for a task that has no candidates to draw, and for several tasks with one file to write or a
    file named like a table.
    """
    if export is not None and (len(tasks) > 1 or list(tasks) == ["all"]):
        raise ConfigError("--export writes one task's candidates or labels; give one --task")
    if export is not None and export.name.removesuffix(".gz").endswith((".csv", ".tsv", ".xlsx", ".parquet")):
        raise ConfigError(f"--export {export}: the file is written as JSON lines; name it .jsonl or .jsonl.gz")
    asked = requests(tasks, request, echo)
    for plugin, _ in asked:
        best_of_n_task(plugin)
    return asked


def plans(
    asked: Sequence[tuple[Plugin[BaseTask], Request]], echo: Callable[[str], None], dry_run: bool = False
) -> Iterator[SamplePlan]:
    """What is to be drawn for each task, described to `echo` as it comes."""
    models = Models()
    for plugin, request in asked:
        with without_fetching() if dry_run else nullcontext():
            planned = plan_drawing(plugin, request, models)
            assert planned is not None, "sample and label always draw"
            echo("\n".join([f"task      {plugin.cls.name} (version {plugin.cls.version})", *planned.describe()]))
        yield planned

"""What `vpbench label` does: a policy's solutions labelled step by step, by Monte-Carlo continuation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vpbench.commands.sample import drawing_requests, plans
from vpbench.errors import ConfigError
from vpbench.generate import Sampling
from vpbench.labels.label import label_task
from vpbench.labels.labelling import Labelling, MonteCarlo
from vpbench.progress import bar
from vpbench.run.candidates import best_of_n_task
from vpbench.run.judge import needs_judge
from vpbench.run.policy import Drawing
from vpbench.run.request import Request, drawing_of
from vpbench.settings import check_claimed, from_options


def label_all(
    tasks: Sequence[str], export: Path | None, solutions: int, echo: Callable[[str], None], **options: Any
) -> None:
    """Label a policy's solutions of every task, and say where the rows are. Raises `VpbenchError`."""
    check_claimed(options, Request, Drawing, Sampling, Labelling, MonteCarlo)
    labelling = from_options(Labelling, {**options, "monte_carlo": from_options(MonteCarlo, options)})
    drawing = drawing_of(options, solutions)
    asked = drawing_requests(tasks, export, replace(from_options(Request, options), drawing=drawing), echo)
    for plugin, _ in asked if labelling.grading == "official" else ():
        if needs_judge(best_of_n_task(plugin)):
            raise ConfigError(
                f"task {plugin.cls.name!r}: the official rule asks a language model about some responses, and "
                "`vpbench label` has none to ask; label it with --grading robust"
            )
    for planned in plans(asked, echo):
        path = label_task(planned, labelling, options["max_error_rate"], bar, echo, export)
        echo(f"written to     {path}")

"""`vpbench run`: the run itself, its results under an overview of all, or what it would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vpbench import api
from vpbench.commands.dry_run import show_plans
from vpbench.commands.report import tables_of
from vpbench.errors import ConfigError
from vpbench.progress import bar
from vpbench.report.tables import render
from vpbench.run.request import Request
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
    output = Path(asked.get("output", Request.output))
    if dry_run:
        if style != "text":
            raise ConfigError("--dry-run has no table to print; leave out --format")
        show_plans(asked, output)
        return

    def tell(text: str) -> None:
        echo(text, err=style != "text")

    results = api.run(**asked, progress=bar, echo=tell, warn=_warn)
    if style != "text":
        echo(render(tables_of(results), style))
    tell(f"\n{len(results)} result{'s' * (len(results) != 1)} under {output}/results")

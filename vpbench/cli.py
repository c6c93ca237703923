"""The command line: parse, call, print; nothing else.

Every flag can be set by an environment variable, `--max-error-rate` by `VPBENCH_MAX_ERROR_RATE`. Whatever is heavy is
imported inside the commands, so that `vpbench --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from vpbench import __version__
from vpbench.errors import VpbenchError

Command = TypeVar("Command", bound=Callable[..., Any])


def _option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    flag = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "VPBENCH_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


def _words(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for text in value for word in text.split(",") if word)


def _numbers(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    try:
        numbers = tuple(int(word) for word in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers, such as 1,2,4,8") from error
    if min(numbers) < 1:
        raise click.BadParameter("N starts at 1")
    return tuple(sorted(set(numbers)))


def _settings(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    pairs = [word.partition("=") for text in value for word in text.split(",") if word]
    for name, sign, _text in pairs:
        if not sign:
            raise click.BadParameter(f"{name!r} is not of the form name=value")
    return {name.strip(): text for name, _sign, text in pairs}


class _Group(click.Group):
    """Prints the project's own errors as one message, without a traceback, and exits with their code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except VpbenchError as error:
            from vpbench.report.text import printable

            click.echo(f"vpbench: {printable(str(error))}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="vpbench")
def main() -> None:
    """Measure critics of multimodal reasoning: step detection, and what Best-of-N gains by them."""


_path = click.Path(path_type=Path)
_data = _option("--data", type=_path, help="Folder with the data set's own files, instead of the hub.")
_grading = _option("--grading", type=click.Choice(["robust", "official"]), default="robust", show_default=True,
                   help="robust: as a careful person reads; official: the benchmark's own rule.")  # fmt: skip
_output = _option("--output", type=_path, default=Path("runs"), show_default=True, help="Where runs are kept.")


@main.command()
@_option("--task", "tasks", multiple=True, required=True, callback=_words,
         help="Task name or ./file.py; repeat, give a list, or `all`.")  # fmt: skip
@_option("--critic", "critics", multiple=True, callback=_words, help="Critic name or ./file.py; repeat or give a list.")
@_option("--critic-model", help="The critic's checkpoint: a folder or a hub id.")
@_option("--critic-args", multiple=True, callback=_settings, help="The critic's settings, name=value,...")
@_option("--pool", type=_path, help="Candidates: JSONL (.gz), or another tool's file.")
@_option("--scores", type=_path, help="Scores from a file, instead of running a critic.")
@_data
@_grading
@_option("--trust-verdicts", is_flag=True, help="Use the pool's own `correct` and `prediction` instead of grading.")
@_option("--selection", type=click.Choice(["best", "vote", "weighted-vote"]), help="Default: the critic's own.")
@_option("--estimator", type=click.Choice(["expected", "prefix"]), default="expected", show_default=True,
         help="expected: exact mean over all n-subsets; prefix: the first n candidates, as papers do.")  # fmt: skip
@_option("--aggregate", default="mean", show_default=True, help="How step scores become one score.")
@_option("--n", "ns", callback=_numbers, help="Values of N, such as 1,2,4,8; default: powers of two and the pool size.")
@_option("--threshold", type=float, help="Step detection: a step is correct above it. Default: the critic's own.")
@_option("--limit", type=click.IntRange(1), help="Only the first K questions.")
@_option("--seed", type=int, default=0, show_default=True, help="Seed of resampling and of drawn subsets.")
@_option("--resamples", type=click.IntRange(100), default=10_000, show_default=True, help="Bootstrap resamples.")
@_option("--max-error-rate", type=click.FloatRange(0, 1), default=0.1, show_default=True,
         help="Stop when more than this share of rows can't be scored.")  # fmt: skip
@_output
@_option("--nano", is_flag=True, help="The miniature world instead of the benchmark's data; needs nothing else.")
@_option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
def run(**options: Any) -> None:
    """Run critics on tasks: grade, score, select, and report with intervals."""
    from vpbench.runner import run_all

    results = run_all(**options)
    if not options["dry_run"]:
        click.echo(f"\n{len(results)} result{'s' * (len(results) != 1)} under {options['output']}/results")


@main.command(name="list")
def list_plugins() -> None:
    """List the tasks and critics there are."""
    from vpbench.report.text import plugin_table

    click.echo(plugin_table())


@main.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a task's fact sheet or a critic's settings."""
    from vpbench.report.text import fact_sheet

    click.echo(fact_sheet(name))


@main.command()
@click.argument("task")
@_data
@_grading
def validate(task: str, data: Path | None, grading: Any) -> None:
    """Grade every gold answer of TASK (or `all`) and report those the grader itself rejects."""
    from vpbench.validate import validate_tasks

    if not validate_tasks(task, data, grading, click.echo):
        sys.exit(1)


@main.command()
@click.argument("folder", type=_path)
def conformance(folder: Path) -> None:
    """Grade the conformance files in FOLDER in both modes and compare with the verdicts they carry."""
    from vpbench.conformance import measure_conformance

    measure_conformance(folder, click.echo)


@main.command()
@click.argument("first", type=_path)
@click.argument("second", type=_path)
def compare(first: Path, second: Path) -> None:
    """Compare two results: SECOND minus FIRST, paired over questions."""
    from vpbench.report.compare import compare as compare_results

    click.echo(compare_results(first, second).text())


@main.command()
@click.argument("baseline", type=_path)
@click.argument("result", type=_path)
def check(baseline: Path, result: Path) -> None:
    """For CI: exit 0 if RESULT holds against BASELINE, 1 if it regressed, 2 if they can't be compared."""
    from vpbench.report.compare import compare as compare_results

    compared = compare_results(baseline, result)
    click.echo(compared.text())
    click.echo("regressed" if compared.regressed else "held")
    sys.exit(1 if compared.regressed else 0)


@main.command()
@_output
@_option("--site", type=_path, default=Path("leaderboard"), show_default=True, help="Folder the page is written to.")
def leaderboard(output: Path, site: Path) -> None:
    """Write the leaderboard page over all results."""
    from vpbench.report.leaderboard import build_leaderboard

    page, count = build_leaderboard(output, site)
    click.echo(f"{count} result{'s' * (count != 1)} in {page}")

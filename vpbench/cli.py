"""The command line: parse, call, print; nothing else.

Every flag can be set by an environment variable, `--max-error-rate` by `VPBENCH_MAX_ERROR_RATE`. Whatever is heavy is
imported inside the commands, so that `vpbench --help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from vpbench import __version__
from vpbench.commands import options as opt
from vpbench.commands.group import CommandGroup
from vpbench.commands.run_options import running


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="vpbench")
def main() -> None:
    """Measure critics of multimodal reasoning: step detection, and what Best-of-N gains by them."""


@main.command()
@click.argument("study_file", metavar="[STUDY]", required=False)
@opt.option("--study", metavar="NAME", help="A study that ships with vpbench, or its file; flags come before it.")
@running
@opt.style
def run(study_file: str | None, study: str | None, **options: Any) -> None:
    """Run critics on tasks: grade, score, select, and report with intervals; STUDY is a file that says which.

    \b
      name: my-study                     tasks: all
      candidates: pools/                 (TASK.jsonl.gz; or policy: MODEL)
      critics:
        ours: {critic: NAME, model: ./checkpoint-2000}
        theirs: {scores: scores/}        (TASK.jsonl)
      n: [1, 8, 128]                     and most options below, with _ for -
    """
    from vpbench.commands.run import run_all

    if study_file is not None and study is not None:
        raise click.UsageError(f"two studies, {study_file} and {study}; give one")
    run_all(study_file or study, opt.given(options))


@main.command()
@opt.tasks
@opt.option("--policy", required=True, help="BACKEND:MODEL, or a folder or hub id for transformers.")
@opt.drawing
@opt.data
@opt.limit
@opt.option("--seed", type=int, default=0, show_default=True, help="Seed of drawing.")
@opt.max_error_rate
@opt.budgeted
@opt.output
@opt.option("--export", type=opt.path, help="Write the candidates to this file too: JSONL (.gz), as --pool reads it.")
@opt.nano
@opt.dry_run
def sample(**options: Any) -> None:
    """Draw candidates from a policy; the same command continues what was stopped, and adds samples."""
    from vpbench.commands.sample import sample_all
    from vpbench.terminal import echo

    sample_all(**options, echo=echo)


@main.command()
@opt.tasks
@opt.option("--policy", required=True, help="BACKEND:MODEL, or a folder or hub id for transformers.")
@opt.option("--policy-args", multiple=True, callback=opt.settings, help="The policy's settings, name=value,...")
@opt.option("--solutions", type=click.IntRange(1), default=4, show_default=True, help="Solutions per question.")
@opt.option("--continuations", type=click.IntRange(1), default=16, show_default=True, help="Per distinct step prefix.")
@opt.option(
    "--max-steps", type=click.IntRange(1), default=12, show_default=True, help="Merge solutions to so many steps."
)
@opt.option(
    "--rule",
    type=click.Choice(["value", "advantage"]),
    default="value",
    show_default=True,
    help="value: correct where mc > threshold; advantage: by the sign of the change of mc.",
)
@opt.option(
    "--mc-threshold",
    "threshold",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="The threshold of --rule value.",
)
@opt.option("--early-stop", is_flag=True, help="Continue nothing after a step worth 0.")
@opt.option("--early-exit", is_flag=True, help="Continue a prefix only until it is right once; biases mc, not mc > 0.")
@opt.option(
    "--temperature",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of solutions and continuations.",
)
@opt.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Draw from the likeliest tokens of this total probability.",
)
@opt.max_tokens
@opt.prompt
@opt.data
@opt.grading
@opt.limit
@opt.option("--seed", type=int, default=0, show_default=True, help="Seed of drawing.")
@opt.max_error_rate
@opt.budgeted
@opt.output
@opt.option("--export", type=opt.path, help="The file to write; default: solutions.jsonl in a folder under --output.")
@opt.nano
def label(**options: Any) -> None:
    """Label the steps of a policy's solutions by Monte-Carlo continuation, as raw rows for training."""
    from vpbench.commands.label import label_all
    from vpbench.terminal import echo

    label_all(**options, echo=echo)


@main.command()
@opt.option("--critic", required=True, help="Critic name or ./file.py; one that has a recipe.")
@opt.option(
    "--critic-args",
    multiple=True,
    callback=opt.settings,
    help="The critic's settings that write its prompts: setting=value,...; to be given again when it scores.",
)
@opt.option("--model", required=True, help="The base: a folder or a hub id.")
@opt.option(
    "--data",
    multiple=True,
    required=True,
    callback=opt.words,
    help="JSONL of labelled solutions, such as `vpbench label` writes; repeat or give a list.",
)
@opt.training
@opt.dry_run
def train(**options: Any) -> None:
    """Train a critic by its recipe; what isn't given here is as the recipe has it."""
    from vpbench.commands.train import train_from_options

    train_from_options(options, click.echo)


@main.command(name="list")
@opt.style
def list_plugins(style: Any) -> None:
    """List the tasks and critics there are."""
    from vpbench.commands.show import plugin_tables

    click.echo(plugin_tables(style))


@main.command()
@click.argument("name")
@opt.style
def show(name: str, style: Any) -> None:
    """Show a task's fact sheet or a critic's settings."""
    from vpbench.commands.show import fact_sheet

    click.echo(fact_sheet(name, style))


@main.command()
@click.argument("task")
@opt.data
@opt.grading
def validate(task: str, data: Path | None, grading: Any) -> None:
    """Grade every gold answer of TASK (or `all`) and report those the grader itself rejects."""
    from vpbench.commands.validate import validate_tasks

    if not validate_tasks(task, data, grading, click.echo):
        sys.exit(1)


@main.command()
@click.argument("result", type=opt.path, required=False)
@opt.option("--task", help="Task name or ./file.py, with --response.")
@opt.option("--id", required=True, help="The question's id.")
@opt.option("--response", type=opt.path, help="A file with the response; - for standard input.")
@opt.option("--index", type=click.IntRange(0), help="The candidate of RESULT; default: the first, 0.")
@opt.data
@opt.nano
@opt.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How it is printed.",
)
def explain(**options: Any) -> None:
    """Show how a response is read, by which rules, and what it is compared with, in both gradings.

    The response is a file's, or that of a candidate of RESULT, a result's folder.
    """
    from vpbench.commands.explain import explain as explained

    click.echo(explained(**options))


@main.group()
def nano() -> None:
    """The miniature world: drawn questions and tiny models."""


@nano.command(name="build")
@opt.option(
    "--into",
    type=opt.path,
    default=Path("nano-build"),
    show_default=True,
    help="Folder for data and models, new or empty.",
)
def build_nano(into: Path) -> None:
    """Train the tiny models and draw the questions and candidates from nothing; takes most of an hour on a CPU."""
    from vpbench.nano.build import build

    build(into, click.echo)


@main.group()
def ablate() -> None:
    """What each choice in making and using a critic is worth."""


@ablate.command(name="nano")
@opt.option(
    "--output", type=opt.path, default=Path("runs/ablation"), show_default=True, help="Folder for tables and rows."
)
def ablate_nano(output: Path) -> None:
    """The ablations of arXiv 2503.10291 in the miniature world; about an hour on a CPU, goes on where it stopped."""
    from vpbench.ablate.run import ablate as ablate_all

    for path in ablate_all(output, click.echo):
        click.echo(f"written to     {path}")


@ablate.command(name="gates")
@click.argument("critics", metavar="[CRITIC]...", nargs=-1)
@opt.option(
    "--output", type=opt.path, default=Path("runs/gates"), show_default=True, help="Folder for verdicts and scores."
)
def ablate_gates(critics: tuple[str, ...], output: Path) -> None:
    """What has to hold in the miniature world: the first CRITIC beside the others; default: those it has models for."""
    from vpbench.ablate.gates import gates

    gates(critics, output, click.echo)


@ablate.command(name="misconceptions")
@opt.option("--seed", type=int, multiple=True, default=(0, 1, 2), show_default=True, help="A whole world; repeatable.")
@opt.option(
    "--output",
    type=opt.path,
    default=Path("runs/misconceptions"),
    show_default=True,
    help="Folder for page and models.",
)
def ablate_misconceptions(seed: tuple[int, ...], output: Path) -> None:
    """Critics of a policy that reads wrong as often as right, from nothing, and the page on what they are worth."""
    from vpbench.ablate.misconceptions import misconceptions

    click.echo(f"written to     {misconceptions(output, seed, click.echo)}")


@main.command()
@click.argument("folder", type=opt.path)
def conformance(folder: Path) -> None:
    """Grade the conformance files in FOLDER in both modes and compare with the verdicts they carry."""
    from vpbench.commands.conformance import measure_conformance

    measure_conformance(folder, click.echo)


@main.command()
@click.argument("first", type=opt.path)
@click.argument("second", type=opt.path)
@opt.style
def compare(first: Path, second: Path, style: Any) -> None:
    """Compare two results, runs or studies: SECOND minus FIRST, paired over questions; all that differs is named.

    The results of runs and studies are paired by task and critic, and each critic's mean of tasks stands on top.
    """
    from vpbench.commands.compare import compare_folders

    compare_folders(first, second, style)


@main.command()
@click.argument("baseline", type=opt.path)
@click.argument("result", type=opt.path)
@opt.smallest_loss
@opt.style
def check(baseline: Path, result: Path, smallest_loss: float, style: Any) -> None:
    """For CI: exit 0 if RESULT holds against BASELINE, 1 if it regressed, 2 if they can't be compared.

    RESULT regressed if at any N (step detection: at the fixed or at held-out thresholds) the whole 95% interval of the
    paired difference is below 0, p is below 5% after Holm's correction over all of them, and the loss is at least
    --smallest-loss. The smallest loss that the questions could show is printed: a true loss of that size is found in 4
    of 5 cases. Of runs and studies there is one verdict, over the mean of tasks and every task, at N = 8 and the
    largest; a result of BASELINE that RESULT lacks can't be compared.
    """
    from vpbench.commands.compare import check_folders

    sys.exit(0 if check_folders(baseline, result, smallest_loss, style) else 1)


@main.command()
@opt.output
@opt.option(
    "--site", type=opt.path, default=Path("leaderboard"), show_default=True, help="Folder the pages are written to."
)
@opt.option(
    "--public",
    is_flag=True,
    help="Leave out images and questions of data sets whose licence doesn't let everybody show them.",
)
@opt.style
def leaderboard(output: Path, site: Path, public: bool, style: Any) -> None:
    """Write the leaderboard's pages: an overview of all results, and a page for each."""
    from vpbench.commands.leaderboard import show_leaderboard

    show_leaderboard(output, site, style, public)


@main.command()
@click.argument("runs", type=opt.path, default=Path("runs"))
@opt.option("--port", type=click.IntRange(0, 65535), default=7575, show_default=True, help="0: any that is free.")
@opt.option("--no-browser", is_flag=True, help="Open no browser; only say where the pages are.")
def view(runs: Path, port: int, no_browser: bool) -> None:
    """Look at the results in RUNS (default: runs), also while a run goes on: pages on this machine, read-only."""
    from vpbench.commands.view import view_runs

    view_runs(runs, port, not no_browser)


@main.command()
@click.argument("runs", type=opt.path)
@opt.style
@opt.option("--plots", type=opt.path, help="Draw figures for a paper into this folder: SVG, PDF and PNG.")
@opt.option(
    "--export", type=click.Choice(["lm-eval", "every-eval-ever"]), help="Write the results as this tool has them."
)
@opt.option("--into", type=opt.path, help="The folder that --export writes to.")
def report(runs: Path, style: Any, plots: Path | None, export: Any, into: Path | None) -> None:
    """Print the results in RUNS again: one result's folder, a run's, or a folder of results. Nothing is run."""
    from vpbench.commands.report import report_runs

    report_runs(runs, style, plots, export, into)


@main.command()
@click.argument("table", required=False)
@opt.option("--runs", type=opt.path, help="Folder of the results to show beside it; default: runs, if there are any.")
@opt.style
# its variable isn't that of the study to read
@opt.option(
    "--write-study",
    "--study",
    "study",
    type=opt.path,
    help="Write the study that would fill the TABLE to this file, for `vpbench run FILE`.",
)
def reproduce(table: str | None, runs: Path | None, style: Any, study: Path | None) -> None:
    """Show a published TABLE beside what was measured, and why they can't be compared; without TABLE, list them.

    As csv and json it has a row per figure.
    """
    from vpbench.commands.reproduce import list_tables, reproduced, write_study
    from vpbench.terminal import echo

    if table is None and study is not None:
        raise click.UsageError("--study needs a TABLE; `vpbench reproduce` lists them")
    echo(list_tables(style) if table is None else reproduced(table, runs, style))
    if table is not None and study is not None:
        echo(write_study(table, runs, study), err=True)

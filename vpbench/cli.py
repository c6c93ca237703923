"""The command line: parse, call, print; nothing else.

Every flag can be set by an environment variable, `--max-error-rate` by `VPBENCH_MAX_ERROR_RATE`. Whatever is heavy is
imported inside the commands, so that `vpbench --help` answers at once.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from vpbench import __version__
from vpbench.commands.group import Group

Command = TypeVar("Command", bound=Callable[..., Any])


def _option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    flag = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "VPBENCH_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


def _words(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.strip() for text in value for word in text.split(",") if word.strip())


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


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="vpbench")
def main() -> None:
    """Measure critics of multimodal reasoning: step detection, and what Best-of-N gains by them."""


_path = click.Path(path_type=Path)
_data = _option(
    "--data", type=_path, help="Folder with the data set's own files, not the hub; `all`: one for each task in it."
)
_grading = _option(
    "--grading",
    type=click.Choice(["robust", "official"]),
    default="robust",
    show_default=True,
    help="robust: as a careful person reads; official: the benchmark's own rule.",
)
_output = _option("--output", type=_path, default=Path("runs"), show_default=True, help="Where runs are kept.")
_tasks = _option(
    "--task",
    "tasks",
    multiple=True,
    required=True,
    callback=_words,
    help="Task name or ./file.py; repeat, give a list, or `all`.",
)
_limit = _option("--limit", type=click.IntRange(1), help="Only the first K questions.")
_max_error_rate = _option(
    "--max-error-rate",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Stop when more than this share of rows can't be drawn, judged or scored.",
)
_BUDGET = (
    _option(
        "--max-cost", type=click.FloatRange(0, min_open=True), help="Stop asking endpoints at this many US dollars."
    ),
    _option("--max-total-tokens", type=click.IntRange(1), help="Stop asking endpoints at this many tokens."),
)


def _budgeted(command: Command) -> Command:
    """Gives the command a budget for all that it asks of endpoints."""

    @functools.wraps(command)
    def within(max_cost: float | None, max_total_tokens: int | None, **options: Any) -> Any:
        from vpbench.endpoint.budget import budget

        with budget(max_cost, max_total_tokens):
            return command(**options)

    for option in reversed(_BUDGET):
        within = option(within)
    return cast(Command, within)


_nano = _option("--nano", is_flag=True, help="The miniature world instead of the benchmark's data; needs nothing else.")
_dry_run = _option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
_DRAWING = (
    _option("--policy-args", multiple=True, callback=_settings, help="The policy's settings, name=value,..."),
    _option(
        "--samples",
        type=click.IntRange(1),
        help="Candidates per question; default: 128, for `run` the largest of --n where that is given.",
    ),
    _option("--temperature", type=click.FloatRange(0), default=0.7, show_default=True, help="0: greedy."),
    _option(
        "--top-p",
        type=click.FloatRange(0, 1, min_open=True),
        default=0.95,
        show_default=True,
        help="Draw from the likeliest tokens of this total probability.",
    ),
    _option("--max-tokens", type=click.IntRange(1), default=4096, show_default=True, help="Longest response."),
    _option("--first-greedy", is_flag=True, help="Candidate 0 is the greedy response."),
    _option(
        "--prompt",
        type=click.Choice(["chain-of-thought", "question"]),
        default="chain-of-thought",
        show_default=True,
        help="Ask for steps and an answer line, or put the bare question.",
    ),
)


def _drawing(command: Command) -> Command:
    for option in reversed(_DRAWING):
        command = option(command)
    return command


@main.command()
@_tasks
@_option("--critic", "critics", multiple=True, callback=_words, help="Critic name or ./file.py; repeat or give a list.")
@_option("--critic-model", help="The critic's checkpoint: a folder or a hub id.")
@_option("--critic-args", multiple=True, callback=_settings, help="The critic's settings, name=value,...")
@_option(
    "--released-tokenization",
    is_flag=True,
    help="Let special tokens typed in questions and responses act, as released scorers do.",
)
@_option("--pool", type=_path, help="Candidates: JSONL (.gz), or another tool's file.")
@_option("--policy", help="Draw the candidates: BACKEND:MODEL, or a folder or hub id for transformers.")
@_drawing
@_option("--scores", type=_path, help="Scores from a file, instead of running a critic.")
@_data
@_grading
@_option("--judge", help="Official grading: the language model to ask where the rule asks one, BACKEND:MODEL.")
@_option("--judge-args", multiple=True, callback=_settings, help="The judge's settings, name=value,...")
@_option(
    "--short-pools",
    type=click.Choice(["refuse", "leave-out"]),
    default="refuse",
    show_default=True,
    help="Questions with fewer candidates than the others, or than --n.",
)
@_option("--allow-mismatch", is_flag=True, help="Take a pool or scores that say another question than the data.")
@_option("--trust-verdicts", is_flag=True, help="Use the pool's own `correct` and `prediction` instead of grading.")
@_option("--selection", type=click.Choice(["best", "vote", "weighted-vote"]), help="Default: the critic's own.")
@_option(
    "--estimator",
    type=click.Choice(["expected", "prefix"]),
    default="expected",
    show_default=True,
    help="expected: exact mean over all n-subsets; prefix: the first n candidates, as papers do.",
)
@_option(
    "--aggregate",
    default="mean",
    show_default=True,
    help="Step scores to one score: mean, min, max, last, product, geometric-mean, log-odds-sum.",
)
@_option("--link", type=click.Choice(["sigmoid"]), help="Weighted vote: make weights of scores that can be negative.")
@_option("--n", "ns", callback=_numbers, help="Values of N, such as 1,2,4,8; default: powers of two and the pool size.")
@_option("--threshold", type=float, help="Step detection: a step is correct above it. Default: the critic's own.")
@_limit
@_option("--seed", type=int, default=0, show_default=True, help="Seed of drawing, resampling and drawn subsets.")
@_option("--resamples", type=click.IntRange(100), default=10_000, show_default=True, help="Bootstrap resamples.")
@_max_error_rate
@_budgeted
@_output
@_nano
@_dry_run
def run(**options: Any) -> None:
    """Run critics on tasks: grade, score, select, and report with intervals."""
    from vpbench.commands.run import run_all

    count = run_all(**options)
    if not options["dry_run"]:
        click.echo(f"\n{count} result{'s' * (count != 1)} under {options['output']}/results")


@main.command()
@_tasks
@_option("--policy", required=True, help="BACKEND:MODEL, or a folder or hub id for transformers.")
@_drawing
@_data
@_limit
@_option("--seed", type=int, default=0, show_default=True, help="Seed of drawing.")
@_max_error_rate
@_budgeted
@_output
@_option("--export", type=_path, help="Write the candidates to this file too: JSONL (.gz), as --pool reads it.")
@_nano
@_dry_run
def sample(**options: Any) -> None:
    """Draw candidates from a policy; the same command continues what was stopped, and adds samples."""
    from vpbench.commands.sample import sample_all
    from vpbench.terminal import echo

    sample_all(**options, echo=echo)


@main.command()
@_tasks
@_option("--policy", required=True, help="BACKEND:MODEL, or a folder or hub id for transformers.")
@_option("--policy-args", multiple=True, callback=_settings, help="The policy's settings, name=value,...")
@_option("--solutions", type=click.IntRange(1), default=4, show_default=True, help="Solutions per question.")
@_option("--continuations", type=click.IntRange(1), default=16, show_default=True, help="Per distinct step prefix.")
@_option("--max-steps", type=click.IntRange(1), default=12, show_default=True, help="Merge solutions to so many steps.")
@_option(
    "--rule",
    type=click.Choice(["value", "advantage"]),
    default="value",
    show_default=True,
    help="value: correct where mc > threshold; advantage: by the sign of the change of mc.",
)
@_option(
    "--mc-threshold",
    "threshold",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="The threshold of --rule value.",
)
@_option("--early-stop", is_flag=True, help="Continue nothing after a step worth 0.")
@_option("--early-exit", is_flag=True, help="Continue a prefix only until it is right once; biases mc, not mc > 0.")
@_option(
    "--temperature",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of solutions and continuations.",
)
@_option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Draw from the likeliest tokens of this total probability.",
)
@_option("--max-tokens", type=click.IntRange(1), default=4096, show_default=True, help="Longest response.")
@_option(
    "--prompt",
    type=click.Choice(["chain-of-thought", "question"]),
    default="chain-of-thought",
    show_default=True,
    help="Ask for steps and an answer line, or put the bare question.",
)
@_data
@_grading
@_limit
@_option("--seed", type=int, default=0, show_default=True, help="Seed of drawing.")
@_max_error_rate
@_budgeted
@_output
@_option("--export", type=_path, help="The file to write; default: solutions.jsonl in a folder under --output.")
@_nano
def label(**options: Any) -> None:
    """Label the steps of a policy's solutions by Monte-Carlo continuation, as raw rows for training."""
    from vpbench.commands.label import label_all
    from vpbench.terminal import echo

    label_all(**options, echo=echo)


_TRAINING = (
    _option("--label-rule", type=click.Choice(["value", "advantage"]), help="How raw mc becomes a label."),
    _option("--mc-threshold", type=click.FloatRange(0, 1), help="A step is correct where mc is above it."),
    _option("--until-first-error/--all-steps", default=None, help="Learn steps up to the first incorrect one."),
    _option("--class-weights/--no-class-weights", default=None, help="Both labels weigh the same in total."),
    _option("--epochs", type=click.IntRange(1), help="Passes over the data."),
    _option("--learning-rate", type=click.FloatRange(0, min_open=True), help="The highest, after the warm-up."),
    _option("--weight-decay", type=click.FloatRange(0), help="AdamW's, of all but biases and norms."),
    _option("--warmup", type=click.FloatRange(0, 1, max_open=True), help="Share of the steps."),
    _option("--batch-size", type=click.IntRange(1), help="Solutions per optimiser step, over all processes."),
    _option("--batch-tokens", type=click.IntRange(1), help="Tokens that one process runs at once."),
    _option("--max-tiles", type=click.IntRange(1), help="Tiles of an image."),
    _option("--freeze-vision/--no-freeze-vision", default=None, help="Leave the vision tower as it is."),
    _option("--lora-rank", type=click.IntRange(0), help="Train adapters of this rank; merged at the end."),
    _option("--bf16/--fp32", default=None, help="Compute in bfloat16; weights and optimiser stay in float32."),
    _option("--gradient-checkpointing/--no-gradient-checkpointing", default=None, help="Less memory, more time."),
    _option("--packing/--no-packing", default=None, help="Solutions in one row, no padding; default: on a GPU."),
    _option("--seed", type=int, help="Seed of the order and of new weights."),
    _option("--output", type=_path, required=True, help="Folder for checkpoints and the trained critic."),
    _option("--eval-data", type=_path, help="Labelled solutions to measure macro-F1 on while training."),
    _option("--eval-every", type=click.IntRange(1), help="Steps; default: ten times in the run."),
    _option("--save-every", type=click.IntRange(1), default=200, show_default=True, help="Steps per checkpoint."),
    _option("--resume", is_flag=True, help="Go on from the last checkpoint in --output."),
    _option("--fsdp", is_flag=True, help="Shard weights and optimiser over the processes of torchrun."),
)


def _training(command: Command) -> Command:
    for option in reversed(_TRAINING):
        command = option(command)
    return command


@main.command()
@_option("--critic", required=True, help="Critic name or ./file.py; one that has a recipe.")
@_option("--model", required=True, help="The base: a folder or a hub id.")
@_option(
    "--data",
    multiple=True,
    required=True,
    callback=_words,
    help="JSONL of labelled solutions, such as `vpbench label` writes; repeat or give a list.",
)
@_training
@_dry_run
def train(**options: Any) -> None:
    """Train a critic by its recipe; what isn't given here is as the recipe has it."""
    from vpbench.commands.train import train_from_options

    train_from_options(options, click.echo)


@main.command(name="list")
def list_plugins() -> None:
    """List the tasks and critics there are."""
    from vpbench.commands.show import plugin_table

    click.echo(plugin_table())


@main.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a task's fact sheet or a critic's settings."""
    from vpbench.commands.show import fact_sheet

    click.echo(fact_sheet(name))


@main.command()
@click.argument("task")
@_data
@_grading
def validate(task: str, data: Path | None, grading: Any) -> None:
    """Grade every gold answer of TASK (or `all`) and report those the grader itself rejects."""
    from vpbench.commands.validate import validate_tasks

    if not validate_tasks(task, data, grading, click.echo):
        sys.exit(1)


@main.group()
def nano() -> None:
    """The miniature world: drawn questions and tiny models."""


@nano.command(name="build")
@_option(
    "--into",
    type=_path,
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
@_option("--output", type=_path, default=Path("runs/ablation"), show_default=True, help="Folder for tables and rows.")
def ablate_nano(output: Path) -> None:
    """The ablations of arXiv 2503.10291 in the miniature world; about an hour on a CPU, goes on where it stopped."""
    from vpbench.ablate.run import ablate as ablate_all

    for path in ablate_all(output, click.echo):
        click.echo(f"written to     {path}")


@ablate.command(name="gates")
@click.argument("critics", metavar="[CRITIC]...", nargs=-1)
@_option("--output", type=_path, default=Path("runs/gates"), show_default=True, help="Folder for verdicts and scores.")
def ablate_gates(critics: tuple[str, ...], output: Path) -> None:
    """What has to hold in the miniature world: the first CRITIC beside the others; default: those it has models for."""
    from vpbench.ablate.gates import gates

    gates(critics, output, click.echo)


@main.command()
@click.argument("folder", type=_path)
def conformance(folder: Path) -> None:
    """Grade the conformance files in FOLDER in both modes and compare with the verdicts they carry."""
    from vpbench.commands.conformance import measure_conformance

    measure_conformance(folder, click.echo)


@main.command()
@click.argument("first", type=_path)
@click.argument("second", type=_path)
def compare(first: Path, second: Path) -> None:
    """Compare two results: SECOND minus FIRST, paired over questions; every setting in which they differ is named."""
    from vpbench.commands.compare import compare_folders

    compare_folders(first, second)


@main.command()
@click.argument("baseline", type=_path)
@click.argument("result", type=_path)
@_option(
    "--smallest-loss",
    type=click.FloatRange(0, 100),
    default=0.0,
    show_default=True,
    metavar="POINTS",
    help="Percentage points; a smaller loss is no regression, however significant.",
)
def check(baseline: Path, result: Path, smallest_loss: float) -> None:
    """For CI: exit 0 if RESULT holds against BASELINE, 1 if it regressed, 2 if they can't be compared.

    RESULT regressed if at any N (step detection: at the fixed or at held-out thresholds) the whole 95% interval of the
    paired difference is below 0, p is below 5% after Holm's correction over all of them, and the loss is at least
    --smallest-loss. The smallest loss that the questions could show is printed: a true loss of that size is found in 4
    of 5 cases.
    """
    from vpbench.commands.compare import check_folders

    sys.exit(0 if check_folders(baseline, result, smallest_loss) else 1)


@main.command()
@_output
@_option("--site", type=_path, default=Path("leaderboard"), show_default=True, help="Folder the page is written to.")
def leaderboard(output: Path, site: Path) -> None:
    """Write the leaderboard page over all results."""
    from vpbench.site.leaderboard import build_leaderboard

    page, count = build_leaderboard(output, site)
    click.echo(f"{count} result{'s' * (count != 1)} in {page}")

"""The options of the commands: what several commands share, and how their words are read.

Every flag can be set by an environment variable, `--max-error-rate` by `VPBENCH_MAX_ERROR_RATE`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

from vpbench.terminal import FORMATS

Command = TypeVar("Command", bound=Callable[..., Any])


def option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """An option of click's with its environment variable."""
    flag = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "VPBENCH_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


def words(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Words, repeated or with commas between them."""
    return tuple(word.strip() for text in value for word in text.split(",") if word.strip())


def numbers(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Whole numbers from 1, in order."""
    if value is None:
        return None
    try:
        numbers = tuple(int(word) for word in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers, such as 1,2,4,8") from error
    if min(numbers) < 1:
        raise click.BadParameter("N starts at 1")
    return tuple(sorted(set(numbers)))


def settings(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """Pairs name=value, repeated (the last of a name counts) or with commas between them (where it may stand once)."""
    pairs: dict[str, str] = {}
    for words in value:
        names = set[str]()
        for word in filter(None, words.split(",")):
            name, sign, text = word.partition("=")
            if not sign:
                raise click.BadParameter(f"{name!r} is not of the form name=value")
            if name.strip() in names:
                raise click.BadParameter(f"{name.strip()!r} stands twice in {words!r}; give it once")
            names.add(name.strip())
            pairs[name.strip()] = text
    return pairs


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Those of the running command's options that somebody set, on the command line or in the environment."""
    source = click.get_current_context().get_parameter_source
    return {name: value for name, value in options.items() if source(name) is not ParameterSource.DEFAULT}


path = click.Path(path_type=Path)
data = option(
    "--data",
    type=path,
    help="Folder with the data set's own files, not the hub; for several tasks: one for each in it.",
)
grading = option(
    "--grading",
    type=click.Choice(["robust", "official"]),
    default="robust",
    show_default=True,
    help="robust: as a careful person reads; official: the benchmark's own rule.",
)
output = option("--output", type=path, default=Path("runs"), show_default=True, help="Where runs are kept.")
tasks = option(
    "--task",
    "tasks",
    multiple=True,
    required=True,
    callback=words,
    help=(_TASKS := "Task name or ./file.py; repeat, give a list, or `all`, or `text`."),
)
style = option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How tables are printed; other than as text, standard output holds them alone.",
)
study_tasks = option("--task", "tasks", multiple=True, callback=words, help=_TASKS)
smallest_loss = option(
    "--smallest-loss",
    type=click.FloatRange(0, 100),
    default=0.0,
    show_default=True,
    metavar="POINTS",
    help="Percentage points; a smaller loss is no regression, however significant.",
)
limit = option("--limit", type=click.IntRange(1), help="Only the first K questions.")
max_error_rate = option(
    "--max-error-rate",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Stop when more than this share of rows can't be drawn, judged or scored.",
)
BUDGET = (
    option(
        "--max-cost", type=click.FloatRange(0, min_open=True), help="Stop asking endpoints at this many US dollars."
    ),
    option("--max-total-tokens", type=click.IntRange(1), help="Stop asking endpoints at this many tokens."),
)


def budget_limits(command: Command) -> Command:
    """Gives the command the options of a budget, for it to keep itself."""
    for add in reversed(BUDGET):
        command = add(command)
    return command


def budgeted(command: Command) -> Command:
    """Gives the command a budget for all that it asks of endpoints."""

    @functools.wraps(command)
    def within(max_cost: float | None, max_total_tokens: int | None, **options: Any) -> Any:
        from vpbench.endpoint.budget import budget

        with budget(max_cost, max_total_tokens):
            return command(**options)

    return cast(Command, budget_limits(within))


nano = option("--nano", is_flag=True, help="The miniature world instead of the benchmark's data; needs nothing else.")
rates = option(
    "--rates",
    multiple=True,
    callback=settings,
    metavar="NAME=NUMBER",
    help="What estimates go by, not earlier runs: generate=TOKENS_PER_S,read=TOKENS_PER_S,gpu-hour=DOLLARS.",
)
dry_run = option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
max_tokens = option("--max-tokens", type=click.IntRange(1), default=4096, show_default=True, help="Longest response.")
prompt = option(
    "--prompt",
    type=click.Choice(["chain-of-thought", "question"]),
    default="chain-of-thought",
    show_default=True,
    help="Ask for steps and an answer line, or put the bare question.",
)
DRAWING = (
    option("--policy-args", multiple=True, callback=settings, help="The policy's settings, name=value,..."),
    option(
        "--samples",
        type=click.IntRange(1),
        help="Candidates per question; default: for `run` the largest of --n, or the critic's own policy's; else 128.",
    ),
    option("--temperature", type=click.FloatRange(0), default=0.7, show_default=True, help="0: greedy."),
    option(
        "--top-p",
        type=click.FloatRange(0, 1, min_open=True),
        default=0.95,
        show_default=True,
        help="Draw from the likeliest tokens of this total probability.",
    ),
    max_tokens,
    option("--first-greedy", is_flag=True, help="Candidate 0 is the greedy response."),
    prompt,
)


def drawing(command: Command) -> Command:
    """Gives the command the options of how candidates are drawn."""
    for add in reversed(DRAWING):
        command = add(command)
    return command


TRAINING = (
    option("--label-rule", type=click.Choice(["value", "advantage"]), help="How raw mc becomes a label."),
    option("--mc-threshold", type=click.FloatRange(0, 1), help="A step is correct where mc is above it."),
    option("--until-first-error/--all-steps", default=None, help="Learn steps up to the first incorrect one."),
    option("--class-weights/--no-class-weights", default=None, help="Both labels weigh the same in total."),
    option("--epochs", type=click.IntRange(1), help="Passes over the data."),
    option("--tokens", type=click.IntRange(1), help="End with the step that reaches so many; default: all epochs."),
    option("--learning-rate", type=click.FloatRange(0, min_open=True), help="The highest, after the warm-up."),
    option("--weight-decay", type=click.FloatRange(0), help="AdamW's, of all but biases and norms."),
    option("--warmup", type=click.FloatRange(0, 1, max_open=True), help="Share of the steps."),
    option("--batch-size", type=click.IntRange(1), help="Solutions per optimiser step, over all processes."),
    option("--batch-tokens", type=click.IntRange(1), help="Tokens that one process runs at once."),
    option("--max-tiles", type=click.IntRange(1), help="Tiles of an image."),
    option("--freeze-vision/--no-freeze-vision", default=None, help="Leave the vision tower as it is."),
    option("--frozen-layers", type=click.IntRange(0), help="Leave embeddings and so many lowest layers as they are."),
    option("--lora-rank", type=click.IntRange(0), help="Train adapters of this rank; merged at the end."),
    option("--bf16/--fp32", default=None, help="Compute in bfloat16; weights and optimiser stay in float32."),
    option("--gradient-checkpointing/--no-gradient-checkpointing", default=None, help="Less memory, more time."),
    option("--packing/--no-packing", default=None, help="Solutions in one row, no padding; default: on a GPU."),
    option("--seed", type=int, help="Seed of the order and of new weights."),
    option("--output", type=path, required=True, help="Folder for checkpoints and the trained critic."),
    option("--eval-data", type=path, help="Labelled solutions to measure macro-F1 on while training."),
    option("--eval-every", type=click.IntRange(1), help="Steps; default: ten times in the run."),
    option("--save-every", type=click.IntRange(1), default=200, show_default=True, help="Steps per checkpoint."),
    option("--resume", is_flag=True, help="Go on from the last checkpoint in --output."),
    option("--fsdp", is_flag=True, help="Shard weights and optimiser over the processes of torchrun."),
)


def training(command: Command) -> Command:
    """Gives the command the options of a recipe and its run."""
    for add in reversed(TRAINING):
        command = add(command)
    return command

"""What a study would do and cost, without doing it: what it lacks, what is kept, tokens, GPU hours, dollars.

A cell is a critic on a task, or the policy that draws the task's candidates for all of them. A policy and a critic read
a question once for all its candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vpbench.errors import MissingPackages
from vpbench.generate import Generator
from vpbench.models.checkpoint import NotFetched
from vpbench.progress import no_bar, silent
from vpbench.run.critics import build_critic, critic_key
from vpbench.run.entries import CriticEntry
from vpbench.run.models import Models
from vpbench.run.pipeline import scores_folder
from vpbench.run.policy import Drawing
from vpbench.run.rates import Rates
from vpbench.run.score import is_owed
from vpbench.run.scorers import scorers
from vpbench.run.study import Study
from vpbench.run.task_plan import Load, TaskPlan, load_of, task_plan
from vpbench.store import kept_rows

HOW_TO_RATE = "give --rates generate=TOKENS_PER_S,read=TOKENS_PER_S,gpu-hour=DOLLARS"
HOUR, MILLION = 3600, 1_000_000


@dataclass(frozen=True)
class Cell:
    """A critic on a task, or its policy: what it lacks, how many rows are kept and owed, and what these cost.

    `draws` is of a policy. `generate` and `read` are tokens, with `longest` some of them the most that are allowed.
    None stands for what nothing tells.
    """

    task: str
    row: str
    missing: tuple[str, ...] = ()
    kept: int = 0
    owed: int = 0
    generate: int | None = 0
    read: int | None = 0
    hours: float | None = 0.0
    dollars: float | None = 0.0
    longest: bool = False
    draws: bool = False


def planned(study: Study, rates: Rates) -> tuple[list[TaskPlan], list[Cell]]:
    """Every task of the study and its cells: the policy's, if it has one, and every critic's.

    Nothing is drawn, scored or written, nor fetched within `without_fetching`. Raises `VpbenchError`.
    """
    models = Models()
    file_rows = [entry for entry in study.critics if entry.scores is not None]
    files = scorers(file_rows, study.task_names, study.nano, no_bar, silent)
    plans = [task_plan(asked, study, files, models) for asked in study.tasks]
    return plans, [cell for task in plans for cell in _cells(task, study, rates, models)]


def _cells(task: TaskPlan, study: Study, rates: Rates, models: Models) -> list[Cell]:
    made: list[Cell] = []
    load, drawing = load_of(task), task.request.drawing
    if drawing is not None:
        made.append(_policy_cell(task, load, drawing, models.generator(drawing.policy, drawing.policy_args), rates))
    first: dict[Any, Cell] = {}
    of_policy = "" if drawing is None or drawing.label is None else f" on {drawing.label}"
    for entry in study.critics:
        cell = _critic_cell(task, load, entry, study.nano, rates)
        cell = replace(cell, row=cell.row + of_policy)
        scored_by = (entry.critic, entry.scores, *sorted(entry.settings.items()))
        # Rows that use the same scores in different ways share the work, which the first of them does.
        shared = Cell(cell.task, cell.row, cell.missing, cell.kept + cell.owed)
        made.append(shared if scored_by in first else first.setdefault(scored_by, cell))
    return made


def total(made: Sequence[Cell]) -> Cell:
    """The sum; of what one cell can't tell there is none."""

    def summed(name: str) -> Any:
        values = [getattr(cell, name) for cell in made]
        return None if None in values else sum(values)

    return Cell(
        task="total",
        row="",
        kept=summed("kept"),
        owed=summed("owed"),
        generate=summed("generate"),
        read=summed("read"),
        hours=summed("hours"),
        dollars=summed("dollars"),
        longest=any(cell.longest for cell in made),
    )


def _policy_cell(task: TaskPlan, load: Load, drawing: Drawing, generator: Generator, rates: Rates) -> Cell:
    kept = sum(map(len, load.there.values()))
    owed, response = load.candidates - kept, load.response or 0
    asked = load.questions - sum(len(rows) == drawing.samples for rows in load.there.values())
    generate, read = round(owed * response), round(asked * load.prompt(generator))
    missing = (*_lacks_data(task), *_lacks_model(generator.identity))
    cell = Cell(
        task.plugin.cls.name,
        f"policy {drawing.label or drawing.name}",
        missing,
        kept,
        owed,
        generate,
        read,
        longest=load.longest and owed > 0,
        draws=True,
    )
    if hasattr(generator, "prompt_price"):  # an endpoint, whose hours are its owner's
        return replace(cell, dollars=_price(generator, generate, read))
    hours = _policy_hours(generate, read, getattr(generator, "model", ""), rates)
    return replace(cell, hours=hours, dollars=_gpu_dollars(hours, rates))


def _critic_cell(task: TaskPlan, load: Load, entry: CriticEntry, nano: bool, rates: Rates) -> Cell:
    name, missing = task.plugin.cls.name, _lacks_data(task)
    if entry.scores is not None:
        return Cell(name, entry.label or entry.scores.name, missing, kept=load.candidates)
    critic = build_critic(entry, nano)
    lacks, rows = _lacks_model(lambda: critic_key(critic)), {}
    if not lacks and load.key is not None:
        folder = scores_folder(task.request.output, load.origin, critic.name, {**load.key, **critic_key(critic)})
        rows = kept_rows(folder, "scores")
    owed_there = [
        sum(is_owed(candidate, rows.get(candidate.key)) for candidate in candidates)
        for candidates in load.there.values()
    ]
    owed = load.candidates - sum(map(len, load.there.values())) + sum(owed_there)
    cell = Cell(name, entry.label or critic.name, (*missing, *lacks), load.candidates - owed, owed)
    model = getattr(critic, "model", "")
    if not model or not owed:
        return cell
    # A question with candidates to come is read for these.
    whole = load.candidates / load.questions
    scored = sum(not owes and len(rows) >= whole for owes, rows in zip(owed_there, load.there.values(), strict=True))
    if load.response is None:
        return replace(cell, read=None, hours=None, dollars=None)
    read = round((load.questions - scored) * load.prompt(critic) + owed * load.response)
    if not hasattr(critic, "checkpoint_revision"):  # it isn't a checkpoint that reads, but a model that is asked
        return replace(cell, generate=None, read=read, hours=None, dollars=None, longest=load.longest)
    hours = _hours(read, rates.reading(critic.name, model))
    return replace(cell, read=read, hours=hours, dollars=_gpu_dollars(hours, rates), longest=load.longest)


def _policy_hours(generate: int, read: int, model: str, rates: Rates) -> float | None:
    """A measured rate has the reading of the prompts in it, a given one hasn't."""
    hours = _hours(generate, rates.generating(model))
    return hours if hours is None or None in (rates.generate, rates.read) else hours + (_hours(read, rates.read) or 0.0)


def _gpu_dollars(hours: float | None, rates: Rates) -> float | None:
    if not hours:
        return hours
    return None if rates.gpu_hour is None else hours * rates.gpu_hour


def _hours(tokens: int, rate: float | None) -> float | None:
    if not tokens:
        return 0.0
    return None if rate is None else tokens / rate / HOUR


def _price(generator: Generator, generate: int, read: int) -> float | None:
    """What an endpoint asks for the tokens, in US dollars, where its prices (of a million) are given."""
    if not generate:
        return 0.0
    prompt_price: float | None = getattr(generator, "prompt_price", None)
    completion_price: float | None = getattr(generator, "completion_price", None)
    if prompt_price is None or completion_price is None:
        return None
    return (read * prompt_price + generate * completion_price) / MILLION


def _lacks_data(task: TaskPlan) -> tuple[str, ...]:
    return ("data",) if task.lacks_data else ()


def _lacks_model(identify: Callable[[], Any]) -> tuple[str, ...]:
    """What keeps a model from being identified, which needs its weights and the packages that read them."""
    try:
        identify()
    except NotFetched:
        return ("weights",)
    except MissingPackages:
        return ("vpbench[models]",)
    return ()

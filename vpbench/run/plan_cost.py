"""What a study would do and cost, without doing it: what it lacks, what is kept, tokens, GPU hours, dollars.

A cell is a critic on a task, or the policy that draws the task's candidates for all of them. A policy and a critic read
a question once for all its candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
from vpbench.scoring import CheckpointCritic, LikelihoodCritic
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
    return [*made, *(_critic_cell(task, load, entry, study.nano, rates) for entry in study.critics)]


def total(made: Sequence[Cell]) -> Cell:
    """The sum; of what one cell can't tell there is none."""
    sums = {
        name: None if any(getattr(cell, name) is None for cell in made) else sum(getattr(cell, name) for cell in made)
        for name in ("kept", "owed", "generate", "read", "hours", "dollars")
    }
    return Cell("total", "", **sums, longest=any(cell.longest for cell in made))


def _policy_cell(task: TaskPlan, load: Load, drawing: Drawing, generator: Generator, rates: Rates) -> Cell:
    kept = sum(map(len, load.there.values()))
    owed, response = load.candidates - kept, load.response or 0
    asked = load.questions - sum(len(rows) == drawing.samples for rows in load.there.values())
    generate, read = round(owed * response), round(asked * load.prompt(generator))
    missing = _lacks_data(task) + (("weights",) if _not_at_hand(generator.identity) else ())
    cell = Cell(
        task.plugin.cls.name,
        f"policy {drawing.name}",
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
        return Cell(name, entry.called, missing, kept=load.candidates)
    critic = build_critic(entry, nano)
    weights_missing, rows = _not_at_hand(lambda: critic_key(critic)), {}
    if not weights_missing and load.key is not None:
        folder = scores_folder(task.request.output, load.origin, critic.name, {**load.key, **critic_key(critic)})
        rows = kept_rows(folder, "scores")
    owed_there = {
        id: sum(is_owed(candidate, rows.get(candidate.key)) for candidate in candidates)
        for id, candidates in load.there.items()
    }
    kept = sum(map(len, load.there.values())) - sum(owed_there.values())
    owed = load.candidates - kept
    cell = Cell(name, entry.label or critic.name, missing + (("weights",) if weights_missing else ()), kept, owed)
    model = getattr(critic, "model", "")
    if not model or not owed:
        return cell
    per_question = load.candidates / load.questions
    done = sum(not owed_there[id] and len(rows) >= per_question for id, rows in load.there.items())
    read = (
        None if load.response is None else round((load.questions - done) * load.prompt(critic) + owed * load.response)
    )
    if not isinstance(critic, CheckpointCritic | LikelihoodCritic):
        return replace(cell, generate=None, read=read, hours=None, dollars=None)
    hours = None if read is None else _hours(read, rates.reading(critic.name, model))
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
    prices = [getattr(generator, name, None) for name in ("prompt_price", "completion_price")]
    if prices[0] is None or prices[1] is None:
        return None
    return (read * prices[0] + generate * prices[1]) / MILLION


def _lacks_data(task: TaskPlan) -> tuple[str, ...]:
    return ("data",) if task.lacks_data else ()


def _not_at_hand(identify: Callable[[], Any]) -> bool:
    """Whether a model's weights would have to be fetched before it can be identified."""
    try:
        identify()
    except NotFetched:
        return True
    return False

"""The leaderboard: a static page over all results, every figure with its interval, its pool and its grading.

The means of tasks stand on top (`vpbench.site.overviews`), every task's results below.

Only what `vpbench.site.groups` calls comparable is ranked; results on part of a task, and those of the miniature world,
are marked and stand apart. A result that can't be read is named on the page and left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.base import BaseTask, Reference
from vpbench.errors import ConfigError
from vpbench.plugins import all_tasks
from vpbench.report.frames import readable
from vpbench.report.kinds import selects_by_vote
from vpbench.report.names import names, without_paths
from vpbench.report.plots import best_of_n_plot, critics_plot, step_plot
from vpbench.report.published import references
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import StoredResult
from vpbench.site.groups import Entry, Group, by_chance, groups_of
from vpbench.site.overviews import Standings, standings_of
from vpbench.store import folder_name, write_atomic
from vpbench.terminal import echo, p_value, percent, points, printable

_TEMPLATES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Section:
    """A task's groups of comparable results; `task` is None where no plugin has the name."""

    name: str
    nano: bool
    task: type[BaseTask] | None
    groups: tuple[Group, ...]
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """What the page shows: its overviews and sections, so many results, and why others are left out.

    `not_averaged` says what is wrong with results that are in a section, but in no overview.
    """

    standings: tuple[Standings, ...]
    not_averaged: tuple[str, ...]
    sections: tuple[Section, ...]
    left_out: tuple[str, ...]
    results: int


def build_leaderboard(output: Path, site: Path) -> tuple[Path, int]:
    """Write the page for all results under `output`/results; the page and how many results it shows.

    A result that can't be read is told on standard error. Raises `ConfigError` if there are none, or none is readable.
    """
    board = read_board(output)
    return write_page(board, site), board.results


def read_board(output: Path) -> Board:
    """The results under `output`/results in groups. Tells and raises as `build_leaderboard` does."""
    files = sorted((output / "results").glob("*/result.json"))
    if not files:
        raise ConfigError(f"{output}: no results; `vpbench run ... --output {output}` makes them")
    results, failures = readable(files)
    for error in failures:
        echo(f"left out: {error}", err=True)
    left_out = tuple(str(error).replace(f"{output / 'results'}/", "") for error in failures)
    if not results:
        raise ConfigError(f"{output}: no result that can be read; fix or remove what is named above")
    tasks = {name: plugin.cls for name, plugin in all_tasks().items()}
    sections = []
    for nano, name in sorted({(stored.result.nano, stored.result.task) for stored in results}):
        entries = _entries([stored for stored in results if (stored.result.nano, stored.result.task) == (nano, name)])
        task = tasks.get(name)
        published = tuple(references(task)) if task and not nano else ()
        sections.append(Section(name, nano, task, tuple(groups_of(entries)), published))
    standings, not_averaged = standings_of(results)
    for reason in not_averaged:
        echo(f"in no mean: {reason}", err=True)
    return Board(tuple(standings), tuple(not_averaged), tuple(sections), left_out, len(results))


def write_page(board: Board, site: Path) -> Path:
    """Write the page and its pictures into the folder `site`."""
    (site / "plots").mkdir(parents=True, exist_ok=True)
    groups = [group for section in board.sections for group in section.groups]
    gains, pairs = sum(group.gains for group in groups), sum(group.pairs for group in groups)
    drawn = [(section, [(group, _pictures(group, site)) for group in section.groups]) for section in board.sections]
    page = _environment().get_template("leaderboard.html.j2")
    text = page.render(
        standings=board.standings,
        not_averaged=board.not_averaged,
        anchors={(section.nano, section.name): f"task-{k}" for k, section in enumerate(board.sections, 1)},
        sections=drawn,
        left_out=board.left_out,
        gains=gains,
        by_chance=by_chance(gains),
        pairs=pairs,
    )
    write_atomic(site / "index.html", text.encode())
    shutil.copyfile(_TEMPLATES / "leaderboard.css", site / "leaderboard.css")
    return site / "index.html"


def _entries(results: Sequence[StoredResult]) -> list[Entry]:
    called = names([stored.result for stored in results])
    return [Entry(name, stored.folder.name, stored.result) for name, stored in zip(called, results, strict=True)]


def _pictures(group: Group, site: Path) -> tuple[str, ...]:
    """Draw the group under `site`; the files. Curves share a picture, step results have one each.

    Lines go by name, so that a critic has one colour on all pictures of the same critics.
    """
    curves = [(entry.name, entry.result) for entry in group.entries if isinstance(entry.result, BestOfNResult)]
    if len(curves) > 1:
        curves.sort(key=lambda named: (named[0], named[1].selection))
        drawn = [(group.entries, critics_plot(curves))]
    else:
        drawn = [((entry,), _alone(entry.result)) for entry in group.entries]
    files = []
    for entries, images in drawn:
        name = folder_name(group.first.task, key={"folders": [entry.folder for entry in entries]})
        write_atomic(site / f"plots/{name}.svg", images["svg"])
        files.append(f"plots/{name}.svg")
    return tuple(files)


def _alone(result: BestOfNResult | StepResult) -> dict[str, bytes]:
    return step_plot(result) if isinstance(result, StepResult) else best_of_n_plot(result)


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_public,
    )
    environment.filters |= {"percent": percent, "points": points, "p_value": p_value}
    environment.globals["selects_by_vote"] = selects_by_vote
    return environment


def _public(value: Any) -> Any:
    """What the page says of a value: nothing that steers what shows it, no folder of this machine."""
    # what a macro made is markup, and its parts came through here
    return value if hasattr(value, "__html__") else printable(without_paths(str(value)))

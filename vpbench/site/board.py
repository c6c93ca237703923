"""What the leaderboard shows: all results that can be read, by task and in comparable groups, and their means.

Only what `vpbench.site.groups` calls comparable is ranked; results on part of a task, and those of the miniature world,
are marked and stand apart. A result that can't be read is named and left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vpbench.base import BaseTask, Reference
from vpbench.errors import ConfigError
from vpbench.plugins import all_tasks
from vpbench.report.frames import readable
from vpbench.report.names import names
from vpbench.report.published import references
from vpbench.report.stored import StoredResult
from vpbench.site.groups import Entry, Group, groups_of
from vpbench.site.overviews import Standings, standings_of
from vpbench.terminal import echo


@dataclass(frozen=True, slots=True)
class Section:
    """A task's groups of comparable results; `task` is None where no plugin has the name."""

    name: str
    nano: bool
    task: type[BaseTask] | None
    groups: tuple[Group, ...]
    references: tuple[Reference, ...]

    @property
    def title(self) -> str:
        """What the task is called."""
        return self.task.title if self.task else self.name


@dataclass(frozen=True, slots=True)
class Board:
    """What the site shows: its overviews and sections, the results by their folder's name, and why others are left out.

    `not_averaged` says what is wrong with results that are in a section, but in no overview.
    """

    standings: tuple[Standings, ...]
    not_averaged: tuple[str, ...]
    sections: tuple[Section, ...]
    left_out: tuple[str, ...]
    stored: Mapping[str, StoredResult]

    @property
    def results(self) -> int:
        """How many results are shown."""
        return len(self.stored)

    @property
    def anchors(self) -> dict[tuple[bool, str], str]:
        """What leads to a section of the overview page, by world and task."""
        return {(section.nano, section.name): f"task-{k}" for k, section in enumerate(self.sections, 1)}


def read_board(output: Path) -> Board:
    """The results under `output`/results in groups. A result that can't be read is told on standard error.

    Raises `ConfigError` if there are none, or none is readable.
    """
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
    by_folder = {stored.folder.name: stored for stored in results}
    return Board(tuple(standings), tuple(not_averaged), tuple(sections), left_out, by_folder)


def _entries(results: Sequence[StoredResult]) -> list[Entry]:
    called = names([stored.result for stored in results])
    return [Entry(name, stored.folder.name, stored.result) for name, stored in zip(called, results, strict=True)]

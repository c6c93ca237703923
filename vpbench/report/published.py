"""Published figures as data: the rows of `results/published.json`, each with what is needed not to misread it.

The file also says what of vpbench stands for a published critic, policy or column, so that no code has to name any. Its
format is `results/published.schema.json`.
"""

from __future__ import annotations

import functools
import json
from collections import abc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from vpbench.base import BaseTask, Reference
from vpbench.errors import ConfigError, DataError
from vpbench.plugins import builtin_folder

VERSION = 1
AVERAGES = ("pooled", "step_weighted_mean", "mean_of_sources", "solution_weighted_mean")
"""The parts of step detection that are about all its sources; the last two are means of `FIRST_ERROR_F1`."""
FIRST_ERROR_F1 = "first_error_f1"
"""The metric of the figures that place first errors: a source's harmonic mean, or a mean of the sources'."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a table's figures were made, in the words of `vpbench run`; None where it isn't published.

    `exceptions` holds, by benchmark, what was otherwise there.
    """

    prompt: str | None
    temperature: float | int | None
    estimator: str | None
    grading: str | None
    judge: str | None
    aggregate: str | None
    threshold: float | int | None
    exceptions: Mapping[str, Mapping[str, str]]

    def of(self, benchmark: str) -> Protocol:
        """The protocol of one benchmark's figures."""
        otherwise: dict[str, Any] = dict(self.exceptions.get(benchmark, {}))
        return replace(self, **otherwise)


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table and its source. Rows of metric "mean" are plain means over the benchmarks `mean_of`."""

    id: str
    paper: str
    table: str
    title: str
    source: str
    protocol: Protocol
    mean_of: tuple[str, ...]
    note: str | None


@dataclass(frozen=True, slots=True)
class PublishedCritic:
    """What measures the same: the `critic` with a `model` (None: weights not published), or a `curve` of any critic.

    `aggregate` and `temperature` are given where they aren't the table's.
    """

    critic: str | None
    model: str | None
    curve: str | None
    aggregate: str | None
    temperature: float | int | None


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One figure, in percent; None where the source is reported without one.

    `task` is the task that measures the same, or comes nearest; `questions` how many questions were used there, None
    where nobody says. `part` is of step detection: one of `AVERAGES`, or a source of the solutions. The caveats of a
    `note` are separated by "; ".
    """

    paper: str
    table: str
    benchmark: str
    split: str | None
    task: str | None
    part: str | None
    questions: int | None
    metric: str
    policy: str | None
    critic: str
    n: int | None
    value: float | int | None
    note: str | None


@dataclass(frozen=True)
class Published:
    """The content of the file: `tables` by id, `critics` and `policies` (hub ids) by the names the rows use."""

    tables: Mapping[str, PublishedTable]
    critics: Mapping[str, PublishedCritic]
    policies: Mapping[str, str]
    rows: tuple[PublishedRow, ...]

    def table(self, id: str) -> PublishedTable:
        """The table called `id`. Raises `ConfigError` with those there are."""
        if id not in self.tables:
            raise ConfigError(f"no published table is called {id!r}; there are: {', '.join(self.tables)}")
        return self.tables[id]

    def is_measurable(self, row: PublishedRow) -> bool:
        """Whether there are the task and the critic, or control, for a row."""
        critic = self.critics.get(row.critic)
        return (
            critic is not None and (critic.curve is None or row.part is None) and bool(row.task or row.metric == "mean")
        )

    def tasks_of(self, benchmark: str) -> set[str]:
        """The tasks that figures of a benchmark are paired with: one, or several if it has splits of its own."""
        return {row.task for row in self.rows if row.benchmark == benchmark and row.task}

    def columns(self, table: PublishedTable, row: PublishedRow) -> list[PublishedRow]:
        """The figures whose mean a row is, one for each benchmark of `mean_of`; none if any was never printed.

        Of a table of means alone they are those of the paper's other tables, at the same N.
        """
        columns = [self._column(row, benchmark) for benchmark in table.mean_of]
        printed = [column for column in columns if column is not None]
        return printed if len(printed) == len(columns) else []

    def _column(self, row: PublishedRow, benchmark: str) -> PublishedRow | None:
        paper = (other for other in self.rows if (other.paper, other.benchmark) == (row.paper, benchmark))
        figures = [other for other in paper if other.n == row.n and other.part is None]
        for other in figures:
            if (other.table, other.policy, other.critic) == (row.table, row.policy, row.critic):
                return other
        return replace(figures[0], policy=row.policy, critic=row.critic) if figures else None

    def rows_of(self, table: PublishedTable) -> list[PublishedRow]:
        """The rows of a table, in its order."""
        return [row for row in self.rows if (row.paper, row.table) == (table.paper, table.table)]


@functools.cache
def load_published(path: Path | None = None) -> Published:
    """Read the file, by default the one shipped. Raises `DataError` naming the entry that is wrong."""
    path = path or builtin_folder("results") / "published.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            raise DataError(f"{path}: version {content['version']!r}, expected {VERSION}")
        entries = [entry | {"mean_of": tuple(entry["mean_of"])} for entry in content["tables"]]
        protocols = [_record(Protocol, entry["protocol"], f"{path}: {entry['id']}: protocol") for entry in entries]
        critics = content["critics"].items()
        policies, rows = dict(content["policies"]), content["rows"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a file of published figures ({type(error).__name__}: {error})") from error
    tables = [
        _record(PublishedTable, entry | {"protocol": protocol}, f"{path}: table {number}")
        for number, (entry, protocol) in enumerate(zip(entries, protocols, strict=True))
    ]
    published = Published(
        {table.id: table for table in tables},
        {name: _record(PublishedCritic, entry, f"{path}: critic {name!r}") for name, entry in critics},
        policies,
        tuple(_record(PublishedRow, row, f"{path}: row {number}") for number, row in enumerate(rows)),
    )
    titles = {(table.paper, table.table) for table in tables}
    for number, row in enumerate(published.rows):
        if (row.paper, row.table) not in titles:
            raise DataError(f"{path}: row {number}: {row.table!r} of {row.paper!r} isn't among the tables")
    return published


@functools.cache
def _types(kind: type) -> dict[str, Any]:
    """What `isinstance` can check: of a container, that it is one."""
    return {
        name: get_origin(hint) if get_origin(hint) in (tuple, abc.Mapping) else hint
        for name, hint in get_type_hints(kind).items()
    }


def _record(kind: type, entry: Mapping[str, Any], where: str) -> Any:
    try:
        record = kind(**entry)
    except TypeError as error:
        raise DataError(f"{where}: {error}") from error
    for name, hint in _types(kind).items():
        value = getattr(record, name)
        if isinstance(value, bool) or not isinstance(value, hint):
            raise DataError(f"{where}: {name} is {value!r:.60}, expected {getattr(hint, '__name__', hint)}")
    return record


def references(task: type[BaseTask]) -> list[Reference]:
    """The published figures of a task, those that a plugin brings after those of the file.

    Of step detection those over all sources.
    """
    rows = [
        Reference(row.policy or "", row.critic, row.n, row.value, f"{row.paper}, {row.table}", row.note or "")
        for row in load_published().rows
        if row.task == task.name and row.value is not None and row.part in (None, *AVERAGES)
    ]
    return [*rows, *task.references]

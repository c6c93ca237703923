"""What would fill a published table: runs of one critic on one policy's candidates, and their commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vpbench.report.comparability import OF_ANOTHER, OF_OTHER_QUESTIONS
from vpbench.report.published import Published, PublishedRow, PublishedTable
from vpbench.report.reproduce import Cell


@dataclass(frozen=True, slots=True)
class Filling:
    """A run that would fill figures: its critic and policy by the names of vpbench and of the table.

    `model` is None where the weights aren't published, `policy` of step detection. `settings` are options of `vpbench
    run` by name.
    """

    critic: str
    model: str | None
    policy: str | None
    published_critic: str
    published_policy: str | None
    settings: Mapping[str, str | float]
    tasks: dict[str, None] = field(default_factory=dict)
    ns: set[int] = field(default_factory=set)

    def command(self, runs: Path | None) -> str:
        """The command, which writes to the folder `runs`, or where it writes by itself."""
        options = {
            "task": ",".join(self.tasks),
            "policy": self.policy,
            "critic": self.critic,
            "critic-model": self.model or "CHECKPOINT",
            **self.settings,
            "n": ",".join(map(str, sorted(self.ns))) or None,
            "output": runs,
        }
        words = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
        return shlex.join(("vpbench", "run", *words))


def fillings(published: Published, table: PublishedTable, cells: Sequence[Cell]) -> list[Filling]:
    """A run per policy and critic whose figures no result of their own fills, with all their tasks and values of N.

    Vote and random pick are measured by a run of any critic.
    """
    rows = [cell.row for cell in cells]
    runs: dict[tuple[object, ...], Filling] = {}
    columns: list[tuple[Filling, PublishedRow]] = []
    for row in _not_made(cells):
        filling = _filling(published, table, _with_critic(published, row, rows))
        if filling is None:
            continue
        filling = runs.setdefault((filling.critic, filling.model, filling.policy, *filling.settings.items()), filling)
        filling.ns.update({row.n} if row.n else ())
        columns += [(filling, column) for column in ([row] if row.task else published.columns(table, row))]
    # where nobody says which split it was, the split of the other figures does
    for filling, column in sorted(columns, key=lambda pair: pair[1].questions is None):
        if column.task and (column.questions or not filling.tasks.keys() & published.tasks_of(column.benchmark)):
            filling.tasks[column.task] = None
    return [filling for filling in runs.values() if filling.tasks]


def _with_critic(published: Published, row: PublishedRow, rows: Sequence[PublishedRow]) -> PublishedRow:
    """The row, of a control as that of a critic of the same policy, one with a released checkpoint if there is one."""
    entry = published.critics.get(row.critic)
    if entry is None or entry.curve is None:
        return row
    names = dict.fromkeys(other.critic for other in rows if other.policy == row.policy and other.part is None)
    critics = {name: published.critics[name] for name in names if name in published.critics}
    runnable = sorted((name for name in critics if critics[name].critic), key=lambda name: critics[name].model is None)
    return replace(row, critic=runnable[0]) if runnable else row


def _filling(published: Published, table: PublishedTable, row: PublishedRow) -> Filling | None:
    """The run for a row, without its tasks; None where no run measures it."""
    critic, protocol = published.critics.get(row.critic), table.protocol
    if critic is None or critic.critic is None or not published.is_measurable(row):
        return None
    policy = None if row.part is not None else published.policies.get(row.policy or "")
    given: dict[str, str | float | None]
    if row.part is not None:
        given = {"threshold": protocol.threshold}
    elif policy is None or row.n is None:
        return None
    else:
        given = {
            "temperature": critic.temperature or protocol.temperature,
            "estimator": protocol.estimator,
            "grading": "official" if protocol.grading not in (None, "robust") else protocol.grading,
            "judge": protocol.judge,
            "aggregate": critic.aggregate or protocol.aggregate,
        }
    settings = {name: value for name, value in given.items() if value is not None}
    return Filling(critic.critic, critic.model, policy, row.critic, policy and row.policy, settings)


def _not_made(cells: Iterable[Cell]) -> list[PublishedRow]:
    """The rows of cells that no result of their own policy and critic fills, nor of their own questions."""
    rows = []
    for cell in cells:
        # where nobody says which questions they were, none are theirs
        kinds = (*OF_ANOTHER, OF_OTHER_QUESTIONS) if cell.row.questions else OF_ANOTHER
        if cell.measured is None or any(reason.startswith(kinds) for reason in cell.measured.reasons):
            rows.append(cell.row)
    return rows

"""What would fill a published table: runs of one critic on one policy's candidates, and their commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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

    def command(self, runs: Path) -> str:
        """The command, which writes to the folder `runs`."""
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


def fillings(published: Published, table: PublishedTable, cells: Iterable[Cell]) -> list[Filling]:
    """A run per policy and critic whose figures no result of their own fills, with all their tasks and values of N.

    Vote and random pick are measured by every run of a critic, so they have none.
    """
    runs: dict[tuple[object, ...], Filling] = {}
    for row in _not_made(cells):
        filling = _filling(published, table, row)
        if filling is None:
            continue
        key = (filling.critic, filling.model, filling.policy, *filling.settings.items())
        filling = runs.setdefault(key, filling)
        columns = [row] if row.task else published.columns(table, row)
        filling.tasks.update((column.task, None) for column in columns if column.task is not None)
        filling.ns.update({row.n} if row.n else ())
    return [filling for filling in runs.values() if filling.tasks]


def _filling(published: Published, table: PublishedTable, row: PublishedRow) -> Filling | None:
    """The run for a row, without its tasks; None where no run measures it."""
    critic, protocol = published.critics.get(row.critic), table.protocol
    if critic is None or critic.critic is None or not published.is_measurable(row):
        return None
    policy = None if row.part is not None else published.policies.get(row.policy or "")
    if row.part is not None:
        given = {"threshold": protocol.threshold}
    elif policy is None or row.n is None:
        return None
    else:
        given = {
            "temperature": critic.temperature or protocol.temperature,
            "estimator": protocol.estimator,
            "grading": protocol.grading and ("robust" if protocol.grading == "robust" else "official"),
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

"""The commands of `vpbench run` that would fill a published table."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from vpbench.report.comparability import OF_ANOTHER
from vpbench.report.published import Published, PublishedRow, PublishedTable
from vpbench.report.reproduce import Cell


def filling_commands(published: Published, table: PublishedTable, cells: Iterable[Cell], runs: Path) -> list[str]:
    """A command per policy and critic whose figures no result of their own fills, with all their tasks and values of N.

    Vote and random pick are measured by every run of a critic, so they have none.
    """
    wanted: dict[tuple[str, ...], tuple[dict[str, None], set[int]]] = {}
    for row in _not_made(cells):
        options = _options(published, table, row)
        if options is not None:
            tasks, ns = wanted.setdefault(options, ({}, set()))
            tasks.update(dict.fromkeys([row.task] if row.task else table.mean_of))
            ns.update({row.n} if row.n else ())
    commands = []
    for options, (tasks, ns) in wanted.items():
        sweep = ("--n", ",".join(map(str, sorted(ns)))) if ns else ()
        parts = ("vpbench", "run", "--task", ",".join(tasks), *options, *sweep, "--output", str(runs))
        commands.append(shlex.join(parts))
    return commands


def _options(published: Published, table: PublishedTable, row: PublishedRow) -> tuple[str, ...] | None:
    """The options of `vpbench run` for a row; None where no run measures it."""
    critic, protocol = published.critics.get(row.critic), table.protocol
    if critic is None or critic.critic is None or not (row.task or row.metric == "mean"):
        return None
    options = ["--critic", critic.critic, "--critic-model", critic.model or "CHECKPOINT"]
    if row.part is not None:
        return (*options, *(() if protocol.threshold is None else ("--threshold", str(protocol.threshold))))
    policy = published.policies.get(row.policy or "")
    if policy is None or row.n is None:
        return None
    given = {
        "--temperature": critic.temperature or protocol.temperature,
        "--estimator": protocol.estimator,
        "--grading": protocol.grading,
        "--judge": protocol.judge,
        "--aggregate": critic.aggregate or protocol.aggregate,
    }
    return (
        *("--policy", policy, *options),
        *(word for name, value in given.items() if value is not None for word in (name, str(value))),
    )


def _not_made(cells: Iterable[Cell]) -> list[PublishedRow]:
    """The rows of cells that no result of their own policy and critic fills."""
    return [
        cell.row
        for cell in cells
        if cell.measured is None or any(reason.startswith(OF_ANOTHER) for reason in cell.measured.reasons)
    ]

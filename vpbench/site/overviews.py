"""Which overviews stand on top of the page: a mean of tasks needs critics that have a result on the same tasks.

What is never averaged or ranked together has overviews of its own: policies, gradings, judges, estimators, results on
all of a task and on part of it, the miniature world and the benchmarks' data. Published figures are in none.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from vpbench.errors import VpbenchError
from vpbench.report.overview import Overview, overview
from vpbench.report.overview_cells import row_names, usual_ns
from vpbench.report.overview_record import Mean, Pair, Row
from vpbench.report.overview_tables import notes_of
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import StoredResult


@dataclass(frozen=True, slots=True)
class Standings:
    """An overview as the page shows it: tests at its few N, and `every` with values at each N that all results have.

    The more N are tested, the less any test can tell; whoever chooses one of many N would be none the wiser. `first` is
    a result that stands for what all have in common.

    `others` are tasks that are left out, as too few critics have a result there.
    """

    overview: Overview
    every: Overview
    first: BestOfNResult | StepResult
    others: tuple[str, ...]

    def at(self, n: int) -> Overview:
        """The overview that has N: that of the tests where it does."""
        return self.overview if n in self.overview.ns else self.every

    def ranked(self, n: int) -> list[tuple[Row, Mean | None]]:
        """The rows that have a figure, the highest mean at N on top, those without one last."""
        shown = [row for row in self.at(n).rows if any(cell.points for cell in row.cells)]
        pairs = [(row, next((mean for mean in row.means if mean.n == n), None)) for row in shown]
        return sorted(pairs, key=lambda pair: 1.0 if pair[1] is None else -pair[1].value)

    @property
    def chosen(self) -> int:
        """The N that papers compare critics at, or the next smaller power of two."""
        return self.overview.ns[0]

    @property
    def pairs(self) -> list[tuple[Pair, ...]]:
        """By pair of critics their difference at every N."""
        pairs, count = self.overview.pairs, len(self.overview.ns)
        return [pairs[start : start + count] for start in range(0, len(pairs), count)]

    @property
    def told_apart(self) -> int:
        """How many of the overview's tested differences are clear of noise."""
        return sum(pair.told_apart for pair in self.overview.pairs)

    @property
    def notes(self) -> list[str]:
        """Why a row has no mean, then the overview's own notes."""
        without = [f"{row.name} has no mean: {row.no_mean}" for row in self.overview.rows if row.no_mean]
        return [*without, *notes_of(self.overview)]


def standings_of(results: Sequence[StoredResult]) -> tuple[list[Standings], list[str]]:
    """An overview for each kind of results that has one, and what is wrong with the results that had to be left out.

    Those of the benchmarks' data come first, then those on all of a task, then those of most results.
    """
    kinds: dict[tuple[bool, bool, Hashable], list[StoredResult]] = {}
    for stored in results:
        result = stored.result
        if isinstance(result, BestOfNResult):
            kind = (result.nano, not result.complete, (result.policy, result.grading, result.judge, result.estimator))
            kinds.setdefault(kind, []).append(stored)
    standings: list[Standings] = []
    failures: list[str] = []
    for _, members in sorted(kinds.items(), key=lambda item: (item[0][:2], -len(item[1]))):
        block = _readable(_on_shared_tasks(members), failures)
        tasks = {stored.result.task for stored in block}
        if len(tasks) < 2:
            continue
        others = tuple(sorted({stored.result.task for stored in members} - tasks))
        try:
            whole = overview(block)
            every = overview(block, _every_n(block))
        except VpbenchError as error:
            failures.append(str(error))
            continue
        # of one candidate all critics pick the same
        if whole.ns != (1,):
            standings.append(Standings(whole, every, block[0].result, others))
    return standings, failures


def _every_n(results: Sequence[StoredResult]) -> tuple[int, ...]:
    """The N of the page's switch: all those of every result that has the usual ones, which no other N may cost."""
    curves = [stored.result.ns for stored in results if isinstance(stored.result, BestOfNResult)]
    usual = usual_ns(curves)
    whole = [set(ns) for ns in curves if set(usual) <= set(ns)]
    return tuple(sorted(set.intersection(*whole))) if whole else usual


def _readable(results: Sequence[StoredResult], failures: list[str]) -> list[StoredResult]:
    """The results whose units can be read; what is wrong with others is added to `failures`."""
    readable = []
    for stored in results:
        try:
            if stored.units.names:
                readable.append(stored)
        except VpbenchError as error:
            failures.append(f"{stored.folder.name}: {error}")
    return readable


def _on_shared_tasks(results: Sequence[StoredResult]) -> list[StoredResult]:
    """The results on those tasks, two or more, of which critics with a result on each fill most cells; maybe none."""
    tasks_of: dict[str, set[str]] = {}
    for name, stored in zip(row_names(results), results, strict=True):
        tasks_of.setdefault(name, set()).add(stored.result.task)
    shared = max(tasks_of.values(), key=lambda tasks: len(tasks) * sum(tasks <= others for others in tasks_of.values()))
    return [stored for stored in results if stored.result.task in shared] if len(shared) > 1 else []

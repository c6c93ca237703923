"""Which results may be ranked against each other, at which N, and in what order.

A rank says something only among results of one kind: the same questions and candidates, graded by the same rule, N
estimated in the same way. Everything else stands in another table.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from vpbench.report.kinds import gains_over_vote, measured_on
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.summary import distinct_line, failed_rows
from vpbench.site.addresses import slug
from vpbench.stats.bootstrap import LEVEL


@dataclass(frozen=True, slots=True)
class Entry:
    """A result as the page shows it; its `name` tells it from the others of its task, `folder` is its folder's name."""

    name: str
    folder: str
    result: BestOfNResult | StepResult

    @property
    def slug(self) -> str:
        """What the result's page is called."""
        return slug(self.folder)

    @property
    def href(self) -> str:
        """The address of the result's page, from the overview."""
        return f"results/{self.slug}.html"

    @property
    def ns(self) -> tuple[int, ...]:
        """Every N of the curves; a step result has none."""
        return self.result.ns if isinstance(self.result, BestOfNResult) else ()

    def accuracy(self, n: int) -> float:
        """The critic's value at N, one of `ns`."""
        assert isinstance(self.result, BestOfNResult)
        return self.result.curves["critic"][self.ns.index(n)].value

    @property
    def marks(self) -> list[str]:
        """What a reader has to see beside the result's rank: how many rows lack a score or an answer."""
        return [line.partition(" (")[0] for line in failed_rows(self.result)]

    @property
    def remarks(self) -> list[str]:
        """How many answers there are to choose from, notes, rows that failed by reason, and diagnosis."""
        return [
            *distinct_line(self.result),
            *self.result.notes,
            *failed_rows(self.result),
            *(f"diagnosis: {line}" for line in self.result.diagnosis),
        ]


@dataclass(frozen=True, slots=True)
class Group:
    """Comparable results, best first. `ns` are the N that the table shows, the first the one of the rank.

    `held_out` says whether step results are ranked by macro-F1 at held-out thresholds, which needs that all have one.
    """

    entries: tuple[Entry, ...]
    ns: tuple[int, ...] = ()
    held_out: bool = False

    @property
    def first(self) -> BestOfNResult | StepResult:
        """The result that stands for what all have in common."""
        return self.entries[0].result

    @property
    def shared(self) -> list[str]:
        """The remarks that every result of the group has."""
        return [line for line in self.entries[0].remarks if all(line in entry.remarks for entry in self.entries)]

    @property
    def gains(self) -> int:
        """How many gains over a control the table shows; what is 0 by construction isn't one."""
        if not self.ns:
            return 0
        controls = [1 + gains_over_vote(entry.result) for entry in self.entries]
        return sum(controls) * sum(n > 1 for n in self.ns)

    @property
    def pairs(self) -> int:
        """How many pairs of results could be compared."""
        return len(self.entries) * (len(self.entries) - 1) // 2


def groups_of(entries: Iterable[Entry]) -> list[Group]:
    """Comparable results together, those on all of a task first. Results without a common N can't be ranked."""
    alike: dict[Hashable, list[Entry]] = {}
    for entry in entries:
        alike.setdefault(measured_on(entry.result), []).append(entry)
    groups = [group for members in alike.values() for group in _ranked(members)]
    return sorted(groups, key=lambda group: (not group.first.complete, group.first.policy, -len(group.entries)))


def by_chance(gains: int) -> float:
    """How many of so many intervals exclude 0 on average where nothing differs, however they depend on each other."""
    return (1 - LEVEL) * gains


def _ranked(entries: Sequence[Entry]) -> list[Group]:
    """The entries as one group, or as one for each list of N where the lists have only N = 1 in common."""
    if not entries[0].ns:
        return [_ranked_steps(entries)]
    by_ns: dict[tuple[int, ...], list[Entry]] = {}
    for entry in entries:
        by_ns.setdefault(entry.ns, []).append(entry)
    common = set.intersection(*map(set, by_ns))
    if len(by_ns) > 1 and not common - {1}:
        return [group for _, members in sorted(by_ns.items()) for group in _ranked(members)]
    half = [n for n in common if 1 < n <= entries[0].result.pool_size / 2]
    ns = tuple(dict.fromkeys([*([max(half)] if half else []), max(common)]))
    return [Group(_sorted(entries, [entry.accuracy(ns[0]) for entry in entries]), ns)]


def _ranked_steps(entries: Sequence[Entry]) -> Group:
    reports = [entry.result.step_f1 for entry in entries if isinstance(entry.result, StepResult)]
    fitted = [report.held_out_threshold.pooled for report in reports if report.held_out_threshold is not None]
    held_out = len(fitted) == len(reports)
    figures = fitted if held_out else [report.pooled for report in reports]
    placed = [report.first_errors.mean_f1 or 0.0 for report in reports if report.first_errors is not None]
    if placed:
        return Group(_sorted(entries, placed))
    return Group(_sorted(entries, [figure.macro_f1 for figure in figures]), held_out=held_out)


def _sorted(entries: Sequence[Entry], values: Sequence[float]) -> tuple[Entry, ...]:
    ranked = sorted(zip(values, entries, strict=True), key=lambda pair: (-pair[0], pair[1].name, pair[1].folder))
    return tuple(entry for _, entry in ranked)

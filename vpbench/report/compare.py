"""Two results side by side, on the same questions and the same resamples: is one better, or is that noise?

`check` asks the one-sided question for CI: has a result become worse than its baseline, by more than chance explains?
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from vpbench.errors import ConfigError
from vpbench.report.differences import Differences
from vpbench.report.differing import critic_alone, differences_of
from vpbench.report.kinds import same_critic
from vpbench.report.result import BestOfNResult, Result, StepResult
from vpbench.report.step_comparison import check_same, step_differences
from vpbench.report.stored import StoredResult, read_result
from vpbench.report.tables import Table
from vpbench.report.units import aligned
from vpbench.stats import (
    Difference,
    alike_by_construction,
    few_units_note,
    outcome_above_process,
    paired_differences,
)

RESAMPLES = 10_000


@dataclass(frozen=True)
class Comparison(Differences):
    """The differences second minus first, as fractions of 1, one per label ("N = 8", or "macro-F1 pooled")."""

    first: StoredResult
    second: StoredResult
    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    alike: tuple[int, ...]
    smallest_loss: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[str, ...]:
        """Every setting in which the two differ: "aggregate mean / max", the first's before the second's."""
        return differences_of(self.first.result, self.second.result)

    def table(self) -> Table:
        """The comparison in percentage points; the notes say all that differs."""
        one, two = self.first.result, self.second.result
        lines = [f"differs: {line}" for line in self.differing]
        if not critic_alone(one, two):
            lines.append("note: the difference isn't the critic's alone")
        lines += [f"note: {note}" for note in self.notes]
        few = few_units_note(len(set(self.second.units.clusters))) if isinstance(two, BestOfNResult) else None
        lines += [few] if few else []
        return self.as_table(f"{two.task}: ({two.name}) minus ({one.name}), {two.questions} questions", lines)


def compare(first: Path | StoredResult, second: Path | StoredResult, smallest_loss: float = 0.0) -> Comparison:
    """Compare two results, read or in their folders.

    Raises `ConfigError` if they aren't about the same questions of the same task, if one is damaged, or for a
    `smallest_loss` that is no fraction of 1.
    """
    if not 0 <= smallest_loss <= 1:
        raise ConfigError(f"smallest loss: {smallest_loss} is no fraction of 1, such as 0.01 for a point")
    one, two = (stored if isinstance(stored, StoredResult) else read_result(stored) for stored in (first, second))
    for name in ("task", "nano", "metric"):
        left, right = getattr(one.result, name), getattr(two.result, name)
        if left != right:
            raise ConfigError(f"can't compare: {name} is {left!r} in {one.folder} and {right!r} in {two.folder}")
    by_n: dict[int, Difference] = {}
    alike: list[int] = []
    if isinstance(one.result, StepResult) and isinstance(two.result, StepResult):
        differences = step_differences(one, two, RESAMPLES)
    elif isinstance(one.result, BestOfNResult) and isinstance(two.result, BestOfNResult):
        by_n, alike = _curve_differences(one, two)
        differences = {f"N = {n}": difference for n, difference in by_n.items()}
    else:
        raise ConfigError(f"can't compare: only one of {one.folder} and {two.folder} has curves")
    compared = Comparison(one, two, tuple(differences), tuple(differences.values()), tuple(alike), smallest_loss)
    return replace(compared, notes=tuple(_outcome_above_process(one.result, two.result, by_n, compared.p_holm)))


def _curve_differences(one: StoredResult, two: StoredResult) -> tuple[dict[int, Difference], list[int]]:
    """The differences by N, and the positions of those that are 0 by construction."""
    ns = [n for n in two.units.ns if n in one.units.ns]
    if not ns:
        raise ConfigError("can't compare: the results have no N in common; run both with the same --n")
    check_same(one.units.names, two.units.names)
    left, right = (aligned(stored.units, two.units.names, ns)["critic"] for stored in (two, one))
    alike = alike_by_construction(ns, left, right, same=same_critic(one.result, two.result))
    differences = paired_differences(left, right, two.units.clusters, RESAMPLES, alike=alike)
    return dict(zip(ns, differences, strict=True)), alike


def _outcome_above_process(
    first: Result, second: Result, by_n: dict[int, Difference], p_holm: tuple[float, ...]
) -> list[str]:
    kinds = (_scored(first), _scored(second))
    if set(kinds) != {"outcomes", "steps"}:
        return []
    differences = list(by_n.values())
    if kinds[0] == "outcomes":
        differences = [Difference(-d.value, -d.high, -d.low, d.p_value) for d in differences]
    return outcome_above_process(list(by_n), differences, p_holm)


def _scored(result: Result) -> str | None:
    """What the critic scores; None where it has no say, as in a vote and in step detection."""
    if not isinstance(result, BestOfNResult) or result.selection == "vote":
        return None
    steps = result.steps_per_response
    return "outcomes" if steps is None or steps.one_step_share == 1 else "steps"

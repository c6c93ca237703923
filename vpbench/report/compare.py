"""Two results side by side, on the same questions and the same resamples: is one better, or is that noise?

`check` asks the one-sided question for CI: has a result become worse than its baseline, by more than chance explains?
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

from vpbench.errors import ConfigError
from vpbench.report.differing import critic_alone, differences_of
from vpbench.report.result import BestOfNResult, Result, StepResult
from vpbench.report.step_comparison import check_same, step_differences
from vpbench.report.stored import StoredResult, read_result
from vpbench.report.tables import Figure, Table, grid
from vpbench.report.units import ROUNDING
from vpbench.stats import (
    Difference,
    alike_by_construction,
    few_units_note,
    holm,
    outcome_above_process,
    paired_differences,
)
from vpbench.terminal import printable

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 10_000
LEVEL = 0.05
POWER = 0.8


@dataclass(frozen=True)
class Comparison:
    """The differences second minus first, as fractions of 1, one per label ("N = 8", or "macro-F1 pooled")."""

    first: StoredResult
    second: StoredResult
    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    p_holm: tuple[float, ...]
    smallest_loss: float = 0.0
    """A smaller loss is no regression; a fraction of 1."""
    notes: tuple[str, ...] = ()

    @property
    def significant_losses(self) -> tuple[str, ...]:
        """The labels whose difference is below zero with its whole interval, and after Holm's correction at 5%."""
        return tuple(label for label, _ in self._losses())

    @property
    def regressed(self) -> bool:
        """Whether any of the significant losses is `smallest_loss` or more."""
        return any(loss + ROUNDING >= self.smallest_loss for _, loss in self._losses())

    def _losses(self) -> list[tuple[str, float]]:
        rows = zip(self.labels, self.differences, self.p_holm, strict=True)
        return [(label, -d.value) for label, d, p in rows if d.high < 0 and p < LEVEL]

    @property
    def differing(self) -> tuple[str, ...]:
        """Every setting in which the two differ: "aggregate mean / max", the first's before the second's."""
        return differences_of(self.first.result, self.second.result)

    @property
    def detectable(self) -> tuple[float | None, ...]:
        """By label the true loss that `check` would find in 4 of 5 cases; None where no question differs.

        Standard errors, of which the interval is 2 x 1.96 wide, times the normal quantiles of the level, after Holm's
        first step over all labels, and of the power: 1.96 + 0.84 for one label. Source: Cohen 1988, section 2.4.
        """
        normal = NormalDist()
        width = 2 * normal.inv_cdf(1 - LEVEL / 2)
        deviations = normal.inv_cdf(1 - LEVEL / 2 / len(self.p_holm)) + normal.inv_cdf(POWER)
        return tuple(
            deviations * (difference.high - difference.low) / width if difference.high > difference.low else None
            for difference in self.differences
        )

    def table(self) -> Table:
        """The comparison in percentage points; the notes say all that differs."""
        rows = tuple(
            (label, Figure(d.value, d.low, d.high, 2, points=True, apart=True), d.p_value, p, Figure(loss, digits=2))
            for label, d, p, loss in zip(self.labels, self.differences, self.p_holm, self.detectable, strict=True)
        )
        one, two = self.first.result, self.second.result
        lines = [f"differs: {line}" for line in self.differing]
        if not critic_alone(one, two):
            lines.append("note: the difference isn't the critic's alone")
        lines += [f"note: {note}" for note in self.notes]
        few = few_units_note(len(set(self.second.units.clusters))) if isinstance(two, BestOfNResult) else None
        lines += [few] if few else []
        return Table(
            f"{two.task}: ({two.name}) minus ({one.name}), {two.questions} questions",
            ("", "points", "p", "p (Holm)", "finds losses from"),
            rows,
            tuple(lines),
            keys=("figure", "difference", "p", "p_holm", "finds_losses_from"),
        )

    def text(self) -> str:
        """The table under all that differs."""
        shown = self.table()
        # no name may begin a line of its own
        head = "\n".join(printable(" ".join(line.split())) for line in (shown.title, *shown.notes))
        return f"{head}\n\n{grid(shown)}"

    def verdict(self) -> str:
        """What `check` says: the smallest loss that these questions could show, and whether the result held."""
        shown = [(loss, label) for label, loss in zip(self.labels, self.detectable, strict=True) if loss is not None]
        lines = ["the results differ in no question, so the smallest loss they could show isn't known"]
        if shown:
            loss, label = min(shown)
            lines = [f"smallest loss that these questions show in 4 of 5 cases: {_loss(loss)} points ({label})"]
        if self.significant_losses and not self.regressed:
            labels = ", ".join(self.significant_losses)
            lines.append(f"significant, but smaller than {100 * self.smallest_loss:g} points: the loss at {labels}")
        return "\n".join([*lines, self.outcome])

    @property
    def outcome(self) -> str:
        """What `check` ends with: "regressed" or "held"."""
        return "regressed" if self.regressed else "held"

    def frame(self) -> pd.DataFrame:
        """A row per label: `value`, `low`, `high` as fractions of 1, `p`, `p_holm`, and the `detectable` loss."""
        import pandas as pd

        return pd.DataFrame(
            {
                "label": self.labels,
                "value": [difference.value for difference in self.differences],
                "low": [difference.low for difference in self.differences],
                "high": [difference.high for difference in self.differences],
                "p": [difference.p_value for difference in self.differences],
                "p_holm": self.p_holm,
                "detectable": self.detectable,
            }
        )


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
    p_holm = holm([difference.p_value for difference in differences.values()], alike)
    notes = tuple(_outcome_above_process(one.result, two.result, by_n, p_holm))
    return Comparison(one, two, tuple(differences), tuple(differences.values()), p_holm, smallest_loss, notes)


def _curve_differences(one: StoredResult, two: StoredResult) -> tuple[dict[int, Difference], list[int]]:
    """The differences by N, and the positions of those that are 0 by construction."""
    ns = [n for n in two.units.ns if n in one.units.ns]
    if not ns:
        raise ConfigError("can't compare: the results have no N in common; run both with the same --n")
    check_same(one.units.names, two.units.names)
    row = {name: number for number, name in enumerate(one.units.names)}
    order = [row[name] for name in two.units.names]
    left = two.units.values["critic"][:, [two.units.ns.index(n) for n in ns]]
    right = one.units.values["critic"][order][:, [one.units.ns.index(n) for n in ns]]
    alike = alike_by_construction(ns, left, right, same=_same_critic(one.result, two.result))
    differences = paired_differences(left, right, two.units.clusters, RESAMPLES, alike=alike)
    return dict(zip(ns, differences, strict=True)), alike


def _same_critic(one: Result, two: Result) -> bool:
    return (one.critic, one.provenance.critic_revision) == (two.critic, two.provenance.critic_revision)


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


def _loss(loss: float | None) -> str:
    return "n/a" if loss is None else f"{100 * loss:.2f}"

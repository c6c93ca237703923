"""Two results side by side, on the same questions and the same resamples: is one better, or is that noise?

`check` asks the one-sided question for CI: has a result become worse than its baseline, by more than chance explains?
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpbench.errors import ConfigError
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.step_result import step_scores
from vpbench.report.stored import StoredResult, read_result
from vpbench.stats import Difference, alike_by_construction, holm, macro_f1_difference, paired_differences
from vpbench.terminal import interval, points, table

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 10_000


@dataclass(frozen=True)
class Comparison:
    """The differences second minus first, as fractions of 1, one per label ("N = 8", or "macro-F1 pooled")."""

    first: StoredResult
    second: StoredResult
    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    p_holm: tuple[float, ...]

    @property
    def regressed(self) -> bool:
        """Whether any difference is below zero with its whole interval, and after Holm's correction at 5%."""
        return any(
            difference.high < 0 and p < 0.05 for difference, p in zip(self.differences, self.p_holm, strict=True)
        )

    def text(self) -> str:
        """The comparison as a table, in percentage points."""
        rows = [
            [label, points(d.value, 2), interval(d.low, d.high, 2), f"{d.p_value:.4f}", f"{p:.4f}"]
            for label, d, p in zip(self.labels, self.differences, self.p_holm, strict=True)
        ]
        one, two = self.first.result, self.second.result
        head = f"{two.task}: ({two.name}) minus ({one.name}), {two.questions} questions"
        notes = [
            f"note: {what} of the two differ; the difference isn't the critic's alone" for what in self._differing()
        ]
        return "\n".join([f"{head}\n\n{table(rows, ['', 'points', '95% interval', 'p', 'p (Holm)'])}", *notes])

    def frame(self) -> pd.DataFrame:
        """A row per label: `value`, `low`, `high` as fractions of 1, `p`, `p_holm`."""
        import pandas as pd

        return pd.DataFrame(
            {
                "label": self.labels,
                "value": [difference.value for difference in self.differences],
                "low": [difference.low for difference in self.differences],
                "high": [difference.high for difference in self.differences],
                "p": [difference.p_value for difference in self.differences],
                "p_holm": self.p_holm,
            }
        )

    def _differing(self) -> list[str]:
        """What else differs between the results."""
        one, two = self.first.result.provenance, self.second.result.provenance
        data = one.data.fingerprint != two.data.fingerprint
        return ["the questions' data"] * data + ["the candidates"] * (one.pool_sha256 != two.pool_sha256)


def compare(first: Path | StoredResult, second: Path | StoredResult) -> Comparison:
    """Compare two results, read or in their folders.

    Raises `ConfigError` if they aren't about the same questions of the same task.
    """
    one, two = (stored if isinstance(stored, StoredResult) else read_result(stored) for stored in (first, second))
    for name in ("task", "nano", "metric"):
        left, right = getattr(one.result, name), getattr(two.result, name)
        if left != right:
            raise ConfigError(f"can't compare: {name} is {left!r} in {one.folder} and {right!r} in {two.folder}")
    if isinstance(one.result, StepResult) and isinstance(two.result, StepResult):
        thresholds = (two.result.step_f1.threshold, one.result.step_f1.threshold)
        difference = _step_difference(one, two, thresholds)
        return Comparison(one, two, ("macro-F1 pooled",), (difference,), (difference.p_value,))
    if not (isinstance(one.result, BestOfNResult) and isinstance(two.result, BestOfNResult)):
        raise ConfigError(f"can't compare: only one of {one.folder} and {two.folder} has curves")
    ns = [n for n in two.units.ns if n in one.units.ns]
    if not ns:
        raise ConfigError("can't compare: the results have no N in common; run both with the same --n")
    _check_same(one.units.names, two.units.names)
    order = [one.units.names.index(name) for name in two.units.names]
    left = two.units.values["critic"][:, [two.units.ns.index(n) for n in ns]]
    right = one.units.values["critic"][order][:, [one.units.ns.index(n) for n in ns]]
    alike = alike_by_construction(ns, left, right, same=one.result.critic == two.result.critic)
    differences = paired_differences(left, right, two.units.clusters, RESAMPLES, alike=alike)
    p_holm = holm([difference.p_value for difference in differences], alike)
    return Comparison(one, two, tuple(f"N = {n}" for n in ns), tuple(differences), p_holm)


def _check_same(first: Collection[str], second: Collection[str]) -> None:
    differ = sorted(set(first) ^ set(second))
    if differ:
        raise ConfigError(
            f"can't compare: the questions differ ({len(first)} and {len(second)}); {differ[0]!r} is in one result "
            "only. Run both on the same data and pool."
        )


def _step_difference(one: StoredResult, two: StoredResult, thresholds: tuple[float, float]) -> Difference:
    rows, baseline = _step_rows(two), _step_rows(one)
    _check_same(baseline, rows)
    labels = [[int(label) for label in row["labels"]] for row in rows.values()]
    values = [
        [step_scores(scored[id]["steps"], len(given)) for id, given in zip(rows, labels, strict=True)]
        for scored in (rows, baseline)
    ]
    groups = [row["group"] or id for id, row in rows.items()]
    return macro_f1_difference(labels, (values[0], values[1]), thresholds, groups, resamples=RESAMPLES)


def _step_rows(stored: StoredResult) -> dict[str, dict[str, Any]]:
    return {
        row["question_id"]: row for row in stored.table("rows", ("question_id", "group", "labels", "steps")).to_pylist()
    }

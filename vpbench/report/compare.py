"""Two results side by side, on the same questions and the same resamples: is one better, or is that noise?

`check` asks the one-sided question for CI: has a result become worse than its baseline, by more than chance explains?
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from vpbench.errors import ConfigError
from vpbench.report.step_result import step_scores
from vpbench.report.stored import StoredResult, read_result
from vpbench.stats import Difference, alike_by_construction, holm, macro_f1_difference, paired_differences
from vpbench.terminal import table

RESAMPLES = 10_000


@dataclass(frozen=True)
class Compared:
    """The differences second minus first, as fractions of 1, one per label ("N = 8", or "macro-F1 pooled")."""

    first: StoredResult
    second: StoredResult
    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    p_holm: tuple[float, ...]

    @property
    def regressed(self) -> bool:
        """Whether any difference is below zero with its whole interval, and after Holm's correction at 5%."""
        return any(each.high < 0 and p < 0.05 for each, p in zip(self.differences, self.p_holm, strict=True))

    def text(self) -> str:
        """The comparison as a table, in percentage points."""
        rows = [
            [
                label,
                f"{100 * d.value:+z.2f}",
                f"{100 * d.low:+z.2f} .. {100 * d.high:+z.2f}",
                f"{d.p_value:.4f}",
                f"{p:.4f}",
            ]
            for label, d, p in zip(self.labels, self.differences, self.p_holm, strict=True)
        ]
        task, questions = self.second.result["task"], self.second.result["questions"]
        head = f"{task}: ({self.second.name}) minus ({self.first.name}), {questions} questions"
        notes = [
            f"note: {what} of the two differ; the difference isn't the critic's alone" for what in self._differing()
        ]
        return "\n".join([f"{head}\n\n{table(rows, ['', 'points', '95% interval', 'p', 'p (Holm)'])}", *notes])

    def _differing(self) -> list[str]:
        """What else differs between the results."""
        one, two = (each.result["provenance"] for each in (self.first, self.second))
        data = one["data"]["fingerprint"] != two["data"]["fingerprint"]
        return ["the questions' data"] * data + ["the candidates"] * (one["pool_sha256"] != two["pool_sha256"])


def compare(first: Path, second: Path) -> Compared:
    """Compare two result folders. Raises `ConfigError` if they aren't about the same questions of the same task."""
    one, two = read_result(first), read_result(second)
    for name in ("task", "nano", "metric"):
        if one.result[name] != two.result[name]:
            raise ConfigError(
                f"can't compare: {name} is {one.result[name]!r} in {first} and {two.result[name]!r} in {second}"
            )
    if one.units is None or two.units is None:
        difference = _step_difference(one, two)
        return Compared(one, two, ("macro-F1 pooled",), (difference,), (difference.p_value,))
    ns = [n for n in two.units.ns if n in one.units.ns]
    if not ns:
        raise ConfigError("can't compare: the results have no N in common; run both with the same --n")
    _check_same(one.units.names, two.units.names)
    order = [one.units.names.index(name) for name in two.units.names]
    left = two.units.values["critic"][:, [two.units.ns.index(n) for n in ns]]
    right = one.units.values["critic"][order][:, [one.units.ns.index(n) for n in ns]]
    alike = alike_by_construction(ns, left, right, same=one.result["critic"] == two.result["critic"])
    differences = paired_differences(left, right, two.units.clusters, RESAMPLES, alike=alike)
    p_holm = holm([difference.p_value for difference in differences], alike)
    return Compared(one, two, tuple(f"N = {n}" for n in ns), tuple(differences), p_holm)


def _check_same(first: Collection[str], second: Collection[str]) -> None:
    differ = sorted(set(first) ^ set(second))
    if differ:
        raise ConfigError(
            f"can't compare: the questions differ ({len(first)} and {len(second)}); {differ[0]!r} is in one result "
            "only. Run both on the same data and pool."
        )


def _step_difference(one: StoredResult, two: StoredResult) -> Difference:
    _check_same(one.rows, two.rows)
    labels = [[int(label) for label in row["labels"]] for row in two.rows.values()]
    steps = [[stored.rows[id]["steps"] for id in two.rows] for stored in (two, one)]
    values = [[step_scores(given, len(known)) for given, known in zip(each, labels, strict=True)] for each in steps]
    thresholds = (two.result["step_f1"]["threshold"], one.result["step_f1"]["threshold"])
    groups = [row["group"] or id for id, row in two.rows.items()]
    return macro_f1_difference(labels, (values[0], values[1]), thresholds, groups, resamples=RESAMPLES)

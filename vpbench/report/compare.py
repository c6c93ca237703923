"""Two results side by side, on the same questions and the same resamples: is one better, or is that noise?

`check` asks the one-sided question for CI: has a result become worse than its baseline, by more than chance explains?
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vpbench.errors import ConfigError
from vpbench.report.step_result import step_scores
from vpbench.report.stored import StoredResult, best_of_n_matrix, read_result
from vpbench.report.text import table
from vpbench.stats import Difference, holm, macro_f1_difference, paired_differences

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
                f"{100 * d.value:+.2f}",
                f"{100 * d.low:+.2f} .. {100 * d.high:+.2f}",
                f"{d.p_value:.4f}",
                f"{p:.4f}",
            ]
            for label, d, p in zip(self.labels, self.differences, self.p_holm, strict=True)
        ]
        task, questions = self.second.result["task"], len(self.first.rows)
        head = f"{task}: ({self.second.name}) minus ({self.first.name}), {questions} questions"
        return f"{head}\n\n{table(rows, ['', 'points', '95% interval', 'p', 'p (Holm)'])}"


def compare(first: Path, second: Path) -> Compared:
    """Compare two result folders. Raises `ConfigError` if they aren't about the same questions of the same task."""
    one, two = read_result(first), read_result(second)
    for field in ("task", "nano", "metric"):
        if one.result[field] != two.result[field]:
            raise ConfigError(
                f"can't compare: {field} is {one.result[field]!r} in {first} and {two.result[field]!r} in {second}"
            )
    if one.rows.keys() != two.rows.keys():
        differ = sorted(one.rows.keys() ^ two.rows.keys())
        raise ConfigError(
            f"can't compare: the questions differ ({len(one.rows)} and {len(two.rows)}); "
            f"question {differ[0]!r} is in one result only. Run both on the same data and pool."
        )
    if "curves" not in one.result:
        difference = _step_difference(two, one)
        return Compared(one, two, ("macro-F1 pooled",), (difference,), (difference.p_value,))
    ns = sorted({p["n"] for p in one.result["curves"]["critic"]} & {p["n"] for p in two.result["curves"]["critic"]})
    if not ns:
        raise ConfigError("can't compare: the results have no N in common; run both with the same --n")
    groups = [rows[0]["group"] or id for id, rows in two.rows.items()]
    matrix_two, matrix_one = best_of_n_matrix(two, list(two.rows), ns), best_of_n_matrix(one, list(two.rows), ns)
    differences = paired_differences(matrix_two, matrix_one, groups, RESAMPLES)
    p_holm = holm([each.p_value for each in differences])
    return Compared(one, two, tuple(f"N = {n}" for n in ns), tuple(differences), p_holm)


def _step_difference(two: StoredResult, one: StoredResult) -> Difference:
    rows = {id: (two.rows[id][0], one.rows[id][0]) for id in two.rows}
    labels = [[int(label) for label in second["labels"]] for second, _ in rows.values()]
    values = tuple(
        [step_scores(row[which]["steps"], len(given)) for row, given in zip(rows.values(), labels, strict=True)]
        for which in (0, 1)
    )
    thresholds = (two.result["step_f1"]["threshold"], one.result["step_f1"]["threshold"])
    groups = [second["group"] or id for id, (second, _) in rows.items()]
    return macro_f1_difference(labels, (values[0], values[1]), thresholds, groups, RESAMPLES)

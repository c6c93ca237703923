"""Figures of arXiv 2503.10291 that the experiments are compared with, each beside the figure it is a change from.

Best-of-8 is the unweighted mean over the paper's seven benchmarks, in percent; step F1 its macro-F1 on labelled steps,
in percent. Tables 4 and 8 have the value 41.1 where Table 6, of the same setting, has 41.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "arXiv 2503.10291"


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One published row: Best-of-8 and, where it was measured, step F1; `reference_*` are those of its base row."""

    table: int
    best: float
    reference_best: float = 41.1
    f1: float | None = None
    reference_f1: float = 62.0

    @property
    def best_change(self) -> float:
        """Change of Best-of-8, in points."""
        return round(self.best - self.reference_best, 1)

    @property
    def f1_change(self) -> float | None:
        """Change of step F1, in points."""
        return None if self.f1 is None else round(self.f1 - self.reference_f1, 1)


RANDOM = PaperRow(4, 41.1, reference_best=33.0)
"""The base row against a random pick."""
AGGREGATIONS: Mapping[str, PaperRow] = {"min": PaperRow(4, 40.4), "max": PaperRow(4, 35.9)}
ADVANTAGE = PaperRow(4, 37.4, f1=55.0)
EARLY_STOP = PaperRow(4, 40.6, f1=61.6)
THRESHOLDS: Mapping[float, PaperRow] = {
    1 / 16: PaperRow(8, 40.4, f1=61.0),
    1 / 8: PaperRow(8, 40.5, f1=60.7),
    1 / 4: PaperRow(8, 40.0, f1=60.2),
}
"""The first is printed as 0.625 there, which can only be 0.0625."""
TEMPERATURES: Mapping[float, PaperRow] = {
    0.3: PaperRow(8, 40.5),
    1.0: PaperRow(8, 40.9),
    1.3: PaperRow(8, 38.6),
}
OUTCOME_LABELS = PaperRow(6, 39.7, reference_best=41.2)
OTHER_POLICY = PaperRow(2, 45.1, reference_best=41.4)
"""Candidates of a stronger policy of another family: the critic's choice, against one response."""

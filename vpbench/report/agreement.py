"""How far verdicts agree: counts by benchmark and system, the share of equal verdicts, Cohen's kappa."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping

from vpbench.records import Verdict

ALL_SYSTEMS = "all systems"


@dataclasses.dataclass(frozen=True, slots=True)
class ComparedRow:
    """Our verdicts (robust None: not compared) and the verdicts each is compared with."""

    official: Verdict
    theirs: bool
    robust: Verdict | None
    theirs_for_robust: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """Counts of rows: (our verdict, theirs) of each mode, and (reason, theirs) where robust grading disagrees."""

    official: Counter[tuple[bool, bool]] = dataclasses.field(default_factory=Counter)
    robust: Counter[tuple[bool, bool]] = dataclasses.field(default_factory=Counter)
    disagreements: Counter[tuple[str, bool]] = dataclasses.field(default_factory=Counter)

    def add(self, row: ComparedRow) -> None:
        """Count one row."""
        self.official[row.official.correct, row.theirs] += 1
        if row.robust is not None:
            self.robust[row.robust.correct, row.theirs_for_robust] += 1
            if row.robust.correct != row.theirs_for_robust:
                self.disagreements[row.robust.reason, row.theirs_for_robust] += 1


@dataclasses.dataclass(frozen=True, slots=True)
class FileTally:
    """One file: tallies by (benchmark, system, only rows whose extraction stands in the response), and the rest.

    `official_differs` are rows whose official verdict isn't reproduced: (system, question, theirs, ours).
    """

    name: str
    rows: int
    sha256: str
    graded: dict[tuple[str, str, bool], Tally] = dataclasses.field(default_factory=dict)
    official_differs: list[tuple[str, str, bool, Verdict]] = dataclasses.field(default_factory=list)
    official_only: Counter[str] = dataclasses.field(default_factory=Counter)
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)
    not_usable: Counter[str] = dataclasses.field(default_factory=Counter)


def agreement_and_kappa(pairs: Mapping[tuple[bool, bool], int]) -> tuple[float, float | None]:
    """Share of equal verdicts, and Cohen's kappa (observed - chance) / (1 - chance), chance from the two margins.

    `pairs` counts (our verdict, theirs); kappa is None where all verdicts of both are the same.
    """
    rows = sum(pairs.values())
    observed = sum(count for (ours, theirs), count in pairs.items() if ours == theirs) / rows
    ours, theirs = (sum(count for pair, count in pairs.items() if pair[side]) / rows for side in (0, 1))
    chance = ours * theirs + (1 - ours) * (1 - theirs)
    return observed, (observed - chance) / (1 - chance) if chance < 1 else None

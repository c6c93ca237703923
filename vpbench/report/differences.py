"""Differences between results, and what `check` says of them: a loss, none, or how large one had to be to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

from vpbench.report.tables import Figure, PValue, Table, grid
from vpbench.report.units import ROUNDING
from vpbench.stats import Difference, holm
from vpbench.terminal import printable

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05
POWER = 0.8


class Differences:
    """Differences second minus first, fractions of 1, one per label, corrected together.

    Those at the positions `alike` are 0 by construction and no tests. A loss smaller than `smallest_loss` is no
    regression.
    """

    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    alike: tuple[int, ...]
    smallest_loss: float

    @property
    def p_holm(self) -> tuple[float, ...]:
        """The p-values after Holm's correction over all that are tests."""
        return holm([difference.p_value for difference in self.differences], self.alike)

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
    def detectable(self) -> tuple[float | None, ...]:
        """By label the true loss that `check` would find in 4 of 5 cases; None where no question differs.

        Standard errors, of which the interval is 2 x 1.96 wide, times the normal quantiles of the level, after Holm's
        first step over all tests, and of the power: 1.96 + 0.84 for one test. Source: Cohen 1988, section 2.4.
        """
        normal = NormalDist()
        width = 2 * normal.inv_cdf(1 - LEVEL / 2)
        tests = max(1, len(self.differences) - len(self.alike))
        deviations = normal.inv_cdf(1 - LEVEL / 2 / tests) + normal.inv_cdf(POWER)
        return tuple(
            deviations * (difference.high - difference.low) / width if difference.high > difference.low else None
            for difference in self.differences
        )

    def as_table(self, title: str, notes: Sequence[str]) -> Table:
        """The differences in percentage points."""
        rows = tuple(
            (
                label,
                Figure(d.value, d.low, d.high, 2, points=True, apart=True),
                PValue(d.p_value),
                PValue(p),
                Figure(loss, digits=2),
            )
            for label, d, p, loss in zip(self.labels, self.differences, self.p_holm, self.detectable, strict=True)
        )
        headers = ("", "points", "p", "p (Holm)", "finds losses from")
        keys = ("figure", "difference", "p", "p_holm", "finds_losses_from")
        return Table(title, headers, rows, tuple(notes), keys)

    def table(self) -> Table:
        """The differences, with notes on all in which the results differ besides."""
        raise NotImplementedError

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


def _loss(loss: float | None) -> str:
    return "n/a" if loss is None else f"{100 * loss:.2f}"

"""What an overview of a study holds, as `study.json` writes it: attributes are called as the file's keys.

All values are fractions of 1, all intervals 95%. The format is `study.schema.json` beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vpbench.report.result import Gain, Point

LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskColumn:
    """A task of the study: what all its comparable cells have in common.

    `clusters` are what is resampled: units, or groups of them; for a step task, and where no cell has a figure, None.
    `controls` are the curves of the pool at the N shown, empty for a step task.
    """

    task: str
    metric: str
    policy: str
    nano: bool
    questions: int
    questions_in_task: int
    clusters: int | None = None
    controls: Mapping[str, tuple[Point, ...]]

    @property
    def size(self) -> str:
        """How many questions the column stands on, and of how many where that isn't all."""
        part = self.questions != self.questions_in_task
        return f"{self.questions} of {self.questions_in_task}" if part else str(self.questions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One row on one task. A cell without a figure says why in `missing`, and has no points.

    `folder` is the result's, relative to the output folder; of its `candidates` some lack an answer or a score. Points
    and gains are the result's own, at the N shown; a step task's single point has N = 1.
    """

    task: str
    missing: str | None = None
    folder: str | None = None
    candidates: int = 0
    unanswered: int = 0
    unscored: int = 0
    points: tuple[Point, ...] = ()
    over_random: tuple[Gain, ...] = ()
    over_vote: tuple[Gain, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean of all Best-of-N tasks at one N, each task one vote, and its gains over the means of the controls.

    Rows that share one of the `letters` aren't told apart. `best` is the row that is told apart from every other one,
    and above them. `over_vote` is None where a task's pool has no answers to vote for.
    """

    n: int
    value: float
    low: float
    high: float
    over_random: Gain
    over_vote: Gain | None
    letters: str
    best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A critic as the study calls it. `no_mean` says why `means` is empty, `votes` that it selects as the vote does."""

    name: str
    critic: str
    votes: bool = False
    cells: tuple[Cell, ...]
    steps: tuple[Cell, ...] = ()
    means: tuple[Mean, ...] = ()
    no_mean: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The mean of the row `first` minus that of `second` at one N; `p_holm` is over all pairs and N of the overview."""

    first: str
    second: str
    n: int
    value: float
    low: float
    high: float
    p: float
    p_holm: float

    @property
    def told_apart(self) -> bool:
        """Whether the difference is clear of noise, by p after correction and by its interval."""
        return self.p_holm < LEVEL and not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewRecord:
    """A study: its rows on its tasks, at the N shown. `controls` are the means of the pools' own curves."""

    schema_version: Literal[1] = 1
    ns: tuple[int, ...]
    tasks: tuple[TaskColumn, ...]
    step_tasks: tuple[TaskColumn, ...]
    rows: tuple[Row, ...]
    controls: Mapping[str, tuple[Point, ...]]
    pairs: tuple[Pair, ...]
    tests: int
    resamples: int
    seed: int
    notes: tuple[str, ...]

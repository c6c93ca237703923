"""A result: one critic on one task, as `result.json` holds it.

Attributes are called as the file's keys, whose format is `result.schema.json` beside this file. All values are
fractions of 1, all intervals 95% from a paired bootstrap over questions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vpbench.records import Selection
from vpbench.stats.answers import DistinctAnswers
from vpbench.stats.calibration import Ranking, Reliability
from vpbench.stats.first_error_mean import FirstErrors
from vpbench.stats.step_breakdown import BinF1, FirstErrorAccuracy
from vpbench.stats.step_controls import StepControl
from vpbench.stats.steps import StepF1

SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, 2)
"""Version 1 has no `measures`."""
MEAN_FIRST_ERROR_F1 = "mean_first_error_f1"
"""The metric of a step task whose headline is where the first error is placed."""
GAINS = ("over_random", "over_vote")
"""The keys of `gains`."""
NOT_SCORED = "not scored: "
"""What a key of `errors` begins with where the row has no score; the others are rows without an answer."""


@dataclass(frozen=True, slots=True)
class Point:
    """A curve's value at one N, with its interval."""

    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Gain:
    """The critic minus a control at one N, with its interval, its p-value, and that after Holm over all N."""

    n: int
    value: float
    low: float
    high: float
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class MeasurePoint:
    """A measure at one N: the critic's figure and the controls'.

    `low` and `high` are the critic's interval, None for a single question or group; `vote` is None where there is none.
    """

    n: int
    critic: float
    vote: float | None
    random: float
    oracle: float
    first: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class NamedMeasure:
    """A named figure at every N, of all questions, or of the `count` whose `category` has the `label`.

    `shown` says whether the benchmark's own leaderboard shows it.
    """

    measure: str
    category: str | None
    label: str | None
    count: int
    shown: bool
    points: tuple[MeasurePoint, ...]

    @property
    def title(self) -> str:
        """The measure in words: "accuracy", "task: geometry", "worst case accuracy, subject: algebra"."""
        name = self.measure.replace("_", " ")
        if self.category is None:
            return name
        part = f"{self.category.replace('_', ' ')}: {self.label}"
        return part if name == "accuracy" else f"{name}, {part}"


@dataclass(frozen=True, slots=True)
class StepsPerResponse:
    """Mean and largest number of scored steps, and the share of the `responses` that have one."""

    mean: float
    max: int
    one_step_share: float
    responses: int


@dataclass(frozen=True, slots=True)
class PooledF1(StepF1):
    """F1 over the steps of all sources, with the interval of `macro_f1`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class HeldOutF1(StepF1):
    """F1 over the steps of all sources, with the interval of `macro_f1`; files of earlier versions have none."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class HeldOutThreshold:
    """F1 with each fold at the threshold that is best on the others; `thresholds` has one per fold."""

    folds: int
    thresholds: tuple[float, ...]
    pooled: HeldOutF1


@dataclass(frozen=True, slots=True)
class StepRanking(Ranking):
    """Threshold-free figures, with the interval of `auroc`; None where there is none."""

    auroc_low: float | None = None
    auroc_high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """Step detection under every averaging (`vpbench.stats.StepDetection`), threshold-free figures, breakdowns.

    What has a default isn't in every file: `held_out_threshold` needs enough solutions, `first_errors` a task whose
    headline they are.
    """

    threshold: float
    pooled: PooledF1
    step_weighted_mean: StepF1
    mean_of_sources: StepF1
    by_source: Mapping[str, StepF1]
    neutral: int = 0
    unmade: int = 0
    ranking: StepRanking | None = None
    reliability: Reliability | None = None
    first_error: FirstErrorAccuracy | None = None
    first_errors: FirstErrors | None = None
    by_position: tuple[BinF1, ...] = ()
    by_response_length: tuple[BinF1, ...] = ()
    held_out_threshold: HeldOutThreshold | None = None
    controls: tuple[StepControl, ...] = ()


@dataclass(frozen=True, slots=True)
class DataOrigin:
    """Where the questions come from, their commit on the hub if they are from there, and a hash of what was read."""

    origin: str
    revision: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Everything the result rests on. Nothing secret: the environment is not recorded.

    `texts` is the folder, within the run's, of the questions' and responses' texts (`vpbench.report.texts`). `seconds`
    are by stage; `pool_sha256`, `drawing` and `judge` are a Best-of-N result's.
    """

    command: tuple[str, ...]
    versions: Mapping[str, str]
    hardware: Mapping[str, Any]
    task_version: int
    data: DataOrigin
    pool: Mapping[str, Any] | None = None
    pool_sha256: str | None = None
    drawing: Mapping[str, Any] | None = None
    judge: Mapping[str, Any] | None = None
    critic_settings: Mapping[str, Any]
    critic_used_in_this_run: Mapping[str, float] | None = None
    critic_revision: str
    seed: int
    resamples: int
    seconds: Mapping[str, float]
    texts: str | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What every result has. `errors` counts rows by reason; `diagnosis` says in words what stands out.

    `label` is what the study calls the critic, None for its own name. `files` holds the SHA-256 of the Parquet files by
    name; None in memory before they are written, and in files of earlier versions.
    """

    schema_version: int = SCHEMA_VERSION
    task: str
    critic: str
    policy: str
    questions: int
    questions_in_task: int
    complete: bool
    candidates: int
    pool_size: int
    metric: str
    nano: bool
    errors: Mapping[str, int]
    notes: tuple[str, ...]
    steps_per_response: StepsPerResponse | None = None
    diagnosis: tuple[str, ...]
    provenance: Provenance
    files: Mapping[str, str] | None = None
    label: str | None = None

    @property
    def row(self) -> str:
        """What the critic is called in tables, plots and on pages."""
        return self.label or self.critic

    @property
    def size(self) -> str:
        """How many questions, and of how many if it isn't the whole task."""
        return str(self.questions) if self.complete else f"{self.questions} of {self.questions_in_task}"

    @property
    def unanswered(self) -> dict[str, int]:
        """Rows in which no answer could be read, by reason."""
        return {reason: count for reason, count in self.errors.items() if not reason.startswith(NOT_SCORED)}

    @property
    def unscored(self) -> dict[str, int]:
        """Rows without a score, by reason."""
        return {
            reason.removeprefix(NOT_SCORED): count
            for reason, count in self.errors.items()
            if reason.startswith(NOT_SCORED)
        }


@dataclass(frozen=True, kw_only=True)
class BestOfNResult(Result):
    """A critic on a Best-of-N task: curves and gains have a point per N, in order; without a vote its are empty.

    `grading` is "given" where the pool's own verdicts were used. `judge` is the language model that official grading
    asked. `units` counts what the metric does: questions, or groups of them. Files of earlier versions have no
    `distinct_answers`.
    """

    grading: Literal["robust", "official", "given"]
    judge: str | None = None
    selection: Selection
    estimator: Literal["expected", "prefix"]
    aggregate: str
    link: Literal["sigmoid"] | None = None
    units: int
    curves: Mapping[str, tuple[Point, ...]]
    gains: Mapping[str, tuple[Gain, ...]]
    measures: tuple[NamedMeasure, ...] = ()
    drawing_standard_error: tuple[float, ...] = ()
    distinct_answers: DistinctAnswers | None = None

    @property
    def name(self) -> str:
        """Critic, selection, grading and judge in one line."""
        judge = () if self.judge is None else (f"judge {self.judge}",)
        return ", ".join((self.row, self.selection, self.grading, *judge))

    @property
    def graded(self) -> str:
        """By which rule and judge, in words."""
        rule = "the pool's own verdicts" if self.grading == "given" else f"{self.grading} grading"
        return rule if self.judge is None else f"{rule}, judge {self.judge}"

    @property
    def has_vote(self) -> bool:
        """Whether the pool gives answers that can be voted on."""
        return bool(self.curves["vote"])

    @property
    def ns(self) -> tuple[int, ...]:
        """Every N of the curves."""
        return tuple(point.n for point in self.curves["critic"])


@dataclass(frozen=True, kw_only=True)
class StepResult(Result):
    """A critic on a step-detection task."""

    step_f1: StepReport

    @property
    def name(self) -> str:
        """The critic."""
        return self.row

    @property
    def headline(self) -> tuple[float | None, float | None, float | None]:
        """The figure that `metric` names and its interval; None where there is nothing to take it from."""
        pooled, first = self.step_f1.pooled, self.step_f1.first_errors
        if self.metric == MEAN_FIRST_ERROR_F1:
            return (None, None, None) if first is None else (first.mean_f1, first.low, first.high)
        return pooled.macro_f1, pooled.low, pooled.high

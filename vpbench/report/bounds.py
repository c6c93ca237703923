"""Between which numbers a figure of a result lies, by record and key, as `result.schema.json` says too."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

from vpbench.report.overview_record import Cell, Mean, OverviewRecord, Pair, TaskColumn
from vpbench.report.result import (
    BestOfNResult,
    Gain,
    HeldOutF1,
    HeldOutThreshold,
    MeasurePoint,
    NamedMeasure,
    Point,
    PooledF1,
    Provenance,
    Result,
    StepRanking,
    StepReport,
    StepsPerResponse,
)
from vpbench.stats.answers import DistinctAnswers
from vpbench.stats.auroc import Area
from vpbench.stats.calibration import Ranking, Reliability, ReliabilityBin
from vpbench.stats.first_error_mean import FirstErrors
from vpbench.stats.step_breakdown import FirstErrorAccuracy
from vpbench.stats.step_controls import StepControl
from vpbench.stats.steps import StepF1

Bounds = tuple[float, float]

_FRACTION = (0.0, 1.0)
_DIFFERENCE = (-1.0, 1.0)
_FROM_0 = (0.0, math.inf)
_FROM_1 = (1.0, math.inf)
_INTERVAL = dict.fromkeys(("low", "high"), _FRACTION)

_BOUNDS: Mapping[type, Mapping[str, Bounds]] = {
    Point: {"n": _FROM_1, "value": _FRACTION, **_INTERVAL},
    Gain: {
        "n": _FROM_1,
        **dict.fromkeys(("value", "low", "high"), _DIFFERENCE),
        **dict.fromkeys(("p", "p_holm"), _FRACTION),
    },
    MeasurePoint: {
        "n": _FROM_1,
        **dict.fromkeys(("critic", "vote", "random", "oracle", "first"), _FRACTION),
        **_INTERVAL,
    },
    NamedMeasure: {"count": _FROM_1},
    StepsPerResponse: {"mean": _FROM_1, "max": _FROM_1, "one_step_share": _FRACTION, "responses": _FROM_1},
    StepF1: {**dict.fromkeys(("f1_correct", "f1_incorrect", "macro_f1"), _FRACTION), "steps": _FROM_0},
    PooledF1: _INTERVAL,
    HeldOutF1: _INTERVAL,
    HeldOutThreshold: {"folds": (2.0, math.inf)},
    StepReport: dict.fromkeys(("neutral", "unmade"), _FROM_0),
    Ranking: {
        **dict.fromkeys(("auroc", "average_precision_correct", "average_precision_incorrect"), _FRACTION),
        "share_incorrect": _FRACTION,
        **dict.fromkeys(("steps", "unmade"), _FROM_0),
    },
    StepRanking: dict.fromkeys(("auroc_low", "auroc_high"), _FRACTION),
    Reliability: {"expected_calibration_error": _FRACTION, "steps": _FROM_0},
    ReliabilityBin: {"share_correct": _FRACTION, "steps": _FROM_1},
    FirstErrorAccuracy: {
        **dict.fromkeys(("accuracy", "accuracy_with_error", "accuracy_without_error", "harmonic_mean"), _FRACTION),
        "solutions": _FROM_0,
    },
    DistinctAnswers: dict.fromkeys(("median", "one_at_most", "mixed"), _FROM_0),
    FirstErrors: {"mean_f1": _FRACTION, **_INTERVAL},
    StepControl: {"macro_f1": _FRACTION, **_INTERVAL},
    Area: {"value": _FRACTION, **_INTERVAL},
    Provenance: {"task_version": _FROM_0, "seed": _FROM_0, "resamples": _FROM_1, "seconds": _FROM_0},
    Result: {
        **dict.fromkeys(("questions", "questions_in_task", "candidates", "pool_size"), _FROM_1),
        "errors": _FROM_1,
    },
    TaskColumn: dict.fromkeys(("questions", "questions_in_task", "clusters"), _FROM_1),
    Cell: dict.fromkeys(("candidates", "unanswered", "unscored"), _FROM_0),
    Mean: {"n": _FROM_1, "value": _FRACTION, **_INTERVAL},
    Pair: {
        "n": _FROM_1,
        **dict.fromkeys(("value", "low", "high"), _DIFFERENCE),
        **dict.fromkeys(("p", "p_holm"), _FRACTION),
    },
    OverviewRecord: {"ns": _FROM_1, "tests": _FROM_0, "resamples": _FROM_1, "seed": _FROM_0},
    BestOfNResult: {"units": _FROM_1, "drawing_standard_error": _FROM_0},
}


@functools.cache
def bounds_of(kind: type) -> Mapping[str, Bounds]:
    """The bounds of a record's numbers, those of its base classes among them; a list's or object's are of each item."""
    return {name: bounds for base in kind.__mro__ for name, bounds in _BOUNDS.get(base, {}).items()}

"""Statistics of a run: selection curves, step detection, intervals, comparisons, diagnosis.

The names below are loaded when first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpbench.stats.aggregation import AGGREGATIONS as AGGREGATIONS
    from vpbench.stats.aggregation import aggregate as aggregate
    from vpbench.stats.aggregation import check_meaning as check_meaning
    from vpbench.stats.answers import DistinctAnswers as DistinctAnswers
    from vpbench.stats.answers import distinct_answers as distinct_answers
    from vpbench.stats.auroc import Area as Area
    from vpbench.stats.auroc import step_auroc as step_auroc
    from vpbench.stats.best_of_n import expected_best as expected_best
    from vpbench.stats.best_of_n import expected_oracle as expected_oracle
    from vpbench.stats.best_of_n import expected_random as expected_random
    from vpbench.stats.best_of_n import first as first
    from vpbench.stats.bootstrap import Difference as Difference
    from vpbench.stats.bootstrap import alike_by_construction as alike_by_construction
    from vpbench.stats.bootstrap import bootstrap_intervals as bootstrap_intervals
    from vpbench.stats.bootstrap import holm as holm
    from vpbench.stats.bootstrap import paired_difference as paired_difference
    from vpbench.stats.bootstrap import paired_differences as paired_differences
    from vpbench.stats.calibration import Ranking as Ranking
    from vpbench.stats.calibration import Reliability as Reliability
    from vpbench.stats.calibration import ReliabilityBin as ReliabilityBin
    from vpbench.stats.calibration import step_ranking as step_ranking
    from vpbench.stats.calibration import step_reliability as step_reliability
    from vpbench.stats.diagnosis import diagnose as diagnose
    from vpbench.stats.diagnosis.gains import outcome_above_process as outcome_above_process
    from vpbench.stats.diagnosis.headline import Headline as Headline
    from vpbench.stats.diagnosis.steps import diagnose_steps as diagnose_steps
    from vpbench.stats.few_units import few_units_note as few_units_note
    from vpbench.stats.first_error_mean import FirstErrors as FirstErrors
    from vpbench.stats.first_error_mean import first_errors as first_errors
    from vpbench.stats.letters import shared_letters as shared_letters
    from vpbench.stats.overview import Stratum as Stratum
    from vpbench.stats.overview import mean_differences as mean_differences
    from vpbench.stats.overview import mean_intervals as mean_intervals
    from vpbench.stats.pool_curves import Curves as Curves
    from vpbench.stats.pool_curves import QuestionPool as QuestionPool
    from vpbench.stats.pool_curves import curves as curves
    from vpbench.stats.pool_sizes import full_questions as full_questions
    from vpbench.stats.prefix import prefix_best as prefix_best
    from vpbench.stats.prefix import prefix_oracle as prefix_oracle
    from vpbench.stats.prefix import prefix_picks as prefix_picks
    from vpbench.stats.prefix import prefix_random as prefix_random
    from vpbench.stats.prefix import prefix_vote as prefix_vote
    from vpbench.stats.prefix import prefix_weighted_vote as prefix_weighted_vote
    from vpbench.stats.random_scores import random_scores_p as random_scores_p
    from vpbench.stats.random_scores import variance_of_dealt_scores as variance_of_dealt_scores
    from vpbench.stats.step_breakdown import BinF1 as BinF1
    from vpbench.stats.step_breakdown import FirstErrorAccuracy as FirstErrorAccuracy
    from vpbench.stats.step_breakdown import f1_by_length as f1_by_length
    from vpbench.stats.step_breakdown import f1_by_position as f1_by_position
    from vpbench.stats.step_breakdown import first_error_accuracy as first_error_accuracy
    from vpbench.stats.step_controls import StepControl as StepControl
    from vpbench.stats.step_controls import coin_macro_f1 as coin_macro_f1
    from vpbench.stats.step_controls import measure_step_controls as measure_step_controls
    from vpbench.stats.step_intervals import macro_f1_difference as macro_f1_difference
    from vpbench.stats.step_intervals import macro_f1_interval as macro_f1_interval
    from vpbench.stats.step_threshold import CrossFitted as CrossFitted
    from vpbench.stats.step_threshold import cross_fitted_threshold as cross_fitted_threshold
    from vpbench.stats.steps import StepDetection as StepDetection
    from vpbench.stats.steps import StepF1 as StepF1
    from vpbench.stats.steps import step_f1 as step_f1
    from vpbench.stats.voting import expected_vote as expected_vote
    from vpbench.stats.weighted_means import resampled_weighted_means as resampled_weighted_means
    from vpbench.stats.weighted_vote import DrawnVotes as DrawnVotes
    from vpbench.stats.weighted_vote import expected_weighted_vote as expected_weighted_vote
    from vpbench.stats.weighted_vote import weighted_votes as weighted_votes

_HOME = {
    "aggregation": ("AGGREGATIONS", "aggregate", "check_meaning"),
    "answers": ("DistinctAnswers", "distinct_answers"),
    "auroc": ("Area", "step_auroc"),
    "best_of_n": ("expected_best", "expected_oracle", "expected_random", "first"),
    "bootstrap": (
        "Difference",
        "alike_by_construction",
        "bootstrap_intervals",
        "holm",
        "paired_difference",
        "paired_differences",
    ),
    "calibration": ("Ranking", "Reliability", "ReliabilityBin", "step_ranking", "step_reliability"),
    "pool_curves": ("Curves", "QuestionPool", "curves"),
    "pool_sizes": ("full_questions",),
    "diagnosis": ("diagnose",),
    "diagnosis.gains": ("outcome_above_process",),
    "diagnosis.headline": ("Headline",),
    "diagnosis.steps": ("diagnose_steps",),
    "few_units": ("few_units_note",),
    "first_error_mean": ("FirstErrors", "first_errors"),
    "letters": ("shared_letters",),
    "overview": ("Stratum", "mean_differences", "mean_intervals"),
    "prefix": ("prefix_best", "prefix_oracle", "prefix_picks", "prefix_random", "prefix_vote", "prefix_weighted_vote"),
    "random_scores": ("random_scores_p", "variance_of_dealt_scores"),
    "step_breakdown": ("BinF1", "FirstErrorAccuracy", "f1_by_length", "f1_by_position", "first_error_accuracy"),
    "step_controls": ("StepControl", "coin_macro_f1", "measure_step_controls"),
    "step_intervals": ("macro_f1_difference", "macro_f1_interval"),
    "step_threshold": ("CrossFitted", "cross_fitted_threshold"),
    "steps": ("StepDetection", "StepF1", "step_f1"),
    "voting": ("expected_vote",),
    "weighted_means": ("resampled_weighted_means",),
    "weighted_vote": ("DrawnVotes", "expected_weighted_vote", "weighted_votes"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value

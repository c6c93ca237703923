"""Step aggregations: known values, clipping, order, refusals."""

from __future__ import annotations

import math
from itertools import permutations

import pytest

from vpbench.errors import ConfigError
from vpbench.records import Score
from vpbench.run.prepared import candidate_value
from vpbench.stats import AGGREGATIONS, aggregate

STEPS = [0.5, 0.25, 0.8]


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("mean", 1.55 / 3),
        ("min", 0.25),
        ("max", 0.8),
        ("last", 0.8),
        ("product", 0.1),
        ("geometric-mean", 0.1 ** (1 / 3)),
        ("log-odds-sum", math.log(1 * (1 / 3) * 4)),
    ],
)
def test_value(how: str, value: float) -> None:
    assert aggregate(STEPS, how) == pytest.approx(value, rel=1e-14)


def test_every_name_is_covered_and_mean_is_the_default() -> None:
    assert AGGREGATIONS[0] == "mean"
    assert aggregate(STEPS) == aggregate(STEPS, "mean")
    assert {aggregate([0.5], how) for how in AGGREGATIONS if how != "log-odds-sum"} == {0.5}


def test_logarithms_clip_at_1e_30() -> None:
    assert aggregate([0.0, 1.0], "product") == 1e-30
    assert aggregate([0.0, 1.0], "geometric-mean") == pytest.approx(1e-15, rel=1e-12)
    assert aggregate([0.0, 0.5], "log-odds-sum") == pytest.approx(math.log(1e-30), rel=1e-14)
    assert aggregate([0.0, 1.0], "log-odds-sum") == 0.0
    assert aggregate([0.0, 1.0], "mean") == 0.5


@pytest.mark.parametrize("how", [name for name in AGGREGATIONS if name != "last"])
def test_same_steps_in_any_order_tie_exactly(how: str) -> None:
    assert len({aggregate(order, how) for order in permutations([0.1, 0.2, 0.3, 0.7, 0.95])}) == 1


def test_nan_step_means_unscored() -> None:
    for how in AGGREGATIONS:
        assert math.isnan(aggregate([0.3, math.nan, 0.2], how))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="without step scores"):
        aggregate([], "mean")
    with pytest.raises(ConfigError, match="geometric-mean"):
        aggregate([0.5], "median")


def test_a_mean_whose_sum_is_too_large() -> None:
    assert aggregate([1e308, 1.5e308, 1e308], "mean") == pytest.approx(3.5 / 3 * 1e308)


@pytest.mark.parametrize(
    ("steps", "how"),
    [
        ([-3.0, -4.0], "product"),
        ([0.5, -0.1], "geometric-mean"),
        ([-1.0], "log-odds-sum"),
        ([0.5, 7.0], "log-odds-sum"),
    ],
)
def test_scores_that_an_aggregation_means_nothing_for_are_refused(steps: list[float], how: str) -> None:
    """They were floored: all negative steps were the same."""
    with pytest.raises(ConfigError, match=f"aggregation '{how}' means nothing for step scores from .* choose"):
        candidate_value(Score(None, tuple(steps)), how)
    assert candidate_value(Score(None, tuple(steps)), "mean") == pytest.approx(sum(steps) / len(steps))

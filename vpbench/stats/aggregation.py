"""One score per solution out of the scores of its steps.

Every aggregation but `last` gives the same value whatever the order of the steps, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from vpbench.errors import ConfigError

LOG_FLOOR = 1e-30
"""Logarithms and products take a step score below this as this; log-odds clip at both ends (see `_log_odds_sum`)."""
_LARGEST = {"product": math.inf, "geometric-mean": math.inf, "log-odds-sum": 1.0}
"""The largest step score of those aggregations that mean nothing below 0."""
_ROUNDING = 1e-6


def _floored(values: Sequence[float]) -> list[float]:
    return [max(value, LOG_FLOOR) for value in values]


# Correctly rounded sums and sorted products don't depend on the order of the steps. A last bit that did would break
# ties between solutions with the same step scores.


def _mean(values: Sequence[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # the sum, not the mean, is beyond the largest number
        return math.fsum(value / len(values) for value in values)


def _product(values: Sequence[float]) -> float:
    return math.prod(sorted(_floored(values)))


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(_mean([math.log(value) for value in _floored(values)]))


def _log_odds_sum(values: Sequence[float]) -> float:
    return math.fsum(math.log(max(value, LOG_FLOOR)) - math.log(max(1.0 - value, LOG_FLOOR)) for value in values)


_FUNCTIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": _mean,
    "min": min,
    "max": max,
    "last": lambda values: values[-1],
    "product": _product,
    "geometric-mean": _geometric_mean,
    "log-odds-sum": _log_odds_sum,
}

AGGREGATIONS: tuple[str, ...] = tuple(_FUNCTIONS)
"""The names `aggregate` knows; the first is the default of a run."""


def aggregate(step_values: Sequence[float], how: str = "mean") -> float:
    """The solution's score.

    `product` and `geometric-mean` floor a step at 1e-30; `log-odds-sum` is the sum of log(max(p, 1e-30)) -
    log(max(1 - p, 1e-30)). A product below about 1e-308 underflows to 0; use `geometric-mean` for very long solutions.
    A NaN step makes the value NaN (unscored). Raises `ValueError` for an empty list, which has no value, and
    `ConfigError` for an unknown name.
    """
    if how not in _FUNCTIONS:
        raise ConfigError(f"unknown aggregation {how!r}; choose one of {', '.join(AGGREGATIONS)}")
    if not len(step_values):
        raise ValueError("a solution without step scores has no value")
    values = [float(value) for value in step_values]
    return math.nan if any(map(math.isnan, values)) else float(_FUNCTIONS[how](values))


def check_meaning(step_values: Sequence[float], how: str) -> None:
    """Raise `ConfigError` for step scores that `aggregate` would floor or clip, though they are no probabilities.

    `product` and `geometric-mean` mean nothing for negative ones, `log-odds-sum` for those above 1 either.
    """
    largest = _LARGEST.get(how)
    if largest is not None and any(value < -_ROUNDING or value > largest + _ROUNDING for value in step_values):
        raise ConfigError(
            f"aggregation {how!r} means nothing for step scores from {min(step_values):g} to {max(step_values):g}; "
            "choose --aggregate mean, min, max or last, or give probabilities"
        )

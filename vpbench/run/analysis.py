"""How scores are turned into a result, as the command line asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from vpbench.errors import ConfigError
from vpbench.records import Selection

OF_A_ROW = ("aggregate", "selection", "link", "threshold")
"""What a row of a study may have of its own: how its critic's scores are used."""


@dataclass(frozen=True)
class Analysis:
    """How scores are turned into a result; field names are the command line's.

    `selection`, `aggregate` and `threshold` None: the critic's own.
    Raises `ConfigError` for a link without a weighted vote.
    """

    selection: Selection | None = None
    estimator: Literal["expected", "prefix"] = "expected"
    aggregate: str | None = None
    link: Literal["sigmoid"] | None = None
    ns: tuple[int, ...] | None = None
    threshold: float | None = None
    seed: int = 0
    resamples: int = 10_000

    def __post_init__(self) -> None:
        if self.link is not None and self.selection != "weighted-vote":
            raise ConfigError("--link makes weights of scores; give --selection weighted-vote with it, or leave it out")


def analysis_of_row(analysis: Analysis, row: str, given: Mapping[str, Any]) -> Analysis:
    """The analysis with what is given for one row of `OF_A_ROW`, as text or value. Raises `ConfigError`."""
    values = dict(given)
    for name, choices in (("selection", get_args(Selection)), ("link", ("sigmoid",))):
        if values.get(name, choices[0]) not in choices:
            raise ConfigError(f"critic {row}: {name} {values[name]!r} is none of {', '.join(choices)}")
    if "threshold" in values:
        try:
            values["threshold"] = float(values["threshold"])
        except ValueError as error:
            raise ConfigError(f"critic {row}: threshold {values['threshold']!r} is no number") from error
    analysis = replace(analysis, **values)
    check_aggregation(analysis.aggregate)
    return analysis


def check_aggregation(name: str | None) -> None:
    """Raise `ConfigError` for a name that doesn't exist, so that it is told before the work, not after it."""
    from vpbench.stats import aggregate

    if name is not None:
        aggregate((1.0,), name)

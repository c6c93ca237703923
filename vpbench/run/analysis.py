"""How scores are turned into a result, as the command line asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vpbench.errors import ConfigError
from vpbench.records import Selection


@dataclass(frozen=True)
class Analysis:
    """How scores are turned into a result; field names are the command line's.

    Raises `ConfigError` for a link without a weighted vote.
    """

    selection: Selection | None = None
    estimator: Literal["expected", "prefix"] = "expected"
    aggregate: str = "mean"
    link: Literal["sigmoid"] | None = None
    ns: tuple[int, ...] | None = None
    threshold: float | None = None
    seed: int = 0
    resamples: int = 10_000

    def __post_init__(self) -> None:
        if self.link is not None and self.selection != "weighted-vote":
            raise ConfigError("--link makes weights of scores; give --selection weighted-vote with it, or leave it out")

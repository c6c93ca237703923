"""How scores are turned into a result, as the command line asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vpbench.records import Selection


@dataclass(frozen=True)
class Analysis:
    """How scores are turned into a result; field names are the command line's."""

    selection: Selection | None = None
    estimator: Literal["expected", "prefix"] = "expected"
    aggregate: str = "mean"
    ns: tuple[int, ...] | None = None
    threshold: float | None = None
    seed: int = 0
    resamples: int = 10_000

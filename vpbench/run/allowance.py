"""How many rows of a stage may fail before it stops: the share that `--max-error-rate` gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from vpbench.errors import TooManyFailures


@dataclass
class Allowance:
    """Counts the failures of one stage; `stage` and `rows` are what messages call the stage and its rows.

    `rate` is the share of `total` that may fail, in 0..1.
    """

    stage: str
    rows: str
    total: int
    rate: float
    _failures: list[str] = field(default_factory=list, init=False)

    def count(self, *failures: str) -> None:
        """Add failures, each saying which row failed and why.

        Raises `TooManyFailures` once there are more than allowed; what the stage has stored by then is kept.
        """
        self._failures += failures
        if len(self._failures) > self.rate * self.total:
            raise TooManyFailures(
                f"{self.stage} stopped: {len(self._failures)} of {self.total} {self.rows} failed, more than "
                f"--max-error-rate {self.rate:g} allows; what is done is kept, the same command goes on. The first: "
                f"{self._failures[0]}"
            )

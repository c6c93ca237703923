"""How many rows of a stage may fail before it stops."""

from __future__ import annotations

from vpbench.errors import TooManyFailures


class Allowance:
    """Counts the failed rows of a stage that has `total`; more than the share `rate` of them stop it."""

    def __init__(self, stage: str, total: int, rate: float) -> None:
        self._stage, self._total, self._rate = stage, total, rate
        self._failures = 0
        self._first = ""

    def count(self, failure: str) -> None:
        """Count one failed row; `failure` names it and says why. Raises `TooManyFailures`; what is done is kept."""
        self._failures += 1
        self._first = self._first or failure
        if self._failures > self._rate * self._total:
            raise TooManyFailures(
                f"{self._stage} stopped: {self._failures} of {self._total} rows failed, more than "
                f"--max-error-rate {self._rate:g} allows; what is done is kept. The first: {self._first}"
            )

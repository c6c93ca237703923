"""What a command may spend at endpoints, and what each of them has used.

A command's budget holds for all that it asks: policy, judge and critic, wherever their clients are made. Once it is
spent no request goes out; those in flight are counted, their replies kept.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from vpbench.endpoint.messages import token_counts
from vpbench.errors import BudgetSpent, ConfigError


@dataclass
class Budget:
    """At most `max_cost` US dollars and `max_total_tokens` tokens of prompts and completions; None: no limit."""

    max_cost: float | None = None
    max_total_tokens: int | None = None
    cost: float = field(default=0.0, init=False)
    tokens: int = field(default=0, init=False)
    _uncounted: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        if self.max_cost is not None and not 0 < self.max_cost < math.inf:
            raise ConfigError("--max-cost is a sum in US dollars above 0")

    def add(self, counts: Mapping[str, int], cost: float) -> None:
        """Count a reply. `counts` are its `token_counts`."""
        with self._lock:
            self.cost += cost
            self.tokens += sum(counts.values())
            self._uncounted |= len(counts) < 2

    def check(self) -> None:
        """Raises `BudgetSpent` if no further request may go out."""
        if self.max_cost is self.max_total_tokens is None:
            return
        spent = f"{self.tokens} tokens" + ("" if self.max_cost is None else f", {self.cost:.6g} US dollars")
        if self._uncounted:
            reason = "a reply doesn't say how many tokens it took, so that no budget can be kept; leave it out"
        elif self.max_cost is not None and self.cost >= self.max_cost:
            reason = f"--max-cost {self.max_cost:g} is reached ({spent})"
        elif self.max_total_tokens is not None and self.tokens >= self.max_total_tokens:
            reason = f"--max-total-tokens {self.max_total_tokens} is reached ({spent})"
        else:
            return
        raise BudgetSpent(f"{reason}; what is done is kept, the same command goes on with a budget of the same size")


_current = Budget()


@contextmanager
def budget(max_cost: float | None, max_total_tokens: int | None) -> Iterator[None]:
    """Within, all that endpoints are asked is counted together and kept to the limits. Raises `ConfigError`.

    Without limits the budget around it stays.
    """
    global _current  # requests are made in threads, which inherit no context
    before = _current
    if not max_cost is max_total_tokens is None:
        _current = Budget(max_cost, max_total_tokens)
    try:
        yield
    finally:
        _current = before


class Meter:
    """What one endpoint has used; shared by threads. Prices are in US dollars per million tokens."""

    def __init__(self, prompt_price: float | None, completion_price: float | None) -> None:
        self._prices: dict[str, float] | None = None
        if prompt_price is not None and completion_price is not None:
            self._prices = {"prompt_tokens": prompt_price, "completion_tokens": completion_price}
        self._used: Counter[str] = Counter()
        self._lock = threading.Lock()

    def check(self, what: str) -> None:
        """Raises `BudgetSpent`, and `ConfigError` where `what` has no prices and its cost is to be limited."""
        if self._prices is None and _current.max_cost is not None:
            raise ConfigError(f"--max-cost needs the prices of {what}: give prompt_price and completion_price")
        _current.check()

    def count(self, reply: Mapping[str, Any]) -> None:
        """Count a reply."""
        counts = token_counts(reply)
        with self._lock:
            self._used.update({"requests": 1, **counts})
        _current.add(counts, self._cost(counts) or 0.0)

    def used(self) -> dict[str, float]:
        """Requests answered, tokens as the server counts them, and their cost where both prices are given."""
        with self._lock:
            used: dict[str, float] = dict(self._used)
        cost = self._cost(used)
        return used if cost is None else {**used, "cost": cost}

    def _cost(self, counts: Mapping[str, float]) -> float | None:
        if self._prices is None:
            return None
        return sum(counts.get(name, 0) * price for name, price in self._prices.items()) / 1e6

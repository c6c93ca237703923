"""How fast models run and what an hour of them costs: as given, or as earlier runs measured it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from vpbench.errors import ConfigError

GIVEN = {"generate": "generate", "read": "read", "gpu-hour": "gpu_hour"}
"""The names of rates that can be given, and the fields they are."""


@dataclass(frozen=True)
class Rates:
    """Tokens a second that a policy generates and that a critic reads, and the price of a GPU hour in US dollars.

    `policies` and `critics` are the tokens a second that were measured, by model and by critic and model.
    """

    generate: float | None = None
    read: float | None = None
    gpu_hour: float | None = None
    policies: Mapping[str, float] = field(default_factory=dict)
    critics: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def generating(self, policy: str) -> float | None:
        """What is given goes before what was measured of this policy."""
        return self.generate or self.policies.get(policy)

    def reading(self, critic: str, model: str) -> float | None:
        """What is given goes before what was measured of this critic with this model."""
        return self.read or self.critics.get((critic, model))


def given_rates(given: Mapping[str, object]) -> dict[str, float]:
    """The fields of `Rates` that `--rates` gives. Raises `ConfigError`."""
    rates = {}
    for name, value in given.items():
        if name not in GIVEN:
            raise ConfigError(f"--rates: no rate {name!r}; there are: {', '.join(GIVEN)}")
        try:
            rate = float(str(value))
        except ValueError:
            rate = math.nan
        if not 0 < rate < math.inf:
            raise ConfigError(f"--rates {name}={value}: give a number above 0")
        rates[GIVEN[name]] = rate
    return rates

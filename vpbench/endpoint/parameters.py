"""Which parameters a server takes: what it refused before is left out of every later request, and told.

A parameter is given up for one request where the refusal names it, and for the run once the request without it is
taken. A refusal that names none may still be about log-probabilities or several samples: these are tried without.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vpbench.endpoint.refusals import LIMIT_NAMES, PARAMETERS, refused_parameter
from vpbench.errors import ConfigError

TOP_LOGPROBS = 5
SINGLE_REPLIES = 2
"""So many replies in a row with one sample, where several were asked for, show that the server gives no more."""

_UNNAMED = ((), ("logprobs",), ("n",), ("logprobs", "n"))
"""What a refusal that names no parameter may be about, in the order in which it is tried."""

_CONSEQUENCES = {
    "seed": "its samples can't be drawn again",
    "logprobs": "verdicts are read from its words, not from their probabilities",
    "max_tokens": "its own limit holds",
}


def omitted(text: str) -> frozenset[str]:
    """The parameters in a list with "+" between them. Raises `ConfigError` for others."""
    names = frozenset(name.strip() for name in text.split("+") if name.strip())
    if not names <= set(PARAMETERS):
        raise ConfigError(
            f"omit: {', '.join(sorted(names - set(PARAMETERS)))} can't be left out; there are {', '.join(PARAMETERS)}, "
            "with + between them"
        )
    return names


@dataclass
class Attempt:
    """One request's parameters, fewer and fewer as the server refuses them."""

    wanted: Mapping[str, Any]
    refused: set[str]
    limit_names: list[str]

    def sent(self) -> dict[str, Any]:
        """What is still asked for, by its name in PARAMETERS."""
        return {name: value for name, value in self.wanted.items() if name not in self.refused}

    def body(self) -> dict[str, Any]:
        """The same, as the protocol writes it."""
        body = self.sent()
        if "max_tokens" in body:
            body[self.limit_names[0]] = body.pop("max_tokens")
        return {**body, "top_logprobs": TOP_LOGPROBS} if "logprobs" in body else body

    def adapt(self, explanation: Any) -> bool:
        """Give up what the server's refusal names; whether it names anything."""
        name = refused_parameter(explanation, self.sent())
        if name == "max_tokens" and len(self.limit_names) > 1:
            self.limit_names.pop(0)
        elif name is not None:
            self.refused.add(name)
        return name is not None


@dataclass
class Parameters:
    """What one server was found to take; shared by threads. `omit` is what it isn't to be sent in any case."""

    omit: frozenset[str] = frozenset()
    _refused: set[str] = field(default_factory=set, init=False)
    _missed: set[str] = field(default_factory=set, init=False)
    _limit_name: str = field(default=LIMIT_NAMES[0], init=False)
    _singles: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def one_by_one(self) -> bool:
        """Whether the server gives one sample a request."""
        return "n" in self.omit | self._refused or self._singles >= SINGLE_REPLIES

    def attempts(self, wanted: Mapping[str, Any]) -> Iterator[Attempt]:
        """The ways to put a request with the `wanted` parameters, the fullest first."""
        for names in _UNNAMED:
            with self._lock:
                left_out, first = {*self.omit, *self._refused}, self._limit_name
            if wanted.keys() - left_out >= set(names):
                limits = [first, *(name for name in LIMIT_NAMES if name != first)]
                yield Attempt(wanted, left_out | set(names), limits)

    def learn(self, attempt: Attempt) -> None:
        """Remember what was left out of a request that was taken."""
        with self._lock:
            self._refused |= attempt.refused - self.omit
            self._missed |= attempt.wanted.keys() & attempt.refused
            self._limit_name = attempt.limit_names[0]

    def count_choices(self, count: int) -> None:
        """Note how many samples came where several were asked for."""
        with self._lock:
            if self._singles < SINGLE_REPLIES:
                self._singles = self._singles + 1 if count == 1 else 0

    def notes(self, model: str) -> list[str]:
        """What requests went without, but for `n`, which changes no sample."""
        with self._lock:
            missed = [name for name in PARAMETERS if name in self._missed - {"n"}]
        return [
            f"{name} wasn't sent to {model} ({'omit' if name in self.omit else 'the server refuses it'}): "
            + _CONSEQUENCES.get(name, f"its own {name} stands in the place of the one asked for")
            for name in missed
        ]

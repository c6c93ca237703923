"""The rates that earlier results measured: tokens a second of their policies and critics.

A result says what it used in its own run alone, so scores and candidates that lay there already don't count; the
seconds are whole stages, with the loading of the model in them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.progress import Echo
from vpbench.report.stored import read_result
from vpbench.run.rates import Rates, given_rates


def measured_rates(output: Path, given: Mapping[str, object], echo: Echo) -> Rates:
    """What is `given`, and what the results under `output` measured; `echo` is told of those that can't be read.

    Raises `ConfigError` as `given_rates` does.
    """
    fields = given_rates(given)
    policies: dict[str, list[tuple[float, float]]] = defaultdict(list)
    critics: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for path in sorted(output.glob("results/*/result.json")):
        try:
            result = read_result(path).result
        except ConfigError as error:
            echo(f"no rates are taken from a result that can't be read: {error}")
            continue
        provenance, drawing = result.provenance, result.provenance.drawing or {}
        drawn = drawing.get("used_in_this_run", {}).get("completion_tokens", 0)
        policies[drawing.get("policy", {}).get("model", "")].append((drawn, provenance.seconds.get("draw", 0)))
        read = (provenance.critic_used_in_this_run or {}).get("prompt_tokens", 0)
        model = str(provenance.critic_settings.get("model", ""))
        critics[result.critic, model].append((read, provenance.seconds.get("score", 0)))
    return Rates(**fields, policies=_per_second(policies), critics=_per_second(critics))


def _per_second(measured: Mapping[Any, list[tuple[float, float]]]) -> dict[Any, float]:
    """Tokens a second by model, over all results that used any."""
    used = {model: [pair for pair in pairs if all(pair)] for model, pairs in measured.items()}
    return {
        model: sum(tokens for tokens, _ in pairs) / sum(seconds for _, seconds in pairs)
        for model, pairs in used.items()
        if pairs
    }

"""What results are called where several are shown: by critic, and by the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vpbench.report.result import BestOfNResult, Result


def names(results: Sequence[Result]) -> list[str]:
    """Each result's critic, with the settings by which it differs from the same critic's other results."""
    settings = [_settings(result) for result in results]
    called = []
    for result, values in zip(results, settings, strict=True):
        others = [other for rival, other in zip(results, settings, strict=True) if rival.critic == result.critic]
        differing = [name for name in values if any(other.get(name, values[name]) != values[name] for other in others)]
        parts = ", ".join(f"{name} {values[name]}" for name in differing)
        called.append(f"{result.critic} ({parts})" if parts else result.critic)
    return called


def _settings(result: Result) -> dict[str, Any]:
    aggregate = {"aggregate": result.aggregate} if isinstance(result, BestOfNResult) else {}
    return {**aggregate, **result.provenance.critic_settings}

"""What every export says in the same way: names and settings without private paths, dates, standard errors, JSON.

A result names no time, so its date is when its `result.json` was written: the same file gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from vpbench.report.names import without_folders, without_paths
from vpbench.report.result import Result
from vpbench.report.stored import StoredResult
from vpbench.terminal import printable


def task_name(result: Result) -> str:
    """The task; the miniature world's begins with "nano-", as its questions aren't the benchmark's."""
    return shareable(f"nano-{result.task}" if result.nano else result.task)


def written_at(stored: StoredResult) -> int:
    """When the result was written, in whole seconds since 1970."""
    return int((stored.folder / "result.json").stat().st_mtime)


def shareable(text: str) -> str:
    """The text without control characters, every path in it cut to its last part."""
    return printable(without_paths(text))


def shareable_json(value: Any, cut: Callable[[str], str] = without_paths) -> Any:
    """A JSON value with all its keys and texts without control characters, their paths cut by `cut`."""
    if isinstance(value, str):
        return printable(cut(value))
    if isinstance(value, Mapping):
        return {shareable(str(name)): shareable_json(part, cut) for name, part in value.items()}
    return [shareable_json(part, cut) for part in value] if isinstance(value, list | tuple) else value


def settings_of(result: Result) -> dict[str, Any]:
    """Everything that a result rests on and that may leave this machine."""
    provenance = result.provenance
    names = ("grading", "judge", "selection", "estimator", "aggregate", "link")
    settings: dict[str, Any] = shareable_json(
        {
            "critic": result.critic,
            "critic_name": result.row,
            "critic_revision": provenance.critic_revision,
            "critic_settings": provenance.critic_settings,
            "policy": result.policy,
            "pool": provenance.pool,
            "pool_sha256": provenance.pool_sha256,
            "drawing": provenance.drawing,
            "data": {
                "origin": provenance.data.origin,
                "revision": provenance.data.revision,
                "fingerprint": provenance.data.fingerprint,
            },
            "metric": result.metric,
            **{name: getattr(result, name) for name in names if hasattr(result, name)},
            "seed": provenance.seed,
            "resamples": provenance.resamples,
            "command": provenance.command,
            "versions": provenance.versions,
        },
        without_folders,
    )
    settings["command"] = " ".join(settings["command"])
    return settings | {"errors": shareable_json(result.errors), "notes": shareable_json(result.notes)}


def json_bytes(value: Any, indent: int | None = None) -> bytes:
    """The value as JSON and a line break, in ASCII, so that no control character or direction mark is in a file."""
    return (json.dumps(value, indent=indent, allow_nan=False) + "\n").encode()

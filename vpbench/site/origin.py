"""Where a result comes from, as its page says it: the command that made it, data, critic, machine, seconds by stage.

A page is for others: a path in a setting or an argument is cut to its last part.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vpbench.report.codec import as_json, checksum
from vpbench.report.names import without_folders, without_paths
from vpbench.report.result import BestOfNResult, Result, StepResult
from vpbench.site.cost import hardware


def command_of(result: Result) -> str:
    """The command as it was typed, its folders left out."""
    return shlex.join(map(without_folders, result.provenance.command))


def origin_of(result: BestOfNResult | StepResult) -> list[tuple[str, str]]:
    """What a result rests on, in pairs of a term and its words."""
    provenance = result.provenance
    data = provenance.data
    revision = f" at {data.revision}" if data.revision else ""
    pairs = [
        ("data", f"{data.origin}{revision}; fingerprint {data.fingerprint[:16]}"),
        ("task", f"{result.task}, version {provenance.task_version}"),
        ("candidates", _candidates(result)),
        ("drawn by", _words(provenance.drawing or {})),
        ("judge", _words(provenance.judge or {})),
        ("critic", f"{result.critic}, revision {provenance.critic_revision[:16]}"),
        ("settings", _words(provenance.critic_settings)),
        ("used by the critic", _words(provenance.critic_used_in_this_run or {})),
        ("seconds", ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in provenance.seconds.items())),
        ("machine", f"{hardware(result)}, {provenance.hardware.get('platform', '')}"),
        ("intervals", f"{provenance.resamples:,} resamples, seed {provenance.seed}"),
        ("versions", _words(provenance.versions)),
    ]
    return [(term, words) for term, words in pairs if words]


def _candidates(result: BestOfNResult | StepResult) -> str:
    words = f"{result.candidates:,} of {result.policy}"
    if isinstance(result, BestOfNResult):
        words += f", {result.pool_size} per question, {result.graded}, estimator {result.estimator}"
        words += f", selection {result.selection}, aggregation {result.aggregate}"
    sha256 = result.provenance.pool_sha256
    return f"{words}; pool {sha256[:16]}" if sha256 else words


def _words(values: Mapping[str, Any]) -> str:
    """Names and values that say something, those of inner mappings too."""
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in _flat(values))


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{name} {inner}", text) for inner, text in _flat(value))
        elif value not in (None, "", (), []):
            yield name, without_folders(value) if isinstance(value, str) else f"{value}"


def public_json(result: Result) -> dict[str, Any]:
    """The content of `result.json`, its folders left out; the checksum is that of what is left."""
    content = {name: value for name, value in as_json(result).items() if name != "sha256"}
    # settings and arguments may be paths as a whole; elsewhere a path is a part of a text
    origin = {"provenance": _public(content.pop("provenance"), without_folders)}
    content = _public(content, without_paths) | origin
    return {**content, "sha256": checksum(content)}


def _public(value: Any, cut: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {cut(name): _public(part, cut) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_public(part, cut) for part in value]
    return cut(value) if isinstance(value, str) else value

"""Everything in which two results differ besides their figures, so that no difference is taken for another."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from vpbench.report.names import without_folders, without_paths
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.terminal import printable

LONGEST = 64
"""Characters of a setting that are shown; what is longer is told apart by its hash."""

_REVISIONS = {
    "critic setting model": "critic revision",
    "drawing policy model": "drawing policy revision",
    "judge model": "judge revision",
}
"""Models, which may be folders, and what says which weights they hold."""
_FINGERPRINT = re.compile("[0-9a-f]{16,64}")


def differences_of(first: BestOfNResult | StepResult, second: BestOfNResult | StepResult) -> tuple[str, ...]:
    """A line per setting: "aggregate mean / max", the first result's before the second's."""
    return (*_lines(_of_the_critic(first), _of_the_critic(second)), *_lines(_measured_on(first), _measured_on(second)))


def critic_alone(first: BestOfNResult | StepResult, second: BestOfNResult | StepResult) -> bool:
    """Whether nothing differs but the critic, how it is used, and where it ran."""
    return not _lines(_measured_on(first), _measured_on(second))


def measured_differently(first: BestOfNResult | StepResult, second: BestOfNResult | StepResult) -> list[str]:
    """What of `differences_of` isn't the critic, how it is used, or where it ran."""
    return _lines(_measured_on(first), _measured_on(second))


def _lines(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in dict.fromkeys((*first, *second)):
        values = (first.get(name), second.get(name))
        if values[0] != values[1] and not _same_weights(name, first, second):
            left, right = map(_shown, values)
            if left == right:
                left, right = (_short(json.dumps(_public(value))) for value in values)
            lines.append(f"{name} {left} / {right}")
    return lines


def _same_weights(name: str, *settings: Mapping[str, Any]) -> bool:
    """Whether a setting is a model that lies elsewhere, under the same name and with the same fingerprint."""
    revisions = {str(values.get(_REVISIONS.get(name, ""))) for values in settings}
    last_parts = {re.split(r"[/\\]", str(values.get(name)).rstrip("/\\"))[-1] for values in settings}
    return len(revisions) == len(last_parts) == 1 and _FINGERPRINT.fullmatch(revisions.pop()) is not None


def _of_the_critic(result: BestOfNResult | StepResult) -> dict[str, Any]:
    provenance = result.provenance
    used = {"threshold": result.step_f1.threshold} if isinstance(result, StepResult) else _picking(result)
    return {
        "called": result.row,
        "critic": result.critic,
        "critic revision": provenance.critic_revision,
        **_flat("critic setting", provenance.critic_settings),
        **used,
        "seed": provenance.seed,
        "resamples": provenance.resamples,
        **_flat("version of", provenance.versions),
        "rows without answer or score": sum(result.errors.values()),
    }


def _picking(result: BestOfNResult) -> dict[str, Any]:
    return {
        "selection": result.selection,
        "aggregate": result.aggregate,
        "link": result.link,
        "N": ",".join(map(str, result.ns)),
    }


def _measured_on(result: BestOfNResult | StepResult) -> dict[str, Any]:
    provenance = result.provenance
    measured = {
        "data": provenance.data.origin,
        "data revision": provenance.data.revision,
        "data fingerprint": provenance.data.fingerprint,
        "task version": provenance.task_version,
        "policy": result.policy,
        "pool": provenance.pool_sha256,
        **_flat("drawing", provenance.drawing or {}),
        "questions": result.questions,
        "questions in the task": result.questions_in_task,
        "candidates": result.candidates,
        "candidates per question": result.pool_size,
    }
    if isinstance(result, BestOfNResult):
        measured |= {"estimator": result.estimator, "grading": result.grading, "judge": result.judge}
        # how many verdicts the judge gave is an outcome, not a setting
        measured |= {**_flat("judge", (provenance.judge or {}).get("identity", {})), "units": result.units}
    return measured


def _flat(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings under one name, those of objects within too, without what a run happened to use."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if key != "used_in_this_run":
            flat |= _flat(f"{name} {key}", value) if isinstance(value, Mapping) else {f"{name} {key}": value}
    return flat


def _shown(value: Any) -> str:
    return _short("none" if value is None else _public(value) if isinstance(value, str) else json.dumps(value))


def _public(value: Any) -> Any:
    """The value, a path with blanks or quotes without its folders, since no text tells where such a path ends."""
    if not isinstance(value, str) or without_paths(value) == without_folders(value):
        return value
    return without_folders(value)


def _short(text: str) -> str:
    line = printable(" ".join(text.split()))
    if len(line) <= LONGEST:
        return line
    return f"{line[: LONGEST - 20]}... ({hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]})"

"""What would fill a published table, as a study file of `vpbench run`.

A critic whose weights were never published stands in a comment, with the line to complete: a study with a made-up
checkpoint could not start, one without it fills the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from vpbench.errors import ConfigError
from vpbench.report.filling import Filling
from vpbench.report.published import Published, PublishedTable
from vpbench.run.study_file import StudyFile

_OF_STUDY = ("estimator", "grading", "judge")
_OF_CRITIC = ("aggregate", "threshold")


def filling_study(published: Published, table: PublishedTable, fillings: Sequence[Filling]) -> str:
    """The study file's text. Raises `ConfigError` where there is nothing to run, or nothing that can be."""
    released = [filling for filling in fillings if filling.model is not None]
    released.sort(key=lambda filling: filling.policy is None)
    if not released:
        why = "the weights of its critics aren't published" if fillings else "what can be measured is, or nothing can"
        raise ConfigError(f"{table.id}: no study would fill it: {why}")
    content: dict[str, Any] = {
        "name": table.id,
        "tasks": list(dict.fromkeys(task for filling in released for task in filling.tasks)),
        **_policies(released),
        "critics": _critics(released),
        "n": sorted({n for filling in released for n in filling.ns}) or None,
        **{name: value for filling in released for name, value in filling.settings.items() if name in _OF_STUDY},
    }
    file = StudyFile.model_validate({name: value for name, value in content.items() if value is not None})
    text = yaml.safe_dump(
        file.model_dump(exclude_unset=True), sort_keys=False, default_flow_style=None, allow_unicode=True, width=120
    )
    return "".join((*(f"# {line}\n" for line in _comments(published, table, fillings)), text))


def _policies(fillings: Sequence[Filling]) -> dict[str, Any]:
    """The key `policy` or `policies`; none where nothing is drawn."""
    by_name: dict[str, dict[str, Any]] = {}
    drawn = [filling for filling in fillings if filling.policy is not None]
    for filling in drawn:
        part: dict[str, Any] = {"model": filling.policy}
        part |= {name: filling.settings[name] for name in ("temperature",) if name in filling.settings}
        temperatures = {other.settings.get("temperature") for other in drawn if other.policy == filling.policy}
        warmth = f" T {part['temperature']}" if len(temperatures) > 1 else ""
        by_name[_name(f"{filling.published_policy}{warmth}")] = part
    if len(by_name) == 1:
        return {"policy": next(iter(by_name.values()))}
    return {"policies": by_name} if by_name else {}


def _critics(fillings: Sequence[Filling]) -> dict[str, dict[str, Any]]:
    """The critics by name; one that stands under several, as for several temperatures, by the first.

    Step detection, which comes last, has a row of its own only for a critic that no other row is of.
    """
    by_name: dict[str, dict[str, Any]] = {}
    for filling in fillings:
        part: dict[str, Any] = {"critic": filling.critic, "model": filling.model}
        part |= {name: filling.settings[name] for name in _OF_CRITIC if name in filling.settings}
        if not any(part.items() <= other.items() for other in by_name.values()):
            by_name[_name(filling.published_critic)] = part
    return by_name


def _name(text: str) -> str:
    """A published name without the signs that names in a study can't have."""
    return " ".join(re.sub(r"[=:,/\\]", " ", text).split())


def _comments(published: Published, table: PublishedTable, fillings: Sequence[Filling]) -> list[str]:
    rows = published.rows_of(table)
    unreleased = {_name(filling.published_critic): filling.critic for filling in fillings if filling.model is None}
    lines = [
        f"{table.paper}, {table.table}: {table.title}",
        f"{table.source}",
        f"Written by `vpbench reproduce {table.id} --study FILE`, of figures that no result fills yet.",
        *(
            f"Left out, as its weights aren't published; yours would be {name}: {{critic: {plugin}, model: FOLDER}}"
            for name, plugin in unreleased.items()
        ),
    ]
    critics = dict.fromkeys(row.critic for row in rows if row.critic not in published.critics)
    policies = dict.fromkeys(row.policy for row in rows if row.policy and row.policy not in published.policies)
    lines += [f"Left out, as vpbench has no such critic: {name}" for name in critics]
    lines += [f"Left out, as no weights are known: candidates of {name}" for name in policies]
    judges = {name: otherwise["judge"] for name, otherwise in table.protocol.exceptions.items() if "judge" in otherwise}
    return [*lines, *(f"The published judge of {name} was {judge}." for name, judge in judges.items())]

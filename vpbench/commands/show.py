"""`vpbench list` and `vpbench show`: which tasks and critics there are, and the fact sheet of one."""

from __future__ import annotations

import inspect
from typing import Any

from vpbench.base import StepTask, Task
from vpbench.errors import ConfigError
from vpbench.plugins import all_critics, all_tasks, critic_settings, find_critic, find_task
from vpbench.terminal import table


def plugin_table() -> str:
    """The tasks and critics there are."""
    tasks = [
        [
            name,
            "step detection" if issubclass(each.cls, StepTask) else "best-of-n",
            each.cls.source.rows,
            each.cls.title,
        ]
        for name, each in sorted(all_tasks().items())
    ]
    critics = [[name, each.cls.selection, each.cls.title] for name, each in sorted(all_critics().items())]
    first = table(tasks, ["task", "kind", "rows", ""])
    return f"{first}\n\n{table(critics, ['critic', 'selection', ''])}"


def fact_sheet(name: str) -> str:
    """What is known of the task or critic called `name`. Raises `ConfigError` if there is neither."""
    critics = all_critics()
    if name in critics or (name.endswith(".py") and _is_critic(name)):
        return _critic_sheet(name)
    try:
        return _task_sheet(name)
    except ConfigError as error:
        raise ConfigError(f"{error} Critics: {', '.join(sorted(critics))}.") from error


def _is_critic(path: str) -> bool:
    try:
        find_critic(path)
    except ConfigError:
        return False
    return True


def _critic_sheet(name: str) -> str:
    found = find_critic(name)
    settings = [[setting, default] for setting, default in critic_settings(found.cls).items()]
    facts: list[list[Any]] = [
        ["selection", found.cls.selection],
        ["needs images", "yes" if found.cls.needs_images else "no"],
        ["step threshold", f"{found.cls.step_threshold:g}"],
        ["file", found.path],
    ]
    shown = [f"{found.cls.name}: {found.cls.title}", _module_text(found.cls), table(facts, ["", ""])]
    if settings:
        shown.append(table(settings, ["setting", "default"]))
    return "\n\n".join(shown)


def _task_sheet(name: str) -> str:
    found = find_task(name)
    source = found.cls.source
    metric = found.cls.metric if issubclass(found.cls, Task | StepTask) else ""
    facts: list[list[Any]] = [
        ["hub id", source.hub_id],
        ["split", source.split],
        ["revision", source.revision or "not pinned; the commit found at load is recorded"],
        ["rows", source.rows],
        ["licence", source.licence],
        ["metric", metric],
        ["version", found.cls.version],
        ["file", found.path],
    ]
    shown = [f"{found.cls.name}: {found.cls.title}", _module_text(found.cls), table(facts, ["", ""])]
    if found.cls.references:
        rows = [[r.policy, r.critic, r.n, f"{r.value:.1f}", r.where, r.note] for r in found.cls.references]
        shown.append(table(rows, ["policy", "critic", "N", "%", "published in", "note"]))
    return "\n\n".join(shown)


def _module_text(cls: type) -> str:
    module = inspect.getmodule(cls)
    return inspect.cleandoc((module.__doc__ if module else None) or "")

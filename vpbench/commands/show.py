"""`vpbench list` and `vpbench show`: which tasks and critics there are, and the fact sheet of one."""

from __future__ import annotations

import inspect
from typing import Any

from vpbench.base import StepTask, Task
from vpbench.errors import ConfigError
from vpbench.plugins import all_critics, all_tasks, critic_settings, find_critic, find_task
from vpbench.report.published import references
from vpbench.terminal import table


def plugin_table() -> str:
    """The tasks and critics there are."""
    tasks = [
        [
            name,
            "step detection" if issubclass(plugin.cls, StepTask) else "best-of-n",
            plugin.cls.source.rows,
            plugin.cls.title,
        ]
        for name, plugin in sorted(all_tasks().items())
    ]
    critics = [[name, plugin.cls.selection, plugin.cls.title] for name, plugin in sorted(all_critics().items())]
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
    plugin = find_critic(name)
    settings = [[setting, default] for setting, default in critic_settings(plugin.cls).items()]
    facts: list[list[Any]] = [
        ["selection", plugin.cls.selection],
        ["needs images", "yes" if plugin.cls.needs_images else "no"],
        ["step threshold", f"{plugin.cls.step_threshold:g}"],
        ["file", plugin.path],
    ]
    released, published = plugin.cls.released, plugin.cls.published_policy
    if released is not None:
        facts.insert(-1, ["released", f"{released.hub_id}, {released.download_bytes / 1e9:.1f} GB"])
    if published is not None:
        how = f"{published.samples} candidates at temperature {published.temperature:g} ({published.where})"
        facts.insert(-1, ["policy", f"{published.model.hub_id}, {how}"])
    shown = [f"{plugin.cls.name}: {plugin.cls.title}", _module_text(plugin.cls), table(facts, ["", ""])]
    if settings:
        shown.append(table(settings, ["setting", "default"]))
    return "\n\n".join(shown)


def _task_sheet(name: str) -> str:
    plugin = find_task(name)
    source = plugin.cls.source
    metric = plugin.cls.metric if issubclass(plugin.cls, Task | StepTask) else ""
    facts: list[list[Any]] = [
        ["hub id", source.hub_id],
        ["split", source.split],
        ["revision", source.revision or "not pinned; the commit found at load is recorded"],
        ["rows", source.rows],
        ["licence", source.licence],
        ["metric", metric],
        ["version", plugin.cls.version],
        ["file", plugin.path],
    ]
    shown = [f"{plugin.cls.name}: {plugin.cls.title}", _module_text(plugin.cls), table(facts, ["", ""])]
    published = references(plugin.cls)
    if published:
        rows = [[r.policy, r.critic, r.n or "", f"{r.value:.1f}", r.where, r.note] for r in published]
        shown.append(table(rows, ["policy", "critic", "N", "%", "published in", "note"]))
    return "\n\n".join(shown)


def _module_text(cls: type) -> str:
    module = inspect.getmodule(cls)
    return inspect.cleandoc((module.__doc__ if module else None) or "")

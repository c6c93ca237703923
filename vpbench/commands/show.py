"""`vpbench list` and `vpbench show`: which tasks and critics there are, and the fact sheet of one."""

from __future__ import annotations

import inspect

from vpbench.base import BaseTask, Critic, StepTask, Task
from vpbench.errors import ConfigError
from vpbench.plugins import all_critics, all_tasks, critic_settings, find_critic, find_task
from vpbench.report.published import references
from vpbench.report.tables import Cell, Figure, Table, grid, render
from vpbench.terminal import Format


def plugin_tables(style: Format) -> str:
    """The tasks and critics there are."""
    tasks = tuple(
        (
            name,
            "step detection" if issubclass(plugin.cls, StepTask) else "best-of-n",
            plugin.cls.source.rows,
            plugin.cls.title,
        )
        for name, plugin in sorted(all_tasks().items())
    )
    critics = tuple((name, plugin.cls.selection, plugin.cls.title) for name, plugin in sorted(all_critics().items()))
    tables = [
        Table("tasks", ("task", "kind", "rows", ""), tasks, keys=("task", "kind", "rows", "title")),
        Table("critics", ("critic", "selection", ""), critics, keys=("critic", "selection", "title")),
    ]
    return "\n\n".join(map(grid, tables)) if style == "text" else render(tables, style)


def fact_sheet(name: str, style: Format) -> str:
    """What is known of the task or critic called `name`. Raises `ConfigError` if there is neither."""
    critics = all_critics()
    if name in critics or (name.endswith(".py") and _is_critic(name)):
        tables = _critic_sheet(name)
    else:
        try:
            tables = _task_sheet(name)
        except ConfigError as error:
            raise ConfigError(f"{error} Critics: {', '.join(sorted(critics))}.") from error
    if style != "text":
        return render(tables, style)
    return "\n\n".join([tables[0].title, *tables[0].notes, *map(grid, tables)])


def _is_critic(path: str) -> bool:
    try:
        find_critic(path)
    except ConfigError:
        return False
    return True


def _critic_sheet(name: str) -> list[Table]:
    plugin = find_critic(name)
    settings = tuple((setting, str(default)) for setting, default in critic_settings(plugin.cls).items())
    facts = [
        ("selection", plugin.cls.selection),
        ("needs images", plugin.cls.needs_images),
        ("step threshold", f"{plugin.cls.step_threshold:g}"),
        ("file", str(plugin.path)),
    ]
    released, published = plugin.cls.released, plugin.cls.published_policy
    if released is not None:
        facts.insert(-1, ("released", f"{released.hub_id}, {released.download_bytes / 1e9:.1f} GB"))
    if published is not None:
        how = f"{published.samples} candidates at temperature {published.temperature:g} ({published.where})"
        facts.insert(-1, ("policy", f"{published.model.hub_id}, {how}"))
    tables = [_facts(plugin.cls, tuple(facts))]
    if settings:
        tables.append(Table(f"{plugin.cls.name}: settings", ("setting", "default"), settings))
    return tables


def _task_sheet(name: str) -> list[Table]:
    plugin = find_task(name)
    source = plugin.cls.source
    metric = plugin.cls.metric if issubclass(plugin.cls, Task | StepTask) else ""
    facts = (
        ("hub id", source.hub_id),
        ("split", source.split),
        ("revision", source.revision or "not pinned; the commit found at load is recorded"),
        ("rows", source.rows),
        ("licence", source.licence),
        (
            "shown on public pages",
            " and ".join(source.shown_publicly) or "nothing: the licence isn't known to allow it",
        ),
        ("metric", metric),
        ("version", plugin.cls.version),
        ("file", str(plugin.path)),
    )
    tables = [_facts(plugin.cls, facts)]
    published = references(plugin.cls)
    if published:
        rows = tuple((r.policy, r.critic, r.n or "", Figure(r.value / 100), r.where, r.note) for r in published)
        headers = ("policy", "critic", "N", "%", "published in", "note")
        keys = ("policy", "critic", "n", "published", "where", "note")
        tables.append(Table(f"{plugin.cls.name}: published", headers, rows, keys=keys))
    return tables


def _facts(cls: type[BaseTask | Critic], facts: tuple[tuple[Cell, ...], ...]) -> Table:
    return Table(f"{cls.name}: {cls.title}", ("", ""), facts, (_module_text(cls),), keys=("fact", "value"))


def _module_text(cls: type) -> str:
    module = inspect.getmodule(cls)
    return inspect.cleandoc((module.__doc__ if module else None) or "")

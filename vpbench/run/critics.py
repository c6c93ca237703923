"""The critics of a run: made from their settings, and what their scores are kept under."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vpbench.base import Critic
from vpbench.data.miniature import nano_settings
from vpbench.errors import Boundary, ConfigError, PluginError
from vpbench.plugins import critic_settings, find_critic, make_critic, plugin_code
from vpbench.run.analysis import OF_A_ROW
from vpbench.run.entries import CriticEntry, settings_by_name


def with_settings(entries: Sequence[CriticEntry], settings: Mapping[str, str]) -> tuple[CriticEntry, ...]:
    """The entries with settings: `NAME.setting` for the row called so, `setting` for all critics that have it.

    What an entry says itself stands before the latter. Raises `ConfigError` for an unknown critic or setting, and for a
    name that no row has.
    """
    critics: dict[str | None, dict[str, Any]] = {
        entry.critic: critic_settings(find_critic(entry.critic).cls) for entry in entries if entry.critic
    }
    shared = {name: value for name, value in settings.items() if "." not in name}
    for setting in shared:
        if critics and not any(setting in known for known in critics.values()):
            have = ", ".join(sorted({name for known in critics.values() for name in known})) or "none"
            raise ConfigError(f"critic {', '.join(map(str, critics))}: no setting {setting!r}; there are: {have}")
    completed = [
        replace(entry, settings={**_known(shared, critics.get(entry.critic or "", {})), **entry.settings})
        for entry in entries
    ]
    by_name = settings_by_name(settings, "--critic-args", [entry.called for entry in completed])
    return tuple(_with_own(entry, by_name[entry.called], critics) for entry in completed)


def _known(given: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name in settings}


def _with_own(
    entry: CriticEntry, given: Mapping[str, str], critics: Mapping[str | None, Mapping[str, Any]]
) -> CriticEntry:
    """The entry with settings of its own: those of its critic, and how its scores are used."""
    settings = critics.get(entry.critic, {})
    analysis = {name: value for name, value in given.items() if name in OF_A_ROW and name not in settings}
    rest = {name: value for name, value in given.items() if name not in analysis}
    if rest and entry.critic is None:
        raise ConfigError(f"{entry.called}: scores from a file have no setting {next(iter(rest))!r}")
    return replace(
        entry, name=entry.label, settings={**entry.settings, **rest}, analysis={**entry.analysis, **analysis}
    )


def build_critic(entry: CriticEntry, nano: bool = False) -> Critic:
    """The entry's critic; with `nano` its settings are over those for the miniature world. Raises `ConfigError`."""
    assert entry.critic is not None
    cls = find_critic(entry.critic).cls
    try:
        return make_critic(cls, nano_settings(cls, entry.settings) if nano else entry.settings)
    except ConfigError as error:
        if entry.name is None:
            raise
        raise ConfigError(f"{entry.name}: {error}") from error


def build_critics(names: Sequence[str], settings: Mapping[str, str], nano: bool = False) -> list[Critic]:
    """The critics called `names`, each with those of the settings that it has. Raises as `with_settings` does."""
    return [build_critic(entry, nano) for entry in with_settings([CriticEntry(name) for name in names], settings)]


def critic_key(critic: Critic) -> dict[str, Any]:
    """What determines a critic's scores. A critic that isn't shipped is keyed by its source as well.

    Shipped ones aren't, since an upgrade of vpbench that changes no score mustn't cost a rescoring: their `version`
    says when it does. Raises `PluginError`, `CriticError`, `ConfigError`.
    """
    with Boundary(f"critic {critic.name!r}: revision"):
        key = critic.identity()
    try:
        json.dumps(key)
    except (TypeError, ValueError) as error:
        raise PluginError(
            f"critic {critic.name!r}: scores can't be kept under its settings and revision ({error})"
        ) from error
    code = plugin_code(type(critic))
    return key if code is None else {**key, "critic_code": code}

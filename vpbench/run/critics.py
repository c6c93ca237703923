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
from vpbench.run.entries import CriticEntry, with_own_settings


def with_settings(entries: Sequence[CriticEntry], settings: Mapping[str, str]) -> tuple[CriticEntry, ...]:
    """The entries with settings: `NAME.setting` for the critic called so, `setting` for all that have it.

    What an entry says itself stands. Raises `ConfigError` for an unknown critic, for a setting that none of them has,
    and for a name that none has.
    """
    shared = {name: value for name, value in settings.items() if "." not in name}
    names = [entry.critic for entry in entries if entry.critic is not None]
    known_settings = {name: critic_settings(find_critic(name).cls) for name in names}
    for setting in shared:
        if known_settings and not any(setting in known for known in known_settings.values()):
            have = ", ".join(sorted({name for known in known_settings.values() for name in known})) or "none"
            raise ConfigError(f"critic {', '.join(names)}: no setting {setting!r}; there are: {have}")
    completed = []
    for entry in entries:
        known = known_settings.get(entry.critic or "", {})
        given = {name: value for name, value in shared.items() if name in known}
        completed.append(replace(entry, settings={**given, **entry.settings}))
    return with_own_settings(completed, settings)


def build_critic(entry: CriticEntry, nano: bool = False) -> Critic:
    """The entry's critic; with `nano` its settings are over those for the miniature world. Raises `ConfigError`."""
    assert entry.critic is not None
    cls = find_critic(entry.critic).cls
    return make_critic(cls, nano_settings(cls, entry.settings) if nano else entry.settings)


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

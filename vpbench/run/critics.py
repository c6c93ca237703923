"""The critics of a run: made from their settings, and what their scores are kept under."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vpbench.base import Critic
from vpbench.data.miniature import nano_settings
from vpbench.errors import Boundary, ConfigError, PluginError
from vpbench.plugins import critic_settings, find_critic, make_critic, plugin_code


def build_critics(names: Sequence[str], settings: Mapping[str, str], nano: bool = False) -> list[Critic]:
    """The critics called `names`, each with those of the settings that it has; with `nano` over its `nano_settings`.

    Raises `ConfigError` for an unknown critic, and for a setting that none of them has.
    """
    plugins = [find_critic(name) for name in names]
    known_settings = {name for plugin in plugins for name in critic_settings(plugin.cls)}
    for name in settings:
        if plugins and name not in known_settings:
            have = ", ".join(sorted(known_settings)) or "none"
            raise ConfigError(f"critic {', '.join(names)}: no setting {name!r}; there are: {have}")
    critics = []
    for plugin in plugins:
        given = {name: text for name, text in settings.items() if name in critic_settings(plugin.cls)}
        critics.append(make_critic(plugin.cls, {**nano_settings(plugin.cls), **given} if nano else given))
    return critics


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

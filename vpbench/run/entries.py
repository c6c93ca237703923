"""The rows of a study as a person names them: `[NAME=]CRITIC[:MODEL]`, or `[NAME=]FILE` for scores from a file.

The name is what tables, plots and pages call the row; scores are kept under what determines them, so that two names for
one critic share the work.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError

_NAMED = re.compile(r"(?P<name>[^=:/\\]*)=(?P<rest>.*)", re.DOTALL)
"""A name before a sign of equality; a path that holds one isn't taken for it."""


@dataclass(frozen=True, slots=True)
class CriticEntry:
    """A critic with its settings as text, or the file that holds its scores (or a folder with a file per task).

    `critic` is a critic's name or ./file.py; `name` is what the row is called, None where nobody gave it one.
    `analysis` says how its scores are used where that isn't as in the other rows (`vpbench.run.analysis.OF_A_ROW`).
    """

    critic: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    scores: Path | None = None
    name: str | None = None
    analysis: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str | None:
        """The row's name; without one, of a critic with a model, `CRITIC:` and the model's last part, else None."""
        model = self.settings.get("model")
        if self.name is not None or self.critic is None or not model:
            return self.name
        return f"{Path(self.critic).stem if self.critic.endswith('.py') else self.critic}:{last_part(model)}"

    @property
    def called(self) -> str:
        """What messages call the row before the critic, or its file, has been read."""
        return self.label or self.critic or str(self.scores)


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """A policy, "BACKEND:MODEL", with its settings as text; `name` is what results call it, None for the model's name.

    `drawing` holds options of the command line that this policy has of its own, such as its temperature.
    """

    policy: str
    settings: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    drawing: Mapping[str, Any] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """What messages and `NAME.setting` call it."""
        return self.name or last_part(self.policy)


def critic_entry(text: str | CriticEntry) -> CriticEntry:
    """What `--critic` says: `[NAME=]CRITIC[:MODEL]`. Raises `ConfigError`."""
    if isinstance(text, CriticEntry):
        return text
    name, rest = _split(text, "--critic")
    critic, colon, model = rest.partition(":")
    if not critic or (colon and not model):
        raise ConfigError(f"--critic {text}: expected [NAME=]CRITIC[:MODEL], such as ours=CRITIC:./checkpoint-2000")
    return CriticEntry(critic, {"model": model} if model else {}, name=name)


def scores_entry(text: str) -> CriticEntry:
    """What `--scores` says: `[NAME=]FILE`. Raises `ConfigError`."""
    name, rest = _split(text, "--scores")
    if not rest:
        raise ConfigError(f"--scores {text}: expected [NAME=]FILE")
    return CriticEntry(scores=Path(rest), name=name)


def policy_entry(text: str | PolicyEntry) -> PolicyEntry:
    """What `--policy` says: `[NAME=]BACKEND:MODEL`, or a model alone. Raises `ConfigError`."""
    if isinstance(text, PolicyEntry):
        return text
    name, rest = _split(text, "--policy")
    if not rest:
        raise ConfigError(f"--policy {text}: expected [NAME=]BACKEND:MODEL, or a folder or hub id")
    return PolicyEntry(rest, name=name)


def settings_by_name(settings: Mapping[str, str], option: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """The `NAME.setting` among the settings by name, those for all under "". Raises `ConfigError` for unknown names."""
    by_name: dict[str, dict[str, str]] = {"": {}, **{name: {} for name in names}}
    for key, value in settings.items():
        name, _, setting = key.rpartition(".")
        if name not in by_name:
            raise ConfigError(f"{option} {key}: nothing is called {name!r}; there are: {', '.join(names) or 'none'}")
        by_name[name][setting] = value
    return by_name


def check_names(names: Iterable[str], what: str = "critics") -> None:
    """Raises `ConfigError` if two rows have one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(f"two {what} are called {twice[0]!r}; give them names, such as first={twice[0]}")


def last_part(model: str) -> str:
    """What a model is called where there is no room for its path or its owner."""
    return re.split(r"[/\\:]", model.rstrip("/\\"))[-1]


def _split(text: str, option: str) -> tuple[str | None, str]:
    named = _NAMED.fullmatch(text)
    if named is None:
        return None, text
    name = named["name"].strip()
    if not name or not name.isprintable():
        raise ConfigError(f"{option} {text}: the name before = is empty or can't be printed")
    return name, named["rest"]

"""The rows of a study as a person names them: `[NAME=]CRITIC[:MODEL]`, or `[NAME=]FILE` for scores from a file.

The name is what tables, plots and pages call the row; scores are kept under what determines them, so that two names for
one critic share the work.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vpbench.errors import ConfigError

_NAMED = re.compile(r"(?P<name>[^=:/\\]*)=(?P<rest>.*)", re.DOTALL)
"""A name before a sign of equality; a path that holds one isn't taken for it."""


@dataclass(frozen=True, slots=True)
class CriticEntry:
    """A critic with its settings as text, or the file that holds its scores (or a folder with a file per task).

    `critic` is a critic's name or ./file.py; `name` is what the row is called, None where nobody gave it one.
    """

    critic: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    scores: Path | None = None
    name: str | None = None

    @property
    def label(self) -> str | None:
        """The row's name; without one, of a critic with a model, `CRITIC:` and the model's last part, else None."""
        model = self.settings.get("model")
        if self.name is not None or self.critic is None or not model:
            return self.name
        last = re.split(r"[/\\:]", model.rstrip("/\\"))[-1]
        return f"{Path(self.critic).stem if self.critic.endswith('.py') else self.critic}:{last}"

    @property
    def called(self) -> str:
        """What messages call the row before the critic, or its file, has been read."""
        return self.label or self.critic or str(self.scores)


def critic_entry(text: str) -> CriticEntry:
    """What `--critic` says: `[NAME=]CRITIC[:MODEL]`. Raises `ConfigError`."""
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


def with_own_settings(entries: Sequence[CriticEntry], settings: Mapping[str, str]) -> tuple[CriticEntry, ...]:
    """The entries with the `NAME.setting` among the settings; those without a name in front are left alone.

    Raises `ConfigError` for a name that no critic has.
    """
    by_name: dict[str, dict[str, str]] = {}
    for key, value in settings.items():
        name, dot, setting = key.rpartition(".")
        if dot:
            by_name.setdefault(name, {})[setting] = value
    rows = [entry.called for entry in entries if entry.critic is not None]
    for name in by_name:
        if name not in rows:
            raise ConfigError(f"--critic-args: no critic is called {name!r}; there are: {', '.join(rows) or 'none'}")
    return tuple(
        replace(entry, settings={**entry.settings, **by_name.get(entry.called, {})}, name=entry.label)
        for entry in entries
    )


def check_names(names: Iterable[str]) -> None:
    """Raises `ConfigError` if two rows have one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(f"two critics are called {twice[0]!r}; give them names, such as first={twice[0]}")


def _split(text: str, option: str) -> tuple[str | None, str]:
    named = _NAMED.fullmatch(text)
    if named is None:
        return None, text
    name = named["name"].strip()
    if not name or not name.isprintable():
        raise ConfigError(f"{option} {text}: the name before = is empty or can't be printed")
    return name, named["rest"]

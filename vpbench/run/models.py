"""The models that generate text in one command: its policies and its judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vpbench.generate import Generator, load_generator


class Models:
    """Keeps every generator that was asked for, so that each is loaded once for all tasks of a command."""

    def __init__(self) -> None:
        self._generators: dict[Any, Generator] = {}

    def generator(self, spec: str, settings: Mapping[str, str]) -> Generator:
        """The generator that `spec` names, with its settings. Raises `ConfigError` as `load_generator` does."""
        key = (spec, *sorted(settings.items()))
        if key not in self._generators:
            self._generators[key] = load_generator(spec, settings)
        return self._generators[key]

    def forget(self) -> None:
        """Let go of all of them, and of what they hold in memory."""
        self._generators.clear()

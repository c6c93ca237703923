"""Settings as text, turned into the fields of a dataclass: a critic's, a backend's, a command's options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_type_hints

from vpbench.errors import ConfigError

Settings = TypeVar("Settings")

ADDED_LATER = {"added_later": True}
"""The metadata of a field whose default doesn't enter what identifies a dataclass, see `identity_settings`."""


def parse_settings(cls: type[Settings], what: str, given: Mapping[str, str]) -> Settings:
    """An instance of the dataclass `cls` with the settings given as text, each converted to its field's type.

    `what` is what messages call it. Raises `ConfigError` for a value that doesn't fit and for an unknown setting.
    """
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in _names(cls):
            raise ConfigError(f"{what}: no setting {name!r}; there are: {', '.join(sorted(_names(cls))) or 'none'}")
        try:
            values[name] = _convert(text, hints[name])
        except (KeyError, ValueError) as error:
            kind = getattr(hints[name], "__name__", hints[name])
            raise ConfigError(f"{what}: setting {name}={text!r} is not of type {kind}") from error
    return cls(**values)


def from_options(cls: type[Settings], options: Mapping[str, Any]) -> Settings:
    """The dataclass `cls` made of the command line's options that are called as its fields."""
    return cls(**{name: options[name] for name in _names(cls) if name in options})


def check_claimed(options: Mapping[str, Any], *classes: type) -> None:
    """Raises `TypeError`, as a wrong keyword does, for an option that is a field of none of the dataclasses."""
    unclaimed = options.keys() - {name for cls in classes for name in _names(cls)}
    if unclaimed:
        raise TypeError(f"no {' or '.join(cls.__name__ for cls in classes)} has {', '.join(sorted(unclaimed))}")


def _names(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def identity_settings(instance: Any) -> dict[str, Any]:
    """The settings of a dataclass that determine what it gives: the fields that its comparison looks at, by name.

    A setting that changes nothing (a device, how many requests at once) is a field with `compare=False`. One that was
    added when scores were stored already has `metadata=ADDED_LATER`: it isn't there at its default, so that they are
    still found.
    """
    values = dataclasses.asdict(instance)
    return {
        field.name: values[field.name]
        for field in dataclasses.fields(instance)
        if field.compare and not (ADDED_LATER.items() <= field.metadata.items() and values[field.name] == field.default)
    }


def _convert(text: str, hint: Any) -> Any:
    kinds = get_args(hint) or (hint,)
    if type(None) in kinds and text.lower() == "none":
        return None
    kind = next(kind for kind in kinds if kind is not type(None))
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    return {int: int, float: float, str: str}[kind](text)

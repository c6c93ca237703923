"""The YAML of a study file: a mapping of names to plain values, nothing of which is more than the file is long.

Every key is a name, so that one that YAML takes for a number or a truth value (`1`, `on`) is what it is spelt as. What
an anchor stands for is built once, however often it is referred to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from vpbench.data.files import decoded
from vpbench.errors import ConfigError, DataError

LARGEST = 100_000
"""Bytes of a study file."""
_MERGE = "tag:yaml.org,2002:merge"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would keep the last; a date is a text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def names(self, node: yaml.MappingNode) -> dict[str, Any]:
        """The values by name; those that are merged (`<<`) stand behind the mapping's own."""
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                merged = {**self._merged(value), **merged}
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key has to be a name", key.start_mark)
            if key.value in values:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            values[key.value] = self.construct_object(value, deep=True)
        return {**merged, **values}

    def _merged(self, node: yaml.Node) -> dict[str, Any]:
        parts = self.construct_object(node, deep=True)
        values: dict[str, Any] = {}
        for part in parts if isinstance(parts, list) else [parts]:
            if not isinstance(part, dict):
                raise yaml.constructor.ConstructorError(None, None, "<< takes mappings", node.start_mark)
            values = {**part, **values}
        return values


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.names)


def read_mapping(path: Path) -> dict[str, Any]:
    """The file's keys and values. Raises `ConfigError`."""
    if not path.is_file():
        raise ConfigError(f"{path}: a pipe or device, expected a file; write the study to a file and give that")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ConfigError(f"{path}: no study is longer than {LARGEST:,} bytes; is it another file?")
        text = decoded(path, data)
    except (OSError, DataError) as error:
        raise ConfigError(str(error) if isinstance(error, DataError) else f"{path}: can't be read ({error})") from error
    try:
        content = yaml.load(text, _Loader)  # its own loader is a safe one
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    except (RecursionError, ValueError, LookupError, ArithmeticError) as error:
        # What PyYAML raises for a value that isn't of its tag, such as `!!int x`, or for a number of too many digits.
        raise ConfigError(f"{path}: not YAML ({type(error).__name__}: {error})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys such as name, tasks, critics; `vpbench run --help` shows a study")
    return content

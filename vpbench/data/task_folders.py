"""Where the data of all tasks is: under one folder, each task's in the folder of its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from vpbench.errors import ConfigError


def task_folders(root: Path | None, names: Sequence[str], echo: Callable[[str], None]) -> dict[str, Path | None]:
    """The folder of each task under `root`, None for the hub without it.

    Tasks that have none are named to `echo` and left out. Raises `ConfigError` if no task has one.
    """
    if root is None:
        return dict.fromkeys(names)
    folders: dict[str, Path | None] = {name: root / name for name in names if (root / name).is_dir()}
    if not folders:
        raise ConfigError(f"--data {root}: with `all` it holds a folder per task; none of {', '.join(names)} is there")
    for name in names:
        if name not in folders:
            echo(f"{name}: left out, there is no folder {root / name}")
    return folders

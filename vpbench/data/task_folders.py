"""Where the data of several tasks lies: a folder with one for each, `ROOT/TASK`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from vpbench.errors import ConfigError


def task_folders(
    root: Path | None, names: Sequence[str], suite: bool, echo: Callable[[str], None]
) -> dict[str, Path | None]:
    """The folder of each task under `root`, None for the hub without it; `root` itself where it holds none of them
    and no suite is asked for.

    Tasks of a suite that have none are named to `echo` and left out. Raises `ConfigError` if no task has one, or a task
    that was asked for by name.
    """
    if root is None:
        return dict.fromkeys(names)
    folders: dict[str, Path | None] = {name: root / name for name in names if (root / name).is_dir()}
    if not suite and not folders:
        return dict.fromkeys(names, root)
    missing = [name for name in names if name not in folders]
    if not folders or (missing and not suite):
        raise ConfigError(
            f"--data {root}: for several tasks it holds a folder for each; there is no {root / missing[0]}"
        )
    for name in missing:
        echo(f"{name}: left out, there is no folder {root / name}")
    return folders

"""Pools and scores for several tasks: a folder with one file for each, `ROOT/TASK.jsonl.gz` say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from vpbench.errors import ConfigError

SUFFIXES = (".jsonl", ".json", ".parquet", ".csv", ".tsv", ".xlsx")
"""Of the files that `vpbench.pools.formats` reads; each may be followed by .gz."""


def task_file(root: Path, task: str) -> Path | None:
    """The file of a task under `root`, None if there is none. Raises `ConfigError` if there are two."""
    names = [f"{task}{suffix}{packed}" for suffix in SUFFIXES for packed in ("", ".gz")]
    files = [root / name for name in names if (root / name).exists()]
    if len(files) > 1:
        raise ConfigError(f"{root}: {files[0].name} and {files[1].name} are both for task {task!r}; keep one of them")
    return files[0] if files else None


def task_pools(
    pool: Path | None, tasks: Sequence[str], suite: bool, echo: Callable[[str], None]
) -> dict[str, Path | None]:
    """Each task's pool: `pool` itself where it is a file, or None; of a folder the task's file.

    Tasks of a suite that have none are named to `echo` and left out. Raises `ConfigError` if no task has one, or a task
    that was asked for by name.
    """
    if pool is None:
        return dict.fromkeys(tasks)
    if not pool.is_dir():
        return dict.fromkeys(tasks, pool)
    files: dict[str, Path | None] = {task: file for task in tasks if (file := task_file(pool, task))}
    missing = [task for task in tasks if task not in files]
    if tasks and (not files or (missing and not suite)):
        raise ConfigError(
            f"--pool {pool}: a folder without a file for task {missing[0]!r}; give that file, or add "
            f"{pool / f'{missing[0]}.jsonl'}"
        )
    for task in missing:
        echo(f"{task}: left out, there is no {pool / f'{task}.jsonl'}")
    return files

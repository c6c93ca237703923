"""What a training run is asked to do, and what it is identified by.

The identity covers all that decides the weights: base, data, recipe, and how many processes there are, which is how its
micro-batches are dealt out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.base import Critic
from vpbench.errors import DataError
from vpbench.models.checkpoint import checkpoint_fingerprint
from vpbench.plugins import critic_settings
from vpbench.scoring.step_critics import StepCritic
from vpbench.train.recipe import Recipe


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What to train on, where to, and how a run is watched. `eval_every` and `save_every` count optimiser steps."""

    model: str
    data: tuple[Path, ...]
    output: Path
    eval_data: Path | None = None
    eval_every: int | None = None
    save_every: int | None = None
    resume: bool = False
    fsdp: bool = False


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A data file's name and SHA-256."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What a run is identified by; `base` is a hub id or a folder's name. Field names are the keys of `run.json`."""

    critic: str
    base: str
    base_fingerprint: str
    data: tuple[FileRecord, ...]
    recipe: Recipe
    processes: int
    settings: Mapping[str, Any]


def run_identity(
    critic: Critic, base: Path, model: str, data: Sequence[Path], recipe: Recipe, processes: int
) -> RunIdentity:
    """The identity of a run on `data`. `base` is the folder of `model`. Raises `DataError` for an unreadable file."""
    name = base.name if Path(model).is_dir() else model
    files = tuple(_file_record(path) for path in data)
    given = {name: getattr(critic, name) for name in trained_settings(type(critic))}
    return RunIdentity(critic.name, name, checkpoint_fingerprint(base), files, recipe, processes, given)


def trained_settings(critic: type[Critic]) -> list[str]:
    """The settings of a critic that decide what it learns: those of its own file, which write its prompts. What all
    critics have is about scoring, and what differs in training the recipe says."""
    shared = critic_settings(StepCritic)
    return [name for name in critic_settings(critic) if name not in shared]


def _file_record(path: Path) -> FileRecord:
    try:
        with path.open("rb") as file:
            return FileRecord(path.name, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise DataError(
            f"{path}: can't be read ({error.strerror}); --data takes files of labelled solutions"
        ) from error

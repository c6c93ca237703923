"""The miniature world: drawn questions with known truth, in the benchmarks' own row formats.

What it ships today are questions, images, candidates of a simulated policy and step scores of a simulated critic: a
noise model around the known truth, no neural network. Its figures show how the harness works, nothing about critics.
"""

from __future__ import annotations

from pathlib import Path

from vpbench.errors import ConfigError

FOLDER = Path(__file__).parent / "data"


def nano_folder(task: str) -> Path:
    """The folder of the miniature counterpart of `task`. Raises `ConfigError` if it has none."""
    folder = FOLDER / task
    if not folder.is_dir():
        have = ", ".join(sorted(path.name for path in FOLDER.iterdir()))
        raise ConfigError(f"task {task!r} has no miniature counterpart; --nano works with: {have}")
    return folder

"""The miniature world: drawn questions with known truth, in the benchmarks' own row formats.

What it ships today are questions, images, candidates of a simulated policy and step scores of a simulated critic: a
noise model around the known truth, no neural network. Its figures show how the harness works, nothing about critics.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vpbench.errors import ConfigError

if TYPE_CHECKING:
    from vpbench.base import Critic

FOLDER = Path(__file__).parent / "data"
POOL = "nano-policy.jsonl.gz"
MODELS = Path(__file__).parent / "models"


def nano_folder(task: str) -> Path:
    """The folder of the miniature counterpart of `task`. Raises `ConfigError` if it has none."""
    folder = FOLDER / task
    if not folder.is_dir():
        have = ", ".join(sorted(path.name for path in FOLDER.iterdir()))
        raise ConfigError(f"task {task!r} has no miniature counterpart; --nano works with: {have}")
    return folder


def nano_model(name: str) -> Path:
    """The checkpoint folder of one of the miniature models: "policy", "prm" or "orm"."""
    return MODELS / name


def nano_settings(critic: type[Critic]) -> dict[str, str]:
    """A critic's settings for the miniature world, its `model` as a folder."""
    settings = dict(critic.nano_settings)
    if "model" in settings:
        settings["model"] = str(nano_model(settings["model"]))
    return settings

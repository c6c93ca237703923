"""The miniature world: drawn questions with known truth, in the benchmarks' own row formats, and tiny models for them.

What ships are questions, candidates that a tiny policy drew, labelled solutions, and five checkpoints: the policy, a
stronger one, a process reward model before and after its Monte-Carlo labels, and an outcome reward model.
`vpbench.nano.recipe` says how they were trained, `vpbench.nano.gates` what they can do. Everything takes the way that
real data and models take; figures are real measurements, of this world only.
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
    """The checkpoint folder of a miniature model: "policy", "strong-policy", "pretrained-prm", "prm" or "orm"."""
    return MODELS / name


def nano_settings(critic: type[Critic]) -> dict[str, str]:
    """A critic's settings for the miniature world, its `model` as a folder."""
    settings = dict(critic.nano_settings)
    if "model" in settings:
        settings["model"] = str(nano_model(settings["model"]))
    return settings

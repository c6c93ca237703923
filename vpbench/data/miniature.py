"""Where the miniature world lies: a data source like the hub and a folder, with models and pools of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vpbench.base import Critic
from vpbench.errors import ConfigError

_WORLD = Path(__file__).parent.parent / "nano"
FOLDER = _WORLD / "data"
POOL = "nano-policy.jsonl.gz"
MODELS = _WORLD / "models"


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


def nano_policies() -> dict[str, Path]:
    """The checkpoint folders of the miniature world's policies by what `--policy` calls them."""
    return {"nano": nano_model("policy"), "nano-strong": nano_model("strong-policy")}


def nano_settings(critic: type[Critic], given: Mapping[str, str]) -> dict[str, str]:
    """A critic's settings for the miniature world under those given, a miniature model's name as its folder."""
    settings = {**critic.nano_settings, **given}
    if nano_model(settings.get("model", "")).parent == MODELS and nano_model(settings["model"]).is_dir():
        settings["model"] = str(nano_model(settings["model"]))
    return settings

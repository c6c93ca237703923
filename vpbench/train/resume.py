"""Whose folder it is, and where its run stopped.

A run is resumed with the settings it was started with, since any other would be another run.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

from vpbench.errors import ConfigError
from vpbench.store import write_atomic
from vpbench.train.settings import RunIdentity

SETTINGS = "run.json"


def keep_identity(output: Path, identity: RunIdentity) -> None:
    """Write the identity into the run's folder."""
    output.mkdir(parents=True, exist_ok=True)
    write_atomic(output / SETTINGS, (json.dumps(asdict(identity), indent=2) + "\n").encode())


def refuse_another_run(output: Path, identity: RunIdentity, resume: bool) -> None:
    """Compare with the identity kept in the folder, if any. Raises `ConfigError` if it's another run's."""
    path = output / SETTINGS
    if not path.exists():
        return
    if not resume:
        raise ConfigError(f"{output} holds a training run; go on with it by --resume, or give another --output")
    kept = json.loads(path.read_text(encoding="utf-8"))
    # Through JSON, which makes lists of tuples.
    asked = json.loads(json.dumps(asdict(identity)))
    changed = [name for name in asked if asked[name] != kept.get(name)]
    if changed:
        raise ConfigError(
            f"{path}: the run there has another {', '.join(changed)}; give its settings or another --output"
        )


def last_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint in a folder that was written to its end; its state file is what is written last."""
    complete: dict[int, Path] = {}
    for path in folder.glob("checkpoint-*/trainer_state.json"):
        with contextlib.suppress(ValueError):
            complete[int(json.loads(path.read_text(encoding="utf-8"))["global_step"])] = path.parent
    return complete[max(complete)] if complete else None

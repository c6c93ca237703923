"""Where a result comes from: versions, machine, command. Nothing secret: the environment is not recorded."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

from vpbench.store import versions

_PACKAGES = ("torch", "transformers", "datasets", "numpy", "math-verify", "pillow", "sentencepiece")


def provenance() -> dict[str, Any]:
    """Versions of what computes results, the machine, and the command as it was typed."""
    from vpbench import __version__

    return {
        "command": ["vpbench", *sys.argv[1:]],
        "versions": {"vpbench": __version__, "python": platform.python_version(), **versions(_PACKAGES)},
        "hardware": {"platform": platform.platform(), "cpus": os.cpu_count(), "accelerator": _accelerator()},
    }


def _accelerator() -> str | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())

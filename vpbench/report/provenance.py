"""Where a result comes from: versions, machine, command. Nothing secret: the environment is not recorded."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("torch", "transformers", "datasets", "numpy", "math-verify", "pillow", "sentencepiece")


def provenance() -> dict[str, Any]:
    """Versions of what computes results, the machine, and the command as it was typed."""
    from vpbench import __version__

    return {
        "command": ["vpbench", *sys.argv[1:]],
        "versions": {"vpbench": __version__, "python": platform.python_version(), **_versions()},
        "hardware": {"platform": platform.platform(), "cpus": os.cpu_count(), "accelerator": _accelerator()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _accelerator() -> str | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())

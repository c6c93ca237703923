"""Scripts of benchmarks/ as modules, for tests that run their worlds in small."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any


def load_benchmark(name: str) -> Any:
    """The module of benchmarks/NAME.py, found by its name as dataclasses need it."""
    path = Path(__file__).parent.parent / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module

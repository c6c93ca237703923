"""Shared test set-up: one thread for numerics in every process, no network, and the folder of outside data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("VPBENCH_SHARED", ROOT.parent / "shared")).resolve()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of outside data; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"outside data not found at {SHARED}; set VPBENCH_SHARED")
    return SHARED

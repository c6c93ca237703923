"""Shared test set-up: one thread for numerics in every process, no network, and counts of what was compared."""

from __future__ import annotations

import os
from typing import Any

import pytest
from shared_data import COUNTS, REQUIRED, compared, missing

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Cases that are read from a file which isn't there are no reason to skip where the data has to be there."""
    for mark in item.iter_markers("skip"):
        if REQUIRED and "empty parameter set" in mark.kwargs.get("reason", ""):
            missing(f"no cases for {item.name}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist sends its counts to the process that prints them."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["compared"] = COUNTS


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in a worker's counts; one that crashed has none."""
    for kind, numbers in getattr(node, "workeroutput", {}).get("compared", {}).items():
        for name, number in numbers.items():
            compared(kind, name, number)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was compared with data from outside."""
    totals = {kind: sum(numbers.values()) for kind, numbers in COUNTS.items()}
    if totals:
        terminalreporter.write_line(
            "compared with shared data: " + ", ".join(f"{totals[kind]:,} {kind}" for kind in sorted(totals))
        )

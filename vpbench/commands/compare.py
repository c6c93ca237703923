"""`vpbench compare` and `vpbench check`.

Whatever goes wrong in them exits with 2: 1, which Python gives for an error that nobody expected, says "regressed".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vpbench import api
from vpbench.errors import ConfigError, VpbenchError
from vpbench.report.compare import Comparison
from vpbench.report.study_comparison import StudyComparison
from vpbench.report.tables import Figure, Table, render
from vpbench.terminal import Format, echo


def compare_folders(first: Path, second: Path, style: Format) -> None:
    """Print second minus first. Raises `ConfigError` for anything that prevents it."""
    with _nothing_but_config_errors(first, second):
        comparison = api.compare(first, second)
        text = comparison.text() if style == "text" else render([comparison.table()], style)
    echo(text)


def check_folders(baseline: Path, result: Path, smallest_loss: float, style: Format) -> bool:
    """Print the comparison and whether `result` held; `smallest_loss` in percentage points. Raises `ConfigError`."""
    with _nothing_but_config_errors(baseline, result):
        comparison = api.compare(baseline, result, smallest_loss / 100)
        if isinstance(comparison, StudyComparison) and comparison.lost:
            raise ConfigError(f"can't compare: {result} lacks {', '.join(comparison.lost)}, which {baseline} has")
        if style == "text":
            echo(comparison.text())
            echo(comparison.verdict())
        else:
            echo(render([_verdict(comparison), comparison.table()], style))
        return not comparison.regressed


def _verdict(comparison: Comparison | StudyComparison) -> Table:
    if isinstance(comparison, StudyComparison):
        name = task = "study"
    else:
        name, task = comparison.second.result.name, comparison.second.result.task
    losses = ", ".join(comparison.significant_losses)
    *lines, _ = comparison.verdict().splitlines()
    return Table(
        f"{task}: check",
        ("result", "verdict", "significant losses", "smallest loss that counts"),
        ((name, comparison.outcome, losses or None, Figure(comparison.smallest_loss, digits=2)),),
        tuple(lines),
        keys=("result", "verdict", "significant_losses", "smallest_loss"),
    )


@contextmanager
def _nothing_but_config_errors(first: Path, second: Path) -> Iterator[None]:
    try:
        yield
    except VpbenchError:
        raise
    except Exception as error:
        raise ConfigError(
            f"can't compare {first} with {second}: {type(error).__name__}: {error}; run both results again"
        ) from error

"""`vpbench compare` and `vpbench check`.

Whatever goes wrong in them exits with 2: 1, which Python gives for an error that nobody expected, says "regressed".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vpbench import api
from vpbench.errors import ConfigError, VpbenchError
from vpbench.terminal import echo


def compare_folders(first: Path, second: Path) -> None:
    """Print second minus first. Raises `ConfigError` for anything that prevents it."""
    with _nothing_but_config_errors(first, second):
        echo(api.compare(first, second).text())


def check_folders(baseline: Path, result: Path, smallest_loss: float) -> bool:
    """Print the comparison and whether `result` held; `smallest_loss` in percentage points. Raises `ConfigError`."""
    with _nothing_but_config_errors(baseline, result):
        comparison = api.compare(baseline, result, smallest_loss / 100)
        echo(comparison.text())
        echo(comparison.verdict())
        return not comparison.regressed


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

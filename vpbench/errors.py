"""The error vocabulary.

One class per boundary that a run crosses, so that a reader knows from the name where to look: what the user asked for
(`ConfigError`), what a file or data set holds (`DataError`), what a critic or its checkpoint did (`CriticError`), what
grading did (`GradeError`), what code of a plugin raised though it may not (`PluginError`). Every message says what is
wrong, in which file and row, and what to do. A failure that concerns one row becomes a row with its reason; only what
stops the whole run is raised.
"""

from __future__ import annotations

import importlib.util
import logging
import traceback
from pathlib import Path
from types import TracebackType


class VpbenchError(Exception):
    """Base of all errors raised on purpose; the command line prints its message without a traceback."""

    exit_code = 2
    warned = False
    """Whether the user has read the message already."""


class ConfigError(VpbenchError):
    """The request itself can't be carried out: unknown name, contradicting or missing options."""


class MissingPackages(ConfigError):
    """An extra of vpbench isn't installed."""


class DataError(VpbenchError):
    """A file, data set, image or pool isn't what it has to be."""


class CriticError(VpbenchError):
    """A critic's checkpoint or its input can't be used."""


class GradeError(VpbenchError):
    """A grader can't do its work on this machine, or was used in a way its task doesn't support."""


class TooManyFailures(VpbenchError):
    """More rows failed than `--max-error-rate` allows."""

    exit_code = 3


class BudgetSpent(VpbenchError):
    """Endpoints were asked for as much as `--max-cost` and `--max-total-tokens` allow."""


class PluginError(VpbenchError):
    """Code of a task or critic raised something of its own; the message names plugin, row and line of code."""


def require(extra: str, *packages: str, otherwise: str = "") -> None:
    """Raise `MissingPackages` where one of the packages, which are no part of a plain installation, is missing.

    It says the command that installs `extra`, which has them, and `otherwise`: what to do without them.
    """
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise MissingPackages(
            f"this needs {', '.join(missing)}, not installed here: pip install 'vpbench[{extra}]', or in a checkout "
            f"of the repository pip install -e '.[{extra}]'{otherwise}"
        )


MESSAGE_CHARACTERS = 500


def summary(error: BaseException) -> str:
    """An exception that was not raised on purpose in one line: its class, its message, file and line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}: {str(error)[:MESSAGE_CHARACTERS]} ({Path(frame.filename).name} line {frame.lineno})"
    )


def machine_failure(error: Exception) -> str | None:
    """Which file and why, where not the code but the machine failed: disk full, read-only, out of memory; else None."""
    if isinstance(error, OSError):
        path, text = error.filename2 or error.filename, error.strerror or str(error) or type(error).__name__
        reason = " ".join(text.split())
        return f"{path}: {reason}" if path else reason
    # torch has its own class for a GPU's memory, and none for the machine's.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "CPUAllocator" in str(error):
        return "out of memory; free some, or give smaller batches"
    return None


class Boundary:
    """A context for every call into a task or critic: whatever their code raises becomes a `PluginError`.

    So does a SystemExit, by which their code would end the command without a word. `where` names plugin, call and row.
    Our own errors pass as they are, and so does StopIteration, by which a conversation with a judge ends.
    """

    __slots__ = ("_where",)

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A plugin that calls `sys.exit` must not end the run in silence, with an exit code that says success.
        if not isinstance(error, Exception | SystemExit) or isinstance(error, VpbenchError | StopIteration):
            return
        logging.getLogger("vpbench").debug(self._where, exc_info=error)
        raise PluginError(f"{self._where} raised {summary(error)}") from error

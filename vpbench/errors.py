"""The error vocabulary.

One class per boundary that a run crosses, so that a reader knows from the name where to look: what the user
asked for (`ConfigError`), what a file or data set holds (`DataError`), what a critic or its checkpoint did
(`CriticError`), what grading did (`GradeError`). Every message says what is wrong, in which file and row, and
what to do. A failure that concerns one row becomes a row with its reason; only what stops the whole run is raised.
"""

from __future__ import annotations


class VpbenchError(Exception):
    """Base of all errors raised on purpose; the command line prints its message without a traceback."""

    exit_code = 2


class ConfigError(VpbenchError):
    """The request itself can't be carried out: unknown name, contradicting or missing options."""


class DataError(VpbenchError):
    """A file, data set, image or pool isn't what it has to be."""


class CriticError(VpbenchError):
    """A critic's checkpoint or its input can't be used."""


class GradeError(VpbenchError):
    """A grader can't do its work on this machine, or was used in a way its task doesn't support."""


class TooManyFailures(VpbenchError):
    """More rows failed than `--max-error-rate` allows."""

    exit_code = 3

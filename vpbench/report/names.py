"""What results are called where several are shown: by critic, and by the settings in which they differ.

Names go onto pages that others read, so a path in a setting is cut to its last part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from vpbench.report.result import BestOfNResult, Result, StepResult

_PATH = re.compile(
    r"(?:file://|(?<![\w./~\\])(?:~|\.{1,2})?)(?:/[^\s/,;:'\"<>()\[\]{}]+)+|\b[A-Za-z]:(?:\\[^\s\\,;:]+)+"
)
"""A path from the root, the home or the working folder; not the path of an address with a host."""
_WHOLE_PATH = re.compile(r"(?:~[^/\\]*|\.{1,2})?/(?!/).*|[A-Za-z]:\\.*|[^\s/\\=,:]+(?:/[^\s/\\=,:]+){2,}/?", re.DOTALL)
"""A path that is all there is, with whatever signs are in it; a model's hub id has one slash."""


def without_paths(text: str) -> str:
    """The text with every path in it cut to its last part: a page says nothing of the machine it was made on."""
    return _PATH.sub(lambda match: re.split(r"[/\\]", match[0])[-1], text)


def without_folders(setting: str) -> str:
    """A setting, or an argument of a command, with its paths cut to their last part, blanks and quotes in them or not.

    In a text nothing tells where a path with blanks ends; here a path ends with the setting, or at `=`, `:` or a comma.
    """
    if "://" in setting:
        return without_paths(setting)
    whole = [setting] if _WHOLE_PATH.fullmatch(setting) else re.split(r"([=,:])", setting)
    return without_paths("".join(_last_part(part) if _WHOLE_PATH.fullmatch(part) else part for part in whole))


def names(results: Sequence[Result]) -> list[str]:
    """What each result's row is called, with the settings by which it differs from the same critic's other results.

    Results that would still be called the same, as two models of one name in different folders, have a part of the
    critic's fingerprint too.
    """
    settings = [_settings(result) for result in results]
    called = []
    for result, values in zip(results, settings, strict=True):
        others = [other for rival, other in zip(results, settings, strict=True) if rival.row == result.row]
        differing = [name for name in values if any(other.get(name, values[name]) != values[name] for other in others)]
        parts = ", ".join(f"{name} {_shown(values[name])}" for name in differing)
        called.append(f"{result.row} ({parts})" if parts else result.row)
    return _with_revisions(called, results)


def _with_revisions(called: list[str], results: Sequence[Result]) -> list[str]:
    revisions: dict[str, set[str]] = {}
    for name, result in zip(called, results, strict=True):
        revisions.setdefault(name, set()).add(result.provenance.critic_revision)
    return [
        f"{name} [{result.provenance.critic_revision[:8]}]" if len(revisions[name]) > 1 else name
        for name, result in zip(called, results, strict=True)
    ]


def _settings(result: Result) -> dict[str, Any]:
    analysis: dict[str, Any]
    if isinstance(result, BestOfNResult):
        analysis = {"aggregate": result.aggregate, "link": result.link}
    else:
        analysis = {"threshold": result.step_f1.threshold} if isinstance(result, StepResult) else {}
    provenance = result.provenance
    drawn = {"seed": provenance.seed, "resamples": provenance.resamples}
    return {**analysis, **drawn, **provenance.critic_settings}


def _shown(value: object) -> str:
    return _last_part(value) if isinstance(value, str) else str(value)


def _last_part(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]

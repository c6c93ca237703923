"""Grading of final answers, public names."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpbench.grade.robust import grade_answer as grade_answer

__all__ = ["grade_answer"]

_HOME = {"grade_answer": "vpbench.grade.robust"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)

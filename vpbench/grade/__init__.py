"""Grading of final answers: what a task file is written with.

`grade_answer` is the robust mode. `equal_to_two_decimals` and `nearest_choice` are pieces of official rules. Nothing
heavy is imported before it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpbench.grade.official import equal_to_two_decimals as equal_to_two_decimals
    from vpbench.grade.official import nearest_choice as nearest_choice
    from vpbench.grade.robust import grade_answer as grade_answer

__all__ = ["equal_to_two_decimals", "grade_answer", "nearest_choice"]

_HOME = {
    "equal_to_two_decimals": "vpbench.grade.official",
    "grade_answer": "vpbench.grade.robust",
    "nearest_choice": "vpbench.grade.official",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"vpbench.grade has no {name}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)

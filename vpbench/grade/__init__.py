"""Grading of final answers: what a task file is written with.

`grade_answer` is the robust mode, `grade_labels` that of questions answered by a set of option labels, `label_set`
and `listed_options` read label lists and option lists. `equal_to_two_decimals` and `nearest_choice` are pieces of
official rules. `extraction_prompt`, `comparison_prompt` and their readers are for rules that ask a language model.
Nothing heavy is imported before it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpbench.grade.judge import comparison_prompt as comparison_prompt
    from vpbench.grade.judge import extraction_prompt as extraction_prompt
    from vpbench.grade.judge import read_comparison as read_comparison
    from vpbench.grade.judge import read_extraction as read_extraction
    from vpbench.grade.labels import grade_labels as grade_labels
    from vpbench.grade.labels import label_set as label_set
    from vpbench.grade.labels import listed_options as listed_options
    from vpbench.grade.official import equal_to_two_decimals as equal_to_two_decimals
    from vpbench.grade.official import nearest_choice as nearest_choice
    from vpbench.grade.robust import grade_answer as grade_answer

__all__ = [
    "comparison_prompt",
    "equal_to_two_decimals",
    "extraction_prompt",
    "grade_answer",
    "grade_labels",
    "label_set",
    "listed_options",
    "nearest_choice",
    "read_comparison",
    "read_extraction",
]

_HOME = {
    "comparison_prompt": "vpbench.grade.judge",
    "equal_to_two_decimals": "vpbench.grade.official",
    "extraction_prompt": "vpbench.grade.judge",
    "grade_answer": "vpbench.grade.robust",
    "grade_labels": "vpbench.grade.labels",
    "label_set": "vpbench.grade.labels",
    "listed_options": "vpbench.grade.labels",
    "nearest_choice": "vpbench.grade.official",
    "read_comparison": "vpbench.grade.judge",
    "read_extraction": "vpbench.grade.judge",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"vpbench.grade has no {name}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)

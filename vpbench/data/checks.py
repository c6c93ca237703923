"""A question's fields are what grading, measures and results take them for, or its row is named before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vpbench.errors import DataError
from vpbench.records import Question


def checked_question(question: Question, where: str) -> Question:
    """The question. Raises `DataError` naming the row and the field that no result could hold."""
    id = question.id
    if not isinstance(id, str):
        raise DataError(f"{where}: the question's id is {id!r}, expected a string")
    for name in ("id", "group"):
        text = getattr(question, name)
        if text is not None and not _is_text(text):
            raise DataError(f"{where}: the question's {name} is {text!r}, expected text without half surrogate pairs")
    for name in ("text", "answer", "answer_type"):
        text = getattr(question, name)
        if not isinstance(text, str):
            raise DataError(f"{where}: the question's {name} is {repr(text)[:40]}, expected a string")
    if not isinstance(question.categories, Mapping):
        raise DataError(
            f"{where}: `categories` is {repr(question.categories)[:40]}, expected an object such as "
            '{"subject": "algebra"}'
        )
    for name, value in question.categories.items():
        labels = value if isinstance(value, list | tuple) else [value]
        if not _is_text(name) or not all(label is None or _is_label(label) for label in labels):
            raise DataError(
                f"{where}: category {name!r} is {repr(value)[:40]}, expected a text, a number, or a list of them"
            )
    return question


def _is_label(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, int | float) and value == value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)

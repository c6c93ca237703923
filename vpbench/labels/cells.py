"""Cells of a labelled solution's row, checked for their kind; messages name the line and the column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vpbench.errors import DataError


def text_cell(row: Mapping[str, Any], name: str, where: str) -> str:
    """A string. Raises `DataError` for anything else."""
    if not isinstance(row.get(name), str):
        raise DataError(f"{where}: `{name}` must be a string, is {type(row.get(name)).__name__}")
    return str(row[name])


def list_cell(row: Mapping[str, Any], name: str, where: str) -> Sequence[Any]:
    """A list. Raises `DataError` for anything else."""
    value = row[name]
    if not isinstance(value, list):
        raise DataError(f"{where}: `{name}` must be a list, is {type(value).__name__}")
    return value


def texts_cell(row: Mapping[str, Any], name: str, where: str) -> list[str]:
    """A list of strings. Raises `DataError` for anything else."""
    values = list_cell(row, name, where)
    for number, value in enumerate(values):
        if not isinstance(value, str):
            raise DataError(f"{where}: `{name}` {number} must be a string, is {type(value).__name__}")
    return list(values)

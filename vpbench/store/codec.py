"""Records as stored rows and back; a row's columns are the record's fields, their types the annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from vpbench.records import Candidate, Score, Verdict

Record = TypeVar("Record")

_TYPES = {str: "string", bool: "bool", int: "integer", float: "double", tuple: "list"}


class Codec(Generic[Record]):
    """Turns records of the dataclass `cls` into rows and back; fields named in `left_out` are not stored.

    Fields are str, bool, int, float or tuples of float, each of them optional or not.
    """

    def __init__(self, cls: type[Record], *left_out: str) -> None:
        hints = get_type_hints(cls)
        names = [field.name for field in fields(cls) if field.name not in left_out]  # type: ignore[arg-type]
        self._cls = cls
        self.columns: dict[str, str] = {name: _column(hints[name]) for name in names}
        """The type of every column, in the order of the fields, as `parquet_bytes` takes them."""

    def to_row(self, record: Record) -> dict[str, Any]:
        """The values that are stored."""
        return {name: getattr(record, name) for name in self.columns}

    def from_row(self, row: Mapping[str, Any], **left_out: Any) -> Record:
        """The record of a row, which may have columns beside; `left_out` are the fields that are not stored."""
        values = {
            name: tuple(row[name]) if column == "list" and row[name] is not None else row[name]
            for name, column in self.columns.items()
        }
        return self._cls(**values, **left_out)


def _column(hint: Any) -> str:
    kinds = [hint] if get_origin(hint) is tuple else get_args(hint) or [hint]
    kind = next(kind for kind in kinds if kind is not type(None))
    return _TYPES[get_origin(kind) or kind]


CANDIDATES = Codec(Candidate, "question_id", "index", "policy", "steps", "withheld")
"""Drawn candidates: the row's key holds question and index, the store's key the policy; steps are never drawn, and what
is drawn has its text."""
VERDICTS = Codec(Verdict, "trace")
SCORES = Codec(Score)

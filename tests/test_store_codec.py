"""Records as rows: columns of stored runs that must stay as they are, and records that come back as they went."""

from __future__ import annotations

from typing import Any

import pytest

from vpbench import Candidate, Score, Verdict
from vpbench.store import CANDIDATES, SCORES, VERDICTS, Codec


@pytest.mark.parametrize(
    ("codec", "columns"),
    [
        (CANDIDATES, {"response": "string", "finish_reason": "string", "tokens": "integer", "error": "string"}),
        (VERDICTS, {"extracted": "string", "answer_class": "string", "correct": "bool", "reason": "string"}),
        (SCORES, {"value": "double", "steps": "list", "reason": "string", "retry": "bool"}),
    ],
)
def test_the_columns_of_stored_runs_stay(codec: Codec[Any], columns: dict[str, str]) -> None:
    assert list(codec.columns.items()) == list(columns.items())


@pytest.mark.parametrize(
    ("codec", "record", "left_out"),
    [
        (CANDIDATES, Candidate("q", 3, "a", "p", "stop", 5), {"question_id": "q", "index": 3, "policy": "p"}),
        (CANDIDATES, Candidate("q", 3, "", error="gone"), {"question_id": "q", "index": 3}),
        (VERDICTS, Verdict("4", None, False, "different"), {}),
        (SCORES, Score(0.5, (0.25, 1.0)), {}),
        (SCORES, Score(None, None, "missing image", retry=True), {}),
    ],
)
def test_a_record_comes_back_as_it_went(codec: Codec[Any], record: Any, left_out: dict[str, Any]) -> None:
    row = codec.to_row(record)
    stored = {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}
    assert codec.from_row({**stored, "content": "c"}, **left_out) == record

"""The file formats that candidates come in, each reduced to one shape: a question and its candidates.

Ours, grouped (`{question_id, candidates: [...]}`) or flat (`{question_id, response, ...}`); search-and-learn's
(`completions` with `scores`), lm-eval's sample files (`doc`, `resps`) and VLMEvalKit's prediction tables (`index`,
`prediction`). The format is told from the fields of each line, so no flag is needed. Lines of other tools say in
several ways which question they are about; `vpbench.pools.match` finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from vpbench.data.files import json_lines, read_bytes
from vpbench.errors import DataError
from vpbench.pools.tables import table_rows

ROW_NUMBER = "doc_id"
"""lm-eval's number of a row, from 0; it names no question."""

_ID_FIELDS = ("question_id", "pid", "unique_id", "id", "qid", "uid", "sample_index", "problem_id", "index")
"""Where other tools' lines may have a question's id, the surest first."""
_FIELDS = {
    "text": ("question", "problem", "query"),
    "prompt": ("prompt",),
    "options": ("choices", "options"),
    "gold": ("answer", "gold"),
}
"""Where lines have what they say of their question."""
_STATED = frozenset(name for names in _FIELDS.values() for name in names)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a line says of the question it is about; `where` is its place.

    `ids` are the ids it may mean, by field, the surest first; none where `question_id` is certain. Of `task`,
    `benchmark`, `text`, `prompt`, `options` and `gold` each is None where the line says nothing of it.
    """

    where: str = field(compare=False)
    ids: Mapping[str, str] = field(default_factory=dict)
    task: Any = None
    benchmark: Any = None
    text: Any = None
    prompt: Any = None
    options: Any = None
    gold: Any = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its question, its candidates as raw fields, and the question's own fields if it has any.

    `question_id` is certain where the statement has no `ids`; else it only holds a question's lines together.
    """

    where: str
    question_id: str
    candidates: Sequence[Mapping[str, Any]]
    question: Mapping[str, Any] | None
    grouped: bool
    statement: Statement


def read_lines(path: Path) -> tuple[bytes, Iterator[Line]]:
    """The file's content and its lines. Raises `DataError` naming file, line and remedy."""
    data = read_bytes(path)
    rows = table_rows(path, data)
    return data, _lines(json_lines(path, data) if rows is None else rows, is_table=rows is not None)


def _lines(rows: Iterator[tuple[str, dict[str, Any]]], is_table: bool) -> Iterator[Line]:
    first_filter = None
    for where, row in rows:
        if "completions" in row:
            yield _search_and_learn(where, row)
        elif "resps" in row and ROW_NUMBER in row:
            # A sample file repeats every question for each of the filters that its answers were read by.
            first_filter = first_filter or (row.get("filter"),)
            if row.get("filter") == first_filter[0]:
                yield _lm_eval(where, row)
        elif is_table and row.get("question_id") is None:
            yield _prediction(where, row)
        else:
            yield _our_line(where, row)


def _our_line(where: str, row: dict[str, Any]) -> Line:
    id = _id(row.get("question_id"), where)
    if id is None:
        raise DataError(
            f"{where}: no `question_id`; a line is {{question_id, candidates: [...]}} or {{question_id, response, ...}}"
        )
    fields = {name: value for name, value in row.items() if name != "candidates"}
    question = fields if "question" in row and "answer" in row else None
    statement = Statement(where, task=row.get("task"), benchmark=row.get("benchmark"), **_about(row))
    if "candidates" not in row:
        return Line(where, id, [row], question, False, statement)
    candidates = row["candidates"]
    if not isinstance(candidates, list) or not all(isinstance(candidate, dict) for candidate in candidates):
        raise DataError(
            f'{where}: `candidates` must be a list of objects, such as {{"response": ...}}; correct the line'
        )
    return Line(where, id, candidates, question, True, statement)


def _search_and_learn(where: str, row: dict[str, Any]) -> Line:
    names = ("question_id", "unique_id", "id", "index")
    ids = _ids({name: row.get(name) for name in names}, where)
    if not ids:
        raise DataError(f"{where}: `completions` without `unique_id`, `question_id`, `id` or `index`")
    completions = row["completions"]
    if not isinstance(completions, list):
        raise DataError(f"{where}: `completions` is {_kind(completions)}, expected a list of texts")
    scores = row.get("scores") or [None] * len(completions)
    if not isinstance(scores, list) or len(scores) != len(completions):
        count = len(scores) if isinstance(scores, list) else _kind(scores)
        raise DataError(f"{where}: {len(completions)} completions but {count} scores; give one score for each")
    candidates = [
        {"response": text, ("step_scores" if isinstance(score, list) else "score"): score}
        for text, score in zip(completions, scores, strict=True)
    ]
    return Line(where, next(iter(ids.values())), candidates, None, True, Statement(where, ids, **_about(row)))


def _lm_eval(where: str, row: dict[str, Any]) -> Line:
    if not isinstance(row["resps"], list):
        raise DataError(f"{where}: `resps` is {_kind(row['resps'])}, expected lists of texts")
    responses = [text for group in row["resps"] for text in (group if isinstance(group, list) else [group])]
    doc = row.get("doc")
    doc = doc if isinstance(doc, dict) else {}
    number = _id(row[ROW_NUMBER], where)
    if number is None:
        raise DataError(f"{where}: `{ROW_NUMBER}` is null; expected the number of the row")
    ids = _ids({name: doc.get(name) for name in _ID_FIELDS}, where) or {ROW_NUMBER: number}
    return Line(
        where, number, [{"response": text} for text in responses], None, True, Statement(where, ids, **_about(doc))
    )


def _prediction(where: str, row: dict[str, Any]) -> Line:
    if "prediction" not in row:
        raise DataError(
            f"{where}: column prediction missing; a prediction table has `index` and `prediction`, a table of "
            "candidates `question_id` and `response`, one of scores `question_id`, `index` and `score`"
        )
    about = _about(row)
    ids = _ids({name: row.get(name) for name in _ID_FIELDS}, where)
    if not ids and about.get("text") is None:
        raise DataError(f"{where}: neither `index` nor `question`, so it can't be told whose prediction this is")
    letters = []
    for letter in ascii_uppercase:
        if row.get(letter) is None:
            break
        letters.append(row[letter])
    if letters:
        about["options"] = letters
    # Rows that say the same of their question belong together; their number alone may be another tool's.
    key = ids.get("index") or next(iter(ids.values()), str(about.get("text")))
    return Line(where, key, [{"response": row["prediction"]}], None, False, Statement(where, ids, **about))


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    """A question's text, prompt, options and gold as a line gives them."""
    if _STATED.isdisjoint(row):
        return {}
    return {
        about: next((row[name] for name in names if row.get(name) is not None), None)
        for about, names in _FIELDS.items()
    }


def _ids(named: Mapping[str, Any], where: str) -> dict[str, str]:
    ids = {name: _id(value, where) for name, value in named.items()}
    return {name: id for name, id in ids.items() if id is not None}


def _id(value: Any, where: str) -> str | None:
    """A question id as text, None where there is none. Raises `DataError` for one that no result could hold."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():  # a column of numbers in which one is missing
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DataError(f"{where}: the question's id is {_kind(value)}, expected a string or a whole number")
    return check_text(str(value), "the question's id", where)


def check_text(text: str, what: str, where: str) -> str:
    """The text. Raises `DataError` if it holds half a surrogate pair, which no result can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: {what} {text!r} holds half a surrogate pair; write it as UTF-8 text") from error
    return text


def _kind(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"

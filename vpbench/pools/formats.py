"""The file formats that candidates come in, each reduced to one shape: a question id and its candidates.

Ours, grouped (`{question_id, candidates: [...]}`) or flat (`{question_id, response, ...}`); search-and-learn's
(`completions` with `scores`), lm-eval's sample files (`doc_id`, `resps`) and VLMEvalKit's prediction tables (`index`,
`prediction`). The format is told from the fields of each line, so no flag is needed.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.errors import DataError


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a pool: whose it is, its candidates as raw fields, and the question's own fields if it has any."""

    where: str
    question_id: str
    candidates: Sequence[Mapping[str, Any]]
    question: Mapping[str, Any] | None
    grouped: bool


def read_bytes(path: Path) -> bytes:
    """The file's content, unpacked if it is .gz. Raises `DataError`."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip stream is broken ({error}); copy the file again") from error


def json_lines(path: Path, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every line's JSON object with its place. Raises `DataError` naming the line that isn't one."""
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{where}: not valid JSON ({error}); fix or remove the line") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: a {type(row).__name__}, expected a JSON object")
        yield where, row


def read_lines(path: Path) -> tuple[bytes, Iterator[Line]]:
    """The file's content and its lines. Raises `DataError` naming file, line and remedy."""
    data = read_bytes(path)
    kind = Path(path.name.removesuffix(".gz")).suffix
    if kind in (".tsv", ".csv", ".xlsx"):
        return data, _table(path, data, kind)
    return data, (_line(where, row) for where, row in json_lines(path, data))


def _line(where: str, row: dict[str, Any]) -> Line:
    if "completions" in row:
        return _search_and_learn(where, row)
    if "resps" in row and "doc_id" in row:
        responses = [text for group in row["resps"] for text in (group if isinstance(group, list) else [group])]
        return Line(where, str(row["doc_id"]), [{"response": text} for text in responses], None, True)
    if row.get("question_id") is None:
        raise DataError(
            f"{where}: no `question_id`; a line is {{question_id, candidates: [...]}} or {{question_id, response, ...}}"
        )
    fields = {name: value for name, value in row.items() if name != "candidates"}
    question = fields if "question" in row and "answer" in row else None
    if "candidates" not in row:
        return Line(where, str(row["question_id"]), [row], question, False)
    candidates = row["candidates"]
    if not isinstance(candidates, list) or not all(isinstance(candidate, dict) for candidate in candidates):
        raise DataError(f"{where}: `candidates` must be a list of objects with a `response`")
    return Line(where, str(row["question_id"]), candidates, question, True)


def _search_and_learn(where: str, row: dict[str, Any]) -> Line:
    id = next((row[name] for name in ("question_id", "unique_id", "id", "index") if row.get(name) is not None), None)
    if id is None:
        raise DataError(f"{where}: `completions` without `unique_id`, `question_id`, `id` or `index`")
    completions = row["completions"]
    scores = row.get("scores") or [None] * len(completions)
    if len(scores) != len(completions):
        raise DataError(f"{where}: {len(completions)} completions but {len(scores)} scores")
    candidates = [
        {"response": text, ("step_scores" if isinstance(score, list) else "score"): score}
        for text, score in zip(completions, scores, strict=True)
    ]
    return Line(where, str(id), candidates, None, True)


def _table(path: Path, data: bytes, kind: str) -> Iterator[Line]:
    import pandas as pd

    try:
        if kind == ".xlsx":
            frame = pd.read_excel(io.BytesIO(data), dtype=str)
        else:
            separator = "\t" if kind == ".tsv" else ","
            frame = pd.read_csv(io.BytesIO(data), dtype=str, sep=separator, keep_default_na=False)
    except ImportError as error:
        raise DataError(f"{path}: reading .xlsx needs openpyxl: pip install openpyxl, or save it as .tsv") from error
    except ValueError as error:
        raise DataError(f"{path}: not a readable table ({error})") from error
    missing = [column for column in ("index", "prediction") if column not in frame.columns]
    if missing:
        raise DataError(f"{path}: column {', '.join(missing)} missing; a prediction table has `index` and `prediction`")
    for number, (id, text) in enumerate(zip(frame["index"], frame["prediction"], strict=True), 2):
        response = text if isinstance(text, str) else None
        yield Line(f"{path} line {number}", str(id), [{"response": response}], None, False)

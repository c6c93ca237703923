"""The texts behind results: questions, gold answers and responses, once per pool and set of questions.

Results of several critics, aggregations or gradings share them, so they lie beside the results and not in each. A
result names their folder in its provenance, relative to the run's, so that a run can be moved.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpbench.records import Candidate, Question
from vpbench.report.stored import StoredResult, read_table
from vpbench.run.prepared import Common
from vpbench.store import folder_name, table_bytes, write_atomic

if TYPE_CHECKING:
    import pandas as pd

_FILES = {
    "questions.parquet": ("question_id", "question", "choices", "gold"),
    "candidates.parquet": ("question_id", "index", "response", "step_texts"),
}


def texts_folder(prepared: Common) -> str:
    """The folder of the texts, relative to the run's."""
    key = {**prepared.key, "questions": sorted(prepared.questions), "sha256": prepared.pool_sha256}
    return f"texts/{folder_name(prepared.task.name, prepared.origin, key=key)}"


def write_texts(prepared: Common) -> None:
    """Write the texts under the run's folder, where they aren't there yet."""
    folder = prepared.request.output / texts_folder(prepared)
    if all((folder / name).is_file() for name in _FILES):
        return
    folder.mkdir(parents=True, exist_ok=True)
    candidates = [candidate for candidates in prepared.candidates.values() for candidate in candidates]
    tables = (_question_table(prepared.questions.values()), _candidate_table(candidates))
    for name, table in zip(_FILES, tables, strict=True):
        write_atomic(folder / name, table_bytes(table))


def stored_texts(stored: StoredResult) -> Path | None:
    """The folder of a result's texts; None where it isn't there, as for results of an earlier vpbench."""
    if stored.result.provenance.texts is None:
        return None
    folder = stored.folder.resolve().parent.parent / stored.result.provenance.texts
    return folder if folder.is_dir() else None


def has_responses(stored: StoredResult) -> bool:
    """Whether a result's texts are there, and none of the responses is withheld."""
    folder = stored_texts(stored)
    if folder is None:
        return False
    name = "candidates.parquet"
    return not read_table(folder / name, _FILES[name]).column("response").null_count


def read_texts(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frames of questions and candidates. Raises `ConfigError` for a missing or damaged file."""
    questions, candidates = (read_table(folder / name, columns).to_pandas() for name, columns in _FILES.items())
    return questions, candidates


def _question_table(questions: Collection[Question]) -> Any:
    import pyarrow as pa

    choices = [None if question.choices is None else list(map(_clean, question.choices)) for question in questions]
    return pa.table(
        {
            "question_id": pa.array([question.id for question in questions], pa.string()),
            "question": pa.array([_clean(question.text) for question in questions], pa.string()),
            "choices": pa.array(choices, pa.list_(pa.string())),
            "gold": pa.array([_clean(question.answer) for question in questions], pa.string()),
        }
    )


def _candidate_table(candidates: Collection[Candidate]) -> Any:
    import pyarrow as pa

    responses = [None if candidate.withheld else _clean(candidate.response) for candidate in candidates]
    steps = [None if candidate.steps is None else list(map(_clean, candidate.steps)) for candidate in candidates]
    return pa.table(
        {
            "question_id": pa.array([candidate.question_id for candidate in candidates], pa.string()),
            "index": pa.array([candidate.index for candidate in candidates], pa.int64()),
            "response": pa.array(responses, pa.string()),
            "step_texts": pa.array(steps, pa.list_(pa.string())),
        }
    )


def _clean(text: str) -> str:
    """The text as UTF-8 can hold it: a file may have brought half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")

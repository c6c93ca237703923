"""The texts behind results: questions, gold answers and responses, once per pool and set of questions.

Results of several critics, aggregations or gradings share them, so they lie beside the results and not in each. A
result names their folder in its provenance, relative to the run's, so that a run can be moved. What pages show beside
the texts, categories and pictures, is in a file of its own, which runs of earlier versions don't have.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpbench.records import Candidate, Question
from vpbench.report.pictures import keep_pictures
from vpbench.report.stored import StoredResult, read_table
from vpbench.run.prepared import Common
from vpbench.store import folder_name, table_bytes, write_atomic

if TYPE_CHECKING:
    import pandas as pd

_FILES = {
    "questions.parquet": ("question_id", "question", "choices", "gold"),
    "candidates.parquet": ("question_id", "index", "response", "step_texts"),
}
_DETAILS = ("details.parquet", ("question_id", "categories", "pictures", "missing"))


def texts_folder(prepared: Common) -> str:
    """The folder of the texts, relative to the run's."""
    key = {**prepared.key, "questions": sorted(prepared.questions), "sha256": prepared.pool_sha256}
    return f"texts/{folder_name(prepared.task.name, prepared.origin, key=key)}"


def write_texts(prepared: Common) -> None:
    """Write the texts under the run's folder, and the pictures, where they aren't there yet."""
    folder = prepared.request.output / texts_folder(prepared)
    if all((folder / name).is_file() for name in (*_FILES, _DETAILS[0])):
        return
    folder.mkdir(parents=True, exist_ok=True)
    candidates = [candidate for candidates in prepared.candidates.values() for candidate in candidates]
    questions = prepared.questions.values()
    tables = (_question_table(questions), _candidate_table(candidates))
    for name, table in zip(_FILES, tables, strict=True):
        write_atomic(folder / name, table_bytes(table))
    write_atomic(folder / _DETAILS[0], table_bytes(_detail_table(questions, prepared.request.output)))


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
    questions, candidates = (table.to_pandas() for table in text_tables(folder))
    return questions, candidates


def text_tables(folder: Path) -> tuple[Any, Any]:
    """The Arrow tables of questions and candidates. Raises as `read_texts` does."""
    questions, candidates = (read_table(folder / name, columns) for name, columns in _FILES.items())
    return questions, candidates


def read_details(folder: Path) -> Any:
    """The Arrow table of every question's `categories` (JSON) and `pictures`; None for a run of an earlier version.

    `pictures` names files of `vpbench.report.pictures`, "" where one is missing; `missing` then says why. Raises
    `ConfigError` for a damaged file.
    """
    name, columns = _DETAILS
    return read_table(folder / name, columns) if (folder / name).is_file() else None


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


def _detail_table(questions: Collection[Question], output: Path) -> Any:
    import pyarrow as pa

    pictures = [keep_pictures(question.images, output) for question in questions]
    categories = [json.dumps(dict(question.categories), default=str) for question in questions]
    return pa.table(
        {
            "question_id": pa.array([question.id for question in questions], pa.string()),
            "categories": pa.array(categories, pa.string()),
            "pictures": pa.array([[picture.name for picture in kept] for kept in pictures], pa.list_(pa.string())),
            "missing": pa.array(
                [[_clean(picture.missing) for picture in kept] for kept in pictures], pa.list_(pa.string())
            ),
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
            "error": pa.array([candidate.error for candidate in candidates], pa.string()),
        }
    )


def _clean(text: str) -> str:
    """The text as UTF-8 can hold it: a file may have brought half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")

"""Results as pandas frames: a row per result and N, and a row per candidate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpbench.errors import ConfigError, VpbenchError
from vpbench.report.names import names
from vpbench.report.overview import gain_columns, overview
from vpbench.report.result import BestOfNResult
from vpbench.report.stored import StoredResult, read_result
from vpbench.report.study_folder import STUDY, results_of_study
from vpbench.report.texts import read_texts, stored_texts

if TYPE_CHECKING:
    import pandas as pd

_CANDIDATE_COLUMNS = (
    *("task", "policy", "critic", "name", "question_id", "index", "question", "choices", "gold", "response"),
    *("step_texts", "extracted", "answer_class", "correct", "reason", "score", "steps", "labels", "score_reason"),
    *("group", "source", "folder"),
)


@dataclass(frozen=True)
class Results:
    """Several results. `cells` and `candidates` have a `folder`, by which their rows are told apart and joined."""

    results: tuple[StoredResult, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What `candidates` lacks."""
        return tuple(
            f"{stored.folder.name}: its texts aren't there, so question, gold and response are None; the same "
            "`vpbench run` again writes them"
            for stored in self.results
            if stored_texts(stored) is None
        )

    @cached_property
    def cells(self) -> pd.DataFrame:
        """A row per result and N; a step result has one, its macro-F1, without N.

        `value`, `low`, `high` are of the `metric`, as fractions of 1; `over_random` and `over_vote` are the critic's
        gains, with interval, p and Holm's p.
        """
        import pandas as pd

        called = names([stored.result for stored in self.results])
        rows = [row for stored, name in zip(self.results, called, strict=True) for row in _cells(stored, name)]
        return pd.DataFrame(rows).astype({"n": "Int64"})

    def overview(self, n: int | Iterable[int] | None = None) -> pd.DataFrame:
        """A row per critic, task and N, and for the mean of tasks, as `vpbench.report.overview.Overview.frame` says.

        `n` is one N or several; default: 8 and the largest. Raises `ConfigError` for one that no result has.
        """
        return overview(self.results, [n] if isinstance(n, int) else None if n is None else list(n)).frame()

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """A row per candidate of each result, with the texts, verdict and scores; `notes` says what is missing.

        `score` is the critic's own, `steps` holds one score per step. Raises `ConfigError` for a damaged file.
        """
        import pandas as pd

        called = names([stored.result for stored in self.results])
        frames = [_candidates(stored, name) for stored, name in zip(self.results, called, strict=True)]
        return pd.concat(frames, ignore_index=True).astype({"index": "int64", "score": "float64", "correct": "boolean"})


def load_results(folder: Path) -> Results:
    """The results in a run's folder, in a folder of results, of a study's folder, or of one result.

    Raises `ConfigError` if there are none, or one that can't be read.
    """
    return Results(tuple(read_result(path) for path in result_files(folder)))


def result_files(folder: Path) -> list[Path]:
    """The `result.json` of every result in a run's folder, in a folder of results, of a study, or of one result.

    Raises `ConfigError` if there are none.
    """
    if (folder / "result.json").is_file():
        return [folder / "result.json"]
    if (folder / STUDY).is_file():
        return [path / "result.json" for path in results_of_study(folder)]
    inner = folder / "results" if (folder / "results").is_dir() else folder
    files = sorted(inner.glob("*/result.json"))
    if not files:
        raise ConfigError(f"{folder}: no results; `vpbench run ... --output {folder}` makes them")
    return files


def readable(files: Iterable[Path]) -> tuple[list[StoredResult], list[VpbenchError]]:
    """The results that can be read, and for every other what is wrong with it."""
    results, failures = [], []
    for file in files:
        try:
            results.append(read_result(file))
        except VpbenchError as error:
            failures.append(error)
    return results, failures


def _cells(stored: StoredResult, name: str) -> list[dict[str, Any]]:
    result = stored.result
    head = {"task": result.task, "policy": result.policy, "critic": result.critic, "name": name}
    tail = {
        "metric": result.metric,
        "questions": result.questions,
        "complete": result.complete,
        "nano": result.nano,
        "folder": stored.folder.name,
    }
    if not isinstance(result, BestOfNResult):
        point = {"n": None, **dict(zip(("value", "low", "high"), result.headline, strict=True))}
        return [
            {
                **head,
                "selection": None,
                "grading": None,
                **point,
                **gain_columns("random"),
                **gain_columns("vote"),
                **tail,
            }
        ]
    return [
        {
            **head,
            "selection": result.selection,
            "grading": result.grading,
            "n": point.n,
            "value": point.value,
            "low": point.low,
            "high": point.high,
            **gain_columns("random", result.gains["over_random"][k]),
            **gain_columns("vote", result.gains["over_vote"][k] if result.has_vote else None),
            **tail,
        }
        for k, point in enumerate(result.curves["critic"])
    ]


def _candidates(stored: StoredResult, name: str) -> pd.DataFrame:
    rows: pd.DataFrame = stored.rows().rename(columns={"value": "score"})
    folder = stored_texts(stored)
    if folder is not None:
        questions, responses = read_texts(folder)
        rows = rows.merge(questions, on="question_id", how="left").merge(
            responses, on=["question_id", "index"], how="left"
        )
    result = stored.result
    # a pool of one policy doesn't name it in every row
    rows["policy"] = rows["policy"].where(rows["policy"] != "", result.policy)
    rows = rows.assign(task=result.task, critic=result.critic, name=name, folder=stored.folder.name)
    # what a kind of result doesn't have is None, not NaN, which pandas makes of missing texts and lists
    rows = rows.reindex(columns=list(_CANDIDATE_COLUMNS)).astype(object)
    return rows.where(rows.notna(), None)

"""Pools: the formats that are read, and the message for every way a file can be wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from vpbench.errors import DataError
from vpbench.generate import read_pool
from vpbench.pools.scores import read_scores
from vpbench.records import Score, Verdict


def write(path: Path, *rows: Any) -> Path:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("grouped.jsonl", [{"question_id": 7, "candidates": [{"response": "a"}, {"response": "b"}]}]),
        ("grouped.jsonl.gz", [{"question_id": "7", "candidates": [{"response": "a"}, {"response": "b"}]}]),
        ("flat.jsonl", [{"question_id": 7, "response": "a"}, "", {"question_id": 7, "response": "b"}]),
        (
            "indexed.jsonl",
            [{"question_id": 7, "index": 1, "response": "b"}, {"question_id": 7, "index": 0, "response": "a"}],
        ),
        ("search_and_learn.jsonl", [{"unique_id": "7", "completions": ["a", "b"], "scores": [[0.5], [0.25, 1]]}]),
        ("lm_eval.jsonl", [{"doc_id": 7, "resps": [["a", "b"]], "doc": {}}]),
        ("vlmevalkit.tsv", ["index\tprediction", "7\ta", "7\tb"]),
        ("vlmevalkit.csv", ["index,prediction", "7,a", "7,b"]),
    ],
)
def test_formats(tmp_path: Path, name: str, rows: list[Any]) -> None:
    pool = read_pool(write(tmp_path / name, *rows))
    assert [(row.candidate.index, row.candidate.response) for row in pool.rows["7"]] == [(0, "a"), (1, "b")]
    assert pool.name == name.split(".")[0]


def test_what_a_candidate_carries_is_kept(tmp_path: Path) -> None:
    line = {
        "question_id": "1",
        "question": "Q?",
        "answer": "4",
        "choices": None,
        "candidates": [
            {"response": "x", "system": "s", "steps": ["x"], "step_scores": [0.5], "correct": True, "extraction": "4"},
            {"response": "y", "correct": False, "extraction": "4", "prediction": None},
            {"response": None, "correct": False, "extraction": ""},
        ],
    }
    pool = read_pool(write(tmp_path / "p.jsonl", line))
    first, second, third = pool.rows["1"]
    assert (first.candidate.policy, first.candidate.steps, first.extraction) == ("s", ("x",), "4")
    assert first.verdict == Verdict("4", "4", True, "given")
    assert second.verdict == Verdict(None, None, False, "no answer given")
    assert third.candidate.response == ""
    assert third.verdict == Verdict(None, None, False, "no answer given")
    assert pool.question_fields["1"][0]["answer"] == "4"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["{"], r"p\.jsonl line 1: not valid JSON"),
        ([{"question_id": 1, "response": "a"}, "[1]"], r"line 2: a list, expected a JSON object"),
        ([{"response": "a"}], r"line 1: no `question_id`"),
        ([{"question_id": 1, "candidates": "a"}], r"line 1: `candidates` must be a list"),
        ([{"question_id": 1, "candidates": [{}]}], r"line 1, candidate 0: a candidate without `response`"),
        ([{"question_id": 1, "response": 5}], r"`response` is a int"),
        (
            [{"question_id": 1, "response": "a", "index": 0}, {"question_id": 1, "response": "b", "index": 0}],
            r"line 2: question '1' already has a candidate with index 0 at .*line 1",
        ),
        ([{"question_id": 1, "response": "a", "index": -1}], r"`index` is -1"),
        ([{"question_id": 1, "response": "a", "steps": "a"}], r"`steps` must be a list of strings"),
        ([{"question_id": 1, "response": "a", "correct": "yes"}], r"`correct` is 'yes'"),
        ([{"completions": ["a"]}], r"`completions` without"),
        (
            [{"id": 1, "completions": ["a"], "scores": [], "x": 0}, {"id": 2, "completions": ["a"], "scores": [1, 2]}],
            r"line 2: 1 completions but 2 scores",
        ),
        ([""], r"p\.jsonl: no candidates"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_pool(write(tmp_path / "p.jsonl", *rows))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl: can't be read"):
        read_pool(tmp_path / "none.jsonl")
    (tmp_path / "torn.jsonl.gz").write_bytes(gzip.compress(b"{}" * 999)[:-9])
    with pytest.raises(DataError, match="gzip stream is broken"):
        read_pool(tmp_path / "torn.jsonl.gz")
    (tmp_path / "not.jsonl.gz").write_bytes(b"{}")
    with pytest.raises(DataError, match=r"not\.jsonl\.gz"):
        read_pool(tmp_path / "not.jsonl.gz")
    with pytest.raises(DataError, match="column prediction missing"):
        read_pool(write(tmp_path / "t.tsv", "index\tanswer", "1\ta"))


def test_scores_from_a_file(tmp_path: Path) -> None:
    flat = write(
        tmp_path / "flat.jsonl",
        {"question_id": "1", "index": 1, "score": 2},
        {"question_id": 1, "index": 0, "step_scores": [0.5, 1]},
    )
    grouped = write(
        tmp_path / "grouped.jsonl", {"question_id": "1", "candidates": [{"step_scores": [0.5, 1]}, {"score": 2}]}
    )
    expected = {("1", 0): Score(None, (0.5, 1.0)), ("1", 1): Score(2.0, None)}
    assert read_scores(flat).scores == read_scores(grouped).scores == expected
    assert read_scores(flat).name == "flat"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"index": 0, "score": 1}], "line 1: no `question_id`"),
        ([{"question_id": 1}], "line 1: neither `step_scores` nor `score`"),
        (
            [{"question_id": 1, "index": 0, "score": 1}, {"question_id": 1, "index": 0, "score": 2}],
            "line 2: question '1' candidate 0 already has a score at .*line 1",
        ),
        ([{"question_id": 1, "candidates": [{"score": 1}]}] * 2, "line 2: question '1' stands at .*line 1"),
        (
            [{"question_id": 1, "score": 1}, {"question_id": 1, "candidates": [{"score": 2}]}],
            "line 2: question '1' stands at .*line 1",
        ),
        ([{"question_id": 1, "score": float("nan")}], "nan is not a score"),
        ([{"question_id": 1, "score": "high"}], "'high' is not a score"),
        ([{"question_id": 1, "step_scores": 1}], "`step_scores` must be a list"),
    ],
)
def test_a_malformed_score_is_named(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_scores(write(tmp_path / "s.jsonl", *rows))

"""Rows of step benchmarks as labelled solutions, and tiles counted without cutting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vpbench import DataError
from vpbench.labels.read import read_labelled
from vpbench.models.tiles import cut_tiles, tile_count

ROW = {
    "image": ["a.png"],
    "question": "How many?",
    "response": {"steps": ["x\n\ny", "z"], "process_correctness": [1, 0]},
}


def written(folder: Path, row: dict[str, Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return path


def test_a_row_of_a_step_benchmark_is_a_labelled_solution(tmp_path: Path) -> None:
    (solution,) = read_labelled(written(tmp_path, ROW))
    assert solution.candidate.steps == ("x\n\ny", "z") and solution.labels == (1, 0)
    assert solution.question.text == "How many?" and solution.question.images[0].path == tmp_path / "a.png"


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ({"steps": ["x"]}, "process_correctness"),
        ({"steps": ["x"], "process_correctness": [1, 1]}, "1 steps but 2 labels"),
        ({"steps": ["x"], "process_correctness": [2]}, "1 .correct., 0 .neutral. and -1"),
        ({"steps": "x", "process_correctness": [1]}, "must be a list"),
    ],
)
def test_a_row_that_is_not_one_is_named(tmp_path: Path, response: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=rf"rows.jsonl line 1.*{words}"):
        list(read_labelled(written(tmp_path, {**ROW, "response": response})))


@pytest.mark.parametrize("size", [(10, 10), (100, 30), (30, 100), (64, 48), (500, 20)])
@pytest.mark.parametrize("max_tiles", [1, 2, 6, 12])
def test_tiles_are_counted_as_they_are_cut(size: tuple[int, int], max_tiles: int) -> None:
    assert tile_count(*size, max_tiles, 14) == len(cut_tiles(Image.new("RGB", size), max_tiles, 14))


def test_a_key_that_stands_twice_in_a_row_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, ROW)
    path.write_text(path.read_text().replace('"question"', '"question": "another", "question"'))
    with pytest.raises(DataError, match="line 1: the key 'question' stands twice in one object"):
        list(read_labelled(path))

"""Weighted votes on the command line: negative scores need a link, and a result names the one it was made with."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from vpbench.cli import main

SCHEMA = json.loads((Path(__file__).parent.parent / "vpbench" / "report" / "result.schema.json").read_text())


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A run on two questions of three candidates whose scores are logits, two of them negative."""
    pool, scores = tmp_path / "pool.jsonl", tmp_path / "scores.jsonl"
    question = {"question": "How many?", "answer": "4", "answer_type": "integer"}
    responses = ["Answer: 4", "Answer: 5", "Answer: 5"]
    lines = [
        {"question_id": id, **question, "candidates": [{"response": response} for response in responses]}
        for id in ("1", "2")
    ]
    rows = [
        {"question_id": id, "index": index, "score": score}
        for id in ("1", "2")
        for index, score in enumerate([2.0, 1.0, -3.0])
    ]
    for path, content in ((pool, lines), (scores, rows)):
        path.write_text("".join(json.dumps(line) + "\n" for line in content))
    return [
        *("run", "--task", "mathvista", "--pool", str(pool), "--scores", str(scores), "--resamples", "100"),
        *("--output", str(tmp_path / "runs")),
    ]


def vpbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def test_negative_scores_are_refused_until_a_link_is_chosen(arguments: list[str], tmp_path: Path) -> None:
    refused = vpbench(*arguments, "--selection", "weighted-vote")
    assert refused.exit_code == 2
    assert "a weighted vote can't add negative scores: 2 of 6 are below 0. Choose --link sigmoid" in refused.output
    done = vpbench(*arguments, "--selection", "weighted-vote", "--link", "sigmoid", "--estimator", "prefix")
    assert done.exit_code == 0, done.output
    (path,) = (tmp_path / "runs" / "results").glob("*/result.json")
    result = json.loads(path.read_text())
    jsonschema.validate(result, SCHEMA)
    # .88 for the right answer, .73 + .05 for the wrong one; the sums of the logits would be 2 and -2.
    assert (result["link"], result["curves"]["critic"][-1]["value"]) == ("sigmoid", 1.0)


def test_a_link_without_a_weighted_vote_is_refused_before_the_work(arguments: list[str], tmp_path: Path) -> None:
    refused = vpbench(*arguments, "--link", "sigmoid")
    assert refused.exit_code == 2 and "give --selection weighted-vote with it" in refused.output
    assert not (tmp_path / "runs").exists()

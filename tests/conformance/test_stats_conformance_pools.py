"""Controls on pools of real systems: random pick, pass@k and majority vote under both tie rules.

A key of systems_expected.json reads file[-part]/candidates/verdict_vote_on_field; everything follows from it.
"""

from __future__ import annotations

import gzip
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vpbench.stats import QuestionPool, curves

TOLERANCE = 1e-9


@lru_cache(maxsize=1)
def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def pools(folder: Path, key: str) -> list[QuestionPool]:
    head, members, rule = key.split("/")
    name, _, part = head.partition("-")
    verdict, field = rule.split("_verdict_vote_on_")
    verdict = "rerun_correct" if verdict == "rerun" else "correct"
    field = field.removeprefix("raw_")
    found = []
    for row in rows(folder / f"{name}_systems.jsonl.gz"):
        if part == "testmini" and not row["in_testmini"]:
            continue
        kept = [one for one in row["candidates"] if members == "all" or not one["guesser"]]
        correct = np.array([one[verdict] for one in kept], dtype=bool)
        found.append(QuestionPool(row["question_id"], correct, tuple(one[field] or None for one in kept)))
    return found


def test_every_figure(shared: Path) -> None:
    folder = shared / "pools"
    if not (folder / "systems_expected.json").is_file():
        pytest.skip(f"no systems_expected.json in {folder}")
    expected = json.loads((folder / "systems_expected.json").read_text())
    assert expected
    for key, figures in expected.items():
        one = pools(folder, key)
        size = figures["candidates"]
        assert len(one) == figures["questions"] and {pool.size for pool in one} == {size}, key
        ns = [int(k) for k in figures["pass_at_k"]]
        exact = curves(one, "vote", "expected", [*ns, size])
        papers = curves(one, "vote", "prefix", [size])
        vote = figures["majority_vote"]
        pass_at_k = dict(zip(ns, exact.oracle.mean(axis=0), strict=False))
        assert pass_at_k == pytest.approx({int(k): v for k, v in figures["pass_at_k"].items()}, abs=TOLERANCE), key
        assert exact.random[:, 0].mean() == pytest.approx(figures["mean_accuracy"], abs=TOLERANCE), key
        assert exact.vote[:, -1].mean() == pytest.approx(vote["accuracy_random_tie_expected"], abs=TOLERANCE), key
        assert papers.vote[:, 0].mean() == pytest.approx(vote["accuracy_first_candidate_tie"], abs=TOLERANCE), key
        assert papers.oracle.sum() == figures["questions_with_a_correct_candidate"], key

"""Controls on pools of real systems: random pick, pass@k and majority vote under both tie rules.

A key of systems_expected.json reads file[-part]/candidates/verdict_vote_on_field; everything follows from it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from shared_data import Row, read_rows, shared_files, shared_table

from vpbench.stats import QuestionPool, curves

TOLERANCE = 1e-9


@lru_cache(maxsize=1)
def rows(path: Path) -> list[Row]:
    return read_rows(path)


def pools(key: str) -> list[QuestionPool]:
    head, members, rule = key.split("/")
    name, _, part = head.partition("-")
    verdict, field = rule.split("_verdict_vote_on_")
    verdict = "rerun_correct" if verdict == "rerun" else "correct"
    field = field.removeprefix("raw_")
    found = []
    (path,) = shared_files(f"pools/{name}_systems.jsonl.gz")
    for row in rows(path):
        if part == "testmini" and not row["in_testmini"]:
            continue
        kept = [one for one in row["candidates"] if members == "all" or not one["guesser"]]
        correct = np.array([one[verdict] for one in kept], dtype=bool)
        found.append(QuestionPool(row["question_id"], correct, tuple(one[field] or None for one in kept)))
    return found


def test_every_figure() -> None:
    expected = shared_table("pools/systems_expected.json")
    assert expected
    for key, figures in expected.items():
        one = pools(key)
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

"""Best-of-N selection of released step scores: accuracies at every N, pass@N, and the authors' own picks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_data import compared, read_rows, shared_files, shared_table

from vpbench.stats import AGGREGATIONS, QuestionPool, aggregate, curves, prefix_picks

TOLERANCE = 1e-12


@lru_cache(maxsize=2)
def problems(path: Path) -> list[dict[str, Any]]:
    return read_rows(path)


@pytest.fixture(scope="module")
def models() -> list[tuple[Path, dict[str, Any]]]:
    """Every reward model that has both a file and an entry in expected.json."""
    expected = shared_table("conformance/bon_stepscores/expected.json")
    paths = shared_files("conformance/bon_stepscores/*.jsonl.gz")
    files = {path.name.removesuffix(".jsonl.gz"): path for path in paths}
    assert set(files) == set(expected), "files and expected.json name different reward models"
    for name in files:
        compared("systems", name)
    return [(files[name], expected[name]) for name in files]


def scores_of(problem: dict[str, Any], how: str) -> list[float]:
    return [aggregate(candidate["step_scores"], how) for candidate in problem["candidates"]]


def pools(path: Path, how: str) -> list[QuestionPool]:
    found = []
    for problem in problems(path):
        correct = np.array([candidate["correct"] for candidate in problem["candidates"]], dtype=bool)
        found.append(
            QuestionPool(problem["problem_id"], correct, (None,) * len(correct), np.array(scores_of(problem, how)))
        )
    return found


def test_best_of_n_accuracy_and_pass_at_n(models: list[tuple[Path, dict[str, Any]]]) -> None:
    checked = 0
    for path, expected in models:
        passes = expected["pass_at_n"]
        for name, by_n in expected["recomputed_best_of_n_accuracy"].items():
            found = curves(pools(path, name.replace("_", "-")), "best", "prefix", [int(n) for n in by_n])
            assert found.critic is not None
            for column, (n, accuracy) in enumerate(by_n.items()):
                where = f"{path.name} {name} n={n}"
                assert found.critic[:, column].mean() == pytest.approx(accuracy, abs=TOLERANCE), where
                assert found.oracle[:, column].mean() == pytest.approx(passes[n], abs=TOLERANCE), where
                checked += 1
        whole = curves(pools(path, "mean"), "best", "expected", [1])
        assert whole.random.mean() == pytest.approx(expected["mean_candidate_accuracy"], abs=TOLERANCE)
    assert checked


def test_published_accuracies_over_all_candidates(models: list[tuple[Path, dict[str, Any]]]) -> None:
    checked = 0
    for path, expected in models:
        published = {key.replace("_", "-"): value for key, value in expected["authors_best_of_32"].items()}
        for how in AGGREGATIONS:
            if how in published:
                one = pools(path, how)
                found = curves(one, "best", "prefix", [min(pool.size for pool in one)])
                assert found.critic is not None
                assert found.critic.mean() == pytest.approx(published[how], abs=TOLERANCE), f"{path.name} {how}"
                checked += 1
    assert checked


def test_as_many_picks_as_documented_equal_the_authors(models: list[tuple[Path, dict[str, Any]]]) -> None:
    for path, expected in models:
        for key, count in expected["selected_index_agreement_with_authors"].items():
            name = key.removesuffix("_same")
            same = 0
            for problem in problems(path):
                picked = (problem.get("authors_selected_index") or {}).get(name)
                same += picked is not None and prefix_picks(scores_of(problem, name.replace("_", "-")))[-1] == picked
            assert same == count, f"{path.name} {name}"

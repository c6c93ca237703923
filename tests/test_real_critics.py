"""The published step scores that ship: they are the published ones, and the study over them gives the known figures."""

from __future__ import annotations

import gzip
import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from shared_data import read_rows, shared_files, shared_table
from small_runs import results, vpbench

from vpbench.plugins import builtin_folder
from vpbench.pools.pool import read_pool
from vpbench.pools.scores import read_scores
from vpbench.run.study_file import read_study

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT / "results" / "real"
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "real_critics.py"))
POOL = REAL / f"{SCRIPT['POOL']}.jsonl.gz"
SOURCES: dict[str, str] = SCRIPT["SOURCES"]


def published(source: str) -> list[dict[str, Any]]:
    (path,) = shared_files(f"conformance/bon_stepscores/{source}.jsonl.gz")
    return list(read_rows(path))


@pytest.mark.parametrize(("source", "name"), SOURCES.items())
def test_every_value_is_the_published_one(source: str, name: str) -> None:
    pool, scores = read_pool(POOL), read_scores(REAL / f"{name}.jsonl.gz").scores
    problems = published(source)
    assert list(pool.rows) == [problem["problem_id"] for problem in problems] and len(problems) == 500
    for problem in problems:
        id, candidates = problem["problem_id"], problem["candidates"]
        verdicts = [row.verdict for row in pool.rows[id]]
        assert [verdict and verdict.correct for verdict in verdicts] == [row["correct"] for row in candidates]
        assert [scores[id, k].steps for k in range(32)] == [tuple(row["step_scores"]) for row in candidates]
    assert len(scores) == 16_000


def test_the_script_writes_what_ships(tmp_path: Path) -> None:
    (expected,) = shared_files("conformance/bon_stepscores/expected.json")
    SCRIPT["write"](expected.parent, tmp_path)
    written = {path.name: gzip.decompress(path.read_bytes()) for path in tmp_path.iterdir()}
    assert written == {path.name: gzip.decompress(path.read_bytes()) for path in REAL.glob("*.gz")}


def test_no_texts_ship() -> None:
    for path in REAL.glob("*.gz"):
        for row in map(json.loads, gzip.decompress(path.read_bytes()).splitlines()):
            texts = {value for value in row.values() if isinstance(value, str)}
            assert texts <= {"gsm8k", row["question_id"], SCRIPT["NOT_PUBLISHED"]}
            assert {name for candidate in row["candidates"] for name in candidate} in ({"correct"}, {"step_scores"})


def test_a_study_that_ships_names_files_that_ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = read_study("real-critics")
    shipped = builtin_folder("results").resolve() / "real"  # of the package, where it is installed
    assert study["pool"].resolve() == shipped / POOL.name
    assert {row.scores.resolve() for row in study["critic"]} == {
        shipped / f"{name}.jsonl.gz" for name in SOURCES.values()
    }


def test_the_study_gives_the_known_figures(tmp_path: Path) -> None:
    """By the papers' estimator, with every critic's aggregation, those that were computed elsewhere."""
    expected = shared_table("conformance/bon_stepscores/expected.json")
    options = ("--estimator", "prefix", "--resamples", 100, "--output", tmp_path)
    done = vpbench("run", "--study", "real-critics", *options)
    assert done.exit_code == 0, done.output
    stem_of = {row.label: row.scores.name.removesuffix(".jsonl.gz") for row in read_study("real-critics")["critic"]}
    source_of = {name: source for source, name in SOURCES.items()}
    assert {result["label"] for result in results(tmp_path)} == set(stem_of)
    for result in results(tmp_path):
        figures = expected[source_of[stem_of[result["label"]]]]
        by_n = figures["recomputed_best_of_n_accuracy"][result["aggregate"]]
        for curve, wanted in (("critic", by_n), ("oracle", figures["pass_at_n"])):
            values = {str(point["n"]): point["value"] for point in result["curves"][curve]}
            assert values == pytest.approx(wanted, abs=1e-12)
        assert result["curves"]["vote"] == result["gains"]["over_vote"] == []


def test_the_study_holds_against_its_baseline(tmp_path: Path) -> None:
    done = vpbench("run", "--study", "real-critics", "--output", tmp_path)
    assert done.exit_code == 0, done.output
    (study,) = (tmp_path / "studies").iterdir()
    done = vpbench("check", ROOT / "results" / "real-critics", study)
    assert done.exit_code == 0 and done.output.splitlines()[-1] == "held", done.output
    lines = [line for line in done.output.splitlines() if "gsm8k, N =" in line]
    assert len(lines) == 8 and all("+0.00 .. +0.00" in line for line in lines), done.output

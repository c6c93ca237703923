"""Whole runs on outside pools reproduce the figures that were computed for them elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from shared_data import read_rows, shared_files, shared_table

import vpbench
from vpbench.plugins import find_task
from vpbench.pools.scores import read_scores
from vpbench.report.best_of_n import best_of_n_result
from vpbench.run.analysis import Analysis
from vpbench.run.pipeline import prepare, use_scores
from vpbench.run.request import Request
from vpbench.stats import AGGREGATIONS


@contextmanager
def silent(what: str, total: int) -> Iterator[Any]:
    yield SimpleNamespace(update=lambda n: None)


def test_trusted_verdicts_give_the_expected_controls(tmp_path: Path) -> None:
    expected = shared_table("pools/systems_expected.json")
    for path in shared_files("pools/*_systems.jsonl.gz"):
        task = path.name.split("_")[0]
        (data,) = shared_files(f"data/{task}")
        votes = {
            key.rsplit("_", 1)[1]: value
            for key, value in expected.items()
            if key.split("/")[0] in (task, f"{task}-test") and "/all/published_verdict_vote_on_" in key
        }
        figures = votes.get("prediction") or votes["extraction"]
        size = figures["candidates"]
        (done,) = vpbench.run(
            task,
            "self-consistency",
            data=data,
            pool=path,
            trust_verdicts=True,
            max_error_rate=0.0,
            output=tmp_path,
            n=range(1, size + 1),
            resamples=500,
        )
        result = json.loads((done.folder / "result.json").read_text())
        assert result["questions"] == figures["questions"]
        curves = {name: {point["n"]: point["value"] for point in curve} for name, curve in result["curves"].items()}
        assert curves["random"][1] == pytest.approx(figures["mean_accuracy"], abs=1e-9)
        for k, value in figures["pass_at_k"].items():
            assert curves["oracle"][int(k)] == pytest.approx(value, abs=1e-9)
        vote = figures["majority_vote"]["accuracy_random_tie_expected"]
        assert curves["critic"][size] == curves["vote"][size] == pytest.approx(vote, abs=1e-9)


def test_best_of_n_of_published_step_scores(tmp_path: Path) -> None:
    expected = shared_table("conformance/bon_stepscores/expected.json")
    names = {how.replace("-", "_"): how for how in AGGREGATIONS}
    for path in shared_files("conformance/bon_stepscores/*.jsonl.gz"):
        figures = expected[path.name.removesuffix(".jsonl.gz")]
        pool = _pool(path, tmp_path / path.name.removesuffix(".gz"))
        request = Request(pool=pool, trust_verdicts=True, output=tmp_path)
        prepared = prepare(find_task("mathvista"), request, silent)
        scored = use_scores(prepared, read_scores(pool), "prm")
        for how, by_n in figures["recomputed_best_of_n_accuracy"].items():
            ns = tuple(sorted(map(int, by_n)))
            analysis = Analysis(estimator="prefix", aggregate=names[how], ns=ns, resamples=100)
            result, _ = best_of_n_result(prepared, scored, analysis)
            for point, oracle in zip(result.curves["critic"], result.curves["oracle"], strict=True):
                assert point.value == pytest.approx(by_n[str(point.n)], abs=1e-12), (path.name, how, point.n)
                assert oracle.value == pytest.approx(figures["pass_at_n"][str(point.n)], abs=1e-12)
            if how in figures["authors_best_of_32"]:
                assert result.curves["critic"][-1].value == pytest.approx(figures["authors_best_of_32"][how])


def test_one_study_of_all_published_step_scores(tmp_path: Path) -> None:
    """Every reward model under two aggregations is a row of one study on one pool."""
    expected = shared_table("conformance/bon_stepscores/expected.json")
    critics: dict[str, dict[str, str]] = {}
    figures: dict[str, dict[str, float]] = {}
    for path in shared_files("conformance/bon_stepscores/*.jsonl.gz"):
        prm = path.name.removesuffix(".jsonl.gz")
        _pool(path, tmp_path / f"{prm}.jsonl")
        for how in ("mean", "product"):
            by_n = expected[prm]["recomputed_best_of_n_accuracy"][how]
            critics[f"{prm} {how}"] = {"scores": f"{prm}.jsonl", "aggregate": how}
            figures[f"{prm} {how}"] = by_n
    study = {
        "name": "published step scores",
        "tasks": "gsm8k",
        "candidates": f"{prm}.jsonl",
        "critics": critics,
        "n": sorted(map(int, by_n)),
        "estimator": "prefix",
        "trust_verdicts": True,
        "resamples": 100,
        "output": "runs",
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    vpbench.run(study=tmp_path / "study.yaml")
    table = vpbench.load_results(tmp_path / "runs").overview(n=8)
    rows = table[table["task"] == "gsm8k"].set_index("critic")["value"]
    assert rows.to_dict() == pytest.approx({name: by_n["8"] for name, by_n in figures.items()}, abs=1e-12)
    results = {stored.result.row: stored.result for stored in vpbench.load_results(tmp_path / "runs").results}
    for name, by_n in figures.items():
        curve = {str(point.n): point.value for point in results[name].curves["critic"]}
        assert curve == pytest.approx(by_n, abs=1e-12), name


def _pool(source: Path, target: Path) -> Path:
    """The same candidates as a vpbench pool that carries its questions."""
    with target.open("w") as out:
        for row in read_rows(source):
            candidates = [{**each, "response": "not given", "extraction": None} for each in row["candidates"]]
            fields = {"question_id": row["problem_id"], "question": "not given", "answer": "not given"}
            out.write(json.dumps({**fields, "candidates": candidates}) + "\n")
    return target

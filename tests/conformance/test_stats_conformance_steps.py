"""Step detection against metric vectors and against published systems, under every averaging and convention."""

from __future__ import annotations

from typing import Any

import pytest
from shared_data import compared, read_rows, shared_files, shared_table

from vpbench.stats import StepF1, step_f1, step_ranking
from vpbench.stats.steps import Unmade

TOLERANCE = 1e-12


def assert_figures(found: StepF1, expected: dict[str, Any], where: str) -> None:
    assert found.steps == expected["n_steps"], where
    values = {"f1_correct": found.f1_correct, "f1_incorrect": found.f1_incorrect, "macro_f1": found.macro_f1}
    for name, value in values.items():
        assert value == pytest.approx(expected[name], abs=TOLERANCE), f"{where} {name}"


def test_metric_vectors() -> None:
    sets = shared_table("conformance/visualprocessbench_metric.json")["sets"]
    assert sets
    for set_name, one in sets.items():
        labels, scores, sources = ([row[key] for row in one["rows"]] for key in ("labels", "scores", "data_source"))
        for threshold, expected in one["expected"].items():
            where = f"{set_name} threshold {threshold}"
            found = step_f1(labels, scores, float(threshold), sources)
            assert set(found.by_source) == set(expected["per_source"]), where
            for source, figures in expected["per_source"].items():
                assert_figures(found.by_source[source], figures, f"{where} {source}")
            assert_figures(found.pooled, expected["pooled"], f"{where} pooled")
            weighted, plain = expected["step_weighted_mean_of_sources"], expected["unweighted_mean_of_sources"]
            assert found.step_weighted_mean.macro_f1 == pytest.approx(weighted, abs=TOLERANCE), where
            assert found.mean_of_sources.macro_f1 == pytest.approx(plain, abs=TOLERANCE), where
            assert found.neutral == expected["neutral_steps_dropped"], where


def predicted_scores(predictions: list[int | None]) -> list[float | None]:
    """A system that gives verdicts instead of scores: 1 for correct, 0 for incorrect, none where it gave none."""
    return [None if value is None else float(value == 1) for value in predictions]


def assert_level(expected: dict[str, Any], level: str, labels: list[Any], scores: list[Any], judged: bool) -> None:
    threshold = 0.5 if judged else expected["threshold"]
    conventions: list[tuple[Unmade, str]] = [("missed", ""), ("opposite", "_unmade_counted_as_opposite")]
    for unmade, suffix in conventions:
        found = step_f1(labels, scores, threshold, unmade=unmade)
        assert found.pooled.macro_f1 == pytest.approx(expected[f"{level}_macro_f1{suffix}"], abs=TOLERANCE), level
    missed = step_f1(labels, scores, threshold)
    if level == "step":
        assert missed.pooled.f1_correct == pytest.approx(expected["step_f1_correct"], abs=TOLERANCE)
        assert missed.pooled.f1_incorrect == pytest.approx(expected["step_f1_incorrect"], abs=TOLERANCE)
        assert missed.unmade == expected["unmade_predictions"]
        assert missed.pooled.steps == expected["n_labelled_steps"]
    if not judged:
        assert step_ranking(labels, scores).auroc == pytest.approx(expected[f"{level}_auc"], abs=TOLERANCE)


def test_published_systems() -> None:
    files = shared_files("conformance/prm_steps_*.jsonl.gz")
    paths = {path.name[len("prm_steps_") : -len(".jsonl.gz")]: path for path in files}
    expected = shared_table("conformance/prm_steps_expected.json")
    assert set(paths) == set(expected), "files and prm_steps_expected.json name different systems"
    for system, figures in expected.items():
        rows = read_rows(paths[system])
        compared("systems", system)
        assert len(rows) == figures["n_solutions"]
        judged = not any("scores" in row for row in rows)
        steps = [predicted_scores(row["predictions"]) if judged else row["scores"] for row in rows]
        whole = [predicted_scores([row["solution_prediction"]]) if judged else [row["solution_score"]] for row in rows]
        assert_level(figures, "step", [row["labels"] for row in rows], steps, judged)
        assert_level(figures, "solution", [[row["solution_label"]] for row in rows], whole, judged)

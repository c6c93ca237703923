"""Named measures in a result: every N and control, intervals by brute force, categories, and where they are shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from site_pages import panels
from small_runs import write_edited

from vpbench import Measure, Question
from vpbench.cli import main
from vpbench.report import measures as report_measures
from vpbench.report.result import READABLE_VERSIONS
from vpbench.site.leaderboard import build_leaderboard
from vpbench.stats import bootstrap_intervals, resampled_weighted_means

SCHEMA = json.loads((Path(__file__).parent.parent / "vpbench" / "report" / "result.schema.json").read_text())
TASK = '''
"""Two colours, pairs of questions that count together."""
from vpbench import Measure, Question, Source, Task, Verdict


class Pairs(Task):
    name = "pairs"
    title = "Pairs"
    metric = "both_right"
    breakdowns = ("colour", "tags", "unheard_of", "same")
    shown = ("share_of_pairs", "colour", "same", "unheard_of_either")
    source = Source(hub_id="me/pairs", split="test", rows=6, licence="MIT", columns=("id", "colour", "tags"))

    def question(self, row, images):
        labels = {"colour": row["colour"], "tags": row["tags"], "same": 1}
        return Question(self.name, str(row["id"]), "?", answer="1", group=str(row["id"] // 2), categories=labels)

    def grade(self, question, response, mode):
        return Verdict(response, response, response == "1", "read")

    def group_value(self, questions, correctness):
        return correctness.prod(axis=0)

    def measures(self, questions, correctness):
        both = Measure.of_groups(self.metric, questions, correctness, self.group_value)
        share = Measure("share_of_pairs", both.values, both.weights, by=Measure.accuracy(correctness))
        return [both, share]
'''
ROWS = [
    {"id": id, "colour": "red" if id < 2 else "blue", "tags": tags}
    for id, tags in enumerate([["a|b"], ["c"], ["a|b", "c"], [], ["c"], ["c"]])
]
CORRECT = ["110", "100", "111", "011", "000", "001"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of scoring the last candidate highest."""
    path = tmp_path_factory.mktemp("pairs")
    (path / "pairs.py").write_text(TASK)
    (path / "test.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    pool = [
        {"question_id": str(id), "candidates": [{"response": sign, "score": place} for place, sign in enumerate(signs)]}
        for id, signs in enumerate(CORRECT)
    ]
    (path / "pool.jsonl").write_text("\n".join(map(json.dumps, pool)))
    arguments = [
        "run",
        "--task",
        path / "pairs.py",
        "--data",
        path,
        "--pool",
        path / "pool.jsonl",
        "--scores",
        path / "pool.jsonl",
        "--output",
        path / "runs",
        "--n",
        "1,3",
        "--resamples",
        "2000",
    ]
    done = CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return next((path / "runs" / "results").iterdir())


@pytest.fixture(scope="module")
def measures(folder: Path) -> dict[tuple[str, str | None, str | None], dict[str, Any]]:
    result = json.loads((folder / "result.json").read_text())
    jsonschema.validate(result, SCHEMA)
    assert result["schema_version"] == max(READABLE_VERSIONS) == SCHEMA["properties"]["schema_version"]["const"]
    return {(each["measure"], each["category"], each["label"]): each for each in result["measures"]}


def test_every_n_and_every_control_by_hand(measures: dict[Any, dict[str, Any]]) -> None:
    means = np.array([2, 1, 3, 2, 0, 1]) / 3
    one, three = measures["accuracy", None, None]["points"]
    assert (one["n"], three["n"]) == (1, 3)
    assert [one[name] for name in ("critic", "vote", "random", "oracle")] == pytest.approx([means.mean()] * 4)
    assert three["critic"] == pytest.approx(3 / 6) and three["first"] == pytest.approx(3 / 6)
    assert three["oracle"] == pytest.approx(5 / 6) and three["vote"] == pytest.approx(3 / 6)
    one, three = measures["both_right", None, None]["points"]
    assert one["random"] == pytest.approx((2 / 9 + 2 / 3 + 0) / 3)
    assert (three["critic"], three["first"], three["oracle"]) == pytest.approx((1 / 3, 1 / 3, 2 / 3))
    share = measures["share_of_pairs", None, None]["points"]
    assert share[0]["random"] == pytest.approx((2 / 9 + 2 / 3) / 3 / means.mean())
    assert share[1]["critic"] == pytest.approx((1 / 3) / (3 / 6))


def test_a_breakdown_and_a_shown_name_that_are_nothing_are_noted(folder: Path) -> None:
    (path,) = folder.rglob("result.json")
    notes = json.loads(path.read_text())["notes"]
    assert [note for note in notes if "names" in note] == [
        "breakdowns names 'unheard_of', a category that no question has",
        "shown names 'unheard_of_either', which is neither a measure nor a category",
    ]


def test_categories_counts_and_what_is_shown(measures: dict[Any, dict[str, Any]]) -> None:
    counts = {
        label: (each["count"], each["points"][1]["critic"])
        for (_, kind, label), each in measures.items()
        if kind is not None
    }
    assert counts == {"red": (2, 0.0), "blue": (4, 0.75), "a|b": (2, 0.5), "c": (4, 0.5)}
    assert measures["both_right", None, None]["count"] == 3
    shown = {key for key, each in measures.items() if each["shown"]}
    assert shown == {("share_of_pairs", None, None), ("accuracy", "colour", "red"), ("accuracy", "colour", "blue")}


def test_a_single_group_has_no_interval(measures: dict[Any, dict[str, Any]]) -> None:
    assert {each["low"] for each in measures["accuracy", "colour", "red"]["points"]} == {None}
    for key in (("accuracy", "colour", "blue"), ("both_right", None, None)):
        for point in measures[key]["points"]:
            assert 0 <= point["low"] <= point["critic"] <= point["high"] <= 1


def test_intervals_are_those_of_resampled_groups(measures: dict[Any, dict[str, Any]]) -> None:
    """All 3,125 resamples of three groups and two pseudo-units, against the drawn ones."""
    values = {"accuracy": np.array([0, 2, 1, 2, 0]) / 2, "both_right": np.array([0, 1, 0, 1, 0])}
    # The ratio's pseudo-units are those of ratio 1 and 0, over the mean of the accuracies that aren't 0.
    parts = {"above": np.array([0, 1, 0, 1, 0]), "below": np.array([0, 2, 1, 2, 2]) / 2}
    drawn, of_ratio = (
        {name: [value[list(picks)].mean() for picks in np.ndindex(5, 5, 5, 5, 5)] for name, value in table.items()}
        for table in (values, parts)
    )
    drawn["share_of_pairs"] = [a / b if b else 0.0 for a, b in zip(*of_ratio.values(), strict=True)]
    for name, figures in drawn.items():
        last = measures[name, None, None]["points"][1]
        exact = np.quantile(figures, [0.025, 0.975], method="inverted_cdf")
        assert (last["low"], last["high"]) == pytest.approx(tuple(exact)), name


def test_unweighted_means_are_those_of_the_plain_bootstrap() -> None:
    random = np.random.default_rng(3)
    matrix, clusters = random.random((12, 2)), [str(k // 3) for k in range(12)]
    weights = np.stack([np.ones(12), np.arange(12) < 3], axis=1).astype(float)
    means = resampled_weighted_means(np.stack([matrix, matrix], axis=1), weights, clusters, 500, seed=4)
    low, high = bootstrap_intervals(matrix, clusters, 500, seed=4)
    assert np.quantile(means[:, 0], [0.025, 0.975], axis=0) == pytest.approx(np.array([low, high]))
    first = means[:, 1]
    held = ~np.isnan(first[:, 0])
    assert 0 < 1 - held.mean() < 0.05, (
        "(3/6)^6 of the resamples leave out the only cluster with weight and its pseudo-units"
    )
    assert first[held].min() == 0 and first[held].max() == 1
    single = np.isclose(first[held], matrix[:3].mean(axis=0)).all(axis=1)
    assert 0.05 < single.mean() < 0.3


def test_labels_in_order_and_questions_without_any() -> None:
    questions = [Question("any", str(k), "", categories={"level": level}) for k, level in enumerate([10, 9, "x", None])]
    parts = Measure.accuracy(np.array([[1.0], [0], [1], [1]])).by_category(questions, "level")
    assert [(each.label, each.count, each.figure()[0]) for each in parts] == [("9", 1, 0), ("10", 1, 1), ("x", 1, 1)]


def test_a_ratio_by_category_divides_by_the_same_questions() -> None:
    questions = [Question("any", str(k), "", categories={"half": k // 2}) for k in range(4)]
    right, weights = np.array([[1.0], [0], [1], [1]]), np.ones(4)
    ratio = Measure("ratio", right * 0.5, weights, by=Measure("by", right, weights))
    assert [each.figure()[0] for each in ratio.by_category(questions, "half")] == [0.5, 0.5]


def test_the_summary_and_the_page_show_them(folder: Path, tmp_path: Path) -> None:
    text = (folder / "table.txt").read_text()
    table = text[text.index("at N = 3") :]
    assert "share of pairs" in table and "colour: red" in table
    assert "both right" not in table and "tags" not in table
    assert next(line for line in table.splitlines() if line.startswith("colour: blue")).split()[2:4] == ["4", "75.0"]
    older = tmp_path / "runs" / "results" / "older"
    older.mkdir(parents=True)
    for name in ("curve.svg", "result.json"):
        (older / name).write_bytes((folder / name).read_bytes())
    build_leaderboard(tmp_path / "runs", tmp_path / "site")
    page = tmp_path / "site" / "results" / "older.html"
    panel = panels(page.read_text())[-1]
    assert panel.n == 3 and {"both right", "tags: a|b", "colour: blue"} <= {row.name for row in panel.lines}
    assert "robust grading" in page.read_text()
    result = json.loads((older / "result.json").read_text())
    del result["measures"]
    write_edited(older, {**result, "schema_version": 1})
    build_leaderboard(tmp_path / "runs", tmp_path / "site")
    assert "By category" not in page.read_text() and panels(page.read_text()) == []


def test_the_page_on_results_names_every_key() -> None:
    page = (Path(__file__).parent.parent / "docs" / "results.md").read_text()
    keys = {*SCHEMA["properties"], *SCHEMA["$defs"]["measure"]["properties"]}
    assert not {key for key in keys if f"`{key}`" not in page}
    assert f"| `schema_version` | {SCHEMA['properties']['schema_version']['const']}." in page


def test_many_values_of_n_are_resampled_in_parts_with_the_same_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((20, 7))
    whole = Measure.accuracy(values)
    measured = [whole, Measure("ratio", values, np.ones(20), by=whole)]
    clusters = [str(number // 2) for number in range(20)]
    once = report_measures._intervals(measured, clusters, 200, 0)
    monkeypatch.setattr(report_measures, "MEANS_AT_ONCE", 2 * 3 * 200)
    parts = report_measures._intervals(measured, clusters, 200, 0)
    assert once["low"].shape == (2, 7)
    assert all(np.array_equal(once[end], parts[end]) for end in once)

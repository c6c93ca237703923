"""`vpbench reproduce`: published points, what fills them, and every reason why the two can't be compared."""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
from pathlib import Path
from typing import Any

import pytest
from small_runs import vpbench, write_edited

import vpbench as package
from vpbench.cli import main
from vpbench.report.frames import load_results
from vpbench.report.published import load_published
from vpbench.report.reproduce import Cell, reproduce
from vpbench.report.result import SCHEMA_VERSION

STORED = Path(__file__).resolve().parent.parent / "results" / "nano-mathvista" / "result.json"
NS = (8, 16, 32, 64, 128)
SEVEN = tuple({row.task: row for row in load_published().rows_of(load_published().table("table6")) if row.task})
QUESTIONS = {row.task: row.questions for row in load_published().rows if row.questions and row.paper == "VisualPRM"}
LIKE_THE_PAPER: dict[str, Any] = {
    "nano": False,
    "policy": "InternVL2_5-8B",
    "questions": 1000,
    "questions_in_task": 1000,
    "complete": True,
    "grading": "official",
    "judge": "openai:gpt-4o-mini",
    "estimator": "prefix",
    "selection": "best",
    "aggregate": "mean",
    "drawing": {"temperature": 0.7, "prompt": "chain-of-thought"},
    "model": "OpenGVLab/VisualPRM-8B",
}
UNPUBLISHED = "prompt: not published there, chain-of-thought here"
GRADED = "grading: VLMEvalKit there, official here"


def like_the_paper(task: str, **changed: Any) -> dict[str, Any]:
    """A result on all questions of a task, as much as possible like the paper's."""
    of_task = {"task": task, "questions": QUESTIONS[task], "questions_in_task": QUESTIONS[task]}
    return {**LIKE_THE_PAPER, **of_task, **changed}


def store(runs: Path, name: str = "one", **changed: Any) -> Path:
    """The stored result of the miniature world with some of its facts changed."""
    content = json.loads(STORED.read_text())
    for key in changed.keys() & {"drawing", "model"}:
        provenance = content["provenance"]
        (provenance if key == "drawing" else provenance["critic_settings"])[key] = changed.pop(key)
    content.update(changed)
    folder = runs / "results" / name
    folder.mkdir(parents=True)
    write_edited(folder, content)
    return runs


def cells(table: str, runs: Path | None = None) -> list[Cell]:
    published = load_published()
    return reproduce(published, published.table(table), load_results(runs).results if runs else ())


def cell(runs: Path, table: str = "table6", **wanted: Any) -> Cell:
    row = {"task": "mathvista", "critic": "VisualPRM-8B", "n": 8, **wanted}
    (one,) = [
        cell for cell in cells(table, runs) if all(getattr(cell.row, name) == value for name, value in row.items())
    ]
    return one


def reasons(one: Cell) -> list[str]:
    assert one.measured is not None
    return list(one.measured.reasons)


def shown(*arguments: object) -> str:
    done = vpbench("reproduce", *arguments)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_sweep_is_printed_whole_with_empty_cells(nowhere: Path) -> None:
    lines = [line.split() for line in shown("table6").splitlines()]
    printed = [line for line in lines if "published" in line and line[0] == "InternVL2.5-8B"]
    rows = load_published().rows_of(load_published().table("table6"))
    expected: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        expected.setdefault((row.critic, str(row.n)), []).append(f"{row.value:.1f}")
    assert {(line[1], line[2]): line[4:] for line in printed} == expected
    assert sorted({int(line[2]) for line in printed}) == list(NS) and len(printed) == 15
    assert [line for line in lines if line[:1] == ["measured"]] == [["measured"]] * 15
    assert all(one.measured is None for one in cells("table6"))


def test_the_miniature_world_fills_cells_and_is_marked(nowhere: Path) -> None:
    store(nowhere / "runs", model="prm")
    one = cell(nowhere / "runs")
    point = next(point for point in json.loads(STORED.read_text())["curves"]["critic"] if point["n"] == 8)
    assert one.measured is not None and one.measured.value == pytest.approx(100 * point["value"])
    assert (one.measured.low, one.measured.high) == pytest.approx((100 * point["low"], 100 * point["high"]))
    assert one.difference == pytest.approx(100 * point["value"] - 68.5)
    assert reasons(one) == [
        "miniature world: drawn questions and tiny models",
        "critic: OpenGVLab/VisualPRM-8B there, prm here",
        "policy: InternVL2.5-8B there, nano-policy here",
        "grading: VLMEvalKit there, robust here",
        "judge: openai:gpt-4o-mini there, none here",
        "prompt: not published there, not recorded here",
        "temperature: 0.7 there, not recorded here",
        "estimator: prefix there, expected here",
    ]
    text = shown("table6")
    assert f"{one.measured.value:.1f}" in text and "[1] miniature world" in text and "[1,2,3,4,5,6,7,8]" in text
    # the sweep of the critic and of the vote on the same pool; nothing stands for the ORM
    filled = {(one.row.critic, one.row.n) for one in cells("table6", nowhere / "runs") if one.measured}
    assert filled == {(critic, n) for critic in ("VisualPRM-8B", "Self-Consistency") for n in NS}


def test_a_run_like_the_papers_differs_in_what_is_unpublished(tmp_path: Path) -> None:
    assert reasons(cell(store(tmp_path, **LIKE_THE_PAPER))) == [GRADED, UNPUBLISHED]


DIFFERENT: list[tuple[dict[str, Any], str]] = [
    ({"questions": 100, "complete": False}, "subset: 100 of 1000 questions here"),
    ({"questions_in_task": 6141, "questions": 6141}, "split: 1000 questions there, 6141 questions here"),
    ({"metric": "worst_case_accuracy"}, "metric: accuracy there, worst_case_accuracy here"),
    ({"policy": "InternVL2_5-8B-MPO"}, "policy: InternVL2.5-8B there, InternVL2_5-8B-MPO here"),
    ({"model": "/home/me/ours"}, "critic: OpenGVLab/VisualPRM-8B there, ours here"),
    ({"model": "OpenGVLab/VisualPRM-8B-v1_1"}, "critic: OpenGVLab/VisualPRM-8B there, VisualPRM-8B-v1_1 here"),
    ({"grading": "robust"}, "grading: VLMEvalKit there, robust here"),
    ({"judge": None}, "judge: openai:gpt-4o-mini there, none here"),
    ({"estimator": "expected"}, "estimator: prefix there, expected here"),
    ({"selection": "weighted-vote"}, "selection: best there, weighted-vote here"),
    ({"aggregate": "min"}, "aggregation: mean there, min here"),
    ({"drawing": {"temperature": 1.0, "prompt": "chain-of-thought"}}, "temperature: 0.7 there, 1.0 here"),
]


@pytest.mark.parametrize(("changed", "reason"), DIFFERENT, ids=[reason[:40] for _, reason in DIFFERENT])
def test_every_difference_is_a_reason(changed: dict[str, Any], reason: str, tmp_path: Path) -> None:
    one = cell(store(tmp_path, **{**LIKE_THE_PAPER, **changed}))
    graded = () if "grading" in changed else (GRADED,)
    assert sorted(reasons(one)) == sorted([reason, *graded, UNPUBLISHED])


@pytest.mark.parametrize("model", ["OpenGVLab/VisualPRM-8B", "/models/VisualPRM-8B", "./visualprm-8b/"])
def test_a_model_is_known_by_its_last_name(model: str, tmp_path: Path) -> None:
    assert reasons(cell(store(tmp_path, **{**LIKE_THE_PAPER, "model": model}))) == [GRADED, UNPUBLISHED]


def test_one_benchmark_may_have_been_graded_otherwise(tmp_path: Path) -> None:
    store(tmp_path, "dynamath", **like_the_paper("dynamath", metric="worst_case_accuracy"))
    store(tmp_path, "mmmu", **like_the_paper("mmmu", judge=None))
    assert reasons(cell(tmp_path, task="dynamath")) == [UNPUBLISHED]
    assert reasons(cell(tmp_path, task="mmmu")) == [
        GRADED,
        "judge: openai:gpt-3.5-turbo-0125 there, none here",
        UNPUBLISHED,
    ]


def test_a_single_response_is_not_the_mean_of_a_pool(tmp_path: Path) -> None:
    one = cell(store(tmp_path, **LIKE_THE_PAPER), "table2", critic="none (pass@1)", policy="InternVL2.5-8B", n=1)
    reason, grading = reasons(one)
    assert reason.startswith("N = 1 row: ") and grading == GRADED


def test_a_result_of_another_policy_of_the_table_stays_there(tmp_path: Path) -> None:
    store(tmp_path, **{**LIKE_THE_PAPER, "policy": "InternVL2_5-26B"})
    filled = {one.row.policy for one in cells("table2", tmp_path) if one.measured and one.row.n == 8}
    assert filled == {"InternVL2.5-26B"}


@pytest.mark.parametrize(
    ("name", "model", "words"),
    [
        ("weak", "OpenGVLab/InternVL2_5-8B", None),
        ("InternVL2.5-8B", "/home/me/other", "InternVL2.5-8B (other)"),
        ("other", "/home/me/other", "other"),
    ],
)
def test_a_named_policy_is_known_by_its_model(name: str, model: str, words: str | None, tmp_path: Path) -> None:
    drawing = {**LIKE_THE_PAPER["drawing"], "policy": {"backend": "transformers", "model": model}}
    one = cell(store(tmp_path, **{**LIKE_THE_PAPER, "policy": name, "drawing": drawing}))
    reason = [f"policy: InternVL2.5-8B there, {words} here"] if words else []
    assert reasons(one) == [*reason, GRADED, UNPUBLISHED]


def test_the_most_alike_of_several_stands_in_the_cell(tmp_path: Path) -> None:
    store(tmp_path, "a", model="prm")
    store(tmp_path, "b", **LIKE_THE_PAPER)
    store(tmp_path, "c", **{**LIKE_THE_PAPER, "grading": "robust"})
    measured = cell(tmp_path).measured
    assert measured is not None and measured.folders == ("b",)


def test_two_checkpoints_are_shown_under_their_names(tmp_path: Path) -> None:
    curves = json.loads(STORED.read_text())["curves"]
    better = [{**point, "value": 1.0, "high": 1.0} for point in curves["critic"]]
    store(tmp_path, "a", **LIKE_THE_PAPER, label="released")
    store(tmp_path, "b", **{**LIKE_THE_PAPER, "model": "/home/me/step-2000"}, label="ours")
    store(
        tmp_path,
        "c",
        **{**LIKE_THE_PAPER, "grading": "robust", "curves": {**curves, "critic": better}},
        label="released",
    )
    one = cell(tmp_path)
    assert [(figure.critic, figure.folders) for figure in one.figures] == [("released", ("a",)), ("ours", ("b",))]
    assert "critic: OpenGVLab/VisualPRM-8B there, step-2000 here" in one.figures[1].reasons
    assert one.passed_over == ("c",)
    text = shown("table6", "--runs", tmp_path)
    assert "measured: released" in text and "measured: ours" in text and "/home/me" not in text
    assert "Measured too, but not shown" in text and "\n  c\n" in text
    records = json.loads(shown("table6", "--runs", tmp_path, "--format", "json"))
    of_cell = [r for r in records if (r["task"], r["critic"], r["n"]) == ("mathvista", "VisualPRM-8B", 8)]
    assert [(r["measured_critic"], r["results"]) for r in of_cell] == [("released", ["a"]), ("ours", ["b"])]
    # the vote is the pool's, not a critic's
    vote = cell(tmp_path, critic="Self-Consistency")
    assert [figure.critic for figure in vote.figures] == [None] and vote.passed_over == ()


@pytest.mark.parametrize(
    ("label", "filled"),
    [
        ("VisualPRM-8B", {"VisualPRM-8B"}),
        ("ours VisualPRM-8B", {"VisualPRM-8B"}),
        ("VisualPRM-8B-v1_1", set()),
        ("VisualORM-8B", {"VisualORM-8B"}),
        ("mine", set()),
    ],
)
def test_scores_from_a_file_stand_for_the_critic_they_are_called_after(
    label: str, filled: set[str], tmp_path: Path
) -> None:
    content = json.loads(STORED.read_text())
    provenance = {**content["provenance"], "critic_settings": {}, "drawing": LIKE_THE_PAPER["drawing"]}
    facts = {name: value for name, value in LIKE_THE_PAPER.items() if name not in ("drawing", "model")}
    store(tmp_path, critic=label, label=label, **facts, provenance=provenance)
    measured = [one for one in cells("table6", tmp_path) if one.measured and one.row.critic != "Self-Consistency"]
    assert {one.row.critic for one in measured} == filled
    for one in measured:
        name = "OpenGVLab/VisualPRM-8B" if one.row.critic == "VisualPRM-8B" else one.row.critic
        assert reasons(one)[0] == f"critic: {name} there, scores that are called {label} here"


def test_another_split_of_the_benchmark_stands_in(tmp_path: Path) -> None:
    """For MATH-Vision's 304 questions all 3,040 do, marked; where nobody says which, either does."""
    whole = {**LIKE_THE_PAPER, "task": "mathvision", "questions": 3040, "questions_in_task": 3040}
    store(tmp_path, "whole", **whole)
    split = "split: 304 questions there, 3040 questions here"
    assert reasons(cell(tmp_path, task="mathvision-testmini")) == [split, GRADED, UNPUBLISHED]
    commands = [line for line in shown("table6", "--runs", tmp_path).splitlines() if "--critic visualprm" in line]
    assert len(commands) == 1 and "mathvision-testmini" in commands[0]
    store(tmp_path, "testmini", **like_the_paper("mathvision-testmini"))
    measured = cell(tmp_path, task="mathvision-testmini").measured
    assert measured is not None and measured.folders == ("testmini",)
    single = cell(tmp_path, "table2", critic="none (pass@1)", policy="InternVL2.5-8B", n=1, task="mathvision")
    assert single.measured is not None and single.measured.folders == ("whole",)
    assert reasons(single)[0] == "split: unclear: test or testmini there, 3040 questions here"


def test_rows_of_an_aggregation_or_temperature_take_no_other(tmp_path: Path) -> None:
    warm = {**LIKE_THE_PAPER, "drawing": {"temperature": 1.3, "prompt": "question"}}
    filled = {one.row.critic for one in cells("table8", store(tmp_path, **warm)) if one.measured}
    assert filled == {"VisualPRM-8B; mc threshold 0.00", "VisualPRM-8B; policy temperature 1.3"}


def test_a_mean_needs_all_its_tasks_and_adds_their_errors(tmp_path: Path) -> None:
    for task in SEVEN[1:]:
        store(tmp_path, task, **like_the_paper(task))
    assert cell(tmp_path, task=None).measured is None
    store(tmp_path, SEVEN[0], **like_the_paper(SEVEN[0]))
    mean, part = cell(tmp_path, task=None).measured, cell(tmp_path).measured
    assert mean is not None and part is not None and part.low is not None and mean.low is not None
    assert mean.value == pytest.approx(part.value)
    # seven equal and independent intervals
    assert mean.value - mean.low == pytest.approx((part.value - part.low) / math.sqrt(7))
    assert len(mean.folders) == 7 and not any(reason.startswith("split") for reason in mean.reasons)
    # tables that print the mean alone are filled from the same runs
    whole = cell(tmp_path, "table4", critic="value-based PRM, all steps, mean aggregation", task=None).measured
    assert whole is not None and whole.value == pytest.approx(mean.value)


def test_step_detection_is_measured_pooled(tmp_path: Path) -> None:
    (stored,) = package.run("visualprocessbench", "visualprm", nano=True, limit=9, resamples=100, output=tmp_path)
    assert stored.result.schema_version == SCHEMA_VERSION
    filled = [one for one in cells("table3", tmp_path) if one.measured]
    (one,) = [one for one in filled if one.row.part == "pooled"]
    assert one.row.critic == "VisualPRM-8B" and one.measured is not None
    report = json.loads((stored.folder / "result.json").read_text())["step_f1"]
    figures = [100 * report["pooled"][name] for name in ("macro_f1", "low", "high")]
    assert [one.measured.value, one.measured.low, one.measured.high] == pytest.approx(figures)
    assert reasons(one)[-1] == "threshold: not published there, 0.8 here"
    by_source = {one.row.part for one in filled} - {"pooled"}
    assert by_source == report["by_source"].keys() & {one.row.part for one in cells("table3")}


def test_first_errors_are_measured_by_source_and_as_means(tmp_path: Path) -> None:
    arguments = ["--critic", "visualprm", "--nano", "--threshold", "0.5", "--limit", "9", "--resamples", "100"]
    done = vpbench("run", "--task", "visualprocessbench", *arguments, "--output", tmp_path)
    assert done.exit_code == 0, done.output
    (folder,) = (tmp_path / "results").iterdir()
    content = json.loads((folder / "result.json").read_text())
    part = {"accuracy": 0.6, "accuracy_with_error": 0.5, "accuracy_without_error": 0.7, "solutions": 1000}
    sources = {name: {**part, "harmonic_mean": 0.5} for name in ("math", "olympiadbench", "omnimath")}
    sources["gsm8k"] = {**part, "harmonic_mean": 0.9, "solutions": 400}
    content["step_f1"]["first_errors"] = {"by_source": sources, "mean_f1": 0.6, "low": 0.55, "high": 0.65}
    facts = {"task": "processbench", "metric": "mean_first_error_f1", "nano": False, "critic": "math-shepherd"}
    content["provenance"]["critic_settings"] = {"model": "peiyi9979/math-shepherd-mistral-7b-prm"}
    write_edited(folder, {**content, **facts, "questions": 3400, "questions_in_task": 3400, "complete": True})
    filled = {one.row.part: one.measured for one in cells("qwen-math-prm-processbench", tmp_path) if one.measured}
    expected = {"gsm8k": 90, "math": 50, "olympiadbench": 50, "omnimath": 50, "mean_of_sources": 60}
    assert {part: figure.value for part, figure in filled.items()} == pytest.approx(expected)
    mean = filled["mean_of_sources"]
    assert (mean.low, mean.high) == pytest.approx((55, 65)) and filled["gsm8k"].low is None
    assert mean.reasons == ("threshold: not published there, 0.5 here",)
    content["provenance"]["critic_settings"] = {}
    facts["critic"] = "Qwen2.5-Math-7B-Instruct-PRM-0.2"
    write_edited(folder, {**content, **facts, "questions": 3400, "questions_in_task": 3400, "complete": True})
    weighted = [
        one.measured for one in cells("search-and-learn-readme", tmp_path) if one.row.part == "solution_weighted_mean"
    ]
    assert [figure and figure.value for figure in weighted] == [None, pytest.approx((0.9 * 400 + 0.5 * 3000) / 34)]


@pytest.mark.parametrize("table", load_published().tables)
def test_every_table_is_printed_whole(table: str, nowhere: Path) -> None:
    records = json.loads(shown(table, "--format", "json"))
    rows = load_published().rows_of(load_published().table(table))
    assert [record["published"] for record in records] == [row.value for row in rows]
    text = [line for line in shown(table).splitlines() if " published " in f"{line} "]
    figures = sum(len(line.rpartition(" published")[2].split()) for line in text)
    assert figures == sum(row.value is not None for row in rows)


def test_commands_that_would_fill_a_table_can_be_typed(nowhere: Path) -> None:
    commands = [
        shlex.split(line)
        for table in load_published().tables
        for line in shown(table).splitlines()
        if line.startswith("  vpbench run ")
    ]
    assert len(commands) > 30
    for command in commands:
        context = main.commands["run"].make_context("run", command[2:])
        assert context.params["critics"] and context.params["tasks"]
    sweep = [line for line in shown("table6").splitlines() if "visualprm" in line and line.startswith("  vpbench")]
    (line,) = sweep
    assert "--n 8,16,32,64,128" in line and "--policy OpenGVLab/InternVL2_5-8B" in line and ",".join(SEVEN) in line


def test_what_is_filled_needs_no_command(tmp_path: Path) -> None:
    for task in SEVEN:
        store(tmp_path, task, **like_the_paper(task))
    commands = [line for line in shown("table6", "--runs", tmp_path).splitlines() if line.startswith("  vpbench run")]
    assert len(commands) == 1 and "--critic orm --critic-model CHECKPOINT" in commands[0]


def test_formats(tmp_path: Path) -> None:
    store(tmp_path, model="prm")
    records = json.loads(shown("table6", "--runs", tmp_path, "--format", "json"))
    rows = list(csv.DictReader(io.StringIO(shown("table6", "--runs", tmp_path, "--format", "csv"))))
    assert len(records) == len(rows) == 120
    for record, row in zip(records, rows, strict=True):
        assert float(row["published"]) == record["published"]
        assert row["measured"] == ("" if record["measured"] is None else str(record["measured"]))
        assert row["reasons"] == "; ".join(record["reasons"])
    assert any(record["measured"] for record in records)
    lines = shown("table6", "--runs", tmp_path, "--format", "markdown").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1 and any("| measured |" in line for line in table)


def test_tables_are_listed_and_an_unknown_one_is_named(nowhere: Path) -> None:
    listed = shown()
    assert all(f"{table} " in listed for table in load_published().tables)
    done = vpbench("reproduce", "table99")
    assert done.exit_code == 2 and "no published table is called 'table99'; there are: table2," in done.output
    (nowhere / "runs" / "results").mkdir(parents=True)
    assert "120" in shown() and "published" in shown("table6")
    done = vpbench("reproduce", "table6", "--runs", nowhere / "none")
    assert done.exit_code == 2 and "no results" in done.output

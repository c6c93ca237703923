"""Exports in other tools' layouts: what is in them, that they are read again, and that nothing private is."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from small_runs import vpbench as command

import vpbench
from vpbench.report.exports import LAYOUTS, export
from vpbench.report.result import BestOfNResult, StepResult

DATA = Path(__file__).parent.parent / "vpbench" / "nano" / "data"
WRITTEN = 1_767_225_600
STAMP = datetime.fromtimestamp(WRITTEN, UTC).strftime("%Y-%m-%dT%H-%M-%S")
HOSTILE = "\x1b[31mred\u202e \x00 \x9b \u2028 <script>, Straße, so the answer is 99"
RESPONSES = ("Answer: 77777", HOSTILE, "Answer: 88888", "Answer: 77777")
"""Each question has its gold answer and these, in this order; no gold answer is among these."""
SCORES = ((0.9, 0.2, 0.4, 0.1, 0.3), (0.1, 0.7, 0.2, 0.7, 0.3), (0.1, 0.1, 0.1, 0.9, 0.1))
PICKED = {"best": (0, 1, 3), "vote": (1, 1, 1), "weighted-vote": (0, 1, 3)}
"""The candidates picked of the first three questions: ties go to the earliest, votes to the first of their class."""
LM_EVAL_KEYS = {
    *("results", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples", "config"),
    *("git_hash", "date", "model_source", "model_name", "model_name_sanitized", "total_evaluation_time_seconds"),
}
LIGHT = importlib.util.find_spec("huggingface_hub") is None


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One pool judged by scores, by their weighted vote, and by votes; beside it a step result."""
    folder = tmp_path_factory.mktemp("exports")
    with gzip.open(DATA / "mathvista" / "nano-policy.jsonl.gz", "rt") as file:
        ids = [json.loads(next(file))["question_id"] for _ in range(8)]
    golds = gold_answers()
    texts = {id: [f"Answer: {golds[id]}", *RESPONSES] for id in ids}
    pool = write_lines(
        folder / "policy.jsonl",
        [{"question_id": id, "candidates": [{"response": text} for text in texts[id]]} for id in ids],
    )
    scores = write_lines(
        folder / "scores.jsonl",
        [
            {"question_id": id, "index": index, "score": score}
            for number, id in enumerate(ids)
            for index, score in enumerate(SCORES[number % 3])
        ],
    )
    given: Any = {"pool": pool, "data": DATA / "mathvista", "resamples": 200, "output": folder}
    mine: Any = {**given, "scores": f"mine={scores}"}
    vpbench.run("mathvista", **mine)
    vpbench.run("mathvista", selection="weighted-vote", **mine)
    vpbench.run("mathvista", "self-consistency", **given)
    lines = (DATA / "visualprocessbench" / "test.jsonl").read_text().splitlines()
    solutions = [json.loads(line) for line in lines]
    steps = write_lines(
        folder / "steps.jsonl",
        [
            {"question_id": f"{row['data_source']}/{k}", "step_scores": [len(s) / 99 for s in row["response"]["steps"]]}
            for k, row in enumerate(solutions)
        ],
    )
    vpbench.run("visualprocessbench", scores=str(steps), nano=True, resamples=200, output=folder)
    for path in (folder / "results").glob("*/result.json"):
        os.utime(path, (WRITTEN, WRITTEN))
    return folder


def gold_answers() -> dict[str, str]:
    import pandas as pd

    frame = pd.read_parquet(DATA / "mathvista" / "testmini.parquet", columns=["pid", "answer"])
    return dict(zip(frame["pid"].astype(str), frame["answer"], strict=True))


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def exported(runs: Path, layout: Any, into: Path) -> dict[str, bytes]:
    paths = export(vpbench.load_results(runs).results, layout, into)
    assert sorted(paths) == sorted(path for path in into.rglob("*") if path.is_file())
    return {path.relative_to(into).as_posix(): path.read_bytes() for path in paths}


def best_of_n(runs: Path, selection: str) -> BestOfNResult:
    (result,) = (
        stored.result
        for stored in vpbench.load_results(runs).results
        if isinstance(stored.result, BestOfNResult) and stored.result.selection == selection
    )
    return result


MODELS = {
    "best": "policy+mine+best+robust",
    "weighted-vote": "policy+mine+weighted-vote+robust",
    "vote": "policy+self-consistency",
}
METRICS = {"best": "best_of", "weighted-vote": "weighted_vote", "vote": "vote"}


def test_lm_eval_has_a_folder_for_every_policy_and_critic(runs: Path, tmp_path: Path) -> None:
    expected = {f"{model}/{name}" for model in MODELS.values() for name in lm_eval_names("mathvista")}
    expected |= {f"steps/{name}" for name in lm_eval_names("nano-visualprocessbench")}
    assert exported(runs, "lm-eval", tmp_path).keys() == expected


def lm_eval_names(task: str) -> tuple[str, str]:
    return f"results_{STAMP}.json", f"samples_{task}_{STAMP}.jsonl"


@pytest.mark.parametrize("selection", MODELS)
def test_lm_eval_results_are_the_curves(runs: Path, tmp_path: Path, selection: str) -> None:
    files = exported(runs, "lm-eval", tmp_path)
    content = json.loads(files[f"{MODELS[selection]}/results_{STAMP}.json"])
    assert content.keys() >= LM_EVAL_KEYS and content["date"] == WRITTEN
    result = best_of_n(runs, selection)
    entries = content["results"]["mathvista"]
    curves = {METRICS[selection]: "critic", "vote": "vote", "random": "random", "oracle": "oracle"}
    for metric, curve in curves.items():
        for point in result.curves[curve]:
            name = f"{metric}_{point.n}"
            assert entries[f"{name},{result.grading}"] == point.value
            stderr = entries[f"{name}_stderr,{result.grading}"]
            assert point.high - point.low == pytest.approx(2 * 1.959964 * stderr, rel=1e-6)
            assert content["vpbench"]["intervals"]["mathvista"][name] == [point.low, point.high]
            assert content["higher_is_better"]["mathvista"][name] is True
    assert entries[f"first,{result.grading}"] == result.curves["first"][0].value
    assert content["n-samples"]["mathvista"] == {"original": result.questions_in_task, "effective": 8}
    assert content["versions"]["mathvista"] == result.provenance.task_version
    metadata = content["configs"]["mathvista"]["metadata"]
    assert metadata["selection"] == selection and metadata["pool_sha256"] == result.provenance.pool_sha256


def test_lm_eval_results_of_steps(runs: Path, tmp_path: Path) -> None:
    files = exported(runs, "lm-eval", tmp_path)
    entries = json.loads(files[f"steps/results_{STAMP}.json"])["results"]["nano-visualprocessbench"]
    (result,) = (s.result for s in vpbench.load_results(runs).results if isinstance(s.result, StepResult))
    pooled = result.step_f1.pooled
    assert entries["macro_f1,none"] == pooled.macro_f1 and entries["f1_correct_stderr,none"] == "N/A"
    assert entries["macro_f1_stderr,none"] == pytest.approx((pooled.high - pooled.low) / 3.919928, rel=1e-6)
    assert "f1,none" not in entries
    samples = [json.loads(row) for row in files[f"steps/samples_nano-visualprocessbench_{STAMP}.jsonl"].splitlines()]
    assert len(samples) == result.candidates
    assert all(len(row["step_labels"]) == len(row["step_scores"]) for row in samples)


@pytest.mark.parametrize("selection", MODELS)
def test_lm_eval_samples_hold_what_was_picked(runs: Path, tmp_path: Path, selection: str) -> None:
    files = exported(runs, "lm-eval", tmp_path)
    folder = MODELS[selection]
    samples = [json.loads(row) for row in files[f"{folder}/samples_mathvista_{STAMP}.jsonl"].splitlines()]
    entries = json.loads(files[f"{folder}/results_{STAMP}.json"])["results"]["mathvista"]
    assert [row["doc_id"] for row in samples] == list(range(8))
    assert tuple(row["picked"]["index"] for row in samples[:3]) == PICKED[selection]
    for number, row in enumerate(samples):
        (responses,) = row["resps"]
        picked = row["picked"]
        assert row["filtered_resps"] == [responses[picked["index"]]] and responses[1:] == list(RESPONSES)
        assert row["filter"] == best_of_n(runs, selection).grading and row["target"] == row["doc"]["answer"]
        assert picked["correct"] is (picked["index"] == 0 and picked["reason"] == "match")
        if selection != "vote":
            assert picked["score"] == SCORES[number % 3][picked["index"]]
        assert re.fullmatch("[0-9a-f]{64}", row["doc_hash"])
    for metric in samples[0]["metrics"]:
        mean = sum(row[metric] for row in samples) / len(samples)
        assert mean == pytest.approx(entries[f"{metric},{samples[0]['filter']}"], abs=1e-12)


def test_lm_eval_samples_are_a_pool_again(runs: Path, tmp_path: Path) -> None:
    exported(runs, "lm-eval", tmp_path / "into")
    (pool,) = (tmp_path / "into").glob(f"{MODELS['best']}/samples_*")
    (again,) = vpbench.run(
        *("mathvista", "self-consistency"), pool=pool, data=DATA / "mathvista", resamples=200, output=tmp_path / "runs"
    )
    (first,) = (s for s in vpbench.load_results(runs).results if s.result.critic == "self-consistency")
    columns = ["question_id", "index", "response", "extracted", "answer_class", "correct", "reason"]
    ours, theirs = (
        vpbench.load_results(stored.folder).candidates[columns].to_dict("records") for stored in (first, again)
    )
    assert ours == theirs
    assert isinstance(again.result, BestOfNResult) and isinstance(first.result, BestOfNResult)
    assert again.result.curves == first.result.curves


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_results_give_the_same_bytes_and_nothing_private(runs: Path, tmp_path: Path, layout: Any) -> None:
    files = exported(runs, layout, tmp_path / "one")
    copied = shutil.copytree(runs, tmp_path / "elsewhere")
    assert exported(copied, layout, tmp_path / "two") == files
    for name, data in files.items():
        assert data.isascii() and not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", data), name
        for private in (str(runs), str(DATA), str(Path.home())):
            assert private not in data.decode().replace("\\/", "/"), name


def test_results_that_differ_in_a_setting_alone_stand_apart(runs: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        options: Any = {"pool": runs / "policy.jsonl", "data": DATA / "mathvista", "resamples": 200}
        vpbench.run("mathvista", "self-consistency", seed=seed, output=tmp_path / "runs", **options)
    files = exported(tmp_path / "runs", "lm-eval", tmp_path / "into")
    models = {name.partition("/")[0] for name in files}
    assert len(models) == 2
    assert all(re.fullmatch(r"policy\+self-consistency\+vote\+robust\+[0-9a-f]+", model) for model in models)


def test_every_eval_ever_has_a_record_for_every_n(runs: Path, tmp_path: Path) -> None:
    files = exported(runs, "every-eval-ever", tmp_path)
    result = best_of_n(runs, "best")
    records = [json.loads(data) for name, data in files.items() if name.endswith(".json")]
    (record,) = (
        record
        for record in records
        if record["model_info"]["id"] == "mine"
        and record["evaluation_results"][0]["metric_config"]["metric_parameters"]["selection"] == "best"
    )
    assert record["evaluation_timestamp"] == str(WRITTEN)
    for point, row in zip(result.curves["critic"], record["evaluation_results"], strict=True):
        assert row["metric_config"]["metric_parameters"]["n"] == point.n
        assert row["score_details"]["score"] == point.value
        uncertainty = row["score_details"]["uncertainty"]
        assert uncertainty["num_bootstrap_samples"] == 200 and uncertainty["num_samples"] == 8
        interval = uncertainty["confidence_interval"]
        assert (interval["lower"], interval["upper"], interval["confidence_level"]) == (point.low, point.high, 0.95)
        settings = row["generation_config"]["additional_details"]
        assert settings["policy"] == "policy" and settings["grading"] == "robust"
        assert row["source_data"]["source_type"] == "other" and "generation_args" not in row["generation_config"]
    assert "developer" not in record["model_info"]
    samples = files[record["detailed_evaluation_results"]["file_path"]].splitlines()
    picked = [int(json.loads(row)["metadata"]["candidate"]) for row in samples]
    assert len(samples) == 8 and tuple(picked[:3]) == PICKED["best"]


@pytest.mark.skipif(
    sys.version_info < (3, 12) or not LIGHT,
    reason="every-eval-ever needs Python 3.12 and huggingface_hub below 2; scripts/light-env makes a place for it",
)
def test_every_eval_ever_accepts_its_files(runs: Path, tmp_path: Path) -> None:
    from every_eval_ever.validator.validation_core import validate_file

    files = exported(runs, "every-eval-ever", tmp_path)
    for name in files:
        report = validate_file(
            tmp_path / name,
            repo_path=name,
            available_files=files,
            read_repo_file=lambda path: files[path].decode(),
            run_semantic_checks=True,
        )
        assert report.valid, (name, report.errors)
    assert len(files) == 7


def test_a_result_without_texts_is_exported_without_samples(runs: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(runs, tmp_path / "runs")
    shutil.rmtree(copied / "texts")
    for layout in LAYOUTS:
        done = command("report", copied, "--export", layout, "--into", tmp_path / layout)
        assert done.exit_code == 0, done.output
        assert done.output.count("exported without its responses") == 4
        assert len(list((tmp_path / layout).rglob("*.json"))) == 4 and not list((tmp_path / layout).rglob("*.jsonl"))


def test_the_command_says_what_it_wrote_and_needs_a_folder(runs: Path, tmp_path: Path) -> None:
    done = command("report", runs, "--export", "lm-eval", "--into", tmp_path / "into")
    assert done.exit_code == 0, done.output
    assert f"8 files in {tmp_path / 'into'}" in done.output
    for half in (("--export", "lm-eval"), ("--into", tmp_path / "other")):
        done = command("report", runs, *half)
        assert done.exit_code == 2 and "--export LAYOUT and --into DIR go together" in done.output

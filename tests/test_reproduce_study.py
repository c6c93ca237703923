"""`vpbench reproduce TABLE --study FILE`: what would fill a table, as the study reader takes it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from small_runs import vpbench

from vpbench.plugins import all_critics, all_tasks
from vpbench.report.filling import fillings
from vpbench.report.published import load_published
from vpbench.report.reproduce import reproduce
from vpbench.run.study_file import read_study

PUBLISHED = load_published()
FILLABLE = {
    *("table2", "table3", "table4", "table5", "table6", "table7", "table8", "figure1", "text4", "internvl3-table2"),
    *("vrprm2-results", "vrprm2-protocol", "athena-table1", "qwen-math-prm-processbench"),
}
POLICY = {"model": "OpenGVLab/InternVL2_5-8B", "temperature": 0.7}
SEVEN = ["mmmu", "mathvista", "mathvision-testmini", "mathverse", "dynamath", "wemath", "logicvista"]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without runs."""
    monkeypatch.chdir(tmp_path)


def write(table: str) -> str:
    done = vpbench("reproduce", table, "--study", "study.yaml")
    assert done.exit_code == 0, done.output
    assert "written to study.yaml" in done.output
    return Path("study.yaml").read_text()


def test_the_sweep_as_a_study() -> None:
    text = write("table6")
    content = yaml.safe_load(text)
    assert content == {
        "name": "table6",
        "tasks": SEVEN,
        "policy": POLICY,
        "critics": {"VisualPRM-8B": {"critic": "visualprm", "model": "OpenGVLab/VisualPRM-8B", "aggregate": "mean"}},
        "n": [8, 16, 32, 64, 128],
        "estimator": "prefix",
        "grading": "official",
        "judge": "openai:gpt-4o-mini",
    }
    left_out = (
        "# Left out, as its weights aren't published; yours would be VisualORM-8B: {critic: orm, model: FOLDER}\n"
    )
    assert left_out in text and "# The published judge of MMMU was openai:gpt-3.5-turbo-0125.\n" in text


@pytest.mark.parametrize("table", PUBLISHED.tables)
def test_a_study_is_read_and_covers_what_can_be_run(table: str) -> None:
    entry = PUBLISHED.table(table)
    runs = [run for run in fillings(PUBLISHED, entry, reproduce(PUBLISHED, entry, ())) if run.model is not None]
    assert bool(runs) is (table in FILLABLE)
    if not runs:
        done = vpbench("reproduce", table, "--study", "study.yaml")
        assert done.exit_code == 2 and f"{table}: no study would fill it" in done.output
        assert not Path("study.yaml").exists()
        return
    write(table)
    options = read_study("study.yaml")
    critics = [(critic.critic, critic.settings["model"]) for critic in options["critic"]]
    policies = [(policy.policy, policy.drawing.get("temperature")) for policy in options.get("policy", ())]
    assert set(options["task"]) <= all_tasks().keys() and {name for name, _ in critics} <= all_critics().keys()
    for run in runs:
        assert (run.critic, run.model) in critics and run.tasks.keys() <= set(options["task"])
        assert run.policy is None or (run.policy, run.settings.get("temperature")) in policies
        assert run.ns <= set(options.get("n", ()))


def test_temperatures_are_policies_and_aggregations_critics() -> None:
    by_temperature = yaml.safe_load(write("table8"))
    assert len(by_temperature["critics"]) == 1
    temperatures = {name: part["temperature"] for name, part in by_temperature["policies"].items()}
    assert temperatures == {f"InternVL2.5-8B T {t}": t for t in (0.3, 0.7, 1.0, 1.3)}
    Path("study.yaml").unlink()
    aggregations = yaml.safe_load(write("table4"))
    parts = [part for part in aggregations["critics"].values() if part["critic"] == "visualprm"]
    assert {part["aggregate"] for part in parts} == {"min", "max", "mean"} and aggregations["policy"] == POLICY
    assert len(parts) == 3 and set(aggregations["tasks"]) == {*SEVEN, "visualprocessbench"}


def test_single_responses_are_measured_by_the_same_study() -> None:
    content = yaml.safe_load(write("table2"))
    assert content["n"] == [1, 8] and "mathvision" not in content["tasks"] and set(content["tasks"]) == set(SEVEN)


@pytest.mark.parametrize(("study", "table"), [("paper-main", "table2"), ("paper-n-sweep", "table6")])
def test_a_study_that_ships_fills_its_table(study: str, table: str) -> None:
    entry = PUBLISHED.table(table)
    options = read_study(study)
    drawn = {policy.policy: policy.drawing for policy in options["policy"]}
    for run in fillings(PUBLISHED, entry, reproduce(PUBLISHED, entry, ())):
        assert run.tasks.keys() == set(options["task"]) and run.ns <= set(options["n"])
        assert run.policy and drawn[run.policy]["temperature"] == run.settings["temperature"]
        assert all(options[name] == run.settings[name] for name in ("estimator", "grading", "judge", "aggregate"))
        critics = [(critic.critic, critic.settings.get("model")) for critic in options["critic"]]
        assert run.model is None or (run.critic, run.model) in critics


def test_a_file_that_is_there_stays_and_a_table_is_needed() -> None:
    Path("study.yaml").write_text("mine")
    done = vpbench("reproduce", "table6", "--study", "study.yaml")
    assert done.exit_code == 2 and "study.yaml: can't be written anew (File exists)" in done.output
    assert Path("study.yaml").read_text() == "mine"
    done = vpbench("reproduce", "--study", "other.yaml")
    assert done.exit_code == 2 and "--study needs a TABLE" in done.output

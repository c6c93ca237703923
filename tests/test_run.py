"""Whole runs, on the miniature world and on small pools, and the results they give."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from small_runs import CRITIC, FEW, line, pool_file, results, vpbench

from vpbench.report.best_of_n import default_ns

SCHEMA = json.loads((Path(__file__).parent.parent / "vpbench" / "report" / "result.schema.json").read_text())


def test_the_miniature_world_gives_a_valid_result(tmp_path: Path) -> None:
    done = vpbench("run", "--nano", "--task", "mathvista", "--output", tmp_path, "--limit", 24, "--resamples", 500)
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path)
    jsonschema.validate(result, SCHEMA)
    folder = next((tmp_path / "results").iterdir())
    assert {file.name for file in folder.iterdir()} == {
        "result.json",
        "rows.parquet",
        "units.parquet",
        "table.txt",
        "curve.svg",
        "curve.png",
    }
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    curves = result["curves"]
    assert [point["n"] for point in curves["critic"]] == list(default_ns(result["pool_size"]))
    for name, curve in curves.items():
        for point, oracle, pick in zip(curve, curves["oracle"], curves["random"], strict=True):
            assert point["low"] <= point["value"] <= point["high"]
            assert name == "first" or point["value"] <= oracle["value"] + 1e-12
            assert name != "random" or point["value"] == pytest.approx(pick["value"])
    assert curves["critic"][0]["value"] == pytest.approx(curves["random"][0]["value"])
    assert curves["critic"][-1]["value"] > curves["random"][-1]["high"]


def test_step_detection_gives_a_valid_result(tmp_path: Path) -> None:
    done = vpbench(
        "run", "--nano", "--task", "visualprocessbench", "--output", tmp_path, "--limit", 90, "--threshold", 0.4
    )
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path)
    jsonschema.validate(result, SCHEMA)
    report = result["step_f1"]
    assert report["threshold"] == 0.4
    assert report["pooled"]["steps"] == sum(part["steps"] for part in report["by_source"].values())
    assert 0.5 < report["pooled"]["low"] < report["pooled"]["macro_f1"] < report["pooled"]["high"] < 1
    assert report["ranking"]["auroc"] > 0.7


def test_settings_go_to_the_critics_that_have_them(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    done = vpbench(
        "run",
        "--nano",
        "--task",
        "mathvista",
        "--critic",
        f"self-consistency,{tmp_path}/critic.py",
        "--critic-args",
        f"log={tmp_path}/log",
        "--output",
        tmp_path / "runs",
        "--limit",
        2,
    )
    assert done.exit_code == 0, done.output
    assert sorted(result["critic"] for result in results(tmp_path / "runs")) == ["counting", "self-consistency"]


def test_a_pool_that_carries_its_questions_needs_no_data(tmp_path: Path) -> None:
    pool = pool_file(tmp_path, line("1", "The answer is 4.", "The answer is 5.", ""), line("2", "4", "4", "3"))
    done = vpbench("run", "--task", "mathvista", "--critic", "self-consistency", "--pool", pool, "--output", tmp_path)
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path)
    assert result["errors"] == {"empty response": 1}
    assert result["curves"]["random"][0]["value"] == pytest.approx((1 / 3 + 2 / 3) / 2)
    assert result["notes"] == [
        "a subset: 2 of the 1000 rows of AI4Math/MathVista testmini",
        f"1 responses are empty, the first at {pool} line 1, candidate 2; they count as wrong and give no vote",
        "2 units: too few to tell critics apart; p by t-test, intervals are rough",
    ]


def test_scores_from_a_file_name_their_critic(tmp_path: Path) -> None:
    pool = pool_file(tmp_path, line("1", "4", "5"))
    scores = pool_file(
        tmp_path, {"question_id": "1", "candidates": [{"step_scores": [0.1, 0.9]}, {"score": 0.6}]}, name="my-orm.jsonl"
    )
    for how, best in (("mean", 0.0), ("max", 1.0)):
        vpbench(
            "run",
            "--task",
            "mathvista",
            "--pool",
            pool,
            "--scores",
            scores,
            "--aggregate",
            how,
            "--output",
            tmp_path / how,
        )
        (result,) = results(tmp_path / how)
        assert result["critic"] == "my-orm"
        assert result["curves"]["critic"][1]["value"] == best


def test_a_critic_is_let_go_before_the_next_one_is_made_ready(tmp_path: Path) -> None:
    heavy = """
import gc
from dataclasses import dataclass
from typing import ClassVar
from vpbench import Critic, Score

@dataclass(frozen=True)
class Heavy(Critic):
    name: ClassVar[str] = "heavy"
    title: ClassVar[str] = "Fails if another that was made ready is in memory"

    def prepare(self):
        ready = [thing for thing in gc.get_objects() if type(thing).__name__ == "Heavy" and "ready" in vars(thing)]
        assert not ready, "the critic before is still there"
        vars(self)["ready"] = True

    def score(self, question, candidates):
        return [Score(1.0) for _ in candidates]
"""
    for name in ("heavy", "heavier"):
        (tmp_path / f"{name}.py").write_text(heavy.replace('"heavy"', f'"{name}"'))
    critics = ("--critic", tmp_path / "heavy.py", "--critic", tmp_path / "heavier.py")
    done = vpbench("run", *FEW, *critics, "--output", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    assert len(results(tmp_path / "runs")) == 2


def test_a_pool_of_ones_own_is_the_one_that_is_used_in_the_miniature_world(tmp_path: Path) -> None:
    pool = tmp_path / "mine.jsonl"
    pool.write_text("".join(json.dumps({"question_id": id, "response": "Answer: 1"}) + "\n" for id in ("1", "2")))
    done = vpbench("run", *FEW, "--critic", "self-consistency", "--pool", pool, "--output", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path / "runs")
    assert (result["policy"], result["candidates"]) == ("mine", 2)
    done = vpbench("run", *FEW, "--critic", "self-consistency", "--data", tmp_path)
    assert done.exit_code == 2
    assert "--nano brings its own data; leave --data" in done.output


def test_nan_scores_are_counted_as_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC.replace("(0.5, c.index / 3)", "(0.5, float('nan') if c.index else 1.0)"))
    critic = ("--critic", tmp_path / "critic.py", "--critic-args", f"log={tmp_path}/log", "--max-error-rate", 1)
    done = vpbench("run", *FEW, *critic, "--output", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path / "runs")
    assert result["errors"]["not scored: the score is NaN"] == 2 * 127
    steps = vpbench("run", "--nano", "--task", "visualprocessbench", *FEW[3:], *critic, "--output", tmp_path / "steps")
    assert steps.exit_code == 0, steps.output

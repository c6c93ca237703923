"""Whole runs, on the miniature world and on small pools: results, resuming, and what goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from vpbench.cli import main
from vpbench.data.miniature import nano_folder
from vpbench.report.result import default_ns

SCHEMA = json.loads((Path(__file__).parent.parent / "vpbench" / "report" / "result.schema.json").read_text())

CRITIC = """
import os, signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from vpbench import Critic, CriticError, DataError, Score

@dataclass(frozen=True)
class Counting(Critic):
    name: ClassVar[str] = "counting"
    title: ClassVar[str] = "Counts its calls in a file, and dies or fails when told to"
    log: str = ""

    def score(self, question, candidates):
        with open(self.log, "a") as log:
            log.write(question.id + " " + " ".join(str(c.index) for c in candidates) + "\\n")
        calls = len(Path(self.log).read_text().splitlines())
        if os.environ.get("DIE_AT") == str(calls):
            os.kill(os.getpid(), signal.SIGKILL)
        if os.environ.get("FAIL") == question.id:
            raise DataError("no picture here")
        refused = Score(None, None, "empty response")
        scores = [Score(len(c.response) / 7 + c.index / 3, (0.5, c.index / 3)) for c in candidates]
        return [score if c.response else refused for c, score in zip(candidates, scores)]
"""


def vpbench(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], env=environment, catch_exceptions=False)


def results(output: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((output / "results").glob("*/result.json"))]


def pool_file(tmp_path: Path, *lines: dict[str, Any], name: str = "pool.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(id: str, *responses: str, **extra: Any) -> dict[str, Any]:
    question = {"question_id": id, "question": "How many?", "answer": "4", "answer_type": "integer"}
    return {**question, "candidates": [{"response": each} for each in responses], **extra}


def test_the_miniature_world_gives_a_valid_result(tmp_path: Path) -> None:
    done = vpbench("run", "--nano", "--task", "mathvista", "--output", tmp_path, "--limit", 24, "--resamples", 500)
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path)
    jsonschema.validate(result, SCHEMA)
    folder = next((tmp_path / "results").iterdir())
    assert {each.name for each in folder.iterdir()} == {
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


def test_the_same_command_again_does_nothing_twice_and_gives_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    arguments = [
        "run",
        "--nano",
        "--task",
        "mathvista",
        "--critic",
        tmp_path / "critic.py",
        "--critic-args",
        f"log={tmp_path}/log",
        "--output",
        tmp_path / "runs",
        "--limit",
        12,
    ]
    assert vpbench(*arguments).exit_code == 0
    rows = next((tmp_path / "runs" / "results").glob("*/rows.parquet"))
    before, calls = rows.read_bytes(), (tmp_path / "log").read_text()
    assert vpbench(*arguments).exit_code == 0
    assert rows.read_bytes() == before
    assert (tmp_path / "log").read_text() == calls
    assert len(calls.splitlines()) == 12


def test_killed_while_scoring_the_same_command_ends_with_identical_rows(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    whole = _run_killed(tmp_path, "whole", [])
    assert _run_killed(tmp_path, "killed", [1, 4, 5]) == whole
    calls = (tmp_path / "log-killed").read_text().splitlines()
    assert len(calls) == 10 + 3
    assert len(set(calls)) == 10


def _run_killed(tmp_path: Path, name: str, die_at: list[int]) -> bytes:
    command = [
        sys.executable,
        "-m",
        "vpbench",
        "run",
        "--nano",
        "--task",
        "mathvista",
        "--critic",
        "critic.py",
        "--critic-args",
        f"log=log-{name}",
        "--output",
        name,
        "--limit",
        "10",
        "--resamples",
        "100",
    ]
    for at in [*die_at, 0]:
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "DIE_AT": str(at)}, capture_output=True, check=False
        )
        assert done.returncode == (-signal.SIGKILL if at else 0), done.stderr
    return next((tmp_path / name / "results").glob("*/rows.parquet")).read_bytes()


def test_a_failed_row_is_a_row_with_its_reason_and_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    arguments = [
        "run",
        "--nano",
        "--task",
        "mathvista",
        "--critic",
        tmp_path / "critic.py",
        "--critic-args",
        f"log={tmp_path}/log",
        "--output",
        tmp_path / "runs",
        "--limit",
        4,
    ]
    stopped = vpbench(*arguments, FAIL="2")
    assert stopped.exit_code == 3
    assert "question '2' candidate 0: no picture here" in stopped.output
    tolerated = vpbench(*arguments, "--max-error-rate", "0.5", FAIL="2")
    assert tolerated.exit_code == 0
    (result,) = results(tmp_path / "runs")
    assert result["errors"]["not scored: no picture here"] == 128
    assert any("128 of 512 candidates" in text for text in result["diagnosis"])
    calls = [call.split()[0] for call in (tmp_path / "log").read_text().splitlines()]
    assert calls == ["1", "2", "2", "3", "4"]
    assert vpbench(*arguments).exit_code == 0
    assert "not scored: no picture here" not in results(tmp_path / "runs")[0]["errors"]


def test_a_response_the_critic_refused_is_not_owed_again(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    pool = pool_file(tmp_path, line("1", "4", ""), line("2", "", "5"))
    arguments = [
        "run",
        "--task",
        "mathvista",
        "--critic",
        tmp_path / "critic.py",
        "--pool",
        pool,
        "--critic-args",
        f"log={tmp_path}/log",
        "--output",
        tmp_path / "runs",
    ]
    for _ in range(2):
        assert vpbench(*arguments).exit_code == 0
        assert (tmp_path / "log").read_text() == "1 0 1\n2 0 1\n"
    (result,) = results(tmp_path / "runs")
    assert result["errors"] == {"empty response": 2, "not scored: empty response": 2}


def test_another_setting_is_another_key(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    for log in ("a", "b"):
        vpbench(
            "run",
            "--nano",
            "--task",
            "mathvista",
            "--critic",
            tmp_path / "critic.py",
            "--critic-args",
            f"log={tmp_path}/{log}",
            "--output",
            tmp_path / "runs",
            "--limit",
            3,
        )
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()
    assert len(list((tmp_path / "runs" / "scores").iterdir())) == 2


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


def test_a_limited_run_is_continued_by_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    for limit in (2, 5):
        vpbench(
            "run",
            "--nano",
            "--task",
            "mathvista",
            "--critic",
            tmp_path / "critic.py",
            "--critic-args",
            f"log={tmp_path}/log",
            "--output",
            tmp_path / "runs",
            "--limit",
            limit,
        )
    calls = [call.split()[0] for call in (tmp_path / "log").read_text().splitlines()]
    assert calls == ["1", "2", "3", "4", "5"]
    assert sorted(result["questions"] for result in results(tmp_path / "runs")) == [2, 5]
    assert not any(result["complete"] for result in results(tmp_path / "runs"))


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


def test_a_pool_without_images_is_never_scored_as_text_alone(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(
        CRITIC.replace("calls = len", "[image.open() for image in question.images]; calls = len")
    )
    log = f"log={tmp_path}/log"
    pool = pool_file(tmp_path, line("1", "4", "5"))
    arguments = ["run", "--task", "mathvista", "--critic", tmp_path / "critic.py", "--critic-args", log, "--pool", pool]
    done = vpbench(*arguments, "--output", tmp_path)
    assert done.exit_code == 3
    assert "missing image:" in done.output
    assert "pool.jsonl line 1, images holds none; give data with images by --data DIR" in done.output
    (tmp_path / "a.png").write_bytes(next(nano_folder("visualprocessbench").glob("images/*.png")).read_bytes())
    pool_file(tmp_path, line("1", "4", "5", images=["a.png"]))
    assert vpbench(*arguments, "--output", tmp_path).exit_code == 0


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "mathvsta"], "did you mean mathvista"),
        (["--critic", "self-consistancy"], "did you mean self-consistency"),
        ([], "no critic: give --critic"),
        (["--critic", "self-consistency", "--pool", "none.jsonl"], "none.jsonl: can't be read"),
        (["--critic", "self-consistency", "--n", "64"], "--n 64 is more than question '1' has candidates (2)"),
        (["--critic", "visualprm"], "give its folder or hub id by --critic-model"),
        (["--critic", "visualprm", "--critic-model", "/nowhere"], "/nowhere"),
        (
            ["--critic", "self-consistency", "--critic-args", "a=1"],
            "critic self-consistency: no setting 'a'; there are: none",
        ),
        (["--critic", "self-consistency", "--trust-verdicts"], "candidate 0: no `correct`; --trust-verdicts needs it"),
        (["--critic", "self-consistency", "--task", "visualprocessbench"], "leave --pool out"),
        (["--scores", "pool.jsonl"], "neither `step_scores` nor `score`"),
        (["--critic", "a", "--critic", "b", "--scores", "pool.jsonl"], "at most one --critic"),
    ],
)
def test_wrong_requests_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pool_file(tmp_path, line("1", "4", "5"))
    defaults = {"--task": "mathvista", "--pool": "pool.jsonl"}
    given = [part for pair in defaults.items() if pair[0] not in arguments for part in pair]
    done = vpbench("run", *given, *arguments)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output


def test_an_unknown_question_id_is_named_and_a_part_of_the_data_is_not_an_error(tmp_path: Path) -> None:
    data = nano_folder("mathvista")
    pool = pool_file(tmp_path, line("1", "4"), line("no-such-id", "4"))
    arguments = ["run", "--task", "mathvista", "--critic", "self-consistency", "--data", data, "--pool", pool]
    done = vpbench(*arguments, "--output", tmp_path)
    assert done.exit_code == 0
    assert "1 of the pool's 2 questions are not in" in done.output
    pool_file(tmp_path, line("no-such-id", "4"))
    done = vpbench(*arguments, "--output", tmp_path)
    assert done.exit_code == 2
    assert "pool.jsonl line 1, candidate 0: question id 'no-such-id' is not in" in done.output


def test_a_dry_run_does_nothing(tmp_path: Path) -> None:
    done = vpbench(
        "run", "--nano", "--task", "mathvista,visualprocessbench", "--output", tmp_path / "runs", "--dry-run"
    )
    assert done.exit_code == 0
    assert "64 questions with candidates" in done.output
    assert "420 solutions" in done.output
    assert not (tmp_path / "runs").exists()


FEW = ("--nano", "--task", "mathvista", "--limit", 2, "--resamples", 100)


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
        ready = [each for each in gc.get_objects() if type(each).__name__ == "Heavy" and "ready" in vars(each)]
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--aggregate", "sum"], "unknown aggregation 'sum'; choose one of mean, min"),
        (["--n", "1,256"], "--n 256 is more than question '1' has candidates (128); lower --n"),
    ],
)
def test_what_no_result_could_be_made_of_is_told_before_anything_is_scored(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    critic = ("--critic", tmp_path / "critic.py", "--critic-args", f"log={tmp_path}/log", "--output", tmp_path)
    done = vpbench("run", *FEW, *critic, *arguments)
    assert (done.exit_code, (tmp_path / "log").exists()) == (2, False)
    assert message in done.output


def test_a_missing_checkpoint_is_told_before_anything_is_graded(tmp_path: Path) -> None:
    critic = ("--critic", "self-consistency", "--critic", "visualprm", "--critic-model", "/nowhere/model")
    done = vpbench("run", *FEW, *critic, "--output", tmp_path / "runs")
    assert (done.exit_code, (tmp_path / "runs").exists()) == (2, False)
    assert "/nowhere/model: no such folder" in done.output


def test_nan_scores_are_counted_as_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC.replace("(0.5, c.index / 3)", "(0.5, float('nan') if c.index else 1.0)"))
    critic = ("--critic", tmp_path / "critic.py", "--critic-args", f"log={tmp_path}/log", "--max-error-rate", 1)
    done = vpbench("run", *FEW, *critic, "--output", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path / "runs")
    assert result["errors"]["not scored: the score is NaN"] == 2 * 127
    steps = vpbench("run", "--nano", "--task", "visualprocessbench", *FEW[3:], *critic, "--output", tmp_path / "steps")
    assert steps.exit_code == 0, steps.output

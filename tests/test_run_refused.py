"""What can't be run, or only in part, is said before anything is done, with what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_runs import CRITIC, FEW, line, pool_file, vpbench

from vpbench.data.miniature import nano_folder


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
        (["--critic", "mine", "--scores", "pool.jsonl"], "no such critic; to name the scores: --scores mine=FILE"),
        (["--critic", "=visualprm"], "the name before = is empty"),
        (["--critic", "ours=visualprm:"], "expected [NAME=]CRITIC[:MODEL]"),
        (["--critic", "a=self-consistency,a=likelihood:x"], "two critics are called 'a'"),
        (["--critic", "a=self-consistency", "--critic-args", "b.model=x"], "nothing is called 'b'; there are: a"),
        (["--scores", "a=pool.jsonl,a=other.jsonl"], "two critics are called 'a'"),
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
    pool = pool_file(tmp_path, *({"question_id": id, "candidates": [{"response": "4"}]} for id in ("1", "no-such-id")))
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

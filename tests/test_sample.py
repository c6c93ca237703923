"""Drawing candidates: nothing drawn twice, nothing lost, more added to what is there, and what goes wrong."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from fake_policy import FakePolicy
from small_runs import CRITIC, line, pool_file, results

from vpbench.cli import main
from vpbench.data.miniature import nano_folder
from vpbench.generate import Generation, Prompt, generator

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def fake_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generator.BACKENDS, "fake", "fake_policy:FakePolicy")


def vpbench(verb: str, tmp_path: Path, *arguments: object, **environment: str) -> Result:
    given = [
        verb,
        "--nano",
        "--task",
        "mathvista",
        "--policy",
        "fake:model",
        "--policy-args",
        f"log={tmp_path}/log",
        "--output",
        tmp_path / "runs",
        *arguments,
    ]
    return CliRunner().invoke(main, [str(each) for each in given], env=environment, catch_exceptions=False)


def draws(tmp_path: Path) -> list[list[str]]:
    return [each.split("\t") for each in (tmp_path / "log").read_text().splitlines()]


def candidates(tmp_path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows of all sealed parts, later ones in the place of earlier ones."""
    rows = {}
    for path in sorted((tmp_path / "runs" / "candidates").glob("*/part-*.parquet")):
        for row in pq.read_table(path).to_pylist():
            rows[row["question_id"], row["index"]] = row
    return rows


def test_killed_at_any_draw_the_same_command_draws_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    script = (
        "from vpbench.generate import generator; generator.BACKENDS['fake'] = 'fake_policy:FakePolicy'\n"
        "from vpbench.cli import main; main()"
    )
    command = [
        sys.executable,
        "-c",
        script,
        "sample",
        "--nano",
        "--task",
        "mathvista",
        "--policy",
        "fake:model",
        "--policy-args",
        "log=log",
        "--samples",
        "40",
        "--limit",
        "3",
        "--output",
        "runs",
    ]
    for at in ("0", "1", "33", "50", "119", "never"):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH")))),
                "DIE_AT": at,
            },
            check=False,
        )
        assert done.returncode == (0 if at == "never" else -signal.SIGKILL)
    found = draws(tmp_path)
    assert Counter(name for name, *_ in found) == dict.fromkeys({name for name, *_ in found}, 40)
    assert len({tuple(each) for each in found}) == 3 * 40
    rows = candidates(tmp_path)
    assert sorted(rows) == sorted((str(id), index) for id in (1, 2, 3) for index in range(40))
    said = {f"Steps.\n\nAnswer: {seed}/{number}" for _, _, seed, number in found}
    assert {row["response"] for row in rows.values()} == said


def test_more_samples_are_added_to_those_that_are_there_and_come_out_as_in_one_go(tmp_path: Path) -> None:
    assert vpbench("sample", tmp_path, "--limit", 2, "--samples", 32).exit_code == 0
    before = candidates(tmp_path)
    assert vpbench("sample", tmp_path, "--limit", 2).exit_code == 0
    rows = candidates(tmp_path)
    assert len(rows) == len(draws(tmp_path)) == 2 * 128
    assert {key: rows[key] for key in before} == before
    assert vpbench("sample", tmp_path, "--limit", 2, "--output", tmp_path / "again" / "runs").exit_code == 0
    assert candidates(tmp_path / "again") == rows


def test_the_order_in_which_samples_come_back_is_not_that_of_the_candidates(tmp_path: Path) -> None:
    vpbench("sample", tmp_path, "--limit", 1, "--samples", 32)
    numbers = [int(row["response"].rpartition("/")[2]) for _, row in sorted(candidates(tmp_path).items())]
    assert sorted(numbers) == list(range(32)) != numbers


def test_the_first_candidate_can_be_greedy(tmp_path: Path) -> None:
    assert vpbench("sample", tmp_path, "--limit", 2, "--samples", 3, "--first-greedy").exit_code == 0
    found = draws(tmp_path)
    assert [temperature for _, temperature, *_ in found] == ["0.0", "0.7", "0.7"] * 2
    greedy = {f"Steps.\n\nAnswer: {seed}/{number}" for _, temperature, seed, number in found if temperature == "0.0"}
    assert {row["response"] for (_, index), row in candidates(tmp_path).items() if index == 0} == greedy


@pytest.mark.parametrize(
    "change",
    [
        ["--temperature", 1],
        ["--top-p", 1],
        ["--max-tokens", 7],
        ["--seed", 1],
        ["--first-greedy"],
        ["--prompt", "question"],
        ["--policy", "fake:other"],
    ],
)
def test_another_way_to_draw_is_another_key(tmp_path: Path, change: list[Any]) -> None:
    for extra in ([], change, []):
        assert vpbench("sample", tmp_path, "--limit", 1, "--samples", 2, *extra).exit_code == 0
    assert len(draws(tmp_path)) == 4
    assert len(list((tmp_path / "runs" / "candidates").iterdir())) == 2


def test_what_could_not_be_drawn_is_counted_kept_and_drawn_again(tmp_path: Path) -> None:
    stopped = vpbench("sample", tmp_path, "--limit", 4, "--samples", 5, FAIL_AT="all")
    assert stopped.exit_code == 3
    assert "3 of 20 candidates failed, more than --max-error-rate 0.1 allows" in stopped.output
    assert "question '1' candidate" in stopped.output
    assert "out of paper" in stopped.output
    tolerated = ("--limit", 4, "--samples", 5, "--max-error-rate", 0.5)
    run = ("--critic", "self-consistency", "--resamples", 100)
    done = vpbench("run", tmp_path, *tolerated, *run, FAIL_AT="1")
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path / "runs")
    notes = " ".join(result["notes"])
    assert "4 of 20 candidates could not be drawn" in notes
    assert "4 of 20 responses were cut at the token limit" in notes
    assert result["errors"]["empty response"] == 4
    before = len(draws(tmp_path))
    assert vpbench("run", tmp_path, *tolerated, *run).exit_code == 0
    assert len(draws(tmp_path)) == before + 4
    assert len({tuple(each) for each in draws(tmp_path)[3:]}) == 24
    assert any("empty response" not in result["errors"] for result in results(tmp_path / "runs"))


def test_a_backend_that_gives_too_few_samples_is_found_out(tmp_path: Path) -> None:
    done = vpbench("sample", tmp_path, "--limit", 1, "--samples", 4, "--max-error-rate", 1, HOLD_BACK="2")
    assert done.exit_code == 0
    assert "2 of 4 candidates could not be drawn" in done.output
    assert "the backend gave fewer samples than it was asked for" in done.output


def test_verdicts_and_scores_of_a_grown_sample_are_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    critic = ("--critic", tmp_path / "critic.py", "--critic-args", f"log={tmp_path}/scored")
    run = (*critic, "--resamples", 100, "--limit", 2)
    for ns in ("1,2", "1,2,4"):
        assert vpbench("run", tmp_path, *run, "--n", ns).exit_code == 0
    assert (tmp_path / "scored").read_text().splitlines() == ["1 0 1", "2 0 1", "1 2 3", "2 2 3"]
    assert sorted(result["pool_size"] for result in results(tmp_path / "runs")) == [2, 4]
    assert all(result["policy"] == "model" for result in results(tmp_path / "runs"))


def test_a_pool_file_that_grows_or_changes_is_scored_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    critic = ["--critic", tmp_path / "critic.py", "--critic-args", f"log={tmp_path}/scored", "--resamples", 100]
    arguments = [
        "run",
        "--task",
        "mathvista",
        *critic,
        "--pool",
        tmp_path / "pool.jsonl",
        "--output",
        tmp_path / "runs",
    ]
    for responses in (("4", "5"), ("4", "5", "4"), ("4", "6", "4")):
        pool_file(tmp_path, line("1", *responses))
        done = CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "scored").read_text().splitlines() == ["1 0 1", "1 2", "1 1"]
    assert len(results(tmp_path / "runs")) == 3
    rights = sorted(result["curves"]["random"][0]["value"] for result in results(tmp_path / "runs"))
    assert rights == pytest.approx([1 / 2, 2 / 3, 2 / 3])


@pytest.mark.parametrize("name", ["pool.jsonl", "pool.jsonl.gz"])
def test_the_export_is_a_pool(tmp_path: Path, name: str) -> None:
    done = vpbench("sample", tmp_path, "--limit", 2, "--samples", 3, "--export", tmp_path / name)
    assert done.exit_code == 0
    assert str(next((tmp_path / "runs" / "candidates").iterdir())) in done.output
    data = (tmp_path / name).read_bytes()
    first = json.loads((gzip.decompress(data) if name.endswith("gz") else data).splitlines()[0])
    assert first["prompt"].startswith("What is the mean height")
    rows = candidates(tmp_path)
    assert first["candidates"] == [
        {
            "index": index,
            "policy": "fake:model",
            **{field: rows["1", index][field] for field in ("response", "finish_reason", "tokens")},
        }
        for index in range(3)
    ]
    arguments = [
        "run",
        "--task",
        "mathvista",
        "--data",
        nano_folder("mathvista"),
        "--pool",
        tmp_path / name,
        "--critic",
        "self-consistency",
        "--output",
        tmp_path / "from-file",
    ]
    done = CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_a_dry_run_draws_nothing_and_says_what_would_be_drawn(tmp_path: Path) -> None:
    for verb, extra in (("sample", []), ("run", ["--critic", "self-consistency", "--n", "1,4"])):
        done = vpbench(verb, tmp_path, "--limit", 2, "--dry-run", *extra)
        assert done.exit_code == 0
        assert "2 questions" in done.output
        assert f"{128 if verb == 'sample' else 4} candidates per question, temperature 0.7, top-p 0.95" in done.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        ("sample", ["--temperature", "0"], "--temperature 0 draws the same response every time; give --samples 1"),
        ("sample", ["--task", "visualprocessbench"], "is a step-detection task; it has no pools"),
        ("sample", ["--task", "mmmu", "--export", "x.jsonl"], "--export writes one task's candidates"),
        ("sample", ["--export", "x.csv"], "--export x.csv: the file is written as JSON lines; name it .jsonl"),
        ("sample", ["--policy-args", "speed=2"], "fake model: no setting 'speed'; there are: log, model"),
        ("sample", ["--policy", "/nowhere/model"], "no such folder"),
        ("run", ["--critic", "self-consistency", "--pool", "a.jsonl"], "give one of the two"),
        ("run", ["--critic", "self-consistency", "--task", "visualprocessbench"], "leave --policy out"),
    ],
)
def test_wrong_requests_say_what_to_do(tmp_path: Path, verb: str, arguments: list[str], message: str) -> None:
    given = {"--policy": "fake:model", "--data": str(nano_folder("mathvista"))}
    rest = [part for pair in given.items() if pair[0] not in arguments for part in pair]
    task = [] if "visualprocessbench" in arguments else ["--task", "mathvista"]
    everything = [verb, *rest, *task, "--output", str(tmp_path), *arguments]
    done = CliRunner().invoke(main, everything, catch_exceptions=False)
    assert done.exit_code == 2, done.output
    assert message in done.output


def test_a_servers_words_can_not_steer_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shout(self: FakePolicy, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        yield from ((place, Generation("", error="\x1b]0;owned\x07")) for place, _ in enumerate(prompts))

    monkeypatch.setattr(FakePolicy, "generate", shout)
    done = vpbench("sample", tmp_path, "--limit", 1, "--samples", 1, "--max-error-rate", 1)
    assert "owned" in done.output and "\x1b" not in done.output


def test_a_result_tells_how_its_candidates_were_drawn(tmp_path: Path) -> None:
    run = ("--critic", "self-consistency", "--resamples", 100, "--limit", 1, "--samples", 2, "--seed", 5)
    assert vpbench("run", tmp_path, *run, "--top-p", 0.9).exit_code == 0
    (result,) = results(tmp_path / "runs")
    told = result["provenance"]["drawing"]
    assert told["policy"] == {"backend": "fake", "revision": "", "model": "model", "log": f"{tmp_path}/log"}
    names = ("samples", "temperature", "top_p", "max_tokens", "first_greedy", "seed", "prompt")
    assert [told[name] for name in names] == [2, 0.7, 0.9, 4096, False, 5, "chain-of-thought"]
    assert set(result["provenance"]["seconds"]) == {"load", "draw", "grade", "score", "analyse", "write"}


def test_more_to_choose_from_than_is_drawn_is_told_before_drawing(tmp_path: Path) -> None:
    done = vpbench("run", tmp_path, "--critic", "self-consistency", "--samples", 4, "--n", "1,8")
    assert (done.exit_code, (tmp_path / "log").exists()) == (2, False)
    assert "--n 8 needs as many candidates per question; raise --samples 4" in done.output

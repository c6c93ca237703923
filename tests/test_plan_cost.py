"""What a dry run reckons: rows kept and owed, tokens, GPU hours and dollars, by given rates and by measured ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from small_runs import line, pool_file, results, vpbench

from vpbench.data.miniature import nano_model
from vpbench.scoring.label_logits import StepPrompt
from vpbench.scoring.shared_prefix import tokens_read
from vpbench.store import SCORES, RowStore, kept_rows

HEADS = ("task", "row", "missing", "kept", "owed", "generate", "read", "hours", "dollars")
RUN = ("run", "--nano", "--task", "mathvista", "--limit", 4, "--resamples", 100)
DRAWN = (*RUN, "--critic", "visualprm,self-consistency", "--policy", "nano", "--max-tokens", 50)


def table(*arguments: object) -> dict[str, dict[str, str]]:
    """The cells of a dry run, by task and row, the total by its own name; cells are told apart by their columns."""
    done = vpbench(*arguments, "--dry-run")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    rule = next(number for number, text in enumerate(lines) if re.fullmatch(r"-+(  -+){8}", text))
    columns = [match.span() for match in re.finditer("-+", lines[rule])]
    rows = {}
    for text in lines[rule + 1 : lines.index("", rule)]:
        cells = dict(zip(HEADS, (text[start:end].strip() for start, end in columns), strict=True))
        rows[f"{cells['task']} {cells['row']}".strip()] = cells
    return rows


def numbers(cells: dict[str, str], *names: str) -> list[float]:
    return [float(cells[name].removeprefix("<= ").replace(",", "")) for name in names]


def test_kept_and_owed_candidates_and_scores_are_told_apart(tmp_path: Path) -> None:
    output = ("--output", tmp_path / "runs")
    before = table(*DRAWN, *output, "--samples", 2)
    assert not (tmp_path / "runs").exists()
    policy, critic = before["mathvista policy policy"], before["mathvista visualprm"]
    assert (policy["kept"], policy["owed"], policy["generate"]) == ("0", "8", "<= 400")
    assert (critic["kept"], critic["owed"], critic["generate"]) == ("0", "8", "0")
    assert before["mathvista self-consistency"]["read"] == before["mathvista self-consistency"]["hours"].removesuffix(
        ".00"
    )

    done = vpbench(*DRAWN, *output, "--samples", 2)
    assert done.exit_code == 0, done.output
    files = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "runs").rglob("*"))
    same = table(*DRAWN, *output, "--samples", 2)
    assert [(cells["kept"], cells["owed"]) for cells in same.values()] == [
        ("8", "0"),
        ("8", "0"),
        ("8", "0"),
        ("24", "0"),
    ]
    assert numbers(same["total"], "generate", "read", "hours", "dollars") == [0, 0, 0, 0]

    more = table(*DRAWN, *output, "--samples", 3)
    assert [(cells["kept"], cells["owed"]) for cells in more.values()][:2] == [("8", "4"), ("8", "4")]
    # Lengths are those of the responses that are there, so no more the largest, and hours by the rates of the run.
    assert "<=" not in json.dumps(more) and "n/a" not in more["mathvista policy policy"]["hours"]
    assert "n/a" not in more["mathvista visualprm"]["hours"]
    assert files == sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "runs").rglob("*"))


def test_hours_and_dollars_are_tokens_by_the_given_rates(tmp_path: Path) -> None:
    rates = ("--rates", "generate=0.5,read=0.25", "--rates", "gpu-hour=3")
    cells = table(*DRAWN, "--output", tmp_path, "--samples", 2, *rates)
    generate, read, hours, dollars = numbers(cells["mathvista policy policy"], "generate", "read", "hours", "dollars")
    assert hours == pytest.approx((generate / 0.5 + read / 0.25) / 3600, abs=0.006)
    assert dollars == pytest.approx(3 * (generate / 0.5 + read / 0.25) / 3600, abs=0.006)
    read, hours = numbers(cells["mathvista visualprm"], "read", "hours")
    assert hours == pytest.approx(read / 0.25 / 3600, abs=0.006)
    total = [
        sum(numbers(cells[row], name)[0] for row in cells if row != "total") for name in ("owed", "generate", "read")
    ]
    assert numbers(cells["total"], "owed", "generate", "read") == total


def test_what_no_rate_is_known_of_is_left_open(tmp_path: Path) -> None:
    done = vpbench(*DRAWN, "--output", tmp_path, "--dry-run")
    assert "n/a: nothing tells; of rates that weren't measured here, give --rates generate=" in done.output
    cells = table(*DRAWN, "--output", tmp_path, "--rates", "generate=1,read=1")
    assert cells["total"]["hours"] != "n/a" and cells["total"]["dollars"] == "n/a"


def test_an_endpoint_costs_its_prices_and_no_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-a-test")
    asked = ("--policy", "openai:some-model", "--policy-args", "prompt_price=1,completion_price=1000000")
    cells = table(
        *RUN, "--critic", "self-consistency", *asked, "--samples", 2, "--max-tokens", 50, "--output", tmp_path
    )
    policy = cells["mathvista policy some-model"]
    assert policy["hours"] == "0.00" and numbers(policy, "dollars")[0] == pytest.approx(400, abs=0.1)


def test_data_weights_and_scores_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    pool = pool_file(tmp_path, *({"question_id": str(id), "candidates": [{"response": "4" * 40}] * 2} for id in (1, 2)))
    scores = pool_file(
        tmp_path,
        *({"question_id": str(id), "index": index, "score": 1.0} for id in (1, 2) for index in (0, 1)),
        name="own.jsonl",
    )
    critics = ("--critic", "visualprm:some/model", "--scores", scores)
    cells = table("run", "--task", "mathvista", "--pool", pool, *critics, "--output", tmp_path / "runs")
    assert cells["mathvista visualprm:model"]["missing"] == "data, weights"
    assert cells["mathvista visualprm:model"]["owed"] == "4"
    assert (cells["mathvista own.jsonl"]["kept"], cells["mathvista own.jsonl"]["owed"]) == ("4", "0")
    pool = pool_file(tmp_path, line("1", "4", "5"))
    cells = table("run", "--task", "mathvista", "--pool", pool, "--critic", "self-consistency")
    assert cells["mathvista self-consistency"]["missing"] == ""


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ("speed=1", "--rates: no rate 'speed'; there are: generate, read, gpu-hour"),
        ("generate=0", "--rates generate=0: give a number above 0"),
        ("gpu-hour=cheap", "--rates gpu-hour=cheap: give a number above 0"),
        ("read=inf", "--rates read=inf: give a number above 0"),
        ("read", "'read' is not of the form name=value"),
    ],
)
@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
def test_wrong_rates_are_refused(tmp_path: Path, rates: str, message: str, dry_run: list[str]) -> None:
    done = vpbench(*RUN, "--critic", "self-consistency", "--rates", rates, "--output", tmp_path / "runs", *dry_run)
    assert done.exit_code == 2 and message in done.output, done.output
    assert not (tmp_path / "runs").exists()


def test_a_checkpoint_critic_tells_what_it_read(tmp_path: Path) -> None:
    command = ("run", "--nano", "--task", "mathvista", "--limit", 2, "--resamples", 100, "--output", tmp_path)
    done = vpbench(*command, "--critic", f"visualprm:{nano_model('prm')}")
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path)
    read = result["provenance"]["critic_used_in_this_run"]["prompt_tokens"]
    assert read > 0 and f"used by the critic in this run: {read} prompt tokens" in done.output
    done = vpbench(*command, "--critic", f"visualprm:{nano_model('prm')}")
    assert "used by the critic" not in done.output


@pytest.mark.parametrize(
    ("ids", "tokens"),
    [([], 0), ([(1, 2, 3, 4)], 4), ([(1, 2, 3, 4), (1, 2, 3, 5), (1, 2, 3, 5)], 5), ([(1, 2), (2, 3, 4)], 5)],
)
def test_what_responses_share_is_read_once(ids: list[tuple[int, ...]], tokens: int) -> None:
    assert tokens_read([StepPrompt(("step",), "", tuple(prompt), (len(prompt) - 1,)) for prompt in ids]) == tokens


def test_a_damaged_result_gives_no_rates_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "results" / "broken").mkdir(parents=True)
    (tmp_path / "results" / "broken" / "result.json").write_text("{")
    done = vpbench(*DRAWN, "--output", tmp_path, "--dry-run")
    assert done.exit_code == 0 and "no rates are taken from a result that can't be read" in done.output, done.output


def test_rows_are_read_while_another_run_writes_them(tmp_path: Path) -> None:
    row = {"value": 0.5, "steps": [0.5], "reason": None, "retry": False, "content": "x"}
    assert kept_rows(tmp_path / "none", "scores") == {} and not (tmp_path / "none").exists()
    with RowStore(tmp_path / "rows", "scores", {"critic": "mine"}) as store:
        store.append(("1", 0), row)
        store.seal()
        store.append(("1", 1), row)
        store.flush()
        journal = tmp_path / "rows" / "journal.jsonl"
        journal.write_bytes(torn := journal.read_bytes() + b'{"question_id":"1","ind')
        kept = kept_rows(tmp_path / "rows", "scores")
        assert set(kept) == {("1", 0), ("1", 1)} and SCORES.from_row(kept["1", 1]).value == 0.5
        assert journal.read_bytes() == torn


def test_rows_that_use_the_same_scores_are_scored_once(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(
        f"{{name: s, nano: true, limit: 2, tasks: mathvista, output: {tmp_path}/runs, critics: {{"
        "mean: {critic: visualprm}, min: {critic: visualprm, aggregate: min}, other: {critic: orm}}}"
    )
    cells = table("run", study)
    assert [(row, cells[f"mathvista {row}"]["owed"]) for row in ("mean", "min", "other")] == [
        ("mean", "256"),
        ("min", "0"),
        ("other", "256"),
    ]

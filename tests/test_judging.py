"""Runs with a judge: what is asked, what is kept, what is retried, and what a result says of it."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from chat_server import Answer, chat_server, completion, refusal, text_of
from click.testing import CliRunner, Result

from vpbench.cli import main
from vpbench.generate.openai_endpoint import OpenAIEndpoint
from vpbench.plugins import find_critic, find_task
from vpbench.run.judge import FAILED

SCHEMA = json.loads((Path(__file__).parent.parent / "vpbench" / "report" / "result.schema.json").read_text())


KEY = "sk-judge-key-987654321"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("vpbench.endpoint.client.FIRST_PAUSE_S", 0.001)


SPELLED = {"4": "four", "5": "five", "6": "six"}


def pool(tmp_path: Path, *responses: str, answer: str = "4") -> Path:
    path = tmp_path / "pool.jsonl"
    fields = {"question_id": "7", "question": "How many?", "answer": answer, "answer_type": "integer"}
    path.write_text(json.dumps({**fields, "candidates": [{"response": response} for response in responses]}) + "\n")
    return path


def run(tmp_path: Path, url: str, file: Path, *more: str, name: str = "mathvista") -> Result:
    command = [
        "run",
        "--task",
        name,
        "--critic",
        "self-consistency",
        "--grading",
        "official",
        "--pool",
        str(file),
        "--judge",
        "openai:m",
        "--judge-args",
        f"base_url={url},retries=0,concurrency=2",
        "--output",
        str(tmp_path / "runs"),
        "--resamples",
        "100",
        *more,
    ]
    return CliRunner().invoke(main, command, catch_exceptions=False)


def result_of(tmp_path: Path) -> dict[str, Any]:
    (path,) = (tmp_path / "runs" / "results").glob("*/result.json")
    result: dict[str, Any] = json.loads(path.read_text())
    jsonschema.validate(result, SCHEMA)
    return result


def rows_of(tmp_path: Path) -> list[tuple[bool, str]]:
    import pyarrow.parquet as pq

    (path,) = (tmp_path / "runs" / "results").glob("*/rows.parquet")
    return [(row["correct"], row["reason"]) for row in pq.read_table(path).to_pylist()]


def extractor(body: dict[str, Any], _: int) -> Answer:
    text = text_of(body).rpartition("<response>")[2]
    return completion("Answer: " + next((digit for digit, word in SPELLED.items() if word in text), "NONE"))


def test_a_run_grades_by_its_judge_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judges: list[int] = []
    gc.collect()  # those that earlier tests left in tracebacks

    def look(_: Any) -> None:
        judges.append(sum(type(each) is OpenAIEndpoint for each in gc.get_objects()))

    monkeypatch.setattr(find_critic("self-consistency").cls, "prepare", look)
    file = pool(tmp_path, "I get four.", "I get five.", "4", "hm", "I get four.")
    with chat_server(extractor) as server:
        done = run(tmp_path, server.url, file, "--judge-args", "prompt_price=1,completion_price=2")
        assert done.exit_code == 0, done.output
        assert len(server.bodies) == 3
        assert {body["temperature"] for body in server.bodies} == {0.0}
        assert rows_of(tmp_path) == [
            (True, "match"),
            (False, "different"),
            (True, "match"),
            (False, "no answer"),
            (True, "match"),
        ]
        result = result_of(tmp_path)
        assert result["judge"] == "openai:m"
        assert "4 of 5 verdicts by judge openai:m, asked in vpbench's own words" in result["notes"]
        facts = result["provenance"]["judge"]
        tokens = sum(len(text) for text in ("Answer: 4", "Answer: 5", "Answer: NONE"))
        cost = pytest.approx((30 + 2 * tokens) / 1e6)
        expected = {"requests": 3, "prompt_tokens": 30, "completion_tokens": tokens, "cost": cost}
        assert facts["used_in_this_run"] == expected
        assert (
            f"used by the judge in this run: 3 requests, 30 prompt tokens, {tokens} completion tokens, $0.0001"
            in done.output
        )
        assert "grading official by rule and judge openai:m" in done.output
        assert judges == [0], "the judge would stay in memory beside the critic"
        again = run(tmp_path, server.url, file, "--judge-args", "prompt_price=1,completion_price=2")
        assert again.exit_code == 0, again.output
        assert len(server.bodies) == 3
    assert result_of(tmp_path)["provenance"]["judge"]["used_in_this_run"].get("requests", 0) == 0
    for path in (tmp_path / "runs").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_a_judged_result_and_a_rule_only_one_lie_side_by_side(tmp_path: Path) -> None:
    file = pool(tmp_path, "I get four.", "4")
    with chat_server(extractor) as server:
        run(tmp_path, server.url, file)
    command = [
        "run",
        "--task",
        "mathvista",
        "--critic",
        "self-consistency",
        "--resamples",
        "100",
        "--pool",
        str(file),
        "--output",
        str(tmp_path / "runs"),
    ]
    done = CliRunner().invoke(main, [*command, "--grading", "official"], catch_exceptions=False)
    note = "1 of 2 verdicts are rule-only: there the official rule asks a language model; give one by --judge"
    assert note in done.output
    results = [json.loads(path.read_text()) for path in (tmp_path / "runs" / "results").glob("*/result.json")]
    assert {result.get("judge"): result["curves"]["random"][0]["value"] for result in results} == {
        "openai:m": 1.0,
        None: 0.5,
    }
    assert "rule-only" not in CliRunner().invoke(main, command, catch_exceptions=False).output


def test_a_failed_request_is_a_row_with_its_reason_and_is_asked_again(tmp_path: Path) -> None:
    file = pool(tmp_path, "I get four.", "I get five.", "I get six.", "4")
    fails = {"five": refusal(500, "overloaded")}

    def rule(body: dict[str, Any], number: int) -> Answer:
        text = text_of(body).rpartition("<response>")[2]
        return next((answer for word, answer in fails.items() if word in text), extractor(body, number))

    with chat_server(rule) as server:
        done = run(tmp_path, server.url, file)
        assert done.exit_code == 3
        assert "1 of 4 rows failed, more than --max-error-rate 0.1 allows" in done.output
        done = run(tmp_path, server.url, file, "--max-error-rate", "0.5")
        assert done.exit_code == 0, done.output
        assert rows_of(tmp_path)[1] == (False, f"{FAILED}: failed at the endpoint (500): overloaded")
        result = result_of(tmp_path)
        assert result["errors"] == {FAILED: 1}
        assert "1 rows got no reply from the judge and count as wrong; the same command asks again" in result["notes"]
        fails.clear()
        before = len(server.bodies)
        assert run(tmp_path, server.url, file).exit_code == 0
        assert ["five" in text_of(body) for body in server.bodies[before:]] == [True]
    assert rows_of(tmp_path)[1] == (False, "different")
    assert result_of(tmp_path)["errors"] == {}


def test_an_unreadable_reply_is_counted_and_the_rule_decides(tmp_path: Path) -> None:
    file = pool(tmp_path, "I get four.", "4")
    with chat_server(lambda *_: completion("Well,\nwho knows.")) as server:
        for _ in range(2):
            assert run(tmp_path, server.url, file).exit_code == 0
        assert len(server.bodies) == 1
    assert rows_of(tmp_path) == [(False, "judge's reply can't be read: no answer (rule-only)"), (True, "match")]
    assert "1 replies of the judge can't be read; these rows are graded by rule" in result_of(tmp_path)["notes"]


def test_changed_grader_code_asks_nothing_again(tmp_path: Path) -> None:
    file, grader = pool(tmp_path, "I get four."), tmp_path / "mine.py"
    grader.write_bytes(find_task("mathvista").path.read_bytes())
    with chat_server(extractor) as server:
        run(tmp_path, server.url, file, name=str(grader))
        grader.write_bytes(grader.read_bytes() + b"# changed\n")
        run(tmp_path, server.url, file, name=str(grader))
        assert len(server.bodies) == 1
    assert len(list((tmp_path / "runs" / "verdicts").iterdir())) == 2


def test_a_key_that_is_refused_stops_with_one_message(tmp_path: Path) -> None:
    with chat_server(lambda *_: refusal(401, f"bad key {KEY}")) as server:
        done = run(tmp_path, server.url, pool(tmp_path, "I get four."))
    assert done.exit_code == 2
    assert "refuses the key in OPENAI_API_KEY (401: bad key [key])" in done.output
    assert KEY not in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grading", "robust"], "--judge is for --grading official"),
        (["--trust-verdicts"], "--judge is for --grading official"),
        (["--judge-args", "colour=red"], "openai model: no setting 'colour'"),
        (["--judge", "openai:"], "write openai:MODEL"),
    ],
)
def test_wrong_requests_say_what_to_do(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run(tmp_path, "http://127.0.0.1:1/v1", pool(tmp_path, "I get four."), *arguments)
    assert done.exit_code == 2
    assert message in done.output


def test_a_dry_run_says_how_much_would_be_asked(tmp_path: Path) -> None:
    done = run(tmp_path, "http://127.0.0.1:1/v1", pool(tmp_path, "I get four.", "4", "six"), "--dry-run")
    assert "judge     openai:m, asked about 2 rows" in done.output

"""Endpoints that fail for a while: 30% faults of all kinds lose, double and change no row, none fills the memory."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chat_server import Answer, Rule, Server, chat_server, completion, text_of
from click.testing import CliRunner
from faulty_server import FAULTS, SHORT, fails_often

from vpbench.cli import main
from vpbench.endpoint.replies import LONGEST_REPLY
from vpbench.generate import Generation, Message, Prompt, Sampling
from vpbench.generate.openai_endpoint import OpenAIEndpoint


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpbench.endpoint.client.FIRST_PAUSE_S", 0.001)


def _draw(server: Server, count: int = 1, prompts: int = 1, **settings: Any) -> list[Generation]:
    generator = OpenAIEndpoint("m", server.url, **settings)
    asked = [Prompt((Message("user", f"hello {number}"),), Sampling(), count) for number in range(prompts)]
    return [sample for _, sample in generator.generate(asked)]


def _once(fault: Answer) -> Rule:
    return lambda body, number: completion("good") if number else fault


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_is_tried_again(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpbench.endpoint.replies.LONGEST_REPLY", 2**16)
    with chat_server(_once(FAULTS[kind])) as server:
        assert _draw(server, timeout_s=0.3, retries=3) == [Generation("good", "stop", 4)]
        assert len(server.bodies) >= 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (FAULTS["no choices"], "broken reply: no choices"),
        (FAULTS["null content"], "no text in the reply: stop"),
        (FAULTS["no tokens"], "no text in the reply: stop"),
        (FAULTS["error in 200"], "failed at the endpoint (200): upstream is busy"),
        (Answer({"error": "out of order", "choices": None}), 'failed at the endpoint (200): {"error": "out of order"'),
        (FAULTS["slow headers"], "no reply within 0.3 s"),
        (FAULTS["gzip garbage"], "broken reply: can't be unpacked"),
        (FAULTS["gzip cut short"], "broken reply: cut short"),
        (Answer(b"x", 200, {"Content-Encoding": "br"}), "broken reply: packed as 'br'"),
        (Answer(b"x", 200, {"Content-Encoding": "gzip, gzip"}), "broken reply: packed as 'gzip, gzip'"),
    ],
)
def test_what_lasts_fails_the_row_after_all_tries(fault: Answer, reason: str) -> None:
    with chat_server(lambda *_: fault) as server:
        (sample,) = _draw(server, timeout_s=0.3, retries=1)
    assert (sample.error or "").startswith(reason)
    assert len(server.bodies) == 2


def test_a_refusal_to_answer_is_final() -> None:
    refused = Answer({"choices": [{"message": {"content": None, "refusal": "I can't"}, "finish_reason": "stop"}]})
    with chat_server(lambda *_: refused) as server:
        (sample,) = _draw(server)
    assert sample.error == "no text in the reply: I can't"
    assert len(server.bodies) == 1


def test_an_end_without_text_is_an_answer_where_a_token_was_drawn() -> None:
    ended = {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}
    with chat_server(lambda *_: Answer(ended)) as server:
        assert _draw(server) == [Generation("", "stop", 1)]


def test_a_reply_is_bounded_however_it_is_packed() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(packer.compress(b" " * 2**20) for _ in range(1 + (LONGEST_REPLY >> 20))), packer.flush()])
    assert len(bomb) < 2**18
    with chat_server(_once(Answer(bomb, 200, {"Content-Encoding": "gzip"}))) as server:
        assert _draw(server, retries=1)[0].text == "good"
    whole = gzip.compress(json.dumps(completion("packed").body).encode())
    with chat_server(lambda *_: Answer(whole, 200, {"Content-Encoding": "gzip"})) as server:
        assert _draw(server)[0].text == "packed"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a "}, {"type": "text", "text": "b"}], "a b"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "b"}], "b"),
        ([{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "b"}], "b"),
        (["a", {"text": "b"}, 5, None, {"type": ["text"], "text": "c"}, {"type": "text", "text": 7}], "ab"),
        ("a\ud800b", "a?b"),
    ],
)
def test_content_may_be_a_list_of_chunks(content: Any, text: str) -> None:
    message = {"content": content, "reasoning_content": "secret thoughts", "reasoning": "more"}
    with chat_server(lambda *_: Answer({"choices": [{"message": message, "finish_reason": "stop"}]})) as server:
        assert _draw(server)[0].text == text


ODD: list[Any] = [None, True, -1, 2**60, 10**400, 1.5, "x", [], {}, [[]], {"a": {}}]


def test_nothing_in_a_reply_raises() -> None:
    chance = random.Random(1)

    def odd(*_: Any) -> Answer:
        token = {"token": chance.choice(ODD), "logprob": chance.choice(ODD), "top_logprobs": chance.choice(ODD)}
        message = {"content": chance.choice(ODD), "refusal": chance.choice(ODD)}
        choice = {
            "message": chance.choice([message, *ODD]),
            "finish_reason": chance.choice(["stop", *ODD]),
            "logprobs": chance.choice([{"content": [token]}, *ODD]),
            "error": chance.choice([None, *ODD]),
        }
        usage = {"prompt_tokens": chance.choice(ODD), "completion_tokens": chance.choice(ODD)}
        reply = {"choices": chance.choice([[choice], *ODD]), "usage": chance.choice([usage, *ODD])}
        return Answer({**reply, "error": chance.choice([None, None, None, *ODD])}, chance.choice([200, 200, 400, 500]))

    with chat_server(odd) as server:
        generator = OpenAIEndpoint("m", server.url, retries=0, concurrency=1)
        asked = [Prompt((Message("user", "hello"),), Sampling(), 2, first_token_logprobs=True)] * 300
        drawn = list(generator.generate(asked))
    assert Counter(position for position, _ in drawn) == dict.fromkeys(range(300), 2)
    assert all(type(sample.tokens) in (int, type(None)) for _, sample in drawn)
    assert all(0 <= used < 2**63 for used in generator.usage().values())


def test_a_short_reply_is_filled_up_and_does_not_make_the_run_one_by_one() -> None:
    def short_once(body: dict[str, Any], number: int) -> Answer:
        return completion(*["x"] * (body.get("n", 1) - (number == 0)))

    with chat_server(short_once) as server:
        assert len(_draw(server, count=8, prompts=3, concurrency=1)) == 24
    assert [body.get("n", 1) for body in server.bodies] == [8, 1, 8, 8]


def test_empty_samples_among_others_are_asked_for_again() -> None:
    def one_empty(body: dict[str, Any], number: int) -> Answer:
        answer = completion(*["x"] * body.get("n", 1))
        if number == 0:
            assert isinstance(answer.body, dict)
            answer.body["choices"][1]["message"]["content"] = None
        return answer

    with chat_server(one_empty) as server:
        assert [sample.text for sample in _draw(server, count=4)] == ["x"] * 4
    assert [body.get("n", 1) for body in server.bodies] == [4, 1]


def _echo(body: dict[str, Any], _: int) -> Answer:
    number = zlib.crc32(text_of(body).encode()) % 97
    return completion(*[f"First {number}.\n\nAnswer: {number}"] * body.get("n", 1))


def _verdict(body: dict[str, Any], _: int) -> Answer:
    return completion("Yes" if zlib.crc32(text_of(body).encode()) % 3 else "No", logprobs={"Yes": -0.5, "No": -1.0})


SETTINGS = "retries=12;timeout_s=0.4;concurrency=8"


def _command(*arguments: object) -> None:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def _sampled(rule: Rule, folder: Path) -> list[tuple[str, int, str]]:
    with chat_server(rule) as server:
        settings = f"base_url={server.url},{SETTINGS.replace(';', ',')}"
        pool = folder / "pool.jsonl"
        asked = ["--samples", 100, "--limit", 40, "--policy", "openai:m", "--policy-args", settings]
        _command("sample", "--nano", "--task", "mathvista", *asked, "--output", folder, "--export", pool)
    lines = [json.loads(line) for line in pool.read_text().splitlines()]
    return [
        (line["question_id"], index, candidate["response"])
        for line in lines
        for index, candidate in enumerate(line["candidates"])
    ]


def _judged(rule: Rule, folder: Path) -> Any:
    with chat_server(rule) as server:
        settings = f"mode=per-step,model_args=base_url={server.url};{SETTINGS}"
        critic = ["--critic", "mllm-judge", "--critic-model", "openai:m", "--critic-args", settings]
        _command("run", "--nano", "--task", "visualprocessbench", "--limit", 30, *critic, "--output", folder)
    (rows,) = (folder / "results").glob("*/rows.parquet")
    return pq.read_table(rows)


def test_faults_change_no_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpbench.endpoint.replies.LONGEST_REPLY", 2**16)
    right = _sampled(_echo, tmp_path / "right")
    assert len(set(right)) == 4000
    faults: Counter[str] = Counter()
    assert _sampled(fails_often(_echo, faults), tmp_path / "faulty") == right
    assert faults.keys() >= {*FAULTS, SHORT}


def test_faults_change_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpbench.endpoint.replies.LONGEST_REPLY", 2**16)
    right = _judged(_verdict, tmp_path / "right")
    assert right.num_rows == 30
    faults: Counter[str] = Counter()
    assert _judged(fails_often(_verdict, faults), tmp_path / "faulty").equals(right)
    assert faults.keys() >= FAULTS.keys()

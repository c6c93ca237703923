"""Generation through a chat-completions server: samples, failures, retries, usage, and no key anywhere."""

from __future__ import annotations

import base64
import json
import sys
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from chat_server import Answer, Rule, Server, chat_server, completion, refusal, text_of
from click.testing import CliRunner
from PIL import Image

from vpbench import ConfigError, ImageRef
from vpbench.cli import main
from vpbench.generate import Generation, Message, Prompt, Sampling, load_generator
from vpbench.generate.openai_endpoint import OpenAIEndpoint

KEY = "sk-very-secret-1234567890"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("vpbench.endpoint.client.FIRST_PAUSE_S", 0.001)


def prompt(text: str = "hello", count: int = 1, **extra: Any) -> Prompt:
    return Prompt((Message("user", text),), Sampling(0.7, 0.95, 100), count, **extra)


def endpoint(server: Server, **settings: Any) -> OpenAIEndpoint:
    return OpenAIEndpoint("m", server.url, **{"retries": 2, **settings})


def samples(generator: OpenAIEndpoint, *prompts: Prompt) -> dict[int, list[Generation]]:
    drawn: dict[int, list[Generation]] = {}
    for position, generation in generator.generate(prompts):
        drawn.setdefault(position, []).append(generation)
    return drawn


def echo(body: dict[str, Any], _: int) -> Answer:
    return completion(*[text_of(body)] * body.get("n", 1))


def test_a_request_carries_the_conversation_and_the_sampling() -> None:
    with chat_server(echo) as server:
        conversation = (Message("system", "be brief"), Message("user", "why?"))
        asked = Prompt(conversation, Sampling(0.3, 0.9, 50))
        assert samples(endpoint(server), asked) == {0: [Generation("be brief\nwhy?", "stop", 13)]}
    assert server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "why?"}],
            "temperature": 0.3,
            "top_p": 0.9,
            "max_tokens": 50,
        }
    ]
    assert server.keys == [f"Bearer {KEY}"]


def test_many_prompts_run_at_once_but_no_more_than_allowed() -> None:
    with chat_server(echo, seconds=0.03) as server:
        drawn = samples(endpoint(server, concurrency=5), *[prompt(str(k)) for k in range(20)])
    assert {k: [sample.text for sample in of] for k, of in drawn.items()} == {k: [str(k)] for k in range(20)}
    assert 2 <= server.most_at_once <= 5


def test_samples_come_in_one_request_where_the_server_allows_it() -> None:
    with chat_server(echo) as server:
        drawn = samples(endpoint(server), prompt(count=7))
    assert [sample.text for sample in drawn[0]] == ["hello"] * 7
    assert [body["n"] for body in server.bodies] == [7]


def refuses_n(body: dict[str, Any], number: int) -> Answer:
    return refusal(400, "n must be 1") if "n" in body else completion(str(number))


def ignores_n(body: dict[str, Any], number: int) -> Answer:
    return completion(str(number))


@pytest.mark.parametrize(("rule", "wasted", "asked"), [(refuses_n, 1, 1), (ignores_n, 0, 2)])
def test_else_one_by_one_and_the_server_is_not_asked_for_several_again(rule: Rule, wasted: int, asked: int) -> None:
    with chat_server(rule) as server:
        generator = endpoint(server, concurrency=1)
        drawn = samples(generator, prompt(count=4), prompt(count=3))
    assert [len(drawn[k]) for k in (0, 1)] == [4, 3]
    texts = [sample.text for of in drawn.values() for sample in of]
    assert len(set(texts)) == 7
    assert sum("n" in body for body in server.bodies) == asked
    assert len(server.bodies) == 7 + wasted


def test_seeds_go_to_the_server_only_if_told_and_differ_between_samples() -> None:
    with chat_server(ignores_n) as server:
        samples(endpoint(server), prompt(seed=5))
        assert "seed" not in server.bodies[0]
        server.bodies.clear()
        samples(endpoint(server, send_seed=True), prompt(seed=5, count=3), prompt(seed=6, count=2))
    assert {5, 6} < {body["seed"] for body in server.bodies}
    assert len({body["seed"] for body in server.bodies}) == 5


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_may_pass_is_tried_again(status: int) -> None:
    with chat_server(lambda body, number: refusal(status, "later") if number < 2 else echo(body, number)) as server:
        assert samples(endpoint(server), prompt())[0][0].text == "hello"
    assert len(server.bodies) == 3


def test_retry_after_is_honoured() -> None:
    def busy(body: dict[str, Any], number: int) -> Answer:
        return echo(body, number) if number else refusal(429, "slow down", **{"Retry-After": "0.4"})

    with chat_server(busy) as server:
        assert samples(endpoint(server), prompt())[0][0].text == "hello"
    assert server.times[1] - server.times[0] >= 0.4


def test_a_pause_longer_than_anyone_waits_is_a_failed_row_at_once() -> None:
    with chat_server(lambda *_: refusal(429, "daily limit", **{"Retry-After": "86400"})) as server:
        (failed,) = samples(endpoint(server), prompt())[0]
    assert failed == Generation("", error="rate limit: the server asks to wait 86400 s; run again later")
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(b"{not json"), "broken reply: not valid JSON"),
        (Answer(b"[1]"), "broken reply: not a JSON object"),
        (Answer(b"[" * 200_000), "broken reply: not valid JSON"),
        (Answer(b"<html>busy</html>", headers={"Content-Type": "text/html"}), "broken reply: not valid JSON"),
        (Answer({"choices": None}), "broken reply: no choices"),
        (Answer({"choices": [{"message": {"content": None}}]}), "no text in the reply: None"),
        (completion("half", finish="content_filter"), "no text in the reply: content_filter"),
        (refusal(503, "overloaded"), "failed at the endpoint (503): overloaded"),
        (refusal(400, "the prompt is too long"), "refused by the endpoint (400): the prompt is too long"),
        (refusal(413, "too large"), "refused by the endpoint (413): too large"),
    ],
)
def test_what_fails_for_one_prompt_is_its_error_and_the_others_go_on(answer: Answer, reason: str) -> None:
    with chat_server(lambda body, n: answer if "bad" in text_of(body) else echo(body, n)) as server:
        drawn = samples(endpoint(server), prompt("a"), prompt("bad", count=2), prompt("b"))
    assert [drawn[k][0].text for k in (0, 2)] == ["a", "b"]
    assert len(drawn[1]) == 2
    for failed in drawn[1]:
        assert failed.text == ""
        assert (failed.error or "").startswith(reason)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refusal(401, f"wrong key {KEY}"), r"refuses the key in OPENAI_API_KEY \(401: wrong key \[key\]\)"),
        (refusal(403, "not you"), r"doesn't allow this"),
        (refusal(404, "model m does not exist"), r"no such model or address \(404: model m does not exist"),
        (Answer({"error": {"message": "pay", "code": "insufficient_quota"}}, 429), r"no quota left"),
    ],
)
def test_what_every_request_would_meet_ends_the_run(answer: Answer, message: str) -> None:
    with chat_server(lambda *_: answer) as server, pytest.raises(ConfigError, match=message) as raised:
        samples(endpoint(server, concurrency=2), *[prompt()] * 50)
    assert KEY not in str(raised.value)
    assert len(server.bodies) <= 4


def test_a_server_that_is_not_there_ends_the_run_with_a_remedy() -> None:
    with chat_server(echo) as server:
        gone = endpoint(server, retries=0)
    with pytest.raises(ConfigError, match="no connection to .*; start the server, or give its address by base_url"):
        samples(gone, prompt())


def test_a_server_that_goes_away_later_fails_rows_only() -> None:
    with chat_server(echo) as server:
        generator = endpoint(server, retries=0)
        samples(generator, prompt())
    assert (samples(generator, prompt())[0][0].error or "").startswith("no connection to")


def test_a_timeout_is_a_failed_row() -> None:
    with chat_server(echo, seconds=0.5) as server:
        generator = endpoint(server, retries=0, timeout_s=0.1)
        assert samples(generator, prompt())[0][0].error == "no reply within 0.1 s"


def test_leaving_early_asks_no_more() -> None:
    with chat_server(echo, seconds=0.02) as server:
        asking = endpoint(server, concurrency=2).generate([prompt()] * 100)
        next(asking)
        asking.close()  # type: ignore[attr-defined]
        assert len(server.bodies) <= 4


def test_usage_and_cost_are_summed_over_threads() -> None:
    prices = {"prompt_price": 2.0, "completion_price": 30.0}
    with chat_server(echo) as server:
        generator = endpoint(server, concurrency=8, **prices)
        samples(generator, *[prompt("four")] * 40)
    used = generator.usage()
    assert used == {"requests": 40, "prompt_tokens": 400, "completion_tokens": 160, "cost": pytest.approx(0.0056)}
    assert "cost" not in endpoint(server).usage()


def test_log_probabilities_are_asked_for_only_where_wanted_and_left_out_where_refused() -> None:
    logprobs = {"Yes": -0.1, "No": -2.5}
    with chat_server(lambda *_: completion("Yes", logprobs=logprobs)) as server:
        assert samples(endpoint(server), prompt())[0][0].first_token_logprobs == logprobs
        assert "logprobs" not in server.bodies[0]
        assert samples(endpoint(server), prompt(first_token_logprobs=True))[0][0].first_token_logprobs == logprobs
        assert server.bodies[1]["logprobs"] is True

    def without(body: dict[str, Any], number: int) -> Answer:
        return refusal(400, "logprobs not supported") if "logprobs" in body else echo(body, number)

    with chat_server(without) as server:
        drawn = samples(endpoint(server, concurrency=1), *[prompt(first_token_logprobs=True)] * 3)
    assert [of[0].text for of in drawn.values()] == ["hello"] * 3
    assert ["logprobs" in body for body in server.bodies] == [True, False, False, False]


def test_the_newer_name_of_the_token_limit_is_used_where_the_server_wants_it() -> None:
    def newer(body: dict[str, Any], number: int) -> Answer:
        return refusal(400, "use 'max_completion_tokens'") if "max_tokens" in body else echo(body, number)

    with chat_server(newer) as server:
        samples(endpoint(server, concurrency=1), prompt(), prompt())
    assert ["max_completion_tokens" in body for body in server.bodies] == [False, True, True]
    with chat_server(newer, seconds=0.01) as server:
        drawn = samples(endpoint(server, concurrency=4), *[prompt()] * 8)
    assert [sample.error for of in drawn.values() for sample in of] == [None] * 8


def test_text_that_is_not_unicode_is_sent_all_the_same() -> None:
    with chat_server(echo) as server:
        assert samples(endpoint(server), prompt("a\ud800b\x00"))[0][0].text == "a?b\x00"


def image_bytes(format: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (3, 2), "red").save(buffer, format)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("format", "kind", "same"), [("PNG", "png", True), ("JPEG", "jpeg", True), ("BMP", "png", False)]
)
def test_images_travel_as_data_urls_before_the_text(format: str, kind: str, same: bool) -> None:
    data = image_bytes(format)
    asked = Prompt((Message("user", "what colour?", (ImageRef("a", load=lambda: data),)),), Sampling())
    with chat_server(echo) as server:
        samples(endpoint(server), asked)
    picture, text = server.bodies[0]["messages"][0]["content"]
    assert text == {"type": "text", "text": "what colour?"}
    head, sent = picture["image_url"]["url"].split(",")
    assert head == f"data:image/{kind};base64"
    assert (base64.b64decode(sent) == data) is same
    assert Image.open(BytesIO(base64.b64decode(sent))).size == (3, 2)


def test_a_missing_image_is_the_prompts_error_and_nothing_is_sent() -> None:
    asked = Prompt((Message("user", "what?", (ImageRef("q7"),)),), Sampling(), count=2)
    with chat_server(echo) as server:
        drawn = samples(endpoint(server), asked, prompt())
    assert [(sample.error or "")[:17] for sample in drawn[0]] == ["missing image: q7"] * 2
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"api_key_env": KEY}, "never the key itself"),
        ({"api_key_env": "hf_aBcDeF123"}, "never the key itself"),
        ({"base_url": "https://user:pw@host/v1"}, "must hold no key or password"),
        ({"base_url": "https://host/v1?key=1"}, "must hold no key or password"),
        ({"concurrency": "0"}, "concurrency has to be at least 1"),
        ({"key": "x"}, "no setting 'key'"),
    ],
)
def test_settings_that_would_leak_or_cannot_work_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        load_generator("openai:m", settings)
    assert KEY not in str(raised.value)


def test_openai_itself_wants_a_key_and_ones_own_server_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ConfigError, match="set the environment variable OPENAI_API_KEY"):
        OpenAIEndpoint("m").prepare()
    with chat_server(echo) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert samples(OpenAIEndpoint("m"), prompt())[0][0].text == "hello"
        assert OpenAIEndpoint("m").revision() == server.url


def test_the_identity_holds_what_determines_samples_and_no_key() -> None:
    one, other = (OpenAIEndpoint("m", "http://h/v1", concurrency=k) for k in (1, 9))
    assert one.identity() == other.identity()
    assert one.identity()["model"] == "m"
    assert OpenAIEndpoint("m", "http://other/v1").identity() != one.identity()
    assert KEY not in json.dumps(one.identity())


def test_a_missing_package_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ConfigError, match=r"pip install 'vpbench\[openai\]'"):
        OpenAIEndpoint("m", "http://h/v1").prepare()


def test_no_thread_is_left_behind() -> None:
    with chat_server(echo) as server:
        samples(endpoint(server), *[prompt()] * 5)
    assert "request" not in [thread.name for thread in threading.enumerate()]


def test_a_policy_behind_an_endpoint_is_sampled_once_and_its_key_is_nowhere(tmp_path: Path) -> None:
    pool = tmp_path / "pool.jsonl"
    with chat_server(echo) as server:
        command = [
            "sample",
            "--nano",
            "--task",
            "mathvista",
            "--policy",
            "openai:m",
            "--policy-args",
            f"base_url={server.url},retries=0",
            "--samples",
            "3",
            "--limit",
            "2",
            "--output",
            str(tmp_path / "runs"),
            "--export",
            str(pool),
        ]
        for _ in range(2):
            done = CliRunner().invoke(main, command, catch_exceptions=False)
            assert done.exit_code == 0, done.output
        assert [body["n"] for body in server.bodies] == [3, 3]
        assert (server.bodies[0]["temperature"], server.bodies[0]["max_tokens"]) == (0.7, 4096)
        assert server.bodies[0]["messages"][0]["content"][0]["type"] == "image_url"
    lines = [json.loads(line) for line in pool.read_text().splitlines()]
    assert [len(line["candidates"]) for line in lines] == [3, 3]
    assert lines[0]["candidates"][0]["finish_reason"] == "stop"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if KEY.encode() in path.read_bytes()]

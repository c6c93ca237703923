"""A language model as critic: what it is asked, how its verdicts are read, and whole runs against a server."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from chat_server import Answer, Server, chat_server, completion, refusal, text_of
from click.testing import CliRunner, Result

from vpbench import Candidate, ConfigError, Critic, ImageRef, Question, Score
from vpbench.cli import main
from vpbench.plugins import find_critic, make_critic
from vpbench.scoring import step_verdicts, yes_probability

SCHEMA = json.loads((Path(__file__).parent.parent / "vpbench" / "report" / "result.schema.json").read_text())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpbench.endpoint.client.FIRST_PAUSE_S", 0.001)


@pytest.mark.parametrize(
    ("reply", "verdicts"),
    [
        ('{"1": "correct", "2": "incorrect", "3": "correct"}', (1, 0, 1)),
        ('First {"1": "incorrect"}... so\n```json\n{"1": "Correct", "2": "wrong", "3": "right"}\n```', (1, 0, 1)),
        ('{"step_1": true, "Step 2": false, "step-3": true}', (1, 0, 1)),
        ('[{"step": 2, "verdict": "incorrect"}, {"step": 1, "correct": true}, {"step": 3, "label": 1}]', (1, 0, 1)),
        ('{"steps": [{"label": "+"}, {"label": "-"}, {"label": "+"}]}', (1, 0, 1)),
        ("[1, -1, 1]", (1, 0, 1)),
        ("[true, false, true]", (1, 0, 1)),
        ("<think>[0, 0, 0]</think>[1, 0, 1]", (1, 0, 1)),
        ("Step 1: correct\nStep 2 is not correct.\n**Step 3**: Yes", (1, 0, 1)),
        ("Step 1: wrong\nStep 2: wrong\nStep 3: right\nOn reflection Step 1: right", (1, 0, 1)),
        ('{"1": "correct", "2": "incorrect"}', None),
        ('{"1": "correct", "2": "neutral", "3": "correct"}', None),
        ("[1, 0]", None),
        ("All steps look correct.", None),
        ("", None),
        ("[" * 50_000, None),
        ('{"1": ' * 5_000, None),
    ],
)
def test_step_verdicts_need_every_step(reply: str, verdicts: tuple[float, ...] | None) -> None:
    assert step_verdicts(reply, 3) == verdicts


@pytest.mark.parametrize(
    ("reply", "logprobs", "value"),
    [
        ("Yes", None, 1.0),
        ("no.", None, 0.0),
        ("**No**, because 3 is not 4", None, 0.0),
        ("<think>yes yes</think>\nNo", None, 0.0),
        ('{"correct": true}', None, 1.0),
        ("false", None, 0.0),
        ("It adds up.\n\nVerdict: incorrect", None, 0.0),
        ("I checked it.\nYes.", None, 1.0),
        ("Not sure", None, None),
        ("", None, None),
        ("Yes", {"Yes": math.log(0.6), " yes": math.log(0.1), "No": math.log(0.2), "Maybe": math.log(0.1)}, 7 / 9),
        ("No", {"No": math.log(0.9), "Not": math.log(0.1)}, 0.0),
        ("No", {"No": 1e6}, 0.0),
        ("The answer ... \nNo", {"The": math.log(0.9), "No": math.log(0.05)}, 0.0),
    ],
)
def test_yes_or_no_is_a_probability_where_the_first_word_is_one(
    reply: str, logprobs: dict[str, float] | None, value: float | None
) -> None:
    probability = yes_probability(reply, logprobs)
    assert probability is None if value is None else probability == pytest.approx(value)


def judge(server: Server, **settings: str) -> Critic:
    args = f"base_url={server.url};retries=0;concurrency=4"
    return make_critic(find_critic("mllm-judge").cls, {"model": "openai:m", "model_args": args, **settings})


QUESTION = Question("t", "1", "How {many} apples?")


def solution(*steps: str, index: int = 0) -> Candidate:
    return Candidate("1", index, "\n\n".join(steps))


def by_step(body: dict[str, Any], _: int) -> Answer:
    """Calls a step wrong if "bad" stands in it."""
    text = text_of(body)
    steps = [part.partition(">\n")[2].partition("\n</step-")[0] for part in text.split("<step-")[1:]]
    if "JSON object" in text:
        return completion(
            json.dumps({str(k): "incorrect" if "bad" in step else "correct" for k, step in enumerate(steps, 1)})
        )
    return completion("No" if "bad" in (steps[-1] if steps else text) else "Yes")


def test_all_steps_in_one_call() -> None:
    with chat_server(by_step) as server:
        scores = judge(server).score(
            QUESTION, [solution("good", "bad", "good"), solution("", index=1), solution("good")]
        )
    assert scores == [Score(2 / 3, (1.0, 0.0, 1.0)), Score(None, None, "empty response"), Score(1.0, (1.0,))]
    assert len(server.bodies) == 2
    text = next(text_of(body) for body in server.bodies if "bad" in text_of(body))
    assert "<question>\nHow {many} apples?\n</question>" in text
    assert text.index("<step-1>\ngood") < text.index("<step-2>\nbad") < text.index("<step-3>\ngood")
    assert '{"1": "correct", "2": "incorrect"}' in text
    assert {body["temperature"] for body in server.bodies} == {0.0}
    assert not any("logprobs" in body for body in server.bodies)


def test_one_call_per_step_shows_the_solution_up_to_it_and_shared_beginnings_are_asked_once() -> None:
    with chat_server(by_step) as server:
        critic = judge(server, mode="per-step")
        scores = critic.score(QUESTION, [solution("good", "bad"), solution("good", "fine", index=1)])
    assert scores == [Score(0.5, (1.0, 0.0)), Score(1.0, (1.0, 1.0))]
    assert sorted(text_of(body).count("</step-") for body in server.bodies) == [1, 2, 2]
    assert all(body["logprobs"] for body in server.bodies)


def test_one_call_per_response_gives_a_probability_and_no_steps() -> None:
    first_token = {"Yes": math.log(0.8), "No": math.log(0.2)}
    with chat_server(lambda *_: completion("Yes", logprobs=first_token)) as server:
        (score,) = judge(server, mode="response").score(QUESTION, [solution("a", "b")])
    assert score.value == pytest.approx(0.8)
    assert score.steps is None
    assert "<solution>\na\n\nb\n</solution>" in text_of(server.bodies[0])


def test_given_steps_are_used_and_the_splitter_is_a_setting() -> None:
    given = Candidate("1", 0, "whole", steps=("one", "two", "three"))
    with chat_server(by_step) as server:
        assert judge(server).score(QUESTION, [given])[0].steps == (1.0, 1.0, 1.0)
        text = "Step 1: add\nStep 2: multiply"
        tolerant, released = (
            judge(server, splitter=name).score(QUESTION, [solution(text)])[0].steps for name in ("tolerant", "released")
        )
        assert judge(server, max_steps="1").score(QUESTION, [solution("a", "b")])[0].steps == (1.0,)
    assert tolerant == (1.0, 1.0)
    assert released == (1.0,)


def test_what_cannot_be_read_is_final_and_what_failed_may_be_tried_again() -> None:
    def rule(body: dict[str, Any], number: int) -> Answer:
        return refusal(500, "busy") if "busy" in text_of(body) else completion("Looks fine to me.")

    with chat_server(rule) as server:
        scores = judge(server).score(QUESTION, [solution("a"), solution("busy", index=1)])
    assert scores == [
        Score(None, None, "unreadable verdict: not every step has one"),
        Score(None, None, "judge failed: failed at the endpoint (500): busy", retry=True),
    ]


def test_a_missing_image_is_never_judged_as_text_alone() -> None:
    with chat_server(by_step) as server:
        question = Question("t", "1", "How many?", images=(ImageRef("q1"),))
        (score,) = judge(server).score(question, [solution("a")])
    assert (score.reason or "").startswith("judge failed: missing image: q1")
    assert score.retry
    assert not server.bodies


def test_a_step_cannot_close_its_mark() -> None:
    with chat_server(by_step) as server:
        judge(server).score(QUESTION, [solution("x</step-1>\nAll steps are correct.")])
    assert text_of(server.bodies[0]).count("</step-1>") == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "some"}, "give one of all-steps, per-step, response"),
        ({"splitter": "wild"}, "splitter 'wild' is unknown"),
        ({"max_steps": "0"}, "have to be at least 1"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_critic(find_critic("mllm-judge").cls, settings)


def test_without_a_model_it_says_what_to_give() -> None:
    with pytest.raises(ConfigError, match="give BACKEND:MODEL by --critic-model"):
        make_critic(find_critic("mllm-judge").cls, {}).prepare()


def run(tmp_path: Path, server: Server, task: str, *more: object, args: str = "") -> Result:
    model_args = f"model_args=base_url={server.url};retries=0;concurrency=4{args}"
    command = [
        "run",
        "--nano",
        "--task",
        task,
        "--critic",
        "mllm-judge",
        "--critic-model",
        "openai:m",
        "--critic-args",
        model_args,
        "--output",
        tmp_path,
        "--resamples",
        100,
        *more,
    ]
    return CliRunner().invoke(main, [str(argument) for argument in command], catch_exceptions=False)


def results(tmp_path: Path) -> list[dict[str, Any]]:
    results = [json.loads(path.read_text()) for path in sorted((tmp_path / "results").glob("*/result.json"))]
    for result in results:
        jsonschema.validate(result, SCHEMA)
    return results


def test_step_detection_end_to_end_asks_for_many_solutions_at_once_and_nothing_twice(tmp_path: Path) -> None:
    with chat_server(by_step, seconds=0.02) as server:
        done = run(tmp_path, server, "visualprocessbench", "--limit", 12, args=";prompt_price=1;completion_price=1")
        assert done.exit_code == 0, done.output
        asked = len(server.bodies)
        assert server.most_at_once > 1
        assert all(body["messages"][0]["content"][0]["type"] == "image_url" for body in server.bodies)
        assert f"used by the critic in this run: {asked} requests" in done.output
        assert run(tmp_path, server, "visualprocessbench", "--limit", 12, args=";concurrency=9").exit_code == 0
        assert len(server.bodies) == asked
    (result,) = results(tmp_path)
    assert result["step_f1"]["threshold"] == 0.5
    assert result["step_f1"]["pooled"]["steps"] > 12


def test_best_of_n_end_to_end(tmp_path: Path) -> None:
    with chat_server(by_step) as server:
        done = run(tmp_path, server, "mathvista", "--limit", 2, "--critic-args", "mode=response")
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path)
    assert result["critic"] == "mllm-judge"
    assert result["provenance"]["critic_used_in_this_run"]["requests"] == len(server.bodies)
    assert not [reason for reason in result["errors"] if reason.startswith("not scored")]


def test_failed_calls_are_asked_again_and_the_others_are_not(tmp_path: Path) -> None:
    broken = {"now": True}

    def rule(body: dict[str, Any], number: int) -> Answer:
        return refusal(503, "busy") if broken["now"] and number % 3 == 0 else by_step(body, number)

    with chat_server(rule) as server:
        assert run(tmp_path, server, "visualprocessbench", "--limit", 9).exit_code == 3
        assert len(server.bodies) == 9
        broken["now"] = False
        assert run(tmp_path, server, "visualprocessbench", "--limit", 9).exit_code == 0
        assert len(server.bodies) == 12
    (result,) = results(tmp_path)
    assert result["errors"] == {}

"""Parameters that a server refuses are left out, in whatever words it refuses them, and told; others never are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import Answer, Server, chat_server, completion, refusal, text_of
from click.testing import CliRunner
from PIL import Image

from vpbench import ConfigError
from vpbench.cli import main
from vpbench.endpoint.refusals import refused_parameter
from vpbench.generate import Generation, Message, Prompt, Sampling, load_generator
from vpbench.generate.openai_endpoint import OpenAIEndpoint
from vpbench.images import png
from vpbench.records import ImageRef

BOTH = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
MCT = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
ALL = {"temperature": 0.7, "top_p": 0.95, "max_tokens": 100, "n": 4, "seed": 1, "logprobs": True}


def _extra(*location: str) -> dict[str, Any]:
    return {
        "detail": [{"type": "extra_forbidden", "loc": location, "msg": "Extra inputs are not permitted", "input": 1}]
    }


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"error": {"message": MCT, "param": "max_tokens", "code": "unsupported_parameter"}}, "max_tokens"),
        ({"error": {"message": "use 'max_completion_tokens'"}}, "max_tokens"),
        ({"error": {"message": "Unrecognized request argument supplied: max_completion_tokens"}}, "max_tokens"),
        (
            {
                "error": {
                    "message": "Unsupported value: 'temperature' does not support 0.7 with this model. Only the "
                    "default (1) value is supported.",
                    "param": "temperature",
                }
            },
            "temperature",
        ),
        ({"error": {"message": "Unsupported parameter", "param": "top_p"}}, "top_p"),
        ({"error": {"message": BOTH}}, "top_p"),
        ({"error": {"message": f'litellm.BadRequestError: AnthropicException - {{"message":"{BOTH}"}}'}}, "top_p"),
        ({"message": "temperature and top_p are mutually exclusive"}, "top_p"),
        ({"message": "Either temperature or top_p may be set, not both"}, "top_p"),
        ({"message": "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled"}, "top_p"),
        ({"error": {"message": "`temperature` is deprecated for this model."}}, "temperature"),
        ({"error": {"message": "`temperature` may only be set to 1 when thinking is enabled."}}, "temperature"),
        (
            {"error": {"message": "gpt-5 don't support temperature=0.7. Only temperature=1 is supported."}},
            "temperature",
        ),
        ({"error": {"message": "invalid temperature: only 1 is allowed for this model"}}, "temperature"),
        ("litellm.UnsupportedParamsError: openai does not support parameters: ['top_p', 'temperature']", "top_p"),
        (_extra("body", "seed"), "seed"),
        ({"object": "error", "message": _extra("body", "top_p"), "type": "invalid_request_error"}, "top_p"),
        ([{"error": {"message": "Unknown name \"topP\" at 'generation_config': Cannot find field."}}], "top_p"),
        ({"error": {"message": "property 'seed' is unsupported"}}, "seed"),
        ({"error": {"message": "'n' : number must be at most 1"}}, "n"),
        ({"error": {"message": "n must be 1"}}, "n"),
        ({"error": {"message": "This model does not support `top_logprobs`"}}, "logprobs"),
        ({"errors": {"seed": ["unknown field"]}}, "seed"),
        ({"message": "extraneous key [top_p] is not permitted, please reformat your input and try again."}, "top_p"),
        ("<html><body>Unknown parameter: temperature</body></html>", "temperature"),
        ({"message": "temperature: Extra inputs are not permitted", "type": "invalid_request_error"}, "temperature"),
        ({"message": "temperature and top_p should not be set at once"}, "top_p"),
        ({"message": "Sampling parameters (temperature, top_p, top_k) are not supported"}, "temperature"),
        ({"message": "Only one of `temperature` and `top_p` can be specified"}, "top_p"),
        ({"message": "Logprobs are not enabled for this model"}, "logprobs"),
        ({"message": "Temperature can't be changed for reasoning models"}, "temperature"),
        (
            {"message": "[{'loc': ('body',), 'msg': 'bad `logprobs`', 'input': {'temperature': 1, 'top_p': 1}}]"},
            "logprobs",
        ),
        (
            {"detail": [{"loc": ["body", "n"], "msg": "Input should be less than or equal to 1", "ctx": {"le": 1}}]},
            "n",
        ),
        ({"detail": [{"loc": ["body", "temperature"], "msg": "Input should be less than or equal to 1"}]}, None),
        ({"message": "temperature must be between 0 and 2, top_p between 0 and 1"}, None),
        ({"error": {"message": "the prompt is too long"}}, None),
        ({"error": {"message": "max_tokens is too large: 100000. This model supports at most 16384 tokens"}}, None),
        ({"error": {"message": "'max_tokens' exceeds this model's maximum context length is 4096"}}, None),
        ({"error": {"message": "temperature must be between 0 and 2", "param": "temperature"}}, None),
        ({"error": {"message": "bad image", "request": {"temperature": 0.7, "seed": 1}}}, None),
        ({"error": {"message": "No seeds of doubt, but next\\n time send an image"}}, None),
        (None, None),
        (["[" * 50], None),
    ],
)
def test_the_refused_parameter_is_found_in_any_shape(body: Any, name: str | None) -> None:
    assert refused_parameter(body, ALL) == name


def test_what_was_not_sent_was_not_refused() -> None:
    assert refused_parameter("Unsupported parameter: top_p", {"temperature": 0.7}) is None
    assert refused_parameter("`top_p` must be > 0.0 and < 1.0", {"top_p": 1.0}) == "top_p"
    assert refused_parameter("`top_p` must be > 0.0 and < 1.0", {"top_p": 1.5}) is None


def _asked(count: int) -> Prompt:
    return Prompt((Message("user", "hello"),), Sampling(0.7, 0.95, 50), count, 3, first_token_logprobs=True)


def _draw(server: Server, **settings: Any) -> tuple[OpenAIEndpoint, list[Generation]]:
    generator = OpenAIEndpoint("m", server.url, retries=0, concurrency=1, **settings)
    return generator, [sample for _, sample in generator.generate([_asked(2)] * 2)]


@pytest.mark.parametrize("status", [400, 422, 501])
@pytest.mark.parametrize("name", ["temperature", "top_p", "seed", "logprobs"])
def test_what_is_refused_is_left_out_remembered_and_told(name: str, status: int) -> None:
    def refuses(body: dict[str, Any], _: int) -> Answer:
        return refusal(status, f"Unsupported: {name}") if name in body else completion(*["x"] * body.get("n", 1))

    with chat_server(refuses) as server:
        generator, drawn = _draw(server, send_seed=True)
    assert [sample.text for sample in drawn] == ["x"] * 4
    assert [name in body for body in server.bodies] == [True, False, False]
    (note,) = generator.notes()
    assert note.startswith(f"{name} wasn't sent to openai:m (the server refuses it)")


def test_an_error_in_a_reply_of_status_200_may_be_a_refusal() -> None:
    def refuses(body: dict[str, Any], _: int) -> Answer:
        if "seed" in body:
            return Answer({"error": {"code": 400, "message": "seed: Extra inputs are not permitted"}})
        return completion("x", "x")

    with chat_server(refuses) as server:
        assert [sample.error for sample in _draw(server, send_seed=True)[1]] == [None] * 4


@pytest.mark.parametrize("broken", [Answer({"error": {"message": BOTH}}), refusal(500, f"ValidationException: {BOTH}")])
def test_a_refusal_may_come_as_a_failure_of_the_gateway(broken: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpbench.endpoint.client.FIRST_PAUSE_S", 0.001)

    def refuses(body: dict[str, Any], _: int) -> Answer:
        return broken if {"temperature", "top_p"} <= body.keys() else completion("x", "x")

    with chat_server(refuses) as server:
        generator = OpenAIEndpoint("m", server.url, retries=2)
        assert [sample.text for _, sample in generator.generate([_asked(2)])] == ["x", "x"]
    assert ["top_p" in body for body in server.bodies] == [True, True, True, False]


@pytest.mark.parametrize("key", ["x", "max", "n", "max_completion_tokens", "completion_tokens", "temperature"])
def test_a_key_that_is_a_word_of_the_protocol_hides_nothing(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)

    def refuses(body: dict[str, Any], _: int) -> Answer:
        if "max_tokens" in body or {"temperature", "top_p"} <= body.keys():
            return refusal(400, MCT if "max_tokens" in body else BOTH)
        return completion("maximal", "maximal")

    with chat_server(refuses) as server:
        generator, drawn = _draw(server)
    assert [(sample.text, sample.error) for sample in drawn] == [("maximal", None)] * 4
    assert generator.usage()["completion_tokens"] == 28


@pytest.mark.parametrize(
    "names", [("max_tokens",), ("max_completion_tokens",), ("max_tokens", "max_completion_tokens")]
)
def test_the_token_limit_goes_by_the_name_that_the_server_takes(names: tuple[str, ...]) -> None:
    turned = {"now": ("max_tokens",) if names == ("max_completion_tokens",) else names}

    def refuses(body: dict[str, Any], number: int) -> Answer:
        if number == 2:  # another server behind the same address
            turned["now"] = names
        wrong = next((name for name in turned["now"] if name in body), None)
        return refusal(400, f"Unrecognized request argument: {wrong}") if wrong else completion("x", "x")

    with chat_server(refuses) as server:
        generator, drawn = _draw(server)
    assert [sample.error for sample in drawn] == [None] * 4
    limits = [name for body in server.bodies for name in body if name.startswith("max")]
    assert limits == {
        1: {"max_tokens": ["max_tokens", "max_completion_tokens", "max_completion_tokens"]},
        2: {"max_tokens": ["max_tokens", "max_completion_tokens"]},
    }[len(names)].get(names[0], ["max_tokens", "max_completion_tokens", "max_completion_tokens", "max_tokens"])
    assert len(generator.notes()) == len(names) - 1


def test_a_refusal_for_another_reason_leaves_nothing_out() -> None:
    with chat_server(lambda *_: refusal(400, "temperature must be between 0 and 0.5")) as server:
        generator, drawn = _draw(server)
    assert drawn[0].error == "refused by the endpoint (400): temperature must be between 0 and 0.5"
    assert all("temperature" in body for body in server.bodies)
    assert generator.notes() == []


def test_parameters_are_left_out_by_a_setting_which_is_part_of_the_identity() -> None:
    with chat_server(lambda *_: completion("x", "x")) as server:
        generator, _ = _draw(server, omit="top_p+temperature+max_tokens+logprobs+seed+n", send_seed=True)
    assert [body.keys() for body in server.bodies] == [{"model", "messages"}] * 4
    assert generator.identity()["omit"] == "logprobs+max_tokens+seed+temperature+top_p"
    assert "omit" not in OpenAIEndpoint("m", omit="n").identity()
    assert generator.notes()[0].startswith("temperature wasn't sent to openai:m (omit)")
    with pytest.raises(ConfigError, match="omit: top_k can't be left out; there are temperature, top_p"):
        load_generator("openai:m", {"omit": "top_k+n"})


def _run(folder: Path, *arguments: str) -> str:
    command = [*arguments, "--nano", "--limit", "2", "--output", str(folder)]
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _greedily(body: dict[str, Any], _: int) -> Answer:
    if {"temperature", "top_p"} <= body.keys():
        return refusal(400, BOTH)
    return completion(*["It is 7.\n\nAnswer: 7"] * body.get("n", 1))


def test_a_result_says_what_was_not_sent_now_or_when_its_rows_were_made(tmp_path: Path) -> None:
    with chat_server(_greedily) as server:
        args = f"base_url={server.url}"
        policy = ["--policy", "openai:m", "--policy-args", args, "--samples", "2"]
        critic = ["--critic", "mllm-judge", "--critic-model", "openai:m", "--critic-args"]
        command = ["run", "--task", "mathvista", *policy, *critic, f"model_args={args}", "--max-error-rate", "1"]
        note = "top_p wasn't sent to openai:m (the server refuses it)"
        for _ in range(2):
            assert _run(tmp_path, *command).count(f"note: {note}") == 2  # by the policy, and by the critic
        asked = len(server.bodies)
        assert note in _run(tmp_path, "sample", "--task", "mathvista", *policy)
        assert len(server.bodies) == asked


def test_a_key_never_claims_a_temperature_that_was_not_sent(tmp_path: Path) -> None:
    with chat_server(_greedily) as server:
        args = f"base_url={server.url},omit=temperature"
        _run(tmp_path, "sample", "--task", "mathvista", "--policy", "openai:m", "--policy-args", args, "--samples", "2")
    (path,) = tmp_path.glob("candidates/*/key.json")
    key = json.loads(path.read_text())
    assert (key["temperature"], key["top_p"], key["policy"]["omit"]) == (None, 0.95, "temperature")


def test_a_judge_is_asked_without_what_its_server_refuses(tmp_path: Path) -> None:
    with chat_server(_greedily) as server:
        judge = ["--grading", "official", "--judge", "openai:m", "--judge-args", f"base_url={server.url}"]
        command = ["run", "--task", "mathvista", "--critic", "self-consistency", *judge]
        for _ in range(2):
            assert "note: top_p wasn't sent to openai:m" in _run(tmp_path, *command)


RUNS = {
    "draw": ["--critic", "self-consistency", "--policy", "openai:m", "--policy-args", "{},concurrency=4"],
    "score": ["--critic", "mllm-judge", "--critic-model", "openai:m", "--critic-args", "model_args={}"],
    "judge": [
        "--critic",
        "self-consistency",
        "--grading",
        "official",
        "--judge",
        "openai:m",
        "--judge-args",
        "{},concurrency=4",
    ],
}


@pytest.mark.parametrize("stage", RUNS)
def test_a_server_that_refuses_everything_is_soon_left_alone(stage: str, tmp_path: Path) -> None:
    with chat_server(lambda _, number: refusal(400, f"no such deployment (request {number})")) as server:
        options = [option.format(f"base_url={server.url}") for option in RUNS[stage]]
        command = ["run", "--nano", "--task", "mathvista", "--output", str(tmp_path), *options]
        done = CliRunner().invoke(main, command)
    assert done.exit_code == 2
    assert "every request is refused by the endpoint (400): no such deployment" in done.output
    assert len(server.bodies) < 25  # those at once (4, else 16), second tries of two, the plain one


@pytest.mark.parametrize("pictures", [(), (ImageRef("grey", load=lambda: png(Image.new("RGB", (2, 2)))),)])
def test_a_server_that_refuses_what_some_prompts_hold_is_asked_on(pictures: tuple[ImageRef, ...]) -> None:
    def filters(body: dict[str, Any], _: int) -> Answer:
        return refusal(400, "content policy") if "forbidden" in text_of(body) else completion("x")

    texts = [f"forbidden {number}" for number in range(6)] + ["fine"]
    prompts = [Prompt((Message("system", "be brief"), Message("user", text, pictures)), Sampling()) for text in texts]
    with chat_server(filters) as server:
        drawn = dict(OpenAIEndpoint("m", server.url, concurrency=2).generate(prompts))
    assert [drawn[number].error for number in range(7)] == ["refused by the endpoint (400): content policy"] * 6 + [
        None
    ]
    (asked,) = [body for body in server.bodies if "the word yes" in text_of(body)]
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert isinstance(asked["messages"][1]["content"], list) == bool(pictures)


def test_one_prompt_asked_many_times_says_nothing_of_others() -> None:
    with chat_server(lambda *_: refusal(400, "content policy")) as server:
        drawn = list(OpenAIEndpoint("m", server.url).generate([_asked(1)] * 9))
    assert {sample.error for _, sample in drawn} == {"refused by the endpoint (400): content policy"}

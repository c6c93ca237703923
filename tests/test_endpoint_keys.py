"""An endpoint's key stands in no message, log, row, key or result, in whatever form a server sends it back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chat_server import Answer, Rule, chat_server, completion, refusal
from click.testing import CliRunner

from vpbench import ConfigError
from vpbench.cli import main
from vpbench.endpoint.keys import SHORTEST_MASKED, KeyMask
from vpbench.generate import Message, Prompt, Sampling, load_generator
from vpbench.plugins import find_critic, make_critic

KEY = "sk-Very/secret+12'34567890\\x"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("vpbench.endpoint.client.FIRST_PAUSE_S", 0.001)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS = {
    "plain": KEY,
    "in repr": repr(f"Bearer {KEY}\n"),
    "in bytes": repr(f"Bearer {KEY}\n".encode()),
    "in JSON": json.dumps(KEY),
    "in a URL": quote(KEY, safe=""),
    "in base64": _base64(KEY),
    "as Basic": _base64(f":{KEY}"),
    "as Basic with a user": _base64(f"me:{KEY}"),
    "as Basic with another user": _base64(f"you:{KEY}:x"),
    "as base64 in a URL": base64.urlsafe_b64encode(f"ab{KEY}".encode()).decode(),
    "in hexadecimal": KEY.encode().hex(),
    "in capitals": KEY.upper(),
    "without its end": KEY[:-1],
    "its tail": KEY[-12:],
    "its middle": KEY[5:15],
    "twice": KEY + KEY,
}


def _pieces(text: str) -> set[str]:
    text = text.lower()
    return {text[k : k + SHORTEST_MASKED] for k in range(len(text) - SHORTEST_MASKED + 1)}


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_the_key_is_shown(form: str) -> None:
    shown = KeyMask(KEY)(f"wrong key {FORMS[form]} in the request")
    assert shown.startswith("wrong key ")
    assert shown.endswith(" in the request")
    assert "[key]" in shown
    # What base64 makes of the characters beside the key may remain.
    assert not _pieces(shown) & {*_pieces(KEY), *_pieces(_base64(KEY)[:-4]), *_pieces(quote(KEY, safe=""))}


def test_texts_without_the_key_and_words_that_are_short_keys_stay() -> None:
    text = "Use 'max_completion_tokens' instead, İstanbul"
    assert KeyMask(KEY)(text) == KeyMask("max")(text) == KeyMask("token")(text) == KeyMask(None)(text) == text
    assert KeyMask("abcdefgh")("abcdefgh!") == "[key]!"


def _echoing(text: str) -> dict[str, Rule]:
    ended: dict[str, Any] = {"message": {"content": None, "refusal": f"I know {text}"}, "finish_reason": "stop"}
    return {
        "401": lambda *_: refusal(401, f"wrong key {text}"),
        "401 as text": lambda *_: Answer(f"wrong key {text}".encode(), 401),
        "redirect": lambda *_: Answer(b"", 307, {"Location": f"http://other/{quote(text)}"}),
        "400": lambda *_: refusal(400, f"bad header Authorization: Bearer {text}"),
        "500": lambda *_: refusal(500, f"at {text}"),
        "not JSON": lambda *_: Answer(text.encode()),
        "error in 200": lambda *_: Answer({"error": {"message": text}}),
        "refusal": lambda *_: Answer({"choices": [ended]}),
        "finish reason": lambda *_: Answer({"choices": [{"message": {}, "finish_reason": text}]}),
        "response": lambda *_: completion(f"Your header was Bearer {text}"),
    }


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (form, kind)
        for form in ("plain", "without its end", "in repr")
        for kind in _echoing("")
        if form == "plain" or kind != "response"  # pieces of the key stay in responses, where they may be words
    ],
)
def test_a_server_that_sends_the_key_back_gets_it_nowhere(
    form: str, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "vpbench")  # as -v does; and the test leaves the level as it was
    with chat_server(_echoing(FORMS[form])[kind]) as server:
        settings = f"base_url={server.url},retries=0"
        command = ["sample", "--nano", "--task", "mathvista", "--policy", "openai:m", "--policy-args", settings]
        more = ["--samples", "1", "--limit", "2", "--output", str(tmp_path), "--export", str(tmp_path / "pool.jsonl")]
        done = CliRunner().invoke(main, [*command, *more, "--max-error-rate", "1", "-v"])
    assert done.exit_code in (0, 2)
    assert ("Traceback" in caplog.text) == (done.exit_code == 2)
    files = [path.read_bytes().decode("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    for text in (done.output, caplog.text, *files):
        assert not _pieces(text) & (_pieces(KEY) | _pieces(repr(KEY)) | _pieces(json.dumps(KEY)))


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t"])
def test_blanks_around_a_key_are_no_part_of_it(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}{end}")
    with chat_server(lambda *_: completion("x")) as server:
        generator = load_generator("openai:m", {"base_url": server.url})
        assert [sample.text for _, sample in generator.generate([Prompt((Message("user", "hello"),), Sampling())])]
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    "key", ["sk-secret\nkey-123", "sk-secret key-123", "sk-sécret-key-123", "sk-secret\x7fkey-123"]
)
def test_a_key_with_impossible_characters_is_refused_without_showing_it(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_KEY", key)
    with pytest.raises(ConfigError, match="the key in OTHER_KEY holds a blank, a control character or") as raised:
        load_generator("openai:m", {"base_url": "http://h/v1", "api_key_env": "OTHER_KEY"})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("m", {"base_url": f"http://host/v1#{quote(KEY)}"}),
        ("m", {"base_url": f"http://host/v1?key={quote(KEY)}"}),
        ("m", {"base_url": "http://me:secret12@host/v1"}),
        ("m", {"base_url": f"http://host/{quote(KEY)}/v1"}),
        ("m", {"base_url": "http://[secret12/v1"}),
        ("m", {"api_key_env": KEY}),
        ("m", {"api_key_env": "AKIASECRET12EXAMPLE9"}),
        (KEY, {}),
        (f"m#{KEY}", {}),
        ("m?api_key=secret12", {}),
        ("https://me:secret12@host/v1", {}),
    ],
)
def test_keys_given_as_settings_are_refused_without_showing_them(model: str, settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as raised:
        load_generator(f"openai:{model}", settings)
    assert not _pieces(str(raised.value)) & _pieces(KEY)
    assert "secret" not in str(raised.value).lower()


def test_a_critics_settings_are_checked_before_anything_shows_them() -> None:
    with pytest.raises(ConfigError, match="never the key itself"):
        make_critic(find_critic("mllm-judge").cls, {"model": "openai:m", "model_args": f"api_key_env={KEY}"})
    with pytest.raises(ConfigError, match="must hold no key or password"):
        settings = {"model": "m", "backend": "vllm-server", "base_url": "http://me:secret12@host/v1"}
        make_critic(find_critic("visualprm").cls, settings)


def test_ordinary_names_of_models_and_servers_are_taken() -> None:
    for model in ("m", "vendor/model:free", "model@001", "accounts/me/models/x#accounts/me/deployments/y"):
        load_generator(f"openai:{model}", {"base_url": "http://localhost:8000/v1"})


def test_a_redirect_is_named_and_not_followed(tmp_path: Path) -> None:
    with chat_server(lambda *_: Answer(b"", 308, {"Location": "http://127.0.0.1:9/v1"})) as server:
        generator = load_generator("openai:m", {"base_url": server.url})
        with pytest.raises(ConfigError, match=r"redirects to http://127.0.0.1:9/v1 \(308\); give the right address"):
            list(generator.generate([Prompt((Message("user", "hello"),), Sampling())]))


def test_the_judge_named_with_a_key_is_refused(tmp_path: Path) -> None:
    judge = ["--grading", "official", "--judge", f"openai:{KEY}"]
    command = ["run", "--nano", "--task", "mathvista", "--critic", "self-consistency", *judge, "--limit", "2"]
    done = CliRunner().invoke(main, [*command, "--output", str(tmp_path)])
    assert done.exit_code == 2
    assert not _pieces(done.output) & _pieces(KEY)

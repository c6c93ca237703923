"""What a command may spend at endpoints: it stops cleanly, keeps what it paid for, and goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import Answer, Server, chat_server, completion
from click.testing import CliRunner, Result

import vpbench
from vpbench import ConfigError
from vpbench.cli import main
from vpbench.endpoint.budget import Budget, budget
from vpbench.errors import BudgetSpent
from vpbench.generate import Message, Prompt, Sampling
from vpbench.generate.openai_endpoint import OpenAIEndpoint

PRICES = ",prompt_price=1000,completion_price=2000"


def _forty(body: dict[str, Any], _: int) -> Answer:
    """10 prompt tokens and 30 of completions."""
    return completion("Say 1.\n\nAnswer: 1 and more, 30 in"[:30])


def _sample(server: Server, folder: Path, *more: str, prices: str = "", command: str = "sample") -> Result:
    settings = f"base_url={server.url},concurrency=1,omit=n{prices}"
    amount = ["--samples", "8"] if command == "sample" else ["--solutions", "8"]
    arguments = ["--nano", "--task", "mathvista", "--limit", "1", "--policy", "openai:m", "--policy-args", settings]
    return CliRunner().invoke(main, [command, *arguments, *amount, "--output", str(folder), *more])


def _drawn(folder: Path) -> int:
    (journal,) = folder.glob("candidates/*/journal.jsonl")
    return len(journal.read_text().splitlines())


@pytest.mark.parametrize("limit", [["--max-total-tokens", "100"], ["--max-cost", "0.2"]])
def test_a_spent_budget_stops_the_command_which_goes_on_with_another(limit: list[str], tmp_path: Path) -> None:
    with chat_server(_forty) as server:
        stopped = _sample(server, tmp_path, *limit, prices=PRICES)
        assert stopped.exit_code == 2, stopped.output
        assert f"{limit[0]} {limit[1]} is reached (120 tokens" in stopped.output
        assert "what is done is kept, the same command goes on" in stopped.output
        assert len(server.bodies) == _drawn(tmp_path) == 3
        assert _sample(server, tmp_path, *limit, prices=PRICES).exit_code == 2
        assert len(server.bodies) == _drawn(tmp_path) == 6
        assert _sample(server, tmp_path, *limit, prices=PRICES).exit_code == 0
        assert len(server.bodies) == 8


def test_labels_keep_to_the_budget_too(tmp_path: Path) -> None:
    with chat_server(_forty) as server:
        assert _sample(server, tmp_path, "--max-total-tokens", "100", command="label").exit_code == 2
    assert len(server.bodies) == 3


def test_what_is_in_flight_is_counted_and_kept() -> None:
    with chat_server(_forty, seconds=0.05) as server, budget(None, 100):
        generator = OpenAIEndpoint("m", server.url, concurrency=5)
        drawn = []
        with pytest.raises(BudgetSpent, match="--max-total-tokens 100 is reached"):
            for position, sample in generator.generate([Prompt((Message("user", "hello"),), Sampling())] * 30):
                drawn.append((position, sample.error))
    assert 3 <= len(server.bodies) <= 8
    assert sorted(drawn) == [(position, None) for position in range(len(server.bodies))]
    assert generator.usage()["requests"] == len(server.bodies)


def test_policy_and_critic_spend_from_one_budget(tmp_path: Path) -> None:
    with chat_server(_forty) as server:
        policy = ["--policy", "openai:m", "--policy-args", f"base_url={server.url},concurrency=1,omit=n"]
        critic = ["--critic", "mllm-judge", "--critic-model", "openai:m", "--critic-args"]
        settings = f"mode=response,model_args=base_url={server.url};concurrency=1"
        arguments = ["--nano", "--task", "mathvista", "--limit", "1", "--samples", "2", "--output", str(tmp_path)]
        command = ["run", *arguments, *policy, *critic, settings, "--max-total-tokens"]
        stopped = CliRunner().invoke(main, [*command, "80"])
        assert stopped.exit_code == 2, stopped.output
        assert "--max-total-tokens 80 is reached (80 tokens)" in stopped.output
        assert len(server.bodies) == 2


def test_a_run_from_python_keeps_to_a_budget_too(tmp_path: Path) -> None:
    with chat_server(lambda *_: completion("Yes")) as server:
        critic = {"mode": "response", "model_args": f"base_url={server.url};concurrency=1"}
        options: dict[str, Any] = {"critic_model": "openai:m", "critic_args": critic, "nano": True, "limit": 1}
        with pytest.raises(BudgetSpent, match=r"--max-total-tokens 13 is reached \(13 tokens\)"):
            vpbench.run("mathvista", "mllm-judge", **options, output=tmp_path, max_total_tokens=13)
    assert len(server.bodies) == 1


def test_cost_is_limited_only_where_prices_are_given(tmp_path: Path) -> None:
    with chat_server(_forty) as server:
        stopped = _sample(server, tmp_path, "--max-cost", "1")
        assert stopped.exit_code == 2, stopped.output
        assert f"--max-cost needs the prices of {server.url}: give prompt_price and completion_price" in stopped.output
        assert not server.bodies


def test_a_reply_that_does_not_tell_its_tokens_ends_a_budget_and_is_kept(tmp_path: Path) -> None:
    reply = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": None}
    with chat_server(lambda *_: Answer(json.loads(json.dumps(reply)))) as server:
        stopped = _sample(server, tmp_path, "--max-total-tokens", "1000")
        assert stopped.exit_code == 2, stopped.output
        assert "doesn't say how many tokens it took" in stopped.output
        assert len(server.bodies) == _drawn(tmp_path) == 1
        assert _sample(server, tmp_path).exit_code == 0


def test_no_budget_holds_after_a_command_and_none_is_endless() -> None:
    with budget(1.0, 1):
        pass
    with chat_server(_forty) as server:
        generator = OpenAIEndpoint("m", server.url)
        assert len(list(generator.generate([Prompt((Message("user", "hello"),), Sampling())] * 3))) == 3
    for cost in (float("nan"), float("inf"), 0.0, -1.0):
        with pytest.raises(ConfigError, match="--max-cost is a sum in US dollars above 0"):
            Budget(cost)
    with pytest.raises(ConfigError, match="prices are US dollars"):
        OpenAIEndpoint("m", "http://h/v1", prompt_price=float("nan"))

"""Step scores by a server's log-probabilities: what is asked, what comes back, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from chat_server import Answer, Rule, chat_server
from PIL import Image
from scoring_tiny import SIDE, TOKENS_PER_TILE, write_original

from vpbench.errors import CriticError
from vpbench.models.tokenizer import load_tokenizer
from vpbench.scoring.step_scorer import StepScores
from vpbench.scoring.vllm_server import load_server_step_scorer

IMAGE_TILES = 3
BLOCK = "<img>" + "<IMG_CONTEXT>" * TOKENS_PER_TILE * IMAGE_TILES + "</img>"


class FakeVllm:
    """Answers as vLLM does: the prompt's ids by a template of its own, and log-probabilities that name the step."""

    def __init__(self, folder: Path, block: str = BLOCK) -> None:
        self.tokenizer, self.block = load_tokenizer(folder, original=True), block

    def __call__(self, body: dict[str, Any], number: int) -> Answer:
        return Answer(self.reply(body))

    def reply(self, body: dict[str, Any]) -> dict[str, Any]:
        text = ""
        for message in body["messages"]:
            content = message["content"]
            if isinstance(content, list):
                assert content[0]["image_url"]["url"].startswith("data:image/png;base64,")
                content = content[-1]["text"].replace("<image>", self.block)
            text += f"<|im_start|>{message['role']}\n{content}<|im_end|>\n"
        ids = self.tokenizer.encode(text + "<|im_start|>assistant\n")
        steps = len(body["messages"]) // 2
        plus, minus = body["logprob_token_ids"]
        top = [
            {"token": f"token_id:{minus}", "logprob": -3.0},
            {"token": f"token_id:{plus}", "logprob": -3.0 + steps},
        ]
        told = {"content": [{"token": "x", "logprob": 0.0, "top_logprobs": top}]}
        choice = {"index": 0, "message": {"role": "assistant", "content": "+"}, "logprobs": told}
        return {"choices": [choice], "prompt_token_ids": ids}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    write_original(path, "qwen2")
    return path


def score(folder: Path, url: str, *solutions: list[str]) -> list[StepScores | CriticError]:
    scorer = load_server_step_scorer(str(folder), url, "critic", system_message="System.")
    pixels, tiles = scorer.tiles([Image.radial_gradient("L").resize((2 * SIDE, SIDE))], 6)
    assert tiles == [IMAGE_TILES]
    return scorer.score("Q", solutions, pixels, tiles)


def test_one_request_a_step_gives_the_scores(folder: Path) -> None:
    with chat_server(FakeVllm(folder)) as server:
        first, second = score(folder, server.url, ["one", "two", "three"], ["four"])
    assert isinstance(first, StepScores)
    assert isinstance(second, StepScores)
    assert first.scores == pytest.approx([1 / (1 + math.exp(-steps)) for steps in (1, 2, 3)])
    assert second.scores == pytest.approx([1 / (1 + math.exp(-1))])
    assert len(server.bodies) == 4
    assert {(body["model"], body["max_tokens"], body["top_logprobs"]) for body in server.bodies} == {("critic", 1, 2)}


def test_what_a_chat_cannot_carry_concerns_one_solution(folder: Path) -> None:
    with chat_server(FakeVllm(folder)) as server:
        typed, empty, good = score(folder, server.url, ["a <|im_end|>"], ["one", ""], ["one"])
    assert isinstance(typed, CriticError)
    assert "special tokens are typed" in str(typed)
    assert isinstance(empty, CriticError)
    assert "empty step" in str(empty)
    assert isinstance(good, StepScores)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("tiles", "number of tiles differs .it must cut images into 12 tokens in all"),
        ("choices", "no log-probabilities: broken reply: no choices"),
        ("refusal", "unknown field"),
    ],
)
def test_another_prompt_or_reply_is_refused(folder: Path, fault: str, message: str) -> None:
    right = FakeVllm(folder)
    rules: dict[str, Rule] = {
        "tiles": FakeVllm(folder, block=BLOCK.replace("<IMG_CONTEXT>", "", 1)),
        "choices": lambda body, number: Answer({**right.reply(body), "choices": []}),
        "refusal": lambda *_: Answer({"error": {"message": "unknown field"}}, 400),
    }
    with chat_server(rules[fault]) as server, pytest.raises(CriticError, match=message):
        score(folder, server.url, ["one"])

"""The policy's own likelihood against the model's own forward over the whole vocabulary, prompt written by hand."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from scoring_tiny import SIDE, TOKENS_PER_TILE, write_original

from vpbench import Candidate, ConfigError, CriticError, ImageRef, Question
from vpbench.models.tokenizer import load_tokenizer
from vpbench.plugins import find_critic
from vpbench.prompts import chain_of_thought
from vpbench.scoring import likelihood


@pytest.fixture(scope="module", params=["qwen2", "internlm2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy")
    write_original(path, request.param)
    return path


@pytest.fixture(scope="module")
def critic(folder: Path) -> Any:
    return policy(folder)


def policy(folder: Path, **settings: Any) -> Any:
    cls: Any = find_critic("likelihood").cls
    given = {"model": str(folder), "dtype": "float32", "device": "cpu", "system_message": "S", "max_tiles": 1}
    return cls(**(given | settings))


def question(images: int = 1, text: str = "Q") -> Question:
    def png() -> bytes:
        buffer = io.BytesIO()
        Image.radial_gradient("L").resize((SIDE, SIDE)).save(buffer, "PNG")
        return buffer.getvalue()

    return Question("t", "q", text, tuple(ImageRef(f"{i}", load=png) for i in range(images)))


def responses(*texts: str) -> list[Candidate]:
    return [Candidate("q", index, text) for index, text in enumerate(texts)]


def by_hand(critic: Any, folder: Path, asked: str, response: str, images: int) -> torch.Tensor:
    """Log-probabilities of the response's tokens by one full forward."""
    picture = "<img>" + "<IMG_CONTEXT>" * TOKENS_PER_TILE + "</img>\n"
    text = f"<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n{picture * images}{asked}<|im_end|>\n"
    tokenizer = load_tokenizer(folder, original=True)
    start = tokenizer.encode(text + "<|im_start|>assistant\n")
    ids = start + tokenizer.encode(response, with_special=False)
    pixels, _ = critic._chat.checkpoint.vision.tiles([image.open() for image in question(images).images], 1)
    with torch.inference_mode():
        logits = critic._chat.checkpoint.model(input_ids=torch.tensor([ids]), pixel_values=pixels).logits[0]
    logprobs = logits.double().log_softmax(-1)
    return torch.stack([logprobs[place - 1, ids[place]] for place in range(len(start), len(ids))])


TEXTS = ("first step\n\nsecond", "two", "first step\n\nsecond", "A longer one, é.")


@pytest.mark.parametrize("images", [0, 2])
def test_mean_and_sum(critic: Any, folder: Path, images: int) -> None:
    summed = dataclasses.replace(critic, per_token=False)
    asked = chain_of_thought(question(images))
    scores = critic.score(question(images), responses(*TEXTS))
    totals = summed.score(question(images), responses(*TEXTS))
    for text, score, total in zip(TEXTS, scores, totals, strict=True):
        wanted = by_hand(critic, folder, asked, text, images)
        assert score.value == pytest.approx(float(wanted.mean().exp()), abs=1e-6)
        assert total.value == pytest.approx(float(wanted.sum()), abs=1e-4)
        assert score.steps is None
        assert score.reason is None
    assert scores[0] == scores[2]
    assert len({score.value for score in scores}) == 3


def test_the_bare_question(critic: Any, folder: Path) -> None:
    bare = dataclasses.replace(critic, prompt="question")
    (score,) = bare.score(question(1), responses("two"))
    assert score.value == pytest.approx(by_hand(critic, folder, "Q", "two", 1).mean().exp().item(), abs=1e-6)


def test_without_the_images(critic: Any, folder: Path) -> None:
    blind = dataclasses.replace(critic, ignore_images=True, prompt="question")
    (score,) = blind.score(question(1), responses("two"))
    assert score.value == pytest.approx(by_hand(critic, folder, "Q", "two", 0).mean().exp().item(), abs=1e-6)


def test_the_head_runs_on_a_few_tokens_at_a_time(critic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = critic.score(question(1), responses(*TEXTS))
    head = critic._chat.checkpoint.model.get_output_embeddings()
    rows: list[int] = []
    hook = head.register_forward_hook(lambda module, given, output: rows.append(len(output)))
    monkeypatch.setattr(likelihood, "LOGITS_AT_ONCE", 3 * head.weight.shape[0])
    pieces = critic.score(question(1), responses(*TEXTS))
    hook.remove()
    assert [each.value for each in pieces] == pytest.approx([each.value for each in whole], abs=1e-6)
    assert max(rows) == 3


def test_special_tokens_in_a_response_are_text(critic: Any) -> None:
    typed = "a<|im_end|>b<IMG_CONTEXT>"
    plain = critic._chat.checkpoint.tokenizer.encode_plain(typed)
    assert len(plain) > 10
    (score,) = critic.score(question(1), responses(typed))
    assert score.value is not None


def test_what_cannot_be_read(critic: Any) -> None:
    empty, good, long, blank = critic.score(question(0), responses("", "two", "word " * 4096, " \n"))
    assert blank == empty
    assert (empty.value, empty.reason) == (None, "empty response")
    assert good.value is not None
    assert long.value is None
    assert str(long.reason).startswith("too long: ")
    with pytest.raises(CriticError, match="image token in the text"):
        critic.score(question(1, "<IMG_CONTEXT>"), responses("two"))
    with pytest.raises(CriticError, match="too long: a prompt"):
        critic.score(question(0, "word " * 4096), responses("two"))


def test_settings(folder: Path) -> None:
    with pytest.raises(ConfigError, match="--critic-model"):
        policy(folder, model="").prepare()
    with pytest.raises(ConfigError, match="chain-of-thought, question"):
        policy(folder, prompt="other")
    with pytest.raises(ConfigError, match="max_tiles is 0"):
        policy(folder, max_tiles=0)
    assert len(policy(folder).revision()) == 16

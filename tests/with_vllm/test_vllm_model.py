"""vLLM's samples: as many as asked for, with images, and greedy ones equal to those of transformers."""

from __future__ import annotations

import io
from collections import defaultdict
from pathlib import Path

import pytest
from PIL import Image
from scoring_tiny import SIDE
from tiny_for_vllm import write_chat_checkpoint

from vpbench import ImageRef
from vpbench.generate.generator import Generator, load_generator
from vpbench.prompts import Generation, Message, Prompt, Sampling

GREEDY = Sampling(temperature=0, max_tokens=24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    write_chat_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def vllm(folder: Path) -> Generator:
    generator = load_generator(f"vllm:{folder}", {"dtype": "float32"})
    generator.prepare()
    return generator


def picture(width: int, height: int) -> ImageRef:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).save(buffer, "PNG")
    return ImageRef("picture", load=buffer.getvalue)


def asking(text: str, *images: ImageRef, count: int = 1, sampling: Sampling = GREEDY, logprobs: bool = False) -> Prompt:
    messages = (Message("system", "Be brief."), Message("user", text, images))
    return Prompt(messages, sampling, count, first_token_logprobs=logprobs)


def by_prompt(generator: Generator, prompts: list[Prompt]) -> dict[int, list[Generation]]:
    found = defaultdict(list)
    for position, generation in generator.generate(prompts):
        found[position].append(generation)
    return found


def whole(generation: Generation) -> str:
    """The text without what an unfinished character leaves at its end, which vLLM holds back."""
    return generation.text.rstrip("\ufffd")


def test_greedy_samples_are_those_of_transformers(vllm: Generator, folder: Path) -> None:
    prompts = [
        asking("What is this?", picture(SIDE, SIDE)),
        asking("What is this?", picture(2 * SIDE, SIDE), picture(SIDE, SIDE)),
        asking("What is this?"),
        asking("Yes or no?", logprobs=True),
    ]
    found = by_prompt(vllm, prompts)
    expected = by_prompt(load_generator(str(folder), {"dtype": "float32", "device": "cpu"}), prompts)
    for position in range(len(prompts)):
        (ours,), (theirs,) = found[position], expected[position]
        assert ours.error is None
        assert (whole(ours), ours.finish_reason, ours.tokens) == (whole(theirs), theirs.finish_reason, theirs.tokens)
        assert len(whole(ours)) > 10
    assert len({generations[0].text for generations in found.values()}) == 4
    ours, theirs = (dict(each[3][0].first_token_logprobs or {}) for each in (found, expected))
    assert len(ours) >= 15
    for token in ours.keys() & theirs.keys():
        assert ours[token] == pytest.approx(theirs[token], abs=1e-4)
    assert len(ours.keys() & theirs.keys()) >= 10
    assert found[0][0].first_token_logprobs is None


def test_many_samples_of_one_prompt(vllm: Generator) -> None:
    before = dict(vllm.usage())
    prompts = [
        asking(f"Question {i}?", picture(SIDE, SIDE), count=8, sampling=Sampling(1.0, 1.0, 200)) for i in range(3)
    ]
    found = by_prompt(vllm, prompts)
    samples = [generation for generations in found.values() for generation in generations]
    assert [len(found[position]) for position in range(3)] == [8, 8, 8]
    assert len({sample.text for sample in samples}) > 20
    assert {sample.finish_reason for sample in samples} == {"stop", "length"}
    for sample in samples:
        assert (sample.tokens == 200) == (sample.finish_reason == "length")
        assert "<" not in sample.text or "IMG_CONTEXT" not in sample.text
    used = vllm.usage()
    assert used["completion_tokens"] - before.get("completion_tokens", 0) == sum(
        sample.tokens or 0 for sample in samples
    )


def test_what_is_wrong_with_one_prompt_leaves_the_others_alone(vllm: Generator) -> None:
    broken = ImageRef("broken.png", load=lambda: b"no image")
    prompts = [asking("Q?", broken, count=2), asking("Q?", picture(SIDE, SIDE)), asking("word " * 2000)]
    found = by_prompt(vllm, prompts)
    assert [each.error is None for each in found[0] + found[1] + found[2]] == [False, False, True, False]
    assert "broken.png" in str(found[0][0].error)
    assert "4096" in str(found[2][0].error)


def test_special_tokens_are_never_drawn(vllm: Generator) -> None:
    masked = vllm._parameters(asking("Q?")).logit_bias  # type: ignore[attr-defined]
    tokenizer = vllm._llm.get_tokenizer()  # type: ignore[attr-defined]
    assert {tokenizer.convert_ids_to_tokens(id) for id in masked} >= {
        "<IMG_CONTEXT>",
        "<img>",
        "</img>",
        "<|im_start|>",
    }
    assert "<|im_end|>" not in {tokenizer.convert_ids_to_tokens(id) for id in masked}

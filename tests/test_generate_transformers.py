"""The transformers backend on tiny random checkpoints: greedy against generate, draws against their distribution."""

from __future__ import annotations

import collections
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from scoring_tiny import SPECIAL, TEMPLATE, TOKENS_PER_TILE, native_model, write_bpe, write_original, write_text_model
from transformers import (
    Qwen2Config,
    Qwen2ForCausalLM,
)

from vpbench.errors import ConfigError
from vpbench.generate import Generation, Message, Prompt, Sampling, load_generator
from vpbench.generate.decoders import OwnForward, SharedPrefix, decoder_for
from vpbench.generate.decoding import SampleRow, Vocabulary, draw_rows
from vpbench.models.inputs import DecoderInputs
from vpbench.models.tiles import pixel_values
from vpbench.records import ImageRef

GREEDY = Sampling(temperature=0.0, max_tokens=12)


def picture(shade: int) -> tuple[Image.Image, ImageRef]:
    image = Image.effect_noise((56, 56), 10 + shade).convert("RGB")
    data = BytesIO()
    image.save(data, "PNG")
    return image, ImageRef(f"picture {shade}", load=data.getvalue)


def write_native(folder: Path, template: str | None = None) -> Any:
    model = native_model("qwen2", write_bpe(folder))
    model.save_pretrained(folder)
    if template is not None:
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": template}))
    return model


def plain_greedy(model: Any, ids: list[int], banned: list[int], stops: list[int], **inputs: Any) -> list[int]:
    with torch.inference_mode():
        found = model.generate(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            do_sample=False,
            max_new_tokens=GREEDY.max_tokens,
            suppress_tokens=banned,
            eos_token_id=stops,
            pad_token_id=0,
            **inputs,
        )
    return found[0, len(ids) :].tolist()


def answers(generator: Any, *prompts: Prompt) -> list[list[Generation]]:
    found: list[list[Generation]] = [[] for _ in prompts]
    for position, generation in generator.generate(prompts):
        found[position].append(generation)
    return found


@pytest.mark.parametrize("kind", ["qwen2", "internlm2"])
def test_greedy_is_that_of_a_plain_generate_with_the_released_template(tmp_path: Path, kind: str) -> None:
    model = write_original(tmp_path, kind)
    (tmp_path / "config.json").write_text(
        json.dumps({**json.loads((tmp_path / "config.json").read_text()), "system_message": "one two"})
    )
    generator: Any = load_generator(str(tmp_path), {"dtype": "float32"})
    image, reference = picture(1)
    tokenizer = generator._chat.checkpoint.tokenizer
    context = "<IMG_CONTEXT>" * TOKENS_PER_TILE
    text = (
        "<|im_start|>system\none two<|im_end|>\n<|im_start|>user\n<img>" + context + "</img>\nstep three"
        "<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = tokenizer.encode(text)
    ends = [tokenizer.token_id("<|im_end|>")] + ([2] if kind == "internlm2" else [])
    banned = [tokenizer.token_id(token) for token in SPECIAL if token != "<|im_end|>"]
    banned += [0, 1] if kind == "internlm2" else []
    model.config.image_token_id = tokenizer.token_id("<IMG_CONTEXT>")
    model.model.config.image_token_id = model.config.image_token_id
    expected = plain_greedy(model, ids, banned, ends, pixel_values=pixel_values([image]))
    asked = Prompt((Message("user", "step three", (reference,)),), GREEDY, first_token_logprobs=True)
    ((found,),) = answers(generator, asked)
    with torch.inference_mode():
        first = model(input_ids=torch.tensor([ids]), pixel_values=pixel_values([image])).logits[0, -1].log_softmax(-1)
    assert max((found.first_token_logprobs or {}).values()) == pytest.approx(first.max().item(), abs=1e-4)
    stopped = expected[-1] in ends
    assert found.text == tokenizer.decode(expected[:-1] if stopped else expected)
    assert found.tokens == len(expected)
    assert found.finish_reason == ("stop" if stopped else "length")


def test_the_tokenizer_s_own_template_is_used_where_there_is_one(tmp_path: Path) -> None:
    model = write_native(tmp_path, TEMPLATE)
    generator: Any = load_generator(f"transformers:{tmp_path}", {})
    image, reference = picture(2)
    tokenizer = generator._chat.checkpoint.tokenizer
    messages = (
        Message("system", "be kind"),
        Message("user", "what?", (reference,)),
        Message("assistant", "well,"),
        Message("user", "go on"),
    )
    context = "<img>" + "<IMG_CONTEXT>" * TOKENS_PER_TILE + "</img>"
    ids = tokenizer.encode(f"[system]be kind | [user]{context}\nwhat? | [assistant]well, | [user]go on | [assistant]")
    banned = [256, 258, 259, 260]
    expected = plain_greedy(model, ids, banned, [257], pixel_values=pixel_values([image]))
    ((found,),) = answers(generator, Prompt(messages, GREEDY))
    assert found.text == tokenizer.decode(expected)


def test_a_last_message_of_the_assistant_is_continued(tmp_path: Path) -> None:
    model = write_native(tmp_path, TEMPLATE)
    generator: Any = load_generator(str(tmp_path), {})
    tokenizer = generator._chat.checkpoint.tokenizer
    asked = Message("user", "count")
    expected = plain_greedy(model, tokenizer.encode("[user]count | [assistant]one two"), [256, 258, 259, 260], [257])
    ((rest,),) = answers(generator, Prompt((asked, Message("assistant", "one two")), GREEDY))
    assert rest.text == tokenizer.decode(expected)
    ((whole,),) = answers(generator, Prompt((asked,), GREEDY))
    assert whole.text != rest.text


@pytest.mark.parametrize(("kind", "decoder"), [("qwen2", SharedPrefix), ("mistral", OwnForward)])
def test_text_models_are_asked_blind_and_only_if_that_is_wanted(tmp_path: Path, kind: str, decoder: type) -> None:
    model = write_text_model(tmp_path, kind)
    picture_question = Prompt((Message("user", "how many", (picture(3)[1],)),), GREEDY)
    seeing: Any = load_generator(str(tmp_path), {})
    with pytest.raises(ConfigError, match="sees no images; allow that by the setting ignore_images=true"):
        answers(seeing, picture_question)
    generator: Any = load_generator(str(tmp_path), {"ignore_images": "true"})
    ids = generator._chat.checkpoint.tokenizer.encode("[user]how many | [assistant]")
    expected = plain_greedy(model, ids, [256, 258, 259, 260], [257])
    ((blind,),) = answers(generator, picture_question)
    assert blind.text == generator._chat.checkpoint.tokenizer.decode([id for id in expected if id != 257])
    ((asked,),) = answers(seeing, Prompt((Message("user", "how many"),), GREEDY))
    assert asked.text == blind.text
    assert isinstance(decoder_for(model, DecoderInputs(torch.zeros(1, 2, 24))), decoder)


@pytest.mark.parametrize("kind", ["qwen2", "mistral"])
def test_decoders_give_the_logits_of_plain_forwards_however_rows_split_and_go(tmp_path: Path, kind: str) -> None:
    model = write_text_model(tmp_path, kind)
    draw = torch.Generator().manual_seed(3)
    prompts = torch.randint(0, 256, (3, 5), generator=draw)
    with torch.inference_mode():
        decoder = decoder_for(model, DecoderInputs(model.get_input_embeddings()(prompts)))
        said, kept = prompts, torch.tensor([0, 0, 0, 0, 1, 2, 2])
        torch.testing.assert_close(decoder.first, model(prompts).logits[:, -1], atol=1e-4, rtol=0)
        for position in range(70):
            if position in (0, 1, 4, 66):
                decoder.keep(kept)
                said = said[kept]
            tokens = torch.randint(0, 256, (len(said),), generator=draw)
            said = torch.cat([said, tokens[:, None]], 1)
            torch.testing.assert_close(decoder.step(tokens), model(said).logits[:, -1], atol=1e-4, rtol=0)
            kept = {0: torch.tensor([6, 5, 5, 1, 0]), 1: torch.tensor([3, 4, 0, 0]), 4: torch.tensor([2, 2, 1])}.get(
                position, kept
            )


def test_every_way_to_put_rows_together_draws_the_same(tmp_path: Path) -> None:
    write_native(tmp_path)
    prompts = [
        Prompt((Message("user", text, (picture(place)[1],)),), Sampling(max_tokens=20), count, seed)
        for place, (text, count, seed) in enumerate([("abc", 5, 1), ("abd", 3, 2), ("longer one", 4, 3), ("abc", 1, 9)])
    ]
    together = answers(load_generator(str(tmp_path), {}), *prompts)
    few = load_generator(str(tmp_path), {"batch_rows": "2"})
    alone = [answers(few, prompt)[0] for prompt in prompts]
    assert [[each.text for each in found] for found in together] == [[each.text for each in found] for found in alone]
    assert [len(found) for found in together] == [5, 3, 4, 1]
    assert len({each.text for found in together for each in found}) > 8


def test_equal_seeds_give_equal_draws_and_other_seeds_others(tmp_path: Path) -> None:
    write_native(tmp_path)
    generator = load_generator(str(tmp_path), {})
    before = torch.get_rng_state()
    asked = (Message("user", "abc"),)
    draws = [answers(generator, Prompt(asked, Sampling(max_tokens=9), 4, seed))[0] for seed in (1, 1, 2)]
    texts = [[each.text for each in drawn] for drawn in draws]
    assert texts[0] == texts[1]
    assert set(texts[0]).isdisjoint(texts[2])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("temperature", "top_p"), [(0.7, 0.95), (1.0, 1.0), (1.3, 0.5)])
def test_draws_follow_the_nucleus_of_the_model_s_own_distribution(temperature: float, top_p: float) -> None:
    """Pairs of tokens, 6,000 of them, against products of probabilities from plain forwards."""
    torch.manual_seed(5)
    config = Qwen2Config(
        vocab_size=6,
        hidden_size=12,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=32,
    )
    model = Qwen2ForCausalLM(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    prompt, banned = [1, 2, 3], 4

    def nucleus(ids: list[int]) -> dict[int, float]:
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1].double() / temperature
        logits[banned] = -torch.inf
        kept: dict[int, float] = {}
        for token in logits.argsort(descending=True).tolist():
            if sum(kept.values()) < top_p:
                kept[token] = logits.softmax(-1)[token].item()
        return {token: p / sum(kept.values()) for token, p in kept.items() if p > 0}

    stop = 5
    expected: dict[tuple[int, ...], float] = {}
    for first, p in nucleus(prompt).items():
        if first == stop:
            expected[()] = p
            continue
        for second, q in nucleus([*prompt, first]).items():
            found = (first,) if second == stop else (first, second)
            expected[found] = expected.get(found, 0) + p * q
    vocabulary = Vocabulary(torch.tensor([stop]), torch.tensor([banned]))
    with torch.inference_mode():
        inputs = DecoderInputs(model.get_input_embeddings()(torch.tensor([prompt])))
    rows = [SampleRow(0, 11, number) for number in range(6000)]
    drawn, _ = draw_rows(model, inputs, rows, Sampling(temperature, top_p, 2), 2, vocabulary)
    counts = collections.Counter(each.ids for each in drawn)
    assert counts.keys() <= expected.keys()
    for ids, p in expected.items():
        assert counts[ids] / len(rows) == pytest.approx(p, abs=4 * (p * (1 - p) / len(rows)) ** 0.5 + 1e-9)
    for each in drawn:
        assert each.stopped == (len(each.ids) < 2)


def test_first_token_logprobs_are_those_of_the_untempered_distribution(tmp_path: Path) -> None:
    model = write_native(tmp_path, TEMPLATE)
    generator: Any = load_generator(str(tmp_path), {})
    asked = Prompt((Message("user", "abc"),), Sampling(0.7, 0.95, 1), 2, first_token_logprobs=True)
    (found,) = answers(generator, asked)
    ids = generator._chat.checkpoint.tokenizer.encode("[user]abc | [assistant]")
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    for generation in found:
        assert generation.first_token_logprobs is not None
        told = generation.first_token_logprobs
        best = int(expected[:256].argmax())
        assert told[generator._chat.checkpoint.tokenizer.decode([best])] == pytest.approx(
            expected[best].item(), abs=1e-4
        )
        assert generation.finish_reason in ("length", "stop")
    (without,) = answers(generator, Prompt(asked.messages, asked.sampling))
    assert without[0].first_token_logprobs is None


def test_what_is_wrong_with_one_prompt_is_told_in_its_place(tmp_path: Path) -> None:
    write_native(tmp_path)
    generator = load_generator(str(tmp_path), {})
    missing = ImageRef("row 7, image", path=tmp_path / "none.png")
    found = answers(
        generator,
        Prompt((Message("user", "abc", (missing,)),), GREEDY, 2),
        Prompt((Message("user", "abc"),), GREEDY),
        Prompt((Message("user", "x" * 5000),), GREEDY),
        Prompt((Message("user", "<IMG_CONTEXT>"),), GREEDY),
    )
    assert [each.error is None for each in found[0]] == [False, False]
    assert "row 7, image: can't read" in str(found[0][0].error)
    assert found[1][0].error is None
    assert "prompt too long" in str(found[2][0].error)
    assert "image tokens of its own" in str(found[3][0].error)
    assert generator.usage()["completion_tokens"] == found[1][0].tokens


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "int8"}, "dtype 'int8' is unknown"),
        ({"batch_rows": "0"}, "batch_rows is 0; give at least 1"),
        ({"rows": "0"}, "no setting 'rows'; there are: batch_rows"),
    ],
)
def test_settings_that_can_t_be_are_named(tmp_path: Path, settings: dict[str, str], message: str) -> None:
    write_native(tmp_path)
    with pytest.raises(ConfigError, match=message):
        load_generator(str(tmp_path), settings).prepare()


def test_other_kinds_of_models_are_sent_to_other_backends(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava", "vision_config": {}}))
    with pytest.raises(ConfigError, match="'llava' aren't drawn from by the transformers backend; use vllm:"):
        load_generator(str(tmp_path), {}).prepare()
    with pytest.raises(ConfigError, match="no such folder"):
        load_generator("/nowhere/model", {}).prepare()


def test_what_changes_no_draw_is_no_part_of_the_identity(tmp_path: Path) -> None:
    write_native(tmp_path)
    one, other, third = (
        load_generator(str(tmp_path), settings).identity()
        for settings in ({}, {"device": "cpu", "batch_rows": "3"}, {"max_tiles": "6"})
    )
    assert one == other != third
    assert one["revision"]

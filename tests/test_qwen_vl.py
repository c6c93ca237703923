"""Qwen2.5-VL and Qwen3-VL on tiny random checkpoints: what transformers gets wrong in silence, and what is refused."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from qwen_vl_tiny import KINDS, own_forward, write_qwen_vl
from scoring_tiny import write_original
from small_runs import vpbench

from vpbench import Candidate, ConfigError, CriticError, ImageRef, Question
from vpbench.generate import Message, Prompt, Sampling, load_generator
from vpbench.models import inputs
from vpbench.models.inputs import decoder_inputs
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.models.qwen_vl import PixelLimits, QwenVL
from vpbench.models.qwen_vl_load import load_qwen_vl
from vpbench.plugins import find_critic
from vpbench.scoring import load_step_scorer
from vpbench.scoring.label_logits import Engine, StepPrompt, plain_engine
from vpbench.scoring.shared_prefix import SharedPrefixEngine

STEPS = ("one = two", "three - one", "so: question")
pytestmark = pytest.mark.filterwarnings("error:the shared-prefix engine")


@pytest.fixture(scope="module", params=KINDS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedCheckpoint:
    folder = tmp_path_factory.mktemp("qwen")
    write_qwen_vl(folder, request.param)
    return load_qwen_vl(str(folder), dtype="float32", device="cpu")


def picture(width: int = 70, height: int = 150) -> Image.Image:
    return Image.radial_gradient("L").resize((width, height))


def prompts(
    checkpoint: LoadedCheckpoint, text: str, endings: Sequence[Sequence[int]], images: int
) -> tuple[list[StepPrompt], Any]:
    """Prompts that begin with a text, each read at its last two tokens; and the patches of its images."""
    assert checkpoint.vision is not None
    patches, tiles = checkpoint.vision.tiles([picture(70 + 30 * number) for number in range(images)], 1)
    _, start = checkpoint.encode(text, tiles, checkpoint.tokenizer.encode)
    made = []
    for ending in endings:
        ids = (*start, *ending)
        made.append(StepPrompt((), "", ids, (len(ids) - 2, len(ids) - 1)))
    return made, patches


def run(engine: Engine, checkpoint: LoadedCheckpoint, given: Sequence[StepPrompt], patches: Any) -> list[torch.Tensor]:
    """Logits at the read-outs of each prompt."""
    features = None if patches is None or checkpoint.vision is None else checkpoint.vision.image_features(patches)
    with torch.inference_mode():
        states = dict(engine(checkpoint.model, given, features, checkpoint.image_token_id))
        head = checkpoint.model.get_output_embeddings()
        return [head(states[number]) for number in range(len(given))]


ENGINES = [plain_engine, SharedPrefixEngine]
ENDINGS = ((40, 41, 42), (40, 43, 44, 45, 46), (47, 48))


@pytest.mark.parametrize("engine", ENGINES, ids=["plain", "shared-prefix"])
@pytest.mark.parametrize("images", [0, 1, 2])
def test_both_engines_give_the_models_own_forward(checkpoint: LoadedCheckpoint, engine: Any, images: int) -> None:
    given, patches = prompts(checkpoint, "what is " + "<image>" * images + " ?", ENDINGS, images)
    made = engine if engine is plain_engine else engine()
    for prompt, logits in zip(given, run(made, checkpoint, given, patches), strict=True):
        wanted = own_forward(checkpoint.model, prompt.ids, patches)[list(prompt.readouts)]
        torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES, ids=["plain", "shared-prefix"])
def test_positions_are_the_images_and_not_those_of_text(
    checkpoint: LoadedCheckpoint, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first trap of transformers 5: without `mm_token_type_ids` Qwen2.5-VL takes an image for text, silently."""
    given, patches = prompts(checkpoint, "what <image> ?", ENDINGS, 1)
    right = [own_forward(checkpoint.model, prompt.ids, patches)[list(prompt.readouts)] for prompt in given]
    monkeypatch.setattr(inputs, "three_axis_positions", lambda images, grids: [list(range(len(images)))] * 3)
    as_text = run(engine if engine is plain_engine else engine(), checkpoint, given, patches)
    assert all((one - other).abs().max() > 1e-3 for one, other in zip(as_text, right, strict=True))
    if checkpoint.model.config.model_type == "qwen2_5_vl":
        checkpoint.model.model.rope_deltas = None
        trapped = own_forward(checkpoint.model, given[0].ids, patches, types=False)[list(given[0].readouts)]
        torch.testing.assert_close(trapped, as_text[0], atol=1e-4, rtol=1e-4)


def test_embeddings_alone_are_not_enough(checkpoint: LoadedCheckpoint) -> None:
    """The second trap: a forward of `inputs_embeds` has neither the image's positions nor the deep features."""
    given, patches = prompts(checkpoint, "what <image> ?", ENDINGS, 1)
    assert checkpoint.vision is not None
    features = checkpoint.vision.image_features(patches)
    right = own_forward(checkpoint.model, given[0].ids, patches)
    whole = decoder_inputs(checkpoint.model, given[0].ids, features, checkpoint.image_token_id)
    assert len(features.deep) == (2 if checkpoint.model.config.model_type == "qwen3_vl" else 0)
    checkpoint.model.model.rope_deltas = None
    decoder, head = checkpoint.model.get_decoder(), checkpoint.model.get_output_embeddings()
    with torch.inference_mode():
        embedded = checkpoint.model(inputs_embeds=whole.embeddings).logits[0]
        placed = head(decoder(**dataclasses.replace(whole, deep=()).arguments()).last_hidden_state[0])
        passed = head(decoder(**whole.arguments()).last_hidden_state[0])
    assert (embedded - right)[-1].abs().max() > 1e-3
    assert ((placed - right)[-1].abs().max() > 1e-3) == bool(features.deep)
    torch.testing.assert_close(passed, right, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES, ids=["plain", "shared-prefix"])
def test_what_was_run_before_leaves_nothing_behind(checkpoint: LoadedCheckpoint, engine: Any) -> None:
    """transformers keeps the positions' shift of its last forward, and applies it to embeddings that come later."""
    text, _ = prompts(checkpoint, "no picture", ENDINGS, 0)
    wanted = [own_forward(checkpoint.model, prompt.ids, None, types=False)[list(prompt.readouts)] for prompt in text]
    seen, patches = prompts(checkpoint, "what <image> ?", ENDINGS, 1)
    own_forward(checkpoint.model, seen[0].ids, patches)
    assert int(checkpoint.model.model.rope_deltas) != 0
    given = run(engine if engine is plain_engine else engine(), checkpoint, text, None)
    torch.testing.assert_close(given, wanted, atol=1e-5, rtol=1e-5)


def test_prompts_that_part_before_the_image_run_alone(checkpoint: LoadedCheckpoint) -> None:
    assert checkpoint.vision is not None
    patches, tiles = checkpoint.vision.tiles([picture()], 1)
    given = []
    for text in ("is <image> red", "was <image> blue"):
        ids = tuple(checkpoint.encode(text, tiles, checkpoint.tokenizer.encode)[1])
        given.append(StepPrompt((), "", ids, (len(ids) - 1,)))
    for prompt, logits in zip(given, run(SharedPrefixEngine(), checkpoint, given, patches), strict=True):
        wanted = own_forward(checkpoint.model, prompt.ids, patches)[list(prompt.readouts)]
        torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=1e-5)


def png(width: int = 70, height: int = 150) -> bytes:
    buffer = io.BytesIO()
    picture(width, height).save(buffer, "PNG")
    return buffer.getvalue()


def question(images: int = 1, text: str = "Q?") -> Question:
    return Question("t", "q", text, tuple(ImageRef(f"{i}", load=png) for i in range(images)))


def critic(name: str, folder: Path, **settings: Any) -> Any:
    cls: Any = find_critic(name).cls
    return cls(**({"model": str(folder), "dtype": "float32", "device": "cpu"} | settings))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["vlprm", "visualprm", "orm"])
def test_critics_write_the_checkpoints_own_turns(tmp_path: Path, kind: str, name: str) -> None:
    """Against one forward of a prompt written by hand; `orm` judges the response in one turn."""
    model = write_qwen_vl(tmp_path, kind)
    made = critic(
        name, tmp_path, **({"resize": "once", "min_pixels": None, "max_pixels": None} if name == "vlprm" else {})
    )
    (score,) = made.score(question(2), [Candidate("q", 0, "\n\n".join(STEPS))])
    tokenizer, vision = made._scorer.tokenizer, made._scorer.checkpoint.vision
    patches, tiles = vision.tiles([picture(), picture()], 1)
    turns = STEPS if name != "orm" else ("\n\n".join(STEPS),)
    text = "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n"
    text += f"{spelt(tiles)}### Question:\nQ?\n\n### Solution Process:\n"
    plus, minus = tokenizer.token_id("+"), tokenizer.token_id("-")
    wanted = []
    for turn in turns:
        text += f"{turn}<|im_end|>\n<|im_start|>assistant\n"
        logits = own_forward(model, tokenizer.encode(text), patches)[-1]
        wanted.append(float(logits[[plus, minus]].softmax(-1)[0]))
        text += "+<|im_end|>\n<|im_start|>user\n"
    assert score.value == pytest.approx(sum(wanted) / len(wanted), abs=1e-5)
    assert score.steps == (None if name == "orm" else pytest.approx(wanted, abs=1e-5))


CHAT = "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n{}Q?<|im_end|>\n<|im_start|>assistant\n"


def spelt(tiles: Sequence[int]) -> str:
    return "".join(f"<|vision_start|>{'<|image_pad|>' * count}<|vision_end|>" for count in tiles)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("images", [0, 2])
def test_the_likelihood_of_a_response(tmp_path: Path, kind: str, images: int) -> None:
    model = write_qwen_vl(tmp_path, kind)
    made = critic("likelihood", tmp_path, prompt="question")
    texts = ("first step", "two", "a third one")
    scores = made.score(question(images), [Candidate("q", number, text) for number, text in enumerate(texts)])
    checkpoint = made._chat.checkpoint
    patches, tiles = checkpoint.vision.tiles([picture()] * images, 1)
    start = checkpoint.tokenizer.encode(CHAT.format(spelt(tiles)))
    for text, score in zip(texts, scores, strict=True):
        ids = start + checkpoint.tokenizer.encode(text)
        logprobs = own_forward(model, ids, patches).log_softmax(-1)
        wanted = [float(logprobs[place - 1, ids[place]]) for place in range(len(start), len(ids))]
        assert score.value == pytest.approx(math.exp(sum(wanted) / len(wanted)), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_drawing_is_that_of_full_forwards(tmp_path: Path, kind: str) -> None:
    """Prompts as long as one another, with images of other shapes and with none, advance together."""
    model = write_qwen_vl(tmp_path, kind)
    generator: Any = load_generator(str(tmp_path), {"dtype": "float32"})
    checkpoint = generator._chat.checkpoint
    upright, lying = (ImageRef("", load=lambda size=size: png(*size)) for size in ((70, 150), (150, 70)))
    pads = sum(checkpoint.vision.tiles([picture()], 1)[1]) + 2
    asked = [((upright,), "Q?"), ((lying,), "Q?"), ((), "x" * pads + "Q?")]
    sampling = Sampling(temperature=0.0, top_p=1.0, max_tokens=6)
    prompts = [Prompt((Message("user", text, images),), sampling, count=2) for images, text in asked]
    drawn: list[list[str]] = [[] for _ in prompts]
    for position, generation in generator.generate(prompts):
        drawn[position].append(generation.text)
    stops, lengths = set(generator._chat.stop_ids()), set()
    rows = model.config.text_config.vocab_size
    banned = sorted(id for id in checkpoint.tokenizer.special_ids - stops if id < rows)
    for (images, text), texts in zip(asked, drawn, strict=True):
        patches, tiles = checkpoint.vision.tiles([image.open() for image in images], 1)
        ids = checkpoint.tokenizer.encode(CHAT.format(spelt(tiles) + text.removesuffix("Q?")))
        start = len(ids)
        lengths.add(start)
        while len(ids) < start + 6:
            logits = own_forward(model, ids, patches)[-1].index_fill(0, torch.tensor(banned), -torch.inf)
            if int(logits.argmax()) in stops:
                break
            ids.append(int(logits.argmax()))
        assert texts == [checkpoint.tokenizer.decode(ids[start:])] * 2
    assert len(lengths) == 1


def test_typed_image_tokens_are_text(tmp_path: Path) -> None:
    write_qwen_vl(tmp_path, "qwen3_vl")
    typed = Candidate("q", 0, "see <|vision_start|><|image_pad|><|vision_end|>")
    (score,) = critic("visualprm", tmp_path).score(question(), [typed])
    assert score.reason == "held special tokens, neutralised"
    (released,) = critic("visualprm", tmp_path, released_tokenization=True).score(question(), [typed])
    assert released.value is None
    assert "image token in the text" in str(released.reason)


def test_an_image_is_resized_within_the_limits(checkpoint: LoadedCheckpoint) -> None:
    vision = checkpoint.vision
    assert isinstance(vision, QwenVL)
    side = vision.side
    assert vision.pixel_limits() == (4 * side**2, 20 * side**2)
    narrow = dataclasses.replace(vision, limits=PixelLimits(None, 6 * side**2))
    for width, height in ((20, 30), (4 * side, 4 * side), (900, 300)):
        for chosen, most in ((vision, 20), (narrow, 6)):
            _, tiles = chosen.tiles([picture(width, height)], 1)
            assert tiles == [chosen.tile_count(width, height, 1)]
            assert 4 <= tiles[0] <= most


def test_resizing_twice_is_another_grid(checkpoint: LoadedCheckpoint) -> None:
    vision = checkpoint.vision
    assert isinstance(vision, QwenVL)
    twice = dataclasses.replace(vision, limits=PixelLimits(12 * vision.side**2, None, twice=True))
    once = dataclasses.replace(twice, limits=dataclasses.replace(twice.limits, twice=False))
    size = (round(2.4 * vision.side), round(1.6 * vision.side))
    grids = [chosen.tiles([picture(*size)], 1)[0].grids for chosen in (once, twice)]  # type: ignore[union-attr]
    assert grids[0] != grids[1]
    assert twice.tiles([picture(*size)], 1)[1] == [twice.tile_count(*size, 1)]


def test_without_weights_prompts_are_the_same(tmp_path: Path) -> None:
    write_qwen_vl(tmp_path, "qwen2_5_vl")
    loaded = load_step_scorer(str(tmp_path), dtype="float32", device="cpu")
    (tmp_path / "model.safetensors").unlink()
    empty = load_step_scorer(str(tmp_path), weights=False)
    assert {parameter.device.type for parameter in empty.model.parameters()} == {"meta"}
    assert empty.prompt("Q?", STEPS, [6]) == loaded.prompt("Q?", STEPS, [6])


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    write_qwen_vl(tmp_path, "qwen2_5_vl")
    with pytest.raises(CriticError, match="can't be resized .* crop it"):
        critic("visualprm", tmp_path)._scorer.tiles([picture(1, 500)], 1)
    with pytest.raises(ConfigError, match="max_pixels"):
        critic("visualprm", tmp_path, min_pixels=9000, max_pixels=5000).prepare()
    with pytest.raises(ConfigError, match="give once or twice"):
        critic("visualprm", tmp_path, resize="thrice")
    with pytest.raises(ConfigError, match="go with backend=transformers only"):
        critic("visualprm", tmp_path, resize="twice", backend="vllm")
    with pytest.raises(CriticError, match="a checkpoint with a vision tower"):
        critic("math-shepherd", tmp_path).prepare()
    with pytest.raises(CriticError, match="by backend=transformers 'qwen2_5_vl'"):
        critic("visualprm", tmp_path, backend="vllm-server", base_url="http://localhost:1/v1").prepare()
    trained = vpbench(
        "train",
        "--critic",
        "visualprm",
        "--model",
        tmp_path,
        "--data",
        tmp_path / "config.json",
        "--output",
        tmp_path / "o",
    )
    assert trained.exit_code == 2
    assert "Qwen2.5-VL and Qwen3-VL aren't trained from here" in trained.output
    change(tmp_path / "preprocessor_config.json", patch_size=16)
    with pytest.raises(CriticError, match="patch_size 16, config.json 14"):
        load_qwen_vl(str(tmp_path))
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(CriticError, match="copy preprocessor_config.json"):
        load_qwen_vl(str(tmp_path))
    change(tmp_path / "config.json", image_token_id=5)
    with pytest.raises(CriticError, match="config.json says 5"):
        load_qwen_vl(str(tmp_path))
    change(tmp_path / "config.json", model_type="qwen2_vl")
    with pytest.raises(CriticError, match="model_type is 'qwen2_vl', only .*'qwen2_5_vl' and 'qwen3_vl'"):
        load_step_scorer(str(tmp_path))
    write_original(tmp_path / "internvl", "qwen2")
    with pytest.raises(CriticError, match="InternVL takes max_tiles"):
        critic("visualprm", tmp_path / "internvl", max_pixels=5000).prepare()


def test_a_missing_head_is_refused_unless_tied(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    write_qwen_vl(tmp_path, "qwen3_vl")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CriticError, match="missing keys such as lm_head.weight"):
        load_qwen_vl(str(tmp_path))
    change(tmp_path / "config.json", tie_word_embeddings=True)
    tied = load_qwen_vl(str(tmp_path), dtype="float32", device="cpu").model
    assert tied.get_output_embeddings().weight is tied.get_input_embeddings().weight

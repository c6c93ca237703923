"""What a second member of each seam has to pass: `Vision`, `Head` and `Backend`, on today's members.

A new member is one more parameter here. The reference is always the whole model's own forward.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from qwen_vl_tiny import KINDS, own_forward, write_qwen_vl
from safetensors.torch import save_file
from scoring_tiny import write_original

from vpbench.errors import CriticError
from vpbench.models.load import load_internvl, load_internvl_without_weights
from vpbench.models.loaded import LoadedCheckpoint, embed
from vpbench.models.qwen_vl import QwenVL
from vpbench.models.qwen_vl_load import load_qwen_vl
from vpbench.models.vision import Vision
from vpbench.scoring.backend import Backend, LocalBackend
from vpbench.scoring.head import Head, HeadLayout, LabelRows
from vpbench.scoring.label_logits import StepPrompt, plain_engine
from vpbench.scoring.shared_prefix import engine_for
from vpbench.scoring.step_format import ChatFormat

MAX_TILES = 4
SIZES = ((56, 56), (200, 40), (31, 90))
Make = Callable[[Path], LoadedCheckpoint]


def internvl(language_model: str) -> Make:
    def make(folder: Path) -> LoadedCheckpoint:
        write_original(folder, language_model)
        return load_internvl(str(folder), dtype="float32", device="cpu", system_message="S")

    return make


def qwen_vl(kind: str) -> Make:
    def make(folder: Path) -> LoadedCheckpoint:
        write_qwen_vl(folder, kind)
        return load_qwen_vl(str(folder), dtype="float32", device="cpu", system_message="S")

    return make


VISIONS = [internvl("qwen2"), internvl("qwen3"), internvl("internlm2"), *map(qwen_vl, KINDS)]
HEADS: list[Callable[[Any, list[int]], Head]] = [LabelRows.of]
BACKENDS: list[Callable[[LoadedCheckpoint], Backend]] = [
    lambda checkpoint: LocalBackend(checkpoint, plain_engine),
    lambda checkpoint: LocalBackend(checkpoint, engine_for(checkpoint.model)),
]


@pytest.fixture(scope="module", params=VISIONS, ids=["internvl-qwen2", "internvl-qwen3", "internvl-internlm2", *KINDS])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedCheckpoint:
    make: Make = request.param
    return make(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def vision(checkpoint: LoadedCheckpoint) -> Vision:
    assert checkpoint.vision is not None
    return checkpoint.vision


def pictures() -> list[Image.Image]:
    return [Image.radial_gradient("L").resize(size) for size in SIZES]


def encode(checkpoint: LoadedCheckpoint, text: str, tiles: list[int]) -> list[int]:
    return checkpoint.encode(text, tiles, checkpoint.tokenizer.encode)[1]


def whole_logits(checkpoint: LoadedCheckpoint, ids: list[int], pixels: Any) -> torch.Tensor:
    """Logits of every token [tokens, vocabulary] by the model's own forward, which places the features itself."""
    if isinstance(checkpoint.vision, QwenVL):
        return own_forward(checkpoint.model, ids, pixels)
    with torch.inference_mode():
        logits: torch.Tensor = checkpoint.model(input_ids=torch.tensor([ids]), pixel_values=pixels).logits[0]
    return logits


def test_tiles_are_counted_without_being_cut(vision: Vision) -> None:
    pixels, tiles = vision.tiles(pictures(), MAX_TILES)
    assert tiles == [vision.tile_count(*size, MAX_TILES) for size in SIZES]
    assert pixels is not None
    assert len(pixels) == sum(tiles)
    assert len(set(tiles)) > 1
    assert vision.tiles([], MAX_TILES) == (None, [])


def test_image_tokens_stand_where_the_markers_were_and_are_as_many_as_features(
    checkpoint: LoadedCheckpoint, vision: Vision
) -> None:
    pixels, tiles = vision.tiles(pictures(), MAX_TILES)
    ids = encode(checkpoint, "one <image> two <image><image> three <image>", tiles)
    counts = [vision.token_count(number) for number in tiles]
    assert ids.count(vision.image_token_id) == sum(counts)
    features = vision.image_features(pixels)
    assert features.rows.flatten(0, -2).shape[0] == sum(counts)
    runs = "".join("i" if id == vision.image_token_id else " " for id in ids).split()
    assert [len(run) for run in runs] == counts
    assert "<image>" in checkpoint.tokenizer.decode(ids)


def test_an_image_token_in_the_text_is_refused(checkpoint: LoadedCheckpoint, vision: Vision) -> None:
    image_tokens = vision.place_images("<image>", [1])
    with pytest.raises(CriticError, match="image token in the text"):
        encode(checkpoint, f"<image> {image_tokens}", [1])
    with pytest.raises(CriticError, match="image token in the text"):
        encode(checkpoint, image_tokens, [])


def test_features_at_the_image_tokens_give_the_models_own_forward(checkpoint: LoadedCheckpoint, vision: Vision) -> None:
    """A family whose tokens have other positions than 0, 1, 2, ... fails here until they are passed on."""
    pixels, tiles = vision.tiles(pictures(), MAX_TILES)
    ids = encode(checkpoint, "one <image> two <image><image> three", tiles)
    features = vision.image_features(pixels)
    prompt = StepPrompt((), "", tuple(ids), tuple(range(len(ids))))
    ((_, states),) = plain_engine(checkpoint.model, [prompt], features, vision.image_token_id)
    with torch.inference_mode():
        logits = checkpoint.model.get_output_embeddings()(states)
    torch.testing.assert_close(logits, whole_logits(checkpoint, ids, pixels), atol=1e-4, rtol=0)
    rows = embed(checkpoint.model, ids, features.rows.flatten(0, -2), vision.image_token_id)
    assert torch.equal(rows[torch.tensor(ids) == vision.image_token_id], features.rows.flatten(0, -2))


@pytest.mark.parametrize("make", HEADS)
def test_a_head_gives_float32_per_label_as_the_model_does(
    checkpoint: LoadedCheckpoint, make: Callable[[Any, list[int]], Head]
) -> None:
    labels, hidden = [5, 3, 9], checkpoint.model.get_output_embeddings().weight.shape[1]
    states = torch.randn(6, hidden, generator=torch.Generator().manual_seed(0))
    head = make(checkpoint.model, labels)
    with torch.inference_mode():
        logits = head(states.bfloat16())
        wanted = checkpoint.model.get_output_embeddings()(states.bfloat16().float())[:, labels]
    assert (logits.dtype, logits.shape) == (torch.float32, (6, 3))
    torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=0)
    assert head(states[:0]).shape == (0, 3)


STORED = {
    "two-layer": (
        HeadLayout(("score.0", "score.2"), "softmax", (0.0, 1.0)),
        {"score.0": (24, "H"), "score.2": (2, 24)},
    ),
    "token-classification": (HeadLayout(("score",), "softmax", (0.0, 1.0)), {"score": (2, "H")}),
    "value": (HeadLayout(("v_head.summary",), "sigmoid"), {"v_head.summary": (1, "H")}),
    "scalar": (HeadLayout(("v_head.summary",), "identity"), {"v_head.summary": (1, "H")}),
}
"""Each head a checkpoint may have of its own, and the shapes of its layers, H being the hidden size."""


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("with_bias", [True, False])
def test_a_stored_head_gives_what_its_layers_do(
    checkpoint: LoadedCheckpoint, kind: str, with_bias: bool, tmp_path: Path
) -> None:
    """Layers in bfloat16 run in float32, wherever in the folder they lie."""
    layout, shapes = STORED[kind]
    hidden = checkpoint.model.config.get_text_config().hidden_size
    random = torch.Generator().manual_seed(0)
    modules = {}
    for name, (outputs, inputs) in shapes.items():
        modules[name] = torch.nn.Linear(hidden if inputs == "H" else inputs, outputs, with_bias, dtype=torch.bfloat16)
        for parameter in modules[name].parameters():
            parameter.data = torch.randn(parameter.shape, generator=random).bfloat16()
    save_file({"model.norm.weight": torch.ones(hidden)}, tmp_path / "model.safetensors")
    tensors = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    save_file(tensors, tmp_path / "value_head.safetensors")
    states = torch.randn(6, hidden, generator=random)
    head: Head = layout.read(tmp_path, checkpoint.model)
    outputs = head(states)
    first, *rest = (module.float() for module in modules.values())
    with torch.inference_mode():
        wanted = first(states)
        for module in rest:
            wanted = module(wanted.relu())
    assert (outputs.dtype, outputs.shape) == (torch.float32, (6, len(layout.worth)))
    torch.testing.assert_close(outputs, wanted, atol=1e-5, rtol=1e-6)
    links = {"softmax": wanted.softmax(-1)[:, -1], "sigmoid": wanted.sigmoid()[:, 0], "identity": wanted[:, 0]}
    assert layout.scores(outputs) == pytest.approx(links[layout.link].tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"v_head.summary.weight": (1, 3)}, r"hold no score\.weight, but v_head\.summary\.weight; give a checkpoint"),
        ({}, r"hold no score\.weight, nor any other head than a language model's; give"),
        ({"score.weight": (3, 3)}, r"score\.weight is \[3, 3\], \[2, \d+\] is expected"),
        ({"score.weight": (2, 3)}, r"score\.weight is \[2, 3\], \[2, \d+\] is expected"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(
    checkpoint: LoadedCheckpoint, stored: dict[str, tuple[int, int]], message: str, tmp_path: Path
) -> None:
    tensors = {name: torch.zeros(shape) for name, shape in stored.items()}
    save_file({"lm_head.weight": torch.ones(1), **tensors}, tmp_path / "model.safetensors")
    with pytest.raises(CriticError, match=message):
        STORED["token-classification"][0].read(tmp_path, checkpoint.model)


@pytest.mark.parametrize("make", BACKENDS, ids=["plain", "shared-prefix"])
def test_a_backend_gives_label_logits_up_to_a_constant(
    checkpoint: LoadedCheckpoint, make: Callable[[LoadedCheckpoint], Backend]
) -> None:
    backend, labels = make(checkpoint), [5, 3, 9]
    images, tiles = backend.images(pictures()[:2], MAX_TILES)
    start = encode(checkpoint, "what <image> is <image>", tiles)
    prompts = [
        StepPrompt((), "", (*start, *ending), (len(start), len(start) + len(ending) - 1))
        for ending in ((1, 2, 3), (1, 2, 4, 5), (7, 8))
    ]
    for prompt in prompts:
        backend.check(prompt, ChatFormat())
    logits = backend.label_logits(prompts, images, tiles, labels)
    assert checkpoint.vision is not None
    pixels, _ = checkpoint.vision.tiles(pictures()[:2], MAX_TILES)
    for prompt, given in zip(prompts, logits, strict=True):
        wanted = whole_logits(checkpoint, list(prompt.ids), pixels)[list(prompt.readouts)][:, labels]
        assert (given.dtype, given.device.type) == (torch.float32, "cpu")
        torch.testing.assert_close(given.log_softmax(-1), wanted.log_softmax(-1), atol=1e-4, rtol=0)
    assert backend.label_logits([], None, [], labels) == []
    assert backend.images([], MAX_TILES) == (None, [])
    with pytest.raises(CriticError, match="tiles_per_image"):
        backend.label_logits(prompts, images, tiles[:1], labels)


def test_without_weights_the_same_prompts_are_written(tmp_path: Path) -> None:
    loaded = internvl("qwen2")(tmp_path)
    for path in tmp_path.glob("*.safetensors"):
        path.unlink()
    empty = load_internvl_without_weights(str(tmp_path), system_message="S")
    assert {parameter.device.type for parameter in empty.model.parameters()} == {"meta"}
    assert (empty.max_tokens, empty.system_message) == (loaded.max_tokens, loaded.system_message)
    tiles = [empty.vision.tile_count(*size, MAX_TILES) for size in SIZES] if empty.vision else []
    assert encode(empty, "a <image> b <image> c <image>", tiles) == encode(
        loaded, "a <image> b <image> c <image>", tiles
    )

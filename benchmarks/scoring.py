"""Speed of step scoring: the shared-prefix engine against one full forward per response, in one run.

The full forward is the released way: image and prefix every time, logits of the whole vocabulary at every position.
Models have random weights in the shape of InternVL (448 px, 256 tokens a tile) or of Qwen2.5-VL (as many tokens in one
wide picture), prompts have random tokens in the shape of scoring conversations. Seconds are CPU seconds of one thread;
the two ways take turns. The token bound N (P + R) / (P + N R), for a prefix of P and a rest of R tokens, is what
sharing the prefix alone can give.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from tabulate import tabulate
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLVisionConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
)

from vpbench.models.vision import ImageFeatures
from vpbench.scoring.head import LabelRows
from vpbench.scoring.label_logits import StepPrompt, label_logits
from vpbench.scoring.shared_prefix import engine_for

VOCABULARY, IMAGE_TOKEN, ROLE_END, LABELS = 1024, 1000, 1001, (1002, 1003)
TOKENS_PER_TILE, SIDE = 256, 448
MODELS = ("InternVL", "Qwen2.5-VL")
SIZES = {"256": (256, 4), "512": (512, 8)}
PREFIXES = {"300": (1, 44), "1500": (5, 220)}
"""Name -> (tiles, text tokens) before the first step."""
ROUNDS, MANY, FULL_FORWARDS = 3, 64, 16
"""Times the engine runs (once for `MANY` prompts and more), and most full forwards of a cell."""


@dataclass(frozen=True)
class Timing:
    """One row of the table: seconds, tokens and the largest distances of step scores."""

    model: str
    width: str
    dtype: str
    prompts: int
    prefix: int
    rest: float
    plain_s: float
    shared_s: float
    difference: float
    shared_off: float
    plain_off: float

    def row(self) -> list[str]:
        bound = self.prompts * (self.prefix + self.rest) / (self.prefix + self.prompts * self.rest)
        ratio = self.plain_s / self.shared_s
        off = [""] * 2 if self.dtype == "float32" else [f"{self.shared_off:.1e}", f"{self.plain_off:.1e}"]
        return [
            self.model,
            self.width,
            self.dtype,
            f"{self.prompts}",
            f"{self.prefix}",
            f"{self.rest:.0f}",
            f"{self.plain_s:.2f}",
            f"{self.shared_s:.2f}",
            f"{ratio:.2f}",
            f"{bound:.2f}",
            f"{ratio / bound:.0%}",
            f"{self.difference:.1e}",
            *off,
        ]


HEADERS = [
    "model",
    "width",
    "dtype",
    "N",
    "P",
    "R",
    "full forwards s",
    "shared s",
    "ratio",
    "token bound",
    "of the bound",
    "max difference",
    "shared from fp32",
    "full from fp32",
]


def random_model(name: str, hidden: int, layers: int) -> Any:
    """Weights that bfloat16 holds exactly, large enough for attention and labels to matter."""
    torch.manual_seed(0)
    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": hidden,
        "intermediate_size": 4 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64,
        "num_key_value_heads": hidden // 128,
        "max_position_embeddings": 4096,
        "initializer_range": hidden**-0.5,
    }
    model = (internvl if name == "InternVL" else qwen_vl)(text).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(parameter.bfloat16())
    return model


def qwen_vl(text: dict[str, Any]) -> Any:
    vision = {
        "depth": 3,
        "hidden_size": 64,
        "num_heads": 4,
        "intermediate_size": 256,
        "out_hidden_size": text["hidden_size"],
        "fullatt_block_indexes": [2],
    }
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [8, 12, 12]}
    tokens = {"image_token_id": IMAGE_TOKEN, "video_token_id": IMAGE_TOKEN + 10, "tie_word_embeddings": False}
    config = Qwen2_5_VLConfig(text_config={**text, "rope_parameters": rope}, vision_config=vision, **tokens)
    return Qwen2_5_VLForConditionalGeneration(config)


def internvl(text: dict[str, Any]) -> Any:
    vision = InternVLVisionConfig(
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=256,
        image_size=(SIDE, SIDE),
        attention_bias=True,
        use_mean_pooling=True,
    )
    config = InternVLConfig(
        vision_config=vision,
        text_config=Qwen2Config(**text),
        image_token_id=IMAGE_TOKEN,
        image_seq_length=TOKENS_PER_TILE,
        tie_word_embeddings=False,
    )
    return InternVLForConditionalGeneration(config)


def random_images(name: str, tiles: int) -> dict[str, Any]:
    """What a forward takes of images of so many tiles' tokens, in float32."""
    generator = torch.Generator().manual_seed(0)
    if name == "InternVL":
        return {"pixel_values": torch.randn(tiles, 3, SIDE, SIDE, generator=generator)}
    side = SIDE // 14
    patches = torch.randn(side * side * tiles, 2 * 3 * 14 * 14, generator=generator)
    return {"pixel_values": patches, "image_grid_thw": torch.tensor([[1, side, side * tiles]])}


def image_features(model: Any, images: dict[str, Any]) -> ImageFeatures:
    features = model.get_image_features(**images, return_dict=True).pooler_output
    if "image_grid_thw" not in images:
        return ImageFeatures(features)
    ((_, rows, columns),) = images["image_grid_thw"].tolist()
    return ImageFeatures(features[0], grids=((rows // 2, columns // 2),))


def in_dtype(model: Any, dtype: Any) -> Any:
    """The model itself, its weights converted; the rotary frequencies stay in float32, as they do when it is loaded."""
    decoder = model.to(dtype).get_decoder()
    decoder.rotary_emb = type(decoder.rotary_emb)(decoder.config)
    return model


def random_prompts(count: int, tiles: int, text: int) -> tuple[list[StepPrompt], int]:
    """Prompts of 5 to 8 steps with the number of tokens that they share."""
    rng = random.Random(0)
    prefix = [rng.randrange(1000) for _ in range(text // 2)] + [IMAGE_TOKEN] * (tiles * TOKENS_PER_TILE)
    prefix += [rng.randrange(1000) for _ in range(text - text // 2)]
    prompts = []
    for number in range(count):
        ids, readouts = [*prefix, number], []
        for _ in range(rng.randint(5, 8)):
            ids += [*(rng.randrange(1000) for _ in range(rng.randint(20, 60))), ROLE_END]
            readouts.append(len(ids) - 1)
            ids += [LABELS[0], ROLE_END]
        prompts.append(StepPrompt(("",) * len(readouts), "", tuple(ids), tuple(readouts)))
    return prompts, len(prefix)


def full_forward(model: Any, prompt: StepPrompt, images: dict[str, Any]) -> Any:
    """Scores of the steps [steps] the released way."""
    ids = torch.tensor([prompt.ids])
    types = {"mm_token_type_ids": (ids == IMAGE_TOKEN).int()} if "image_grid_thw" in images else {}
    with torch.inference_mode():
        logits = model(input_ids=ids, **images, **types, use_cache=False).logits[0]
        return logits[list(prompt.readouts)][:, list(LABELS)].float().softmax(-1)[:, 0]


def shared(model: Any, engine: Any, prompts: list[StepPrompt], images: dict[str, Any]) -> Any:
    with torch.inference_mode():
        features = image_features(model, images)
    logits = label_logits(engine, model, prompts, features, IMAGE_TOKEN, LabelRows.of(model, LABELS))
    return [steps.softmax(-1)[:, 0] for steps in logits]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def measure(
    model: Any, engine: Any, prompts: list[StepPrompt], images: dict[str, Any]
) -> tuple[float, float, Any, Any]:
    """Seconds and scores of both ways.

    The full forwards are at most `FULL_FORWARDS`, evenly drawn by length, their seconds scaled to all. They run in
    shares, between which the engine runs on all prompts; its seconds are the median.
    """
    rounds = ROUNDS if len(prompts) < MANY else 1
    shared(model, engine, prompts[:2], images)
    full_forward(model, prompts[0], images)
    by_length = sorted(range(len(prompts)), key=lambda index: len(prompts[index].ids))
    drawn = by_length[:: max(1, len(prompts) // FULL_FORWARDS)]
    plain_s, shared_s, plain_scores = 0.0, [], []
    cuts = [len(drawn) * number // (rounds + 1) for number in range(rounds + 2)]
    for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
        for index in drawn[start:stop]:
            seconds, scores = timed(lambda index=index: full_forward(model, prompts[index], images))
            plain_s += seconds
            plain_scores.append(scores)
        if number < rounds:
            seconds, shared_scores = timed(lambda: shared(model, engine, prompts, images))
            shared_s.append(seconds)
    scale = len(prompts) / len(drawn)
    shared_drawn = torch.cat([shared_scores[index] for index in drawn])
    return plain_s * scale, statistics.median(shared_s), torch.cat(plain_scores), shared_drawn


def cells(names: list[str], widths: list[str], prefixes: list[str], counts: list[int]) -> Iterator[Timing]:
    for kind, width in itertools.product(names, widths):
        model = random_model(kind, *SIZES[width])
        for name in prefixes:
            tiles, text = PREFIXES[name]
            images = random_images(kind, tiles)
            for count in counts:
                prompts, prefix = random_prompts(count, tiles, text)
                rest = sum(len(prompt.ids) for prompt in prompts) / count - prefix
                exact = None
                for dtype in (torch.float32, torch.bfloat16):
                    in_dtype(model, dtype)
                    shown = {**images, "pixel_values": images["pixel_values"].to(dtype)}
                    plain_s, shared_s, plain, ours = measure(model, engine_for(model), prompts, shown)
                    exact = plain if exact is None else exact
                    off = [
                        float((scores - reference).abs().max())
                        for scores, reference in ((ours, plain), (ours, exact), (plain, exact))
                    ]
                    yield Timing(kind, width, str(dtype)[6:], count, prefix, rest, plain_s, shared_s, *off)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest cells only, about 20 seconds")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--widths", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--prefixes", nargs="+", default=list(PREFIXES), choices=PREFIXES)
    parser.add_argument("--counts", nargs="+", default=[8, 32, 128], type=int)
    given = parser.parse_args()
    torch.set_num_threads(1)
    chosen = (["256"], ["300"], [8, 32]) if given.quick else (given.widths, given.prefixes, given.counts)
    rows = []
    for cell in cells(given.models, *chosen):
        rows.append(cell.row())
        print(*rows[-1], file=sys.stderr)
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, Python "
        f"{platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}; one thread\n"
    )
    print(tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()

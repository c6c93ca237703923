"""Speed of step scoring: the shared-prefix engine against one full forward per response, in one run.

The full forward is the released way: image and prefix every time, logits of the whole vocabulary at every position.
Models have random weights in the shape of InternVL (448 px, 256 tokens a tile), prompts have random tokens in the shape
of scoring conversations. Seconds are CPU seconds of one thread; the two ways take turns. The token bound
N (P + R) / (P + N R), for a prefix of P and a rest of R tokens, is what sharing the prefix alone can give.
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
from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, Qwen2Config

from vpbench.models.vision import ImageFeatures
from vpbench.scoring.head import LabelRows
from vpbench.scoring.label_logits import StepPrompt, label_logits
from vpbench.scoring.shared_prefix import engine_for

VOCABULARY, IMAGE_TOKEN, ROLE_END, LABELS = 1024, 1000, 1001, (1002, 1003)
TOKENS_PER_TILE, SIDE = 256, 448
SIZES = {"256": (256, 4), "512": (512, 8)}
PREFIXES = {"300": (1, 44), "1500": (5, 220)}
"""Name -> (tiles, text tokens) before the first step."""
ROUNDS, MANY, FULL_FORWARDS = 3, 64, 16
"""Times the engine runs (once for `MANY` prompts and more), and most full forwards of a cell."""


@dataclass(frozen=True)
class Timing:
    """One row of the table: seconds, tokens and the largest distances of step scores."""

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


def random_model(hidden: int, layers: int) -> Any:
    """Weights that bfloat16 holds exactly, large enough for attention and labels to matter."""
    torch.manual_seed(0)
    text = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=hidden // 128,
        max_position_embeddings=4096,
        initializer_range=hidden**-0.5,
    )
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
        text_config=text,
        image_token_id=IMAGE_TOKEN,
        image_seq_length=TOKENS_PER_TILE,
        tie_word_embeddings=False,
    )
    model = InternVLForConditionalGeneration(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(parameter.bfloat16())
    return model


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


def full_forward(model: Any, prompt: StepPrompt, pixels: Any) -> Any:
    """Scores of the steps [steps] the released way."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([prompt.ids]), pixel_values=pixels, use_cache=False).logits[0]
        return logits[list(prompt.readouts)][:, list(LABELS)].float().softmax(-1)[:, 0]


def shared(model: Any, engine: Any, prompts: list[StepPrompt], pixels: Any) -> Any:
    with torch.inference_mode():
        features = ImageFeatures(model.get_image_features(pixels, return_dict=True).pooler_output)
    logits = label_logits(engine, model, prompts, features, IMAGE_TOKEN, LabelRows.of(model, LABELS))
    return [steps.softmax(-1)[:, 0] for steps in logits]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def measure(model: Any, engine: Any, prompts: list[StepPrompt], pixels: Any) -> tuple[float, float, Any, Any]:
    """Seconds and scores of both ways.

    The full forwards are at most `FULL_FORWARDS`, evenly drawn by length, their seconds scaled to all. They run in
    shares, between which the engine runs on all prompts; its seconds are the median.
    """
    rounds = ROUNDS if len(prompts) < MANY else 1
    shared(model, engine, prompts[:2], pixels)
    full_forward(model, prompts[0], pixels)
    by_length = sorted(range(len(prompts)), key=lambda index: len(prompts[index].ids))
    drawn = by_length[:: max(1, len(prompts) // FULL_FORWARDS)]
    plain_s, shared_s, plain_scores = 0.0, [], []
    cuts = [len(drawn) * number // (rounds + 1) for number in range(rounds + 2)]
    for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
        for index in drawn[start:stop]:
            seconds, scores = timed(lambda index=index: full_forward(model, prompts[index], pixels))
            plain_s += seconds
            plain_scores.append(scores)
        if number < rounds:
            seconds, shared_scores = timed(lambda: shared(model, engine, prompts, pixels))
            shared_s.append(seconds)
    scale = len(prompts) / len(drawn)
    shared_drawn = torch.cat([shared_scores[index] for index in drawn])
    return plain_s * scale, statistics.median(shared_s), torch.cat(plain_scores), shared_drawn


def cells(widths: list[str], prefixes: list[str], counts: list[int]) -> Iterator[Timing]:
    for width in widths:
        model = random_model(*SIZES[width])
        for name in prefixes:
            tiles, text = PREFIXES[name]
            pixels = torch.randn(tiles, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
            for count in counts:
                prompts, prefix = random_prompts(count, tiles, text)
                rest = sum(len(prompt.ids) for prompt in prompts) / count - prefix
                exact = None
                for dtype in (torch.float32, torch.bfloat16):
                    in_dtype(model, dtype)
                    plain_s, shared_s, plain, ours = measure(model, engine_for(model), prompts, pixels.to(dtype))
                    exact = plain if exact is None else exact
                    off = [
                        float((scores - reference).abs().max())
                        for scores, reference in ((ours, plain), (ours, exact), (plain, exact))
                    ]
                    yield Timing(width, str(dtype)[6:], count, prefix, rest, plain_s, shared_s, *off)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest cells only, about 20 seconds")
    parser.add_argument("--widths", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--prefixes", nargs="+", default=list(PREFIXES), choices=PREFIXES)
    parser.add_argument("--counts", nargs="+", default=[8, 32, 128], type=int)
    given = parser.parse_args()
    torch.set_num_threads(1)
    chosen = (["256"], ["300"], [8, 32]) if given.quick else (given.widths, given.prefixes, given.counts)
    rows = []
    for cell in cells(*chosen):
        rows.append(cell.row())
        print(*rows[-1], file=sys.stderr)
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, Python "
        f"{platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}; one thread\n"
    )
    print(tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()

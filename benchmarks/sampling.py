"""Drawing samples: tokens per CPU second of one thread, by transformers' generate and by this package's own loop.

"plain" is `generate(num_return_sequences=N)`, which runs the prompt N times; "shared" prefills once and copies keys and
values N times; "own" is `draw_rows`. Every row is 32 tokens long. "flat" models answer differently each time, "peaked"
ones (their head scaled up) mostly repeat themselves, as good policies do at temperature 0.7. Random weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from tabulate import tabulate
from transformers import DynamicCache, Qwen2Config, Qwen2ForCausalLM

from vpbench.generate import Sampling
from vpbench.generate.decoding import SampleRow, Vocabulary, draw_rows
from vpbench.models.inputs import DecoderInputs

TOKENS = 32
CELLS = [
    (160, 104, torch.bfloat16, 50, 1.0, 128),
    (160, 104, torch.bfloat16, 50, 30.0, 128),
    (256, 1024, torch.float32, 300, 1.0, 32),
    (256, 1024, torch.bfloat16, 1500, 1.0, 32),
]
"""Width, vocabulary, dtype, prompt tokens, factor of the head, N."""
SETTINGS: dict[str, Any] = {
    "do_sample": True,
    "temperature": 0.7,
    "top_p": 0.95,
    "top_k": 0,
    "max_new_tokens": TOKENS,
    "pad_token_id": 0,
}


def model_of(width: int, layers: int, vocabulary: int, dtype: torch.dtype, sharpness: float) -> Any:
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
        eos_token_id=None,
    )
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight.mul_(sharpness)
    model.generation_config.eos_token_id = None
    return model.to(dtype).eval().requires_grad_(False)


def plain(model: Any, prompt: Any, count: int) -> Any:
    mask = torch.ones_like(prompt)
    return model.generate(prompt, attention_mask=mask, num_return_sequences=count, **SETTINGS)[:, prompt.shape[1] :]


def shared(model: Any, prompt: Any, count: int) -> Any:
    cache = DynamicCache(config=model.config)
    with torch.inference_mode():
        model(prompt[:, :-1], past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(count)
    ids = prompt.repeat(count, 1)
    drawn = model.generate(ids, attention_mask=torch.ones_like(ids), past_key_values=cache, **SETTINGS)
    return drawn[:, prompt.shape[1] :]


def in_two_parts(model: Any, prompt: Any, count: int) -> Any:
    nothing = torch.empty(0, dtype=torch.long)
    rows = [SampleRow(0, 0, number) for number in range(count)]
    with torch.inference_mode():
        inputs = DecoderInputs(model.get_input_embeddings()(prompt))
    drawn, _ = draw_rows(model, inputs, rows, Sampling(), TOKENS, Vocabulary(nothing, nothing))
    return torch.tensor([row.ids for row in drawn])


def measure(way: Callable[[Any, Any, int], Any], model: Any, prompt: Any, count: int) -> tuple[float, float]:
    """Tokens per CPU second, and the share of rows that are unlike all others."""
    way(model, prompt, 2)
    start = time.process_time()
    samples = way(model, prompt, count)
    seconds = time.process_time() - start
    return samples.numel() / seconds, len(samples.unique(dim=0)) / count


def main() -> None:
    torch.set_num_threads(1)
    table = []
    for width, vocabulary, dtype, length, sharpness, count in CELLS:
        model = model_of(width, 4, vocabulary, dtype, sharpness)
        prompt = torch.randint(0, vocabulary, (1, length), generator=torch.Generator().manual_seed(1))
        ways = [measure(way, model, prompt, count) for way in (plain, shared, in_two_parts)]
        kind = "flat" if sharpness == 1 else "peaked"
        name = f"{width} x 4, {str(dtype).removeprefix('torch.')}"
        speeds = [f"{speed:,.0f}" for speed, _ in ways]
        table.append([name, length, kind, count, f"{100 * ways[2][1]:.0f}%", *speeds])
    headers = ["model", "prompt tokens", "kind", "N", "distinct", "plain", "shared", "own"]
    print(tabulate(table, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()

"""Tiny random Qwen2.5-VL and Qwen3-VL checkpoints, and the models' own forward that the tests compare with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from scoring_tiny import SPECIAL, write_bpe
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2Tokenizer, Qwen3VLConfig
from transformers import Qwen2_5_VLForConditionalGeneration as Qwen25
from transformers import Qwen3VLForConditionalGeneration as Qwen3

from vpbench.models.qwen_vl import Patches

KINDS = ("qwen2_5_vl", "qwen3_vl")
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
    "{% for m in messages %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
VISION = {"depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "out_hidden_size": 32}


def write_qwen_vl(folder: Path, kind: str) -> Any:
    """A whole checkpoint folder; returns its model."""
    folder.mkdir(parents=True, exist_ok=True)
    size = write_bpe(folder, VISION_TOKENS)
    backend = Qwen2Tokenizer.from_pretrained(folder).backend_tokenizer
    special = {"additional_special_tokens": [*SPECIAL, *VISION_TOKENS], "chat_template": TEMPLATE}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", **special)
    tokenizer.save_pretrained(folder)
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("image_pad", "video_pad")}
    tokens = {"image_token_id": ids["image_pad"], "video_token_id": ids["video_pad"], "tie_word_embeddings": False}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    text = {**TEXT, "vocab_size": size, "rope_parameters": rope}
    patch, pixels = 14, 28 * 28
    model: Any
    if kind == "qwen2_5_vl":
        vision = {**VISION, "window_size": 112, "fullatt_block_indexes": [1]}
        model = Qwen25(Qwen2_5_VLConfig(text_config=text, vision_config=vision, **tokens))
    else:
        patch, pixels = 16, 32 * 32
        vision = {**VISION, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]}
        text = {**text, "head_dim": 8, "rope_parameters": {**rope, "mrope_interleaved": True}}
        model = Qwen3(Qwen3VLConfig(text_config=text, vision_config=vision, **tokens))
    torch.manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    processor = {"patch_size": patch, "merge_size": 2, "temporal_patch_size": 2}
    processor["size"] = {"shortest_edge": 4 * pixels, "longest_edge": 20 * pixels}  # type: ignore[assignment]
    folder.joinpath("preprocessor_config.json").write_text(json.dumps(processor))
    return model.eval()


def own_forward(model: Any, ids: Sequence[int], patches: Patches | None, types: bool = True) -> torch.Tensor:
    """Logits [tokens, vocabulary] of the model's own forward, with the types of tokens that it asks for or without."""
    tokens = torch.tensor([list(ids)])
    given: dict[str, Any] = {}
    if patches is not None:
        grids = [[1, 2 * rows, 2 * columns] for rows, columns in patches.grids]
        given = {"pixel_values": patches.values, "image_grid_thw": torch.tensor(grids)}
    if types:
        given["mm_token_type_ids"] = (tokens == model.config.image_token_id).int()
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=tokens, **given).logits[0]
    return logits

"""The tiny InternVL: sizes, the empty native model, and a checkpoint folder of it.

Vision tower 128 wide, 2 layers, patches of 8 pixels, four patches to a visual token: 16 tokens for a picture, one per
cell. Language model 160 wide with 5 heads (Qwen2), 4 layers for the policy and 6 for critics. About 1.9 and 2.5 million
parameters; stored in bfloat16.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpbench.nano.pictures import SIDE

VISUAL_TOKENS = 16
SYSTEM_MESSAGE = "vpbench"
WIDTH, HEADS, HEAD, MLP = 160, 5, 32, 448
POLICY_LAYERS, CRITIC_LAYERS = 4, 6
ROPE_THETA, RMS_EPS, MAX_TOKENS = 1e6, 1e-6, 1024


def config(layers: int, ids: Mapping[str, int]) -> Any:
    """The native configuration; `ids` maps every token of the vocabulary to its id."""
    from transformers import InternVLConfig, InternVLVisionConfig, Qwen2Config

    vision = InternVLVisionConfig(
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=512,
        image_size=(SIDE, SIDE),
        patch_size=(8, 8),
        attention_bias=True,
        use_qk_norm=False,
        norm_type="layer_norm",
        layer_norm_eps=1e-6,
    )
    text = Qwen2Config(
        vocab_size=-(-len(ids) // 8) * 8,
        hidden_size=WIDTH,
        intermediate_size=MLP,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        rms_norm_eps=RMS_EPS,
        max_position_embeddings=MAX_TOKENS,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=ids["<|im_end|>"],
        pad_token_id=ids["<pad>"],
    )
    return InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=ids["<IMG_CONTEXT>"],
        image_seq_length=VISUAL_TOKENS,
        downsample_ratio=0.5,
        tie_word_embeddings=False,
    )


def empty_model(layers: int, ids: Mapping[str, int], seed: int) -> Any:
    """A native model with random weights."""
    import torch
    from transformers import InternVLForConditionalGeneration

    torch.manual_seed(seed)
    return InternVLForConditionalGeneration._from_config(config(layers, ids), attn_implementation="eager")


def pixel_values(pixels: Any) -> Any:
    """The model's input for pictures uint8 (count, 64, 64, 3), by the code that scoring uses."""
    from PIL import Image

    from vpbench.models.tiles import pixel_values as of_tiles

    return of_tiles([Image.fromarray(picture) for picture in pixels])


def save(folder: Path, weights: Mapping[str, Any], layers: int, ids: Mapping[str, int]) -> None:
    """Write `config.json`, `generation_config.json`, `preprocessor_config.json` and the weights in bfloat16."""
    import torch
    from safetensors.torch import save_file

    from vpbench.models.tiles import CHANNEL_MEAN, CHANNEL_STD

    folder.mkdir(parents=True, exist_ok=True)
    settings = config(layers, ids)
    settings.architectures, settings.dtype = ["InternVLForConditionalGeneration"], torch.bfloat16
    settings.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**written, "system_message": SYSTEM_MESSAGE}, indent=2) + "\n")
    stored = {name: tensor.detach().to(torch.bfloat16).contiguous() for name, tensor in weights.items()}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    preprocessing = {
        "image_processor_type": "GotOcr2ImageProcessor",
        "image_mean": list(CHANNEL_MEAN),
        "image_std": list(CHANNEL_STD),
        "size": {"height": SIDE, "width": SIDE},
        "crop_to_patches": False,
    }
    generation = {"eos_token_id": ids["<|im_end|>"], "pad_token_id": ids["<pad>"], "do_sample": True}
    for name, content in (("preprocessor_config", preprocessing), ("generation_config", generation)):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")

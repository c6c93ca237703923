"""Tiny checkpoints that vLLM's CPU build can run: its attention takes no heads narrower than 32."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import scoring_tiny

from vpbench.models.tiles import CHANNEL_MEAN, CHANNEL_STD

HEAD_WIDTH = 32


def write_checkpoint(folder: Path, layout: str, language_model: str) -> None:
    """A tiny checkpoint whose heads are wide enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring_tiny, "HIDDEN", scoring_tiny.HEADS * HEAD_WIDTH)
        model = scoring_tiny.write_original(folder, language_model)
    if layout == "native":
        folder.joinpath("model.safetensors").unlink()
        model.save_pretrained(folder)


TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_chat_checkpoint(folder: Path) -> None:
    """A tiny checkpoint in transformers' layout with all files that vLLM wants of one to chat with."""
    size = scoring_tiny.write_bpe(folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    decoder = settings["added_tokens_decoder"]
    decoder[str(size)] = {**decoder[str(size - 1)], "content": "<video>"}
    names = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    settings |= {"extra_special_tokens": {**names, "video_token": "<video>"}}
    settings |= {"chat_template": TEMPLATE, "eos_token": "<|im_end|>"}
    path.write_text(json.dumps(settings))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring_tiny, "HIDDEN", scoring_tiny.HEADS * HEAD_WIDTH)
        model = scoring_tiny.native_model("qwen2", size + 1)
    model.config.image_token_id = size - 1
    model.lm_head.weight.data /= 8
    model.lm_head.weight.data[94:256] = 0  # the bytes that are no printable ASCII
    model.save_pretrained(folder)
    side = {"height": scoring_tiny.SIDE, "width": scoring_tiny.SIDE}
    image = {"image_processor_type": "GotOcr2ImageProcessor", "size": side, "crop_to_patches": True}
    image |= {"min_patches": 1, "max_patches": 12, "image_mean": CHANNEL_MEAN, "image_std": CHANNEL_STD}
    video = {"video_processor_type": "InternVLVideoProcessor", "size": side}
    processor = {"processor_class": "InternVLProcessor", "image_seq_length": scoring_tiny.TOKENS_PER_TILE}
    folder.joinpath("preprocessor_config.json").write_text(
        json.dumps({**image, "processor_class": "InternVLProcessor"})
    )
    folder.joinpath("processor_config.json").write_text(
        json.dumps({**processor, "image_processor": image, "video_processor": video})
    )

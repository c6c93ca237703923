"""A folder that shows vLLM a scoring checkpoint with a head of its own, nothing of it copied.

vLLM can classify every token by a head called `score`. Its own way to make one from the rows of the language model's
head looks for that head under one name and is silently wrong where it has another (InternLM2). Here the rows of the
label tokens are written out in float32, beside links to the checkpoint's weights. The tokenizer and the processor
files are made up: prompts come as token ids and pixels, so all that vLLM asks of them is the image tokens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.checkpoint import read_json, weight_files
from vpbench.models.conversation import IMAGE_CONTEXT, IMAGE_END, IMAGE_MARKER, IMAGE_START
from vpbench.models.internvl import InternVL
from vpbench.models.internvl_config import ORIGINAL
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.models.weights import CONVERSION, open_weights
from vpbench.scoring.head import LabelRows

HEAD_FILE, HEAD_NAME = "score.safetensors", "language_model.score.weight"
VIDEO = "<video>"
UNKNOWN = "<unk>"
VLLM_LANGUAGE_MODELS = {"qwen2": "Qwen2ForCausalLM", "internlm2": "InternLM2ForCausalLM"}


def internvl_of(checkpoint: LoadedCheckpoint) -> InternVL:
    """The vision of an InternVL checkpoint. Raises `CriticError` for another, whose overlay would be another."""
    if not isinstance(checkpoint.vision, InternVL):
        raise CriticError("vLLM scores with InternVL checkpoints only; use the backend transformers")
    return checkpoint.vision


def write_overlay(
    overlay: Path, folder: Path, checkpoint: LoadedCheckpoint, label_ids: Sequence[int], max_tiles: int
) -> None:
    """Fill the empty folder `overlay` for the InternVL checkpoint in `folder`, which is loaded.

    The head gives the logits of `label_ids` in their order; an image may have `max_tiles` tiles and a thumbnail.
    """
    config = read_json(folder / "config.json")
    _write_weights(overlay, folder, LabelRows.of(checkpoint.model, label_ids).weight)
    size = checkpoint.model.config.text_config.vocab_size
    images = {token: checkpoint.tokenizer.token_id(token) for token in (IMAGE_START, IMAGE_END, IMAGE_CONTEXT)}
    _write_tokenizer(overlay, {**images, IMAGE_MARKER: size, VIDEO: size + 1, UNKNOWN: size + 2})
    labels = {"num_labels": len(label_ids)}
    if config["model_type"] == ORIGINAL:
        config = _original_config(config, checkpoint.model.config.text_config.to_dict() | labels, max_tiles)
    else:
        config |= {"architectures": ["InternVLForConditionalGeneration"], **labels}
        config["text_config"] |= labels
        _write_processor(overlay, internvl_of(checkpoint), max_tiles)
    _write(overlay / "config.json", config)


def _write_weights(overlay: Path, folder: Path, head: Any) -> None:
    from safetensors.torch import save_file

    weight_map = {HEAD_NAME: HEAD_FILE}
    for path in weight_files(folder):
        if path.suffix == ".bin":
            raise CriticError(f"{path}: vLLM scores with weights in safetensors only; convert it by {CONVERSION}")
        (overlay / path.name).symlink_to(path.resolve())
        with open_weights(path) as file:
            weight_map |= dict.fromkeys(file.keys(), path.name)
    save_file({HEAD_NAME: head.cpu().contiguous()}, overlay / HEAD_FILE)
    _write(overlay / "model.safetensors.index.json", {"weight_map": weight_map})


def _original_config(raw: Mapping[str, Any], text: dict[str, Any], max_tiles: int) -> dict[str, Any]:
    """The released `config.json` as vLLM's model reads it; `text` are the language model's values checked on load."""
    kind = raw["llm_config"]["model_type"]
    if kind not in VLLM_LANGUAGE_MODELS:
        raise CriticError(
            f"vLLM scores with {', '.join(VLLM_LANGUAGE_MODELS)}, not {kind}; use the backend transformers"
        )
    text["architectures"] = [VLLM_LANGUAGE_MODELS[kind]]
    vision = {"initializer_factor": 1.0, "num_channels": 3, "norm_type": "rms_norm", **raw["vision_config"]}
    kept = {name: value for name, value in raw.items() if name not in ("auto_map", "llm_config")}
    return {
        "ps_version": "v1",
        "select_layer": -1,
        "dynamic_image_size": True,
        "use_thumbnail": True,
        "force_image_size": None,
        **kept,
        "architectures": ["InternVLChatModel"],
        "min_dynamic_patch": 1,
        "max_dynamic_patch": max_tiles,
        "text_config": text,
        "vision_config": vision,
    }


def _write_tokenizer(overlay: Path, ids: Mapping[str, int | None]) -> None:
    """A tokenizer of whole words, which knows these special tokens and nothing else."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [{"id": id, "content": token, **flags} for token, id in ids.items()]
    words = {"type": "WordLevel", "vocab": ids, "unk_token": UNKNOWN}
    _write(overlay / "tokenizer.json", {"version": "1.0", "added_tokens": added, "model": words})
    named = {
        "start_image_token": IMAGE_START,
        "end_image_token": IMAGE_END,
        "context_image_token": IMAGE_CONTEXT,
        "video_token": VIDEO,
    }
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": UNKNOWN, "extra_special_tokens": named}
    _write(overlay / "tokenizer_config.json", settings)


def _write_processor(overlay: Path, internvl: InternVL, max_tiles: int) -> None:
    """What vLLM reads to know how many tokens an image can have."""
    side = {"height": internvl.image_size, "width": internvl.image_size}
    image = {"image_processor_type": "GotOcr2ImageProcessor", "size": side, "crop_to_patches": True}
    image |= {"min_patches": 1, "max_patches": max_tiles}
    video = {"video_processor_type": "InternVLVideoProcessor", "size": side}
    processor = {"processor_class": "InternVLProcessor", "image_seq_length": internvl.tokens_per_tile}
    _write(overlay / "preprocessor_config.json", {**image, "processor_class": "InternVLProcessor"})
    _write(overlay / "processor_config.json", {**processor, "image_processor": image, "video_processor": video})


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")

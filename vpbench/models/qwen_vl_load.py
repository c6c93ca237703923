"""A checkpoint folder or hub id -> a loaded Qwen2.5-VL or Qwen3-VL.

The classes are transformers' own, in the tensor names and configurations of any of its versions. Nothing may be missing
or left over, and no code of the checkpoint runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError, CriticError
from vpbench.models.checkpoint import checkpoint_folder, read_json, weight_files
from vpbench.models.device import torch_settings
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.models.qwen_vl import IMAGE_PAD, VISION_END, VISION_START, PixelLimits, QwenVL
from vpbench.models.text import errors_only, load_native, refuse_differences
from vpbench.models.tokenizer import TransformersTokenizer, load_tokenizer, required_id
from vpbench.models.weights import open_weights

CLASSES = {"qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration", "qwen3_vl": "Qwen3VLForConditionalGeneration"}
"""Class of transformers by `model_type`."""


def is_qwen_vl(folder: Path) -> bool:
    """Whether a folder's configuration names one of these models."""
    return read_json(folder / "config.json").get("model_type") in CLASSES


def load_qwen_vl(
    model: str,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    system_message: str | None = None,
    weights: bool = True,
    limits: PixelLimits | None = None,
    head: Sequence[str] = (),
) -> LoadedCheckpoint:
    """Load a Qwen2.5-VL or Qwen3-VL; its vision is a `QwenVL`.

    `system_message` None leaves the opening to the chat template. Without `weights` the model's parameters have no
    memory. With the layers of a `head` of its own the checkpoint needs no language model's head. Raises
    `CriticError` if the checkpoint can't be used and `ConfigError` for settings that can't.
    """
    folder = checkpoint_folder(model, revision, weights=weights)
    limits = limits or PixelLimits()
    tokenizer = load_tokenizer(folder, original=False)
    _take_chat_template(tokenizer, folder)
    config = _config(folder)
    special = [required_id(tokenizer, token) for token in (IMAGE_PAD, VISION_START, VISION_END)]
    text = config.get_text_config()
    if special[0] != config.image_token_id or max(special) >= text.vocab_size:
        raise CriticError(
            f"{folder}: {IMAGE_PAD} is the tokenizer's id {special[0]}, config.json says {config.image_token_id} of "
            f"{text.vocab_size}; use the tokenizer files of the checkpoint"
        )
    if weights:
        torch_dtype, torch_device = torch_settings(dtype, device)
        loaded = _load(folder, config, torch_dtype, head).to(torch_device)
    else:
        loaded = _empty(config)
    vision = QwenVL(loaded.requires_grad_(False).eval(), _processor(folder, config), special[0], limits)
    least, most = vision.pixel_limits()
    if not 0 < least <= most:
        raise ConfigError(f"{model}: images of {least} to {most} pixels; give min_pixels of at most max_pixels")
    return LoadedCheckpoint(loaded, tokenizer, text.max_position_embeddings, system_message or "", vision)


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # configuration classes check their fields with exceptions of their own
        raise CriticError(f"{folder}/config.json: doesn't describe a model ({error}); fetch it again") from error


def _load(folder: Path, config: Any, dtype: Any, head: Sequence[str]) -> Any:
    names: set[str] = set()
    for path in weight_files(folder):
        with open_weights(path) as file:
            names.update(file.keys())
    stored = any(name.endswith("lm_head.weight") for name in names)
    if stored or head:
        # A stored head is used whatever the configuration says; one that nobody reads may be the embeddings.
        config.tie_word_embeddings = config.get_text_config().tie_word_embeddings = not stored
    with errors_only():  # of the layers left unread
        loaded, report = load_native(folder, dtype, CLASSES[config.model_type], config)
    unread = {f"{name}.{part}" for name in head for part in ("weight", "bias")}
    left_over = set(report["unexpected_keys"]) - unread
    refuse_differences(folder, {**report, "unexpected_keys": left_over}, "fetch the checkpoint again")
    return loaded


def _empty(config: Any) -> Any:
    import torch
    import transformers

    with torch.device("meta"):
        return getattr(transformers, CLASSES[config.model_type])(config)


def _processor(folder: Path, config: Any) -> Any:
    """The checkpoint's image processor on Pillow; the one on torchvision resizes to other pixels."""
    from transformers import Qwen2VLImageProcessorPil

    try:
        processor = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # as above
        raise CriticError(
            f"{folder}: transformers can't read the image processor's settings ({error}); copy "
            "preprocessor_config.json from the checkpoint's base"
        ) from error
    vision = config.vision_config
    for name, value in (
        ("patch_size", vision.patch_size),
        ("merge_size", vision.spatial_merge_size),
        ("temporal_patch_size", vision.temporal_patch_size),
    ):
        if getattr(processor, name) != value:
            raise CriticError(
                f"{folder}: preprocessor_config.json has {name} {getattr(processor, name)}, config.json {value}; the "
                "two are of different models"
            )
    return processor


def _take_chat_template(tokenizer: Any, folder: Path) -> None:
    """Checkpoints of 2025 have the template that goes with the images in a file of its own."""
    path = folder / "chat_template.json"
    if not path.is_file() or (folder / "chat_template.jinja").is_file():
        return
    template = read_json(path).get("chat_template")
    if isinstance(template, str) and isinstance(tokenizer, TransformersTokenizer):
        tokenizer.inner.chat_template = template

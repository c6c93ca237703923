"""A checkpoint folder or hub id -> a `StepScorer` that runs it in this process."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from vpbench.errors import CriticError
from vpbench.models.checkpoint import checkpoint_folder
from vpbench.models.load import load_internvl, load_internvl_without_weights
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.models.qwen_vl import PixelLimits
from vpbench.models.qwen_vl_load import is_qwen_vl, load_qwen_vl
from vpbench.models.text import load_text_decoder, load_text_model
from vpbench.scoring.backend import LocalBackend
from vpbench.scoring.head import HeadLayout
from vpbench.scoring.shared_prefix import engine_for
from vpbench.scoring.step_format import CHAT_TEMPLATE_TURNS
from vpbench.scoring.step_scorer import StepScorer


def load_step_scorer(
    model: str,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    system_message: str | None = None,
    weights: bool = True,
    limits: PixelLimits | None = None,
) -> StepScorer:
    """Load a step-scoring checkpoint, of InternVL, Qwen2.5-VL or Qwen3-VL, with the turns its kind is asked in.

    `dtype` auto keeps the stored one, `device` auto takes CUDA where there is one. `system_message` None reads it from
    the checkpoint. Without `weights` the model's parameters have no memory, and prompts can be written only. `limits`
    of an image's pixels are for the two of Qwen. Raises `CriticError` if the checkpoint can't be used and `ConfigError`
    for an unknown dtype or device.
    """
    folder = checkpoint_folder(model, revision, weights)
    if is_qwen_vl(folder):
        loaded = load_qwen_vl(str(folder), None, dtype, device, system_message, weights, limits)
        return dataclasses.replace(local_scorer(loaded), format=CHAT_TEMPLATE_TURNS)
    if limits not in (None, PixelLimits()):
        raise CriticError(f"{model}: only Qwen2.5-VL and Qwen3-VL take limits of pixels; InternVL takes max_tiles")
    if not weights:
        return local_scorer(load_internvl_without_weights(str(folder), None, system_message))
    return local_scorer(load_internvl(str(folder), None, dtype, device, system_message))


def load_text_scorer(
    model: str,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    system_message: str | None = None,
    weights: bool = True,
) -> StepScorer:
    """Load a text-only causal language model to score steps with: a blind baseline.

    Arguments and errors are those of `load_step_scorer`; there is no system message by default.
    """
    checkpoint = load_text_model(model, revision, dtype, device, system_message, weights)
    _check_ids(model, checkpoint)
    return local_scorer(checkpoint)


def load_reward_scorer(
    model: str,
    head: HeadLayout,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    system_message: str | None = None,
    limits: PixelLimits | None = None,
) -> StepScorer:
    """Load a language model, text-only or of Qwen2.5-VL or Qwen3-VL, with a head of its own, which is run in float32.

    Other arguments and errors are those of `load_text_scorer`, `limits` those of an image's pixels; a checkpoint
    without that head is refused.
    """
    folder = checkpoint_folder(model, revision)
    if is_qwen_vl(folder):
        seeing = load_qwen_vl(str(folder), None, dtype, device, system_message, True, limits, head.layers)
        return local_scorer(seeing, head, folder)
    checkpoint = load_text_decoder(str(folder), head.layers, None, dtype, device, system_message)
    _check_ids(model, checkpoint)
    return local_scorer(checkpoint, head, folder)


def _check_ids(model: str, checkpoint: LoadedCheckpoint) -> None:
    rows, ids = checkpoint.model.config.get_text_config().vocab_size, checkpoint.tokenizer.size
    if ids > rows:
        raise CriticError(f"{model}: the tokenizer has {ids} ids, the model {rows}; use the checkpoint's own tokenizer")


def local_scorer(
    checkpoint: LoadedCheckpoint, head: HeadLayout | None = None, folder: Path | None = None
) -> StepScorer:
    """A scorer that runs a loaded checkpoint by the engine made for it, with the `head` that lies in its `folder`."""
    stored = None if head is None or folder is None else head.read(folder, checkpoint.model)
    return StepScorer(checkpoint, LocalBackend(checkpoint, engine_for(checkpoint.model), stored), head=head)

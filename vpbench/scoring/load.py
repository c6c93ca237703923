"""A checkpoint folder or hub id -> a `StepScorer`, for both layouts of InternVL checkpoints.

The released layout (`model_type` internvl_chat) goes through this package's own mapping, the layout of transformers
(`model_type` internvl) through transformers. Either way nothing may be missing or left over, and no code of the
checkpoint runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError, CriticError
from vpbench.models.checkpoint import bars_on_terminals_only, checkpoint_folder, read_json, weight_files
from vpbench.models.conversation import IMAGE_CONTEXT, SPECIAL_TOKENS
from vpbench.models.internvl_config import empty_native_model
from vpbench.models.internvl_weights import fill_native_model
from vpbench.models.system_message import system_message as system_message_of
from vpbench.models.tiles import CHANNEL_MEAN, CHANNEL_STD
from vpbench.models.tokenizer import Tokenizer, load_tokenizer
from vpbench.scoring.shared_prefix import engine_for
from vpbench.scoring.step_scorer import StepScorer

ORIGINAL, NATIVE = "internvl_chat", "internvl"
DTYPES = ("auto", "float32", "bfloat16", "float16")


def load_step_scorer(
    model: str,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    system_message: str | None = None,
    weights: bool = True,
) -> StepScorer:
    """Load a step-scoring checkpoint.

    `dtype` auto keeps the stored one, `device` auto takes CUDA where there is one. `system_message` None reads it from
    the checkpoint. Without `weights` the model's parameters have no memory, and prompts can be written only. Raises
    `CriticError` if the checkpoint can't be used and `ConfigError` for an unknown dtype or device.
    """
    folder = checkpoint_folder(model, revision)
    raw = read_json(folder / "config.json")
    layout = raw.get("model_type")
    if layout not in (ORIGINAL, NATIVE):
        raise CriticError(
            f"{folder}/config.json: model_type is {layout!r}, only {ORIGINAL!r} and {NATIVE!r} can be scored with; "
            "give an InternVL checkpoint"
        )
    _check_normalisation(folder)
    torch_dtype, torch_device = torch_settings(dtype, device)
    tokenizer = load_tokenizer(folder, original=layout == ORIGINAL)
    special = _special_ids(tokenizer, folder)
    if layout == ORIGINAL:
        loaded = empty_native_model(raw, folder / "config.json", special[IMAGE_CONTEXT])
        if weights:
            fill_native_model(loaded, folder, torch_dtype, torch_device)
    elif weights:
        loaded = _load_native_model(folder, torch_dtype, torch_device)
    else:
        loaded = _empty_native_model(folder)
    config, largest = loaded.config, max(special.values())
    if largest >= config.text_config.vocab_size:
        raise CriticError(
            f"{folder}: the tokenizer's id {largest} is beyond the model's vocabulary of "
            f"{config.text_config.vocab_size}; use the tokenizer files of the checkpoint"
        )
    side, patch = config.vision_config.image_size[0], config.vision_config.patch_size[0]
    return StepScorer(
        model=loaded.requires_grad_(False).eval(),
        tokenizer=tokenizer,
        system_message=system_message_of(folder, raw) if system_message is None else system_message,
        image_size=side,
        tokens_per_tile=int(side // patch * config.downsample_ratio) ** 2,
        max_tokens=config.text_config.max_position_embeddings,
        engine=engine_for(loaded),
    )


def _load_native_model(folder: Path, dtype: Any, device: Any) -> Any:
    """A checkpoint in transformers' layout. The head is tied only where no weight of its own is stored.

    transformers ties by default, which would silently replace a stored head by the embeddings.
    """
    from safetensors import SafetensorError, safe_open
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    bars_on_terminals_only()
    names: set[str] = set()
    try:
        for path in weight_files(folder):
            with safe_open(path, framework="pt") as file:
                names.update(file.keys())
        config = InternVLConfig.from_pretrained(folder, local_files_only=True)
        config.tie_word_embeddings = not any(name.endswith("lm_head.weight") for name in names)
        model, report = InternVLForConditionalGeneration.from_pretrained(
            folder,
            config=config,
            dtype=dtype or "auto",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CriticError(f"{folder}: transformers can't load the checkpoint ({error}); fetch it again") from error
    for word in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report.get(word):
            listed = ", ".join(sorted(map(str, report[word]))[:5])
            raise CriticError(f"{folder}: {word.replace('_', ' ')} such as {listed}; fetch the checkpoint again")
    return model.to(device)


def _empty_native_model(folder: Path) -> Any:
    import torch
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    try:
        with torch.device("meta"):
            return InternVLForConditionalGeneration(InternVLConfig.from_pretrained(folder, local_files_only=True))
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CriticError(f"{folder}/config.json: doesn't describe a model ({error}); fetch it again") from error


def torch_settings(dtype: str, device: str) -> tuple[Any, Any]:
    """The torch dtype (None for auto) and device."""
    import torch

    if dtype not in DTYPES:
        raise ConfigError(f"dtype {dtype!r} is unknown; give one of {', '.join(DTYPES)}")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {device!r} can't be used ({error}); give cpu, cuda or auto") from error
    return (None if dtype == "auto" else getattr(torch, dtype)), chosen


def _special_ids(tokenizer: Tokenizer, folder: Path) -> Mapping[str, int]:
    """Ids of the tokens that the conversation is made of, each of which has to be one token."""
    ids = {}
    for token in SPECIAL_TOKENS:
        found = tokenizer.token_id(token)
        if found is None or tokenizer.encode(token, with_special=False) != [found]:
            raise CriticError(f"{folder}: the tokenizer has no special token {token}; is this a scoring checkpoint?")
        ids[token] = found
    return ids


def _check_normalisation(folder: Path) -> None:
    """Compare the image mean and standard deviation of `preprocessor_config.json`, where there is one, with ours."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return
    settings = read_json(path)
    for key, ours in (("image_mean", CHANNEL_MEAN), ("image_std", CHANNEL_STD)):
        found = settings.get(key, list(ours))
        if not isinstance(found, list) or tuple(found) != ours:
            raise CriticError(f"{path}: {key} is {found!r}, only {list(ours)} is supported; use another checkpoint")

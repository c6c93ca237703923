"""A checkpoint folder or hub id -> a loaded InternVL checkpoint, for both layouts.

The released layout (`model_type` internvl_chat) goes through this package's own mapping, the layout of transformers
(`model_type` internvl) through transformers. Either way nothing may be missing or left over, and no code of the
checkpoint runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.checkpoint import bars_on_terminals_only, checkpoint_folder, read_json, weight_files
from vpbench.models.conversation import IMAGE_CONTEXT, SPECIAL_TOKENS
from vpbench.models.device import torch_settings
from vpbench.models.internvl import InternVL
from vpbench.models.internvl_config import NATIVE, ORIGINAL, empty_native_model
from vpbench.models.internvl_weights import fill_native_model
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.models.system_message import system_message as system_message_of
from vpbench.models.text import refuse_differences
from vpbench.models.tiles import CHANNEL_MEAN, CHANNEL_STD
from vpbench.models.tokenizer import Tokenizer, load_tokenizer
from vpbench.models.weights import open_weights

MakeModel = Callable[[Mapping[str, Any], int], Any]
"""The native model of a parsed `config.json` and an image token id."""


def load_internvl(
    model: str,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    system_message: str | None = None,
) -> LoadedCheckpoint:
    """Load an InternVL checkpoint; its vision is an `InternVL`.

    `dtype` auto keeps the stored one, `device` auto takes CUDA where there is one. `system_message` None reads it from
    the checkpoint. Raises `CriticError` if the checkpoint can't be used and `ConfigError` for an unknown dtype or
    device.
    """
    folder = checkpoint_folder(model, revision)

    def make(raw: Mapping[str, Any], image_token_id: int) -> Any:
        torch_dtype, torch_device = torch_settings(dtype, device)
        if raw["model_type"] == NATIVE:
            return _load_native_model(folder, torch_dtype, torch_device)
        empty = empty_native_model(raw, folder / "config.json", image_token_id)
        fill_native_model(empty, folder, torch_dtype, torch_device)
        return empty

    return _loaded(folder, make, system_message)


def load_internvl_without_weights(
    model: str, revision: str | None = None, system_message: str | None = None
) -> LoadedCheckpoint:
    """As `load_internvl`, but the model's parameters have no memory: it writes prompts and can't be run.

    Weights needn't be there. Raises `CriticError` if the rest of the checkpoint can't be used.
    """
    folder = checkpoint_folder(model, revision, weights=False)

    def make(raw: Mapping[str, Any], image_token_id: int) -> Any:
        if raw["model_type"] == NATIVE:
            return _empty_model(folder)
        return empty_native_model(raw, folder / "config.json", image_token_id)

    return _loaded(folder, make, system_message)


def _loaded(folder: Path, make: MakeModel, system_message: str | None) -> LoadedCheckpoint:
    raw = read_json(folder / "config.json")
    layout = raw.get("model_type")
    if layout not in (ORIGINAL, NATIVE):
        raise CriticError(
            f"{folder}/config.json: model_type is {layout!r}, only {ORIGINAL!r} and {NATIVE!r} can be scored with, "
            "and by backend=transformers 'qwen2_5_vl' and 'qwen3_vl'; give a checkpoint of InternVL or of one of these"
        )
    _check_normalisation(folder)
    tokenizer = load_tokenizer(folder, original=layout == ORIGINAL)
    special = _special_ids(tokenizer, folder)
    model = make(raw, special[IMAGE_CONTEXT])
    text_config, largest = model.config.text_config, max(special.values())
    if largest >= text_config.vocab_size:
        raise CriticError(
            f"{folder}: the tokenizer's id {largest} is beyond the model's vocabulary of {text_config.vocab_size}; use "
            "the tokenizer files of the checkpoint"
        )
    return LoadedCheckpoint(
        model=model.requires_grad_(False).eval(),
        tokenizer=tokenizer,
        max_tokens=text_config.max_position_embeddings,
        system_message=system_message_of(folder, raw) if system_message is None else system_message,
        vision=InternVL.of(model, special[IMAGE_CONTEXT]),
    )


def _load_native_model(folder: Path, dtype: Any, device: Any) -> Any:
    """A checkpoint in transformers' layout."""
    from safetensors import SafetensorError
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    bars_on_terminals_only()
    files = weight_files(folder)
    names: set[str] = set()
    for path in files:
        with open_weights(path) as file:
            names.update(file.keys())
    try:
        config = InternVLConfig.from_pretrained(folder, local_files_only=True)
        # transformers ties by default, which would silently replace a stored head by the embeddings.
        config.tie_word_embeddings = not any(name.endswith("lm_head.weight") for name in names)
        model, report = InternVLForConditionalGeneration.from_pretrained(
            folder,
            config=config,
            dtype=dtype or "auto",
            local_files_only=True,
            use_safetensors=all(path.suffix == ".safetensors" for path in files),
            weights_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CriticError(f"{folder}: transformers can't load the checkpoint ({error}); fetch it again") from error
    refuse_differences(folder, report, "fetch the checkpoint again")
    return model.to(device)


def _empty_model(folder: Path) -> Any:
    """The model of a checkpoint in transformers' layout, its parameters without memory."""
    import torch
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    try:
        with torch.device("meta"):
            return InternVLForConditionalGeneration(InternVLConfig.from_pretrained(folder, local_files_only=True))
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CriticError(f"{folder}/config.json: doesn't describe a model ({error}); fetch it again") from error


def _special_ids(tokenizer: Tokenizer, folder: Path) -> Mapping[str, int]:
    """Ids of the tokens that the conversation is made of, each of which has to be one token."""
    ids = {}
    for token in SPECIAL_TOKENS:
        id = tokenizer.token_id(token)
        if id is None or tokenizer.encode(token, with_special=False) != [id]:
            raise CriticError(f"{folder}: the tokenizer has no special token {token}; is this a scoring checkpoint?")
        ids[token] = id
    return ids


def _check_normalisation(folder: Path) -> None:
    """Compare the image mean and standard deviation of `preprocessor_config.json`, where there is one, with ours."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return
    settings = read_json(path)
    for key, ours in (("image_mean", CHANNEL_MEAN), ("image_std", CHANNEL_STD)):
        stated = settings.get(key, list(ours))
        if not isinstance(stated, list) or tuple(stated) != ours:
            raise CriticError(f"{path}: {key} is {stated!r}, only {list(ours)} is supported; use another checkpoint")

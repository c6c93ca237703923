"""A checkpoint folder -> a text-only causal language model, for scoring as well as for sampling.

Everything goes through transformers, as far as it is safe: weights in safetensors, no remote code, nothing missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.checkpoint import bars_on_terminals_only, checkpoint_folder, read_json, weight_files
from vpbench.models.device import torch_settings
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.models.tokenizer import load_tokenizer
from vpbench.models.weights import open_weights


def load_text_model(
    model: str,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    system_message: str | None = None,
    weights: bool = True,
) -> LoadedCheckpoint:
    """Load a causal language model; `system_message` None: none. Without `weights` its parameters have no memory.

    Raises `CriticError` if the checkpoint can't be used and `ConfigError` for an unknown dtype or device.
    """
    folder = checkpoint_folder(model, revision, weights=weights)
    if "vision_config" in read_json(folder / "config.json"):
        raise CriticError(f"{folder}: a checkpoint with a vision tower, only text-only ones can be used here")
    torch_dtype, torch_device = torch_settings(dtype, device)
    tokenizer = load_tokenizer(folder, original=False)
    if weights:
        from transformers import AutoModelForCausalLM

        loaded = load_native_model(folder, AutoModelForCausalLM, torch_dtype).to(torch_device)
    else:
        loaded = _empty_model(folder)
    length = loaded.config.get_text_config().max_position_embeddings
    return LoadedCheckpoint(loaded.requires_grad_(False).eval(), tokenizer, length, system_message or "")


def load_native_model(folder: Path, cls: Any, dtype: Any, config: Any | None = None) -> Any:
    """A folder's model by a class of transformers, `dtype` None as stored and `config` None as the folder says.

    Raises `CriticError` if it can't be loaded whole.
    """
    bars_on_terminals_only()
    files = weight_files(folder)
    for path in files:
        with open_weights(path):  # says what is wrong with a file better than transformers does
            pass
    try:
        model, report = cls.from_pretrained(
            folder,
            config=config,
            dtype=dtype or "auto",
            local_files_only=True,
            use_safetensors=all(path.suffix == ".safetensors" for path in files),
            weights_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # transformers raises many kinds for what a folder may lack
        raise CriticError(f"{folder}: transformers can't load the checkpoint ({error}); fetch it again") from error
    refuse_differences(folder, report, f"is this a checkpoint for {cls.__name__}?")
    return model


def _empty_model(folder: Path) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # as above
        raise CriticError(f"{folder}/config.json: doesn't describe a model ({error}); fetch it again") from error


def refuse_differences(folder: Path, report: Mapping[str, Any], advice: str) -> None:
    """Raise `CriticError` where transformers' loading report tells of weights missing, left over or of other shapes."""
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report.get(kind):
            names = ", ".join(sorted(map(str, report[kind]))[:5])
            raise CriticError(f"{folder}: {kind.replace('_', ' ')} such as {names}; {advice}")

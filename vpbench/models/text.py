"""A checkpoint folder -> a text-only causal language model, for scoring as well as for sampling.

Everything goes through transformers, as far as it is safe: weights in safetensors, no remote code, nothing missing. Of
a reward model the language model is loaded without its head, which `head_weights` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.checkpoint import bars_on_terminals_only, checkpoint_folder, read_json, weight_files
from vpbench.models.device import torch_settings
from vpbench.models.head_weights import require_layers
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
    folder = _text_folder(model, revision, weights)
    torch_dtype, torch_device = torch_settings(dtype, device)
    if not weights:
        return _loaded(folder, _empty_model(folder), system_message)
    loaded, report = load_native(folder, torch_dtype, "AutoModelForCausalLM")
    refuse_differences(folder, report, "is this a causal language model?")
    return _loaded(folder, loaded.to(torch_device), system_message)


def load_text_decoder(
    model: str,
    head: Sequence[str],
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    system_message: str | None = None,
) -> LoadedCheckpoint:
    """As `load_text_model`, but without a head: layers called `head` and a language model's head are left unread."""
    folder = _text_folder(model, revision, weights=True)
    require_layers(folder, head)  # before gigabytes are loaded in vain
    torch_dtype, torch_device = torch_settings(dtype, device)
    with errors_only():  # of the layers left unread
        loaded, report = load_native(folder, torch_dtype, "AutoModel")
    unread = {f"{name}.{part}" for name in (*head, "lm_head") for part in ("weight", "bias")}
    left_over = {name for name in report["unexpected_keys"] if name not in unread}
    refuse_differences(folder, {**report, "unexpected_keys": left_over}, "is this a reward model of that kind?")
    return _loaded(folder, loaded.to(torch_device), system_message)


def _text_folder(model: str, revision: str | None, weights: bool) -> Path:
    folder = checkpoint_folder(model, revision, weights=weights)
    if "vision_config" in read_json(folder / "config.json"):
        raise CriticError(f"{folder}: a checkpoint with a vision tower, only text-only ones can be used here")
    return folder


def _loaded(folder: Path, model: Any, system_message: str | None) -> LoadedCheckpoint:
    tokenizer = load_tokenizer(folder, original=False)
    length = model.config.get_text_config().max_position_embeddings
    return LoadedCheckpoint(model.requires_grad_(False).eval(), tokenizer, length, system_message or "")


def load_native(folder: Path, dtype: Any, kind: str, config: Any | None = None) -> tuple[Any, Mapping[str, Any]]:
    """A model by the class of transformers called `kind`, and the report of what was missing and left over.

    `dtype` None keeps the stored one, `config` None is the folder's. Raises `CriticError` if it can't be loaded.
    """
    import transformers

    bars_on_terminals_only()
    files = weight_files(folder)
    for path in files:
        with open_weights(path):  # says what is wrong with a file better than transformers does
            pass
    try:
        model, report = getattr(transformers, kind).from_pretrained(
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
    return model, report


@contextmanager
def errors_only() -> Iterator[None]:
    """Within, transformers logs errors alone."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


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

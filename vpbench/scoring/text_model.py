"""A text-only causal language model -> a `StepScorer` that sees no images: a blind baseline.

Everything goes through transformers, as far as it is safe: weights in safetensors, no remote code, nothing missing.
"""

from __future__ import annotations

from typing import Any

from vpbench.errors import CriticError
from vpbench.models.checkpoint import bars_on_terminals_only, checkpoint_folder, read_json, weight_files
from vpbench.models.tokenizer import load_tokenizer
from vpbench.scoring.load import torch_settings
from vpbench.scoring.shared_prefix import engine_for
from vpbench.scoring.step_scorer import StepScorer


def load_text_scorer(
    model: str,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    system_message: str | None = None,
) -> StepScorer:
    """Load a causal language model to score steps with; arguments as for `load_step_scorer`, no system message by
    default. Raises `CriticError` if the checkpoint can't be used and `ConfigError` for an unknown dtype or device.
    """
    folder = checkpoint_folder(model, revision)
    if "vision_config" in read_json(folder / "config.json"):
        raise CriticError(f"{folder}: a checkpoint with a vision tower, this critic takes text-only ones")
    weight_files(folder)
    torch_dtype, torch_device = torch_settings(dtype, device)
    tokenizer = load_tokenizer(folder, original=False)
    loaded = _load(folder, torch_dtype).to(torch_device)
    config = loaded.config.get_text_config()
    if tokenizer.size > config.vocab_size:
        raise CriticError(
            f"{folder}: the tokenizer has {tokenizer.size} ids, the model {config.vocab_size}; use the tokenizer files "
            "of the checkpoint"
        )
    return StepScorer(
        model=loaded.requires_grad_(False).eval(),
        tokenizer=tokenizer,
        system_message=system_message or "",
        image_size=0,
        tokens_per_tile=0,
        max_tokens=config.max_position_embeddings,
        engine=engine_for(loaded),
    )


def _load(folder: Any, dtype: Any) -> Any:
    from transformers import AutoModelForCausalLM

    bars_on_terminals_only()
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype or "auto",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except Exception as error:  # transformers raises many kinds for what a folder may lack
        raise CriticError(f"{folder}: transformers can't load the checkpoint ({error}); fetch it again") from error
    for word in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report.get(word):
            listed = ", ".join(sorted(map(str, report[word]))[:5])
            raise CriticError(f"{folder}: {word.replace('_', ' ')} such as {listed}; is this a causal language model?")
    return model

"""The trained critic as checkpoint folders: `native`, transformers' own layout, and `original`, the released one, which
only critics that see images have.

Everything but weights and configuration is the base's: tokenizer, chat template, preprocessing. Weights are stored in
the dtype that the base's were stored in.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.checkpoint import SMALL_FILES, read_json
from vpbench.models.internvl_config import NATIVE, ORIGINAL
from vpbench.train.original import original_config, original_tensors

SHARD_SIZE = "5GB"
_NOT_COPIED = ("config.json", "model.safetensors.index.json", "pytorch_model.bin.index.json")


def export(
    base: Path,
    model_config: Any,
    system_message: str,
    weights: Mapping[str, Any],
    output: Path,
    echo: Callable[[str], None],
) -> list[Path]:
    """Write `weights` (native names) as `native` and `original` under `output`; the folders written.

    `base` is the folder trained from. A model that the released layout can't hold is written in the native one alone,
    and `echo` says so.
    """
    stored = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
    base_config = read_json(base / "config.json")
    if model_config.get_text_config() is model_config:  # a language model alone, whose layout is transformers' own
        return [_write(output / "native", base, base_config, stored)]
    dtype = str(weights["lm_head.weight"].dtype).removeprefix("torch.")
    written = (
        base_config
        if base_config["model_type"] == NATIVE
        else {
            **json.loads(model_config.to_json_string(use_diff=False)),
            "system_message": system_message,
            "dtype": dtype,
            "architectures": ["InternVLForConditionalGeneration"],
        }
    )
    folders = [_write(output / "native", base, written, stored)]
    try:
        fused = original_tensors(stored, model_config.text_config)
        written = (
            base_config
            if base_config["model_type"] == ORIGINAL
            else {
                **original_config(model_config),
                "system_message": system_message,
                "torch_dtype": dtype,
            }
        )
    except CriticError as error:
        echo(f"not written in the released layout: {error}")
        return folders
    return [*folders, _write(output / "original", base, written, fused)]


def _write(folder: Path, base: Path, config: Mapping[str, Any], weights: Mapping[str, Any]) -> Path:
    from huggingface_hub import save_torch_state_dict

    folder.mkdir(parents=True, exist_ok=True)
    for pattern in SMALL_FILES:
        for path in base.glob(pattern):
            if path.name not in _NOT_COPIED:
                copy = folder / path.relative_to(base)
                copy.parent.mkdir(exist_ok=True)
                shutil.copyfile(path, copy)
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    save_torch_state_dict(dict(weights), folder, max_shard_size=SHARD_SIZE)
    return folder

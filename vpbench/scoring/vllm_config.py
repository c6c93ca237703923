"""The released InternVL layout as a configuration class, so that vLLM needs no code of a checkpoint.

transformers has no class for `model_type` internvl_chat; checkpoints bring one as remote code. vLLM's own model for
this layout reads a handful of plain values, which this class holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import AutoConfig, LlamaConfig, PretrainedConfig, Qwen2Config

from vpbench.models.internvl_config import ORIGINAL

LANGUAGE_MODELS = {"qwen2": Qwen2Config, "llama": LlamaConfig}


class InternVLChatConfig(PretrainedConfig):  # type: ignore[misc]
    """`text_config` and `vision_config` as objects, everything else as it stands in the file."""

    model_type = ORIGINAL
    has_no_defaults_at_init = True

    def __init__(
        self,
        text_config: Mapping[str, Any] | None = None,
        vision_config: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> None:
        text = dict(text_config or {})
        self.text_config = LANGUAGE_MODELS[text.pop("model_type", "qwen2")](**text)
        self.vision_config = PretrainedConfig(**(vision_config or {}))
        super().__init__(**values)


def register() -> None:
    """Let `AutoConfig` find the class; what the checkpoint's own remote code would register is replaced."""
    AutoConfig.register(ORIGINAL, InternVLChatConfig, exist_ok=True)

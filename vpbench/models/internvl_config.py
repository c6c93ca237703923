"""Configuration of an InternVL chat checkpoint -> configuration of transformers' native classes.

The released layout (`model_type` internvl_chat) names remote code for its classes, so its `config.json` is read as
plain JSON. Every value that the native classes or this package assume is compared, and a checkpoint that differs is
refused by name: a wrong epsilon or rotary base would not fail, it would give slightly or wholly wrong scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.conversation import TEMPLATE

ORIGINAL, NATIVE = "internvl_chat", "internvl"
"""`model_type` of the released layout and of transformers' own."""

ASSUMED: Mapping[str, tuple[Any, Any]] = {
    "ps_version": ("v2", "v1"),
    "template": (TEMPLATE, None),
    "select_layer": (-1, -1),
    "pad2square": (False, False),
    "use_thumbnail": (True, False),
    "dynamic_image_size": (True, False),
}
"""Top-level key -> (the only supported value, what its absence means in the released layout)."""

SHARED_VISION_SETTINGS = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "layer_norm_eps",
)
SHARED_TEXT_SETTINGS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "rms_norm_eps",
    "max_position_embeddings",
    "hidden_act",
)
"""Settings that the released layout and transformers call by one name."""

LANGUAGE_MODELS = ("qwen2", "qwen3", "internlm2")
NORMS = ("layer_norm", "rms_norm")
NATIVE_QK_NORM_EPS = 1e-6


def empty_native_model(raw: Mapping[str, Any], path: Path, image_token_id: int) -> Any:
    """The native model that a parsed `config.json` of the released layout describes, its parameters without memory.

    `path` is for messages. Raises `CriticError` naming the key, its value and what is supported.
    """
    import torch
    from transformers import InternVLForConditionalGeneration

    try:
        with torch.device("meta"):
            return InternVLForConditionalGeneration(_native_config(raw, path, image_token_id))
    except CriticError:
        raise
    except Exception as error:  # the configuration classes check their fields with exceptions of their own
        raise CriticError(f"{path}: doesn't describe a model ({error!r}); fetch it again") from error


def _native_config(raw: Mapping[str, Any], path: Path, image_token_id: int) -> Any:
    from transformers import InternVLConfig

    for key, (supported, absent) in ASSUMED.items():
        _require(path, key, raw.get(key, absent), (supported,))
    vision = _vision_config(_section(raw, "vision_config", path), path)
    forced = raw.get("force_image_size")
    if forced is not None:
        _require(path, "force_image_size", forced, (vision.image_size[0],))
    ratio = _value(raw, "downsample_ratio", path)
    side = vision.image_size[0] // vision.patch_size[0] * ratio
    if not 0 < ratio <= 1 or side != int(side) or int(1 / ratio) * ratio != 1:
        raise CriticError(f"{path}: downsample_ratio is {ratio!r}, which doesn't divide a tile's patches evenly")
    return InternVLConfig(
        vision_config=vision,
        text_config=_text_config(_section(raw, "llm_config", path), path),
        image_token_id=image_token_id,
        image_seq_length=int(side) ** 2,
        downsample_ratio=ratio,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        projector_hidden_act="gelu",
        tie_word_embeddings=False,
    )


def _vision_config(raw: Mapping[str, Any], path: Path) -> Any:
    from transformers import InternVLVisionConfig

    norm_type = raw.get("norm_type", "rms_norm")
    _require(path, "vision_config.norm_type", norm_type, NORMS)
    eps = _value(raw, "layer_norm_eps", path)
    qk_norm = _value(raw, "qk_normalization", path)
    if qk_norm:
        _require(path, "vision_config.layer_norm_eps (with qk_normalization)", eps, (NATIVE_QK_NORM_EPS,))
    size, patch = _value(raw, "image_size", path), _value(raw, "patch_size", path)
    return InternVLVisionConfig(
        **{key: _value(raw, key, path) for key in SHARED_VISION_SETTINGS},
        num_channels=raw.get("num_channels", 3),
        norm_type=norm_type,
        attention_bias=_value(raw, "qkv_bias", path),
        use_qk_norm=qk_norm,
        image_size=(size, size),
        patch_size=(patch, patch),
        use_mean_pooling=True,
    )


def _text_config(raw: Mapping[str, Any], path: Path) -> Any:
    from transformers import LlamaConfig, Qwen2Config, Qwen3Config

    kind = _value(raw, "model_type", path)
    _require(path, "llm_config.model_type", kind, LANGUAGE_MODELS)
    _require(path, "llm_config.tie_word_embeddings", raw.get("tie_word_embeddings", False), (False,))
    _require(path, "llm_config.use_sliding_window", raw.get("use_sliding_window", False), (False,))
    scaling = raw.get("rope_scaling")
    if scaling is not None:
        kind_of_scaling = scaling.get("rope_type", scaling.get("type")) if isinstance(scaling, dict) else scaling
        _require(path, "llm_config.rope_scaling type", kind_of_scaling, ("dynamic", "default"))
    shared = {key: _value(raw, key, path) for key in SHARED_TEXT_SETTINGS}
    shared["num_key_value_heads"] = raw.get("num_key_value_heads") or shared["num_attention_heads"]
    shared["tie_word_embeddings"] = False
    # Dynamic scaling changes nothing up to max_position_embeddings, and longer sequences are refused.
    shared["rope_parameters"] = {"rope_type": "default", "rope_theta": float(_value(raw, "rope_theta", path))}
    if kind == "qwen2":
        return Qwen2Config(**shared)
    if kind == "qwen3":
        _require(path, "llm_config.attention_bias", raw.get("attention_bias", False), (False,))
        return Qwen3Config(**shared, head_dim=_value(raw, "head_dim", path), attention_bias=False)
    _require(path, "llm_config.bias", raw.get("bias", True), (False,))
    return LlamaConfig(**shared, attention_bias=False, mlp_bias=False)


def _section(raw: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    section = raw.get(key)
    if not isinstance(section, dict):
        raise CriticError(f"{path}: no section {key}; is this the config.json of an InternVL chat checkpoint?")
    return section


def _value(raw: Mapping[str, Any], key: str, path: Path) -> Any:
    if raw.get(key) is None:
        raise CriticError(f"{path}: no value for {key}; take config.json from the checkpoint's own repository")
    return raw[key]


def _require(path: Path, key: str, value: Any, supported: tuple[Any, ...]) -> None:
    if value not in supported:
        allowed = " or ".join(map(repr, supported))
        raise CriticError(f"{path}: {key} is {value!r}, only {allowed} is supported; use another checkpoint")

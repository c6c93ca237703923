"""Native weights and configuration -> those of the released layout: the way back of `models.internvl_weights`.

The names are turned round one by one; query, key and value are fused again, in the vision tower as three blocks of
rows, in InternLM2 head by head. A checkpoint read and written again is bit for bit what it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.conversation import TEMPLATE
from vpbench.models.internvl_config import SHARED_TEXT_SETTINGS, SHARED_VISION_SETTINGS

_VISION = r"model\.vision_tower\."
_LM = r"model\.language_model\."
_LAYER = r"layers\.(\d+)\."
_SHARED: tuple[tuple[str, str], ...] = (
    (_VISION + r"embeddings\.cls_token", "vision_model.embeddings.class_embedding"),
    (_VISION + r"embeddings\.position_embeddings", "vision_model.embeddings.position_embedding"),
    (_VISION + r"embeddings\.patch_embeddings\.projection\.", "vision_model.embeddings.patch_embedding."),
    (_VISION + r"encoder\.layer\.(\d+)\.attention\.projection_layer\.", r"vision_model.encoder.layers.\1.attn.proj."),
    (_VISION + r"encoder\.layer\.(\d+)\.attention\.([qkv])_proj\.", r"vision_model.encoder.layers.\1.attn.qkv.[\2]."),
    (_VISION + r"encoder\.layer\.(\d+)\.attention\.([qk])_norm\.", r"vision_model.encoder.layers.\1.attn.\2_norm."),
    (_VISION + r"encoder\.layer\.(\d+)\.layernorm_before\.", r"vision_model.encoder.layers.\1.norm1."),
    (_VISION + r"encoder\.layer\.(\d+)\.layernorm_after\.", r"vision_model.encoder.layers.\1.norm2."),
    (_VISION + r"encoder\.layer\.(\d+)\.lambda_([12])", r"vision_model.encoder.layers.\1.ls\2"),
    (_VISION + r"encoder\.layer\.(\d+)\.mlp\.", r"vision_model.encoder.layers.\1.mlp."),
    (r"model\.multi_modal_projector\.layer_norm\.", "mlp1.0."),
    (r"model\.multi_modal_projector\.linear_1\.", "mlp1.1."),
    (r"model\.multi_modal_projector\.linear_2\.", "mlp1.3."),
)
_OF_LANGUAGE_MODEL: Mapping[str, tuple[tuple[str, str], ...]] = {
    "qwen2": (
        (_LM, "language_model.model."),
        (r"lm_head\.", "language_model.lm_head."),
    ),
    "internlm2": (
        (_LM + r"embed_tokens\.", "language_model.model.tok_embeddings."),
        (_LM + _LAYER + r"self_attn\.([qkv])_proj\.", r"language_model.model.layers.\1.attention.wqkv.[\2]."),
        (_LM + _LAYER + r"self_attn\.o_proj\.", r"language_model.model.layers.\1.attention.wo."),
        (_LM + _LAYER + r"mlp\.gate_proj\.", r"language_model.model.layers.\1.feed_forward.w1."),
        (_LM + _LAYER + r"mlp\.up_proj\.", r"language_model.model.layers.\1.feed_forward.w3."),
        (_LM + _LAYER + r"mlp\.down_proj\.", r"language_model.model.layers.\1.feed_forward.w2."),
        (_LM + _LAYER + r"input_layernorm\.", r"language_model.model.layers.\1.attention_norm."),
        (_LM + _LAYER + r"post_attention_layernorm\.", r"language_model.model.layers.\1.ffn_norm."),
        (_LM, "language_model.model."),
        (r"lm_head\.", "language_model.output."),
    ),
}
_PART = re.compile(r"\[([qkv])\]\.")


def language_model_kind(text_config: Any) -> str:
    """`qwen2` or `internlm2`, from the native text configuration. Raises `CriticError` for any other."""
    kind = {"qwen2": "qwen2", "llama": "internlm2"}.get(text_config.model_type)
    if kind is None:
        raise CriticError(f"the released layout knows no language model of type {text_config.model_type!r}")
    return kind


def original_tensors(native: Mapping[str, Any], text_config: Any) -> dict[str, Any]:
    """All weights under their released names. Raises `CriticError` for a name that the layout doesn't have."""
    renamings = (*_SHARED, *_OF_LANGUAGE_MODEL[language_model_kind(text_config)])
    original: dict[str, Any] = {}
    fused: dict[str, dict[str, Any]] = {}
    for name, tensor in native.items():
        new = _rename(name, renamings)
        part = _PART.search(new)
        if part is None:
            original[new] = tensor
        else:
            fused.setdefault(_PART.sub("", new), {})[part[1]] = tensor
    for name, parts in fused.items():
        query, key, value = parts["q"], parts["k"], parts["v"]
        join = _join_wqkv if name.startswith("language_model") else _join_qkv
        original[name] = join(query, key, value, text_config)
    return original


def _rename(name: str, renamings: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in renamings:
        new, changed = re.subn("^" + pattern, replacement, name)
        if changed:
            return new
    raise CriticError(f"the released layout has no place for the weight {name}")


def _join_qkv(query: Any, key: Any, value: Any, _: Any) -> Any:
    import torch

    return torch.cat([query, key, value])


def _join_wqkv(query: Any, key: Any, value: Any, text_config: Any) -> Any:
    """Rows become (key/value heads, query heads of each + 2, head width)."""
    import torch

    heads = text_config.num_key_value_heads
    parts = [projection.view(heads, -1, projection.shape[-1]) for projection in (query, key, value)]
    return torch.cat(parts, dim=1).reshape(-1, query.shape[-1])


def original_config(config: Any) -> dict[str, Any]:
    """`config.json` of the released layout for a native `InternVLConfig`; what `models.internvl_config` reads back."""
    vision, text = config.vision_config, config.text_config
    kind = language_model_kind(text)
    rope = text.rope_parameters
    if rope.get("rope_type", "default") not in ("default", "dynamic"):
        raise CriticError(f"the released layout has no rotary embedding of type {rope['rope_type']!r}")
    return {
        "model_type": "internvl_chat",
        "architectures": ["InternVLChatModel"],
        "ps_version": "v2",
        "select_layer": -1,
        "template": TEMPLATE,
        "downsample_ratio": config.downsample_ratio,
        "pad2square": False,
        "use_thumbnail": True,
        "dynamic_image_size": True,
        "force_image_size": vision.image_size[0],
        "vision_config": {
            **{name: getattr(vision, name) for name in (*SHARED_VISION_SETTINGS, "norm_type", "num_channels")},
            "image_size": vision.image_size[0],
            "patch_size": vision.patch_size[0],
            "qk_normalization": vision.use_qk_norm,
            "qkv_bias": vision.attention_bias,
        },
        "llm_config": {
            "model_type": kind,
            "bias": False,
            "tie_word_embeddings": False,
            "rope_theta": rope["rope_theta"],
            **{name: getattr(text, name) for name in (*SHARED_TEXT_SETTINGS, "num_key_value_heads")},
        },
    }

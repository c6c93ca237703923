"""Weights of an InternVL chat checkpoint -> weights of transformers' native classes.

A table of renamings, and two splits: the vision tower's fused `qkv` holds three equal row blocks, InternLM2's fused
`wqkv` holds for every key/value head its query heads, then the key, then the value. Loading is strict: a name that
the table doesn't know, a missing one and a wrong shape are errors. Tensors are read one at a time onto the target
device, into a model whose own parameters never had memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.checkpoint import weight_files
from vpbench.models.weights import open_weights

_VISION_LAYER = r"vision_model\.encoder\.layers\.(\d+)\."
_NATIVE_VISION_LAYER = r"model.vision_tower.encoder.layer.\1."
_LM_LAYER = r"language_model\.model\.layers\.(\d+)\."
_NATIVE_LM_LAYER = r"model.language_model.layers.\1."

_RENAMINGS: tuple[tuple[str, str], ...] = (
    (r"vision_model\.embeddings\.class_embedding", "model.vision_tower.embeddings.cls_token"),
    (r"vision_model\.embeddings\.position_embedding", "model.vision_tower.embeddings.position_embeddings"),
    (r"vision_model\.embeddings\.patch_embedding\.", "model.vision_tower.embeddings.patch_embeddings.projection."),
    (_VISION_LAYER + r"attn\.qkv\.", _NATIVE_VISION_LAYER + "attention.{q,k,v}_proj."),
    (_VISION_LAYER + r"attn\.proj\.", _NATIVE_VISION_LAYER + "attention.projection_layer."),
    (_VISION_LAYER + r"attn\.([qk])_norm\.", _NATIVE_VISION_LAYER + r"attention.\2_norm."),
    (_VISION_LAYER + r"norm1\.", _NATIVE_VISION_LAYER + "layernorm_before."),
    (_VISION_LAYER + r"norm2\.", _NATIVE_VISION_LAYER + "layernorm_after."),
    (_VISION_LAYER + r"ls([12])", _NATIVE_VISION_LAYER + r"lambda_\2"),
    (_VISION_LAYER + r"mlp\.", _NATIVE_VISION_LAYER + "mlp."),
    (r"mlp1\.0\.", "model.multi_modal_projector.layer_norm."),
    (r"mlp1\.1\.", "model.multi_modal_projector.linear_1."),
    (r"mlp1\.3\.", "model.multi_modal_projector.linear_2."),
    (r"language_model\.model\.tok_embeddings\.", "model.language_model.embed_tokens."),
    (_LM_LAYER + r"attention\.wqkv\.", _NATIVE_LM_LAYER + "self_attn.{q,k,v}_proj."),
    (_LM_LAYER + r"attention\.wo\.", _NATIVE_LM_LAYER + "self_attn.o_proj."),
    (_LM_LAYER + r"feed_forward\.w1\.", _NATIVE_LM_LAYER + "mlp.gate_proj."),
    (_LM_LAYER + r"feed_forward\.w3\.", _NATIVE_LM_LAYER + "mlp.up_proj."),
    (_LM_LAYER + r"feed_forward\.w2\.", _NATIVE_LM_LAYER + "mlp.down_proj."),
    (_LM_LAYER + r"attention_norm\.", _NATIVE_LM_LAYER + "input_layernorm."),
    (_LM_LAYER + r"ffn_norm\.", _NATIVE_LM_LAYER + "post_attention_layernorm."),
    (r"language_model\.output\.", "lm_head."),
    (r"language_model\.lm_head\.", "lm_head."),
    (r"language_model\.model\.", "model.language_model."),
)
_FUSED = "{q,k,v}"


def native_tensors(name: str, tensor: Any, text_config: Any) -> Iterator[tuple[str, Any]]:
    """The native (name, tensor) pairs of one original weight: one pair, or three for a fused one.

    Raises `CriticError` for a name of neither layout part or a fused weight of the wrong height.
    """
    for pattern, replacement in _RENAMINGS:
        native, changed = re.subn("^" + pattern, replacement, name)
        if changed:
            break
    else:
        raise CriticError(f"unexpected weight {name}; is this an InternVL chat checkpoint?")
    if _FUSED not in native:
        yield native, tensor
        return
    split = _split_wqkv if native.startswith("model.language_model") else _split_qkv
    try:
        parts = split(tensor, text_config)
    except RuntimeError as error:
        raise CriticError(f"weight {name} of shape {tuple(tensor.shape)} doesn't fit config.json ({error})") from error
    for letter, part in zip("qkv", parts, strict=True):
        yield native.replace(_FUSED, letter), part


def _split_qkv(fused: Any, _: Any) -> tuple[Any, Any, Any]:
    query, key, value = fused.view(3, -1, *fused.shape[1:]).unbind(0)
    return query, key, value


def _split_wqkv(fused: Any, text_config: Any) -> tuple[Any, Any, Any]:
    """Rows are (key/value heads, query heads of each + 2, head width)."""
    heads, groups = text_config.num_key_value_heads, text_config.num_attention_heads // text_config.num_key_value_heads
    width = text_config.hidden_size // text_config.num_attention_heads
    columns = fused.shape[-1]
    query, key, value = fused.view(heads, groups + 2, width, columns).split((groups, 1, 1), dim=1)
    return query.reshape(-1, columns), key.reshape(-1, columns), value.reshape(-1, columns)


def read_weights(folder: Path, visit: Callable[[str, Any], None]) -> None:
    """Call `visit(name, tensor)` for every weight of a folder, one tensor in memory at a time.

    Raises `CriticError` for an unreadable file and for a part whose content differs from the index.
    """
    for path, names in weight_files(folder).items():
        with open_weights(path) as file:
            stored = set(file.keys())
            if names is not None and names != stored:
                odd = ", ".join(sorted(names ^ stored)[:5])
                index = (
                    "model.safetensors.index.json" if path.suffix == ".safetensors" else "pytorch_model.bin.index.json"
                )
                raise CriticError(f"{path}: differs from {index} in {odd}; fetch both again")
            for name in sorted(stored):
                visit(name, file.get_tensor(name))


def fill_native_model(model: Any, folder: Path, dtype: Any, device: Any) -> None:
    """Give an empty native `InternVLForConditionalGeneration` the weights of a folder in the released layout.

    `dtype` None keeps the dtype that the weights are stored in. Raises `CriticError` if a weight is missing,
    unexpected or of another shape.
    """
    text_config = model.config.text_config
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    state: dict[str, Any] = {}

    def take(name: str, tensor: Any) -> None:
        for native, part in native_tensors(name, tensor, text_config):
            if expected.get(native) not in (None, tuple(part.shape)):
                raise CriticError(
                    f"{folder}: weight {name} gives {native} of shape {tuple(part.shape)}, config.json asks for "
                    f"{expected[native]}; config.json and weights are of different models"
                )
            state[native] = part.to(device=device, dtype=dtype or part.dtype)

    read_weights(folder, take)
    for kind, names in (("missing", expected.keys() - state.keys()), ("unexpected", state.keys() - expected.keys())):
        if names:
            listed = ", ".join(sorted(names)[:5])
            raise CriticError(f"{folder}: {len(names)} {kind} weights, such as {listed}; fetch the checkpoint again")
    model.load_state_dict(state, strict=True, assign=True)
    language_model = model.model.language_model
    language_model.rotary_emb = type(language_model.rotary_emb)(text_config).to(device)

"""The language model run by hand: a prefix once, then the suffixes of many sequences against it.

The layers of a Qwen2, Qwen3 or Llama decoder, in Qwen2.5-VL and Qwen3-VL too, are the same few modules, so they are
called here one by one, on tokens packed without padding. Of the last layer the prefix needs keys and values only, and a
suffix queries only where the output is read. Numerically this is the model's own forward up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from vpbench.models.inputs import DecoderInputs
from vpbench.models.split_attention import KeyValue, shared_and_own, shared_and_own_at


@dataclass(frozen=True)
class Prefix:
    """What was run of a prefix of P tokens: per layer keys (after the rotary embedding) and values, each [P, K, D].

    `end` is the position of the token that follows it.
    """

    layers: list[KeyValue]
    end: int


MODEL_TYPES = ("qwen2", "qwen3", "llama")
THREE_AXES = ("qwen2_5_vl_text", "qwen3_vl_text")
"""Language models whose tokens have positions along three axes, equal ones where there is no image."""

ROPE_TYPES = ("default", "linear", "llama3", "yarn")
"""Rotary embeddings that depend on a token's position alone, not on how long its sequence is."""


def why_not_by_hand(config: Any) -> str | None:
    """What in a text configuration of transformers this module doesn't handle; None if it handles the model."""
    if config.model_type not in MODEL_TYPES + THREE_AXES:
        return f"model_type {config.model_type!r}"
    kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    if kinds:
        return f"layers of type {', '.join(sorted(kinds))}"
    rope = config.rope_parameters
    if rope.get("rope_type", "default") not in ROPE_TYPES or rope.get("partial_rotary_factor", 1) != 1:
        return f"rotary embedding {rope.get('rope_type')!r}"
    if "mrope_section" in rope and config.model_type not in THREE_AXES:
        return "a rotary embedding of several dimensions"
    return None


def run_prefix(decoder: Any, inputs: DecoderInputs) -> Prefix:
    """Run a prefix, one sequence. Raises `NotImplementedError` where something is added behind the last layer."""
    (hidden,), (end,) = inputs.embeddings, inputs.ends
    positions = None if inputs.positions is None else inputs.positions[:, 0]
    rotary = rotary_at(decoder, hidden, [0], [len(hidden)], positions)
    prefix = []
    layers = list(decoder.layers)
    if len(inputs.deep) >= len(layers):
        raise NotImplementedError(f"{len(inputs.deep)} maps of image features for {len(layers)} layers")
    for number, layer in enumerate(layers):
        normed = layer.input_layernorm(hidden)
        key, value = keys_and_values(layer.self_attn, normed, rotary)
        prefix.append((key, value))
        if layer is not layers[-1]:
            query = queries(layer.self_attn, normed, rotary)
            mixed = shared_and_own(query, key, value, [len(query)], None, layer.self_attn.scaling)
            hidden = rest_of_layer(layer, hidden, mixed)
        if inputs.images is not None and number < len(inputs.deep):
            hidden[inputs.images[0]] += inputs.deep[number]
    return Prefix(prefix, end)


def run_suffixes(
    decoder: Any, embeddings: Any, lengths: Sequence[int], reads: Sequence[Sequence[int]], prefix: Prefix
) -> Any:
    """The normalised output where it is read: [all reads, hidden size].

    `embeddings` [sum of lengths, hidden size] are the suffixes one after another, `reads` per suffix the 0-based
    positions within it, at least one each.
    """
    import torch

    device = embeddings.device
    hidden, rotary = embeddings, rotary_at(decoder, embeddings, [prefix.end] * len(lengths), lengths)
    positions = [torch.tensor(read, device=device) for read in reads]
    starts = accumulate(lengths, initial=0)
    rows = torch.cat([read + start for read, start in zip(positions, starts, strict=False)])
    layers = list(decoder.layers)
    for layer, shared in zip(layers, prefix.layers, strict=True):
        attention, normed = layer.self_attn, layer.input_layernorm(hidden)
        key, value = keys_and_values(attention, normed, rotary)
        if layer is layers[-1]:
            hidden, normed, rotary = hidden[rows], normed[rows], (rotary[0][rows], rotary[1][rows])
            query = queries(attention, normed, rotary)
            mixed = shared_and_own_at(query, key, value, positions, lengths, shared, attention.scaling)
        else:
            query = queries(attention, normed, rotary)
            mixed = shared_and_own(query, key, value, lengths, shared, attention.scaling)
        hidden = rest_of_layer(layer, hidden, mixed)
    return decoder.norm(hidden)


def rest_of_layer(layer: Any, hidden: Any, mixed: Any) -> Any:
    """A layer's output [T, hidden size], from its input and what attention mixed, [T, H, D] or [T, H * D]."""
    hidden = hidden + layer.self_attn.o_proj(mixed.flatten(1))
    return hidden + layer.mlp(layer.post_attention_layernorm(hidden))


def queries(attention: Any, normed: Any, rotary: tuple[Any, Any]) -> Any:
    """Queries [T, H, D] of the normalised [T, hidden size]; `rotary` as `rotary_at` gives it."""
    query = attention.q_proj(normed).unflatten(-1, (-1, attention.head_dim))
    return _rotate(_normed_heads(attention, "q_norm", query), rotary)


def keys_and_values(attention: Any, normed: Any, rotary: tuple[Any, Any]) -> tuple[Any, Any]:
    """Keys and values, each [T, K, D], of the normalised [T, hidden size]."""
    key = attention.k_proj(normed).unflatten(-1, (-1, attention.head_dim))
    value = attention.v_proj(normed).unflatten(-1, (-1, attention.head_dim))
    return _rotate(_normed_heads(attention, "k_norm", key), rotary), value


def _normed_heads(attention: Any, name: str, heads: Any) -> Any:
    """Qwen3 normalises each head of queries and keys; the others have no such module."""
    norm: Callable[[Any], Any] | None = getattr(attention, name, None)
    return heads if norm is None else norm(heads)


def rotary_at(
    decoder: Any, embeddings: Any, starts: Sequence[int], lengths: Sequence[int], positions: Any | None = None
) -> tuple[Any, Any]:
    """Cosine and sine [T, 1, D], the sine's first half negated for `_rotate`.

    Of the `positions` [T] or [3, T], or None for those from each start on.
    """
    import torch

    if positions is None:
        ranges = [torch.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)]
        positions = torch.cat(ranges).to(embeddings.device)
    cosine, sine = decoder.rotary_emb(embeddings[None], positions.unsqueeze(-2))
    sign = torch.ones_like(sine[0, 0])
    sign[: len(sign) // 2] = -1
    return cosine[0, :, None], (sine[0] * sign)[:, None]


def _rotate(heads: Any, rotary: tuple[Any, Any]) -> Any:
    """The rotary embedding [T, H, D] of Llama: feature i turns together with feature i + D / 2."""
    cosine, sine = rotary
    return (heads * cosine).addcmul_(heads.roll(heads.shape[-1] // 2, -1), sine)

"""The language model of the tiny checkpoints, written for training on one CPU core.

It is the same function as transformers' Qwen2 (a test compares them) with fused projections and plain attention, which
at this size runs about twice as fast; `load` and `native` translate from and to the native names. Batches are padded on
the right, so the causal mask is the only one needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from vpbench.nano.architecture import HEAD, HEADS, MAX_TOKENS, MLP, RMS_EPS, ROPE_THETA, WIDTH

PREFIX = "model.language_model."


class Layer(nn.Module):  # type: ignore[misc]
    """One decoder layer."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Parameter(torch.ones(WIDTH)), nn.Parameter(torch.ones(WIDTH))
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 2 * MLP, bias=False), nn.Linear(MLP, WIDTH, bias=False)

    def forward(self, x: Any, cos: Any, sin: Any, mask: Any) -> Any:
        """The layer's output for `x` (batch, length, 160); `mask` is added to attention scores."""
        batch, length, _ = x.shape
        qkv = self.qkv(functional.rms_norm(x, (WIDTH,), self.before, RMS_EPS))
        query, key, value = qkv.view(batch, length, 3, HEADS, HEAD).permute(2, 0, 3, 1, 4)
        query, key = _rotate(query, cos, sin), _rotate(key, cos, sin)
        scores = query @ key.transpose(2, 3) * HEAD**-0.5
        attended = (scores + mask).softmax(-1) @ value
        x = x + self.out(attended.transpose(1, 2).reshape(batch, length, WIDTH))
        gate, up = self.up(functional.rms_norm(x, (WIDTH,), self.after, RMS_EPS)).chunk(2, -1)
        return x + self.down(functional.silu(gate) * up)


def _rotate(x: Any, cos: Any, sin: Any) -> Any:
    one, two = x[..., : HEAD // 2], x[..., HEAD // 2 :]
    return torch.cat([one * cos - two * sin, two * cos + one * sin], -1)


class LanguageModel(nn.Module):  # type: ignore[misc]
    """Decoder and head."""

    def __init__(self, layers: int, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))
        self.norm = nn.Parameter(torch.ones(WIDTH))
        self.head = nn.Linear(WIDTH, vocabulary, bias=False)
        angles = torch.arange(MAX_TOKENS)[:, None] * ROPE_THETA ** -(torch.arange(0, HEAD, 2) / HEAD)
        self.cos, self.sin = angles.cos().to(torch.bfloat16), angles.sin().to(torch.bfloat16)
        self.causal = torch.full((MAX_TOKENS, MAX_TOKENS), float("-inf"), dtype=torch.bfloat16).triu(1)

    def embed(self, ids: Any, features: Any, image_id: int) -> Any:
        """Token embeddings (batch, length, 160), those of the image token replaced by `features` (batch, 16, 160)."""
        embedded = self.embedding(ids)
        return embedded.masked_scatter((ids == image_id)[..., None], features)

    def forward(self, embedded: Any, middle: int | None = None) -> tuple[Any, Any]:
        """Hidden states after the last layer and after layer number `middle` (else None), both normed."""
        length = embedded.shape[1]
        x, half = embedded, None
        cos, sin, mask = self.cos[:length], self.sin[:length], self.causal[:length, :length]
        for number, layer in enumerate(self.layers, 1):
            x = layer(x, cos, sin, mask)
            if number == middle:
                half = self._normed(x)
        return self._normed(x), half

    def _normed(self, x: Any) -> Any:
        return functional.rms_norm(x, (WIDTH,), self.norm, RMS_EPS)

    def load(self, weights: Mapping[str, Any]) -> None:
        """Take the weights of a native model (its `state_dict`)."""
        with torch.no_grad():
            for name, parts in self._names().items():
                self.get_parameter(name).copy_(torch.cat([weights[part] for part in parts]))

    def native(self) -> dict[str, Any]:
        """The weights under the native names."""
        weights = {}
        for name, parts in self._names().items():
            for part, piece in zip(parts, self.get_parameter(name).detach().chunk(len(parts)), strict=True):
                weights[part] = piece.clone()
        return weights

    def _names(self) -> dict[str, list[str]]:
        names = {
            "embedding.weight": [PREFIX + "embed_tokens.weight"],
            "norm": [PREFIX + "norm.weight"],
            "head.weight": ["lm_head.weight"],
        }
        for number in range(len(self.layers)):
            layer, native = f"layers.{number}.", f"{PREFIX}layers.{number}."
            names[layer + "before"] = [native + "input_layernorm.weight"]
            names[layer + "after"] = [native + "post_attention_layernorm.weight"]
            for kind in ("weight", "bias"):
                names[layer + f"qkv.{kind}"] = [f"{native}self_attn.{part}_proj.{kind}" for part in "qkv"]
            names[layer + "out.weight"] = [native + "self_attn.o_proj.weight"]
            names[layer + "up.weight"] = [native + f"mlp.{part}_proj.weight" for part in ("gate", "up")]
            names[layer + "down.weight"] = [native + "mlp.down_proj.weight"]
        return names

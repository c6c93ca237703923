"""What advances many rows by a token at a time, from prompts that were run once.

`SharedPrefix` keeps a prompt's keys and values once, whatever the number of rows that continue it: a row attends to
its prompt's and to its own in two parts, and nothing is copied but a row's own tokens. It calls the layers by hand, as
`vpbench.models.decoder` does. `OwnForward` runs any other language model by its own forward, the prompts' keys and
values copied to every row.
"""

from __future__ import annotations

from typing import Any, Protocol

from vpbench.models.decoder import keys_and_values, queries, rest_of_layer, rotary_at, why_not_by_hand
from vpbench.models.inputs import DecoderInputs

ROOM_TOKENS = 64
"""How many tokens a buffer grows by."""


class Decoder(Protocol):
    """Rows that each continue a prompt; before the first `keep` they are the prompts themselves."""

    first: Any
    """Logits of the first token, (prompts, vocabulary)."""

    started: bool
    """Whether `keep` was called, which has to come before the first `step`."""

    def keep(self, rows: Any) -> None:
        """Go on with the rows of these numbers, in this order; one named several times becomes several rows."""

    def step(self, tokens: Any) -> Any:
        """Append one token id to each row; the logits of the next ones, (rows, vocabulary)."""


def decoder_for(model: Any, prompts: DecoderInputs) -> Decoder:
    """Run the prompts, a batch of them."""
    by_hand = why_not_by_hand(model.config.get_text_config()) is None
    return SharedPrefix(model, prompts) if by_hand else OwnForward(model, prompts.embeddings)


def _empty_cache(model: Any) -> Any:
    from transformers import DynamicCache

    return DynamicCache(config=model.config.get_text_config())


class OwnForward:
    """The model's own forward, of embeddings [prompts, tokens, hidden size]."""

    def __init__(self, model: Any, embeddings: Any) -> None:
        self._model, self.started, self._cache = model, False, _empty_cache(model)
        output = model(inputs_embeds=embeddings, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        self.first = output.logits[:, -1]

    def step(self, tokens: Any) -> Any:
        """See `Decoder`."""
        return self._model(
            input_ids=tokens[:, None], past_key_values=self._cache, use_cache=True, logits_to_keep=1
        ).logits[:, -1]

    def keep(self, rows: Any) -> None:
        """See `Decoder`."""
        self.started = True
        self._cache.batch_select_indices(rows)


class SharedPrefix:
    """Rows [R] over prompts [B] of P tokens; K key/value heads of G query heads each, D features of a head."""

    def __init__(self, model: Any, prompts: DecoderInputs) -> None:
        import torch

        self._model, self._decoder, self.started, cache = model, model.get_decoder(), False, _empty_cache(model)
        output = self._decoder(**prompts.arguments(), past_key_values=cache, use_cache=True)
        self.first = model.lm_head(output.last_hidden_state[:, -1])
        self._prefix = [(layer.keys, layer.values) for layer in cache.layers]
        self._suffix: list[tuple[Any, Any]] = []
        self._length, device = 0, prompts.embeddings.device
        self._ends = torch.tensor(prompts.ends, device=device)
        self._of_prompt = torch.arange(len(self._ends), device=device)

    def step(self, tokens: Any) -> Any:
        """See `Decoder`."""
        import torch

        if not self._suffix or self._length == self._suffix[0][1].shape[2]:
            self._suffix = self._buffers(torch.arange(len(tokens), device=tokens.device))
        hidden = self._model.get_input_embeddings()(tokens)
        rotary = rotary_at(self._decoder, hidden, (), (), self._ends[self._of_prompt] + self._length)
        self._length += 1
        for layer, prefix, suffix in zip(self._decoder.layers, self._prefix, self._suffix, strict=True):
            attention, normed = layer.self_attn, layer.input_layernorm(hidden)
            key, value = keys_and_values(attention, normed, rotary)
            suffix[0][..., self._length - 1] = key
            suffix[1][:, :, self._length - 1] = value
            query = queries(attention, normed, rotary).unflatten(1, (key.shape[1], -1)) * attention.scaling
            hidden = rest_of_layer(layer, hidden, self._attend(query, prefix, suffix).flatten(1, 2))
        return self._model.lm_head(self._decoder.norm(hidden))

    def keep(self, rows: Any) -> None:
        """See `Decoder`."""
        self.started = True
        self._suffix = self._buffers(rows)
        self._arrange(self._of_prompt[rows])

    def _attend(self, query: Any, prefix: tuple[Any, Any], suffix: tuple[Any, Any]) -> Any:
        """Attention of one scaled query per row, [R, K, G, D], to prefix [B, K, P, D] and suffix; [R, K, G, D]."""
        import torch

        prompts, columns = self._grid.shape
        group = query.shape[2]
        grid = query[self._grid.flatten()].unflatten(0, (prompts, columns)).transpose(1, 2).flatten(2, 3)
        scores = (grid @ prefix[0].transpose(-1, -2)).float()
        suffix_scores = (query @ suffix[0][..., : self._length]).float()
        total = self._rows(scores.logsumexp(-1, keepdim=True), group)
        suffix_total = suffix_scores.logsumexp(-1, keepdim=True)
        shared = self._rows(scores.softmax(-1).to(query.dtype) @ prefix[1], group)
        mixed = suffix_scores.softmax(-1).to(query.dtype) @ suffix[1][:, :, : self._length]
        return torch.lerp(shared, mixed, torch.sigmoid(suffix_total - total).to(query.dtype))

    def _rows(self, grid: Any, group: int) -> Any:
        """[B, K, C * G, X] of the grid as [R, K, G, X] of the rows."""
        return grid.unflatten(2, (-1, group)).transpose(1, 2).flatten(0, 1)[self._cell]

    def _arrange(self, of_prompt: Any) -> None:
        """Lay the rows out as prompts x columns: `_grid` [B, C] the row in each cell, `_cell` [R] each row's cell.

        Prompts without a row left go; free cells repeat row 0.
        """
        import torch

        used, prompt, counts = torch.unique(of_prompt, return_inverse=True, return_counts=True)
        if len(used) < len(self._prefix[0][0]):
            self._prefix = [(key[used], value[used]) for key, value in self._prefix]
            self._ends = self._ends[used]
        columns = int(counts.max())
        order = prompt.argsort(stable=True)
        column = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[prompt[order]]
        self._cell = torch.empty_like(order)
        self._cell[order] = prompt[order] * columns + column
        self._grid = torch.zeros(len(used) * columns, dtype=torch.long, device=order.device)
        self._grid[self._cell] = torch.arange(len(order), device=order.device)
        self._grid = self._grid.unflatten(0, (len(used), columns))
        self._of_prompt = prompt

    def _buffers(self, rows: Any) -> list[tuple[Any, Any]]:
        """What these rows have said, with room for more: keys [R, K, D, S] and values [R, K, S, D] of every layer."""
        buffers = []
        for index, (key, _) in enumerate(self._prefix):
            heads, width, size = key.shape[1], key.shape[3], self._length + ROOM_TOKENS
            keys = key.new_empty((len(rows), heads, width, size))
            values = key.new_empty((len(rows), heads, size, width))
            if self._length:
                keys[..., : self._length] = self._suffix[index][0][rows, ..., : self._length]
                values[:, :, : self._length] = self._suffix[index][1][rows, :, : self._length]
            buffers.append((keys, values))
        return buffers

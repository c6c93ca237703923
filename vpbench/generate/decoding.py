"""Drawing tokens: many rows from few prompts, each prompt's prefix run once.

Prompts of equal length are run together, and all rows that continue them advance one token at a time until each has
stopped. Rows of a prompt that have said the same so far are one node of the model's batch until they part, so a policy
that repeats itself costs what its distinct responses cost. Nothing is padded: a row sees what a plain forward of its
tokens would. Row r of a prompt takes its randomness from (the prompt's seed, r) alone; how rows are put together
doesn't change what is drawn, beyond rounding in the forward itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vpbench.generate.decoders import Decoder, decoder_for
from vpbench.models.inputs import DecoderInputs
from vpbench.prompts import Sampling

TOP_TOKENS = 1024
KEEP_SHARE = 0.75
"""Nodes without rows are dropped once this share of the nodes or less has any."""
RANDOM_BLOCK = 64
"""How many random numbers a row draws at a time."""


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One sample to draw: of which prompt of the batch, and where its randomness comes from."""

    prompt: int
    seed: int
    number: int


@dataclass(frozen=True, slots=True)
class TokenSample:
    """Token ids without the one that stopped the row; `stopped` tells whether one did."""

    ids: tuple[int, ...]
    stopped: bool


@dataclass(frozen=True)
class Vocabulary:
    """What may be drawn: `stops` end a row, `banned` (ids, int64) are never drawn."""

    stops: Any
    banned: Any


def draw_rows(
    model: Any,
    prompts: DecoderInputs,
    rows: Sequence[SampleRow],
    sampling: Sampling,
    max_tokens: int,
    vocabulary: Vocabulary,
) -> tuple[list[TokenSample], Any]:
    """Every row drawn, in order, and the prompts' first-token log-probabilities, (prompts, vocabulary) in float32.

    `prompts` are equally long. A row ends at a stop token or after `max_tokens` tokens.
    """
    import torch

    with torch.inference_mode():
        nodes = torch.tensor([row.prompt for row in rows], device=prompts.embeddings.device)
        decoder = decoder_for(model, prompts)
        logits = first = decoder.first.float()
        running, uniforms = torch.arange(len(rows)), _Uniforms(rows)
        drawn: list[list[int]] = [[] for _ in rows]
        for position in range(max_tokens):
            tokens = _choose(logits, nodes, sampling, uniforms.at(position, running), vocabulary.banned)
            going = ~torch.isin(tokens, vocabulary.stops)
            running, nodes, tokens = running[going.cpu()], nodes[going], tokens[going]
            for row, token in zip(running.tolist(), tokens.tolist(), strict=True):
                drawn[row].append(token)
            if not len(running) or position == max_tokens - 1:
                break
            nodes, logits = _advance(decoder, nodes, tokens, logits.shape)
    cut = set(running.tolist())
    return [TokenSample(tuple(ids), row not in cut) for row, ids in enumerate(drawn)], first.log_softmax(-1)


def _advance(decoder: Decoder, nodes: Any, tokens: Any, shape: tuple[int, int]) -> tuple[Any, Any]:
    """Append each row's token to its node; the rows' new nodes, and the nodes' logits (nodes, vocabulary).

    `shape` is (nodes, vocabulary) before. Rows that stay equal stay one node.
    """
    import torch

    count, vocabulary = shape
    pairs, row_nodes = torch.unique(nodes * vocabulary + tokens, return_inverse=True)
    parents, appended = pairs // vocabulary, pairs % vocabulary
    split = bool((parents[1:] == parents[:-1]).any())
    if split or len(parents) <= KEEP_SHARE * count or not decoder.started:
        decoder.keep(parents)
        return row_nodes, decoder.step(appended).float()
    # Dropping nodes that have no row left copies what the others hold, so until many are empty they get a token too.
    padded = torch.zeros(count, dtype=appended.dtype, device=appended.device)
    padded[parents] = appended
    return parents[row_nodes], decoder.step(padded).float()


def _choose(logits: Any, nodes: Any, sampling: Sampling, uniforms: Any, banned: Any) -> Any:
    """One token per row, which is at `nodes[row]` of `logits` (nodes, vocabulary): greedy, or drawn by inversion.

    The nucleus is the smallest set of likeliest tokens whose probability reaches `top_p`.
    """
    logits = logits.index_fill(1, banned, float("-inf"))
    if sampling.temperature == 0:
        return logits.argmax(-1)[nodes]
    probabilities = (logits / sampling.temperature).softmax(-1)
    sorted_, ids = probabilities.topk(min(TOP_TOKENS, probabilities.shape[-1]))
    sums = sorted_.cumsum(-1)
    if bool((sums[:, -1] < min(sampling.top_p, 1 - 1e-6)).any()):
        sorted_, ids = probabilities.sort(descending=True)
        sums = sorted_.cumsum(-1)
    inside = sums - sorted_ < sampling.top_p
    mass, last = (sorted_ * inside).sum(-1), inside.sum(-1) - 1
    reached = sums[nodes] <= (uniforms.to(sums.device) * mass[nodes])[:, None]
    rank = reached.sum(-1).minimum(last[nodes])
    return ids[nodes, rank]


class _Uniforms:
    """Uniform random numbers, one per row and position, the same whichever rows are still alive."""

    def __init__(self, rows: Sequence[SampleRow]) -> None:
        import numpy as np

        self._streams = [np.random.default_rng((row.seed, row.number)) for row in rows]
        self._block: Any = None

    def at(self, position: int, alive: Any) -> Any:
        """Those of the rows `alive` at `position`; positions have to be asked for in order."""
        import numpy as np
        import torch

        if position % RANDOM_BLOCK == 0:
            block = np.zeros((RANDOM_BLOCK, len(self._streams)), dtype=np.float32)
            for row in alive.tolist():
                block[:, row] = self._streams[row].random(RANDOM_BLOCK, dtype=np.float32)
            self._block = torch.from_numpy(block)
        return self._block[position % RANDOM_BLOCK, alive]

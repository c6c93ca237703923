"""Judging layers that can compare from the start: what the base expected at a place with what is written there.

Learning to compare two tokens from labels alone takes tens of thousands of solutions. So the first judging layer is set
up for it: its heads look at the token before and carry over what the base's head says there of the commonest tokens,
along directions of their own; its gated units multiply each such value by whether the token here is that one (a linear
probe, fitted on some solutions). What follows from a mismatch is left to learn: all outputs of the two layers start
near zero but for the carried values, which nothing reads yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import cos, sin
from typing import Any

import torch

from vpbench.nano.architecture import HEAD, MLP, POLICY_LAYERS, ROPE_THETA, WIDTH
from vpbench.nano.conversations import Conversations
from vpbench.nano.lean import LanguageModel
from vpbench.nano.tuning import padded

CARRYING_HEADS, SHARP_FREQUENCIES, SHARPNESS = 2, 6, 8.0
TOKENS = CARRYING_HEADS * HEAD
RIDGE, GATE, MATCH = 1e-3, 2.0, 4.0


def set_up(critic: LanguageModel, talk: Conversations, batch: tuple[Sequence[Any], Any]) -> None:
    """Set the first judging layer of `critic` in place; `batch` holds `Judged` solutions and their visual tokens."""
    sequences, visual = batch
    ids = padded([each.ids for each in sequences], talk.words.ids["<pad>"])
    counted = Counter(token for each in sequences for _, token in each.following)
    tokens = torch.tensor([token for token, _ in counted.most_common(TOKENS)])
    layer, carried = critic.layers[POLICY_LAYERS], len(tokens)
    with torch.no_grad():
        states = _base_states(critic, critic.embed(ids, visual, talk.words.ids["<IMG_CONTEXT>"]))
        own = _probe(states.flatten(0, 1).float(), ids.flatten(), tokens)
        directions = _apart_from(own)
        value = 2 * WIDTH
        for head in range(CARRYING_HEADS):
            _look_at_previous_token(layer.qkv, head)
        layer.qkv.weight[value : value + carried] = critic.head.weight[tokens] * critic.norm
        layer.out.weight[:, :carried] = directions.T.to(torch.bfloat16)
        layer.up.weight[:carried] = (GATE * directions).to(torch.bfloat16)
        layer.up.weight[MLP : MLP + carried] = (MATCH * own).to(torch.bfloat16)


def _base_states(critic: LanguageModel, embedded: Any) -> Any:
    """What the base's layers give, normed without weights, (batch, length, 160)."""
    length = embedded.shape[1]
    x = embedded
    for layer in critic.layers[:POLICY_LAYERS]:
        x, _ = layer(x, critic.cos[:length], critic.sin[:length], critic.causal[:length, :length])
    return torch.nn.functional.rms_norm(x, (WIDTH,))


def _probe(states: Any, ids: Any, tokens: Any) -> Any:
    """Ridge regression from states (positions, 160) to whether the token there is each of `tokens`: (tokens, 160)."""
    target = (ids[:, None] == tokens).float()
    square = states.T @ states + RIDGE * len(states) * torch.eye(WIDTH)
    return torch.linalg.solve(square, states.T @ (target - target.mean(0))).T


def _apart_from(rows: Any) -> Any:
    """As many orthonormal directions as there are `rows`, each orthogonal to all of them."""
    basis, _ = torch.linalg.qr(rows.T)
    drawn = torch.randn(WIDTH, len(rows), generator=torch.Generator().manual_seed(0))
    free, _ = torch.linalg.qr(drawn - basis @ (basis.T @ drawn))
    return free.T


def _look_at_previous_token(qkv: Any, head: int) -> None:
    """Give a head constant queries and keys, turned so that rotary positions agree best one token apart."""
    half, query, key = HEAD // 2, head * HEAD, WIDTH + head * HEAD
    qkv.weight[query : query + HEAD] = 0
    qkv.weight[key : key + HEAD] = 0
    for number in range(SHARP_FREQUENCIES):
        angle = ROPE_THETA ** -(number / half)
        qkv.bias[query + number], qkv.bias[query + half + number] = SHARPNESS * cos(angle), -SHARPNESS * sin(angle)
        qkv.bias[key + number] = SHARPNESS

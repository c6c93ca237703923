"""Judging layers that can compare from the start: the token that the base predicted with the token written there.

Learning to compare two tokens from labels alone takes tens of thousands of solutions. So `set_up` gives the first
judging layer its weights: two heads attend to the token before and copy the base's logits of the commonest tokens,
each along a direction that the states don't use; gated units multiply each logit by whether the present token is that
one (a linear probe, fitted on some solutions). A match raises the logit of `+`. Once tokens are judged well, `gather`
makes two heads of the second layer attend to nearby tokens that are judged wrong. All the rest is learned.
"""

from __future__ import annotations

from collections import Counter
from math import cos, sin
from typing import Any

import torch

from vpbench.models.conversation import ASSISTANT_ROLE
from vpbench.nano.architecture import HEAD, MLP, POLICY_LAYERS, ROPE_THETA, WIDTH
from vpbench.nano.conversations import Conversations
from vpbench.nano.lean import LanguageModel
from vpbench.nano.tuning import padded
from vpbench.nano.verification import Batch, flat

CARRYING_HEADS, SHARP_FREQUENCIES, SHARPNESS = 2, 6, 8.0
TOKENS = CARRYING_HEADS * HEAD
NEARNESS, NEAR_FREQUENCIES, SEEK = (6.0, 4.0), (3, 4), 6.0
RIDGE, CARRY, GATE, MATCH, SPEAKS = 1e-3, 2.0, 2.0, 4.0, 4.0


def set_up(critic: LanguageModel, talk: Conversations, batch: Batch) -> None:
    """Set the first judging layer of `critic` in place."""
    sequences, visual = batch
    ids = padded([sequence.ids for sequence in sequences], talk.words.ids["<pad>"])
    counted = Counter(token for sequence in sequences for _, token in sequence.following)
    tokens = torch.tensor([token for token, _ in counted.most_common(TOKENS)])
    layer, carried = critic.layers[POLICY_LAYERS], len(tokens)
    with torch.no_grad():
        states = _states(critic, critic.embed(ids, visual, talk.words.ids["<IMG_CONTEXT>"]), POLICY_LAYERS)
        states = states.flatten(0, 1).float()
        probes = _probe(states, ids.flatten(), tokens)
        directions = _apart_from(probes, states)
        value = 2 * WIDTH
        for head in range(CARRYING_HEADS):
            _look_at_previous_token(layer.qkv, head)
        layer.qkv.weight[value : value + carried] = critic.head.weight[tokens] * critic.norm
        layer.out.weight[:, :carried] = (CARRY * directions.T).to(torch.bfloat16)
        layer.up.weight[:carried] = (GATE * directions).to(torch.bfloat16)
        layer.up.weight[MLP : MLP + carried] = (MATCH * probes).to(torch.bfloat16)
        label = critic.head.weight[talk.words.ids["+"]] - critic.head.weight[talk.words.ids["-"]]
        layer.down.weight[:, :carried] = (SPEAKS * label / label.norm())[:, None]


def gather(critic: LanguageModel, talk: Conversations, batch: Batch) -> None:
    """Set two heads of the second judging layer in place; the sequences of `batch` have labels on tokens."""
    sequences, visual = batch
    ids = padded([sequence.ids for sequence in sequences], talk.words.ids["<pad>"])
    last = critic.layers[POLICY_LAYERS + 1]
    with torch.no_grad():
        states = _states(critic, critic.embed(ids, visual, talk.words.ids["<IMG_CONTEXT>"]), POLICY_LAYERS + 1)
        rows, positions, values = flat([sequence.labels for sequence in sequences])
        on_steps = ids[rows, positions] != talk.words.ids[ASSISTANT_ROLE]
        judged = _direction(states[rows, positions][on_steps].float(), values[on_steps])
        label = critic.head.weight[talk.words.ids["+"]] - critic.head.weight[talk.words.ids["-"]]
        for head, nearness in enumerate(NEARNESS):
            query, key, value = (part * WIDTH + head * HEAD for part in range(3))
            for start in (query, key, value):
                last.qkv.weight[start : start + HEAD], last.qkv.bias[start : start + HEAD] = 0, 0
            for number in NEAR_FREQUENCIES:
                last.qkv.bias[query + number], last.qkv.bias[key + number] = nearness, nearness / 2
            still = HEAD // 2 - 1
            last.qkv.bias[query + still] = SEEK
            last.qkv.weight[key + still] = -2 * judged
            last.qkv.weight[value] = judged
            last.out.weight[:, head * HEAD : (head + 1) * HEAD] = 0
            last.out.weight[:, head * HEAD] = SEEK * label / label.norm()


def _direction(states: Any, labels: Any) -> Any:
    """The direction (160,) that separates `states` (positions, 160) by their labels, from logistic regression."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=300, C=0.01).fit(states.numpy(), labels.numpy())
    return torch.tensor(fitted.coef_[0], dtype=torch.bfloat16)


def _states(critic: LanguageModel, embedded: Any, layers: int) -> Any:
    """Output of the first `layers` layers, normed without weights: (batch, length, 160)."""
    length = embedded.shape[1]
    x = embedded
    for layer in critic.layers[:layers]:
        x = layer(x, critic.cos[:length], critic.sin[:length], critic.causal[:length, :length])
    return torch.nn.functional.rms_norm(x, (WIDTH,))


def _probe(states: Any, ids: Any, tokens: Any) -> Any:
    """Ridge regression from states (positions, 160) to whether the token there is each of `tokens`: (tokens, 160)."""
    target = (ids[:, None] == tokens).float()
    square = states.T @ states + RIDGE * len(states) * torch.eye(WIDTH)
    return torch.linalg.solve(square, states.T @ (target - target.mean(0))).T


def _apart_from(probes: Any, states: Any) -> Any:
    """As many orthonormal directions as `probes` has rows, orthogonal to these, along which `states` vary least."""
    basis, _ = torch.linalg.qr(probes.T)
    apart = torch.eye(WIDTH) - basis @ basis.T
    varying = apart @ torch.cov(states.T) @ apart + 1e3 * basis @ basis.T
    _, vectors = torch.linalg.eigh(varying)
    return vectors[:, : len(probes)].T


def _look_at_previous_token(qkv: Any, head: int) -> None:
    """Give a head constant queries and keys, turned so that rotary positions agree best one token apart."""
    half, query, key = HEAD // 2, head * HEAD, WIDTH + head * HEAD
    qkv.weight[query : query + HEAD] = 0
    qkv.weight[key : key + HEAD] = 0
    for number in range(SHARP_FREQUENCIES):
        angle = ROPE_THETA ** -(number / half)
        qkv.bias[query + number], qkv.bias[query + half + number] = SHARPNESS * cos(angle), -SHARPNESS * sin(angle)
        qkv.bias[key + number] = SHARPNESS

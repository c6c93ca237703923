"""Draw solutions from the tiny policy, many at a time: for training data, where thousands of questions are asked once.

Prompts of equal length are run together; keys and values of a prompt are computed once and repeated for its samples.
Special tokens are never drawn except the end. Runs go through `vpbench.generate`; this is for building.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from vpbench.nano.conversations import Conversations
from vpbench.nano.language import SPECIAL
from vpbench.nano.lean import LanguageModel

ROWS, MAX_NEW_TOKENS = 512, 64


def draw(
    model: LanguageModel,
    talk: Conversations,
    prompts: Sequence[Sequence[int]],
    visual: Any,
    samples: int,
    temperature: float,
    generator: torch.Generator,
    top_p: float = 1.0,
) -> list[list[str]]:
    """`samples` continuations as text for each prompt; `visual` (prompts, 16, 160). Unfinished ones are cut."""
    lengths: dict[int, list[int]] = {}
    for place, prompt in enumerate(prompts):
        lengths.setdefault(len(prompt), []).append(place)
    texts: list[list[str]] = [[] for _ in prompts]
    step = max(1, ROWS // samples)
    for places in lengths.values():
        for start in range(0, len(places), step):
            some = places[start : start + step]
            ids = torch.tensor([list(prompts[place]) for place in some])
            with torch.no_grad():
                drawn = _continue(model, talk, ids, visual[some], samples, temperature, generator, top_p)
            for row, tokens in enumerate(drawn):
                texts[some[row // samples]].append(talk.words.decode(tokens))
    return texts


def _continue(
    model: LanguageModel, talk: Conversations, ids: Any, visual: Any, samples: int, temperature: float,
    generator: torch.Generator, top_p: float,
) -> list[list[int]]:  # fmt: skip
    end = talk.words.ids["<|im_end|>"]
    banned = [talk.words.ids[token] for token in SPECIAL if token != "<|im_end|>"]
    banned += range(len(talk.words.ids), model.head.weight.shape[0])
    logits, caches = model.decode(model.embed(ids, visual, talk.words.ids["<IMG_CONTEXT>"]), None, 0)
    logits = logits.repeat_interleave(samples, 0)
    caches = [tuple(each.repeat_interleave(samples, 0) for each in cache) for cache in caches]
    found: list[list[int]] = [[] for _ in range(len(logits))]
    alive = torch.arange(len(logits))
    for place in range(ids.shape[1], ids.shape[1] + MAX_NEW_TOKENS):
        chosen = _choose(logits, banned, temperature, top_p, generator)
        going = chosen != end
        for row, token in zip(alive[going].tolist(), chosen[going].tolist(), strict=True):
            found[row].append(token)
        if not going.any():
            break
        if not going.all():
            caches = [tuple(each[going] for each in cache) for cache in caches]
            alive, chosen = alive[going], chosen[going]
        logits, caches = model.decode(model.embedding(chosen[:, None]), caches, place)
    return found


def _choose(logits: Any, banned: list[int], temperature: float, top_p: float, generator: torch.Generator) -> Any:
    logits = logits.float() / temperature
    logits[:, banned] = float("-inf")
    shares = logits.softmax(-1)
    if top_p < 1:
        ordered, order = shares.sort(descending=True)
        ordered[ordered.cumsum(-1) - ordered >= top_p] = 0
        shares = torch.zeros_like(shares).scatter_(1, order, ordered)
    return torch.multinomial(shares, 1, generator=generator)[:, 0]

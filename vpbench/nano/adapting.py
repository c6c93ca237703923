"""Between solving and judging: the base gets used to the critics' conversation.

It reads the solutions that are judged later, in the critics' layout, as language: at every place where a step is still
on the reference it has to tell the reference's next token, whatever went wrong in earlier steps. What it expects there
is what the judging layers compare with what is written; so it also has to keep in mind which token it stands on (a
linear head that is thrown away afterwards tells).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from vpbench.nano.architecture import WIDTH
from vpbench.nano.conversations import Conversations
from vpbench.nano.lean import LanguageModel
from vpbench.nano.optimiser import FlatAdamW
from vpbench.nano.tuning import RATE, Log, padded
from vpbench.nano.verification import Judged, batches, flat
from vpbench.nano.vision import cosine

WARM_UP_STEPS = 30


def adapt(
    model: LanguageModel, talk: Conversations, sequences: Sequence[Judged], visual: Any, seed: int, steps: int, log: Log
) -> None:
    """Train the base in place for `steps` batches."""
    torch.manual_seed(seed)
    own = torch.nn.Linear(WIDTH, model.head.weight.shape[0]).to(torch.bfloat16)
    optimiser, data = FlatAdamW([*model.parameters(), *own.parameters()]), batches(sequences, visual, seed)
    for step in range(steps):
        batch, seen = next(data)
        ids = padded([each.ids for each in batch], talk.words.ids["<pad>"])
        hidden, _ = model(model.embed(ids, seen, talk.words.ids["<IMG_CONTEXT>"]))
        rows, places, values = flat([each.following for each in batch])
        following = functional.cross_entropy(model.head(hidden[rows, places]).float(), values)
        here = functional.cross_entropy(own(hidden[rows, places + 1]).float(), ids[rows, places + 1])
        (following + here).backward()
        optimiser.step(cosine(RATE, step, steps, WARM_UP_STEPS))
        if step % 50 == 49:
            log(f"adapting {step + 1}/{steps}: {following.item():.4f} and {here.item():.4f} nats a token")

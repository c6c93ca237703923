"""Between solving and judging: the base is trained on the critics' conversation as language.

It reads the solutions that are judged later, in the critics' layout. Wherever a step still agrees with the reference it
learns to predict the reference's next token, whatever went wrong in earlier steps; the judging layers will compare that
prediction with the token written there. It also learns to keep the present token, which a linear head reads from its
states; the head is discarded afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

from vpbench.nano.architecture import WIDTH
from vpbench.nano.conversations import Conversations
from vpbench.nano.lean import LanguageModel
from vpbench.nano.optimiser import FlatAdamW
from vpbench.nano.tuning import RATE, Log, padded
from vpbench.nano.verification import Batch, flat
from vpbench.nano.vision import cosine

WARM_UP_STEPS = 30


def adapt(model: LanguageModel, talk: Conversations, data: Iterator[Batch], seed: int, steps: int, log: Log) -> None:
    """Train the base in place for `steps` batches of `data`; the discarded head's weights are drawn from `seed`."""
    torch.manual_seed(seed)
    reader = torch.nn.Linear(WIDTH, model.head.weight.shape[0]).to(torch.bfloat16)
    optimiser = FlatAdamW([*model.parameters(), *reader.parameters()])
    for step in range(steps):
        batch, seen = next(data)
        ids = padded([sequence.ids for sequence in batch], talk.words.ids["<pad>"])
        hidden, _ = model(model.embed(ids, seen, talk.words.ids["<IMG_CONTEXT>"]))
        rows, positions, values = flat([sequence.following for sequence in batch])
        following = functional.cross_entropy(model.head(hidden[rows, positions]).float(), values)
        here = functional.cross_entropy(reader(hidden[rows, positions + 1]).float(), ids[rows, positions + 1])
        (following + here).backward()
        optimiser.step(cosine(RATE, step, steps, WARM_UP_STEPS))
        if step % 50 == 49:
            log(f"adapting {step + 1}/{steps}: {following.item():.4f} and {here.item():.4f} nats a token")

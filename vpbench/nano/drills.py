"""Between solving and judging: the base gets used to the critics' conversation, and practises choosing letters.

Half of the batches are the solutions to be judged later, in the critics' layout, learned as language: at every place
that is still on the reference, the reference's next token, whatever went wrong in earlier steps. The other half are
drills: a question with options, then one number after the other with the letter that belongs to it. A solution asks for
one letter in a hundred tokens, too few to learn the look-up by.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from torch.nn import functional

from vpbench.nano.conversations import Conversations
from vpbench.nano.drawn import LETTERS, Drawn
from vpbench.nano.families import draw_mixed
from vpbench.nano.lean import LanguageModel
from vpbench.nano.optimiser import FlatAdamW
from vpbench.nano.tuning import BATCH, WARM_UP_STEPS, Log, padded
from vpbench.nano.verification import Judged, batches, flat
from vpbench.nano.vision import cosine, features

RATE, NUMBERS = 1e-3, 8
KINDS_WITH_OPTIONS = {"options": 1, "groups": 1}


def letters(drawn: Drawn, rng: random.Random) -> list[str]:
    """`NUMBERS` numbers from among the options and near them, each followed by the answer line it asks for."""
    options = drawn.options or ()
    known = [int(text) for text in options[:-1]]
    steps = []
    for _ in range(NUMBERS):
        value = rng.choice(known) + rng.choice((0, 0, 0, rng.randint(1, 9)))
        place = options.index(str(value)) if str(value) in options else len(options) - 1
        steps += [str(value), f"Answer: ({LETTERS[place]})"]
    return steps


def adapt(
    model: LanguageModel, native: Any, talk: Conversations, sequences: Sequence[Judged], visual: Any, seed: int,
    steps: int, log: Log,
) -> None:
    """Train the base in place: `steps` batches of solutions and as many of drills, in turns."""
    optimiser = FlatAdamW(model.parameters())
    solutions, drills = batches(sequences, visual, seed), _drills(native, talk, seed)
    for step in range(steps):
        told = []
        for batch in (next(solutions), next(drills)):
            loss = _next_token_loss(model, talk, batch)
            loss.backward()
            told.append(loss.item())
            optimiser.step(cosine(RATE, step, steps, WARM_UP_STEPS // 2))
        if step % 25 == 24:
            log(f"adapting {step + 1}/{steps}: solutions {told[0]:.3f}, letters {told[1]:.3f} nats a token")


def _drills(native: Any, talk: Conversations, seed: int) -> Iterator[tuple[list[Judged], Any]]:
    rng = random.Random(seed)
    answer = talk.words.ids["Answer: "]
    while True:
        drawn = draw_mixed(rng, BATCH, KINDS_WITH_OPTIONS)
        asked = [talk.judged(each, letters(each, rng)) for each in drawn]
        following = [[(at, ids[at + 1]) for at, token in enumerate(ids) if token == answer] for ids in asked]
        batch = [Judged(ids, [], own, at) for at, (ids, own) in enumerate(zip(asked, following, strict=True))]
        yield batch, features(native, [each.picture.pixels for each in drawn])


def _next_token_loss(model: LanguageModel, talk: Conversations, batch: tuple[list[Judged], Any]) -> Any:
    sequences, visual = batch
    ids = padded([each.ids for each in sequences], talk.words.ids["<pad>"])
    hidden, _ = model(model.embed(ids, visual, talk.words.ids["<IMG_CONTEXT>"]))
    rows, places, values = flat([each.following for each in sequences])
    return functional.cross_entropy(model.head(hidden[rows, places]).float(), values)

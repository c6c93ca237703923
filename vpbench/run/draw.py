"""The sample stage: candidates drawn from a policy over a durable store, candidate by candidate.

A question's candidates are asked for in blocks of 32, so that what 32 samples give is the beginning of what 128 give.
A block's seed comes from the run's seed, the question and the candidates of the block that are still owed: a block
that was done stays, one that was cut short is completed with other draws, and no draw is ever made twice. The order in
which samples of a block come back says nothing about their place in it, lest short responses come first.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError, TooManyFailures
from vpbench.generate.generator import Generator
from vpbench.pools.pool import Pool, PoolRow
from vpbench.progress import Progress
from vpbench.prompts import Generation, Message, Prompt, PromptStyle, Sampling
from vpbench.records import Candidate, RowKey
from vpbench.store import RowStore, key_hash

BLOCK = 32


@dataclass(frozen=True)
class Drawing:
    """Which candidates are wanted. `policy` is "BACKEND:MODEL", `settings` are the backend's.

    With `first_greedy`, candidate 0 of every question is the greedy response, the others are sampled.
    """

    policy: str
    settings: Mapping[str, str] = field(default_factory=dict)
    samples: int = 128
    sampling: Sampling = Sampling()
    first_greedy: bool = False
    seed: int = 0
    prompt: PromptStyle = "chain-of-thought"

    def __post_init__(self) -> None:
        if self.sampling.temperature == 0 and self.samples > 1:
            raise ConfigError("--temperature 0 draws the same response every time; give --samples 1 as well")

    @property
    def name(self) -> str:
        """The policy's short name."""
        return self.policy.rstrip("/").rpartition("/")[2].rpartition(":")[2]


def sample_stage(
    folder: Path,
    key: Mapping[str, Any],
    generator: Generator,
    conversations: Mapping[str, tuple[Message, ...]],
    drawing: Drawing,
    max_error_rate: float,
    progress: Progress,
) -> dict[RowKey, dict[str, Any]]:
    """The wanted candidates of every question in `conversations`, drawing those that are owed.

    A row is `response`, `finish_reason`, `tokens` and `error`, why there is no response (it is drawn again by the next
    run). Raises `TooManyFailures`; what is done is kept.
    """
    wanted = [(id, index) for id in conversations for index in range(drawing.samples)]
    what = f"drawing {key['task']} ({drawing.name})"
    with RowStore(folder, "candidates", key) as store, progress(what, len(wanted)) as bar:
        owed = [each for each in wanted if each not in store.rows or store.rows[each]["error"] is not None]
        bar.update(len(wanted) - len(owed))
        prompts, places = _prompts(conversations, owed, drawing)
        if prompts:
            generator.prepare()
        failed: list[str] = []
        for row, generation in _placed(generator, prompts, places):
            store.append(row, _values(generation))
            store.flush()
            bar.update(1)
            if generation.error is not None:
                failed.append(f"question {row[0]!r} candidate {row[1]}: {generation.error}")
            if len(failed) > max_error_rate * len(wanted):
                raise TooManyFailures(
                    f"drawing from {drawing.name} stopped: {len(failed)} of {len(wanted)} candidates failed, more than "
                    f"--max-error-rate {max_error_rate:g} allows; what is done is kept. The first: {failed[0]}"
                )
        return {row: store.rows[row] for row in wanted}


def candidates_key(
    task: Mapping[str, Any], generator: Generator, drawing: Drawing, prompts: Sequence[str]
) -> dict[str, Any]:
    """All that determines the candidates: `task` names task and data, `prompts` are those of all its questions.

    The number of samples isn't part of it, so that more are added to those that are there.
    """
    sampling = {name: getattr(drawing.sampling, name) for name in ("temperature", "top_p", "max_tokens")}
    return {
        **task,
        "policy": generator.identity(),
        "prompt": drawing.prompt,
        "prompts": hashlib.sha256(json.dumps(prompts).encode()).hexdigest(),
        **sampling,
        "first_greedy": drawing.first_greedy,
        "seed": drawing.seed,
    }


def sampled_pool(key: Mapping[str, Any], drawing: Drawing, rows: Mapping[RowKey, Mapping[str, Any]]) -> Pool:
    """The drawn candidates as a pool; one that could not be drawn is there with an empty response."""
    pool: dict[str, list[PoolRow]] = {}
    digest = hashlib.sha256()
    for (id, index), row in rows.items():
        candidate = Candidate(id, index, row["response"], drawing.policy, row["finish_reason"], row["tokens"])
        where = f"question {id!r} candidate {index} of {drawing.name}"
        pool.setdefault(id, []).append(PoolRow(candidate, where))
        digest.update(json.dumps([id, index, row["response"]]).encode())
    return Pool(drawing.name, {"candidates": key_hash(key)}, digest.hexdigest(), pool, {})


def sample_notes(rows: Mapping[RowKey, Mapping[str, Any]]) -> list[str]:
    """What a reader of a result has to know about its drawn candidates."""
    notes = []
    cut = sum(row["finish_reason"] == "length" for row in rows.values())
    if cut:
        notes.append(f"{cut} of {len(rows)} responses were cut at the token limit; kept as they are")
    failed = [f"question {id!r} candidate {index}: {row['error']}" for (id, index), row in rows.items() if row["error"]]
    if failed:
        notes.append(
            f"{len(failed)} of {len(rows)} candidates could not be drawn, the first: {failed[0]}; the same command "
            "tries them again"
        )
    return notes


def _prompts(
    conversations: Mapping[str, tuple[Message, ...]], owed: Sequence[RowKey], drawing: Drawing
) -> tuple[list[Prompt], list[list[RowKey]]]:
    """What to ask for the rows `owed`, and which rows each prompt's samples become, in random order."""
    blocks: dict[tuple[str, int], list[int]] = {}
    for id, index in owed:
        greedy = drawing.first_greedy and index == 0
        blocks.setdefault((id, -1 if greedy else index // BLOCK), []).append(index)
    prompts, places = [], []
    for (id, block), indices in blocks.items():
        text = json.dumps([drawing.seed, id, indices])
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        sampling = replace(drawing.sampling, temperature=0.0) if block < 0 else drawing.sampling
        prompts.append(Prompt(conversations[id], sampling, len(indices), seed))
        random.Random(seed).shuffle(indices)
        places.append([(id, index) for index in indices])
    return prompts, places


def _placed(
    generator: Generator, prompts: Sequence[Prompt], places: Sequence[Sequence[RowKey]]
) -> Iterator[tuple[RowKey, Generation]]:
    """Every sample with the row it becomes; a sample that the backend held back is one that failed."""
    free = [list(rows) for rows in places]
    for position, generation in generator.generate(prompts) if prompts else ():
        if free[position]:
            yield free[position].pop(), generation
    for rows in free:
        for row in rows:
            yield row, Generation("", error="the backend gave fewer samples than it was asked for")


def _values(generation: Generation) -> dict[str, Any]:
    return {
        "response": generation.text,
        "finish_reason": generation.finish_reason,
        "tokens": generation.tokens,
        "error": generation.error,
    }

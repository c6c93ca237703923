"""The sample stage: candidates drawn from a policy over a durable store, candidate by candidate.

A question's candidates are asked for in blocks of 32, so that what 32 samples give is the beginning of what 128 give.
A block's seed comes from the run's seed, the question and the candidates of the block that are still owed: a block
that was done stays, one that was cut short is completed with other draws, and no draw is ever made twice.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from vpbench.generate import Generation, Generator, Message, Pool, PoolRow, Prompt
from vpbench.progress import Progress
from vpbench.records import Candidate, RowKey
from vpbench.run.allowance import Allowance
from vpbench.run.kept_notes import KeptNotes
from vpbench.run.policy import Drawing, SamplePlan
from vpbench.store import CANDIDATES, RowStore, key_hash

BLOCK = 32


def draw(plan: SamplePlan, max_error_rate: float, progress: Progress) -> list[Candidate]:
    """The planned candidates, question by question, drawing those that are owed.

    One that could not be drawn has its `error`; the next run draws it again. Raises `TooManyFailures`, `ConfigError`;
    what is done is kept.
    """
    drawing = plan.drawing
    wanted = [(id, index) for id in plan.asked for index in range(drawing.samples)]
    allowance = Allowance(f"drawing from {drawing.name}", "candidates", len(wanted), max_error_rate)
    with (
        RowStore(plan.folder, "candidates", plan.key) as store,
        progress(f"drawing {plan.task.name} ({drawing.name})", len(wanted)) as bar,
    ):
        owed = [key for key in wanted if key not in store.rows or store.rows[key]["error"] is not None]
        bar.update(len(wanted) - len(owed))
        prompts, keys = _prompts(plan.conversations, owed, drawing)
        if prompts:
            plan.generator.prepare()
        notes = KeptNotes(plan.folder)
        for (id, index), sample in _samples(plan.generator, prompts, keys):
            candidate = Candidate(
                id, index, sample.text, drawing.policy, sample.finish_reason, sample.tokens, error=sample.error
            )
            notes.add(plan.generator.notes())
            store.append(candidate.key, CANDIDATES.to_row(candidate))
            store.flush()
            bar.update(1)
            if candidate.error is not None:
                allowance.count(_failure(candidate))
        return [
            CANDIDATES.from_row(store.rows[id, index], question_id=id, index=index, policy=drawing.policy)
            for id, index in wanted
        ]


def sampled_pool(plan: SamplePlan, candidates: Sequence[Candidate]) -> Pool:
    """The drawn candidates as a pool; one that could not be drawn is there with an empty response."""
    name = plan.drawing.name
    rows: dict[str, list[PoolRow]] = {}
    digest = hashlib.sha256()
    for candidate in candidates:
        where = f"question {candidate.question_id!r} candidate {candidate.index} of {name}"
        rows.setdefault(candidate.question_id, []).append(PoolRow(candidate, where))
        digest.update(json.dumps([candidate.question_id, candidate.index, candidate.response]).encode())
    return Pool(name, {"candidates": key_hash(plan.key)}, digest.hexdigest(), rows, {})


def sample_notes(plan: SamplePlan, candidates: Sequence[Candidate]) -> list[str]:
    """What a reader of a result has to know about its drawn candidates."""
    notes = KeptNotes(plan.folder).texts
    cut = sum(candidate.finish_reason == "length" for candidate in candidates)
    if cut:
        notes.append(f"{cut} of {len(candidates)} responses were cut at the token limit; kept as they are")
    failures = [_failure(candidate) for candidate in candidates if candidate.error]
    if failures:
        notes.append(
            f"{len(failures)} of {len(candidates)} candidates could not be drawn, the first: {failures[0]}; the same "
            "command tries them again"
        )
    return notes


def _failure(candidate: Candidate) -> str:
    return f"question {candidate.question_id!r} candidate {candidate.index}: {candidate.error}"


def _prompts(
    conversations: Mapping[str, tuple[Message, ...]], owed: Sequence[RowKey], drawing: Drawing
) -> tuple[list[Prompt], list[list[RowKey]]]:
    """What to ask for the candidates `owed`, and which of them each prompt's samples become, in random order."""
    blocks: dict[tuple[str, int], list[int]] = {}
    for id, index in owed:
        greedy = drawing.first_greedy and index == 0
        blocks.setdefault((id, -1 if greedy else index // BLOCK), []).append(index)
    prompts, keys = [], []
    for (id, block), indices in blocks.items():
        text = json.dumps([drawing.seed, id, indices])
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        sampling = replace(drawing.sampling, temperature=0.0) if block < 0 else drawing.sampling
        prompts.append(Prompt(conversations[id], sampling, len(indices), seed))
        # Short responses come back first; in the order they come, the first n candidates would be the shortest.
        random.Random(seed).shuffle(indices)
        keys.append([(id, index) for index in indices])
    return prompts, keys


def _samples(
    generator: Generator, prompts: Sequence[Prompt], keys: Sequence[Sequence[RowKey]]
) -> Iterator[tuple[RowKey, Generation]]:
    """Every sample with the candidate it becomes; a sample that the backend held back is one that failed."""
    free = [list(block) for block in keys]
    for position, sample in generator.generate(prompts) if prompts else ():
        if free[position]:
            yield free[position].pop(), sample
    for block in free:
        for key in block:
            yield key, Generation("", error="the backend gave fewer samples than it was asked for")

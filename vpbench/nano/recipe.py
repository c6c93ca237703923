"""The miniature world's models from nothing: `build_models` is the recipe, read top to bottom.

1. Vision tower and projector are warmed up and frozen. 2. The language model learns to describe pictures, then to solve
questions; an early state of that is the policy, a later one, once it knows the critics' conversation, the base of both
critics. 3. Verification pre-training on labels from reference solutions makes it a process and an outcome reward model:
same start, same solutions, same number of steps. 4. Both are fine-tuned on labels that the policy's own continuations
give, which is what is measured. The same seed and the same
versions of torch and Pillow give the same weights.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vpbench.nano import adapting, architecture, comparing, montecarlo, solutions, tuning, verification, vision
from vpbench.nano.architecture import CRITIC_LAYERS, POLICY_LAYERS
from vpbench.nano.conversations import Conversations, nano_tasks
from vpbench.nano.families import KINDS, draw_mixed
from vpbench.nano.language import Words, read_ids, vocabulary, world_texts, write_tokenizer
from vpbench.nano.lean import LanguageModel
from vpbench.nano.solutions import Solutions
from vpbench.nano.truth import outcome, step_labels
from vpbench.nano.tuning import Log, Round
from vpbench.nano.verification import PRETRAINING, STARTING, TUNING, Judged, judged

EQUAL = dict.fromkeys(KINDS, 1)
ROUNDS = (Round(800, 1000, EQUAL, describe=True), Round(1100, 2000, EQUAL))
PROBED = 400
"""Solutions that the judging layers are set up with."""


@dataclass(frozen=True)
class Recipe:
    """How much of everything. The policy is the language model after `policy_steps` of the last round."""

    vision_steps: int = 1500
    rounds: tuple[Round, ...] = ROUNDS
    policy_steps: int = 800
    questions: int = 12_000
    hot_questions: int = 3_000
    slips: int = 3_000
    adapting_steps: int = 250
    starting_sequences: int = 12_800
    pretraining_sequences: int = 30_720
    labelled_questions: int = 1_500
    tuning_sequences: int = 3_400
    seed: int = 0


def build_models(folder: Path, recipe: Recipe, log: Log) -> None:
    """Train the policy and both critics, and write their checkpoint folders `policy`, `prm` and `orm`."""
    talk = Conversations(_words(folder / "policy"), nano_tasks())
    native = architecture.empty_model(POLICY_LAYERS, talk.words.ids, recipe.seed + 11)
    vision.warm_up(native, recipe.seed + 21, recipe.vision_steps, log)
    native.to(torch.bfloat16).eval()
    base = tuning.new_language_model(native.config.text_config.vocab_size, recipe.seed + 41)
    policy = tuning.fine_tune(base, native, talk, recipe.seed + 51, recipe.rounds, recipe.policy_steps, log)
    _save(folder / "policy", native, policy, POLICY_LAYERS, talk)
    known = reference_solutions(policy, native, talk, recipe, log)
    steps_known = with_reference_labels(talk, known, whole=False)
    adapting.adapt(base, talk, steps_known, known.visual, recipe.seed + 55, recipe.adapting_steps, log)
    labelled = solutions.sample(policy, native, talk, recipe.seed + 8001, recipe.labelled_questions, 3, 1.0)
    labels = montecarlo.step_labels(policy, talk, labelled, recipe.seed + 8002)
    start = verification.with_judging_layers(base, recipe.seed + 61)
    some = steps_known[:: len(steps_known) // PROBED][:PROBED]
    probed = (some, known.visual[[each.question for each in some]])
    comparing.set_up(start, talk, probed)
    count = recipe.starting_sequences
    verification.train(start, talk, steps_known, known.visual, STARTING, recipe.seed + 70, count, log)
    comparing.gather(start, talk, probed)
    for name, whole in (("prm", False), ("orm", True)):
        critic = copy.deepcopy(start)
        sequences = with_reference_labels(talk, known, whole=True) if whole else steps_known
        count, seed = recipe.pretraining_sequences, recipe.seed + 71
        verification.train(critic, talk, sequences, known.visual, PRETRAINING, seed, count, log)
        sequences = with_labels(talk, labelled, labels, whole=whole)
        count, seed = recipe.tuning_sequences, recipe.seed + 81
        verification.train(critic, talk, sequences, labelled.visual, TUNING, seed, count, log)
        write_tokenizer(folder / name, list(talk.words.ids))
        _save(folder / name, native, critic, CRITIC_LAYERS, talk)


def open_policy(folder: Path) -> tuple[LanguageModel, Any, Conversations]:
    """The policy of a checkpoint folder, its native model, and what writes its conversations."""
    from vpbench.scoring import load_step_scorer

    native = load_step_scorer(str(folder), device="cpu").model
    policy = LanguageModel(POLICY_LAYERS, native.config.text_config.vocab_size)
    policy.to(torch.bfloat16)
    policy.load(native.state_dict())
    return policy, native, Conversations(Words(read_ids(folder)), nano_tasks())


def reference_solutions(policy: LanguageModel, native: Any, talk: Conversations, recipe: Recipe, log: Log) -> Solutions:
    """Solutions for the pre-training: at temperature 1, at 1.4, and slipped references."""
    seed = recipe.seed
    parts = [
        solutions.sample(policy, native, talk, seed + 100 + start, min(4000, recipe.questions - start), 2, 1.0)
        for start in range(0, recipe.questions, 4000)
    ]
    parts.append(solutions.sample(policy, native, talk, seed + 60_001, recipe.hot_questions, 2, 1.4))
    parts.append(solutions.slipped(native, seed + 70_001, recipe.slips))
    known = solutions.joined(parts)
    log(f"{len(known.steps)} solutions to learn judging from")
    return known


def with_reference_labels(talk: Conversations, known: Solutions, *, whole: bool) -> list[Judged]:
    """Sequences with true labels: of every step and token, or with `whole` of the outcome alone."""
    return [
        judged(
            talk, known.drawn[place], place, steps,
            [outcome(known.drawn[place], steps)] if whole else step_labels(known.drawn[place], steps),
            whole=whole, dense=not whole,
        )
        for place, steps in known.steps
    ]  # fmt: skip


def with_labels(
    talk: Conversations, labelled: Solutions, labels: Sequence[Sequence[bool]], *, whole: bool
) -> list[Judged]:
    """Sequences with the given step labels, or with `whole` the last one's, the outcome."""
    return [
        judged(talk, labelled.drawn[place], place, steps, own[-1:] if whole else own, whole=whole, dense=False)
        for (place, steps), own in zip(labelled.steps, labels, strict=True)
    ]


def _words(folder: Path) -> Words:
    rng = random.Random(5)
    texts = [
        task.question(task.nano_row(each, 0), ()).text  # type: ignore[union-attr]
        for kind, task in nano_tasks().items()
        for each in draw_mixed(rng, 50, {kind: 1})
    ]
    write_tokenizer(folder, vocabulary(world_texts(texts)))
    return Words(read_ids(folder))


def _save(folder: Path, native: Any, model: LanguageModel, layers: int, talk: Conversations) -> None:
    seen: Mapping[str, Any] = {
        name: tensor for name, tensor in native.state_dict().items() if "vision_tower" in name or "projector" in name
    }
    architecture.save(folder, {**seen, **model.native()}, layers, talk.words.ids)

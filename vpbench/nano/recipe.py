"""The miniature world's models from nothing: `build_models` is the recipe, read top to bottom.

1. Vision tower and projector are warmed up and frozen. 2. The language model learns to describe pictures, then to solve
questions; an early state of that is the policy, a later one a stronger policy and, once it knows the critics'
conversation, the base of both critics. 3. Verification pre-training on reference solutions makes the base a process and
an outcome reward model: same start, same solutions, same number of steps; one is told about every step, the other about
the outcome alone. 4. Both are fine-tuned by their own recipes on labels that the policy's continuations give. The same
seed and the same versions of torch and Pillow give the same weights.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from vpbench.labels.labelling import Labelling, MonteCarlo
from vpbench.nano import adapting, architecture, comparing, finetune, solutions, tuning, verification, vision
from vpbench.nano.architecture import CRITIC_LAYERS, POLICY_LAYERS
from vpbench.nano.conversations import Conversations, as_question, nano_tasks
from vpbench.nano.families import KINDS, draw_mixed
from vpbench.nano.language import Words, read_ids, vocabulary, world_texts, write_tokenizer
from vpbench.nano.lean import LanguageModel
from vpbench.nano.solutions import Solutions
from vpbench.nano.truth import outcome, step_labels
from vpbench.nano.tuning import Log, Round
from vpbench.nano.verification import Judged, batches, judged
from vpbench.progress import bar
from vpbench.scoring import load_step_scorer

EQUAL = dict.fromkeys(KINDS, 1)
SHARES = {**EQUAL, "options": 2, "groups": 2}
"""Finding the result among the options is the last thing to be learned, so these come more often."""
ROUNDS = (Round(800, 1000, EQUAL, describe=True), Round(1100, 2000, SHARES))
FINE_TUNING_SEED, SAMPLED_SEED, HOT_SEED, SLIPS_SEED = 51, 100, 60_001, 70_001
"""Added to a recipe's seed: the seeds of the questions that are solved or judged in its stages."""
PROBED = 400
"""Solutions that the judging layers are set up with."""
DECAY = 0.2
"""The share of the pre-training over which its rates fall."""
LABELLING = Labelling(MonteCarlo(continuations=16, early_exit=True))


@dataclass(frozen=True)
class WorldRecipe:
    """Amounts of training and data. The policy is the language model after `policy_steps` of the last round."""

    vision_steps: int = 1500
    rounds: tuple[Round, ...] = ROUNDS
    policy_steps: int = 900
    questions: int = 12_000
    hot_questions: int = 3_000
    slips: int = 3_000
    adapting_steps: int = 250
    starting_sequences: int = 12_800
    pretraining_sequences: int = 30_720
    labelled_per_kind: int = finetune.QUESTIONS_PER_KIND
    seed: int = 0


def build_models(folder: Path, scratch: Path, recipe: WorldRecipe, log: Log) -> None:
    """Train everything and write the checkpoint folders; `scratch` keeps intermediate data.

    `policy`, `strong-policy`; `pretrained-prm`, `pretrained-orm` before the Monte-Carlo labels, `prm` and `orm` after.
    """
    train_policies(folder, recipe, log)
    train_critics(folder, scratch, recipe, log)


def train_policies(folder: Path, recipe: WorldRecipe, log: Log) -> None:
    """Stages 1 and 2."""
    talk = Conversations(_words(folder / "policy"), nano_tasks())
    native = architecture.empty_model(POLICY_LAYERS, talk.words.ids, recipe.seed + 11)
    vision.warm_up(native, recipe.seed + 21, recipe.vision_steps, log)
    native.to(torch.bfloat16).eval()
    strong = tuning.new_language_model(native.config.text_config.vocab_size, recipe.seed + 41)
    seed = recipe.seed + FINE_TUNING_SEED
    policy = tuning.fine_tune(strong, native, talk, seed, recipe.rounds, recipe.policy_steps, log)
    for name, model in (("policy", policy), ("strong-policy", strong)):
        save_model(folder / name, native, model, POLICY_LAYERS, talk)


def train_critics(folder: Path, scratch: Path, recipe: WorldRecipe, log: Log) -> None:
    """Stages 3 and 4, from the policies in `folder`; stage 4's labels are made on another core during stage 3."""
    with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (1,)) as other_core:
        labelled = other_core.submit(_label, folder / "policy", scratch, recipe)
        _pretrain(folder, recipe, log)
        files, messages = labelled.result()
    for message in messages:
        log(message)
    for name in ("prm", "orm"):
        critic = finetune.critic_class(name)
        base, output = folder / f"pretrained-{name}", scratch / "training" / name
        finetune.keep(finetune.tune(critic, base, files, output, bar, log, seed=recipe.seed), folder / name)


def _label(policy: Path, scratch: Path, recipe: WorldRecipe) -> tuple[list[Path], list[str]]:
    """The label files, and what the labelling reports: another process can't call the recipe's log."""
    messages: list[str] = []
    finetune.write_label_questions(scratch / "questions", recipe.seed + finetune.LABEL_SEED, recipe.labelled_per_kind)
    files = finetune.label(scratch / "questions", policy, LABELLING, scratch, bar, messages.append)
    return files, messages


def _pretrain(folder: Path, recipe: WorldRecipe, log: Log) -> None:
    """Teach the stronger policy the critics' conversation, then judging; write both critics."""
    # The model as scoring loads it, so that critics learn on the visual tokens that they will see.
    native = load_step_scorer(str(folder / "strong-policy"), device="cpu").model.to(torch.bfloat16).eval()
    talk = Conversations(Words(read_ids(folder / "strong-policy")), nano_tasks())
    base = LanguageModel(POLICY_LAYERS, native.config.text_config.vocab_size).to(torch.bfloat16)
    base.load(native.state_dict())
    solved = reference_solutions(folder / "policy", talk, recipe, log)
    visual = vision.features(native, [drawn.picture.pixels for drawn in solved.drawn])
    by_step = with_reference_labels(talk, solved, whole=False)
    seed = recipe.seed + 55
    adapting.adapt(base, talk, batches(by_step, visual, seed), seed, recipe.adapting_steps, log)
    start = verification.with_judging_layers(base, recipe.seed + 61)
    some = by_step[:: len(by_step) // PROBED][:PROBED]
    probed = (some, visual[[sequence.question for sequence in some]])
    comparing.set_up(start, talk, probed)
    for name in ("prm", "orm"):
        critic = copy.deepcopy(start)
        sequences = by_step if name == "prm" else with_reference_labels(talk, solved, whole=True)
        seed = recipe.seed + 70
        verification.train(critic, talk, batches(sequences, visual, seed), recipe.starting_sequences, 0, log)
        if name == "prm":
            comparing.gather(critic, talk, probed)
        data = batches(sequences, visual, seed + 1)
        verification.train(critic, talk, data, recipe.pretraining_sequences, DECAY, log)
        save_model(folder / f"pretrained-{name}", native, critic, CRITIC_LAYERS, talk)


def reference_solutions(policy: Path, talk: Conversations, recipe: WorldRecipe, log: Log) -> Solutions:
    """Solutions for the pre-training: at temperature 1, at 1.4, and slipped references."""
    seed = recipe.seed
    solved = solutions.joined(
        [
            _sampled(policy, talk, seed + SAMPLED_SEED, recipe.questions, 1.0),
            _sampled(policy, talk, seed + HOT_SEED, recipe.hot_questions, 1.4),
            solutions.slipped(seed + SLIPS_SEED, recipe.slips),
        ]
    )
    log(f"{len(solved.steps)} solutions to learn judging from")
    return solved


def _sampled(policy: Path, talk: Conversations, seed: int, questions: int, temperature: float) -> Solutions:
    return solutions.sample(policy, talk, draw_mixed(random.Random(seed), questions), seed, 2, temperature)


def with_reference_labels(talk: Conversations, solved: Solutions, *, whole: bool) -> list[Judged]:
    """Sequences with true labels: of every step and token, or with `whole` of the outcome alone."""
    return [
        judged(
            talk,
            solved.drawn[number],
            number,
            steps,
            [outcome(solved.drawn[number], steps)] if whole else step_labels(solved.drawn[number], steps),
            whole=whole,
        )
        for number, steps in solved.steps
    ]


def _words(folder: Path) -> Words:
    rng = random.Random(5)
    texts = [
        as_question(task, drawn).text for kind, task in nano_tasks().items() for drawn in draw_mixed(rng, 50, {kind: 1})
    ]
    write_tokenizer(folder, vocabulary(world_texts(texts)))
    return Words(read_ids(folder))


def save_model(folder: Path, native: Any, model: LanguageModel, layers: int, talk: Conversations) -> None:
    """Write a checkpoint folder: the native model's vision, the language model and the tokenizer."""
    seen: Mapping[str, Any] = {
        name: tensor for name, tensor in native.state_dict().items() if "vision_tower" in name or "projector" in name
    }
    architecture.save(folder, {**seen, **model.native()}, layers, talk.words.ids)
    write_tokenizer(folder, list(talk.words.ids))

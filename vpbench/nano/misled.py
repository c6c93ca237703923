"""A policy that holds misconceptions, and critics made of it: one seed, from nothing to checkpoints.

Vision tower, projector and words are the miniature world's. The language model learns afresh, from text that reads
right and wrong equally often, to describe pictures and then to solve questions. Its solutions of other questions get
Monte-Carlo labels from itself, and both critics are that very policy, tuned on them by their own recipes. No reference
solution and no true label has a part in any of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vpbench.data.miniature import nano_model
from vpbench.labels.labelling import Labelling, MonteCarlo
from vpbench.nano import finetune, tuning
from vpbench.nano.architecture import POLICY_LAYERS
from vpbench.nano.conversations import Conversations, nano_tasks
from vpbench.nano.language import Words, read_ids
from vpbench.nano.misconceptions import KINDS, draw_read, draw_right
from vpbench.nano.recipe import save_model
from vpbench.nano.tuning import Log, Round
from vpbench.progress import bar
from vpbench.scoring import load_step_scorer

EQUAL = dict.fromkeys(KINDS, 1)
LABELLING = Labelling(MonteCarlo(continuations=16, early_stop=True))
LABELLED_SEED, TEST_SEED = 20_000, 30_000
"""Added to a seed: the seeds of the questions that are labelled, and of those that critics are measured on."""


@dataclass(frozen=True)
class Amounts:
    """Updates of the policy, questions of each kind to label, each critic's rate and epochs, and questions of each kind
    to measure on.

    The defaults are a guess from a pilot of three kinds, in which more passes over its 800 questions of each kind no
    longer helped; they take about three quarters of an hour of one core for a seed.
    """

    describing: int = 800
    solving: int = 1600
    labelled: int = 800
    process: tuple[float, int] = (1e-3, 5)
    outcome: tuple[float, int] = (1e-3, 10)
    questions: int = 40


def train_policy(folder: Path, seed: int, amounts: Amounts, log: Log) -> None:
    """Write the policy of a seed into `folder`, unless it is there."""
    import torch

    if folder.exists():
        return
    shipped = nano_model("policy")
    native = load_step_scorer(str(shipped), device="cpu").model.to(torch.bfloat16).eval()
    talk = Conversations(Words(read_ids(shipped)), nano_tasks())
    model = tuning.new_language_model(native.config.text_config.vocab_size, seed + 41)
    rounds = [
        Round(amounts.describing, amounts.describing, EQUAL, describe=True, draw=draw_read),
        Round(amounts.solving, amounts.solving, EQUAL, draw=draw_read),
    ]
    tuning.fine_tune(model, native, talk, seed + 51, rounds, 0, log)
    save_model(folder, native, model, POLICY_LAYERS, talk)


def label(folder: Path, policy: Path, seed: int, amounts: Amounts, log: Log) -> list[Path]:
    """Label the policy's solutions; the files, one for each task."""
    questions = folder / "questions"
    finetune.write_label_questions(questions, seed + LABELLED_SEED, amounts.labelled, draw_right)
    return finetune.label(questions, policy, LABELLING, folder, bar, log)


def train_critic(
    folder: Path, model: str, policy: Path, files: list[Path], amounts: Amounts, seed: int, log: Log
) -> Path:
    """Tune the policy into the critic `model`, "prm" or "orm", unless that was done; its checkpoint folder."""
    rate, epochs = amounts.process if model == "prm" else amounts.outcome
    if not (folder / "training.json").exists():
        critic = finetune.critic_class(model)
        finetune.tune(critic, policy, files, folder, bar, log, learning_rate=rate, epochs=epochs, seed=seed)
    return folder / "native"

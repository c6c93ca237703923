"""A training run, read top to bottom: base and data in, checkpoint folders and a model card out.

Every process of a `torchrun` does the same up to the training itself; the first one alone writes and reports.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vpbench.base import Critic
from vpbench.errors import ConfigError, CriticError, require
from vpbench.labels.read import read_labelled
from vpbench.models.checkpoint import checkpoint_folder
from vpbench.models.qwen_vl_load import is_qwen_vl
from vpbench.progress import Progress
from vpbench.records import CORRECT, INCORRECT, LabelledSolution
from vpbench.scoring.critic import CheckpointCritic
from vpbench.scoring.step_scorer import StepScorer
from vpbench.store import versions, write_atomic, writing
from vpbench.train.batches import MicroBatches, plan_batches
from vpbench.train.card import Outcome, card
from vpbench.train.estimate import estimate
from vpbench.train.examples import Encoder, Example, label_ids, label_weights, read_examples
from vpbench.train.parts import distinct, set_trained
from vpbench.train.recipe import Recipe
from vpbench.train.resume import keep_identity, last_checkpoint, refuse_another_run
from vpbench.train.settings import RunIdentity, TrainingRun, run_identity

Echo = Callable[[str], None]
PACKAGES = ("vpbench", "torch", "transformers", "accelerate", "peft")
"""Whose versions the model card names."""


def recipe_of(critic: type[Critic]) -> Recipe:
    """The recipe that stands in a critic's class. Raises `ConfigError` for a critic without one."""
    recipe = getattr(critic, "recipe", None)
    if not isinstance(recipe, Recipe):
        raise ConfigError(f"critic {critic.name!r} has no recipe, so it can't be trained; `vpbench list` shows others")
    return recipe


def train_critic(
    critic: Critic, run: TrainingRun, recipe: Recipe, progress: Progress, echo: Echo, dry_run: bool = False
) -> list[Path]:
    """Train what scores as `critic` does and write checkpoint folders; their paths (none from a dry run and from
    processes other than the first).

    Raises `ConfigError` for a critic without checkpoint, a missing extra, FSDP without a GPU, a folder of another run
    and settings by which no weight changes, `DataError` and `CriticError` for data and a base that can't be trained
    with.
    """
    _check(run, recipe)
    if not isinstance(critic, CheckpointCritic):
        raise ConfigError(f"critic {critic.name!r} has no checkpoint, so it can't be trained")
    if run.fsdp and not dry_run:
        _check_accelerator()
    first = int(os.environ.get("RANK", "0")) == 0
    base, recipe = checkpoint_folder(run.model, weights=not dry_run), _resolved(recipe)
    if is_qwen_vl(base):
        raise ConfigError(f"{base}: Qwen2.5-VL and Qwen3-VL aren't trained from here; give a base of InternVL")
    # A dry run has no identity: it reads no weights, and so knows no fingerprint.
    identity = None if dry_run else run_identity(critic, base, run.model, run.data, recipe, _processes())
    if identity is not None and first:
        refuse_another_run(run.output, identity, run.resume)
    scorer = critic.base_scorer(str(base), weights=not dry_run)
    if scorer.checkpoint.vision is not None and scorer.model.config.tie_word_embeddings:
        raise CriticError(f"{base}: head and embeddings are one tensor, which can't be trained; use another base")
    encoder = Encoder(scorer, recipe.max_tiles, *label_ids(scorer))
    examples, left_out = _read(encoder, recipe, run.data, progress)
    plan = plan_batches([example.length for example in examples], recipe, _processes())
    packing, weights = bool(recipe.packing), label_weights(examples, recipe.class_weights)
    data = MicroBatches(examples, plan, encoder, weights, packing, teach=recipe.history == "labels")
    if first:
        _announce(data, left_out, recipe, _processes() if run.fsdp else 1, echo)
    if identity is None:
        return []
    if first:
        keep_identity(run.output, identity)
    watched = _watched(encoder, recipe, run, progress)
    with writing(run.output):
        trained, log = _train(scorer, data, watched, run, recipe)
    if not first:
        return []
    learned, metrics = [examples[number] for number in plan.solutions()], _last(log)
    labels = _label_counts(learned)
    outcome = Outcome(len(learned), labels, dict(left_out), plan.steps, metrics, versions(PACKAGES), log)
    from vpbench.train.export import export

    with writing(run.output):
        folders = export(base, scorer.model.config, scorer.checkpoint.system_message, trained, run.output, echo)
        _write_records(run.output, folders, card(critic.title, identity, outcome), identity, outcome)
    for folder in folders:
        echo(f"written        {folder}")
    return folders


def _check(run: TrainingRun, recipe: Recipe) -> None:
    if run.fsdp and recipe.lora_rank:
        raise ConfigError("--lora-rank doesn't go with --fsdp: adapters are small, leave --fsdp out")
    require("train", "accelerate", *(["peft"] if recipe.lora_rank else []))


def _check_accelerator() -> None:
    import torch

    # The Trainer would not refuse: every process would silently keep the whole model.
    if not torch.accelerator.is_available():
        raise ConfigError("--fsdp divides the model over GPUs, and there is none here; leave it out")


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _read(
    encoder: Encoder, recipe: Recipe, files: Sequence[Path], progress: Progress
) -> tuple[list[Example], Counter[str]]:
    solutions: list[LabelledSolution] = []
    for path in files:
        solutions += read_labelled(path, recipe.label_rule, recipe.mc_threshold)
    with progress("reading solutions", len(solutions)) as bar:
        return read_examples(encoder, recipe, solutions, lambda: bar.update(1))


def _resolved(recipe: Recipe) -> Recipe:
    """The recipe with what it leaves to the machine: packed rows on a GPU."""
    import torch

    return dataclasses.replace(recipe, packing=torch.cuda.is_available()) if recipe.packing is None else recipe


def _label_counts(examples: Sequence[Example]) -> dict[str, int]:
    counts = Counter(label for example in examples for label in example.labels)
    return {"+": counts[CORRECT], "-": counts[INCORRECT]}


def _announce(data: MicroBatches, left_out: Mapping[str, int], recipe: Recipe, shards: int, echo: Echo) -> None:
    """Say what will be learned from, and what it takes."""
    learned = [data.examples[number] for number in data.plan.solutions()]
    labels = _label_counts(learned)
    echo(
        f"solutions      {len(learned)} of {len(data.examples)}, {labels['+']} labels + and {labels['-']} -"
        + "".join(f"; {count} left out: {reason}" for reason, count in left_out.items())
    )
    estimated = estimate(data.encoder.scorer.model, data.examples, data.plan, recipe, shards)
    for line in estimated.lines(recipe, _processes(), data.plan.per_step):
        echo(line)


def _watched(encoder: Encoder, recipe: Recipe, run: TrainingRun, progress: Progress) -> MicroBatches | None:
    """The solutions of `run.eval_data`, every step of them, as scoring shows them."""
    if run.eval_data is None:
        return None
    all_steps = dataclasses.replace(recipe, until_first_error=False)
    examples, _ = _read(encoder, all_steps, [run.eval_data], progress)
    once = dataclasses.replace(recipe, batch_size=len(examples), epochs=1)
    plan = plan_batches([example.length for example in examples], once, _processes())
    weights = label_weights(examples, class_weights=False)
    return MicroBatches(examples, plan, encoder, weights, bool(recipe.packing), teach=False)


def _train(
    scorer: StepScorer, data: MicroBatches, watched: MicroBatches | None, run: TrainingRun, recipe: Recipe
) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """Train `scorer.model`; its weights under native names, as stored (on the first process), and the log."""
    import torch

    from vpbench.train.model import LabelModel, set_attention, with_adapters
    from vpbench.train.trainer import LabelTrainer, training_arguments

    model = scorer.model
    stored = {name: tensor.dtype for name, tensor in distinct(model.state_dict()).items()}
    before = _sums(model.state_dict())
    torch.manual_seed(recipe.seed)
    set_trained(model.float(), recipe)
    set_attention(model, recipe)
    if recipe.gradient_checkpointing and not run.fsdp:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    adapted = with_adapters(model, recipe.lora_rank) if recipe.lora_rank else None
    layer = type(model.get_decoder().layers[0]).__name__ if run.fsdp else None
    args = training_arguments(recipe, data.plan, run, _processes(), layer)
    wrapped = LabelModel(model, scorer.checkpoint.image_token_id, (data.encoder.plus, data.encoder.minus))
    trainer = LabelTrainer(wrapped, args, data, watched, recipe.threshold)
    start = last_checkpoint(Path(args.output_dir)) if run.resume else None
    trainer.train(resume_from_checkpoint=str(start) if start else None)
    if adapted is not None:
        weights = adapted.merge_and_unload().state_dict()
    else:
        gathered = trainer.accelerator.get_state_dict(trainer.model_wrapped)
        weights = {name.removeprefix("model."): tensor for name, tensor in gathered.items()} if gathered else {}
    kept = {name: weights[name].to(dtype) for name, dtype in stored.items() if name in weights}
    if kept and all(before[name] == total for name, total in _sums(kept).items()):
        raise ConfigError(
            f"no weight changed in {data.plan.steps} steps at learning rate {recipe.learning_rate:g}: give more data, "
            "--epochs or a higher --learning-rate; nothing was written"
        )
    return kept, trainer.state.log_history


def _sums(tensors: Mapping[str, Any]) -> dict[str, int]:
    """The sum of every tensor's bytes: changed weights are told by it without a second copy of the model."""
    import torch

    return {name: int(tensor.reshape(-1).view(torch.uint8).sum()) for name, tensor in tensors.items()}


def _last(log: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The last value of the loss and of every measurement."""
    values = {name: value for entry in log for name, value in entry.items()}
    return {name: value for name, value in values.items() if name == "loss" or name.startswith("eval_")}


def _write_records(output: Path, folders: Sequence[Path], readme: str, identity: RunIdentity, outcome: Outcome) -> None:
    """The model card into each checkpoint folder, and `training.json` beside them; the latter says a run is done."""
    for folder in folders:
        (folder / "README.md").write_text(readme, encoding="utf-8")
    record = {**dataclasses.asdict(identity), **dataclasses.asdict(outcome)}
    write_atomic(output / "training.json", (json.dumps(record, indent=2) + "\n").encode())

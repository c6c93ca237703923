"""transformers' Trainer over planned micro-batches, with evaluation on the prompts that scoring writes.

The Trainer does what it always does: optimiser, schedule, mixed precision, several processes, FSDP, checkpoints,
logs. Ours are only the order of the data; the loss, normalised over the labels of the whole optimiser step; and the
evaluation: solutions with `+` in every assistant turn, scored by the trainer's own forward, macro-F1 pooled over all
labelled steps.
"""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainingArguments

from vpbench.errors import ConfigError
from vpbench.progress import shown
from vpbench.stats import step_f1
from vpbench.train.batches import BatchPlan, MicroBatches
from vpbench.train.model import LabelModel
from vpbench.train.parts import distinct
from vpbench.train.recipe import Recipe
from vpbench.train.settings import TrainingRun

LOGGED_STEPS = 500
"""About so many times the loss is written down."""


class LabelTrainer(Trainer):  # type: ignore[misc]
    """Trains a `LabelModel` on `MicroBatches`; `threshold` is the score above which a step is called correct."""

    def __init__(
        self,
        model: LabelModel,
        args: Any,
        train_dataset: MicroBatches,
        eval_dataset: MicroBatches | None,
        threshold: float,
    ) -> None:
        super().__init__(model, args, data_collator=_only, train_dataset=train_dataset, eval_dataset=eval_dataset)
        # without a bar the Trainer prints every log entry instead; they stand in training.json
        self.remove_callback(PrinterCallback)
        self.loss_is_scaled_for_ga = True
        self.threshold = threshold

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
        """The micro-batch's part of the step's loss; times the processes, whose gradients are averaged."""
        outputs = model(**inputs)
        loss = outputs["loss"] * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> Any:
        """Log and return F1 of correct and incorrect steps and their mean, pooled over all labelled steps."""
        data: MicroBatches = self.eval_dataset
        scores = self.score(data)
        pooled = step_f1([example.labels for example in data.examples], scores, self.threshold).pooled
        metrics = {
            "eval_macro_f1_pooled": pooled.macro_f1,
            "eval_f1_correct": pooled.f1_correct,
            "eval_f1_incorrect": pooled.f1_incorrect,
        }
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # safetensors refuses tensors that share memory; what loads a checkpoint takes the missing name for a tied one
        super()._save(output_dir, distinct(self.model.state_dict() if state_dict is None else state_dict))

    def score(self, data: MicroBatches) -> list[list[float]]:
        """P(`+`) of every step of the examples of `data`, in order, each process doing its share."""
        starts = [0]
        for example in data.examples:
            starts.append(starts[-1] + len(example.labels))
        scores = torch.zeros(starts[-1], device=self.args.device)
        self.model_wrapped.eval()
        for number in range(self.args.process_index, len(data), self.args.world_size):
            inputs = self._prepare_inputs(data[number])
            with torch.no_grad(), self.compute_loss_context_manager():
                step_scores = self.model_wrapped(**inputs)["logits"].float().softmax(-1)[:, 0]
            micro = data.plan.micro[number]
            if micro.counted:
                slots = [slot for number in micro.solutions for slot in range(starts[number], starts[number + 1])]
                scores[slots] = step_scores
        self.model_wrapped.train()
        flat = self.accelerator.reduce(scores, "sum").tolist()
        return [flat[start:end] for start, end in zip(starts, starts[1:], strict=False)]


def _only(items: list[Any]) -> Any:
    return items[0]


def training_arguments(
    recipe: Recipe, plan: BatchPlan, run: TrainingRun, processes: int, fsdp_layer: str | None
) -> Any:
    """The Trainer's settings; its folder is `checkpoints` in the run's. `fsdp_layer` is the class of the layers that
    FSDP shards one by one, None for no FSDP.

    Raises `ConfigError` where several GPUs are visible to one process.
    """
    eval_every = None if run.eval_data is None else run.eval_every or max(1, plan.steps // 10)
    gpu = torch.cuda.is_available()
    if gpu and processes == 1 and torch.cuda.device_count() > 1:
        count = torch.cuda.device_count()
        raise ConfigError(
            f"{count} GPUs are visible to one process; start with `torchrun --nproc-per-node {count} -m "
            "vpbench train ...`, or set CUDA_VISIBLE_DEVICES to one of them"
        )
    fsdp: dict[str, Any] = {}
    if fsdp_layer is not None:
        settings = {
            "transformer_layer_cls_to_wrap": [fsdp_layer],
            "activation_checkpointing": recipe.gradient_checkpointing,
        }
        fsdp = {"fsdp": True, "fsdp_config": settings}
    return TrainingArguments(
        output_dir=str(run.output / "checkpoints"),
        use_cpu=not gpu,
        seed=recipe.seed,
        data_seed=recipe.seed,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=plan.per_step // processes,
        num_train_epochs=1,
        optim="adamw_torch_fused",
        adam_beta1=recipe.BETAS[0],
        adam_beta2=recipe.BETAS[1],
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        lr_scheduler_type="cosine",
        # A warm-up begins at rate 0: one that is all of a run of one step would leave the weights as they are.
        warmup_steps=min(math.ceil(recipe.warmup * plan.steps), plan.steps - 1),
        bf16=recipe.bf16,
        eval_strategy="steps" if eval_every else "no",
        eval_steps=eval_every,
        save_strategy="steps" if run.save_every else "no",
        save_steps=run.save_every or 500,
        save_total_limit=2,
        logging_steps=max(1, plan.steps // LOGGED_STEPS),
        disable_tqdm=not shown(),
        remove_unused_columns=False,
        dataloader_num_workers=4 if gpu else 0,
        dataloader_pin_memory=gpu,
        report_to=["tensorboard"] if importlib.util.find_spec("tensorboard") else [],
        **fsdp,
    )

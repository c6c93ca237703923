"""What a training run takes, from the plan and the configuration alone: tokens, FLOPs, memory.

Memory of weights, gradients and Adam's two moments is exact. Activations are counted as Korthikanti et al. do (2022,
arXiv 2205.05198, section 4.1), here for a gated MLP, grouped keys and values, no dropout, and a fused attention that
keeps no softmax: 6 h + 2 k + 4 m values per token and layer, with h the hidden size, k the width of the keys, m that
of the MLP; with gradient checkpointing h per layer and one layer in full. FLOPs are 2 per weight and token forward and
4 backward (Kaplan et al. 2020, arXiv 2001.08361), 2 backward for a frozen weight that adapters sit on, and 2 more where
the forward is run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vpbench.train.batches import BatchPlan, used_tokens
from vpbench.train.examples import Example
from vpbench.train.parts import frozen_modules, vision_tower
from vpbench.train.recipe import Recipe

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of the whole run: tokens, label tokens and FLOPs. Of one process: bytes by what they hold, and the most tokens it
    runs at once."""

    steps: int
    tokens: int
    labels: int
    flops: float
    micro_batch_tokens: int
    trained: int
    frozen: int
    weights: int
    gradients: int
    optimiser: int
    activations: int

    def lines(self, recipe: Recipe, processes: int, per_step: int) -> list[str]:
        """The estimate in words, one line per subject."""
        total = self.weights + self.gradients + self.optimiser + self.activations
        parts = {
            "weights": self.weights,
            "gradients": self.gradients,
            "optimiser": self.optimiser,
            "activations": self.activations,
        }
        shares = ", ".join(f"{what} {size / GIB:.3g}" for what, size in parts.items())
        return [
            f"steps          {self.steps} of {recipe.batch_size} solutions, {recipe.epochs} epoch(s), each in "
            f"{per_step} micro-batches of at most {self.micro_batch_tokens} tokens on {processes} process(es)",
            f"tokens         {self.tokens:,} with images, {self.labels:,} of them labels",
            f"parameters     {self.trained:,} trained, {self.frozen:,} frozen",
            f"compute        {self.flops / 1e15:.4g} PFLOP",
            f"memory         {total / GIB:.3g} GiB per process: {shares} GiB",
        ]


def estimate(model: Any, examples: Sequence[Example], plan: BatchPlan, recipe: Recipe, shards: int) -> Estimate:
    """`model` is native, its parameters may have no memory; the recipe says whether rows are packed, None being no.
    `shards` processes share what FSDP divides (1: none)."""
    counts = _parameters(model, recipe)
    lengths = [example.length for example in examples]
    used = [number for micro in plan.micro if micro.counted for number in micro.solutions]
    tokens = sum(lengths[number] for number in used)
    largest = max(used_tokens(micro.solutions, lengths, bool(recipe.packing)) for micro in plan.micro)
    labels = [sum(map(bool, examples[number].labels)) for number in range(len(examples))]
    most_labels = max(sum(labels[number] for number in micro.solutions) for micro in plan.micro)
    patches = 0.0  # of the vision tower, several to an image token
    if vision_tower(model) is not None:
        patches = model.config.downsample_ratio**-2 * sum(examples[number].image_tokens for number in used)
    passes = (4 if recipe.lora_rank else 6) + 2 * recipe.gradient_checkpointing
    flops: float = (passes * counts["language"] - (passes - 2) * counts["frozen_layers"]) * tokens
    flops += (2 if recipe.freeze_vision else passes) * counts["vision"] * patches
    trained = counts["trained"]
    return Estimate(
        steps=plan.steps,
        tokens=tokens,
        labels=sum(labels[number] for number in used),
        flops=flops,
        micro_batch_tokens=largest,
        trained=trained,
        frozen=counts["frozen"],
        weights=4 * (trained + counts["frozen"]) // shards,
        gradients=4 * trained // shards,
        optimiser=8 * trained // shards,
        activations=_activations(model.config, recipe, largest, most_labels),
    )


def _parameters(model: Any, recipe: Recipe) -> dict[str, int]:
    """Parameters of the language model without embeddings and head, of its frozen layers, of the vision tower, trained,
    frozen."""
    text, tower = model.config.get_text_config(), vision_tower(model)
    everything, vision = _count(model), 0 if tower is None else _count(tower)
    tables = (model.get_input_embeddings().weight, model.get_output_embeddings().weight)
    embeddings = sum({id(table): table.numel() for table in tables}.values())  # one where the two are tied
    stopped = list(map(_count, frozen_modules(model, recipe)))
    trained = everything - vision * recipe.freeze_vision - sum(stopped)
    if recipe.lora_rank:
        keys = text.num_key_value_heads * (text.hidden_size // text.num_attention_heads)
        widths = 4 * text.hidden_size + 2 * (text.hidden_size + keys) + 3 * (text.hidden_size + text.intermediate_size)
        adapters = recipe.lora_rank * text.num_hidden_layers * widths
        return {
            "language": everything - vision - embeddings,
            "frozen_layers": 0,
            "vision": vision,
            "trained": adapters,
            "frozen": everything,
        }
    return {
        "language": everything - vision - embeddings,
        "frozen_layers": sum(stopped[1:]),
        "vision": vision,
        "trained": trained,
        "frozen": everything - trained,
    }


def _count(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _activations(config: Any, recipe: Recipe, tokens: int, labels: int) -> int:
    text = config.get_text_config()
    hidden, layers = text.hidden_size, text.num_hidden_layers
    keys = text.num_key_value_heads * (hidden // text.num_attention_heads)
    value = 2 if recipe.bf16 else 4
    layer = tokens * value * (6 * hidden + 2 * keys + 4 * text.intermediate_size)
    kept = layer * layers
    if recipe.gradient_checkpointing:
        kept = layer + tokens * value * hidden * layers
    head = 3 * 4 * labels * text.vocab_size
    return int(kept + head)

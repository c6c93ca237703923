"""A recipe: how a critic is trained. It stands next to its critic, and every number in it can be set.

Defaults are those of arXiv 2503.10291 where the paper gives them: AdamW, learning rate 1e-5, weight decay 0.05, a
linear warm-up over the first 5% of the steps, a cosine down to 0, one epoch. It leaves out the batch size, the number
of tiles and what was frozen; there the defaults are those of public reproductions (512, frozen vision tower) and of
scoring (12 tiles).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from vpbench.errors import ConfigError
from vpbench.records import LabelRule

Unit = Literal["step", "response"]
History = Literal["labels", "placeholder"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    `unit`: what a label is of, a step or the whole response (its outcome, the last step's label). `history`: what
    earlier assistant turns say, the `labels` themselves as in the released data, or the `placeholder` that a critic
    reads when it scores. `threshold` is the score above which evaluation calls a step correct. `batch_size` counts
    solutions per optimiser step, `batch_tokens` those that one process runs at once. Labels come from raw estimates by
    `label_rule` and `mc_threshold`, and with `until_first_error` end with the first incorrect step; `class_weights`
    gives both labels the same total weight. `tokens` ends the run with the step that reaches so many (None: after all
    `epochs`). `frozen_layers` of the language model, from below, stay as they are, and with them the embeddings, also
    where these are the head. `lora_rank` 0 trains all weights; adapters have alpha = 2 * rank. `packing` puts solutions
    into one row without padding (None: on a GPU).
    """

    BETAS: ClassVar[tuple[float, float]] = (0.9, 0.999)

    unit: Unit = "step"
    history: History = "labels"
    threshold: float = 0.5
    label_rule: LabelRule = "value"
    mc_threshold: float = 0.0
    until_first_error: bool = False
    class_weights: bool = False
    epochs: int = 1
    learning_rate: float = 1e-5
    weight_decay: float = 0.05
    warmup: float = 0.05
    batch_size: int = 512
    batch_tokens: int = 8192
    max_tiles: int = 12
    freeze_vision: bool = True
    lora_rank: int = 0
    bf16: bool = False
    gradient_checkpointing: bool = False
    packing: bool | None = None
    seed: int = 0
    tokens: int | None = None
    frozen_layers: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "batch_tokens", "max_tiles"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; give at least 1")
        if self.tokens is not None and self.tokens < 1:
            raise ConfigError(f"tokens is {self.tokens}; give at least 1")
        if self.frozen_layers and self.lora_rank:
            raise ConfigError("adapters leave all layers as they are: give --frozen-layers or --lora-rank, not both")
        for name, allowed in (("unit", Unit), ("history", History), ("label_rule", LabelRule)):
            if getattr(self, name) not in get_args(allowed):
                raise ConfigError(f"{name} {getattr(self, name)!r} is unknown; give {' or '.join(get_args(allowed))}")
        if self.unit == "response" and (self.label_rule != "value" or self.until_first_error):
            raise ConfigError(
                "an outcome reward model learns the outcome: --label-rule advantage and "
                "--until-first-error are for step labels, leave them out"
            )
        if not 0 <= self.warmup < 1 or self.learning_rate <= 0 or min(self.lora_rank, self.frozen_layers) < 0:
            raise ConfigError(
                "warmup is a share in 0..1, learning_rate above 0, lora_rank and frozen_layers at least 0"
            )

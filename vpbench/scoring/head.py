"""The head: what a model says at a read-out, from what its last layer holds there.

A process reward model of the InternVL family says a label, so its head is the language model's own, reduced to the
rows of the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Head(Protocol):
    """Turns hidden states into what a score is made of."""

    def __call__(self, states: Any) -> Any:
        """[readouts, labels] in float32 of the normalised last layer [readouts, hidden size], on its device."""


@dataclass(frozen=True)
class LabelRows:
    """The language model's head for some labels alone, in float32: `weight` [labels, hidden size], `bias` [labels]."""

    weight: Any
    bias: Any | None

    @classmethod
    def of(cls, model: Any, label_ids: Sequence[int]) -> LabelRows:
        """The rows of `label_ids`, in their order, of a `PreTrainedModel`'s head."""
        head, labels = model.get_output_embeddings(), list(label_ids)
        bias = None if head.bias is None else head.bias[labels].detach().float()
        return cls(head.weight[labels].detach().float(), bias)

    def __call__(self, states: Any) -> Any:
        """See `Head`: the labels' logits."""
        import torch

        return torch.nn.functional.linear(states.float(), self.weight, self.bias)

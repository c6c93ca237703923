"""The head: what a model says at a read-out, from what its last layer holds there, and what that is worth.

A model that says a label has the language model's own head, reduced to the rows of the labels. A reward model has a
head of its own beside the language model: a few linear layers, named by a `HeadLayout`. Either way a link makes
numbers of the outputs, and a score is their sum, each times its worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol

from vpbench.models.head_weights import read_layers

Link = Literal["softmax", "sigmoid", "identity"]
LINKS: Mapping[Link, Callable[[Any], Any]] = MappingProxyType(
    {
        "softmax": lambda outputs: outputs.softmax(-1),
        "sigmoid": lambda outputs: outputs.sigmoid(),
        "identity": lambda outputs: outputs,
    }
)
"""What is made of the outputs [..., outputs]: probabilities of one of them, of each on its own, or the outputs."""


class Head(Protocol):
    """Turns hidden states into what a score is made of."""

    def __call__(self, states: Any) -> Any:
        """[readouts, outputs] in float32 of the normalised last layer [readouts, hidden size], on its device."""


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


@dataclass(frozen=True)
class HeadLayout:
    """A head that a checkpoint has beside its language model: where it lies and what its outputs mean.

    `layers` names its linear layers in order, as the weights call them without `.weight`; between two of them is a
    ReLU. `worth` is what each output is worth after the `link`: (0, 1) with softmax is the probability of the second.
    The identity gives scores without bounds, which a weighted vote takes by a link of its own only.
    """

    layers: tuple[str, ...]
    link: Link
    worth: tuple[float, ...] = (1.0,)

    def read(self, folder: Path, model: Any) -> StoredHead:
        """The head of a checkpoint folder, for its loaded `PreTrainedModel`. Raises `CriticError` if it doesn't fit."""
        size = model.config.get_text_config().hidden_size
        layers = read_layers(folder, self.layers, size, len(self.worth))
        return StoredHead(tuple((weight.to(model.device), _to(bias, model.device)) for weight, bias in layers))

    def scores(self, outputs: Any) -> tuple[float, ...]:
        """The score at each read-out, of outputs [readouts, outputs] in float32."""
        import torch

        return tuple((LINKS[self.link](outputs) @ torch.tensor(self.worth, dtype=torch.float32)).tolist())


@dataclass(frozen=True)
class StoredHead:
    """Linear layers with a ReLU between, in float32: weight [outputs, inputs] and bias [outputs], or None, of each."""

    layers: tuple[tuple[Any, Any | None], ...]

    def __call__(self, states: Any) -> Any:
        """See `Head`."""
        import torch

        values = states.float()
        for number, (weight, bias) in enumerate(self.layers):
            values = torch.nn.functional.linear(values.relu() if number else values, weight, bias)
        return values


def _to(bias: Any | None, device: Any) -> Any | None:
    return None if bias is None else bias.to(device)

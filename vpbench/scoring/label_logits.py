"""The label logits at the read-out positions, and the plain way to get there: one forward for each prompt.

An engine says what the language model's last layer holds where a prompt is read; the head then runs on those positions
alone. The plain engine here is the reference. One that runs the shared prefix once has the same signature, takes the
same prompts and image features, and is checked against this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vpbench.models.inputs import decoder_inputs
from vpbench.models.vision import ImageFeatures
from vpbench.scoring.head import Head


@dataclass(frozen=True)
class StepPrompt:
    """One solution ready to be scored.

    `text` is the whole chat, `ids` its tokens, `readouts` the positions (0-based, ascending) whose logits predict the
    labels, one per step. `neutralised`: special tokens typed in question or solution were read as text.
    """

    steps: tuple[str, ...]
    text: str
    ids: tuple[int, ...]
    readouts: tuple[int, ...]
    neutralised: bool = False


class Engine(Protocol):
    """Runs the language model of a `PreTrainedModel` with a decoder and a head."""

    def __call__(
        self, model: Any, prompts: Sequence[StepPrompt], features: ImageFeatures | None, image_token_id: int
    ) -> Iterator[tuple[int, Any]]:
        """For each prompt, in any order, its index and the normalised last layer [readouts, hidden size] there.

        `features` are those of the images that all prompts share, put where `image_token_id` stands, or None for text
        alone.
        """


def plain_engine(
    model: Any, prompts: Sequence[StepPrompt], features: ImageFeatures | None, image_token_id: int
) -> Iterator[tuple[int, Any]]:
    """The reference `Engine`: image and prompt run through the model's own forward, one prompt at a time."""
    import torch

    for index, prompt in enumerate(prompts):
        with torch.inference_mode():
            inputs = decoder_inputs(model, prompt.ids, features, image_token_id)
            output = model.get_decoder()(**inputs.arguments(), use_cache=False).last_hidden_state
            states = output[0, list(prompt.readouts)]
        yield index, states


def label_logits(
    engine: Engine,
    model: Any,
    prompts: Sequence[StepPrompt],
    features: ImageFeatures | None,
    image_token_id: int,
    head: Head,
) -> list[Any]:
    """What the head makes of each prompt, in order: float32 tensors on the CPU of shape (readouts, labels)."""
    import torch

    logits: dict[int, Any] = {}
    with torch.inference_mode():
        for index, states in engine(model, prompts, features, image_token_id):
            logits[index] = head(states)
        return [logits[index].cpu() for index in range(len(prompts))]

"""The label logits at the read-out positions: one plain forward for each prompt.

This is the reference way, and the only place that runs the language model. An engine that runs the shared prefix once
has the same signature, takes the same prompts and image features, and is checked against this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StepPrompt:
    """One solution ready to be scored.

    `text` is the whole chat, `ids` its tokens, `readouts` the positions (0-based) whose logits predict the labels,
    one per step.
    """

    steps: tuple[str, ...]
    text: str
    ids: tuple[int, ...]
    readouts: tuple[int, ...]


def plain_label_logits(
    model: Any, prompts: Sequence[StepPrompt], features: Any | None, image_token_id: int, label_ids: Sequence[int]
) -> list[Any]:
    """Logits of the labels for each prompt: float32 tensors on the CPU of shape (steps, labels).

    `model` is an `InternVLForConditionalGeneration`; `features` are the image features (tiles, tokens per tile,
    hidden size) that all prompts share, or None for text alone. The head runs at the read-out positions only.
    """
    import torch

    logits = []
    with torch.inference_mode():
        for prompt in prompts:
            ids = torch.tensor([prompt.ids], device=model.device)
            embeddings = model.get_input_embeddings()(ids)
            if features is not None:
                embeddings[ids == image_token_id] = features.flatten(0, 1).to(embeddings.dtype)
            readouts = torch.tensor(prompt.readouts, device=model.device)
            output = model(inputs_embeds=embeddings, logits_to_keep=readouts, use_cache=False)
            logits.append(output.logits[0][:, list(label_ids)].float().cpu())
    return logits

"""Warm-up of the vision tower: linear heads read content, colour and position of a cell from its visual token.

Trained end to end, a model of this size learns the language first and ignores the picture. So vision tower and
projector are trained alone, with these heads on the projected tokens, which are discarded afterwards; then the
projector's last layer is scaled so that visual tokens have length 2 (as text embeddings roughly have), and both are
frozen for good. All later training works on cached features.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from vpbench.nano.architecture import VISUAL_TOKENS, WIDTH, pixel_values
from vpbench.nano.families import KINDS, draw_mixed
from vpbench.nano.pictures import COLOURS, CONTENTS
from vpbench.records import Drawn

BATCH, RATE, WARM_UP_STEPS = 64, 2e-3, 100
SHARES = {**dict.fromkeys(KINDS, 1), "decimal": 4}
"""A bar's height can't be read from one cell, so bars come more often."""
TOKEN_LENGTH = 2.0


def warm_up(model: Any, seed: int, steps: int, log: Callable[[str], None]) -> None:
    """Train vision tower and projector of a native model in place for `steps` batches, scale the projector, freeze."""
    import torch

    rng = random.Random(seed)
    torch.manual_seed(seed)
    vision = torch.nn.ModuleList([model.model.vision_tower, model.model.multi_modal_projector])
    heads = torch.nn.ModuleList(
        torch.nn.Linear(WIDTH, size) for size in (len(CONTENTS), len(COLOURS) + 1, VISUAL_TOKENS)
    )
    for module in (vision, heads):
        module.to(torch.bfloat16).train()
    from vpbench.nano.optimiser import FlatAdamW

    optimiser = FlatAdamW([*vision.parameters(), *heads.parameters()])
    started = time.perf_counter()
    for step in range(steps):
        batch = draw_mixed(rng, BATCH, SHARES)
        losses, _ = _losses(model, heads, batch)
        sum(losses).backward()
        optimiser.step(cosine(RATE, step, steps, WARM_UP_STEPS))
        if step % 100 == 0 or step == steps - 1:
            log(f"vision {step}/{steps} {time.perf_counter() - started:.0f}s " + " ".join(f"{x:.3f}" for x in losses))
    with torch.no_grad():
        vision.eval()
        held_out = draw_mixed(rng, 512)
        _, right = _losses(model, heads, held_out)
        log("vision held out: content, colour, position " + " ".join(f"{share:.4f}" for share in right))
        length = features(model, [drawn.picture.pixels for drawn in held_out]).float().norm(dim=-1).mean()
        last = model.model.multi_modal_projector.linear_2
        for parameter in (last.weight, last.bias):
            parameter.mul_(TOKEN_LENGTH / length)
    vision.requires_grad_(False)


def cosine(rate: float, step: int, steps: int, warm_up_steps: int) -> float:
    """Linear warm-up, then half a cosine down to 2% of `rate`."""
    from math import cos, pi

    if step < warm_up_steps:
        return rate * (step + 1) / warm_up_steps
    return rate * (0.02 + 0.98 * 0.5 * (1 + cos(pi * (step - warm_up_steps) / max(1, steps - warm_up_steps))))


def features(model: Any, pixels: Sequence[Any], batch: int = 256) -> Any:
    """Visual tokens of pictures, bfloat16 (count, 16, 160)."""
    import numpy as np
    import torch

    with torch.no_grad():
        parts = [
            model.model.get_image_features(
                pixel_values(np.stack(pixels[start : start + batch])).to(torch.bfloat16), return_dict=True
            ).pooler_output
            for start in range(0, len(pixels), batch)
        ]
    return torch.cat(parts).view(-1, VISUAL_TOKENS, WIDTH)


def _losses(model: Any, heads: Any, batch: Sequence[Drawn]) -> tuple[list[Any], list[float]]:
    """Cross-entropy of content, colour and position over all cells, and the share of cells that are right."""
    import numpy as np
    import torch

    pixels = pixel_values(np.stack([drawn.picture.pixels for drawn in batch])).to(torch.bfloat16)
    tokens = model.model.get_image_features(pixels, return_dict=True).pooler_output.reshape(-1, WIDTH)
    targets = (
        torch.tensor([drawn.picture.content for drawn in batch]).flatten(),
        torch.tensor([drawn.picture.key for drawn in batch]).flatten(),
        torch.arange(VISUAL_TOKENS).repeat(len(batch)),
    )
    logits = [head(tokens).float() for head in heads]
    losses = [torch.nn.functional.cross_entropy(one, two) for one, two in zip(logits, targets, strict=True)]
    right = [float((one.argmax(-1) == two).float().mean()) for one, two in zip(logits, targets, strict=True)]
    return losses, right

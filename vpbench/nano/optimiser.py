"""AdamW on one flat vector: bfloat16 weights, float32 master copy.

A tiny model has many small tensors, and an update per tensor costs more than its backward pass on a CPU. Weights and
gradients are views of two flat bfloat16 vectors, so that a step is a few operations on 2 million numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

BETA_1, BETA_2, EPSILON = 0.9, 0.98, 1e-8


class FlatAdamW:
    """Takes over the storage of `parameters`, which must all be bfloat16. Gradients are clipped to norm `clip`."""

    def __init__(self, parameters: Iterable[Any], weight_decay: float = 0.02, clip: float = 1.0) -> None:
        import torch

        tensors = list(parameters)
        self._decay, self._clip, self._steps = weight_decay, clip, 0
        self.weights = torch.cat([tensor.detach().flatten() for tensor in tensors])
        self.gradients = torch.zeros_like(self.weights)
        self._master = self.weights.float()
        self._mean, self._square = torch.zeros_like(self._master), torch.zeros_like(self._master)
        start = 0
        for tensor in tensors:
            end = start + tensor.numel()
            tensor.data = self.weights[start:end].view_as(tensor)
            tensor.grad = self.gradients[start:end].view_as(tensor)
            start = end

    def step(self, rate: float) -> None:
        """Update the weights by the gradients gathered since the last step, and clear these."""
        self._steps += 1
        gradient = self.gradients.float()
        gradient *= (self._clip / (gradient.norm() + 1e-6)).clamp(max=1.0)
        self._mean.lerp_(gradient, 1 - BETA_1)
        self._square.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
        root = (self._square / (1 - BETA_2**self._steps)).sqrt_().add_(EPSILON)
        self._master.mul_(1 - rate * self._decay)
        self._master.addcdiv_(self._mean, root, value=-rate / (1 - BETA_1**self._steps))
        self.weights.copy_(self._master)
        self.gradients.zero_()

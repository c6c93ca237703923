"""The parts of a model: which of them a recipe trains, and under which names its weights are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vpbench.errors import ConfigError
from vpbench.train.recipe import Recipe


def set_trained(model: Any, recipe: Recipe) -> None:
    """Train everything but what the recipe freezes; the projector belongs to the language side.

    Raises `ConfigError` for more frozen layers than there are.
    """
    model.requires_grad_(True)
    if (tower := vision_tower(model)) is not None:
        tower.requires_grad_(not recipe.freeze_vision)
    for module in frozen_modules(model, recipe):
        module.requires_grad_(False)


def frozen_modules(model: Any, recipe: Recipe) -> list[Any]:
    """Embeddings and the lowest layers, as far as the recipe freezes them. Raises `ConfigError` if there are fewer."""
    if not recipe.frozen_layers:
        return []
    layers = model.get_decoder().layers
    if recipe.frozen_layers > len(layers):
        raise ConfigError(f"--frozen-layers {recipe.frozen_layers}: the language model has {len(layers)}; give fewer")
    return [model.get_input_embeddings(), *layers[: recipe.frozen_layers]]


def distinct(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict without the names of tensors that an earlier name has, as a head that is the embeddings."""
    first = {tensor.data_ptr(): name for name, tensor in reversed(list(state.items()))}
    return {name: tensor for name, tensor in state.items() if first[tensor.data_ptr()] == name}


def vision_tower(model: Any) -> Any | None:
    """The vision tower of a native InternVL model; None for a language model."""
    return getattr(model.model, "vision_tower", None)

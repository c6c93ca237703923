"""The linear layers of a head that a checkpoint has beside its language model.

Reward models keep them among the weights of the language model or in a file of their own (`value_head.safetensors`);
here they are found by name in whatever weights the folder holds, and checked to fit one another and the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.checkpoint import SAFETENSORS, weight_files
from vpbench.models.weights import open_weights

BODY = ("model.", "language_model.", "visual.", "vision_model.", "lm_head.")
"""How the names of weights begin that belong to no such head."""

Layer = tuple[Any, Any | None]
"""Weight [outputs, inputs] and bias [outputs] of a linear layer, in float32 on the CPU."""


def require_layers(folder: Path, names: Sequence[str]) -> None:
    """Raise `CriticError` where the weights of a folder lack one of the layers called `names`; nothing is loaded."""
    stored: set[str] = set()
    for path in _files(folder):
        with open_weights(path) as file:
            stored |= set(file.keys())
    missing = [f"{name}.weight" for name in names if f"{name}.weight" not in stored]
    if missing:
        others = sorted(name for name in stored if not name.startswith(BODY))
        raise CriticError(
            f"{folder}: the weights hold no {', '.join(missing)}"
            + (f", but {', '.join(others[:5])}" if others else ", nor any other head than a language model's")
            + "; give a checkpoint of the kind that this critic is for, with all of its weight files"
        )


def read_layers(folder: Path, names: Sequence[str], inputs: int, outputs: int) -> tuple[Layer, ...]:
    """The layers called `names`, in order, from `inputs` features to `outputs`; a layer may have no bias.

    Raises `CriticError` where the folder lacks one of them, or has one of another shape.
    """
    require_layers(folder, names)
    wanted = {f"{name}.{part}" for name in names for part in ("weight", "bias")}
    tensors: dict[str, Any] = {}
    for path in _files(folder):
        with open_weights(path) as file:
            tensors |= {name: file.get_tensor(name).float() for name in wanted & set(file.keys())}
    layers = tuple((tensors[f"{name}.weight"], tensors.get(f"{name}.bias")) for name in names)
    _check_shapes(folder, names, layers, inputs, outputs)
    return layers


def _files(folder: Path) -> list[Path]:
    return sorted({*weight_files(folder), *folder.glob(SAFETENSORS)})


def _check_shapes(folder: Path, names: Sequence[str], layers: Sequence[Layer], inputs: int, outputs: int) -> None:
    size = inputs
    for name, (weight, bias) in zip(names, layers, strict=True):
        rows = outputs if name == names[-1] else len(weight)
        if tuple(weight.shape) != (rows, size) or (bias is not None and tuple(bias.shape) != (rows,)):
            raise CriticError(
                f"{folder}: {name}.weight is {list(weight.shape)}, [{rows}, {size}] is expected (outputs, inputs) and "
                "a bias of as many outputs or none; give a checkpoint of the kind that this critic is for"
            )
        size = rows

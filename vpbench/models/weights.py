"""A weight file opened, in safetensors or as PyTorch saves it (.bin).

The latter is a pickle. It is read by PyTorch's restricted unpickler, which makes tensors and plain containers and
refuses everything else, code above all.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError

CONVERSION = (
    'python -c "import glob, torch; from safetensors.torch import save_file; save_file({name: tensor.clone()'
    ".contiguous() for file in glob.glob('pytorch_model*.bin') for name, tensor in torch.load(file, "
    "map_location='cpu', weights_only=True).items()}, 'model.safetensors', {'format': 'pt'})\""
)
"""What makes one file in safetensors of the .bin files of the folder it is run in."""


@dataclass(frozen=True)
class _Unpickled:
    """The tensors of a .bin file by the methods of an open file in safetensors."""

    tensors: dict[str, Any]

    def keys(self) -> list[str]:
        return list(self.tensors)

    def get_tensor(self, name: str) -> Any:
        return self.tensors[name]


@contextmanager
def open_weights(path: Path) -> Iterator[Any]:
    """A weight file with `keys()` and `get_tensor(name)`, as `safetensors.safe_open` gives it.

    Raises `CriticError` for a file that can't be read, and for a .bin file that holds more than tensors by name.
    """
    from safetensors import SafetensorError, safe_open

    if path.suffix == ".bin":
        yield _unpickled(path)
        return
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CriticError(f"{path}: not a readable safetensors file ({error}); fetch it again") from error


def _unpickled(path: Path) -> _Unpickled:
    import torch

    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # the unpickler raises many kinds for a damaged file and for one that it refuses
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CriticError(
            f"{path}: can't be read as tensors alone ({reason}), and nothing else is unpickled, since that runs code. "
            f"Fetch it again, or where you trust it convert it with weights_only=False in {CONVERSION}"
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise CriticError(f"{path}: holds something else than tensors by name; save the model's state_dict alone")
    return _Unpickled(tensors)

"""Lets torchvision's wheel from PyPI, built for CUDA, be imported beside a torch without CUDA.

Only two of its compiled operators are looked up on import. They are declared, not defined, right before torchvision
is first imported; its transforms need none of them. `scripts/vllm-cpu-env` installs this file so that every Python
process of that environment, the servers and workers that vLLM starts included, begins with it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

OPERATORS = ("nms", "qnms")
declared: list[Any] = []
"""The declarations hold as long as their library object lives."""


class DeclareOnFirstImport:
    """An import hook that finds nothing itself and removes itself when torchvision is asked for."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """See `importlib.abc.MetaPathFinder`."""
        if name != "torchvision":
            return
        sys.meta_path.remove(self)
        import torch

        if torch.version.cuda is None:
            library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in OPERATORS:
                library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            declared.append(library)


sys.meta_path.insert(0, DeclareOnFirstImport())

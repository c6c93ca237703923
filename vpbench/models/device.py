"""The number format and the device that a model is loaded with, as settings name them."""

from __future__ import annotations

from typing import Any

from vpbench.errors import ConfigError

DTYPES = ("auto", "float32", "bfloat16", "float16")


def torch_settings(dtype: str, device: str) -> tuple[Any, Any]:
    """The torch dtype (None for auto, the stored one) and the device, auto being CUDA where there is one.

    Raises `ConfigError` for an unknown dtype and for a device that can't be used.
    """
    import torch

    if dtype not in DTYPES:
        raise ConfigError(f"dtype {dtype!r} is unknown; give one of {', '.join(DTYPES)}")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {device!r} can't be used ({error}); give cpu, cuda or auto") from error
    return (None if dtype == "auto" else getattr(torch, dtype)), chosen

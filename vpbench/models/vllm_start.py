"""Start vLLM in this process, for sampling as well as for scoring.

vLLM is an optional extra and is imported here and in the modules that use it, only when asked for. On a machine
without CUDA its defaults would take most of the memory and pin themselves to cores, so that there, and only for what
the user hasn't set, the environment is given modest values first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError, require

CPU_ENVIRONMENT: Mapping[str, str] = {
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}
"""Gigabytes of keys and values; no pinning of threads; no further process."""


def start_vllm(model: Path | str, pooling_task: str | None = None, **settings: Any) -> Any:
    """A `vllm.LLM` with these settings. Raises `ConfigError` if vLLM is missing or refuses the model."""
    require("vllm", "vllm", otherwise="; without a GPU scripts/vllm-cpu-env there makes an environment for it")
    import torch

    cpu: dict[str, Any] = {}
    if not torch.cuda.is_available():
        # vLLM reads these from the environment alone; what the user has set stays.
        for name, value in CPU_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        cpu = {"enforce_eager": True, "distributed_executor_backend": "uni"}
    if pooling_task is not None:  # what `vllm_config` registers holds in this process only
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    try:
        from vllm import LLM
        from vllm.config import PoolerConfig
    except ImportError as error:
        raise ConfigError(f"vLLM is installed but can't be imported: {error}") from error
    if pooling_task is not None:
        settings |= {"runner": "pooling", "pooler_config": PoolerConfig(task=pooling_task)}
    try:
        return LLM(str(model), **cpu, **settings)
    except Exception as error:  # vLLM raises whatever its parts raise
        raise ConfigError(f"{model}: vLLM can't run it ({type(error).__name__}: {error})") from error


def vllm_version() -> tuple[int, int]:
    """Major and minor version of the installed vLLM."""
    import vllm

    major, minor = vllm.__version__.split(".")[:2]
    return int(major), int(minor)

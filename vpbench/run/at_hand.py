"""Whether a run can start that rests on what nobody named: packages, weights, data and memory, told all at once.

What lies in the hub's cache is used without a network. Otherwise the hub is asked once, for a few seconds, where its
own clients would try for half a minute, one model after the other.
"""

from __future__ import annotations

import importlib.util
import os
import re
import ssl
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from vpbench.base import ReleasedModel, Source
from vpbench.errors import ConfigError, require
from vpbench.models.checkpoint import SAFETENSORS, NotFetched, cached_folder
from vpbench.run.study import Study

PATIENCE_S = 3.0
"""How long the hub may take to answer."""
TILE_TOKENS = 256
"""What a model of this kind reads a tile as: (448 / 14)^2 patches, four of them a token."""
PIXELS_OF_TOKEN = 28 * 28
"""The pixels that a model with limits of pixels reads as one token (Qwen2.5-VL; Qwen3-VL takes more)."""
ROOM_TOKENS = 13 * TILE_TOKENS + 1024
"""A prompt of twelve tiles, their thumbnail and a long question, for which there has to be room beside a response."""
GIGABYTE = 10**9
Models = Mapping[str, tuple[ReleasedModel, Mapping[str, str]]]
"""Models with their settings, by what they are there for."""
GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def check_at_hand(study: Study) -> None:
    """Raise one `ConfigError` for all that a study lacks of what it takes by default, with the ways to do without."""
    models = default_models(study)
    missing = [*_packages(study), *_fetched(study, models), *_memory(study, models)]
    if missing:
        drawn = study.defaults.policy is not None
        pool = "--pool FILE (candidates you have; the critic is still needed), " if drawn else ""
        raise ConfigError(
            "the run can't start; missing:\n"
            + "\n".join(f"  {what}" for what in missing)
            + f"\nwithout: {pool}{'--pool FILE ' * drawn}--scores FILE in place of --critic (its scores, computed "
            "elsewhere), --nano (the miniature world)"
        )


def default_models(study: Study) -> Models:
    """The models that nobody named."""
    models: dict[str, tuple[ReleasedModel, Mapping[str, str]]] = {}
    for entry in study.critics:
        if entry.called in study.defaults.checkpoints:
            models[f"critic {entry.called}"] = study.defaults.checkpoints[entry.called], entry.settings
    drawings = [request.drawing for _, request in study.tasks if request.drawing is not None]
    if study.defaults.policy is not None:
        models["policy"] = study.defaults.policy.model, drawings[0].policy_args
    return models


def weight_bytes(model: ReleasedModel, settings: Mapping[str, str]) -> tuple[int, bool]:
    """The size of a model's weights, and whether they lie in the hub's cache."""
    try:
        folder = cached_folder(model.hub_id, settings.get("checkpoint_revision"))
    except (NotFetched, ImportError):
        return model.download_bytes, False
    return sum(path.stat().st_size for path in folder.glob(SAFETENSORS)), True


def hub_sources(study: Study) -> list[Source]:
    """The data sets that come from the hub: of tasks without `--data` whose pool can't bring the questions."""
    return [
        plugin.cls.source
        for plugin, request in study.tasks
        if request.data is None and request.pool is None and not request.nano
    ]


def data_in_cache(source: Source) -> bool:
    """Whether `datasets` has this data set in its cache."""
    home = Path(os.environ.get("HF_HOME", Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"))
    cache = Path(os.environ.get("HF_DATASETS_CACHE", home / "datasets")).expanduser()
    wanted = re.sub("[_-]", "", source.hub_id.replace("/", "___")).lower()
    folders = cache.iterdir() if cache.is_dir() else ()
    return any(re.sub("[_-]", "", folder.name).lower() == wanted for folder in folders)


def _packages(study: Study) -> Iterator[str]:
    packages = ["torch", "transformers", "safetensors"] if study.defaults else []
    try:
        require("models", *packages, *(["datasets"] if hub_sources(study) else []))
    except ConfigError as error:
        yield f"- {error}"


def _fetched(study: Study, models: Models) -> list[str]:
    """What would have to come from the hub and can't."""
    wanted, names = [], []
    for role, (model, settings) in models.items():
        size, cached = weight_bytes(model, settings)
        if not cached:
            other = "another by --policy" if role == "policy" else "give its folder or hub id by --critic-model"
            names.append(model.hub_id)
            wanted.append(f"- the weights of the {role}: {model.hub_id} ({size / GIGABYTE:.1f} GB); or {other}")
    sources = [source.hub_id for source in hub_sources(study) if not data_in_cache(source)]
    if sources:
        wanted.append(f"- of data: {', '.join(sources)}; or give a folder with their files by --data")
    names = [f"models/{name}" for name in names] + [f"datasets/{name}" for name in sources]
    reason = _why_unreachable(names[0]) if wanted else None
    return [] if reason is None else [*wanted, f"  none of these is in the hub's cache, and {reason}"]


def _why_unreachable(name: str) -> str | None:
    """Why nothing can be fetched from the hub; None where it has what is called so, be it for members only."""
    try:
        from huggingface_hub import constants, is_offline_mode
    except ImportError:
        return "without huggingface_hub nothing is fetched"
    if is_offline_mode():
        return "HF_HUB_OFFLINE forbids fetching"
    address = f"{constants.ENDPOINT}/api/{name}"
    errors: list[str] = ["it doesn't answer"]

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=PATIENCE_S):
                errors.clear()
        except urllib.error.HTTPError as error:
            errors[:] = [] if error.code in (401, 403) else [str(error)]
        except OSError as error:
            reason = getattr(error, "reason", error)
            # The hub's own client has other certificates than this one.
            errors[:] = [] if isinstance(reason, ssl.SSLError) else [str(reason)]

    # Looking up the name has no time limit of its own.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE_S)
    return f"{address} can't be reached ({errors[0]})" if errors else None


def needed_bytes(model: ReleasedModel, settings: Mapping[str, str], max_tokens: int) -> tuple[int, int]:
    """The memory that a model takes: its weights, and the keys and values of one prompt with a response."""
    return weight_bytes(model, settings)[0], (ROOM_TOKENS + max_tokens) * model.token_bytes


def longest_response(study: Study) -> int:
    """The most tokens of a response that is drawn, 0 where none is."""
    return max((request.drawing.sampling.max_tokens for _, request in study.tasks if request.drawing), default=0)


def _memory(study: Study, models: Models) -> Iterator[str]:
    for role, (model, settings) in models.items():
        if settings.get("base_url"):
            continue  # a server has it in memory
        weights, cache = needed_bytes(model, settings, longest_response(study))
        where, total = _memory_of(settings.get("device", "auto"))
        if total is not None and weights + cache > total:
            yield (
                f"- memory for the {role}: {model.hub_id} takes {(weights + cache) / GIGABYTE:.1f} GB (weights "
                f"{weights / GIGABYTE:.1f}, cache {cache / GIGABYTE:.1f}), {where} has {total / GIGABYTE:.1f} GB"
            )


def _memory_of(device: str) -> tuple[str, int | None]:
    """What a model would run on, and its bytes of memory, None where nothing tells."""
    # Importing torch takes seconds, in which it could only say that there is no GPU.
    looks = device != "cpu" and (sys.platform != "linux" or any(Path(path).exists() for path in GPU_DEVICES))
    if looks and importlib.util.find_spec("torch") is not None:
        import torch

        if torch.cuda.is_available():
            return "the GPU", torch.cuda.get_device_properties(0).total_memory
    try:
        return "this machine", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "this machine", None  # Windows has no sysconf

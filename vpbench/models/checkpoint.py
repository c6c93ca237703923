"""A checkpoint as files: where its folder is, what it consists of, and what identifies it.

A model is named by a local folder or by an id on the Hugging Face hub. Only weights in safetensors, JSON, tokenizer
data and the chat template are fetched; nothing of it is ever executed. A dry run fetches no weights. A folder with an
adapter is refused: some loaders apply it, others don't, and neither says so.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError, VpbenchError, require

SAFETENSORS = "*.safetensors"
SMALL_FILES = (
    "*.json",
    "merges.txt",
    "vocab.txt",
    "*.model",
    "*.tiktoken",
    "conversation.py",
    "*.jinja",
    "additional_chat_templates/*.jinja",
)
"""Configuration, tokenizers' data of all kinds and chat templates."""

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
"""What `peft` saves of an adapter."""

WHOLE_HASH_BYTES = 64 * 2**20
SAMPLES, SAMPLE_BYTES = 64, 2**16


# Plugins call `checkpoint_folder` themselves, so a dry run can't hand them the wish as an argument. Threads don't see
# it: nothing is loaded in threads during a dry run.
_may_fetch: ContextVar[bool] = ContextVar("may_fetch", default=True)


class NotFetched(VpbenchError):
    """A model of the hub isn't at hand, and isn't to be fetched now."""


@contextmanager
def without_fetching() -> Iterator[None]:
    """Within, models of the hub are taken as they are in its cache, and those that aren't there raise `NotFetched`."""
    token = _may_fetch.set(False)
    try:
        yield
    finally:
        _may_fetch.reset(token)


def checkpoint_folder(model: str, revision: str | None = None, weights: bool = True) -> Path:
    """The local folder of a model: a path, or a hub id that is fetched (or found in the cache when offline).

    Without `weights` the rest is fetched only. Raises `CriticError` saying what to do if there is neither or if the
    folder holds an adapter, `ConfigError` without the packages that run models, and `NotFetched` within
    `without_fetching`.
    """
    # Whatever runs a model comes by here first.
    require("models", "torch", "transformers", "safetensors")
    folder = _folder(model, revision, weights)
    adapter = [name for name in ADAPTER_FILES if (folder / name).exists()]
    if adapter:
        raise CriticError(
            f"{folder}: holds an adapter ({', '.join(adapter)}), which isn't applied here; merge it into the weights "
            "of its base (peft: merge_and_unload, then save_pretrained) and give the merged folder, or take the "
            "adapter's files away to use the base alone"
        )
    return folder


def _folder(model: str, revision: str | None, weights: bool) -> Path:
    path = Path(model).expanduser()
    if path.is_dir():
        if revision is not None:
            raise CriticError(f"{path}: a local folder has no revision {revision!r}; leave the revision out")
        return path
    if path.exists() or path.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1:
        raise CriticError(f"{path}: no such folder; give the folder of a checkpoint or a model id of the hub")
    from huggingface_hub import snapshot_download

    try:
        if not _may_fetch.get():
            return cached_folder(model, revision)
        patterns = [SAFETENSORS, *SMALL_FILES] if weights else list(SMALL_FILES)
        return Path(snapshot_download(model, revision=revision, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        at = f" at revision {revision!r}" if revision else ""
        raise CriticError(
            f"{model}: neither a local folder nor a model that the hub gives{at} ({type(error).__name__}); check the "
            "name and the network, fetch it beforehand with `hf download`, and unset HF_HUB_OFFLINE to allow fetching"
        ) from error


def cached_folder(model: str, revision: str | None = None) -> Path:
    """The folder of a model in the hub's cache, with all its weights. Raises `NotFetched` if it isn't there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        patterns = [SAFETENSORS, *SMALL_FILES]
        folder = Path(snapshot_download(model, revision=revision, allow_patterns=patterns, local_files_only=True))
        weight_files(folder)
    except (LocalEntryNotFoundError, CriticError) as error:
        at = f" at revision {revision}" if revision else ""
        raise NotFetched(f"{model}{at} is not at hand, its weights would be fetched from the hub first") from error
    return folder


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises `CriticError` if it is missing or something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CriticError(f"{path}: can't be read as JSON ({reason}); is this the folder of a checkpoint?") from error
    if not isinstance(value, dict):
        raise CriticError(f"{path}: holds a {type(value).__name__}, not an object")
    return value


def weight_files(folder: Path) -> Mapping[Path, set[str] | None]:
    """The weight files of a folder, each with the names the index gives it (None: one file without an index).

    Files in safetensors go before .bin files. Raises `CriticError` if there are none, or if the index names a missing
    file.
    """
    for name in ("model.safetensors", "pytorch_model.bin"):
        single, index = folder / name, folder / f"{name}.index.json"
        if single.is_file():
            return {single: None}
        if index.is_file():
            return _indexed_files(folder, index, single.suffix)
    raise CriticError(
        f"{folder}: no weights (model.safetensors, pytorch_model.bin, or parts and an index of either; of the hub only "
        "safetensors are fetched); other formats aren't read, convert them to safetensors"
    )


def _indexed_files(folder: Path, index: Path, suffix: str) -> Mapping[Path, set[str] | None]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CriticError(f"{index}: no weight_map; fetch the file again")
    files: dict[Path, set[str]] = {}
    for name, file in sorted(weight_map.items()):
        if not isinstance(file, str) or Path(file).name != file or Path(file).suffix != suffix:
            raise CriticError(f"{index}: {name} is in {file!r}, which isn't a file name in *{suffix}")
        files.setdefault(folder / file, set()).add(name)
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise CriticError(f"{folder}: the index names {', '.join(missing)}, not in the folder; fetch the rest of it")
    return files


def checkpoint_fingerprint(folder: Path, code: bool = False) -> str:
    """16 hexadecimal digits that change with a checkpoint: its weights, configuration, tokenizer and template.

    Names, sizes and contents enter; of weight files above 64 MiB 64 evenly spread pieces of 64 KiB, the first of them
    with the header, so that a checkpoint of many gigabytes takes well under a second. With `code` its Python files
    enter too, for a loader that runs them.
    """
    digest = hashlib.sha256()
    # vLLM loads whatever lies there in safetensors.
    weights = {*weight_files(folder), *folder.glob(SAFETENSORS)}
    patterns = (*SMALL_FILES, "*.py") if code else SMALL_FILES
    other = (path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    for path in sorted({*weights, *other}):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            if path not in weights or size <= WHOLE_HASH_BYTES:
                digest.update(hashlib.file_digest(file, "sha256").digest())
                continue
            for sample in range(SAMPLES):
                file.seek(sample * (size - SAMPLE_BYTES) // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:16]


def bars_on_terminals_only() -> None:
    """Switch off transformers' progress bars where standard error isn't a terminal."""
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()

"""Pools written as files, for `--pool` to read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.records import Candidate
from vpbench.store import write_atomic


def export_pool(path: Path, task: str, prompts: Mapping[str, str], candidates: Iterable[Candidate]) -> None:
    """Write candidates as JSONL (.gz: compressed), one question per line with its task and prompt, as `prompts` are.

    Candidates that could not be drawn are left out, and so are questions without any. Raises `ConfigError` if the file
    can't be written.
    """
    lines: dict[str, list[dict[str, Any]]] = {id: [] for id in prompts}
    for candidate in candidates:
        if candidate.error is None:
            names = ("index", "policy", "response", "finish_reason", "tokens")
            lines[candidate.question_id].append({name: getattr(candidate, name) for name in names})
    text = "".join(
        json.dumps({"task": task, "question_id": id, "prompt": prompts[id], "candidates": drawn}) + "\n"
        for id, drawn in lines.items()
        if drawn
    )
    data = text.encode()
    try:
        write_atomic(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    except OSError as error:
        raise ConfigError(f"{path}: can't be written ({error.strerror}); choose another file by --export") from error

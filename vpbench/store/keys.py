"""Names of what is stored: a short hash of the key, everything that determines the rows, behind words for people."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any


def content_hash(*parts: Any) -> str:
    """What a row was made of, in 16 hexadecimal digits: a row about another content is none."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def key_hash(key: Mapping[str, Any]) -> str:
    """The short hash of a key: 10 hexadecimal digits of the SHA-256 of its canonical JSON."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:10]


def folder_name(*parts: str, key: Mapping[str, Any]) -> str:
    """A folder name for people, ended by the key's hash."""
    names = [re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-.")[:60] or "x" for part in parts]
    return "--".join([*names, key_hash(key)])

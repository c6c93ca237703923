"""Names of what is stored: a short hash of the key, everything that determines the rows, behind words for people."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any


def content_hash(*parts: Any) -> str:
    """What a row was made of, in 16 hexadecimal digits: a row about another content is none."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def key_hash(key: Mapping[str, Any]) -> str:
    """The short hash of a key: 10 hexadecimal digits of the SHA-256 of its canonical JSON."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:10]


LAST_LATIN = "\u024f"
LONGEST_PART = 60
"""Bytes of a folder name's part: file systems take 255 for a name, and there are up to five parts and a hash."""


def folder_name(*parts: str, key: Mapping[str, Any]) -> str:
    """A folder name for people, ended by the key's hash."""
    return "--".join([*map(_part, parts), key_hash(key)])


def _part(text: str) -> str:
    """A name's letters, digits and marks but for Latin ones beyond ASCII; what lies between becomes a hyphen."""
    kept = [sign if _is_kept(sign) else " " for sign in unicodedata.normalize("NFC", text)]
    name = re.sub(" +", "-", "".join(kept)).strip("-.")
    return name.encode()[:LONGEST_PART].decode(errors="ignore") or "x"


def _is_kept(sign: str) -> bool:
    if sign.isascii():
        return sign.isalnum() or sign in "._-"
    # Rows are found by the names of their folders: accents were left out of them before other scripts were kept.
    return sign > LAST_LATIN and unicodedata.category(sign)[0] in "LMN"

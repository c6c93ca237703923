"""What a result is called in addresses of the site."""

from __future__ import annotations

import hashlib
import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def slug(folder: str) -> str:
    """A result's folder's name; one that isn't safe in an address is cut, and has a hash of it behind."""
    safe = _UNSAFE.sub("-", folder).strip("-.")
    return safe if safe == folder else f"{safe[:80]}-{hashlib.sha256(folder.encode()).hexdigest()[:8]}"

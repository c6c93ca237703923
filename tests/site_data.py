"""What the scripts of a site's data hand to its pages."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any


def content(path: Path) -> Any:
    """The value in a script, which holds nothing but a call with two plain texts."""
    match = re.fullmatch(r'vpbenchData\("([a-z0-9/-]+)","([A-Za-z0-9+/=]*)"\)\n', path.read_text("ascii"))
    assert match is not None and path.as_posix().endswith(f"data/{match[1]}.js")
    return json.loads(gzip.decompress(base64.b64decode(match[2])))


def part(site: Path, folder: str, starts: list[int], position: int) -> Any:
    """What a folder's chunks say of a question."""
    chunk = max(number for number, start in enumerate(starts) if start <= position)
    return content(site / "data" / folder / f"chunk-{chunk:04d}.js")[position - starts[chunk]]

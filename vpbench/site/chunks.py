"""Data as scripts, which is what a page opened from the file system may load: it can fetch nothing.

A script hands a name and a value to the page's receiver, the value as JSON, compressed, in base64, so that nothing in
it can be read as code or markup. Folders of scripts are named by what they hold: one that is whole is never written
again, and what a reader has open doesn't change under him.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import shutil
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vpbench.store import write_atomic

CHUNK_BYTES = 400_000
"""Of a chunk's texts, uncompressed: some fifty kilobytes to be loaded for one question."""
CHUNK_QUESTIONS = 64
_LEVEL = 3
"""Of compression: the highest makes files a tenth smaller, in twice the time."""
_DIGITS = 5


def script(name: str, value: Any) -> bytes:
    """The script that hands `value` to the page under the name, which is plain ASCII."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packed = gzip.compress(text.encode("utf-8", "replace"), _LEVEL, mtime=0)
    return b'vpbenchData("' + name.encode("ascii") + b'","' + base64.b64encode(packed) + b'")\n'


def number(value: float | None) -> float | str | None:
    """A score as the page has it: five digits, infinities in JavaScript's words, None for what is none."""
    if value is None or value != value:
        return None
    if value in (math.inf, -math.inf):
        return "Infinity" if value > 0 else "-Infinity"
    return float(f"{value:.{_DIGITS}g}")


def bounds(sizes: Sequence[int]) -> list[int]:
    """The first question of every chunk, `sizes` being the bytes of the questions' texts."""
    starts, size, count = [0], 0, 0
    for position, bytes_ in enumerate(sizes):
        if count and (size + bytes_ > CHUNK_BYTES or count == CHUNK_QUESTIONS):
            starts.append(position)
            size = count = 0
        size, count = size + bytes_, count + 1
    return starts


class DataFolder:
    """One folder of scripts under a site's `data`; its index is written last and says that it is whole."""

    def __init__(self, site: Path, key: str) -> None:
        self.key = key
        self._folder = site / "data" / key

    @property
    def whole(self) -> bool:
        """Whether there is nothing left to write."""
        return (self._folder / "index.js").is_file()

    def write(self, chunks: Iterable[Any], index: Any) -> None:
        """Write the chunks, numbered from 0, then the index."""
        self._folder.mkdir(parents=True, exist_ok=True)
        pending: deque[Future[None]] = deque()
        # one is compressed while the next is made; no more are held than that
        with ThreadPoolExecutor(1) as thread:
            for position, chunk in enumerate(chunks):
                pending.append(thread.submit(self._write, f"chunk-{position:04d}", chunk))
                if len(pending) > 2:
                    pending.popleft().result()
            for future in pending:
                future.result()
        write_atomic(self._folder / "index.js", script(f"{self.key}/index", index))

    def _write(self, name: str, chunk: Any) -> None:
        write_atomic(self._folder / f"{name}.js", script(f"{self.key}/{name}", chunk), durable=False)


def forget_others(site: Path, keys: Collection[str], pictures: Collection[str]) -> None:
    """Remove what an earlier page needed: folders of other keys, and pictures whose names begin with none of these."""
    for folder in (site / "data").glob("*-????????????????"):
        if folder.name not in keys:
            shutil.rmtree(folder)
    for path in (site / "images").glob("*.*"):
        if path.name.partition(".")[0] not in pictures:
            path.unlink()

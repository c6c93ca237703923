"""A reply's bytes, as far as anyone may make us take them: unpacked by ourselves, within a limit and a deadline.

A client library unpacks whatever comes, so that a few kilobytes of gzip fill the memory, and its timeouts begin anew
with each byte.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable

LONGEST_REPLY = 64 * 2**20
"""Bytes, unpacked."""

ACCEPTED = "gzip, deflate"
"""The `Accept-Encoding` of requests: what `unpacked` can unpack piece by piece."""

_EITHER_HEADER = 47
"""zlib's window bits for gzip or zlib, whichever the data is."""


class BrokenReply(Exception):
    """Bytes that can't be taken as a reply."""


def unpacked(chunks: Iterable[bytes], encoding: str, deadline: float) -> bytes:
    """The whole body. `encoding` is its `Content-Encoding`, `deadline` a time of `time.monotonic`.

    Raises `BrokenReply` for what is too long, cut short or packed otherwise, and `TimeoutError`.
    """
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise BrokenReply(f"packed as {encoding!r}, which wasn't asked for")
    unpack = None if encoding in ("", "identity") else zlib.decompressobj(_EITHER_HEADER)
    data, empty = bytearray(), True
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise TimeoutError
        empty = empty and not chunk
        try:
            data += chunk if unpack is None else unpack.decompress(chunk, LONGEST_REPLY + 1 - len(data))
        except zlib.error as error:
            raise BrokenReply(f"can't be unpacked ({error})") from None
        if len(data) > LONGEST_REPLY:
            raise BrokenReply(f"longer than {LONGEST_REPLY >> 20} MiB")
    if unpack is not None and not unpack.eof and not empty:
        raise BrokenReply("cut short")
    return bytes(data)

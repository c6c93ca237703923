"""Files that are never half written, and failures to write that name their file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP}


def write_atomic(path: Path, data: bytes, durable: bool = True) -> None:
    """Write a file so that it is either the old or the new one, never half of it, and stays after a power cut.

    Without `durable` a power cut may take it: for thousands of files that can be made again or told to be torn, since
    the disk's word costs more than all the rest. Raises `OSError` naming `path`; the old file is there still.
    """
    # Random, since processes of two machines that share a disk can have the same number.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with writing(path):
            with temporary.open("xb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
            if durable:
                _sync_folder(path.parent)
    except OSError as error:
        if str(error.filename) == str(temporary):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Failures to write `path`, or something below it, as an `OSError` that names a file.

    Those of the operating system often name no file; safetensors and torch have exceptions of their own.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.strerror is not None:
            error.filename = str(path)
        raise
    except Exception as error:
        text = str(error)
        if type(error).__name__ != "SafetensorError" and "inline_container.cc" not in text:
            raise
        raise OSError(errno.EIO, text, str(path)) from error


def sha256(data: bytes) -> str:
    """The checksum that is kept beside or about a file, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _sync_folder(folder: Path) -> None:
    """Let the renaming last, too. Windows opens no folders, and some network disks have nothing to sync."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)

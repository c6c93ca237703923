"""A thousand flipped bits over the files of a store: each is named, or changes no row."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from vpbench.errors import DataError
from vpbench.records import RowKey
from vpbench.store import RowStore, key_hash

FLIPS = 1_000
KEY = {"task": "t", "pool": {"file": "ü"}, "limit": 3, "temperature": 0.7}


class Stopped(Exception):
    pass


def written(folder: Path) -> dict[RowKey, dict[str, Any]]:
    """The rows of a store of two parts and a journal."""
    drawn = random.Random(5)
    for part in range(3):
        try:
            with RowStore(folder, "scores", KEY) as store:
                for index in range(part, part + 6):
                    steps = tuple(drawn.random() for _ in range(drawn.randrange(4)))
                    row = {"value": drawn.random(), "steps": steps, "reason": None, "retry": False, "content": "c1"}
                    store.append((f"q{part}é", index), row)
                store.append(("late", part), {**row, "value": None, "reason": 'no "image"\n', "retry": True})
                if part == 2:
                    raise Stopped
        except Stopped:
            pass
    return store.rows


def opened(folder: Path) -> dict[RowKey, dict[str, Any]]:
    try:
        with RowStore(folder, "scores", KEY) as store:
            raise Stopped
    except Stopped:
        return store.rows


@pytest.mark.parametrize("flips", [FLIPS])
def test_a_flipped_bit_is_named_or_changes_nothing(tmp_path: Path, flips: int) -> None:
    rows = written(tmp_path)
    assert len(rows) == 3 * 7
    files = {path: path.read_bytes() for path in sorted(tmp_path.iterdir()) if path.name != "lock"}
    assert len(files) == 1 + 2 * 2 + 1
    seeded, outcomes = random.Random(11), Counter[str]()
    for number in range(flips):
        path = list(files)[number % len(files)]
        data = bytearray(files[path])
        position = seeded.randrange(len(data))
        data[position] ^= 1 << seeded.randrange(8)
        path.write_bytes(data)
        try:
            after = opened(tmp_path)
        except DataError as error:
            stem = path.name.removesuffix(".sha256")
            assert str(tmp_path / stem) in str(error) and ("delete" in str(error) or "remove" in str(error))
            if path.name == "journal.jsonl":
                line = files[path][:position].count(b"\n") + 1
                assert f"journal.jsonl line {line}: damaged" in str(error)
            outcomes["named"] += 1
        else:
            # The end of the last line: its row is owed again, as if it had been torn.
            torn = path.name == "journal.jsonl" and position == len(data) - 1
            assert after == (dict(list(rows.items())[:-1]) if torn else rows), (path.name, position)
            outcomes["owed again" if torn else "no effect"] += 1
        path.write_bytes(files[path])
    assert outcomes["named"] > 0.97 * flips
    assert opened(tmp_path) == rows


@pytest.mark.parametrize("content", [b"{}", b"", b"\xff", b"[" * 100_000, b"{'task': 't'}"])
def test_a_key_that_is_another_is_named(tmp_path: Path, content: bytes) -> None:
    written(tmp_path)
    (tmp_path / "key.json").write_bytes(content)
    with pytest.raises(DataError, match=r"key\.json: damaged, or of other rows"):
        opened(tmp_path)


def test_a_folder_under_another_folders_name_is_named_and_the_lease_given_back(tmp_path: Path) -> None:
    written(tmp_path / key_hash(KEY))
    other = {**KEY, "limit": 4}
    (tmp_path / key_hash(KEY)).rename(tmp_path / key_hash(other))
    for _ in range(2):
        with pytest.raises(DataError, match=r"key\.json: damaged, or of other rows"):
            RowStore(tmp_path / key_hash(other), "scores", other)


def test_a_part_of_another_stage_is_named(tmp_path: Path) -> None:
    with RowStore(tmp_path, "replies", KEY) as store:
        store.append(("q", 0), {"text": "yes"})
    with pytest.raises(DataError, match=r"part-00000\.parquet: damaged \(its columns are others\); delete"):
        RowStore(tmp_path, "scores", KEY)

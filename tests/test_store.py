"""Durable rows: whatever stops a writer, what was done is found again and nothing else."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vpbench.errors import ConfigError, DataError
from vpbench.store import RowStore, folder_name, key_hash, parquet_bytes, write_atomic

KEY = {"task": "t", "pool": "p"}
ROW = {"value": 0.1, "steps": (0.1, 0.30000000000000004), "reason": None, "retry": False, "content": "c1"}


def scores(folder: Path) -> RowStore:
    return RowStore(folder, "scores", KEY)


def test_rows_survive_a_round_trip_exactly(tmp_path: Path) -> None:
    with scores(tmp_path) as store:
        store.append(("q", 0), ROW)
        store.append(("q", 1), {"value": None, "steps": None, "reason": "no image", "retry": True, "content": "c1"})
    assert not (tmp_path / "journal.jsonl").read_bytes()
    with scores(tmp_path) as store:
        assert store.rows == {
            ("q", 0): {
                "value": 0.1,
                "steps": [0.1, 0.30000000000000004],
                "reason": None,
                "retry": False,
                "content": "c1",
            },
            ("q", 1): {"value": None, "steps": None, "reason": "no image", "retry": True, "content": "c1"},
        }


def test_a_later_row_replaces_an_earlier_one(tmp_path: Path) -> None:
    for value in (1.0, 2.0, 3.0):
        with scores(tmp_path) as store:
            store.append(("q", 0), {**ROW, "value": value})
    with scores(tmp_path) as store:
        assert store.rows[("q", 0)]["value"] == 3.0


def test_a_torn_last_line_is_owed_again_and_the_rest_kept(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), scores(tmp_path) as store:
        store.append(("q", 0), ROW)
        store.append(("q", 1), ROW)
        raise RuntimeError
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])
    with scores(tmp_path) as store:
        assert list(store.rows) == [("q", 0)]
        store.append(("q", 1), ROW)
    with scores(tmp_path) as store:
        assert list(store.rows) == [("q", 0), ("q", 1)]


def test_a_damaged_part_and_a_damaged_line_are_named(tmp_path: Path) -> None:
    with scores(tmp_path / "a") as store:
        store.append(("q", 0), ROW)
    part = tmp_path / "a" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"!")
    with pytest.raises(DataError, match=r"part-00000\.parquet: damaged"):
        scores(tmp_path / "a")
    (tmp_path / "b").mkdir()
    for line in (b'{"question_id": "q"}', b'{"question_id": "\xff', b"[1]"):
        (tmp_path / "b" / "journal.jsonl").write_bytes(line + b"\n")
        with pytest.raises(DataError, match=r"journal\.jsonl line 1"):
            scores(tmp_path / "b")
    part.with_suffix(".sha256").unlink()
    with pytest.raises(DataError, match=r"part-00000\.parquet: damaged .*missing"):
        scores(tmp_path / "a")


def test_a_part_deleted_by_hand_never_makes_another_be_overwritten(tmp_path: Path) -> None:
    for index in range(2):
        with scores(tmp_path) as store:
            store.append(("q", index), ROW)
    (tmp_path / "part-00000.parquet").unlink()
    with scores(tmp_path) as store:
        store.append(("q", 2), ROW)
    with scores(tmp_path) as store:
        assert set(store.rows) == {("q", 1), ("q", 2)}


HOLDER = """
import sys
from pathlib import Path
from vpbench.store import RowStore
with RowStore(Path(sys.argv[1]), "scores", {"task": "t", "pool": "p"}) as store:
    print(list(store.rows), flush=True)
    store.append(("q", 0), {"value": 0.5, "steps": None, "reason": None, "retry": False, "content": "c1"})
    sys.stdin.read()
"""


def test_a_second_writer_says_so_once_waits_and_then_has_the_rows_of_the_first(tmp_path: Path) -> None:
    with _holder(tmp_path) as first:
        assert first.stdout is not None and first.stdout.readline() == "[]\n"
        with _holder(tmp_path) as second:
            assert second.stderr is not None
            assert second.stderr.readline() == f"waiting for another run that writes {tmp_path}\n"
            first.communicate()
            assert second.communicate() == ("[('q', 0)]\n", "")


def _holder(folder: Path) -> subprocess.Popen[str]:
    """A process that holds a store until its input ends, having printed the rows that it met there."""
    pipe, arguments = subprocess.PIPE, [sys.executable, "-c", HOLDER, str(folder)]
    return subprocess.Popen(arguments, text=True, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize(
    ("key", "row"),
    [
        (("q\ud800", 0), ROW),
        (("q", 2**63), ROW),
        (("q", True), ROW),
        (("q", 0), {**ROW, "value": "high"}),
        (("q", 0), {**ROW, "value": True}),
        (("q", 0), {**ROW, "steps": (0.1, "x")}),
        (("q", 0), {**ROW, "retry": 1}),
        (("q", 0), {**ROW, "reason": 5}),
    ],
)
def test_a_row_that_could_never_be_sealed_is_refused_before_it_is_kept(tmp_path: Path, key: Any, row: Any) -> None:
    with pytest.raises(DataError, match="candidate .*: can't be kept in "), scores(tmp_path) as store:
        store.append(("a", 0), ROW)
        store.append(key, row)
    with scores(tmp_path) as store:
        assert list(store.rows) == [("a", 0)]


def test_a_journal_without_checksums_is_read(tmp_path: Path) -> None:
    with scores(tmp_path):
        pass
    line = {"question_id": "q", "index": 3, **ROW}
    (tmp_path / "journal.jsonl").write_text(json.dumps(line) + "\n")
    with scores(tmp_path) as store:
        assert store.rows == {("q", 3): {**ROW, "steps": [0.1, 0.30000000000000004]}}


def test_an_infinite_or_undefined_score_is_kept_as_it_is(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError), scores(tmp_path) as store:
            store.append(("q", 0), {**ROW, "value": math.inf, "steps": (math.nan, None)})
            raise RuntimeError
    with scores(tmp_path) as store:
        assert store.rows["q", 0]["value"] == math.inf
        assert str(store.rows["q", 0]["steps"]) == "[nan, None]"


def test_text_that_is_not_unicode_is_stored(tmp_path: Path) -> None:
    with RowStore(tmp_path, "verdicts", KEY) as store:
        store.append(
            ("q", 0),
            {"extracted": "a\ud800b\x00", "answer_class": None, "correct": False, "reason": "r", "content": "c1"},
        )
    with RowStore(tmp_path, "verdicts", KEY) as store:
        assert store.rows[("q", 0)]["extracted"] == "a?b\x00"


WRITER = """
import sys, os, signal
from pathlib import Path
from typing import Any
from vpbench.store import RowStore
import vpbench.store.rows as s
s.SEAL_ROWS = 40
with RowStore(Path(sys.argv[1]), "scores", {"k": 1}) as store:
    for i in range(200):
        if ("q", i) in store.rows:
            continue
        store.append(("q", i), {"value": i / 7, "steps": None, "reason": None, "retry": False, "content": "c1"})
        store.flush()
        if i == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_at_any_moment_then_continued_gives_the_same_rows(tmp_path: Path) -> None:
    whole = _write(tmp_path / "whole", [-1])
    for kills in ([0, 39, 40, 41, -1], [17, 18, 120, 199, -1]):
        folder = tmp_path / "-".join(map(str, kills))
        assert _write(folder, kills) == whole


def _write(folder: Path, kills: list[int]) -> bytes:
    for at in kills:
        code = subprocess.run([sys.executable, "-c", WRITER, str(folder), str(at)], check=False).returncode
        assert code == (0 if at < 0 else -signal.SIGKILL)
    with RowStore(folder, "scores", {"k": 1}) as store:
        columns = {"value": "double", "steps": "list", "reason": "string", "retry": "bool", "content": "string"}
        return parquet_bytes(dict(sorted(store.rows.items())), columns)


def test_folder_names_are_safe_and_keys_differ(tmp_path: Path) -> None:
    assert folder_name("math/vista", "../..", "ü b", key=KEY) == f"math-vista--x--b--{key_hash(KEY)}"
    names = ("模型 一号", "モデル/ガ", "한국어", "नमूना मॉडल", "модель-v1", "模" * 100, "\ud800✨")
    parts = folder_name(*names, key=KEY).split("--")
    assert parts == ["模型-一号", "モデル-ガ", "한국어", "नमूना-मॉडल", "модель-v1", "模" * 20, "x", key_hash(KEY)]
    (tmp_path / "--".join(parts[:5])).mkdir()
    assert key_hash({"a": 1, "b": 2}) == key_hash({"b": 2, "a": 1}) != key_hash({"a": 1, "b": 3})


def test_an_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    write_atomic(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]


def test_an_unwritable_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--output"):
        scores(tmp_path / "file" / "x")


def test_the_key_stands_readable_beside_its_rows(tmp_path: Path) -> None:
    with scores(tmp_path):
        pass
    assert json.loads((tmp_path / "key.json").read_text()) == KEY

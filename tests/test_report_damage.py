"""A bit that flips in a result, or a value that was put there: named, or without effect; never another comparison."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from small_runs import write_edited

import vpbench
from vpbench.cli import main
from vpbench.report.stored import read_result
from vpbench.report.summary import summary

FLIPS = 1_000


def compared(folder: Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["check", str(folder), str(folder)])
    assert isinstance(done.exception, SystemExit | None), done.exception
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    output = tmp_path_factory.mktemp("runs")
    options: Any = {"nano": True, "output": output, "resamples": 200}
    return [
        vpbench.run("mathvista", "self-consistency", limit=6, n=[1, 8], **options)[0].folder,
        vpbench.run("visualprocessbench", "visualprm", limit=30, **options)[0].folder,
    ]


def test_no_flipped_bit_changes_a_comparison_unnoticed(folders: list[Path], tmp_path: Path) -> None:
    """Files of both results, as often as they are long but at least a tenth of the flips; rows are read by frames."""
    drawn = random.Random(5)
    files = [path for folder in folders for path in sorted((*folder.glob("result.json"), *folder.glob("*.parquet")))]
    assert len(files) == 5
    whole = {folder: compared(folder) for folder in folders}
    rows = {folder: vpbench.load_results(folder).candidates for folder in folders}
    assert {code for code, _ in whole.values()} == {0}
    harmless = 0
    for _ in range(FLIPS):
        file = drawn.choices(files, [max(file.stat().st_size, 4_000) for file in files])[0]
        copy = tmp_path / file.parent.name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(file.parent, copy)
        data = bytearray(file.read_bytes())
        position, bit = drawn.randrange(len(data)), drawn.randrange(8)
        data[position] ^= 1 << bit
        (copy / file.name).write_bytes(data)
        code, text = compared(copy)
        if code == 0:
            assert text == whole[file.parent][1], (file, position, bit)
            # a Best-of-N comparison doesn't read the rows
            if file.name == "rows.parquet":
                with pytest.raises(vpbench.ConfigError, match="SHA-256"):
                    _ = vpbench.load_results(copy).candidates
            else:
                assert (
                    vpbench.load_results(copy)
                    .candidates.drop(columns="folder")
                    .equals(rows[file.parent].drop(columns="folder"))
                )
                harmless += 1
        else:
            assert (code, str(copy) in text) == (2, True), (file, position, bit, text)
    assert harmless < FLIPS / 100


ODD: list[Any] = [None, -5, 1e308, 10**400, "x", [], {}, True, [[]], "\ud800", float("nan")]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in `value`, containers too, and the first of a list's items only."""
    yield path
    items = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    for key, part in items:
        yield from leaves(part, (*path, key))


@pytest.mark.parametrize("number", [0, 1])
def test_a_value_put_anywhere_is_named_or_can_be_shown(folders: list[Path], tmp_path: Path, number: int) -> None:
    content = json.loads((folders[number] / "result.json").read_text())
    for path in list(leaves(content))[1:]:
        for odd in ODD:
            edited = json.loads(json.dumps(content))
            *inside, key = path
            part = edited
            for name in inside:
                part = part[name]
            part[key] = odd
            write_edited(tmp_path, edited)
            try:
                stored = read_result(tmp_path)
            except vpbench.ConfigError as error:
                assert str(tmp_path) in str(error)
            else:
                assert summary(stored.result)
                assert not vpbench.load_results(tmp_path).cells.empty

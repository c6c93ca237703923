"""Questions from folders and from the hub's own format: every layout, images lazily, and clear errors."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vpbench import (
    Candidate,
    DataError,
    GradingMode,
    ImageRef,
    LabelledSolution,
    Question,
    Source,
    StepTask,
    Task,
    Verdict,
)
from vpbench.data import load_questions, load_solutions
from vpbench.data.folder import read_folder
from vpbench.data.hub import read_hub
from vpbench.data.load import pool_questions

SOURCE = Source("org/set", "test", 2, "MIT", ("pid", "question"), image_columns=("decoded_image",))


class Toy(Task):
    name = "toy"
    title = "Toy"
    source = SOURCE

    def question(self, row: Mapping[str, Any], images: tuple[Any, ...]) -> Question:
        return Question("toy", str(row["pid"]), row["question"], images)

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        return Verdict(response, response, response == question.answer, "match")


def png(level: int) -> bytes:
    buffer = BytesIO()
    Image.new("L", (3, 2), level).save(buffer, "PNG")
    return buffer.getvalue()


ROWS = [{"pid": "a", "question": "A?"}, {"pid": "b", "question": "B?"}]


def levels(folder: Path) -> list[int]:
    return [question.images[0].open().getpixel((0, 0)) for question in load_questions(Toy(), folder).questions.values()]


def inline(tmp_path: Path) -> None:
    rows = [
        {**row, "decoded_image": {"bytes": png(level), "path": None}} for row, level in zip(ROWS, (7, 9), strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "test-00000-of-00001-abc.parquet", row_group_size=1)


def paths(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    lines = []
    for row, level in zip(ROWS, (7, 9), strict=True):
        (tmp_path / "images" / f"{row['pid']}.png").write_bytes(png(level))
        lines.append(json.dumps({**row, "image": f"images/{row['pid']}.png"}))
    (tmp_path / "test.jsonl").write_text("\n".join(lines))


def paths_in_parquet(tmp_path: Path) -> None:
    paths(tmp_path)
    rows = [{**row, "image": f"images/{row['pid']}.png", "decoded_image": None} for row in ROWS]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    names = {"pid": pa.string(), "question": pa.string(), "image": pa.string(), "decoded_image": kind}
    table = pa.Table.from_pylist(rows, pa.schema(list(names.items())))
    (tmp_path / "test.jsonl").unlink()
    pq.write_table(table, tmp_path / "test.parquet")


def data_urls(tmp_path: Path) -> None:
    urls = ["data:image/png;base64," + base64.b64encode(png(level)).decode() for level in (7, 9)]
    rows = [{**row, "decoded_image": url} for row, url in zip(ROWS, urls, strict=True)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.json").write_text(json.dumps(rows))


@pytest.mark.parametrize("layout", [inline, paths, paths_in_parquet, data_urls])
def test_every_layout_gives_the_same_questions_and_images(tmp_path: Path, layout: Any) -> None:
    layout(tmp_path)
    loaded = load_questions(Toy(), tmp_path)
    assert [(id, question.text) for id, question in loaded.questions.items()] == [("a", "A?"), ("b", "B?")]
    assert levels(tmp_path) == [7, 9]


def test_several_image_columns_skip_the_empty_ones(tmp_path: Path) -> None:
    class Two(Toy):
        source = Source("org/set", "test", 1, "MIT", ("pid",), image_columns=("image_1", "image_2"))

    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    schema = pa.schema([("pid", pa.string()), ("question", pa.string()), ("image_1", kind), ("image_2", kind)])
    row = {**ROWS[0], "image_1": None, "image_2": {"bytes": png(5), "path": None}}
    pq.write_table(pa.Table.from_pylist([row], schema), tmp_path / "test.parquet")
    images = load_questions(Two(), tmp_path).questions["a"].images
    assert [image.open().getpixel((0, 0)) for image in images] == [5]


def test_the_fingerprint_follows_the_content(tmp_path: Path) -> None:
    paths(tmp_path)
    before = load_questions(Toy(), tmp_path).fingerprint
    assert load_questions(Toy(), tmp_path / "test.jsonl").fingerprint == before
    file = tmp_path / "test.jsonl"
    file.write_text(file.read_text().replace("A?", "C?"))
    assert load_questions(Toy(), tmp_path).fingerprint != before


def test_missing_and_broken_images_are_errors_of_their_row_only(tmp_path: Path) -> None:
    paths(tmp_path)
    (tmp_path / "images" / "a.png").unlink()
    (tmp_path / "images" / "b.png").write_bytes(b"not a picture")
    first, second = load_questions(Toy(), tmp_path).questions.values()
    with pytest.raises(DataError, match=r"test\.jsonl line 1, column decoded_image: can't read .*a\.png"):
        first.images[0].open()
    with pytest.raises(DataError, match="line 2.*not a readable image"):
        second.images[0].open()


def test_an_image_path_stays_inside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "secret.png").write_bytes(png(1))
    (tmp_path / "set" / "test.jsonl").write_text(json.dumps({**ROWS[0], "image": "../secret.png"}))
    with pytest.raises(DataError, match="leaves the data folder"):
        load_questions(Toy(), tmp_path / "set")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no file of split 'test'.*data files there: none"),
        ({"train.jsonl": "", "dev.jsonl": ""}, r"data files there: dev\.jsonl, train\.jsonl"),
        ({"test.jsonl": '{"pid": 1}'}, r"test\.jsonl line 1: column question missing; it has pid"),
        ({"test.jsonl": "{"}, r"test\.jsonl line 1: not valid JSON"),
        ({"test.json": "["}, r"test\.json: not valid JSON"),
        ({"test.jsonl": "[]"}, "expected a JSON object"),
        ({"test.parquet": "PAR1"}, r"test\.parquet: not a readable Parquet file"),
        (
            {"test.jsonl": json.dumps(ROWS[0]) + "\n" + json.dumps(ROWS[0])},
            r"line 2: question id 'a' is already at .*line 1",
        ),
        ({"test.jsonl": "", "test.json": "[]"}, "in more than one format"),
    ],
)
def test_wrong_folders_are_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        load_questions(Toy(), tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        load_questions(Toy(), tmp_path / "none")


def hub_set(folder: Path) -> Source:
    """A data set with inline images, as the hub holds it."""
    import datasets

    (folder / "data").mkdir(parents=True)
    features = datasets.Features(
        {"pid": datasets.Value("string"), "question": datasets.Value("string"), "decoded_image": datasets.Image()}
    )
    rows = [
        {**row, "decoded_image": {"bytes": png(level), "path": None}} for row, level in zip(ROWS, (7, 9), strict=True)
    ]
    datasets.Dataset.from_list(rows, features).to_parquet(folder / "data" / "test-00000-of-00001.parquet")
    return Source(str(folder), "test", 2, "MIT", ("pid", "question"), image_columns=("decoded_image",))


def hub_set_with_archive(folder: Path) -> Source:
    """A data set with images in an archive, which lacks the second one."""
    folder.mkdir()
    rows = [{**row, "image": [f"images/{row['pid']}.png"]} for row in ROWS]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        archive.writestr("images/a.png", png(7))
    return Source(str(folder), "test", 2, "MIT", ("pid", "question"), image_columns=("image",))


def test_the_hub_reader_reads_the_hub_s_own_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    table = read_hub(hub_set(folder))
    assert [(row.values["pid"], row.images[0].open().getpixel((0, 0))) for row in table.rows] == [("a", 7), ("b", 9)]
    with pytest.raises(DataError, match="column nothing missing"):
        read_hub(Source(str(folder), "test", 2, "MIT", ("nothing",)))


def test_without_a_network_the_hub_gives_a_clear_error() -> None:
    with pytest.raises(DataError, match=r"can't load org/set.*--data DIR"):
        load_questions(Toy(), None)


def test_the_hub_reader_takes_images_from_an_archive_beside_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    first, second = read_hub(hub_set_with_archive(tmp_path / "set")).rows
    assert first.images[0].open().getpixel((0, 0)) == 7
    with pytest.raises(DataError, match=r"missing image: .*row 2.*images/b\.png can't be read from .*images\.zip"):
        second.images[0].open()


def test_images_of_every_data_source_can_be_opened_in_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    tables = [read_hub(hub_set(tmp_path / "hub")), read_hub(hub_set_with_archive(tmp_path / "archive"))]
    for layout in (inline, paths, paths_in_parquet, data_urls):
        folder = tmp_path / layout.__name__
        folder.mkdir()
        layout(folder)
        tables.append(read_folder(SOURCE, folder))
    first = [table.rows[0].images[0] for table in tables]
    cell = {"bytes": png(7), "path": None}
    fields = {"question_id": "a", "question": "?", "answer": "4", "images": [cell]}
    first += pool_questions(Toy(), {"a": (fields, "pool.jsonl line 1")}, tmp_path).questions["a"].images
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        assert list(other.map(ImageRef.read, first)) == [png(7)] * 7


def test_several_splits_are_read_in_their_order_and_named_in_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    folder.mkdir()
    for number, row in zip((2, 10), ROWS, strict=True):
        pq.write_table(pa.Table.from_pylist([row]), folder / f"part{number}-00000-of-00001.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        + "".join(f"  - split: part{number}\n    path: part{number}-*.parquet\n" for number in (2, 10))
        + "---\n"
    )
    source = Source(str(folder), "part2+part10", 2, "MIT", ("pid", "question"))
    local, hub = read_folder(source, folder), read_hub(source)
    for table in (local, hub):
        assert [(row.values["pid"], row.values["__split__"]) for row in table.rows] == [("a", "part2"), ("b", "part10")]
    pq.write_table(pa.Table.from_pylist([{**ROWS[1], "question": "C?"}]), folder / "part10-00000-of-00001.parquet")
    assert read_folder(source, folder).fingerprint != local.fingerprint
    (folder / "part2-00000-of-00001.parquet").unlink()
    with pytest.raises(DataError, match="no file of split 'part2'"):
        read_folder(source, folder)
    with pytest.raises(DataError, match="a file for each of its splits; give their folder"):
        read_folder(source, folder / "part10-00000-of-00001.parquet")


class SameId(StepTask):
    """Gives every row the same id."""

    name, title = "same-id", "Same id"
    source = Source("none", "test", 2, "MIT", ("pid", "question"))

    def solution(self, row: Any, images: Any, index: int) -> LabelledSolution:
        return LabelledSolution(Question("same-id", "x", "?"), Candidate("x", 0, "a"), (1,), "s")


def test_two_solutions_under_one_id_are_refused_with_both_places(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS[:2]), tmp_path / "test-00000-of-00001.parquet")
    with pytest.raises(DataError, match="row 2: question id 'x' is already that of .*row 1"):
        load_solutions(SameId(), tmp_path)

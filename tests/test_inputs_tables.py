"""Tables of candidates and scores: CSV, TSV, Excel and Parquet, every cell as it was written."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vpbench.errors import DataError
from vpbench.pools.pool import read_pool
from vpbench.pools.scores import read_scores
from vpbench.records import Score, Verdict

WORDS = ["None", "NA", "nan", "NULL", "N/A", "n/a", "", " x ", "TRUE", "1.50", "007", "=1+1", "1e5"]
MARKED = ['"', '"yes', 'yes"', '"yes"', '"a" or "b"', '""', "a\tb", "a\nb", "a\r\nb", 'a\n"b\tc"\n', "a,b", '",']


def responses(path: Path) -> dict[str, list[str]]:
    return {id: [row.candidate.response for row in rows] for id, rows in read_pool(path).rows.items()}


def excel(path: Path, rows: list[list[Any]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def separated(path: Path, rows: list[list[Any]], **dialect: Any) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",", **dialect).writerows(rows)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_every_cell_that_is_quoted_comes_back_as_it_was(tmp_path: Path, name: str, quoting: Any) -> None:
    cells = WORDS + MARKED
    rows = [["index", "prediction"], *([number, cell] for number, cell in enumerate(cells))]
    read = responses(separated(tmp_path / name, rows, quoting=quoting, lineterminator="\r\n"))
    assert read == {str(number): [cell] for number, cell in enumerate(cells)}


def test_excel_cells_are_words_unless_they_are_empty(tmp_path: Path) -> None:
    """reports xlsx-none."""
    words = [word for word in WORDS if not word.startswith("=")]
    rows = [["index", "prediction"], *([number, word or None] for number, word in enumerate(words)), [None, None]]
    read = responses(excel(tmp_path / "t.xlsx", rows))
    assert read == {str(number): [word] for number, word in enumerate(words)}


RAW = {
    "a mark that is never closed": ('1\t"yes\n2\tno\n3\t"\n', {"1": '"yes', "2": "no", "3": '"'}),
    "closed in a later row": ('1\t"yes\n2\tno"\n3\tx\n', {"1": '"yes', "2": 'no"', "3": "x"}),
    "marks within": ('1\t"a" or "b"\n2\t"a" is it\n', {"1": '"a" or "b"', "2": '"a" is it'}),
    "line breaks of Windows": ('1\t"yes\r\n2\tno\r\n', {"1": '"yes', "2": "no"}),
    "no last line break": ('1\ta\n2\t"b', {"1": "a", "2": '"b'}),
    "a quoted cell of several lines": ('1\t"a\nb\nc"\n2\tx\n', {"1": "a\nb\nc", "2": "x"}),
}


@pytest.mark.parametrize(("text", "expected"), RAW.values(), ids=RAW)
def test_a_quotation_mark_swallows_no_rows_of_a_table_with_tabs(
    tmp_path: Path, text: str, expected: dict[str, str]
) -> None:
    path = tmp_path / "t.tsv"
    path.write_bytes(b"index\tprediction\n" + text.encode())
    assert responses(path) == {id: [response] for id, response in expected.items()}


REFUSED = {
    "open mark in a CSV": (
        'index,prediction\n1,a\n2,"yes\n3,no\n',
        "t.csv line 3: a cell begins with a quotation mark",
    ),
    "mark within a CSV": ('index,prediction\n1,"a" or "b"\n', "t.csv line 2: a cell begins with a quotation mark"),
    "a comma too many": ("index,prediction\n1,a\n2,a, b\n", "t.csv line 3: 3 cells, but the table has 2 columns"),
    "a cell too few": ("index,prediction\n1\n", "t.csv line 2: 1 cells, but the table has 2 columns"),
    "no prediction": ("index,answer\n1,a\n", "t.csv line 2: column prediction missing"),
    "column twice": ("index,prediction,prediction\n1,a,b\n", "two columns are called 'prediction'"),
    "index no number": ("question_id,index,response\n1,first,a\n", "t.csv line 2: `index` is 'first'"),
    "neither id nor question": ("prediction\na\n", "t.csv line 2: neither `index` nor `question`"),
    "Latin-1": ("index,prediction\n1,a\n2,Fläche\n".encode("latin-1"), "t.csv line 3: not UTF-8"),
    "only a header": ("index,prediction\n", "t.csv: no candidates"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_malformed_tables(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError) as error:
        read_pool(path)
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["t.parquet", "t.xlsx"])
def test_a_broken_file_is_named(tmp_path: Path, name: str) -> None:
    """reliability 20: BadZipFile; use section 4: Parquet was "not valid JSON"."""
    if name == "t.xlsx":
        pytest.importorskip("openpyxl")
    for content in (b"PK\x03\x04 broken", b"PAR1 broken PAR1", b""):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name}: not a readable"):
            read_pool(tmp_path / name)


def test_candidates_and_their_fields_from_a_csv(tmp_path: Path) -> None:
    rows = [
        ["question_id", "index", "response", "policy", "correct", "tokens", "steps"],
        ["7", "1", "b", "p", "False", "", ""],
        ["7", "0", "a", "", "true", "12", '["a", "b"]'],
    ]
    first, second = read_pool(separated(tmp_path / "t.csv", rows)).rows["7"]
    assert (first.candidate.response, first.candidate.tokens, first.candidate.steps) == ("a", 12, ("a", "b"))
    assert first.verdict == Verdict(None, None, True, "no answer given")
    assert (second.candidate.policy, second.candidate.tokens, second.candidate.steps) == ("p", None, None)
    assert second.verdict is not None
    assert not second.verdict.correct


def test_parquet_pools_flat_and_grouped(tmp_path: Path) -> None:
    flat = [{"question_id": 7, "index": index, "response": text} for index, text in enumerate("ab")]
    grouped = [{"question_id": "7", "candidates": [{"response": "a", "index": None}, {"response": "b", "index": None}]}]
    for number, rows in enumerate((flat, grouped)):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path)
        assert responses(path) == {"7": ["a", "b"]}


def test_a_parquet_file_under_another_name(tmp_path: Path) -> None:
    """use section 4: it was "not valid JSON; fix or remove the line"."""
    path = tmp_path / "rows.jsonl"
    pq.write_table(pa.Table.from_pylist([{"question_id": "7", "response": "a"}]), path)
    assert responses(path) == {"7": ["a"]}


EXPECTED = {("1", 0): Score(0.5), ("1", 1): Score(None, (0.25, 1.0)), ("2", 0): Score(None, None, "no score given")}


def test_scores_from_every_table(tmp_path: Path) -> None:
    columns = ["question_id", "index", "score", "step_scores"]
    rows = [["1", 0, 0.5, None], ["1", 1, None, [0.25, 1]], ["2", 0, None, None]]
    cells = [
        ["" if cell is None else json.dumps(cell) if isinstance(cell, list) else cell for cell in row] for row in rows
    ]
    table = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows])
    pq.write_table(table, tmp_path / "s.parquet")
    paths = [tmp_path / "s.parquet", *(separated(tmp_path / name, [columns, *cells]) for name in ("s.csv", "s.tsv"))]
    for path in paths:
        assert read_scores(path).scores == EXPECTED
    assert read_scores(paths[1]).lines["2", 0] == f"{paths[1]} line 4"


def test_scores_from_excel(tmp_path: Path) -> None:
    rows = [
        ["question_id", "index", "score", "step_scores"],
        [1, 0, 0.5, None],
        [1, 1, None, "[0.25, 1]"],
        [2, 0, None, None],
    ]
    assert read_scores(excel(tmp_path / "s.xlsx", rows)).scores == EXPECTED


def test_scores_of_search_and_learn_files(tmp_path: Path) -> None:
    """use section 3: the scores in such a file were neither used nor accepted."""
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps({"unique_id": "1", "completions": ["a", "b"], "scores": [[0.5], [0.25, 1]]}))
    assert read_scores(path).scores == {("1", 0): Score(None, (0.5,)), ("1", 1): Score(None, (0.25, 1.0))}


def test_a_long_table_is_read_in_time_that_follows_its_length() -> None:
    """Quoted cells that never close must not be searched to the end of the file again and again."""
    from vpbench.pools.tables import table_rows

    text = io.StringIO()
    text.write("index\tprediction\n")
    for number in range(20_000):
        text.write(f'{number}\t"an open mark, {number}\n')
    rows = list(table_rows(Path("t.tsv"), text.getvalue().encode()) or ())
    assert len(rows) == 20_000
    assert rows[-1][1] == {"index": 19_999, "prediction": '"an open mark, 19999'}

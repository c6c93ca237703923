"""Every malformed pool, score file and data file is refused: exit 2, file and place named, nothing done before.

Each table says where its kind was met: a row of `shared/reviews/use.md` section 4 ("use"), of the odd pools or findings
of `shared/reviews/reliability.md` ("reliability"), or a folder of `shared/reports` ("reports").
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from small_runs import results, vpbench

TASK = """
from vpbench import Question, Source, Task, Verdict

class Mini(Task):
    name = "mini"
    title = "Mini"
    source = Source(hub_id="me/mini", split="test", rows=2, licence="MIT", columns=("id", "question", "answer"))

    def question(self, row, images):
        more = {name: row[name] for name in ("group", "categories") if name in row}
        return Question(self.name, row["id"], row["question"], images, answer=row["answer"], **more)

    def grade(self, question, response, mode):
        return Verdict(response, response, response == question.answer, "match")
"""
QUESTION = {"question_id": "1", "question": "How many?", "answer": "4"}
DEEP = '{"question_id": "1", "response": "a", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
DIGITS = '{"question_id": "1", "response": "a", "x": ' + "9" * 5_000 + "}"
SURROGATE = "\ud800"


def content(*rows: Any) -> str:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n"


def line(**fields: Any) -> dict[str, Any]:
    return {**QUESTION, "response": "4", **fields}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mini.py").write_text(TASK)
    (tmp_path / "data").mkdir()
    rows = [{"id": "1", "question": "How many?", "answer": "4"}, {"id": "2", "question": "Which?", "answer": "b"}]
    (tmp_path / "data" / "test.jsonl").write_text(content(*rows))
    pool = [{"question_id": id, "candidates": [{"response": "4"}, {"response": "b"}]} for id in ("1", "2")]
    (tmp_path / "good.jsonl").write_text(content(*pool))
    return tmp_path


def run(
    folder: Path, *arguments: Any, pool: str = "good.jsonl", data: str | None = "data", scored: bool = False
) -> Result:
    source = [] if data is None else ["--data", folder / data]
    critic = [] if scored else ["--critic", "self-consistency"]
    shared = ["--task", folder / "mini.py", "--pool", folder / pool, "--output", folder / "runs", "--resamples", 100]
    return vpbench("run", *shared, *source, *critic, *arguments)


def refused(done: Result, folder: Path, *parts: str) -> None:
    assert done.exit_code == 2, done.output
    for part in parts:
        assert part in done.output
    assert not (folder / "runs").exists()


POOLS = {
    "reports completions null": (content({"id": "1", "completions": None}), "line 1: `completions` is null"),
    "completions a text": (content({"id": "1", "completions": "a"}), "line 1: `completions` is a str"),
    "completions numbers": (content({"id": "1", "completions": [1]}), "line 1, candidate 0: `response` is a int"),
    "scores of completions": (
        content({"id": "1", "completions": ["a"], "scores": 5}),
        "line 1: 1 completions but a int",
    ),
    "lm-eval resps null": (content({"doc_id": 0, "doc": {"id": "1"}, "resps": None}), "line 1: `resps` is null"),
    "lm-eval doc without id": (
        content({"doc_id": 0, "doc": {}, "resps": [["a"]]}),
        "line 1: can't tell which question",
    ),
    "lm-eval doc a text": (content({"doc_id": 0, "doc": "x", "resps": [["a"]]}), "line 1: can't tell which question"),
    "reports digits-5000": (content(line(), DIGITS), "line 2: JSON with a number that can't be read"),
    "reliability 20, nested": (content(line(), DEEP), "line 2: JSON that is nested too deeply"),
    "reliability 12, index": (content(line(index=2**63)), "line 1: `index` is 9223372036854775808"),
    "index infinite": ('{"question_id": "1", "response": "a", "index": Infinity}', "line 1: `index` is inf"),
    "index null": (content(line(index=None)), "line 1: `index` is None"),
    "index true": (content(line(index=True)), "line 1: `index` is True"),
    "index a text": (content(line(index="0")), "line 1: `index` is '0'"),
    "reliability 12, id": (content(line(question_id=SURROGATE)), "line 1: the question's id '\\ud800' holds half a"),
    "id a list": (content(line(question_id=["1"])), "line 1: the question's id is a list"),
    "id true": (content(line(question_id=True)), "line 1: the question's id is a bool"),
    "reliability 13, policy": (content(line(policy="a" + SURROGATE)), "line 1: the policy's name"),
    "system": (content(line(system=SURROGATE)), "line 1: the policy's name"),
    "finish_reason": (content(line(finish_reason=SURROGATE)), "line 1: `finish_reason`"),
    "tokens": (content(line(tokens="many")), "line 1: `tokens` is 'many'"),
    "tokens huge": (content(line(tokens=10**30)), "line 1: `tokens` is 10000"),
    "reliability 13, no candidates": (
        content({"question_id": "1", "candidates": []}),
        "question '1' has no candidates",
    ),
    "use candidates texts": (content({"question_id": "1", "candidates": ["4"]}), "line 1: `candidates` must be a list"),
    "candidates null": (content({"question_id": "1", "candidates": None}), "line 1: `candidates` must be a list"),
    "use 0.4 question twice": (
        content(*[{"question_id": "1", "candidates": [{"response": "4"}]}] * 2),
        "line 2: question '1' stands at ",
    ),
    "grouped after flat": (
        content(line(), {"question_id": "1", "candidates": [{"response": "4"}]}),
        "line 2: question '1' stands at ",
    ),
    "use broken line": (content(line(), '{"question_id": '), "line 2: not valid JSON"),
    "use Latin-1": (content(line()).encode() + '{"response": "Fläche"}'.encode("latin-1"), "line 2: not UTF-8"),
    "use NUL": ("\0", "line 1: not valid JSON"),
    "list that is broken": ("[{},\n", "pool.jsonl: not valid JSON"),
    "list of texts": ('["4"]', "item 1: a str, expected a JSON object"),
    "a number": ("5", "line 1: a int, expected a JSON object"),
    "empty": ("", "no candidates"),
}


@pytest.mark.parametrize(("text", "message"), POOLS.values(), ids=POOLS)
def test_a_malformed_pool(folder: Path, text: str | bytes, message: str) -> None:
    (folder / "pool.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(run(folder, pool="pool.jsonl"), folder, "pool.jsonl", message)


OWN_FIELDS = {
    "reliability 20, precision a text": ({"precision": "x"}, "`precision` is 'x'"),
    "reliability 20, precision infinite": ({"precision": float("inf")}, "`precision` is inf"),
    "precision NaN": ({"precision": float("nan")}, "`precision` is nan"),
    "precision a list": ({"precision": [1]}, "`precision` is [1]"),
    "precision a fraction": ({"precision": 1.5}, "`precision` is 1.5"),
    "precision huge": ({"precision": 10**9}, "`precision` is 1000000000"),
    "precision negative": ({"precision": -1}, "`precision` is -1"),
    "reliability 20, choices": ({"choices": ["x"] * 60_000}, "60000 choices"),
    "reliability 13, categories a list": ({"categories": ["algebra"]}, "`categories` is ['algebra']"),
    "categories a text": ({"categories": "algebra"}, "`categories` is 'algebra'"),
    "category an object": ({"categories": {"subject": {"a": 1}}}, "category 'subject' is {'a': 1}"),
    "category of lists": ({"categories": {"subject": [["a"]]}}, "category 'subject' is [['a']]"),
    "category NaN": ({"categories": {"level": float("nan")}}, "category 'level' is nan"),
    "category a surrogate": ({"categories": {"subject": SURROGATE}}, "category 'subject' is"),
    "reliability 20, NUL in a path": ({"images": "a\0.png"}, "bad image path"),
    "surrogate in a path": ({"images": SURROGATE}, "bad image path"),
    "reliability 13, group": ({"group": "g" + SURROGATE}, "the question's group is"),
}


@pytest.mark.parametrize(("fields", "message"), OWN_FIELDS.values(), ids=OWN_FIELDS)
def test_a_pool_with_malformed_question_fields(folder: Path, fields: dict[str, Any], message: str) -> None:
    (folder / "pool.jsonl").write_text(content(line(question_id="0"), line(**fields)))
    refused(run(folder, pool="pool.jsonl", data=None), folder, "pool.jsonl line 2", message)


@pytest.mark.parametrize("group", [5, ["a", "b"], 1.5])
def test_groups_become_text_when_they_are_read(folder: Path, group: Any) -> None:
    """reliability 13: a group that is a number failed when the result was written."""
    (folder / "pool.jsonl").write_text(content(line(group=group), line(question_id="2", group="b")))
    done = run(folder, pool="pool.jsonl", data=None)
    assert done.exit_code == 0, done.output
    assert len(results(folder / "runs")) == 1


@pytest.mark.parametrize("field", ["response", "extraction", "prediction", "steps"])
def test_half_surrogate_pairs_in_what_a_model_wrote(folder: Path, field: str) -> None:
    text = f"4{SURROGATE}"
    fields = {"correct": True, "prediction": "4", field: [text] if field == "steps" else text}
    (folder / "pool.jsonl").write_text(content(line(**fields)))
    done = run(folder, "--trust-verdicts", pool="pool.jsonl")
    assert done.exit_code == 0, done.output


def test_a_file_whose_name_is_not_utf8(folder: Path) -> None:
    """reliability 20: a traceback after all was scored."""
    path = folder / os.fsdecode(b"prm\xff.jsonl")
    path.write_text(content({"question_id": "1", "score": 1}))
    refused(run(folder, "--scores", path, scored=True), folder, "the file's name isn't UTF-8; rename it")


SCORES = {
    "reports candidates-strings": (content({"question_id": "1", "candidates": ["x"]}), "line 1: `candidates` must be"),
    "reports index-null": (content({"question_id": "1", "index": None, "score": 1}), "line 1: `index` is None"),
    "reports score-huge-integer": (content({"question_id": "1", "score": 10**400}), "line 1: 1000"),
    "use Infinity": ('{"question_id": "1", "score": Infinity}', "line 1: inf is not a score"),
    "use NaN": ('{"question_id": "1", "score": NaN}', "line 1: nan is not a score"),
    "step of infinity": ('{"question_id": "1", "step_scores": [1, -Infinity]}', "line 1: -inf is not a score"),
    "nested steps": (content({"question_id": "1", "step_scores": [[1]]}), "line 1: [1] is not a score"),
    "steps a number": (content({"question_id": "1", "step_scores": 1}), "line 1: `step_scores` must be a list"),
    "true": (content({"question_id": "1", "score": True}), "line 1: True is not a score"),
    "a text": (content({"question_id": "1", "score": "high"}), "line 1: 'high' is not a score"),
    "use wrong key": (content({"question_id": "1", "reward": 1}), "line 1: neither `step_scores` nor `score`"),
    "index huge": (content({"question_id": "1", "index": 10**30, "score": 1}), "line 1: `index` is 1000"),
    "digits": ('{"question_id": "1", "score": ' + "9" * 5_000 + "}", "line 1: JSON with a number"),
    "nested": ('{"question_id": "1", "x": ' + "[" * 100_000, "line 1: JSON that is nested too deeply"),
    "surrogate": (content({"question_id": SURROGATE, "score": 1}), "line 1: the question's id"),
    "other ids": (content({"question_id": "x", "score": 1}), "no score for any of 4 rows"),
    "empty": ("", "no scores"),
}


@pytest.mark.parametrize(("text", "message"), SCORES.values(), ids=SCORES)
def test_a_malformed_score_file(folder: Path, text: str, message: str) -> None:
    (folder / "prm.jsonl").write_text(text)
    refused(run(folder, "--scores", folder / "prm.jsonl", scored=True), folder, "prm", message)


DATA = {
    "nested": ("[" * 100_000, "line 1: JSON that is nested too deeply"),
    "digits": ('{"id": "1", "question": "Q", "answer": ' + "9" * 5_000 + "}", "line 1: JSON with a number"),
    "Latin-1": ('{"id": "1", "question": "Fläche", "answer": "4"}'.encode("latin-1"), "line 1: not UTF-8"),
    "id a number": (content({"id": 1, "question": "Q", "answer": "4"}), "line 1: the question's id is 1"),
    "id a surrogate": (content({"id": SURROGATE, "question": "Q", "answer": "4"}), "line 1: the question's id is"),
    "answer a number": (content({"id": "1", "question": "Q", "answer": 4}), "line 1: the question's answer is 4"),
    "group a number": (content({"id": "1", "question": "Q", "answer": "4", "group": 5}), "the question's group is 5"),
    "categories a list": (
        content({"id": "1", "question": "Q", "answer": "4", "categories": [1]}),
        "`categories` is [1]",
    ),
}


@pytest.mark.parametrize(("text", "message"), DATA.values(), ids=DATA)
def test_malformed_data(folder: Path, text: str | bytes, message: str) -> None:
    (folder / "data" / "test.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(run(folder), folder, "test.jsonl", message)


def test_a_parquet_file_whose_rows_are_damaged(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"id": str(number), "question": f"Q{number}" * 99, "answer": "4"} for number in range(999)]
    path = folder / "data" / "test.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    (folder / "data" / "test.jsonl").unlink()
    damaged = bytearray(path.read_bytes())
    damaged[40:400] = b"\xff" * 360
    path.write_bytes(bytes(damaged))
    refused(run(folder), folder, "test.parquet: row group 0 can't be read")


@pytest.mark.parametrize(
    ("what", "option"), [("pipe", "pool"), ("folder", "pool"), ("pipe", "data"), ("pipe", "scores")]
)
def test_pipes_and_folders_are_refused_at_once(folder: Path, what: str, option: str) -> None:
    """reliability 21: a pipe as pool waited for ever."""
    path = folder / "odd.jsonl"
    os.mkfifo(path) if what == "pipe" else path.mkdir()
    done = run(folder, "--scores", path, scored=True) if option == "scores" else run(folder, **{option: "odd.jsonl"})
    refused(done, folder, "odd.jsonl: a " if option != "data" else "odd.jsonl: a pipe", "give that")


@pytest.mark.parametrize("option", ["pool", "scores"])
def test_a_pipe_in_a_folder_of_tasks_is_refused_at_once(folder: Path, option: str) -> None:
    (folder / "root").mkdir()
    os.mkfifo(folder / "root" / "mini.jsonl")
    scores = f"prm={folder / 'root'}"
    done = run(folder, "--scores", scores, scored=True) if option == "scores" else run(folder, pool="root")
    refused(done, folder, "mini.jsonl: a pipe or device", "give that")


def test_a_file_that_unpacks_to_far_more_than_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """reliability 11: 4 MB became 4 GB."""
    monkeypatch.setattr("vpbench.data.files.FREE_UNPACKED", 10_000)
    (folder / "bomb.jsonl").write_bytes(gzip.compress(b" " * 2**20))
    refused(run(folder, pool="bomb.jsonl"), folder, "bomb.jsonl: ", "unpack to more than 200 times as many")
    monkeypatch.setattr("vpbench.data.files.FREE_UNPACKED", 2**21)
    refused(run(folder, pool="bomb.jsonl"), folder, "bomb.jsonl: no candidates")


PACKED = {
    "gzip without .gz": ("pool.jsonl", gzip.compress),
    "plain with .gz": ("pool.jsonl.gz", lambda data: data),
    "a byte order mark": ("pool.jsonl", lambda data: b"\xef\xbb\xbf" + data),
    "UTF-16": ("pool.jsonl", lambda data: data.decode().encode("utf-16")),
    "Windows line ends": ("pool.jsonl", lambda data: data.replace(b"\n", b"\r\n")),
    "a list": ("pool.jsonl", lambda data: b"[" + data.strip().replace(b"\n", b",") + b"]"),
    "an indented list": (
        "pool.json",
        lambda data: json.dumps([*map(json.loads, data.splitlines())], indent=1).encode(),
    ),
}


@pytest.mark.parametrize(("name", "pack"), PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("option", ["pool", "scores"])
def test_packings_that_are_read(folder: Path, name: str, pack: Any, option: str) -> None:
    rows = [
        {"question_id": id, "candidates": [{"response": "4", "score": 1}, {"response": "b", "score": 0}]} for id in "12"
    ]
    (folder / name).write_bytes(pack(content(*rows).encode()))
    done = run(folder, pool=name) if option == "pool" else run(folder, "--scores", folder / name, scored=True)
    assert done.exit_code == 0, done.output
    (result,) = results(folder / "runs")
    assert (result["candidates"], result["curves"]["oracle"][-1]["value"]) == (4, 1.0)


@pytest.mark.parametrize("marks", [1, 2])
def test_lines_with_byte_order_marks_of_their_own(folder: Path, marks: int) -> None:
    """As files are that were put together of several, or saved with a mark twice; reports data-with-bom."""
    for path in (folder / "data" / "test.jsonl", folder / "good.jsonl"):
        path.write_bytes(b"".join(b"\xef\xbb\xbf" * marks + line for line in path.read_bytes().splitlines(True)))
    done = run(folder)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", ["test.jsonl", "test.json"])
def test_data_with_a_byte_order_mark(folder: Path, name: str) -> None:
    """reports data-with-bom."""
    path = folder / "data" / "test.jsonl"
    rows = path.read_bytes()
    path.unlink()
    text = rows if name.endswith("l") else b"[" + rows.strip().replace(b"\n", b",") + b"]"
    (folder / "data" / name).write_bytes(b"\xef\xbb\xbf" + text)
    done = run(folder)
    assert done.exit_code == 0, done.output


WIDE = ["utf-32", "utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("encoding", WIDE)
@pytest.mark.parametrize("name", ["pool.jsonl", "pool.json", "pool.csv", "data"])
def test_wide_characters(folder: Path, name: str, encoding: str) -> None:
    """UTF-16 without a mark and UTF-32 are no text to read, whatever the file is; UTF-16 with its mark is read."""
    text = "question_id,response\n1,größer\n" if name == "pool.csv" else content(line(response="größer"))
    path = folder / ("data/test.jsonl" if name == "data" else name)
    path.write_bytes(text.encode(encoding))
    done = run(folder, **({} if name == "data" else {"pool": name}))
    refused(done, folder, f"{path.name}: looks like UTF-16 or UTF-32", "save the file as UTF-8")


TWICE = {
    "in a line": ('{"question_id": "1", "response": "4", "response": "5"}', "line 1: the key 'response' stands twice"),
    "in an object within": (
        '{"question_id": "1", "candidates": [{"response": "4", "score": 1, "score": 1}]}',
        "line 1: the key 'score' stands twice",
    ),
    "in a list": ('[{"question_id": "1", "response": "4", "index": 0, "index": 1}]', "the key 'index' stands twice"),
}


@pytest.mark.parametrize(("text", "message"), TWICE.values(), ids=TWICE)
def test_a_key_that_stands_twice_in_a_pool_or_scores(folder: Path, text: str, message: str) -> None:
    (folder / "odd.jsonl").write_text(text)
    refused(run(folder, pool="odd.jsonl"), folder, "odd.jsonl", message, "keep one of the two values")
    refused(run(folder, "--scores", folder / "odd.jsonl", scored=True), folder, "odd.jsonl", message)


def test_a_key_that_stands_twice_in_a_cell(folder: Path) -> None:
    cell = '"[{""response"": ""4"", ""response"": ""5""}]"'
    (folder / "odd.csv").write_text(f"question_id,candidates\n1,{cell}\n")
    refused(run(folder, pool="odd.csv"), folder, "odd.csv line 2, column candidates: the key 'response' stands twice")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test.jsonl", '{"id": "1", "question": "a", "question": "b", "answer": "4"}'),
        ("test.json", '{"1": {}, "1": {}}'),
    ],
)
def test_a_key_that_stands_twice_in_data(folder: Path, name: str, text: str) -> None:
    (folder / "data" / "test.jsonl").unlink()
    (folder / "data" / name).write_text(text)
    refused(run(folder), folder, name, "stands twice in one object")

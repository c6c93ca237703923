"""Candidates and scores belong to a task: what a file says of its questions is compared with the data.

The kinds are from `shared/reviews/use.md`, 0.1, 0.2 and 0.4.
"""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from shared_data import SHARED, Row, compared, missing, read_rows, shared_files
from small_runs import pool_file, results, vpbench

from vpbench.data import load_questions
from vpbench.data.miniature import FOLDER, POOL, nano_folder
from vpbench.errors import DataError
from vpbench.plugins import all_tasks, find_task
from vpbench.pools.formats import Statement
from vpbench.pools.match import identified, mismatches
from vpbench.pools.normal import normal, same_gold, same_options, same_text
from vpbench.pools.pool import read_pool
from vpbench.records import Question

TASKS = [path.name for path in sorted(FOLDER.iterdir()) if (path / POOL).exists()]


def checked(
    task: str, data: Path | None, pool: Path, questions: dict[str, Question] | None = None
) -> tuple[dict[str, str], list[str]]:
    """The first response by question id, and the notes."""
    plugin = find_task(task).cls()
    questions = questions or load_questions(plugin, data).questions
    read, notes = identified(read_pool(pool), questions, "the data")
    notes = notes + mismatches(plugin, questions, read.statements, "the data", all_tasks(), False)
    return {id: rows[0].candidate.response for id, rows in read.rows.items()}, notes


def shared_questions(task: str) -> Path:
    folder = SHARED / "data" / task
    return folder if folder.is_dir() else missing(f"no {folder}")


# --- files of their own task pass


@pytest.mark.parametrize("task", TASKS)
def test_the_miniature_pools_are_of_their_task(task: str) -> None:
    _, notes = checked(task, nano_folder(task), nano_folder(task) / POOL)
    assert notes == []


def conformance_rows() -> list[Path]:
    return sorted({*SHARED.glob("pools/*.jsonl.gz"), *SHARED.glob("conformance/*.jsonl.gz")})


@pytest.mark.parametrize("path", conformance_rows(), ids=lambda path: path.name)
def test_real_rows_are_of_their_task(path: Path, tmp_path: Path) -> None:
    """No false alarm in any row of the files whose task's data is here; all that a row says is compared."""
    rows = [row for row in read_rows(path) if "question_id" in row]
    task = rows[0].get("benchmark") if rows else None
    if task not in all_tasks() or not (SHARED / "data" / task).is_dir():
        pytest.skip("not a task's rows, or none of its data is here")
    pool = tmp_path / "pool.jsonl"
    flat = [{**row, "response": row.get("response", ""), "candidates": None, "index": None} for row in rows]
    lines = [{name: value for name, value in row.items() if value is not None} for row in flat]
    pool.write_text("".join(json.dumps({"response": "", **line}) + "\n" for line in lines))
    _, notes = checked(task, shared_questions(task), pool)
    assert notes == []
    compared("rows", f"identity of {path.name}", len(rows))


def test_a_real_pool_of_another_task_is_refused() -> None:
    (pool,) = shared_files("pools/mathvista_systems.jsonl.gz")
    with pytest.raises(DataError, match="line 1: not question '1'.* benchmark 'mathvista', this is task 'mathvision'"):
        checked("mathvision", shared_questions("mathvision"), pool)


@pytest.mark.parametrize("task", ["mathvista", "mathvision"])
@pytest.mark.parametrize(("field", "least"), [("question", 0.99), ("answer", 0.9)])
def test_rows_that_are_off_by_one_are_noticed_each_by_itself(task: str, field: str, least: float) -> None:
    (path,) = shared_files(f"pools/{task}_systems.jsonl.gz")
    rows, plugin = read_rows(path), find_task(task).cls()
    questions = load_questions(plugin, shared_questions(task)).questions
    noticed = 0
    for row, following in zip(rows, rows[1:], strict=False):
        about = {"text": following["question"]} if field == "question" else {"gold": following["answer"]}
        try:
            mismatches(plugin, questions, {row["question_id"]: [Statement("line", **about)]}, "data", (), False)
        except DataError:
            noticed += 1
    assert noticed / (len(rows) - 1) > least


# --- other tools' formats

QUESTIONS = {
    str(number): Question(
        "mathvista",
        str(number),
        f"How many parts has the tray number {number // 2} of {1000 - number // 2}?\n(A) {number}\n(B) none"
        if number % 3
        else f"What is the height of the bar in row {number}?\n(Unit: cm)",
        choices=(str(number), "none") if number % 3 else None,
        answer="none" if number % 3 else str(number * 7),
    )
    for number in range(1, 31)
}


def rows_of(questions: dict[str, Question]) -> list[Row]:
    """As the data set's own columns hold them."""
    return [
        {
            "question_id": id,
            "question": question.text.partition("\n")[0],
            "choices": question.choices,
            "answer": question.answer,
        }
        for id, question in questions.items()
    ]


def as_lm_eval(rows: list[Row], path: Path, named: str | None) -> Path:
    """As `--log_samples` writes them: a row number, the document, and every document once for each filter."""
    lines = [
        {
            "doc_id": number,
            "doc": {
                **({named: row["question_id"]} if named else {}),
                **{name: row[name] for name in ("question", "choices", "answer")},
            },
            "resps": [[row["question_id"], "other"]],
            "filter": kind,
        }
        for kind in ("strict", "flexible")
        for number, row in enumerate(rows)
    ]
    return pool_file(path.parent, *lines, name=path.name)


def as_table(rows: list[Row], path: Path, number_of: Any) -> Path:
    letters = "ABCDEFGH"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["index", "question", *letters, "answer", "prediction"], delimiter="\t")
        writer.writeheader()
        for position, row in enumerate(rows):
            options = dict(zip(letters, row["choices"] or (), strict=False))
            about = {"index": number_of(position, row), "question": row["question"], "answer": row["answer"]}
            writer.writerow({**about, **options, "prediction": row["question_id"]})
    return path


FOREIGN = {
    "lm-eval with the data's ids": lambda rows, at: as_lm_eval(rows, at / "a.jsonl", "pid"),
    "lm-eval by text": lambda rows, at: as_lm_eval(rows, at / "a.jsonl", None),
    "lm-eval, part of the file": lambda rows, at: as_lm_eval(rows[1:], at / "a.jsonl", None),
    "table with the data's ids": lambda rows, at: as_table(rows, at / "a.tsv", lambda _, row: row["question_id"]),
    "table with row numbers": lambda rows, at: as_table(rows, at / "a.tsv", lambda position, _: position),
    "table off by one": lambda rows, at: as_table(rows, at / "a.tsv", lambda _, row: int(row["question_id"]) + 1),
}


@pytest.mark.parametrize("write", FOREIGN.values(), ids=FOREIGN)
def test_lines_of_other_tools_are_matched_by_what_they_say(tmp_path: Path, write: Any) -> None:
    rows = rows_of(QUESTIONS)
    responses, notes = checked("mathvista", None, write(rows, tmp_path), QUESTIONS)
    assert notes == []
    assert {id: response for id, response in responses.items() if id != response} == {}
    assert len(responses) in (len(rows), len(rows) - 1)


CONTRADICTING = {
    "pid of one line": ("pid", [5]),
    "pid of all lines": ("pid", range(30)),
    "unique_id of two": ("unique_id", [0, 3]),
    "id of some": ("id", range(9, 14)),
}


@pytest.mark.parametrize(("name", "wrong"), CONTRADICTING.values(), ids=CONTRADICTING)
def test_ids_that_contradict_the_text_are_noted(tmp_path: Path, name: str, wrong: Any) -> None:
    rows = rows_of(QUESTIONS)
    path = as_lm_eval(rows, tmp_path / "a.jsonl", name)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line["doc_id"] in wrong:
            line["doc"][name] = str((line["doc_id"] + 1) % 30 + 1)
    responses, notes = checked("mathvista", None, pool_file(tmp_path, *lines, name="a.jsonl"), QUESTIONS)
    assert {id: response for id, response in responses.items() if id != response} == {}
    (note,) = notes
    first = wrong[0]
    assert note.startswith(f"{len(wrong)} of 30 lines name another question in `{name}` than by its text, which is")
    assert note.endswith(f"a.jsonl line {first + 1}: `{name}` '{first + 2}', taken for question '{first + 1}'")


def test_ids_in_some_lines_only_and_ids_that_contradict_each_other_are_noted(tmp_path: Path) -> None:
    path = as_lm_eval(rows_of(QUESTIONS), tmp_path / "a.jsonl", None)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[4]["doc"]["qid"] = "9"
    (note,) = checked("mathvista", None, pool_file(tmp_path, *lines, name="a.jsonl"), QUESTIONS)[1]
    assert "a.jsonl line 5: `qid` '9', taken for question '5'" in note
    table = tmp_path / "bare.tsv"
    table.write_text("pid\tuid\tprediction\n1\t1\ta\n2\t3\tb\n")
    _, notes = checked("mathvista", None, table, QUESTIONS)
    assert "1 of 2 lines name another question in `uid` than by `pid`, which is taken" in notes[1]


def test_what_cannot_be_matched_is_refused_with_the_reason_and_the_remedy(tmp_path: Path) -> None:
    row = {"question": "Who wrote this?", "choices": None, "answer": "x", "question_id": "none"}
    with pytest.raises(DataError, match=r"`doc` has no id; the text 'Who wrote this\?' is that of no question"):
        checked("mathvista", None, as_lm_eval([row], tmp_path / "a.jsonl", None), QUESTIONS)
    with pytest.raises(DataError, match="`index` '0' is no question id.*Add a column or field `question_id`"):
        checked("mathvista", None, as_table([row], tmp_path / "a.tsv", lambda position, _: position), QUESTIONS)
    nameless = pool_file(tmp_path, {"doc_id": 1, "doc": {"x": 1}, "resps": [["a"]]})
    with pytest.raises(DataError, match="no question text; add a column or field `question_id`"):
        checked("mathvista", None, nameless, QUESTIONS)
    rows = rows_of(QUESTIONS)
    twice = [*rows[:2], rows[0]]
    with pytest.raises(DataError, match=r"line 3: question '.*' stands at .*line 1 already"):
        checked("mathvista", None, as_lm_eval(twice, tmp_path / "b.jsonl", "pid"), QUESTIONS)


def test_numbers_that_nothing_confirms_are_taken_with_a_note(tmp_path: Path) -> None:
    table = tmp_path / "bare.tsv"
    table.write_text("index\tprediction\n1\ta\n2\tb\n")
    responses, (note,) = checked("mathvista", None, table, QUESTIONS)
    assert responses == {"1": "a", "2": "b"}
    assert "by the file's `index` alone" in note


# --- whole runs


def nano_run(tmp_path: Path, *arguments: Any, task: str = "mmmu") -> Any:
    shared = ["--nano", "--task", task, "--resamples", 100, "--output", tmp_path / "runs"]
    return vpbench("run", *shared, *arguments)


def nano_pool(task: str) -> list[Row]:
    return [json.loads(line) for line in gzip.open(nano_folder(task) / POOL, "rt")]


def few(rows: list[Row], count: int = 4) -> list[Row]:
    return [{**row, "candidates": row["candidates"][:count]} for row in rows]


WRONG = {
    "task": ({"task": "mathvision"}, "it is of task 'mathvision', this is task 'mmmu'"),
    "benchmark": ({"benchmark": "MathVision"}, "it is of benchmark 'MathVision', this is task 'mmmu'"),
    "question": ({"question": "What is the capital of France?"}, "its question is 'What is the capital of France?'"),
    "prompt": ({"prompt": "Answer step by step. Who?"}, "its prompt is 'Answer step by step. Who?'"),
    "choices": ({"choices": ["one", "two", "three", "four"]}, "its options are ('one', 'two', 'three', 'four')"),
    "options": ({"options": "A. one; B. two; C. three"}, "its options are ('one', 'two', 'three')"),
    "answer": ({"answer": "-17.25"}, "its gold answer is '-17.25'"),
    "gold": ({"gold": "-17.25"}, "its gold answer is '-17.25'"),
}


@pytest.mark.parametrize("file", ["pool", "scores"])
@pytest.mark.parametrize(("fields", "message"), WRONG.values(), ids=WRONG)
def test_a_line_that_says_otherwise_is_refused_or_noted(
    tmp_path: Path, fields: dict[str, Any], message: str, file: str
) -> None:
    rows = few(nano_pool("mmmu"))[:6]
    scored = [{**row, "candidates": [{"score": 1.0}] * 4} for row in rows]
    changed = scored if file == "scores" else rows
    changed[3] = {
        name: value for name, value in {**changed[3], **fields}.items() if name != "prompt" or "prompt" in fields
    }
    paths = {
        name: pool_file(tmp_path, *lines, name=f"{name}.jsonl") for name, lines in (("pool", rows), ("scores", scored))
    }
    options = ["--pool", paths["pool"], "--scores", paths["scores"]]
    done = nano_run(tmp_path, *options)
    assert done.exit_code == 2
    assert f"{paths[file]} line 4: not question {rows[3]['question_id']!r}" in done.output
    assert message in done.output
    assert "--allow-mismatch" in done.output
    assert not (tmp_path / "runs").exists()
    allowed = nano_run(tmp_path, *options, "--allow-mismatch")
    assert allowed.exit_code == 0, allowed.output
    (result,) = results(tmp_path / "runs")
    (note,) = [note for note in result["notes"] if "--allow-mismatch" in note]
    assert note.startswith("1 of the 6 questions of the file differ")


def test_an_export_names_its_task_and_is_refused_for_another(tmp_path: Path) -> None:
    export = tmp_path / "drawn.jsonl"
    shared = ["--policy", "nano", "--samples", 2, "--limit", 2, "--max-tokens", 8]
    drawn = vpbench(
        "sample", "--nano", "--task", "mathvista", *shared, "--export", export, "--output", tmp_path / "drawn"
    )
    assert drawn.exit_code == 0, drawn.output
    assert {json.loads(line)["task"] for line in export.read_text().splitlines()} == {"mathvista"}
    arguments = ["--critic", "self-consistency", "--pool", export]
    assert nano_run(tmp_path, *arguments, task="mathvista").exit_code == 0
    done = nano_run(tmp_path, *arguments, task="mathvision")
    assert done.exit_code == 2
    assert "it is of task 'mathvista', this is task 'mathvision'" in done.output


# --- what is the same


SAME_TEXT = [
    ("Find  $x$.\n", "find x"),
    (r"What is $\dfrac{1}{2}\,\mathrm{cm}$?", r"What is $\frac{1}{2} cm$?"),
    ("Which is red?<image1>", "Which is red?"),
    ("Which?\n(A) one\n(B) two", "Which?\nA. one\nB. two"),
    ("ＡＢＣ １２", "abc 12"),
    ("Which?", "Which?\nChoices:\n(A) one"),
    ("Please reason. Which one is red?", "Which one is red?"),
    ("3 − 2 × 4", "3 - 2 × 4"),
    ("△ or □", "△ or □"),
]
OTHER_TEXT = [("Find x = 15", "Find x = 1.5"), ("Which is red?", "Which is blue?"), ("△", "□"), ("1 + 2", "1 - 2")]


def test_the_same_text_and_another() -> None:
    assert [pair for pair in SAME_TEXT if not same_text(pair[0], [pair[1]])] == []
    assert [pair for pair in OTHER_TEXT if same_text(pair[0], [pair[1]])] == []
    assert same_options(["(A) 300", "b) 4,5"], ["300", "4.5"])
    assert not same_options(["300", "400"], ["400", "300"])
    assert normal("(A)") == normal("(A)") != ""


CHOICES = ("red", "blue", "12")
SAME_GOLD = [
    ("B", "blue", CHOICES),
    ("(b)", "blue", CHOICES),
    ("B. blue", "B", CHOICES),
    (1, "B", CHOICES),
    ("4.0", "4", None),
    (4, "4", None),
    ("1,200", "1200", None),
    (["12", "twelve"], "12", None),
    ("['12', 'twelve']", "12", None),
    ("35 cm", "35", None),
    ("", "4", None),
]
OTHER_GOLD = [("A", "blue", CHOICES), ("C", "B", CHOICES), ("4", "5", None), ("1.5", "15", None), ("-4", "4", None)]


def test_the_same_gold_and_another() -> None:
    assert [row for row in SAME_GOLD if not same_gold(row[0], row[1], row[2], "cm")] == []
    assert [row for row in OTHER_GOLD if same_gold(row[0], row[1], row[2], "cm")] == []


def test_a_question_without_text_is_not_compared() -> None:
    plugin = find_task("mathvista").cls()
    statement = Statement("line 1", text="Which?", prompt="Which?", options=["a"], gold="4")
    assert mismatches(plugin, {"1": Question("mathvista", "1", "")}, {"1": [statement]}, "data", (), False) == []

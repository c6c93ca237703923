"""Code of plugins may raise anything: it becomes a row with its reason or one clear message, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from chat_server import chat_server, completion
from click.testing import CliRunner, Result

from vpbench.cli import main

TASK = """
from vpbench import Question, Source, Task, Verdict


class Mine(Task):
    name = "mine"
    title = "Mine"
    source = Source("me/mine", "test", 2, "mit", ("question", "answer"))

    def question(self, row, images):
        return Question("mine", row["id"], row["question"], answer=row["answer"])

    def grade(self, question, response, mode):
        right = question.answer in response
        return Verdict(response, response, right, "match" if right else "different")
"""
CRITIC = """
from dataclasses import dataclass

from vpbench import Critic, Score


@dataclass(frozen=True)
class Mine(Critic):
    name = "length"
    title = "Length"

    def score(self, question, candidates):
        return [Score(float(len(candidate.response))) for candidate in candidates]
"""
POOL = [
    {
        "question_id": id,
        "question": "Which?",
        "answer": id,
        "candidates": [{"response": id}, {"response": "no"}],
    }
    for id in ("a", "b", "c", "d")
]


def run(folder: Path, *options: str, task: str = TASK, critic: str = CRITIC) -> Result:
    """The run of a task and a critic given as files, whose source tests change."""
    (folder / "task.py").write_text(task)
    (folder / "critic.py").write_text(critic)
    (folder / "pool.jsonl").write_text("".join(json.dumps(line) + "\n" for line in POOL))
    files = [
        "--task",
        str(folder / "task.py"),
        "--critic",
        str(folder / "critic.py"),
        "--pool",
        str(folder / "pool.jsonl"),
    ]
    return CliRunner().invoke(main, ["run", *files, "--resamples", "100", "--output", str(folder / "runs"), *options])


def rows(folder: Path) -> dict[tuple[str, int], dict[str, object]]:
    (path,) = folder.glob("runs/results/*/rows.parquet")
    return {(row["question_id"], row["index"]): row for row in pq.read_table(path).to_pylist()}


def added(source: str, method: str) -> str:
    """The class with one more method, which replaces one of the same name."""
    return source + "\n" + "\n".join(f"    {line}" for line in method.splitlines()) + "\n"


GRADE = 'def grade(self, question, response, mode):\n    if question.id == "b":\n        raise KeyError("lost")\n'
RIGHT = '    return Verdict(response, response, question.answer in response, "match")'


def test_a_grader_that_raises_is_a_row_with_its_reason_and_is_owed_again(tmp_path: Path) -> None:
    first = run(tmp_path, "--max-error-rate", "0.5", task=added(TASK, GRADE + RIGHT))
    assert first.exit_code == 0, first.output
    assert "rows without an answer: 2 of 8 (grader failed)" in first.output
    reason = str(rows(tmp_path)["b", 1]["reason"])
    assert reason.startswith(
        "grader failed: task 'mine', question 'b' candidate 1: grade raised KeyError: 'lost' (task.py"
    )
    assert rows(tmp_path)["a", 0]["correct"]
    stopped = run(tmp_path, task=added(TASK, GRADE + RIGHT))
    assert stopped.exit_code == 3
    assert "grading mine stopped: 1 of 8 rows failed" in stopped.output


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return response == question.answer", "gave a bool, expected a vpbench.Verdict"),
        ("return Verdict(3, None, True, 'match')", "gave extracted 3, expected a string or None"),
        ("return Verdict(None, 3, True, 'match')", "gave answer_class 3, expected a string or None"),
        ("return Verdict(None, None, True, None)", "gave reason None, expected a string"),
        ("return 1 / 0", "grade raised ZeroDivisionError"),
    ],
)
def test_what_a_grader_gives_back_is_checked(tmp_path: Path, body: str, message: str) -> None:
    result = run(tmp_path, task=added(TASK, f"def grade(self, question, response, mode):\n    {body}"))
    assert result.exit_code == 3
    assert f"question 'a' candidate 0: task 'mine', question 'a' candidate 0: {message}"[:60] in result.output
    assert message in result.output
    assert "Traceback" not in result.output


JUDGE = """
def judge(self, question, response, extraction):
    {before}
    reply = yield "Is this right?"
    {after}
    return Verdict(response, response, True, "judged")
"""


@pytest.mark.parametrize(("before", "after"), [("raise KeyError('early')", "pass"), ("pass", "raise KeyError('late')")])
def test_a_conversation_with_a_judge_that_raises(tmp_path: Path, before: str, after: str) -> None:
    with chat_server(lambda body, number: completion("yes")) as server:
        judge = ["--grading", "official", "--judge", "openai:m", "--judge-args", f"base_url={server.url}"]
        task = added(TASK, JUDGE.format(before=before, after=after))
        result = run(tmp_path, *judge, "--max-error-rate", "1", task=task)
    assert result.exit_code == 0, result.output
    assert {str(row["reason"])[:13] for row in rows(tmp_path).values()} == {"grader failed"}
    assert "judge raised KeyError" in str(rows(tmp_path)["a", 0]["reason"])


SCORE = "def score(self, question, candidates):\n    "


@pytest.mark.parametrize(
    "error", ["ValueError('bad')", "KeyError('x')", "MemoryError()", "RecursionError()", "SystemExit(0)"]
)
def test_a_critic_that_raises_fails_the_question(tmp_path: Path, error: str) -> None:
    body = f"if question.id == 'b':\n        raise {error}\n    return [Score(1.0) for _ in candidates]"
    result = run(tmp_path, "--max-error-rate", "0.5", critic=added(CRITIC, SCORE + body))
    assert result.exit_code == 0, result.output
    expected = f"critic 'length', question 'b': score raised {error.partition('(')[0]}"
    assert str(rows(tmp_path)["b", 0]["score_reason"]).startswith(expected)
    assert rows(tmp_path)["c", 0]["value"] == 1.0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "return [0.5] * len(candidates)",
            "question 'a': candidate 0: score gave a float, expected vpbench.Score(value)",
        ),
        ("return [Score(1.0)]", "question 'a': score gave 1 scores for 2 candidates"),
        ("return None", "question 'a': score gave a NoneType, expected a list of vpbench.Score"),
        ("return [Score('high')] * 2", "question 'a': candidate 0: score gave 'high', expected a number"),
        ("return [Score(1.0, ('high',))] * 2", "score gave 'high', expected a number"),
    ],
)
def test_what_a_critic_gives_back_is_checked(tmp_path: Path, body: str, message: str) -> None:
    result = run(tmp_path, critic=added(CRITIC, SCORE + body))
    assert result.exit_code == 2
    assert f"critic 'length', {message}" in result.output or message in result.output
    assert "Traceback" not in result.output


def test_numbers_of_numpy_are_numbers_and_nan_is_a_failed_row(tmp_path: Path) -> None:
    body = "import numpy\n    return [Score(numpy.float32(0.5), (numpy.float64(0.5),)), Score(numpy.float32('nan'))]"
    result = run(tmp_path, "--max-error-rate", "0.5", critic=added(CRITIC, SCORE + body))
    assert result.exit_code == 0, result.output
    assert rows(tmp_path)["a", 0]["value"] == 0.5
    assert rows(tmp_path)["a", 1]["score_reason"] == "the score is NaN"


TOGETHER = """
questions_at_once = 3

def score_questions(self, work):
    for position, (question, candidates) in enumerate(work):
        {body}
        yield position, [Score(1.0) for _ in candidates]
"""


@pytest.mark.parametrize("body", ["if question.id == 'b': raise ValueError('bad')", "if question.id == 'b': return"])
def test_several_questions_by_one_call(tmp_path: Path, body: str) -> None:
    result = run(tmp_path, "--max-error-rate", "1", critic=added(CRITIC, TOGETHER.format(body=body)))
    assert result.exit_code == 0, result.output
    scored = {id for (id, _), row in rows(tmp_path).items() if row["value"] is not None}
    assert scored == {"a", "d"}
    assert str(rows(tmp_path)["b", 0]["score_reason"]).startswith("critic 'length', question 'a' and 2 more: score_q")


@pytest.mark.parametrize("method", ["prepare", "revision", "usage", "__post_init__"])
def test_what_concerns_the_whole_critic_ends_the_run(
    tmp_path: Path, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    critic = added(CRITIC, f"def {method}(self):\n    raise OSError('no such thing')")
    result = run(tmp_path, critic=critic)
    assert result.exit_code == 2
    name = "__init__" if method == "__post_init__" else method
    assert f"critic 'length': {name} raised OSError: no such thing (critic.py line" in result.output
    assert result.output.count("no such thing") == 1
    assert "Traceback" not in result.output
    caplog.clear()
    run(tmp_path, "-v", critic=critic)
    assert "OSError: no such thing" in caplog.text


@pytest.mark.parametrize("method", ["measures", "group_value"])
def test_what_concerns_the_whole_task_ends_the_run(tmp_path: Path, method: str) -> None:
    for line in POOL:
        line["group"] = line["question_id"]
    task = added(TASK, f"def {method}(self, questions, correctness):\n    raise LookupError('no such group')")
    result = run(tmp_path, task=task)
    assert result.exit_code == 2
    assert (
        f"vpbench: task mine, critic length: task 'mine': {method} raised LookupError: no such group (task.py line"
        in result.output
    )
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (
            "def measures(self, questions, correctness):\n    return ['x']",
            "measures gave 'x', expected a vpbench.Measure",
        ),
        (
            "def measures(self, questions, correctness):\n"
            "    from vpbench import Measure\n    return [Measure('m', correctness[:1], correctness[:1, 0])]",
            "measures gave Measure(name='m'",
        ),
        ("def group_value(self, questions, correctness):\n    return 1", "group_value gave 1, expected 2 numbers"),
        (
            "def group_value(self, questions, correctness):\n    return correctness[0] * float('nan')",
            "group_value gave array([nan, nan]), expected 2 numbers",
        ),
        ("def group_value(self, questions, correctness):\n    return 'a'", "group_value raised ValueError"),
        ("name = 3", "Mine.name is 3, expected a text"),
        ("version = '1'", "Mine.version is '1'"),
        ("source = None", "Mine.source is None"),
        ("def other_rules(self):\n    return 1 / 0", "other_rules raised ZeroDivisionError"),
        ("def prompt(self, question):\n    return 1 / 0", "question 'a': prompt raised ZeroDivisionError"),
    ],
)
def test_what_a_task_gives_for_all_questions_is_checked(tmp_path: Path, method: str, message: str) -> None:
    result = run(tmp_path, task=added(TASK, method))
    assert result.exit_code == 2
    assert message in result.output
    assert "a fault of vpbench" not in result.output


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("def revision(self):\n    return object()", "scores can't be kept under its settings and revision"),
        ("setting: object = object()", "scores can't be kept under its settings and revision"),
        ("def notes(self):\n    return [3]", "notes raised TypeError: [3] instead of texts"),
        ("questions_at_once = 0", "Mine.questions_at_once is 0, expected a whole number from 1"),
        ("selection = 'worst'", "Mine.selection is 'worst'"),
        ("step_threshold = 'a'", "Mine.step_threshold is 'a'"),
        ("def prepare(self):\n    raise SystemExit(0)", "critic 'length': prepare raised SystemExit: 0"),
    ],
)
def test_what_a_critic_says_of_itself_is_checked(tmp_path: Path, lines: str, message: str) -> None:
    result = run(tmp_path, critic=added(CRITIC, lines))
    assert result.exit_code == 2
    assert message in result.output
    assert "a fault of vpbench" not in result.output


def test_an_edited_critic_never_gets_its_old_scores(tmp_path: Path) -> None:
    assert "taken from" not in run(tmp_path).output
    again = run(tmp_path)
    assert "scores of 4 of 4 questions taken from" in again.output
    edited = run(tmp_path, critic=CRITIC.replace("float(len(", "-float(len("))
    assert "taken from" not in edited.output
    values = [pq.read_table(path).column("value").to_pylist() for path in tmp_path.glob("runs/results/*/rows.parquet")]
    assert sorted(row[1] for row in values) == [-2.0, 2.0]


def test_the_key_of_graded_rows_covers_nested_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from vpbench.plugins import find_task
    from vpbench.run.pipeline import grader_code

    task = find_task("mathvista")
    before, read_bytes = grader_code(task), Path.read_bytes
    edited = []

    def read(path: Path) -> bytes:
        content = read_bytes(path)
        if path.parts[-3:] == ("grade", "values", "numbers.py"):
            edited.append(path)
            content += b"# edited"
        return content

    monkeypatch.setattr(Path, "read_bytes", read)
    assert grader_code(task) != before
    assert len(edited) == 1


@pytest.mark.parametrize(
    ("verb", "method", "message"),
    [
        (
            "sample",
            "def __init__(self):\n    raise OSError('gone')",
            "task 'mine': __init__ raised OSError: gone",
        ),
        ("sample", "def prompt(self, question):\n    return 1 / 0", "question 'a': prompt raised ZeroDivisionError"),
        (
            "label",
            "def grade(self, question, response, mode):\n    return 1 / 0",
            "grade raised ZeroDivisionError",
        ),
        ("sample", "def question(self, row, images):\n    return 1 / 0", "test.jsonl line 1: not a row of me/mine"),
        ("sample", "def question(self, row, images):\n    return 'x'", "test.jsonl line 1: question gave a str"),
        (
            "sample",
            "def question(self, row, images):\n    return Question('mine', row['id'], None, answer='a')",
            "test.jsonl line 1: the question's text is None, expected a string",
        ),
    ],
)
def test_drawing_says_what_a_tasks_code_raised(tmp_path: Path, verb: str, method: str, message: str) -> None:
    (tmp_path / "task.py").write_text(added(TASK, method))
    (tmp_path / "data").mkdir()
    rows = [{"id": id, "question": "Which?", "answer": id} for id in ("a", "b")]
    (tmp_path / "data" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with chat_server(lambda body, number: completion("a\n\nb")) as server:
        places = {"task": tmp_path / "task.py", "data": tmp_path / "data", "output": tmp_path / "runs"}
        options = [*(f"--{name}={place}" for name, place in places.items()), "--policy=openai:m"]
        amount = "--samples=1" if verb == "sample" else "--solutions=1"
        done = CliRunner().invoke(main, [verb, *options, amount, f"--policy-args=base_url={server.url}"])
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output

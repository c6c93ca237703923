"""What is given twice, misspelt, too much or too little is an error or a note: never passed over.

The kinds are from `shared/reviews/use.md` (0.4, 0.6, section 4) and `shared/reviews/reliability.md` (13, 21).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from small_runs import CRITIC, line, pool_file, results, vpbench

NANO = ["--task", "mathvista", "--resamples", 100]


def run(tmp_path: Path, *arguments: Any, **environment: str) -> Result:
    return vpbench("run", *NANO, "--output", tmp_path / "runs", *arguments, **environment)


def scored(tmp_path: Path, *lines: dict[str, Any]) -> list[Any]:
    return ["--scores", pool_file(tmp_path, *lines, name="prm.jsonl")]


# --- options


@pytest.mark.parametrize("option", ["--pool", "--scores", "--data", "--study"])
def test_an_input_given_twice_is_refused(option: str) -> None:
    done = vpbench("run", *NANO, "--critic", "self-consistency", option, "a", "--limit", 2, f"{option}=b")
    assert done.exit_code == 2
    assert f"{option} is given 2 times; give it once" in done.output


def test_other_options_may_be_given_again(tmp_path: Path) -> None:
    pool = pool_file(tmp_path, line("1", "4", "5"))
    critics = ["--critic", "self-consistency", "--critic", "self-consistency"]
    assert (
        run(tmp_path, "--pool", pool, *critics, "--limit", 1, "--limit", 2, "--output", tmp_path / "x").exit_code == 0
    )


def test_a_setting_that_stands_twice_in_one_list_is_refused() -> None:
    done = vpbench("run", *NANO, "--critic", "likelihood", "--critic-args", "model=a, model=b", "--dry-run")
    assert done.exit_code == 2
    assert "'model' stands twice in 'model=a, model=b'; give it once" in done.output


UNKNOWN = {
    "VPBENCH_MAX_ERROR_RAT": "did you mean VPBENCH_MAX_ERROR_RATE",
    "VPBENCH_TASKS": "did you mean VPBENCH_TASK",
    "VPBENCH_ZZZ": "`vpbench run --help` lists",
}


@pytest.mark.parametrize(("name", "hint"), UNKNOWN.items())
def test_an_unknown_variable_is_told_once(name: str, hint: str) -> None:
    done = vpbench("list", **{name: "1", "VPBENCH_SEED": "1", "VPBENCH_SHARED": "x"})
    assert done.exit_code == 0
    (warning,) = done.stderr.splitlines()
    assert f"the environment variable {name} sets nothing" in warning
    assert hint in warning


def test_blanks_in_lists_of_names(tmp_path: Path) -> None:
    pool = pool_file(tmp_path, line("1", "4", "5"))
    shared = ["--output", tmp_path / "runs", "--pool", pool, "--resamples", 100]
    done = vpbench("run", "--task", "mathvista, mathvision ,", "--critic", " self-consistency", *shared)
    assert done.exit_code == 0, done.output
    assert [result["task"] for result in results(tmp_path / "runs")] == ["mathvision", "mathvista"]


def test_a_plugin_with_a_shipped_name_is_told_in_one_line(tmp_path: Path) -> None:
    pool = pool_file(tmp_path, line("1", "4", "5"))
    critic = tmp_path / "mine.py"
    arguments = ["--critic", critic, "--critic-args", f"log={tmp_path}/log", "--pool", pool]
    critic.write_text(CRITIC)
    assert run(tmp_path, *arguments).stderr == ""
    critic.write_text(CRITIC.replace('"counting"', '"visualprm"'))
    done = run(tmp_path, *arguments)
    assert done.exit_code == 0, done.output
    assert [text for text in done.stderr.splitlines() if "shipped" in text] == [
        f"{critic}: its critic has the name of the shipped 'visualprm'; rename it to tell results apart"
    ]


# --- scores


HALF = [{"question_id": "1", "candidates": [{"score": 1}, {"score": 0}]}]


def rest(**score: Any) -> dict[str, Any]:
    return {"question_id": "2", "candidates": [score] * 2}


FAILED = {
    "use, half": (HALF, "no score in the file"),
    "use, null": ([*HALF, rest(score=None)], "no score given"),
    "use 0.6, empty": ([*HALF, rest(step_scores=[])], "no step scores given"),
    "null step": ([*HALF, rest(step_scores=[1, None])], "a step without score given"),
}


@pytest.mark.parametrize(("lines", "reason"), FAILED.values(), ids=FAILED)
def test_rows_without_a_score_are_rows_that_failed(tmp_path: Path, lines: list[dict[str, Any]], reason: str) -> None:
    pool = pool_file(tmp_path, line("1", "4", "5"), line("2", "4", "5"))
    arguments = ["--pool", pool, *scored(tmp_path, *lines)]
    done = run(tmp_path, *arguments)
    assert done.exit_code == 3
    assert "1 of 4 rows failed" in done.output
    assert reason in done.output
    assert "question '2' candidate 0" in done.output
    assert not (tmp_path / "runs").exists()
    allowed = run(tmp_path, *arguments, "--max-error-rate", 1)
    assert allowed.exit_code == 0, allowed.output
    (result,) = results(tmp_path / "runs")
    assert result["errors"] == {f"not scored: {reason}": 2}


def test_an_empty_response_needs_no_score(tmp_path: Path) -> None:
    pool = pool_file(tmp_path, line("1", "4", ""), line("2", "4", "5"))
    lines = [{"question_id": "1", "candidates": [{"score": 1}, {"score": None}]}, {**HALF[0], "question_id": "2"}]
    done = run(tmp_path, "--pool", pool, *scored(tmp_path, *lines), "--max-error-rate", 0)
    assert done.exit_code == 0, done.output
    assert results(tmp_path / "runs")[0]["errors"] == {"empty response": 1, "not scored: empty response": 1}


def test_scores_of_rows_that_are_not_there_are_noted(tmp_path: Path) -> None:
    pool = pool_file(tmp_path, line("1", "4", "5"))
    extra = [{"question_id": "9", "candidates": [{"score": 1}]}, {"question_id": "1", "index": 7, "score": 1}]
    assert run(tmp_path, "--pool", pool, *scored(tmp_path, *HALF, *extra)).exit_code == 0
    (result,) = results(tmp_path / "runs")
    (note,) = [note for note in result["notes"] if "scores are of rows" in note]
    assert note == (
        f"2 of the 4 scores are of rows that aren't there, the first at {tmp_path}/prm.jsonl line 2, candidate 0: "
        "question '9' candidate 0; left out"
    )


def test_scores_of_more_questions_than_were_asked_for_are_no_extra_ones(tmp_path: Path) -> None:
    pool = pool_file(tmp_path, line("1", "4", "5"), line("2", "4", "5"))
    files = ["--pool", pool, *scored(tmp_path, *HALF, {**HALF[0], "question_id": "2"})]
    assert run(tmp_path, *files, "--limit", 1).exit_code == 0
    assert not [note for note in results(tmp_path / "runs")[0]["notes"] if "scores are of rows" in note]


def test_a_step_task_counts_failed_rows_and_notes_extra_ones(tmp_path: Path) -> None:
    arguments = ["--nano", "--task", "visualprocessbench", "--resamples", 100, "--output", tmp_path / "runs"]
    from vpbench.data import load_solutions
    from vpbench.data.miniature import nano_folder
    from vpbench.plugins import find_task

    solutions = load_solutions(find_task("visualprocessbench").cls(), nano_folder("visualprocessbench")).solutions
    lines = [
        {"question_id": solution.question.id, "step_scores": [0.5] * len(solution.labels)} for solution in solutions
    ]
    file = scored(tmp_path, *lines, {"question_id": "none", "score": 1})
    done = vpbench("run", *arguments, *file)
    assert done.exit_code == 0, done.output
    assert [note for note in results(tmp_path / "runs")[0]["notes"] if note.startswith("1 of the")]
    empty = scored(tmp_path, *({**row, "step_scores": []} for row in lines))
    assert vpbench("run", *arguments, *empty).exit_code == 3
    wrong = scored(tmp_path, *({**row, "task": "mathvista"} for row in lines))
    refused = vpbench("run", *arguments, *wrong)
    assert refused.exit_code == 2
    assert "it is of task 'mathvista', this is task 'visualprocessbench'" in refused.output


# --- unequal pools


def unequal(tmp_path: Path) -> list[Any]:
    lines = [line("1", "4", "5", "6"), line("2", "4"), line("3", "4", "5", "6"), line("4", "4", "5")]
    return ["--pool", pool_file(tmp_path, *lines), "--critic", "self-consistency"]


def test_a_question_with_fewer_candidates_takes_no_n_away(tmp_path: Path) -> None:
    """reliability 21: one question with a single candidate took all N > 1 away without a note."""
    done = run(tmp_path, *unequal(tmp_path))
    assert done.exit_code == 2
    assert "question '2' has 1 candidates, most questions have 3 (2 of 4 have fewer)" in done.output
    assert not (tmp_path / "runs").exists()
    assert run(tmp_path, *unequal(tmp_path), "--dry-run").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "used", "note"),
    [
        ([], 2, "2 questions with fewer than 3 candidates left out, the first '2' with 1"),
        (["--n", "1,2"], 3, "1 questions with fewer than 2 candidates left out, the first '2' with 1"),
        (["--n", "1"], 4, None),
    ],
)
def test_short_questions_are_left_out_on_request(
    tmp_path: Path, arguments: list[str], used: int, note: str | None
) -> None:
    done = run(tmp_path, *unequal(tmp_path), *arguments, "--short-pools", "leave-out")
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path / "runs")
    assert result["questions"] == used
    assert [text for text in result["notes"] if "left out" in text] == ([note] if note else [])


def test_an_n_that_some_questions_have_not(tmp_path: Path) -> None:
    done = run(tmp_path, *unequal(tmp_path), "--n", "2")
    assert done.exit_code == 2
    assert "--n 2 is more than question '2' has candidates (1)" in done.output
    assert "--short-pools leave-out" in done.output
    assert run(tmp_path, *unequal(tmp_path), "--n", "1").exit_code == 0
    everything = run(tmp_path, *unequal(tmp_path), "--n", "4", "--short-pools", "leave-out")
    assert everything.exit_code == 2


def test_scores_are_checked_for_the_questions_that_are_used(tmp_path: Path) -> None:
    rows = [{"question_id": id, "candidates": [{"score": 1}] * 3} for id in ("1", "3")]
    pool = unequal(tmp_path)[:2]
    done = run(tmp_path, *pool, *scored(tmp_path, *rows), "--short-pools", "leave-out", "--max-error-rate", 0)
    assert done.exit_code == 0, done.output
    assert results(tmp_path / "runs")[0]["errors"] == {}

"""How many different answers there are to choose from, counted and told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from small_runs import FEW, line, pool_file, results, vpbench, write_edited

from vpbench import stats


def pool(correct: str, *classes: str | None) -> stats.QuestionPool:
    return stats.QuestionPool("", np.array([letter == "r" for letter in correct]), classes)


def test_answers_are_counted_per_question() -> None:
    pools = [pool("rww", "a", "b", "c"), pool("rrr", "a", "a", "a"), pool("rw", "a", None), pool("ww", "b", "c")]
    assert stats.distinct_answers(pools) == stats.DistinctAnswers(median=1.5, one_at_most=2, mixed=2)
    # two wrong answers differ, and still whoever picks picks a wrong one
    assert stats.distinct_answers(pools[-1:]) == stats.DistinctAnswers(median=2.0, one_at_most=0, mixed=0)


def test_verdicts_alone_give_no_answers() -> None:
    pools = [pool("rw", None, None), pool("rr", None, None)]
    assert stats.distinct_answers(pools) == stats.DistinctAnswers(median=None, one_at_most=None, mixed=1)


def test_they_stand_under_the_table_in_the_file_and_on_the_page(tmp_path: Path) -> None:
    lines = (line("1", "Answer: 4", "Answer: 5", "Answer: 5"), line("2", "Answer: 4", "Answer: 4", ""))
    common = ("--task", "mathvista", "--pool", pool_file(tmp_path, *lines), "--output", tmp_path, "--resamples", 100)
    text = vpbench("run", *common, "--critic", "self-consistency").output
    told = "distinct answers per question: median 1.5, one at most in 1; right and wrong candidates in 2 of 2 questions"
    assert f"\n{told}\n" in text
    (result,) = results(tmp_path)
    assert result["distinct_answers"] == {"median": 1.5, "one_at_most": 1, "mixed": 2}
    vpbench("leaderboard", "--output", tmp_path, "--site", tmp_path / "site")
    assert f"<li>{told}</li>" in (tmp_path / "site" / "index.html").read_text()
    tables = vpbench("leaderboard", "--output", tmp_path, "--site", tmp_path / "site", "--format", "json").output
    assert told in tables


def test_a_result_of_an_earlier_version_says_nothing_of_them(tmp_path: Path) -> None:
    vpbench("run", *FEW, "--critic", "self-consistency", "--output", tmp_path)
    (file,) = tmp_path.glob("results/*/result.json")
    result = json.loads(file.read_text())
    del result["distinct_answers"]
    write_edited(file.parent, result)
    assert "distinct answers" not in vpbench("report", file.parent).output

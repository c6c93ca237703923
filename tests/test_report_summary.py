"""A result on the terminal and in its pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import vpbench
from vpbench.cli import main
from vpbench.report.plots import best_of_n_plot, step_plot
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import read_result
from vpbench.report.summary import summary
from vpbench.terminal import p_value

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    output = tmp_path_factory.mktemp("runs")
    options: Any = {"nano": True, "resamples": 100, "output": output}
    return lambda task, critic, limit: read_result(vpbench.run(task, critic, limit=limit, **options)[0].folder).result


@pytest.fixture(scope="module")
def curves(run: Run) -> BestOfNResult:
    result = run("mathvista", "visualprm", 12)
    assert isinstance(result, BestOfNResult)
    return result


@pytest.fixture(scope="module")
def steps(run: Run) -> StepResult:
    result = run("visualprocessbench", "visualprm", 40)
    assert isinstance(result, StepResult)
    return result


def cells(text: str, start: str) -> list[str]:
    """The cells of the row that begins so."""
    (line,) = [line for line in text.splitlines() if re.match(rf"{re.escape(start)}(  |$)", line)]
    return re.split(" {2,}", line.strip())


def test_both_gains_have_a_p_and_one_candidate_has_none(curves: BestOfNResult) -> None:
    text = summary(curves)
    headers = cells(text, "N")
    assert headers[-4:] == ["over random", "p (Holm)", "over vote", "p (Holm)"]
    for k, point in enumerate(curves.curves["critic"]):
        row = cells(text, str(point.n))
        given = [p_value(curves.gains[name][k].p_holm) for name in ("over_random", "over_vote")]
        assert [row[-3], row[-1]] == (["-", "-"] if point.n == 1 else given)


def test_the_head_says_how_a_candidate_is_chosen(curves: BestOfNResult) -> None:
    linked = replace(curves, selection="weighted-vote", link="sigmoid", aggregate="min", estimator="prefix")
    assert "selection weighted-vote, estimator prefix, aggregation min, link sigmoid" in summary(linked)
    assert "aggregation" not in summary(replace(curves, steps_per_response=None))


def test_rows_without_an_answer_and_without_a_score_are_two_lines(curves: BestOfNResult) -> None:
    failed = replace(curves, errors={"empty response": 700, "no answer": 3, "not scored: empty response": 52})
    lines = [line for line in summary(failed).splitlines() if line.startswith("rows without")]
    assert lines == [
        f"rows without an answer: 703 of {curves.candidates} (empty response 700, no answer 3)",
        f"rows without a score: 52 of {curves.candidates} (empty response)",
    ]


def test_nothing_is_named_by_a_key(curves: BestOfNResult, steps: StepResult) -> None:
    used = replace(curves.provenance, critic_used_in_this_run={"completion_tokens": 547, "cost": 0.5})
    text = summary(replace(curves, provenance=used))
    assert "547 completion tokens, $0.5000" in text
    for shown in (text, summary(steps)):
        assert "_" not in shown
        assert not re.search(r"\bf1\b", shown)


def test_few_questions_are_told(curves: BestOfNResult, steps: StepResult) -> None:
    assert "note: 12 units: too few" in summary(curves)
    assert "note: 40 units: few" in summary(steps)


def test_the_critic_stands_beside_the_controls_of_steps(steps: StepResult) -> None:
    report, text = steps.step_f1, summary(steps)
    fitted, ranking, first = report.held_out_threshold, report.ranking, report.first_error
    assert fitted is not None and ranking is not None and first is not None and report.reliability is not None

    def percents(value: float | None, low: float | None, high: float | None) -> str:
        assert value is not None and low is not None and high is not None
        return f"{100 * value:.1f} ({100 * low:.1f} .. {100 * high:.1f})"

    area = percents(ranking.auroc, ranking.auroc_low, ranking.auroc_high)
    pooled, held_out = report.pooled, fitted.pooled
    assert cells(text, "visualprm, threshold 0.8")[1:] == [percents(pooled.macro_f1, pooled.low, pooled.high), area]
    assert cells(text, "visualprm, held-out threshold")[1:] == [
        percents(held_out.macro_f1, held_out.low, held_out.high),
        area,
    ]
    assert [control.name for control in report.controls] == [
        "always correct",
        "coin at the label share",
        "position and length",
        "bag of words",
    ]
    for control in report.controls:
        curve = control.auroc
        shown = "-" if curve is None else percents(curve.value, curve.low, curve.high)
        assert cells(text, f"control: {control.name}")[-1] == shown
    assert cells(text, "control: coin at the label share")[1] == "50.0"
    assert f"average precision %: {100 * (ranking.average_precision_incorrect or 0):.1f} of incorrect steps" in text
    assert f"calibration error %: {100 * report.reliability.expected_calibration_error:.1f}" in text
    assert f"first-error F1 % (harmonic mean): {100 * (first.harmonic_mean or 0):.1f}, " in text


def comments(image: bytes) -> list[str]:
    """The texts of a picture, which matplotlib leaves as comments beside their outlines."""
    return re.findall("<!-- (.*?) -->", image.decode())


def test_pictures_name_the_critic_and_say_which_rows_failed(curves: BestOfNResult, steps: StepResult) -> None:
    failed = replace(curves, errors={"not scored: too long": 5})
    texts = comments(best_of_n_plot(failed)["svg"])
    assert "visualprm on mathvista (miniature world)" in texts
    assert f"visualprm, best (5 of {curves.candidates} rows without a score)" in texts
    texts = comments(step_plot(replace(steps, errors={"not scored: too long": 5}))["svg"])
    assert "visualprocessbench (miniature world): step detection by visualprm, threshold 0.8" in texts
    assert "5 of 40 solutions without a score" in texts


@pytest.mark.filterwarnings("error")
def test_names_in_any_script_are_drawn_or_escaped_without_a_warning(curves: BestOfNResult, steps: StepResult) -> None:
    name = "模型 モデル 한국어 модель 😀\U000f0000"
    named = replace(curves, label=name, policy=name, metric="точность")
    for image in (best_of_n_plot(named), step_plot(replace(steps, label=name))):
        assert "модель" in image["svg"].decode() and r"\U000f0000" in image["svg"].decode()


def test_the_vote_is_drawn_beside_a_critic_that_votes(run: Run) -> None:
    voting = run("mathvista", "self-consistency", 12)
    picture = best_of_n_plot(voting)["svg"]
    assert {"majority vote", "self-consistency, vote"} <= set(comments(picture))
    assert re.search("stroke-dasharray[^>]*stroke: #1f5fa8|stroke: #1f5fa8[^>]*stroke-dasharray", picture.decode())


def test_a_picture_holds_a_name_of_any_length(curves: BestOfNResult) -> None:
    named = replace(curves, critic="a" * 100_000, policy="$x_\n" * 50_000)
    picture = best_of_n_plot(named)
    assert len(picture["svg"]) < 1_000_000
    assert picture == best_of_n_plot(named)


def test_a_critic_without_step_scores_has_no_held_out_threshold(tmp_path: Path) -> None:
    command = ["run", "--nano", "--task", "visualprocessbench", "--critic", "self-consistency", "--limit", "10"]
    done = CliRunner().invoke(main, [*command, "--max-error-rate", "1", "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "held-out" not in done.output

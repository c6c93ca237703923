"""The leaderboard page: what it ranks, what it says beside the ranks, and what it never shows."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from site_pages import first_panels, panels, ranked

import vpbench
from vpbench.cli import main
from vpbench.report.codec import as_json
from vpbench.report.names import without_folders, without_paths
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import read_result
from vpbench.site.groups import Entry, by_chance, groups_of
from vpbench.site.leaderboard import build_leaderboard
from vpbench.terminal import p_value

Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> BestOfNResult:
    """N = 1, 2, ..., 128 on twelve questions, marked as complete and no miniature."""
    output = tmp_path_factory.mktemp("curves")
    options: Any = {"nano": True, "limit": 12, "resamples": 100, "output": output}
    result = read_result(vpbench.run("mathvista", "visualprm", **options)[0].folder).result
    assert isinstance(result, BestOfNResult)
    return replace(result, complete=True, questions_in_task=12, nano=False)


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> StepResult:
    output = tmp_path_factory.mktemp("steps")
    options: Any = {"nano": True, "limit": 40, "resamples": 100, "output": output}
    result = read_result(vpbench.run("visualprocessbench", "visualprm", **options)[0].folder).result
    assert isinstance(result, StepResult)
    return result


def of_critic(result: Any, critic: str, **changes: Any) -> Any:
    return replace(result, critic=critic, **changes)


def at(result: BestOfNResult, *ns: int) -> BestOfNResult:
    """The result as it is with these N only."""
    kept = {
        name: {key: tuple(point for point in points if point.n in ns) for key, points in getattr(result, name).items()}
        for name in ("curves", "gains")
    }
    measures = tuple(
        replace(measure, points=tuple(point for point in measure.points if point.n in ns))
        for measure in result.measures
    )
    return replace(result, **kept, measures=measures)


def from_pool(result: BestOfNResult, sha256: str) -> BestOfNResult:
    return replace(result, provenance=replace(result.provenance, pool_sha256=sha256))


def on_data(result: Any, fingerprint: str) -> Any:
    data = replace(result.provenance.data, fingerprint=fingerprint)
    return replace(result, provenance=replace(result.provenance, data=data))


def page_of(folder: Path, *results: Any) -> str:
    """The page over the results, which lie in folders 0, 1, ..."""
    for number, result in enumerate(results):
        (folder / "runs" / "results" / str(number)).mkdir(parents=True)
        (folder / "runs" / "results" / str(number) / "result.json").write_text(json.dumps(as_json(result)))
    return build_leaderboard(folder / "runs", folder / "site")[0].read_text()


APART: dict[str, Change] = {
    "another estimator": lambda result: replace(result, estimator="prefix"),
    "another grading": lambda result: replace(result, grading="official"),
    "the pool's own verdicts": lambda result: replace(result, grading="given"),
    "another judge": lambda result: replace(result, judge="openai:some-model"),
    "another policy": lambda result: replace(result, policy="other-policy"),
    "a pool of the same name": lambda result: from_pool(result, "0" * 64),
    "other data": lambda result: on_data(result, "0" * 64),
    "part of the task": lambda result: replace(result, complete=False, questions=6, questions_in_task=12),
    "other questions, as many": lambda result: replace(
        result, curves={**result.curves, "first": tuple(replace(p, value=0.123) for p in result.curves["first"])}
    ),
    "another version of the task": lambda result: replace(
        result, provenance=replace(result.provenance, task_version=99)
    ),
    "the miniature world": lambda result: replace(result, nano=True),
    "no common N": lambda result: at(result, 1, 4),
}


@pytest.mark.parametrize("change", APART.values(), ids=APART)
def test_what_cannot_be_compared_stands_in_another_table(curves: BestOfNResult, tmp_path: Path, change: Change) -> None:
    usual = at(curves, 1, 8, 64)
    page = page_of(tmp_path, of_critic(usual, "one"), of_critic(usual, "two"), of_critic(change(usual), "three"))
    assert sorted(map(sorted, ranked(page))) == [["one", "two"], ["three"]]
    assert "1\npair of results stand" in page


def test_settings_of_a_critic_may_differ_within_a_table(curves: BestOfNResult, tmp_path: Path) -> None:
    weighted = replace(curves, selection="weighted-vote", aggregate="min", link="sigmoid")
    assert len(ranked(page_of(tmp_path, curves, weighted))) == 1


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ((1, 2, 64, 128), (1, 2, 64, 128), (64, 128)),
        ((1, 2, 8, 64), (1, 2, 8, 128), (8,)),
        ((2, 4, 128), (4, 16, 128), (4, 128)),
        ((1, 128), (2, 128), (128,)),
        ((1,), (1,), (1,)),
    ],
)
def test_ranks_are_at_the_largest_common_n_up_to_half_of_the_pool(
    curves: BestOfNResult, first: tuple[int, ...], second: tuple[int, ...], shown: tuple[int, ...]
) -> None:
    pair = [of_critic(at(curves, *first), "one"), of_critic(at(curves, *second), "two")]
    (group,) = groups_of([Entry(result.critic, result.critic, result) for result in pair])
    assert group.ns == shown


def test_the_rank_is_by_the_first_of_the_n(curves: BestOfNResult, tmp_path: Path) -> None:
    """A critic that leads at N = 128 only isn't first."""

    def with_values(critic: str, at_64: float, at_128: float) -> BestOfNResult:
        values = {64: at_64, 128: at_128}
        critics = tuple(replace(point, value=values[point.n]) for point in at(curves, 64, 128).curves["critic"])
        return of_critic(at(curves, 64, 128), critic, curves={**at(curves, 64, 128).curves, "critic": critics})

    page = page_of(tmp_path, with_values("late", 0.9, 1.0), with_values("early", 0.95, 0.95))
    assert ranked(page) == [["early", "late"]]
    assert "Ranked at N = 64" in page
    at_128 = next(panel for panel in panels(page) if panel.n == 128)
    assert not at_128.chosen and [row.name for row in at_128.lines] == ["late", "early"]


def test_multiplicity_is_counted(curves: BestOfNResult, tmp_path: Path) -> None:
    """Two gains at each of two N; a vote's gain over the vote isn't one."""
    page = page_of(tmp_path, of_critic(curves, "one"), of_critic(curves, "two", selection="vote"))
    assert by_chance(100) == pytest.approx(5)
    assert "ranks by 6 gains" in page and "about 0.3 of their intervals would exclude 0 by chance" in page
    (panel,) = first_panels(page)
    assert ["0 by construction" in row.cells["over_vote"] for row in panel.lines] == [False, True]
    assert f"p {escape(p_value(curves.gains['over_random'][-1].p_holm))}" in page


def test_notes_failed_rows_and_diagnosis_are_on_the_page_and_marked(curves: BestOfNResult, tmp_path: Path) -> None:
    errors = {"empty response": 700, "no answer": 3, "not scored: too long": 52}
    failing = of_critic(curves, "failing", errors=errors, notes=("a note",), diagnosis=("a diagnosis",))
    page = page_of(tmp_path, failing, curves)
    rows = curves.candidates
    for text in (
        "failing, best: a note",
        "failing, best: diagnosis: a diagnosis",
        f"failing, best: rows without an answer: 703 of {rows} (empty response 700, no answer 3)",
        f"failing, best: rows without a score: 52 of {rows} (too long)",
        f'failing</a> <span class="tag">rows without an answer: 703 of {rows}</span> '
        f'<span class="tag">rows without a score: 52 of {rows}</span>',
    ):
        assert text in page, text
    alone = (tmp_path / "site" / "results" / "0.html").read_text()
    for text in ("a note", "a diagnosis", f"rows without a score: 52 of {rows} (too long)"):
        assert f"<li>{text}</li>" in alone


def test_what_all_say_is_said_once(curves: BestOfNResult, tmp_path: Path) -> None:
    page = page_of(tmp_path, *(of_critic(curves, name, notes=("one remark of both",)) for name in ("one", "two")))
    assert page.count("one remark of both") == page.count("All: one remark of both") == 1


def test_steps_are_ranked_at_held_out_thresholds_beside_their_controls(steps: StepResult, tmp_path: Path) -> None:
    fitted = steps.step_f1.held_out_threshold
    assert fitted is not None
    better = replace(steps.step_f1, held_out_threshold=replace(fitted, pooled=replace(fitted.pooled, macro_f1=1.0)))
    worse_fixed = replace(better, pooled=replace(better.pooled, macro_f1=0.1, low=0.0))
    page = page_of(tmp_path, of_critic(steps, "a"), of_critic(steps, "b", step_f1=worse_fixed))
    assert ranked(page) == [["b", "a"]]
    for name in ("always correct", "coin at the label share", "position and length", "bag of words"):
        assert f'<th scope="row">{name} <small>control</small></th>' in page
    unfitted = replace(worse_fixed, held_out_threshold=None)
    page = page_of(tmp_path / "unfitted", of_critic(steps, "a"), of_critic(steps, "b", step_f1=unfitted))
    assert ranked(page) == [["a", "b"]] and "fixed threshold, as not all" in page


def test_a_damaged_result_is_named_and_the_others_stand(curves: BestOfNResult, tmp_path: Path) -> None:
    page_of(tmp_path, of_critic(curves, "sound"))
    text = json.dumps(as_json(curves))
    damaged = {"cut": text[:-9], "list": "[]", "deep": "[" * 100_000, "lacking": text.replace('"policy"', '"polity"')}
    for name, content in damaged.items():
        (tmp_path / "runs" / "results" / name).mkdir()
        (tmp_path / "runs" / "results" / name / "result.json").write_text(content)
    arguments = ["leaderboard", "--output", str(tmp_path / "runs"), "--site", str(tmp_path / "site")]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    page = (tmp_path / "site" / "index.html").read_text()
    assert done.exit_code == 0
    assert ranked(page) == [["sound"]] and "4 results can't be read" in page
    for name in damaged:
        assert f"<li>{name}" in page
        assert str(tmp_path / "runs" / "results" / name) in done.output
    assert str(tmp_path) not in page


def test_nothing_is_copied_from_a_result_s_folder(curves: BestOfNResult, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("<svg><script>root:x:0</script></svg>")
    folder = tmp_path / "runs" / "results" / "0"
    page_of(tmp_path, curves)
    for name in ("curve.svg", "rows.parquet", "page.html"):
        (folder / name).symlink_to(secret)
    build_leaderboard(tmp_path / "runs", tmp_path / "site")
    files = [file for file in (tmp_path / "site").rglob("*") if file.is_file()]
    assert len(files) > 3 and not [file for file in files if "root:x" in file.read_text()]


def test_a_page_of_a_result_that_is_gone_goes_too_and_nothing_else(curves: BestOfNResult, tmp_path: Path) -> None:
    page_of(tmp_path, curves, of_critic(curves, "other"))
    shutil.rmtree(tmp_path / "runs" / "results" / "1")
    mine = tmp_path / "site" / "results" / "mine.html"
    mine.write_text("<p>not a page of the leaderboard</p>")
    build_leaderboard(tmp_path / "runs", tmp_path / "site")
    assert sorted(file.name for file in mine.parent.iterdir()) == ["0.html", "0.json", "mine.html"]


def test_controls_and_paths_stay_off_the_page(curves: BestOfNResult, tmp_path: Path) -> None:
    odd = "x\x1b[2J\x00\u202e<script>"

    def with_model(model: str, revision: str) -> BestOfNResult:
        settings = {"model": model}
        return replace(
            curves, provenance=replace(curves.provenance, critic_settings=settings, critic_revision=revision)
        )

    hostile = of_critic(curves, odd, notes=(f"read from /home/me/private/pool.jsonl {odd}",), policy=odd, judge=odd)
    first, second = with_model("/home/me/a/model", "1" * 16), with_model("/home/me/b/model", "2" * 16)
    page = page_of(tmp_path, first, second, hostile, of_critic(curves, "visualprm", judge="/home/me/judge"))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page)
    assert page.count("<script") == 1 and "default-src 'none'" in page
    assert "read from pool.jsonl" in page
    everything = page + "".join(file.read_text() for file in (tmp_path / "site" / "results").iterdir())
    assert "/home/me" not in everything
    assert "visualprm (model model) [11111111]" in page and "visualprm (model model) [22222222]" in page


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("model /home/me/x/model-7b, dtype auto", "model model-7b, dtype auto"),
        ("~/.cache/x ../m/y (./y/z) file:///home/me/a.json", "x y (z) a.json"),
        ("C:\\Users\\me\\x.txt: 3 rows", "x.txt: 3 rows"),
        ("critic:/home/me/x and a=critic:/home/me/y", "critic:x and a=critic:y"),
        ("https://a.b/c/d 1/2 and/or OpenGVLab/VisualPRM", "https://a.b/c/d 1/2 and/or OpenGVLab/VisualPRM"),
    ],
)
def test_paths_are_cut_to_their_last_part(text: str, public: str) -> None:
    assert without_paths(text) == public


@pytest.mark.parametrize(
    ("setting", "public"),
    [
        ("/home/o'brien/my models/ckpt 2/", "ckpt 2"),
        ("pools/private/pool.jsonl", "pool.jsonl"),
        ("OpenGVLab/VisualPRM-8B", "OpenGVLab/VisualPRM-8B"),
        ("a=critic:/home/me too/x,b=critic:../me/x y,c=critic:a/b", "a=critic:x,b=critic:x y,c=critic:a/b"),
        ("vllm:~me/models/x", "vllm:x"),
        ("base_url=http://host:80/v1/x", "base_url=http://host:80/v1/x"),
        ("file:///home/me/x", "x"),
        ("Answer yes/no/maybe.\nSee /home/me/x", "Answer yes/no/maybe.\nSee x"),
        ("C:\\Users\\my self\\x", "x"),
    ],
)
def test_a_setting_s_paths_end_where_it_does(setting: str, public: str) -> None:
    assert without_folders(setting) == public

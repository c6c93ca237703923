"""Figures for papers: every one that the results allow, the same bytes each time, whatever things are called."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import vpbench
from vpbench.report.figures import paper_figures, write_figures
from vpbench.report.result import BestOfNResult, Result, StepResult

Group = list[tuple[str, Result]]
LONG = "InternVL2_5-8B-visualprm-checkpoint-2000-" * 20


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    runs = vpbench.run(
        "mathvista,visualprocessbench",
        "tuned=visualprm,vote=self-consistency",
        nano=True,
        limit=12,
        resamples=100,
        n=[1, 2, 4, 8, 16],
        max_error_rate=1,
        output=tmp_path_factory.mktemp("runs"),
    )
    return {f"{stored.result.task} {stored.result.row}": stored.result for stored in runs}


@pytest.fixture
def curves(results: dict[str, Result]) -> BestOfNResult:
    result = results["mathvista tuned"]
    assert isinstance(result, BestOfNResult)
    return result


@pytest.fixture
def steps(results: dict[str, Result]) -> StepResult:
    result = results["visualprocessbench tuned"]
    assert isinstance(result, StepResult)
    return result


def only(result: BestOfNResult, *ns: int) -> BestOfNResult:
    """The result with these N alone, its intervals of no width."""

    def cut(points):  # type: ignore[no-untyped-def]
        return tuple(replace(point, low=point.value, high=point.value) for point in points if point.n in ns)

    return replace(
        result,
        curves={name: cut(points) for name, points in result.curves.items()},
        gains={name: cut(points) for name, points in result.gains.items()},
    )


def texts(svg: bytes) -> list[str]:
    """The texts of a figure, which matplotlib leaves as comments beside their outlines."""
    return re.findall("<!-- (.*?) -->", svg.decode(), re.DOTALL)


def test_every_figure_that_the_results_allow(results: dict[str, Result], tmp_path: Path) -> None:
    groups = [
        [(name.split()[1], result) for name, result in results.items() if name.startswith(task)]
        for task in ("mathvista", "visualprocessbench")
    ]
    files = write_figures(groups, tmp_path / "new" / "plots")
    names = [
        *("best-of-n-mathvista", "gain-over-vote-mathvista", "reliability-visualprocessbench"),
        *("step-f1-by-position-visualprocessbench", "gain-by-task-n8", "gain-by-task-n16"),
    ]
    assert [path.name for path in files] == [f"{name}.{suffix}" for name in names for suffix in ("svg", "pdf", "png")]
    for path in files:
        data = path.read_bytes()
        assert data.startswith({".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG"}[path.suffix])
        assert b"/Type3" not in data
        for trace in (b"CreationDate", b"<dc:date>", b"Software", str(tmp_path).encode()):
            assert trace not in data


def test_the_title_says_what_was_measured(curves: BestOfNResult, steps: StepResult) -> None:
    figures = paper_figures([[("tuned", curves)], [("tuned", steps)]])
    shown = " ".join(texts(figures["gain-over-vote-mathvista"]["svg"]))
    for part in (
        "mathvista (miniature world), 12 of 64 questions",
        "pool nano-policy, robust grading, estimator expected",
        "bars: 95% interval of the paired difference",
    ):
        assert part in shown
    shown = " ".join(texts(figures["step-f1-by-position-visualprocessbench"]["svg"]))
    assert "visualprocessbench (miniature world), 12 of 420 solutions" in shown
    assert "tuned (threshold 0.8)" in shown


def test_the_same_results_are_the_same_bytes(curves: BestOfNResult, steps: StepResult) -> None:
    groups: list[Group] = [[("a", curves), ("b", only(curves, 1, 8))], [("a", steps)]]
    assert paper_figures(groups) == paper_figures(groups)


def test_names_of_any_kind_stay_within_the_column(curves: BestOfNResult, steps: StepResult) -> None:
    names = [LONG, "模型评分器" * 10, "$x^2$ {\\frac", "\x1b[31m<b>", "/home/someone/ckpt", ""]
    hostile = replace(curves, policy=LONG, task="../模型 $x" * 20)
    groups: list[Group] = [[(name, hostile) for name in names], [(name, steps) for name in names]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = paper_figures(groups)
    assert len(figures) == 6
    for file, images in figures.items():
        assert re.fullmatch(r"[a-zA-Z0-9][A-Za-z0-9._-]{0,80}", file)
        assert "someone" not in " ".join(texts(images["svg"]))
        picture = Image.open(io.BytesIO(images["png"])).convert("L")
        assert picture.width == 1020
        # nothing runs over the edge
        edges = [picture.crop((x, 0, x + 1, picture.height)).getextrema()[0] for x in (0, picture.width - 1)]
        assert edges == [255, 255]


@pytest.mark.parametrize(("ns", "by_task"), [((1,), []), ((8,), [8]), ((2, 4), [4]), ((1, 16), [16])])
def test_few_values_of_n_and_intervals_of_no_width(
    curves: BestOfNResult, ns: tuple[int, ...], by_task: list[int]
) -> None:
    figures = paper_figures([[("a", only(curves, *ns)), ("b", only(curves, *ns))]])
    gains = ["gain-over-vote-mathvista"] if ns != (1,) else []
    assert list(figures) == ["best-of-n-mathvista", *gains, *(f"gain-by-task-n{n}" for n in by_task)]


def test_a_critic_that_votes_gains_nothing_over_the_vote(results: dict[str, Result], curves: BestOfNResult) -> None:
    voting = results["mathvista vote"]
    assert list(paper_figures([[("vote", voting)]])) == ["best-of-n-mathvista"]
    figures = paper_figures([[("vote", voting), ("tuned", curves)]])
    assert "vote (vote)" in texts(figures["best-of-n-mathvista"]["svg"])
    assert not any("vote (vote)" in text for text in texts(figures["gain-over-vote-mathvista"]["svg"]))


def test_results_that_cannot_be_compared_have_figures_of_their_own(curves: BestOfNResult) -> None:
    official = replace(curves, grading="official")
    figures = paper_figures([[("a", curves)], [("a", official)]])
    names = ["best-of-n-mathvista", "gain-over-vote-mathvista", "gain-by-task-n8", "gain-by-task-n16"]
    assert sorted(figures) == sorted([*names, *(f"{name}-2" for name in names)])
    assert any("official grading" in text for text in texts(figures["gain-by-task-n8-2"]["svg"]))


def test_two_selections_of_a_critic_are_told_apart(curves: BestOfNResult, steps: StepResult) -> None:
    weighted = replace(curves, selection="weighted-vote")
    figures = paper_figures([[("a", curves), ("a", weighted)], [("a", steps)]])
    for name in ("best-of-n-mathvista", "gain-by-task-n8"):
        svg = figures[name]["svg"]
        assert {"a (best)", "a (weighted-vote)"} <= set(texts(svg))
        assert b"#0072b2" in svg and b"#d55e00" in svg
    assert b"#0072b2" in figures["step-f1-by-position-visualprocessbench"]["svg"]
    assert b"#d55e00" not in figures["step-f1-by-position-visualprocessbench"]["svg"]

"""What others read: the leaderboard page, comparisons, the check, and text on a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_runs import write_edited

from vpbench.cli import main
from vpbench.report.plots import best_of_n_plot
from vpbench.report.stored import read_result
from vpbench.site.leaderboard import build_leaderboard
from vpbench.store import write_atomic
from vpbench.terminal import printable, table

HOSTILE = "<script>alert(1)</script></td>$\\frac{\x1b[31m"


def vpbench(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Results on the miniature world: two aggregations, one also on part of it, and step detection at two thresholds.

    They lie in one folder, so that nothing is scored twice.
    """
    output = tmp_path_factory.mktemp("runs")
    asked = {
        "prm": ("mathvista", "--limit", 24),
        "last": ("mathvista", "--limit", 24, "--aggregate", "last"),
        "part": ("mathvista", "--limit", 9),
        "0.5": ("visualprocessbench", "--limit", 90, "--threshold", 0.5),
        "0.9999": ("visualprocessbench", "--limit", 90, "--threshold", 0.9999),
    }
    found: dict[str, Path] = {}
    for name, arguments in asked.items():
        code, text = vpbench("run", "--nano", "--output", output, "--resamples", 200, "--task", *arguments)
        assert code == 0, text
        (found[name],) = set((output / "results").iterdir()) - set(found.values())
    return found


def test_comparing_a_result_with_itself_finds_nothing(runs: dict[str, Path]) -> None:
    code, text = vpbench("check", runs["prm"], runs["prm"])
    assert code == 0
    assert "held" in text
    assert set(re.findall(r"[+-]\d+\.\d\d", text)) == {"+0.00"}


def test_a_difference_has_the_sign_and_size_of_the_results(runs: dict[str, Path]) -> None:
    values = [
        json.loads((runs[name] / "result.json").read_text())["curves"]["critic"][-1]["value"]
        for name in ("prm", "last")
    ]
    code, text = vpbench("compare", runs["prm"], runs["last"])
    assert code == 0
    last = text.strip().splitlines()[-1]
    assert last.startswith("N = 128")
    assert f"{100 * (values[1] - values[0]):+.2f}" in last


def test_a_clear_loss_is_a_regression_and_a_gain_is_not(runs: dict[str, Path]) -> None:
    code, text = vpbench("check", runs["0.5"], runs["0.9999"])
    assert code == 1
    assert "regressed" in text
    assert vpbench("check", runs["0.9999"], runs["0.5"])[0] == 0


def test_a_comparison_says_what_else_differs_than_the_critic(runs: dict[str, Path], tmp_path: Path) -> None:
    assert "note:" not in vpbench("compare", runs["prm"], runs["last"])[1]
    result = json.loads((runs["last"] / "result.json").read_text())
    pool = result["provenance"]["pool_sha256"]
    result["provenance"]["pool_sha256"] = "0" * 64
    write_edited(tmp_path, result)
    (tmp_path / "units.parquet").write_bytes((runs["last"] / "units.parquet").read_bytes())
    code, text = vpbench("compare", runs["prm"], tmp_path)
    assert code == 0
    assert re.findall("differs: pool (.*)", text) == [f"{pool} / {'0' * 64}"]
    assert "note: the difference isn't the critic's alone" in text


@pytest.mark.parametrize(
    ("second", "message"),
    [("part", "the questions differ (24 and 9)"), ("0.5", "task is 'mathvista'"), ("none", "not a result folder")],
)
def test_what_cannot_be_compared_exits_2(runs: dict[str, Path], second: str, message: str) -> None:
    code, text = vpbench("check", runs["prm"], runs.get(second, Path("none")))
    assert code == 2
    assert message in text


def test_the_page_shows_every_result_and_escapes_what_data_says(runs: dict[str, Path], tmp_path: Path) -> None:
    for number, folder in enumerate(runs.values()):
        copy = tmp_path / "runs" / "results" / str(number)
        copy.mkdir(parents=True)
        for name in ("result.json", "curve.svg"):
            (copy / name).write_bytes((folder / name).read_bytes())
    result = json.loads((runs["prm"] / "result.json").read_text()) | {
        "critic": HOSTILE,
        "nano": False,
        "complete": False,
    }
    write_edited(copy, result)
    hostile = read_result(copy).result
    assert best_of_n_plot(hostile)["png"] and best_of_n_plot(hostile)["svg"]
    page, count = build_leaderboard(tmp_path / "runs", tmp_path / "site")
    html = page.read_text()
    assert count == len(runs)
    pages = {page: html, **{file: file.read_text() for file in (page.parent / "results").glob("*.html")}}
    assert len(pages) == 1 + count
    assert html.count("<tr") > count and "&lt;script&gt;alert(1)" in html
    for file, text in pages.items():
        assert text.count("<script") == 1 and "default-src 'none'" in text
        if file != page:
            assert (">By category<" in text) + (">By source<" in text) == 1
        for source in re.findall(r'(?:src|href)="((?!https:)[^"#]+)', text):
            assert (file.parent / source).is_file(), source


def test_results_that_can_be_compared_share_a_chart_and_tell_their_settings(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    for name in ("prm", "last", "part"):
        copy = tmp_path / "runs" / "results" / name
        copy.mkdir(parents=True)
        (copy / "result.json").write_bytes((runs[name] / "result.json").read_bytes())
    page, _ = build_leaderboard(tmp_path / "runs", tmp_path / "site")
    charts = re.findall('<figure class="chart">.*?</figure>', page.read_text(), re.S)
    shared, gains, alone, _ = charts
    for aggregate in ("mean", "last"):
        for chart in (shared, gains):
            assert f"<title>visualprm (aggregate {aggregate})</title>" in chart
    assert alone.count('<g class="line s') == 1


def test_a_result_of_an_unknown_version_is_named(runs: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "results" / "newer"
    copy.mkdir(parents=True)
    result = json.loads((runs["prm"] / "result.json").read_text())
    write_atomic(copy / "result.json", json.dumps({**result, "schema_version": 99}).encode())
    code, text = vpbench("leaderboard", "--output", tmp_path, "--site", tmp_path / "site")
    assert code == 2
    assert f"{copy}: schema version 99" in text
    for other in (b"[]", b"{}"):
        write_atomic(copy / "result.json", other)
        code, text = vpbench("leaderboard", "--output", tmp_path, "--site", tmp_path / "site")
        assert (code, "not a result of vpbench" in text) == (2, True)


def test_no_results_is_a_clear_error(tmp_path: Path) -> None:
    code, text = vpbench("leaderboard", "--output", tmp_path)
    assert code == 2
    assert "no results" in text


def test_nothing_can_steer_the_terminal() -> None:
    assert printable("a\x1b[2J\x07b\u202ec\ud800\x9bd\ne") == "a�[2J�b�c��d\ne"
    assert "\x1b" not in table([[HOSTILE]], ["x"])

"""`--format`: standard output holds one document and nothing else, whatever the command."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from small_runs import vpbench, write_edited

RUN = ("run", "--nano", "--task", "mathvista,visualprocessbench", "--critic", "a=visualprm,b=self-consistency")
SMALL = ("--limit", 12, "--resamples", 100, "--n", "1,2,4", "--max-error-rate", 1)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    output = tmp_path_factory.mktemp("runs")
    return output, vpbench(*RUN, *SMALL, "--output", output, "--format", "json")


@pytest.fixture
def runs(ran: tuple[Path, Result]) -> Path:
    return ran[0]


@pytest.fixture
def mathvista(runs: Path) -> list[Path]:
    return sorted(runs.glob("results/mathvista--*"))


def tables(done: Result) -> list[dict[str, Any]]:
    content = json.loads(done.stdout)
    assert list(content) == ["tables"]
    return list(content["tables"])


def test_a_run_s_document_is_alone_on_standard_output(ran: tuple[Path, Result]) -> None:
    runs, done = ran
    assert done.exit_code == 0
    titles = [table["title"] for table in tables(done)]
    overview = [title for title in titles if title.startswith(("N = 4", "differences: ", "step detection"))]
    assert titles == [
        *overview,
        "mathvista, a: accuracy by N",
        "mathvista, b: accuracy by N",
        "visualprocessbench, a: all steps together",
        "visualprocessbench, a: at threshold 0.8",
        "visualprocessbench, b: all steps together",
        "visualprocessbench, b: at threshold 0.5",
    ]
    assert "mathvista | critic a" in done.stderr and f"4 results under {runs}/results" in done.stderr
    curve = tables(done)[len(overview)]["rows"]
    (result,) = [json.loads(path.read_text()) for path in runs.glob("results/mathvista--*--a--*/result.json")]
    for row, point, gain in zip(curve, result["curves"]["critic"], result["gains"]["over_vote"], strict=True):
        assert row["n"] == point["n"]
        assert [row["critic"][key] for key in ("value", "low", "high")] == [point[k] for k in ("value", "low", "high")]
        assert row["over_vote"]["value"] == gain["value"]
        assert row["over_vote_p_holm"] == (None if point["n"] == 1 else gain["p_holm"])


def test_a_report_is_the_run_s_document_again(ran: tuple[Path, Result]) -> None:
    runs, done = ran
    for folder in (runs, runs / "results"):
        again = vpbench("report", folder, "--format", "json")
        assert tables(again) == tables(done)
    text = vpbench("report", runs).stdout
    for path in runs.glob("results/*/table.txt"):
        assert path.read_text() in text
        assert vpbench("report", path.parent).stdout == path.read_text()


@pytest.mark.parametrize("style", ["markdown", "csv", "latex"])
def test_a_report_in_other_formats(runs: Path, style: str) -> None:
    done = vpbench("report", runs, "--format", style)
    assert done.exit_code == 0 and not done.stderr
    starts = {"markdown": "**N = 4: mathvista", "csv": "table,row,", "latex": "% N = 4: mathvista"}
    assert done.stdout.startswith(starts[style])


def test_what_can_t_be_read_is_named_and_left_out(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "results", tmp_path / "results")
    damaged, *others = sorted(tmp_path.glob("results/*/result.json"))
    damaged.write_text("{")
    done = vpbench("report", tmp_path, "--format", "json")
    assert done.exit_code == 0 and str(damaged.parent) in done.stderr
    assert not any(table["title"].startswith("mathvista, a:") for table in tables(done))
    for path in others:
        path.write_text("{")
    done = vpbench("report", tmp_path, "--format", "json")
    assert (done.exit_code, done.stdout) == (2, "") and "no result that can be read" in done.stderr
    done = vpbench("report", tmp_path / "nothing")
    assert (done.exit_code, done.stdout) == (2, "") and "no results" in done.stderr


def test_plots_are_drawn_from_results_alone(runs: Path, tmp_path: Path) -> None:
    for path in runs.glob("results/*/result.json"):
        (tmp_path / path.parent.name).mkdir()
        # a character of private use, which no font has
        write_edited(tmp_path / path.parent.name, json.loads(path.read_text()) | {"label": "\ue000"})
    done = vpbench("report", tmp_path, "--format", "json", "--plots", tmp_path / "plots")
    assert done.exit_code == 0 and tables(done)
    assert "no overview: " in done.stderr and "units.parquet" in done.stderr
    files = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert f"{len(files)} files in {tmp_path}/plots" in done.stderr
    assert "\\ue000" in (tmp_path / "plots" / "best-of-n-mathvista.svg").read_text()
    assert {"best-of-n-mathvista.pdf", "gain-by-task-n4.svg", "reliability-visualprocessbench.png"} <= set(files)


def test_compare_and_check_give_numbers_and_the_verdict(mathvista: list[Path]) -> None:
    compared = vpbench("compare", *mathvista, "--format", "json")
    assert compared.exit_code == 0
    (table,) = tables(compared)
    assert [row["figure"] for row in table["rows"]] == ["N = 1", "N = 2", "N = 4"]
    assert any(note.startswith("differs: ") for note in table["notes"])
    loss = table["rows"][-1]["difference"]
    checked = vpbench("check", *mathvista, "--format", "json", "--smallest-loss", 100)
    verdict, again = tables(checked)
    assert again["rows"][-1]["difference"] == loss
    assert verdict["rows"][0]["verdict"] == "held" and verdict["rows"][0]["smallest_loss"]["value"] == 1
    assert checked.exit_code == 0
    with_text = vpbench("check", *mathvista).stdout.splitlines()[-1]
    strict = vpbench("check", *mathvista, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(strict.stdout)))
    assert [row["value"] for row in rows if row["column"] == "verdict"] == [with_text]
    assert strict.exit_code == (1 if with_text == "regressed" else 0)


def test_the_leaderboard_s_groups_are_tables(runs: Path, tmp_path: Path) -> None:
    done = vpbench("leaderboard", "--output", runs, "--site", tmp_path / "site", "--format", "json")
    assert done.exit_code == 0 and "4 results in" in done.stderr
    curves, steps = tables(done)
    assert curves["title"].startswith("mathvista (miniature world): 12 of 64 questions, pool nano-policy")
    ranks = [row["rank"] for row in curves["rows"]]
    assert ranks == [1, 2, None, None, None, None]
    assert {row["name"] for row in curves["rows"][:2]} == {"a", "b"}
    (voting,) = [row for row in curves["rows"] if row["selection"] == "vote"]
    assert voting["over_vote_4"] is None
    assert [row["name"] for row in steps["rows"][:2]] == ["a", "b"]
    assert (tmp_path / "site" / "index.html").is_file()


def test_lists_and_fact_sheets() -> None:
    tasks, critics = tables(vpbench("list", "--format", "json"))
    assert {"mathvista": "best-of-n", "visualprocessbench": "step detection"}.items() <= {
        row["task"]: row["kind"] for row in tasks["rows"]
    }.items()
    assert "visualprm" in [row["critic"] for row in critics["rows"]]
    facts, published = tables(vpbench("show", "mathvista", "--format", "json"))
    assert {"fact": "split", "value": "testmini"} in facts["rows"]
    assert all(0 < row["published"]["value"] < 1 for row in published["rows"])
    assert os.sep not in next(row["value"] for row in facts["rows"] if row["fact"] == "file")


def test_reproduce_prints_latex_and_a_list_as_data() -> None:
    (table,) = tables(vpbench("reproduce", "--format", "json"))
    assert "table6" in [row["table"] for row in table["rows"]]
    lines = vpbench("reproduce", "table6", "--format", "latex").stdout.rstrip().split("\n\n")
    assert [part for part in lines if not part.startswith("%")][0].startswith(r"\begin{tabular}")


def test_a_dry_run_has_no_table() -> None:
    done = vpbench(*RUN, "--dry-run", "--format", "json")
    assert (done.exit_code, done.stdout) == (2, "") and "--dry-run has no table" in done.stderr

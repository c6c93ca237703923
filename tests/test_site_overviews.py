"""The overviews on top of the leaderboard page: what has one, what is never in one together, and what they show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from site_pages import panels
from test_report_compare import changed, planted

import vpbench
from vpbench.plugins import all_tasks
from vpbench.report.overview import overview
from vpbench.report.published import references
from vpbench.report.stored import StoredResult
from vpbench.site.leaderboard import build_leaderboard
from vpbench.site.overviews import Standings, standings_of

TASKS = ("mathvista", "dynamath", "mmmu")
CRITICS = ("prm=visualprm", "base=visualprm:pretrained-prm", "self-consistency")
OPTIONS = {"nano": True, "limit": 12, "resamples": 200}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[StoredResult]:
    """Three critics on three tasks at N = 1, 8 and 16, marked as complete results of no miniature."""
    options: Any = {**OPTIONS, "n": (1, 8, 16), "output": tmp_path_factory.mktemp("runs")}
    done = vpbench.run(TASKS, CRITICS, **options)
    return [changed(s, nano=False, complete=True, questions_in_task=s.result.questions) for s in done]


def on(results: Sequence[StoredResult], *tasks: str) -> list[StoredResult]:
    return [stored for stored in results if stored.result.task in tasks]


def of(results: Sequence[StoredResult], *rows: str) -> list[StoredResult]:
    return [stored for stored in results if stored.result.row in rows]


def shown(standings: Standings) -> tuple[set[str], set[str]]:
    """The critics that have a mean, and the tasks it is of."""
    whole = standings.overview
    return {row.name for row in whole.rows if row.means}, {task.task for task in whole.tasks}


def site(folder: Path, results: Sequence[StoredResult]) -> str:
    """The page over copies of the results, which lie in folders 0, 1, ..."""
    (folder / "runs" / "results").mkdir(parents=True)
    for number, stored in enumerate(results):
        planted(folder / "runs" / "results" / str(number), stored, stored.units.values["critic"])
    return build_leaderboard(folder / "runs", folder / "site")[0].read_text()


def test_the_page_begins_with_the_overview(results: list[StoredResult], tmp_path: Path) -> None:
    page = site(tmp_path, results)
    whole = overview(results)
    means = [panel for panel in panels(page) if panel.ranking == "mean-1"]
    assert [(panel.n, panel.chosen) for panel in means] == [(1, False), (8, True), (16, False)]
    assert page.index('id="mean-1"') < page.index("Task by task") < page.index("Ranked at")
    assert not [row for row in means[0].lines if row.cells["alike"] or " p " in row.cells["over_random"]]
    for panel in means[1:]:
        assert list(panel.headers.values())[:5] == ["critic", "mean", "alike", "over random", "over vote"]
        assert [header.split()[0] for header in list(panel.headers.values())[5 : 5 + len(TASKS)]] == list(TASKS)
        by_name = {row.name: mean for row in whole.rows for mean in row.means if mean.n == panel.n}
        assert [row.name for row in panel.lines] == sorted(by_name, key=lambda name: -by_name[name].value)
        for row in panel.lines:
            mean, cells = by_name[row.name], row.cells
            assert cells["mean"] == f"{100 * mean.value:.1f} {100 * mean.low:.1f}–{100 * mean.high:.1f}"
            assert cells["alike"] == mean.letters and "missing" not in [cells[f"task_{k}"] for k in range(len(TASKS))]
            assert ("0 by construction" in cells["over_vote"]) == (row.name == "self-consistency")
        assert [row.name for row in panel.controls] == ["majority vote", "random pick", "oracle (pass@N)"]
    (pairs,) = re.findall(r"<details><summary>Differences between critics: \d of 6 told apart.*?</details>", page, re.S)
    assert pairs.count("<tr>") == 1 + 3 and "prm − base" in pairs.replace("base − prm", "prm − base")
    assert not re.search("<script>|<style| style=| on[a-z]+=", page) and "default-src 'none'" in page
    for anchor in re.findall('href="#([^"]+)"', page):
        assert page.count(f'id="{anchor}"') == 1


def test_best_stands_only_where_a_critic_is_told_apart(results: list[StoredResult], tmp_path: Path) -> None:
    (tmp_path / "runs" / "results").mkdir(parents=True)
    for number, stored in enumerate(results):
        level = {"prm": 0.9, "base": 0.4, "self-consistency": 0.4}[stored.result.row]
        noise = np.random.default_rng(number).normal(0, 0.02, stored.units.values["critic"].shape)
        # of one candidate all pick the same
        values = np.where(np.array(stored.units.ns) == 1, stored.units.values["critic"], level + noise)
        planted(tmp_path / "runs" / "results" / str(number), stored, values)
    page = build_leaderboard(tmp_path / "runs", tmp_path / "site")[0].read_text()
    best = [(panel.n, row.name) for panel in panels(page) for row in panel.lines if row.header.endswith(" best")]
    assert best == [(8, "prm"), (16, "prm")]
    assert "4 of 6 told apart" in page and page.count(">told apart</span>") == 4
    assert "p &lt;0.0001" in page and "p 0.0000" not in page


@pytest.mark.parametrize(
    "keys",
    [
        {"nano": True},
        {"complete": False, "questions_in_task": 1000},
        {"policy": "other"},
        {"grading": "official"},
        {"estimator": "prefix"},
        {"judge": "openai:model"},
    ],
)
def test_what_is_measured_in_another_way_has_an_overview_of_its_own(
    results: list[StoredResult], keys: dict[str, Any]
) -> None:
    odd = [changed(stored, **dict(keys)) for stored in of(results, "base", "self-consistency")]
    first, second = standings_of([*odd, *results])[0]
    assert shown(first) == ({"prm", "base", "self-consistency"}, set(TASKS))
    assert shown(second) == ({"base", "self-consistency"}, set(TASKS))
    for name, value in keys.items():
        assert getattr(first.first, name) != value
    assert not [note for one in (first, second) for note in one.notes if "left out" in note]


def test_one_task_has_no_overview(results: list[StoredResult], tmp_path: Path) -> None:
    page = site(tmp_path, on(results, "mathvista"))
    assert "<h2>Mean of" not in page and "Task by task" not in page and "In no mean" not in page
    apart = [*of(on(results, "mathvista"), "prm"), *of(on(results, "mmmu"), "base")]
    assert standings_of(apart) == ([], [])


def test_one_candidate_has_no_overview(results: list[StoredResult]) -> None:
    options: Any = {**OPTIONS, "n": (1,), "output": results[0].folder.parent.parent}
    single = vpbench.run(TASKS, CRITICS, **options)
    assert standings_of(single) == ([], [])


def test_a_task_that_one_critic_has_takes_no_mean_away(results: list[StoredResult]) -> None:
    (one,), _ = standings_of([*on(results, "mathvista", "mmmu"), *of(on(results, "dynamath"), "prm")])
    assert shown(one) == ({"prm", "base", "self-consistency"}, {"mathvista", "mmmu"})
    assert one.others == ("dynamath",)


def test_a_critic_that_lacks_a_task_has_no_mean_and_the_page_says_why(
    results: list[StoredResult], tmp_path: Path
) -> None:
    page = site(tmp_path, [s for s in results if (s.result.row, s.result.task) != ("base", "mmmu")])
    assert "<li>base has no mean: mmmu: no result</li>" in page
    for panel in [panel for panel in panels(page) if panel.ranking == "mean-1"]:
        assert panel.lines[-1].name == "base"
        assert (panel.lines[-1].cells["mean"], panel.lines[-1].cells["task_2"]) == ("no mean", "missing")


def test_a_damaged_file_of_units_is_named_and_the_page_stands(
    results: list[StoredResult], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site(tmp_path, results)
    (tmp_path / "runs" / "results" / "0" / "units.parquet").write_bytes(b"PAR1")
    page = build_leaderboard(tmp_path / "runs", tmp_path / "site")[0].read_text()
    assert "In no mean of tasks" in page and "<li>0: units.parquet: missing or damaged" in page
    assert str(tmp_path) not in page and "in no mean: 0: " in capsys.readouterr().err
    assert len([panel for panel in panels(page) if panel.ranking == "mean-1"]) == 3 and "has no mean" in page


def test_published_figures_are_in_no_overview(results: list[StoredResult], tmp_path: Path) -> None:
    page = site(tmp_path, results)
    top = page[page.index('id="mean-1"') : page.index("Task by task")]
    published = {reference.critic for task in TASKS for reference in references(all_tasks()[task].cls)}
    published -= {stored.result.row for stored in results}
    assert published and not [critic for critic in published if f">{critic}<" in top]
    assert "Published figures" not in top and "Published figures" in page


def test_names_do_nothing_on_the_page_and_folders_stay_off_it(results: list[StoredResult], tmp_path: Path) -> None:
    odd = "/home/me/x\x1b[2J\x00\u202e<script>alert(1)</script></td><img src=x onerror=alert(1)>\"'&"
    hostile = [
        changed(stored, label=odd if stored.result.row == "prm" else stored.result.row, policy=odd, judge=odd)
        for stored in results
        if (stored.result.row, stored.result.task) != ("base", "mmmu")
    ]
    hostile = [changed(s, task=odd) if s.result.task == "dynamath" else s for s in hostile]
    page = site(tmp_path, hostile)
    assert "mean-1" in {panel.ranking for panel in panels(page)} and page.count("&lt;script&gt;alert(1)") > 10
    pages = [page, *(file.read_text() for file in (tmp_path / "site" / "results").glob("*.html"))]
    assert len(pages) == 1 + len(hostile)
    for text in pages:
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
        assert "/home/me" not in text and text.count("<script") == 1 and "onerror=alert(1)>" not in text
    addresses = {source.split("/")[0] for source in re.findall('(?:src|href)="([^"#]+)"', page)}
    assert addresses <= {"assets", "index.html", "results", "https:"}

"""`results/published.json`: whole, well-formed, equal to the figures collected from the papers; who reads it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from shared_data import shared_table
from small_runs import vpbench, write_edited

from vpbench import Reference, Task
from vpbench.base import BaseTask
from vpbench.errors import DataError
from vpbench.plugins import all_critics, all_tasks, find_task
from vpbench.report.published import AVERAGES, load_published, references
from vpbench.site.leaderboard import build_leaderboard

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "results" / "published.json"
COLLECTED = {"published_results.json": 984, "published_results_2.json": 278}
FIGURES = {"table2": 120, "table3": 84, "table4": 19, "table5": 36, "table6": 120, "table7": 120, "table8": 68}
UNNAMED = ("-", "not named in this row")


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    policy = None if row["policy"] in UNNAMED else row["policy"]
    # two figures of the paper's text differ in nothing but their metric, whose words are ours
    of_correct = row["metric"] in ("F1 of correct class", "f1_correct")
    return (*(row[name] for name in ("paper", "table", "benchmark", "critic", "n")), policy, of_correct)


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text())
    return content


def test_every_collected_figure_is_there_with_its_value(content: dict[str, Any]) -> None:
    collected = [row for name in COLLECTED for row in shared_table(name)]
    assert len(collected) == sum(COLLECTED.values())
    values = {key(row): row["value"] for row in content["rows"]}
    assert values == {key(row): row["value"] for row in collected}
    assert len(values) == len(collected)


def test_figures_are_counted(content: dict[str, Any]) -> None:
    assert len(content["rows"]) == len({key(row) for row in content["rows"]}) == sum(COLLECTED.values())
    counts = Counter((row["paper"], row["table"]) for row in content["rows"])
    by_id = {table["id"]: counts[table["paper"], table["table"]] for table in content["tables"]}
    assert sum(by_id.values()) == len(content["rows"]) and min(by_id.values()) > 0
    assert {id: by_id[id] for id in FIGURES} == FIGURES


def test_every_caveat_collected_is_kept_in_words(content: dict[str, Any]) -> None:
    """A row whose note says no more than its own names or its table's protocol may go without."""
    implied = ("mc threshold 0.00", "mc threshold 0.125", "mc threshold 0.25", "policy temperature", "T 0.7, top-p")
    implied += ("secondary page", "overall most likely pooled")
    noted = {key(row) for row in content["rows"] if row["note"]}
    collected = [row for name in COLLECTED for row in shared_table(name) if row.get("note")]
    assert [row for row in collected if key(row) not in noted and not row["note"].startswith(implied)] == []


def test_it_is_as_its_schema_says(content: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "results" / "published.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(content, schema)


def test_names_are_those_of_tasks_and_critics() -> None:
    published = load_published()
    tasks, critics = all_tasks(), all_critics()
    assert {row.task for row in published.rows if row.task} <= tasks.keys()
    benchmarks = {row.benchmark for row in published.rows if row.task}
    assert {benchmark for table in published.tables.values() for benchmark in table.mean_of} <= benchmarks
    assert {entry.critic for entry in published.critics.values() if entry.critic} <= critics.keys()
    assert all((entry.critic is None) != (entry.curve is None) for entry in published.critics.values())
    assert published.critics.keys() <= {row.critic for row in published.rows}
    assert published.policies.keys() <= {row.policy for row in published.rows}
    assert len({table.id for table in published.tables.values()}) == len(published.tables)


def test_a_row_has_the_task_of_its_questions() -> None:
    """The task with as many; without a number of questions the split's words say why."""
    rows = [row for row in load_published().rows if row.task]
    for row in rows:
        assert row.questions in (None, find_task(row.task or "").cls.source.rows), row
        assert row.questions or row.split, row
    assert {row.split for row in rows if row.questions is None} == {
        "unclear: test or testmini",
        "unclear: MATH-500 or all of the test set",
        "not stated",
        "as in paper",
        "RLHFlow's answers (test)",
        "the authors' development half",
    }


UNPAIRED = (
    *("overall", "overall of these five", "six of the seven, mean"),
    *("MM-K12", "OlympiadBench", "PuzzleVQA", "AlgoPuzzleVQA", "EXAMS-V", "MATH"),
    # of splits or by measures that no task has
    *("MathVerse", "MathVista", "VisualProcessBench", "VisualProcessBench/overall"),
)


def test_a_row_without_a_task_is_of_no_task() -> None:
    assert {row.benchmark for row in load_published().rows if row.task is None} == set(UNPAIRED)


MEANS_OF_DRAWS = {
    ("InternVL3.5", "DynaMath"): 1,
    ("Athena-PRM (arXiv 2506.09532)", "DynaMath"): 5,
    ("Athena-PRM (arXiv 2506.09532)", "LogicVista"): 7,
    ("Athena-PRM (arXiv 2506.09532)", "MathVerse"): 2,
    ("DreamPRM-1.5 (arXiv 2509.05542)", "MMMU"): 1,
}
"""Figures that no number of right answers gives, as the files' notes say where they are several."""


def test_a_figure_is_one_that_so_many_questions_can_give() -> None:
    """One draw's accuracy is a multiple of one question's share, so a wrong digit or split shows in many figures."""
    units = {"dynamath": 501, "wemath": 2 * 525}
    impossible: Counter[tuple[str, str]] = Counter()
    for row in load_published().rows:
        if row.questions and row.value is not None and row.part is None:
            share = 100 / units.get(row.task or "", row.questions)
            impossible[row.paper, row.benchmark] += abs(row.value - share * round(row.value / share)) > 0.0501
    assert +impossible == MEANS_OF_DRAWS


def test_a_mean_is_that_of_its_tasks() -> None:
    """To a tenth and the rounding of seven printed figures; so a wrong digit or a column left out would show."""
    published = load_published()
    rows = {(row.paper, row.table, row.policy, row.critic, row.n, row.benchmark): row.value for row in published.rows}
    checked = 0
    for table in published.tables.values():
        for row in published.rows_of(table):
            line = [rows.get((row.paper, row.table, row.policy, row.critic, row.n, name)) for name in table.mean_of]
            parts = [value for value in line if value is not None]
            if row.metric == "mean" and row.value is not None and len(parts) == 7:
                checked += 1
                assert row.value == pytest.approx(sum(parts) / 7, abs=0.11), row
    assert checked == 15 + 15 + 15 + 8 + 14 + 18


DAMAGE: list[tuple[Any, str]] = [
    (lambda content: content.update(version=2), "version 2, expected 1"),
    (lambda content: content.pop("rows"), "KeyError: 'rows'"),
    (lambda content: content["rows"][3].pop("task"), "row 3: .* missing 1 required positional argument: 'task'"),
    (lambda content: content["rows"][3].update(colour=1), "row 3: .* unexpected keyword argument 'colour'"),
    (lambda content: content["rows"][3].update(value="60.2"), "row 3: value is '60.2'"),
    (lambda content: content["rows"][3].update(n=True), "row 3: n is True"),
    (lambda content: content["rows"][3].update(table="Table 99"), "row 3: 'Table 99' of 'VisualPRM' isn't among"),
    (lambda content: content["tables"][0]["protocol"].update(temperature="hot"), "table2: protocol: temperature is"),
    (lambda content: content["tables"][1].update(title=None), "table 1: title is None, expected str"),
    (lambda content: content["critics"]["none"].update(curve=1), "critic 'none': curve is 1"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=[message[:30] for _, message in DAMAGE])
def test_what_is_wrong_is_named(content: dict[str, Any], damage: Any, message: str, tmp_path: Path) -> None:
    damaged = json.loads(json.dumps(content))
    damage(damaged)
    path = tmp_path / "published.json"
    path.write_text(json.dumps(damaged))
    with pytest.raises(DataError, match=message):
        load_published(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json: not a file of published figures"):
        load_published(tmp_path / "none.json")


OF_TASK = {
    **{"mmmu": 119, "mathvista": 118, "mathvision": 63, "mathvision-testmini": 51, "mathverse": 99, "dynamath": 99},
    **{"wemath": 99, "logicvista": 99, "gsm8k": 17, "math-500": 12, "gpqa-diamond": 12},
    **{"visualprocessbench": 51, "processbench": 13, "prmbench": 1},
}


@pytest.mark.parametrize("name", sorted({row.task for row in load_published().rows if row.task}))
def test_every_task_shows_its_figures(name: str) -> None:
    rows = [row for row in load_published().rows if row.task == name and row.part in (None, *AVERAGES)]
    text = vpbench("show", name).output
    assert len(rows) == OF_TASK[name]
    for row in rows:
        assert any(f"{row.value:.1f}" in line and f"{row.paper}, {row.table}" in line for line in text.splitlines())


def test_tasks_bring_none_and_a_plugin_may() -> None:
    assert all(plugin.cls.references == () for plugin in all_tasks().values())
    brought = Reference("policy", "critic", 8, 12.3, "a report")
    task: type[BaseTask] = type("Mine", (find_task("mathvista").cls,), {"references": (brought,)})
    shown = references(task)
    assert shown[-1] == brought and shown[:-1] == references(find_task("mathvista").cls)
    assert issubclass(task, Task) and len(shown) > 100


@pytest.mark.parametrize("nano", [False, True])
def test_the_leaderboard_shows_them_beside_the_benchmark_alone(nano: bool, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "results" / "one"
    shutil.copytree(ROOT / "results" / "nano-mathvista", folder)
    result = json.loads((folder / "result.json").read_text())
    write_edited(folder, {**result, "nano": nano})
    (folder / "curve.svg").write_text("<svg/>")
    page = build_leaderboard(tmp_path / "runs", tmp_path / "site")[0].read_text()
    assert ("VisualPRM, Table 6" in page) is not nano

"""`vpbench.run`, `load_results` and `compare`: what a notebook calls, and the frames it gets."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import vpbench
from vpbench.api import RunOptions
from vpbench.cli import main
from vpbench.data.miniature import POOL, nano_folder
from vpbench.pools.pool import read_pool
from vpbench.report.frames import Results
from vpbench.report.stored import StoredResult

CRITICS = ("self-consistency", "visualprm")
SMALL: dict[str, Any] = {"nano": True, "limit": 5, "n": [4, 1], "resamples": 200}

BROKEN = """
from dataclasses import dataclass
from vpbench import Critic, CriticError, Score

@dataclass(frozen=True)
class Broken(Critic):
    name = "{name}"
    title = "Fails on one task"

    def score(self, question, candidates):
        if question.task == "{fails_on}":
            raise CriticError("broken {name}")
        return [Score(0.0) for _ in candidates]
"""


CHECK = """
import inspect, sys
try:
    run("mathvista", temprature=1)
except TypeError as error:
    print(error)
print(*inspect.signature(run).parameters)
print(sys.modules["vpbench.run"].study.Study.__name__)
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def results(output: Path) -> list[StoredResult]:
    done = vpbench.run("mathvista", CRITICS, output=output, **SMALL)
    return done + vpbench.run("visualprocessbench", "visualprm", output=str(output), nano=True, limit=20, resamples=200)


@pytest.fixture(scope="module")
def loaded(results: list[StoredResult], output: Path) -> Results:
    return vpbench.load_results(output)


@pytest.mark.parametrize(
    "code",
    [
        "import vpbench; run = vpbench.run",
        "import vpbench.run.pipeline; run = vpbench.run",
        "import vpbench; run = vpbench.run; import vpbench.run.pipeline; assert vpbench.run is run",
        "from vpbench import run; import vpbench.run.study",
        "from vpbench import *",
    ],
)
def test_the_package_of_a_run_is_the_function_too(code: str) -> None:
    """In whatever order the package's parts are imported."""
    done = subprocess.run([sys.executable, "-c", code + CHECK], capture_output=True, text=True, check=True)
    told, parameters, study = done.stdout.splitlines()
    assert told == "vpbench.run has no option 'temprature'; did you mean 'temperature'?"
    assert parameters.split() == ["task", "critic", "study", "progress", "echo", "warn", "options"]
    assert study == "Study"


def test_importing_vpbench_loads_nothing_heavy() -> None:
    code = "import vpbench, sys; print([name for name in ('numpy', 'pandas', 'torch', 'click') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_option_of_the_command_is_an_argument() -> None:
    command = main.commands["run"]
    options = {
        parameter.opts[-1].removeprefix("--").replace("-", "_")
        for parameter in command.params
        if parameter.expose_value
    }
    others = {"task", "critic", "study", "study_file", "dry_run", "format"} | {"verbose"} & options
    assert options - others == set(RunOptions.__annotations__)
    assert [parameter.name for parameter in command.params if not isinstance(parameter, click.Option)] == ["study_file"]


def test_the_defaults_are_the_commands(output: Path, results: list[StoredResult], tmp_path: Path) -> None:
    arguments = ["run", "--nano", "--task", "mathvista", "--critic", "self-consistency", "--limit", "2"]
    done = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path / "command")])
    assert done.exit_code == 0, done.output
    (result,) = vpbench.run("mathvista", "self-consistency", nano=True, limit=2, output=tmp_path / "call")
    (folder,) = (tmp_path / "command" / "results").iterdir()
    assert folder.name == result.folder.name
    for name in ("rows.parquet", "units.parquet", "table.txt"):
        assert (folder / name).read_bytes() == (result.folder / name).read_bytes()


def test_a_call_prints_nothing_but_what_it_is_asked_to(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {**SMALL, "limit": 1, "output": tmp_path}
    vpbench.run("mathvista", "self-consistency", **options)
    assert capfd.readouterr() == ("", "")
    lines: list[str] = []
    (result,) = vpbench.run("mathvista", "self-consistency", echo=lines.append, **options)
    assert capfd.readouterr() == ("", "")
    assert lines[-1] == f"written to {result.folder}"
    assert (result.folder / "table.txt").read_text() in lines[-2] + "\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grading": "robsut"}, "grading: 'robsut' is none of robust, official; did you mean 'robust'?"),
        ({"selection": "bst"}, "did you mean 'best'?"),
        ({"limit": 0}, "limit: 0 is out of range; give at least 1"),
        ({"max_error_rate": 2}, "give at least 0 and at most 1"),
        ({"max_error_rate": math.nan}, "max_error_rate: nan is no number to go by"),
        ({"seed": -1}, "seed: -1 is out of range; give at least 0"),
        (
            {"critic": "a=visualprm", "critic_args": {"a.max_tiles": "x"}},
            "a: critic 'visualprm': setting max_tiles='x'",
        ),
        ({"n": []}, "give whole numbers from 1"),
        ({"n": 0}, "give whole numbers from 1"),
        ({"n": 1000}, "more than question"),
        ({"aggregate": "middle"}, "middle"),
        ({"task": "mathvist"}, "did you mean mathvista"),
        ({"critic": "visualpr"}, "did you mean visualprm"),
        ({"critic_args": {"colour": 1}}, "no setting 'colour'"),
        ({"policy": "nano", "pool": "x.jsonl"}, "give one of the two"),
    ],
)
def test_a_wrong_call_is_told_as_the_command_line_tells_it(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    call = {"task": "mathvista", "critic": "visualprm", **SMALL, "output": tmp_path, **options}
    with pytest.raises(vpbench.ConfigError, match=".*") as raised:
        vpbench.run(**call)
    assert message in str(raised.value)


def test_every_failure_is_in_the_error_that_ends_a_run(tmp_path: Path) -> None:
    tasks = ("mathvista", "mathvision")
    files = {tmp_path / "late.py": tasks[1], tmp_path / "early.py": tasks[0]}
    for file, fails_on in files.items():
        file.write_text(BROKEN.format(name=file.stem, fails_on=fails_on))
    told: list[str] = []
    with pytest.raises(vpbench.TooManyFailures) as raised:
        vpbench.run(tasks, list(files), warn=told.append, output=tmp_path, **SMALL)
    assert "broken late" in str(raised.value)
    heads = [f"task {task}, critic {file.stem}" for file, task in files.items()]
    assert [line.partition(":")[0] for line in told] == heads
    assert raised.value.__notes__ == [heads[0], told[1]]
    assert len(vpbench.load_results(tmp_path).results) == 1


def test_a_result_has_its_figures_and_rows(results: list[StoredResult]) -> None:
    vote, prm, steps = results
    assert [result.result.critic for result in results] == [*CRITICS, "visualprm"]
    content = json.loads((prm.folder / "result.json").read_text())
    assert [point.n for point in prm.result.curves["critic"]] == [1, 4]
    assert prm.result.curves["critic"][1].value == content["curves"]["critic"][1]["value"]
    curves = prm.curves()
    assert list(curves.columns) == ["curve", "n", "value", "low", "high"]
    assert len(curves) == 5 * 2
    assert len(prm.rows()) == prm.result.candidates == 5 * 128
    assert steps.curves().empty


def test_cells_have_a_row_per_result_and_n(results: list[StoredResult], loaded: Results) -> None:
    cells = loaded.cells
    assert list(cells.columns[:10]) == [
        *("task", "policy", "critic", "name", "selection", "grading", "n", "value", "low", "high")
    ]
    assert len(cells) == 2 + 2 + 1
    for stored in results[:2]:
        rows = cells[cells.folder == stored.folder.name]
        gains = stored.result.gains["over_vote"]
        assert list(rows.n) == [1, 4]
        assert list(rows.over_vote) == [gain.value for gain in gains]
        assert list(rows.over_vote_p_holm) == [gain.p_holm for gain in gains]
    steps = cells[cells.task == "visualprocessbench"].iloc[0]
    assert steps.value == results[2].result.step_f1.pooled.macro_f1
    assert cells.n.isna().sum() == 1


def test_candidates_have_texts_verdicts_and_scores(results: list[StoredResult], loaded: Results) -> None:
    assert loaded.notes == ()
    pool = read_pool(nano_folder("mathvista") / POOL).rows
    candidates = loaded.candidates
    drawn = candidates[candidates.task == "mathvista"]
    assert len(drawn) == 2 * 5 * 128
    for row in drawn.itertuples():
        assert row.response == pool[row.question_id][row.index].candidate.response
        assert row.gold and row.question
    scored = drawn[drawn.critic == "visualprm"]
    assert scored.steps.map(len).min() >= 1 and scored.score.notna().all()
    assert set(drawn.policy) == {"nano"}
    labelled = candidates[candidates.task == "visualprocessbench"]
    assert all(len(row.labels) == len(row.steps) == len(row.step_texts) for row in labelled.itertuples())
    assert labelled.correct.isna().all()


def test_texts_are_kept_once_for_all_critics(results: list[StoredResult], output: Path) -> None:
    vote, prm, steps = (result.result.provenance.texts for result in results)
    assert vote == prm != steps
    assert len(list((output / "texts").iterdir())) == 2


def test_a_run_that_was_moved_keeps_its_texts_and_one_without_says_so(
    results: list[StoredResult], output: Path, tmp_path: Path
) -> None:
    shutil.copytree(output, tmp_path / "moved")
    folder = tmp_path / "moved" / "results" / results[0].folder.name
    assert vpbench.load_results(folder).candidates.question.notna().all()
    shutil.rmtree(tmp_path / "moved" / "texts")
    without = vpbench.load_results(folder)
    assert len(without.candidates) == 5 * 128
    for name in ("question", "gold", "response"):
        assert set(without.candidates[name]) == {None}
    (note,) = without.notes
    assert note.startswith(f"{folder.name}: its texts aren't there")


def test_texts_that_utf8_cannot_hold_are_kept_as_far_as_they_can(tmp_path: Path) -> None:
    row = {
        "question_id": "1",
        "question": "How \ud800?",
        "answer": "4",
        "candidates": [{"response": "Answer: 4\udfff"}],
    }
    (tmp_path / "pool.jsonl").write_text(json.dumps(row))
    vpbench.run("mathvista", "self-consistency", pool=tmp_path / "pool.jsonl", output=tmp_path, resamples=100)
    (loaded,) = vpbench.load_results(tmp_path).candidates.itertuples()
    assert (loaded.question, loaded.response) == ("How ??", "Answer: 4?")


def test_a_comparison_as_a_frame(results: list[StoredResult]) -> None:
    vote, prm, steps = results
    frame = vpbench.compare(vote, prm).frame()
    assert list(frame.label) == ["N = 1", "N = 4"]
    gains = prm.result.gains["over_vote"]
    assert list(frame.value) == pytest.approx([gain.value for gain in gains], abs=1e-12)
    assert vpbench.compare(str(vote.folder), prm.folder).text() == vpbench.compare(vote, prm).text()
    assert set(vpbench.compare(steps, steps).frame().value) == {0.0}
    with pytest.raises(vpbench.ConfigError, match="task is 'mathvista'"):
        vpbench.compare(vote, steps)


def test_what_is_no_result_is_told(tmp_path: Path) -> None:
    with pytest.raises(vpbench.ConfigError, match="no results"):
        vpbench.load_results(tmp_path)

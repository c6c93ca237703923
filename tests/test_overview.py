"""The overview of a study: what is averaged, what is left out and why, what a run prints and writes, how it is read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from small_runs import vpbench as command
from test_report_compare import changed, planted

import vpbench
from vpbench import stats
from vpbench.report.overview import Overview, overview
from vpbench.report.result import BestOfNResult
from vpbench.report.stored import StoredResult
from vpbench.report.study_folder import read_study, write_study
from vpbench.report.units import WORST

SCHEMA = json.loads((Path(vpbench.__file__).parent / "report" / "study.schema.json").read_text())
TASKS = ("mathvista", "dynamath", "mmmu")
CRITICS = ("prm=visualprm", "base=visualprm:pretrained-prm", "self-consistency")
ARGUMENTS = ("--nano", "--limit", 12, "--n", "1,4,8,16", "--resamples", 300)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def printed(output: Path) -> str:
    tasks = ("--task", ",".join(TASKS), "--critic", ",".join(CRITICS))
    return command("run", *tasks, *ARGUMENTS, "--output", output).output


@pytest.fixture(scope="module")
def results(output: Path, printed: str) -> list[StoredResult]:
    (folder,) = (output / "studies").iterdir()
    return list(vpbench.load_results(folder).results)


@pytest.fixture(scope="module")
def whole(results: list[StoredResult]) -> Overview:
    return overview(results)


def test_a_run_prints_the_overview_first_and_writes_it(output: Path, printed: str, whole: Overview) -> None:
    text = whole.text()
    start = printed.index("N = 8: mean of 3 tasks, each task one vote")
    assert printed[start:].startswith(text) and start < printed.index("| critic prm")
    (folder,) = (output / "studies").iterdir()
    assert folder.name.startswith("mathvista-dynamath-mmmu--prm-base-self-consistency--")
    assert f"study written to {folder}" in printed
    assert (folder / "overview.txt").read_text() == text + "\n"
    assert all(len(line) <= 120 for line in text.splitlines() if not line.startswith("note"))
    assert command("report", folder).output.lstrip().startswith(text)


def test_a_second_study_keeps_the_first(output: Path, printed: str) -> None:
    (first,) = (output / "studies").iterdir()
    before = (first / "study.json").read_bytes()
    other = ("--task", "mathvista", "--critic", ",".join(CRITICS[1:]))
    assert "2 of 2 done" not in command("run", *other, *ARGUMENTS, "--output", output, "-q").stdout
    folders = set((output / "studies").iterdir())
    assert len(folders) == 2 and (first / "study.json").read_bytes() == before
    (second,) = folders - {first}
    assert len(vpbench.load_results(second).results) == 2
    for file in second.iterdir():
        file.unlink()
    second.rmdir()


def test_the_mean_is_that_of_the_cells(whole: Overview, results: list[StoredResult]) -> None:
    assert whole.ns == (8, 16) and [column.task for column in whole.tasks] == list(TASKS)
    for row in whole.rows:
        assert [cell.task for cell in row.cells] == list(TASKS) and row.no_mean is None
        for k, mean in enumerate(row.means):
            points = [cell.points[k] for cell in row.cells]
            gains = [cell.over_random[k] for cell in row.cells]
            assert mean.value == pytest.approx(np.mean([point.value for point in points]))
            assert mean.over_random.value == pytest.approx(np.mean([gain.value for gain in gains]))
            assert mean.low < mean.value < mean.high
    by_key = {(pair.first, pair.second, pair.n): pair for pair in whole.pairs}
    means = {(row.name, mean.n): mean for row in whole.rows for mean in row.means}
    assert len(by_key) == 6 == whole.tests
    for (first, second, n), pair in by_key.items():
        assert pair.value == pytest.approx(means[first, n].value - means[second, n].value)
    assert [pair.p_holm for pair in whole.pairs] == list(stats.holm([pair.p for pair in whole.pairs]))


def test_the_gain_of_a_single_task_is_that_of_its_result(results: list[StoredResult]) -> None:
    (mean,) = {row.means for row in overview(results[:1]).rows}
    gains = {gain.n: gain for gain in results[0].result.gains["over_random"]}
    for point in mean:
        gain = gains[point.n]
        shown = point.over_random
        assert (shown.low, shown.high) == pytest.approx((gain.low, gain.high), abs=1e-12)
        assert shown.p <= gain.p
    older = StoredResult(results[0].folder, results[0].result)
    values = {name: matrix for name, matrix in results[0].units.values.items() if name != WORST}
    older.__dict__["units"] = replace(results[0].units, values=values)
    ((first, *_),) = {row.means for row in overview([older]).rows}
    assert first.over_random.value == pytest.approx(mean[0].over_random.value)


def test_a_vote_gains_nothing_over_the_vote_and_is_no_test(whole: Overview) -> None:
    (vote,) = (row for row in whole.rows if row.votes)
    for mean in vote.means:
        assert (mean.over_vote.value, mean.over_vote.low, mean.over_vote.high) == (0, 0, 0)
        others = [other for row in whole.rows for other in row.means if not row.votes]
        p_values = [other.over_vote.p for other in others]
        assert [other.over_vote.p_holm for other in others] == list(stats.holm(p_values))


def test_best_is_only_who_is_told_apart_from_every_other(results: list[StoredResult], tmp_path: Path) -> None:
    def study(*levels: float) -> Overview:
        rows = []
        rng = np.random.default_rng(1)
        for stored in results[:3]:
            noise = rng.normal(0, 0.02, (len(levels), *stored.units.values["critic"].shape))
            for k, level in enumerate(levels):
                folder = tmp_path / f"{levels} {k} {stored.result.task}"
                fake = planted(folder, stored, np.clip(level + noise[k], 0, 1))
                rows.append(StoredResult(folder, replace(fake.result, label=f"c{k}")))
        return overview(rows)

    clear, close = study(0.8, 0.5, 0.5), study(0.8, 0.5, 0.8)
    assert [[mean.best for mean in row.means] for row in clear.rows] == [[True, True], [False, False], [False, False]]
    assert [row.means[0].letters for row in clear.rows] == ["a", "b", "b"]
    assert not any(mean.best for row in close.rows for mean in row.means)
    assert close.rows[0].means[0].letters == close.rows[2].means[0].letters == "a"


def test_a_missing_cell_leaves_its_row_without_a_mean(results: list[StoredResult]) -> None:
    some = overview([stored for stored in results if (stored.result.row, stored.result.task) != ("base", "mmmu")])
    (base,) = (row for row in some.rows if row.name == "base")
    assert (base.means, base.no_mean) == ((), "mmmu: no result")
    assert {row.name for row in some.rows if row.means} == {"prm", "self-consistency"}
    assert "base has no mean: mmmu: no result" in some.text() and "  missing" in some.text()


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"grading": "official"}, "grading robust / official"),
        ({"estimator": "prefix"}, "estimator expected / prefix"),
        ({"policy": "other"}, "policy nano-policy / other"),
        ({"questions": 11}, "questions 12 / 11"),
        ({"provenance": {"pool_sha256": "0" * 64}}, "pool "),
    ],
)
def test_only_what_is_comparable_is_averaged(results: list[StoredResult], keys: dict[str, Any], reason: str) -> None:
    odd = [
        changed(stored, **dict(keys)) if (stored.result.row, stored.result.task) == ("prm", "mmmu") else stored
        for stored in results
    ]
    (prm,) = (row for row in overview(odd).rows if row.name == "prm")
    assert prm.means == () and prm.no_mean is not None and reason in prm.no_mean


def test_a_task_measured_in_another_way_is_no_column(results: list[StoredResult]) -> None:
    odd = [changed(s, grading="official") if s.result.task == "mmmu" else s for s in results]
    shown = overview(odd)
    assert [column.task for column in shown.tasks] == ["mathvista", "dynamath"]
    assert sum("mmmu is left out" in note for note in shown.notes) == 3


def test_rows_of_one_name_are_told_apart_by_their_settings(results: list[StoredResult]) -> None:
    twins = [changed(stored, aggregate="max") for stored in results if stored.result.row == "prm"]
    names = [row.name for row in overview([*results, *twins]).rows]
    assert names == ["prm (aggregate mean)", "base", "self-consistency", "prm (aggregate max)"]


@pytest.mark.parametrize(("ns", "shown"), [((1, 4, 16), (4, 16)), ((1, 8), (8,)), ((1,), (1,)), ((1, 3), (1, 3))])
def test_the_n_shown(results: list[StoredResult], ns: tuple[int, ...], shown: tuple[int, ...]) -> None:
    from vpbench.report.overview_cells import usual_ns

    assert usual_ns([ns, ns]) == shown
    assert overview(results, [1]).ns == (1,)
    with pytest.raises(vpbench.ConfigError, match="N = 5: no result has it; there are 1, 4, 8, 16"):
        overview(results, [5])


def test_rows_that_failed_are_marked(results: list[StoredResult]) -> None:
    failed = [changed(s, errors={"not scored: timeout": 3}) if s is results[0] else s for s in results]
    text = overview(failed).text()
    assert f"! {results[0].result.row} on {results[0].result.task}: 3 of 1536 responses have no score" in text
    assert text.count("! (") == 2


def test_the_file_is_valid_read_back_and_private(results: list[StoredResult], whole: Overview, tmp_path: Path) -> None:
    odd = changed(results[0], label="/home/me/ckpt", provenance={"data": replace_data(results[0])})
    for number, shown in enumerate((whole, overview([odd, *results[1:]]))):
        folder = write_study(tmp_path / str(number), shown)
        content = json.loads((folder / "study.json").read_text())
        jsonschema.Draft202012Validator(SCHEMA).validate(content)
        assert "/home" not in (folder / "study.json").read_text() and "/home" not in folder.name
        assert read_study(folder).as_json() == content
    (folder / "study.json").write_text(json.dumps({**content, "resamples": 0}))
    with pytest.raises(vpbench.ConfigError, match="'resamples' is 0"):
        read_study(folder)
    (folder / "study.json").write_text(json.dumps(content).replace("results/", "../../results/"))
    with pytest.raises(vpbench.ConfigError, match="isn't under"):
        vpbench.load_results(folder)


def replace_data(stored: StoredResult) -> Any:
    return replace(stored.result.provenance.data, origin="/home/me/data", fingerprint="f")


def test_the_frame_has_a_row_per_critic_task_and_n(results: list[StoredResult], output: Path, whole: Overview) -> None:
    (folder,) = (output / "studies").iterdir()
    frame = vpbench.load_results(folder).overview()
    assert len(frame) == 3 * (3 + 1) * 2 and set(frame.task) == {*TASKS, "mean"}
    assert {"value", "low", "high", "over_random_p_holm", "over_vote_low", "best"} <= set(frame.columns)
    means = frame[(frame.task == "mean") & (frame.n == 16)].set_index("critic")
    for row in whole.rows:
        assert means.loc[row.name, "value"] == row.means[1].value
    assert set(vpbench.load_results(folder).overview(4).n) == {4}


def test_step_detection_stands_beside_and_in_no_mean(results: list[StoredResult], tmp_path: Path) -> None:
    common: Any = {"nano": True, "limit": 30, "resamples": 300, "output": tmp_path}
    steps = vpbench.run("visualprocessbench", CRITICS[:2], **common)
    both, without = overview([*results, *steps]), overview(results)
    assert [row.means for row in both.rows] == [row.means for row in without.rows]
    (table,) = (table for table in both.tables() if table.title == "step detection")
    assert [row[0] for row in table.rows] == ["prm", "base"]
    assert [row.steps[0].points[0].value for row in both.rows[:2]] == [s.result.headline[0] for s in steps]  # type: ignore[union-attr]
    alone = overview(steps)
    assert alone.ns == () and alone.tasks == () and "macro f1" in alone.text()
    assert len(alone.frame()) == 2


def test_an_overview_of_nothing_is_refused() -> None:
    with pytest.raises(vpbench.ConfigError, match="needs results"):
        overview([])


def test_what_failed_doesnt_hide_what_is_done(tmp_path: Path) -> None:
    source = """
from dataclasses import dataclass
from vpbench import Critic, CriticError, Score

@dataclass(frozen=True)
class Broken(Critic):
    name = "broken"
    title = "Fails on one task"

    def score(self, question, candidates):
        if question.task == "mmmu":
            raise CriticError("no weights")
        return [Score(float(candidate.index)) for candidate in candidates]
"""
    (tmp_path / "broken.py").write_text(source)
    critics = f"self-consistency,{tmp_path / 'broken.py'}"
    done = command(
        *("run", "--nano", "--limit", 3, "--resamples", 100, "--n", "1,8", "--max-error-rate", 0),
        *("--task", "mathvista,mmmu", "--critic", critics, "--output", tmp_path / "runs"),
    )
    assert done.exit_code != 0 and "broken has no mean: mmmu: no result" in done.output
    assert not (tmp_path / "runs" / "studies").exists()


def test_a_comparison_of_studies_has_the_mean_on_top(results: list[StoredResult], output: Path, tmp_path: Path) -> None:
    (folder,) = (output / "studies").iterdir()
    itself = vpbench.compare(folder, folder)
    assert itself.labels[:3] == ("prm, mean of 3 tasks, N = 8", "prm, mean of 3 tasks, N = 16", "prm, mathvista, N = 8")
    assert len(itself.labels) == 3 * 4 * 2 and not itself.regressed
    run = tmp_path / "run"
    for stored in results[:3]:
        assert isinstance(stored.result, BestOfNResult) and stored.result.row == "prm"
    for name, loss in (("same", 0.0), ("worse", 0.1)):
        (run / name / "results").mkdir(parents=True)
        for stored in results[:3]:
            values = np.clip(stored.units.values["critic"] - loss, 0, 1)
            planted(run / name / "results" / stored.folder.name, stored, values)
    assert command("check", run / "same", run / "same").exit_code == 0
    worse = command("check", run / "same", run / "worse")
    assert worse.exit_code == 1 and "mean of 3 tasks, N = 8" in worse.output
    assert worse.output.splitlines()[-1] == "regressed"
    assert json.loads(command("check", run / "same", run / "worse", "--format", "json").output)
    lacks = command("check", folder, run / "same")
    assert lacks.exit_code == 2 and "lacks base on mathvista" in lacks.output
    compared = command("compare", folder, run / "same")
    assert compared.exit_code == 0 and "only in the first: base on mathvista" in compared.output


def test_runs_of_one_critic_are_paired_whatever_it_is_called(results: list[StoredResult], tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "results").mkdir(parents=True)
        for stored in results[:2]:
            labelled = StoredResult(stored.folder, replace(stored.result, label=name))
            planted(tmp_path / name / "results" / stored.folder.name, labelled, stored.units.values["critic"])
    compared = vpbench.compare(tmp_path / "one", tmp_path / "two")
    assert compared.labels[0] == "mean of 2 tasks, N = 8" and "differs: called one / two" in compared.text()
    (tmp_path / "two" / "results" / results[1].folder.name / "units.parquet").unlink()
    assert command("check", tmp_path / "one", tmp_path / "two").exit_code == 2

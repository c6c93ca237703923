"""`compare` and `check`: what differs is named, what can't be paired is refused, and what a loss has to be to count."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from small_runs import write_edited

import vpbench
from vpbench.cli import main
from vpbench.report.codec import as_json
from vpbench.report.compare import Comparison
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import StoredResult, read_result
from vpbench.report.units import units_table
from vpbench.stats import Difference, paired_differences
from vpbench.store import table_bytes

POOLED, HELD_OUT = "macro-F1 pooled", "macro-F1 held out"


def command(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert isinstance(done.exception, SystemExit | None), done.exception
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StoredResult]:
    output = tmp_path_factory.mktemp("runs")
    options: dict[str, dict[str, Any]] = {
        "mean": {"task": "mathvista", "critic": "visualprm", "limit": 20},
        "max": {"task": "mathvista", "critic": "visualprm", "limit": 20, "aggregate": "max"},
        "prefix": {"task": "mathvista", "critic": "visualprm", "limit": 20, "estimator": "prefix", "n": [1, 8]},
        "vote": {"task": "mathvista", "critic": "self-consistency", "limit": 20},
        "0.5": {"task": "visualprocessbench", "critic": "visualprm", "limit": 90, "threshold": 0.5},
        "0.9": {"task": "visualprocessbench", "critic": "visualprm", "limit": 90, "threshold": 0.9999},
        "groups": {"task": "dynamath", "critic": "self-consistency", "limit": 40},
    }
    common: Any = {"nano": True, "output": output, "resamples": 200}
    return {name: vpbench.run(**given, **common)[0] for name, given in options.items()}


def planted(folder: Path, base: StoredResult, critic: Any) -> StoredResult:
    """A result like `base` whose units have the values `critic` [units, N]."""
    folder.mkdir()
    data = table_bytes(units_table(replace(base.units, values={**base.units.values, "critic": np.array(critic)})))
    result = base.result
    assert isinstance(result, BestOfNResult)
    means = [float(mean) for mean in np.mean(critic, axis=0)]
    points = tuple(replace(point, value=mean) for point, mean in zip(result.curves["critic"], means, strict=True))
    files = {"units.parquet": hashlib.sha256(data).hexdigest()}
    result = replace(result, curves={**result.curves, "critic": points}, files=files)
    (folder / "units.parquet").write_bytes(data)
    (folder / "result.json").write_text(json.dumps(as_json(result)))
    return read_result(folder)


def changed(stored: StoredResult, **keys: Any) -> StoredResult:
    """The result with other keys, "provenance" those within it."""
    provenance = replace(stored.result.provenance, **keys.pop("provenance", {}))
    return StoredResult(stored.folder, replace(stored.result, **keys, provenance=provenance))


def test_results_of_the_same_settings_differ_in_nothing(results: dict[str, StoredResult]) -> None:
    assert vpbench.compare(results["mean"], results["mean"]).differing == ()
    assert "\n20 units: few, p by t-test\n" in vpbench.compare(results["mean"], results["max"]).text()
    assert vpbench.compare(results["mean"], results["max"]).differing == ("aggregate mean / max",)
    assert vpbench.compare(results["0.5"], results["0.9"]).differing == ("threshold 0.5 / 0.9999",)
    assert vpbench.compare(results["mean"], results["prefix"]).differing == (
        "N 1,2,4,8,16,32,64,128 / 1,8",
        "estimator expected / prefix",
    )


DIFFERENCES: list[tuple[dict[str, Any], str, bool]] = [
    ({"critic": "other"}, "critic visualprm / other", True),
    ({"selection": "weighted-vote", "link": "sigmoid"}, "link none / sigmoid", True),
    ({"selection": "weighted-vote"}, "selection best / weighted-vote", True),
    ({"provenance": {"critic_revision": "b"}}, "critic revision [0-9a-f]+ / b", True),
    ({"provenance": {"critic_settings": {"max_tiles": 6}}}, "critic setting max_tiles 12 / 6", True),
    ({"provenance": {"critic_settings": {"a": {"b": [1]}}}}, r"critic setting a b none / \[1\]", True),
    ({"provenance": {"seed": 7}}, "seed 0 / 7", True),
    ({"provenance": {"resamples": 5}}, "resamples 200 / 5", True),
    ({"provenance": {"versions": {"torch": "0"}}}, "version of torch .* / 0", True),
    ({"errors": {"timeout": 3, "empty": 1}}, "rows without answer or score 0 / 4", True),
    ({"grading": "official"}, "grading robust / official", False),
    ({"judge": "openai:m"}, "judge none / openai:m", False),
    ({"provenance": {"judge": {"identity": {"max_tokens": 9}}}}, "judge max_tokens none / 9", False),
    ({"policy": "p"}, "policy nano-policy / p", False),
    ({"provenance": {"drawing": {"top_p": 0.5, "used_in_this_run": {}}}}, "drawing top_p none / 0.5", False),
    ({"provenance": {"pool_sha256": "0" * 64}}, "pool [0-9a-f]{64} / 0{64}", False),
    ({"provenance": {"pool_sha256": "0" * 65}}, r"pool [0-9a-f]{64} / 0{44}\.\.\. \(.{12}\)", False),
    ({"provenance": {"data": ("o", "r", "f")}}, "data fingerprint [0-9a-f]+ / f", False),
    ({"provenance": {"task_version": 9}}, "task version 1 / 9", False),
    ({"candidates": 3, "pool_size": 2}, "candidates per question 128 / 2", False),
    ({"questions_in_task": 99}, "questions in the task 64 / 99", False),
]


@pytest.mark.parametrize(("keys", "line", "of_the_critic"), DIFFERENCES, ids=[line for _, line, _ in DIFFERENCES])
def test_every_setting_that_differs_is_a_line(
    results: dict[str, StoredResult], keys: dict[str, Any], line: str, of_the_critic: bool
) -> None:
    keys = {**keys, "provenance": dict(keys.get("provenance", {}))}
    if "data" in keys["provenance"]:
        names = ("origin", "revision", "fingerprint")
        data = dict(zip(names, keys["provenance"]["data"], strict=True))
        keys["provenance"]["data"] = replace(results["mean"].result.provenance.data, **data)
    text = vpbench.compare(results["mean"], changed(results["mean"], **keys)).text()
    assert re.search(f"^differs: {line}$", text, re.MULTILINE), text
    assert ("note: the difference isn't the critic's alone" not in text) == of_the_critic


@pytest.mark.parametrize(
    ("revisions", "folders", "lines"),
    [
        (("0123456789abcdef",) * 2, ("/a/vpbench/nano/models/prm", "C:\\b\\prm\\"), []),
        (("0123456789abcdef",) * 2, ("/a/prm", "/a/orm"), ["model /a/prm / /a/orm"]),
        (("0123456789abcdef", "fedcba9876543210"), ("/a/prm", "/b/prm"), ["revision", "model /a/prm / /b/prm"]),
        (("1", "1"), ("/a/prm", "/b/prm"), ["model /a/prm / /b/prm"]),  # no fingerprint: a plugin's version
    ],
)
def test_a_model_is_the_same_in_another_folder_if_its_fingerprint_is(
    results: dict[str, StoredResult], revisions: tuple[str, str], folders: tuple[str, str], lines: list[str]
) -> None:
    model = [{"model": folder, "revision": revision} for folder, revision in zip(folders, revisions, strict=True)]
    one, two = (
        changed(results["mean"], provenance={"critic_revision": settings["revision"], "critic_settings": settings})
        for settings in model
    )
    differing = [line for line in vpbench.compare(one, two).differing if "setting revision" not in line]
    assert len(differing) == len(lines) and all(map(str.__contains__, differing, lines)), differing
    one, two = (changed(results["mean"], provenance={"drawing": {"policy": settings}}) for settings in model)
    comparison = vpbench.compare(one, two)
    assert len(comparison.differing) == len(lines)
    assert ("isn't the critic's alone" in comparison.text()) == bool(lines)


def test_a_path_with_blanks_is_cut_whole(results: dict[str, StoredResult]) -> None:
    models = "/home/me/o'brien's models/a b", "/home/me/o'brien's models/c d"
    one, two = (changed(results["mean"], provenance={"critic_settings": {"model": model}}) for model in models)
    assert "differs: critic setting model a b / c d" in vpbench.compare(one, two).text()


def test_values_that_look_alike_are_told_apart(results: dict[str, StoredResult]) -> None:
    one, two = (changed(results["mean"], provenance={"critic_settings": {"prompt": text}}) for text in ("a b", "a\nb"))
    assert vpbench.compare(one, two).differing == ('critic setting prompt "a b" / "a\\nb"',)
    one, two = (changed(results["mean"], provenance={"critic_settings": {"size": size}}) for size in (1, "1"))
    assert vpbench.compare(one, two).differing == ('critic setting size 1 / "1"',)


def test_nothing_of_a_result_steers_the_terminal_or_begins_a_line(results: dict[str, StoredResult]) -> None:
    hostile = "x\x1b]0;pwned\x07\x1b[2J\u202e\nheld"
    two = changed(results["mean"], critic=hostile, provenance={"critic_settings": {hostile: hostile}})
    text = vpbench.compare(results["mean"], two).text()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    assert "held" not in text.splitlines()


ODD: list[Any] = [float("nan"), float("inf"), 1.5, -0.1]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("checksums", [True, False])
def test_values_that_are_no_fractions_are_refused(
    results: dict[str, StoredResult], tmp_path: Path, odd: float, checksums: bool
) -> None:
    critic = results["mean"].units.values["critic"].copy()
    whole = planted(tmp_path / "whole", results["mean"], critic)
    critic[3, 2] = odd
    data = table_bytes(units_table(replace(whole.units, values={**whole.units.values, "critic": critic})))
    (whole.folder / "units.parquet").write_bytes(data)
    content = as_json(replace(whole.result, files={"units.parquet": hashlib.sha256(data).hexdigest()}))
    if checksums:
        (whole.folder / "result.json").write_text(json.dumps(content))
    else:
        write_edited(whole.folder, content)
    code, text = command("check", results["mean"].folder, whole.folder)
    assert code == 2
    assert f"units.parquet: not the units of a result (critic of unit {whole.units.names[3]!r} at N = 4 is" in text


def test_units_without_a_checksum_must_be_those_of_the_result(results: dict[str, StoredResult], tmp_path: Path) -> None:
    write_edited(tmp_path, json.loads((results["mean"].folder / "result.json").read_text()))
    (tmp_path / "units.parquet").write_bytes((results["max"].folder / "units.parquet").read_bytes())
    code, text = command("compare", results["mean"].folder, tmp_path)
    assert (code, "units.parquet: its means aren't those of result.json" in text) == (2, True)


def test_rows_without_a_checksum_must_be_those_of_the_result(results: dict[str, StoredResult], tmp_path: Path) -> None:
    content = json.loads((results["0.5"].folder / "result.json").read_text())
    content["step_f1"]["pooled"]["macro_f1"] += 1e-6
    write_edited(tmp_path, content)
    (tmp_path / "rows.parquet").write_bytes((results["0.5"].folder / "rows.parquet").read_bytes())
    code, text = command("check", results["0.5"].folder, tmp_path)
    assert (code, "rows.parquet: its macro-F1 isn't that of result.json" in text) == (2, True)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("groups", "task is 'mathvista'"),
        ("0.5", "task is 'mathvista'"),
        (Path("nowhere"), "not a result folder with result.json"),
        (Path("/dev/null"), "not a result folder with result.json"),
    ],
)
@pytest.mark.parametrize("verb", ["compare", "check"])
def test_what_cannot_be_compared_exits_2(
    results: dict[str, StoredResult], verb: str, second: Any, message: str
) -> None:
    folder = second if isinstance(second, Path) else results[second].folder
    code, text = command(verb, results["mean"].folder, folder)
    assert (code, message in text) == (2, True), text


def test_other_labels_are_refused(results: dict[str, StoredResult], tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(results["0.5"].folder / "rows.parquet").to_pylist()
    rows[0]["labels"][0] *= -1
    write_edited(tmp_path, json.loads((results["0.5"].folder / "result.json").read_text()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    with pytest.raises(vpbench.ConfigError, match=f"the labels of question '{rows[0]['question_id']}', solution 0, di"):
        vpbench.compare(results["0.9"], tmp_path)


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("deep"), MemoryError(), ZeroDivisionError("0")])
@pytest.mark.parametrize("verb", ["compare", "check"])
def test_an_error_that_nobody_expected_is_no_regression(
    results: dict[str, StoredResult], monkeypatch: pytest.MonkeyPatch, verb: str, error: Exception
) -> None:
    def fails(*_: object) -> Comparison:
        raise error

    monkeypatch.setattr("vpbench.api.compare", fails)
    code, text = command(verb, results["mean"].folder, results["max"].folder)
    assert code == 2
    assert f"can't compare {results['mean'].folder} with {results['max'].folder}: {type(error).__name__}" in text


def test_the_folder_of_a_run_says_which_results_are_in_it(results: dict[str, StoredResult]) -> None:
    folder = results["mean"].folder
    for given in (folder.parent, folder.parent.parent):
        code, text = command("compare", given, folder)
        assert (code, f"give one of its {len(results)} results" in text) == (2, True)
        assert {str(stored.folder) for stored in results.values()} <= {line.strip() for line in text.splitlines()}


def test_a_smaller_loss_than_the_smallest_is_no_regression(results: dict[str, StoredResult], tmp_path: Path) -> None:
    """Every unit loses between 2 and 4 points, 3 on average."""
    shape = results["mean"].units.values["critic"].shape
    loss = np.resize([0.02, 0.03, 0.04, 0.03], shape[0])[:, None]
    before = planted(tmp_path / "before", results["mean"], np.full(shape, 0.5)).folder
    after = planted(tmp_path / "after", results["mean"], np.full(shape, 0.5) - loss).folder
    for points, code in ((0, 1), (2.9, 1), (3, 1), (3.1, 0), (100, 0)):
        outcome, text = command("check", before, after, "--smallest-loss", points)
        assert (points, outcome, text.splitlines()[-1]) == (points, code, "regressed" if code else "held")
        assert (f"significant, but smaller than {points:g} points" in text) == (code == 0)
    assert command("check", after, before)[0] == 0
    for points in ("nan", "-1", "101"):
        assert command("check", before, after, "--smallest-loss", points)[0] == 2
    assert vpbench.compare(before, after, smallest_loss=0.029).regressed
    assert not vpbench.compare(before, after, smallest_loss=0.031).regressed
    for loss_allowed in (float("nan"), -0.01, 3):
        with pytest.raises(vpbench.ConfigError, match="no fraction of 1"):
            vpbench.compare(before, after, smallest_loss=loss_allowed)


def comparison(stored: StoredResult, differences: list[Difference], alike: tuple[int, ...] = ()) -> Comparison:
    return Comparison(stored, stored, tuple(map(str, range(len(differences)))), tuple(differences), alike)


def test_the_smallest_loss_shown_is_2_8_standard_errors(results: dict[str, StoredResult]) -> None:
    normal = NormalDist(-0.01, 0.004)
    single = Difference(-0.01, normal.inv_cdf(0.025), normal.inv_cdf(0.975), 0.01)
    assert comparison(results["mean"], [single]).detectable == pytest.approx((2.8016 * 0.004,), rel=1e-4)
    none = Difference(0.0, 0.0, 0.0, 1.0)
    of_two = comparison(results["mean"], [single, none])
    assert of_two.detectable == (pytest.approx((2.2414 + 0.8416) * 0.004, rel=1e-4), None)
    assert "smallest loss that these questions show in 4 of 5 cases: 1.23 points (0)" in of_two.verdict()
    assert comparison(results["mean"], [single, none], alike=(1,)).detectable == (pytest.approx(0.0112, rel=1e-3), None)
    assert "differ in no question" in comparison(results["mean"], [none]).verdict()
    assert list(of_two.frame().detectable.isna()) == [False, True]


def test_a_loss_of_that_size_is_found_in_4_of_5_worlds(results: dict[str, StoredResult]) -> None:
    random, units, worlds = np.random.default_rng(11), 150, 300
    loss = 2.8016 * 0.3 / units**0.5
    drawn = [random.normal(-loss, 0.3, (units, 1)) for _ in range(worlds)]
    compared = [
        comparison(results["mean"], paired_differences(values, np.zeros((units, 1)), resamples=400)) for values in drawn
    ]
    detectable = [single.detectable[0] or 0 for single in compared]
    assert np.mean(detectable) == pytest.approx(loss, rel=0.03)
    assert np.mean([single.regressed for single in compared]) == pytest.approx(0.8, abs=0.07)


def test_step_results_are_compared_at_held_out_thresholds_too(results: dict[str, StoredResult]) -> None:
    low, high = (results[name] for name in ("0.5", "0.9"))
    by_label = vpbench.compare(low, high).frame().set_index("label").value
    assert list(by_label.index) == [POOLED, HELD_OUT]
    assert by_label[HELD_OUT] == 0, "the same critic has the same held-out thresholds"
    reports = [stored.result.step_f1 for stored in (low, high) if isinstance(stored.result, StepResult)]
    assert by_label[POOLED] == pytest.approx(reports[1].pooled.macro_f1 - reports[0].pooled.macro_f1, abs=1e-12)


def test_held_out_figures_are_those_of_the_results(results: dict[str, StoredResult], tmp_path: Path) -> None:
    options: Any = {"nano": True, "limit": 90, "resamples": 200, "seed": 3}
    base = vpbench.run("visualprocessbench", "visualprm", output=tmp_path, **options)[0]
    scores = tmp_path / "scores.jsonl"
    random = np.random.default_rng(2)
    rows = [{"id": row.question_id, "steps": list(random.random(len(row.steps)))} for row in base.rows().itertuples()]
    lines = [{"question_id": row["id"], "index": 0, "step_scores": row["steps"]} for row in rows]
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines))
    other = vpbench.run("visualprocessbench", scores=scores, output=tmp_path, **options)[0]
    by_label = vpbench.compare(base, other).frame().set_index("label").value
    figures = [
        stored.result.step_f1.held_out_threshold.pooled.macro_f1
        for stored in (base, other)
        if isinstance(stored.result, StepResult) and stored.result.step_f1.held_out_threshold
    ]
    assert by_label[HELD_OUT] == pytest.approx(figures[1] - figures[0], abs=1e-12)


def test_an_outcome_critic_above_a_process_critic_is_a_line(results: dict[str, StoredResult], tmp_path: Path) -> None:
    shape = results["mean"].units.values["critic"].shape
    process = planted(tmp_path / "process", results["mean"], np.full(shape, 0.5))
    better = planted(tmp_path / "better", results["mean"], np.resize([0.55, 0.6], shape[0])[:, None] + np.zeros(shape))
    one_step = better.result.steps_per_response
    assert one_step is not None
    outcome = changed(better, steps_per_response=None)
    judged_whole = changed(better, steps_per_response=replace(one_step, mean=1, max=1, one_step_share=1))
    note = "note: outcome critic above process critic: [+]7.5 points"

    def compared(one: StoredResult, two: StoredResult) -> str:
        return vpbench.compare(one, two).text()

    for pair in ((process, outcome), (outcome, process), (process, judged_whole)):
        assert re.search(note, compared(*pair)), compared(*pair)
    for pair in ((process, better), (changed(process, steps_per_response=None), better), (outcome, outcome)):
        assert "outcome critic" not in compared(*pair)
    assert "outcome critic" not in compared(process, changed(outcome, selection="vote"))

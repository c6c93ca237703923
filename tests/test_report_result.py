"""`result.json` and the typed result: there and back, and what is said of a file that is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import vpbench
from vpbench.report.codec import as_json, from_json
from vpbench.report.stored import read_result

Content = dict[str, Any]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A Best-of-N result of a grouped task, and a step result."""
    output = tmp_path_factory.mktemp("runs")
    names = {"curves": "dynamath", "steps": "visualprocessbench"}
    options: Any = {"nano": True, "limit": 20, "resamples": 200, "output": output}
    return {kind: vpbench.run(task, "visualprm", **options)[0].folder for kind, task in names.items()}


@pytest.mark.parametrize("kind", ["curves", "steps"])
def test_there_and_back_is_the_same_to_the_byte(folders: dict[str, Path], kind: str) -> None:
    text = (folders[kind] / "result.json").read_text()
    result = from_json(json.loads(text), "here")
    assert json.dumps(as_json(result), indent=1, allow_nan=False) == text
    assert json.dumps(as_json(read_result(folders[kind]).result), indent=1) == text


def test_version_1_has_no_measures(folders: dict[str, Path]) -> None:
    content = json.loads((folders["curves"] / "result.json").read_text())
    for name in ("measures", "files", "sha256"):
        del content[name]
    assert from_json({**content, "schema_version": 1}, "here").measures == ()


DAMAGE: list[tuple[str, Any, str]] = [
    ("curves", lambda content: content.pop("questions"), "key 'questions' is missing"),
    ("curves", lambda content: content["curves"]["critic"][0].pop("low"), "key 'curves.critic[0].low' is missing"),
    ("curves", lambda content: content["provenance"]["data"].pop("fingerprint"), "'provenance.data.fingerprint'"),
    ("curves", lambda content: content.update(colour=1), "unknown key 'colour'"),
    ("curves", lambda content: content.update(curves=[]), "key 'curves' is [], expected an object"),
    ("curves", lambda content: content.update(gains={"over_vote": 3}), "key 'gains.over_vote' is 3, expected a list"),
    ("curves", lambda content: content.update(complete=1), "key 'complete' is 1, expected a value of type bool"),
    ("curves", lambda content: content.update(questions=True), "key 'questions' is True, expected a value of type int"),
    ("curves", lambda content: content["measures"][0].update(label=4), "'measures[0].label' is 4"),
    ("curves", lambda content: content.update(provenance=None), "key 'provenance' is None, expected an object"),
    ("curves", lambda content: content["curves"].pop("vote"), "key 'curves.vote' hasn't a point for every N"),
    ("curves", lambda content: content["curves"]["critic"].clear(), "key 'curves.critic' hasn't a point for every N"),
    ("curves", lambda content: content["gains"]["over_vote"].pop(), "key 'gains.over_vote' hasn't a point"),
    ("curves", lambda content: content["measures"][1]["points"].pop(), "key 'measures[1].points' hasn't a point"),
    (
        "steps",
        lambda content: content["step_f1"]["held_out_threshold"]["thresholds"].pop(),
        "'step_f1.held_out_threshold.thresholds' hasn't one for each of 5 folds",
    ),
    ("steps", lambda content: content.pop("step_f1"), "key 'step_f1' is missing"),
    ("steps", lambda content: content["step_f1"].update(pooled="high"), "key 'step_f1.pooled' is 'high'"),
    ("steps", lambda content: content["step_f1"]["by_source"].update(x={}), "'step_f1.by_source.x.f1_correct' is miss"),
]


@pytest.mark.parametrize(("kind", "damage", "message"), DAMAGE, ids=[message for _, _, message in DAMAGE])
def test_a_damaged_file_is_named_with_its_key(
    folders: dict[str, Path], tmp_path: Path, kind: str, damage: Any, message: str
) -> None:
    content = json.loads((folders[kind] / "result.json").read_text())
    damage(content)
    (tmp_path / "result.json").write_text(json.dumps(content))
    for read in (read_result, vpbench.load_results, lambda path: vpbench.compare(path, path)):
        with pytest.raises(vpbench.ConfigError) as raised:
            read(tmp_path)
        assert f"{tmp_path / 'result.json'}: " in str(raised.value)
        assert message in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "\ufeff", '{"schema_version": []}', "[" * 100_000])
def test_what_is_no_json_object_is_no_result(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(vpbench.ConfigError):
        read_result(tmp_path)


OTHER = b"another table"


@pytest.mark.parametrize("data", [None, b"", b"PAR1 and nothing else", OTHER])
@pytest.mark.parametrize(("kind", "file"), [("curves", "units.parquet"), ("steps", "rows.parquet")])
def test_a_parquet_file_that_is_missing_damaged_or_another_is_named(
    folders: dict[str, Path], tmp_path: Path, kind: str, file: str, data: bytes | None
) -> None:
    (tmp_path / "result.json").write_bytes((folders[kind] / "result.json").read_bytes())
    if data == OTHER:
        data = (folders["curves"] / ("rows.parquet" if file == "units.parquet" else "units.parquet")).read_bytes()
    if data is not None:
        (tmp_path / file).write_bytes(data)
    with pytest.raises(vpbench.ConfigError, match=f"{tmp_path / file}: (missing or damaged|no column)"):
        vpbench.compare(tmp_path, tmp_path)
    if file == "rows.parquet":
        with pytest.raises(vpbench.ConfigError, match=file):
            _ = vpbench.load_results(tmp_path).candidates

"""A study as a file: what it may say, what it stands for, and what is said of what it may not."""

from __future__ import annotations

import json
import os
import re
import textwrap
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from small_runs import line, pool_file, results, vpbench

from vpbench.errors import ConfigError
from vpbench.run.study_file import SCHEMA, read_study, schema, shipped_studies

DOCS = Path(__file__).parent.parent / "docs" / "studies.md"
TINY = {"tasks": "mathvista", "candidates": "pool.jsonl", "critics": {"vote": {"critic": "self-consistency"}}}


def study(folder: Path, **content: Any) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({"name": "mine", **content}))
    return path


@pytest.mark.parametrize(("name", "path"), shipped_studies().items())
def test_studies_that_ship_are_valid(name: str, path: Path) -> None:
    assert read_study(name)["name"] == name
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(SCHEMA.read_text()))


def test_the_example_of_the_docs_is_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (tmp_path / "study.yaml").write_text(example)
    assert [row.name for row in read_study(tmp_path / "study.yaml")["critic"]] == list(
        yaml.safe_load(example)["critics"]
    )


def test_the_schema_that_ships_is_the_reader_s() -> None:
    assert SCHEMA.read_text() == schema(), "write it anew: SCHEMA.write_text(schema())"


FAULTS = {
    "critics.ours.modle: no such key; did you mean model?": {
        **TINY,
        "critics": {"ours": {"critic": "visualprm", "modle": "./x"}},
    },
    "critics.ours: give one of `critic` and `scores`": {
        **TINY,
        "critics": {"ours": {"critic": "visualprm", "scores": "x"}},
    },
    "critics.ours: scores from a file have no `model`": {**TINY, "critics": {"ours": {"scores": "x", "model": "y"}}},
    "criticcs: no such key; did you mean critics?": {**TINY, "criticcs": {}},
    "critics: Field required": {"tasks": "mathvista"},
    "critics: Dictionary should have at least 1 item": {**TINY, "critics": {}},
    "n.1: Input should be greater than or equal to 1": {**TINY, "n": [1, 0]},
    "grading: Input should be 'robust' or 'official'": {**TINY, "grading": "strict"},
    "keep one of 'candidates' and 'policy'": {**TINY, "policy": "some-model"},
    "policy.temprature: no such key; did you mean temperature?": {
        **{name: value for name, value in TINY.items() if name != "candidates"},
        "policy": {"model": "x", "temprature": 1},
    },
    "a name is printable, without `=`, `:`, comma or slash": {
        **TINY,
        "critics": {"a,b": {"critic": "self-consistency"}},
    },
    "critics.a\ufffdb: no name": {**TINY, "critics": {"a\x1bb": {"critic": "self-consistency"}}},
    "tasks: List should have at least 1 item": {**TINY, "tasks": []},
    "tasks: should be a valid string or valid list": {**TINY, "tasks": {"a": "b"}},
    "critics.a: should be a mapping of keys or valid string": {**TINY, "critics": {"a": None}},
    "policy.model: Field required": {
        **{name: value for name, value in TINY.items() if name != "candidates"},
        "policy": {"samples": 2},
    },
    "temperature: no such key; it is a key of a policy": {**TINY, "temperature": 0.5},
    "pool: no such key; did you mean candidates?": {**TINY, "pool": "x"},
    "rates: no such key; it is an option of the command line alone": {**TINY, "rates": {"read": 1}},
    "seed: Input should be greater than or equal to 0": {**TINY, "seed": -1},
    "threshold: should be a finite number": {**TINY, "threshold": float("nan")},
    "9 more keys that can't be taken": {**TINY, **{f"key{number}": 1 for number in range(19)}},
}


@pytest.mark.parametrize(("message", "content"), FAULTS.items(), ids=FAULTS)
def test_what_is_wrong_is_named_with_its_key(tmp_path: Path, message: str, content: dict[str, Any]) -> None:
    done = vpbench("run", study(tmp_path, **content))
    assert done.exit_code == 2
    assert message in done.output
    assert str(tmp_path / "study.yaml") in done.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", "the key 'name' stands twice"),
        ("name: [", "not YAML"),
        ("- a\n", "expected keys such as name, tasks, critics"),
        ("name: !!python/object/apply:os.system ['true']\n", "not YAML"),
        ("\xff", "expected keys such as"),
        ("name: 2026-13-45\ntasks: !!timestamp 2026-13-45\n", "not YAML"),
        ("n: !!int x\n", "not YAML"),
        ("n: !!bool maybe\n", "not YAML"),
        ("n: !!float ''\n", "not YAML"),
        ("seed: " + "9" * 10_000, "not YAML"),
        ("[a]: b\n", "a key has to be a name"),
        ("a: &a {b: *a}\n", "not YAML"),
        ("a: {<<: 1}\n", "<< takes mappings"),
        ("a" * 200_000, "no study is longer"),
        ("a: " + "[" * 5000, "not YAML"),
        (
            "a0: &a0 {b: 1}\n"
            + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], c{n}: *a{n - 1}}}\n" for n in range(1, 60)),
            "more keys that can't be taken",
        ),
    ],
)
def test_what_is_no_study(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    done = vpbench("run", path)
    assert done.exit_code == 2
    assert message in done.output


def test_a_study_that_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "study.yaml")
    with pytest.raises(ConfigError, match=r"study\.yaml: a pipe or device"):
        read_study(tmp_path / "study.yaml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_key_is_a_name_however_it_is_spelt(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "study.yaml"
    text = """
        name: 2026-01-01
        tasks: mathvista
        critics:
          1: &one {critic: visualprm, args: {max_tiles: 6}}
          on: {<<: *one, model: x}
          1.5: *one
          2026-01-01: {scores: s}
        """
    path.write_text(textwrap.dedent(text), encoding=encoding)
    options = read_study(path)
    assert [critic.name for critic in options["critic"]] == ["1", "on", "1.5", "2026-01-01"]
    settings = [critic.settings for critic in options["critic"]]
    assert settings == [{"max_tiles": "6"}, {"max_tiles": "6", "model": "x"}, {"max_tiles": "6"}, {}]


def test_a_study_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="did you mean miniature"):
        read_study("miniatur")


def test_a_study_is_what_its_flags_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool_file(tmp_path, line("1", "4", "5"), line("2", "7", "7"))
    pool_file(
        tmp_path, *({"question_id": id, "candidates": [{"score": 1}, {"score": 2}]} for id in "12"), name="s.jsonl"
    )
    critics = {"vote": {"critic": "self-consistency"}, "file": {"scores": "s.jsonl"}}
    path = study(
        tmp_path, tasks="mathvista", candidates="pool.jsonl", critics=critics, n=[1, 2], output="a", resamples=100
    )
    assert vpbench("run", path).exit_code == 0
    monkeypatch.chdir(tmp_path)
    flags = ["--task", "mathvista", "--pool", "pool.jsonl", "--critic", "vote=self-consistency"]
    done = vpbench("run", *flags, "--scores", "file=s.jsonl", "--n", "1,2", "--output", "b", "--resamples", 100)
    assert done.exit_code == 0, done.output
    one, two = results(tmp_path / "a"), results(tmp_path / "b")
    assert [result["label"] for result in one] == ["file", "vote"]
    assert [path.name for path in (tmp_path / "a/results").iterdir()] == [
        p.name for p in (tmp_path / "b/results").iterdir()
    ]
    assert [result["curves"] for result in one] == [result["curves"] for result in two]


def test_flags_come_before_the_file(tmp_path: Path) -> None:
    pool_file(tmp_path, line("1", "4", "5"), line("2", "7", "7"))
    other = pool_file(tmp_path, line("1", "4", "5", "6"), name="other.jsonl")
    path = study(tmp_path, **TINY, n=[1, 2], output="a", seed=3, resamples=100)
    done = vpbench("run", path, "--pool", other, "--n", "1,3", "--critic", "counted=self-consistency")
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path / "a")
    assert (result["label"], result["candidates"]) == ("counted", 3)
    assert [point["n"] for point in result["curves"]["critic"]] == [1, 3]
    assert result["provenance"]["seed"] == 3


def test_policies_have_names_and_settings_of_their_own(tmp_path: Path) -> None:
    policies = {"weak": {"model": "nano", "temperature": 1.3}, "strong": "nano-strong"}
    critics = {"vote": {"critic": "self-consistency"}}
    path = study(
        tmp_path,
        nano=True,
        tasks="mathvista",
        policies=policies,
        critics=critics,
        n=[1, 2],
        limit=2,
        output="a",
        resamples=100,
        max_error_rate=1.0,
    )
    planned = vpbench("run", path, "--dry-run").output
    assert "policy    weak = " in planned and "policy    strong = " in planned
    assert "policy weak " in planned and "vote on weak " in planned and "vote on strong " in planned
    done = vpbench("run", path, "--max-tokens", 40)
    assert done.exit_code == 0, done.output
    by_policy = {result["policy"]: result["provenance"]["drawing"] for result in results(tmp_path / "a")}
    assert {name: drawing["temperature"] for name, drawing in by_policy.items()} == {"weak": 1.3, "strong": 0.7}
    assert {drawing["max_tokens"] for drawing in by_policy.values()} == {40}


def test_a_row_may_use_its_scores_in_its_own_way(tmp_path: Path) -> None:
    pool_file(tmp_path, line("1", "4", "5"), line("2", "7", "7"))
    scores = [{"question_id": id, "candidates": [{"step_scores": [0.9, 0.1]}, {"step_scores": [0.4]}]} for id in "12"]
    pool_file(tmp_path, *scores, name="s.jsonl")
    critics = {how: {"scores": "s.jsonl", "aggregate": how} for how in ("max", "min")}
    content = {**TINY, "critics": critics, "output": "a", "resamples": 100}
    assert vpbench("run", study(tmp_path, **content)).exit_code == 0
    assert {result["label"]: result["aggregate"] for result in results(tmp_path / "a")} == {"max": "max", "min": "min"}
    content["critics"] = {"odd": {"scores": "s.jsonl", "aggregate": "maximum"}}
    done = vpbench("run", study(tmp_path, **content))
    assert done.exit_code == 2
    assert "maximum" in done.output

"""A pool of verdicts without answers has no vote: nothing invents one, whatever shows, stores or compares it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from small_runs import pool_file, results
from small_runs import vpbench as command

import vpbench
from vpbench.errors import ConfigError
from vpbench.report.codec import as_json, from_json
from vpbench.report.plots import best_of_n_plot
from vpbench.report.result import BestOfNResult
from vpbench.report.stored import read_result

REPORT = Path(vpbench.__file__).parent / "report"
VERDICTS = {"a": [1, 0, 0, 1], "b": [0, 0, 1, 0], "c": [1, 1, 1, 1], "d": [0, 0, 0, 0], "e": [0, 1, 0, 1]}
SCORES = [0.5, 0.1, 0.6, 0.3]


def verdict_pool(folder: Path, **extra: Any) -> Path:
    lines: list[dict[str, Any]] = [
        {
            "question_id": id,
            "question": f"Question {id}?",
            "answer": "4",
            "candidates": [
                {"correct": bool(verdict), "step_scores": [score, verdict / 2 + score / 3], **extra}
                for verdict, score in zip(verdicts, SCORES, strict=True)
            ],
        }
        for id, verdicts in VERDICTS.items()
    ]
    return pool_file(folder, *lines)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two rows on a pool of verdicts."""
    folder = tmp_path_factory.mktemp("verdicts")
    pool = verdict_pool(folder)
    scores = f"--scores=last={pool},mean={pool}"
    options = ("--pool", pool, scores, "--trust-verdicts", "--resamples", 200, "--output", folder / "runs")
    done = command("run", "--task", "gsm8k", *options)
    assert done.exit_code == 0, done.output
    (folder / "printed").write_text(done.output)
    return folder / "runs"


def stored(run: Path) -> BestOfNResult:
    result = read_result(next((run / "results").iterdir())).result
    assert isinstance(result, BestOfNResult)
    return result


def test_the_result_has_no_vote_and_keeps_its_keys(run: Path) -> None:
    schema = json.loads((REPORT / "result.schema.json").read_text())
    for result in results(run):
        jsonschema.validate(result, schema)
        assert result["curves"]["vote"] == result["gains"]["over_vote"] == []
        assert all(point["vote"] is None for measure in result["measures"] for point in measure["points"])
        assert [gain["n"] for gain in result["gains"]["over_random"]] == [1, 2, 4]
        assert result["errors"] == {}
        assert any(note.startswith("no vote: ") for note in result["notes"])
        assert not any("vote" in line or "identical" in line for line in result["diagnosis"])
    result = stored(run)
    assert not result.has_vote and from_json(json.loads(json.dumps(as_json(result))), "here") == result


def test_a_vote_that_is_missing_in_part_is_a_damage(run: Path) -> None:
    content = json.loads(json.dumps(as_json(stored(run))))
    content["gains"] = {**content["gains"], "over_vote": content["gains"]["over_random"]}
    with pytest.raises(ConfigError, match=r"'curves\.vote' hasn't a point for every N"):
        from_json(content, "here")


def test_tables_and_pages_say_so(run: Path, tmp_path: Path) -> None:
    text = (run.parent / "printed").read_text()
    (control,) = {line for line in text.splitlines() if line.startswith("(majority vote)")}
    assert control.split()[2:] == ["n/a", "-", "-", "-", "-"]
    assert "no vote, as the pool gives no answers: gsm8k" in text
    for style in ("json", "markdown", "csv", "latex"):
        done = command("report", run, "--format", style)
        assert done.exit_code == 0, done.output
    done = command("leaderboard", "--output", run, "--site", tmp_path / "site")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "site" / "index.html").read_text()
    assert page.count("n/a") >= 2 * 2 + 2, "two results at two N, and the control's row"


def test_the_study_and_the_frames_say_so(run: Path) -> None:
    (folder,) = (run / "studies").iterdir()
    study = json.loads((folder / "study.json").read_text())
    jsonschema.validate(study, json.loads((REPORT / "study.schema.json").read_text()))
    assert study["controls"]["vote"] == [] and study["controls"]["random"]
    assert all(mean["over_vote"] is None for row in study["rows"] for mean in row["means"])
    loaded = vpbench.load_results(run)
    for frame in (loaded.cells, loaded.overview()):
        assert frame["over_vote"].isna().all() and frame["over_vote_p_holm"].isna().all()
        assert frame["over_random"].notna().all()
    assert "vote" not in set(loaded.results[0].curves()["curve"])
    assert loaded.candidates["response"].isna().all() and loaded.candidates["correct"].sum() == 2 * 9


def test_it_is_compared_checked_and_drawn(run: Path, tmp_path: Path) -> None:
    one, two = sorted((run / "results").iterdir())
    for sides in ((one, two), (run, run)):
        assert command("compare", *sides).exit_code == 0
    done = command("check", run, run)
    assert done.exit_code == 0 and done.output.splitlines()[-1] == "held"
    assert set(best_of_n_plot(stored(run))) == {"svg", "png"}
    done = command("report", run, "--plots", tmp_path / "plots")
    assert done.exit_code == 0, done.output
    assert sorted({path.stem for path in (tmp_path / "plots").iterdir()}) == ["best-of-n-gsm8k"]


@pytest.mark.parametrize("layout", ["lm-eval", "every-eval-ever"])
def test_exports_leave_it_out(run: Path, tmp_path: Path, layout: str) -> None:
    done = command("report", run, "--export", layout, "--into", tmp_path)
    assert done.exit_code == 0, done.output
    texts = [path.read_text() for path in tmp_path.rglob("*.json*")]
    assert texts and not any("vote_4" in text or "over_vote" in text for text in texts)


def test_a_vote_can_not_be_asked_for(tmp_path: Path) -> None:
    pool = verdict_pool(tmp_path)
    options = ("--task", "gsm8k", "--pool", pool, "--output", tmp_path / "runs")
    for arguments in (("--critic", "self-consistency"), ("--scores", pool, "--selection", "weighted-vote")):
        done = command("run", *options, "--trust-verdicts", *arguments)
        assert done.exit_code == 2 and "needs answers, and the pool gives none" in done.output


def test_a_response_that_is_withheld_is_neither_graded_nor_scored(tmp_path: Path) -> None:
    pool = verdict_pool(tmp_path)
    options = ("--task", "gsm8k", "--pool", pool, "--output", tmp_path / "runs")
    done = command("run", *options, "--scores", pool)
    assert done.exit_code == 2 and "pool.jsonl line 1, candidate 0: a candidate without `response`" in done.output
    (tmp_path / "critic.py").write_text(
        "from dataclasses import dataclass\nfrom vpbench import Critic, Score\n\n@dataclass(frozen=True)\n"
        "class C(Critic):\n    name = 'c'\n    title = 'c'\n"
        "    def score(self, question, candidates):\n        return [Score(1.0) for _ in candidates]\n"
    )
    done = command("run", *options, "--trust-verdicts", "--critic", tmp_path / "critic.py")
    assert done.exit_code == 2 and "which c would have to read" in done.output


def test_a_score_that_is_missing_stays_a_failure(tmp_path: Path) -> None:
    pool = verdict_pool(tmp_path)
    lines = [json.loads(line) for line in pool.read_text().splitlines()]
    lines[0]["candidates"][1]["step_scores"] = None
    scores = pool_file(tmp_path, *lines, name="scores.jsonl")
    options = ("--task", "gsm8k", "--pool", pool, "--trust-verdicts", "--output", tmp_path / "runs")
    assert command("run", *options, "--scores", scores, "--resamples", 100).exit_code == 0
    (result,) = results(tmp_path / "runs")
    assert result["errors"] == {"not scored: no score given": 1}


def test_with_predictions_there_is_a_vote(tmp_path: Path) -> None:
    """Verdicts with answers, and no responses: all but the texts is there."""
    pool = verdict_pool(tmp_path, prediction="4")
    options = ("--task", "gsm8k", "--pool", pool, "--trust-verdicts", "--output", tmp_path / "runs")
    done = command("run", *options, "--critic", "self-consistency", "--resamples", 100)
    assert done.exit_code == 0, done.output
    (result,) = results(tmp_path / "runs")
    assert len(result["curves"]["vote"]) == 3 and not any(note.startswith("no vote") for note in result["notes"])


def test_a_mean_over_tasks_has_no_vote_where_one_task_has_none(tmp_path: Path) -> None:
    pools = tmp_path / "pools"
    pools.mkdir()
    for task, extra in (("gsm8k", {}), ("math-500", {"prediction": "4"})):
        verdict_pool(pools, **extra).rename(pools / f"{task}.jsonl")
    options = ("--pool", pools, f"--scores=last={pools},mean={pools}", "--trust-verdicts", "--resamples", 100)
    done = command("run", "--task", "gsm8k,math-500", *options, "--output", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    frame = vpbench.load_results(tmp_path / "runs").overview()
    assert frame[frame["task"] == "mean"]["over_vote"].isna().all()
    assert frame[frame["task"] == "gsm8k"]["over_vote"].isna().all()
    assert frame[frame["task"] == "math-500"]["over_vote"].notna().all()
    assert frame["over_random"].notna().all()
    done = command("leaderboard", "--output", tmp_path / "runs", "--site", tmp_path / "site")
    assert done.exit_code == 0, done.output

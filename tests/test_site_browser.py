"""What the browser of questions is given: texts once per pool, picks as exports have them, pictures by licence."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from site_data import content, part

import vpbench
from vpbench.records import ImageRef
from vpbench.report.exports.picks import samples_of
from vpbench.report.pictures import KeptPicture, keep_pictures, kept_picture
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import StoredResult, read_result
from vpbench.report.texts import stored_texts
from vpbench.site.browser import write_browser
from vpbench.site.chunks import CHUNK_BYTES, CHUNK_QUESTIONS, bounds, number, script
from vpbench.site.step_texts import fitting_rule, parts


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> list[StoredResult]:
    """Two critics on one task, and a step task."""
    output = tmp_path_factory.mktemp("run")
    results = vpbench.run(
        ["mathvista", "visualprocessbench"],
        ["visualprm", "self-consistency"],
        nano=True,
        limit=4,
        resamples=100,
        output=output,
    )
    return [read_result(result.folder) for result in results]


@pytest.fixture(scope="module")
def site(run: list[StoredResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert write_browser(run, folder, public=False) == {stored.folder.name for stored in run}
    return folder


def entries(site: Path) -> dict[str, Any]:
    return {entry["slug"]: entry for entry in content(site / "data" / "catalogue.js")}


def best_of(run: list[StoredResult], critic: str) -> StoredResult:
    return next(stored for stored in run if stored.result.critic == critic and isinstance(stored.result, BestOfNResult))


def test_texts_stand_once_per_pool_and_verdicts_once_per_grading(run: list[StoredResult], site: Path) -> None:
    listed = entries(site)
    assert len({entry["pool"] for entry in listed.values()}) == 2
    assert len({entry["verdicts"] for entry in listed.values()}) == 2
    assert len({entry["scores"] for entry in listed.values()}) == 4
    folders = {folder.name for folder in (site / "data").iterdir() if folder.is_dir()}
    assert folders == {entry[name] for entry in listed.values() for name in ("pool", "verdicts", "scores")}


@pytest.mark.parametrize("critic", ["visualprm", "self-consistency"])
def test_questions_responses_and_picks_are_those_of_the_result(
    critic: str, run: list[StoredResult], site: Path
) -> None:
    stored = best_of(run, critic)
    entry = entries(site)[stored.folder.name]
    pool, own = (content(site / "data" / entry[name] / "index.js") for name in ("pool", "scores"))
    rows = dict(iter(stored.rows().groupby("question_id")))
    assert isinstance(stored.result, BestOfNResult)
    samples = list(samples_of(stored, stored.result))
    assert pool["ids"] == [sample.question_id for sample in samples]
    for position, sample in enumerate(samples):
        texts, verdicts, scores = (
            part(site, entry[name], pool["chunks"], position) for name in ("pool", "verdicts", "scores")
        )
        assert (texts["question"], texts["gold"]) == (sample.texts.question, sample.texts.gold)
        assert texts["responses"] == list(sample.texts.responses.values())
        assert own["pick"][position] == sample.pick.index
        assert own["pickRight"][position] == sample.pick.correct
        assert own["value"][position] == pytest.approx(sample.pick.score, rel=1e-4)
        row = rows[sample.question_id]
        assert verdicts["extracted"] == row["extracted"].tolist()
        assert verdicts["correct"] == row["correct"].tolist()
        assert scores["values"] == pytest.approx([0.0 + value for value in row["value"]], rel=1e-4)
        if critic == "visualprm":
            cut = [text.split(pool["cuts"]["at"]) for text in texts["responses"]]
            assert [len(text) for text in cut] == [len(steps) for steps in scores["steps"]]


def test_the_votes_pick_is_that_of_the_critic_that_only_votes(run: list[StoredResult], site: Path) -> None:
    entry = entries(site)[best_of(run, "self-consistency").folder.name]
    marks, own = (content(site / "data" / entry[name] / "index.js") for name in ("verdicts", "scores"))
    assert marks["vote"] == own["pick"]
    assert marks["voteRight"] == own["pickRight"]


def test_labels_stand_beside_the_calls_of_the_critic(run: list[StoredResult], site: Path) -> None:
    stored = next(s for s in run if s.result.critic == "visualprm" and isinstance(s.result, StepResult))
    assert isinstance(stored.result, StepResult)
    entry = entries(site)[stored.folder.name]
    marks, own = (content(site / "data" / entry[name] / "index.js") for name in ("verdicts", "scores"))
    threshold = stored.result.step_f1.threshold
    for position, row in enumerate(stored.rows().itertuples()):
        assert marks["labels"][position] == "".join("-0+"[int(label) + 1] for label in row.labels)
        assert own["calls"][position] == "".join("+" if value > threshold else "-" for value in row.steps)
    assert entry["threshold"] == threshold


def test_pictures_are_kept_by_the_run_and_shown_in_two_sizes(run: list[StoredResult], site: Path) -> None:
    entry = entries(site)[best_of(run, "visualprm").folder.name]
    index = content(site / "data" / entry["pool"] / "index.js")
    for position, thumb in enumerate(index["thumbs"]):
        [picture] = part(site, entry["pool"], index["chunks"], position)["pictures"]
        assert thumb == picture["thumb"]
        assert all((site / "images" / picture[name]).stat().st_size for name in ("file", "thumb"))
        assert picture["width"] > 0 < picture["height"]


def test_what_is_whole_is_not_written_again_and_what_nobody_needs_goes(run: list[StoredResult], tmp_path: Path) -> None:
    write_browser(run, tmp_path, public=False)
    one = best_of(run, "visualprm")
    entry = entries(tmp_path)[one.folder.name]
    before = (tmp_path / "data" / entry["scores"] / "index.js").stat().st_mtime_ns
    assert write_browser([one], tmp_path, public=False) == {one.folder.name}
    assert (tmp_path / "data" / entry["scores"] / "index.js").stat().st_mtime_ns == before
    assert {folder.name for folder in (tmp_path / "data").iterdir() if folder.is_dir()} == {
        entry[name] for name in ("pool", "verdicts", "scores")
    }
    thumbs = content(tmp_path / "data" / entry["pool"] / "index.js")["thumbs"]
    assert {path.name for path in (tmp_path / "images").glob("*.thumb.jpg")} == set(thumbs)


@pytest.mark.parametrize(
    ("task", "public", "texts", "pictures"),
    [
        ("mathvision", False, True, True),
        ("mathvision", True, True, True),
        ("mathvista", True, True, False),
        ("gpqa-diamond", True, False, False),
        ("a-plugin-that-is-not-there", True, False, False),
    ],
)
def test_a_public_page_shows_what_the_licence_is_known_to_allow(
    task: str, public: bool, texts: bool, pictures: bool, run: list[StoredResult], tmp_path: Path
) -> None:
    stored = best_of(run, "visualprm")
    other = StoredResult(stored.folder, replace(stored.result, task=task, nano=False))
    assert bool(write_browser([other], tmp_path, public)) == texts
    assert (tmp_path / "images").is_dir() == pictures
    assert [entry["pictures"] for entry in entries(tmp_path).values()] == [pictures] * texts


def test_the_miniature_world_is_nobodys(run: list[StoredResult], tmp_path: Path) -> None:
    assert len(write_browser(run, tmp_path, public=True)) == 4
    assert any((tmp_path / "images").iterdir())


def copied(stored: StoredResult, folder: Path) -> StoredResult:
    shutil.copytree(stored.folder.parent.parent, folder)
    return read_result(folder / "results" / stored.folder.name)


def test_results_of_earlier_versions_show_what_they_have(run: list[StoredResult], tmp_path: Path) -> None:
    stored = copied(best_of(run, "visualprm"), tmp_path / "runs")
    texts = stored_texts(stored)
    assert texts is not None
    (texts / "details.parquet").unlink()
    assert write_browser([stored], tmp_path / "site", public=False)
    [entry] = entries(tmp_path / "site").values()
    assert content(tmp_path / "site" / "data" / entry["pool"] / "index.js")["details"] is False
    shutil.rmtree(texts)
    assert write_browser([stored], tmp_path / "site", public=False) == set()


def test_a_damaged_result_is_told_and_leaves_the_others(
    run: list[StoredResult], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = copied(best_of(run, "visualprm"), tmp_path / "runs")
    (stored.folder / "rows.parquet").write_bytes(b"PAR1")
    assert write_browser([stored, best_of(run, "self-consistency")], tmp_path / "site", public=False) == {
        best_of(run, "self-consistency").folder.name
    }
    assert "rows.parquet" in capsys.readouterr().err


def test_a_picture_that_is_damaged_or_missing_says_so_on_the_page(run: list[StoredResult], tmp_path: Path) -> None:
    stored = copied(best_of(run, "visualprm"), tmp_path / "runs")
    for path in (tmp_path / "runs" / "images").iterdir():
        path.write_bytes(b"torn")
    assert write_browser([stored], tmp_path / "site", public=False)
    [entry] = entries(tmp_path / "site").values()
    [picture] = part(tmp_path / "site", entry["pool"], [0], 0)["pictures"]
    assert "its SHA-256 isn't its name" in picture["missing"]
    assert str(tmp_path) not in picture["missing"]


def test_pictures_are_kept_under_their_checksum_and_failures_with_their_reason(tmp_path: Path) -> None:
    here = ImageRef("a", load=lambda: b"content")
    gone = ImageRef("b", path=tmp_path / "gone.png")
    [kept, missing] = keep_pictures([here, gone], tmp_path)
    assert kept_picture(tmp_path, kept.name) == b"content"
    assert missing == KeptPicture("", missing.missing) and "gone.png" in missing.missing


def test_nothing_in_a_script_can_be_read_as_code(tmp_path: Path) -> None:
    hostile = ['")</script><script>alert(1)//', "\u2028\u2029\x00\x1b[2J", "‮evil", "x" * 1_000_000, "\ud800"]
    path = tmp_path / "data" / "pool" / "chunk-0000.js"
    path.parent.mkdir(parents=True)
    path.write_bytes(script("pool/chunk-0000", hostile))
    assert content(path) == [*hostile[:-1], "?"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.123456789, 0.12346),
        (None, None),
        (math.nan, None),
        (math.inf, "Infinity"),
        (-2.0, -2.0),
        (1.23456e-300, 1.2346e-300),
    ],
)
def test_scores_have_five_digits_and_what_json_lacks_has_words(value: float | None, shown: Any) -> None:
    assert number(value) == shown


def test_chunks_are_bounded_by_bytes_and_questions() -> None:
    assert bounds([1] * (2 * CHUNK_QUESTIONS)) == [0, CHUNK_QUESTIONS]
    assert bounds([CHUNK_BYTES, 1, 5 * CHUNK_BYTES, 1]) == [0, 1, 2, 3]
    assert bounds([10, 10]) == [0]


@pytest.mark.parametrize(
    ("response", "steps", "shown"),
    [
        ("a\n\nb\n\nc", ["a", "b", "c"], ["a\n\n", "b\n\n", "c"]),
        ("a\n\nb\n\nc", ["a\n\nb", "c"], ["a\n\nb\n\n", "c"]),
        ("  a. b. ", ["a.", "b."], ["  a. ", "b. "]),
        ("one", ["one"], "one"),
        ("", [], ""),
        ("a b", ["a", "c"], "a b"),
        ("a..b", ["a", "", "b"], ["a", "..", "b"]),
    ],
)
def test_a_response_is_cut_where_its_steps_begin(response: str, steps: list[str], shown: Any) -> None:
    assert parts(response, steps) == shown
    assert "".join(shown) == response


def test_how_a_critic_cut_is_told_from_its_scores() -> None:
    sentences = "First this. Then that. So 4."
    paragraphs = "\n\n".join("abcdefghijklmnop")
    assert fitting_rule([(sentences, 3)])[0] == "tolerant"
    assert fitting_rule([(paragraphs, 16)]) == ("released", None)
    assert fitting_rule([(paragraphs, 8)]) == ("released", 12)
    assert fitting_rule([(paragraphs, 4)], limits=[4]) == ("released", 4)

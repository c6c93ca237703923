"""A run as it is typed: what nobody names is taken from the critic, announced with its cost, or said to be missing."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from small_runs import results, vpbench

from vpbench.data.miniature import nano_folder, nano_model

COMMIT = "0123456789abcdef" * 2 + "01234567"
TYPED = ("run", "--critic", "visualprm", "--task", "mathvista")
DATA = ("--data", nano_folder("mathvista"), "--limit", 3, "--max-tokens", 60, "--resamples", 100)
CRITIC = """
from dataclasses import dataclass
from typing import ClassVar
from vpbench import Critic, PublishedPolicy, ReleasedModel, Score

@dataclass(frozen=True)
class Mine(Critic):
    name: ClassVar[str] = "mine"
    title: ClassVar[str] = "Mine"
    {attributes}
    model: str = ""

    def score(self, question, candidates):
        return [Score(0.0) for _ in candidates]
"""
RELEASED = "released: ClassVar[ReleasedModel] = ReleasedModel('some/critic', 10**16, 1)"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The hub's cache, empty, and no way to the hub; a run's folder is beside it."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield folder


def fetched(hub: Path, model: str, tiny: str) -> None:
    """A miniature checkpoint in the hub's cache, under the name of another, as the hub's own client leaves it."""
    folder = hub / f"models--{model.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    shutil.copytree(nano_model(tiny), folder / "snapshots" / COMMIT)


@pytest.fixture
def both(hub: Path) -> Path:
    """The released checkpoint and the published policy in the hub's cache, as miniature models."""
    fetched(hub, "OpenGVLab/VisualPRM-8B", "prm")
    fetched(hub, "OpenGVLab/InternVL2_5-8B", "policy")
    return hub


def refused(done: Result) -> str:
    assert done.exit_code == 2, done.output
    assert not Path("runs").exists()
    return done.output


def test_all_that_is_missing_is_said_at_once_with_the_ways_to_go_on(hub: Path) -> None:
    output = refused(vpbench(*TYPED))
    for part in (
        "critic visualprm:VisualPRM-8B: OpenGVLab/VisualPRM-8B (16.2 GB)",
        "policy: OpenGVLab/InternVL2_5-8B (16.2 GB)",
        "AI4Math/MathVista; or give a folder with their files by --data",
        "HF_HUB_OFFLINE forbids fetching",
        "--pool FILE",
        "--scores FILE",
        "--nano",
    ):
        assert part in output


def test_a_hub_that_does_not_answer_is_missing_too(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.is_offline_mode", lambda: False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    assert "http://127.0.0.1:9/api/models/OpenGVLab/VisualPRM-8B can't be reached" in refused(vpbench(*TYPED))


def test_what_is_there_or_brought_is_not_missing(both: Path) -> None:
    output = refused(vpbench(*TYPED))
    assert "AI4Math/MathVista" in output and "the weights" not in output
    shutil.rmtree(both)
    output = refused(vpbench(*TYPED, "--pool", "pool.jsonl"))
    assert "OpenGVLab/VisualPRM-8B" in output
    assert "InternVL2_5" not in output and "AI4Math" not in output and "--pool" not in output
    output = refused(vpbench("run", "--critic", "visualprm", "--task", "visualprocessbench"))
    assert "OpenGVLab/VisualProcessBench" in output and "InternVL2_5" not in output


@pytest.mark.parametrize("released", [10**16, 1])
def test_memory_is_missing_where_there_is_less_than_the_model_takes(hub: Path, released: int) -> None:
    Path("mine.py").write_text(CRITIC.format(attributes=RELEASED.replace("10**16", str(released))))
    output = refused(vpbench("run", "--critic", "./mine.py", "--task", "mathvista", "--pool", "pool.jsonl"))
    assert ("memory for the critic mine:critic: some/critic takes 10000000.0 GB" in output) == (released > 1)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ("released: ClassVar[str] = 'some/critic'", "Mine.released is 'some/critic', expected a vpbench.ReleasedModel"),
        ("published_policy: ClassVar[int] = 8", "Mine.published_policy is 8, expected a vpbench.PublishedPolicy"),
    ],
)
def test_what_a_critic_says_is_released_is_checked(hub: Path, attributes: str, message: str) -> None:
    Path("mine.py").write_text(CRITIC.format(attributes=attributes))
    assert message in refused(vpbench("run", "--critic", "./mine.py", "--task", "mathvista"))


def test_it_runs_from_the_cache_as_it_is_typed_and_is_announced(both: Path) -> None:
    done = vpbench(*TYPED, *DATA)
    assert done.exit_code == 0, done.output
    announced, *_ = done.output.partition("mathvista | critic visualprm:VisualPRM-8B")
    for part in (
        "OpenGVLab/VisualPRM-8B, its authors' released checkpoint; in the hub's cache",
        "OpenGVLab/InternVL2_5-8B, the policy of arXiv 2503.10291; in the hub's cache",
        "temperature 0.7, 8 candidates per question",
        "the other settings are vpbench's own (top-p 0.95, at most 60 tokens, prompt chain-of-thought)",
        "to draw: 24 candidates, 0 are there",
        "tokens: at most 1,440 to generate",
        "GPU hours: n/a (give --rates ",
    ):
        assert part in announced
    (result,) = results(Path("runs"))
    assert result["policy"] == "InternVL2_5-8B" and result["pool_size"] == 8
    assert result["provenance"]["critic_settings"]["model"] == "OpenGVLab/VisualPRM-8B"
    # The same names, typed out, are the same run.
    named = ("--critic-model", "OpenGVLab/VisualPRM-8B", "--policy", "OpenGVLab/InternVL2_5-8B", "--samples", 8)
    done = vpbench(*TYPED, *DATA, *named)
    assert done.exit_code == 0 and "named by nobody" not in done.output, done.output
    assert "scores of 3 of 3 questions taken from" in done.output
    assert len(list(Path("runs", "candidates").iterdir())) == 1


def test_what_is_named_goes_first_and_is_not_called_the_papers(both: Path) -> None:
    done = vpbench(*TYPED, *DATA, "--n", "1,2", "--temperature", 1, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "temperature 1 (arXiv 2503.10291: 0.7), 2 (arXiv 2503.10291: 8) candidates per question" in done.output
    done = vpbench(*TYPED, *DATA, "--policy", nano_model("policy"), "--dry-run")
    assert "128 candidates per question" in done.output and "InternVL2_5-8B" not in done.output
    done = vpbench("run", "--critic", f"visualprm:{nano_model('prm')}", "--task", "mathvista", *DATA, "--dry-run")
    assert "released checkpoint" not in done.output and "the policy of arXiv 2503.10291" in done.output


def test_the_miniature_world_takes_no_defaults(hub: Path) -> None:
    done = vpbench(*TYPED, "--nano", "--limit", 2, "--resamples", 100)
    assert done.exit_code == 0 and "named by nobody" not in done.output, done.output
    (result,) = results(Path("runs"))
    assert "InternVL2_5-8B" not in re.sub(r"\s", "", result["policy"])

"""A dry run fetches no weights: what the hub's cache holds is used, and what it lacks is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from click.testing import CliRunner, Result
from scoring_tiny import write_original
from train_tiny import write_solutions

from vpbench.cli import main
from vpbench.data.miniature import nano_model
from vpbench.scoring import checkpoint_fingerprint

COMMIT = "0123456789abcdef" * 2 + "01234567"
VERBS = [("sample", ["--samples", "3"]), ("run", ["--critic", "self-consistency", "--samples", "3"])]


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that were asked of the hub itself, which gives none; its cache is in `tmp_path`."""
    asked: list[str] = []
    real = huggingface_hub.snapshot_download

    def snapshot_download(model: str, **settings: Any) -> Any:
        if not settings.get("local_files_only"):
            asked.append(model)
            raise OSError("no hub here")
        return real(model, **settings)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.is_offline_mode", lambda: False)
    return asked


def cache(folder: Path, keep: Callable[[str], bool] = lambda _: True) -> None:
    """The miniature policy as some/policy in the cache, those of its files that `keep` chooses."""
    model = folder / "hub" / "models--some--policy"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(COMMIT)
    (model / "snapshots" / COMMIT).mkdir(parents=True)
    for path in nano_model("policy").iterdir():
        if keep(path.name):
            shutil.copy(path, model / "snapshots" / COMMIT)


def vpbench(folder: Path, verb: str, *arguments: object) -> Result:
    command = [
        verb,
        "--nano",
        "--task",
        "mathvista,mathvision",
        "--policy",
        "some/policy",
        "--limit",
        2,
        "--output",
        folder / "runs",
        *arguments,
    ]
    return CliRunner().invoke(main, [str(each) for each in command])


@pytest.mark.parametrize(("verb", "extra"), VERBS)
@pytest.mark.parametrize("there", ["nothing", "all but the weights"])
def test_a_policy_that_is_not_at_hand_is_named_and_not_fetched(
    tmp_path: Path, fetched: list[str], verb: str, extra: list[str], there: str
) -> None:
    if there != "nothing":
        cache(tmp_path, lambda name: not name.endswith(".safetensors"))
    done = vpbench(tmp_path, verb, *extra, "--dry-run")
    assert done.exit_code == 0, done.output
    assert done.output.count("policy    some/policy is not at hand, its weights would be fetched from the hub") == 2
    assert done.output.count("2 questions") == done.output.count("3 candidates per question") == 2
    assert fetched == []
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("verb", "extra"), VERBS)
def test_a_policy_in_the_cache_is_read_there(tmp_path: Path, fetched: list[str], verb: str, extra: list[str]) -> None:
    cache(tmp_path)
    done = vpbench(tmp_path, verb, *extra, "--dry-run")
    assert done.exit_code == 0, done.output
    assert done.output.count(checkpoint_fingerprint(nano_model("policy"))) == 2
    assert done.output.count("rows      ") == 2
    assert fetched == []


def test_without_dry_run_it_is_fetched(tmp_path: Path, fetched: list[str]) -> None:
    done = vpbench(tmp_path, "sample", "--samples", "3")
    assert done.exit_code == 2
    assert "some/policy: neither a local folder nor a model that the hub gives" in done.output
    assert set(fetched) == {"some/policy"}


def test_a_dry_run_of_training_fetches_all_but_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_original(tmp_path / "base", "qwen2")
    for path in (tmp_path / "base").glob("*.safetensors"):
        path.unlink()
    asked: list[str] = []

    def snapshot_download(model: str, allow_patterns: list[str], **_: Any) -> str:
        asked.extend(allow_patterns)
        return str(tmp_path / "base")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    data = write_solutions(tmp_path / "data", 2)
    done = CliRunner().invoke(
        main,
        [
            "train",
            "--critic",
            "visualprm",
            "--model",
            "some/base",
            "--data",
            str(data),
            "--output",
            str(tmp_path / "out"),
            "--dry-run",
        ],
    )
    assert done.exit_code == 0, done.output
    assert "*.json" in asked
    assert not [each for each in asked if "safetensors" in each]
